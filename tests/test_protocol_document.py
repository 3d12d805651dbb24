"""protocol.md says what the code does: its examples and tables are read and compared with it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from realtime.app import FEATURES
from realtime.errors import ERRORS, CloseCode, ErrorCode
from realtime.session import actions, frames
from realtime.session import messages as wire
from realtime.session.offer import Format, Limits, Offer
from realtime.session.session import Session
from realtime.types import FrameFlags, Packet, SourceWord, Voice, WordsTimed

DOCUMENT = (Path(__file__).parent.parent / "protocol.md").read_text(encoding="utf-8")
NOT_YET = "*(not yet)*"
_FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_NAME = re.compile(r"`([^`]+)`")
KINDS: dict[str, type[msgspec.Struct]] = {
    wire.type_of(kind): kind for kind in (*wire.ClientMessage.__args__, *wire.ServerMessage.__args__)
}
PRE_SKIP = 312


def _blocks(info: str) -> list[str]:
    return [match["body"] for match in _FENCE.finditer(DOCUMENT) if match["info"] == info]


def _lines(info: str) -> list[str]:
    return [line for body in _blocks(info) for line in body.splitlines() if line.strip()]


def _section(heading: str) -> str:
    """The text under a heading, up to the next one of any level."""
    match = re.search(rf"^#+ {re.escape(heading)}$\n(.*?)(?=^#|\Z)", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert match is not None, f"protocol.md has no heading {heading!r}"
    return match[1]


def _table(text: str, first_column: str) -> list[dict[str, str]]:
    """Rows of the one table in `text` whose first column has this title."""
    tables = [
        table
        for table in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
        if _cells(table.splitlines()[0])[0] == first_column
    ]
    assert len(tables) == 1, f"{len(tables)} tables begin with the column {first_column!r}"
    header, _, *rows = [_cells(line) for line in tables[0].splitlines()]
    assert all(len(row) == len(header) for row in rows), f"a row of the table {first_column!r} is too long"
    return [dict(zip(header, row, strict=True)) for row in rows]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def _name(cell: str) -> str:
    match = _NAME.match(cell)
    assert match is not None, f"no name in {cell!r}"
    return match[1]


def _missing(example: Any, coded: Any, at: str = "$") -> list[str]:
    """Where the example says what the code does not."""
    if isinstance(example, dict) and isinstance(coded, dict):
        found: list[str] = []
        for name, value in example.items():
            if name in coded:
                found += _missing(value, coded[name], f"{at}.{name}")
            else:
                found.append(f"{at}.{name} is not a field")
        return found
    if isinstance(example, list) and isinstance(coded, list) and len(example) == len(coded):
        pairs = zip(example, coded, strict=True)
        return [fault for i, (a, b) in enumerate(pairs) for fault in _missing(a, b, f"{at}[{i}]")]
    # In Python True equals 1, in JSON it does not.
    same = example == coded and isinstance(example, bool) == isinstance(coded, bool)
    return [] if same else [f"{at} is {coded!r}, not {example!r}"]


@pytest.mark.parametrize("line", _lines("json client"))
def test_client_examples_are_messages(line: str) -> None:
    """The real decoder takes each, and loses no field."""
    assert not _missing(json.loads(line), json.loads(wire.encode(wire.decode_client(line))))


@pytest.mark.parametrize("line", _lines("json server"))
def test_server_examples_are_messages(line: str) -> None:
    """The real decoder takes each, and loses no field."""
    assert not _missing(json.loads(line), json.loads(wire.encode(wire.decode_server(line))))


@pytest.mark.parametrize("line", _lines("json server"))
def test_server_examples_are_complete(line: str) -> None:
    """A server message in an example has all that the server would send."""
    assert not _missing(json.loads(wire.encode(wire.decode_server(line))), json.loads(line))


@pytest.mark.parametrize(
    ("info", "union"), [("json client", wire.ClientMessage), ("json server", wire.ServerMessage)]
)
def test_every_message_has_an_example(info: str, union: Any) -> None:
    """No type is without one."""
    shown = {json.loads(line)["type"] for line in _lines(info)}
    assert shown == {wire.type_of(kind) for kind in union.__args__}


@pytest.mark.parametrize("name", KINDS)
def test_field_tables(name: str) -> None:
    """The section of a message lists exactly its fields; what is planned may be missing from the code."""
    rows = _table(_section(f"`{name}`"), "field")
    documented = {_name(row["field"]): NOT_YET in row["meaning"] for row in rows}
    fields = {field.encode_name for field in msgspec.structs.fields(KINDS[name])}
    assert fields <= documented.keys()
    assert all(planned for field, planned in documented.items() if field not in fields)


def test_nested_fields() -> None:
    """The keys of the objects inside messages."""
    tables: list[tuple[str, str, type[msgspec.Struct]]] = [
        ("`context.done`", "key of `timing`", wire.ContextTiming),
        ("Resume", "key of `resume`", wire.ResumeRequest),
        ("Limits", "key of `limits`", wire.LimitsReport),
    ]
    for heading, title, kind in tables:
        names = [_name(next(iter(row.values()))) for row in _table(_section(heading), title)]
        assert names == [field.encode_name for field in msgspec.structs.fields(kind)]


def test_what_the_server_refuses_is_marked() -> None:
    """A client message that no session receives is visibly planned, and the others are not."""
    session = Session("session", "token", _offer(), 0.0)
    for kind in wire.ClientMessage.__args__:
        name = wire.type_of(kind)
        body = _section(f"`{name}`").strip()
        required = {"text": ', "text": "a"', "playback": ', "played_ms": 1'}.get(name, "")
        replies = _sent(session.receive(f'{{"type": "{name}"{required}, "context_id": "x"}}', 0.0))
        refused = any(isinstance(reply, wire.Error) and reply.code == "unsupported" for reply in replies)
        assert body.startswith(NOT_YET) is refused, name


def test_fences_are_known() -> None:
    """A block with a mistyped info string would not be read at all."""
    infos = {match["info"] for match in _FENCE.finditer(DOCUMENT)}
    assert infos == {"json client", "json server", "json planned", "hex frame", "text"}
    assert DOCUMENT.count("```") == 2 * len(_FENCE.findall(DOCUMENT))
    for line in _lines("json planned"):
        assert isinstance(json.loads(line), dict)


def test_links_lead_somewhere() -> None:
    """Every link inside the document has its heading."""
    headings = re.findall(r"^#+ (.+)$", DOCUMENT, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", DOCUMENT)) <= anchors


@pytest.mark.parametrize("text", _blocks("hex frame"))
def test_frame_examples(text: str) -> None:
    """The real decoder takes each, and its encoder gives the same bytes."""
    data = bytes.fromhex(text)
    frame = frames.decode_frame(data)
    assert frames.encode_frame(frame.kind, frame.handle, frame.packet) == data
    if frame.packet.payload:
        assert frame.packet.duration
    else:
        assert frame.packet.duration == 0 and frame.packet.flags == FrameFlags.LAST


def test_frame_table() -> None:
    """The table that takes the first frame example apart holds its bytes and their values."""
    data = bytes.fromhex(_blocks("hex frame")[0])
    rows = _table(_section("Binary frames"), "bytes")
    parts = [bytes.fromhex(_name(row["bytes"])) for row in rows]
    assert b"".join(parts) == data
    assert [int(row["value"]) for row in rows[:-1]] == [int.from_bytes(part) for part in parts[:-1]]
    assert int(rows[5]["value"]) == 960 - PRE_SKIP


def test_frame_layout() -> None:
    """Offsets and widths of the header's fields."""
    rows = _table(_section("Binary frames"), "offset")
    end = 0
    for row in rows[:-1]:
        assert int(row["offset"]) == end
        end += int(row["type"].removeprefix("u")) // 8
    assert int(rows[-1]["offset"]) == end == frames.HEADER_BYTES
    flags = _table(_section("Binary frames"), "flag bit")
    assert [int(row["value"]) for row in flags] == [flag.value for flag in FrameFlags]
    assert [1 << int(row["flag bit"]) for row in flags] == [flag.value for flag in FrameFlags]


