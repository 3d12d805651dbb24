"""Settings: names, defaults, bounds. A value that is unknown or out of range stops the start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from realtime.errors import ConfigError


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        try:
            number = int(value)
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise ConfigError(f"a whole number from {low} to {high}")
        return number

    return parse


def _seconds(low: float, high: float) -> Callable[[str], float]:
    def parse(value: str) -> float:
        try:
            number = float(value)
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise ConfigError(f"seconds from {low:g} to {high:g}")
        return number

    return parse


def _one_of(*allowed: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value.lower() not in allowed:
            raise ConfigError(f"one of {', '.join(allowed)}")
        return value.lower()

    return parse


def _switch(value: str) -> bool:
    if value.lower() in ("1", "true", "yes", "on"):
        return True
    if value.lower() in ("0", "false", "no", "off"):
        return False
    raise ConfigError("1 or 0")


def _text(value: str) -> str:
    if not value.strip():
        raise ConfigError("something")
    return value.strip()


def _setting(default: Any, parse: Callable[[str], Any], help_text: str) -> Any:
    return field(default=default, metadata={"parse": parse, "help": help_text})


@dataclass(frozen=True, slots=True)
class Config:
    """The settings in force. The environment variable of a field is its name in capitals."""

    host: str = _setting("127.0.0.1", _text, "address to listen on")
    port: int = _setting(8000, _whole(0, 65535), "port to listen on; 0 takes a free one")
    engine: str = _setting("embedded", _one_of("embedded", "tone"), "what speaks; `tone` is for tests")
    engine_runner: str = _setting(
        "process",
        _one_of("process", "thread"),
        "where the engine runs: `process` or `thread`",
    )
    engine_threads: int = _setting(
        0, _whole(0, 64), "segments synthesized at the same time; 0: one less than there are cores, at most 4"
    )
    engine_timeout_s: float = _setting(
        30.0,
        _seconds(0.1, 3600),
        "an engine process that makes no progress for so long is replaced",
    )
    encoder_threads: int = _setting(1, _whole(1, 64), "threads that encode sound")
    opus_bitrate: int = _setting(
        64_000, _whole(6_000, 256_000), "bit/s of Opus, if a session asks for no other"
    )
    buffer_ms: int = _setting(5_000, _whole(100, 60_000), "sound of a context that may wait unsent, in ms")
    max_sessions: int = _setting(256, _whole(1, 100_000), "sessions at the same time")
    max_utterances: int = _setting(
        512, _whole(1, 100_000), "contexts spoken at the same time, over all sessions"
    )
    max_contexts: int = _setting(16, _whole(1, 1024), "contexts open at the same time, per session")
    max_text_per_message: int = _setting(16 * 1024, _whole(1, 1024 * 1024), "bytes of text in one message")
    max_text_per_context: int = _setting(
        64 * 1024, _whole(1, 16 * 1024 * 1024), "bytes of text in one context"
    )
    text_wait_ms: int = _setting(
        1_000,
        _whole(0, 60_000),
        "text that stops arriving is spoken after so long, when the listener has nothing else; 0: never",
    )
    code_blocks: str = _setting(
        "skip",
        _one_of("skip", "say", "announce"),
        "blocks of code in a text: `skip`, `say` or `announce` them",
    )
    tables: str = _setting("say", _one_of("skip", "say", "announce"), "the same for tables")
    lexicon: str = _setting("none", _text, "file of words and what is said for them")
    idle_timeout_s: float = _setting(
        300.0, _seconds(1, 86_400), "a session in which nothing is sent is closed"
    )
    log_level: str = _setting(
        "info", _one_of("debug", "info", "warning", "error"), "least level that is logged"
    )
    log_format: str = _setting(
        "console", _one_of("console", "json"), "`console` for people, `json` for machines"
    )
    log_text: bool = _setting(False, _switch, "log the text that is spoken")


def from_environment(environment: Mapping[str, str]) -> Config:
    """The settings that an environment gives; raises `ConfigError` with one line that names the variable."""
    values: dict[str, Any] = {}
    for setting in fields(Config):
        name = setting.name.upper()
        if name not in environment:
            continue
        try:
            values[setting.name] = setting.metadata["parse"](environment[name])
        except ConfigError as error:
            raise ConfigError(f"{name} must be {error.message}, not {environment[name]!r}") from None
    return Config(**values)


def table() -> list[tuple[str, str, str]]:
    """(environment variable, default, meaning) of every setting, for the README."""
    rows: list[tuple[str, str, str]] = []
    for setting in fields(Config):
        default = setting.default
        shown = f"{default:g}" if isinstance(default, int | float) else str(default)
        rows.append((setting.name.upper(), shown, setting.metadata["help"]))
    return rows
