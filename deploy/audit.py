"""Known vulnerabilities of the packages that the lock files name: `make audit`.

pip-audit asks PyPI (or another service: AUDIT_SERVICE=osv) about each Python package, npm the npm registry
about those of the page. Where nobody can be asked that is said, and the locked versions are listed, to be
looked up elsewhere: a lock that was not checked is not a lock without a fault.

Exit code: 1 when a vulnerability is known, 2 when the check itself went wrong, else 0; also for what was not
checked.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements.lock", "requirements-japanese.lock", "requirements-qwen3.lock")
#: Torch has no hash, and a file of its own.
PINNED_BY_HAND = "requirements-torch.txt"
NPM_LOCK = "package-lock.json"
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)
_LIMIT_S = 300
#: Words of those who reach nobody: of pip-audit, of what it asks with, and of the system.
_UNREACHABLE = re.compile(
    r"connect|resolve|timed? ?out|no answer|max retries|HTTPS?(Connection|Error)|proxy|SSL|50[0-9]|40[357]",
    re.IGNORECASE,
)
#: Of what a program says when it fails.
_SHOWN = 200


@dataclass(slots=True)
class Findings:
    """What is known of some packages. `unchecked`: why nobody could be asked, None when somebody was."""

    vulnerable: list[str] = field(default_factory=list)
    checked: int = 0
    not_known: list[str] = field(default_factory=list)
    unchecked: str | None = None


class AuditError(Exception):
    """A program did something that this does not understand."""


def pins(text: str) -> dict[str, str]:
    """Names and versions of a lock file of Python."""
    return dict(_PIN.findall(text))


def npm_pins(text: str) -> dict[str, str]:
    """Names and versions of package-lock.json, those for other systems as well."""
    packages: dict[str, Any] = json.loads(text)["packages"]
    return {
        path.rpartition("node_modules/")[2]: str(entry["version"])
        for path, entry in packages.items()
        if path and "version" in entry
    }


def of_pip_audit(printed: str, said: str, code: int) -> Findings:
    """What pip-audit means by its JSON (`printed`), its words (`said`) and its exit code.

    It ends with 0 when a service answered of no package at all: each then has a `skip_reason`.
    """
    if code not in (0, 1):
        raise AuditError(f"pip-audit ended with code {code}: {_last(said)}")
    try:
        told: list[dict[str, Any]] = json.loads(printed)["dependencies"]
    except (ValueError, KeyError, TypeError):
        if not _UNREACHABLE.search(said):
            raise AuditError(f"pip-audit ended with code {code}: {_last(said)}") from None
        return Findings(unchecked=f"the service cannot be reached: {_last(said)}")
    found = Findings()
    for each in told:
        name = f"{each['name']} {each.get('version', '')}".strip()
        if "skip_reason" in each:
            found.not_known.append(re.sub(r".*: (\S+) \((\S+)\)$", r"\1 \2", each["skip_reason"]))
            continue
        found.checked += 1
        for flaw in each["vulns"]:
            mended = ", ".join(flaw.get("fix_versions", ())) or "no version yet"
            found.vulnerable.append(f"{name}: {flaw['id']}, mended in {mended}")
    if told and not found.checked:
        found = Findings(
            unchecked="the service knows none of these packages: it is a mirror without that part"
        )
    elif code == 1 and not found.vulnerable:
        raise AuditError(f"pip-audit ended with code 1 and names no vulnerability: {_last(said)}")
    return found


def of_npm_audit(printed: str, said: str, code: int, packages: int) -> Findings:
    """What npm audit means, likewise; `packages` were asked about."""
    try:
        told: dict[str, Any] = json.loads(printed)
    except ValueError:
        raise AuditError(f"npm audit printed no JSON (code {code}): {_last(said)}") from None
    if "vulnerabilities" not in told:
        why = told.get("message") or told.get("error", {}).get("summary") or _last(said)
        return Findings(unchecked=f"the registry does not answer: {str(why)[:_SHOWN]}")
    found = Findings(checked=packages)
    for name, flaw in told["vulnerabilities"].items():
        titles = [via["title"] for via in flaw.get("via", ()) if isinstance(via, dict)]
        found.vulnerable.append(
            f"{name} {flaw.get('range', '')}: {flaw.get('severity')}; {'; '.join(titles)}"
        )
    return found


def _last(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1][:_SHOWN] if lines else "it says nothing"


def _run(command: Sequence[str], folder: Path) -> tuple[str, str, int]:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_LIMIT_S)
    except FileNotFoundError:
        raise AuditError(f"the program {command[0]} is not installed (make test installs it)") from None
    except subprocess.TimeoutExpired as error:
        # What it printed before is of no use: it may be about half of the packages.
        return "{}", f"no answer within {error.timeout:g} s", 0
    return done.stdout, done.stderr, done.returncode


def audit_python(lock: Path, service: str) -> Findings:
    """What is known of the packages of a lock file. Nothing is installed or resolved for it."""
    command = ["pip-audit", "--requirement", lock.name, "--disable-pip", "--format", "json"]
    has_hashes = "--hash=" in lock.read_text()
    command += ["--require-hashes"] if has_hashes else ["--no-deps"]
    command += ["--vulnerability-service", service, "--progress-spinner", "off", "--desc", "off"]
    return of_pip_audit(*_run(command, lock.parent))


def audit_page(lock: Path) -> Findings:
    """The same for the page's packages."""
    command = ["npm", "audit", "--json", "--package-lock-only", "--audit=true"]
    return of_npm_audit(*_run(command, lock.parent), len(npm_pins(lock.read_text())))


def report(name: str, found: Findings, versions: dict[str, str]) -> list[str]:
    """Lines for people."""
    lines = []
    if found.unchecked is not None:
        lines.append(f"{name}: NOT CHECKED, {found.unchecked}. The {len(versions)} locked versions:")
        width = max(map(len, versions), default=0)
        lines += [f"  {package:<{width}}  {version}" for package, version in sorted(versions.items())]
        return lines
    flaws = len(found.vulnerable)
    lines.append(f"{name}: {found.checked} packages checked, {flaws or 'no'} known vulnerabilities")
    lines += [f"  {each}" for each in found.vulnerable]
    lines += [f"  not checked, as the service does not know it: {each}" for each in found.not_known]
    return lines


def main(folder: Path = ROOT) -> int:
    """Check all lock files of a folder; returns the exit code."""
    service = os.environ.get("AUDIT_SERVICE", "pypi")
    code = 0
    for name in (*LOCKS, PINNED_BY_HAND, NPM_LOCK):
        lock = folder / name
        is_page = name == NPM_LOCK
        versions = (npm_pins if is_page else pins)(lock.read_text())
        try:
            found = audit_page(lock) if is_page else audit_python(lock, service)
        except AuditError as error:
            print(f"{name}: {error}", file=sys.stderr)
            code = code or 2
            continue
        print("\n".join(report(name, found, versions)), flush=True)
        if found.vulnerable:
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
