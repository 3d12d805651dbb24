"""Messages and frames: what is encoded is decoded again, and no input does more than be refused."""

from __future__ import annotations

import json
import re
from typing import Any, Literal, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from realtime.errors import ErrorCode, InvalidMessageError
from realtime.session import frames
from realtime.session import messages as wire
from realtime.types import FrameFlags, Packet

QUICK = settings(max_examples=50, deadline=None)

# -- values of every field ---------------------------------------------------------------------------------

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=64)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
WHOLE = st.integers(-(2**63), 2**64 - 1)
COUNTS = st.integers(0, 2**32 - 1)
SOURCES = st.tuples(COUNTS, COUNTS)


def _or_unset(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.just(UNSET) | values


def _or_none(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


SPEEDS = _or_unset(st.floats(0.25, 4))
OPTIONAL_TEXT = _or_unset(TEXT)
SETTINGS: dict[str, st.SearchStrategy[Any]] = {
    "sample_rate": _or_unset(WHOLE),
    "bitrate": _or_unset(st.integers(6_000, 256_000)),
    "frame_ms": _or_unset(st.sampled_from([20, 40, 60])),
    "voice": OPTIONAL_TEXT,
    "language": OPTIONAL_TEXT,
    "instruct": OPTIONAL_TEXT,
    "speed": SPEEDS,
    "normalize": _or_unset(st.booleans()),
    "timestamps": _or_unset(st.sampled_from(["none", "word"])),
    "max_lead_ms": _or_unset(st.integers(0, 2**64 - 1)),
    "lexicon": _or_unset(st.dictionaries(TEXT, TEXT, max_size=3)),
    "markup": _or_unset(st.booleans()),
    "cache": _or_unset(st.booleans()),
}
RESUMES = st.builds(
    wire.ResumeRequest,
    session_id=TEXT,
    token=TEXT,
    last=st.dictionaries(COUNTS.map(str), COUNTS, max_size=3),
)
REPORTS = st.builds(
    wire.ContextReport,
    context_id=IDS,
    handle=COUNTS,
    state=st.sampled_from(["open", "ending", "done", "failed", "cancelled"]),
    text_received=COUNTS,
    last_seq=_or_none(COUNTS),
)
ONE_CONTEXT = {"context_id": IDS}
ANY_PING = _or_none(st.integers(-(2**70), 2**70) | NUMBERS | TEXT)

CLIENT_FIELDS: dict[type[msgspec.Struct], dict[str, st.SearchStrategy[Any]]] = {
    wire.SessionStart: {
        **SETTINGS,
        "formats": _or_unset(st.lists(TEXT, min_size=1, max_size=16)),
        "audio": _or_unset(st.sampled_from(["frames", "rtc"])),
        "resume": _or_unset(RESUMES),
    },
    wire.SessionUpdate: SETTINGS,
    wire.ContextOpen: {
        **ONE_CONTEXT,
        "voice": OPTIONAL_TEXT,
        "language": OPTIONAL_TEXT,
        "instruct": OPTIONAL_TEXT,
        "speed": SPEEDS,
        "normalize": _or_unset(st.booleans()),
        "markup": _or_unset(st.booleans()),
        "cache": _or_unset(st.booleans()),
        "seed": _or_unset(st.integers(0, 2**53 - 1)),
        "buffer": st.sampled_from(["auto", "sentence", "manual"]),
        "on_conflict": st.sampled_from(["queue", "preempt"]),
    },
    wire.Text: {**ONE_CONTEXT, "text": TEXT},
    wire.Flush: {**ONE_CONTEXT, "flush_id": _or_none(TEXT)},
    wire.End: ONE_CONTEXT,
    wire.Cancel: {**ONE_CONTEXT, "played_ms": _or_none(NUMBERS)},
    wire.Playback: {**ONE_CONTEXT, "played_ms": NUMBERS},
    wire.Pause: ONE_CONTEXT,
    wire.Continue: ONE_CONTEXT,
    wire.Ping: {"t": ANY_PING},
    wire.SessionClose: {"drain": st.booleans()},
}

OF_CONTEXT = {"context_id": TEXT, "handle": COUNTS}
ICE_SERVERS = st.builds(wire.IceServer, st.lists(TEXT, max_size=2), _or_none(TEXT), _or_none(TEXT))
SERVER_FIELDS: dict[type[msgspec.Struct], dict[str, st.SearchStrategy[Any]]] = {
    wire.SessionReady: {
        **dict.fromkeys(("session_id", "resume_token", "protocol", "engine"), TEXT),
        **dict.fromkeys(("format", "voice", "language"), TEXT),
        **dict.fromkeys(("sample_rate", "frame_ms", "pre_skip"), COUNTS),
        "features": st.lists(TEXT, max_size=3),
        "limits": st.builds(
            wire.LimitsReport, COUNTS, COUNTS, COUNTS, COUNTS, idle_s=NUMBERS, resume_window_s=NUMBERS
        ),
        "max_lead_ms": COUNTS,
        "audio": st.sampled_from(["frames", "rtc"]),
        "rtc_token": OPTIONAL_TEXT,
        "ice_servers": _or_unset(st.lists(ICE_SERVERS, max_size=3)),
        "resumed": _or_unset(st.booleans()),
        "contexts": _or_unset(st.lists(REPORTS, max_size=3)),
    },
    wire.ContextOpened: {**OF_CONTEXT, "voice": TEXT, "language": TEXT},
    wire.Loading: {**OF_CONTEXT, "what": TEXT, "fraction": NUMBERS},
    wire.Segment: {
        **OF_CONTEXT,
        "index": COUNTS,
        "text": TEXT,
        "source": SOURCES,
        "start_ms": NUMBERS,
        "language": TEXT,
        "final": st.booleans(),
    },
    wire.Words: {
        **OF_CONTEXT,
        "segment": COUNTS,
        "estimated": st.booleans(),
        "words": st.lists(
            st.builds(wire.Word, text=TEXT, source=SOURCES, start_ms=NUMBERS, end_ms=NUMBERS), max_size=3
        ),
    },
    wire.FlushDone: {**OF_CONTEXT, "flush_id": _or_none(TEXT)},
    wire.ContextDone: {
        **OF_CONTEXT,
        "reason": st.sampled_from(["completed", "failed"]),
        "audio_ms": NUMBERS,
        "last_seq": _or_none(COUNTS),
        "timing": st.builds(wire.ContextTiming, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS),
        "cache": st.sampled_from(["hit", "partial", "miss", "off"]),
    },
    wire.ContextCancelled: {
        **OF_CONTEXT,
        "reason": st.sampled_from(["cancelled", "preempted"]),
        "played_ms": NUMBERS,
        "text_spoken": TEXT,
        "text_remaining": TEXT,
        "source_offset": COUNTS,
        "last_seq": _or_none(COUNTS),
        "engine_freed_ms": _or_unset(NUMBERS),
    },
    wire.Flow: {**OF_CONTEXT, "state": st.sampled_from(["paused", "resumed"])},
    wire.Track: {"state": st.sampled_from(["connected", "disconnected"])},
    wire.TrackPlayback: {
        **OF_CONTEXT,
        "played_ms": NUMBERS,
        "state": st.sampled_from(["playing", "waiting", "ended"]),
    },
    wire.Error: {
        "code": st.sampled_from([code.value for code in ErrorCode]),
        "message": TEXT,
        "fatal": st.booleans(),
        "context_id": OPTIONAL_TEXT,
        "handle": _or_unset(COUNTS),
        "retry_after_ms": _or_unset(COUNTS),
    },
    wire.SessionClosing: {"reason": TEXT, "drain_ms": COUNTS},
    wire.Pong: {"t": ANY_PING},
}
ALL_FIELDS = CLIENT_FIELDS | SERVER_FIELDS


def _name(kind: type[msgspec.Struct]) -> str:
    return wire.type_of(kind)


def test_every_kind_and_field_is_generated() -> None:
    """A message or a field that is added later is not forgotten here."""
    assert list(CLIENT_FIELDS) == list(get_args(wire.ClientMessage))
    assert list(SERVER_FIELDS) == list(get_args(wire.ServerMessage))
    for kind, fields in ALL_FIELDS.items():
        assert fields.keys() == set(kind.__struct_fields__)


# -- round trips -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", CLIENT_FIELDS, ids=_name)
@given(data=st.data())
@QUICK
def test_client_messages_round_trip(kind: type[msgspec.Struct], data: st.DataObject) -> None:
    """Encoded and decoded, the same; and it is what any JSON reader reads."""
    message = data.draw(st.builds(kind, **CLIENT_FIELDS[kind]))
    text = wire.encode(message)
    assert wire.decode_client(text) == message
    assert json.loads(text)["type"] == wire.type_of(kind)


@pytest.mark.parametrize("kind", SERVER_FIELDS, ids=_name)
@given(data=st.data())
@QUICK
def test_server_messages_round_trip(kind: type[msgspec.Struct], data: st.DataObject) -> None:
    """Encoded and decoded, the same; and it is what any JSON reader reads."""
    message = data.draw(st.builds(kind, **SERVER_FIELDS[kind]))
    text = wire.encode(message)
    assert wire.decode_server(text) == message
    assert json.loads(text)["type"] == wire.type_of(kind)


@given(text=st.text(st.characters(exclude_categories=["Cs"])), ascii_only=st.booleans())
@QUICK
def test_text_is_taken_verbatim(text: str, ascii_only: bool) -> None:
    """NUL, controls, and what lies beyond U+FFFF; written as it is or in escapes."""
    data = json.dumps({"type": "text", "text": text}, ensure_ascii=ascii_only)
    assert wire.decode_client(data) == wire.Text(text)


def test_fields_that_are_unset_are_not_sent() -> None:
    """Left out is not the same as null."""
    assert wire.encode(wire.SessionStart()) == '{"type":"session.start"}'
    assert wire.encode(wire.FlushDone("a", 1)) == '{"type":"flush.done","context_id":"a","handle":1}'
    assert json.loads(wire.encode(wire.Error("internal", "m"))) == {
        "type": "error",
        "code": "internal",
        "message": "m",
        "fatal": False,
    }


def test_nulls_that_are_sent() -> None:
    """Where null has a meaning it is written out."""
    assert json.loads(wire.encode(wire.Pong())) == {"type": "pong", "t": None}
    cancelled = wire.ContextCancelled("*", wire.NO_HANDLE, "cancelled", 0, "", "", 0, None)
    assert json.loads(wire.encode(cancelled))["last_seq"] is None


@pytest.mark.parametrize(
    "kind", [kind for kind, fields in CLIENT_FIELDS.items() if "context_id" in fields], ids=_name
)
def test_the_default_context(kind: type[msgspec.Struct]) -> None:
    """An id that is left out is "default"."""
    required = {"text": "a", "played_ms": 1} if kind in (wire.Text, wire.Playback) else {}
    message = wire.decode_client(json.dumps({"type": _name(kind), **required}))
    assert getattr(message, "context_id", None) == "default"


# -- frames ------------------------------------------------------------------------------------------------

PACKETS = st.builds(
    Packet,
    payload=st.binary(max_size=100),
    seq=st.integers(0, 2**32 - 1),
    position=st.integers(0, 2**64 - 1),
    duration=st.integers(0, 2**32 - 1),
    flags=st.integers(0, 2**16 - 1).map(FrameFlags),
)
#: Offset, width and value of each field of a header; see protocol.md.
Layout = tuple[tuple[int, int, int], ...]


@given(kind=st.sampled_from(frames.FrameKind), handle=COUNTS, packet=PACKETS)
@QUICK
def test_frames_round_trip(kind: frames.FrameKind, handle: int, packet: Packet) -> None:
    """Every field over its whole range, at its offset, in network byte order."""
    data = frames.encode_frame(kind, handle, packet)
    assert frames.decode_frame(data) == frames.Frame(kind, handle, packet)
    layout: Layout = (
        (0, 1, 1),
        (1, 1, kind),
        (2, 2, packet.flags),
        (4, 4, handle),
        (8, 4, packet.seq),
        (12, 4, packet.duration),
        (16, 8, packet.position),
    )
    for offset, width, value in layout:
        assert int.from_bytes(data[offset : offset + width], "big") == value
    assert data[24:] == packet.payload


@pytest.mark.parametrize("flags", [0, 1, 15, 16, 0x8000, 0xFFFF])
@pytest.mark.parametrize("largest", [False, True])
def test_frames_at_the_edges(flags: int, largest: bool) -> None:
    """Smallest and largest values, and flags that no one has given a meaning yet."""
    u32, u64 = (2**32 - 1, 2**64 - 1) if largest else (0, 0)
    packet = Packet(b"", u32, u64, u32, FrameFlags(flags))
    data = frames.encode_frame(frames.FrameKind.OPUS, u32, packet)
    assert len(data) == frames.HEADER_BYTES == 24
    assert frames.decode_frame(data) == frames.Frame(frames.FrameKind.OPUS, u32, packet)


@given(data=st.binary(max_size=64) | st.binary(max_size=40).map(lambda tail: b"\x01\x02" + tail))
@QUICK
def test_any_bytes_are_a_frame_or_refused(data: bytes) -> None:
    """Nothing but `InvalidMessageError`; what is taken is encoded to the same bytes."""
    try:
        frame = frames.decode_frame(data)
    except InvalidMessageError:
        return
    assert frames.encode_frame(frame.kind, frame.handle, frame.packet) == data


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "at least 24 bytes, this one has 0"),
        (bytes([1, 1]) + bytes(21), "at least 24 bytes, this one has 23"),
        (bytes([0, 1]) + bytes(22), "version 0"),
        (bytes([2, 1]) + bytes(22), "version 2"),
        (bytes([1, 0]) + bytes(22), "kind 0"),
        (bytes([1, 5]) + bytes(22), "kind 5"),
    ],
)
def test_frames_that_are_refused(data: bytes, said: str) -> None:
    """The error says what is wrong with it."""
    with pytest.raises(InvalidMessageError, match=said):
        frames.decode_frame(data)


