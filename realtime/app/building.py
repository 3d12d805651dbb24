"""What a server is made of, by its settings: its engine, what it offers, how texts are read."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import cast

import msgspec
import structlog

from realtime.app.models import QWEN3, Model
from realtime.app.webrtc import ice_servers_of
from realtime.audio.formats import FORMATS, pre_skip
from realtime.audio.rubberband import is_installed as is_installed_rubber_band
from realtime.clock import Clock
from realtime.config import Config, given
from realtime.cores import usable_cores
from realtime.engines.engine import Capabilities, Engine, EngineSettings
from realtime.engines.ondemand import OnDemandEngine
from realtime.engines.process import ProcessEngine
from realtime.engines.routed import Part, RoutedEngine
from realtime.engines.synthesizer import AnySynthesizer
from realtime.engines.thread import ThreadEngine
from realtime.engines.tone import ToneSynthesizer
from realtime.errors import ErrorCode, InvalidMessageError
from realtime.paths import expanded
from realtime.server.addresses import AddressLimits, trusted_proxies
from realtime.server.keys import KeyLimits, KeyRing, load_keys
from realtime.session.frames import FrameKind
from realtime.session.offer import Format, Limits, Offer
from realtime.speech.cache import AudioCache
from realtime.speech.levels import Levels
from realtime.speech.scheduler import Scheduler
from realtime.speech.synthesis import Syntheses
from realtime.text.frontend import TextOptions
from realtime.text.lexicon import Lexicon, check_entries
from realtime.types import BlockReading, Voice, VoiceSettings
from realtime.voices.catalogue import OPENAI_NAMES, SAMPLES, by_name, is_installed, revision, voices_of
from realtime.voices.store import VoiceStore

#: What this server does beyond the spine of the protocol; grows with it. protocol.md lists the names. Some
#: depend on the engine.
FEATURES = (
    "contexts",
    "flush",
    "cancel",
    "preempt",
    "words",
    "playback",
    "pause",
    "max_lead_ms",
    "resume",
    "session.update",
    "session.close",
    "one_shot",
    "rtc",
    "speed",
    "auto_language",
    "normalize",
    "lexicon",
    "markup",
    "cache",
    "instruct",
    "seed",
    "bitrate",
    "frame_ms",
    "sample_rate",
    "opus",
    "pcm_s16le",
    "mulaw",
    "webm_opus",
    "ogg_opus",
)
FRAME_KINDS = {
    "opus": FrameKind.OPUS,
    "pcm_s16le": FrameKind.PCM_S16LE,
    "mulaw": FrameKind.MULAW,
    "webm_opus": FrameKind.CONTAINER,
    "ogg_opus": FrameKind.CONTAINER,
}
#: Engines that need a process of their own with one thread, whatever `ENGINE_RUNNER` says: they may crash.
SINGLE_THREADED = frozenset({"espeak", "japanese", QWEN3})
#: Where the `make` of an engine is, if not in the module of its name.
MODULES = {QWEN3: "realtime.engines.qwen3.engine"}
#: Engines that take so much memory that they are started only when they are first spoken with.
ON_DEMAND = frozenset({"japanese"})
#: Engines of which it is known what they can do before they are loaded: when they are, the settings may say.
LOADED_ON_DEMAND = frozenset({QWEN3, "tone"})
#: Beyond this the voice's threads wait for each other's Python rather than compute.
MOST_ENGINE_THREADS = 4
#: More encoders wait for the interpreter's lock.
MOST_ENCODER_THREADS = 4


def make_engine(config: Config, model: Model | None = None) -> Engine:
    """The engine that the settings ask for, not yet started; with the `model` that it runs, if it has one."""
    if config.engine in LOADED_ON_DEMAND and (config.idle_timeout or not config.preload_model):
        known = ToneSynthesizer().capabilities if model is None else model.capabilities
        return OnDemandEngine(
            lambda: _part_engine(config.engine, config, model),
            known,
            preload=config.preload_model,
            idle_s=config.idle_timeout,
        )
    if model is not None:
        return _part_engine(config.engine, config, model)
    voices = [voice for voice in voices_of(config.engine) if is_installed(voice)]
    names = tuple(dict.fromkeys(voice.engine for voice in voices))
    if len(names) == 1:
        return _part_engine(names[0], config)
    return RoutedEngine(
        [
            Part(
                _part_engine(name, config),
                frozenset(voice.id for voice in voices if voice.engine == name),
                on_demand=name in ON_DEMAND,
            )
            for name in names
        ]
    )


def _part_engine(name: str, config: Config, model: Model | None = None) -> Engine:
    apart = name in SINGLE_THREADED
    threads = 1 if apart else config.engine_threads or _engine_threads(config)
    module = MODULES.get(name, f"realtime.engines.{name}")
    prompts = expanded(config.data_folder, "DATA_FOLDER") / "prompts"
    settings = EngineSettings(
        str(prompts), config.voice_cache_max, None if model is None else model.settings, _engine_cores(config)
    )
    if apart or config.engine_runner == "process":
        return ProcessEngine(f"{module}:make", threads, config.engine_timeout_s, settings)
    synthesizer: AnySynthesizer = importlib.import_module(module).make(settings)
    return ThreadEngine(synthesizer, threads, config.engine_timeout_s)


def encoder_threads(config: Config) -> int:
    """Threads that encode. A GPU feeds more listeners than one can; on few cores more would gain nothing."""
    return config.encoder_threads or max(1, min(MOST_ENCODER_THREADS, usable_cores() // 4))


def _engine_cores(config: Config) -> frozenset[int]:
    """Cores of the engine's processes; none: all that this process may use."""
    return (config.engine_has_processes and config.engine_cpu_affinity) or frozenset()


