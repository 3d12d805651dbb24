"""protocol.md says what the code does: its examples and tables are read and compared with it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pytest

from realtime.app import FEATURES
from realtime.audio.containers import OggOpusEncoder, WebmOpusEncoder
from realtime.audio.formats import FORMATS, pre_skip
from realtime.audio.opus import OpusEncoder
from realtime.config import Config
from realtime.errors import ERRORS, CloseCode, ErrorCode, InvalidMessageError
from realtime.session import actions, frames, one_shot
from realtime.session import messages as wire
from realtime.session.offer import Limits
from realtime.session.session import Session
from realtime.session.sockets import no_such_session
from realtime.speech.timeline import Timeline
from realtime.types import (
    AudioChunk,
    Failed,
    Finished,
    FrameFlags,
    Packet,
    SourceWord,
    SpanLink,
    TextPiece,
    WordsTimed,
)
from realtime.voices.catalogue import by_name, voices_of
from tests import protocol_document as doc

#: Each kind of message by the heading of its section.
KINDS: dict[str, type[msgspec.Struct]] = {
    f"`{wire.type_of(kind)}`": kind for kind in (*wire.ServerMessage.__args__, *wire.ClientMessage.__args__)
} | {"`playback` of the server": wire.TrackPlayback}
PRE_SKIP = 312
RATES = [(name, rate) for name, rates in FORMATS.items() for rate in rates]


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


# -- the document itself ------------------------------------------------------------------------------------


def test_fences_are_known() -> None:
    """A block with a mistyped info string would not be read at all."""
    infos = {match["info"] for match in doc.FENCE.finditer(doc.DOCUMENT)}
    assert infos == {"json client", "json server", "json one-shot", "hex frame", "text"}
    assert doc.DOCUMENT.count("```") == 2 * len(doc.FENCE.findall(doc.DOCUMENT))


def test_links_lead_somewhere() -> None:
    """Every link inside the document has its heading, and every chapter is in the contents."""
    headings = re.findall(r"^#+ (.+)$", doc.DOCUMENT, re.MULTILINE)
    links = re.findall(r"\]\(#([^)]+)\)", doc.DOCUMENT)
    assert set(links) <= {_anchor(heading) for heading in headings}
    chapters = re.findall(r"^## (.+)$", doc.DOCUMENT, re.MULTILINE)
    assert links[: len(chapters)] == [_anchor(chapter) for chapter in chapters]


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


# -- messages -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", doc.lines("json client"))
def test_client_examples_are_messages(line: str) -> None:
    """The real decoder takes each, and loses no field."""
    assert not _missing(json.loads(line), json.loads(wire.encode(wire.decode_client(line))))


@pytest.mark.parametrize("line", doc.lines("json server"))
def test_server_examples_are_messages(line: str) -> None:
    """The real decoder takes each, and loses no field."""
    assert not _missing(json.loads(line), json.loads(wire.encode(wire.decode_server(line))))


@pytest.mark.parametrize("line", doc.lines("json server"))
def test_server_examples_are_complete(line: str) -> None:
    """A server message in an example has all that the server would send."""
    assert not _missing(json.loads(wire.encode(wire.decode_server(line))), json.loads(line))


@pytest.mark.parametrize(
    ("info", "union"), [("json client", wire.ClientMessage), ("json server", wire.ServerMessage)]
)
def test_every_message_has_an_example(info: str, union: Any) -> None:
    """No type is without one."""
    shown = {json.loads(line)["type"] for line in doc.lines(info)}
    assert shown == {wire.type_of(kind) for kind in union.__args__}


@pytest.mark.parametrize("name", KINDS)
def test_field_tables(name: str) -> None:
    """The section of a message lists exactly its fields; what is planned may be missing from the code."""
    rows = doc.table(doc.section(name), "field")
    documented = {doc.name(row["field"]): doc.NOT_YET in row["meaning"] for row in rows}
    fields = {field.encode_name for field in msgspec.structs.fields(KINDS[name])}
    assert fields <= documented.keys()
    assert all(planned for field, planned in documented.items() if field not in fields)


def test_nested_fields() -> None:
    """The keys of the objects inside messages."""
    tables: list[tuple[str, str, type[msgspec.Struct]]] = [
        ("`words`", "key of `words`", wire.Word),
        ("`context.done`", "key of `timing`", wire.ContextTiming),
        ("The messages", "key of `resume`", wire.ResumeRequest),
        ("The messages", "key of `contexts`", wire.ContextReport),
        ("Limits", "key of `limits`", wire.LimitsReport),
    ]
    for heading, title, kind in tables:
        names = [doc.name(next(iter(row.values()))) for row in doc.table(doc.section(heading), title)]
        assert names == [field.encode_name for field in msgspec.structs.fields(kind)]


def test_cuts_in_examples_add_up() -> None:
    """`source_offset` is the length of `text_spoken` in characters."""
    for line in doc.lines("json server"):
        message = wire.decode_server(line)
        if isinstance(message, wire.ContextCancelled):
            assert message.source_offset == len(message.text_spoken)
        if isinstance(message, wire.Error):
            assert message.code in list(ErrorCode)


def test_words_in_examples_are_as_the_rules_say() -> None:
    """Slices of the text, in order, and none overlaps another."""
    shown = [wire.decode_server(line) for line in doc.lines("json server") if '"words"' in line]
    entries = [message.words for message in shown if isinstance(message, wire.Words)]
    assert len(entries) >= 8
    for words in entries:
        assert words
        for word in words:
            assert len(word.text) == word.source[1] - word.source[0]
            assert word.start_ms <= word.end_ms
        for one, following in pairwise(words):
            assert one.source[1] <= following.source[0] and one.end_ms <= following.start_ms
    texts = re.findall(
        r"^Of the text `([^\n]+?)`[,:].*?\n```json server\n(.*?)^```", doc.DOCUMENT, re.M | re.S
    )
    assert len(texts) == 2
    for text, lines in texts:
        for line in lines.splitlines():
            for entry in json.loads(line)["words"]:
                assert text[slice(*entry["source"])] == entry["text"]


# -- what is refused ----------------------------------------------------------------------------------------


def _codes(session: Session, **message: Any) -> list[str]:
    """The codes of the errors that answer a message."""
    answers = doc.sent(session.receive(json.dumps(message), 0.0))
    return [answer.code for answer in answers if isinstance(answer, wire.Error)]


#: Fields that a message must have.
REQUIRED: dict[str, dict[str, Any]] = {"text": {"text": "a"}, "playback": {"played_ms": 1}}


def test_what_the_server_refuses_is_marked() -> None:
    """A client message that no session receives is visibly planned, and the others are not."""
    session = doc.new_session()
    for kind in wire.ClientMessage.__args__:
        name = wire.type_of(kind)
        required = REQUIRED.get(name, {})
        codes = _codes(session, type=name, context_id="x", **required)
        assert doc.section(f"`{name}`").strip().startswith(doc.NOT_YET) is ("unsupported" in codes), name


#: A value of each setting that is not its default.
OTHER_VALUES: dict[str, Any] = {
    "formats": ["mulaw"],
    "sample_rate": 8000,
    "bitrate": 6000,
    "frame_ms": 60,
    "voice": "espeak-fr",
    "language": "fr",
    "speed": 2,
    "normalize": False,
    "timestamps": "word",
    "max_lead_ms": 1000,
    "lexicon": {"SQL": "sequel"},
    "markup": True,
    "cache": False,
    "audio": "rtc",
    "resume": {"session_id": "s", "token": "t", "last": {}},
    "context_id": "other",
    "instruct": "softly",
    "seed": 5,
    "buffer": "manual",
    "on_conflict": "preempt",
}


def _of_all_features() -> Session:
    """A session of a server like the default one, whose voices take instructions."""
    voices = {name: replace(voice, instruct="optional") for name, voice in doc.OFFER.voices.items()}
    return Session("session", lambda: "token", replace(doc.OFFER, voices=voices), 0.0)


@pytest.mark.parametrize("name", ["session.start", "session.update", "context.open"])
def test_settings_that_the_server_refuses_are_marked(name: str) -> None:
    for row in doc.table(doc.section(f"`{name}`"), "field"):
        field = doc.name(row["field"])
        codes = _codes(_of_all_features(), type=name, **{field: OTHER_VALUES[field]})
        assert codes == (["unsupported"] if doc.NOT_YET in row["meaning"] else []), field


@pytest.mark.parametrize("line", doc.lines("json client"))
def test_examples_are_refused_only_for_what_is_not_there_yet(line: str) -> None:
    message = json.loads(line)
    if message["type"] not in ("session.start", "session.update", "context.open"):
        return
    marked = {
        doc.name(row["field"])
        for row in doc.table(doc.section(f"`{message['type']}`"), "field")
        if doc.NOT_YET in row["meaning"]
    }
    asked = {field for field in marked & message.keys() if message[field] not in (0, "")}
    assert _codes(doc.new_session(), **message) == (["unsupported"] if asked else [])


@pytest.mark.parametrize(
    "row", doc.table(doc.section("Session and context"), "state"), ids=lambda row: row["state"]
)
def test_states_of_a_context(row: dict[str, str]) -> None:
    """What `text`, `flush` and `end` do to an id in each state."""

    def reached() -> Session:
        session = doc.new_session()
        if row["state"] == "(unknown)":
            session.receive('{"type": "ping"}', 0.0)
            return session
        session.receive('{"type": "text", "text": "a"}', 0.0)
        if row["state"] in ("ending", "done"):
            session.receive('{"type": "end"}', 0.0)
        if row["state"] == "done":
            session.on_event(1, Finished(0), 0.0)
        elif row["state"] == "failed":
            session.on_event(1, Failed(ErrorCode.ENGINE_FAILED, "broken"), 0.0)
        elif row["state"] == "cancelled":
            session.receive('{"type": "cancel"}', 0.0)
        return session

    def outcome(session: Session, message: str) -> str:
        answers = doc.sent(session.receive(message, 0.0))
        assert len(answers) <= 1
        if answers and isinstance(answers[0], wire.Error):
            return answers[0].code
        return "opened" if answers else "taken"

    text = '{"type": "text", "text": "b"}'
    expected = {
        "opens a context": ["opened"],
        "appended": ["taken", "taken"],
        "opens a new context": ["opened"],
        "dropped, one `context_closed`": ["context_closed", "taken"],
    }[row["`text` for the id"]]
    session = reached()
    assert [outcome(session, text) for _ in expected] == expected
    expected = {
        "`context_closed`": ["context_closed", "context_closed"],
        "accepted": ["taken", "taken"],
        "the same one": ["context_closed", "taken"],
    }[row["`flush`, `end` for the id"]]
    session = reached()
    assert [outcome(session, line) for line in ('{"type": "flush"}', '{"type": "end"}')] == expected


# -- voices -------------------------------------------------------------------------------------------------


def test_voices() -> None:
    """Those of the default engine, in the order in which they are chosen."""
    rows = doc.table(doc.section("Voices and languages"), "voice")
    documented = [
        (
            doc.name(row["voice"]),
            tuple(doc.NAME.findall(row["language"])),
            tuple(doc.NAME.findall(row["aliases"])),
            doc.NAME.findall(row["needs"])[0] if row["needs"] else None,
        )
        for row in rows
    ]
    assert documented == [
        (voice.id, voice.languages, voice.aliases, voice.extra) for voice in voices_of(Config().engine)
    ]
    assert doc.OFFER.default_voice == documented[0][0]


@pytest.mark.parametrize(
    ("name", "wanted", "spoken"),
    [
        (None, "auto", ("heart", "en")),
        (None, "en", ("heart", "en")),
        (None, "ko", ("espeak-ko", "ko")),
        (None, "sv", ErrorCode.UNKNOWN_LANGUAGE),
        ("espeak-fr", "auto", ("espeak-fr", "fr")),
        ("FR", "fr-CA", ("espeak-fr", "fr")),
        ("heart", "fr", ErrorCode.UNKNOWN_LANGUAGE),
        ("nobody", "auto", ErrorCode.UNKNOWN_VOICE),
        (None, "en-GB", ("heart", "en")),
        (None, "EN_us", ("heart", "en")),
        (None, "cmn-Hans-CN", ("espeak-zh", "zh")),
        (None, "eng", ErrorCode.UNKNOWN_LANGUAGE),
        (None, "english", ErrorCode.UNKNOWN_LANGUAGE),
    ],
)
def test_which_voice_speaks(name: str | None, wanted: str, spoken: tuple[str, str] | ErrorCode) -> None:
    """The table of what was asked for, and what is said about tags."""
    if isinstance(spoken, ErrorCode):
        with pytest.raises(InvalidMessageError) as refused:
            doc.OFFER.speaker(name, wanted)
        assert refused.value.code == spoken
    else:
        speaking = doc.OFFER.speaker(name, wanted)
        assert (speaking.voice.id, speaking.language) == spoken
        told_by_text = name is None and wanted == "auto"
        assert bool(speaking.auto_voices) is told_by_text


def test_errors_in_examples_are_what_a_session_says() -> None:
    """Those about voices, languages, wrong fields, too much of something, and sessions that are gone.

    Also without the extra, which the tests install.
    """
    shown = [json.loads(line) for line in doc.lines("json server") if '"type": "error"' in line]
    voices = voices_of(Config().engine)
    bare = replace(
        doc.OFFER,
        voices=by_name(voice for voice in voices if voice.extra is None),
        missing_voices=by_name(voice for voice in voices if voice.extra is not None),
    )
    session = Session("session", lambda: "token", bare, 0.0)
    session.receive('{"type": "session.start", "voice": "heart"}', 0.0)
    for message in (
        {"type": "text", "text": 5},
        {"type": "context.open", "context_id": "antwort-3", "language": "de"},
        {"type": "session.update", "voice": "kokoro-ja"},
    ):
        (answer,) = doc.told(session.receive(json.dumps(message), 0.0))
        assert answer in shown
    for number in range(1, Config().max_contexts + 2):
        opening = {"type": "context.open", "context_id": f"answer-{number}"}
        (answer,) = doc.told(session.receive(json.dumps(opening), 0.0))
    assert answer in shown and answer["code"] == "too_many_contexts"
    (too_fast,) = doc.told(session.too_fast(Config().max_messages_per_s, 12))
    assert too_fast in shown
    asking = Session("session", lambda: "token", bare, 0.0)
    asks = {"session_id": "other", "token": "old", "last": {}}
    asking.receive(json.dumps({"type": "session.start", "resume": asks}), 0.0)
    failed, ready = doc.told(asking.resume_failed(no_such_session(), 0.0))
    assert failed in shown and "resumed" not in ready


# -- frames and formats -------------------------------------------------------------------------------------


#: What the examples of samples are: format, rate in Hz, bytes of a sample.
SAMPLES = {frames.FrameKind.PCM_S16LE: ("pcm_s16le", 24_000, 2), frames.FrameKind.MULAW: ("mulaw", 8_000, 1)}


@pytest.mark.parametrize("text", doc.blocks("hex frame"))
def test_frame_examples(text: str) -> None:
    """The real decoder takes each, and its encoder gives the same bytes."""
    data = bytes.fromhex(text)
    frame = frames.decode_frame(data)
    assert frames.encode_frame(frame.kind, frame.handle, frame.packet) == data
    if frame.packet.payload:
        assert frame.packet.duration
    else:
        assert frame.packet.duration == 0 and frame.packet.flags == FrameFlags.LAST
    if frame.kind in SAMPLES:
        name, rate, width = SAMPLES[frame.kind]
        assert frame.packet.duration * rate == len(frame.packet.payload) // width * 48_000
        delay = 2 * doc.encoder_of(name, rate, 20).lookahead
        assert frame.packet.position + delay == frame.packet.seq * 960


def test_frame_table() -> None:
    """The table that takes the first frame example apart holds its bytes and their values."""
    data = bytes.fromhex(doc.blocks("hex frame")[0])
    rows = doc.table(doc.section("Binary frames"), "bytes")
    parts = [bytes.fromhex(doc.name(row["bytes"])) for row in rows]
    assert b"".join(parts) == data
    assert [int(row["value"]) for row in rows[:-1]] == [int.from_bytes(part) for part in parts[:-1]]
    assert int(rows[5]["value"]) == 960 - PRE_SKIP


def test_frame_layout() -> None:
    """Offsets and widths of the header's fields, and the kinds of payload."""
    rows = doc.table(doc.section("Binary frames"), "offset")
    end = 0
    for row in rows[:-1]:
        assert int(row["offset"]) == end
        end += int(row["type"].removeprefix("u")) // 8
    assert int(rows[-1]["offset"]) == end == frames.HEADER_BYTES
    kinds = [int(number) for number in re.findall(r"(?<=[:,] )(\d) ", rows[1]["field"])]
    assert kinds == [kind.value for kind in frames.FrameKind]
    flags = doc.table(doc.section("Binary frames"), "flag bit")
    assert [int(row["value"]) for row in flags] == [flag.value for flag in FrameFlags]
    assert [1 << int(row["flag bit"]) for row in flags] == [flag.value for flag in FrameFlags]