# -- what is refused ---------------------------------------------------------------------------------------

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
TYPES = st.sampled_from([_name(kind) for kind in ALL_FIELDS])
FIELD_NAMES = sorted({name for fields in ALL_FIELDS.values() for name in fields})


def _refusal(data: str) -> str:
    """What the client is told about a message that must be refused."""
    with pytest.raises(InvalidMessageError) as caught:
        wire.decode_client(data)
    assert caught.value.code is ErrorCode.INVALID_MESSAGE
    # It is sent to the client, so it must be text, one that is short, and with nothing of our insides in it.
    told = caught.value.message
    told.encode()
    assert len(told) < 300
    assert not [word for word in ("Traceback", 'File "', "msgspec", "Error(") if word in told]
    return told


def _is_taken(data: str) -> bool:
    try:
        wire.decode_client(data)
    except InvalidMessageError as error:
        error.message.encode()
        return False
    return True


@given(data=st.text(st.characters(), max_size=60))
@QUICK
def test_any_text_is_refused(data: str) -> None:
    """Text that is no message: nothing but `InvalidMessageError`, half surrogates included."""
    assert not _is_taken(data)


@given(data=st.binary(max_size=60))
@QUICK
def test_any_bytes_as_text_are_refused(data: bytes) -> None:
    """As a transport that does not check UTF-8 might hand them on."""
    assert not _is_taken(data.decode("utf-8", "surrogateescape"))
    assert not _is_taken(data.decode("latin-1"))


