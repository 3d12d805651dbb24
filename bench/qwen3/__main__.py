"""What Qwen3-TTS costs on this machine, against the least it can cost: `python -m bench.qwen3`.

On a GPU: both published sizes with random weights (`--models`), or a checkpoint (`--model`), within
`--minutes`, the most important first; texts are any tokens, and as long as is asked. It needs torch, numpy,
msgspec, structlog and tokenizers, and safetensors for a checkpoint; neither qwen_tts nor transformers.
Without a GPU the same program runs on a tiny model: it checks itself, and its figures mean nothing. The exit
code tells whether what is fast gives what is simple; that a target was missed is in the table alone.
"""

from __future__ import annotations

import argparse
import faulthandler
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from bench.qwen3 import checks, listeners, others, sound, speaking, steps
from bench.qwen3.bed import FULL, QUICK, TINY, Bed, free
from bench.qwen3.device import fast_math
from bench.qwen3.models import PUBLISHED, read_checkpoint
from bench.qwen3.models import TINY as TINY_MODEL
from bench.qwen3.record import Part, Record, run_apart
from bench.table import show
from realtime.engines.qwen3.configuration import read_config
from realtime.engines.qwen3.devices import choose_place, set_allocator, set_up
from realtime.engines.qwen3.parts import KINDS, has_flash, has_triton
from realtime.errors import EngineError


@dataclass(frozen=True, slots=True)
class Step:
    """How a part is measured, and how long it may take at the most before its process is ended."""

    run: Callable[[Bed], None]
    most_s: float = 120.0


#: Checks, and what matters most; what is beside that; what slows its process, or may take minutes. Each of
#: these is measured of all models before the next is.
PASSES: Sequence[Mapping[str, Step]] = (
    {
        "check": Step(checks.check_graphs),
        "check-sdpa": Step(partial(checks.check_kind, kind="sdpa")),
        "check-triton": Step(partial(checks.check_kind, kind="triton")),
        "check-flash": Step(partial(checks.check_kind, kind="flash")),
        **{f"attention-{kind}": Step(partial(steps.attention, kind=kind)) for kind in KINDS},
        "frames": Step(steps.frames, 150),
        "first-sound": Step(speaking.first_sound),
        "listeners": Step(listeners.listeners, 240),
    },
    {
        "codec": Step(sound.codec),
        "graphs": Step(steps.graphs),
        "others": Step(others.others, 240),
    },
    {
        "work-frame": Step(steps.work),
        "work-serving": Step(speaking.work),
        "compile": Step(steps.compiled, 400),
    },
)
STEPS: Mapping[str, Step] = {name: step for each in PASSES for name, step in each.items()}
#: What is asked for by name: a part, or several.
PARTS: Mapping[str, Sequence[str]] = {
    "checks": ("check", *(f"check-{kind}" for kind in KINDS)),
    "attention": tuple(f"attention-{kind}" for kind in KINDS),
    **{name: (name,) for name in ("frames", "first-sound", "listeners", "codec", "graphs", "others")},
    "work": ("work-frame", "work-serving"),
    "compile": ("compile",),
}
#: Measured once, of the first model: they are the same for all, or all have them in common.
_ONCE = frozenset((*PARTS["checks"], "codec"))
#: What would begin with less time left is left out.
_LEAST_S = 5.0


def main() -> None:
    """Measure what was asked for, and print it; the exit code tells of the checks."""
    arguments = _arguments()
    set_allocator()
    began = arguments.began or time.monotonic()
    until = arguments.until or began + 60 * arguments.minutes
    if arguments.child is not None:
        record = Record(arguments.child)
        measure(arguments, record, arguments.names, arguments.only.split(","), began, until)
        return
    with tempfile.TemporaryDirectory() as folder:
        record = Record(Path(folder) / "figures")
        cuda = torch.cuda.is_available()
        names = arguments.names if cuda or arguments.model else ["tiny"]
        for name, only in plan(names, arguments):
            if cuda or arguments.apart:
                command = [sys.executable, "-m", "bench.qwen3", *sys.argv[1:]]
                command += ["--began", str(began), "--until", str(until), "--names", name]
                command += ["--child", str(record.path), "--only"]
                run_apart(command, [Part(name, each) for each in only], record, until)
            else:
                measure(arguments, record, [name], only, began, until)
        failed = record.failed_checks
        for name in failed:
            print(f"a check failed: {name}", file=sys.stderr)
        show(title(arguments, cuda), record.rows, arguments.json)
    sys.exit(1 if failed else 0)


def plan(names: Sequence[str], arguments: argparse.Namespace) -> list[tuple[str, list[str]]]:
    """Which parts of which models, in which order. Compiling takes minutes: it is to be asked for."""
    wanted = arguments.parts or [name for name in PARTS if name != "compile" or arguments.compile]
    asked = {part for name in wanted for part in PARTS[name]}
    plans = [
        (name, [part for part in each if part in asked and not (number and part in _ONCE)])
        for each in PASSES
        for number, name in enumerate(names)
    ]
    return [(name, parts) for name, parts in plans if parts]


