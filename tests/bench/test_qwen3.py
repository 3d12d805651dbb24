"""`bench.qwen3` without a GPU: it runs with little installed, tells what fails, counts what it should."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import distribution, packages_distributions
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from packaging.requirements import Requirement
from safetensors import safe_open

from bench.qwen3 import __main__ as program
from bench.qwen3 import checks
from bench.qwen3.bed import TARGETS, TINY, Bed
from bench.qwen3.device import Allocations, Waits, Work, count, waits_of
from bench.qwen3.listeners import Listener
from bench.qwen3.models import (
    PUBLISHED,
    RandomWeights,
    WithoutEnd,
    codec_shapes,
    frame_bytes,
    read_checkpoint,
    talker_shapes,
)
from bench.qwen3.models import TINY as TINY_MODEL
from bench.qwen3.record import Part, Record, run_apart
from bench.qwen3.speaking import Stage, Voice, speak
from bench.table import Row
from realtime.engines.engine import Grant
from realtime.engines.qwen3.configuration import read_config
from tests.engines.qwen3.checkpoint import write_checkpoint

ROOT = Path(__file__).parents[2]
#: What the program's text says that it needs; all else but the standard library is hidden from it.
NEEDED = ("torch", "numpy", "msgspec", "structlog", "tokenizers", "safetensors")
_HIDING = """
import runpy, sys
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder

class Hidden:
    @staticmethod
    def find_spec(name, path=None, target=None):
        known = name.partition(".")[0] in sys.stdlib_module_names or name.partition(".")[0] in ALLOWED
        return PathFinder.find_spec(name, path, target) if known else None

sys.meta_path = [BuiltinImporter, FrozenImporter, Hidden]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("model"), "custom_voice")


def installed_with(packages: Sequence[str]) -> set[str]:
    """Names that can be imported where these were installed, and nothing else."""
    wanted, left = set[str](), list(packages)
    while left:
        name = left.pop().lower().replace("_", "-")
        if name in wanted:
            continue
        wanted.add(name)
        for each in distribution(name).requires or ():
            requirement = Requirement(each)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                left.append(requirement.name)
    modules = packages_distributions()
    return {
        module
        for module, names in modules.items()
        if any(each.lower().replace("_", "-") in wanted for each in names)
    }


def run_hidden(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    allowed = installed_with(NEEDED) | {"bench", "realtime"}
    program = f"ALLOWED = {sorted(allowed)!r}\n{_HIDING}\n{code}"
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=280
    )


def test_whole_run_with_nothing_else_installed(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    code = 'sys.argv[0] = "bench.qwen3"; runpy.run_module("bench.qwen3", run_name="__main__", alter_sys=True)'
    done = run_hidden(code, "--json", str(figures))
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(figures.read_text())}
    title, _, table = done.stdout.strip().partition("\n")
    assert "on the CPU, a tiny model" in title
    assert all(name in table for name in rows)
    for name in (
        "attention sdpa",
        "frame, batch 1",
        "frame, batch 8",
        "first sound, 10 words",
        "10 words: times real time",
        "serving 8, a step",
        "codec, float32, 4 streams",
        "without graphs, attention sdpa",
    ):
        assert rows[f"tiny: {name}"]["value"] > 0, name
    assert {"p99", "floor", "times the floor"} <= rows["tiny: frame, batch 1"]["more"].keys()
    assert rows["tiny: listeners without a gap"]["value"] >= 0
    checked = [row for name, row in rows.items() if name.startswith("tiny: check: ")]
    assert len(checked) == 6 and all(Row(**row).verdict == "ok" for row in checked)
    # What it could not do, and why.
    notes = {name: row["note"] for name, row in rows.items() if row["value"] is None}
    assert notes["tiny: qwen_tts"] == notes["tiny: faster_qwen3_tts"] == "it is not installed"
    assert notes["tiny: check-flash"] == "flash-attn is not installed"
    assert notes["tiny: work-frame"] == "there is no GPU here"


def test_what_is_not_installed_with_it_is_hidden_in_that_run() -> None:
    for name in ("transformers", "aiohttp", "soundfile"):
        done = run_hidden(f"import {name}")
        assert f"No module named '{name}'" in done.stderr
    assert run_hidden("import torch, tokenizers, safetensors.torch").returncode == 0


