"""Qwen3-TTS as a `BatchSynthesizer`: `make` is what `engines.process` calls in the child."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from realtime.engines.engine import Capabilities, DeviceMemory, EngineSettings, Open, PromptStats
from realtime.engines.prompts import PromptCache
from realtime.engines.qwen3.budget import FrameBudget
from realtime.engines.qwen3.clone import CloneVoices, PrimedStates
from realtime.engines.qwen3.codec import Codec
from realtime.engines.qwen3.description import of_config
from realtime.engines.qwen3.devices import memory_in_use
from realtime.engines.qwen3.generation import Script
from realtime.engines.qwen3.loader import Model, load
from realtime.engines.qwen3.prompt import AUTO, PromptBuilder, Sampling
from realtime.engines.qwen3.scripts import InContextScript, LiveScript
from realtime.engines.qwen3.slots import Slots
from realtime.engines.qwen3.speech import Speech
from realtime.engines.qwen3.text import SpeechTokens
from realtime.engines.qwen3.warmup import TEXTS, TEXTS_ON_CPU, warm_up
from realtime.engines.qwen3.words import WordClock
from realtime.engines.synthesizer import Made, Prompts
from realtime.errors import EngineError


class Qwen3Synthesizer:
    """Speaks with one checkpoint. What is here is not torch: the parts know how."""

    def __init__(self, settings: EngineSettings) -> None:
        """`settings.model` says which checkpoint, and where it runs."""
        if settings.model is None:
            raise EngineError("no model was named; set MODEL_ID")
        self._settings = settings.model
        folder = None if settings.prompt_folder is None else Path(settings.prompt_folder)
        self._prompts = PromptCache(folder, settings.prompts_in_memory)
        self._states_kept = settings.prompts_in_memory
        self.on_progress: Callable[[str, float], None] = lambda what, fraction: None
        self._on_change: Callable[[], None] = lambda: None
        self._cloning = ThreadPoolExecutor(1, thread_name_prefix="cloning")
        self._parts: _Parts | None = None

    @property
    def capabilities(self) -> Capabilities:
        """Of the checkpoint."""
        return of_config(self._loaded.model.config).capabilities(self._settings.max_batch_size)

    @property
    def prompts(self) -> Prompts:
        """As `KeepsPrompts`."""
        return _KeptVoices(self._prompts, self._parts)

    @property
    def unfinished(self) -> bool:
        """As `BatchSynthesizer`."""
        return self._loaded.slots.unfinished

    def listen(self, on_change: Callable[[], None]) -> None:
        """As `BatchSynthesizer`."""
        self._on_change = on_change

    def load(self) -> None:
        """Read the checkpoint and warm up. Raises `EngineError`: what is wrong with it, or missing."""
        parts = _Parts(load(self._settings, self.on_progress), self._prompts, self._states_kept)
        self._parts = parts
        first = _first_voice(parts)

        def speech(frames: int) -> Speech:
            return self._speech(_done(first), 0, min(frames, self._settings.max_new_tokens or frames))

        texts = TEXTS if parts.model.place.is_cuda else TEXTS_ON_CPU
        warm_up(parts.slots, texts, speech, self.on_progress)

    def open(self, request: Open) -> Speech:
        """As `BatchSynthesizer`; what is wrong with a voice is told by the first step."""
        return self._speech(self._script(request), request.seed, self._settings.max_new_tokens)

    def _speech(self, script: Future[Script], seed: int, most_frames: int) -> Speech:
        parts = self._loaded
        config = parts.model.config
        return Speech(
            script,
            SpeechTokens(parts.model.tokenizer),
            FrameBudget(config.frame_ms, most_frames or None),
            WordClock(config.codec.output_sample_rate, config.frame_samples),
            tts_eos=config.tts_eos,
            tts_pad=config.tts_pad,
            frame_ms=config.frame_ms,
            seed=seed,
            has_row=parts.slots.has_row,
            on_close=parts.slots.leave,
        )

    def step(self, streams: Sequence[Speech], deadlines: Sequence[float]) -> Sequence[Made[Speech]]:
        """As `BatchSynthesizer`."""
        return self._loaded.slots.step(streams, deadlines)

    def device_memory(self) -> DeviceMemory:
        """As `UsesDevice`."""
        return memory_in_use(self._loaded.model.place.device)

    @property
    def _loaded(self) -> _Parts:
        if self._parts is None:
            raise EngineError("the model has not been loaded")
        return self._parts

    def _script(self, request: Open) -> Future[Script]:
        """How its generations begin. A recording is listened to on another thread, as that takes a while."""
        future: Future[Script]
        if request.reference is not None:
            future = self._cloning.submit(self._clone, request)
            future.add_done_callback(lambda _: self._on_change())
            return future
        try:
            return _done(self._own_voice(request))
        except EngineError as error:
            future = Future()
            future.set_exception(error)
            return future

    def _own_voice(self, request: Open) -> Script:
        builder, config = self._loaded.builder, self._loaded.model.config
        if config.kind == "custom_voice":
            return LiveScript(builder, builder.custom(request.voice, request.language, request.instruct))
        if config.kind == "voice_design":
            if not request.instruct.strip():
                raise EngineError("this model needs `instruct`: words that describe the voice")
            return LiveScript(builder, builder.design(request.instruct, request.language))
        raise EngineError("this model speaks with cloned voices only; upload a recording, and name it")

    def _clone(self, request: Open) -> Script:
        parts, reference = self._loaded, request.reference
        if request.instruct:
            raise EngineError("this model does not heed instructions; leave `instruct` out")
        if parts.voices is None or reference is None:
            raise EngineError("this model has voices of its own, and clones none; name one of them")
        voice = parts.voices.voice(reference)
        builder, language = parts.builder, request.language
        if not reference.text.strip():
            return LiveScript(builder, builder.x_vector(voice.speaker, language))
        opening = builder.in_context(voice.speaker, voice.codes, reference.text, language)

        def prime(codec: Codec, row: int) -> None:
            parts.states.begin(row, reference.key, voice.codes)

        return InContextScript(builder, opening, parts.model.config.tts_eos, prime)


class _Parts:
    """What there is once the checkpoint is loaded."""

    def __init__(self, model: Model, prompts: PromptCache, states_kept: int) -> None:
        self.model = model
        self.builder = PromptBuilder(model.config, model.tokenizer)
        self.slots = Slots(model.decoder, model.codec, Sampling.of(model.config.generation))
        self.voices = None if model.encoder is None else CloneVoices(model.encoder, prompts, model.name)
        self.states = PrimedStates(model.codec, states_kept)


class _KeptVoices:
    """All that is kept of recordings, as `engine.Prompts`: on disk, in memory, and states of the codec."""

    def __init__(self, cache: PromptCache, parts: _Parts | None) -> None:
        self._cache = cache
        self._parts = parts

    @property
    def stats(self) -> PromptStats:
        """Counts since the start."""
        return self._cache.stats

    def forget(self, key: str) -> None:
        """Drop all of a recording."""
        self._cache.forget(key)
        if self._parts is not None:
            self._parts.states.forget(key)


def _first_voice(parts: _Parts) -> Script:
    """A voice to warm up with: any will do."""
    builder, config = parts.builder, parts.model.config
    if config.kind == "custom_voice":
        return LiveScript(builder, builder.custom(config.speakers[0], AUTO))
    if config.kind == "voice_design":
        return LiveScript(builder, builder.design("A calm voice.", AUTO))
    nobody = np.zeros(config.talker.hidden_size, np.float32)
    return LiveScript(builder, builder.x_vector(nobody, AUTO))


def _done(script: Script) -> Future[Script]:
    future: Future[Script] = Future()
    future.set_result(script)
    return future


def make(settings: EngineSettings) -> Qwen3Synthesizer:
    """Factory for `engines.process`."""
    return Qwen3Synthesizer(settings)
