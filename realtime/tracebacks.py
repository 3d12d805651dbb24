"""Tracebacks for logs: where a failure came from, without what was being worked on.

The message of an exception often quotes what it was raised for: `KeyError` a word, `ValueError` a piece of
text, and that of a library whatever it likes. What is spoken is not for logs. So a message is written out
only where it speaks of the code or of the system, and local variables never are.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator

from realtime.errors import RealtimeError

#: Their messages are our own, the interpreter's on code, or the system's.
_TOLD = (
    RealtimeError,
    AssertionError,
    AttributeError,
    ImportError,
    IndexError,
    MemoryError,
    NameError,
    OSError,
    RuntimeError,
    TypeError,
)
#: These are of the kinds above, and quote all the same: text that cannot be encoded, what is no number.
_QUOTING = (KeyError, ValueError)
_LEFT_OUT = "(left out: it may quote what was spoken)"
_CAUSE = "The above exception was the direct cause of the following exception:"
_CONTEXT = "During handling of the above exception, another exception occurred:"
#: Of a group, and of a chain: enough for any failure, and no log without end.
_MOST = 8


def told_traceback(error: BaseException, with_messages: bool = False) -> str:
    """As Python writes it, but for messages that may quote a text, unless `with_messages`."""
    return "\n".join(_lines(error, with_messages, _MOST))


def _lines(error: BaseException, with_messages: bool, most: int) -> Iterator[str]:
    if most == 0:
        yield "..."
        return
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None:
        yield from _lines(before, with_messages, most - 1)
        yield f"\n{_CONTEXT if error.__cause__ is None else _CAUSE}\n"
    yield "Traceback (most recent call last):"
    yield "".join(traceback.format_tb(error.__traceback__)).rstrip("\n")
    is_told = with_messages or (isinstance(error, _TOLD) and not isinstance(error, _QUOTING))
    is_group = isinstance(error, BaseExceptionGroup)
    message = str(error) if is_told or is_group else _LEFT_OUT
    yield f"{type(error).__qualname__}: {message}" if message else type(error).__qualname__
    if isinstance(error, BaseExceptionGroup):
        for number, each in enumerate(error.exceptions[:_MOST], 1):
            yield f"  of the group, {number}:"
            yield from (
                f"  {line}" for part in _lines(each, with_messages, most - 1) for line in part.split("\n")
            )
