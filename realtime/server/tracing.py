"""The header `traceparent` of W3C Trace Context (level 1): which trace a request belongs to.

What a caller sends is taken over and passed on: the answer bears the same trace, with the span of this
server, under which its logs are found. Who sends none, or something else, is in no trace.
"""

from __future__ import annotations

import re
import secrets

from aiohttp import web

from realtime.types import Trace

TRACEPARENT = "traceparent"
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SPAN_BYTES = 8
#: What may not stand there (sections 3.2.2.3 and 3.2.2.4).
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16
#: A later version may have more behind it; this one is no version (3.2.2.1).
_VERSION, _NO_VERSION = "00", "ff"


def trace_of(request: web.BaseRequest) -> Trace | None:
    """The trace of a request, with a new span; None when it bears none, or several."""
    # What is no HTTP becomes a request as well, and its headers are a plain dict.
    given = [value for name, value in request.headers.items() if name.lower() == TRACEPARENT]
    match = _TRACEPARENT.fullmatch(given[0].strip()) if len(given) == 1 else None
    if match is None:
        return None
    version, trace_id, parent_id, flags, more = match.groups()
    if version == _NO_VERSION or (version == _VERSION and more):
        return None
    if trace_id == _NO_TRACE or parent_id == _NO_SPAN:
        return None
    return Trace(trace_id, parent_id, secrets.token_hex(_SPAN_BYTES), flags)


def traceparent(trace: Trace) -> str:
    """The header that passes a trace on: the span is that of this server."""
    return f"{_VERSION}-{trace.trace_id}-{trace.span_id}-{trace.flags}"
