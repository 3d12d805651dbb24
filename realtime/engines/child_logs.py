"""What an engine's process logs is sent to the server, which writes it in its form, from its level on.

By itself such a process would write on the server's output in a form of its own: with the local variables of
every exception where a library for pretty tracebacks is installed, and so with what was to be spoken.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

from realtime.engines.wire import Logged
from realtime.tracebacks import told_traceback

#: What goes as a number.
_MOST = 2**63
_log = structlog.get_logger(__name__)


def log_to_parent(send: Callable[[Logged], None]) -> None:
    """In the child: have all that structlog is given sent by `send`, which may be called in any thread."""

    def forward(_: WrappedLogger, method: str, event: EventDict) -> EventDict:
        fields = {name: _plain(value) for name, value in event.items()}
        send(Logged(method, str(fields.pop("event", "")), fields))
        raise structlog.DropEvent

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.ExceptionRenderer(_traceback),
            forward,
        ],
        cache_logger_on_first_use=False,
    )


def write_log(logged: Logged) -> None:
    """In the server: write it."""
    level = logging.getLevelNamesMapping().get(logged.level.upper(), logging.ERROR)
    _log.log(level, logged.event, **logged.fields)


def _traceback(exc_info: structlog.typing.ExcInfo) -> str:
    return told_traceback(exc_info[1])


def _plain(value: Any) -> str | int | float | bool | None:
    if value is None or isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < _MOST):
        return value
    return str(value).encode("utf-8", "backslashreplace").decode()
