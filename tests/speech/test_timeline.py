"""Positions of everything, to the sample: what is trimmed, the pauses, the true end, the words."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.audio.formats import FORMATS, PacketEncoder, PcmS16leEncoder, make_encoder, to_int16
from realtime.audio.opus import OpusEncoder
from realtime.audio.rubberband import RubberBandTempo
from realtime.audio.silence import AUDIBLE, LEAD_S, TAIL_S, audible_range
from realtime.speech.timeline import GAP_S, Timeline, gap_after, source_of
from realtime.types import (
    TIMELINE_RATE,
    AudioChunk,
    AudioSettings,
    FrameFlags,
    Pcm,
    SegmentStarted,
    SourceWord,
    SpanLink,
    TextPiece,
    WordsTimed,
    WordTiming,
)
from tests.speech.sounds import (
    PRE_SKIP,
    RATE,
    SCALE,
    Rendered,
    check_packets,
    chunk,
    hear_opus,
    hear_pcm,
    ms,
    piece,
    silence,
    sound,
    tone,
)

LEAD, TAIL = round(LEAD_S * RATE), round(TAIL_S * RATE)
ENCODERS: list[Callable[[], PacketEncoder]] = [
    lambda: OpusEncoder(32_000, 20),
    lambda: OpusEncoder(32_000, 60),
    lambda: PcmS16leEncoder(RATE, 20),
    lambda: PcmS16leEncoder(RATE, 40),
]


def raw() -> Rendered:
    return Rendered(PcmS16leEncoder(RATE, 20))


def opus(frame_ms: int = 20) -> Rendered:
    return Rendered(OpusEncoder(32_000, frame_ms))


def spoken(rendered: Rendered, *texts: tuple[str, Pcm]) -> Rendered:
    for segment, (text, pcm) in enumerate(texts):
        rendered.add(piece(segment, text), chunk(segment, pcm))
    rendered.finish()
    return rendered


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("length_ms", [1, 5, 20, 33.5, 100, 1000, 1234.5])
def test_packets_are_contiguous_and_end_at_the_true_end(
    encoder: Callable[[], PacketEncoder], length_ms: float
) -> None:
    rendered = spoken(Rendered(encoder()), ("One.", tone(length_ms)), ("Two.", tone(length_ms)))
    gap = round(GAP_S["sentence"] * TIMELINE_RATE)
    length = 2 * ms(length_ms) * SCALE + gap
    check_packets(rendered.packets, length)
    assert rendered.timeline.length == length


def test_opus_durations() -> None:
    """The first packet is shorter by the pre-skip, the last is cut to the end."""
    rendered = spoken(opus(), ("One.", tone(100)))
    assert [packet.duration for packet in rendered.packets] == [960 - PRE_SKIP, 960, 960, 960, 960, PRE_SKIP]
    rendered = spoken(opus(60), ("One.", tone(100)))
    assert [packet.duration for packet in rendered.packets] == [2880 - PRE_SKIP, 4800 - 2880 + PRE_SKIP]


def test_pcm_durations_and_a_short_last_frame() -> None:
    rendered = spoken(raw(), ("One.", tone(50)))
    assert [packet.duration for packet in rendered.packets] == [960, 960, 480]
    assert [len(packet.payload) for packet in rendered.packets] == [960, 960, 480]


def test_pcm_is_what_was_placed() -> None:
    pcm = sound(silence(20), tone(123), silence(10))
    rendered = spoken(raw(), ("One.", pcm))
    assert b"".join(packet.payload for packet in rendered.packets) == to_int16(pcm).astype("<i2").tobytes()


@pytest.mark.parametrize("frame_ms", [20, 40, 60])
def test_decoded_opus_is_what_was_placed(frame_ms: int) -> None:
    """Aligned to the sample: no other shift fits better, and the length is exact."""
    texts = [("One.", sound(silence(100), tone(300, hz=300), silence(200))), ("Two.", tone(211, hz=700))]
    placed = hear_pcm(spoken(raw(), *texts).packets)
    heard = hear_opus(spoken(opus(frame_ms), *texts).packets)
    assert len(heard) == len(placed) * SCALE
    correlations = {
        shift: float(np.dot(np.roll(heard, -shift)[::SCALE], placed)) for shift in range(-480, 481)
    }
    best, _ = max(correlations.items(), key=lambda item: item[1])
    assert abs(best) <= 1
    error = np.sum((heard[::SCALE] - placed) ** 2) / np.sum(placed**2)
    assert error < 0.05


def test_lead_and_tail_are_trimmed() -> None:
    rendered = spoken(raw(), ("One.", sound(silence(300), tone(500), silence(490))))
    heard = hear_pcm(rendered.packets)
    assert len(heard) == LEAD + ms(500) + TAIL
    assert audible_range(heard) == (LEAD, LEAD + ms(500))


def test_less_silence_than_that_is_kept_as_it_is() -> None:
    pcm = sound(silence(10), tone(100), silence(20))
    assert np.array_equal(to_int16(hear_pcm(spoken(raw(), ("One.", pcm)).packets)), to_int16(pcm))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Done.", "sentence"),
        ("Done?", "sentence"),
        ("Done…", "sentence"),
        ("“Done!”", "sentence"),
        ("(Done.)", "sentence"),
        ("好。", "sentence"),
        ("「好！」", "sentence"),
        ("well,", "clause"),
        ("well;", "clause"),
        ("well —", "clause"),
        ("好，", "clause"),
        ("well", "other"),
        ("5", "other"),
        ('"', "other"),
        ("", "other"),
    ],
)
@pytest.mark.parametrize("around_ms", [(300, 490), (0, 0), (10, 5)])
def test_pauses_are_as_the_text_says(text: str, kind: str, around_ms: tuple[int, int]) -> None:
    """From the last audible sample of one segment to the first of the next, whatever silence was there."""
    before, after = around_ms
    pcm = sound(silence(before), tone(200), silence(after))
    rendered = spoken(raw(), (text, pcm), ("Next.", pcm), ("End.", pcm))
    heard = hear_pcm(rendered.packets)
    loud = np.flatnonzero(np.abs(heard) > 0.01)
    jumps = np.diff(loud)
    pauses = jumps[jumps > ms(50)] - 1
    expected = [GAP_S[kind], GAP_S["sentence"]]
    assert gap_after(text) == GAP_S[kind]
    assert pauses == pytest.approx([round(gap * RATE) for gap in expected], abs=1)


def test_segments_start_where_their_first_sample_is() -> None:
    pcm = sound(silence(300), tone(200), silence(490))
    rendered = spoken(opus(), ("One.", pcm), ("Two.", pcm))
    gap = round(GAP_S["sentence"] * RATE)
    second = LEAD + ms(200) + gap - LEAD
    assert rendered.starts == [0, second * SCALE]
    assert rendered.events[0] == SegmentStarted(0, "One.", (0, 4), "en", 0)
    flagged = [packet for packet in rendered.packets if packet.flags & FrameFlags.SEGMENT]
    assert len(flagged) == 2
    for packet, start in zip(flagged, rendered.starts, strict=True):
        assert packet.position <= start < packet.position + packet.duration


@settings(deadline=None, max_examples=40)
@given(
    lengths=st.lists(st.integers(1, 4000), min_size=1, max_size=6),
    encoder=st.sampled_from(ENCODERS),
    flushes=st.sets(st.integers(0, 5)),
)
def test_every_segment_has_its_flag_and_every_sample_its_place(
    lengths: list[int], encoder: Callable[[], PacketEncoder], flushes: set[int]
) -> None:
    """Also when flushes pad in between: sound placed at `start` is heard there."""
    rendered = Rendered(encoder())
    for segment, length in enumerate(lengths):
        rendered.add(piece(segment, "Go on."), chunk(segment, np.full(length, 0.5, np.float32)))
        if segment in flushes:
            rendered.flush()
    rendered.finish()
    check_packets(rendered.packets, rendered.timeline.length)
    assert len(rendered.starts) == len(lengths)
    holders = [
        next(p for p in rendered.packets if p.position <= start < p.position + p.duration)
        for start in rendered.starts
    ]
    assert {packet.seq for packet in holders} == {
        packet.seq for packet in rendered.packets if packet.flags & FrameFlags.SEGMENT
    }
    if isinstance(rendered.timeline._encoder, PcmS16leEncoder):
        heard = hear_pcm(rendered.packets)
        expected = np.zeros(len(heard), np.float32)
        for start, length in zip(rendered.starts, lengths, strict=True):
            expected[start // SCALE : start // SCALE + length] = 0.5
        assert np.array_equal(to_int16(heard), to_int16(expected))
    gaps = [
        (later - start) // SCALE - length
        for (start, later), length in zip(itertools.pairwise(rendered.starts), lengths, strict=False)
    ]
    assert gaps == [round(GAP_S["sentence"] * RATE)] * (len(lengths) - 1)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_flush_hands_on_all_sound_and_then_it_goes_on(encoder: Callable[[], PacketEncoder]) -> None:
    rendered = Rendered(encoder())
    rendered.add(piece(0, "One."), chunk(0, tone(333)))
    before = rendered.timeline.length
    assert before < ms(333) * SCALE
    rendered.flush()
    after = rendered.timeline.length
    frame = rendered.timeline._encoder.frame_samples * SCALE
    assert ms(333) * SCALE <= after < ms(333) * SCALE + frame + PRE_SKIP
    assert rendered.flush() == [], "nothing new to flush"
    assert rendered.timeline.length == after
    rendered.add(piece(1, "Two."), chunk(1, tone(333)))
    rendered.finish()
    start = ms(333) * SCALE + round(GAP_S["sentence"] * TIMELINE_RATE)
    assert rendered.starts == [0, start], "the padding is a part of the pause"
    check_packets(rendered.packets, start + ms(333) * SCALE)


def test_a_flush_gives_a_short_frame_of_pcm() -> None:
    rendered = raw()
    rendered.add(piece(0, "One."), chunk(0, tone(30)))
    assert [packet.duration for packet in rendered.packets] == [960]
    (short,) = rendered.flush()
    assert (short.position, short.duration, len(short.payload)) == (960, 480, 480)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_an_end_after_a_flush_is_told_by_an_empty_frame(encoder: Callable[[], PacketEncoder]) -> None:
    rendered = Rendered(encoder())
    rendered.add(piece(0, "One."), chunk(0, tone(100)))
    rendered.flush()
    length = rendered.timeline.length
    (closing,) = rendered.finish()
    assert (closing.payload, closing.position, closing.duration) == (b"", length, 0)
    assert closing.flags == FrameFlags.LAST
    check_packets(rendered.packets, length)


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("pcm", [None, silence(0), silence(500)])
def test_no_sound_gives_nothing_at_all(encoder: Callable[[], PacketEncoder], pcm: Pcm | None) -> None:
    rendered = Rendered(encoder())
    if pcm is not None:
        rendered.add(piece(0, "One."), chunk(0, pcm, words=(WordTiming(0, 4, 0, len(pcm)),)))
    rendered.flush()
    rendered.finish()
    assert rendered.packets == [] and rendered.events == [] and rendered.timeline.length == 0


def test_a_silent_segment_between_two_changes_nothing() -> None:
    with_it = spoken(raw(), ("One,", tone(100)), ("...", silence(300)), ("Two.", tone(100)))
    without = raw()
    without.add(piece(0, "One,"), chunk(0, tone(100)))
    without.add(piece(2, "Two."), chunk(2, tone(100)))
    without.finish()
    assert with_it.packets == without.packets
    assert with_it.events == without.events


WORDS = (WordTiming(0, 2, ms(300), ms(400)), WordTiming(3, 6, ms(420), ms(990)))


def test_words_are_mapped_and_cut_to_what_is_heard() -> None:
    rendered = raw()
    pcm = sound(silence(300), tone(500), silence(490))
    rendered.add(piece(0, "Hi you", source=100), chunk(0, pcm, words=WORDS))
    (_, timed) = rendered.events
    assert timed == WordsTimed(
        0,
        (
            SourceWord(100, 102, LEAD * SCALE, (LEAD + ms(100)) * SCALE),
            SourceWord(103, 106, (LEAD + ms(120)) * SCALE, (LEAD + ms(500)) * SCALE),
        ),
        False,
    )


def test_words_of_a_later_segment_are_on_the_whole_timeline() -> None:
    pcm = sound(silence(300), tone(500), silence(490))
    rendered = raw()
    rendered.add(piece(0, "One."), chunk(0, pcm))
    rendered.add(piece(1, "Hi you", source=100), chunk(1, pcm, words=WORDS, estimated=True))
    (*_, timed) = rendered.events
    assert isinstance(timed, WordsTimed) and timed.estimated
    start = rendered.starts[1] + LEAD * SCALE
    assert start == (LEAD + ms(500) + round(GAP_S["sentence"] * RATE)) * SCALE
    assert [(word.start - start, word.end - start) for word in timed.words] == [
        (0, ms(100) * SCALE),
        (ms(120) * SCALE, ms(500) * SCALE),
    ]


def test_words_come_before_the_packets_that_hold_them_and_not_before_they_are_certain() -> None:
    rendered = raw()
    rendered.add(piece(0, "Hi you"), chunk(0, sound(silence(300), tone(200)), last=False, words=WORDS))
    assert [len(event.words) for event in rendered.events if isinstance(event, WordsTimed)] == [1]
    rendered.add(piece(0, "Hi you"), chunk(0, sound(tone(300), silence(490))))
    timed = [event for event in rendered.events if isinstance(event, WordsTimed)]
    assert [[word.source_start for word in event.words] for event in timed] == [[0], [3]]
    assert timed[1].words[0].end == (LEAD + ms(500)) * SCALE


@pytest.mark.parametrize(
    ("spoken_span", "source"),
    [((0, 2), (10, 12)), ((3, 8), (13, 20)), ((5, 6), (13, 20)), ((0, 8), (10, 20)), ((2, 3), (20, 20))],
)
def test_source_of(spoken_span: tuple[int, int], source: tuple[int, int]) -> None:
    """ "It **$3.50**", of which the stars are not spoken."""
    spans = (SpanLink(0, 2, 10, 12), SpanLink(3, 8, 13, 20))
    assert source_of(TextPiece(0, "It $3.50", (10, 20), spans, "en"), *spoken_span) == source


@pytest.mark.parametrize(
    ("spoken_span", "source"),
    [((0, 2), (5, 7)), ((2, 3), (7, 8)), ((3, 6), (8, 14)), ((0, 6), (5, 14)), ((1, 5), (6, 13))],
)
def test_source_of_words_in_a_run_without_spaces(
    spoken_span: tuple[int, int], source: tuple[int, int]
) -> None:
    spans = (SpanLink(0, 4, 5, 9), SpanLink(4, 6, 12, 14))
    assert source_of(TextPiece(0, "今天天气很好", (5, 14), spans, "zh"), *spoken_span) == source


@pytest.mark.parametrize("before", [0, 1, 20, 40, 300])
@pytest.mark.parametrize("after", [0, 1, 30, 50, 490])
def test_no_click_at_the_edges_of_what_was_trimmed(before: float, after: float) -> None:
    """A voice's silence is not digital silence: softer than soft speech, but cut off it would click."""
    floor = 10 ** (-62 / 20)
    noise = np.random.default_rng(3).uniform(-floor / 50, floor / 50, ms(2000)).astype(np.float32)
    rise = 0.5 * np.sin(np.pi * np.arange(ms(200)) / ms(200)) ** 2 + floor
    pcm = np.concatenate([np.full(ms(before), floor), rise, np.full(ms(after), floor)]).astype(np.float32)
    pcm += noise[: len(pcm)]
    rendered = spoken(raw(), ("One.", pcm), ("Two.", pcm))
    heard = hear_pcm(rendered.packets)
    cut_before, cut_after = ms(before) > LEAD, ms(after) > TAIL
    bound = floor / 10  # between neighbours, -73 dB: far below a step of the floor itself
    second = rendered.starts[1] // SCALE
    if cut_before:
        assert abs(heard[0]) < bound and np.max(np.abs(np.diff(heard[: LEAD - 120]))) < bound
        assert np.max(np.abs(np.diff(heard[second - 10 : second + LEAD - 120]))) < bound
    if cut_after:
        assert abs(heard[-1]) < bound and np.max(np.abs(np.diff(heard[-TAIL + 120 :]))) < bound


