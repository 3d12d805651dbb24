"""Where and how a model runs: device, numbers, attention, and how torch is set up for it."""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass
from pathlib import Path

import torch

from realtime.cores import usable_cores
from realtime.engines.engine import DeviceMemory
from realtime.engines.qwen3.affinity import near_cpus, pci_address, stay_near
from realtime.engines.qwen3.parts import why_no_triton
from realtime.errors import EngineError

#: From this compute capability on cards have bfloat16 and what flash-attn 2 needs: Ampere.
_AMPERE = (8, 0)
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_ALLOCATOR = "expandable_segments:True"
_MEMINFO = Path("/proc/meminfo")
#: More of them gain nothing where the matrices of a step have few rows.
_MOST_CPU_THREADS = 8


@dataclass(frozen=True, slots=True)
class Place:
    """`attention` as `Decoder` takes it; `why`: what decided on it, in words.

    `kernels`: whether own kernels do what lies between matrices, and convolutions.
    """

    device: torch.device
    dtype: torch.dtype
    attention: str
    why: str
    kernels: bool

    @property
    def is_cuda(self) -> bool:
        """Whether it is a GPU, and graphs can be captured."""
        return self.device.type == "cuda"

    @property
    def name(self) -> str:
        """Of the device, for people."""
        return torch.cuda.get_device_name(self.device) if self.is_cuda else "CPU"


def choose_place(device: str, dtype: str, attention: str) -> Place:
    """What the settings MODEL_DEVICE, MODEL_DTYPE and ATTENTION come to on this machine.

    Each may be "auto". Raises `EngineError` for what this machine cannot do.
    """
    chosen = _device(device)
    numbers = _dtype(dtype, chosen)
    kind, why = _attention(attention, chosen, numbers)
    return Place(chosen, numbers, kind, why, kernels=kind != "sdpa" and not _no_triton(chosen))


def _device(name: str) -> torch.device:
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        reason = "is a build for the CPU" if torch.version.cuda is None else "finds no GPU or no driver"
        raise EngineError(f"MODEL_DEVICE is {name}, but there is no CUDA: torch {torch.__version__} {reason}")
    index = int(name.partition(":")[2] or 0)
    if index >= torch.cuda.device_count():
        raise EngineError(f"MODEL_DEVICE is {name}, but there are {torch.cuda.device_count()} GPUs")
    return torch.device("cuda", index)


def _dtype(name: str, device: torch.device) -> torch.dtype:
    if name != "auto":
        return _DTYPES[name]
    if device.type == "cuda" and torch.cuda.get_device_capability(device) >= _AMPERE:
        return torch.bfloat16
    return torch.float32


def _attention(name: str, device: torch.device, dtype: torch.dtype) -> tuple[str, str]:
    if name == "sdpa":
        return "sdpa", "ATTENTION says so"
    no_flash = _no_flash(device, dtype)
    no_triton = _no_triton(device)
    if name == "auto":
        if not no_flash:
            return "flash", "flash-attn is installed, and the card has it"
        kind = "sdpa" if no_triton else "triton"
        return kind, "; ".join(
            filter(None, (f"no flash-attn: {no_flash}", no_triton and f"no triton: {no_triton}"))
        )
    reason = no_flash if name == "flash" else no_triton
    if reason:
        raise EngineError(f"ATTENTION is {name}, which cannot be used: {reason}")
    return name, "ATTENTION says so"


def _no_flash(device: torch.device, dtype: torch.dtype) -> str:
    """Why flash-attn cannot be used; empty if it can."""
    if device.type != "cuda":
        return "it is for GPUs"
    if dtype not in (torch.bfloat16, torch.float16):
        return f"it is for numbers of 16 bits, and MODEL_DTYPE is {str(dtype).removeprefix('torch.')}"
    capability = torch.cuda.get_device_capability(device)
    if capability < _AMPERE:
        return f"it needs compute capability 8.0, and the card has {capability[0]}.{capability[1]}"
    return _not_importable("flash_attn")


def _no_triton(device: torch.device) -> str:
    """Why own kernels cannot be used; empty if they can."""
    if device.type != "cuda" and os.environ.get("TRITON_INTERPRET") != "1":
        return "it is for GPUs"
    return why_no_triton()


def _not_importable(package: str) -> str:
    try:
        importlib.import_module(package)
    except ImportError as error:  # also of one that was compiled for another torch
        return str(error).splitlines()[0]
    return ""


def set_allocator() -> None:
    """Sets how torch takes memory of a GPU, unless somebody has.

    Torch reads it when CUDA begins, be it to ask a card what it can: so this comes before all else. Without
    it what graphs and steps leave free comes in pieces.
    """
    if not {"PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF"} & os.environ.keys():
        os.environ["PYTORCH_CUDA_ALLOC_CONF"] = _ALLOCATOR


def set_up(place: Place) -> dict[str, str]:
    """Sets torch up for serving with this model; in the thread of the steps, or the one that starts it.

    Returns what was done, for the log. TF32: only matrices of 32-bit floats are concerned, which on a GPU are
    few. cuDNN's benchmark has nothing to measure: what makes sound is products of matrices or own kernels.
    """
    if not place.is_cuda:
        if not {"OMP_NUM_THREADS", "MKL_NUM_THREADS"} & os.environ.keys():
            torch.set_num_threads(cpu_threads(usable_cores()))
        return {"threads": str(torch.get_num_threads())}
    torch.cuda.set_device(place.device)
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.allow_tf32 = True
    address = pci_address(place.device.index)
    cpus = stay_near(near_cpus(address)) if address else frozenset()
    return {
        "allocator": os.environ.get("PYTORCH_CUDA_ALLOC_CONF") or os.environ.get("PYTORCH_ALLOC_CONF", ""),
        "processors": f"{len(cpus)} next to the GPU" if cpus else "any",
    }


def cpu_threads(cores: int) -> int:
    """Threads that compute on so many cores.

    Torch's wait for each other after every small matrix: where others need the cores as well, as the server
    and its encoder do, they take ten times as long with one for each core.
    """
    return max(1, min(_MOST_CPU_THREADS, cores // 2))


def memory_in_use(device: torch.device) -> DeviceMemory:
    """What this process has of the memory of a GPU; nothing of any other device."""
    if device.type != "cuda":
        return DeviceMemory()
    return DeviceMemory(
        torch.cuda.memory_allocated(device),
        torch.cuda.memory_reserved(device),
        torch.cuda.get_device_properties(device).total_memory,
    )


def free_memory(device: torch.device) -> int:
    """Bytes that can be allocated on the device."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    for line in _MEMINFO.read_text().splitlines() if _MEMINFO.exists() else ():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 1 << 62  # not Linux: it is not told
