"""What each event says, from events of an utterance that are made by hand."""

from __future__ import annotations

import base64
import json
import tracemalloc
from collections.abc import Iterable
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.errors import INTERNAL_MESSAGE, ErrorCode, QueueFullError
from realtime.server.speech_events import (
    KEEP_ALIVE,
    PIECE_BYTES,
    AudioDelta,
    Body,
    Deltas,
    Sentence,
    Sentences,
    Words,
    encoded,
    error_of,
    in_pieces,
)
from realtime.server.speech_request import Shape, SpeechOrder
from realtime.types import (
    TIMELINE_RATE,
    AudioSettings,
    Failed,
    Finished,
    FrameFlags,
    Packet,
    SegmentEnded,
    SegmentStarted,
    SourceWord,
    Timing,
    VoiceSettings,
    WordsTimed,
)
from tests.server.http_server import events, sound_of

TEXT = "Say 😀 2.\N{LINE SEPARATOR}Né\n"
MS = TIMELINE_RATE // 1000
TIMING = Timing(accepted=1.0, first_packet=1.5, done=3.0, queue_s=0.1, infer_s=0.2, cache=True)


def order(shape: Shape, words: bool = False) -> SpeechOrder:
    audio = AudioSettings("mp3", 24_000, 20, 64_000)
    return SpeechOrder(TEXT, VoiceSettings("tone", "en"), audio, "audio/mpeg", shape, words)


def packet(payload: bytes) -> Packet:
    return Packet(payload, 0, 0, 960, FrameFlags.NONE)


def said(pieces: Iterable[bytes]) -> list[dict[str, Any]]:
    """The events in what is sent."""
    return events(b"".join(pieces))


FIRST = SegmentStarted(0, "Say two.", (0, 8), "en", 0)
FIRST_WORDS = WordsTimed(0, (SourceWord(0, 3, 0, 100 * MS), SourceWord(6, 8, 150 * MS, 400 * MS)), False)
SECOND = SegmentStarted(1, "Né", (9, 11), "fr", 600 * MS)
SECOND_WORDS = WordsTimed(1, (SourceWord(9, 11, 600 * MS, 901 * MS),), True)
END = Finished(901 * MS, TIMING)
FIRST_SAID = {
    "index": 0,
    "text": "Say two.",
    "source": [0, 8],
    "language": "en",
    "start_ms": 0.0,
}
SAID_WORDS = [
    [
        {"text": "Say", "source": [0, 3], "start_ms": 0.0, "end_ms": 100.0},
        {"text": "2.", "source": [6, 8], "start_ms": 150.0, "end_ms": 400.0},
    ],
    [{"text": "Né", "source": [9, 11], "start_ms": 600.0, "end_ms": 901.0}],
]
DONE: dict[str, Any] = {
    "audio_ms": 901.0,
    "cache": "miss",
    "timing": {
        "load_ms": 0,
        "queue_ms": 100,
        "infer_ms": 200,
        "encode_ms": 0,
        "first_audio_ms": 500,
        "total_ms": 2000,
    },
    "usage": {"input_tokens": 12, "output_tokens": 46, "total_tokens": 58},
    "request_id": "r-1",
}


class TestDeltas:
    def test_all_sound_between_two_other_events_is_one_piece(self) -> None:
        body = Deltas(order("deltas"), "r-1")
        made = body.add([FIRST, FIRST_WORDS, packet(b"a"), packet(b""), packet(b"bc"), SegmentEnded(0, 1)])
        assert said(made) == [{"type": "speech.audio.delta", "audio": base64.b64encode(b"abc").decode()}]
        assert list(body.add([SECOND, packet(b"")])) == []
        (last, done) = said(body.add([packet(b"d"), END]))
        assert (last["audio"], done) == ("ZA==", {"type": "speech.audio.done", **DONE})

    def test_segments_and_words_keep_their_place(self) -> None:
        body = Deltas(order("deltas", words=True), "r-1")
        early = SegmentStarted(0, "Say", (0, 3), "en", 0, final=False)
        told = said(body.add([early, packet(b"a"), FIRST, FIRST_WORDS, packet(b"b"), SECOND, packet(b"c")]))
        assert [each["type"].rpartition(".")[2] for each in told] == [
            "segment",
            "delta",
            "segment",
            "words",
            "delta",
            "segment",
            "delta",
        ]
        assert (told[0]["final"], told[0]["text"], told[0]["source"]) == (False, "Say", [0, 3])
        assert told[2] == {"type": "speech.segment", **FIRST_SAID, "final": True}
        assert told[3] == {
            "type": "speech.words",
            "segment": 0,
            "estimated": False,
            "words": SAID_WORDS[0],
        }


