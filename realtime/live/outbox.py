"""What a session has to send on its socket: answers first, then what has to be sent again, then sound.

What is new of the sound is fetched by the driver, piece by piece, when there is nothing else: nothing of it
waits here, but what one piece of it has brought about.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from msgspec import Struct

from realtime.session.actions import Machine
from realtime.session.messages import ContextCancelled, SessionReady, encode
from realtime.session.replay import Piece, follows, is_kept

#: A client that sends and does not read is not read either when so many characters of answers wait for it.
MOST_ANSWERS = 256 * 1024


@dataclass(frozen=True, slots=True)
class Ping:
    """Is sent behind the `session.ready` of this number."""

    number: int


@dataclass(frozen=True, slots=True)
class Barrier:
    """The answer to a cancel that came at `since`: nothing of its context is sent after it."""

    text: str
    since: float


#: What a socket is given to send.
Outgoing = Piece | list[bytes] | Ping | Barrier


class Outbox:
    """Of one session. `machine` knows what may have to be sent again."""

    def __init__(self, machine: Machine) -> None:
        """Nothing is to be sent."""
        self.machine = machine
        self._urgent: deque[str | Ping | Barrier] = deque()
        self._urgent_characters = 0
        self._fetched: deque[Piece | list[bytes]] = deque()
        self._room = asyncio.Event()
        self._room.set()

    async def room_for_answers(self) -> None:
        """Returns when there are not too many."""
        await self._room.wait()

    def say(self, message: Struct, now: float, *, has_socket: bool) -> None:
        """A message goes before all sound, but for what tells of it; without a socket it is only kept."""
        text, handle = encode(message), follows(message)
        if is_kept(message):
            self.machine.keep(text, now, handle)
        if not has_socket:
            return
        if handle is not None and self.machine.follow(text, handle):
            return
        if handle is not None and self._fetched:
            self._fetched.append(text)
            return
        self._urgent.append(Barrier(text, now) if isinstance(message, ContextCancelled) else text)
        self._urgent_characters += len(text)
        if self._urgent_characters >= MOST_ANSWERS:
            self._room.clear()
        if isinstance(message, SessionReady):
            self._urgent.append(Ping(self.machine.ready_number))

    def put_message(self, message: Struct, now: float) -> None:
        """A message that keeps its order with the sound was fetched."""
        text = encode(message)
        if is_kept(message):
            self.machine.keep(text, now, follows(message))
        self._fetched.append(text)

    def put_frames(self, frames: list[bytes]) -> None:
        """Sound was fetched: it goes out in one piece, as nothing may come between."""
        if frames:
            self._fetched.append(frames)

    def next(self, *, answers_only: bool) -> Outgoing | None:
        """What is to be sent now; None when there is nothing."""
        if self._urgent:
            piece = self._urgent.popleft()
            if not isinstance(piece, Ping):
                self._urgent_characters -= len(piece if isinstance(piece, str) else piece.text)
                if self._urgent_characters < MOST_ANSWERS:
                    self._room.set()
            return piece
        if answers_only:
            return None
        return self._fetched.popleft() if self._fetched else self.machine.next_again()

    def answers(self) -> Iterator[str]:
        """All that wait."""
        for piece in self._urgent:
            if not isinstance(piece, Ping):
                yield piece if isinstance(piece, str) else piece.text

    def clear(self) -> None:
        """The socket is gone, and with it all this: what counts of it is kept, and sent again."""
        self._urgent.clear()
        self._fetched.clear()
        self._urgent_characters = 0
        self._room.set()