def test_formats() -> None:
    """All of them, their rates with the default first, and what is to be dropped."""
    documented = {
        doc.name(row["format"]): (
            int(row["kind"]),
            tuple(map(int, row["`sample_rate`"].split(", "))),
            int(row["`pre_skip`"]),
        )
        for row in doc.table(doc.section("Formats"), "format")
    }
    assert documented == {
        name: (doc.OFFER.formats[name].kind.value, rates, pre_skip(name)) for name, rates in FORMATS.items()
    }
    assert documented["opus"][2] == PRE_SKIP


def test_durations() -> None:
    """The first frame of each format, as its timeline makes it, and the length of the second."""
    rows = doc.table(doc.section("Durations"), "format")
    assert sorted((doc.name(row["format"]), int(row["`sample_rate`"])) for row in rows) == sorted(RATES)
    for row in rows:
        for column, frame_ms in (("first frame at 20 ms", 20), ("at 40 ms", 40), ("at 60 ms", 60)):
            timeline, _ = _placed(doc.name(row["format"]), int(row["`sample_rate`"]), frame_ms, 9600)
            first, second, *_ = timeline.packets(100)
            assert first.duration == int(row[column]) == 48 * frame_ms - int(row["d"])
            assert second.duration == 48 * frame_ms


def _placed(name: str, rate: int, frame_ms: int, samples: int) -> tuple[Timeline, int]:
    """A timeline with one segment of so many samples at 24 kHz, and its length at 48 kHz."""
    timeline = Timeline(doc.encoder_of(name, rate, frame_ms))
    piece = TextPiece(0, "One.", (0, 4), (SpanLink(0, 4, 0, 4),), "en")
    timeline.add(piece, AudioChunk(0, np.full(samples, 0.5, np.float32), 24_000))
    return timeline, samples * 2


