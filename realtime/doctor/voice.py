"""Whether the engine can be loaded and speaks: tried in a process of its own, which may crash or hang."""

from __future__ import annotations

from dataclasses import dataclass

from realtime.doctor.finding import Finding, Situation
from realtime.doctor.machine import TOO_LONG

_MODULE = "realtime.doctor.speaking"
_TIMEOUT_S = 300.0
#: A voice whose first sound takes longer is heard to hesitate; and sound must be made faster than it plays.
_SLOW_MS, _SLOW_FACTOR = 500.0, 0.8


@dataclass(frozen=True, slots=True)
class Spoken:
    """A sentence that was spoken: `first_ms` until the first sound, `took_s` for `audio_s` of it in all."""

    voice: str
    language: str
    first_ms: float
    took_s: float
    audio_s: float


@dataclass(frozen=True, slots=True)
class Speech:
    """What became of the try. `error`: why it failed, empty if it did not; `load_s` to load the engine."""

    load_s: float = 0.0
    spoken: tuple[Spoken, ...] = ()
    error: str = ""


def speaks(situation: Situation) -> list[Finding]:
    """One sentence with each voice of the engine that is there from the start."""
    if situation.quick:
        return [Finding("speaks", "info", "not tried: --quick")]
    import msgspec

    if situation.config.engine == "qwen3":
        from realtime.doctor.gpu import model_folder

        if model_folder(situation) is None:
            return [Finding("speaks", "info", "not tried: the model is not on this machine")]
    # Nothing is fetched: that takes long, and is for the server's start.
    environment = situation.harmless | {"HF_HUB_OFFLINE": "1"}
    ended = situation.machine.run_module(_MODULE, [], _TIMEOUT_S, environment)
    engine = situation.config.engine
    if ended.code == TOO_LONG:
        return [Finding("speaks", "fail", f"the engine {engine} has not spoken within {_TIMEOUT_S:g} s")]
    if ended.code:
        last = (ended.errors.strip().splitlines() or ["it wrote nothing"])[-1]
        what = f"the process of the engine {engine} ended with code {ended.code}: {last}"
        return [Finding("speaks", "fail", what, "see what it says: LOG_LEVEL=debug python -m realtime serve")]
    return told(engine, msgspec.json.decode(ended.output, type=Speech))


def told(engine: str, speech: Speech) -> list[Finding]:
    """A try in words."""
    if speech.error:
        remedy = "mend what it names; if a server runs on this machine it may hold what is missing"
        return [Finding("speaks", "fail", speech.error, remedy)]
    found = [Finding("loads", "ok", f"the engine {engine}, in {speech.load_s:.1f} s")]
    for each in speech.spoken:
        factor = each.took_s / each.audio_s if each.audio_s else 0.0
        what = f"{each.language}: first sound after {each.first_ms:.0f} ms, {each.audio_s:.1f} s of it in"
        what += f" {each.took_s:.2f} s (real-time factor {factor:.2f})"
        if not each.audio_s:
            remedy = "another voice; and report this"
            found.append(Finding(f"speaks {each.voice}", "fail", f"{each.language}: nothing", remedy))
        elif factor > _SLOW_FACTOR or each.first_ms > _SLOW_MS:
            remedy = "a faster machine, or one with less else to do; for qwen3 a GPU"
            found.append(Finding(f"speaks {each.voice}", "warn", what, remedy))
        else:
            found.append(Finding(f"speaks {each.voice}", "ok", what))
    if not speech.spoken:
        found.append(Finding("speaks", "info", "not tried: this model speaks with cloned voices alone"))
    return found
