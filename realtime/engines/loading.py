"""How long utterances wait for an engine that is being loaded."""

from __future__ import annotations

import time


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
        """How long it waited, in seconds; from then on 0, as for one that did not wait."""
        return self._waited.pop(utterance, 0.0)

    def clear(self) -> None:
        """Nothing waits any more."""
        self._opened.clear()
        self._waited.clear()
