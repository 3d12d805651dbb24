"""Speaks once what will be spoken, so that whatever is slow the first time is over before anybody waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import structlog

from realtime.engines.qwen3.slots import Slots
from realtime.engines.qwen3.speech import Speech
from realtime.types import TextPiece

_SHORT_EN = "Hello there."
_MEDIUM_EN = "The train to the coast leaves at half past nine, and it takes about two hours."
_LONG_EN = (
    "Long before the first ships came into the harbour, people had lived on this shore. They fished in the"
    " morning, mended their nets in the afternoon, and in the evening they told each other stories of the sea"
    " and of the islands beyond it, where nobody had ever been."
)
_SHORT_ZH = "你好。"
_MEDIUM_ZH = "去海边的火车九点半出发，大约需要两个小时。"
_LONG_ZH = (
    "在第一批船只驶入港口之前，人们早已在这片海岸上生活。他们早晨捕鱼，下午修补渔网，"
    "晚上则互相讲述大海和远方岛屿的故事，那些岛屿从来没有人去过。"
)


@dataclass(frozen=True, slots=True)
class WarmUpText:
    """What is spoken; `most_frames`: one that does not end by itself warms the way as well, not the voice."""

    name: str
    text: str
    language: str
    most_frames: int


TEXTS = (
    WarmUpText("short English", _SHORT_EN, "en", 25),
    WarmUpText("short Chinese", _SHORT_ZH, "zh", 25),
    WarmUpText("medium English", _MEDIUM_EN, "en", 80),
    WarmUpText("medium Chinese", _MEDIUM_ZH, "zh", 80),
    WarmUpText("long English", _LONG_EN, "en", 250),
    WarmUpText("long Chinese", _LONG_ZH, "zh", 250),
)
#: Without a GPU nothing is slow the first time but all the time.
TEXTS_ON_CPU = tuple(replace(text, most_frames=8) for text in TEXTS[:2])
_log = structlog.get_logger(__name__)


def warm_up(
    slots: Slots,
    texts: Sequence[WarmUpText],
    speech: Callable[[int], Speech],
    on_progress: Callable[[str, float], None],
) -> None:
    """Speak each of `texts` with `speech(frames)` that makes so many at most; its time is logged."""
    for number, text in enumerate(texts):
        on_progress("warm-up", number / len(texts))
        begun = time.monotonic()
        speaking = speech(text.most_frames)
        first_s, sound_ms = _spoken(slots, speaking, text, begun)
        _log.info(
            "engine_warmed_up",
            text=text.name,
            seconds=round(time.monotonic() - begun, 3),
            first_sound_s=round(first_s, 3),
            sound_s=round(sound_ms / 1000, 2),
        )
    on_progress("warm-up", 1.0)


def _spoken(slots: Slots, speech: Speech, text: WarmUpText, begun: float) -> tuple[float, float]:
    """Speak one text to its end; when its first sound was there, and how many milliseconds there were."""
    piece = TextPiece(0, text.text, (0, len(text.text)), (), text.language)
    first_s = sound_ms = 0.0
    try:
        speech.feed([piece])
        speech.finish()
        over = False
        while not over:
            # As if its listener had two seconds in hand: so all lengths of chunks are used.
            deadline = time.monotonic() + 2.0
            ready = [speech] if speech.next_step_at(deadline) <= time.monotonic() else []
            for made in slots.step(ready, [deadline] * len(ready)):
                if made.error is not None:
                    raise made.error
                sound_ms += sum(chunk.audio_ms for chunk in made.sound.chunks()) if made.sound else 0.0
                first_s = first_s or time.monotonic() - begun
                over = over or made.over
    finally:
        speech.close()
    return first_s, sound_ms
