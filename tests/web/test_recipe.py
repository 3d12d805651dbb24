"""The pages of the README: elsewhere they speak and are interrupted, by frames and by a track."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Page, Route

from bench.server import ServerProcess, free_port
from tests.server.webrtc.relay import Relay, relayed
from tests.speech_judges import transcribe, word_error_rate, words
from tests.web.conftest import ListenedPage, OpenPage

pytestmark = pytest.mark.asyncio(loop_scope="session")

README = (Path(__file__).parents[2] / "README.md").read_text()


SAID = "the answer is forty two what was the question"


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def pages_elsewhere() -> AsyncIterator[str]:
    """Address of the README's pages, on a server of other people that realtime lets in."""
    frames, track = re.findall(r"^```html\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    port = free_port()
    with ServerProcess(ALLOWED_ORIGINS=f"http://127.0.0.1:{port}") as voice:

        async def page(request: web.Request) -> web.Response:
            html = track if request.path == "/track" else frames
            return web.Response(text=html.replace(":8000", f":{voice.port}"), content_type="text/html")

        async def no_icon(request: web.Request) -> web.Response:
            return web.Response(status=204)

        application = web.Application()
        application.add_routes(
            [web.get("/frames", page), web.get("/track", page), web.get("/favicon.ico", no_icon)]
        )
        runner = web.AppRunner(application)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
            yield f"http://127.0.0.1:{port}"
        finally:
            await runner.cleanup()


async def spoken(listened: ListenedPage) -> list[str]:
    """What is heard after a click, to the end."""
    page = listened.page
    await page.wait_for_function("document.querySelector('#interrupt').onclick !== null")
    await page.click("#speak")
    await page.wait_for_function("tap.firstAudible() && Date.now() - tap.lastAudible() > 1000")
    heard = transcribe(await listened.heard(), await listened.rate())
    return words(heard.replace("42", "forty two").replace("-", " "))


async def interrupted(listened: ListenedPage) -> None:
    """It is spoken again, and cut off by a click: the page tells what was heard."""
    page = listened.page
    await page.click("#speak")
    await listened.forget()
    await page.wait_for_function("tap.firstAudible()")
    await asyncio.sleep(0.9)
    await page.click("#interrupt")
    told = await (await page.wait_for_selector("#said:not(:empty)")).inner_text()  # type: ignore[union-attr]
    heard, remaining = re.fullmatch(r"heard: (.*) \| not heard: (.*)", told).groups()  # type: ignore[union-attr]
    assert heard.startswith("The answer") and remaining.endswith("What was the question?")
    assert not listened.complaints


async def listen_to_the_track(page: Page) -> None:
    """The recorder hears what goes through an AudioContext: the track does besides."""
    await page.wait_for_function("document.querySelector('#sound').srcObject")
    await page.evaluate(
        """() => {
          const context = new AudioContext({ sampleRate: 48000 });
          const { srcObject } = document.querySelector("#sound");
          context.createMediaStreamSource(srcObject).connect(context.destination);
          document.querySelector("#speak").addEventListener("click", () => context.resume());
        }"""
    )


async def test_it_speaks_and_is_interrupted(pages_elsewhere: str, open_page: OpenPage) -> None:
    async with open_page(f"{pages_elsewhere}/frames") as listened:
        heard = await spoken(listened)
        assert heard == words(SAID)
        await interrupted(listened)


async def test_a_track_speaks_and_is_interrupted(pages_elsewhere: str, open_page: OpenPage) -> None:
    async with open_page(f"{pages_elsewhere}/track") as listened:
        await listen_to_the_track(listened.page)
        heard = await spoken(listened)
        assert heard == words(SAID)
        await interrupted(listened)


async def test_a_track_over_a_bad_network(pages_elsewhere: str, open_page: OpenPage) -> None:
    """5 % lost and 30 ms of jitter: the browser makes up for it out of what each packet says of the last."""
    async with contextlib.AsyncExitStack() as stack:
        relays: list[Relay] = []

        async def by_relay(route: Route) -> None:
            answer = await route.fetch()
            if route.request.method != "POST":
                await route.fulfill(response=answer)
                return
            through, relay = await stack.enter_async_context(
                relayed(await answer.text(), loss=0.05, delay_ms=40, jitter_ms=30)
            )
            relays.append(relay)
            await route.fulfill(response=answer, body=through)

        listened = await stack.enter_async_context(open_page("about:blank"))
        await listened.page.route("**/v1/audio/speech/rtc", by_relay)
        await listened.page.goto(f"{pages_elsewhere}/track")
        await listen_to_the_track(listened.page)
        heard = await spoken(listened)
        assert word_error_rate([SAID], [" ".join(heard)]) <= 0.12, heard
        (relay,) = relays
        assert relay.lost > 5
