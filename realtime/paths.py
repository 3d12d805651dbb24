"""Paths as they stand in settings, and where the page is."""

from __future__ import annotations

from pathlib import Path

from realtime.errors import ConfigError


def expanded(path: str, setting: str) -> Path:
    """The path with a home folder for its `~`; raises `ConfigError` when there is no such home folder."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ConfigError(f"{setting} {path}: there is no such home folder") from None


def page_folder() -> Path:
    """The folder of the page: beside the package in a checkout, inside of it where it was installed."""
    package = Path(__file__).parent
    installed = package / "web"
    return installed if installed.is_dir() else package.parent / "web"