def _engine_threads(config: Config) -> int:
    """One less than cores, as the rest needs some as well; but that is less than the voice: two of two.

    Of cores that the rest does not run on, all.
    """
    own = _engine_cores(config)
    if own and config.cpu_affinity is not None and not own & config.cpu_affinity:
        return min(MOST_ENGINE_THREADS, len(own))
    cores = len(own) or usable_cores()
    return min(MOST_ENGINE_THREADS, max(min(2, cores), cores - 1))


def known_voices(config: Config, model: Model | None) -> frozenset[str]:
    """The ids of all voices that are not cloned."""
    voices = voices_of(config.engine) if model is None else model.voices
    return frozenset(voice.id for voice in voices)


def make_offer(
    config: Config,
    cloned_voice: Callable[[str], Voice | None] = lambda name: None,
    model: Model | None = None,
) -> Offer:
    """What sessions and requests of this server can be; `cloned_voice` as in `Offer`."""
    voices = voices_of(config.engine) if model is None else model.voices
    missing = {"instruct"} if all(voice.instruct == "no" for voice in voices) else set()
    missing |= set() if config.rtc else {"rtc"}
    return Offer(
        engine=config.engine,
        voices=by_name(filter(is_installed, voices)),
        default_voice=voices[0].id if voices else None,
        formats={name: Format(kind, FORMATS[name], pre_skip(name)) for name, kind in FRAME_KINDS.items()},
        features=tuple(feature for feature in FEATURES if feature not in missing),
        limits=Limits(
            text_bytes_per_message=config.max_text_per_message,
            text_bytes_per_context=config.max_text_per_context,
            contexts=config.max_contexts,
            idle_s=config.idle_timeout_s,
            resume_window_s=config.resume_window_s,
        ),
        bitrate=config.opus_bitrate,
        max_lead_ms=config.max_lead_ms,
        missing_voices=by_name(voice for voice in voices if not is_installed(voice)),
        check_lexicon=check_entries,
        any_voice=frozenset((*OPENAI_NAMES, "default")),
        cloned_voice=cloned_voice,
        model=None if model is None else model.name,
        ignores_instructions=model is None,
        ice_servers=ice_servers_of(config),
    )


def make_keys(config: Config) -> KeyRing:
    """The keys of clients. Raises `ConfigError`."""
    limits = KeyLimits(config.key_concurrency, config.key_requests_per_minute)
    return load_keys(given(config.api_keys), given(config.api_keys_file), limits)


