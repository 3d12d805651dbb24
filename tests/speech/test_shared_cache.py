"""Sound shared through a real Redis: one that works, hangs, dies, comes back, and holds rubbish."""

from __future__ import annotations

import asyncio
import gc
import logging
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import numpy as np
import pytest
import structlog
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from bench.server import free_port
from realtime.errors import ConfigError
from realtime.speech import shared_cache
from realtime.speech.cache import AudioCache, CachedSound
from realtime.speech.shared_cache import LARGEST, LOOKUP_S, MAX_LOOKUPS, MAX_WRITES, PREFIX, TTL_S, RedisCache
from realtime.speech.sound_bytes import decode_sound, encode_sound
from realtime.types import AudioChunk, WordTiming
from tests.redis_server import RedisServer, running_redis
from tests.speech.sounds import until

#: No pause, so that one that is back is found soon.
PAUSE_S = 0.02


def sound_of(seed: int, seconds: float = 0.5, chunks: int = 3) -> CachedSound:
    """Noise whose samples and words tell which it is; the middle chunk of several has no samples.

    Two chunks are a segment.
    """
    random = np.random.default_rng(seed)
    made = []
    for number in range(chunks):
        samples = 0 if chunks > 1 and number == chunks // 2 else round(seconds * 24_000 / chunks) + number
        pcm = random.uniform(-1, 1, samples).astype(np.float32)
        words = tuple(WordTiming(at, at + 3, at * 10, at * 10 + 5) for at in range(number * 2))
        is_last = number % 2 == 1 or number == chunks - 1
        made.append(AudioChunk(number // 2, pcm, 24_000, words, number == 1, is_last))
    return CachedSound(tuple(made))


def assert_same(found: CachedSound | None, expected: CachedSound) -> None:
    assert found is not None
    assert len(found.chunks) == len(expected.chunks)
    for one, other in zip(found.chunks, expected.chunks, strict=True):
        assert one.pcm.dtype == np.float32
        assert one.pcm.tobytes() == other.pcm.tobytes()
        assert not one.pcm.flags.writeable
        assert (one.segment, one.sample_rate, one.words) == (other.segment, other.sample_rate, other.words)
        assert (one.estimated, one.last_of_segment) == (other.estimated, other.last_of_segment)


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with running_redis() as started:
        yield started


Logs = list[Any]


@pytest.fixture
def logs() -> Iterator[Logs]:
    """What is logged, at whatever level, and whatever the test before has set up."""
    structlog.reset_defaults()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG))
    with structlog.testing.capture_logs() as captured:
        yield captured
    structlog.reset_defaults()


def events(logs: Logs) -> list[str]:
    return [entry["event"] for entry in logs]


@asynccontextmanager
async def cache_at(url: str, *, ready: bool = True, lookup_s: float = 2.0) -> AsyncIterator[AudioCache]:
    """A cache that is connected unless not `ready`; lookups have time enough for a machine that is busy."""
    cache = AudioCache(64 * 2**20, 1000, RedisCache(url, lookup_s=lookup_s, pause_s=PAUSE_S))
    await cache.start()
    try:
        if ready:
            await until(lambda: cache.has_shared)
        yield cache
    finally:
        await cache.stop()


async def fetched(cache: AudioCache, key: str) -> CachedSound | None:
    """What a lookup answers; that it answers a second time would be an error in the loop."""
    answered: asyncio.Future[CachedSound | None] = asyncio.get_running_loop().create_future()
    cache.fetch_shared(key, answered.set_result)
    assert not answered.done()
    return await asyncio.wait_for(answered, 10)


async def written(server: RedisServer, key: str) -> None:
    await until(lambda: server.execute("EXISTS", PREFIX + key) == 1)


# -- one that works -----------------------------------------------------------------------------------


