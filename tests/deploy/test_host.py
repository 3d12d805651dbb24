"""deploy/host/: on what stands for /sys and for nvidia-smi, never the real ones."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from realtime.cores import parse_cpulist
from realtime.host import MALLOC_CONF

ROOT = Path(__file__).parents[2]
HOST = ROOT / "deploy/host"
SCRIPTS = sorted(each.stem for each in HOST.glob("*.sh") if each.stem != "common")
#: Those that set something.
SETTING = ["cpu-governor", "gpu-clocks", "gpu-persistence", "huge-pages"]

#: Keeps what it is told to set in the folder CARDS, a file for each card; notes what sets something in CALLS.
NVIDIA_SMI = r"""#!/bin/sh
case "$*" in
  --list-gpus) [ -n "$(ls "$CARDS")" ] ;;
  --query-gpu=*)
    for card in "$CARDS"/*; do
      . "$card"
      line=$(basename "$card")
      for field in $(echo "${1#*=}" | tr , ' '); do
        case $field in
          index) continue ;;
          persistence_mode) value=$persistence ;;
          clocks.current.graphics) value=210 ;;
          clocks.max.graphics) value=$most ;;
          clocks.max.memory) value=2619 ;;
          pci.bus_id) value=$bus ;;
          *) echo "Field \"$field\" is not a valid field to query."; exit 2 ;;
        esac
        line="$line, $value"
      done
      echo "$line"
    done
    ;;
  "-i "*)
    echo "$*" >>"$CALLS"
    if [ -n "${REFUSED:-}" ]; then printf '%s\n\n' "$REFUSED"; exit 4; fi
    case $3 in
      -pm) [ "$4" = 1 ] && value=Enabled || value=Disabled; field=persistence ;;
      -lgc) field=graphics value=$4 ;;
      -rgc) field=graphics value=free ;;
      -lmc) field=memory value=$4 ;;
      -rmc) field=memory value=free ;;
      *) exit 2 ;;
    esac
    sed -i "s/^$field=.*/$field=$value/" "$CARDS/$2"
    ;;
  *) exit 2 ;;