def test_parts_in_processes_of_their_own() -> None:
    command = [sys.executable, "-m", "bench.qwen3", "attention", "graphs", "--apart"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert "tiny: attention sdpa" in done.stdout and "tiny: without graphs" in done.stdout


def run_main(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    """The exit code, or what is told at the exit."""
    monkeypatch.setattr(sys, "argv", ["bench.qwen3", *arguments])
    with pytest.raises(SystemExit) as ended:
        program.main()
    return ended.value.code


def test_a_failed_check_is_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    right = checks.frames_of

    def wrong(*arguments: Any, **keywords: Any) -> checks.Codes:
        codes = right(*arguments, **keywords)
        codes[-1, -1, -1] += keywords["graphs"] and keywords.get("only") is None
        return codes

    monkeypatch.setattr(checks, "frames_of", wrong)
    assert run_main(monkeypatch, "checks") == 1
    out, err = capsys.readouterr()
    assert "a check failed: tiny: check: rows that graphs decode as plain calls do" in err
    assert "0.80 share    at least 1     MISSED" in out


def test_a_check_that_breaks_is_the_exit_code_and_a_missed_target_is_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaks(*arguments: Any, **keywords: Any) -> Any:
        raise torch.OutOfMemoryError("no memory\nfor this")

    monkeypatch.setattr(checks, "frames_of", breaks)
    assert run_main(monkeypatch, "checks") == 1
    assert "OutOfMemoryError: no memory\n" in capsys.readouterr().out

    monkeypatch.setattr(checks, "frames_of", None)  # not called
    monkeypatch.setattr(Bed, "targets", replace(TARGETS["0.6B"], frame_alone=0.0))
    assert run_main(monkeypatch, "frames") == 0
    assert "at most 0      MISSED" in capsys.readouterr().out


def test_a_part_that_breaks_does_not_keep_others_from_being_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaks(bed: Bed) -> None:
        raise ValueError("of no use")

    monkeypatch.setattr(program, "STEPS", {**program.STEPS, "attention-sdpa": program.Step(breaks)})
    assert run_main(monkeypatch, "attention", "graphs") == 0
    out = capsys.readouterr().out
    assert "tiny: attention-sdpa" in out and "ValueError: of no use" in out
    assert "tiny: without graphs, attention sdpa" in out


def test_what_there_is_no_time_for_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(monkeypatch, "frames", "codec", "--minutes", "0") == 0
    assert capsys.readouterr().out.count("the time was up") == 2


def test_a_checkpoint_in_place_of_random_weights(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    assert run_main(monkeypatch, "graphs", "codec", "--model", str(folder)) == 0
    out = capsys.readouterr().out
    assert f"{folder.name}: without graphs, attention sdpa" in out
    assert f"{folder.name}: codec, float32, 4 streams" in out


def test_a_folder_that_is_no_checkpoint_is_told_in_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench.qwen3", "--model", str(tmp_path / "nothing")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("bench.qwen3: ") and done.stderr.count("\n") == 1


def test_each_pass_is_measured_of_all_models_before_the_next() -> None:
    arguments = SimpleNamespace(parts=[], compile=False)
    plan = program.plan(["0.6B", "1.7B"], arguments)  # type: ignore[arg-type]
    assert [name for name, _ in plan] == ["0.6B", "1.7B"] * 3
    assert "check" in plan[0][1] and "check" not in plan[1][1]
    assert "codec" in plan[2][1] and "codec" not in plan[3][1]
    assert all("compile" not in parts for _, parts in plan)
    arguments = SimpleNamespace(parts=["compile"], compile=False)
    assert program.plan(["0.6B"], arguments) == [("0.6B", ["compile"])]  # type: ignore[arg-type]


# -- processes -------------------------------------------------------------------------------------


def child(body: str, record: Record) -> list[str]:
    """A program that does `body` for each part's name it is given, between its beginning and its end."""
    code = f"""
import json, os, sys, time
def write(kind, name, **values):
    with open({str(record.path)!r}, "a") as file:
        file.write(json.dumps({{"model": "m", "part": name, "kind": kind, **values}}) + "\\n")
for name in sys.argv[1].split(","):
    write("begin", name)
    {body}
    write("row", name, check=False, row={{"name": name, "value": 1.0}})
    write("end", name)
"""
    return [sys.executable, "-c", code]


def parts(*names: str) -> list[Part]:
    return [Part("m", name) for name in names]


def test_after_a_crash_another_process_goes_on(tmp_path: Path) -> None:
    record = Record(tmp_path / "record")
    command = child('if name == "b": os.abort()', record)
    run_apart(command, parts("a", "b", "c"), record, time.monotonic() + 60)
    assert [(row.name, row.value) for row in record.rows] == [("a", 1.0), ("m: b", None), ("c", 1.0)]
    assert record.rows[1].note == "its process ended with signal 6"
    assert not record.failed_checks


def test_a_check_whose_process_crashes_has_failed(tmp_path: Path) -> None:
    record = Record(tmp_path / "record")
    command = child('if name == "check-b": sys.exit(3)', record)
    run_apart(command, parts("a", "check-b", "c"), record, time.monotonic() + 60)
    assert record.failed_checks == ["m: check-b"]
    assert record.rows[1].note == "its process ended with status 3"


def test_a_process_that_hangs_is_ended_when_the_time_is_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.qwen3.record._GRACE_S", 0.1)
    record = Record(tmp_path / "record")
    command = child('if name == "b": time.sleep(100)', record)
    run_apart(command, parts("a", "b", "c"), record, time.monotonic() + 2)
    notes = {row.name: row.note for row in record.rows}
    assert notes == {"a": "", "m: b": "the time was up, and it did not end", "m: c": "the time was up"}


def test_a_process_that_begins_nothing_is_started_once(tmp_path: Path) -> None:
    record, starts = Record(tmp_path / "record"), tmp_path / "starts"
    code = f"open({str(starts)!r}, 'a').write('x'); raise SystemExit(1)"
    run_apart([sys.executable, "-c", code], parts("a", "b"), record, time.monotonic() + 60)
    assert starts.read_text() == "x"
    assert [row.note for row in record.rows] == ["its process ended with status 1"] * 2


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    record = Record(tmp_path / "record")
    record.row(Part("m", "a"), Row("one", 1.0, more={"p99": 2.0}))
    with record.path.open("a") as file:
        file.write('{"model": "m", "part": "a", "ki')
    assert [(row.name, row.more) for row in record.rows] == [("one", {"p99": 2.0})]


# -- models ----------------------------------------------------------------------------------------


def test_weights_are_those_of_a_checkpoint(folder: Path) -> None:
    def shapes(path: Path, prefix: str) -> dict[str, tuple[int, ...]]:
        with safe_open(path / "model.safetensors", "pt") as file:
            names = [name for name in file.keys() if name.startswith(prefix)]
            return {name: tuple(file.get_slice(name).get_shape()) for name in names}

    config = read_config(folder)
    assert talker_shapes(config) == shapes(folder, "talker.")
    expected = shapes(folder / "speech_tokenizer", "decoder.")
    expected = {
        name: shape for name, shape in expected.items() if "input_proj" not in name or "former" in name
    }
    assert codec_shapes(config.codec) == expected
    assert len(codec_shapes(PUBLISHED["0.6B"].codec)) > len(expected)  # more layers


@pytest.mark.parametrize(("size", "gigabytes"), [("0.6B", 0.89 + 2.42), ("1.7B", 2.83 + 2.49)])
def test_bytes_of_a_frame_are_those_of_the_published_models(size: str, gigabytes: float) -> None:
    weights, kv = frame_bytes(PUBLISHED[size], 2)
    # The engine projects codes to the predictor's width beforehand: it reads 1% less.
    assert weights / 1e9 == pytest.approx(gigabytes, rel=0.015)
    assert kv == 28 * 2 * 8 * 128 * 2


def test_random_weights_are_the_same_whenever_they_are_asked_for() -> None:
    shapes = talker_shapes(TINY_MODEL)
    weights = RandomWeights(shapes, torch.device("cpu"), torch.float32)
    name = "talker.codec_head.weight"
    assert torch.equal(weights[name], weights[name])
    assert not torch.equal(weights[name][:64], weights["talker.model.codec_embedding.weight"][:64])
    end = TINY_MODEL.talker.codec_eos_token_id
    without = WithoutEnd(weights, TINY_MODEL)
    assert without[name][end].abs().max() == 0 and weights[name][end].abs().max() > 0
    assert torch.equal(without[name][:end], weights[name][:end])


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    now = time.monotonic()
    made = Bed(
        "tiny", TINY_MODEL, torch.device("cpu"), torch.float32, TINY, Record(tmp_path / "bed"), now, now + 200
    )
    made.part = Part("tiny", "test")
    return made


@pytest.mark.parametrize("real", [False, True])
def test_a_text_is_as_long_as_is_asked(bed: Bed, folder: Path, real: bool) -> None:
    """Also of a checkpoint most of whose texts would end."""
    if real:
        ending = write_checkpoint(folder.parent / f"{folder.name}-ending", "custom_voice", ending=30.0)
        config, *weights = read_checkpoint(ending, bed.device)
        bed.config, bed.checkpoint = config, (weights[0], weights[1])
    stage = Stage(bed, 2, 2, 128)
    spoken = speak(stage, Voice(bed.config), 10, 40)
    assert spoken.sound_s == pytest.approx(40 * 0.08)
    assert 0 < spoken.first_s <= spoken.whole_s
    assert stage.slots.free_rows == 2


def test_the_fastest_attention_that_was_not_found_wrong_is_taken(bed: Bed) -> None:
    assert bed.best_attention() == "sdpa"
    for kind, ms in (("sdpa", 8.0), ("triton", 4.0), ("flash", 6.0)):
        bed.row(f"attention {kind}", ms, "ms")
    assert bed.best_attention() == "triton"
    bed.row("check: codes by attention triton", 0.5, "share", least=0.8, check=True)
    assert bed.best_attention() == "flash"
    bed.attention = "sdpa"
    assert bed.best_attention() == "sdpa"


# -- counting --------------------------------------------------------------------------------------


def event(name: str, start: float, end: float, on_device: bool = False) -> Any:
    return SimpleNamespace(
        name=name,
        time_range=SimpleNamespace(start=start, end=end),
        device_type="DeviceType.CUDA" if on_device else "DeviceType.CPU",
    )


def test_kernels_launches_and_waits_of_what_is_marked() -> None:
    events = [
        event("cudaLaunchKernel", 1, 2),  # before it
        event("early", 3, 4, on_device=True),
        event("bench.qwen3", 10, 100),
        event("bench.qwen3", 11, 130, on_device=True),
        event("aten::add", 12, 20),
        event("cudaGraphLaunch", 13, 15),
        event("cudaLaunchKernelExC", 16, 18),
        event("cudaEventSynchronize", 20, 90),
        event("cudaStreamSynchronize", 91, 92),
        event("a", 14, 30, on_device=True),
        event("b", 30, 60, on_device=True),
        event("Memcpy DtoH (Device -> Pinned)", 60, 61, on_device=True),
        event("c", 105, 120, on_device=True),  # the device is later than the host
        event("cudaDeviceSynchronize", 101, 130),  # the profiler's own
    ]
    assert count(events, 2) == Work(kernels=1.5, launches=1.0, syncs=1.0)
    with pytest.raises(RuntimeError, match="0 marks"):
        count(events[:2], 2)


def test_waits_are_counted_asked_for_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    modes: list[str] = []
    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", modes.append)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device=None: device and time.sleep(device))
    # On a busy machine nothing at all can take long.
    monkeypatch.setattr("bench.qwen3.device._WAITED_S", 0.2)

    def step() -> None:
        torch.cuda.synchronize()
        torch.cuda.synchronize(device=0.3)
        warnings.warn("called a synchronizing CUDA operation", stacklevel=1)
        warnings.warn("something else", stacklevel=1)

    assert waits_of(step, 4) == Waits(asked=2.0, waited=1.0, implicit=1.0)
    assert modes == ["warn", "default"]


def test_allocations_are_what_has_come_since(monkeypatch: pytest.MonkeyPatch) -> None:
    stats = {"allocation.all.allocated": 10, "num_device_alloc": 2}
    monkeypatch.setattr(torch.cuda, "memory_stats", lambda: stats)
    monkeypatch.setattr(torch.cuda, "host_memory_stats", lambda: {"num_host_alloc": 3})
    before = Allocations.so_far()
    stats["allocation.all.allocated"] += 5
    assert Allocations.so_far().since(before) == Allocations(blocks=5, calls=0, pinned=0)
    del stats["allocation.all.allocated"]
    with pytest.raises(RuntimeError, match="does not tell"):
        Allocations.so_far()


class Sent:
    """What a listener says to the engine."""

    def __init__(self) -> None:
        self.commands: list[Any] = []

    def __call__(self, command: Any) -> None:
        self.commands.append(command)

    @property
    def grants(self) -> list[Grant]:
        return [each for each in self.commands if isinstance(each, Grant)]


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> tuple[Listener, Sent, Callable[[float], None]]:
    """One who listens, may have 2 s in hand, and whose clock stands at 100 s until it is set."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    sent = Sent()
    made = Listener(7, 100.0, 2000.0, sent)
    return made, sent, lambda at: now.__setitem__(0, at)


def test_a_listener_asks_for_as_much_as_it_may_have_in_hand(
    listener: tuple[Listener, Sent, Callable[[float], None]],
) -> None:
    one, sent, at = listener
    one.come()
    assert sent.grants[-1] == Grant(7, 2000, pytest.approx(100.15))
    at(100.02)
    one.hear(80.0, 100.02)
    assert one.first_s == pytest.approx(0.02)
    assert sent.grants[-1] == Grant(7, 2000, pytest.approx(100.1))
    at(101.0)
    one.hear(1920.0, 100.06)
    assert one.gaps == [] and one.lead_s(101.0) == pytest.approx(1.02)
    # Of what it has received, one second was heard: as much more may be made.
    assert sent.grants[-1].audio_ms == pytest.approx(2980, abs=1)
    many = len(sent.grants)
    one.grant()
    assert len(sent.grants) == many  # no news


def test_silence_between_chunks_is_a_gap(
    listener: tuple[Listener, Sent, Callable[[float], None]],
) -> None:
    one, _, at = listener
    one.come()
    one.hear(80.0, 100.5)  # what it waits for at first is none
    assert one.gaps == []
    at(100.6)
    one.hear(160.0, 100.6)
    assert one.gaps == [(pytest.approx(100.58), 100.6)]
    one.hear(80.0, 100.7)
    assert len(one.gaps) == 1 and one.ends_at == pytest.approx(100.84)
