"""What a server's refusal over HTTP says."""

from __future__ import annotations

from typing import Literal

import msgspec

from realtime.errors import ErrorCode

_LONGEST_REASON = 200


class _Refusal(msgspec.Struct):
    """What an error of the server's looks like over HTTP."""

    message: str
    code: ErrorCode


def refusal_of(body: bytes) -> tuple[ErrorCode | None, str]:
    """Code and message of a server like ours; of another one the text that it sent."""
    try:
        refusal = msgspec.json.decode(body, type=dict[Literal["error"], _Refusal])["error"]
    except (msgspec.DecodeError, KeyError):
        return None, body.decode(errors="replace").strip()[:_LONGEST_REASON]
    return refusal.code, refusal.message[:_LONGEST_REASON]