@given(value=JSON_VALUES)
@QUICK
def test_json_that_is_no_message_is_refused(value: Any) -> None:
    """Any JSON without a `type`, and what Python calls JSON (NaN, Infinity)."""
    _refusal(json.dumps(value))


@given(
    type_=TYPES,
    fields=st.dictionaries(st.sampled_from(FIELD_NAMES), JSON_VALUES, max_size=4),
    ascii_only=st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_any_fields_are_taken_or_refused(type_: str, fields: dict[str, Any], ascii_only: bool) -> None:
    """Known names with any values, for clients and servers: nothing but `InvalidMessageError`."""
    data = json.dumps({"type": type_, **fields}, ensure_ascii=ascii_only)
    _is_taken(data)
    try:
        wire.decode_server(data)
    except InvalidMessageError as error:
        error.message.encode()


@given(data=st.binary(max_size=60))
@QUICK
def test_the_servers_side_refuses_the_same_way(data: bytes) -> None:
    """A client that decodes what no server sends."""
    with pytest.raises(InvalidMessageError):
        wire.decode_server(data.decode("latin-1"))


@given(type_=TEXT.filter(lambda name: name not in wire.CLIENT_TYPES))
@QUICK
def test_unknown_types(type_: str) -> None:
    """The answer lists those that are known."""
    told = _refusal(json.dumps({"type": type_}))
    assert told.startswith("`type` must be one of: ")
    assert all(name in told for name in wire.CLIENT_TYPES)


@pytest.mark.parametrize(
    "data",
    [
        "{}",
        '{"input": 1}',
        '{"input": "Hello.", "voice": "heart"}',  # the one-shot form
        '{"type": null}',
        '{"type": 1}',
        '{"type": []}',
    ],
)
def test_no_type(data: str) -> None:
    """Missing, or not a string."""
    assert "`type` must be one of: session.start" in _refusal(data)


@pytest.mark.parametrize("data", ["null", "[]", "1", '"text"', "true", "[" * 100_000])
def test_no_object(data: str) -> None:
    """JSON, but not an object."""
    assert _refusal(data) == "a message must be a JSON object with a `type`"


@pytest.mark.parametrize(
    "data", ["", "{", '{"type": "ping"', '{"type": "ping"} {}', "\ufeff{}", "{'type': 'ping'}"]
)
def test_no_json(data: str) -> None:
    """Cut short, with something behind it, with a byte order mark, with other quotes."""
    assert "not valid JSON" in _refusal(data)


@pytest.mark.parametrize("data", ['{"type": "ping", "x": NaN}', '{"type": "ping", "t": Infinity}'])
def test_numbers_that_are_no_json(data: str) -> None:
    """Python writes them, JSON has none."""
    assert "not valid JSON" in _refusal(data)


@pytest.mark.parametrize("digits", [5_000, 100_000])
@pytest.mark.parametrize(
    "message", ['"type":"ping","t":', '"type":"cancel","played_ms":', '"type":"context.open","seed":']
)
def test_endless_numbers(message: str, digits: int) -> None:
    """More digits than Python turns into a number."""
    assert message.split('"')[-2] in _refusal("{" + message + "9" * digits + "}")


def test_deep_nesting() -> None:
    """In a field that is ignored, too."""
    assert "nested too deeply" in _refusal('{"type":"ping","x":' + "[" * 100_000 + "]" * 100_000 + "}")


@pytest.mark.parametrize(
    "data", ['{"type":"pong","x":' + "[" * 100_000 + "]" * 100_000 + "}", '{"type":"pong","t":"\ud800"}']
)
def test_the_servers_side_refuses_deep_nesting_and_half_surrogates(data: str) -> None:
    """As the client's side does."""
    try:
        wire.decode_server(data)
    except InvalidMessageError:
        return
    except (RecursionError, UnicodeEncodeError) as error:
        pytest.fail(f"{type(error).__name__} came out")
    pytest.fail("it was taken")


HALVES = st.sampled_from([r"\ud800", r"\udbff", r"\udc00", r"\udfff", r"\uDC00\uD800", r"\ud800\ud800"])
WITHOUT_ESCAPES = st.text("ab é€😀", max_size=5)


@given(
    half=HALVES,
    before=WITHOUT_ESCAPES,
    after=WITHOUT_ESCAPES,
    place=st.sampled_from(["text", "context_id", "x"]),
)
@QUICK
def test_half_surrogates_in_escapes(half: str, before: str, after: str, place: str) -> None:
    """In text, in an id, and in a field that is ignored."""
    told = _refusal(f'{{"type":"text","text":"","{place}":"{before}{half}{after}"}}')
    assert "half of a surrogate pair" in told


@given(half=st.integers(0xD800, 0xDFFF), before=TEXT, after=TEXT)
@QUICK
def test_half_surrogates_as_they_are(half: int, before: str, after: str) -> None:
    """As text that was not checked would hold them."""
    text = json.dumps(before)[1:-1] + chr(half) + json.dumps(after)[1:-1]
    _refusal(f'{{"type":"text","text":"{text}"}}')


def test_whole_surrogate_pairs_in_escapes() -> None:
    """Two halves that belong together are one character."""
    assert wire.decode_client(r'{"type":"text","text":"\ud83d\ude00"}') == wire.Text("😀")


def test_nul() -> None:
    """In an escape it is a character like any other; as it is, JSON has none."""
    assert wire.decode_client(r'{"type":"text","text":"a\u0000b"}') == wire.Text("a\0b")
    assert "not valid JSON" in _refusal('{"type":"text","text":"a\0b"}')


class Known(msgspec.Struct):
    """What another form of message may be."""

    number: int


def test_other_kinds_are_decoded_and_refused_in_the_same_words() -> None:
    """Each error that `decode_client` explains is explained here."""
    assert wire.decode_as('{"number": 5, "more": 6}', Known) == Known(5)
    for data, said in (
        ('{"number": "5"}', "wrong field: Expected `int`, got `str` - at `$.number`"),
        ("{}", "missing required field `number`"),
        ("{", "not valid JSON"),
        ('{"number": 5, "x": "\\ud800"}', "half of a surrogate pair"),
        ('{"number": 5, "x": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply"),
    ):
        with pytest.raises(InvalidMessageError, match=re.escape(said)):
            wire.decode_as(data, Known)


# -- wrong fields ------------------------------------------------------------------------------------------

#: Per field: a value of a type that it does not take, and what the answer calls the types it takes.
WRONG: dict[str, tuple[Any, str]] = {
    **dict.fromkeys(("context_id", "text", "voice", "language", "instruct"), (1, "`str`")),
    **dict.fromkeys(("buffer", "on_conflict", "timestamps", "audio"), (True, "`str`")),
    **dict.fromkeys(("sample_rate", "bitrate", "frame_ms", "max_lead_ms", "seed"), ("1", "`int`")),
    **dict.fromkeys(("normalize", "markup", "cache", "drain"), (1, "`bool`")),
    "speed": ("1", "`float`"),
    "lexicon": ([], "`object`"),
    "formats": ("opus", "`array`"),
    "resume": (False, "`object`"),
    "flush_id": (7, "`str | null`"),
    "played_ms": ("1", "`float"),
    "t": ({}, "`int | float | str | null`"),
}


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        pytest.param(kind, field, id=f"{_name(kind)}-{field}")
        for kind, fields in CLIENT_FIELDS.items()
        for field in fields
    ],
)
def test_wrong_types_of_fields(kind: type[msgspec.Struct], field: str) -> None:
    """The answer names the field, and the types it takes."""
    value, allowed = WRONG[field]
    rest = {"text": "a", "played_ms": 1} if kind in (wire.Text, wire.Playback) else {}
    told = _refusal(json.dumps({"type": _name(kind), **rest, field: value}))
    assert told.startswith(f"wrong field: Expected {allowed}")
    assert told.endswith(f"at `$.{field}`")


