"""Greedy codes are those of qwen-tts, frame for frame: of every kind of voice, in both layouts.

Eight texts are decoded in one batch on our side, with eight that are nearly the same, and in one by qwen-tts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from realtime.engines.qwen3.configuration import ModelKind
from realtime.engines.qwen3.prompt import Opening, Start
from tests.engines.qwen3.conftest import Checkpoints, References
from tests.engines.qwen3.decoding import GREEDY
from tests.engines.qwen3.reference import FRAMES, clone_prompt, greedy_codes_of, recording
from tests.engines.qwen3.speaking import Model
from tests.engines.qwen3.test_slots import TEXTS

REFERENCE_TEXT = "This is what I said when they recorded me."
#: What the kinds of voices are called here, the model they need, and what qwen-tts is asked.
VOICES: dict[str, tuple[ModelKind, dict[str, Any]]] = {
    "custom": ("custom_voice", {"speaker": "vivian", "language": "english"}),
    "dialect": ("custom_voice", {"speaker": "eric", "language": "auto", "instruct": "softly, please"}),
    "x-vector": ("base", {"language": "german"}),
    "in context": ("base", {"language": "auto"}),
    "design": ("voice_design", {"language": "chinese", "instruct": "An old man with a deep voice."}),
}
#: All that is different has been told by then, and some frames more.
HEARD = 40
#: A late word of each text, and what is said instead of it, which must make a difference.
WORDS = (
    ("nice", "cold"),
    ("sun", "rain"),
    ("Straße", "Brücke"),
    ("散步", "跑步"),
    ("Short", "Shout"),
    ("written", "spoken"),
    ("favor", "Dios"),
    ("行きましょう", "行きました"),
)


class Spoken:
    """Eight texts with one voice by both."""

    def __init__(self, voice: str, checkpoints: Checkpoints, references: References) -> None:
        kind, asked = VOICES[voice]
        self.model = Model(checkpoints(kind, "1b7"), rows=2 * len(TEXTS), positions=320)
        self._reference = references(kind, "1b7")
        self._asked = dict(asked)
        builder = self.model.builder
        if kind == "custom_voice":
            instruct = asked.get("instruct", "")
            self.opening: Opening = builder.custom(asked["speaker"], asked["language"], instruct)
        elif kind == "voice_design":
            self.opening = builder.design(asked["instruct"], asked["language"])
        else:
            said = REFERENCE_TEXT if voice == "in context" else None
            self._asked["clone"] = clone_prompt(self._reference, recording(3.0), said)
            item = self._asked["clone"][0]
            embedding = item.ref_spk_embedding.numpy()
            if said is None:
                self.opening = builder.x_vector(embedding, asked["language"])
            else:
                codes = item.ref_code.numpy().astype(np.int64)
                self.opening = builder.in_context(embedding, codes, said, asked["language"])

    def by_reference(self, streaming: bool) -> list[NDArray[np.int64]]:
        return greedy_codes_of(self._reference, list(TEXTS), streaming=streaming, **self._asked)

    def starts(self, texts: Sequence[str], streaming: bool) -> list[Start]:
        """In the layout asked for. Streaming, first with one token alone, unless the voice is in context."""
        builder, opening = self.model.builder, self.opening

        def start(ids: list[int]) -> Start:
            if not streaming:
                return builder.whole(opening, ids)
            if opening.reference is not None:
                return builder.streaming(opening, ids, complete=True)
            begun = builder.streaming(opening, ids[:1])
            return Start(begun.prompt, (*begun.trailing, *ids[1:]), begun.ends)

        return [start(list(self.model.tokenizer.ids(text))) for text in texts]

    def by_us(self, starts: Sequence[Start], frames: int = FRAMES) -> list[NDArray[np.int64]]:
        config, decoder = self.model.config, self.model.decoder
        tracks: list[list[int]] = []
        for row, begun in enumerate(starts):
            decoder.join(row, begun.prompt, GREEDY, 0)
            ends = [config.tts_eos] if begun.ends else []
            track = [int(begun.prompt.text_ids[-1]), *begun.trailing, *ends]
            tracks.append(track + [config.tts_pad] * frames)
        codes, ended = zip(
            *(
                decoder.step(range(len(starts)), [track[frame] for track in tracks]).read()
                for frame in range(frames)
            ),
            strict=True,
        )
        over = np.array(ended)
        return [
            np.array(codes)[: int(over[:, row].argmax()) if over[:, row].any() else frames, row]
            for row in range(len(starts))
        ]


@pytest.fixture(scope="module")
def spoken_by(checkpoints: Checkpoints, references: References) -> Callable[[str], Spoken]:
    """`Spoken` of a voice, made once."""
    return cache(lambda voice: Spoken(voice, checkpoints, references))


def told_apart(one: Start, other: Start) -> int:
    """The first frame for which they are given different tokens; 0 if the prompts differ."""
    if not np.array_equal(one.prompt.text_ids, other.prompt.text_ids):
        return 0
    pairs = zip(one.trailing, other.trailing, strict=False)
    return 1 + next(at for at, (left, right) in enumerate(pairs) if left != right)


@pytest.mark.parametrize("streaming", [True, False], ids=["streaming", "whole"])
@pytest.mark.parametrize("voice", VOICES)
def test_codes_are_those_of_qwen_tts(voice: str, streaming: bool, spoken_by: Callable[[str], Spoken]) -> None:
    spoken = spoken_by(voice)
    starts = spoken.starts(TEXTS, streaming)
    changed = [text.replace(*words) for text, words in zip(TEXTS, WORDS, strict=True)]
    others = spoken.starts(changed, streaming)
    expected, ours = spoken.by_reference(streaming), spoken.by_us([*starts, *others])
    codes = ours[: len(TEXTS)]
    assert [len(each) for each in expected] == [FRAMES] * 8
    assert np.array_equal(codes, expected)
    # That could not be so by chance, nor if the model were deaf: a late word makes another sound, and not
    # before it is said.
    told = [told_apart(one, other) for one, other in zip(starts, others, strict=True)]
    assert sum(frame > 2 for frame in told) == (7 if streaming else 0), "all but one come late"
    for frame, one, other in zip(told, codes, ours[len(TEXTS) :], strict=True):
        differs = (one[:HEARD] != other[:HEARD]).any(axis=1)
        assert differs[frame:].any() and not differs[:frame].any()
    assert len({each.tobytes() for each in codes}) == len(TEXTS)
