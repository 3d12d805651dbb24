"""What goes between an engine's process and its parent: msgpack messages, each after its length (u32)."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable

import msgspec

from realtime.engines.engine import (
    Cancel,
    Capabilities,
    DeviceMemory,
    Feed,
    Finish,
    Flush,
    Grant,
    Open,
    Step,
)
from realtime.types import WordTiming

#: The shared memory begins with a table: for each worker the utterance it is at, an int64, 0 for none. It is
#: read when the child is dead, and can say no more what it was doing.
TABLE_BYTES = 4096
MOST_WORKERS = TABLE_BYTES // 8
#: After it comes room for sound on its way: 16 MiB are nearly three minutes at 24 kHz.
RING_BYTES = 16 * 1024 * 1024
SHARED_BYTES = TABLE_BYTES + RING_BYTES
_LENGTH = struct.Struct("!I")


class Released(msgspec.Struct, frozen=True, tag="released"):
    """To the child: the ring is free again up to `end`."""

    end: int


class Forget(msgspec.Struct, frozen=True, tag="forget"):
    """To the child: a recording was deleted, and so is what was made of it."""

    voice_key: str


class Loaded(msgspec.Struct, frozen=True, tag="loaded"):
    """The child can work."""

    capabilities: Capabilities


class LoadFailed(msgspec.Struct, frozen=True, tag="load_failed"):
    """The child cannot work, and ends."""

    message: str


class LoadProgress(msgspec.Struct, frozen=True, tag="progress"):
    """The child loads: `what` it is at, and the `fraction` of that which is done, 0 to 1."""

    what: str
    fraction: float


class ChunkMade(msgspec.Struct, frozen=True, tag="chunk"):
    """Sound lies in the ring: `samples` of float32 from byte `offset` of it; all before `end` goes with it.

    Offsets count on without end; the place in the ring is the remainder by its size.
    """

    utterance: int
    segment: int
    sample_rate: int
    words: tuple[WordTiming, ...]
    estimated: bool
    last_of_segment: bool
    queue_s: float
    infer_s: float
    offset: int
    samples: int
    end: int


class UtteranceFreed(msgspec.Struct, frozen=True, tag="freed"):
    """As `engine.Freed`."""

    utterance: int


class UtteranceFailed(msgspec.Struct, frozen=True, tag="failed"):
    """As `engine.Failure`."""

    utterance: int
    message: str


class Alive(msgspec.Struct, frozen=True, tag="alive"):
    """Sent again and again; `longest_step_s` is how long the slowest step under way has taken so far."""

    longest_step_s: float


class WorkersBusy(msgspec.Struct, frozen=True, tag="stats"):
    """As `engine.Stats`."""

    open: int
    waiting: int
    busy: int
    prompts: int
    prompt_hits: int
    prompt_misses: int
    device: DeviceMemory


class StepsTaken(msgspec.Struct, frozen=True, tag="steps"):
    """As `engine.Steps`."""

    steps: tuple[Step, ...]


class Logged(msgspec.Struct, frozen=True, tag="log"):
    """The child has something for the log; see `child_logs`."""

    level: str
    event: str
    fields: dict[str, str | int | float | bool | None]


ParentMessage = Open | Feed | Flush | Grant | Finish | Cancel | Released | Forget
ChildMessage = (
    LoadProgress
    | Loaded
    | LoadFailed
    | Alive
    | ChunkMade
    | UtteranceFreed
    | UtteranceFailed
    | WorkersBusy
    | StepsTaken
    | Logged
)

_encoder = msgspec.msgpack.Encoder()
_parent_decoder: msgspec.msgpack.Decoder[ParentMessage] = msgspec.msgpack.Decoder(ParentMessage)
_child_decoder: msgspec.msgpack.Decoder[ChildMessage] = msgspec.msgpack.Decoder(ChildMessage)


def encode_message(message: ParentMessage | ChildMessage) -> bytes:
    """A message with its length before it."""
    body = _encoder.encode(message)
    return _LENGTH.pack(len(body)) + body


def decode_from_parent(body: bytes) -> ParentMessage:
    """A command, in the child."""
    return _parent_decoder.decode(body)


def decode_from_child(body: bytes) -> ChildMessage:
    """An event, in the parent."""
    return _child_decoder.decode(body)


async def read_message(reader: asyncio.StreamReader) -> bytes:
    """The next message's body; raises `IncompleteReadError` at the end."""
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    return await reader.readexactly(length)


def read_message_blocking(receive: Callable[[int], bytes]) -> bytes | None:
    """The next message's body from a function like `socket.recv`; None at the end."""
    head = _read_exactly(receive, _LENGTH.size)
    return None if head is None else _read_exactly(receive, _LENGTH.unpack(head)[0])


def _read_exactly(receive: Callable[[int], bytes], count: int) -> bytes | None:
    data = b""
    while len(data) < count:
        more = receive(count - len(data))
        if not more:
            return None
        data += more
    return data
