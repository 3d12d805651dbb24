"""Where the page cannot work it says what is missing: without scripts, without modules, in an old browser."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Route, expect

from realtime.app import Server
from tests.web.conftest import ROOT, OpenPage
from tests.web.driving import place, ready

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_where_all_is_there_nothing_is_said_to_be_missing(
    tone_server: Server, open_page: OpenPage
) -> None:
    async with open_page(place(tone_server), listen=False) as listened:
        await ready(listened.page)
        await listened.page.wait_for_timeout(1700)
        assert not await listened.page.locator("#missing").is_visible()


async def test_without_javascript(tone_server: Server, open_page: OpenPage) -> None:
    async with open_page(place(tone_server), listen=False, java_script_enabled=False) as listened:
        await expect(listened.page.locator(".missing")).to_contain_text("JavaScript is switched off")
        await expect(listened.page.locator("#missing")).to_contain_text("Let scripts of this address run")


@pytest.mark.parametrize("blocked", ["app.js", "page/main.js", "realtime.js", "player/choose.js"])
async def test_with_a_module_that_does_not_come(
    tone_server: Server, open_page: OpenPage, blocked: str
) -> None:
    async def block(route: Route) -> None:
        await route.abort()

    async with open_page("about:blank", listen=False) as listened:
        page = listened.page
        await page.route(f"**/{blocked}", block)
        await page.goto(place(tone_server))
        missing = page.locator("#missing")
        await expect(missing).to_be_visible()
        await expect(missing).to_contain_text("did not run" if blocked == "app.js" else "could not be loaded")


@pytest.mark.parametrize(
    ("lacking", "said"),
    [
        (["WebSocket"], "WebSocket"),
        (["AudioContext"], "AudioContext"),
        (["AudioDecoder", "MediaSource", "RTCPeerConnection"], "WebCodecs"),
        (["AudioWorkletNode", "MediaSource", "RTCPeerConnection", "WebSocket"], "MediaSource"),
    ],
)
async def test_a_browser_that_lacks_something(
    tone_server: Server, open_page: OpenPage, lacking: list[str], said: str
) -> None:
    async with open_page("about:blank", listen=False) as listened:
        page = listened.page
        for name in lacking:
            await page.add_init_script(f"delete globalThis.{name}")
        await page.goto(place(tone_server))
        await expect(page.locator("#missing")).to_be_visible()
        for name in [said, *(["WebSocket"] if "WebSocket" in lacking else [])]:
            await expect(page.locator("#missing-why")).to_contain_text(name)
        assert listened.complaints == []


async def test_a_browser_without_webcodecs_plays_by_mediasource(
    tone_server: Server, open_page: OpenPage
) -> None:
    async with open_page("about:blank", listen=False) as listened:
        page = listened.page
        await page.add_init_script("delete globalThis.AudioDecoder")
        await page.goto(place(tone_server))
        await ready(page)
        await expect(page.locator("#player-now")).to_contain_text("because WebCodecs needs WebCodecs")
        assert await page.input_value("#player") == "mediasource"
        assert await page.locator("#player option[value=webcodecs]").is_disabled()
        assert not await page.locator("#missing").is_visible()


async def test_an_old_browser_is_told_so(tone_server: Server, open_page: OpenPage) -> None:
    """What such a browser does: it runs the script that others leave, and no module."""
    async with open_page(place(tone_server), listen=False) as listened:
        page = listened.page
        assert await page.evaluate(
            "[...document.scripts].filter((each) => each.noModule).map((each) => each.getAttribute('src'))"
        ) == ["old.js"]
        await page.evaluate((ROOT / "web/old.js").read_text())
        await expect(page.locator("#missing-why")).to_contain_text("does not know JavaScript modules")


async def test_the_script_for_old_browsers_is_written_for_them() -> None:
    """In the JavaScript of 2009: nothing newer is in it."""
    text = (ROOT / "web/old.js").read_text()
    code = re.sub(r"//[^\n]*|\"[^\"]*\"", "", text)
    assert not re.search(r"=>|`|\b(let|const|class|async|await|import|export|of)\b|\?\.|\?\?|\.\.\.", code)