@pytest.mark.parametrize("frame_ms", [20, 60])
def test_what_a_flush_adds(frame_ms: int) -> None:
    """In frames: from, and below; over many lengths of what is flushed."""
    bounds = {
        "less than one `frame_ms`": (0, 1),
        "one `frame_ms`, and less than one more": (1, 2),
    }
    rows = {doc.name(row["format"]): row for row in doc.table(doc.section("Flush and the end"), "format")}
    assert rows.keys() == FORMATS.keys()
    for name, rate in RATES:
        said = rows[name]["silence that a flush adds, at most"]
        if said.startswith("at 24 kHz none, else "):
            said = said.removeprefix("at 24 kHz none, else ")
            lowest, below = (0, 1e-9) if rate == 24_000 else bounds[said]
        else:
            lowest, below = bounds[said]
        for samples in range(2400, 2400 + 24 * frame_ms, 99):
            timeline, length = _placed(name, rate, frame_ms, samples)
            timeline.packets(100)
            timeline.flush()
            timeline.packets(100, partial=True)
            added = (timeline.length - length) / (48 * frame_ms)
            assert lowest <= added < below, (name, rate, samples)


def test_where_a_packet_is_in_a_file() -> None:
    """WebM: in its own frame; Ogg: in the next one, and a flushed end in an empty frame."""
    section = doc.table(doc.section("Files"), "")
    bare = OpusEncoder(64_000)
    loud = np.random.default_rng(1).integers(-9000, 9000, (4, 480)).astype(np.int16)
    sound = [samples.tobytes() for samples in loud]
    packets = [bare.encode(frame) for frame in sound]
    webm, ogg = WebmOpusEncoder(64_000), OggOpusEncoder(64_000)
    in_webm, in_ogg = ([encoder.encode(frame) for frame in sound] for encoder in (webm, ogg))
    assert all(packet in payload for packet, payload in zip(packets, in_webm, strict=True))
    assert all(packet in payload for packet, payload in zip(packets, in_ogg[1:], strict=False))
    assert section[0]["`ogg_opus`"] == "the header only" and packets[0] not in in_ogg[0]
    assert section[1]["`webm_opus`"].startswith("one whole cluster")
    assert all(payload.startswith(b"\x1f\x43\xb6\x75") for payload in in_webm[1:])
    assert section[1]["`ogg_opus`"].startswith("one whole page")
    assert all(payload.count(b"OggS") == 1 for payload in in_ogg[1:])
    assert section[3]["`webm_opus`"] == "no payload" and webm.close() == b""
    assert section[3]["`ogg_opus`"] == "the last page"
    rest = ogg.close()
    assert rest.count(b"OggS") == 1 and packets[-1] in rest
    ended = OggOpusEncoder(64_000)
    *before, last = sound
    for frame in before:
        ended.encode(frame)
    assert section[2]["`ogg_opus`"] == "the two last pages"
    assert ended.encode_last(last, 3).count(b"OggS") == 2


