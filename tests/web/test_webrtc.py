"""The page by WebRTC, in a real Chromium: it is understood, silent when asked, and finds its way back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.async_api import Page, Route, expect

from bench.server import ServerProcess
from realtime.app import Server, running
from tests.cutting_proxy import cutting
from tests.speech_judges import word_error_rate
from tests.speech_judges import words as judged
from tests.web.conftest import PAGE_TONE, ListenedPage, OpenPage
from tests.web.driving import SILENCED, over, place, ready, sounded, speak, while_sounding, words
from tests.web.test_speech import TEXT, understood

pytestmark = pytest.mark.asyncio(loop_scope="session")

SHORT = "The old clock on the wall stopped at noon."
PEERS = Path(__file__).with_name("peers.js")
#: By which a browser that makes up for lost sound may be off: other programs take both cores for a moment.
WRONG = 0.12


async def by_webrtc(page: Page, address: str) -> None:
    """Opens the page with WebRTC chosen, and waits until its sound has a connection."""
    await page.add_init_script(path=PEERS)
    await page.goto(f"{address}#player=webrtc")
    await ready(page)
    await connected(page)


async def connected(page: Page) -> None:
    """The last of its peer connections is there."""
    await page.wait_for_function(
        "peers.length > 0 && peers.at(-1).connectionState === 'connected'", timeout=15_000
    )


@asynccontextmanager
async def opened(
    open_page: OpenPage, server: Server | ServerProcess, *scripts: str
) -> AsyncIterator[ListenedPage]:
    """The page of a server, by WebRTC."""
    async with open_page("about:blank") as listened:
        for script in scripts:
            await listened.page.add_init_script(script)
        await by_webrtc(listened.page, place(server))
        yield listened


async def figures(page: Page) -> dict[str, str]:
    """All figures of the utterance that is shown."""
    await page.evaluate("document.querySelector('#figures').closest('details').open = true")
    names = await page.locator("#figures dt").all_inner_texts()
    values = await page.locator("#figures dt + dd").all_inner_texts()
    return {
        name.removeprefix("WebRTC: "): value
        for name, value in zip(names, values, strict=True)
        if name.startswith("WebRTC: ")
    }


async def speak_whole(listened: ListenedPage, text: str) -> float:
    """Has it speak to the end; how many words are heard wrong, of 1."""
    await listened.forget()
    await speak(listened.page, text)
    await expect(listened.page.locator("body")).to_have_attribute("data-speaking", "true")
    await over(listened.page)
    await expect(listened.page.locator("#status")).to_have_text("Heard to the end.")
    return word_error_rate([text], [understood(await sounded(listened.page))])


async def test_it_is_understood_measured_and_interrupted(
    voice_server: ServerProcess, open_page: OpenPage
) -> None:
    async with opened(open_page, voice_server) as listened:
        page = listened.page
        await expect(page.locator("#player-now")).to_have_text("WebRTC plays, because you chose it.")
        for _ in range(3):
            wrong = await speak_whole(listened, SHORT)
            if wrong <= WRONG:
                break
        assert wrong <= WRONG
        await expect(page.locator("#heard")).to_have_text("9 of 9")
        await expect(page.locator("#unsaved")).to_be_visible()
        await expect(page.locator("#after")).to_be_hidden()
        shown = await figures(page)
        print(shown, await page.locator("#first-sound").inner_text())
        assert list(shown) == [
            *("first audible sound", "jitter buffer", "jitter", "round trip"),
            *("packets", "packets lost", "made up"),
        ]
        assert shown["packets lost"] == "none" and "–" not in shown.values()

        # Barge-in: what comes over the track ends soon after, and what is shown is what was heard.
        await page.evaluate(
            """addEventListener("keydown", ({ key }) => {
              if (key === "Escape") window.pressed = came.samples;
            }, { capture: true })"""
        )
        await listened.forget()
        await speak(page, TEXT)
        await while_sounding(page, before=5)
        await page.keyboard.press("Escape")
        await expect(page.locator("#status")).to_contain_text("Interrupted:")
        await asyncio.sleep(0.7)
        late_ms = await page.evaluate(
            """(() => {
              const loud = came.chunks.filter(([, peak]) => peak > 10 ** (-45 / 20));
              return ((loud.at(-1)[0] - pressed) * 1000) / came.rate;
            })()"""
        )
        silence = await page.locator("#silence").inner_text()
        print(f"over the track it was silent after {late_ms:.0f} ms, at the loudspeaker after {silence}")
        # Less than 200, where no other program takes both cores.
        assert late_ms < 500 and silence.endswith("ms")
        await cut_where_it_fell_silent(listened)
        # And it speaks again, from its first word on.
        assert await speak_whole(listened, "Nobody had heard it.") <= 0.25
        assert listened.complaints == []


async def cut_where_it_fell_silent(listened: ListenedPage) -> None:
    """The words that stay lit are those that were heard; of the last one there may have been a part."""
    shown = await words(listened.page)
    lit = judged(" ".join(text for text, state in shown if state == "heard"))
    assert {state for _, state in shown} == {"heard", "unheard"} and 5 <= len(lit) < 16
    recognised = judged(understood(await sounded(listened.page)))
    assert recognised[: len(lit) - 1] == lit[:-1]
    assert abs(len(recognised) - len(lit)) <= 2


async def test_what_may_not_sound_yet_waits(voice_server: ServerProcess, open_page: OpenPage) -> None:
    """The server holds a track that nobody could hear; from the click on all of it is heard."""
    async with opened(open_page, voice_server, SILENCED) as listened:
        page = listened.page
        await page.evaluate(
            """(text) => {
              document.querySelector("#text").value = text;
              document.querySelector("#compose").requestSubmit();
            }""",
            SHORT,
        )
        await expect(page.locator("#unlock")).to_be_visible()
        await asyncio.sleep(0.5)
        assert await page.locator("#first-sound").inner_text() == "–"
        assert all(state == "waiting" for _, state in await words(page))
        await page.click("#unlock")
        await over(page)
        await expect(page.locator("#heard")).to_have_text("9 of 9")
        recognised = judged(understood(await sounded(page)))
        assert recognised[:3] == ["the", "old", "clock"] and recognised[-1] == "noon"
        assert listened.complaints == []


async def test_it_finds_its_way_back(voice_server: ServerProcess, open_page: OpenPage) -> None:
    """The connection of the sound is lost, and then the socket; in the end another way is chosen."""
    url = f"http://127.0.0.1:{voice_server.port}"
    async with cutting(url) as proxy, open_page("about:blank") as listened:
        page = listened.page
        await by_webrtc(page, f"{proxy.url}/index.html")
        await speak(page, TEXT)
        await while_sounding(page, before=2)
        await page.evaluate("peers.at(-1).close()")
        await page.wait_for_function("peers.length === 2")
        await connected(page)
        await expect(page.locator("#status")).to_have_text("The connection of the sound is back.")
        proxy.cut_all()
        await expect(page.locator("#status")).to_contain_text("Nothing is missing")
        await over(page)
        await expect(page.locator("#status")).to_have_text("Heard to the end.")
        await expect(page.locator("#heard")).to_have_text("17 of 17")
        assert judged(understood(await sounded(page)))[-2:] == ["this", "evening"]
        await page.select_option("#player", "webcodecs")
        await expect(page.locator("#player-now")).to_have_text("WebCodecs plays, because you chose it.")
        await page.wait_for_function("peers.every((each) => each.connectionState === 'closed')")
        assert await speak_whole(listened, "The sun is out.") <= 0.25
        await expect(page.locator("#unsaved")).to_be_hidden()


async def test_a_server_without_it_says_so(open_page: OpenPage) -> None:
    async with (
        running(replace(PAGE_TONE, rtc=False)) as server,
        open_page(f"{place(server)}#player=webrtc", listen=False) as listened,
    ):
        page = listened.page
        await expect(page.locator("#problem")).to_have_text(
            "This server has no WebRTC. WebCodecs plays instead."
        )
        await ready(page)
        await expect(page.locator("#player option[value=webrtc]")).to_be_disabled()
        await speak(page, "One two.")
        await expect(page.locator("#status")).to_have_text("Heard to the end.")
        await expect(page.locator("#problem")).to_be_hidden()


async def test_where_no_connection_comes_about_it_plays_another_way(
    tone_server: Server, open_page: OpenPage
) -> None:
    async def refuse(route: Route) -> None:
        error = {"code": "queue_full", "message": "no room for peers"}
        await route.fulfill(status=503, json={"error": error})

    async with open_page("about:blank", listen=False) as listened:
        page = listened.page
        await page.route("**/v1/audio/speech/rtc", refuse)
        await page.goto(f"{place(tone_server)}#player=webrtc")
        await expect(page.locator("#problem")).to_have_text(
            "WebRTC does not get through: no room for peers. WebCodecs plays instead."
        )
        await expect(page.locator("#player-now")).to_contain_text("because WebRTC does not get through")
        await speak(page, "One two.")
        await expect(page.locator("#status")).to_have_text("Heard to the end.")
        # Chosen again it is tried again; what waits for it is told of.
        await page.select_option("#player", "webrtc")
        await expect(page.locator("#problem")).to_contain_text("WebCodecs plays instead.")
        assert await page.input_value("#player") == "webcodecs"


async def test_it_plays_where_nothing_else_does(tone_server: Server, open_page: OpenPage) -> None:
    async with open_page("about:blank", listen=False) as listened:
        page = listened.page
        await page.add_init_script("delete globalThis.AudioDecoder; delete globalThis.MediaSource;")
        await page.goto(place(tone_server))
        await ready(page)
        assert await page.input_value("#player") == "webrtc"
        await speak(page, "One two.")
        await expect(page.locator("#status")).to_have_text("Heard to the end.", timeout=15_000)
        await expect(page.locator("#heard")).to_have_text("2 of 2")
        assert listened.complaints == []
