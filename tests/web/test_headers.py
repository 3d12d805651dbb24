"""What browsers make of the headers of our answers: the page works, and pages of others get what they may."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from playwright.async_api import Page, expect

from realtime.app import Server, running
from tests.web.client_page import OPEN_TONE
from tests.web.conftest import PAGE_TONE, OpenPage
from tests.web.driving import begun, over, place, ready, speak

pytestmark = pytest.mark.asyncio(loop_scope="session")
#: Kept where a page that is loaded anew cannot lose it: in the test.
TELL = """addEventListener("securitypolicyviolation", (event) =>
  globalThis.told(`${event.effectiveDirective} ${event.blockedURI}`))"""


@pytest.mark.parametrize("player", ["webcodecs", "mediasource", "webrtc"])
async def test_the_page_does_all_it_does_within_its_policy(
    tone_server: Server, open_page: OpenPage, player: str
) -> None:
    violations: list[str] = []
    async with open_page("about:blank", listen=False) as listened:
        page = listened.page
        await page.expose_function("told", lambda what: violations.append(what))
        await page.add_init_script(TELL)
        await page.goto(place(tone_server))
        await ready(page)
        await page.select_option("#player", player)
        await speak(page, "One two three.")
        await begun(page)
        await over(page)
        await expect(page.locator("#status")).to_have_text("Heard to the end.")
        await page.click("text=All figures")
        if player != "webrtc":  # what came over a track cannot be saved
            for name in ("ogg", "wav"):
                async with page.expect_download() as downloading:
                    await page.click(f"#download-{name}")
                assert await (await downloading.value).path()
        assert violations == [] and listened.complaints == []
        # The policy is in force: what is not of the page does not run.
        await page.evaluate(
            "document.body.append(Object.assign(document.createElement('script'), {text: '1'}))"
        )
        await page.wait_for_function("() => true")
        assert violations == ["script-src-elem inline"]


@asynccontextmanager
async def foreign_page(open_page: OpenPage) -> AsyncIterator[Page]:
    """A page of another origin than that of the server that it asks: the port differs, which is enough."""

    async def show(request: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><p>a page", content_type="text/html")

    application = web.Application()
    application.add_routes([web.get("/", show)])
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        async with open_page(url, listen=False) as listened:
            yield listened.page
    finally:
        await runner.cleanup()


#: What a page of another origin tries, and what becomes of it where pages of others may use the server.
TRIES: dict[str, tuple[str, str]] = {
    "reads the voices": (
        "fetch(`${url}/v1/voices`).then((it) => it.json()).then(() => 'done', () => 'refused')",
        "done",
    ),
    "reads an error": (
        "fetch(`${url}/nothing`).then((it) => it.json()).then((it) => it.error.code, () => 'refused')",
        "not_found",
    ),
    "has something spoken": (
        """fetch(`${url}/v1/audio/speech`, {
          method: "POST", headers: { "Content-Type": "application/json" },
          body: JSON.stringify({ input: "Hello.", response_format: "wav" }),
        }).then((it) => it.blob()).then((it) => it.type, () => "refused")""",
        "audio/wav",
    ),
    "loads the client": (
        "import(`${url}/realtime.js`).then((it) => typeof it.connect, () => 'refused')",
        "function",
    ),
    "plays a sample": (
        """new Promise((resolve) => {
          const sound = new Audio(`${url}/v1/voices/tone/sample`);
          sound.oncanplaythrough = () => resolve("plays");
          sound.onerror = () => resolve("refused");
        })""",
        "plays",
    ),
    "loads it without reading it": (
        "fetch(`${url}/v1/voices/tone/sample`, { mode: 'no-cors' }).then((it) => it.type, () => 'refused')",
        "opaque",
    ),
}
SHOWN = """(url) => new Promise((resolve) => {
  const frame = Object.assign(document.createElement("iframe"), { src: url });
  frame.onload = resolve;
  document.body.append(frame);
})"""


@pytest.mark.parametrize("are_allowed", [True, False])
async def test_what_pages_of_others_can_do(open_page: OpenPage, are_allowed: bool) -> None:
    async with running(OPEN_TONE if are_allowed else PAGE_TONE) as server, foreign_page(open_page) as page:
        for name, (attempt, done) in TRIES.items():
            became = await page.evaluate(f"(url) => {attempt}", server.url)
            assert became == (done if are_allowed else "refused"), name
        # Nobody puts us into a frame, to have people press what they do not see.
        for path in ("/index.html", "/openapi.json"):
            await page.evaluate(SHOWN, server.url + path)
        assert {each.url for each in page.frames[1:]} == {"chrome-error://chromewebdata/"}


async def test_a_sound_that_is_opened_plays(tone_server: Server, open_page: OpenPage) -> None:
    """The browser makes a page with a player around it, to which our policy applies."""
    async with open_page("about:blank", listen=False) as listened:
        page = listened.page
        await page.goto(f"{tone_server.url}/v1/voices/tone/sample")
        await page.wait_for_function("document.querySelector('video, audio')?.readyState >= 2")
        assert listened.complaints == []
