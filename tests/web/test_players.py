"""The players: what leaves them is what the frames hold, to the sample, soon, and not longer than it shall."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realtime.app import Server
from realtime.audio.opus import OpusDecoder
from realtime.types import FrameFlags
from tests.web.conftest import ListenedPage, OpenPage, Sound
from tests.wire_client import open_client

pytestmark = pytest.mark.asyncio(loop_scope="session")

HARNESS = Path(__file__).parent / "players" / "harness.js"
PRE_SKIP = 312
Frames = list[dict[str, Any]]


async def frames_of(server: Server, text: str, **settings: object) -> Frames:
    """The frames in which a server speaks a text."""
    async with open_client(server.url) as client:
        await client.send("session.start", formats=["opus"], **settings)
        await client.speak(text)
        return [
            {
                "position": each.position,
                "duration": each.duration,
                "first": FrameFlags.FIRST in each.flags,
                "last": FrameFlags.LAST in each.flags,
                "segmentStart": FrameFlags.SEGMENT in each.flags,
                "kind": 1,
                "payload": base64.b64encode(each.payload).decode(),
            }
            for each in (frame.packet for frame in client.frames())
        ]


def decoded(frames: Frames) -> Sound:
    """What these frames sound like, cut as they say."""
    decoder = OpusDecoder()
    packets = [base64.b64decode(frame["payload"]) for frame in frames]
    sound = np.concatenate([decoder.decode(packet) for packet in packets if packet])
    return sound[PRE_SKIP : PRE_SKIP + sum(frame["duration"] for frame in frames)]


def found(needle: Sound, heard: Sound, since: int = 0) -> tuple[int, float]:
    """Where a sound is in another, by correlation, and the largest difference there."""
    size = 1 << (len(heard) - since + len(needle)).bit_length()
    spectrum = np.fft.rfft(heard[since:], size) * np.conj(np.fft.rfft(needle, size))
    at = since + int(np.argmax(np.fft.irfft(spectrum, size)[: len(heard) - since]))
    there = heard[at : at + len(needle)]
    return at, float(np.max(np.abs(there - needle[: len(there)]))) if len(there) == len(needle) else np.inf


@asynccontextmanager
async def player(
    open_page: OpenPage, server: Server, kind: str, suspended: bool = False
) -> AsyncIterator[ListenedPage]:
    async with open_page(f"{server.url}/index.html") as listened:
        await listened.page.mouse.click(5, 5)
        await listened.page.add_script_tag(path=HARNESS, type="module")
        await listened.page.evaluate(
            "([kind, suspended]) => harness.make(kind, suspended)", [kind, suspended]
        )
        yield listened
        # The bare page has no icon.
        assert [each for each in listened.complaints if "404" not in each] == []


KINDS = pytest.mark.parametrize("kind", ["webcodecs", "mediasource"])


@KINDS
async def test_it_plays_every_sample(tone_server: Server, open_page: OpenPage, kind: str) -> None:
    frames = await frames_of(tone_server, "One two three.")
    sound = decoded(frames)
    async with player(open_page, tone_server, kind) as listened:
        page = listened.page
        for key in ("a", "b", "c"):
            await listened.forget()
            began = await page.evaluate("([key, frames]) => harness.push(key, frames)", [key, frames])
            await page.evaluate("key => harness.until('played', key)", key)
            at, error = found(sound, heard := await listened.heard())
                [
                    {**each, "now": round(each["now"] - began)}
                    for each in await page.evaluate("harness.events")
                ][-15:]
            )
            assert error < 1e-5 and not heard[:at].any() and not heard[at + len(sound) :].any()
            assert await page.evaluate("key => harness.player.playedMs(key)", key) == pytest.approx(
                len(sound) / 48
            )
