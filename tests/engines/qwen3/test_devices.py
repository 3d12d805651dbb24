"""Where and how a model runs, by the settings and by what the machine has."""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Callable, Iterator

import pytest
import torch

from realtime.engines.qwen3 import devices
from realtime.errors import EngineError


class Machine:
    """What torch and Python seem to find on it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.gpus()
        self.packages()

    def gpus(self, count: int = 0, capability: tuple[int, int] = (9, 0)) -> None:
        self._monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        self._monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        self._monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)

    def packages(self, *names: str) -> None:
        for name in ("flash_attn", "triton"):
            module = types.ModuleType(name) if name in names else None
            self._monkeypatch.setitem(sys.modules, name, module)
        self.driver(lambda: None)

    def driver(self, get_current_target: Callable[[], None]) -> None:
        if (triton := sys.modules["triton"]) is not None:
            active = types.SimpleNamespace(get_current_target=get_current_target)
            triton.runtime = types.SimpleNamespace(driver=types.SimpleNamespace(active=active))  # type: ignore[attr-defined]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Without a GPU, flash-attn and triton."""
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    return Machine(monkeypatch)


def test_the_cpu_computes_in_32_bits_by_torch_alone(machine: Machine) -> None:
    machine.packages("flash_attn", "triton")
    for device in ("auto", "cpu"):
        place = devices.choose_place(device, "auto", "auto")
        assert (place.device.type, place.dtype, place.attention) == ("cpu", torch.float32, "sdpa")
        assert not place.is_cuda
        assert place.name == "CPU"


@pytest.mark.parametrize(
    ("capability", "packages", "dtype", "attention"),
    [
        ((9, 0), ("flash_attn", "triton"), torch.bfloat16, "flash"),
        ((8, 0), ("flash_attn",), torch.bfloat16, "flash"),
        ((9, 0), ("triton",), torch.bfloat16, "triton"),
        ((9, 0), (), torch.bfloat16, "sdpa"),
        ((7, 5), ("flash_attn", "triton"), torch.float32, "triton"),
        ((7, 5), ("flash_attn",), torch.float32, "sdpa"),
    ],
)
def test_a_gpu_computes_with_the_best_that_it_has(
    machine: Machine,
    capability: tuple[int, int],
    packages: tuple[str, ...],
    dtype: torch.dtype,
    attention: str,
) -> None:
    machine.gpus(2, capability)
    machine.packages(*packages)
    place = devices.choose_place("auto", "auto", "auto")
    assert (place.device, place.dtype, place.attention) == (torch.device("cuda", 0), dtype, attention)
    assert place.is_cuda
    assert place.kernels == ("triton" in packages)
    # It is said what is missing.
    assert ("flash-attn" in place.why) and ("triton" in place.why) == (attention == "sdpa")
    plain = devices.choose_place("cuda:1", "float16", "sdpa")
    assert (plain.device, plain.kernels) == (torch.device("cuda", 1), False)


def test_kernels_that_cannot_be_built_are_not_used(machine: Machine) -> None:
    def no_compiler() -> None:
        raise RuntimeError("Failed to find C compiler.\nPlease")

    machine.gpus(1)
    machine.packages("triton")
    machine.driver(no_compiler)
    place = devices.choose_place("auto", "auto", "auto")
    assert (place.attention, place.kernels) == ("sdpa", False)
    assert place.why.endswith("no triton: Failed to find C compiler.")
    with pytest.raises(EngineError, match=r"ATTENTION is triton, .*: Failed to find C compiler\.$"):
        devices.choose_place("auto", "auto", "triton")


def test_flash_attn_is_for_16_bits(machine: Machine) -> None:
    machine.gpus(1)
    machine.packages("flash_attn")
    assert devices.choose_place("cuda", "float16", "auto").attention == "flash"
    assert devices.choose_place("cuda", "float32", "auto").attention == "sdpa"


