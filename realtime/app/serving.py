"""Puts the parts of a server together, listens, and drains."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import resource
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import structlog
import uvloop
from aiohttp import web

from realtime import __version__
from realtime.app.building import (
    cloned_voice,
    encoder_threads,
    has_rubber_band,
    known_voices,
    make_address_limits,
    make_cache,
    make_engine,
    make_keys,
    make_levels,
    make_offer,
    make_store,
    sound_revision,
)
from realtime.app.health import Insight, metrics_renderer
from realtime.app.models import make_model
from realtime.app.observing import Observers
from realtime.app.signals import Signals
from realtime.app.speaking import speaker_opener
from realtime.app.watching import watching
from realtime.app.webrtc import make_rtc
from realtime.audio.opus import silent_packet
from realtime.clock import Clock, MonotonicClock, WallClock
from realtime.config import SECRETS, Config, from_environment, given, without_effect
from realtime.engines.crew import SWITCH_INTERVAL_S
from realtime.host import in_force
from realtime.live.driver import Driver
from realtime.live.reading import Readings
from realtime.live.registry import Registry, new_id
from realtime.live.socket import SocketSettings
from realtime.observe import logs
from realtime.observe.metrics import Metrics
from realtime.paths import page_folder
from realtime.server.application import Rooms, make_application, speaking_routes
from realtime.server.catalogue import Catalogue
from realtime.server.gate import Gate
from realtime.server.held import Memory
from realtime.server.listen import is_loopback, listening, warn_if_open
from realtime.server.origins import origin_policy
from realtime.server.page import read_page
from realtime.server.speech import SpeechAnswers
from realtime.server.status import VoicesHealth
from realtime.server.webrtc.channel import MOST_MESSAGE_BYTES
from realtime.server.webrtc.peers import Peers
from realtime.session.session import Session
from realtime.speech.cache import AudioCache
from realtime.speech.scheduler import Scheduler
from realtime.speech.speaker import Studio
from realtime.speech.synthesis import Syntheses
from realtime.speech.text_feed import TextTurns
from realtime.speech.urgent_threads import UrgentThreads
from realtime.text.frontend import warm_up
from realtime.text.lexicon import load_lexicon
from realtime.types import LANGUAGES, Caller

#: Threads for recordings that are decoded, which may take 30 s each; and for cloned voices on the disk.
DECODER_THREADS = 2
DISK_THREADS = 2
CLOSE_SESSIONS_S = 2.0
#: Open files and connections that are asked for.
MOST_DESCRIPTORS = 65_536


@dataclass(frozen=True, slots=True)
class Server:
    """A server that listens. `load` loads the voice; before that has returned nothing is spoken."""

    host: str | None
    port: int | None
    uds: Path | None
    registry: Registry
    scheduler: Scheduler
    cache: AudioCache
    gate: Gate
    peers: Peers | None
    load: Callable[[], Coroutine[None, None, None]]

    @property
    def url(self) -> str:
        """Where it can be reached; over a socket file the host has no meaning."""
        if self.host is None:
            return "http://localhost"
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    async def drain(self, timeout_s: float) -> None:
        """Take nothing new, and wait for what is running, for `timeout_s` at most.

        It still listens, so that `/ready` can say that it is not. What is left is closed when it ends.
        """
        log = structlog.get_logger("realtime")
        begun = asyncio.get_running_loop().time()
        self.gate.close()
        log.info("draining", sessions=self.registry.count, requests=self.gate.count, drain_s=timeout_s)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await asyncio.gather(self.registry.drain(timeout_s), self.gate.until_empty())
        took_s = asyncio.get_running_loop().time() - begun
        log.info("drained", sessions=self.registry.count, requests=self.gate.count, took_s=round(took_s, 3))


_E = TypeVar("_E", bound=Executor)


@contextmanager
def ending(executor: _E) -> Iterator[_E]:
    """Threads that are waited for at the end; what they have not begun is dropped."""
    try:
        yield executor
    finally:
        executor.shutdown(cancel_futures=True)


def _threads(count: int, name: str) -> AbstractContextManager[ThreadPoolExecutor]:
    return ending(ThreadPoolExecutor(count, thread_name_prefix=name))


@asynccontextmanager
async def running(config: Config, clock: Clock | None = None) -> AsyncIterator[Server]:
    """A server that listens for as long as the block runs, and whose voice is loaded."""
    async with listening_server(config, clock) as server:
        await server.load()
        yield server


@asynccontextmanager
async def listening_server(config: Config, clock: Clock | None = None) -> AsyncIterator[Server]:
    """A server that listens for as long as the block runs, and is still to be loaded."""
    clock = clock or MonotonicClock()
    log, begun = structlog.get_logger("realtime"), clock.now()
    for setting in without_effect(config):
        log.warning("setting_without_effect", setting=setting)
    keys = make_keys(config)
    address_limits = make_address_limits(config)
    host, uds = given(config.host), given(config.uds)
    is_private = host is not None and is_loopback(host) and not keys.keys
    origins = origin_policy(given(config.allowed_origins), is_private, host)
    lexicon = load_lexicon(config.lexicon) if given(config.lexicon) else {}
    cache = make_cache(config)
    store = make_store(config)
    await asyncio.to_thread(store.open)
    page = await asyncio.to_thread(read_page, page_folder())
    model = await asyncio.to_thread(make_model, config)
    metrics = Metrics(__version__, config.engine, known_voices(config, model), speaking_routes(config.rtc))
    observers = Observers(metrics, config.log_text, config.log_access)
    scheduler = Scheduler(
        make_engine(config, model),
        clock,
        config.max_utterances,
        observers.engine_freed,
        config.max_queue_depth,
        config.max_wait_ms,
        observers.steps,
    )
    registry = Registry(config.max_sessions)
    gate = Gate()
    offer = make_offer(config, lambda name: cloned_voice(name, store, scheduler), model)
    revision = sound_revision(config, lexicon, model)
    async with AsyncExitStack() as stack:
        encoders = stack.enter_context(ending(UrgentThreads(encoder_threads(config), "encode")))
        decoders = stack.enter_context(_threads(DECODER_THREADS, "decode"))
        disk = stack.enter_context(_threads(DISK_THREADS, "disk"))
        syntheses = Syntheses(cache, clock)
        levels = make_levels(config, offer, scheduler, syntheses, encoders, clock)
        studio = Studio(
            scheduler,
            syntheses,
            revision,
            encoders,
            clock,
            TextTurns(clock),
            config.buffer_ms,
            config.text_wait_ms / 1000,
            levels,
        )

        stretchers = None
        if await asyncio.to_thread(has_rubber_band, config):
            stretchers = stack.enter_context(ending(UrgentThreads(encoder_threads(config), "stretch")))
        open_speaker = speaker_opener(config, lexicon, studio, stretchers)

        sockets = SocketSettings(config.heartbeat_s, config.max_messages_per_s)

        def make_driver(caller: Caller) -> Driver:
            session = Session(new_id(), new_id, offer, clock.now())
            return Driver(session, open_speaker, clock, observers.of_session(caller), registry.find, sockets)

        channels = replace(sockets, heartbeat_s=0.0)  # of a data channel ICE finds out whether it is there
        channel_offer = replace(offer, limits=replace(offer.limits, message_bytes=MOST_MESSAGE_BYTES))

        def make_channel_driver(caller: Caller) -> Driver:
            session = Session(new_id(), new_id, channel_offer, clock.now(), data_channel=True)
            observe = observers.of_session(caller)
            return Driver(
                session, open_speaker, clock, observe, registry.find, channels, has_data_channel=True
            )

        peers = None
        if config.rtc:
            peers = Peers(
                make_rtc(config),
                registry,
                make_channel_driver,
                silent_packet(),
                clock,
                observers.session_refused,
            )
        readings = Readings(open_speaker, clock, observers.reading)
        catalogue = Catalogue(offer, store, disk)

        def is_ready() -> bool:
            return scheduler.ready and not gate.closed

        insight = Insight(
            config,
            clock,
            scheduler,
            cache,
            registry,
            lambda: readings.count,
            lambda: 0 if peers is None else peers.count,
            lambda: VoicesHealth(len(catalogue.built_in()), len(store.all())),
            lambda: observers.thrown_away_s,
            is_ready,
            begun,
        )
        rooms = Rooms(
            catalogue,
            SpeechAnswers(
                readings,
                cache,
                clock,
                observers.reading,
                revision,
                scheduler.check_loaded,
                encoders,
                Memory(),
            ),
            registry,
            peers,
            make_driver,
            insight.health,
            None if config.metrics == "off" else metrics_renderer(metrics, insight),
            config.metrics == "open",
            observers.request,
            is_ready,
            lambda: scheduler.capabilities.cloning,
            scheduler.forget,
            scheduler.check_room,
            gate,
            page,
            decoders,
            clock,
            WallClock(),
        )

        async def load() -> None:
            if model is None:
                log.info("loading", engine=config.engine, runner=config.engine_runner)
            else:
                log.info("loading", engine=config.engine, model=model.settings.model_id)
            spoken = [voice.languages for voice in offer.voices.values()] or [LANGUAGES]
            languages = (each for languages in spoken for each in languages)
            warming = asyncio.get_running_loop().run_in_executor(
                encoders, warm_up, tuple(dict.fromkeys(languages))
            )
            await asyncio.gather(scheduler.start(), cache.start(), warming)
            voice = offer.default
            if levels is None or voice is None or voice.instruct == "required":
                return
            if scheduler.load.phase == "loaded":  # else whoever wants to hear it first has to wait anyway
                await levels.gain_db(voice.id, voice.languages[0], None)

        runner = web.AppRunner(
            make_application(rooms, __version__, keys, origins, address_limits),
            handle_signals=False,
            shutdown_timeout=CLOSE_SESSIONS_S,
        )
        await runner.setup()
        try:
            async with (
                listening(
                    runner, config.request_timeout_s, host, config.port, uds, int(config.uds_mode, 8)
                ) as addresses,
                watching(metrics, registry),
            ):
                warn_if_open(host, addresses.port or 0, bool(keys.keys))
                yield Server(
                    host, addresses.port, addresses.uds, registry, scheduler, cache, gate, peers, load
                )
        finally:
            await registry.close_all(CLOSE_SESSIONS_S)
            if peers is not None:
                await peers.close_all()
            await runner.cleanup()
            if levels is not None:
                await levels.stop()
            await scheduler.stop()
            await cache.stop()


async def serve(config: Config) -> None:
    """Run until SIGINT or SIGTERM, also while the voice is still being loaded; a second one ends at once."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    signals = Signals()
    async with listening_server(config) as server:
        loading = asyncio.create_task(server.load())
        signals.cancel(loading)
        try:
            await asyncio.wait({loading})
        finally:
            loading.cancel()
        if not loading.cancelled():
            loading.result()
            # What was loaded stays for good: the collector need not look at it again and again.
            gc.collect()
            gc.freeze()
            structlog.get_logger("realtime").info("ready", url=server.url, uds=server.uds and str(server.uds))
            print(_welcome(server), flush=True)
            await signals.first()
        await server.drain(config.drain_s)


