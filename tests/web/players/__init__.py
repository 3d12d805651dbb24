"""A player alone in a page: frames in, the sound that leaves it out."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
from playwright.async_api import Page, Route

from realtime.app import Server
from realtime.audio.opus import OpusDecoder
from realtime.types import FrameFlags, Packet
from tests.web.conftest import ListenedPage, OpenPage, Sound, recorded
from tests.wire_client import open_client

HARNESS = Path(__file__).with_name("harness.js")
PRE_SKIP = 312
#: A page that has a processor when it needs one waits for less than this, in milliseconds.
STOOD_STILL_MS = 30
#: What has not come after so many seconds will not.
NEVER_S = 60
Frames = list[dict[str, Any]]
Event = dict[str, Any]


async def frames_of(server: Server, text: str, **settings: object) -> Frames:
    """The frames in which a server speaks a text, as players take them; payloads in base64."""
    (frames,) = await utterances_of(server, text, **settings)
    return frames


async def utterances_of(server: Server, *texts: str, **settings: object) -> list[Frames]:
    """The frames of each of these texts."""
    async with open_client(server.url) as client:
        await client.send("session.start", formats=["opus"], **settings)
        done = [await client.speak(text, f"{index}") for index, text in enumerate(texts)]
        return [[_taken(frame.packet) for frame in client.frames(each["handle"])] for each in done]


def _taken(packet: Packet) -> dict[str, Any]:
    return {
        "position": packet.position,
        "duration": packet.duration,
        "last": FrameFlags.LAST in packet.flags,
        "segmentStart": FrameFlags.SEGMENT in packet.flags,
        "kind": 1,
        "payload": base64.b64encode(packet.payload).decode(),
    }


def samples(frames: Frames) -> int:
    """How long frames say that they are."""
    return sum(frame["duration"] for frame in frames)


def decoded(frames: Frames) -> Sound:
    """What these frames sound like, cut as they say."""
    decoder = OpusDecoder()
    packets = [base64.b64decode(frame["payload"]) for frame in frames]
    sound = np.concatenate([decoder.decode(packet) for packet in packets if packet])
    return sound[PRE_SKIP : PRE_SKIP + samples(frames)]


def found(needle: Sound, heard: Sound, since: int = 0) -> tuple[int, float]:
    """Where a sound is in another (where it differs least in all), and the largest difference there."""
    hay = heard[since:].astype(np.float64)
    if len(hay) < len(needle):
        return since, float("inf")
    size = 1 << (len(hay) + len(needle)).bit_length()
    spectrum = np.fft.rfft(hay, size) * np.conj(np.fft.rfft(needle.astype(np.float64), size))
    energy = np.concatenate([[0.0], np.cumsum(hay**2)])
    windows = energy[len(needle) :] - energy[: -len(needle)]
    at = int(np.argmin(windows - 2 * np.fft.irfft(spectrum, size)[: len(windows)]))
    return since + at, float(np.max(np.abs(hay[at : at + len(needle)] - needle)))


def steepest(sound: Sound) -> float:
    """The largest step from a sample to the next: a click is one."""
    return float(np.max(np.abs(np.diff(sound))))


class Player:
    """A player of one kind, in a page that is listened to."""

    def __init__(self, listened: ListenedPage) -> None:
        self.listened = listened
        self.page: Page = listened.page

    async def push(self, key: str, frames: Frames, delays: list[int] | None = None) -> tuple[float, float]:
        """Pushes frames, each so many milliseconds after the one before; when that began, what is held."""
        began, held = await self.page.evaluate(
            "([key, frames, delays]) => harness.push(key, frames, delays)", [key, frames, delays or []]
        )
        return began, held

    async def push_all(self, *utterances: tuple[str, Frames]) -> None:
        """Pushes whole utterances, one after another."""
        await self.page.evaluate("utterances => harness.pushAll(utterances)", utterances)

    async def push_held(self, *utterances: tuple[str, Frames]) -> None:
        """The same while the page may not sound: however busy the machine is, all is there when it begins."""
        await self.page.evaluate("harness.context.suspend()")
        await self.push_all(*utterances)
        await self.page.wait_for_timeout(200)
        await self.page.evaluate("harness.stoodStillMs = 0; harness.context.resume()")

    async def until(self, kind: str, key: str | None = None) -> Event:
        """An event that comes, or has come."""
        coming = self.page.evaluate("([type, key]) => harness.until(type, key)", [kind, key])
        event: Event = await asyncio.wait_for(coming, NEVER_S)
        return event

    async def said(self, *kinds: str) -> list[Event]:
        """Events so far, of these kinds."""
        events: list[Event] = await self.page.evaluate("harness.events")
        return [event for event in events if event["type"] in kinds]

    async def ask(self, expression: str) -> Any:
        """The value of an expression in which `player` is the player."""
        return await self.page.evaluate(
            f"(() => {{ const {{ player, context }} = harness; return {expression}; }})()"
        )

    async def forget(self) -> None:
        await self.listened.forget()
        await self.page.evaluate("harness.stoodStillMs = 0")

    async def attempts(self, underruns: int = 0) -> AsyncIterator[int]:
        """Begins anew up to three times, until the browser had a processor whenever it needed one.

        Else it is the machine that was measured. What is held does not need one until it goes on. Sound is
        decoded in another process than the page; if that had none, it runs dry more than `underruns` times.
        """
        for attempt in range(4):
            await self.forget()
            before = len(await self.said("underrun"))
            yield attempt
            longest_ms: float = await self.page.evaluate("harness.stoodStillMs")
            dry = len(await self.said("underrun")) - before
            if longest_ms <= STOOD_STILL_MS and dry <= underruns:
                return

    async def heard(self) -> Sound:
        """All samples since the player was made, or since `forget`."""
        await self.page.evaluate("tap.settle()")
        return await recorded(self.page)


async def _patch(page: Page, path: str, old: str, new: str) -> None:
    async def change(route: Route) -> None:
        body = await (answer := await route.fetch()).text()
        assert old in body
        await route.fulfill(response=answer, body=body.replace(old, new))

    await page.route(f"**{path}", change)


@asynccontextmanager
async def playing(
    open_page: OpenPage,
    server: Server,
    kind: str,
    before: str = "",
    suspended: bool = False,
    insecure: bool = False,
    patch: tuple[str, str, str] | None = None,
) -> AsyncIterator[Player]:
    """A player in a page that has nothing else, where somebody has clicked.

    `before` is a script that runs first; `suspended`: it may not sound yet; `insecure`: there is no
    AudioWorklet, as on an address that is not secure; `patch`: a file of the page, and what becomes what.
    """
    async with open_page(f"{server.url}/realtime.md") as listened:
        await listened.page.mouse.click(5, 5)
        if before:
            await listened.page.evaluate(before)
        if patch:
            await _patch(listened.page, *patch)
        await listened.page.add_script_tag(path=HARNESS, type="module")
        await listened.page.wait_for_function("'harness' in window")
        await listened.page.evaluate(
            "([kind, suspended, insecure]) => harness.make(kind, suspended, insecure)",
            [kind, suspended, insecure],
        )
        await listened.forget()
        yield Player(listened)
        # A bare page has no icon.
        assert [each for each in listened.complaints if "404" not in each] == []
