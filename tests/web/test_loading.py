"""A voice that is loaded when somebody wants to hear it: who waits for it is told how far that is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from realtime.app import Server, building, running
from tests.app.pretending import write_settings
from tests.web.client_page import client_page
from tests.web.conftest import PAGE_TONE, OpenPage
from tests.web.driving import SILENCED, place, ready, speak
from tests.web.slow_voice import MODULE, download
from tests.wire_client import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: Everything that the status line says from now on.
NOTE = """() => {
  const status = document.querySelector("#status");
  const told = (window.told = []);
  const note = () => told.at(-1) !== status.textContent && told.push(status.textContent);
  new MutationObserver(note).observe(status, { subtree: true, childList: true, characterData: true });
}"""
LOADING = "The voice is being loaded"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a voice that is not downloaded yet."""
    folder = write_settings(tmp_path / "model")
    download(folder, 0)
    return folder


@pytest_asyncio.fixture(loop_scope="session")
async def server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    monkeypatch.setitem(building.MODULES, "qwen3", MODULE)
    config = replace(PAGE_TONE, engine="qwen3", model_id=str(folder), preload_model=False)
    async with running(config) as listening:
        yield listening


async def says(page: Page, text: str) -> None:
    """The status line says this, once a process has been started for the voice."""
    await expect(page.locator("#status")).to_have_text(text, timeout=20_000)


async def told(page: Page) -> list[str]:
    """What the status line has said since `NOTE`, or since this was asked."""
    said: list[str] = await page.evaluate("told.splice(0)")
    return said


async def test_the_client_tells_how_far_it_is(server: Server, chromium: Browser, folder: Path) -> None:
    async with client_page(chromium, server.url) as client:
        download(folder, 0.25)
        await client.run("begin", server.url, {}, "waiting", "Hello.")
        for fraction in (0.25, 0.75):
            download(folder, fraction)
            await client.run("loads", "waiting", "download", fraction)
        download(folder, 1)
        facts = await client.run("finish", "waiting", True)
        assert facts["finished"]["value"]["reason"] == "completed" and facts["errors"] == []
        assert facts["order"][:3] == ["opened", "loading", "segment"] and "frame" in facts["order"][3:]
        assert "loading" not in facts["order"][2:]
        named = dict.fromkeys((what, fraction) for what, fraction in facts["loading"] if what)
        assert list(named) == [
            *(("download", fraction) for fraction in (0.25, 0.75, 1)),
            *(("weights", fraction) for fraction in (0.42, 1)),
        ]
        # It is there now, and nobody waits for it.
        await client.run("begin", server.url, {}, "at once", "Hello again.")
        facts = await client.run("finish", "at once", True)
        assert facts["loading"] == [] and facts["frames"] != []
        assert client.complaints == []


async def test_the_page_says_how_far_it_is_until_it_speaks(
    server: Server, open_page: OpenPage, folder: Path
) -> None:
    async with open_page(place(server)) as listened:
        page = listened.page
        status = page.locator("#status")
        await ready(page)
        await page.evaluate(NOTE)
        (folder / "hold").touch()
        await speak(page, "Hello.")
        for percent in (0, 25, 75):
            download(folder, percent / 100)
            await says(page, f"{LOADING}: download, {percent} %")
        # It is read out once what is being done, and not how far it is.
        await expect(status).to_match_aria_snapshot(f'- status: "{LOADING}: download"')
        download(folder, 1)
        await says(page, f"{LOADING}: weights, 42 %")
        await expect(status).to_match_aria_snapshot(f'- status: "{LOADING}: weights"')
        assert await page.get_attribute("body", "data-speaking") == "true"
        (folder / "hold").unlink()
        await says(page, "Heard to the end.")
        said = [each for each in await told(page) if each not in ("", LOADING)]
        assert said[:-3] == [
            *(f"{LOADING}: download, {percent} %" for percent in (0, 25, 75, 100)),
            f"{LOADING}: weights, 42 %",
        ]
        assert said[-3:] == [f"{LOADING}: weights, 100 %", "Speaking.", "Heard to the end."]
        await speak(page, "Hello again.")
        await expect(page.locator("#utterances button")).to_have_count(2)
        await says(page, "Heard to the end.")
        assert not any(each.startswith(LOADING) for each in await told(page))
        assert listened.complaints == []


async def test_the_page_says_no_more_of_it_to_who_does_not_wait(
    server: Server, open_page: OpenPage, folder: Path
) -> None:
    (folder / "hold").touch()
    async with open_page(place(server)) as listened:
        page = listened.page
        await ready(page)
        await speak(page, "Hello.")
        await says(page, f"{LOADING}: download, 0 %")
        await page.evaluate(NOTE)
        await page.keyboard.press("Escape")
        interrupted = "Interrupted: 0 of 1 word was heard."
        await says(page, interrupted)
        download(folder, 1)
        await eventually(lambda: server.scheduler.load.what == "weights")
        await page.click("#examples button >> nth=0")  # which waits for it in the other's place
        await says(page, f"{LOADING}: weights, 42 %")
        said = await told(page)
        begun = said.index("", said.index(interrupted))
        assert not any(each.startswith(LOADING) for each in said[said.index(interrupted) : begun])
        # It cannot be loaded.
        (folder / "fail").touch()
        (folder / "hold").unlink()
        await says(page, "It ended with an error: 0 of 1 word was heard.")
        await expect(page.locator("#problem")).to_contain_text("there is no such card")
        (folder / "fail").unlink()
        await speak(page, "Hello.")
        await says(page, "Heard to the end.")
        assert listened.complaints == []


async def test_that_a_click_is_needed_is_more_important(
    server: Server, open_page: OpenPage, folder: Path
) -> None:
    async with open_page("about:blank") as listened:
        page = listened.page
        await page.add_init_script(SILENCED)
        await page.goto(place(server))
        await ready(page)
        await page.fill("#text", "Hello.")
        await page.evaluate("document.querySelector('#speak').click()")
        status = page.locator("#status")
        await expect(status).to_contain_text("lick to")
        download(folder, 0.75)
        await eventually(lambda: server.scheduler.load.fraction == 0.75)
        await expect(status).to_contain_text("lick to")
        await page.click("#unlock")
        await says(page, f"{LOADING}: download, 75 %")
        download(folder, 1)
        await says(page, "Heard to the end.")
        assert listened.complaints == []


async def test_what_is_seen_of_a_load_and_what_is_read_out(tone_server: Server, open_page: OpenPage) -> None:
    """Each line with whether it is read out: only what is new in it is."""
    say = """async (all) => {
      const { Status } = await import("/page/status.js");
      const place = document.createElement("p");
      const status = new Status(place);
      return all.map(([what, fraction]) => {
        const before = place.firstChild;
        if (what === null) status.say("Copied.");
        else status.sayLoading({ what, fraction });
        return [place.textContent, place.firstChild !== before];
      });
    }"""
    lines = {
        ("", 0): (LOADING, True),
        ("", 1): (LOADING, False),
        ("loading", 0.004): (f"{LOADING}: 0 %", False),
        ("loading", 0.5): (f"{LOADING}: 50 %", False),
        ("warm-up", 0.5): (f"{LOADING}: warm-up, 50 %", True),
        ("warm-up", 0.996): (f"{LOADING}: warm-up, 100 %", False),
        (None, 0): ("Copied.", True),
        ("warm-up", 1): (f"{LOADING}: warm-up, 100 %", True),
    }
    async with open_page(place(tone_server), listen=False) as listened:
        shown = await listened.page.evaluate(say, [list(each) for each in lines])
        assert [tuple(each) for each in shown] == list(lines.values())