@pytest.mark.parametrize(
    ("settings", "gpus", "expected"),
    [
        (("cuda", "auto", "auto"), 0, "MODEL_DEVICE is cuda, but there is no CUDA"),
        (("cuda:1", "auto", "auto"), 0, "MODEL_DEVICE is cuda:1, but there is no CUDA"),
        (("cuda:2", "auto", "auto"), 2, "MODEL_DEVICE is cuda:2, but there are 2 GPUs"),
        (("cpu", "auto", "flash"), 0, "ATTENTION is flash, which cannot be used: it is for GPUs"),
        (("cpu", "auto", "triton"), 0, "ATTENTION is triton, which cannot be used: it is for GPUs"),
        (("cuda", "float32", "flash"), 1, "MODEL_DTYPE is float32"),
        (("cuda", "auto", "flash"), 1, "ATTENTION is flash, which cannot be used: .*flash_attn"),
        (("cuda", "auto", "triton"), 1, "ATTENTION is triton, which cannot be used: .*triton"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    machine: Machine, settings: tuple[str, str, str], gpus: int, expected: str
) -> None:
    machine.gpus(gpus)
    with pytest.raises(EngineError, match=expected) as error:
        devices.choose_place(*settings)
    assert "\n" not in str(error.value)


def test_an_old_card_has_no_flash_attn(machine: Machine) -> None:
    machine.gpus(1, (7, 5))
    machine.packages("flash_attn")
    with pytest.raises(EngineError, match=r"needs compute capability 8\.0, and the card has 7\.5"):
        devices.choose_place("cuda", "float16", "flash")


def test_own_kernels_can_be_interpreted(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.packages("triton")
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert devices.choose_place("cpu", "auto", "triton").attention == "triton"


@pytest.fixture
def settings_of_torch(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As they were, afterwards."""
    for name in ("PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF"):
        monkeypatch.setenv(name, "")  # so that it is put back, whoever sets it
        monkeypatch.delenv(name)
    cudnn, precision = torch.backends.cudnn, torch.get_float32_matmul_precision()
    before = cudnn.benchmark, cudnn.allow_tf32
    yield
    torch.set_float32_matmul_precision(precision)
    cudnn.benchmark, cudnn.allow_tf32 = before


@pytest.mark.usefixtures("settings_of_torch")
def test_torch_is_set_up_for_a_gpu_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "pci_address", lambda index: f"address {index}")
    monkeypatch.setattr(devices, "near_cpus", lambda address: frozenset({len(address)}))
    monkeypatch.setattr(devices, "stay_near", lambda cpus: cpus)
    used: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "set_device", used.append)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    cpu = devices.Place(torch.device("cpu"), torch.float32, "sdpa", "", False)
    assert devices.set_up(cpu) == {"threads": str(torch.get_num_threads())}
    assert torch.get_float32_matmul_precision() == "highest"
    assert not used

    devices.set_allocator()
    gpu = devices.Place(torch.device("cuda", 1), torch.bfloat16, "sdpa", "", False)
    done = devices.set_up(gpu)
    assert done == {"allocator": "expandable_segments:True", "processors": "1 next to the GPU"}
    assert os.environ["PYTORCH_CUDA_ALLOC_CONF"] == "expandable_segments:True"
    assert torch.get_float32_matmul_precision() == "high"
    assert not torch.backends.cudnn.benchmark
    assert used == [torch.device("cuda", 1)]

    # What somebody has set remains.
    monkeypatch.delenv("PYTORCH_CUDA_ALLOC_CONF")
    monkeypatch.setenv("PYTORCH_ALLOC_CONF", "max_split_size_mb:64")
    monkeypatch.setattr(devices, "pci_address", lambda index: None)
    devices.set_allocator()
    assert devices.set_up(gpu) == {"allocator": "max_split_size_mb:64", "processors": "any"}
    assert "PYTORCH_CUDA_ALLOC_CONF" not in os.environ


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (3, 1), (4, 2), (16, 8), (64, 8)])
def test_threads_leave_cores_to_others(cores: int, threads: int) -> None:
    assert devices.cpu_threads(cores) == threads


def test_threads_are_set_where_nobody_has_set_them(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", told.append)
    monkeypatch.setattr(devices, "usable_cores", lambda: 8)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    cpu = devices.Place(torch.device("cpu"), torch.float32, "sdpa", "", False)
    devices.set_up(cpu)
    assert told == [4]
    monkeypatch.setenv("MKL_NUM_THREADS", "3")
    devices.set_up(cpu)
    assert told == [4]


def test_free_memory_of_this_machine() -> None:
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 0 < devices.free_memory(torch.device("cpu")) <= pages