@pytest.mark.parametrize(
    ("message", "field", "allowed"),
    [
        ({"type": "text", "text": "a", "context_id": ""}, "context_id", ">= 1"),
        ({"type": "text", "text": "a", "context_id": "x" * 65}, "context_id", "<= 64"),
        ({"type": "flush", "flush_id": "x" * 65}, "flush_id", "<= 64"),
        ({"type": "session.start", "bitrate": 5_999}, "bitrate", ">= 6000"),
        ({"type": "session.start", "bitrate": 256_001}, "bitrate", "<= 256000"),
        ({"type": "session.start", "bitrate": 24_000.0}, "bitrate", "`int`"),
        ({"type": "session.start", "speed": 0.2}, "speed", ">= 0.25"),
        ({"type": "session.start", "speed": 4.1}, "speed", "<= 4"),
        ({"type": "session.start", "formats": []}, "formats", ">= 1"),
        ({"type": "session.start", "formats": ["opus"] * 17}, "formats", "<= 16"),
        ({"type": "session.start", "audio": "tape"}, "audio", "frames, rtc"),
        ({"type": "session.start", "max_lead_ms": -1}, "max_lead_ms", ">= 0"),
        ({"type": "session.start", "voice": None}, "voice", "`str`"),
        ({"type": "session.start", "voice": "x" * 65}, "voice", "<= 64"),
        ({"type": "session.start", "language": "x" * 65}, "language", "<= 64"),
        ({"type": "context.open", "voice": "x" * 65}, "voice", "<= 64"),
        ({"type": "context.open", "language": "x" * 65}, "language", "<= 64"),
        ({"type": "context.open", "speed": 0.2}, "speed", ">= 0.25"),
        ({"type": "context.open", "speed": 4.1}, "speed", "<= 4"),
        ({"type": "session.update", "speed": 0.2}, "speed", ">= 0.25"),
        ({"type": "session.update", "frame_ms": 20.5}, "frame_ms", "`int`"),
        ({"type": "session.update", "bitrate": 5_999}, "bitrate", ">= 6000"),
        ({"type": "context.open", "seed": -1}, "seed", ">= 0"),
        ({"type": "context.open", "seed": 2**53}, "seed", "<= 9007199254740991"),
    ],
)
def test_values_out_of_range(message: dict[str, Any], field: str, allowed: str) -> None:
    """The answer names the field, and what is allowed."""
    told = _refusal(json.dumps(message))
    assert f"`$.{field}`" in told
    assert allowed in told


