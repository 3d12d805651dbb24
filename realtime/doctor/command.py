"""The command line of `python -m realtime doctor`."""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Mapping

from realtime.doctor import gpu, keys, network, processor, program, room, settings, voice
from realtime.doctor.finding import Check, Finding, Situation, findings_of
from realtime.doctor.machine import Machine
from realtime.doctor.report import as_json, as_table, has_failed, secrets_of, without_secrets

#: In the order in which they are printed.
CHECKS = (
    Check("Program", "Python", program.python),
    Check("Program", "packages", program.packages),
    Check("Program", "libopus", program.libopus),
    Check("Program", "PyAV", program.pyav),
    Check("Program", "voices", program.voices),
    Check("Program", "Rubber Band", program.rubber_band),
    Check("Program", "allocator", processor.allocator),
    Check("Settings", "values", settings.values),
    Check("Settings", "spelling", settings.spelling),
    Check("Settings", "lists", settings.lists),
    Check("Settings", "without effect", settings.idle),
    Check("Settings", "risks", settings.risks),
    Check("Settings", "keys", keys.keys),
    Check("In force", "settings", settings.in_force),
    Check("Machine", "cores", processor.cores),
    Check("Machine", "CPU governor", processor.governor),
    Check("Machine", "NUMA", processor.numa),
    Check("Machine", "memory", room.memory),
    Check("Machine", "huge pages", processor.huge_pages),
    Check("Machine", "shared memory", room.shared_memory),
    Check("Machine", "DATA_FOLDER", room.data_folder),
    Check("Machine", "open files", room.open_files),
    Check("Network", "PORT", network.port),
    Check("Network", "UDS", network.socket_file),
    Check("Network", "WebRTC", network.webrtc),
    Check("Network", "REDIS_URL", network.redis),
    Check("GPU and model", "driver", gpu.cards),
    Check("GPU and model", "torch", gpu.model),
    Check("Voice", "speaks", voice.speaks),
)


def examine(
    environment: Mapping[str, str], machine: Machine | None = None, *, quick: bool = False
) -> dict[str, list[Finding]]:
    """All findings by their groups, without a secret in them."""
    config, wrong = settings.read_settings(environment)
    situation = Situation(config, environment, wrong, machine or Machine(), quick)
    groups: dict[str, list[Finding]] = {}
    for check in CHECKS:
        groups.setdefault(check.group, []).extend(findings_of(check, situation))
    return without_secrets(groups, secrets_of(situation))


def _silence() -> None:
    """What is looked at logs nothing: it is told here, once."""
    try:
        import structlog
    except ImportError:  # it is told as a package that is missing
        return
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory(), cache_logger_on_first_use=False)


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit code: 1 when something must be mended."""
    parser = argparse.ArgumentParser(
        prog="python -m realtime doctor",
        description="Look at this machine and at the settings in the environment, and say what to mend.",
        epilog="Exit code: 0 when nothing must be mended, 1 otherwise.",
    )
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.add_argument("--quick", action="store_true", help="do not load the engine, nor let it speak")
    options = parser.parse_args(arguments)
    _silence()
    groups = examine(os.environ, quick=options.quick)
    print(as_json(groups) if options.json else as_table(groups, shutil.get_terminal_size((110, 24)).columns))
    return int(has_failed(groups))
