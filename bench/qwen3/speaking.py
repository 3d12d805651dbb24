"""Utterances as the server makes them: text in, sound of the host out, through the real slots.

What is not real is the text: a word is a token or two, any ones, and a text takes as many frames as is asked.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from bench.qwen3.bed import LEAST_PROMPT, Bed, prompt_of
from bench.qwen3.steps import tell_of_waits, tell_of_work
from bench.table import quantile
from realtime.engines.qwen3.codec import Codec
from realtime.engines.qwen3.configuration import ModelConfig
from realtime.engines.qwen3.generation import Beginning, Codes, Note, Script, SpokenToken
from realtime.engines.qwen3.prompt import Prompt
from realtime.engines.qwen3.slots import Slots
from realtime.engines.qwen3.speech import Speech
from realtime.engines.qwen3.step import Decoder
from realtime.types import AudioChunk, Pcm, TextPiece

#: A word has 1.3 tokens, and takes 0.4 s, which are 5 frames.
_TOKENS_OF_TEN_WORDS, _FRAMES_OF_A_WORD = 13, 5
#: What a listener has who hears nothing yet, as `speech.pace` has it.
_NEWCOMER_S = 0.15
#: Rows of prompts that are kept.
_PREFIXES = 4
_SERVED, _WARM_STEPS, _COUNTED_STEPS = 8, 24, 24
_SERVING = f"serving {_SERVED}, a step"


class Voice:
    """As `generation.Script`: a prompt of `positions`, of which all but the last are kept by `seed`."""

    is_live = True

    def __init__(self, config: ModelConfig, positions: int = LEAST_PROMPT, seed: int = 0) -> None:
        self._prompt = prompt_of(config, positions, seed)

    def begin(self, tokens: Sequence[SpokenToken]) -> Beginning:
        """With the first token; the others follow."""
        kept = self._prompt
        text_ids = kept.text_ids.copy()
        text_ids[-1] = tokens[0].id
        return Beginning(Prompt(text_ids, kept.codes, None, -1, kept.cacheable, kept.cache_key), 1)

    def go_on(self, spoken: Sequence[SpokenToken], codes: Codes, tokens: Sequence[SpokenToken]) -> Beginning:
        """As from the beginning: no text is that long."""
        return self.begin(tokens)

    def prepare(self, codec: Codec, row: int) -> None:
        """Its sound begins with silence before it."""
        codec.reset(row)


class Words:
    """As `generation.Tokenize`."""

    def __init__(self, config: ModelConfig, seed: int) -> None:
        self._chance = np.random.default_rng(seed)
        self._most = min(config.tts_pad, config.talker.text_vocab_size)

    def feed(self, piece: TextPiece) -> list[SpokenToken]:
        """Any tokens, as many as its words have."""
        words = len(piece.text.split())
        count = max(1, words * _TOKENS_OF_TEN_WORDS // 10)
        ids = self._chance.integers(0, self._most, count)
        return [
            SpokenToken(int(each), piece.segment, 0, 4, 0.0, ends_segment=number == count)
            for number, each in enumerate(ids, 1)
        ]


@dataclass(frozen=True, slots=True)
class Frames:
    """As `generation.Budget`: always so many."""

    count: int

    def frames(self, seconds: float) -> int:
        """Whatever is said."""
        return self.count

    def spoken_frames(self, seconds: float) -> int:
        """As many."""
        return self.count


class Sound:
    """As `generation.SegmentWriter`: chunks as they are."""

    def __init__(self, rate: int) -> None:
        self._rate = rate

    def write(self, pcm: Pcm, notes: Sequence[Note], over: bool) -> Sequence[AudioChunk]:
        """What there is."""
        return [AudioChunk(0, pcm, self._rate, last_of_segment=over)] if len(pcm) or over else []


@dataclass(eq=False)
class Stage:
    """A decoder, a codec and their slots, ready to speak; `batch`: the most in a step."""

    bed: Bed
    rows: int
    batch: int
    positions: int
    slots: Slots = field(init=False)

    def __post_init__(self) -> None:
        bed, kind = self.bed, self.bed.best_attention()
        sizes = tuple(size for size in (1, 2, 4, 8, 16, 32, 64, 128, 256) if size < self.batch)
        begun = time.monotonic()
        bed.progress(
            f"{bed.name}: getting {self.rows} rows of {self.positions} positions ready, attention {kind}"
        )
        decoder = Decoder(
            bed.talker,
            self.rows,
            self.positions,
            attention=kind,
            graphs=True,
            batch_sizes=(*sizes, self.batch),
            prefix_positions=_PREFIXES * self.positions,
        )
        decoder.prepare()
        codec = bed.codec(self.rows)
        codec.capture((*sizes, self.batch), bed.sizes.codec_frames)
        self.slots = Slots(decoder, codec, bed.sampling)
        more = {"positions": self.positions, "batch": self.batch}
        bed.row(f"{self.rows} rows and their graphs, ready after", time.monotonic() - begun, "s", more=more)

    def speech(self, voice: Script, frames: int, seed: int) -> Speech:
        """An utterance of so many frames."""
        config = self.bed.config
        script: Future[Script] = Future()
        script.set_result(voice)
        return Speech(
            script,
            Words(config, seed),
            Frames(frames),
            Sound(config.codec.output_sample_rate),
            tts_eos=config.tts_eos,
            tts_pad=config.tts_pad,
            frame_ms=config.frame_ms,
            seed=seed,
            has_row=self.slots.has_row,
            on_close=self.slots.leave,
        )


def text(words: int) -> TextPiece:
    """A text of so many words, whole."""
    said = " ".join(["word"] * words)
    return TextPiece(0, said, (0, len(said)), (), "en")


@dataclass(frozen=True, slots=True)
class Spoken:
    """Seconds until the first sound was on the host, and in all; seconds of sound."""

    first_s: float
    whole_s: float
    sound_s: float


def speak(stage: Stage, voice: Script, words: int, frames: int, seed: int = 0) -> Spoken:
    """One utterance, alone, to its end: whoever listens plays what there is, and has the rest in hand.

    It takes part in steps as `engines.batches` has it. Raises what it fails by.
    """
    slots, speech = stage.slots, stage.speech(voice, frames, seed)
    first_s = sound_s = 0.0
    begun, began_at = time.perf_counter(), time.monotonic()
    try:
        speech.feed([text(words)])
        speech.finish()
        over = False
        while not over:
            dry_at = began_at + (first_s + sound_s if sound_s else _NEWCOMER_S)
            taking_part = [speech] if speech.next_step_at(dry_at) <= time.monotonic() else []
            if not (taking_part or slots.unfinished):
                raise RuntimeError("an utterance is held, though all of its text is there")
            for made in slots.step(taking_part, [dry_at] * len(taking_part)):
                if made.error is not None:
                    raise made.error
                chunks = made.sound.chunks() if made.sound is not None else ()
                sound_s += sum(chunk.audio_ms for chunk in chunks) / 1000
                first_s = first_s or (time.perf_counter() - begun if sound_s else 0.0)
                over = over or made.over
        return Spoken(first_s, time.perf_counter() - begun, sound_s)
    finally:
        speech.close()
        slots.step([], [])  # nobody reads what is under way


def first_sound(bed: Bed) -> None:
    """Text to sound on the host, one utterance alone: prefix kept or new; texts of some lengths; what a step
    through the slots does.
    """
    sizes, config = bed.sizes, bed.config
    stage = Stage(bed, _SERVED, _SERVED, sizes.long_positions)
    warm = Voice(config)
    speak(stage, warm, 10, 12)
    gc.collect()
    kept = [speak(stage, warm, 10, 12, seed).first_s * 1000 for seed in range(sizes.repeats)]
    more = {"p95": quantile(kept, 0.95), "worst": max(kept)}
    bed.row("first sound, 10 words", median(kept), "ms", limit=bed.targets.first_sound, more=more)
    new = [
        speak(stage, Voice(config, seed=1000 + seed), 10, 12, seed).first_s * 1000
        for seed in range(sizes.repeats)
    ]
    more = {"p95": quantile(new, 0.95), "worst": max(new)}
    bed.row("first sound, 10 words, a new voice", median(new), "ms", more=more)
    for words in sizes.words:
        frames = min(words * _FRAMES_OF_A_WORD, sizes.long_positions - LEAST_PROMPT)
        spoken = speak(stage, warm, words, frames)
        more = {"first sound, ms": spoken.first_s * 1000, "sound, s": spoken.sound_s}
        bed.row(f"{words} words: times real time", spoken.sound_s / spoken.whole_s, "x", more=more)
    with _served(bed, stage) as step:
        begun = time.perf_counter()
        for _ in range(_COUNTED_STEPS):
            step()
        bed.row(_SERVING, (time.perf_counter() - begun) / _COUNTED_STEPS * 1000, "ms", note="with its sound")
        if bed.cuda:
            tell_of_waits(bed, _SERVING, step, _COUNTED_STEPS)
        else:
            bed.row(f"{_SERVING}: waits, allocations", None, note="there is no GPU here")


def work(bed: Bed) -> None:
    """Kernels of a step through the slots. In a process of its own, as `steps.work`."""
    with _served(bed, Stage(bed, _SERVED, _SERVED, bed.sizes.long_positions)) as step:
        tell_of_work(bed, _SERVING, step, _COUNTED_STEPS)


@contextmanager
def _served(bed: Bed, stage: Stage) -> Iterator[Callable[[], None]]:
    """Some who speak, and what makes the next step of all of them, on the thread of the steps."""
    voice = Voice(bed.config)
    speeches = [stage.speech(voice, bed.sizes.long_positions // 2, seed) for seed in range(_SERVED)]

    def step() -> None:
        deadline = time.monotonic() + bed.sizes.lead_s
        for made in stage.slots.step(speeches, [deadline] * len(speeches)):
            if made.error is not None:
                raise made.error

    try:
        for speech in speeches:
            speech.feed([text(10)])
            speech.finish()
        for _ in range(_WARM_STEPS):
            step()
        yield step
    finally:
        for speech in speeches:
            speech.close()
        stage.slots.step([], [])  # nobody reads what is under way