class TestSentences:
    @pytest.mark.parametrize("words", [False, True])
    def test_each_comes_when_it_is_complete(self, words: bool) -> None:
        body = Sentences(order("sentences", words), "r-1")
        assert list(body.add([FIRST, packet(b"a"), FIRST_WORDS])) == []
        one = said(body.add([packet(b"b"), SegmentEnded(0, 500 * MS), SECOND, packet(b"c")]))
        more = said(body.add([SECOND_WORDS, packet(b"d"), SegmentEnded(1, 901 * MS), packet(b"e"), END]))
        given = [{"estimated": False, "words": SAID_WORDS[0]}, {"estimated": True, "words": SAID_WORDS[1]}]
        assert one == [
            {
                "type": "speech.segment",
                **FIRST_SAID,
                "end_ms": 500.0,
                "audio": base64.b64encode(b"ab").decode(),
                **(given[0] if words else {}),
            }
        ]
        assert more[0] == {
            "type": "speech.segment",
            "index": 1,
            "text": "Né",
            "source": [9, 11],
            "language": "fr",
            "start_ms": 600.0,
            "end_ms": 901.0,
            "audio": base64.b64encode(b"cd").decode(),
            **(given[1] if words else {}),
        }
        assert more[1:] == [{"type": "speech.done", "audio": "ZQ==", "segments": 2, **DONE}]
        assert sound_of(one + more) == b"abcde"

    def test_of_a_segment_that_was_told_twice_the_last_word_counts(self) -> None:
        body = Sentences(order("sentences"), "r-1")
        early = SegmentStarted(0, "Say", (0, 3), "en", 0, final=False)
        (one,) = said(body.add([early, packet(b"a"), FIRST, SegmentEnded(0, 5)]))
        assert (one["text"], one["source"]) == ("Say two.", [0, 8])

    def test_a_segment_without_a_sound_is_none(self) -> None:
        body = Sentences(order("sentences"), "r-1")
        (done,) = said(body.add([SegmentEnded(0, 0), END]))
        assert (done["type"], done["segments"]) == ("speech.done", 0)


BODIES = [Deltas(order("deltas", words=True), "r-1"), Sentences(order("sentences", words=True), "r-1")]


@pytest.mark.parametrize("body", BODIES)
def test_what_some_clients_take_for_the_end_of_a_line_is_escaped(body: Body) -> None:
    word = WordsTimed(0, (SourceWord(8, 12, 0, 1),), False)
    text = "\N{LINE SEPARATOR}\x85\r\n\0é😀"
    told_of = [SegmentStarted(0, text, (8, 12), "en", 0), word, packet(b"a"), SegmentEnded(0, 1)]
    made = b"".join(body.add(told_of))
    assert len(made.decode("ascii").splitlines()) == 2 * len(events(made))
    assert all(line.startswith("data: ") for line in made.decode().splitlines() if line)
    told = json.dumps(events(made))
    assert json.dumps(text)[1:-1] in told and json.dumps(TEXT[8:12])[1:-1] in told


@pytest.mark.parametrize("body", BODIES)
def test_a_failure_is_told_in_the_one_shape(body: Body) -> None:
    failed = body.fail(Failed("engine_failed", "the engine cannot speak this", timing=TIMING))
    assert failed is not None and events(failed) == [
        {
            "type": "error",
            "error": {
                "message": "the engine cannot speak this",
                "type": "server_error",
                "code": "engine_failed",
                "param": None,
            },
        }
    ]
    inside = body.fail(Failed("internal", "a secret of the inside"))
    assert inside is not None and events(inside)[0]["error"]["message"] == INTERNAL_MESSAGE


def test_a_text_that_looks_like_a_field() -> None:
    text = 'He said "audio":"" and "audio":"", twice.'
    sentence = Sentence(0, text, (0, 5), "en", 0.0, 1.0, b"")
    (told,) = said(encoded([(sentence, b"sound")]))
    assert told["text"] == text and sound_of([told]) == b"sound"


def test_a_comment_is_no_event() -> None:
    assert events(KEEP_ALIVE) == [] and KEEP_ALIVE.endswith(b"\n\n")


def test_a_failure_as_an_error() -> None:
    full = error_of(Failed("queue_full", "no room", 1500))
    assert isinstance(full, QueueFullError) and full.retry_after_ms == 1500
    assert error_of(Failed("timeout", "too late")).code is ErrorCode.TIMEOUT


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 200_000)), max_size=4), st.integers(0))
def test_sound_of_any_size_arrives_bit_for_bit(sizes: list[tuple[bool, int]], seed: int) -> None:
    random = Random(seed)  # one of Hypothesis notes each draw, and takes 30 times as long
    sounds = [random.randbytes(size) for _, size in sizes]
    made = [
        (AudioDelta(b"") if bare else Sentence(0, '"audio":""', (0, 1), "en", 0.0, 1.0, b""), sound)
        for (bare, _), sound in zip(sizes, sounds, strict=True)
    ]
    pieces = list(encoded([*made, (Words(0, False, []), b"")]))
    assert all(0 < len(piece) <= 2 * PIECE_BYTES for piece in pieces)
    assert all(len(piece) >= PIECE_BYTES for piece in pieces[:-1])
    told = said(pieces)
    assert [base64.b64decode(each["audio"], validate=True) for each in told[:-1]] == sounds
    assert told[-1] == {"type": "speech.words", "segment": 0, "estimated": False, "words": []}


@pytest.mark.parametrize("kind", [Sentences, Deltas])
def test_a_large_event_is_encoded_piece_by_piece_as_it_is_sent(kind: type[Sentences | Deltas]) -> None:
    """The loop encodes it: no more than a piece is made, or copied, at a time."""
    body = kind(order("sentences"), "r-1")
    sound = bytes(8 * 2**20)
    tracemalloc.start()
    try:
        pieces = body.add([FIRST, packet(sound), SegmentEnded(0, 500 * MS)])
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        size = sum(map(len, pieces))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size > len(sound) * 4 // 3
    assert most - before < 8 * PIECE_BYTES


def test_packets_are_put_together() -> None:
    parts = [bytes([number % 256]) * 1000 for number in range(200)]
    pieces = list(in_pieces([b"", *parts, b""]))
    assert b"".join(pieces) == b"".join(parts)
    assert [len(piece) for piece in pieces] == [66_000, 66_000, 66_000, 2_000]
    assert list(in_pieces([])) == list(in_pieces([b"", b""])) == []
    whole = bytes(10 * PIECE_BYTES)
    assert next(in_pieces([whole])) is whole