def measure(
    arguments: argparse.Namespace,
    record: Record,
    names: Sequence[str],
    only: Sequence[str],
    began: float,
    until: float,
) -> None:
    """Measure parts of models in this process; one that fails does not keep the others from it."""
    for name in names:
        bed = make_bed(arguments, name, record, began, until)
        for part in only:
            bed.part = Part(bed.name, part)
            record.begin(bed.part)
            if (missing := _missing(part, bed)) is not None:
                bed.row(part, None, note=missing)
                record.end(bed.part)
            elif bed.left_s < _LEAST_S:
                record.fail(bed.part, "the time was up")
            else:
                _measure(bed, STEPS[part])


def _measure(bed: Bed, step: Step) -> None:
    bed.progress(f"{bed.part}")
    if bed.cuda:
        torch.cuda.reset_peak_memory_stats(bed.device)
        # A kernel that hangs lets no exception through.
        faulthandler.dump_traceback_later(min(step.most_s, bed.left_s + _LEAST_S), exit=True)
    try:
        step.run(bed)
    except Exception as error:
        bed.progress(f"{bed.part} failed:")
        traceback.print_exception(error)
        bed.record.fail(bed.part, f"{type(error).__name__}: {str(error).partition(chr(10))[0]}")
    else:
        bed.record.end(bed.part)
    finally:
        free(bed)
        faulthandler.cancel_dump_traceback_later()


def _missing(part: str, bed: Bed) -> str | None:
    """Why a part cannot be measured here at all."""
    if part.endswith("-triton") and not has_triton():
        return "triton is not installed"
    if part.endswith("-flash") and not has_flash():
        return "flash-attn is not installed"
    if part.startswith(("work", "compile")) or part.endswith(("-triton", "-flash")):
        return None if bed.cuda else "there is no GPU here"
    return None


def make_bed(arguments: argparse.Namespace, name: str, record: Record, began: float, until: float) -> Bed:
    """The model of this name."""
    place = choose_place("auto", "auto", "auto")
    device, cuda = place.device, place.is_cuda
    try:
        set_up(place)
    except Exception as error:  # it is there to be fast: nothing needs it
        print(f"bench.qwen3: the engine's set-up failed: {type(error).__name__}: {error}", file=sys.stderr)
        fast_math(True)
    if cuda:
        torch.cuda.set_device(device)
    elif arguments.threads:
        torch.set_num_threads(arguments.threads)
    config, checkpoint = TINY_MODEL, None
    if arguments.model:
        config, *weights = read_checkpoint(arguments.model, device)
        checkpoint = (weights[0], weights[1])
    elif cuda:
        config = PUBLISHED[name]
    return Bed(
        name=name,
        config=config,
        device=device,
        dtype=place.dtype,
        sizes=(QUICK if arguments.quick else FULL) if cuda else TINY,
        record=record,
        began=began,
        until=until,
        attention=arguments.attention,
        usual=place.attention,
        most_listeners=arguments.listeners,
        checkpoint=checkpoint,
        folder=str(arguments.model) if arguments.model else None,
    )


def title(arguments: argparse.Namespace, cuda: bool) -> str:
    """What was measured, where."""
    packages = " ".join(f"{name} {_version(name)}" for name in ("torch", "triton", "flash-attn"))
    what = f"checkpoint {arguments.model}" if arguments.model else "random weights"
    if not cuda:
        return f"Qwen3-TTS on the CPU, a tiny model: it checks itself, its times mean nothing; {packages}"
    return f"Qwen3-TTS on {torch.cuda.get_device_name(0)}, {what}; {packages}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("parts", nargs="*", metavar="PART", help=f"what to measure: {', '.join(PARTS)}; without any: all")
    add("--models", default=",".join(PUBLISHED), help="sizes with random weights, with commas")
    add("--model", type=Path, help="a folder with a checkpoint, in their place")
    add("--minutes", type=float, default=8, help="what is not measured by then is left out")
    add("--attention", choices=KINDS, help="for all but their comparison; without it the fastest")
    add("--listeners", type=int, default=0, help="the most that are tried")
    add("--compile", action="store_true", help="torch.compile too: it takes minutes")
    add("--threads", type=int, default=1, help="of the CPU, where there is no GPU")
    add("--apart", action="store_true", help="in processes of their own, also without a GPU")
    add("--quick", action="store_true", help="less of everything")
    add("--json", type=Path, help="write the figures to this file")
    for hidden in ("--began", "--until"):
        add(hidden, type=float, help=argparse.SUPPRESS)
    for hidden in ("--names", "--only"):
        add(hidden, help=argparse.SUPPRESS)
    add("--child", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    for part in arguments.parts:
        if part not in PARTS:
            parser.error(f"there is no part {part!r}: {', '.join(PARTS)}")
    if arguments.model:
        read_config(arguments.model)  # a folder that is none is told of before anything is measured
    names = arguments.names or (arguments.model.name if arguments.model else arguments.models)
    arguments.names = [names] if arguments.model else names.split(",")
    for name in () if arguments.model else arguments.names:
        if name not in (*PUBLISHED, "tiny"):
            parser.error(f"there is no model {name!r}: {', '.join(PUBLISHED)}")
    return arguments


if __name__ == "__main__":
    try:
        main()
    except EngineError as error:
        sys.exit(f"bench.qwen3: {error}")