async def test_two_servers_share_a_sound_bit_for_bit(server: RedisServer) -> None:
    sound = sound_of(1)
    async with cache_at(server.url) as one, cache_at(server.url) as other:
        assert await fetched(other, "a") is None
        one.keep_sound("a", sound)
        await written(server, "a")
        assert other.sound("a") is None
        found = await fetched(other, "a")
        assert_same(found, sound)
        assert other.sound("a") is found
        assert (other.stats.shared, other.stats.shared_hits, other.stats.shared_misses) == ("ok", 1, 1)
        assert one.stats.shared_dropped == 0
    assert server.execute("KEYS", "*") == [b"realtime:1:sound:a"]
    assert TTL_S - 60 <= server.execute("TTL", "realtime:1:sound:a") <= TTL_S == 24 * 3600


async def test_a_hit_in_memory_asks_nobody(server: RedisServer) -> None:
    async with cache_at(server.url) as cache:
        cache.keep_sound("a", sound_of(1))
        await written(server, "a")
        commands = server.execute("INFO", "stats")["total_commands_processed"]
        for _ in range(100):
            assert cache.sound("a") is not None
            assert cache.sound("b") is None
        await asyncio.sleep(0)
        assert server.execute("INFO", "stats")["total_commands_processed"] <= commands + 5
        assert cache.stats.shared_misses == 0


async def test_over_tcp_with_a_password_and_a_database() -> None:
    with running_redis("p/s?#@ü", tcp=True) as server:
        url = f"redis://:p%2Fs%3F%23%40%C3%BC@127.0.0.1:{server.port}/3"
        async with cache_at(url) as one, cache_at(url) as other:
            one.keep_sound("a", sound_of(1))
            await until(lambda: "db3" in server.execute("INFO", "keyspace"))
            assert_same(await fetched(other, "a"), sound_of(1))


async def test_over_tls(logs: Logs) -> None:
    with running_redis(tls=True) as server:
        trusting = f"{server.url}?ssl_ca_certs={server.path.parent}/cert.pem"
        async with cache_at(trusting) as one, cache_at(server.url, ready=False) as distrustful:
            one.keep_sound("a", sound_of(1, seconds=20))
            await written(server, "a")
            assert_same(await fetched(one, "a"), sound_of(1, seconds=20))
            await until(lambda: bool(logs))
            assert not distrustful.has_shared
    assert events(logs) == ["shared_cache_lost"]
    assert "certificate" in logs[0]["reason"]


async def test_many_lookups_at_the_same_time_each_get_their_own(server: RedisServer) -> None:
    async with cache_at(server.url) as one, cache_at(server.url) as other:
        for number in range(50):
            one.keep_sound(str(number), sound_of(number))
        await until(lambda: server.execute("DBSIZE") == 50)
        found = await asyncio.gather(*(fetched(other, str(number)) for number in range(50)))
        for number, sound in enumerate(found):
            assert_same(sound, sound_of(number))
        connections = server.execute("INFO", "clients")["connected_clients"]
        assert connections <= 2 * 18 + 1


# -- one that hangs, dies and comes back --------------------------------------------------------------


async def test_one_that_hangs_is_a_miss_within_the_limit(server: RedisServer, logs: Logs) -> None:
    async with cache_at(server.url, lookup_s=LOOKUP_S) as cache:
        cache.keep_sound("a", sound_of(1))
        await written(server, "a")
        server.pause()
        for number in range(5):
            cache.keep_sound(f"not written {number}", sound_of(3))
        await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        began = loop.time()
        turns = 0
        lookups = [asyncio.create_task(fetched(cache, "a")) for _ in range(20)]
        while not all(lookup.done() for lookup in lookups):
            await asyncio.sleep(0.001)
            turns += 1
        assert loop.time() - began >= LOOKUP_S
        assert [lookup.result() for lookup in lookups] == [None] * 20
        assert turns > 20  # others went on meanwhile
        assert cache.stats.shared == "lost"
        assert cache.stats.shared_dropped == 4  # all but the one that was being sent
        # From now on nobody waits: the answer is there with the next turn of the loop.
        missed = list[object]()
        cache.fetch_shared("a", missed.append)
        assert missed == []
        await asyncio.sleep(0)
        assert missed == [None]
        server.resume()
        await until(lambda: cache.has_shared)
        # The answers that came too late are nobody's.
        cache.keep_sound("b", sound_of(2))
        await written(server, "b")
        for _ in range(20):
            assert_same(await fetched(cache, "a"), sound_of(1))
            assert_same(await fetched(cache, "b"), sound_of(2))
    assert events(logs) == ["shared_cache_lost", "shared_cache_back"]
    assert (logs[0]["log_level"], logs[1]["log_level"]) == ("warning", "info")
    assert logs[0]["reason"] == "no answer in time"


