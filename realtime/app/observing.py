"""What is logged of everything that was spoken: one line, with the time spent in each stage."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from realtime.live.contexts import ContextSummary, LateCancel
from realtime.live.reading import ReadingSummary
from realtime.types import Timing, VoiceSettings


class ThrownAway:
    """How much sound was synthesized and not heard, in all."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def add(self, wasted_ms: float) -> None:
        """So much more."""
        self.seconds += wasted_ms / 1000


def context_observer(
    log_text: bool, request_id: str | None, thrown_away: ThrownAway
) -> Callable[[ContextSummary | LateCancel], None]:
    """Logs the contexts of a session; the text that was spoken only with `log_text`."""
    log = structlog.get_logger("realtime")

    def observe(summary: ContextSummary | LateCancel) -> None:
        thrown_away.add(summary.wasted_ms)
        wasted_ms = round(summary.wasted_ms, 1)
        if isinstance(summary, LateCancel):
            log.info("context_cut", session=summary.session_id, handle=summary.handle, wasted_ms=wasted_ms)
            return
        log.info(
            "context_over",
            session=summary.session_id,
            context=summary.context_id,
            handle=summary.handle,
            request=request_id or summary.session_id,
            reason=summary.reason,
            code=summary.code,
            wasted_ms=wasted_ms,
            **_spoken(summary.settings, summary.text, summary.timing, log_text),
        )

    return observe


def reading_observer(log_text: bool, thrown_away: ThrownAway) -> Callable[[ReadingSummary], None]:
    """Logs the requests over HTTP."""
    log = structlog.get_logger("realtime")

    def observe(summary: ReadingSummary) -> None:
        thrown_away.add(summary.wasted_ms)
        log.info(
            "request_over",
            request=summary.request_id,
            reason=summary.reason,
            code=summary.code,
            wasted_ms=round(summary.wasted_ms, 1),
            format=summary.audio.format,
            **_spoken(summary.settings, summary.text, summary.timing, log_text),
        )

    return observe


def _spoken(settings: VoiceSettings, text: str, timing: Timing, log_text: bool) -> dict[str, object]:
    values: dict[str, object] = {
        "voice": settings.voice,
        "language": settings.language,
        "characters": len(text),
        "audio_s": round(timing.audio_s, 3),
        "cache": timing.cache_use,
        "load_ms": round(timing.load_s * 1000, 1),
        "queue_ms": round(timing.queue_s * 1000, 1),
        "infer_ms": round(timing.infer_s * 1000, 1),
        "idle_ms": round(timing.idle_s * 1000, 1),
        "encode_ms": round(timing.encode_s * 1000, 1),
        "first_text_ms": timing.between_ms(timing.accepted, timing.first_text),
        "first_audio_ms": timing.between_ms(timing.accepted, timing.first_packet),
        "total_ms": timing.between_ms(timing.accepted, timing.done),
    }
    if log_text:
        values["text"] = text
    return values