# -- tables of codes, limits and features -------------------------------------------------------------------


def test_errors() -> None:
    """Every code, with what `errors.ERRORS` says of it."""
    rows = doc.table(doc.section("Error codes"), "code")
    documented = {
        doc.name(row["code"]): (int(row["HTTP status"]), int(row["close code"]), row["retry"]) for row in rows
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
    documented = {int(row["code"]) for row in doc.table(doc.section("Close codes"), "code")}
    used = {value for name, value in vars(CloseCode).items() if name.isupper()}
    assert used <= documented


def test_limits() -> None:
    """Names and defaults."""
    rows = doc.table(doc.section("Limits"), "key of `limits`")
    documented = {doc.name(row["key of `limits`"]): float(row["default"]) for row in rows}
    assert documented == msgspec.to_builtins(Limits().report())


def test_features() -> None:
    """The table of present features, in order, and the examples hold what the server reports."""
    present = [doc.name(row["feature"]) for row in doc.table(doc.section("Features"), "feature")]
    assert present == list(FEATURES)
    assert set(FEATURES) - set(doc.OFFER.features) == {"instruct"}
    assert set(FORMATS) <= set(present)


@pytest.mark.parametrize("line", [line for line in doc.lines("json server") if '"session.ready"' in line])
def test_ready_examples_are_what_a_session_answers(line: str) -> None:
    """To a `session.start` that asks for what is in force then, without the voice."""
    shown = json.loads(line)
    if "resumed" in shown:  # its example is played in test_protocol_connections
        return
    asked = {name: shown[name] for name in ("sample_rate", "frame_ms", "language")}
    session = Session(shown["session_id"], lambda: shown["resume_token"], doc.OFFER, 0.0)
    start = {"type": "session.start", "formats": [shown["format"]], **asked}
    assert doc.told(session.receive(json.dumps(start), 0.0)) == [shown]


# -- the one-shot form --------------------------------------------------------------------------------------


def test_one_shot_examples() -> None:
    """Inputs choose the form and are spoken to their end; errors are what is answered to what they name."""
    shown = [json.loads(line) for line in doc.lines("json one-shot")]
    inputs = [each for each in shown if "input" in each]
    errors = [each for each in shown if each.get("event") == "error"]
    assert len(inputs) >= 3 and len(errors) == 3
    assert [each for each in shown if each not in inputs + errors] == [{"event": "done"}]
    machine = one_shot.OneShot(doc.OFFER, 0.0)
    for handle, each in enumerate(inputs, 1):
        line = json.dumps(each)
        assert one_shot.is_chosen_by(line)
        assert not _missing(each, msgspec.to_builtins(msgspec.json.decode(line, type=one_shot.Input)))
        assert isinstance(machine.receive(line, 0.0)[0], actions.OpenSpeaker)
        assert doc.told(machine.on_event(handle, Finished(0), 0.0)) == [{"event": "done"}]
    wrong: list[str | bytes] = [
        '{"input": "Hej.", "language": "sv"}',
        '{"type": "text", "text": "Hello."}',
        b"\0",
    ]
    assert [doc.told(machine.receive(each, 0.0))[0] for each in wrong] == errors


def test_one_shot_fields() -> None:
    rows = doc.table(doc.section("One-shot form"), "field")
    fields = msgspec.structs.fields(one_shot.Input)
    assert [doc.name(row["field"]) for row in rows] == [field.encode_name for field in fields]
    assert [row["default"] == "required" for row in rows] == [field.required for field in fields]
    events = {
        doc.name(row["`event`"]): row["fields"] for row in doc.table(doc.section("One-shot form"), "`event`")
    }
    assert events.keys() == {wire.type_of(one_shot.Done), wire.type_of(one_shot.ErrorEvent)}
    assert doc.NAME.findall(events["error"]) == ["detail"]
    assert f"others (see [Limits](#limits): {Limits().contexts})" in doc.section("One-shot form").replace(
        "\n  ", " "
    )


# -- the worked examples are what a session really answers ---------------------------------------------------


@pytest.mark.parametrize("heading", ["Quick start", "With words"])
def test_first_examples(heading: str) -> None:
    """They are what a session answers to them; and the frames that the text counts are those there are."""
    replay = doc.Replay(doc.section(heading))
    replay.run()
    done = next(line for _, line in replay.lines if line["type"] == "context.done")
    ends = [(packet.position + packet.duration) / 48 for packet in replay.packets(done)]
    if heading == "Quick start":
        assert f"the {len(ends)} binary frames" in doc.section(heading)
    else:
        reach = re.search(r"frames 0 to (\d+), which reach to ([\d.]+) ms", doc.section(heading))
        assert reach is not None and ends[int(reach[1])] == float(reach[2])
        assert f"frames {int(reach[1]) + 1} to {len(ends) - 1}." in doc.section(heading)


def _worked(info: str) -> list[str]:
    return doc.lines(info, doc.section("Worked example: a barge-in"))


def test_worked_example() -> None:
    """Its text, word times and frames, given to a session, lead to its answers."""
    section = doc.section("Worked example: a barge-in")
    text, flush, cancel, *late = _worked("json client")
    answers = [json.loads(line) for line in _worked("json server")]
    source = json.loads(text)["text"]
    session = doc.new_session()
    session.receive(text, 0.0)
    session.receive(flush, 0.0)

    words: list[SourceWord] = []
    for row in doc.table(section, "word"):
        start, end = map(int, row["source"].split("–"))
        assert source[start:end] == row["word"]
        words.append(SourceWord(start, end, int(row["start_ms"]) * 48, int(row["end_ms"]) * 48))
    session.on_event(1, WordsTimed(0, tuple(words), False), 0.1)

    rows = [row for row in doc.table(section, "seq") if row["seq"] != "…"]
    for row in rows:
        seq, position, duration = int(row["seq"]), int(row["position"]), int(row["duration"])
        assert position == max(0, seq * 960 - PRE_SKIP)
        assert position + duration == (seq + 1) * 960 - PRE_SKIP
        assert row["covers, in ms"] == f"{position / 48:g} to {(position + duration) / 48:g}"
        flags = FrameFlags(int(row["flags"].split()[0]))
        session.on_event(1, Packet(b"x", seq, position, duration, flags), 0.1)
    assert int(rows[-1]["position"]) + int(rows[-1]["duration"]) >= words[-1].end

    got: list[Any] = []
    for message in (cancel, *late):
        got += doc.told(session.receive(message, 1.78))
    assert got == answers


REPORTED = doc.section("Worked example: words, reports and a cancel")


def _times() -> list[float]:
    """When the client of the second worked example says what."""
    return [float(row["time"]) for row in doc.table(REPORTED, "time") if row["who"] == "client"]


def test_worked_example_with_reports() -> None:
    """Played to a session at the times of its table, it is answered as it says."""
    doc.Replay(REPORTED).run(_times())


def test_frames_of_the_worked_example_with_reports() -> None:
    """Its table, and how far the frames reach that lie between its messages."""
    replay = doc.Replay(REPORTED)
    done = next(line for _, line in replay.lines if line["type"] == "context.done")
    packets = list(replay.packets(done))
    for row in doc.table(REPORTED, "seq"):
        packet = packets[int(row["seq"])]
        assert (packet.position, packet.duration) == (int(row["position"]), int(row["duration"]))
        assert int(row["flags"].split()[0]) == packet.flags
        assert int(row["bytes"]) == packet.duration // 3 * 2  # at 16 kHz
        end = packet.position + packet.duration
        assert row["covers, in ms"] == f"{packet.position / 48:.2f} to {end / 48:.2f}".replace("0.00", "0")
    flagged = [packet.seq for packet in packets if packet.flags]
    assert flagged == [
        int(row["seq"]) for row in doc.table(REPORTED, "seq") if not row["flags"].startswith("0")
    ]
    runs = [
        (int(a), int(b), float(ms))
        for a, b, ms in re.findall(r"Frames (\d+) to (\d+), up to ([\d.]+) ms", REPORTED)
    ]
    assert [first for first, _, _ in runs] == [0, *(last + 1 for _, last, _ in runs[:-1])]
    assert runs[-1][1] == done["last_seq"]
    assert all((packets[last].position + packets[last].duration) / 48 == ms for _, last, ms in runs)


@pytest.mark.parametrize("heading", ["With words", "Worked example: words, reports and a cancel"])
def test_words_are_told_before_the_frame_in_which_they_end(heading: str) -> None:
    """The order of messages and frames in the examples."""
    sent_ms = 0.0
    for part in re.split(r"((?:which reach|up) to [\d.]+ ms)", doc.section(heading)):
        if reached := re.fullmatch(r"(?:which reach|up) to ([\d.]+) ms", part):
            sent_ms = float(reached[1])
        for line in doc.lines("json server", part):
            for word in json.loads(line).get("words", []):
                assert word["end_ms"] > sent_ms


@pytest.mark.parametrize("row", doc.table(REPORTED, "reports"), ids=lambda row: row["why"][:20])
def test_other_cases_of_the_worked_example_with_reports(row: dict[str, str]) -> None:
    replay = doc.Replay(REPORTED)
    steps = iter(replay.lines)
    for info, line in steps:
        if info == "json client":
            replay.send(line, 0.0)
        else:
            replay.expect(line)
        if line["type"] == "context.done":
            break
    reports = [line for _, line in steps if line["type"] == "playback"]
    told_at = _times()[3:]
    for report, now in list(zip(reports, told_at, strict=False))[
        : {"none": 0, "only the first": 1}.get(row["reports"])
    ]:
        replay.send(report, now)
    cancel: dict[str, Any] = {"type": "cancel", "context_id": "answer-7"}
    if row["its `played_ms`"]:
        cancel["played_ms"] = float(row["its `played_ms`"])
    replay.send(cancel, float(row["cancel at"]))
    (answer,) = replay.answers
    assert (answer["played_ms"], answer["text_spoken"]) == (float(row["position"]), _cut_of(row))


def _cut_of(row: dict[str, str]) -> str:
    """The text between its backticks, with the space at its end."""
    match = re.fullmatch(r"`(.*)`", row["`text_spoken`"])
    assert match is not None
    return match[1]


# -- reports ------------------------------------------------------------------------------------------------


#: What is done, with seconds and milliseconds, and where a cancel of all then finds the listener.
REPORTS: dict[str, tuple[list[tuple[Any, ...]], list[tuple[str, float]]]] = {
    "above 0, and not below the last report about this context": (
        [("sound", "a", 9000), ("wait", 5), ("report", "a", 1000), ("wait", 1), ("report", "a", 1100)],
        [("a", 3100)],
    ),
    "the same as the last one": (
        [("sound", "a", 9000), ("report", "a", 1000), ("wait", 60), ("report", "a", 1000)],
        [("a", 3000)],
    ),
    "beyond what was sent by then": (
        [("sound", "a", 1000), ("report", "a", 5000), ("sound", "a", 9000)],
        [("a", 3000)],
    ),
    "0, when there was no report above 0": (
        [("sound", "a", 90_000), ("wait", 3), ("report", "a", 0)],
        [("a", 60_000)],
    ),
    "below the last one, or below 0": (
        [("sound", "a", 9000), ("report", "a", 1000), ("wait", 1)]
        + [("report", "a", played_ms) for played_ms in (999, 0, -1)],
        [("a", 3000)],
    ),
    "of a context behind others, above 0": (
        [
            ("sound", "a", 9000),
            ("end", "a"),
            ("sound", "b", 9000),
            ("report", "b", 500),
            ("report", "a", 600),
        ],
        [("b", 2500)],
    ),
    "while the context is paused": (
        [("sound", "a", 9000), ("pause", "a"), ("report", "a", 1200), ("wait", 60), ("continue", "a")],
        [("a", 3200)],
    ),
    "of an id that is unknown, of which nothing was sent, or that was cancelled": (
        [("sound", "a", 9000), ("cancel", "a"), ("sound", "b", 90_000), ("context.open", "c")]
        + [("report", context_id, 500) for context_id in ("a", "c", "never")],
        [("b", 60_000), ("c", 0)],
    ),
    "of an id that was opened more than once": (
        [("sound", "a", 1000), ("end", "a"), ("sound", "a", 9000)]
        + [("report", "a", played_ms) for played_ms in (200, 1000, 300)],
        [("a", 2300)],
    ),
}


@pytest.mark.parametrize(
    "row", doc.table(doc.section("Where the listener is"), "`playback` with `played_ms`")
)
def test_reports(row: dict[str, str]) -> None:
    """Each row of the table is what a session does; at the end a minute passes."""
    steps, expected = REPORTS[row["`playback` with `played_ms`"]]
    session, now = doc.new_session(), 0.0
    sent: dict[str, tuple[int, int]] = {}  # by id: handle, samples sent

    def do(kind: str, context_id: str, **fields: Any) -> list[Any]:
        message = {"type": kind, "context_id": context_id, **fields}
        return doc.told(session.receive(json.dumps(message), now))

    for kind, *values in [*steps, ("wait", 60)]:
        if kind == "wait":
            now += values[0]
        elif kind == "report":
            assert do("playback", values[0], played_ms=values[1]) == []
        elif kind == "sound":
            context_id, ms = values
            if context_id not in sent:
                sent[context_id] = (do("text", context_id, text="One.")[-1]["handle"], 0)
            handle, position = sent[context_id]
            packet = Packet(b"x", 0, position, ms * 48, FrameFlags.NONE)
            session.on_event(handle, packet, now)
            sent[context_id] = (handle, position + packet.duration)
        else:
            do(kind, values[0])
            if kind == "end":
                handle, length = sent.pop(values[0])
                session.on_event(handle, Finished(length), now)
    *answers, last = do("cancel", "*")
    assert last["context_id"] == "*"
    assert [(answer["context_id"], answer["played_ms"]) for answer in answers] == expected
