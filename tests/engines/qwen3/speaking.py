"""What the tests of whole utterances share: a tiny model in slots, and utterances that are driven by hand."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from realtime.engines.qwen3.budget import FrameBudget
from realtime.engines.qwen3.codec import Codec
from realtime.engines.qwen3.configuration import ModelConfig, read_config
from realtime.engines.qwen3.generation import Note, Script
from realtime.engines.qwen3.prompt import Opening, PromptBuilder, Sampling
from realtime.engines.qwen3.scripts import LiveScript
from realtime.engines.qwen3.slots import Slots
from realtime.engines.qwen3.speech import Speech
from realtime.engines.qwen3.step import Decoder
from realtime.engines.qwen3.talker import Talker
from realtime.engines.qwen3.text import SpeechTokens
from realtime.engines.qwen3.tokenizer import Tokenizer
from realtime.errors import EngineError
from realtime.types import AudioChunk, Pcm, TextPiece
from tests.engines.qwen3.reference import FRAMES

ROWS, POSITIONS = 8, 512
#: Enough in hand: chunks grow, and nobody is ended for want of text.
FAR = 1e9
NEW_TOKENS = FRAMES + 1


class Recorder:
    """As `generation.SegmentWriter`: keeps all that it is given."""

    def __init__(self) -> None:
        self.pcm: list[Pcm] = []
        self.notes: list[Note] = []
        self.over = 0

    def write(self, pcm: Pcm, notes: Sequence[Note], over: bool) -> Sequence[AudioChunk]:
        self.pcm.append(pcm.copy())
        self.notes += notes
        self.over += over
        return ()


class RecordingSpeech(Speech):
    """Keeps its codes."""

    frames: list[NDArray[np.int64]]

    def collect(self, launched, codes, ended):  # type: ignore[no-untyped-def]
        before = self._frames
        chunk = super().collect(launched, codes, ended)
        if self._frames > before:
            self.frames.append(codes.copy())
        return chunk


class Model:
    """A checkpoint in slots."""

    def __init__(
        self,
        folder: Path,
        *,
        rows: int = ROWS,
        positions: int = POSITIONS,
        sampled: bool = False,
        new_tokens: int | None = NEW_TOKENS,
    ) -> None:
        self.config: ModelConfig = read_config(folder)
        self.tokenizer = Tokenizer.read(folder)
        self.builder = PromptBuilder(self.config, self.tokenizer)
        talker = Talker.from_state(
            self.config, load_file(folder / "model.safetensors"), torch.device("cpu"), torch.float32
        )
        self.decoder = Decoder(talker, rows, positions)
        state = load_file(folder / "speech_tokenizer" / "model.safetensors")
        self.codec = Codec.from_state(self.config.codec, state, rows)
        self.new_tokens = new_tokens
        sampling = Sampling.of(self.config.generation)
        if not sampled:
            sampling = Sampling(False, 0.9, 50, 1.0, sampling.repetition_penalty, False, 0.9, 50, 1.0)
        self.slots = Slots(self.decoder, self.codec, sampling)

    def speech(
        self, script: Script | Opening, seed: int = 0, new_tokens: int | None = None
    ) -> RecordingSpeech:
        future: Future[Script] = Future()
        future.set_result(LiveScript(self.builder, script) if isinstance(script, Opening) else script)
        speech = RecordingSpeech(
            future,
            SpeechTokens(self.tokenizer),
            FrameBudget(self.config.frame_ms, new_tokens or self.new_tokens),
            Recorder(),
            tts_eos=self.config.tts_eos,
            tts_pad=self.config.tts_pad,
            frame_ms=self.config.frame_ms,
            seed=seed,
            has_row=self.slots.has_row,
            on_close=self.slots.leave,
        )
        speech.frames = []
        return speech


def piece(text: str, segment: int = 0, last: bool = True) -> TextPiece:
    return TextPiece(segment, text, (0, len(text)), (), "en", last_of_segment=last)


@dataclass
class Talk:
    """An utterance and its text, cut in pieces that come at certain steps; `cancel_at`: it leaves then."""

    speech: RecordingSpeech
    pieces: list[tuple[int, TextPiece]]
    cancel_at: int | None = None
    join_at: int = 0
    parked: frozenset[int] = frozenset()
    finished: bool = False
    over: bool = False
    error: EngineError | None = None


def drive(slots: Slots, talks: Sequence[Talk], deadline: float = FAR, most_steps: int = 3000) -> None:
    """Step by step as `engines.batches` does, until all are over."""
    step = 0
    while not all(talk.over for talk in talks) or slots.unfinished:
        assert step < most_steps, "it does not come to an end"
        running: list[Talk] = []
        for talk in talks:
            if talk.over or step < talk.join_at:
                continue
            if talk.cancel_at is not None and step >= talk.cancel_at:
                talk.speech.close()
                talk.over = True
                continue
            while talk.pieces and talk.pieces[0][0] <= step:
                talk.speech.feed([talk.pieces.pop(0)[1]])
            if not talk.pieces and not talk.finished:
                talk.finished = True
                talk.speech.finish()
            if step not in talk.parked and talk.speech.next_step_at(deadline) <= time.monotonic():
                running.append(talk)
        if running or slots.unfinished:
            made = slots.step([talk.speech for talk in running], [deadline] * len(running))
            for result in made:
                talk = next(each for each in talks if each.speech is result.stream)
                if result.sound is not None:
                    result.sound.chunks()
                if result.error is not None:
                    talk.error = result.error
                if result.over or result.error is not None:
                    talk.over = True
                    talk.speech.close()
        step += 1


def codes_of(speech: RecordingSpeech) -> NDArray[np.int64]:
    return np.stack(speech.frames) if speech.frames else np.zeros((0, 16), np.int64)


def pcm_of(speech: RecordingSpeech) -> Pcm:
    recorder = speech.sound
    assert isinstance(recorder, Recorder)
    return np.concatenate(recorder.pcm) if recorder.pcm else np.zeros(0, np.float32)
