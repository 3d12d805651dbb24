"""Log lines for people are of characters that can be seen: no client can write lines, or colours, of its own.

What a client chooses (the id of a context, a path) stands in the log as it is. Line ends would let it forge
lines, and escape sequences would have a terminal do what they say. JSON escapes all of that by itself.
"""

from __future__ import annotations

from structlog.typing import EventDict, WrappedLogger

#: What the house or Python has put into lines.
_LINES = frozenset({"exception", "stack"})


def printable(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A processor: characters that cannot be seen are written as escapes."""
    for name, value in event.items():
        if isinstance(value, str) and not value.isprintable():
            kept = "\n\t" if name in _LINES else ""
            event[name] = "".join(
                each if each.isprintable() or each in kept else each.encode("unicode_escape").decode()
                for each in value
            )
    return event
