"""The composition root: builds everything, listens, drains. The only file that may import anything."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

import structlog
import uvloop
from aiohttp import web

from realtime import __version__
from realtime.audio.formats import FORMATS, make_encoder, pre_skip
from realtime.clock import Clock, MonotonicClock
from realtime.config import Config, from_environment
from realtime.engines.engine import Capabilities, Engine, Synthesizer
from realtime.engines.process import ProcessEngine
from realtime.engines.routed import Part, RoutedEngine
from realtime.engines.thread import ThreadEngine
from realtime.engines.workers import SWITCH_INTERVAL_S
from realtime.errors import ConfigError
from realtime.live.driver import ContextSummary, Driver, Transport
from realtime.live.registry import Registry, new_id
from realtime.observe import logs
from realtime.server.status import Health, health_handler, index, ready_handler
from realtime.server.websocket import speech_handler
from realtime.session.frames import FrameKind
from realtime.session.offer import Format, Limits, Offer
from realtime.session.session import Session
from realtime.speech.scheduler import Scheduler
from realtime.speech.speaker import Speaker
from realtime.speech.text_feed import TextTurns
from realtime.text.frontend import Frontend, TextOptions, warm_up
from realtime.text.lexicon import Lexicon, check_entries, load_lexicon
from realtime.types import AudioSettings, BlockReading, VoiceSettings
from realtime.voices.catalogue import by_name, is_installed, voices_of

#: What this server does beyond the spine of the protocol; grows with it. protocol.md lists the names.
FEATURES = (
    "contexts",
    "flush",
    "cancel",
    "preempt",
    "words",
    "playback",
    "pause",
    "session.update",
    "session.close",
    "one_shot",
    "speed",
    "auto_language",
    "normalize",
    "lexicon",
    "markup",
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
SINGLE_THREADED = frozenset({"espeak", "japanese"})
#: Engines that take so much memory that they are started only when they are first spoken with.
ON_DEMAND = frozenset({"japanese"})
#: Beyond this the voice's threads wait for each other's Python rather than compute.
MOST_ENGINE_THREADS = 4
CLOSE_SESSIONS_S = 2.0


@dataclass(frozen=True, slots=True)
class Server:
    """A server that listens."""

    host: str
    port: int
    registry: Registry
    scheduler: Scheduler

    @property
    def url(self) -> str:
        """Where it can be reached."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"


def make_engine(config: Config) -> Engine:
    """The engine that the settings ask for, not yet started."""
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


def _part_engine(name: str, config: Config) -> Engine:
    apart = name in SINGLE_THREADED
    threads = config.engine_threads or min(MOST_ENGINE_THREADS, max(1, _cores() - 1))
    threads = 1 if apart else threads
    module = f"realtime.engines.{name}"
    if apart or config.engine_runner == "process":
        return ProcessEngine(f"{module}:make", threads, config.engine_timeout_s)
    synthesizer: Synthesizer = importlib.import_module(module).make()
    return ThreadEngine(synthesizer, threads)


