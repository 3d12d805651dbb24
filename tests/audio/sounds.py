"""Sounds to send, and listeners that share no code with what sent them."""

from __future__ import annotations

import io

import av
import numpy as np
from numpy.typing import NDArray

from realtime.audio.formats import PacketEncoder, to_int16
from realtime.audio.opus import CODED_RATE
from realtime.types import TIMELINE_RATE, AudioSettings, Pcm

PRE_SKIP = 312  # samples at 48 kHz: what the protocol tells every listener to bare packets
EVERY_FORMAT = [
    ("opus", 48_000),
    ("webm_opus", 48_000),
    ("ogg_opus", 48_000),
    ("pcm_s16le", 8_000),
    ("pcm_s16le", 16_000),
    ("pcm_s16le", 24_000),
    ("pcm_s16le", 48_000),
    ("mulaw", 8_000),
]
EVERY_FRAME_MS = [20, 40, 60]


def speechlike(samples: int) -> Pcm:
    """A gliding voiced sound with pauses, from its own generator: it fits itself at one delay only."""
    time = np.arange(samples) / CODED_RATE
    glide = np.cumsum(140 + 60 * np.sin(2 * np.pi * 0.7 * time)) / CODED_RATE
    voiced = sum(np.sin(2 * np.pi * harmonic * glide) / harmonic for harmonic in range(1, 20))
    syllables = np.clip(np.sin(2 * np.pi * 3.1 * time) + 0.4, 0, 1)
    noise = np.random.default_rng(1).standard_normal(samples) * 0.01
    return ((0.2 * voiced + noise) * syllables).astype(np.float32)


def ideally_resampled(pcm: Pcm, from_rate: int, to_rate: int) -> Pcm:
    """By the spectrum: exact for sound below half of both rates, and delays nothing; ends as it begins."""
    count = len(pcm) * to_rate // from_rate
    spectrum = np.fft.rfft(pcm)
    cut = np.zeros(count // 2 + 1, spectrum.dtype)
    kept = min(len(cut), len(spectrum))
    cut[:kept] = spectrum[:kept]
    return (np.fft.irfft(cut, count) * to_rate / from_rate).astype(np.float32)


def delay(heard: Pcm, sent: Pcm) -> int:
    """By how many samples `heard` is late, by cross-correlation; below 0 when it is early."""
    size = 2 * max(len(heard), len(sent))
    correlation = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(sent, size)), size)
    peak = int(np.argmax(correlation))
    return peak if peak < size // 2 else peak - size


def error_db(heard: Pcm, sent: Pcm) -> float:
    """What is wrong in `heard`, by its energy against that of `sent`."""
    assert len(heard) == len(sent)
    return float(10 * np.log10(np.sum((heard - sent) ** 2) / np.sum(sent**2)))


def tone(hz: float, rate: int, samples: int, level: float = 0.5) -> Pcm:
    return (level * np.cos(2 * np.pi * hz * np.arange(samples) / rate + 0.7)).astype(np.float32)


def level_db(sound: Pcm) -> float:
    """Of a tone with amplitude 1: 0 dB."""
    return float(10 * np.log10(2 * np.mean(sound.astype(np.float64) ** 2) + 1e-20))


def frames_of(pcm: Pcm, size: int) -> list[bytes]:
    """Whole frames of `size` samples as an encoder takes them; the last is filled up with silence."""
    missing = -len(pcm) % size
    samples = to_int16(np.concatenate([pcm, np.zeros(missing, np.float32)]))
    return [samples[at : at + size].tobytes() for at in range(0, len(samples), size)]


def send(encoder: PacketEncoder, pcm: Pcm) -> list[bytes]:
    """The whole stream that is exactly `pcm`: padded by the lookahead, and cut at its true end."""
    padded = np.concatenate([pcm, np.zeros(encoder.lookahead, np.float32)])
    *frames, last = frames_of(padded, encoder.frame_samples)
    given = (len(frames) + 1) * encoder.frame_samples
    return [*map(encoder.encode, frames), encoder.encode_last(last, given - len(padded))]


def receive(audio: AudioSettings, payloads: list[bytes]) -> Pcm:
    """What a listener hears; bare Opus packets are heard to their last sample, as they know of no end."""
    if audio.format == "opus":
        return decode_packets(payloads)[PRE_SKIP:]
    data = b"".join(payloads)
    if audio.format == "pcm_s16le":
        return as_float(np.frombuffer(data, "<i2"))
    return decode_mulaw(data) if audio.format == "mulaw" else decode_file(data)


def as_float(samples: NDArray[np.int16]) -> Pcm:
    return (samples / 32767).astype(np.float32)


def decode_packets(packets: list[bytes]) -> Pcm:
    """By FFmpeg's own decoder, which shares no code with libopus."""
    context = av.CodecContext.create("opus", "r")
    assert context.codec.name == "opus"
    return _decode(context, packets, TIMELINE_RATE)


def decode_mulaw(data: bytes) -> Pcm:
    """By FFmpeg."""
    context = av.CodecContext.create("pcm_mulaw", "r")
    return _decode(context, [data] if data else [], 8_000) / np.float32(32767)


def _decode(context: av.CodecContext, packets: list[bytes], rate: int) -> Pcm:
    assert isinstance(context, av.AudioCodecContext)
    context.sample_rate = rate
    context.layout = "mono"
    frames = [frame for packet in packets for frame in context.decode(av.Packet(packet))]
    frames += context.decode(None)
    parts = [frame.to_ndarray()[0].astype(np.float32) for frame in frames]
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def decode_file(data: bytes) -> Pcm:
    """A container by FFmpeg, which drops what the file says is to be dropped."""
    with av.open(io.BytesIO(data), "r") as file:
        assert file.streams.audio[0].rate == TIMELINE_RATE
        frames = list(file.decode(audio=0))
    assert all(frame.sample_rate == TIMELINE_RATE for frame in frames)
    parts = [frame.to_ndarray()[0].astype(np.float32) for frame in frames]
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)
