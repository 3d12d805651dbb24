"""The cache in memory: what stays, what goes, what it counts; and keys that tell everything apart."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.speech.cache import (
    AudioCache,
    CachedResponse,
    CachedSound,
    CacheStats,
    SharedStats,
    response_key,
    sound_key,
    utterance_key,
)
from realtime.types import (
    AudioChunk,
    AudioSettings,
    Pronunciation,
    SpanLink,
    TextPiece,
    VoiceReference,
    VoiceSettings,
    WordTiming,
)


def sound_of(samples: int) -> CachedSound:
    return CachedSound((AudioChunk(0, np.zeros(samples, np.float32), 24_000),))


def response_of(size: int) -> CachedResponse:
    return CachedResponse(bytes(size), "audio/mpeg", 20.0)


# -- what stays and what goes -------------------------------------------------------------------------


@dataclass
class Model:
    """The plainest cache that keeps the same rules."""

    max_bytes: int
    max_entries: int

    def __post_init__(self) -> None:
        self.entries: OrderedDict[str, CachedSound | CachedResponse] = OrderedDict()
        self.hits = self.misses = self.evictions = 0

    @property
    def bytes(self) -> int:
        return sum(entry.size for entry in self.entries.values())

    def keep(self, key: str, entry: CachedSound | CachedResponse) -> None:
        if not self.max_bytes or not self.max_entries or entry.size > self.max_bytes // 8:
            return
        self.entries.pop(key, None)
        self.entries[key] = entry
        while self.bytes > self.max_bytes or len(self.entries) > self.max_entries:
            del self.entries[next(iter(self.entries))]
            self.evictions += 1

    def find(self, key: str, kind: type) -> object:
        if not self.max_bytes or not self.max_entries:
            return None
        found = self.entries.get(key)
        if not isinstance(found, kind):
            self.misses += 1
            return None
        self.hits += 1
        self.entries.move_to_end(key)
        return found


@given(
    max_bytes=st.sampled_from([0, 5_000, 20_000, 10**9]),
    max_entries=st.sampled_from([0, 1, 3, 7, 10_000]),
    steps=st.lists(
        st.tuples(
            st.sampled_from(["keep", "find"]),
            st.sampled_from([CachedSound, CachedResponse]),
            st.sampled_from("abcdefghijkl"),
            st.integers(0, 800),
        ),
        max_size=60,
    ),
)
def test_it_is_a_cache_of_the_least_recently_used(
    max_bytes: int, max_entries: int, steps: list[tuple[str, type, str, int]]
) -> None:
    cache, model = AudioCache(max_bytes, max_entries), Model(max_bytes, max_entries)
    for step, kind, key, amount in steps:
        if step == "find":
            found = cache.sound(key) if kind is CachedSound else cache.response(key)
            assert found is model.find(key, kind)
        elif kind is CachedSound:
            sound = sound_of(amount)
            cache.keep_sound(key, sound)
            model.keep(key, sound)
        else:
            response = response_of(amount * 4)
            cache.keep_response(key, response)
            model.keep(key, response)
        assert cache.stats == CacheStats(
            len(model.entries), model.bytes, model.hits, model.misses, model.evictions
        )
        assert cache.stats.bytes <= max_bytes
        assert cache.stats.entries <= max_entries
    for key, entry in tuple(model.entries.items()):
        assert (cache.sound(key) or cache.response(key)) is entry


@pytest.mark.parametrize(("max_bytes", "max_entries"), [(0, 100), (10**6, 0), (0, 0)])
async def test_without_room_it_is_off_and_shares_nothing(max_bytes: int, max_entries: int) -> None:
    shared = Shared()
    cache = AudioCache(max_bytes, max_entries, shared)
    assert not cache.enabled
    assert not cache.has_shared
    assert cache.largest == 0
    await cache.start()
    cache.keep_sound("a", sound_of(10))
    cache.keep_response("b", response_of(10))
    assert cache.sound("a") is None
    assert cache.response("b") is None
    await cache.stop()
    assert cache.stats == CacheStats(0, 0, 0, 0, 0)
    assert shared.calls == []


def test_one_entry_may_have_an_eighth() -> None:
    cache = AudioCache(80_000, 100)
    assert cache.enabled
    assert cache.largest == 10_000
    overhead = response_of(0).size
    cache.keep_response("fits", response_of(10_000 - overhead))
    cache.keep_response("too large", response_of(10_001 - overhead))
    assert cache.response("fits") is not None
    assert cache.response("too large") is None
    assert cache.stats.bytes == 10_000


def test_what_is_small_is_not_free() -> None:
    word = WordTiming(0, 1, 0, 1)
    empty = CachedSound((AudioChunk(0, np.zeros(0, np.float32), 24_000),))
    assert CachedSound(()).size > 0
    assert empty.size > CachedSound(()).size
    assert sound_of(1000).size == empty.size + 4000
    worded = CachedSound((AudioChunk(0, np.zeros(0, np.float32), 24_000, (word,) * 10),))
    assert worded.size > empty.size + 10 * 100


# -- sounds -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda: np.arange(100, dtype=np.float32)[10:20],
        lambda: np.arange(40, dtype=np.float32)[::2],
        lambda: np.arange(20, dtype=np.float64),
        lambda: np.frombuffer(bytearray(range(40)), np.float32),
    ],
    ids=["part", "every other", "double", "over a buffer"],
)
def test_samples_that_are_not_its_own_are_copied(make: Callable[[], Any]) -> None:
    given_pcm = make()
    before = given_pcm.astype(np.float32)
    (chunk,) = CachedSound((AudioChunk(3, given_pcm, 24_000, estimated=True, last_of_segment=False),)).chunks
    with pytest.raises(ValueError, match="read-only"):
        chunk.pcm[0] = 7
    if given_pcm.flags.writeable:
        given_pcm[:] = 7
    assert chunk.pcm.dtype == np.float32
    assert chunk.pcm.base is None
    assert np.array_equal(chunk.pcm, before)
    assert (chunk.segment, chunk.sample_rate, chunk.estimated, chunk.last_of_segment) == (
        3,
        24_000,
        True,
        False,
    )


def test_samples_of_its_own_are_only_protected() -> None:
    pcm = np.arange(10, dtype=np.float32)
    chunk = AudioChunk(0, pcm, 24_000)
    assert CachedSound((chunk,)).chunks == (chunk,)
    assert not pcm.flags.writeable


# -- the shared one, as the cache sees it -------------------------------------------------------------


class Shared:
    """A shared cache that notes what it is asked, and answers when it is told to."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.available = True
        self.stats = SharedStats(hits=1, misses=2, invalid=3, dropped=4)
        self.answer: Callable[[CachedSound | None], None] | None = None

    def fetch(self, key: str, on_result: Callable[[CachedSound | None], None]) -> None:
        self.calls.append(("fetch", key))
        self.answer = on_result

    def keep(self, key: str, sound: CachedSound) -> None:
        self.calls.append(("keep", key))

    async def start(self) -> None:
        self.calls.append(("start", ""))

    async def stop(self) -> None:
        self.calls.append(("stop", ""))


