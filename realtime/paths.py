"""Paths as they stand in settings."""

from __future__ import annotations

from pathlib import Path

from realtime.errors import ConfigError


def expanded(path: str, setting: str) -> Path:
    """The path with a home folder for its `~`; raises `ConfigError` when there is no such home folder."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ConfigError(f"{setting} {path}: there is no such home folder") from None
