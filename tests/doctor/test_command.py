"""The command as an operator types it: real processes on the real machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.server import free_port
from realtime.__main__ import main as run
from realtime.doctor.command import CHECKS, examine
from realtime.doctor.finding import Check, Finding, Situation, findings_of
from realtime.doctor.report import as_json, as_table, without_secrets
from tests.doctor.looking import only

ROOT = Path(__file__).parents[2]
KEY = "5d1e0c7b2a9f48e6b3c47d90"


def doctor(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """`python -m realtime doctor`, with a free port unless one is given."""
    return subprocess.run(
        [sys.executable, "-m", "realtime", "doctor", *arguments],
        env=os.environ | {"PORT": str(free_port())} | settings,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )


def findings(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    """What `--json` told, by name."""
    return {each["name"]: each for each in json.loads(done.stdout)["findings"]}


def test_all_is_well_with_the_settings_as_they_are(tmp_path: Path) -> None:
    """The engine is loaded and speaks, on this machine as it is."""
    done = doctor("--json", DATA_FOLDER=str(tmp_path / "data"))
    assert done.returncode == 0, done.stdout
    assert done.stderr == ""
    told = findings(done)
    assert json.loads(done.stdout)["ok"] is True
    assert [each for each in told.values() if each["state"] == "fail"] == []
    for name in (
        "Python",
        "packages",
        "libopus",
        "PyAV",
        "voice heart",
        "espeak-ng",
        "values",
        "loads",
        "PORT",
    ):
        assert told[name]["state"] == "ok", told[name]
    for name in ("speaks heart", "speaks espeak-de"):
        assert "real-time factor" in told[name]["found"], told[name]
    # What is in force and not by default is told, and nothing was written.
    assert told["DATA_FOLDER"]["group"] in ("Machine", "In force")
    assert not (tmp_path / "data").exists()


def test_for_people(tmp_path: Path) -> None:
    """Failures say what to do, in lines that fit, and the exit code tells; keys in a file are not told."""
    path = tmp_path / "keys"
    path.write_text(f"{KEY} name=phone\n# nothing\n{KEY[::-1]} colour=red\n")
    path.chmod(0o600)
    settings = {"MAX_SESSION": "500", "OPUS_BITRATE": "much", "DRAIN_S": "45", "API_KEYS_FILE": str(path)}
    done = doctor("--quick", COLUMNS="90", **settings)
    assert done.returncode == 1 and done.stderr == ""
    told = " ".join(done.stdout.split())
    assert "line 3 of API_KEYS_FILE: after the key may stand" in told
    assert "API_KEYS_FILE set" in told
    for text in (told, as_json(examine({**os.environ, **settings}, quick=True))):
        assert KEY not in text and KEY[::-1] not in text
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 90
    assert "Settings" in lines
    bitrate = next(line for line in lines if "OPUS_BITRATE" in line)
    assert bitrate.startswith("  FAIL  OPUS_BITRATE") and "6000 to 256000, not 'much'" in bitrate
    misspelt = next(number for number, line in enumerate(lines) if "MAX_SESSION " in line)
    assert lines[misspelt].startswith("  warn") and "did you mean MAX_SESSIONS?" in lines[misspelt]
    assert lines[misspelt + 1].strip() == "-> set MAX_SESSIONS instead, or unset MAX_SESSION"
    assert any(line.split() == ["DRAIN_S", "45", "(default", "30)"] for line in lines)
    assert lines[-1].startswith("2 to be mended, ")


@pytest.mark.parametrize("arguments", [["--wrong"], ["now"], ["--json=1"]])
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(["doctor", *arguments])
    assert ended.value.code == 2
    told = capsys.readouterr()
    assert told.err.startswith("usage: python -m realtime doctor") and told.out == ""


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(["doctor", "--help"])
    told = capsys.readouterr().out
    assert ended.value.code == 0 and "--quick" in told and "Exit code" in told
    assert run(["--help"]) == 0 and "  doctor " in capsys.readouterr().err


def test_a_python_without_packages() -> None:
    """It tells which ones are missing, and never shows a traceback."""
    program = (
        "import sys; sys.path.insert(0, '.'); from realtime.__main__ import main; sys.exit(main(['doctor']))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-P", "-c", program],
        env={"PATH": os.environ["PATH"], "ENGINE": "qwen3", "PORT": str(free_port()), "COLUMNS": "110"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert (
        "not installed: aiohttp, aioice," in done.stdout and "pip install -r requirements.lock" in done.stdout
    )
    assert "Traceback" not in done.stdout + done.stderr


def test_a_check_that_breaks_has_failed() -> None:
    def breaks(situation: Situation) -> list[Finding]:
        raise ZeroDivisionError("no such thing\nat all")

    (found,) = findings_of(Check("Group", "the check", breaks), Situation())
    assert found == Finding("the check", "fail", "this check broke: ZeroDivisionError: no such thing")


#: Settings with secrets in them, right and wrong; each secret is to be seen nowhere.
SECRETS: list[tuple[dict[str, str], list[str]]] = [
    ({"API_KEYS": f"{KEY},{KEY[::-1]}"}, [KEY, KEY[::-1]]),
    ({"API_KEYS": f"{KEY},{KEY}"}, [KEY]),
    ({"API_KEYS": "tooshort-key"}, ["tooshort-key"]),
    ({"REDIS_URL": "redis://user:pass-w0rd@127.0.0.1:1/0"}, ["pass-w0rd"]),
    ({"REDIS_URL": "redis://:p%40ssw0rd@127.0.0.1:1"}, ["p%40ssw0rd", "p@ssw0rd"]),
    ({"REDIS_URL": "http://user:pass-w0rd@127.0.0.1:1/0"}, ["pass-w0rd"]),
    ({"REDIS_URL": "redis://user:pass-w0rd@[::1/0"}, ["pass-w0rd"]),
    ({"TURN_URLS": "turn:127.0.0.1", "TURN_USERNAME": "me", "TURN_PASSWORD": "turn-pw-9"}, ["turn-pw-9"]),
    ({"TURN_URLS": "turn:127.0.0.1", "TURN_SECRET": "turn-s3cret"}, ["turn-s3cret"]),
    ({"TURN_PASSWORD": "  "}, []),
    ({"HF_TOKEN": "hf_notforyou", "REALTIME_API_KEY": KEY}, ["hf_notforyou", KEY]),
]


@pytest.mark.parametrize(("environment", "secrets"), SECRETS)
def test_secrets_are_not_told(environment: dict[str, str], secrets: list[str]) -> None:
    """By no check, even before what is secret is cut out of all they tell; but that they are set is."""
    from realtime.doctor.settings import read_settings

    config, wrong = read_settings(environment)
    situation = Situation(config, environment, wrong, quick=True)
    told = repr([findings_of(check, situation) for check in CHECKS])
    assert [secret for secret in secrets if secret in told] == []
    assert [secret for secret in secrets if secret in repr(situation.harmless)] == []
    in_force = examine(environment, quick=True)["In force"]
    for name in {"API_KEYS", "REDIS_URL", "TURN_PASSWORD", "TURN_SECRET"} & environment.keys():
        if environment[name].strip():
            assert only(in_force, name).found == "set"


def test_what_a_library_says_of_a_secret_is_cut_out() -> None:
    groups = {"Network": [Finding(f"x {KEY}", "fail", f"cannot reach {KEY}@host", f"mend {KEY}")]}
    cut = without_secrets(groups, [KEY])
    assert KEY not in as_table(cut, 80) and "cannot reach ***@host" in as_table(cut, 80)