def whole_and_parts(
    pcm: Pcm, cuts: list[int], words: tuple[WordTiming, ...] = ()
) -> tuple[Rendered, Rendered]:
    whole, parts = raw(), raw()
    whole.add(piece(0, "Hi you"), chunk(0, pcm, words=words))
    bounds = [0, *sorted(cuts), len(pcm)]
    for number, (start, end) in enumerate(itertools.pairwise(bounds)):
        last = number == len(bounds) - 2
        parts.add(piece(0, "Hi you"), chunk(0, pcm[start:end], last, words if number == 0 else ()))
    for rendered in (whole, parts):
        rendered.add(piece(1, "Next."), chunk(1, tone(50)))
        rendered.finish()
    return whole, parts


@settings(deadline=None, max_examples=150)
@given(
    before=st.integers(0, 3000),
    length=st.integers(1, 6000),
    pause=st.integers(0, 3000),
    after=st.integers(0, 3000),
    cuts=st.lists(st.integers(0, 1000), max_size=6),
)
def test_chunks_of_any_size_give_the_same_timeline(
    before: int, length: int, pause: int, after: int, cuts: list[int]
) -> None:
    def floor(count: int) -> Pcm:
        # Too quiet to be heard, but not nothing: so that a missing fade shows.
        return np.full(count, 0.9 * AUDIBLE, np.float32)

    loud = np.full(length, 0.5, np.float32)
    pcm = np.concatenate([floor(before), loud, floor(pause), loud, floor(after)])
    whole, parts = whole_and_parts(pcm, [cut * len(pcm) // 1000 for cut in cuts])
    assert parts.starts == whole.starts
    assert parts.timeline.length == whole.timeline.length
    assert np.array_equal(hear_pcm(parts.packets), hear_pcm(whole.packets))
    assert parts.packets == whole.packets


@pytest.mark.parametrize("cut", [600, 2999, 3000, 3001, 4999, 5000, 5001, 6000, 7000])
def test_chunks_cut_where_the_sound_begins_and_ends(cut: int) -> None:
    """Silence that came in an earlier chunk was cut all the same: its edge is faded as in the whole."""
    pcm = np.full(9000, 0.9 * AUDIBLE, np.float32)
    pcm[3000:5000] = 0.5
    whole, parts = whole_and_parts(pcm, [cut])
    assert parts.packets == whole.packets
    assert parts.starts == whole.starts


@pytest.mark.parametrize("cut_ms", [5, 100, 250, 280, 295, 299.9, 300, 301, 400, 800, 900])
def test_words_do_not_depend_on_the_chunks(cut_ms: float) -> None:
    pcm = sound(silence(300), tone(500), silence(490))
    whole, parts = whole_and_parts(pcm, [ms(cut_ms)], WORDS)

    def words(rendered: Rendered) -> list[SourceWord]:
        return [word for event in rendered.events if isinstance(event, WordsTimed) for word in event.words]

    assert parts.starts == whole.starts
    assert words(parts) == words(whole)


@pytest.mark.parametrize("rate", [16_000, 22_050, 48_000])
def test_a_voice_at_another_rate_sounds_the_same(rate: int) -> None:
    """Its sound and its words are where they were, whatever the chunks."""
    times = np.arange(rate) / rate
    pcm = (0.5 * np.cos(2 * np.pi * 440 * times + np.pi / 4)).astype(np.float32)
    words = (WordTiming(0, 2, 0, rate // 4), WordTiming(3, 6, rate // 4, rate))
    heard: list[Pcm] = []
    for cut in (rate, rate // 3):
        rendered = raw()
        first = AudioChunk(0, pcm[:cut], rate, words, last_of_segment=cut == rate)
        rendered.add(piece(0, "Hi you"), first)
        if cut < rate:
            rendered.add(piece(0, "Hi you"), AudioChunk(0, pcm[cut:], rate))
        rendered.finish()
        heard.append(hear_pcm(rendered.packets))
        timed = [w for event in rendered.events if isinstance(event, WordsTimed) for w in event.words]
        times_told = [at for word in timed for at in (word.start, word.end)]
        assert times_told == pytest.approx([0, 12_000, 12_000, 48_000], abs=2)
    assert len(heard[0]) == len(heard[1]) == RATE
    assert np.abs(heard[0] - heard[1]).max() < 1e-3
    assert np.abs(heard[0] - tone(1000))[200:-200].max() < 0.01


@pytest.mark.parametrize("speed", [0.25, 0.5, 0.8, 1.25, 2, 4])
def test_the_tempo_moves_words_and_pauses_and_not_the_pitch(speed: float) -> None:
    rendered = Rendered(PcmS16leEncoder(RATE, 20), speed)
    words = (WordTiming(0, 2, 0, ms(500)), WordTiming(3, 6, ms(500), ms(1000)))
    for segment in range(2):
        rendered.add(piece(segment, "Hi you."), chunk(segment, tone(1000), words=words))
    rendered.finish()
    gap_ms = GAP_S["sentence"] * 1000
    length = sum(packet.duration for packet in rendered.packets)
    assert length == pytest.approx((2000 + gap_ms) / speed * 48, rel=0.02)
    timed = [w for event in rendered.events if isinstance(event, WordsTimed) for w in event.words]
    starts = [0, 500, 1000 + gap_ms, 1500 + gap_ms]
    assert [w.start for w in timed] == pytest.approx([start / speed * 48 for start in starts], abs=20 * 48)
    heard = hear_pcm(rendered.packets)
    loud = heard[: len(heard) // 3]
    crossings = np.count_nonzero((loud[:-1] < 0) & (loud[1:] >= 0))
    assert crossings / (len(loud) / RATE) == pytest.approx(440, rel=0.02)


@pytest.mark.parametrize("length_ms", [5, 13, 20, 33, 133])
def test_a_flush_that_is_overtaken_by_the_end(length_ms: float) -> None:
    """What the flush has padded and nobody has fetched yet does not follow the last packet."""
    for audio in _formats():
        rendered = Rendered(make_encoder(audio))
        rendered.timeline.add(piece(0, "One."), chunk(0, tone(length_ms)))
        rendered.timeline.flush()
        rendered.timeline.finish()
        rendered.drain()
        check_packets(rendered.packets, ms(length_ms) * SCALE)


def _formats() -> list[AudioSettings]:
    return [
        AudioSettings(name, rate, frame_ms, 64_000)
        for name, rates in FORMATS.items()
        for rate in rates
        for frame_ms in (20, 40, 60)
    ]


@pytest.mark.parametrize("lengths_ms", [(100.3, 33.1), (777.7,), (20, 0.5, 60)])
def test_all_formats_of_a_text_have_the_same_length(lengths_ms: tuple[float, ...]) -> None:
    texts = [("One.", tone(length)) for length in lengths_ms]
    lengths = set()
    for audio in _formats():
        rendered = spoken(Rendered(make_encoder(audio)), *texts)
        lengths.add(rendered.timeline.length)
        check_packets(rendered.packets, rendered.timeline.length)
        if audio.format == "pcm_s16le":
            samples = sum(len(packet.payload) for packet in rendered.packets) // 2
            assert samples * (TIMELINE_RATE // audio.sample_rate) == rendered.timeline.length
    assert len(lengths) == 1


@pytest.mark.parametrize("audio", _formats(), ids=str)
def test_a_flush_hands_on_all_sound_in_every_format(audio: AudioSettings) -> None:
    rendered = Rendered(make_encoder(audio))
    rendered.add(piece(0, "One."), chunk(0, tone(133)))
    rendered.flush()
    flushed = sum(packet.duration for packet in rendered.packets)
    assert flushed >= ms(133) * SCALE
    rendered.flush()
    assert sum(packet.duration for packet in rendered.packets) == flushed  # there was nothing to flush
    rendered.finish()
    assert rendered.packets[-1].duration == 0 and rendered.packets[-1].flags == FrameFlags.LAST
    check_packets(rendered.packets, flushed)


@pytest.mark.parametrize("silence_db", [-60.0, -45.0, -20.0])
def test_pauses_lie_between_the_soft_ends_of_speech_and_nothing_of_them_is_lost(silence_db: float) -> None:
    """Fricatives of -50 dBFS around a tone: part of the sentence, whatever the threshold."""
    noise = np.random.default_rng(7).uniform(-0.0055, 0.0055, ms(100)).astype(np.float32)
    rendered = Rendered(PcmS16leEncoder(RATE, 20))
    rendered.timeline = Timeline(PcmS16leEncoder(RATE, 20), silence_db=silence_db)
    voice = sound(silence(300), noise, tone(200), noise, silence(300))
    heard = hear_pcm(spoken(rendered, ("One.", voice), ("Two.", voice)).packets)
    soft = np.flatnonzero(np.convolve(np.abs(heard) > 0.001, np.ones(25), "same") > 12)
    runs = np.split(soft, np.flatnonzero(np.diff(soft) > ms(100)) + 1)
    assert [round((run[-1] - run[0]) / ms(1)) for run in runs] == pytest.approx([400, 400], abs=2)
    assert (runs[1][0] - runs[0][-1]) / RATE == pytest.approx(GAP_S["sentence"], abs=0.008)


@pytest.mark.parametrize("speed", [0.5, 2.0])
def test_the_tempo_can_be_set_by_rubber_band(speed: float) -> None:
    rendered = raw()
    rendered.timeline = Timeline(PcmS16leEncoder(RATE, 20), speed, tempo=RubberBandTempo)
    spoken(rendered, ("One.", tone(600)), ("Two.", tone(600)))
    first, second = rendered.starts
    assert first == 0
    assert second / TIMELINE_RATE == pytest.approx((0.6 + GAP_S["sentence"]) / speed, abs=0.03)
    check_packets(rendered.packets, rendered.timeline.length)


def test_one_encoder_for_the_whole_context() -> None:
    """Every frame goes through the encoder that was given, none through another."""
    sizes: list[int] = []

    class Counting(OpusEncoder):
        def encode(self, frame: bytes) -> bytes:
            sizes.append(len(frame))
            return super().encode(frame)

    encoder: PacketEncoder = Counting(32_000)
    rendered = Rendered(encoder)
    for segment in range(3):
        rendered.add(piece(segment, "On."), chunk(segment, tone(130)))
        rendered.flush()
    rendered.finish()
    assert sizes == [960] * len([packet for packet in rendered.packets if packet.payload])


@pytest.mark.parametrize("limit", [1, 2, 5, 50])
def test_blocks_of_packets_are_no_longer_than_asked_and_lose_nothing(limit: int) -> None:
    once, limited = opus(), opus()
    for rendered in (once, limited):
        rendered.timeline.add(piece(0, "One."), chunk(0, tone(777)))
        rendered.timeline.finish()
    once.drain(limit=1000)
    limited.drain(limit=limit)
    assert limited.packets == once.packets
    check_packets(limited.packets, ms(777) * SCALE)