async def test_one_that_dies_and_comes_back(server: RedisServer, logs: Logs) -> None:
    async with cache_at(server.url) as cache:
        server.pause()
        lookup = asyncio.create_task(fetched(cache, "a"))
        cache.keep_sound("a", sound_of(1, seconds=20))
        await asyncio.sleep(0.05)
        server.stop()
        assert await lookup is None
        await until(lambda: cache.stats.shared == "lost" and cache.stats.shared_dropped == 1)
        cache.keep_sound("b", sound_of(2))
        assert cache.stats.shared_dropped == 2
        assert await fetched(cache, "a") is None
        await asyncio.sleep(5 * PAUSE_S)
        server.start()
        await until(lambda: cache.has_shared)
        cache.keep_sound("a", sound_of(1))
        await written(server, "a")
        assert_same(await fetched(cache, "a"), sound_of(1))
        assert cache.stats.shared == "ok"
    assert events(logs) == ["shared_cache_lost", "shared_cache_back"]


async def test_connections_that_it_closed_while_they_were_idle_are_no_loss(
    server: RedisServer, logs: Logs
) -> None:
    async with cache_at(server.url) as cache:
        for _ in range(5):
            await asyncio.gather(*(fetched(cache, "a") for _ in range(5)))
            server.execute("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            await asyncio.sleep(0.01)
        cache.keep_sound("a", sound_of(1))
        await written(server, "a")
        assert_same(await fetched(cache, "a"), sound_of(1))
    assert logs == []


async def test_one_that_is_not_there_at_the_start_is_found_later(logs: Logs) -> None:
    with running_redis("secret") as server:
        server.stop()
        async with cache_at(server.url, ready=False) as cache:
            await until(lambda: bool(logs))
            await asyncio.sleep(5 * PAUSE_S)
            assert not cache.has_shared
            assert await fetched(cache, "a") is None
            server.start()
            await until(lambda: cache.has_shared)
            cache.keep_sound("a", sound_of(1))
            await written(server, "a")
    assert events(logs) == ["shared_cache_lost", "shared_cache_back"]
    assert logs[0]["reason"] == "Connection refused"
    assert "secret" not in repr(logs)


@pytest.mark.parametrize("url", ["unix://:wrong@{path}", "unix://{path}", "unix://lisa:wrong@{path}"])
async def test_a_wrong_password_is_a_loss_that_tells_no_password(url: str, logs: Logs) -> None:
    with running_redis("secret") as server:
        async with cache_at(url.format(path=server.path), ready=False) as cache:
            await until(lambda: bool(logs))
            await asyncio.sleep(3 * PAUSE_S)
            assert cache.stats.shared == "lost"
            assert await fetched(cache, "a") is None
    assert events(logs) == ["shared_cache_lost"]
    assert logs[0]["reason"] == "it refuses the user or the password"
    assert logs[0]["where"] == str(server.path)
    assert "wrong" not in repr(logs)


Answer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def answering(answer: Answer) -> AsyncIterator[str]:
    """The URL of a server that answers each GETRANGE in a way of its own, and everything else with OK."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readline():
                words = [await _argument(reader) for _ in range(int(head[1:]))]
                if words[0] == b"GETRANGE":
                    await answer(words[1].removeprefix(PREFIX.encode()), writer)
                else:
                    writer.write(b"+OK\r\n")
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"redis://:secret@127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def _argument(reader: asyncio.StreamReader) -> bytes:
    length = int((await reader.readline())[1:])
    return (await reader.readexactly(length + 2))[:-2]


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"$x\r\n",
        b"$-7\r\n",
        b"*100000\r\n" * 3000,
        b":7\r\n",
        b"+OK\r\n",
        b"*-1\r\n",
        b"-ERR unknown command, with args beginning with: secret\r\n",
        b"-NOPERM no permission for secret\r\n",
        b"-MOVED 1 127.0.0.1:1\r\n",
        b"-LOADING secret\r\n",
        b"\xff" * 100_000,
        b"",
    ],
)
async def test_a_server_that_speaks_nonsense_is_lost_and_harmless(reply: bytes, logs: Logs) -> None:
    async def answer(key: bytes, writer: asyncio.StreamWriter) -> None:
        if key == b"none":
            writer.write(b"$0\r\n\r\n")
        else:
            writer.write(reply)
            writer.close()

    async with answering(answer) as url, cache_at(url) as cache:
        found = await asyncio.gather(*(fetched(cache, str(number)) for number in range(10)))
        assert found == [None] * 10
        assert (cache.stats.shared_hits, cache.stats.shared_misses) == (0, 10)
        if reply not in (b"+OK\r\n", b"$-7\r\n"):
            assert events(logs)[0] == "shared_cache_lost"
    assert "secret" not in repr(logs)


async def test_one_slow_answer_is_no_loss_while_others_are_answered(logs: Logs) -> None:
    async def answer(key: bytes, writer: asyncio.StreamWriter) -> None:
        if key != b"slow":
            writer.write(b"$0\r\n\r\n")

    async with answering(answer) as url, cache_at(url, lookup_s=0.2) as cache:
        slow = asyncio.create_task(fetched(cache, "slow"))
        await asyncio.sleep(0.01)
        while not slow.done():
            assert await fetched(cache, "fast") is None
            await asyncio.sleep(0.01)
        assert cache.has_shared
        assert await slow is None
    assert logs == []


async def test_connections_that_lead_nowhere_are_not_used_after_a_loss(logs: Logs) -> None:
    connections, deaf = set[asyncio.StreamWriter](), set[asyncio.StreamWriter]()
    value = encode_sound(sound_of(1))

    async def answer(key: bytes, writer: asyncio.StreamWriter) -> None:
        connections.add(writer)
        if writer not in deaf:
            await asyncio.sleep(0.01)
            writer.write(b"$0\r\n\r\n" if key == b"none" else b"$%d\r\n%b\r\n" % (len(value), value))

    async with answering(answer) as url, cache_at(url, lookup_s=0.2) as cache:
        await asyncio.gather(*(fetched(cache, "a") for _ in range(8)))
        assert len(connections) >= 8
        deaf |= connections
        assert await fetched(cache, "a") is None
        await until(lambda: cache.has_shared)
        for found in await asyncio.gather(*(fetched(cache, "a") for _ in range(8))):
            assert_same(found, sound_of(1))
    assert events(logs) == ["shared_cache_lost", "shared_cache_back"]


async def test_an_answer_without_end_takes_no_memory_after_the_limit(logs: Logs) -> None:
    sent = 0

    async def answer(key: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        if key == b"none":
            writer.write(b"$0\r\n\r\n")
            return
        writer.write(b"$99999999999\r\n")
        while True:
            writer.write(bytes(100_000))
            await writer.drain()
            sent += 100_000
            await asyncio.sleep(0.01)

    async with answering(answer) as url, cache_at(url, lookup_s=0.1) as cache:
        assert await fetched(cache, "a") is None
        assert not cache.has_shared or events(logs) == ["shared_cache_lost", "shared_cache_back"]
        await asyncio.sleep(0.1)
        after = sent
        await asyncio.sleep(0.1)
        assert sent == after > 0


# -- rubbish ------------------------------------------------------------------------------------------


def packed(chunks: Any, samples: np.ndarray[Any, Any], magic: bytes = b"rts1") -> bytes:
    """A value with a right checksum, whatever is in it."""
    header = msgspec.msgpack.encode(chunks)
    rest = header + bytes(-len(header) % 16) + samples.astype("<f4").tobytes()
    return struct.pack("<4sII4x", magic, len(header), zlib.crc32(rest)) + rest


VALUE = encode_sound(sound_of(1))
TEN = np.zeros(10, np.float32)
WORD = [0, 3, 0, 5]


def chunk(
    segment: Any = 0,
    samples: Any = 10,
    rate: Any = 24_000,
    words: Any = (),
    estimated: Any = False,
    last: Any = True,
) -> list[Any]:
    return [segment, samples, rate, list(words), estimated, last]


def segments(*ends: tuple[int, bool]) -> bytes:
    """A value of as many chunks as there are pairs: their segment, and whether they are the last of it."""
    chunks = [chunk(segment, last=last) for segment, last in ends]
    return packed(chunks, np.zeros(10 * len(chunks), np.float32))


def with_sample(value: float) -> np.ndarray[Any, Any]:
    changed = TEN.copy()
    changed[7] = value
    return changed


RUBBISH = {
    "random": np.random.default_rng(0).bytes(5000),
    "one byte": b"r",
    "only the beginning": VALUE[:16],
    "cut short": VALUE[:-1],
    "cut in the header": VALUE[:30],
    "longer": VALUE + b"\0",
    "one bit of the sound": VALUE[:-9] + bytes([VALUE[-9] ^ 1]) + VALUE[-8:],
    "one bit of the header": VALUE[:20] + bytes([VALUE[20] ^ 1]) + VALUE[21:],
    "another form": packed([chunk()], TEN, b"rts2"),
    "header longer than all": struct.pack("<4sII4x", b"rts1", 2**32 - 1, zlib.crc32(b"")),
    "header no MessagePack": struct.pack("<4sII4x", b"rts1", 3, zlib.crc32(b"\xc1" * 16)) + b"\xc1" * 16,
    "header no list": packed({"a": 1}, TEN),
    "no chunks": packed([], TEN[:0]),
    "field missing": packed([chunk()[:5]], TEN),
    "field too many": packed([[*chunk(), 1]], TEN),
    "fewer samples": packed([chunk(samples=11)], TEN),
    "more samples": packed([chunk(samples=9)], TEN),
    "negative": packed([chunk(samples=-10), chunk(samples=20)], TEN),
    "huge": packed([chunk(samples=2**62)], TEN),
    "not a whole number": packed([chunk(samples=10.0)], TEN),
    "rate": packed([chunk(rate=0)], TEN),
    "rate as text": packed([chunk(rate="24000")], TEN),
    "estimated as number": packed([chunk(estimated=1)], TEN),
    "not a number": packed([chunk()], with_sample(float("nan"))),
    "infinite": packed([chunk()], with_sample(float("-inf"))),
    "too loud": packed([chunk()], with_sample(1e30)),
    "word of three": packed([chunk(words=[WORD[:3]])], TEN),
    "word backwards": packed([chunk(words=[[3, 0, 0, 5]])], TEN),
    "word ends before it begins": packed([chunk(words=[[0, 3, 5, 0]])], TEN),
    "word long after the end": packed([chunk(words=[[0, 3, 0, 10**6]])], TEN),
    "words without end": packed([chunk(words=[WORD] * 20_000)], TEN),
    "without an end": segments((0, False)),
    "the last segment without an end": segments((0, True), (1, False)),
    "a segment before it without an end": segments((0, False), (1, True)),
    "a segment with two ends": segments((0, True), (0, True)),
    "a segment in two places": segments((0, True), (1, True), (0, True)),
    "a segment between another's parts": segments((1, False), (0, True), (1, True)),
    "last as number": packed([chunk(last=1)], TEN),
}


def test_the_values_made_by_hand_are_such_as_are_written() -> None:
    found = decode_sound(packed([chunk(words=[WORD])], with_sample(0.5)))
    (made,) = found.chunks
    assert made.words == (WordTiming(0, 3, 0, 5),)
    assert made.pcm[7] == 0.5


def test_every_segment_has_one_end() -> None:
    found = decode_sound(segments((0, False), (0, True), (2, True), (3, False), (3, False), (3, True)))
    assert [each.last_of_segment for each in found.chunks] == [False, True, True, False, False, True]


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=6))
def test_what_is_written_can_be_read(ends: list[tuple[int, bool]]) -> None:
    """And who hears it comes to an end: the last chunk is one."""
    silence = np.zeros(10, np.float32)
    sound = CachedSound(
        tuple(AudioChunk(segment, silence, 24_000, last_of_segment=last) for segment, last in ends)
    )
    try:
        value = encode_sound(sound)
    except ValueError:
        with pytest.raises(ValueError, match=r"^its segments"):
            decode_sound(segments(*ends))
        return
    assert_same(decode_sound(value), sound)
    numbers = [segment for segment, _ in ends]
    assert numbers == sorted(numbers) and ends[-1][1]
    assert sum(last for _, last in ends) == len(set(numbers))


@pytest.mark.parametrize("name", RUBBISH)
def test_rubbish_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"^it"):
        decode_sound(RUBBISH[name])


@given(st.binary(max_size=200), st.integers(0, len(VALUE)), st.integers(0, len(VALUE)))
def test_no_change_of_a_value_goes_unseen(insertion: bytes, start: int, end: int) -> None:
    changed = VALUE[:start] + insertion + VALUE[end:]
    if changed != VALUE:
        with pytest.raises(ValueError, match=r"^it"):
            decode_sound(changed)


async def test_rubbish_in_redis_is_a_miss_and_logged_once_a_kind(server: RedisServer, logs: Logs) -> None:
    for name, value in RUBBISH.items():
        server.execute("SET", PREFIX + name, value)
    server.execute("SET", PREFIX + "too large", bytes(2 * LARGEST))
    server.execute("RPUSH", PREFIX + "list", "a")
    server.execute("SET", PREFIX + "empty", b"")
    names = [*RUBBISH, "too large", "list"]
    async with cache_at(server.url) as cache:
        for _ in range(3):
            for name in [*names, "empty"]:
                assert await fetched(cache, name) is None
        assert cache.stats.shared == "ok"
        assert cache.stats.shared_invalid == 3 * len(names)
        assert cache.stats.shared_misses == 3 * (len(names) + 1)
        assert cache.stats.entries == 0
        # It is written over when it is made again.
        cache.keep_sound("random", sound_of(1))
        await until(lambda: server.execute("TTL", PREFIX + "random") > 0)
        assert_same(await fetched(cache, "random"), sound_of(1))
    assert set(events(logs)) == {"shared_cache_invalid"}
    reasons = [entry["reason"] for entry in logs]
    assert len(reasons) == len(set(reasons))
    assert {"it is too large", "it is no string", "its checksum is wrong"} < set(reasons)


async def test_no_more_is_fetched_than_a_value_may_have(server: RedisServer) -> None:
    server.execute("SETRANGE", PREFIX + "large", 50_000_000, b"a")
    async with cache_at(server.url) as cache:
        before = server.execute("INFO", "stats")["total_net_output_bytes"]
        assert await fetched(cache, "large") is None
        assert server.execute("INFO", "stats")["total_net_output_bytes"] < before + LARGEST + 100_000


# -- limits -------------------------------------------------------------------------------------------


async def test_more_lookups_than_the_limit_miss_at_once(server: RedisServer) -> None:
    async with cache_at(server.url) as cache:
        server.pause()
        waiting, refused = list[object](), list[object]()
        for _ in range(MAX_LOOKUPS):
            cache.fetch_shared("a", waiting.append)
        for _ in range(10):
            cache.fetch_shared("a", refused.append)
        await asyncio.sleep(0)
        assert (waiting, refused) == ([], [None] * 10)
        server.resume()
        await until(lambda: len(waiting) == MAX_LOOKUPS)
        assert cache.has_shared


async def test_more_writes_than_the_limit_are_dropped_and_counted(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with cache_at(server.url) as cache:
        server.pause()
        sound = sound_of(1, seconds=0.01)
        for number in range(MAX_WRITES + 7):
            cache.keep_sound(f"few {number}", sound)
        assert cache.stats.shared_dropped == 7
        server.resume()
        await until(lambda: server.execute("DBSIZE") == MAX_WRITES)
        monkeypatch.setattr(shared_cache, "MAX_WRITE_BYTES", 10 * sound.size)
        for number in range(12):
            cache.keep_sound(f"large {number}", sound)
        assert cache.stats.shared_dropped == 9
        await until(lambda: server.execute("DBSIZE") == MAX_WRITES + 10)
        # What is written is not counted among what waits any more.
        for number in range(10):
            cache.keep_sound(f"more {number}", sound)
        assert cache.stats.shared_dropped == 9


async def test_what_is_too_large_is_not_written(server: RedisServer) -> None:
    large = CachedSound((AudioChunk(0, np.zeros(LARGEST // 4, np.float32), 24_000),))
    part = np.zeros(1, np.float32)
    chopped = CachedSound(tuple(AudioChunk(number, part, 24_000) for number in range(9_000)))
    endless = CachedSound((AudioChunk(0, part, 24_000, last_of_segment=False),))
    async with cache_at(server.url) as cache:
        cache.keep_sound("large", large)
        assert cache.stats.shared_dropped == 1
        cache.keep_sound("chopped", chopped)
        cache.keep_sound("endless", endless)
        await until(lambda: cache.stats.shared_dropped == 3)
        cache.keep_sound("a", sound_of(1))
        await written(server, "a")
        assert server.execute("DBSIZE") == 1
        assert cache.sound("large") is large
        assert cache.has_shared


async def test_one_that_refuses_writes_is_still_read(server: RedisServer, logs: Logs) -> None:
    async with cache_at(server.url) as cache:
        cache.keep_sound("a", sound_of(1))
        await written(server, "a")
        server.execute("CONFIG", "SET", "maxmemory", "1")
        for number in range(5):
            cache.keep_sound(f"no room {number}", sound_of(2))
        await until(lambda: cache.stats.shared_dropped == 5)
        assert_same(await fetched(cache, "a"), sound_of(1))
    assert events(logs) == ["shared_cache_read_only"]


# -- the end ------------------------------------------------------------------------------------------


async def _not_started(cache: AudioCache, server: RedisServer) -> None:
    assert await fetched(cache, "a") is None


async def _connecting(cache: AudioCache, server: RedisServer) -> None:
    server.pause()
    await cache.start()
    await asyncio.sleep(0.02)


async def _just_started(cache: AudioCache, server: RedisServer) -> None:
    await cache.start()


async def _idle(cache: AudioCache, server: RedisServer) -> None:
    await cache.start()
    await until(lambda: cache.has_shared)
    await asyncio.gather(*(fetched(cache, str(number)) for number in range(30)))


async def _asked_by_many(cache: AudioCache, server: RedisServer) -> None:
    await _idle(cache, server)
    server.pause()
    for number in range(30):
        cache.fetch_shared(str(number), _never)
    await asyncio.sleep(0.02)


async def _about_to_answer(cache: AudioCache, server: RedisServer) -> None:
    await _idle(cache, server)
    cache.fetch_shared("a", _never)


async def _amid_writes(cache: AudioCache, server: RedisServer) -> None:
    await _idle(cache, server)
    server.pause()
    for number in range(9):
        cache.keep_sound(str(number), sound_of(number, seconds=20))
    await asyncio.sleep(0.02)


async def _lost(cache: AudioCache, server: RedisServer) -> None:
    await _idle(cache, server)
    server.stop()
    await fetched(cache, "a")
    await until(lambda: not cache.has_shared)


async def _after_a_timeout(cache: AudioCache, server: RedisServer) -> None:
    await _idle(cache, server)
    server.pause()
    cache.keep_sound("a", sound_of(1, seconds=20))
    assert await asyncio.gather(*(fetched(cache, "a") for _ in range(30))) == [None] * 30
    assert not cache.has_shared


def _never(sound: CachedSound | None) -> None:
    raise AssertionError("it was answered after the end")


STATES = [
    *(_not_started, _just_started, _connecting, _idle, _asked_by_many),
    *(_about_to_answer, _amid_writes, _lost, _after_a_timeout),
]
#: How each way of listening is asked for.
WAYS: list[dict[str, Any]] = [{}, {"tls": True}]


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
@pytest.mark.parametrize("way", WAYS, ids=["unix", "tls"])
@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_it_stops_in_every_state_and_leaves_nothing(
    run: Callable[..., None],
    way: dict[str, Any],
    state: Callable[[AudioCache, RedisServer], Awaitable[None]],
) -> None:
    async def main(server: RedisServer) -> None:
        troubles = list[Any]()
        asyncio.get_running_loop().set_exception_handler(lambda _, context: troubles.append(context))
        url = server.url
        if "tls" in way:
            url += f"?ssl_ca_certs={server.path.parent}/cert.pem"
        shared = RedisCache(url, lookup_s=0.3 if state is _after_a_timeout else 5.0, pause_s=30)
        cache = AudioCache(64 * 2**20, 1000, shared)
        before = asyncio.all_tasks()
        await state(cache, server)
        await cache.stop()
        assert asyncio.all_tasks() == before
        assert not cache.has_shared
        cache.fetch_shared("a", _never)
        await cache.stop()
        await asyncio.sleep(0.01)
        assert troubles == []

    with running_redis(**way) as server:
        run(main(server))
    # A connection that was left open is a warning when it is collected, which is an error here.
    gc.collect()


async def test_a_callback_that_fails_fails_alone(server: RedisServer) -> None:
    troubles = list[Any]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: troubles.append(context["exception"]))
    async with cache_at(server.url) as cache:
        cache.fetch_shared("a", _never)
        await until(lambda: bool(troubles))
        assert await fetched(cache, "a") is None
    assert [type(each) for each in troubles] == [AssertionError]


# -- URLs ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "",
        "secret",
        "http://:secret@localhost",
        "redis:secret",
        "redis://:sec/ret@localhost",
        "redis://:sec?ret@localhost",
        "redis://:sec#ret@localhost",
        "redis://:secret@[localhost",
        "redis://:secret@localhost:port",
        "redis://:secret@localhost:65536",
        "redis://:secret@localhost/first",
        "redis://:secret@localhost/-1",
        "redis://:secret@localhost/0/1",
        "redis://:secret@localhost?db=one",
        "redis://:secret@localhost?decode_responses=1",
        "redis://:secret@localhost?socket_timeout=1",
        "redis://:secret@localhost?max_connections=1",
        "redis://:secret@localhost?protocol=3",
        "redis://localhost?password=secret",
        "redis://:secret@localhost?ssl_ca_certs=/secret",
        "rediss://:secret@localhost?ssl_cert_reqs=secret",
        "rediss://:secret@localhost?ssl_check_hostname=secret",
        "rediss://:secret@localhost?ssl_ca_certs=/secret/none",
        "unix://:secret@",
        "unix://:secret@host/secret",
        "unix:///socket?secret",
    ],
)
def test_a_url_that_is_none_stops_the_start_and_tells_nothing_of_it(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        RedisCache(url)
    message = caught.value.message
    assert "URL of the shared cache" in message
    assert "\n" not in message
    assert not any(part in message for part in ("secret", "sec", "ret@"))
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    "url",
    [
        "redis://",
        "redis://localhost",
        "redis://lisa:a%2Fb@[::1]:6380/15",
        "redis://host/?db=2",
        "rediss://host",
        "rediss://host?ssl_cert_reqs=none&ssl_check_hostname=0",
        "unix:///run/redis.sock",
        "unix://:a@/run/redis.sock?db=1",
    ],
)
async def test_what_is_a_url(url: str) -> None:
    cache = RedisCache(url)
    assert not cache.available
    await cache.stop()


async def test_a_port_where_nobody_listens(logs: Logs) -> None:
    async with cache_at(f"redis://lisa:secret@127.0.0.1:{free_port()}", ready=False):
        await until(lambda: bool(logs))
    assert "refused" in logs[0]["reason"] or "Connect call failed" in logs[0]["reason"]
    assert "secret" not in repr(logs)
