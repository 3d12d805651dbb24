"""An engine, a clock and a shared cache that a test moves by hand."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from realtime.engines.engine import (
    Cancel,
    Capabilities,
    Chunk,
    Command,
    Event,
    Failure,
    Feed,
    Freed,
    Grant,
    Open,
)
from realtime.speech.cache import CachedSound, SharedStats
from realtime.types import AudioChunk, TextPiece

RATE = 24_000


class HandEngine:
    """An engine whose events the test sends by hand. By default it is one for segments."""

    def __init__(self, **capabilities: object) -> None:
        self.commands: list[Command] = []
        self.forgotten: list[str] = []
        self.ready = True
        self.on_event: Callable[[Event], None] = lambda event: None
        #: Called with each command after it was noted, as an engine in this process would.
        self.on_command: Callable[[Command], None] = lambda command: None
        plain = Capabilities("hand", ("tone",), ("en",), RATE)
        self.capabilities = replace(plain, **capabilities)  # type: ignore[arg-type]

    async def start(self, on_event: Callable[[Event], None]) -> None:
        self.on_event = on_event

    def send(self, command: Command) -> None:
        self.commands.append(command)
        self.on_command(command)

    async def forget(self, voice_key: str) -> None:
        self.forgotten.append(voice_key)

    async def stop(self) -> None:
        self.ready = False

    # -- what it was told -------------------------------------------------------------------------------

    def opened(self) -> list[Open]:
        return [command for command in self.commands if isinstance(command, Open)]

    def cancels(self) -> list[int]:
        return [command.utterance for command in self.commands if isinstance(command, Cancel)]

    def grants(self, utterance: int) -> list[tuple[int, float]]:
        """(milliseconds, deadline), in order."""
        grants = [each for each in self.commands if isinstance(each, Grant) and each.utterance == utterance]
        return [(grant.audio_ms, grant.deadline) for grant in grants]

    def fed(self, utterance: int) -> list[TextPiece]:
        return [c.piece for c in self.commands if isinstance(c, Feed) and c.utterance == utterance]

    def number_of(self, text: str) -> int:
        """The last utterance that was fed this text."""
        (*_, number) = (c.utterance for c in self.commands if isinstance(c, Feed) and c.piece.text == text)
        return number

    # -- what it tells ----------------------------------------------------------------------------------

    def make(self, utterance: int, audio: AudioChunk) -> None:
        self.on_event(Chunk(utterance, audio))

    def fail(self, utterance: int, message: str = "the voice is gone") -> None:
        """As every engine does: it lets go of what has failed."""
        self.on_event(Failure(utterance, message))
        self.on_event(Freed(utterance))

    def lose(self, utterance: int, *, begun: bool) -> None:
        """The engine is lost, and with it this one, at which it was working or not."""
        self.on_event(Failure(utterance, "the engine is lost", lost=True, begun=begun))
        self.on_event(Freed(utterance))

    def free(self, utterance: int) -> None:
        self.on_event(Freed(utterance))


class HandClock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def now(self) -> float:
        return self.seconds


class HandListener:
    """A listener of whom the test says where it is; `on_output` may be replaced."""

    def __init__(self, on_output: Callable[[], None] = lambda: None) -> None:
        self.on_output = on_output
        self.dry = 0.0
        self.credit = math.inf

    def dry_at(self) -> float:
        return self.dry

    def credit_ms(self) -> float:
        return self.credit


class HandShared:
    """A shared cache that answers when the test says so."""

    def __init__(self) -> None:
        self.available = True
        self.stats = SharedStats()
        self.asked: list[str] = []
        self.kept: dict[str, CachedSound] = {}
        self._waiting: list[tuple[str, Callable[[CachedSound | None], None]]] = []

    def fetch(self, key: str, on_result: Callable[[CachedSound | None], None]) -> None:
        self.asked.append(key)
        self._waiting.append((key, on_result))

    def keep(self, key: str, sound: CachedSound) -> None:
        self.kept[key] = sound

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def answer(self, sound: CachedSound | None, key: str | None = None) -> None:
        """Tell all that wait for this key (None: for any) what was found."""
        answered = [each for each in self._waiting if key in (None, each[0])]
        self._waiting = [each for each in self._waiting if each not in answered]
        assert answered, "nobody asks"
        for _, on_result in answered:
            on_result(sound)

    @property
    def unanswered(self) -> Counter[str]:
        return Counter(key for key, _ in self._waiting)


def sound_of(*milliseconds: float, level: float = 0.5, segment: int = 0) -> tuple[AudioChunk, ...]:
    """The chunks of one segment, each so long and of its own level, so that they can be told apart."""
    last = len(milliseconds) - 1
    return tuple(
        AudioChunk(
            segment,
            np.full(round(RATE * each / 1000), level * (number + 1) / len(milliseconds), np.float32),
            RATE,
            last_of_segment=number == last,
        )
        for number, each in enumerate(milliseconds)
    )