def _welcome(server: Server) -> str:
    url = server.url
    lines = [f"realtime {__version__} is ready at {server.uds if server.port is None else url}", ""]
    if server.port is not None:
        elsewhere = "" if url == f"http://{Config().host}:{Config().port}" else f" REALTIME_URL={url}"
        lines += [
            f"hear it:    {url} in a browser",
            f'            make say TEXT="Hello there."{elsewhere}',
            f"WebSocket:  {url.replace('http', 'ws', 1)}/v1/audio/speech/ws",
            f"HTTP:       {url}/v1/audio/speech (as OpenAI's; {url}/openapi.json)",
        ]
    if server.uds is not None:
        lines.append(f"socket:     {server.uds}")
    return "\n" + "".join(f"  {line}\n" if line else "\n" for line in (*lines, "stop it:    Ctrl-C"))


def _allow_descriptors() -> None:
    """As many connections as the system lets us have: by default a process may hold only a part of them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):  # some systems have a lower limit of their own
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def main() -> None:
    """Read the settings from the environment, and serve. Raises `ConfigError`."""
    config = from_environment(os.environ)
    for name in SECRETS:
        os.environ.pop(name, None)  # no process that is started from here has a use for them
    _allow_descriptors()
    logs.configure(config.log_level, "json" if config.log_format == "json" else "console", config.log_text)
    structlog.get_logger("realtime").info("host", **in_force(config))
    # uvloop sends what is written in one turn of the loop with one system call: a tenth of the server's cost.
    uvloop.run(serve(config))