def test_errors() -> None:
    """Every code, with what `errors.ERRORS` says of it."""
    rows = _table(_section("Error codes"), "code")
    documented = {
        _name(row["code"]): (int(row["HTTP status"]), int(row["close code"]), row["retry"]) for row in rows
    }
    assert len(documented) == len(rows)
    assert documented == {
        code.value: (
            ERRORS[code].http_status,
            ERRORS[code].close_code,
            "yes" if ERRORS[code].retry else "no",
        )
        for code in ErrorCode
    }


def test_close_codes() -> None:
    """Every code that the server closes with is explained."""
    documented = {int(row["code"]) for row in _table(_section("Close codes"), "code")}
    used = {value for name, value in vars(CloseCode).items() if name.isupper()}
    assert used <= documented


def test_limits() -> None:
    """Names and defaults."""
    rows = _table(_section("Limits"), "key of `limits`")
    documented = {_name(row["key of `limits`"]): float(row["default"]) for row in rows}
    assert documented == msgspec.to_builtins(Limits().report())


def test_features() -> None:
    """The table of present features, in order, and the examples hold what the server reports."""
    present = [_name(row["feature"]) for row in _table(_section("Features"), "feature")]
    planned = [_name(row["planned feature"]) for row in _table(_section("Features"), "planned feature")]
    assert present == list(FEATURES)
    assert not set(planned) & set(FEATURES)
    ready = [wire.decode_server(line) for line in _lines("json server") if '"session.ready"' in line]
    assert ready
    for message in ready:
        assert isinstance(message, wire.SessionReady)
        assert message.features == list(FEATURES)
        assert message.limits == Limits().report()


