"""Log lines: machines can read each one, people the other form, and the level is respected."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal

import pytest
import structlog

from realtime.errors import EngineError
from realtime.observe import logs
from realtime.tracebacks import told_traceback

LEVELS = ["debug", "info", "warning", "error"]


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """What `configure` sets up is of the whole process: it is put back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    captured = capsys.readouterr()
    assert captured.out == "", "logs go to stderr alone"
    return captured.err.splitlines()


def records(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines(capsys)]


def test_a_json_line_says_everything(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "json")
    structlog.get_logger("realtime").info("context_over", handle=3, audio_s=1.5, voice=None, reason="é\n😀")
    (record,) = records(capsys)
    stamp = datetime.fromisoformat(record.pop("timestamp"))
    assert stamp.utcoffset() is not None
    assert record == {
        "event": "context_over",
        "level": "info",
        "handle": 3,
        "audio_s": 1.5,
        "voice": None,
        "reason": "é\n😀",
    }


def test_an_exception_is_one_json_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "json")
    try:
        raise OSError("no\nluck")
    except OSError:
        structlog.get_logger().exception("speaker_failed")
    (record,) = records(capsys)
    assert (record["event"], record["level"]) == ("speaker_failed", "error")
    assert "OSError: no\nluck" in record["exception"]


@pytest.mark.parametrize("form", ["json", "console"])
def test_nobody_else_writes_lines_or_colours(
    capsys: pytest.CaptureFixture[str], form: Literal["json", "console"]
) -> None:
    """What a client chose cannot end a line, or have a terminal do something."""
    logs.configure("info", form)
    for chosen in (
        "a\n2026-01-01 [info] forged",
        "\x1b[2J\x1b]0;title\x07",
        "\x9b31m",
        "\u2028x",
        "\rx",
        "a\x00b",
    ):
        structlog.get_logger().info("context_over", context=chosen)
        logging.getLogger("aiohttp.server").warning("seen: %s", chosen)
        told = lines(capsys)
        assert len(told) == 2 and all(each.isprintable() for each in told), told


def test_lines_of_a_traceback_are_kept_and_its_colours_are_not(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "console")
    try:
        raise OSError("no\n\x1b[31mluck")
    except OSError:
        structlog.get_logger().exception("speaker_failed")
    told = lines(capsys)
    assert told[1].startswith("Traceback") and told[-2:] == ["OSError: no", r"\x1b[31mluck"]


class TestTracebacks:
    """The message of a failure may be what somebody says in confidence."""

    SECRET = "my secret word"

    def raised(self, error: BaseException, *, log_text: bool = False) -> str:
        try:
            raise error
        except BaseException as caught:
            return told_traceback(caught, log_text)

    @pytest.mark.parametrize(
        "kind", [KeyError, ValueError, LookupError, UnicodeError, type("Odd", (Exception,), {})]
    )
    def test_messages_that_may_quote_are_left_out(self, kind: type[Exception]) -> None:
        told = self.raised(kind(self.SECRET))
        assert self.SECRET not in told and f"\n{kind.__qualname__}: (left out" in told and "in raised" in told
        assert self.SECRET in self.raised(kind(self.SECRET), log_text=True)

    @pytest.mark.parametrize("kind", [TypeError, OSError, RuntimeError, EngineError])
    def test_others_are_told(self, kind: type[Exception]) -> None:
        assert self.raised(kind("why")).endswith(f"{kind.__qualname__}: why")

    def test_all_of_a_chain_and_of_a_group(self) -> None:
        def fail() -> None:
            try:
                raise KeyError(self.SECRET)
            except KeyError as first:
                try:
                    raise ValueError(self.SECRET)
                except ValueError:
                    raise TypeError("no such thing") from first

        try:
            fail()
        except TypeError as chained:
            told = self.raised(ExceptionGroup("several", [chained, ValueError(self.SECRET)]))
        assert self.SECRET not in told
        for part in (
            "KeyError: (left",
            "direct cause",
            "TypeError: no such thing",
            "ExceptionGroup: several (2",
        ):
            assert part in told
        assert told.count("ValueError: (left") == 1  # what the cause stands for is not told as well

    def test_chains_have_an_end(self) -> None:
        first, second = OSError("one"), OSError("two")
        first.__cause__, second.__cause__ = second, first
        assert len(self.raised(first)) < 5000

    def test_what_has_no_message_has_none_left_out(self) -> None:
        assert self.raised(RuntimeError()).endswith("\nRuntimeError")
        assert self.raised(OSError(2, "gone")).endswith("FileNotFoundError: [Errno 2] gone")


def test_what_json_does_not_know_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "json")
    structlog.get_logger().info("odd", value={1, 2}, data=b"\xff")
    (record,) = records(capsys)
    assert record["value"] == "{1, 2}"
    assert "xff" in record["data"]


def test_bound_values_are_in_every_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "json")
    structlog.contextvars.bind_contextvars(session="s1")
    structlog.get_logger().info("one")
    structlog.get_logger().info("two")
    assert [(record["event"], record["session"]) for record in records(capsys)] == [
        ("one", "s1"),
        ("two", "s1"),
    ]


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("level", LEVELS)
def test_the_level_is_respected(capsys: pytest.CaptureFixture[str], level: str, form: Any) -> None:
    logs.configure(level, form)
    for each in LEVELS:
        getattr(structlog.get_logger(), each)(f"at_{each}")
    found = lines(capsys)
    told = [each for each in LEVELS if any(f"at_{each}" in line for line in found)]
    assert told == LEVELS[LEVELS.index(level) :]
    assert len(found) == len(told)


def test_the_console_form_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "console")
    structlog.get_logger().info("ready", url="http://x")
    (line,) = lines(capsys)
    assert "ready" in line
    assert "url=http://x" in line
    assert "\x1b" not in line, "no colours where nobody sees them"
    with pytest.raises(json.JSONDecodeError):
        json.loads(line)


@pytest.mark.parametrize(
    ("level", "told"), [("debug", [30, 40]), ("info", [30, 40]), ("warning", [30, 40]), ("error", [40])]
)
def test_libraries_are_heard_from_warnings_on(
    capsys: pytest.CaptureFixture[str], level: str, told: list[int]
) -> None:
    logs.configure(level, "console")
    for number in (10, 20, 30, 40):
        logging.getLogger("some.library").log(number, "from level %d", number)
    found = lines(capsys)
    assert len(found) == len(told)
    for number, line in zip(told, found, strict=True):
        assert f"from level {number}" in line


def test_libraries_speak_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever reads the stream reads every line of it."""
    logs.configure("info", "json")
    structlog.get_logger().info("ours")
    logging.getLogger("asyncio").warning("theirs %d", 5)
    ours, theirs = records(capsys)
    assert ours["event"] == "ours"
    assert "theirs 5" in json.dumps(theirs)
    assert theirs["level"] == "warning"


def test_configuring_again_replaces_what_was_before(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("debug", "console")
    logs.configure("error", "json")
    structlog.get_logger().info("not told")
    structlog.get_logger().error("told")
    logging.getLogger("some.library").warning("not told either")
    assert [record["event"] for record in records(capsys)] == ["told"]
