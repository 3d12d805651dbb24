"""One utterance that several voices speak in turn, each the text of its language; above it stays one.

Text that follows each other for the same voice is a run: an utterance of its own for the engine of that
voice. A run is opened when all sound of the run before it is there, so the sound comes in the order of the
text, and what a run may make is what was granted for the whole, less what the runs before it have made. A
voice that speaks again gets a new run: what was granted once cannot be taken back. When the engine of a run
is lost, so is the whole utterance, whatever has been heard of it: only those above know that.

No I/O here: what comes in gives commands for the engines, with the numbers of the runs, and events for those
above, with the number of the utterance.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from realtime.engines.engine import Cancel, Chunk, Command, Failure, Feed, Finish, Flush, Freed, Grant, Open
from realtime.types import TextPiece


@dataclass(frozen=True, slots=True)
class Soon:
    """This voice will be spoken with for the first time: its engine may get ready."""

    voice: str


Output = Command | Chunk | Failure | Freed | Soon


@dataclass(slots=True, eq=False)
class _Run:
    number: int
    voice: str
    last_segment: int = -1
    unspoken: deque[int] = field(default_factory=deque)  # segments whose sound is not complete
    finished: bool = False

    def takes(self, piece: TextPiece, voice: str) -> bool:
        """A segment that has begun is spoken to its end by one voice, whatever its pieces say."""
        return voice == self.voice or piece.segment == self.last_segment


class Relay:
    """The runs of one utterance. Outputs are to be carried out in order, before those of the next call."""

    def __init__(self, request: Open, next_number: Callable[[], int]) -> None:
        """`next_number` gives the numbers of runs, which no other utterance of the engines may have."""
        self._request = request
        self._next_number = next_number
        self._voices = dict(request.auto_voices) | {request.language: request.voice}
        self._met: set[str] = set()
        self._waiting: deque[TextPiece | None] = deque()  # None: all before it was flushed
        self._run: _Run | None = None  # the one that speaks, or spoke last
        self._held: set[int] = set()  # runs that are not free
        self._granted_ms = 0
        self._deadline = 0.0
        self._made_ms = 0.0
        self._made_before_ms = 0.0  # by the runs before this one
        self._finished = False
        self._cancelled = False  # or failed
        self._freed = False

    def command(self, command: Command) -> list[Output]:
        """What a command for the utterance, all but `Open`, means for its runs."""
        if self._cancelled or self._freed:
            return []
        if isinstance(command, Feed):
            return self._feed(command.piece)
        if isinstance(command, Grant):
            self._granted_ms = max(self._granted_ms, command.audio_ms)
            self._deadline = command.deadline
            return [] if self._run is None else [self._grant(self._run)]
        if isinstance(command, Flush):
            self._waiting.append(None)
            return self._go_on()
        if isinstance(command, Finish):
            self._finished = True
            return self._go_on()
        return self._cancel() if isinstance(command, Cancel) else []

    def event(self, event: Chunk | Failure | Freed) -> list[Output]:
        """What an event of one of its runs means for the utterance."""
        run = self._run if self._run is not None and self._run.number == event.utterance else None
        if isinstance(event, Freed):
            self._held.discard(event.utterance)
            if run is not None:
                self._leave()
            return self._go_on()
        if run is None:
            return []  # it is over, or the run is: what has been spoken to its end cannot fail any more
        if isinstance(event, Failure):
            return [replace(event, utterance=self._request.utterance), *self._cancel(but=run.number)]
        audio = event.audio
        self._made_ms += audio.audio_ms
        if audio.last_of_segment and run.unspoken:
            run.unspoken.popleft()
        return [replace(event, utterance=self._request.utterance), *self._go_on()]

    def _feed(self, piece: TextPiece) -> list[Output]:
        self._waiting.append(piece)
        voice = self._voice(piece)
        soon: list[Output] = [] if voice in self._met else [Soon(voice)]
        self._met.add(voice)
        return soon + self._go_on()

    def _voice(self, piece: TextPiece) -> str:
        return self._voices.get(piece.language, self._request.voice)

    def _go_on(self) -> list[Output]:
        """Hand on the text whose turn it is; let go at the end of all."""
        outputs: list[Output] = []
        while self._waiting:
            piece, run = self._waiting[0], self._run
            if piece is None:
                self._waiting.popleft()
                if run is not None:
                    outputs.append(Flush(run.number))
                continue
            if run is not None and not run.takes(piece, self._voice(piece)):
                if run.unspoken:
                    return outputs
                outputs.append(Finish(run.number))
                self._leave()
                run = None
            if run is None:
                run = self._begin(self._voice(piece))
                language = piece.language if piece.language in self._voices else self._request.language
                request = Open(
                    run.number, run.voice, language, self._request.seed, instruct=self._request.instruct
                )
                outputs += [request, self._grant(run)]
            if piece.segment != run.last_segment:
                run.last_segment = piece.segment
                run.unspoken.append(piece.segment)
            self._waiting.popleft()
            outputs.append(Feed(run.number, piece))
        if self._finished and self._run is not None and not self._run.finished:
            self._run.finished = True
            outputs.append(Finish(self._run.number))
        if (self._finished or self._cancelled) and not self._held and not self._freed:
            self._freed = True
            outputs.append(Freed(self._request.utterance))
        return outputs

    def _begin(self, voice: str) -> _Run:
        self._run = _Run(self._next_number(), voice)
        self._held.add(self._run.number)
        return self._run

    def _leave(self) -> None:
        self._run = None
        self._made_before_ms = self._made_ms

    def _grant(self, run: _Run) -> Grant:
        """Rounded up: an engine goes on while less was made, be it by a part of a millisecond."""
        left_ms = math.ceil(round(self._granted_ms - self._made_before_ms, 6))  # sums of floats are not exact
        return Grant(run.number, max(0, left_ms), self._deadline)

    def _cancel(self, but: int | None = None) -> list[Output]:
        self._cancelled = True
        self._waiting.clear()
        self._run = None
        outputs: list[Output] = [Cancel(number) for number in sorted(self._held) if number != but]
        return outputs + self._go_on()
