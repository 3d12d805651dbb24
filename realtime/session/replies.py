"""The messages that a session answers with, made from its values."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, UnsetType

from realtime.errors import ErrorCode, RealtimeError, TryLaterError
from realtime.session import messages as wire
from realtime.session.actions import Send
from realtime.session.contexts import Context, Cut, State
from realtime.session.offer import Offer, SessionSettings
from realtime.types import TIMELINE_PER_MS, Failed, Loading, SegmentStarted, Timing, WordsTimed

_STATES: dict[State, Literal["open", "ending", "done", "failed", "cancelled"]] = {
    State.OPEN: "open",
    State.ENDING: "ending",
    State.DONE: "done",
    State.FAILED: "failed",
    State.CANCELLED: "cancelled",
}


def ready(
    session_id: str,
    resume_token: str,
    offer: Offer,
    settings: SessionSettings,
    resumed: list[Context] | None = None,
    rtc_token: str = "",
) -> Send:
    """The settings in force; `resumed`: all contexts of a session that was taken up again.

    `rtc_token` is told where the sound goes over a track.
    """
    speaks = offer.default is not None or not offer.names_nobody(settings.voice)
    voice = offer.speaker(settings.voice, settings.language).voice.id if speaks else ""
    audio = offer.audio(settings)
    return Send(
        wire.SessionReady(
            session_id=session_id,
            resume_token=resume_token,
            protocol=wire.PROTOCOL,
            engine=offer.engine,
            features=list(offer.features),
            format=audio.format,
            sample_rate=audio.sample_rate,
            frame_ms=audio.frame_ms,
            pre_skip=offer.formats[audio.format].pre_skip,
            voice=voice,
            language=settings.language,
            limits=offer.limits.report(),
            max_lead_ms=settings.max_lead_ms,
            audio=settings.audio,
            rtc_token=rtc_token or UNSET,
            ice_servers=offer.ice_servers() if settings.audio == "rtc" else UNSET,
            resumed=UNSET if resumed is None else True,
            contexts=UNSET if resumed is None else [_report(context) for context in resumed],
        )
    )


def _report(context: Context) -> wire.ContextReport:
    # What has failed is told at once, and ends when its turn comes: it takes no text from then on.
    state = "failed" if context.failure_told and context.live else _STATES[context.state]
    return wire.ContextReport(
        context.context_id, context.handle, state, context.ledger.characters, context.last_seq
    )


def refusal(error: RealtimeError, context_id: str | UnsetType = UNSET) -> Send:
    """A message was refused; nothing has changed."""
    retry = error.retry_after_ms if isinstance(error, TryLaterError) else UNSET
    return Send(wire.Error(error.code, error.message, context_id=context_id, retry_after_ms=retry))


def too_fast(per_s: int, retry_after_ms: int) -> Send:
    """Messages come faster than they are read."""
    text = f"more than {per_s} messages a second: they are read at that pace, and wait"
    return Send(wire.Error(ErrorCode.RATE_LIMITED, text, retry_after_ms=retry_after_ms))


def flow(context: Context, state: Literal["paused", "resumed"]) -> Send:
    """Synthesis waits for the listener, or goes on."""
    return Send(wire.Flow(context.context_id, context.handle, state))


def playback(context: Context, state: wire.PlaybackState, played_ms: float) -> Send:
    """So much of a context has left over the track."""
    return Send(wire.TrackPlayback(context.context_id, context.handle, round(played_ms, 3), state))


def failure(context: Context, failed: Failed) -> Send:
    """Something about a context went wrong."""
    retry = failed.retry_after_ms
    return Send(
        wire.Error(
            failed.code,
            failed.message,
            context_id=context.context_id,
            handle=context.handle,
            retry_after_ms=UNSET if retry is None else retry,
        )
    )


def loading(context: Context, event: Loading) -> Send:
    """A context waits until the voice is loaded."""
    return Send(wire.Loading(context.context_id, context.handle, event.what, round(event.fraction, 3)))


def segment(context: Context, event: SegmentStarted) -> Send:
    """A segment is about to sound."""
    return Send(
        wire.Segment(
            context.context_id,
            context.handle,
            event.index,
            event.text,
            event.source,
            _ms(event.start),
            event.language,
            event.final,
        )
    )


def words(context: Context, event: WordsTimed) -> Send:
    """When words sound, each as the client wrote it."""
    text = context.ledger.text()
    return Send(
        wire.Words(
            context.context_id,
            context.handle,
            event.segment,
            event.estimated,
            [
                wire.Word(
                    text[word.source_start : word.source_end],
                    (word.source_start, word.source_end),
                    _ms(word.start),
                    _ms(word.end),
                )
                for word in event.words
            ],
        )
    )


def cancelled(context: Context, cut: Cut) -> Send:
    """A context was cancelled at `cut`."""
    text = context.ledger.text()
    return Send(
        wire.ContextCancelled(
            context_id=context.context_id,
            handle=context.handle,
            reason=context.cancel_reason,
            played_ms=round(cut.played_ms, 3),
            text_spoken=text[: cut.offset],
            text_remaining=text[cut.offset :],
            source_offset=cut.offset,
            last_seq=context.last_seq,
        )
    )


def nothing_cancelled(context_id: str) -> Send:
    """The answer about a context that never was, and the one that follows those of all contexts."""
    return Send(wire.ContextCancelled(context_id, wire.NO_HANDLE, "cancelled", 0, "", "", 0, None))


def done(context: Context, reason: Literal["completed", "failed"], timing: Timing, now: float) -> Send:
    """A context ended by itself."""
    since = context.first_text_at
    return Send(
        wire.ContextDone(
            context_id=context.context_id,
            handle=context.handle,
            reason=reason,
            audio_ms=_ms(context.sent),
            last_seq=context.last_seq,
            timing=wire.ContextTiming(
                first_audio_ms=timing.between_ms(since, context.first_frame_at),
                load_ms=round(timing.load_s * 1000),
                queue_ms=round(timing.queue_s * 1000),
                infer_ms=round(timing.infer_s * 1000),
                encode_ms=round(timing.encode_s * 1000),
                total_ms=timing.between_ms(since, now),
            ),
            cache=timing.cache_use,
        )
    )


def _ms(position: int) -> float:
    """Milliseconds of a position in timeline samples."""
    return round(position / TIMELINE_PER_MS, 3)