async def test_the_shared_cache_is_asked_only_by_fetch_and_keep() -> None:
    shared = Shared()
    cache = AudioCache(100_000, 100, shared)
    assert cache.has_shared
    await cache.start()
    cache.keep_sound("a", sound_of(10))
    cache.keep_sound("too large", sound_of(10_000))
    cache.keep_response("b", response_of(10))
    assert cache.sound("a") is not None
    assert cache.sound("c") is None
    assert cache.response("b") is not None
    await cache.stop()
    assert shared.calls == [("start", ""), ("keep", "a"), ("stop", "")]
    assert cache.sound("a") is not None


async def test_what_is_found_in_the_shared_cache_is_kept_in_memory() -> None:
    shared, results = Shared(), list[CachedSound | None]()
    cache = AudioCache(100_000, 100, shared)
    found = sound_of(10)
    cache.fetch_shared("a", results.append)
    assert shared.answer is not None
    shared.answer(None)
    assert (results, cache.sound("a")) == ([None], None)
    shared.answer(found)
    assert results == [None, found]
    assert cache.sound("a") is found
    # What is too large to be kept is found all the same; and nothing that was found is written again.
    shared.answer(sound_of(10_000))
    assert results[-1] is not None
    assert cache.sound("a") is found
    assert shared.calls == [("fetch", "a")]


async def test_its_state_and_counts_are_told() -> None:
    shared = Shared()
    cache = AudioCache(100_000, 100, shared)
    counts = {"shared_hits": 1, "shared_misses": 2, "shared_invalid": 3, "shared_dropped": 4}
    assert cache.stats == CacheStats(0, 0, 0, 0, 0, shared="ok", **counts)
    shared.available = False
    assert not cache.has_shared
    assert cache.stats.shared == "lost"
    assert AudioCache(100_000, 100).stats.shared == "off"


# -- keys ---------------------------------------------------------------------------------------------

PIECE = TextPiece(0, "Hello you", (0, 9), (SpanLink(0, 5, 0, 5),), "en")
VOICE = VoiceSettings("lisa", "en")
AUDIO = AudioSettings("mp3", 24_000, 20, 64_000)

#: Another value for each field of the settings.
OTHER_VOICE: dict[str, Any] = {
    "voice": "anna",
    "language": "de",
    "seed": 1,
    "buffer": "sentence",
    "speed": 1.5,
    "normalize": False,
    "lexicon": (("SQL", "sequel"),),
    "markup": True,
    "auto_voices": (("de", "anna"),),
    "reference": VoiceReference("ab", "/a"),
    "cache": False,
    "instruct": "softly",
}
OTHER_AUDIO: dict[str, Any] = {
    "format": "wav",
    "sample_rate": 48_000,
    "frame_ms": 40,
    "bitrate": 32_000,
    "segment_ends": True,
    "whole": True,
    "never_empty": True,
    "track": True,
}


