"""The page in a real Firefox: what it says is heard, what it shows is true, and silence comes at once."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from bench.server import ServerProcess
from tests.speech_judges import transcribe, word_error_rate, words
from tests.web.conftest import TAP, Sound
from tests.web.players import decoded, found, frames_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

DRIVER = Path(__file__).with_name("firefox") / "driver.js"
START_S = 60
#: Beyond the time that the driver itself waits for anything to be there.
ANSWER_S = 40
#: A line of the driver may have the sound of a page in it.
LONGEST_LINE = 2**26
KINDS = pytest.mark.parametrize("kind", ["webcodecs", "mediasource"])
MS = 48
#: The largest, of 1. Where it waits for more, Firefox begins anew with the decoder behind MediaSource: for
#: some 20 ms that gives a little else, which nobody hears.
DIFFERENCE = {"webcodecs": 1e-5, "mediasource": 0.02}
SHORT = "The old clock on the wall stopped at noon. Nobody had heard it."
LONG = "Nine lions live alone in our yellow meadow, where nobody ever ran or even rowed a moment."


class FirefoxPage:
    """A page of Firefox, what its loudspeaker was sent, and what it complained of."""

    def __init__(self, firefox: Firefox, number: int, origin: str) -> None:
        self._firefox = firefox
        self._number = number
        self._origin = origin

    async def call(self, path: str, *args: Any) -> Any:
        """What a method of puppeteer's page returns."""
        return await self._firefox.ask("call", page=self._number, path=path, args=args)

    async def evaluate(self, expression: str) -> Any:
        """Its value, or that of the promise that it is."""
        return await self.call("evaluate", expression)

    async def until(self, selector: str) -> None:
        """Waits for something to be there."""
        await self.call("waitForSelector", selector)

    async def texts(self, *selectors: str) -> list[str]:
        """What is written there."""
        return [
            await self.evaluate(f"document.querySelector({json.dumps(each)}).textContent")
            for each in selectors
        ]

    async def words(self, state: str) -> list[str]:
        """Words of the text in this state."""
        chosen = json.dumps(f"#said .word[data-state={state}]")
        found: list[str] = await self.evaluate(
            f"Array.from(document.querySelectorAll({chosen}), (word) => word.textContent)"
        )
        return found

    async def write(self, text: str) -> None:
        """Into the text box, in the place of what is there."""
        await self.evaluate("document.querySelector('#text').select()")
        await self.call("type", "#text", text)

    async def speak(self, text: str) -> None:
        """Has it speak, by Enter; what is heard begins here."""
        await self.write(text)
        await self.evaluate("tap.clear()")
        await self.call("keyboard.press", "Enter")
        await self.until("body[data-speaking=true]")

    async def heard(self) -> Sound:
        """All sound since the last `speak`, at 48 kHz."""
        await self.evaluate("tap.settle()")
        assert await self.evaluate("tap.lost()") == 0, "the recorder missed sound"
        assert await self.evaluate("tap.rate()") == 48_000
        return np.frombuffer(base64.b64decode(await self.evaluate("tap.sound()")), "<f4")

    async def complaints(self) -> list[str]:
        """On the console, warnings as well; and requests to others than the page's own server."""
        told = await self._firefox.ask("told", page=self._number)
        # Firefox's own style sheet has a font inside.
        abroad = [url for url in told["requests"] if not url.startswith((self._origin, "data:font/"))]
        return [*told["complaints"], *abroad]


