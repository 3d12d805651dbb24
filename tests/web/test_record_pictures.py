"""The pictures of an utterance: its timeline, and the sound as it is heard."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Page

from realtime.app import Server
from tests.web.conftest import OpenPage
from tests.web.recording import SENTENCES, TEN_MINUTES, recorder

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def show(page: Page, scene: dict[str, object], up_to: float | None = None) -> None:
    """Shows a scene in the page's `timeline`, and waits until it stands."""
    await page.evaluate(
        """async ([scene, upTo]) => {
          const { Timeline } = await recorded.module("/record/timeline.js");
          globalThis.timeline?.close();
          const root = document.createElement("div");
          document.body.replaceChildren(root);
          globalThis.log = await scenes.scene(scene, upTo ?? undefined);
          globalThis.timeline = new Timeline(root);
          timeline.show(log);
        }""",
        [scene, up_to],
    )
    await page.wait_for_function("() => timeline.drawn !== -1 || !log.over")


PIXELS = """async () => {
  const { canvas } = timeline.frame;
  const copy = new OffscreenCanvas(canvas.width, canvas.height);
  const context = copy.getContext("2d", { willReadFrequently: true });
  context.drawImage(canvas, 0, 0);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  const digest = await crypto.subtle.digest("SHA-256", data);
  return [...new Uint8Array(digest)].join();
}"""


@pytest.mark.parametrize(
    ("width", "ratio", "scheme"), [(1280, 1, "light"), (360, 2, "dark"), (700, 1.5, "light")]
)
async def test_the_picture_is_sharp_and_says_what_it_shows(
    tone_server: Server, open_page: OpenPage, width: int, ratio: float, scheme: str
) -> None:
    options = {
        "viewport": {"width": width, "height": 600},
        "device_scale_factor": ratio,
        "color_scheme": scheme,
    }
    async with recorder(tone_server, open_page, **options) as page:
        await show(page, {"sentences": SENTENCES, "rate": 12, "cancelAt": 6000, "outage": [1000, 1400]})
        canvas = page.locator("canvas")
        pixels, shown = await canvas.evaluate("(canvas) => [canvas.width, canvas.clientWidth]")
        assert abs(pixels - shown * ratio) < 1.01
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await page.wait_for_timeout(300)
        label = await canvas.get_attribute("aria-label")
        assert label is not None and label.startswith("Timeline: 4 segments, ")
        assert "connection lost 1 time" in label and "interrupted at " in label
        # By keys from event to event.
        stage = page.get_by_role("group", name="Timeline")
        await stage.focus()
        told = []
        for key in ("ArrowRight", "ArrowRight", "End", "Home"):
            await page.keyboard.press(key)
            told.append(await page.locator(".tip strong").inner_text())
            assert await page.locator("[aria-live]").inner_text() != ""
        assert told[0] == told[3] == "First text sent"
        assert told[1] == SENTENCES[0] and told[2] == "Interrupted"
        # By pointer: what lies under it.
        box = await canvas.bounding_box()
        assert box is not None
        row = await page.evaluate("timeline.layout.rows.speech.y + 5")
        x = await page.evaluate("timeline.view.x(log.playingAt - log.firstAt) + 4")
        await page.mouse.move(box["x"] + x, box["y"] + row)
        await page.wait_for_function(
            "(text) => timeline.frame.tip.firstChild.textContent === text", arg=SENTENCES[0]
        )
        # The same as a table.
        await page.get_by_text("The same as a table").click()
        rows = page.locator("tbody tr")
        await page.wait_for_function("() => timeline.frame.body.rows.length === 4")
        cells = await rows.nth(3).locator("td").all_inner_texts()
        assert cells[0] == SENTENCES[3] and cells[4] == "not heard"
        # The one that was cut was heard up to there.
        cells = await rows.nth(2).locator("td").all_inner_texts()
        assert cells[4].split(" – ")[1] in ("5.98 s", "5.99 s", "6.00 s")