def key_of(piece: TextPiece = PIECE, **changes: Any) -> str:
    told: dict[str, Any] = {
        "voice": "lisa",
        "language": "en",
        "seed": 0,
        "revision": "1",
        "reference_key": "",
        "before": "",
        "instruct": "",
    }
    return sound_key(piece, **(told | changes))


def test_a_key_of_a_sound_tells_apart_all_that_an_engine_sees() -> None:
    pieces = [
        replace(PIECE, text="Hello You"),
        replace(PIECE, language="de"),
        replace(PIECE, normalized=True),
        replace(PIECE, last_of_segment=False),
        replace(PIECE, pronunciations=(Pronunciation(0, 5, "a"),)),
        replace(PIECE, pronunciations=(Pronunciation(0, 5, "b"),)),
        replace(PIECE, pronunciations=(Pronunciation(1, 5, "a"),)),
        replace(PIECE, pronunciations=(Pronunciation(0, 4, "a"),)),
        replace(PIECE, pronunciations=(Pronunciation(0, 5, "a"),) * 2),
    ]
    told: list[dict[str, Any]] = [
        {"voice": "anna"},
        {"language": "de"},
        {"seed": 1},
        {"seed": -1},
        {"seed": 2**63},
        {"revision": "2"},
        {"reference_key": "ab"},
        {"before": key_of()},
        {"instruct": "softly"},
    ]
    keys = [key_of(), *map(key_of, pieces), *(key_of(**changes) for changes in told)]
    assert len(set(keys)) == len(keys)
    assert all(len(key) == 64 and int(key, 16) >= 0 for key in keys)


def test_a_key_of_a_sound_knows_nothing_of_its_place() -> None:
    elsewhere = replace(PIECE, segment=7, source=(90, 99), spans=(), pause_before_ms=500)
    assert key_of(elsewhere) == key_of() == key_of(replace(PIECE))
    assert {field.name for field in fields(TextPiece)} == {
        *("segment", "source", "spans", "pause_before_ms"),
        *("text", "language", "normalized", "last_of_segment", "pronunciations"),
    }


_texts = st.text(max_size=4)


@given(one=st.tuples(*[_texts] * 5), other=st.tuples(*[_texts] * 5))
def test_no_two_sounds_share_a_key(
    one: tuple[str, str, str, str, str], other: tuple[str, str, str, str, str]
) -> None:
    def key(text: str, voice: str, language: str, revision: str, reference: str) -> str:
        return key_of(
            replace(PIECE, text=text),
            voice=voice,
            language=language,
            revision=revision,
            reference_key=reference,
        )

    assert (key(*one) == key(*other)) == (one == other)


def test_what_runs_together_is_told_apart() -> None:
    assert key_of(voice="ab", language="c") != key_of(voice="a", language="bc")
    assert key_of(reference_key="", before="x") != key_of(reference_key="x", before="")
    assert key_of(before="", instruct="x") != key_of(before="x", instruct="")
    assert response_key("a", VOICE, AUDIO, "b") != response_key("ab", VOICE, AUDIO, "")
    assert utterance_key("a", VOICE, "b") != response_key("a", VOICE, AUDIO, "b")


def test_a_key_of_an_utterance_tells_apart_all_but_the_tempo() -> None:
    assert set(OTHER_VOICE) == {field.name for field in fields(VoiceSettings)}
    keys = {
        name: utterance_key("a", replace(VOICE, **{name: OTHER_VOICE[name]}), "1") for name in OTHER_VOICE
    }
    plain = utterance_key("a", VOICE, "1")
    assert keys.pop("speed") == keys.pop("cache") == plain
    distinct = [plain, *keys.values(), utterance_key("b", VOICE, "1"), utterance_key("a", VOICE, "2")]
    assert len(set(distinct)) == len(distinct)


def test_a_key_of_a_response_tells_apart_all_settings() -> None:
    assert set(OTHER_AUDIO) == {field.name for field in fields(AudioSettings)}
    plain = response_key("a", VOICE, AUDIO, "1")
    voices = {
        name: response_key("a", replace(VOICE, **{name: OTHER_VOICE[name]}), AUDIO, "1")
        for name in OTHER_VOICE
    }
    assert voices.pop("cache") == plain
    audio = [
        response_key("a", VOICE, replace(AUDIO, **{name: OTHER_AUDIO[name]}), "1") for name in OTHER_AUDIO
    ]
    references = [
        response_key("a", replace(VOICE, reference=reference), AUDIO, "1")
        for reference in (VoiceReference("ac", "/a"), VoiceReference("ab", "/a", "So it was."))
    ]
    rest = [response_key("a", VOICE, AUDIO, "1", rest) for rest in ((None,), ("x",), ("x", True), (1.5,))]
    others = [response_key("b", VOICE, AUDIO, "1"), response_key("a", VOICE, AUDIO, "2")]
    keys = [plain, *voices.values(), *audio, *references, *rest, *others]
    assert len(set(keys)) == len(keys)
    assert response_key("a", replace(VOICE), replace(AUDIO), "1", ()) == plain
