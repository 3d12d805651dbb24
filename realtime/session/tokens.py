"""The tokens with which a session is resumed.

Each `session.ready` bears a new one, and may be lost on its way. So a token counts until a client is known to
have received a later one: by resuming with that, or by answering what was sent behind it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

#: A client that answers no WebSocket ping never tells what it has received: no more than these count.
MOST_TOKENS = 8


class Tokens:
    """Of one session, oldest first."""

    def __init__(self, new_token: Callable[[], str]) -> None:
        """`new_token` makes one that cannot be guessed."""
        self._new_token = new_token
        self._tokens: list[str] = []
        #: How many there have been.
        self.count = 0

    def new(self) -> str:
        """One more."""
        self.count += 1
        self._tokens = [*self._tokens[1 - MOST_TOKENS :], self._new_token()]
        return self._tokens[-1]

    def are_of(self, token: str) -> bool:
        """Whether `token` counts; how long this takes tells nothing of it."""
        given = token.encode()
        return any([secrets.compare_digest(each.encode(), given) for each in self._tokens])

    def used(self, token: str) -> None:
        """The client has this one: those before it count no more."""
        self._tokens = self._tokens[self._tokens.index(token) :]

    def received(self, count: int) -> None:
        """The client has the first `count` that there were: those before the last of them count no more."""
        older = count - 1 - (self.count - len(self._tokens))
        self._tokens = self._tokens[max(0, min(older, len(self._tokens) - 1)) :]
