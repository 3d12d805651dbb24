"""Checks of the settings and the keys."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from realtime.config import Config, table
from realtime.doctor import keys, settings
from realtime.doctor.finding import Finding, Situation
from realtime.doctor.settings import read_settings
from tests.doctor.looking import look, machine, only, states

KEY = "5d1e0c7b2a9f48e6b3c47d90"


def test_every_wrong_variable_is_told_and_the_others_hold() -> None:
    environment = {"MAX_SESSIONS": "many", "PORT": "70000", "HOST": "127.0.0.2", "TURN_SECRET": " "}
    config, wrong = read_settings(environment)
    assert (config.host, config.max_sessions, config.port) == ("127.0.0.2", 256, 8000)
    assert len(wrong) == 3
    found = look(settings.values, **environment)
    assert sorted(states(found)) == [("MAX_SESSIONS", "fail"), ("PORT", "fail"), ("TURN_SECRET", "fail")]
    assert only(found, "PORT").found == "must be a whole number from 0 to 65535, not '70000'"


def test_the_settings_that_are_all_right() -> None:
    (found,) = look(settings.values, PORT="9000", HOME="/root")
    assert (
        found.state == "ok"
        and found.found == f"1 of {len(fields(Config))} settings are set, all within bounds"
    )


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("MAX_SESSION", "MAX_SESSIONS"),
        ("API_KEY", "API_KEYS"),
        ("TURN_URL", "TURN_URLS"),
        ("LOGLEVEL", "LOG_LEVEL"),
        ("ENGINE_THREAD", "ENGINE_THREADS"),
        ("REALTIME_MAX_SESSIONS", "MAX_SESSIONS"),
        ("max_sessions", "MAX_SESSIONS"),
        ("IDLE_TIMEOUT_MS", "IDLE_TIMEOUT_S"),
    ],
)
def test_names_that_are_misspelt(name: str, meant: str) -> None:
    (found,) = look(settings.spelling, **{name: "1"})
    assert (found.name, found.state) == (name, "warn") and f"did you mean {meant}?" in found.found


def test_names_that_are_none_of_ours() -> None:
    """What systems, shells, clouds and containers set; and every setting itself."""
    usual = """HOME HOSTNAME HOSTTYPE LOGNAME USER UID PATH PWD SHELL SHLVL TERM LANG LANGUAGE TZ EDITOR PAGER
    PORTS MAIL OLDPWD DISPLAY LD_PRELOAD MALLOC_CONF PYTHONPATH VIRTUAL_ENV HF_HOME HF_TOKEN HF_HUB_OFFLINE
    OMP_NUM_THREADS CUDA_VISIBLE_DEVICES NVIDIA_VISIBLE_DEVICES OPENAI_API_KEY REDIS_PORT REDIS_HOST
    KUBERNETES_SERVICE_HOST KUBERNETES_PORT SERVER_PORT INVOCATION_ID JOURNAL_STREAM NOTIFY_SOCKET CI DEBUG
    http_proxy https_proxy no_proxy REALTIME_URL REALTIME_API_KEY XDG_DATA_HOME XDG_RUNTIME_DIR DEVICE TABLE
    MODEL MODEL_NAME LOG_FILE COLUMNS LINES""".split()
    assert look(settings.spelling, **dict.fromkeys([*usual, *(row[0] for row in table())], "x")) == []
    assert look(settings.spelling, REALTIME_PORT="tcp://10.0.0.7:8000") == []


def test_settings_without_effect() -> None:
    found = look(settings.idle, UDS_MODE="600", MODEL_ID="Qwen/x", TURN_SECRET="something-long")
    assert sorted(states(found)) == [("MODEL_ID", "warn"), ("TURN_SECRET", "warn"), ("UDS_MODE", "warn")]
    assert only(found, "UDS_MODE").found == "it has no effect: there is no UDS"
    assert look(settings.idle) == []


def test_what_is_in_force() -> None:
    environment = {
        "PORT": "9000",
        "API_KEYS": KEY,
        "RTC": "0",
        "LOUDNESS_LUFS": "-16",
        "API_KEYS_FILE": "/x",
        "DRAIN_S": "30",  # the default
    }
    told = {each.name: (each.state, each.found) for each in look(settings.in_force, **environment)}
    assert told == {
        "PORT": ("info", "9000 (default 8000)"),
        "API_KEYS": ("info", "set"),
        "API_KEYS_FILE": ("info", "set"),
        "RTC": ("info", "0 (default 1)"),
        "LOUDNESS_LUFS": ("info", "-16 (default none)"),
    }
    assert look(settings.in_force)[0].found == "all are as they are by default"


def test_what_cannot_be_printed_is_written_out() -> None:
    (found,) = look(settings.in_force, LEXICON="a\x1b[31mb")
    assert found.found == r"a\x1b[31mb (default none)"
    assert settings.shown(frozenset({0, 1, 2, 6})) == "0-2,6" and settings.shown(True) == "1"


def warned(root: Path, **environment: str) -> list[Finding]:
    """Risks on a good machine, without what is only told."""
    return [each for each in look(settings.risks, machine(root), **environment) if each.state != "info"]


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({"HOST": "0.0.0.0"}, "HOST"),
        ({"ALLOWED_ORIGINS": "*"}, "ALLOWED_ORIGINS"),
        ({"LOG_TEXT": "1"}, "LOG_TEXT"),
        ({"DRAIN_S": "31"}, "DRAIN_S"),
        ({"ENGINE": "tone"}, "ENGINE"),
        ({"UDS": "/run/x.sock", "UDS_MODE": "666"}, "UDS_MODE"),
    ],
)
def test_risks(environment: dict[str, str], name: str, tmp_path: Path) -> None:
    (found,) = warned(tmp_path, **environment)
    assert (found.name, found.state) == (name, "warn") and found.remedy


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"HOST": "0.0.0.0", "API_KEYS": KEY},
        {"HOST": "::1"},
        {"ALLOWED_ORIGINS": "*", "API_KEYS_FILE": "/x"},
        {"UDS": "/run/x.sock", "UDS_MODE": "666", "API_KEYS": KEY},
        {"HOST": "none", "UDS": "/run/x.sock"},
    ],
)
def test_no_risks(environment: dict[str, str], tmp_path: Path) -> None:
    assert warned(tmp_path, **environment) == []


def test_nowhere_to_listen(tmp_path: Path) -> None:
    (found,) = look(settings.risks, machine(tmp_path), HOST="none")
    assert found.state == "fail" and "nowhere to listen" in found.found


def test_a_container_that_nobody_reaches(tmp_path: Path) -> None:
    (found,) = look(settings.risks, machine(tmp_path, {".dockerenv": " "}))
    assert found.state == "warn" and "container" in found.found
    assert warned(tmp_path, HOST="0.0.0.0", API_KEYS=KEY) == []


def test_metrics_for_everybody(tmp_path: Path) -> None:
    """The setting is told of where there is one."""

    @dataclass(frozen=True, slots=True)
    class WithMetrics(Config):
        metrics: str = "open"

    situation = Situation(WithMetrics(host="0.0.0.0", api_keys=KEY), {}, (), machine(tmp_path))
    (found,) = settings.risks(situation)
    assert (found.name, found.state) == ("METRICS", "info")


def test_lists_that_cannot_be_read(tmp_path: Path) -> None:
    lexicon = tmp_path / "words"
    lexicon.write_bytes(b"\xff\xfe")
    environment = {
        "TRUSTED_PROXIES": "10.0.0.0/99",
        "ALLOWED_ORIGINS": "https://a.example/path",
        "LEXICON": str(lexicon),
    }
    found = look(settings.lists, **environment)
    assert states(found) == [("TRUSTED_PROXIES", "fail"), ("ALLOWED_ORIGINS", "fail"), ("LEXICON", "fail")]
    assert "not '10.0.0.0/99'" in found[0].found
    assert look(settings.lists, TRUSTED_PROXIES="10.0.0.0/8,unix", ALLOWED_ORIGINS="https://a.example") == []


def test_no_keys() -> None:
    (found,) = look(keys.keys)
    assert found.state == "info"


def test_good_keys(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"{KEY[::-1]} name=phone concurrency=5  # mine\n\n")
    path.chmod(0o600)
    found = look(keys.keys, API_KEYS=KEY, API_KEYS_FILE=str(path))
    assert states(found) == [("keys", "ok"), ("API_KEYS_FILE", "ok")] and found[0].found == "2 can be read"


@pytest.mark.parametrize(("mode", "who"), [(0o640, "its group"), (0o644, "every user")])
def test_a_file_that_others_read(mode: int, who: str, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(KEY)
    path.chmod(mode)
    found = only(look(keys.keys, API_KEYS_FILE=str(path)), "API_KEYS_FILE")
    assert found.state == "warn" and who in found.found and found.remedy == f"chmod 600 {path}"


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    """None there; a folder; an empty one; a line that is wrong, by its number."""
    empty, wrong = tmp_path / "empty", tmp_path / "wrong"
    empty.write_text("# none\n")
    wrong.write_text(f"{KEY}\n\nshort\n")
    for path, what in (
        (tmp_path / "none", "No such file"),
        (tmp_path, "Is a directory"),
        (empty, "holds no key"),
        (wrong, "line 3 of API_KEYS_FILE is no key"),
    ):
        found = only(look(keys.keys, API_KEYS_FILE=str(path)), "keys")
        assert found.state == "fail" and what in found.found


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("0123456789abcdef", "fewer than 24 characters"),
        ("abababababababababababababababab", "fewer than 8 different"),
        ("my-Secret-key-for-the-server-9", "a word in it"),
    ],
)
def test_weak_keys(key: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"# first\n{key}\n")
    path.chmod(0o600)
    for environment, where in (
        ({"API_KEYS": f"{KEY},{key}"}, "key 2 of API_KEYS"),
        ({"API_KEYS_FILE": str(path)}, "line 2 of API_KEYS_FILE"),
    ):
        found = only(look(keys.keys, **environment), "weak key")
        assert found.state == "warn" and where in found.found and why in found.found
        assert key not in repr(found)
