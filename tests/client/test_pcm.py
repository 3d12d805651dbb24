"""Decoded sound: exact to the sample, and the sound that was sent."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
import pytest

from realtime.app import Server
from realtime.client import Session, UndecodableFormatError, connect
from realtime.client.chunks import Chunk
from realtime.client.decoding import Decoder
from realtime.session import messages as wire
from realtime.session.frames import Frame, FrameKind
from realtime.types import FrameFlags, Packet, Pcm
from tests.client.scripted import READY
from tests.wire_client import decode

TEXT = "One two three. Four five."


async def _pcm(session: Session, sample_rate: int | None = None) -> tuple[Pcm, float]:
    context = session.open()
    await context.send(TEXT)
    await context.end()
    parts = [part async for part in context.pcm(sample_rate)]
    assert all(part.dtype == np.float32 and part.ndim == 1 and len(part) for part in parts)
    assert context.done is not None
    return np.concatenate(parts), context.done.audio_ms


async def _frames(session: Session) -> list[Frame]:
    context = session.open()
    await context.send(TEXT)
    await context.end()
    return [
        Frame(
            chunk.kind, 1, Packet(chunk.payload, chunk.seq, chunk.position, chunk.duration, FrameFlags.NONE)
        )
        async for chunk in context
    ]


def _lag(sound: Pcm, reference: Pcm) -> int:
    """By how many samples `sound` comes after `reference`, from -5 to 5."""
    inner = slice(100, len(reference) - 100)
    fit = [float(np.dot(np.roll(sound, -lag)[inner], reference[inner])) for lag in range(-5, 6)]
    return fit.index(max(fit)) - 5


@pytest.mark.parametrize("frame_ms", [20, 60])
async def test_opus_is_what_another_decoder_makes_of_it(server: Server, frame_ms: int) -> None:
    async with connect(server.url, frame_ms=frame_ms) as session:
        pcm, audio_ms = await _pcm(session)
        reference = decode(await _frames(session))
    assert len(pcm) == len(reference) == audio_ms * 48
    assert np.sqrt(np.mean((pcm - reference) ** 2)) < 0.01 * np.sqrt(np.mean(reference**2))


async def test_opus_at_24_khz(server: Server) -> None:
    async with connect(server.url) as session:
        half, audio_ms = await _pcm(session, 24_000)
        full, _ = await _pcm(session, 48_000)
    assert len(half) == audio_ms * 24
    assert _lag(half, full[::2]) == 0
    assert np.corrcoef(half, full[::2])[0, 1] > 0.99


@pytest.mark.parametrize("sample_rate", [8000, 16000, 24000, 48000])
async def test_pcm_at_every_rate(server: Server, sample_rate: int) -> None:
    async with connect(server.url, formats=["pcm_s16le"], sample_rate=sample_rate) as session:
        pcm, audio_ms = await _pcm(session)
        reference = decode(await _frames(session))
    assert len(pcm) == audio_ms * sample_rate / 1000
    assert np.array_equal(pcm, reference) and np.max(np.abs(pcm)) > 0.1


async def test_mulaw(server: Server) -> None:
    async with connect(server.url, formats=["mulaw"]) as session:
        pcm, audio_ms = await _pcm(session)
    async with connect(server.url, formats=["pcm_s16le"], sample_rate=8000) as session:
        reference, _ = await _pcm(session)
    assert len(pcm) == audio_ms * 8 == len(reference)
    # 8 bits of mu-law are good for 37 dB.
    assert np.sqrt(np.mean((pcm - reference) ** 2)) < 0.02 * np.sqrt(np.mean(reference**2))


def test_every_code_of_mulaw_is_what_ffmpeg_makes_of_it() -> None:
    codes = bytes(range(256))
    decoder: Any = av.CodecContext.create("pcm_mulaw", "r")
    decoder.sample_rate, decoder.layout = 8000, "mono"
    (frame,) = decoder.decode(av.Packet(codes))
    expected = frame.to_ndarray().reshape(-1).astype(np.float32) / 32768
    ready = wire.SessionReady(
        **{field: getattr(READY, field) for field in READY.__struct_fields__}
        | {"format": "mulaw", "sample_rate": 8000, "pre_skip": 0}
    )
    chunk = Chunk(codes, FrameKind.MULAW, 0, 0, 256 * 6, True, True)
    assert np.array_equal(Decoder(ready).decode(chunk), expected)


async def test_a_flush_and_a_late_end_leave_the_length_exact(server: Server) -> None:
    async with connect(server.url) as session:
        context = session.open()
        await context.send("Half a sent")
        await context.flush()
        stream = context.pcm()
        samples = len(await anext(stream))
        await context.send("ence.")
        await context.flush()
        while samples < 500 * 48:
            samples += len(await anext(stream))
        await session.ping()
        await context.end()  # an empty frame may close it: that gives no array
        samples += sum([len(part) async for part in context.pcm()])
        assert context.done is not None and samples == context.done.audio_ms * 48


async def test_a_container_cannot_be_decoded_frame_by_frame(server: Server) -> None:
    async with connect(server.url, formats=["ogg_opus"]) as session:
        context = session.open()
        with pytest.raises(UndecodableFormatError, match="ogg_opus is a container"):
            context.pcm()
        await context.send(TEXT)
        await context.end()
        file = b"".join([chunk.payload async for chunk in context])
    assert file.startswith(b"OggS")


async def test_rates_that_a_format_cannot_give(server: Server) -> None:
    async with connect(server.url) as session:
        context = session.open()
        with pytest.raises(ValueError, match="48000 or 24000"):
            context.pcm(44_100)
        await context.send(TEXT)
        assert context.decode(await anext(context), 24_000).shape == (324,)
        with pytest.raises(ValueError, match="at 24000 Hz already"):
            context.pcm(48_000)
    async with connect(server.url, formats=["pcm_s16le"]) as session:
        with pytest.raises(ValueError, match="24000 Hz here"):
            session.open().pcm(48_000)


async def test_a_context_is_decoded_as_it_was_opened(server: Server) -> None:
    async with connect(server.url, formats=["pcm_s16le"]) as session:
        before, after = session.open(), session.open()
        await before.send(TEXT)
        await before.end()
        ready = await session.update(sample_rate=16_000)
        await after.send(TEXT)
        await after.end()
        lengths = [sum([len(part) async for part in context.pcm()]) for context in (before, after)]
    assert ready.sample_rate == 16_000
    assert before.done is not None and after.done is not None
    assert lengths == [before.done.audio_ms * 24, after.done.audio_ms * 16]