class Firefox:
    """A driver and its Firefox."""

    def __init__(self, driver: Process) -> None:
        self._driver = driver
        self._one_at_a_time = asyncio.Lock()

    async def read(self, timeout_s: float) -> Any:
        """The next thing that the driver says."""
        assert self._driver.stdout
        line = await asyncio.wait_for(self._driver.stdout.readline(), timeout_s)
        assert line, "the driver of Firefox has ended"
        return json.loads(line)

    async def ask(self, what: str, **given: Any) -> Any:
        """What the driver answers; raises `AssertionError` with its error."""
        assert self._driver.stdin
        async with self._one_at_a_time:
            self._driver.stdin.write(json.dumps({"do": what, **given}).encode() + b"\n")
            try:
                answer = await self.read(ANSWER_S)
            except TimeoutError:
                # Its answer must not be taken for that to the next question.
                self._driver.terminate()
                raise
        assert "error" not in answer, answer["error"]
        return answer["result"]

    @asynccontextmanager
    async def open(self, server: ServerProcess, script: str = "") -> AsyncIterator[FirefoxPage]:
        """The page of a server, with cookies and storage of its own; `script` runs before its own scripts.

        Where there is no script, the page is ready to speak.
        """
        origin = f"http://127.0.0.1:{server.port}/"
        number = await self.ask("open", url=origin, scripts=[TAP.read_text(), script])
        try:
            page = FirefoxPage(self, number, origin)
            if not script:
                await page.until("html[data-ready=true]")
            yield page
        finally:
            await self.ask("close", page=number)


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def firefox() -> AsyncIterator[Firefox]:
    """Debian's Firefox, without a window and without a loudspeaker."""
    path = shutil.which("firefox-esr")
    assert path, "firefox-esr is not installed: make test installs it"
    driver = await asyncio.create_subprocess_exec(
        "node", DRIVER, path, stdin=PIPE, stdout=PIPE, limit=LONGEST_LINE
    )
    assert driver.stdin
    try:
        started = Firefox(driver)
        assert (await started.read(START_S))["version"].startswith("firefox/")
        yield started
    finally:
        driver.stdin.close()
        await asyncio.wait_for(driver.wait(), START_S)


async def said_by(server: ServerProcess, text: str) -> Sound:
    """What the server sends for a text, decoded: the voice says the same each time."""
    return decoded(await frames_of(SimpleNamespace(url=f"http://127.0.0.1:{server.port}"), text))


def is_whole(kind: str, said: Sound, heard: Sound) -> bool:
    """Whether all that was said was heard, from its first sample to its last; nothing between or about it."""
    at, difference = found(said, heard)
    # An Opus decoder gives zeros nowhere, not even in silence.
    first, *_, last = np.flatnonzero(heard)
    begins, ends = at <= first < at + MS, at + len(said) - MS <= last < at + len(said)
    return bool(begins and ends and difference < DIFFERENCE[kind])


async def speak_whole(page: FirefoxPage, kind: str, text: str, said: Sound) -> Sound:
    """What was heard of a text, all of it.

    MediaSource has a gap where other programs take both cores for a moment: then it is spoken again.
    """
    for _ in range(3):
        await page.speak(text)
        await page.until("body[data-speaking=false]")
        if is_whole(kind, said, heard := await page.heard()):
            return heard
    raise AssertionError(f"three times not all of it was heard, or more: {text}")


async def choose(page: FirefoxPage, kind: str) -> None:
    """Has a player play, as a person would choose it."""
    if kind == "webcodecs":
        assert (await page.texts("#player-now"))[0].startswith("WebCodecs plays")
        return
    await page.call("select", "#player", kind)
    await page.call(
        "waitForFunction", "document.querySelector('#player-now').textContent.startsWith('MediaSource')"
    )


@KINDS
async def test_what_is_written_is_heard(firefox: Firefox, voice_server: ServerProcess, kind: str) -> None:
    async with firefox.open(voice_server) as page:
        await choose(page, kind)
        heard = await speak_whole(page, kind, SHORT, await said_by(voice_server, SHORT))
        assert word_error_rate([SHORT], [transcribe(heard, 48_000)]) <= 0.1
        assert await page.words("heard") == SHORT.split()
        first_sound, count, status = await page.texts("#first-sound", "#heard", "#status")
        assert first_sound.endswith("ms") and 0 < int(first_sound.split()[0]) < 5000
        assert (count, status) == ("13 of 13", "Heard to the end.")
        assert await page.complaints() == []