# -- the worked example is what a session really answers ---------------------------------------------------


def _offer() -> Offer:
    return Offer(
        engine="embedded",
        voices={"heart": Voice("heart", ("en",), "embedded")},
        default_voice="heart",
        formats={"opus": Format(frames.FrameKind.OPUS, 48_000, PRE_SKIP)},
        features=FEATURES,
        limits=Limits(),
        bitrate=32_000,
    )


def _sent(done: list[actions.Action]) -> list[wire.ServerMessage]:
    return [action.message for action in done if isinstance(action, actions.Send)]


def _worked(info: str) -> list[str]:
    section = _section("Worked example: a barge-in")
    return [line for m in _FENCE.finditer(section) if m["info"] == info for line in m["body"].splitlines()]


def test_worked_example() -> None:
    """Its text, word times and frames, given to a session, lead to its answers."""
    section = _section("Worked example: a barge-in")
    text, flush, cancel, *late = _worked("json client")
    answers = [json.loads(line) for line in _worked("json server")]
    source = json.loads(text)["text"]
    session = Session("session", "token", _offer(), 0.0)
    session.receive(text, 0.0)
    session.receive(flush, 0.0)

    words: list[SourceWord] = []
    for row in _table(section, "word"):
        start, end = map(int, row["source"].split("–"))
        assert source[start:end] == row["word"]
        words.append(SourceWord(start, end, int(row["start_ms"]) * 48, int(row["end_ms"]) * 48))
    session.on_event(1, WordsTimed(0, tuple(words), False), 0.1)

    rows = [row for row in _table(section, "seq") if row["seq"] != "…"]
    for row in rows:
        seq, position, duration = int(row["seq"]), int(row["position"]), int(row["duration"])
        assert position == max(0, seq * 960 - PRE_SKIP)
        assert position + duration == (seq + 1) * 960 - PRE_SKIP
        assert row["covers, in ms"] == f"{position / 48:g} to {(position + duration) / 48:g}"
        flags = FrameFlags(int(row["flags"].split()[0]))
        session.on_event(1, Packet(b"x", seq, position, duration, flags), 0.1)
    assert int(rows[-1]["position"]) + int(rows[-1]["duration"]) >= words[-1].end

    got: list[wire.ServerMessage] = []
    for message in (cancel, *late):
        got += _sent(session.receive(message, 1.78))
    assert [json.loads(wire.encode(message)) for message in got] == answers


def test_cuts_in_examples_add_up() -> None:
    """`source_offset` is the length of `text_spoken` in characters."""
    for line in _lines("json server"):
        message = wire.decode_server(line)
        if isinstance(message, wire.ContextCancelled):
            assert message.source_offset == len(message.text_spoken)
        if isinstance(message, wire.Error):
            assert message.code in list(ErrorCode)
