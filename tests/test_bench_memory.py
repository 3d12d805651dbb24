"""`bench.memory` gives servers with different allocators the same load, and tells what they take."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from math import isfinite
from pathlib import Path
from types import SimpleNamespace

import aiohttp
import psutil
import pytest

from bench import memory
from bench.memory_load import Guests
from bench.memory_plan import FORMATS, File, Talk, first_visits, make_plan
from bench.server import free_port
from bench.table import show

ROOT = Path(__file__).parents[1]
ALLOCATORS = (memory.SYSTEM, memory.TWO_ARENAS, memory.JEMALLOC)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench.memory", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)


def test_servers_with_each_allocator_get_the_same_load(tmp_path: Path) -> None:
    figures, picture = tmp_path / "memory.json", tmp_path / "memory.png"
    done = run(
        "--minutes", "0.05", "--engine", "tone", "--json", str(figures), "--plot", str(picture), "--load", "6"
    )
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(figures.read_text())}
    assert all(name in done.stdout for name in rows)
    assert all(isfinite(row["value"]) for row in rows.values())
    for name in ALLOCATORS:
        assert rows[f"{name}: errors"]["value"] == 0, done.stderr
        assert rows[f"{name}: CPU per second of audio"]["value"] > 0
        for moment in ("resident at 0 min", "resident at 0.05 min", "resident when the load is over"):
            row = rows[f"{name}: {moment}"]
            assert row["value"] >= row["more"]["proportional"] >= row["more"]["unique"] > 10
            assert row["more"]["engines"] > row["more"]["engines' unique"] > 1
    # Who comes to one of them comes to all; whether there is time to barge in is a matter of moments.
    visits = [
        {what: count for what, count in row["more"].items() if what in ("sessions", *FORMATS)}
        for row in (rows[f"{name}: seconds of sound in a second"] for name in ALLOCATORS)
    ]
    assert visits[0]["sessions"] > 0
    assert visits[0] == visits[1] == visits[2]
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_plan_is_drawn_from_its_seed_and_is_as_heavy_as_was_asked() -> None:
    plan = list(make_plan("1", 1800, 8))
    assert plan == list(make_plan("1", 1800, 8)) != list(make_plan("2", 1800, 8))
    moments = [visit.at_s for visit in plan]
    assert moments == sorted(moments) and moments[-1] < 1800
    assert sum(visit.audio_s for visit in plan) / 1800 == pytest.approx(8, rel=0.1)
    assert max(visit.audio_s for visit in plan) <= 60
    talks = [visit for visit in plan if isinstance(visit, Talk)]
    files = [visit for visit in plan if isinstance(visit, File)]
    turns = [turn for talk in talks for turn in talk.turns]
    assert {visit.format for visit in files} == set(FORMATS)
    assert (
        {talk.start["language"] for talk in talks}
        == {visit.language for visit in files}
        == {"en", "de", "fr"}
    )
    for count in (
        sum(turn.by_token for turn in turns),
        sum(turn.cancel_s is not None for turn in turns),
        sum(turn.lose_s is not None for turn in turns),
        sum(talk.vanishes for talk in talks),
        sum(visit.streams for visit in files),
        sum(visit.reconnects for visit in files),
    ):
        assert count > 20


def test_a_slope_is_that_of_most_of_the_samples() -> None:
    rising = [(float(at), 100 + 3.0 * at) for at in range(40)]
    assert memory.slope(rising) == pytest.approx(3)
    with_peaks = [(at, value + 500 * (at % 7 == 3)) for at, value in rising]
    assert memory.slope(with_peaks) == pytest.approx(3, abs=0.5)
    assert memory.slope(rising[:1]) == 0


def test_an_allocator_that_was_not_preloaded_is_noticed() -> None:
    this = SimpleNamespace(processes=lambda: [psutil.Process(os.getpid())])
    with pytest.raises(RuntimeError, match=f"jemalloc: process {os.getpid()} has another allocator"):
        memory.check_allocators([(memory.JEMALLOC, this)])  # type: ignore[list-item]
    memory.check_allocators([(memory.SYSTEM, this)])  # type: ignore[list-item]


def test_a_library_that_is_not_there_is_named_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_FOLDERS", (str(tmp_path),))
    with pytest.raises(
        FileNotFoundError, match=r"no libjemalloc\.so\.2 in .*; Debian has it in libjemalloc2"
    ):
        memory.jemalloc_path()
    library = tmp_path / "x86_64-linux-gnu" / "libjemalloc.so.2"
    library.parent.mkdir()
    library.touch()
    assert memory.jemalloc_path() == library


@pytest.mark.parametrize("argument", ["--minutes", "--load"])
@pytest.mark.parametrize("value", ["0", "-1", "nan"])
def test_a_load_of_nothing_is_refused(
    argument: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["memory", argument, value])
    with pytest.raises(SystemExit) as ended:
        memory.main()
    assert ended.value.code == 2
    assert f"{argument} must be a number above 0" in capsys.readouterr().err


async def test_visits_to_a_server_that_is_gone_are_errors_of_a_kind(tmp_path: Path) -> None:
    figures = tmp_path / "memory.json"
    async with aiohttp.ClientSession() as http:
        guests = Guests(free_port(), http)
        for visit in first_visits()[:8]:
            await guests.serve(visit)
    candidate = memory.Candidate("gone", SimpleNamespace(), guests, [])  # type: ignore[arg-type]
    show("Nobody", memory.cost_rows(candidate, 1), figures)
    rows = {row["name"]: row for row in json.loads(figures.read_text())}
    assert rows["gone: errors"]["value"] == 8
    assert rows["gone: errors"]["more"] == {"ConnectionRefusedError": 7, "ClientConnectorError": 1}
