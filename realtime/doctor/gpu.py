"""What `ENGINE=qwen3` needs: torch, a GPU and its driver, memory, the files of the model."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from realtime.doctor.finding import Finding, Situation, State
from realtime.doctor.machine import NOT_FOUND, TOO_LONG, size

if TYPE_CHECKING:
    from realtime.engines.qwen3.survey import Survey

_SURVEY = "realtime.engines.qwen3.surveyor"
#: Torch is slow to be read, and CUDA to begin.
_TIMEOUT_S = 180.0
_SMI_TIMEOUT_S = 20.0
_MIB = 2**20
#: Asked of nvidia-smi, by the names that it has for them.
_QUERY = (
    "name",
    "driver_version",
    "memory.total",
    "memory.free",
    "persistence_mode",
    "clocks.sm",
    "clocks.max.sm",
    "compute_mode",
)


def model_folder(situation: Situation) -> Path | None:
    """Where the files of the model are; None where they are not on this machine. Nothing is fetched."""
    from realtime.engines.qwen3.fetching import resolve
    from realtime.errors import EngineError

    try:
        return resolve(situation.config.model_id, lambda what, fraction: None, offline=True)
    except EngineError:
        return None


def cards(situation: Situation) -> list[Finding]:
    """What the driver tells of the GPUs."""
    config = situation.config
    if config.engine != "qwen3" or config.model_device == "cpu":
        return []
    command = ["nvidia-smi", f"--query-gpu={','.join(_QUERY)}", "--format=csv,noheader,nounits"]
    ended = situation.machine.run(command, _SMI_TIMEOUT_S)
    if ended.code == NOT_FOUND:
        remedy = "install NVIDIA's driver; in a container its toolkit, and --gpus all"
        return [Finding("driver", "warn", "there is no nvidia-smi", remedy)]
    if ended.code:
        lines = (ended.output + ended.errors).strip().splitlines() or [f"code {ended.code}"]
        what = "does not answer" if ended.code == TOO_LONG else f"says: {lines[0]}"
        remedy = "dmesg | grep -i nvrm; load the driver's module, or restart the machine"
        return [Finding("driver", "fail", f"nvidia-smi {what}", remedy)]
    rows = [[cell.strip() for cell in row] for row in csv.reader(ended.output.splitlines()) if row]
    found = []
    for index, row in enumerate(rows):
        if len(row) != len(_QUERY):
            found.append(Finding("driver", "warn", f"nvidia-smi tells {len(row)} of {len(_QUERY)} figures"))
        else:
            found += _card(index, dict(zip(_QUERY, row, strict=True)))
    return found or [Finding("driver", "fail", "nvidia-smi knows of no GPU", "see whether it is plugged in")]


def _card(index: int, told: dict[str, str]) -> list[Finding]:
    name = f"GPU {index}"
    total, free = (_mib(told[key]) for key in ("memory.total", "memory.free"))
    what = f"{told['name']}, driver {told['driver_version']}, {free} of {total} free,"
    what += f" at {told['clocks.sm']} of {told['clocks.max.sm']} MHz"
    found = [Finding(name, "ok", what)]
    if told["persistence_mode"] == "Disabled":
        remedy = f"nvidia-smi -i {index} -pm 1 (as root); deploy/host/gpu-persistence.sh does it for all"
        lost = "persistence mode is off: the driver is set up anew whenever nobody uses the GPU"
        found.append(Finding(name, "warn", lost, remedy))
    if told["compute_mode"] == "Prohibited":
        remedy = f"nvidia-smi -i {index} -c DEFAULT (as root)"
        found.append(Finding(name, "fail", "its compute mode is Prohibited: no program may use it", remedy))
    return found


def _mib(text: str) -> str:
    return size(int(text) * _MIB) if text.isdecimal() else text


def model(situation: Situation) -> list[Finding]:
    """What torch finds, and whether the model fits."""
    config = situation.config
    if config.engine != "qwen3":
        return []
    import msgspec

    from realtime.engines.engine import ModelSettings
    from realtime.engines.qwen3.survey import Survey

    settings = ModelSettings(
        config.model_id,
        config.model_device,
        config.model_dtype,
        config.attention,
        config.max_batch_size,
        config.max_new_tokens,
        config.torch_compile,
    )
    told = msgspec.json.encode(settings).decode()
    ended = situation.machine.run_module(_SURVEY, [told], _TIMEOUT_S, situation.harmless)
    if ended.code:
        last = (ended.errors.strip().splitlines() or ["it wrote nothing"])[-1]
        what = (
            f"no answer within {_TIMEOUT_S:g} s" if ended.code == TOO_LONG else f"{last} (code {ended.code})"
        )
        return [Finding("torch", "fail", what, "make qwen3 installs what the engine needs")]
    return in_words(situation, msgspec.json.decode(ended.output, type=Survey))


def in_words(situation: Situation, survey: Survey) -> list[Finding]:
    """A survey as findings."""
    return [*_torch(situation, survey), *_files(situation, survey), *_memory(situation, survey)]


def _torch(situation: Situation, survey: Survey) -> list[Finding]:
    device = situation.config.model_device
    built = f"{survey.torch}, built for CUDA {survey.cuda}" if survey.cuda else f"{survey.torch}, for the CPU"
    found = [Finding("torch", "ok", built)]
    if survey.no_cuda and device != "cpu":
        # "auto" goes on without a GPU, and is far too slow.
        state: State = "warn" if device == "auto" else "fail"
        remedy = (
            "a torch for the driver's CUDA (requirements-torch.txt), the driver, --gpus all in a container"
        )
        found.append(Finding("CUDA", state, survey.no_cuda, remedy))
    for index, card in enumerate(survey.cards):
        kind = "bfloat16" if card.bfloat16 else "no bfloat16"
        told = f"{card.name}, compute capability {card.capability}, {kind},"
        told += f" {size(card.free)} of {size(card.total)} free"
        remedy = "Ampere or later has it; MODEL_DTYPE=float16 or float32 on this one"
        state = "ok" if card.bfloat16 else "warn"
        found.append(Finding(f"cuda:{index}", state, told, "" if card.bfloat16 else remedy))
    if survey.place_error:
        remedy = "MODEL_DEVICE, MODEL_DTYPE and ATTENTION may each be `auto`"
        return [*found, Finding("where it runs", "fail", survey.place_error, remedy)]
    told = f"{survey.device}, {survey.dtype}, attention {survey.attention} ({survey.why})"
    if not survey.cards or survey.device == "CPU":
        remedy = "tests and tiny models run on a CPU; to speak in real time it needs a GPU"
        return [*found, Finding("where it runs", "warn", told, remedy)]
    found.append(Finding("where it runs", "ok", told))
    if survey.no_triton:
        remedy = "apt-get install gcc libc6-dev python3-dev: Triton builds what launches its kernels"
        what = f"own kernels cannot be used, and a frame takes four times as long: {survey.no_triton}"
        found.append(Finding("triton", "warn", what, remedy))
    flash = "installed" if survey.flash else "not installed, and not needed: Triton's kernels do the same"
    found.append(Finding("flash-attn", "info", flash))
    if survey.near_cores:
        found.append(Finding("near the GPU", "ok", f"{survey.near_cores} cores; the engine stays on those"))
    return found


def _files(situation: Situation, survey: Survey) -> list[Finding]:
    if survey.files_error and survey.folder:
        return [Finding("model", "fail", survey.files_error, "fetch it anew, or set another MODEL_ID")]
    if survey.folder:
        return [Finding("model", "ok", f"{situation.config.model_id}: {survey.folder}")]
    if situation.environment.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        remedy = "unset HF_HUB_OFFLINE, or set MODEL_ID to a folder that has it"
        return [Finding("model", "fail", f"{survey.files_error}, and HF_HUB_OFFLINE is set", remedy)]
    remedy = "it is fetched at the first start, some 2.5 GB (0.6B) or 4.5 GB (1.7B), into HF_HOME"
    return [Finding("model", "warn", survey.files_error, remedy)]


def _memory(situation: Situation, survey: Survey) -> list[Finding]:
    if survey.place_error or not survey.need:
        return []
    batch = situation.config.max_batch_size
    how = "by the headers of its files" if survey.counted else "roughly, by its published size"
    told = f"{batch} utterances at once need {size(survey.need)} ({how}); {size(survey.free)} are free"
    if survey.need > survey.free:
        remedy = "a smaller MAX_BATCH_SIZE or MODEL_ID; or end what holds the rest (nvidia-smi tells)"
        return [Finding("model's memory", "fail", told, remedy)]
    return [Finding("model's memory", "ok", told)]
