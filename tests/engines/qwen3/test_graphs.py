"""What a CUDA graph needs of a step, as far as a CPU can tell: static shapes and memory, and no waiting."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from realtime.engines.qwen3.configuration import read_config
from realtime.engines.qwen3.graphs import Eager, Graphs, runner
from realtime.engines.qwen3.step import Decoder
from tests.engines.qwen3.decoding import CPU, GREEDY, SAMPLED, Company, decoded, invented, load_talker

#: Operations whose result the host must wait for, or whose shape depends on values.
WAITING = {
    "aten._local_scalar_dense.default",
    "aten.nonzero.default",
    "aten.masked_select.default",
    "aten.equal.default",
    "aten.unique2.default",
    "aten.is_nonzero.default",
    "aten.repeat_interleave.Tensor",
}


class Recorder(TorchDispatchMode):
    """The operations of what runs under it, with the shapes of what they are given."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, tuple[tuple[int, ...], ...]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        shapes = tuple(tuple(each.shape) for each in args if isinstance(each, torch.Tensor))
        self.calls.append((str(func), shapes))
        return func(*args, **(kwargs or {}))


def recorded(decoder: Decoder, rows: list[int]) -> list[tuple[str, tuple[tuple[int, ...], ...]]]:
    with Recorder() as recorder:
        decoder.step(rows, [1] * len(rows))
    return recorder.calls


@pytest.fixture
def busy(custom_voice: Path) -> Decoder:
    """Four rows with different lengths and ways of drawing."""
    config = read_config(custom_voice)
    decoder = Decoder(load_talker(custom_voice), 4, 300, batch_sizes=(1, 2, 4))
    for row, sampling in enumerate((GREEDY, SAMPLED, SAMPLED, GREEDY)):
        spoken = invented(config, row, length=6 + 30 * row, sampling=sampling)
        decoder.join(row, spoken.prompt, spoken.sampling, spoken.seed)
    return decoder


def test_a_step_does_the_same_whatever_the_rows_are(busy: Decoder) -> None:
    """So what was captured once serves all rows: the same operations on the same shapes."""
    first = recorded(busy, [0, 1])
    assert len(first) > 100
    assert recorded(busy, [3, 2]) == first
    # Three rows take the graph of four, one of them unused.
    assert recorded(busy, [2, 0, 3]) == recorded(busy, [1, 0, 2, 3])
    assert recorded(busy, [1]) != first


def test_the_shapes_depend_on_the_bucket(custom_voice: Path) -> None:
    decoder = Decoder(load_talker(custom_voice), 2, 300, batch_sizes=(1,))
    for row, length in enumerate((127, 20)):
        spoken = invented(read_config(custom_voice), row, length=length)
        decoder.join(row, spoken.prompt, GREEDY, 0)
    near = recorded(decoder, [0])
    assert recorded(decoder, [1]) == near
    # Two more steps: the row has outgrown the first bucket, of 128 positions.
    decoder.step([0], [1])
    assert decoder.length(0) == 128
    assert recorded(decoder, [0]) != near


def test_a_step_waits_for_nothing(busy: Decoder, custom_voice: Path) -> None:
    names = {name for name, _ in recorded(busy, [0, 1, 2, 3])}
    assert not names & WAITING
    spoken = invented(read_config(custom_voice), 5, length=40, cacheable=9, speaker=True)
    for row in range(2):
        with Recorder() as recorder:
            busy.join(row, spoken.prompt, spoken.sampling, spoken.seed)
        assert not {name for name, _ in recorder.calls} & WAITING
    # The control: reading a number is seen.
    with Recorder() as recorder:
        torch.ones(3).sum().item()
    assert {name for name, _ in recorder.calls} & WAITING


def test_a_step_reads_and_writes_memory_that_was_there_before(busy: Decoder) -> None:
    batch = busy._batches[2]
    before = batch.inputs.data_ptr(), batch.codes.data_ptr(), busy._state.kv.data_ptr()
    pointers = []
    for _ in range(8):
        pointers.append(busy.step([0, 1], [1, 1]).codes.data_ptr())
    assert len(set(pointers)) == 4
    assert pointers[:4] == pointers[4:]
    assert before == (batch.inputs.data_ptr(), batch.codes.data_ptr(), busy._state.kv.data_ptr())


