"""What may have to be sent again: with what was received it is what was sent, in every order of events."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from realtime.errors import ErrorCode
from realtime.session import messages as wire
from realtime.session import replay as module
from realtime.session.frames import FrameKind, decode_frame, encode_frame
from realtime.session.replay import KEEP_S, MOST_MS, NotKeptError, Piece, Replay, follows, is_kept
from realtime.types import FrameFlags, Packet
from tests.session.talk import FRAME

FLAGS = 3  # the byte of a frame that its flags are in


def frame(handle: int, seq: int, duration: int = FRAME, payload: bytes = b"sound") -> bytes:
    flags = FrameFlags.NONE if seq else FrameFlags.FIRST
    return encode_frame(FrameKind.OPUS, handle, Packet(payload, seq, seq * duration, duration, flags))


def nobody_paused(handle: int) -> bool:
    return False


def again(replay: Replay) -> list[Piece]:
    pieces: list[Piece] = []
    while (piece := replay.next_again(nobody_paused)) is not None:
        pieces.append(piece)
    return pieces


def marked(piece: Piece) -> Piece:
    """As it is sent again."""
    if isinstance(piece, str):
        return piece
    assert not piece[FLAGS] & FrameFlags.REPLAYED
    return piece[:FLAGS] + bytes([piece[FLAGS] | FrameFlags.REPLAYED]) + piece[FLAGS + 1 :]


def seqs(pieces: list[Piece]) -> list[tuple[int, int] | str]:
    frames = [piece if isinstance(piece, str) else decode_frame(piece) for piece in pieces]
    return [each if isinstance(each, str) else (each.handle, each.packet.seq) for each in frames]


def filled(*pieces: Piece, now: float = 0.0) -> Replay:
    replay = Replay()
    for piece in pieces:
        replay.keep(piece, now)
    return replay


# -- what is kept -------------------------------------------------------------------------------------------


def test_what_tells_of_a_context_is_kept_and_what_answers_a_socket_is_not() -> None:
    assert is_kept(wire.ContextOpened("a", 1, "anna", "en"))
    assert is_kept(wire.Flow("a", 1, "paused"))
    assert is_kept(wire.ContextCancelled("a", 1, "cancelled", 0, "", "", 0, None))
    assert is_kept(wire.Error("engine_failed", "x", context_id="a", handle=1))
    assert is_kept(wire.Error("too_many_contexts", "x", context_id="a"))
    assert not is_kept(wire.Error("rate_limited", "x"))
    assert not is_kept(wire.Pong(1))
    assert not is_kept(wire.SessionClosing("idle", 0))


def test_what_tells_of_the_sound_may_not_overtake_it() -> None:
    done = wire.ContextDone("a", 7, "completed", 20.0, 0, wire.ContextTiming(0, 0, 0, 0, 0))
    assert follows(done) == 7
    assert follows(wire.FlushDone("a", 7)) == 7
    assert follows(wire.Segment("a", 7, 0, "x", (0, 1), 0, "en")) == 7
    assert follows(wire.Words("a", 7, 0, False, [])) == 7
    assert follows(wire.ContextOpened("a", 7, "anna", "en")) is None
    assert follows(wire.ContextCancelled("a", 7, "cancelled", 0, "", "", 0, None)) is None
    assert follows(wire.Pong()) is None


def test_nothing_was_sent_so_nothing_is_sent_again() -> None:
    replay = Replay()
    assert replay.next_again(nobody_paused) is None
    assert replay.again({}) == {}
    assert again(replay) == []
    assert replay.size == 0
    replay.heard(1, 100.0)
    replay.silence(1)
    replay.drop_old(1e9)


def test_what_comes_after_the_last_one_received_is_sent_again_in_order() -> None:
    sent = ["opened", frame(1, 0), "words", frame(1, 1), "done", "opened 2", frame(2, 0), "flow"]
    replay = filled(*sent)
    assert replay.again({"1": 0} and {1: 0}) == {1: 20.0, 2: 0.0}
    assert again(replay) == [marked(piece) for piece in sent[2:]]
    # It may be asked for again, also from further back.
    assert replay.again({}) == {1: 0.0, 2: 0.0}
    assert again(replay) == [marked(piece) for piece in sent]
    assert replay.again({1: 1, 2: 0}) == {}
    assert again(replay) == ["flow"]


def test_a_new_resume_replaces_what_was_being_sent_again() -> None:
    replay = filled(*(frame(1, seq) for seq in range(5)))
    replay.again({})
    assert seqs([replay.next_again(nobody_paused) or ""]) == [(1, 0)]
    replay.again({1: 2})
    assert seqs(again(replay)) == [(1, 3), (1, 4)]


def test_while_a_context_is_paused_its_sound_waits_and_all_behind_it() -> None:
    replay = Replay()
    replay.keep("opened 1", 0.0)
    replay.keep(frame(1, 0), 0.0)
    replay.keep("words 1", 0.0, follows=1)
    replay.keep("done 1", 0.0, follows=1)
    replay.keep("opened 2", 0.0)
    replay.keep("segment 2", 0.0, follows=2)
    replay.keep(frame(2, 0), 0.0)
    replay.keep("cancelled 3", 0.0)
    replay.again({})
    paused = {1}
    assert replay.next_again(paused.__contains__) == "opened 1"
    # Only what may overtake sound passes.
    assert replay.next_again(paused.__contains__) == "opened 2"
    assert replay.next_again(paused.__contains__) == "cancelled 3"
    assert replay.next_again(paused.__contains__) is None
    assert replay.is_sending_again
    assert replay.follow("flow 1", 1)
    assert replay.next_again(paused.__contains__) is None
    paused.clear()
    paused.add(2)
    pieces = [replay.next_again(paused.__contains__) for _ in range(4)]
    assert pieces == [marked(frame(1, 0)), "words 1", "done 1", None]
    # What is silent holds up nobody, paused or not.
    replay.silence(2)
    assert replay.next_again(paused.__contains__) == "flow 1"
    assert replay.next_again(paused.__contains__) is None
    assert not replay.is_sending_again


def test_equal_in_every_byte_but_the_flag() -> None:
    sent = frame(1, 0, payload=bytes(range(256)))
    replay = filled(sent)
    replay.again({})
    (received,) = again(replay)
    assert isinstance(received, bytes)
    assert [number for number, pair in enumerate(zip(sent, received, strict=True)) if len(set(pair)) > 1] == [
        FLAGS
    ]
    packet = decode_frame(received).packet
    assert packet.flags == FrameFlags.FIRST | FrameFlags.REPLAYED


# -- what was heard -----------------------------------------------------------------------------------------


def test_what_was_heard_is_not_kept() -> None:
    replay = filled("a", frame(1, 0), "b", frame(1, 1), "c", frame(1, 2))
    replay.heard(1, 40.0)  # to the end of the second
    assert replay.again({1: 0}) == {1: 40.0}
    assert again(replay) == ["c", marked(frame(1, 2))]


def test_a_frame_that_is_being_heard_is_kept() -> None:
    replay = filled(frame(1, 0), frame(1, 1))
    replay.heard(1, 39.9)
    replay.again({})
    assert seqs(again(replay)) == [(1, 1)]


def test_who_hears_a_later_one_has_heard_those_before_it() -> None:
    replay = filled(frame(1, 0), frame(2, 0), frame(2, 1), frame(3, 0))
    replay.heard(2, 20.0)
    replay.again({})
    assert seqs(again(replay)) == [(2, 1), (3, 0)]


def test_what_falls_silent_in_between_does_not_hold_up_what_is_heard_after_it() -> None:
    replay = filled(frame(1, 0), frame(3, 0), frame(2, 0), frame(2, 1))
    replay.silence(3)
    replay.heard(2, 20.0)
    assert seqs(again_from(replay, {})) == [(2, 1)]


def again_from(replay: Replay, last: dict[int, int]) -> list[Piece]:
    replay.again(last)
    return again(replay)


# -- age and bounds -----------------------------------------------------------------------------------------


def test_for_a_minute_all_is_there_and_soon_after_it_is_not() -> None:
    replay = Replay()
    for seq in range(3):
        replay.keep(frame(1, seq), now=float(seq))
    replay.drop_old(KEEP_S)
    assert seqs(again_from(replay, {})) == [(1, 0), (1, 1), (1, 2)]
    replay.drop_old(KEEP_S + 1.0)
    assert seqs(again_from(replay, {1: 0})) == [(1, 1), (1, 2)]
    replay.drop_old(KEEP_S + 10)
    assert replay.size == 0
    assert again_from(replay, {1: 2}) == []


def test_what_is_sent_later_drops_what_is_old() -> None:
    replay = Replay()
    for seq in range(200):
        replay.keep(frame(1, seq), now=seq * 1.0)
    kept = seqs(again_from(replay, {1: 199 - round(KEEP_S)}))
    assert len(kept) in (60, 61)
    assert len(seqs(again_from(replay, {1: 150}))) == 49


def test_who_has_not_received_what_is_gone_is_told() -> None:
    replay = filled(frame(1, 0), frame(1, 1))
    replay.drop_old(100)
    for last in ({}, {1: 0}, {2: 7}):
        with pytest.raises(NotKeptError) as caught:
            replay.again(last)
        assert caught.value.code == ErrorCode.RESUME_FAILED
    assert replay.again({1: 1}) == {}
    replay.keep(frame(1, 2), now=100)
    assert replay.again({1: 1}) == {1: 40.0}
    assert replay.again({1: 2}) == {}


def test_a_refusal_changes_nothing() -> None:
    replay = filled(frame(1, 0), frame(1, 1), frame(1, 2))
    replay.again({1: 0})
    replay.drop_old(100)
    with pytest.raises(NotKeptError):
        replay.again({})
    assert seqs(again(replay)) == [(1, 1), (1, 2)]


def test_what_is_gone_does_not_matter_when_it_was_heard_or_cancelled() -> None:
    replay = filled(frame(1, 0), frame(2, 0))
    replay.drop_old(100)
    replay.silence(2)
    with pytest.raises(NotKeptError):
        replay.again({})
    assert replay.again({1: 0}) == {}
    replay.silence(1)
    assert replay.again({}) == {}
    replay = filled(frame(1, 0))
    replay.drop_old(100)
    replay.keep(frame(2, 0), now=100)
    replay.heard(2, 20)
    assert replay.again({}) == {}


def test_no_more_than_so_much_sound_is_kept() -> None:
    replay = Replay()
    for seq in range(round(MOST_MS / 1000) + 5):
        replay.keep(frame(1, seq, duration=48_000), now=0.0)
    assert len(again_from(replay, {1: 4})) == MOST_MS / 1000
    with pytest.raises(NotKeptError):
        replay.again({1: 3})


def test_no_more_than_so_many_bytes_are_kept_and_never_less_than_one_piece(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 1000)
    replay = filled(*(frame(1, seq, payload=b"x" * 300) for seq in range(10)))
    assert replay.size <= 1000
    assert seqs(again_from(replay, {1: 7})) == [(1, 8), (1, 9)]
    replay.keep(frame(1, 10, payload=b"x" * 5000), now=0)
    assert seqs(again_from(replay, {1: 9})) == [(1, 10)]


def test_a_flood_of_messages_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when each is short: what an object takes is counted."""
    monkeypatch.setattr(module, "MOST_BYTES", 10_000)
    replay = filled(*("x" for _ in range(10_000)))
    assert len(again_from(replay, {})) < 200


