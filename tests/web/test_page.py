"""The page, as a person uses it: what is typed is heard, lit word by word, and interrupted."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
from playwright.async_api import Browser, expect

from bench.server import ServerProcess
from realtime.app import Server, running
from tests.cutting_proxy import cutting
from tests.web.conftest import PAGE_TONE, OpenPage, audible
from tests.web.driving import begun, over, ready, sounding, speak, words

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROOT = Path(__file__).parents[2]
#: All that a shell, Python, JSON or a page could take for something else.
NASTY = """It's "quoted", `ticked` and $HOME \\n %s {x} <b>&amp;</b> </script>
Second line!! \\\\ #1 — naïve 你好 🍎."""


def place(server: Server | ServerProcess) -> str:
    return f"http://127.0.0.1:{server.port}/index.html"


async def test_a_text_is_spoken_and_its_words_light_up(
    voice_server: ServerProcess, open_page: OpenPage
) -> None:
    async with open_page(place(voice_server)) as listened:
        page = listened.page
        await ready(page)
        assert await page.locator("#interrupt").get_attribute("aria-disabled") == "true"
        await speak(page, "The quick brown fox jumps over the lazy dog.")
        await begun(page)
        await sounding(page, "jumps")
        assert [state for _, state in await words(page)] == ["heard"] * 4 + ["sounding"] + ["waiting"] * 4
        assert await page.locator("#interrupt").get_attribute("aria-disabled") == "false"
        await over(page)
        assert [state for _, state in await words(page)] == ["heard"] * 9
        await expect(page.locator("#status")).to_have_text("Heard to the end.")
        await expect(page.locator("#heard")).to_have_text("9 of 9")
        await page.click("text=All figures")
        await expect(page.locator("#figures dt").nth(9)).to_be_visible()
        await expect(page.locator("#utterances button")).to_contain_text("The quick brown fox")
        sound = await listened.heard()
        assert 2 < len(audible(sound, 48_000)) / 48_000 < 4
        assert listened.complaints == []
        assert {urlsplit(url).hostname for url in listened.requests if url.startswith("http")} == {"127.0.0.1"}


async def test_escape_silences_it_and_tells_what_was_heard(
    voice_server: ServerProcess, open_page: OpenPage
) -> None:
    async with open_page(place(voice_server)) as listened:
        page = listened.page
        await ready(page)
        await speak(page, "One two three four five six seven eight nine ten eleven twelve thirteen.")
        await sounding(page, "five")
        await page.evaluate(
            """document.addEventListener("keydown", () => { document.body.dataset.pressed = Date.now(); })"""
        )
        await page.keyboard.press("Escape")
        await expect(page.locator("#status")).to_contain_text("Interrupted:")
        states = [state for _, state in await words(page)]
        count = states.count("heard")
        assert states == ["heard"] * count + ["unheard"] * (13 - count) and 4 <= count <= 6
        await expect(page.locator("#heard")).to_have_text(f"{count} of 13")
        await expect(page.locator(".cut-here")).to_have_count(1)
        await expect(page.locator("#silence")).to_contain_text("ms")
        await page.wait_for_timeout(300)
        assert await page.evaluate("tap.settle().then(() => tap.lastAudible() - document.body.dataset.pressed)") < 100
        # It speaks again, and a new text interrupts it.
        await speak(page, "Alpha beta gamma delta epsilon.")
        await begun(page)
        await speak(page, "Done.")
        await over(page)
        assert await words(page) == [("Done.", "heard")]
        outcomes = await page.locator("#utterances .outcome").all_inner_texts()
        assert len(outcomes) == 3 and "interrupted" in outcomes[1] and "interrupted" in outcomes[2]
        await page.locator("#utterances button").nth(2).click()
        assert [state for _, state in await words(page)] == states
        assert listened.complaints == []


