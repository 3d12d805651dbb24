"""Structured logs: JSON for machines, a console form for people; never the text that is spoken."""

from __future__ import annotations

import logging
import sys
from typing import Literal

import structlog

from realtime.observe.printable import printable
from realtime.tracebacks import told_traceback


def _without_bad_requests(record: logging.LogRecord) -> bool:
    """A request that is no HTTP is not worth a traceback, and what it held (a key, say) is not for a log."""
    error = record.exc_info[1] if record.exc_info else None
    if error is not None and type(error).__module__ == "aiohttp.http_exceptions":
        record.msg, record.args, record.exc_info = f"bad request: {type(error).__name__}", (), None
        record.exc_text = None
    return True


def configure(level: str, form: Literal["json", "console"], log_text: bool = False) -> None:
    """Set up structlog, and the standard library's loggers of our dependencies, to write to stderr.

    Messages of exceptions that may quote what was spoken are written only with `log_text`.
    """

    def traceback(exc_info: structlog.typing.ExcInfo) -> str:
        return told_traceback(exc_info[1], log_text)

    renderers: list[structlog.typing.Processor]
    if form == "json":
        renderers = [structlog.processors.JSONRenderer()]
    else:
        renderers = [printable, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.ExceptionRenderer(traceback),
    ]
    numeric = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, *renderers],
        wrapper_class=structlog.make_filtering_bound_logger(numeric),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    handler.addFilter(_without_bad_requests)
    logging.basicConfig(level=max(numeric, logging.WARNING), handlers=[handler], force=True)
