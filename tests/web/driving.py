"""What tests do with the page, as a person would."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Page, expect

from bench.server import ServerProcess
from realtime.app import Server
from tests.web.conftest import Sound, audible, recorded, silences

RATE = 48_000
WORDS = """() => [...document.querySelectorAll("#said .word")]
  .map((each) => [each.textContent, each.dataset.state])"""
#: A browser that lets no page sound before it was touched.
SILENCED = """
  const resume = AudioContext.prototype.resume;
  AudioContext.prototype.resume = function () {
    return window.touched ? resume.call(this) : new Promise(() => {});
  };
  const Context = AudioContext;
  globalThis.AudioContext = class extends Context {
    constructor(options) { super(options); this.suspend(); }
  };
  addEventListener("pointerdown", () => { window.touched = true; }, { capture: true });"""


def place(server: Server | ServerProcess) -> str:
    """The address of the page."""
    return f"http://127.0.0.1:{server.port}/index.html"


async def ready(page: Page) -> None:
    """The page can speak."""
    await expect(page.locator("html[data-ready=true]")).to_be_attached(timeout=15_000)


async def begun(page: Page) -> None:
    """Something sounds: how soon is shown."""
    await expect(page.locator("#first-sound")).to_contain_text("s", timeout=15_000)


async def while_sounding(page: Page, before: int = 2) -> list[tuple[str, str]]:
    """All words, at a moment when one sounds and so many at least were heard before it."""
    words_then = await page.wait_for_function(
        """(before) => {
          const all = [...document.querySelectorAll("#said .word")].map((each) => [
            each.textContent, each.dataset.state,
          ]);
          const heard = all.filter(([, state]) => state === "heard").length;
          return heard >= before && all.some(([, state]) => state === "sounding") ? all : null;
        }""",
        arg=before,
        timeout=15_000,
    )
    return [(text, state) for text, state in await words_then.json_value()]


async def over(page: Page, seconds: float = 30) -> None:
    """Nothing is spoken any more."""
    await expect(page.locator("body")).to_have_attribute("data-speaking", "false", timeout=seconds * 1000)


async def words(page: Page) -> list[tuple[str, str]]:
    """Each word that is shown, and its state."""
    shown: list[list[Any]] = await page.evaluate(WORDS)
    return [(text, state) for text, state in shown]


async def speak(page: Page, text: str) -> None:
    """Types a text, and has it spoken with the Enter key."""
    await page.fill("#text", text)
    await page.press("#text", "Enter")


async def underruns(page: Page) -> str:
    """What the page says of how often sound ran dry in the utterance that is shown."""
    await page.evaluate("document.querySelector('#figures').closest('details').open = true")
    figure = page.locator("#figures dl > div", has=page.locator("dt", has_text="Underruns"))
    return await figure.locator("dd").first.inner_text()


async def sounded(page: Page) -> Sound:
    """What was heard, from the first audible sample to the last.

    On a machine that has too much to do the recorder misses a few milliseconds: this does not count samples.
    """
    await page.evaluate("tap.settle()")
    return audible(await recorded(page), RATE)


def loud_s(sound: Sound, rate: int = RATE) -> float:
    """How long a sound is, in seconds, without its pauses, into which Opus lets words ring."""
    return len(sound) / rate - sum(length for _, length in silences(sound, rate, level_db=-30))