def test_prompts_in_pieces_of_one_shape_give_the_same(custom_voice: Path) -> None:
    """With graphs, a piece is filled up to its size: on a CPU too, though nothing is captured there."""
    config, talker = read_config(custom_voice), load_talker(custom_voice)
    for length in (6, 7, 17, 18, 40, 60):
        spoken = invented(config, 1, length=length, cacheable=5, speaker=True)
        wanted = decoded(Decoder(talker, 2, 64, batch_sizes=(1,)), spoken, 4)
        decoder = Decoder(talker, 2, 64, batch_sizes=(1,), piece=16, graphs=True)
        for _ in range(2):
            assert np.array_equal(decoded(decoder, spoken, 4), wanted)


def test_a_piece_has_one_shape(custom_voice: Path) -> None:
    config = read_config(custom_voice)
    decoder = Decoder(load_talker(custom_voice), 2, 64, batch_sizes=(1,), piece=16, graphs=True)
    decoder.prepare()
    calls = []
    for length in (6, 12, 17):
        spoken = invented(config, 1, length=length)
        with Recorder() as recorder:
            decoder.join(0, spoken.prompt, spoken.sampling, 0)
        calls.append(recorder.calls)
    assert calls[0] == calls[1] == calls[2]


def test_preparing_leaves_rows_alone_and_tells_how_far_it_is(custom_voice: Path) -> None:
    config, talker = read_config(custom_voice), load_talker(custom_voice)
    spoken = [invented(config, row, sampling=SAMPLED) for row in range(2)]
    wanted = [decoded(Decoder(talker, 1, 300, batch_sizes=(1,)), each, 8) for each in spoken]
    decoder = Decoder(talker, 2, 300, batch_sizes=(1, 2), piece=16, graphs=True)
    company, told = Company(decoder), []
    for row, each in enumerate(spoken):
        company.join(row, each)
    for _ in range(4):
        company.step([1, 0])
    kept = decoder._state.kv[:, :, :2].clone()
    decoder.prepare(lambda done, of: told.append((done, of)))
    # Two batch sizes with three buckets: 128, 256, 300.
    assert told == [(done, 6) for done in range(1, 7)]
    assert torch.equal(decoder._state.kv[:, :, :2], kept)
    for _ in range(4):
        company.step([0, 1])
    for row in range(2):
        assert np.array_equal(company.codes[row], wanted[row])