@KINDS
async def test_silence_comes_at_once(firefox: Firefox, voice_server: ServerProcess, kind: str) -> None:
    async with firefox.open(voice_server) as page:
        await choose(page, kind)
        await page.evaluate(
            "document.addEventListener('keydown', () => { window.pressedAt = Date.now(); }, true)"
        )
        await page.speak(LONG)
        await page.call("waitForFunction", "document.querySelectorAll('.word[data-state=heard]').length >= 5")
        await page.call("keyboard.press", "Escape")
        await page.until("body[data-speaking=false]")
        await page.until(".word[data-state=unheard]")
        await asyncio.sleep(0.4)
        heard = await page.heard()
        first, last = await page.evaluate("[tap.firstAudible() - pressedAt, tap.lastAudible() - pressedAt]")
        assert first < -500 and last < 150
        lit, grey = await page.words("heard"), await page.words("unheard")
        assert lit + grey == LONG.split() and len(lit) >= 5
        # Those that were heard are those that are lit; of the last one there may have been a part.
        recognised = words(transcribe(heard, 48_000))
        assert abs(len(recognised) - len(lit)) <= 2
        silence, count = await page.texts("#silence", "#heard")
        assert silence.endswith("ms") and count == f"{len(lit)} of {len(lit + grey)}"
        # And it speaks again.
        await speak_whole(page, kind, "Again.", await said_by(voice_server, "Again."))
        assert await page.words("heard") == ["Again."]
        assert await page.complaints() == []


async def test_by_webrtc(firefox: Firefox, voice_server: ServerProcess) -> None:
    """It is understood, and interrupted; where it cannot be had that is said, and it plays another way."""
    async with firefox.open(voice_server) as page:
        await page.call("select", "#player", "webrtc")
        for _ in range(3):
            await page.speak(SHORT)
            await page.until("body[data-speaking=false]")
            heard = await page.heard()
            if word_error_rate([SHORT], [transcribe(heard, 48_000)]) <= 0.25:
                break
        else:
            raise AssertionError("three times it was not understood")
        assert await page.words("heard") == SHORT.split()
        await page.speak(LONG)
        await page.call("waitForFunction", "document.querySelectorAll('.word[data-state=heard]').length >= 5")
        await page.call("keyboard.press", "Escape")
        await page.until(".word[data-state=unheard]")
        lit = await page.words("heard")
        assert lit + await page.words("unheard") == LONG.split() and len(lit) >= 5
        assert await page.complaints() == []
    # It goes to no loopback address, and this server tells of no other.
    with ServerProcess(RTC_ADDRESSES="127.0.0.1") as server:
        async with firefox.open(server) as page:
            await page.call("select", "#player", "webrtc")
            await page.until("#problem:not([hidden])")
            (told,) = await page.texts("#problem")
            assert "127.0.0.1" in told and told.endswith("WebCodecs plays instead.")


#: Speaks, and nobody has touched anything: what the driver evaluates would count as a person's doing.
SPEAK_ALONE = """
const looking = setInterval(() => {
  const { ready } = document.documentElement?.dataset ?? {};
  if (ready !== "true") return;
  if (document.body.dataset.speaking === "false") {
    document.querySelector("#text").value = "Hello there, everybody.";
    document.querySelector("#speak").click();
  } else if (!document.querySelector("#unlock").hidden) {
    clearInterval(looking);
    console.warn(`waits, heard: ${tap.firstAudible()}`);
  }
}, 50);"""


async def test_what_may_not_sound_yet_waits(firefox: Firefox, voice_server: ServerProcess) -> None:
    """Firefox lets no page sound that nobody has touched."""
    async with firefox.open(voice_server, SPEAK_ALONE) as page:
        told: list[str] = []
        for _ in range(100):
            if told := await page.complaints():
                break
            await asyncio.sleep(0.1)
        assert told == ["warn: waits, heard: null"]
        await page.call("mouse.click", 3, 3)
        await page.until("body[data-speaking=false]")
        said = await said_by(voice_server, "Hello there, everybody.")
        assert is_whole("webcodecs", said, await page.heard())
        assert await page.complaints() == told