def test_thousands_of_cancelled_contexts_leave_nothing_behind() -> None:
    replay = Replay()
    for handle in range(1, 5000):
        replay.keep(frame(handle, 0), now=handle / 10)
        replay.silence(handle)
        assert len(replay._silenced) <= 620
        assert len(replay._log) <= 620
    assert again_from(replay, {}) == []


# -- cancelled contexts -------------------------------------------------------------------------------------


def test_of_what_was_cancelled_nothing_is_sent_again_but_that_it_was() -> None:
    replay = filled("opened", frame(1, 0))
    replay.keep("words", 0.0, follows=1)
    replay.keep(frame(1, 1), 0.0)
    replay.silence(1)
    replay.keep("cancelled", 0.0)
    replay.keep(frame(2, 0), 0.0)
    assert again_from(replay, {}) == ["opened", "cancelled", marked(frame(2, 0))]


def test_a_cancel_while_it_is_being_sent_again_stops_that() -> None:
    replay = Replay()
    for seq in range(3):
        replay.keep(frame(1, seq), 0.0)
        replay.keep(f"words {seq}", 0.0, follows=1)
    replay.keep(frame(2, 0), 0.0)
    replay.again({})
    first, second = replay.next_again(nobody_paused), replay.next_again(nobody_paused)
    assert [first, second] == [marked(frame(1, 0)), "words 0"]
    replay.silence(1)
    assert again(replay) == [marked(frame(2, 0))]