ENUMS = [
    ("session.start", "frame_ms", 30, (20, 40, 60)),
    ("session.start", "timestamps", "words", ("none", "word")),
    ("session.update", "frame_ms", 10, (20, 40, 60)),
    ("session.update", "timestamps", "", ("none", "word")),
    ("context.open", "buffer", "never", ("auto", "sentence", "manual")),
    ("context.open", "on_conflict", "fight", ("queue", "preempt")),
]


@pytest.mark.parametrize(("kind", "field", "value", "allowed"), ENUMS)
def test_values_that_are_none_of_the_allowed(
    kind: str, field: str, value: object, allowed: tuple[object, ...]
) -> None:
    """The answer names the field."""
    assert f"`$.{field}`" in _refusal(json.dumps({"type": kind, field: value}))


@pytest.mark.parametrize(("kind", "field", "value", "allowed"), ENUMS)
def test_the_allowed_values_are_listed(
    kind: str, field: str, value: object, allowed: tuple[object, ...]
) -> None:
    """The answer lists what may stand there."""
    told = _refusal(json.dumps({"type": kind, field: value}))
    assert all(str(one) in told.replace(f"value {value}", "") for one in allowed)


@pytest.mark.parametrize(("kind", "field"), [("text", "text"), ("playback", "played_ms")])
def test_missing_fields(kind: str, field: str) -> None:
    """The answer names it."""
    assert f"missing required field `{field}`" in _refusal(json.dumps({"type": kind}))


