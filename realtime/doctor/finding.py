"""What a check finds, and what it is given to look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from realtime.config import SECRETS, Config
from realtime.doctor.machine import Machine

#: Secrets that are read by others than the server.
OTHER_SECRETS = ("HF_TOKEN", "REALTIME_API_KEY")
State = Literal["ok", "warn", "fail", "info"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was `found` out about the thing of this `name`, and what to do about it, if anything."""

    name: str
    state: State
    found: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Situation:
    """What checks look at: the settings, as far as they are right, and the machine.

    `environment` is the whole of it, `wrong` one line for each variable of it that is not right. `quick`:
    nothing that takes long is tried.
    """

    config: Config = field(default_factory=Config)
    environment: Mapping[str, str] = field(default_factory=dict)
    wrong: tuple[str, ...] = ()
    machine: Machine = field(default_factory=Machine)
    quick: bool = False

    @property
    def harmless(self) -> dict[str, str]:
        """The environment for programs that are started: without secrets, and without what is wrong."""
        left_out = {*SECRETS, *OTHER_SECRETS, *(line.partition(" ")[0] for line in self.wrong)}
        return {name: text for name, text in self.environment.items() if name not in left_out}


@dataclass(frozen=True, slots=True)
class Check:
    """One check. `group` is the heading under which its findings stand."""

    group: str
    name: str
    look: Callable[[Situation], Sequence[Finding]]


def findings_of(check: Check, situation: Situation) -> list[Finding]:
    """What a check finds. One that breaks is a failed check: nothing is ever raised."""
    try:
        return list(check.look(situation))
    except ImportError as error:
        missing = (str(error).splitlines() or [type(error).__name__])[0]
        remedy = "install what is missing (see the packages above), then look again"
        return [Finding(check.name, "fail", f"cannot be looked at: {missing}", remedy)]
    except Exception as error:  # whatever it is: the other checks are still wanted
        lines = str(error).strip().splitlines()
        what = type(error).__name__ + (f": {lines[0]}" if lines else "")
        return [Finding(check.name, "fail", f"this check broke: {what}")]