def make_address_limits(config: Config) -> AddressLimits:
    """What each address of clients may use. Raises `ConfigError`."""
    return AddressLimits(
        KeyLimits(config.address_concurrency, config.address_requests_per_minute),
        trusted_proxies(given(config.trusted_proxies)),
    )


def sound_revision(config: Config, lexicon: Mapping[str, str], model: Model | None = None) -> str:
    """All that the sound of a text depends on besides the request: programs, models, settings of the text.

    Servers that share a cache and differ in this find nothing of each other's.
    """
    settings = (config.code_blocks, config.tables, sorted(lexicon.items()))
    digest = hashlib.sha256(msgspec.json.encode(settings)).hexdigest()[:16]
    parts = (revision(config.engine), "" if model is None else model.revision, f"text {digest}")
    return ", ".join(filter(None, parts))


def make_levels(
    config: Config,
    offer: Offer,
    scheduler: Scheduler,
    syntheses: Syntheses,
    executor: Executor,
    clock: Clock,
) -> Levels | None:
    """What brings all voices to one loudness; None when they are left alone."""
    if config.loudness_lufs is None:
        return None
    described = frozenset(voice.id for voice in offer.voices.values() if voice.instruct == "required")
    return Levels(scheduler, syntheses, executor, clock, config.loudness_lufs, SAMPLES, described)


def has_rubber_band(config: Config) -> bool:
    """Whether whole files get the better tempo; says so when it was asked for and is not to be had.

    Starts a program: not for the event loop.
    """
    if config.speed_quality != "high":
        return False
    if is_installed_rubber_band():
        return True
    structlog.get_logger("realtime").warning(
        "rubber_band_missing",
        meaning="SPEED_QUALITY is `high`, but there is no program `rubberband` of version 3 or later",
        advice="install it (rubberband-cli on Debian); until then whole files get the usual tempo",
    )
    return False


def make_cache(config: Config) -> AudioCache:
    """The cache of sound, not yet started. Raises `ConfigError`."""
    redis_url = given(config.redis_url)
    shared = None
    if redis_url is not None:
        # Here, for its library takes a tenth of a second that few servers need.
        from realtime.speech.shared_cache import RedisCache

        shared = RedisCache(redis_url)
    return AudioCache(config.audio_cache_mb * 2**20, config.audio_cache_max, shared)


def make_store(config: Config) -> VoiceStore:
    """Cloned voices on disk, not yet read."""
    return VoiceStore(expanded(config.data_folder, "DATA_FOLDER") / "voices", config.max_voices)


def cloned_voice(name: str, store: VoiceStore, scheduler: Scheduler) -> Voice | None:
    """A cloned voice by its id; raises `InvalidMessageError` when the engine cannot speak with it."""
    stored = store.find(name)
    if stored is None:
        return None
    scheduler.check_loaded()
    capabilities = scheduler.capabilities
    if not capabilities.cloning:
        raise InvalidMessageError(
            f"the engine {capabilities.name!r} cannot speak with cloned voices; name one of its own, or none",
            ErrorCode.UNSUPPORTED,
        )
    own = () if stored.language is None else (stored.language,)
    languages = tuple(dict.fromkeys((*own, *capabilities.languages)))
    return Voice(stored.id, languages, capabilities.name, reference=store.reference(stored))


def text_options(
    settings: VoiceSettings, capabilities: Capabilities, config: Config, lexicon: Mapping[str, str]
) -> TextOptions:
    """How the text of a context is read; `lexicon` is the server's."""
    return TextOptions(
        settings.language,
        languages=tuple(language for language, _ in settings.auto_voices),
        language_fixed=capabilities.language_fixed_per_utterance,
        buffering=settings.buffer,
        normalize=settings.normalize and not capabilities.normalizes_text,
        lexicon=Lexicon.merged(lexicon, dict(settings.lexicon)) if lexicon or settings.lexicon else None,
        markup=settings.markup,
        code=cast(BlockReading, config.code_blocks),
        tables=cast(BlockReading, config.tables),
        words=capabilities.takes == "word",
    )
