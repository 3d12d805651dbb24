"""Which context the server means: by its handle when it is open, before that by its id, in order of opening.

Handles tell contexts apart that bear the same id. Who drops a context hears no more of it.
"""

from __future__ import annotations

from collections import deque
from itertools import chain
from weakref import WeakValueDictionary

from realtime.client.inbox import Inbox
from realtime.session import messages as wire


class Directory:
    """The contexts of one session."""

    def __init__(self) -> None:
        self._unopened: dict[str, deque[Inbox]] = {}
        self._by_handle: WeakValueDictionary[int, Inbox] = WeakValueDictionary()
        self._latest: WeakValueDictionary[str, Inbox] = WeakValueDictionary()
        self._ended_early: set[int] = set()

    def expect(self, inbox: Inbox) -> None:
        """The next opening under its id is for `inbox`."""
        self._unopened.setdefault(inbox.context_id, deque()).append(inbox)
        self._latest[inbox.context_id] = inbox

    def get(self, handle: object) -> Inbox | None:
        """The context of a handle."""
        return self._by_handle.get(handle) if isinstance(handle, int) else None

    def all(self) -> list[Inbox]:
        """All that somebody still refers to, or that are still to be opened."""
        return [*self._by_handle.values(), *chain(*self._unopened.values())]

    def opened(self, message: wire.ContextOpened) -> Inbox | None:
        """The context that the server has opened; None when nobody waits for it."""
        inbox = self._next_unopened(message.context_id)
        if inbox is not None:
            self._by_handle[message.handle] = inbox
            if message.handle in self._ended_early:
                inbox.close()
        return inbox

    def refused(self, context_id: str, error: wire.Error) -> None:
        """The server does not open the context that waits for it longest, if any does."""
        if (inbox := self._next_unopened(context_id)) is not None:
            inbox.refuse(error)

    def unexpected(self, context_id: str) -> wire.Cancel | wire.End:
        """What to say to a context that nobody waits for.

        Text has opened it that was meant for a context which the server had refused or ended by then.
        """
        latest = self._latest.get(context_id)
        if latest is None or latest.refused:
            return wire.Cancel(context_id)
        latest.close()
        return wire.End(context_id)  # a cancel would silence what is still heard of it

    def ended_early(self, handles: frozenset[int]) -> None:
        """The server had ended these contexts before all their text came."""
        self._ended_early |= handles
        for handle in handles:
            if (inbox := self._by_handle.get(handle)) is not None:
                inbox.close()

    def _next_unopened(self, context_id: str) -> Inbox | None:
        waiting = self._unopened.get(context_id)
        if not waiting:
            return None
        inbox = waiting.popleft()
        if not waiting:
            del self._unopened[context_id]
        return inbox
