"""Barge-in: which contexts a cancel means, and where each is cut.

The position is what the client says it has played, else where the clock puts the listener (`playout`); never
more than was sent. The cut falls after the last word that had ended by then.
"""

from __future__ import annotations

from realtime.session.contexts import Context, Cut, State
from realtime.session.playout import Playout
from realtime.types import TIMELINE_PER_MS


def unheard(contexts: list[Context], playout: Playout, played_ms: float | None, now: float) -> list[Context]:
    """Those of `contexts` that are still to be spoken, or by the clock still to be heard."""
    waiting = [
        context
        for context in contexts
        if context.live or (context.cut is None and playout.ends_at(context.handle, now) > now)
    ]
    last = next((context for context in reversed(contexts) if context.sent), None)
    if played_ms is not None and last is not None and last.cut is None and last not in waiting:
        # By the clock all is over; but a listener, who is never early, says that it is still in the last one.
        if played_ms < last.sent / TIMELINE_PER_MS:
            waiting.insert(0, last)
    return waiting


def cut(context: Context, playout: Playout, played_ms: float | None, now: float) -> Cut:
    """Where `context` is cut at `played_ms`, or where the clock puts the listener."""
    if played_ms is None:
        played_ms = playout.position_ms(context.handle, now)
    sent_ms = context.sent / TIMELINE_PER_MS
    played_ms = min(max(0.0, played_ms), sent_ms)
    if context.state is State.DONE and context.sent and played_ms == sent_ms:
        return Cut(played_ms, len(context.ledger.text()))  # all was heard, also words that make no sound
    # A millisecond is 48 samples: round up, so that a word's own end_ms counts as heard.
    spoken, _ = context.ledger.cut(-int(-played_ms * TIMELINE_PER_MS // 1))
    return Cut(played_ms, len(spoken))


def cut_all(
    contexts: list[Context], playout: Playout, played_ms: float | None, now: float
) -> list[tuple[Context, Cut]]:
    """Cuts of several contexts, made before any is stopped; `played_ms` is of the one that is sounding."""
    sent = [context for context in contexts if context.sent]
    playing = (context for context in sent if playout.ends_at(context.handle, now) > now)
    sounding = next(playing, sent[-1] if sent else None)
    return [
        (context, cut(context, playout, played_ms if context is sounding else None, now))
        for context in contexts
    ]
