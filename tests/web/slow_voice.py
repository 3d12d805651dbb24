"""An engine that says it is a model, and is downloaded as far as a file in its folder says."""

from __future__ import annotations

import time
from pathlib import Path

from realtime.engines.engine import EngineSettings
from tests.app.pretending import PretendedModel

#: The module for `realtime.app.building.MODULES`.
MODULE = "tests.web.slow_voice"


def download(folder: Path, fraction: float) -> None:
    """It is downloaded so far; with 1 its loading goes on."""
    new = folder / "downloaded.new"
    new.write_text(f"{fraction}")
    new.replace(folder / "downloaded")  # whole, or not at all


class SlowVoice(PretendedModel):
    """As that, but before it is loaded it is downloaded."""

    def load(self) -> None:
        fraction = 0.0
        while fraction < 1:
            fraction = float((self._folder / "downloaded").read_text())
            self.on_progress("download", fraction)
            time.sleep(0.01)
        super().load()


def make(settings: EngineSettings) -> SlowVoice:
    """For a process."""
    return SlowVoice(settings)