esac
"""


class Machine:
    """A machine of files: two sockets of four cores with two threads each, and a card next to the second."""

    def __init__(self, folder: Path) -> None:
        self.sys = folder / "sys"
        self.state = folder / "state"
        self.cards = folder / "cards"
        self.calls = folder / "calls"
        programs = folder / "bin"
        for made in (self.cards, programs):
            made.mkdir()
        smi = programs / "nvidia-smi"
        smi.write_text(NVIDIA_SMI)
        smi.chmod(0o755)
        self.environment = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "SYSFS": str(self.sys),
            "STATE": str(self.state),
            "CARDS": str(self.cards),
            "CALLS": str(self.calls),
        }
        pages = "kernel/mm/transparent_hugepage"
        self.put(f"{pages}/enabled", "always madvise [never]")
        self.put(f"{pages}/defrag", "always defer defer+madvise [madvise] never")
        self.put("devices/system/cpu/online", "0-15")
        for core in range(16):
            cpu = f"devices/system/cpu/cpu{core}"
            self.put(f"{cpu}/topology/thread_siblings_list", f"{core % 8},{core % 8 + 8}")
            self.put(f"{cpu}/cpufreq/scaling_governor", "schedutil")
            self.put(f"{cpu}/cpufreq/scaling_available_governors", "performance schedutil")
        self.put("devices/system/node/node0/cpulist", "0-3,8-11")
        self.put("devices/system/node/node1/cpulist", "4-7,12-15")
        self.put("bus/pci/devices/0000:3b:00.0/numa_node", "1")
        self.put("bus/pci/devices/0000:3b:00.0/local_cpulist", "4-7,12-15")
        self.card(0, "Disabled", bus="00000000:3B:00.0")

    def put(self, path: str, text: str) -> None:
        file = self.sys / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")

    def card(
        self, number: int, persistence: str, *, most: str = "1980", bus: str = "00000000:5E:00.0"
    ) -> None:
        text = f"persistence={persistence}\nmost='{most}'\nbus={bus}\ngraphics=free\nmemory=free\n"
        (self.cards / str(number)).write_text(text)

    def run(self, name: str, *arguments: str, code: int = 0, **environment: str) -> str:
        """What a script prints; of errors it must tell in one line, for whoever reads a log."""
        done = subprocess.run(
            ["sh", HOST / f"{name}.sh", *arguments],
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == code, done.stdout + done.stderr
        if name != "all":
            assert len(done.stderr.splitlines()) == (code != 0), done.stderr
        return done.stdout + done.stderr

    def seen(self) -> dict[str, str]:
        """All that is set on it; of what may be chosen in a file, the one that is."""
        files = [each for folder in (self.sys, self.cards) for each in folder.rglob("*") if each.is_file()]
        texts = {str(file): file.read_text().strip() for file in files}
        return {file: re.sub(r".*\[(.*)\].*", r"\1", text) for file, text in texts.items()}

    def set_by(self, *arguments: str, **environment: str) -> set[str]:
        """What is different after a script ran, as words."""
        before = self.seen()
        self.run(*arguments, **environment)
        after = self.seen()
        return {
            line for file in after if after[file] != before[file] for line in after[file].splitlines()
        } - {line for text in before.values() for line in text.splitlines()}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_scripts_of_the_repository_have_no_faults_that_shellcheck_knows() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.sh"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert len(listed) >= len(SCRIPTS) + 4 and "deploy/host/common.sh" in listed
    done = subprocess.run(["shellcheck", "-x", *listed], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_all_that_set_something_are_tested_and_documented() -> None:
    assert sorted([*SETTING, "affinity", "all"]) == SCRIPTS
    told = (ROOT / "docs/tuning.md").read_text()
    for known in (*(f"{name}.sh" for name in SCRIPTS), MALLOC_CONF, "CPU_AFFINITY", "ALLOCATOR=jemalloc"):
        assert known in told


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_tells_what_it_does_and_what_it_does_not_take(machine: Machine, name: str) -> None:
    told = machine.run(name, "--help")
    assert told.startswith(f"{name}.sh ") and len(told.splitlines()) >= 3
    for argument in ("--check", "--undo", "--help"):
        assert argument in told
    assert "#" not in told and "set -eu" not in told
    assert machine.run(name, "--chekc", code=2) == f"{name}: unknown argument --chekc; see --help\n"
    assert os.access(HOST / f"{name}.sh", os.X_OK)


@pytest.mark.parametrize("name", SCRIPTS)
def test_check_changes_nothing(machine: Machine, name: str) -> None:
    before = machine.seen()
    told = machine.run(name, "--check")
    assert machine.seen() == before
    assert not machine.state.exists() and not machine.calls.exists()
    if name != "affinity":
        assert "would be" in told


@pytest.mark.parametrize("name", SCRIPTS)
def test_twice_is_as_once_and_undo_brings_back_what_was(machine: Machine, name: str) -> None:
    machine.card(1, "Enabled")  # what was set by others stays after `--undo`
    before = machine.seen()
    machine.run(name)
    once = machine.seen()
    machine.run(name)
    assert machine.seen() == once
    assert (once != before) == (name != "affinity")
    told = machine.run(name, "--check")
    assert name in ("gpu-clocks", "all") or "would be" not in told
    machine.run(name, "--undo")
    assert machine.seen() == before
    assert "nothing to undo" in machine.run(name, "--undo")
    assert machine.seen() == before
    machine.run(name)
    assert machine.seen() == once


def test_what_each_sets(machine: Machine) -> None:
    assert machine.set_by("gpu-persistence") == {"persistence=Enabled"}
    assert machine.set_by("gpu-clocks") == {"graphics=1980,1980"}
    assert machine.set_by("gpu-clocks", "--clock", "1400", "--memory") == {
        "graphics=1400,1400",
        "memory=2619,2619",
    }
    assert machine.set_by("cpu-governor") == {"performance"}
    machine.run("huge-pages")
    pages = machine.sys / "kernel/mm/transparent_hugepage"
    assert (pages / "enabled").read_text() == "madvise\n"
    assert (pages / "defrag").read_text() == "defer+madvise\n"
    machine.run("huge-pages", "--mode", "always")
    assert (pages / "enabled").read_text() == "always\n"
    machine.run("huge-pages", "--undo")
    assert (pages / "enabled").read_text() == "never\n"


def test_what_would_be_is_told(machine: Machine) -> None:
    told = machine.run("all", "--check")
    for line in (
        "gpu-persistence: GPU 0: persistence mode is Disabled, and would be Enabled",
        "gpu-clocks: GPU 0: at 210 of 1980 MHz, and would be locked at 1980",
        f"huge-pages: {machine.sys}/kernel/mm/transparent_hugepage/enabled is never, and would be madvise",
        "cpu15/cpufreq/scaling_governor is schedutil, and would be performance",
    ):
        assert line in told


def test_those_that_are_named_alone(machine: Machine) -> None:
    assert "gpu" not in machine.run("all", "--check", "huge-pages", "cpu-governor")
    machine.run("all", "gpu-persistence")
    assert machine.calls.read_text() == "-i 0 -pm 1\n"


def test_the_report_of_cores(machine: Machine) -> None:
    assert machine.run("affinity").splitlines() == [
        "affinity: cores: 0-15",
        "affinity: NUMA node 0: cores 0-3,8-11",
        "affinity: NUMA node 1: cores 4-7,12-15",
        "affinity: cores that share a physical core: 0,8 1,9 2,10 3,11 4,12 5,13 6,14 7,15 ",
        "affinity: GPU 0: NUMA node 1, cores 4-7,12-15",
        "affinity: advice: CPU_AFFINITY=4,12 ENGINE_CPU_AFFINITY=5-7,13-15",
        "affinity: advice: cpuset of a container: 4-7,12-15",
    ]


def test_the_report_of_cores_without_a_card(machine: Machine) -> None:
    (machine.cards / "0").unlink()
    told = machine.run("affinity")
    assert "affinity: GPU: none" in told
    advice = re.search(r"CPU_AFFINITY=(\S+) ENGINE_CPU_AFFINITY=(\S+)", told)
    assert advice is not None
    assert parse_cpulist(advice[1]) == {0, 8}
    assert parse_cpulist(advice[2]) == {1, 2, 3, 9, 10, 11}


def test_the_report_of_two_cores_advises_against_parting_them(machine: Machine) -> None:
    machine.put("devices/system/cpu/online", "0-1")
    for node in ("node0", "node1"):
        (machine.sys / f"devices/system/node/{node}/cpulist").unlink()
    (machine.cards / "0").unlink()
    told = machine.run("affinity")
    assert "leave CPU_AFFINITY and ENGINE_CPU_AFFINITY at none" in told
    assert "cpuset of a container: 0-1" in told


def test_what_is_not_possible_here_is_told_in_one_line(machine: Machine) -> None:
    (machine.cards / "0").unlink()
    for name in ("gpu-persistence", "gpu-clocks"):
        assert machine.run(name, code=3) == f"{name}: not possible here: nvidia-smi finds no GPU\n"
        assert "not possible here" in machine.run(name, "--check")
    nowhere = {"SYSFS": str(machine.sys / "nowhere")}
    for name in ("huge-pages", "cpu-governor", "affinity"):
        assert "not possible here" in machine.run(name, code=3, **nowhere)
        assert "not possible here" in machine.run(name, "--check", **nowhere)
    # Together they leave that out, and are content.
    assert machine.run("all", **nowhere).count("not possible here") == 4


def test_without_a_driver(machine: Machine) -> None:
    (Path(machine.environment["PATH"].split(":")[0]) / "nvidia-smi").unlink()
    assert "there is no nvidia-smi" in machine.run("gpu-clocks", code=3)


def test_what_a_card_or_the_driver_refuses(machine: Machine) -> None:
    words = "Setting locked GPU clocks is not supported for GPU 00000000:3B:00.0."
    assert words in machine.run("gpu-clocks", code=3, REFUSED=words)
    assert "ermission" in machine.run("gpu-persistence", code=3, REFUSED="Insufficient Permissions")
    assert "Unknown Error" in machine.run("gpu-persistence", code=1, REFUSED="Unknown Error")
    machine.run("all", code=1, REFUSED="Unknown Error")
    machine.card(0, "Disabled", most="[N/A]")
    assert "does not tell its highest clocks" in machine.run("gpu-clocks", code=3)


def test_a_governor_that_there_is_not(machine: Machine) -> None:
    for file in machine.sys.rglob("scaling_available_governors"):
        file.write_text("powersave\n")
    assert "no governor `performance`" in machine.run("cpu-governor", code=3)


def test_clocks_that_cannot_be(machine: Machine) -> None:
    for wrong in ("fast", "-5", "0", "1e3", ""):
        machine.run("gpu-clocks", "--clock", wrong, code=2)
    machine.run("gpu-clocks", "--clock", code=2)
    assert "at most 1980" in machine.run("gpu-clocks", "--clock", "9999", code=2)
    machine.run("huge-pages", "--mode", "never", code=2)
    machine.run("huge-pages", "--mode", code=2)
    assert not machine.calls.exists()
