"""The page, as a person uses it: what is typed is heard, lit word by word, and interrupted."""

from __future__ import annotations

import asyncio
import re
import sys
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
from playwright.async_api import expect

from bench.server import ServerProcess
from realtime.app import Server, running
from tests.cutting_proxy import cutting
from tests.web.conftest import PAGE_TONE, ROOT, OpenPage, audible
from tests.web.driving import (
    SILENCED,
    begun,
    loud_s,
    over,
    place,
    ready,
    sounded,
    speak,
    while_sounding,
    words,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: All that a shell, Python, JSON or a page could take for something else.
NASTY = """It's "quoted", `ticked` and $HOME \\n %s {x} <b>&amp;</b> </script>
Second line!! \\\\ #1 — naïve 你好 🍎."""
TONES = "Alpha beta gamma delta epsilon zeta eta theta."


async def test_a_text_is_spoken_and_its_words_light_up(
    voice_server: ServerProcess, open_page: OpenPage
) -> None:
    async with open_page(place(voice_server)) as listened:
        page = listened.page
        await ready(page)
        assert await page.locator("#interrupt").get_attribute("aria-disabled") == "true"
        await speak(page, "The quick brown fox jumps over the lazy dog.")
        await begun(page)
        states = [state for _, state in await while_sounding(page)]
        heard = states.count("heard")
        assert states == ["heard"] * heard + ["sounding"] + ["waiting"] * (8 - heard)
        assert await page.locator("#interrupt").get_attribute("aria-disabled") == "false"
        await over(page)
        sounded_ms = await page.evaluate("tap.settle().then(() => tap.lastAudible() - tap.firstAudible())")
        assert 2000 < sounded_ms < 4000
        assert [state for _, state in await words(page)] == ["heard"] * 9
        await expect(page.locator("#status")).to_have_text("Heard to the end.")
        await expect(page.locator("#heard")).to_have_text("9 of 9")
        await page.click("text=All figures")
        await expect(page.locator("#figures dt").nth(9)).to_be_visible()
        await expect(page.locator("#utterances button")).to_contain_text("The quick brown fox")
        for name in ("ogg", "wav"):
            async with page.expect_download() as downloading:
                await page.click(f"#download-{name}")
            download = await downloading.value
            assert download.suggested_filename.endswith(f".{name}")
            assert (await download.path()).stat().st_size > {"ogg": 10_000, "wav": 100_000}[name]
        assert listened.complaints == []
        assert {urlsplit(url).hostname for url in listened.requests if url.startswith("http")} == {
            "127.0.0.1"
        }


async def test_escape_silences_it_and_tells_what_was_heard(
    voice_server: ServerProcess, open_page: OpenPage
) -> None:
    async with open_page(place(voice_server)) as listened:
        page = listened.page
        await ready(page)
        await speak(page, "One two three four five six seven eight nine ten eleven twelve thirteen.")
        await while_sounding(page, before=3)
        await page.evaluate(
            """document.addEventListener("keydown", () => { document.body.dataset.pressed = Date.now(); })"""
        )
        await page.keyboard.press("Escape")
        await expect(page.locator("#status")).to_contain_text("Interrupted:")
        states = [state for _, state in await words(page)]
        count = states.count("heard")
        assert states == ["heard"] * count + ["unheard"] * (13 - count) and 3 <= count <= 8
        await expect(page.locator("#heard")).to_have_text(f"{count} of 13")
        await expect(page.locator(".cut-here")).to_have_count(1)
        await expect(page.locator("#silence")).to_contain_text("ms")
        await page.wait_for_timeout(300)
        assert (
            await page.evaluate("tap.settle().then(() => tap.lastAudible() - document.body.dataset.pressed)")
            < 100
        )
        # A writing that no voice reads is not told as heard.
        await speak(page, "שלום עולם")
        await expect(page.locator("#status")).to_contain_text("no voice here reads it")
        await expect(page.locator("#heard")).to_have_text("0 of 2")
        assert {state for _, state in await words(page)} == {"unheard"}
        await expect(page.locator("#utterances .outcome").first).to_have_text("nothing to say")
        # It speaks again, and a new text interrupts it.
        await speak(page, "Alpha beta gamma delta epsilon.")
        await begun(page)
        await speak(page, "Done.")
        await over(page)
        assert await words(page) == [("Done.", "heard")]
        outcomes = await page.locator("#utterances .outcome").all_inner_texts()
        assert len(outcomes) == 4 and "interrupted" in outcomes[1] and "interrupted" in outcomes[3]
        await page.locator("#utterances button").nth(3).click()
        assert [state for _, state in await words(page)] == states
        assert listened.complaints == []


async def test_an_llm_is_heard_while_it_writes(tone_server: Server, open_page: OpenPage) -> None:
    async with open_page(place(tone_server) + "#llm=1&rate=25") as listened:
        page = listened.page
        await ready(page)
        text = "First of all, this is a sentence. " * 4 + "And this is the end."
        await speak(page, text)
        sent = page.locator(".token[data-sent=true]")
        # It sounds, and the text is not complete.
        await page.wait_for_function(
            """() => document.querySelector('.word[data-state=sounding]')
              && document.querySelector('.token[data-sent=false]')"""
        )
        assert await sent.count() > 0
        pieces = await page.locator(".token").count()
        assert await page.locator(".word[data-segment='0']").count() == 7
        assert "".join(await page.locator(".token").all_text_contents()) == text.strip()
        await expect(page.locator("#first-name")).to_contain_text("before the last token", timeout=10_000)
        assert await sent.count() == pieces
        await page.keyboard.press("Escape")
        await expect(page.locator("#status")).to_contain_text("Interrupted:")
        # Interrupted while it writes: what was not written by then never is.
        await page.fill("#rate", "5")
        await speak(page, text)
        await begun(page)
        await page.keyboard.press("Escape")
        count = await sent.count()
        await page.wait_for_timeout(500)
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


async def test_programs_that_are_copied_run(tone_server: Server, open_page: OpenPage, tmp_path: Path) -> None:
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
        # They run to their end in a page; what the one would play is a file.
        await page.evaluate(
            "HTMLMediaElement.prototype.play = async function () { window.played = this.src; }"
        )
        await page.evaluate(f"(async () => {{ {programs['javascript', False]} }})()")
        played = await page.evaluate("fetch(played).then((file) => file.blob()).then(({ size }) => size)")
        imported = re.sub(
            r"import (.*) from (.*);", r"const \1 = await import(\2);", programs["javascript", True]
        )
        await page.evaluate(f"(async () => {{ {imported} }})()")
        assert listened.complaints == []
    assert programs["curl", False] == programs["curl", True]

    async with httpx.AsyncClient(base_url=tone_server.url) as http:
        answer = await http.post("/v1/audio/speech", json={"input": NASTY, "speed": 1.5})
    assert played == len(answer.content)

    async def made_by(*command: str) -> bytes:
        environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
        process = await asyncio.create_subprocess_exec(*command, cwd=tmp_path, env=environment)
        assert await process.wait() == 0
        return await asyncio.to_thread(taken)

    def taken() -> bytes:
        (made,) = tmp_path.iterdir()
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
        assert await words(page) == [("...", "unheard")]
        await expect(page.locator("#heard")).to_have_text("0 of 1")
        async with open_page(place(server)) as other:
            await expect(other.page.locator("#problem")).to_contain_text("1 sessions are open")
            await expect(other.page.locator("#connection")).to_contain_text("not connected")
            await page.goto("about:blank")  # the place is free as soon as the other page is left
            await ready(other.page)
            assert not await other.page.locator("#problem").is_visible()
            assert other.complaints == []
        assert listened.complaints == []


async def test_a_server_that_has_enough_to_do_says_when_to_come_again(open_page: OpenPage) -> None:
    hold = """async () => {
      const { connect } = await import("/realtime.js");
      const other = connect().open();
      window.free = () => other.cancel().then(() => {});
      return new Promise((resolve) => {
        other.addEventListener("opened", () => resolve(null));
        other.send("One ");
      });
    }"""
    async with (
        running(replace(PAGE_TONE, max_utterances=1)) as server,
        open_page(place(server)) as listened,
    ):
        page = listened.page
        await ready(page)
        await page.evaluate(hold)
        await speak(page, "Hello.")
        await expect(page.locator("#problem")).to_have_text(
            re.compile(r"1 utterance is being spoken, [^;]*\. Try again in (a second|\d+ seconds)\.$")
        )
        await over(page)
        await expect(page.locator("#status")).to_have_text("It ended with an error: 0 of 1 word was heard.")
        await page.evaluate("free()")
        await page.press("#text", "Enter")
        await expect(page.locator("#status")).to_have_text("Heard to the end.")
        assert not await page.locator("#problem").is_visible()
        assert listened.complaints == []


async def test_a_lost_connection_is_told_and_nothing_is_missing(
    tone_server: Server, open_page: OpenPage
) -> None:
    async with cutting(tone_server.url) as proxy, open_page(proxy.url + "/index.html") as listened:
        page = listened.page
        await ready(page)
        await speak(page, TONES)
        await begun(page)
        proxy.cut_all()
        await expect(page.locator("#status")).to_contain_text("Nothing is missing")
        await expect(page.locator("#connection")).to_contain_text("connected")
        await over(page)
        assert {state for _, state in await words(page)} == {"heard"}
        heard = loud_s(await sounded(page))
        async with httpx.AsyncClient(base_url=tone_server.url) as http:
            answer = await http.post("/v1/audio/speech/pcm", json={"input": TONES})
        whole = audible(np.frombuffer(answer.content, "<i2").astype(np.float32) / 32768, 24_000)
        # It may have paused, when all in hand was played; but nothing is lost, and nothing said twice.
        assert abs(heard - loud_s(whole, 24_000)) < 0.06  # s, a letter
        assert listened.complaints == []


async def test_a_server_that_was_started_anew_is_met_again(open_page: OpenPage) -> None:
    again = ServerProcess(ENGINE="tone")
    with ServerProcess(ENGINE="tone") as server:
        again.port = server.port
        again._environment["PORT"] = f"{server.port}"
        async with open_page(place(server)) as listened:
            page = listened.page
            await ready(page)
            await speak(page, TONES)
            await begun(page)
            server.process.kill()
            await expect(page.locator("#connection")).to_contain_text("connection lost", timeout=10_000)
            await speak(page, "Hello.")
            await expect(page.locator("#status")).to_contain_text("as soon as there is")
            with again:
                await expect(page.locator("#problem")).to_have_text(
                    "The connection was away, and the server has forgotten this text. Speak it again.",
                    timeout=15_000,
                )
                await expect(page.locator("#connection")).to_contain_text("connected, ", timeout=15_000)
                await page.press("#text", "Enter")
                await expect(page.locator("#status")).to_have_text("Heard to the end.")
                assert not await page.locator("#problem").is_visible()
                # Left, and shown again as it was: a browser may keep a page.
                await page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', {persisted: true}))")
                await expect(page.locator("#connection")).to_have_text("at rest until you speak")
                assert not await page.locator("#problem").is_visible()
                await page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
                await expect(page.locator("#connection")).to_contain_text("connected, ")
            # What a browser notes by itself.
            assert [
                each for each in listened.complaints if not re.search("WebSocket|503|REFUSED|RESET", each)
            ] == []


async def test_what_may_not_sound_yet_waits_for_a_click(tone_server: Server, open_page: OpenPage) -> None:
    """A browser that lets no page sound before it was touched, and a program that presses the button."""
    async with open_page("about:blank") as listened:
        page = listened.page
        await page.add_init_script(SILENCED)
        await page.goto(place(tone_server))
        await ready(page)
        await page.fill("#text", "Alpha beta gamma.")
        await page.evaluate("document.querySelector('#speak').click()")
        await expect(page.locator("#unlock")).to_be_visible()
        await expect(page.locator("#status")).to_contain_text("lick to")
        await page.wait_for_timeout(300)
        assert {state for _, state in await words(page)} == {"waiting"}
        await page.click("#unlock")
        await over(page)
        assert not await page.locator("#unlock").is_visible()
        assert {state for _, state in await words(page)} == {"heard"}
        # 14 letters and a full stop of 60 ms each: nothing of it was lost.
        assert abs(loud_s(await sounded(page)) - 15 * 0.06) < 0.06
        assert listened.complaints == []


async def test_a_text_of_an_hour_stays_light_and_scrolls_along(
    tone_server: Server, open_page: OpenPage
) -> None:
    """The clock is the test's own: an hour of words goes by in a moment."""
    begin = """async () => {
      const { Utterance } = await import("/page/utterance.js");
      const { UtteranceLog } = await import("/record/log.js");
      const { Said } = await import("/page/said.js");
      const text = Array.from({ length: 9000 }, (_, i) => `word${i}${i % 12 === 11 ? ".\\n" : " "}`).join("");
      const log = new UtteranceLog("long");
      const screen = { text, llm: false, language: "auto" };
      const utterance = new Utterance(screen, log, [], 0);
      const all = utterance.units.map(({ start, end }, i) =>
        ({ range: [start, end], start_ms: i * 400, end_ms: i * 400 + 300 }));
      log.words({ words: all }, 0);
      document.querySelector("#welcome").hidden = true;
      const root = document.querySelector("#said");
      const said = new Said(root, document.querySelector("#follow"));
      said.show(utterance);
      window.go = (ms) => { utterance.lightTo(ms); said.update(); };
      window.count = () => root.querySelectorAll("*").length;
      window.seen = () => {
        const word = root.querySelector(".word[data-state=sounding]").getBoundingClientRect();
        const frame = root.getBoundingClientRect();
        return word.top >= frame.top && word.bottom <= frame.bottom;
      };
    }"""
    url = place(tone_server)
    async with open_page(url, listen=False, reduced_motion="reduce") as listened:
        page = listened.page
        await ready(page)
        await page.evaluate(begin)
        for minute in (0, 1, 10, 30, 59):
            begun_at = await page.evaluate("performance.now()")
            await page.evaluate(f"go({minute * 60_000} + 100)")
            assert await page.evaluate("count()") < 700
            assert await page.evaluate("seen()"), minute
            assert await page.evaluate("performance.now()") - begun_at < 5000
        heard = await page.evaluate("document.querySelectorAll('#said > [data-state=heard]').length")
        assert heard > 90 and await page.locator("#follow").is_hidden()
        # Who scrolls away is left alone, until they come back.
        await page.hover("#said")
        await page.mouse.wheel(0, -3000)
        await page.wait_for_timeout(100)
        await page.evaluate("go(59 * 60_000 + 8100)")
        assert not await page.evaluate("seen()")
        await page.click("#follow")
        assert await page.evaluate("seen()") and await page.locator("#follow").is_hidden()
        await page.evaluate("go(59 * 60_000 + 30_100)")
        assert await page.evaluate("seen()")
        assert listened.complaints == []


async def test_another_player_may_be_chosen_at_any_time(tone_server: Server, open_page: OpenPage) -> None:
    async with open_page(place(tone_server)) as listened:
        page = listened.page
        await ready(page)
        playing = page.locator("#player-now")
        await expect(playing).to_contain_text("WebCodecs plays")
        # What sounds goes on as it is; the next has the new one.
        await speak(page, "Alpha beta gamma delta epsilon zeta.")
        await while_sounding(page, before=1)
        await page.select_option("#player", "mediasource")
        await expect(playing).to_contain_text("MediaSource (WebM) plays from the next utterance on")
        await over(page)
        assert {state for _, state in await words(page)} == {"heard"}
        await expect(playing).to_have_text("MediaSource (WebM) plays, because you chose it.")
        await listened.forget()
        await speak(page, "Alpha beta gamma.")
        await over(page)
        assert {state for _, state in await words(page)} == {"heard"}
        # 14 letters and a full stop of 60 ms each.
        assert abs(loud_s(await sounded(page)) - 15 * 0.06) < 0.06
        # Two changes and a press at once: the last one that was chosen speaks.
        await listened.forget()
        await page.evaluate(
            """() => {
              const select = document.querySelector("#player");
              for (const kind of ["webcodecs", "mediasource", "webcodecs"]) {
                select.value = kind;
                select.dispatchEvent(new Event("change"));
              }
              document.querySelector("#speak").click();
            }"""
        )
        await expect(page.locator("#utterances button")).to_have_count(3)
        await over(page)
        assert {state for _, state in await words(page)} == {"heard"}
        assert abs(loud_s(await sounded(page)) - 15 * 0.06) < 0.06
        await expect(playing).to_have_text("WebCodecs plays, because you chose it.")
        assert await page.input_value("#player") == "webcodecs"
        assert listened.complaints == []


async def test_a_session_that_nobody_used_begins_anew(open_page: OpenPage) -> None:
    async with (
        running(replace(PAGE_TONE, idle_timeout_s=1)) as server,
        open_page(place(server)) as listened,
    ):
        page = listened.page
        await ready(page)
        await expect(page.locator("#connection")).to_have_text("at rest until you speak")
        assert not await page.locator("#problem").is_visible()
        await speak(page, "Hello.")
        await over(page)
        assert await words(page) == [("Hello.", "heard")]
        assert listened.complaints == []