def _cores() -> int:
    """Cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def make_offer(config: Config) -> Offer:
    """What sessions of this server can be."""
    voices = voices_of(config.engine)
    return Offer(
        engine=config.engine,
        voices=by_name(filter(is_installed, voices)),
        default_voice=voices[0].id,
        formats={name: Format(FRAME_KINDS[name], rates, pre_skip(name)) for name, rates in FORMATS.items()},
        features=FEATURES,
        limits=Limits(
            text_bytes_per_message=config.max_text_per_message,
            text_bytes_per_context=config.max_text_per_context,
            contexts=config.max_contexts,
            idle_s=config.idle_timeout_s,
        ),
        bitrate=config.opus_bitrate,
        missing_voices=by_name(voice for voice in voices if not is_installed(voice)),
        check_lexicon=check_entries,
    )


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


def _observer(log_text: bool, request_id: str | None) -> Callable[[ContextSummary], None]:
    log = structlog.get_logger("realtime")

    def observe(summary: ContextSummary) -> None:
        timing = summary.timing
        values: dict[str, object] = {
            "session": summary.session_id,
            "context": summary.context_id,
            "handle": summary.handle,
            "request": request_id or summary.session_id,
            "reason": summary.reason,
            "voice": summary.settings.voice,
            "language": summary.settings.language,
            "characters": len(summary.text),
            "audio_s": round(timing.audio_s, 3),
            "queue_ms": round(timing.queue_s * 1000, 1),
            "infer_ms": round(timing.infer_s * 1000, 1),
            "encode_ms": round(timing.encode_s * 1000, 1),
            "first_text_ms": timing.between_ms(timing.accepted, timing.first_text),
            "first_audio_ms": timing.between_ms(timing.accepted, timing.first_packet),
            "total_ms": timing.between_ms(timing.accepted, timing.done),
        }
        if log_text:
            values["text"] = summary.text
        log.info("context_over", **values)

    return observe


@asynccontextmanager
async def running(config: Config, clock: Clock | None = None) -> AsyncIterator[Server]:
    """A server that listens for as long as the block runs."""
    clock = clock or MonotonicClock()
    log = structlog.get_logger("realtime")
    scheduler = Scheduler(
        make_engine(config),
        clock,
        config.max_utterances,
        lambda utterance, seconds: log.debug(
            "engine_freed", utterance=utterance, engine_freed_ms=round(seconds * 1000, 1)
        ),
    )
    lexicon = load_lexicon(config.lexicon) if config.lexicon != "none" else {}
    registry = Registry(config.max_sessions)
    offer = make_offer(config)
    executor = ThreadPoolExecutor(config.encoder_threads, thread_name_prefix="encode")
    turns = TextTurns(clock)

    def open_speaker(
        settings: VoiceSettings,
        audio: AudioSettings,
        on_output: Callable[[], None],
        dry_at: Callable[[], float],
    ) -> Speaker:
        frontend = Frontend(text_options(settings, scheduler.capabilities, config, lexicon))
        encoder = make_encoder(audio)
        return Speaker(
            settings,
            frontend,
            encoder,
            scheduler,
            executor,
            clock,
            config.buffer_ms,
            on_output,
            dry_at,
            config.text_wait_ms / 1000,
            turns,
        )

    def make_driver(transport: Transport, request_id: str | None) -> Driver:
        session = Session(new_id(), new_id, offer, clock.now())
        return Driver(session, transport, open_speaker, clock, _observer(config.log_text, request_id))

    def health() -> Health:
        return Health(
            status="ok",
            version=__version__,
            engine=config.engine,
            engine_ready=scheduler.engine_ready,
            sessions=registry.count,
            utterances=scheduler.admitted,
            segments_waiting=scheduler.stats.waiting,
        )

    app = web.Application()
    app.router.add_get("/", index)
    app.router.add_get("/health", health_handler(health))
    app.router.add_get("/ready", ready_handler(lambda: scheduler.ready))
    app.router.add_get(
        "/v1/audio/speech/ws",
        speech_handler(registry, make_driver, offer.limits.message_bytes, lambda: scheduler.started),
    )
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=CLOSE_SESSIONS_S)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, config.host, config.port).start()
        except OSError as error:
            reason = error.strerror or str(error)
            raise ConfigError(f"cannot listen on {config.host}:{config.port}: {reason}") from None
        port = runner.addresses[0][1]
        log.info("loading", engine=config.engine, runner=config.engine_runner)
        languages = dict.fromkeys(language for voice in offer.voices.values() for language in voice.languages)
        warming = asyncio.get_running_loop().run_in_executor(executor, warm_up, tuple(languages))
        await asyncio.gather(scheduler.start(), warming)
        yield Server(config.host, port, registry, scheduler)
    finally:
        await registry.close_all(CLOSE_SESSIONS_S)
        await runner.cleanup()
        await scheduler.stop()
        executor.shutdown(cancel_futures=True)


async def serve(config: Config) -> None:
    """Run until SIGINT or SIGTERM, also while the voice is still being loaded; a second one ends at once."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    this = asyncio.current_task()
    assert this is not None, "a coroutine runs in a task"
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, this.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        async with running(config) as server:
            # What was loaded stays for good: the collector need not look at it again and again.
            gc.collect()
            gc.freeze()
            structlog.get_logger("realtime").info("ready", url=server.url)
            print(_welcome(server.url), flush=True)
            await asyncio.Event().wait()


def _welcome(url: str) -> str:
    elsewhere = "" if url == f"http://{Config().host}:{Config().port}" else f" REALTIME_URL={url}"
    return f"""
  realtime {__version__} is ready at {url}

  hear it:    make say TEXT="Hello there."{elsewhere}
  WebSocket:  {url.replace("http", "ws", 1)}/v1/audio/speech/ws
  stop it:    Ctrl-C
"""


def main() -> None:
    """Read the settings from the environment, and serve. Raises `ConfigError`."""
    config = from_environment(os.environ)
    logs.configure(config.log_level, "json" if config.log_format == "json" else "console")
    # uvloop sends what is written in one turn of the loop with one system call: a tenth of the server's cost.
    uvloop.run(serve(config))
