"""Sound that servers share through a Redis, for a day. Nothing ever waits for it.

Lookups and writes run in tasks of their own, with limits of time, number and memory. A Redis that is lost is
logged once; until it answers again every lookup misses at once. What is found there is checked before it is
believed. The keys begin with a version, which changes with the form of the values.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from realtime.speech.cache import CachedSound, SharedStats
from realtime.speech.redis_connections import Connections
from realtime.speech.sound_bytes import decode_sound, encode_sound

_log = structlog.get_logger(__name__)

#: The names of sounds begin with it. Change the number with the form of the values.
PREFIX = "realtime:1:sound:"
#: How long a sound is kept after it was written.
TTL_S = 24 * 3600
#: Bytes of a value; 21 seconds at 24 kHz. What is larger is neither written nor read: it would hold up the
#: loop for more than a few milliseconds.
LARGEST = 2 * 1024 * 1024
#: A lookup that takes longer, connecting included, is a miss.
LOOKUP_S = 0.25
#: Lookups at the same time; more of them miss at once.
MAX_LOOKUPS = 64
#: Sounds that wait to be written, in number and in bytes; more of them are dropped.
MAX_WRITES = 256
MAX_WRITE_BYTES = 32 * 1024 * 1024
#: Until the first attempt to reach a lost Redis again; doubled with every one that fails.
PAUSE_S = 2.0
MAX_PAUSE_S = 30.0
# Nobody waits for a write, or for the first word of a Redis.
_WRITE_S = 2.0
_CONNECT_S = 2.0
# Lookups that wait for an answer at the same time; the others wait for a connection.
_LOOKUP_CONNECTIONS = 16
# Nobody's key: whether a lookup is answered.
_PROBE = PREFIX + "none"


class RedisCache:
    """A `SharedCache` in Redis. Belongs to the event loop."""

    def __init__(self, url: str, *, lookup_s: float = LOOKUP_S, pause_s: float = PAUSE_S) -> None:
        """`url` as in `redis_connections`; raises `ConfigError` when it is none.

        `lookup_s`: limit of one lookup; `pause_s`: until a lost Redis is tried again, at first.
        """
        # A connection for each lookup, for the writer, and for the one who tries to connect.
        self._connections = Connections(url, _LOOKUP_CONNECTIONS + 2)
        self._redis: Redis = Redis(connection_pool=self._connections)
        self._lookup_s = lookup_s
        self._pause_s = pause_s
        self._places = asyncio.Semaphore(_LOOKUP_CONNECTIONS)
        self._available = False
        self._answered_at = 0.0
        self._lost = asyncio.Event()
        self._is_lost_told = False
        self._told: set[str] = set()  # other troubles that have been logged
        self._lookups: set[asyncio.Task[None]] = set()
        self._writes: deque[tuple[str, CachedSound]] = deque()
        self._write_bytes = 0
        self._has_writes = asyncio.Event()
        self._workers: list[asyncio.Task[None]] = []
        self._stopped = False
        self._hits = 0
        self._misses = 0
        self._invalid = 0
        self._dropped = 0

    @property
    def available(self) -> bool:
        """Whether it answers, as far as is known."""
        return self._available

    @property
    def stats(self) -> SharedStats:
        """Counts since the start."""
        return SharedStats(self._hits, self._misses, self._invalid, self._dropped)

    async def start(self) -> None:
        """Begin to connect; a Redis that is not there is no error."""
        self._workers = [
            asyncio.create_task(self._stay_connected(), name="shared cache: connection"),
            asyncio.create_task(self._write_all(), name="shared cache: writes"),
        ]

    async def stop(self) -> None:
        """Drop what is under way, and close all connections. May be called again."""
        self._stopped = True
        self._available = False
        tasks = [*self._workers, *self._lookups]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._workers.clear()
        self._drop_writes()
        await self._connections.disconnect()

    # -- lookups ----------------------------------------------------------------------------------------

    def fetch(self, key: str, on_result: Callable[[CachedSound | None], None]) -> None:
        """Look a sound up; the callback comes later, on the loop, once, unless `stop` comes before."""
        loop = asyncio.get_running_loop()
        if not self._available or len(self._lookups) >= MAX_LOOKUPS:
            self._misses += 1
            loop.call_soon(self._tell, on_result, None)
            return
        task = loop.create_task(self._look_up(key, on_result), name="shared cache: lookup")
        self._lookups.add(task)
        task.add_done_callback(self._lookups.discard)

    async def _look_up(self, key: str, on_result: Callable[[CachedSound | None], None]) -> None:
        value = await self._read(PREFIX + key)
        sound = self._decoded(value) if value else None
        if sound is None:
            self._misses += 1
        else:
            self._hits += 1
        # From the loop itself, so that an error in it is reported there, as of any other callback.
        asyncio.get_running_loop().call_soon(self._tell, on_result, sound)

    def _tell(self, on_result: Callable[[CachedSound | None], None], sound: CachedSound | None) -> None:
        if not self._stopped:
            on_result(sound)

    async def _read(self, name: str) -> bytes | None:
        began = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(self._lookup_s), self._places:
                return await self._read_range(name)
        except ResponseError as error:
            if str(error).startswith("WRONGTYPE"):
                self._tell_invalid("it is no string")
            else:
                self._on_failure(error, began)
        except Exception as error:  # whatever a server that is none may bring about: it is a miss
            self._on_failure(error, began)
        return None

    async def _read_range(self, name: str) -> bytes:
        # Not GET: one byte more than may be, however large it is. Of a key that is not there: no byte.
        value: Any = await self._redis.getrange(name, 0, LARGEST)
        if not isinstance(value, bytes):
            raise RedisConnectionError("another answer than was asked for")
        self._answered_at = asyncio.get_running_loop().time()
        return value

    def _decoded(self, value: bytes) -> CachedSound | None:
        try:
            if len(value) > LARGEST:
                raise ValueError("it is too large")
            return decode_sound(value)
        except ValueError as error:
            self._tell_invalid(str(error))
            return None

    def _tell_invalid(self, reason: str) -> None:
        self._invalid += 1
        self._warn_once("shared_cache_invalid", reason)

    # -- writes -----------------------------------------------------------------------------------------

    def keep(self, key: str, sound: CachedSound) -> None:
        """Write a sound when its turn comes; it is dropped when too much waits, or Redis is lost."""
        if (
            not self._available
            or sound.size > LARGEST
            or len(self._writes) >= MAX_WRITES
            or self._write_bytes + sound.size > MAX_WRITE_BYTES
        ):
            self._dropped += 1
            return
        self._writes.append((key, sound))
        self._write_bytes += sound.size
        self._has_writes.set()

    async def _write_all(self) -> None:
        while True:
            await self._has_writes.wait()
            if not self._writes:
                self._has_writes.clear()
                continue
            key, sound = self._writes.popleft()
            self._write_bytes -= sound.size
            if not await self._write(key, sound):
                self._dropped += 1

    async def _write(self, key: str, sound: CachedSound) -> bool:
        began = asyncio.get_running_loop().time()
        try:
            value = encode_sound(sound)
        except ValueError:  # in too many small parts, or without an end
            return False
        try:
            async with asyncio.timeout(_WRITE_S):
                await self._redis.set(PREFIX + key, value, ex=TTL_S)
        except ResponseError as error:  # it is full, say, or may only be read
            self._warn_once("shared_cache_read_only", type(error).__name__)
            return False
        except Exception as error:
            self._on_failure(error, began)
            return False
        self._answered_at = asyncio.get_running_loop().time()
        return True

    def _drop_writes(self) -> None:
        self._dropped += len(self._writes)
        self._writes.clear()
        self._write_bytes = 0

    # -- whether it is there ----------------------------------------------------------------------------

    async def _stay_connected(self) -> None:
        loop = asyncio.get_running_loop()
        pause = self._pause_s
        while True:
            try:
                async with asyncio.timeout(_CONNECT_S):
                    # Those from before its loss may lead nowhere.
                    await self._connections.disconnect(inuse_connections=False)
                    await self._read_range(_PROBE)
            except Exception as error:
                self._tell_lost(error)
            else:
                up_since = loop.time()
                self._available = True
                self._tell_back()
                await self._lost.wait()
                self._lost.clear()
                if loop.time() - up_since > MAX_PAUSE_S:
                    pause = self._pause_s
            await asyncio.sleep(pause)
            pause = min(2 * pause, MAX_PAUSE_S)

    def _on_failure(self, error: Exception, began: float) -> None:
        """It is lost, unless another was answered since this began: then it was only this connection."""
        if self._available and began >= self._answered_at:
            self._available = False
            self._lost.set()
            self._drop_writes()
            self._tell_lost(error)

    def _tell_lost(self, error: Exception) -> None:
        if not self._is_lost_told:
            self._is_lost_told = True
            _log.warning("shared_cache_lost", where=self._connections.where, reason=_reason(error))

    def _tell_back(self) -> None:
        self._told.clear()
        if self._is_lost_told:
            self._is_lost_told = False
            _log.info("shared_cache_back", where=self._connections.where)

    def _warn_once(self, event: str, reason: str) -> None:
        if event + reason not in self._told:
            self._told.add(event + reason)
            _log.warning(event, where=self._connections.where, reason=reason)


def _reason(error: Exception) -> str:
    """Why it is lost, in words of our own: a server's may repeat the password that it was given."""
    cause = error.__context__
    if isinstance(error, TimeoutError | RedisTimeoutError):
        return "no answer in time"
    if isinstance(error, AuthenticationError) or isinstance(cause, AuthenticationError):
        return "it refuses the user or the password"
    if isinstance(cause, OSError):
        return cause.strerror or type(cause).__name__
    if isinstance(error, RedisConnectionError):
        return "the connection broke"
    return type(error).__name__
