"""The README's table of limits: each value is that of the code, and no limit of the code is missing."""

from __future__ import annotations

import importlib
import re
import typing
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from realtime.config import Config

ROOT = Path(__file__).parents[1]
TABLE = (ROOT / "README.md").read_text().split("<!-- limits:")[1].split("\n\n", 2)[1]
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in TABLE.splitlines()[2:]]
UNITS = {"": 1, "KiB": 1024, "MiB": 1024 * 1024}
#: Where limits of input are, and how their names begin.
ROOMS = ("server", "live", "session", "voices", "text")
NAMES = re.compile(r"^((?:MAX|MOST)_[A-Z_]+)(?:: [^=]+)? = ", re.MULTILINE)
#: Of what the server makes and keeps itself, at whatever input.
NO_INPUT = {
    "live.driver.MOST_FRAME_BYTES",
    "live.track.MOST_IN_HAND_MS",
    "live.track.MOST_WAITING_MS",
    "server.listen.MAX_SOCKET_PATH",
    "server.origins.MAX_AGE_S",
    "server.speech.MAX_KEPT_BYTES",
    "server.webrtc.beats.MOST_LATE_S",
    "server.webrtc.beats.MOST_TOGETHER",
    "session.credit.MOST_STEP_MS",
    "text.lexicon.MOST_GROWTH",
    "text.normalize.english.words.MAX_DIGITS",
    "voices.recording.MOST_CLIPPED",
    # Room that a message has in the window of SCTP: the limit of a message is that of the channel.
    "server.webrtc.sctp.MOST_MESSAGE_BYTES",
}


def value_of(name: str) -> Any:
    """What the code has under a name of the table: a setting's default, or something in a module."""
    if name.isupper() and "." not in name:
        return getattr(Config(), name.lower())
    parts = name.split(".")
    for count in range(len(parts) - 1, 0, -1):
        try:
            found: Any = importlib.import_module(".".join(["realtime", *parts[:count]]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            found = default_of(found, part) if is_dataclass(found) else getattr(found, part)
        return found
    raise AssertionError(f"there is no {name}")


def default_of(kind: Any, name: str) -> Any:
    return next(each.default for each in fields(kind) if each.name == name)


def as_number(found: Any) -> float:
    """Of a type of strings its greatest length, of a pattern its last number, else what it is."""
    if isinstance(found, re.Pattern):
        return int(re.findall(r"\d+", found.pattern)[-1])
    for each in typing.get_args(found):
        if isinstance(each, msgspec.Meta):
            assert each.max_length is not None
            return each.max_length
    assert isinstance(found, int | float)
    return found


def limits() -> Iterator[tuple[str, float]]:
    for _, told, names in ROWS:
        numbers = [
            int(number) * UNITS[unit] for number, unit in re.findall(r"(\d+)\s*([KM]iB)?(?:;|$)", told)
        ]
        listed = re.findall(r"`([\w.]+)`", names)
        assert len(numbers) == len(listed), told
        yield from zip(listed, numbers, strict=True)


@pytest.mark.parametrize(("name", "told"), list(limits()))
def test_a_limit_is_that_of_the_code(name: str, told: float) -> None:
    assert as_number(value_of(name)) == told


def test_no_limit_is_missing_or_told_twice() -> None:
    told = [name for name, _ in limits()]
    assert len(told) == len(set(told)) > 70
    found = set()
    for room in ROOMS:
        for module in (ROOT / "realtime" / room).rglob("*.py"):
            path = ".".join(module.relative_to(ROOT / "realtime").with_suffix("").parts)
            found |= {f"{path}.{name}" for name in NAMES.findall(module.read_text())}
    assert len(found) > 50 and NO_INPUT <= found
    assert found - NO_INPUT <= set(told), "a limit that the README does not name"
    # And of the settings those that bound what somebody may do.
    bounding = {each.name.upper() for each in fields(Config) if re.match("max_|key_|address_", each.name)}
    assert bounding - {"MAX_BATCH_SIZE", "MAX_NEW_TOKENS"} <= set(told)
