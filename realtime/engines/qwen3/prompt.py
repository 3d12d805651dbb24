"""What a generation begins with, and how its codes are drawn: plain values, without torch.

Prompts are those of qwen-tts 0.1.1 (`generate` and `generate_icl_prompt` of its model, the templates of
`Qwen3TTSModel`), written in one form: a token of the text track and codes at each position.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from realtime.engines.qwen3.configuration import GenerationConfig, ModelConfig, ModelKind
from realtime.engines.qwen3.description import LANGUAGE_NAMES
from realtime.engines.qwen3.tokenizer import Tokenizer
from realtime.errors import EngineError

Codes = NDArray[np.int64]

#: The model finds out the language by the text.
AUTO = "auto"
#: Frames that a continuation takes over at most: 12 s.
MAX_CARRIED_FRAMES = 150


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """The positions a generation begins with: P of them.

    `text_ids`: (P,), tokens of the text track. `codes`: (P, groups), -1 where nothing is added.
    `speaker`: (hidden,), the embedding of a cloned voice, added at the position `speaker_at` (-1: none).
    `cacheable`: so many first positions are the same for every text with the key `cache_key`, which is made
    of the voice, the language and the instruction.
    """

    text_ids: NDArray[np.int64]
    codes: NDArray[np.int64]
    speaker: NDArray[np.float32] | None
    speaker_at: int
    cacheable: int
    cache_key: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How codes are drawn: the first of a frame, and (`sub_`) the rest. `do_sample` false: the likeliest."""

    do_sample: bool
    temperature: float
    top_k: int
    top_p: float
    repetition_penalty: float
    sub_do_sample: bool
    sub_temperature: float
    sub_top_k: int
    sub_top_p: float

    @classmethod
    def of(cls, defaults: GenerationConfig) -> Self:
        """As the checkpoint's `generation_config.json` says."""
        return cls(
            do_sample=defaults.do_sample,
            temperature=defaults.temperature,
            top_k=defaults.top_k,
            top_p=defaults.top_p,
            repetition_penalty=defaults.repetition_penalty,
            sub_do_sample=defaults.subtalker_dosample,
            sub_temperature=defaults.subtalker_temperature,
            sub_top_k=defaults.subtalker_top_k,
            sub_top_p=defaults.subtalker_top_p,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """A prompt, and what the text track goes on with, one token at each step after the prompt is run.

    That is `trailing`, then the tokens that come later (live text), then tts_eos once if `ends`, and
    then tts_pad without end. Without `ends`, tts_eos is in the prompt already: no text can follow.
    """

    prompt: Prompt
    trailing: tuple[int, ...]
    ends: bool


@dataclass(frozen=True, slots=True, eq=False)
class Opening:
    """All positions before the text: the same for every text with one voice, language and instruction.

    `text_ids` and `codes` (the first code of each position, -1: none) have one entry for each position;
    `key` stands for all of it. `reference` (in-context clones alone): the tokens of what is said in the
    recording, and its codes (T, groups).
    """

    text_ids: tuple[int, ...]
    codes: tuple[int, ...]
    key: str
    speaker: NDArray[np.float32] | None = None
    speaker_at: int = -1
    reference: tuple[tuple[int, ...], Codes] | None = None


class PromptBuilder:
    """Makes the prompts of one checkpoint. Knows nothing of sound and runs no model."""

    def __init__(self, config: ModelConfig, tokenizer: Tokenizer) -> None:
        self._config = config
        self._tokenizer = tokenizer
        start, self._end = tokenizer.special("<|im_start|>"), tokenizer.special("<|im_end|>")
        self._start = start
        self._role = (start, *tokenizer.ids("assistant\n"))
        if len(self._role) != 3:
            raise EngineError("the model's tokenizer does not know the words of its own prompts")

    # What stands before the text.

    def custom(self, speaker: str, language: str, instruct: str = "") -> Opening:
        """One of the checkpoint's own voices (the name's case does not matter).

        `language`: one of `LANGUAGE_NAMES`, or its name, or "auto"; some voices speak their dialect when it
        is Chinese or "auto". Raises `EngineError` for a voice or a language that the model lacks, and for an
        `instruct` that it would leave out.
        """
        self._require("custom_voice", "speak with a voice of its own")
        talker = self._config.talker
        name = speaker.lower()
        number = (talker.spk_id or {}).get(name)
        if number is None:
            raise EngineError(
                f"the model has no voice {speaker!r}; it has {', '.join(self._config.speakers) or 'none'}"
            )
        dialect = (talker.spk_is_dialect or {}).get(name, False)
        known = self._language(language, dialect)
        return self._opening(("custom", name), known, instruct, speaker=(number, None))

    def design(self, instruct: str, language: str) -> Opening:
        """A voice that `instruct` describes. Raises `EngineError` as `custom` does."""
        self._require("voice_design", "describe a voice")
        return self._opening(("design",), self._language(language), instruct)

    def x_vector(self, embedding: NDArray[np.float32], language: str) -> Opening:
        """A cloned voice by its embedding (hidden,) alone. Raises `EngineError` as `custom` does."""
        self._require("base", "clone a voice")
        self._check_embedding(embedding)
        key = ("x_vector", _hash(embedding))
        return self._opening(key, self._language(language), "", speaker=(-1, embedding))

    def in_context(
        self, embedding: NDArray[np.float32], codes: Codes, reference_text: str, language: str
    ) -> Opening:
        """A cloned voice by its embedding, the codes (T, groups) of its recording, and what is said there.

        Raises `EngineError` as `custom` does, and when there is no text or no code.
        """
        self._require("base", "clone a voice")
        self._check_embedding(embedding)
        text = reference_text.strip()
        if not text:
            raise EngineError(
                "a voice that is cloned in context needs the text that is said in its recording"
            )
        if codes.ndim != 2 or not len(codes) or codes.shape[1] != self._config.talker.num_code_groups:
            raise EngineError(f"a recording has no codes of the shape {codes.shape}")
        reference = (self._tokenizer.ids(text), codes.astype(np.int64))
        key = ("in_context", _hash(embedding), _hash(reference[1]), text)
        return self._opening(key, self._language(language), "", speaker=(-1, embedding), reference=reference)

    # With the text.

    def streaming(self, opening: Opening, text_ids: Sequence[int], *, complete: bool = False) -> Start:
        """The layout in which the text runs along with the sound, one token at each frame.

        For live text the first token is enough, and `Start.trailing` is then empty. Not so for in-context
        clones, whose prompt lays the text over the recording: they need all of it (`complete`).
        """
        self._check_text(text_ids)
        if opening.reference is None:
            return self._side_by_side(opening, text_ids, None, complete=False)
        if not complete:
            raise EngineError("a voice that is cloned in context needs the whole text before it speaks")
        said, codes = opening.reference
        return self._side_by_side(opening, (*said, *text_ids), codes, complete=True, constant=len(said))

    def whole(self, opening: Opening, text_ids: Sequence[int]) -> Start:
        """The layout in which all text stands before the sound (`non_streaming_mode` of qwen-tts)."""
        self._check_text(text_ids)
        config = self._config
        said, codes = opening.reference or ((), None)
        text = (*said, *text_ids, config.tts_eos)
        frames = 0 if codes is None else len(codes)
        track = (*text, *(config.tts_pad,) * (1 + frames))
        first = (*(config.talker.codec_pad_id,) * len(text), config.talker.codec_bos_id)
        return Start(self._prompt(opening, track, first, codes, len(said), "whole"), (), ends=False)

    def continuation(
        self,
        opening: Opening,
        said_ids: Sequence[int],
        codes: Codes,
        next_ids: Sequence[int],
        *,
        complete: bool,
    ) -> Start:
        """A new generation that goes on after what the sentence `said_ids` sounded like, `codes` (F, groups).

        For an utterance that outgrows its KV: the new generation takes over its last sentence, so that the
        voice, its tempo and its mood go on. `next_ids` is the text after that sentence as far as it is known,
        also what the old generation had consumed of it ahead of its sound; `complete`: no more will come.
        Custom, designed and x-vector voices alone; at most `MAX_CARRIED_FRAMES` frames: of a longer sentence
        nothing is taken over, and the voice alone goes on.

        The positions are those of a generation in the streaming layout that began with that sentence and
        said it in just these codes: position i has the i-th token of the text and the codes of frame i-1, or
        codec_bos. In training the text runs on without a gap, some four times as fast as the sound, then
        come tts_eos and tts_pad. So the tokens after the sentence are laid over its frames too. Only when
        these do not suffice, because live text is late, tts_pad fills the rest, which the model has seen
        after tts_eos alone: a caller that can wait for text gets the better prompt.
        """
        if opening.reference is not None:
            raise EngineError("a generation of a voice that is cloned in context cannot be gone on with")
        if len(codes) > MAX_CARRIED_FRAMES or not len(codes):
            self._check_text(next_ids)
            return self._side_by_side(opening, next_ids, None, complete=False)
        self._check_text(said_ids)
        text = (*said_ids, *next_ids)
        return self._side_by_side(opening, text, codes.astype(np.int64), complete=complete)

    # Parts.

    def _opening(
        self,
        key: tuple[str, ...],
        language: int | None,
        instruct: str,
        speaker: tuple[int, NDArray[np.float32] | None] | None = None,
        reference: tuple[tuple[int, ...], Codes] | None = None,
    ) -> Opening:
        """`speaker`: its code (-1: none) and its embedding."""
        config, talker = self._config, self._config.talker
        instructed: tuple[int, ...] = ()
        if instruct:
            if not config.takes_instruct:
                raise EngineError("this model does not heed instructions; leave `instruct` out")
            body = self._tokenizer.ids(f"user\n{instruct}")
            instructed = (self._start, *body, self._end, *self._tokenizer.ids("\n"))
        codes = [talker.codec_nothink_id, talker.codec_think_bos_id]
        if language is not None:
            codes = [talker.codec_think_id, talker.codec_think_bos_id, language]
        codes.append(talker.codec_think_eos_id)
        if speaker is not None:
            codes.append(speaker[0])
        codes.append(talker.codec_pad_id)
        silent = (*instructed, *self._role)
        embedding = speaker[1] if speaker else None
        return Opening(
            text_ids=(*silent, *(config.tts_pad,) * (len(codes) - 1), config.tts_bos),
            codes=(*(-1,) * len(silent), *codes),
            key=_hash(*key, str(language), instruct),
            speaker=embedding,
            speaker_at=len(silent) + len(codes) - 2 if embedding is not None else -1,
            reference=reference,
        )

    def _side_by_side(
        self, opening: Opening, text: Sequence[int], codes: Codes | None, *, complete: bool, constant: int = 0
    ) -> Start:
        """codec_bos and `codes`, and the text from the same position on; what is left of it follows."""
        positions = 1 + (0 if codes is None else len(codes))
        track = (*text, self._config.tts_eos) if complete else tuple(text)
        rest = track[positions:]
        ends = bool(rest) or not complete
        if complete:
            rest = rest[:-1]  # all but tts_eos
        track = (*track[:positions], *(self._config.tts_pad,) * (positions - len(track)))
        bos = (self._config.talker.codec_bos_id,)
        constant = min(constant, positions)
        return Start(self._prompt(opening, track, bos, codes, constant, "streaming"), rest, ends)

    def _prompt(
        self,
        opening: Opening,
        text: Sequence[int],
        first: Sequence[int],
        codes: Codes | None,
        constant: int,
        layout: str,
    ) -> Prompt:
        """The opening, then one position for each of `first` (a first code), then one for each frame.

        `text` belongs to all but the opening. Of it, `constant` positions are the same for every text.
        """
        alone = np.full((len(opening.codes) + len(first), self._config.talker.num_code_groups), -1, np.int64)
        alone[:, 0] = (*opening.codes, *first)
        return Prompt(
            text_ids=np.array((*opening.text_ids, *text), np.int64),
            codes=alone if codes is None else np.concatenate([alone, codes]),
            speaker=opening.speaker,
            speaker_at=opening.speaker_at,
            # The last position is the first step's.
            cacheable=min(len(opening.codes) + constant, len(opening.text_ids) + len(text) - 1),
            cache_key=f"{opening.key}/{layout}" if constant else opening.key,
        )

    def _language(self, language: str, dialect: str | bool = False) -> int | None:
        """The id of a language, or of the speaker's dialect of it; None: it is not told to the model."""
        ids = self._config.talker.codec_language_id or {}
        name = LANGUAGE_NAMES.get(language.lower(), language.lower())
        if name != AUTO and name not in self._config.languages:
            allowed = [code for code, each in LANGUAGE_NAMES.items() if each in self._config.languages]
            raise EngineError(
                f"the model does not speak the language {language!r}; it speaks {', '.join([*allowed, AUTO])}"
            )
        if isinstance(dialect, str) and name in ("chinese", AUTO):
            if dialect not in ids:
                raise EngineError(f"the model's configuration has no id for {dialect!r}")
            return ids[dialect]
        return None if name == AUTO else ids[name]

    def _require(self, kind: ModelKind, ability: str) -> None:
        if self._config.kind != kind:
            raise EngineError(f"a model of kind {self._config.kind!r} cannot {ability}")

    def _check_embedding(self, embedding: NDArray[np.float32]) -> None:
        if embedding.shape != (self._config.talker.hidden_size,):
            raise EngineError(
                f"the embedding of a voice has the shape {embedding.shape};"
                f" this model's have ({self._config.talker.hidden_size},)"
            )

    def _check_text(self, text_ids: Sequence[int]) -> None:
        if not text_ids:
            raise EngineError("there is nothing to say")


def _hash(*parts: str | NDArray[np.float32] | Codes) -> str:
    """A name for all parts together."""
    whole = hashlib.sha256()
    for part in _bytes(parts):
        whole.update(len(part).to_bytes(8, "little"))
        whole.update(part)
    return whole.hexdigest()


def _bytes(parts: Iterable[str | NDArray[np.float32] | Codes]) -> Iterable[bytes]:
    for part in parts:
        yield part.encode() if isinstance(part, str) else np.ascontiguousarray(part).tobytes()
