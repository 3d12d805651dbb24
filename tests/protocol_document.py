"""protocol.md as tests read it: its tables and examples, and examples played to a session."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from realtime.app import make_offer
from realtime.audio.formats import make_encoder
from realtime.config import Config
from realtime.session import actions
from realtime.session import messages as wire
from realtime.session.session import Session
from realtime.types import (
    AudioSettings,
    Finished,
    FrameFlags,
    Packet,
    SegmentStarted,
    SourceWord,
    Timing,
    WordsTimed,
)

DOCUMENT = (Path(__file__).parent.parent / "protocol.md").read_text(encoding="utf-8")
NOT_YET = "*(not yet)*"
FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
NAME = re.compile(r"`([^`]+)`")
OFFER = make_offer(Config())


def blocks(info: str, text: str = DOCUMENT) -> list[str]:
    return [match["body"] for match in FENCE.finditer(text) if match["info"] == info]


def lines(info: str, text: str = DOCUMENT) -> list[str]:
    return [line for body in blocks(info, text) for line in body.splitlines() if line.strip()]


def section(heading: str) -> str:
    """The text under a heading, up to the next one of any level."""
    match = re.search(rf"^#+ {re.escape(heading)}$\n(.*?)(?=^#|\Z)", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert match is not None, f"protocol.md has no heading {heading!r}"
    return match[1]


def table(text: str, first_column: str) -> list[dict[str, str]]:
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


def name(cell: str) -> str:
    match = NAME.match(cell)
    assert match is not None, f"no name in {cell!r}"
    return match[1]


def new_session() -> Session:
    return Session("session", lambda: "token", OFFER, 0.0)


def sent(done: list[actions.Action]) -> list[msgspec.Struct]:
    return [action.message for action in done if isinstance(action, actions.Send)]


def told(done: list[actions.Action]) -> list[Any]:
    """What a client reads."""
    return [msgspec.json.decode(wire.encode(message)) for message in sent(done)]


def encoder_of(name: str, rate: int, frame_ms: int) -> Any:
    return make_encoder(AudioSettings(name, rate, frame_ms, 64_000))


def segment_started(line: dict[str, Any]) -> SegmentStarted:
    """What a speaker says of a segment that is told so."""
    source = line["source"][0], line["source"][1]
    return SegmentStarted(line["index"], line["text"], source, line["language"], round(line["start_ms"] * 48))


def finished(line: dict[str, Any]) -> Finished:
    """What a speaker says at the end of a context that is told so."""
    timing = line["timing"]
    seconds = {f"{name}_s": timing[f"{name}_ms"] / 1000 for name in ("queue", "infer", "encode")}
    return Finished(round(line["audio_ms"] * 48), Timing(cache=True, **seconds))


class Replay:
    """Plays an example of the document to a session on virtual time, and compares what it answers."""

    def __init__(self, section: str) -> None:
        self.lines = [
            (match["info"], json.loads(line))
            for match in FENCE.finditer(section)
            if match["info"] in ("json client", "json server")
            for line in match["body"].splitlines()
        ]
        readies = [line for _, line in self.lines if line["type"] == "session.ready"]
        tokens = iter([ready["resume_token"] for ready in readies])
        self.ready = readies[0]
        self.session = Session(self.ready["session_id"], lambda: next(tokens), OFFER, 0.0)
        self.answers: list[Any] = []

    def packets(self, done: dict[str, Any]) -> Iterator[Packet]:
        """All frames of a context that ends so, by the rules of the format."""
        encoder = encoder_of(self.ready["format"], self.ready["sample_rate"], self.ready["frame_ms"])
        late, size = 2 * encoder.lookahead, 2 * encoder.frame_samples
        starts = [
            round(line["start_ms"] * 48)
            for _, line in self.lines
            if line["type"] == "segment" and line["handle"] == done["handle"]
        ]
        length = round(done["audio_ms"] * 48)
        for seq in range(done["last_seq"] + 1):
            position, end = max(0, seq * size - late), min(length, (seq + 1) * size - late)
            flags = FrameFlags.NONE if seq else FrameFlags.FIRST
            if end == length:
                flags |= FrameFlags.LAST
            if any(position <= start < end for start in starts):
                flags |= FrameFlags.SEGMENT
            yield Packet(b"x", seq, position, end - position, flags)
        assert end == length and position < length, "`last_seq` goes with `audio_ms`"

    def send(self, message: dict[str, Any], now: float) -> None:
        self.answers += told(self.session.receive(json.dumps(message), now))

    def expect(self, line: dict[str, Any]) -> None:
        """What the server says: an answer that has come, or what follows from a speaker's event."""
        if line["type"] == "segment":
            self.answers += told(self.session.on_event(line["handle"], segment_started(line), 0.0))
        elif line["type"] == "words":
            words = tuple(
                SourceWord(
                    word["source"][0],
                    word["source"][1],
                    round(word["start_ms"] * 48),
                    round(word["end_ms"] * 48),
                )
                for word in line["words"]
            )
            timed = WordsTimed(line["segment"], words, line["estimated"])
            self.answers += told(self.session.on_event(line["handle"], timed, 0.0))
        elif line["type"] == "context.done":
            timing = line["timing"]
            for packet in self.packets(line):
                self.session.on_event(line["handle"], packet, timing["first_audio_ms"] / 1000)
            self.answers += told(
                self.session.on_event(line["handle"], finished(line), timing["total_ms"] / 1000)
            )
        assert self.answers.pop(0) == line

    def run(self, times: list[float] | None = None) -> None:
        """The whole example; `times` of the client's messages, all 0 when there are none."""
        clock = iter(times or [0.0] * len(self.lines))
        for info, line in self.lines:
            if info == "json client":
                self.send(line, next(clock))
            else:
                self.expect(line)
        assert not self.answers
        assert next(clock, None) in (None, 0.0)