async def test_an_llm_is_heard_while_it_writes(voice_server: ServerProcess, open_page: OpenPage) -> None:
    async with open_page(place(voice_server) + "#llm=1&rate=40") as listened:
        page = listened.page
        await ready(page)
        text = "First of all, this is a sentence. " * 4 + "And this is the end."
        await speak(page, text)
        await begun(page)
        sent = page.locator(".token[data-sent=true]")
        pieces = await page.locator(".token").count()
        assert 0 < await sent.count() < pieces  # it sounds, and the text is not complete
        assert await page.locator(".word[data-segment='0']").count() == 7
        assert "".join(await page.locator(".token").all_text_contents()) == text.strip()
        await expect(page.locator("#first-name")).to_contain_text("before the last token", timeout=10_000)
        assert await sent.count() == pieces
        await page.keyboard.press("Escape")
        await expect(page.locator("#status")).to_contain_text("Interrupted:")
        # Interrupted while it writes: what was not written by then never is.
        await speak(page, text)
        await begun(page)
        await page.keyboard.press("Escape")
        count = await sent.count()
        await page.wait_for_timeout(200)
        assert 0 < await sent.count() == count < pieces
        assert listened.complaints == []


async def test_examples_speak_at_once(voice_server: ServerProcess, open_page: OpenPage) -> None:
    async with open_page(place(voice_server)) as listened:
        page = listened.page
        await ready(page)
        labels = await page.locator("#examples button").all_inner_texts()
        assert {"One word", "Deutsch", "Français", "Español", "中文", "Two minutes"} <= set(labels)
        await page.click("#examples >> text=One word")
        await over(page)
        assert await words(page) == [("Hello!", "heard")]
        await page.click("#examples >> text=中文")
        await over(page)
        shown = await words(page)
        assert "".join(text for text, _ in shown) == await page.input_value("#text")
        assert {state for _, state in shown} == {"heard"} and len(shown) > 10
        await page.click("#examples >> text=An LLM")
        await begun(page)
        assert await page.is_checked("#llm") and await page.locator("#legend").is_visible()
        assert await page.locator(".token[data-sent=true]").count() > 0
        assert listened.complaints == []


async def test_a_link_brings_the_screen_back_and_says_nothing(
    tone_server: Server, open_page: OpenPage
) -> None:
    async with open_page(place(tone_server), permissions=["clipboard-read", "clipboard-write"]) as listened:
        page = listened.page
        await ready(page)
        await page.fill("#text", NASTY)
        await page.fill("#speed", "1.25")
        await page.check("#llm")
        await page.fill("#rate", "55")
        await page.uncheck("#jitter")
        await page.select_option("#language", "en")
        await page.click("#copy-link")
        await expect(page.locator("#status")).to_contain_text("clipboard")
        link = await page.evaluate("navigator.clipboard.readText()")
    async with open_page(link) as listened:
        page = listened.page
        await ready(page)
        assert await page.input_value("#text") == NASTY
        assert await page.input_value("#speed") == "1.25" and await page.input_value("#rate") == "55"
        assert await page.is_checked("#llm") and not await page.is_checked("#jitter")
        assert await page.input_value("#language") == "en"
        assert await page.get_attribute("body", "data-speaking") == "false"
        assert await page.locator("#utterances button").count() == 0
        assert listened.complaints == []


