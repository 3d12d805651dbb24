"""Processors, and how the system deals with them and with memory: what decides on latency."""

from __future__ import annotations

import re

from realtime.cores import parse_cpulist, written
from realtime.doctor.finding import Finding, Situation
from realtime.doctor.machine import Machine
from realtime.doctor.room import cgroup_files
from realtime.host import find_jemalloc

_PAGES = "/sys/kernel/mm/transparent_hugepage"
_CPUS = "/sys/devices/system/cpu"
_CHOSEN = re.compile(r"\[([\w+-]+)\]")
_JEMALLOC = re.compile(r"/\S*libjemalloc\S*")
_FEW_CORES = 2


def cores(situation: Situation) -> list[Finding]:
    """How many may be used, by affinity and by quota."""
    machine, config = situation.machine, situation.config
    usable = machine.cores()
    there = parse_cores(machine.text(f"{_CPUS}/online")) or usable
    found = f"{len(usable)} of {len(there)} may be used"
    results = []
    if len(usable) < _FEW_CORES:
        remedy = "two at least: sound is encoded and sent while more is synthesized"
        results.append(Finding("cores", "warn", found, remedy))
    else:
        results.append(Finding("cores", "ok", found))
    quota = cpu_quota(machine)
    if quota is not None and quota < len(usable):
        what = (
            f"a cgroup allows the time of {quota:g}, fewer than the {len(usable)} that threads are made for"
        )
        remedy = f"ENGINE_THREADS={max(1, int(quota))}; better a set of cores (cpuset) than a quota (cpus)"
        results.append(Finding("CPU quota", "warn", what, remedy))
    for name, asked in (
        ("CPU_AFFINITY", config.cpu_affinity or frozenset()),
        ("ENGINE_CPU_AFFINITY", config.engine_cpu_affinity or frozenset()),
    ):
        if missing := asked - usable:
            what = f"{written(asked)} are not all there: this process may not use {written(missing)}"
            results.append(Finding(name, "fail", what, f"name some of {written(usable)}"))
    return results


def parse_cores(text: str | None) -> frozenset[int]:
    """The numbers in "0-3,8"; none of what is no such list."""
    try:
        return parse_cpulist(text or "")
    except ValueError:
        return frozenset()


def cpu_quota(machine: Machine) -> float | None:
    """How many cores' time the cgroups of this process allow; None where they set no limit."""
    found = []
    for file in cgroup_files(machine, "cpu", "cpu.max", "cpu.cfs_quota_us"):
        text = machine.text(file) or ""
        if file.endswith("cpu.max"):
            quota, _, period = text.partition(" ")
        else:
            quota, period = text, machine.text(file.replace("quota", "period")) or ""
        if quota.isdecimal() and period.isdecimal() and int(period):
            found.append(int(quota) / int(period))
    return min(found, default=None)


def governor(situation: Situation) -> list[Finding]:
    """How the clock of the processors is chosen."""
    machine = situation.machine
    files = machine.paths(_CPUS, "cpu[0-9]*/cpufreq/scaling_governor")
    kinds = sorted({text for file in files if (text := machine.text(file))})
    if not kinds:
        return [Finding("CPU governor", "info", "this machine does not tell; virtual ones seldom do")]
    if kinds == ["performance"]:
        return [Finding("CPU governor", "ok", "performance")]
    remedy = (
        "deploy/host/cpu-governor.sh (as root): a clock that must rise first is late with the first sound"
    )
    return [Finding("CPU governor", "warn", ", ".join(kinds), remedy)]


def huge_pages(situation: Situation) -> list[Finding]:
    """When the kernel makes pages huge, and whether a program waits for that."""
    machine = situation.machine
    chosen = [_CHOSEN.search(machine.text(f"{_PAGES}/{name}") or "") for name in ("enabled", "defrag")]
    if None in chosen:
        return [Finding("huge pages", "info", "this system has no transparent ones")]
    enabled, defrag = (match[1] for match in chosen if match)
    found = f"transparent: {enabled}, defrag: {defrag}"
    remedy = f"deploy/host/huge-pages.sh (as root), or: echo %s > {_PAGES}/%s"
    if enabled != "never" and defrag == "always":
        found += "; a program stands still while memory is made whole for it"
        return [Finding("huge pages", "warn", found, remedy % ("defer+madvise", "defrag"))]
    if enabled == "always":
        found += "; memory that was given back may stay"
        return [Finding("huge pages", "warn", found, remedy % ("madvise", "enabled"))]
    return [Finding("huge pages", "ok", found)]


def numa(situation: Situation) -> list[Finding]:
    """Whether memory may be far from the cores."""
    machine = situation.machine
    nodes = {}
    for folder in machine.paths("/sys/devices/system/node", "node[0-9]*"):
        nodes[folder.rpartition("/")[2]] = parse_cores(machine.text(f"{folder}/cpulist"))
    used = [name for name, numbers in nodes.items() if numbers & machine.cores()]
    if len(nodes) <= 1:
        return [Finding("NUMA", "ok", "one node")]
    if len(used) == 1:
        return [Finding("NUMA", "ok", f"{len(nodes)} nodes, and this process stays on {used[0]}")]
    told = "; ".join(f"{name}: cores {written(numbers)}" for name, numbers in nodes.items())
    remedy = f"stay on one, that of the GPU if there is one: numactl --cpunodebind=0 --membind=0 ({told})"
    return [Finding("NUMA", "warn", f"{len(nodes)} nodes, and this process may run on {len(used)}", remedy)]


def allocator(situation: Situation) -> list[Finding]:
    """Which malloc this process has, and so one that is started as this was."""
    environment, machine = situation.environment, situation.machine
    mapped = _JEMALLOC.search(machine.text("/proc/self/maps") or "")
    preloaded = environment.get("LD_PRELOAD", "")
    options = environment.get("MALLOC_CONF")
    if mapped:
        told = f"jemalloc ({mapped[0]}), MALLOC_CONF {'set' if options else 'not set'}"
        return [Finding("allocator", "ok", told)]
    if "jemalloc" in preloaded:
        what = f"LD_PRELOAD names {preloaded}, which was not loaded"
        return [Finding("allocator", "fail", what, "apt-get install libjemalloc2, or mend the path")]
    if situation.config.allocator == "jemalloc":
        library = find_jemalloc()
        if library is None:
            what = "ALLOCATOR is jemalloc, which is not installed"
            return [Finding("allocator", "fail", what, "apt-get install libjemalloc2; or ALLOCATOR=system")]
        return [Finding("allocator", "ok", f"jemalloc ({library}) will be loaded, as ALLOCATOR says")]
    if options:
        what = "MALLOC_CONF is set, and only jemalloc reads it, which is not loaded"
        return [Finding("allocator", "warn", what, "LD_PRELOAD the path of libjemalloc.so.2, or unset it")]
    return [Finding("allocator", "info", "that of the system; jemalloc is not loaded")]