def test_a_new_message_about_the_sound_comes_behind_what_is_sent_again() -> None:
    replay = filled(frame(1, 0), frame(1, 1))
    assert not replay.follow("done", 1)
    replay.again({})
    replay.next_again(nobody_paused)
    assert replay.follow("done", 1)
    assert again(replay) == [marked(frame(1, 1)), "done"]
    assert not replay.follow("late", 1)


# -- any log, any cut ---------------------------------------------------------------------------------------


LOGS = st.lists(
    st.one_of(
        st.tuples(st.just("frame"), st.integers(1, 4)),
        st.tuples(st.just("message"), st.integers(0, 4)),
        st.tuples(st.just("time"), st.sampled_from([1, 20, 45, 61])),
        st.tuples(st.just("heard"), st.integers(0, 30)),
        st.tuples(st.just("cancel"), st.integers(1, 4)),
    ),
    max_size=60,
)


@given(log=LOGS, cut=st.integers(0, 60), sub=st.integers(0, 20))
@example(log=[("frame", 1), ("time", 45), ("frame", 1), ("time", 20)], cut=0, sub=0)
@settings(max_examples=500, deadline=None)
def test_what_is_sent_again_plus_what_was_received_is_what_was_sent(
    log: list[tuple[str, int]], cut: int, sub: int
) -> None:
    """Contexts are sent one after another. What was heard was received; what was cancelled is not missed."""
    replay, now = Replay(), 0.0
    sent: list[tuple[Piece, float, int]] = []  # a frame or a message, when, of which context
    cancelled: set[int] = set()
    heard = -1  # index of the last one that the listener has heard
    handle, seq = 1, 0
    for kind, value in log:
        if kind == "frame":
            if value > handle:
                handle, seq = handle + 1, 0
            if handle in cancelled:
                continue
            piece: Piece = frame(handle, seq)
            replay.keep(piece, now)
            sent.append((piece, now, handle))
            seq += 1
        elif kind == "message":
            piece = f"message {len(sent)}"
            about = value and handle
            if about in cancelled:
                continue
            replay.keep(piece, now, about or None)
            sent.append((piece, now, about))
        elif kind == "time":
            now += value
            replay.drop_old(now)
        elif kind == "heard":
            numbers = [n for n, (each, _, _) in enumerate(sent) if isinstance(each, bytes) and n > heard]
            if numbers:
                number = numbers[min(value, len(numbers) - 1)]
                each = sent[number][0]
                assert isinstance(each, bytes)
                head = decode_frame(each)
                if head.handle not in cancelled:
                    heard = number
                    replay.heard(head.handle, (head.packet.position + FRAME) / 48)
        elif value <= handle:
            cancelled.add(value)
            replay.silence(value)
    received = max(heard + 1, min(cut, len(sent)))  # it has all before this, and not this
    last: dict[int, int] = {}
    for piece, _, _ in sent[:received]:
        if isinstance(piece, bytes):
            head = decode_frame(piece)
            last[head.handle] = head.packet.seq
    missing = [
        (piece, at)
        for piece, at, about in sent[received:]
        if about not in cancelled and (isinstance(piece, bytes) or about >= 0)
    ]
    frames_missing = [(piece, at) for piece, at in missing if isinstance(piece, bytes)]
    gone = any(at < now - KEEP_S - 1 for _, at in frames_missing)
    kept = all(at > now - KEEP_S for _, at in frames_missing)
    try:
        replay.again(last)
    except NotKeptError:
        assert not kept, "all of it was young enough"
        return
    assert not gone, "something is missing"
    pieces = [replay.next_again(nobody_paused) for _ in range(sub)]
    if None not in pieces:  # it was lost again in between: what comes then is the same
        replay.again(last)
        pieces = [*again(replay)]
    else:
        pieces = [piece for piece in pieces if piece is not None]
    assert [each for each in pieces if isinstance(each, bytes)] == [
        marked(each) for each, _ in frames_missing
    ]
    # Messages behind the last frame that it has may come twice; none that is young is left out.
    texts = [each for each in pieces if isinstance(each, str)]
    wanted = [each for each, at in missing if isinstance(each, str) and at > now - KEEP_S]
    assert [each for each in texts if each in set(wanted)] == wanted
    # All of it comes in the order in which it was sent.
    order = {piece: number for number, (piece, _, _) in enumerate(sent)}
    numbers = [order[bytes_without_flag(each)] for each in pieces]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) == len(numbers)


def bytes_without_flag(piece: Piece) -> Piece:
    if isinstance(piece, str):
        return piece
    return piece[:FLAGS] + bytes([piece[FLAGS] & ~FrameFlags.REPLAYED]) + piece[FLAGS + 1 :]