async def test_programs_that_are_copied_run(
    tone_server: Server, open_page: OpenPage, tmp_path: Path
) -> None:
    programs = {}
    async with open_page(place(tone_server), permissions=["clipboard-read", "clipboard-write"]) as listened:
        page = listened.page
        await ready(page)
        await page.fill("#text", NASTY)
        await page.fill("#speed", "1.5")
        for llm in (False, True):
            await page.set_checked("#llm", llm)
            for name in ("curl", "python", "javascript"):
                await page.click(f"#copy-{name}")
                await expect(page.locator("#status")).to_contain_text("clipboard")
                programs[name, llm] = await page.evaluate("navigator.clipboard.readText()")
        # They play, and run to their end, in a page.
        await page.evaluate("HTMLMediaElement.prototype.play = async function () { window.played = this.src; }")
        await page.evaluate(f"(async () => {{ {programs['javascript', False]} }})()")
        played = await page.evaluate("fetch(window.played).then((file) => file.arrayBuffer()).then((b) => b.byteLength)")
        module = programs["javascript", True].replace("import { connect } from ", "const { connect } = await import(")
        module = module.replace('realtime.js";', 'realtime.js");')
        await page.evaluate(f"(async () => {{ {module} }})()")
        assert listened.complaints == []
    assert programs["curl", False] == programs["curl", True]

    async with httpx.AsyncClient(base_url=tone_server.url) as http:
        answer = await http.post("/v1/audio/speech", json={"input": NASTY, "speed": 1.5})
    assert played == len(answer.content)

    async def made_by(*command: str) -> bytes:
        process = await asyncio.create_subprocess_exec(*command, cwd=tmp_path, env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)})
        assert await process.wait() == 0
        (made,) = tmp_path.glob("speech.*")
        content = made.read_bytes()
        made.unlink()
        return content

    assert await made_by("sh", "-c", programs["curl", False]) == answer.content
    assert await made_by("bash", "-c", programs["curl", False]) == answer.content
    assert await made_by(sys.executable, "-c", programs["python", False]) == answer.content
    wav = await made_by(sys.executable, "-c", programs["python", True])
    assert len(wav) > 10_000


async def test_a_key_is_asked_for_and_kept_in_the_tab(open_page: OpenPage) -> None:
    key = "k" * 20
    async with running(replace(PAGE_TONE, api_keys=key)) as server, open_page(place(server)) as listened:
        page = listened.page
        await expect(page.locator("#key")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.locator("#problem")).to_contain_text("Without a key")
        await page.click("text=Give a key")
        await page.fill("#key-value", "wrong")
        await page.keyboard.press("Enter")
        await expect(page.locator("#key-why")).to_contain_text("key")
        await page.fill("#key-value", key)
        await page.keyboard.press("Enter")
        await ready(page)
        await speak(page, "Hello.")
        await over(page)
        await page.reload()
        await ready(page)
        assert not await page.locator("#key").is_visible()
        assert all("401" in each for each in listened.complaints)  # which a browser notes by itself


async def test_what_the_server_does_not_take_is_told(open_page: OpenPage) -> None:
    async with (
        running(replace(PAGE_TONE, max_text_per_context=100, max_sessions=1)) as server,
        open_page(place(server)) as listened,
    ):
        page = listened.page
        await ready(page)
        await page.fill("#text", "é" * 51)
        await expect(page.locator("#room")).to_contain_text("102 bytes, and the server takes 100")
        await page.press("#text", "Enter")
        assert await page.locator("#utterances button").count() == 0
        await speak(page, "é" * 50)
        await begun(page)
        await page.select_option("#voice", index=1)
        await speak(page, "...")
        await expect(page.locator("#status")).to_have_text("There is nothing to say in this text.")
        async with open_page(place(server)) as other:
            await expect(other.page.locator("#problem")).to_contain_text("1 sessions are open")
            await expect(other.page.locator("#connection")).to_contain_text("not connected")
            await page.goto("about:blank")  # the place is free as soon as the other page is left
            await ready(other.page)
            assert not await other.page.locator("#problem").is_visible()
            assert other.complaints == []
        assert listened.complaints == []


async def test_a_lost_connection_is_told_and_nothing_is_missing(
    tone_server: Server, open_page: OpenPage
) -> None:
    async with cutting(tone_server.url) as proxy, open_page(proxy.url + "/index.html") as listened:
        page = listened.page
        await ready(page)
        await speak(page, "Alpha beta gamma delta epsilon zeta eta theta.")
        await begun(page)
        proxy.cut_all()
        await expect(page.locator("#status")).to_contain_text("Nothing is missing")
        await expect(page.locator("#connection")).to_contain_text("connected")
        await over(page)
        assert {state for _, state in await words(page)} == {"heard"}
        # 38 letters and a full stop, of 60 ms each, and seven pauses.
        sound = audible(await listened.heard(), 48_000)
        assert abs(len(sound) / 48_000 - (39 * 0.06 + 7 * 0.04)) < 0.05
        assert listened.complaints == []


