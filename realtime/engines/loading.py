"""An engine that is being loaded: how far that is, and how long utterances wait for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import structlog

from realtime.engines.engine import LoadState
from realtime.engines.synthesizer import ReportsProgress
from realtime.errors import EngineError

#: Progress is told no more often, unless something else begins.
_TOLD_EVERY_S = 0.5
#: And logged at its beginning and end, and whenever so much more is done.
_LOGGED_EVERY = 0.25
_log = structlog.get_logger(__name__)


class Progress:
    """Takes what a synthesizer says of its loading, and hands on no more of it than anybody reads."""

    def __init__(
        self, tell: Callable[[str, float], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`tell` is called on the thread that loads."""
        self._tell = tell
        self._clock = clock
        self._lock = threading.Lock()
        self._what: str | None = None
        self._fraction = 0.0
        self._told_at = 0.0

    def __call__(self, what: str, fraction: float) -> None:
        """`fraction` is cut to 0 to 1."""
        fraction = min(1.0, max(0.0, fraction))
        with self._lock:
            now = self._clock()
            is_new = what != self._what
            is_over = fraction == 1.0 and self._fraction != 1.0
            if not is_new and not is_over and now < self._told_at + _TOLD_EVERY_S:
                return
            self._what, self._fraction, self._told_at = what, fraction, now
            self._tell(what, fraction)


def why_not_loaded(error: Exception) -> str:
    """What to tell of a load that has failed: the words of an error that is for people, or what it was."""
    reason = error.message if isinstance(error, EngineError) else f"{type(error).__name__}: {error}"
    return f"the engine could not be loaded: {reason}"


def report_to(synthesizer: Any, tell: Callable[[str, float], None]) -> None:
    """Have a synthesizer tell how its loading goes, if it can."""
    if isinstance(synthesizer, ReportsProgress):
        synthesizer.on_progress = Progress(tell)


class LoadLog:
    """Writes into the log how a loading goes, in a few lines."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._what = ""
        self._next = 0.0

    def note(self, state: LoadState) -> None:
        """It is at this."""
        if state.what != self._what:
            self._what, self._next = state.what, 0.0
        if state.fraction >= self._next:
            _log.info("engine_loading", what=state.what, percent=round(100 * state.fraction))
            # Twice at its end would be once too often.
            self._next = 2.0 if state.fraction == 1.0 else min(1.0, state.fraction + _LOGGED_EVERY)


class LoadTimes:
    """Of the utterances that were opened before the engine was loaded."""

    def __init__(self) -> None:
        self._opened: dict[int, float] = {}  # when, by the monotonic clock
        self._waited: dict[int, float] = {}  # seconds, of those whose first sound has not come

    def opened(self, utterance: int) -> None:
        """It waits from now on."""
        self._opened[utterance] = time.monotonic()

    def loaded(self) -> None:
        """All that waited do so no longer."""
        now = time.monotonic()
        self._waited |= {utterance: now - opened for utterance, opened in self._opened.items()}
        self._opened.clear()

    def take(self, utterance: int) -> float:
        """How long it waited, in seconds; from then on 0, as for one that did not, or waits no more."""
        self._opened.pop(utterance, None)
        return self._waited.pop(utterance, 0.0)

    def clear(self) -> None:
        """Nothing waits any more."""
        self._opened.clear()
        self._waited.clear()
