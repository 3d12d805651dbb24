"""Every format turns 24 kHz frames into packets that a listener hears whole, in time and to the sample."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from realtime.audio.formats import (
    BITRATES,
    FILE_RATES,
    FORMATS,
    PacketEncoder,
    completed,
    content_type,
    make_encoder,
    pre_skip,
)
from realtime.audio.opus import CODED_RATE
from realtime.types import AudioSettings, Pcm
from tests.audio.sounds import (
    EVERY_FORMAT,
    EVERY_FRAME_MS,
    PRE_SKIP,
    delay,
    error_db,
    frames_of,
    ideally_resampled,
    receive,
    send,
    speechlike,
)

SOUND = speechlike(CODED_RATE * 2 + 333)
EVERY_SETTING = [AudioSettings(*form, ms, 64_000) for form in EVERY_FORMAT for ms in EVERY_FRAME_MS]
FILES_AND_PCM = [setting for setting in EVERY_SETTING if setting.format != "opus"]
#: What a coder may get wrong against the sound itself; measured -24, -33 and -36 dB at the worst.
ALLOWED_DB = {"opus": -20, "webm_opus": -20, "ogg_opus": -20, "mulaw": -30, "pcm_s16le": -33}


def setting_id(audio: AudioSettings) -> str:
    return f"{audio.format}-{audio.sample_rate}-{audio.frame_ms}"


every_setting = pytest.mark.parametrize("audio", EVERY_SETTING, ids=setting_id)


def test_the_formats_and_their_rates() -> None:
    """The first rate is the default."""
    assert dict(FORMATS) == {
        "opus": (48_000,),
        "pcm_s16le": (24_000, 8_000, 16_000, 48_000),
        "mulaw": (8_000,),
        "webm_opus": (48_000,),
        "ogg_opus": (48_000,),
    }
    assert {(name, rate) for name, rates in FORMATS.items() for rate in rates} == set(EVERY_FORMAT)


def test_only_bare_packets_leave_the_pre_skip_to_the_listener() -> None:
    assert {name: pre_skip(name) for name in FORMATS} == {
        "opus": PRE_SKIP,
        "pcm_s16le": 0,
        "mulaw": 0,
        "webm_opus": 0,
        "ogg_opus": 0,
    }


def test_the_formats_of_files_and_their_rates() -> None:
    """They are apart from those of the wire, which stay as they are; Opus has one rate only."""
    every = (24_000, 8_000, 16_000, 22_050, 44_100, 48_000)
    assert dict(FILE_RATES) == {
        "mp3": every,
        "ogg_opus": (48_000,),
        "aac": every,
        "flac": every,
        "wav": every,
        "pcm_s16le": every,
    }


def test_bitrates_belong_to_formats_that_have_a_choice() -> None:
    assert set(BITRATES) == {*FORMATS, *FILE_RATES} - {"pcm_s16le", "mulaw", "flac", "wav"}
    for lowest, usual, highest in BITRATES.values():
        assert lowest < usual < highest


@pytest.mark.parametrize("name", BITRATES)
def test_a_bitrate_outside_of_the_range_is_refused(name: str) -> None:
    lowest, _, highest = BITRATES[name]
    rate = (FORMATS.get(name) or FILE_RATES[name])[0]
    for bitrate in (lowest, highest):
        make_encoder(AudioSettings(name, rate, 20, bitrate))
    for bitrate in (-1, 0, lowest - 1, highest + 1):
        with pytest.raises(ValueError, match=f"{name} has {lowest} to {highest} bit/s, not {bitrate}"):
            make_encoder(AudioSettings(name, rate, 20, bitrate))


def test_a_bitrate_means_nothing_to_what_is_not_compressed_by_it() -> None:
    for name in ("pcm_s16le", "mulaw", "flac", "wav"):
        rate = (FORMATS.get(name) or FILE_RATES[name])[0]
        make_encoder(AudioSettings(name, rate, 20, 0))


REFUSED = [
    ("mp3", 32_000),
    ("aac", 12_000),
    ("flac", 0),
    ("wav", 96_000),
    ("pcm_s16le", 11_025),
    ("ogg_opus", 24_000),
    ("opus", 44_100),
    ("mulaw", 24_000),
    ("mp4", 48_000),
]


@pytest.mark.parametrize(("name", "rate"), REFUSED)
def test_what_is_not_in_the_tables_is_refused(name: str, rate: int) -> None:
    with pytest.raises(ValueError, match=f"{name} at {rate} Hz"):
        make_encoder(AudioSettings(name, rate, 20, 64_000))


def test_content_types() -> None:
    said = {
        name: content_type(AudioSettings(name, rates[0], 20, 64_000)) for name, rates in FILE_RATES.items()
    }
    assert said == {
        "mp3": "audio/mpeg",
        "ogg_opus": "audio/ogg; codecs=opus",
        "aac": "audio/aac",
        "flac": "audio/flac",
        "wav": "audio/wav",
        "pcm_s16le": "audio/pcm;rate=24000;encoding=signed-integer;bits=16;channels=1",
    }
    assert ";rate=44100;" in content_type(AudioSettings("pcm_s16le", 44_100, 20, 0))
    for name in FORMATS.keys() - FILE_RATES.keys():
        with pytest.raises(ValueError, match=name):
            content_type(AudioSettings(name, FORMATS[name][0], 20, 64_000))


@every_setting
def test_nothing_of_the_wire_is_completed(audio: AudioSettings) -> None:
    """Ogg says its length in its last page, and the others have no place for it."""
    data = b"".join(send(make_encoder(audio), SOUND))
    assert completed(audio.format, [data[:99], data[99:]], 2 * len(SOUND)) == [data[:99], data[99:]]


@every_setting
def test_an_encoder_counts_in_samples_that_are_whole_at_every_rate(audio: AudioSettings) -> None:
    encoder = make_encoder(audio)
    assert encoder.frame_samples == CODED_RATE * audio.frame_ms // 1000
    for count in (encoder.frame_samples, encoder.lookahead, encoder.held_back):
        assert count % 3 == 0
    assert 0 <= encoder.lookahead <= CODED_RATE * 7 // 1000, "a few milliseconds"
    assert encoder.held_back in (0, encoder.frame_samples)


@every_setting
@pytest.mark.parametrize("samples", [3, 300, 477, 480, 483, 24_000, len(SOUND)])
def test_a_listener_hears_exactly_the_length_that_was_sent(audio: AudioSettings, samples: int) -> None:
    payloads = send(make_encoder(audio), SOUND[:samples])
    heard = receive(audio, payloads)
    length = samples * audio.sample_rate // CODED_RATE
    # Of bare packets the frame header says where the sound ends. FFmpeg's reader of WebM drops the beginning
    # or the end of a packet, not both; what such a file says itself is tested with the containers.
    if audio.format == "opus" or (audio.format == "webm_opus" and len(payloads) == 1):
        assert length <= len(heard) < length + audio.frame_ms * 48
    else:
        assert len(heard) == length


@every_setting
def test_a_listener_hears_the_sound_and_in_time(audio: AudioSettings) -> None:
    sent = ideally_resampled(SOUND, CODED_RATE, audio.sample_rate)
    heard = receive(audio, send(make_encoder(audio), SOUND))[: len(sent)]
    assert delay(heard, sent) == 0
    assert error_db(heard, sent) < ALLOWED_DB[audio.format]


def flushed(encoder: PacketEncoder, pcm: Pcm) -> Pcm:
    """The sound and the silence after it, in whole frames, that pushes it out."""
    pad = encoder.lookahead + encoder.held_back
    return np.concatenate([pcm, np.zeros(pad + -(len(pcm) + pad) % encoder.frame_samples, np.float32)])


@every_setting
def test_after_a_flush_all_sound_before_it_has_left(audio: AudioSettings) -> None:
    """The stream may be cut off here."""
    encoder = make_encoder(audio)
    frames = frames_of(flushed(encoder, SOUND), encoder.frame_samples)
    heard = receive(audio, [encoder.encode(frame) for frame in frames])
    sent = ideally_resampled(SOUND, CODED_RATE, audio.sample_rate)
    assert len(heard) >= len(sent)
    assert error_db(heard[: len(sent)], sent) < ALLOWED_DB[audio.format]


@every_setting
def test_a_stream_goes_on_after_a_flush(audio: AudioSettings) -> None:
    whole = np.concatenate([flushed(make_encoder(audio), SOUND), SOUND])
    heard = receive(audio, send(make_encoder(audio), whole))
    sent = ideally_resampled(whole, CODED_RATE, audio.sample_rate)
    assert len(heard) == len(sent) or audio.format == "opus"
    assert error_db(heard[: len(sent)], sent) < ALLOWED_DB[audio.format]


@every_setting
def test_closing_after_a_flush_adds_no_sound(audio: AudioSettings) -> None:
    """The end was not known when the last packet left: what was padded is heard, as silence."""
    encoder = make_encoder(audio)
    frames = frames_of(flushed(encoder, SOUND), encoder.frame_samples)
    payloads = [encoder.encode(frame) for frame in frames]
    rest = encoder.close()
    assert (rest != b"") == (audio.format == "ogg_opus"), "the page that was kept"
    heard = receive(audio, [*payloads, rest] if rest else payloads)
    given = len(frames) * encoder.frame_samples
    assert len(heard) == (given - encoder.lookahead) * audio.sample_rate // CODED_RATE
    after = len(SOUND) * audio.sample_rate // CODED_RATE + audio.sample_rate // 50
    assert np.max(np.abs(heard[after:]), initial=0) < 0.01


@every_setting
def test_closing_what_never_began_gives_nothing(audio: AudioSettings) -> None:
    assert make_encoder(audio).close() == b""


@pytest.mark.parametrize("audio", FILES_AND_PCM, ids=setting_id)
@pytest.mark.parametrize("discard", [0, 3, 165, 321])
def test_the_end_that_is_to_be_dropped_is_not_heard(audio: AudioSettings, discard: int) -> None:
    frames = frames_of(SOUND[: CODED_RATE // 2], make_encoder(audio).frame_samples)
    whole, cut = make_encoder(audio), make_encoder(audio)
    kept = receive(audio, [*map(whole.encode, frames[:-1]), whole.encode_last(frames[-1], 0)])
    heard = receive(audio, [*map(cut.encode, frames[:-1]), cut.encode_last(frames[-1], discard)])
    dropped = discard * audio.sample_rate // CODED_RATE
    assert len(kept) - len(heard) == dropped
    assert np.array_equal(heard, kept[: len(kept) - dropped])


@every_setting
def test_the_same_sound_makes_the_same_bytes_whatever_happens_beside_it(audio: AudioSettings) -> None:
    alone = send(make_encoder(audio), SOUND)
    with ThreadPoolExecutor(2) as workers:
        beside = list(workers.map(lambda _: send(make_encoder(audio), SOUND), range(4)))
    assert beside == [alone] * 4


@every_setting
def test_an_encoder_may_be_handed_from_thread_to_thread(audio: AudioSettings) -> None:
    *frames, last = frames_of(SOUND[:CODED_RATE], make_encoder(audio).frame_samples)
    alone, handed_on = make_encoder(audio), make_encoder(audio)
    payloads = []
    for frame in frames:
        with ThreadPoolExecutor(1) as worker:
            payloads.append(worker.submit(handed_on.encode, frame).result())
    payloads.append(handed_on.encode_last(last, 3))
    assert payloads == [*map(alone.encode, frames), alone.encode_last(last, 3)]
