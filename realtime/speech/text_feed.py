"""The text's side of an utterance: from the tokens of a client to pieces for the engine, in small turns.

What is cut from a text depends on its characters alone, with one exception: when text has stopped arriving
and the listener has heard what there was, what is left is spoken although its end is not known.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Protocol

from realtime.clock import Clock
from realtime.text.frontend import Frontend
from realtime.types import TextPiece

#: Characters of text that are worked on in one turn of the loop: 2 ms, and 9 ms of the worst text.
TEXT_SLICE = 256


class TextListener(Protocol):
    """Hears what becomes of the text; all calls are made on the event loop, in order."""

    def on_pieces(self, pieces: list[TextPiece]) -> None:
        """Text that is ready to be spoken."""
        ...

    def on_flush(self, flush_id: str | None) -> None:
        """All pieces so far were flushed."""
        ...

    def on_end(self) -> None:
        """No more pieces will come."""
        ...

    def on_mistake(self) -> None:
        """Called while an exception is handled that nobody foresaw; nothing more comes."""
        ...

    def dry_at(self) -> float:
        """When the listener will have heard all there is, in monotonic seconds; infinity: not known yet."""
        ...


class TextTurns:
    """Shares the event loop among all feeds, and with all else: one slice, then as long for the others."""

    def __init__(self, clock: Clock) -> None:
        """`clock`: how long a slice took."""
        self._clock = clock
        self._waiting: deque[Callable[[], None]] = deque()

    def ask(self, step: Callable[[], None]) -> None:
        """Call `step` when its turn comes, after those that have asked before."""
        self._waiting.append(step)
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        begun = self._clock.now()
        try:
            self._waiting[0]()
        finally:
            self._waiting.popleft()
            if self._waiting:
                asyncio.get_running_loop().call_later(self._clock.now() - begun, self._next)


class _Nobody:
    """Listens to a feed that was stopped."""

    def on_pieces(self, pieces: list[TextPiece]) -> None:
        return

    def on_flush(self, flush_id: str | None) -> None:
        return

    def on_end(self) -> None:
        return

    def on_mistake(self) -> None:
        return

    def dry_at(self) -> float:
        return math.inf


_NOBODY = _Nobody()


class TextFeed:
    """Takes text by calls that never wait, and works on it a slice at a time, so that nobody is held up.

    It works from `start` to `stop`: what was never started leaves nothing behind.
    """

    def __init__(
        self, frontend: Frontend, listener: TextListener, clock: Clock, turns: TextTurns, wait_s: float
    ) -> None:
        """`wait_s`: how long no text must have come before what is held is spoken; 0: for ever."""
        self._frontend = frontend
        self._listener: TextListener = listener
        self._clock = clock
        self._turns = turns
        self._wait_s = wait_s
        self._steps: deque[Callable[[], None]] = deque()
        self._started = False
        self._turn_comes = False
        self._text_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Work on the text from now on, beginning with what has come already."""
        self._started = True
        self._in_turn()

    def append(self, text: str) -> None:
        """More text, in tokens of any size."""
        slices = (text[start : start + TEXT_SLICE] for start in range(0, len(text), TEXT_SLICE))
        self._in_turn(*(partial(self._append, part) for part in slices))

    def flush(self, flush_id: str | None) -> None:
        """All text so far is final."""
        self._in_turn(partial(self._flush, flush_id))

    def end(self) -> None:
        """No more text."""
        self._in_turn(self._end)

    def stop(self) -> None:
        """Nothing more is wanted, also not of what may still be said."""
        self._started = False
        self._listener = _NOBODY  # else the two would keep its encoder until the collector comes
        self._steps.clear()
        self._stop_watching()

    def _in_turn(self, *steps: Callable[[], None]) -> None:
        """Do the first step that waits now, the others in later turns of the loop."""
        self._steps.extend(steps)
        if not self._turn_comes:
            self._do_step()

    def _do_step(self) -> None:
        self._turn_comes = False
        if not self._steps or not self._started:  # there is nothing yet, or it was stopped meanwhile
            return
        try:
            self._steps.popleft()()
        except Exception:
            listener = self._listener
            self.stop()
            listener.on_mistake()
            return
        if self._steps:
            self._turn_comes = True
            self._turns.ask(self._do_step)

    def _append(self, text: str) -> None:
        self._listener.on_pieces(self._frontend.append(text))
        self._text_at = self._clock.now()
        if self._timer is None:
            self._watch(self._wait_s)

    def _flush(self, flush_id: str | None) -> None:
        self._listener.on_pieces(self._frontend.flush())
        self._listener.on_flush(flush_id)

    def _end(self) -> None:
        self._stop_watching()
        self._listener.on_pieces(self._frontend.flush())
        self._listener.on_end()

    # -- text that stops arriving -----------------------------------------------------------------------

    def wait_again(self) -> None:
        """Text that should have come may have been lost: as long again is waited for it."""
        self._text_at = self._clock.now()

    def _watch(self, seconds: float) -> None:
        if self._started and self._wait_s and self._frontend.held:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _stop_watching(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        """Time has passed since text came: if no more does, what is held may be due."""
        self._timer = None
        due = max(self._text_at + self._wait_s, self._listener.dry_at())
        rest = due - self._clock.now()
        if rest > 0:
            self._watch(min(rest, self._wait_s))
        else:
            self._in_turn(self._settle)

    def _settle(self) -> None:
        held = self._frontend.held
        self._listener.on_pieces(self._frontend.settle())
        if self._frontend.held < held:  # half a word is left, perhaps: its rest has as long again to come
            self._watch(self._wait_s)