def test_the_first_prompt_prepares_what_was_not(custom_voice: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared: list[tuple[int, int]] = []
    right = Eager.prepare

    def prepare(self: Eager[Any], key: Any) -> None:
        prepared.append(key)
        right(self, key)

    monkeypatch.setattr(Eager, "prepare", prepare)
    decoder = Decoder(load_talker(custom_voice), 1, 300, batch_sizes=(1, 2), piece=16, graphs=True)
    spoken = invented(read_config(custom_voice), 0)
    for _ in range(2):
        decoder.join(0, spoken.prompt, spoken.sampling, 0)
    prompts = [(16, 300), (16, 256), (16, 128)]
    assert prepared == [*prompts, (2, 300), (2, 256), (2, 128), (1, 300), (1, 256), (1, 128)]


class FakeCuda:
    """As much of `torch.cuda` as a capture takes; a graph replays by doing again what it saw."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.log: list[Any] = []
        self.capturing: list[str] | None = None
        self.streams: list[Any] = []  # that was captured on
        log = self.log

        class Stream:
            def __init__(self, device: Any = None) -> None:
                pass

            def wait_stream(self, other: Any) -> None:
                log.append("wait")

        class CudaGraph:
            def __init__(self) -> None:
                self.seen: list[str] = []

            def replay(self) -> None:
                log.append(("replay", *self.seen))

        @contextlib.contextmanager
        def graph(made: CudaGraph, *, pool: Any, stream: Any, capture_error_mode: str) -> Iterator[None]:
            assert capture_error_mode == "thread_local"
            self.streams.append(stream)
            log.append(("capture", pool))
            self.capturing = made.seen
            yield
            self.capturing = None

        @contextlib.contextmanager
        def stream(made: Stream) -> Iterator[None]:
            yield

        cuda = torch.cuda
        monkeypatch.setattr(cuda, "Stream", Stream)
        monkeypatch.setattr(cuda, "CUDAGraph", CudaGraph)
        monkeypatch.setattr(cuda, "graph", graph)
        monkeypatch.setattr(cuda, "stream", stream)
        monkeypatch.setattr(cuda, "current_stream", lambda device: Stream())
        monkeypatch.setattr(cuda, "synchronize", lambda device: log.append("synchronize"))
        monkeypatch.setattr(cuda, "graph_pool_handle", lambda: "pool")

    def work(self, key: str) -> None:
        if self.capturing is None:
            self.log.append(("run", key))
        else:
            self.capturing.append(key)


def test_each_key_is_run_then_captured_once_and_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = FakeCuda(monkeypatch)
    graphs: Graphs[str] = Graphs(cuda.work, torch.device("cuda"))
    graphs.prepare("a")
    warm = ["wait", ("run", "a"), ("run", "a"), "wait", "synchronize"]
    assert cuda.log == [*warm, ("capture", "pool"), ("replay", "a")]
    graphs.prepare("b")
    graphs.prepare("a")
    assert cuda.log.count(("capture", "pool")) == 2
    cuda.log.clear()
    for key in ("a", "b", "a"):
        graphs.run(key)
    assert cuda.log == [("replay", "a"), ("replay", "b"), ("replay", "a")]
    with pytest.raises(KeyError):
        graphs.run("c")


def test_graphs_that_may_run_beside_each_other_are_captured_on_different_streams(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By its stream cuBLAS tells whose memory it works in; and each stream takes some for good."""
    cuda = FakeCuda(monkeypatch)
    for _ in range(2):
        graphs: Graphs[str] = Graphs(cuda.work, torch.device("cuda"))
        graphs.prepare("a")
        graphs.prepare("b")
    first, second, third, fourth = cuda.streams
    assert first is second and third is fourth and first is not third


def test_graphs_are_for_cuda_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = FakeCuda(monkeypatch)
    assert isinstance(runner(cuda.work, torch.device("cuda"), True), Graphs)
    assert isinstance(runner(cuda.work, torch.device("cuda"), False), Eager)
    assert isinstance(runner(cuda.work, CPU, True), Eager)


def test_compiled_parts_give_the_same_codes(custom_voice: Path) -> None:
    """With the backend that compiles nothing: that the functions are traced without a break is shown."""
    config, talker = read_config(custom_voice), load_talker(custom_voice)
    spoken = [invented(config, seed, sampling=SAMPLED) for seed in range(3)]
    wanted = [decoded(Decoder(talker, 1, 128, batch_sizes=(1,)), each, 3) for each in spoken]
    company = Company(Decoder(talker, 3, 128, batch_sizes=(1, 4), compile="eager"))
    for row, each in enumerate(spoken):
        company.join(row, each)
    for _ in range(3):
        company.step([0, 1, 2])
    assert all(np.array_equal(company.codes[row], wanted[row]) for row in range(3))
    company.join(0, spoken[0])
    for _ in range(3):
        company.step([0])
    assert np.array_equal(company.codes[0], wanted[0])


def test_a_whole_frame_is_one_graph(custom_voice: Path) -> None:
    """Nothing in it depends on a value: torch traces it from one end to the other."""
    config, talker = read_config(custom_voice), load_talker(custom_voice)
    spoken = invented(config, 0, sampling=SAMPLED)
    wanted = decoded(Decoder(talker, 1, 128, batch_sizes=(1,)), spoken, 3)
    decoder = Decoder(talker, 1, 128, batch_sizes=(1,))
    traced = torch.compile(decoder._function, fullgraph=True, dynamic=False, backend="eager")
    decoder._function = traced  # type: ignore[assignment]
    assert np.array_equal(decoded(decoder, spoken, 3), wanted)