async def test_it_follows_what_is_heard_and_stands_still_when_it_is_over(
    tone_server: Server, open_page: OpenPage
) -> None:
    async with recorder(tone_server, open_page, viewport={"width": 1280, "height": 600}) as page:
        await show(page, {"sentences": SENTENCES}, up_to=2000)
        first = await page.evaluate(PIXELS)
        async with asyncio.timeout(5):
            while await page.evaluate(PIXELS) == first:
                await page.wait_for_timeout(50)
        await show(page, {"sentences": ["Yes, it is."]}, up_to=200)
        await page.wait_for_function("() => log.over && timeline.drawn === log.version")
        # How often it is drawn, and the median of what that takes, in ms.
        draws = """async (ms) => {
          const times = [];
          const { draw } = Object.getPrototypeOf(timeline);
          timeline.draw = function (...given) {
            const begun = performance.now();
            const moving = draw.apply(this, given);
            times.push(performance.now() - begun);
            return moving;
          };
          await new Promise((resolve) => setTimeout(resolve, ms));
          return [times.length, times.sort((a, b) => a - b)[times.length >> 1] ?? 0];
        }"""
        async with asyncio.timeout(10):  # its last sound may still be heard
            while await page.evaluate(draws, 500) != [0, 0]:
                pass
        last = await page.evaluate(PIXELS)
        assert await page.evaluate(draws, 500) == [0, 0]
        assert await page.evaluate(PIXELS) == last
        # Something new is seen all the same.
        await page.evaluate("log.failed({ message: 'late' }, performance.now())")
        await page.wait_for_function("() => timeline.drawn === log.version")
        # Ten minutes: followed while they are spoken, and cheap both so and as a whole.
        await show(page, {"sentences": TEN_MINUTES}, up_to=400_000)
        await page.wait_for_function("() => timeline.view.from > 300_000")
        count, cost = await page.evaluate(draws, 1000)
        assert count >= 5 and cost < 12
        await page.get_by_role("button", name="Whole").click()
        await page.wait_for_function("() => timeline.view.from < 0")
        count, cost = await page.evaluate(draws, 1000)
        assert count >= 5 and cost < 25
        # Whoever wants no motion gets a picture now and then.
        await page.emulate_media(reduced_motion="reduce")
        count, _ = await page.evaluate(draws, 1000)
        assert 1 <= count <= 3


async def test_the_waveform_follows_what_is_heard_and_stands_still_in_silence(
    tone_server: Server, open_page: OpenPage
) -> None:
    async with recorder(tone_server, open_page) as page:
        await page.mouse.click(5, 5)
        sizes = await page.evaluate(
            """async () => {
              const { Waveform } = await recorded.module("/record/waveform.js");
              const canvas = document.createElement("canvas");
              canvas.style.cssText = "width: 300px; height: 60px";
              document.body.replaceChildren(canvas);
              const context = new AudioContext({ sampleRate: 48000 });
              await context.resume();
              const analyser = new AnalyserNode(context, { fftSize: 2048 });
              const gain = new GainNode(context, { gain: 0 });
              const source = new OscillatorNode(context, { frequency: 440 });
              source.connect(gain).connect(analyser);
              source.start();
              const waveform = new Waveform(canvas, analyser);
              let draws = 0;
              const draw = waveform.draw;
              waveform.draw = function () { draws += 1; draw.apply(this); };
              const height = () => {
                const { width, height } = canvas;
                const copy = new OffscreenCanvas(30, height).getContext("2d", { willReadFrequently: true });
                copy.drawImage(canvas, 30 - width, 0);
                const { data } = copy.getImageData(0, 0, 30, height);
                const rows = new Set();
                for (let at = 3; at < data.length; at += 4) {
                  if (data[at] > 0) rows.add(Math.floor(at / 4 / 30));
                }
                return rows.size;
              };
              const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
              const seen = [];
              await wait(300); seen.push([height(), draws]);
              draws = 0; gain.gain.value = 0.8;
              await wait(600); seen.push([height(), draws]);
              gain.gain.value = 0.05;
              await wait(500); seen.push([height(), draws]);
              gain.gain.value = 0;
              await wait(1700);
              draws = 0;
              await wait(500); seen.push([height(), draws]);
              waveform.close();
              await context.close();
              return seen;
            }"""
        )
        silent, loud, soft, after = sizes
        assert silent[0] <= 3 and silent[1] <= 3
        assert loud[0] > 40 and loud[1] >= 6
        assert 3 < soft[0] < 20
        assert after[0] <= 3 and after[1] == 0
