"""What is logged and counted of everything that was spoken and asked for.

One line for every text, with the time spent in each stage, and one for every request. The text itself is in
it only when the settings say so.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from realtime.engines.engine import Steps
from realtime.errors import ErrorCode
from realtime.live.reading import ReadingSummary
from realtime.live.summaries import ContextSummary, ErrorTold, LateCancel, Silenced, Told
from realtime.observe.metrics import CLONED, Metrics
from realtime.server.access import RequestSummary
from realtime.types import Caller, Timing, Trace, VoiceSettings


class Observers:
    """Makes the observers of the rooms, which know neither of logs nor of metrics."""

    def __init__(self, metrics: Metrics, log_text: bool, log_access: bool) -> None:
        """`log_access`: every request is logged, and not only those that were refused."""
        self._metrics = metrics
        self._log_text = log_text
        self._log_access = log_access
        #: Seconds of sound that were synthesized and not heard, in all.
        self.thrown_away_s = 0.0

    def of_session(self, caller: Caller) -> Callable[[Told], None]:
        """For a session that was begun by `caller`."""
        log = structlog.get_logger("realtime")

        def observe(told: Told) -> None:
            if isinstance(told, Silenced):
                self._metrics.silent(told.seconds)
                log.debug("silenced", session=told.session_id, silence_ms=round(told.seconds * 1000, 1))
            elif isinstance(told, ErrorTold):
                self._metrics.error(told.code)
            elif isinstance(told, LateCancel):
                wasted_ms = self._throw_away(told.wasted_ms)
                log.info("context_cut", session=told.session_id, handle=told.handle, wasted_ms=wasted_ms)
            else:
                self._count(caller, told.audio.format, told.reason, told.settings, told.text, told.timing)
                log.info(
                    "context_over",
                    session=told.session_id,
                    context=told.context_id,
                    handle=told.handle,
                    **self._ended(caller, told),
                )

        return observe

    def reading(self, told: ReadingSummary) -> None:
        """For texts that are read out over HTTP."""
        self._count(told.caller, told.audio.format, told.reason, told.settings, told.text, told.timing)
        if told.code is not None:
            self._metrics.error(told.code)
        structlog.get_logger("realtime").info("request_over", **self._ended(told.caller, told))

    def request(self, told: RequestSummary) -> None:
        """For all requests, when they are over."""
        self._metrics.request(told.caller.endpoint, told.status)
        if told.code is not None and not told.has_observer:
            self._metrics.error(told.code)
        log = structlog.get_logger("realtime")
        # What went wrong inside has been logged, and of what has an observer that tells.
        is_refused = told.code not in (None, ErrorCode.INTERNAL) and not told.has_observer
        if not is_refused and not self._log_access:
            return
        values: dict[str, object] = {
            "request": told.caller.request_id,
            **_trace(told.caller.trace),
            "method": told.method,
            "route": told.caller.endpoint,
            "status": told.status,
            "duration_ms": round(told.seconds * 1000, 1),
            "sent_bytes": told.sent_bytes,
            "address": told.address,
            "agent": told.agent,
        }
        values |= {"code": told.code} if told.code is not None else {}
        values |= {"key": told.key} if told.key is not None else {}
        values |= {"cut_off": True} if told.is_cut_off else {}
        if is_refused:
            log.info("request_refused", **values)
        else:
            (log.debug if told.is_quiet else log.info)("request_answered", **values)

    def session_refused(self, caller: Caller, code: ErrorCode) -> None:
        """For peer connections: a data channel got no session, long after its request was answered."""
        self._metrics.error(code)
        values = {"request": caller.request_id, **_trace(caller.trace), "endpoint": caller.endpoint}
        structlog.get_logger("realtime").info("session_refused", **values, code=code)

    def steps(self, told: Steps) -> None:
        """For an engine that works in steps."""
        for step in told.steps:
            self._metrics.step(step.utterances, step.seconds)

    def engine_freed(self, utterance: int, seconds: float) -> None:
        """For the scheduler: so long after a cancel the engine had let go."""
        self._metrics.engine_freed(seconds)
        structlog.get_logger("realtime").debug(
            "engine_freed", utterance=utterance, engine_freed_ms=round(seconds * 1000, 1)
        )

    def _throw_away(self, wasted_ms: float) -> float:
        self.thrown_away_s += wasted_ms / 1000
        self._metrics.wasted(wasted_ms / 1000)
        return round(wasted_ms, 1)

    def _count(
        self,
        caller: Caller,
        audio_format: str,
        outcome: str,
        settings: VoiceSettings,
        text: str,
        timing: Timing,
    ) -> None:
        voice = settings.voice if settings.reference is None else CLONED
        trace_id = None if caller.trace is None else caller.trace.trace_id
        self._metrics.utterance(
            caller.endpoint, audio_format, voice, settings.language, outcome, len(text), timing, trace_id
        )

    def _ended(self, caller: Caller, told: ContextSummary | ReadingSummary) -> dict[str, object]:
        settings, timing = told.settings, told.timing
        values: dict[str, object] = {
            "request": caller.request_id,
            **_trace(caller.trace),
            "endpoint": caller.endpoint,
            "reason": told.reason,
            "code": told.code,
            "wasted_ms": self._throw_away(told.wasted_ms),
            "format": told.audio.format,
            "voice": settings.voice,
            "language": settings.language,
            "characters": len(told.text),
            "audio_s": round(timing.audio_s, 3),
            "cache": timing.cache_use,
            "load_ms": round(timing.load_s * 1000, 1),
            "queue_ms": round(timing.queue_s * 1000, 1),
            "infer_ms": round(timing.infer_s * 1000, 1),
            "idle_ms": round(timing.idle_s * 1000, 1),
            "encode_ms": round(timing.encode_s * 1000, 1),
            "turn_ms": timing.between_ms(timing.accepted, timing.turn),
            "first_text_ms": timing.between_ms(timing.accepted, timing.first_text),
            "first_audio_ms": timing.between_ms(timing.accepted, timing.first_packet),
            "total_ms": timing.between_ms(timing.accepted, timing.done),
            "underruns": timing.underruns,
            "underrun_ms": round(timing.underrun_s * 1000, 1),
        }
        if self._log_text:
            values["text"] = told.text
        return values


def _trace(trace: Trace | None) -> dict[str, object]:
    if trace is None:
        return {}
    return {"trace_id": trace.trace_id, "span_id": trace.span_id, "parent_span_id": trace.parent_id}
