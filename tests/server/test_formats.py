"""Every format on the wire: what comes is decoded by FFmpeg to the length that was told, and sounds right."""

from __future__ import annotations

import numpy as np
import pytest

from realtime.app import Server
from realtime.audio.formats import FORMATS
from realtime.engines.tone import AMPLITUDE, CHARACTER_SAMPLES, pitch_hz
from realtime.types import FrameFlags
from tests.wire_client import Sound, WireClient, decode, open_client

CASES = [
    (name, rate, frame_ms) for name, rates in FORMATS.items() for rate in rates for frame_ms in (20, 40, 60)
]
TEXT = "Hello there. It is noon, and the sun is out."


def loudest_hz(sound: Sound, rate: int) -> float:
    """The pitch of a pure tone."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 4 * len(sound)))
    return float(np.argmax(spectrum)) * rate / (4 * len(sound))


async def speak(server: Server, name: str, rate: int, frame_ms: int, *texts: str) -> WireClient:
    """The text in one context, flushed between its parts."""
    async with open_client(server.url) as client:
        await client.send("session.start", formats=["flac", name], sample_rate=rate, frame_ms=frame_ms)
        ready = await client.until("session.ready")
        assert (ready["format"], ready["frame_ms"]) == (name, frame_ms)
        assert ready["sample_rate"] == rate
        for number, text in enumerate(texts):
            await client.send("text", text=text)
            if number < len(texts) - 1:
                await client.send("flush")
                await client.until("flush.done")
        await client.send("end")
        await client.until("context.done")
        return client


@pytest.mark.parametrize(("name", "rate", "frame_ms"), CASES)
@pytest.mark.parametrize("parts", [(TEXT,), ("Hello there.", " It is noon."), ("Hello.", "")])
async def test_it_decodes_to_the_length_told(
    server: Server, name: str, rate: int, frame_ms: int, parts: tuple[str, ...]
) -> None:
    client = await speak(server, name, rate, frame_ms, *parts)
    frames = client.frames()
    audio_ms = client.messages("context.done")[0]["audio_ms"]
    sound = decode(frames)
    assert sum(frame.packet.duration for frame in frames) == audio_ms * 48
    assert len(sound) * (48_000 // rate) == audio_ms * 48
    longest = max(frame.packet.duration for frame in frames)
    assert longest == frame_ms * 48
    assert frames[-1].packet.flags & FrameFlags.LAST
    word = sound[: 5 * CHARACTER_SAMPLES * rate // 24_000]  # "Hello"
    assert loudest_hz(word, rate) == pytest.approx(pitch_hz(parts[0].split()[0]), abs=2)
    assert np.sqrt(np.mean(word[len(word) // 4 : -len(word) // 4] ** 2)) == pytest.approx(
        AMPLITUDE / np.sqrt(2), rel=0.1
    )


async def test_all_formats_have_the_same_length(server: Server) -> None:
    lengths = {
        case: (await speak(server, *case, TEXT)).messages("context.done")[0]["audio_ms"] for case in CASES
    }
    assert len(set(lengths.values())) == 1, lengths


@pytest.mark.parametrize("name", ["webm_opus", "ogg_opus"])
async def test_a_file_begins_with_its_first_frame(server: Server, name: str) -> None:
    """Each context is a file of its own, and its header comes with the first frame."""
    async with open_client(server.url) as client:
        await client.send("session.start", formats=[name])
        for number in range(2):
            await client.speak(TEXT, f"c{number}")
        files = [client.frames(handle) for handle in (1, 2)]
    magic = {"webm_opus": b"\x1a\x45\xdf\xa3", "ogg_opus": b"OggS"}[name]
    for frames in files:
        assert frames[0].packet.payload.startswith(magic)
        assert all(not frame.packet.payload.startswith(b"\x1a\x45\xdf\xa3") for frame in frames[1:])
        assert all(frame.packet.payload for frame in frames)
    one, other = (b"".join(frame.packet.payload for frame in frames) for frames in files)
    assert one == other


async def test_the_frame_length_and_bitrate_may_change_between_contexts(client: WireClient) -> None:
    sizes: list[int] = []
    for number, settings in enumerate(
        ({}, {"frame_ms": 60}, {"frame_ms": 20, "bitrate": 12_000}, {"speed": 2})
    ):
        await client.send("session.update", **settings)
        await client.speak(TEXT, f"c{number}")
        frames = client.frames(number + 1)
        sizes.append(sum(len(frame.packet.payload) for frame in frames))
        done = client.messages("context.done")[-1]
        assert len(decode(frames)) == done["audio_ms"] * 48
        assert max(frame.packet.duration for frame in frames) == (2880 if number == 1 else 960)
    assert sizes[2] < sizes[0] / 2
    lengths = [message["audio_ms"] for message in client.messages("context.done")]
    assert lengths[0] == lengths[1] == lengths[2]
    assert lengths[3] == pytest.approx(lengths[0] / 2, rel=0.02)


async def test_wrong_rates_and_frames_are_refused(client: WireClient) -> None:
    await client.send("session.start", formats=["pcm_s16le"], sample_rate=44_100)
    error = await client.until("error")
    assert error["code"] == "invalid_message" and "8000, 16000, 24000, 48000" in error["message"]
    await client.send("session.start", formats=["pcm_s16le"], frame_ms=10)
    assert "20, 40, 60" in (await client.until("error"))["message"]
    await client.send("session.start", formats=["mulaw"], sample_rate=44_100)  # it has only one rate
    assert (await client.until("session.ready"))["sample_rate"] == 8000
