"""`deploy/audit.py`: what it makes of each outcome of pip-audit and of npm audit.

Programs of the same names stand in for them, with outputs as those of pip-audit 2.10 and npm 11.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-japanese.lock", "requirements-qwen3.lock")
FINE = {"dependencies": [{"name": "aiohttp", "version": "3.14.5", "vulns": []}], "fixes": []}
FLAWED = {
    "dependencies": [
        {
            "name": "aiohttp",
            "version": "3.14.5",
            "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["3.14.6"], "aliases": ["CVE-2026-1"]}],
        },
        {"name": "gone", "skip_reason": "Dependency not found on PyPI and could not be audited: gone (1.0)"},
    ]
}
SKIPPED = {"dependencies": [{"name": "gone", "skip_reason": "could not be audited: gone (1.0)"}]}
NPM_FINE = {"auditReportVersion": 2, "vulnerabilities": {}}
NPM_FLAWED = {
    "vulnerabilities": {
        "esbuild": {
            "severity": "moderate",
            "range": "<=0.24.2",
            "via": [{"title": "Reads requests"}, "other"],
        }
    }
}
NPM_REFUSED = {"message": "405 Method Not Allowed", "statusCode": 405}
UNREACHABLE = "ERROR:pip_audit._cli:HTTPSConnectionPool(host='x', port=443): Max retries exceeded"


def stand_in(folder: Path, name: str, printed: object, said: str = "", code: int = 0) -> None:
    """A program that prints, says and ends as told; it notes how it was called."""
    (folder / f"{name}.out").write_text(printed if isinstance(printed, str) else json.dumps(printed))
    (folder / f"{name}.err").write_text(said)
    program = folder / name
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {folder}/{name}.calls\n'
        f"cat {folder}/{name}.out\ncat {folder}/{name}.err >&2\nexit {code}\n"
    )
    program.chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Both programs, which find no fault."""
    stand_in(tmp_path, "pip-audit", FINE, "No known vulnerabilities found")
    stand_in(tmp_path, "npm", NPM_FINE)
    return tmp_path


def audit(programs: Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "deploy/audit.py"],
        cwd=ROOT,
        env=os.environ | {"PATH": f"{programs}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


def test_without_a_fault(programs: Path) -> None:
    code, told = audit(programs)
    assert code == 0 and "NOT CHECKED" not in told
    assert "requirements.lock: 1 packages checked, no known vulnerabilities" in told
    assert "package-lock.json: " in told
    calls = (programs / "pip-audit.calls").read_text().splitlines()
    assert [each.split()[1] for each in calls] == [*LOCKS, "requirements-torch.txt"]
    assert all("--disable-pip" in each for each in calls)
    assert ["--require-hashes" in each for each in calls] == [True, True, True, False]


def test_a_known_vulnerability_is_told_and_fails(programs: Path) -> None:
    stand_in(programs, "pip-audit", FLAWED, "Found 1 known vulnerability", 1)
    code, told = audit(programs)
    assert code == 1 and "aiohttp 3.14.5: PYSEC-2026-1, mended in 3.14.6" in told
    assert "not checked, as the service does not know it: gone 1.0" in told


def test_one_of_the_page_as_well(programs: Path) -> None:
    stand_in(programs, "npm", NPM_FLAWED, code=1)
    code, told = audit(programs)
    assert code == 1 and "esbuild <=0.24.2: moderate; Reads requests" in told


@pytest.mark.parametrize(
    ("printed", "said", "code"),
    [("", UNREACHABLE, 1), (SKIPPED, "No known vulnerabilities found, 1 skipped", 0)],
)
def test_who_cannot_be_asked_has_not_said_that_all_is_well(
    programs: Path, printed: object, said: str, code: int
) -> None:
    stand_in(programs, "pip-audit", printed, said, code)
    stand_in(programs, "npm", NPM_REFUSED, "npm error audit endpoint returned an error", 1)
    code, told = audit(programs)
    assert code == 0 and told.count("NOT CHECKED") == 5 and "checked, no known" not in told
    assert "package-lock.json: NOT CHECKED, the registry does not answer: 405 Method Not Allowed" in told
    # All that is locked is listed, to be looked up elsewhere.
    for lock in (*LOCKS, "requirements-torch.txt"):
        section = told.split(f"{lock}: NOT CHECKED")[1].split("NOT CHECKED")[0]
        named = [each.split("==")[0] for each in (ROOT / lock).read_text().splitlines() if "==" in each[:60]]
        rows = {line.split()[0] for line in section.splitlines() if line.startswith("  ")}
        assert {name.split("[")[0] for name in named if not name.startswith((" ", "#"))} == rows
    assert "mediabunny" in told and "typescript" in told


@pytest.mark.parametrize(
    ("printed", "said", "code"),
    [("", "usage: pip-audit", 2), (FINE, "odd", 1), ("", "ERROR: requirement has no hash", 1), ("[", "?", 0)],
)
def test_a_check_that_went_wrong_is_no_check(programs: Path, printed: object, said: str, code: int) -> None:
    stand_in(programs, "pip-audit", printed, said, code)
    code, told = audit(programs)
    assert code == 2 and "requirements.lock: pip-audit ended with code" in told
    stand_in(programs, "npm", NPM_FLAWED, code=1)
    assert audit(programs)[0] == 1, "what is known counts for more"


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    stand_in(tmp_path, "npm", NPM_FINE)
    code, told = audit(tmp_path)
    assert code == 2 and "the program pip-audit is not installed" in told