@pytest.mark.parametrize("field", ["session_id", "token", "last"])
def test_missing_fields_of_resume(field: str) -> None:
    """Inside an object, too."""
    resume = {"session_id": "a", "token": "b", "last": {}}
    del resume[field]
    told = _refusal(json.dumps({"type": "session.start", "resume": resume}))
    assert f"missing required field `{field}` - at `$.resume`" in told


Side = Literal["client", "server"]


@pytest.mark.parametrize("kind", ALL_FIELDS, ids=_name)
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_unknown_fields_are_ignored(kind: type[msgspec.Struct], data: st.DataObject) -> None:
    """Whatever their name and value, and wherever they stand."""
    side: Side = "client" if kind in CLIENT_FIELDS else "server"
    message = data.draw(st.builds(kind, **ALL_FIELDS[kind]))
    names = TEXT.filter(lambda name: name not in kind.__struct_fields__ and name != "type")
    values = JSON_VALUES.filter(lambda value: "NaN" not in json.dumps(value))
    unknown = data.draw(st.dictionaries(names, values, max_size=3))
    known = json.loads(wire.encode(message))
    both = {**unknown, **known} if data.draw(st.booleans()) else {**known, **unknown}
    text = json.dumps(both)
    if "Infinity" in text:
        return
    decoded = wire.decode_client(text) if side == "client" else wire.decode_server(text)
    assert decoded == message
