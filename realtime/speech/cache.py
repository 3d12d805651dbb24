"""Sound that was made before: in memory, the least recently used goes first; and a place to share it.

A sound is kept as the engine made it, before tempo, pauses and encoding, which belong to a context; of an
HTTP request the whole response is kept as well. Keys are hashes of everything that the value depends on.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import msgspec
import numpy as np

from realtime.types import AudioChunk, AudioSettings, Pcm, TextPiece, VoiceSettings

#: One entry may take this part of all the memory.
_LARGEST_PART = 8
# What Python's own objects take, about: counted, so that many small entries are not free.
_ENTRY_BYTES = 512
_CHUNK_BYTES = 256
_WORD_BYTES = 192


@dataclass(frozen=True, slots=True, eq=False)
class CachedSound:
    """A sound as an engine made it, chunk by chunk. Its samples cannot be changed any more.

    An array that is a view of a larger one is copied, one of its own is made read-only. `size` in bytes.
    """

    chunks: tuple[AudioChunk, ...]
    size: int = field(init=False)

    def __post_init__(self) -> None:
        kept = tuple(_read_only(chunk) for chunk in self.chunks)
        size = _ENTRY_BYTES + sum(
            _CHUNK_BYTES + chunk.pcm.nbytes + _WORD_BYTES * len(chunk.words) for chunk in kept
        )
        object.__setattr__(self, "chunks", kept)
        object.__setattr__(self, "size", size)

    @property
    def is_whole(self) -> bool:
        """Whether it ends with the end of a segment: else who listens to it would wait for more."""
        return bool(self.chunks) and self.chunks[-1].last_of_segment


@dataclass(frozen=True, slots=True)
class CachedResponse:
    """The whole body of an HTTP response. `audio_ms`: how long it sounds; `size` in bytes."""

    body: bytes
    content_type: str
    audio_ms: float

    @property
    def size(self) -> int:
        """Bytes of memory, about."""
        return _ENTRY_BYTES + len(self.body)


def _read_only(chunk: AudioChunk) -> AudioChunk:
    pcm: Pcm = np.ascontiguousarray(chunk.pcm, np.float32)
    # A view of bytes is read-only, and they hold nothing but this sound (see `speech.sound_bytes`).
    if pcm.base is not None and not isinstance(pcm.base, bytes):
        pcm = pcm.copy()
    pcm.setflags(write=False)
    return chunk if pcm is chunk.pcm else replace(chunk, pcm=pcm)


# -- keys ---------------------------------------------------------------------------------------------


def sound_key(
    piece: TextPiece,
    voice: str,
    language: str,
    seed: int,
    revision: str,
    reference_key: str,
    before: str = "",
    instruct: str = "",
) -> str:
    """Key of the sound of one piece (SHA-256, hexadecimal): all that an engine is told of it.

    `language` is that of the utterance, `revision` of the engine and its model, `reference_key` of the
    recording of a cloned voice. `before` is the key of what was said before, where the sound depends on that;
    `instruct` are the words about how to speak.
    The place in the source, the number of the segment, the pause before it and the tempo are no part of it:
    the sound is kept before these are applied.
    """
    pronunciations = tuple((each.spoken_start, each.spoken_end, each.ipa) for each in piece.pronunciations)
    return _key(
        "sound",
        (piece.text, piece.language, piece.normalized, piece.last_of_segment, pronunciations),
        (voice, language, seed, revision, reference_key, before, instruct),
    )


def utterance_key(text: str, settings: VoiceSettings, revision: str) -> str:
    """Key of the sound of a whole text, for an engine that speaks it in one go.

    `text` is the client's. The tempo is no part of it: the sound is kept before that is set.
    """
    return _key("utterance", text, replace(settings, speed=1.0, cache=True), revision)


def response_key(
    text: str, voice: VoiceSettings, audio: AudioSettings, revision: str, rest: tuple[object, ...] = ()
) -> str:
    """Key of a whole response; `rest`: whatever else its bytes depend on, as plain values."""
    return _key("response", text, replace(voice, cache=True), audio, revision, rest)


def _key(*parts: object) -> str:
    # MessagePack writes the length of every string and tuple, so that no two values look the same.
    return hashlib.sha256(msgspec.msgpack.encode(parts)).hexdigest()


# -- what is shared between servers -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SharedStats:
    """Of a shared cache: lookups that found something or nothing, and what was found unusable.

    `dropped`: sounds that were not written, as it was lost, too slow or refused them.
    """

    hits: int = 0
    misses: int = 0
    invalid: int = 0
    dropped: int = 0


class SharedCache(Protocol):
    """A cache that several servers have in common. Nothing waits for it, and its loss is only logged."""

    @property
    def available(self) -> bool:
        """Whether it can be reached, as far as is known."""
        ...

    @property
    def stats(self) -> SharedStats:
        """Counts since the start."""
        ...

    def fetch(self, key: str, on_result: Callable[[CachedSound | None], None]) -> None:
        """Look a sound up. The callback comes later, on the loop, once, unless it is stopped before."""
        ...

    def keep(self, key: str, sound: CachedSound) -> None:
        """Write a sound, some time; or drop it."""
        ...

    async def start(self) -> None:
        """Begin to connect; does not wait for it."""
        ...

    async def stop(self) -> None:
        """Drop everything that is under way. May be called again."""
        ...


# -- the cache ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CacheStats:
    """What is kept, and counts since the start; `shared_...` as in `SharedStats`.

    `shared` is "off" when there is none, and "lost" while it cannot be reached.
    """

    entries: int
    bytes: int
    hits: int
    misses: int
    evictions: int
    shared: Literal["off", "ok", "lost"] = "off"
    shared_hits: int = 0
    shared_misses: int = 0
    shared_invalid: int = 0
    shared_dropped: int = 0


class AudioCache:
    """Sounds and responses by their keys. Belongs to the event loop; nothing in it waits."""

    def __init__(self, max_bytes: int, max_entries: int, shared: SharedCache | None = None) -> None:
        """At most so many bytes and entries; 0 of either: nothing is kept, nor shared."""
        self.enabled = max_bytes > 0 and max_entries > 0
        #: Bytes that one entry may have; what is larger is not kept.
        self.largest = max_bytes // _LARGEST_PART if self.enabled else 0
        self._max_bytes = max_bytes
        self._max_entries = max_entries
        self._shared = shared if self.enabled else None
        self._entries: OrderedDict[str, CachedSound | CachedResponse] = OrderedDict()
        self._bytes = 0
        self._hits = 0
        self._misses = 0
        self._evictions = 0

    @property
    def stats(self) -> CacheStats:
        """What is kept, and counts."""
        own = (len(self._entries), self._bytes, self._hits, self._misses, self._evictions)
        if self._shared is None:
            return CacheStats(*own)
        shared = self._shared.stats
        return CacheStats(
            *own,
            shared="ok" if self._shared.available else "lost",
            shared_hits=shared.hits,
            shared_misses=shared.misses,
            shared_invalid=shared.invalid,
            shared_dropped=shared.dropped,
        )

    @property
    def has_shared(self) -> bool:
        """Whether a lookup in the shared cache could find something: there is one, and it is not lost."""
        return self._shared is not None and self._shared.available

    async def start(self) -> None:
        """Connect to the shared cache, in the background."""
        if self._shared is not None:
            await self._shared.start()

    async def stop(self) -> None:
        """Let go of the shared cache. What is kept in memory can still be had."""
        if self._shared is not None:
            await self._shared.stop()

    def sound(self, key: str) -> CachedSound | None:
        """The sound with this key, if it is in memory. Counts a hit or a miss."""
        found = self._look_up(key, CachedSound)
        return found if isinstance(found, CachedSound) else None

    def keep_sound(self, key: str, sound: CachedSound) -> None:
        """Keep a sound in memory, and in the shared cache. Does nothing if it is too large."""
        if self._keep(key, sound) and self._shared is not None:
            self._shared.keep(key, sound)

    def fetch_shared(self, key: str, on_result: Callable[[CachedSound | None], None]) -> None:
        """Look in the shared cache, and keep in memory what is found.

        `on_result` is called on the loop, later, exactly once unless the cache is stopped before; None: it
        was not found, or not in time, or there is nothing to look in.
        """
        if self._shared is None:
            asyncio.get_running_loop().call_soon(on_result, None)
            return

        def on_found(sound: CachedSound | None) -> None:
            if sound is not None:
                self._keep(key, sound)
            on_result(sound)

        self._shared.fetch(key, on_found)

    def response(self, key: str) -> CachedResponse | None:
        """The response with this key. Counts a hit or a miss."""
        found = self._look_up(key, CachedResponse)
        return found if isinstance(found, CachedResponse) else None

    def keep_response(self, key: str, response: CachedResponse) -> None:
        """Keep a response in memory. Does nothing if it is too large."""
        self._keep(key, response)

    def _look_up(self, key: str, kind: type) -> CachedSound | CachedResponse | None:
        if not self.enabled:
            return None
        found = self._entries.get(key)
        if not isinstance(found, kind):
            self._misses += 1
            return None
        self._hits += 1
        self._entries.move_to_end(key)
        return found

    def _keep(self, key: str, entry: CachedSound | CachedResponse) -> bool:
        if entry.size > self.largest:
            return False
        replaced = self._entries.pop(key, None)
        if replaced is not None:
            self._bytes -= replaced.size
        self._entries[key] = entry
        self._bytes += entry.size
        while self._bytes > self._max_bytes or len(self._entries) > self._max_entries:
            _, evicted = self._entries.popitem(last=False)
            self._bytes -= evicted.size
            self._evictions += 1
        return True
