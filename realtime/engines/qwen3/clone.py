"""Voices of recordings: their codes and embeddings, worked out once, and codec states to go on from."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from realtime.engines.prompts import Prompt, PromptCache
from realtime.engines.qwen3.codec import Codec, CodecState
from realtime.engines.qwen3.codec_encoder import CodecEncoder
from realtime.engines.qwen3.configuration import ModelConfig
from realtime.engines.qwen3.recording import read_recording
from realtime.engines.qwen3.speaker_encoder import SpeakerEncoder
from realtime.types import Pcm, VoiceReference

#: Part of the name that prompts are kept under: to be changed when others are made of the same recording.
VERSION = "qwen3-clone-1"


@dataclass(frozen=True, slots=True, eq=False)
class CloneVoice:
    """A voice: the codes of its recording, (frames, groups), and its embedding, (size,)."""

    codes: NDArray[np.int64]
    speaker: NDArray[np.float32]


class CloneEncoder:
    """Makes voices of sound, one at a time, for any threads.

    On a GPU this has a stream of its own, so that no step waits behind it, and cuDNN does not try what is
    fastest for it: recordings have lengths that never come again.
    """

    def __init__(self, codec: CodecEncoder, speaker: SpeakerEncoder, device: torch.device) -> None:
        self._codec = codec
        self._speaker = speaker
        self._lock = threading.Lock()
        self._stream: torch.cuda.Stream | None = None
        if device.type == "cuda":
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            self._stream.wait_stream(torch.cuda.current_stream(device))  # the weights may be on their way

    @classmethod
    def from_states(
        cls,
        config: ModelConfig,
        state: Mapping[str, Tensor],
        codec_state: Mapping[str, Tensor],
        device: torch.device | str = "cpu",
    ) -> CloneEncoder:
        """Of the tensors in a base model's `model.safetensors` and `speech_tokenizer/model.safetensors`.

        Raises `EngineError` that names a weight which is missing or of another shape than in `config`.
        """
        return cls(
            CodecEncoder.from_state(config.codec, codec_state, device),
            SpeakerEncoder.from_state(config.speaker_encoder, state, device),
            torch.device(device),
        )

    def encode(self, pcm: Pcm) -> CloneVoice:
        """The voice in mono sound at 24 kHz, a tenth of a second or more. Waits for the device."""
        with self._lock, _exactly(), torch.cuda.stream(self._stream):  # None: no GPU, and nothing happens
            codes, speaker = self._codec(pcm), self._speaker(pcm)
            return CloneVoice(codes.cpu().numpy(), speaker.cpu().numpy())


@contextmanager
def _exactly() -> Iterator[None]:
    """Nothing is rounded to TF32 meanwhile, and nothing is tried.

    It holds for all threads; but steps and sound are graphs, which keep what they were recorded with.
    """
    precision = torch.get_float32_matmul_precision()
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, allow_tf32=False):
        torch.set_float32_matmul_precision("highest")
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(precision)


class CloneVoices:
    """Voices by their recordings, kept by a `PromptCache` in memory and on disk."""

    def __init__(self, encoder: CloneEncoder, prompts: PromptCache, model: str) -> None:
        """`model` is its name and revision: another one makes other codes of the same sound."""
        self._encoder = encoder
        self._prompts = prompts
        self._model = f"{model} {VERSION}"

    def voice(self, reference: VoiceReference) -> CloneVoice:
        """The voice of a recording. Blocks while it is read and worked out, if that has not been done.

        Raises `EngineError` when the recording cannot be used.
        """
        # What is said in it has no part in the codes.
        prompt = self._prompts.prompt(replace(reference, text=""), self._model, self._make)
        return CloneVoice(prompt["codes"].astype(np.int64), prompt["speaker"].copy())  # torch wants its own

    def _make(self, reference: VoiceReference) -> Prompt:
        voice = self._encoder.encode(read_recording(reference.path))
        return {"codes": voice.codes.astype(np.int16), "speaker": voice.speaker}


class PrimedStates:
    """Codec states after the codes of recordings; the least recently used go first.

    For the codec's thread, but `forget`, which any may call.

    A voice that goes on from its recording (`in_context`) needs the codec to have decoded that before: once
    for each voice.
    """

    def __init__(self, codec: Codec, most: int) -> None:
        """At most `most` states are kept, each of `Codec.row_bytes`; 0: each is made when it is needed."""
        self._codec = codec
        self._most = most
        self._lock = threading.Lock()
        self._states: OrderedDict[str, CodecState] = OrderedDict()

    def begin(self, row: int, key: str, codes: NDArray[np.int64]) -> None:
        """The next frame of this row follows `codes`, (frames, groups): the same for a `key` always."""
        with self._lock:
            state = self._states.get(key)
        if state is None:
            state = self._codec.prime(torch.from_numpy(codes))
        self._codec.restore(row, state)
        with self._lock:
            self._states[key] = state
            self._states.move_to_end(key)
            while len(self._states) > self._most:
                self._states.popitem(last=False)

    def forget(self, key: str) -> None:
        """The recording has been deleted."""
        with self._lock:
            self._states.pop(key, None)

    def __len__(self) -> int:
        """States that are kept."""
        return len(self._states)
