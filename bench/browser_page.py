"""A real Chromium, and the page in it, driven by its keys and listened to."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from playwright.async_api import Browser, BrowserContext, CDPSession, Page, async_playwright
from playwright.async_api import TimeoutError as PlaywrightTimeout

from bench.browser_gaps import Heard, Sound, compare, sent_sound

START_S = 30
#: An utterance, from the key to its first sound.
SOUND_S = 30
#: Of the server's encoder, in samples at 48 kHz; the page has it from `session.ready`.
PRE_SKIP = 312
_SCRIPTS = [Path(__file__).with_name(name) for name in ("tap.js", "watch.js")]

#: Chooses a player; the page says in words when it has it.
_CHOOSE = """async (select, kind) => {
    const now = document.querySelector("#player-now");
    const told = new Promise((resolve) => {
        new MutationObserver(resolve).observe(now, { childList: true, characterData: true, subtree: true });
        setTimeout(resolve, 5000);
    });
    select.value = kind;
    select.dispatchEvent(new Event("change", { bubbles: true }));
    await told;
    return select.value;
}"""

#: A figure of the page, which may show them only when asked for; null when there is none of this name.
_FIGURE = """async (figures, name) => {
    const details = figures.closest("details");
    if (details && !details.open) {
        const shown = new Promise((resolve) => details.addEventListener("toggle", resolve, { once: true }));
        details.open = true;
        await shown;
    }
    const term = [...figures.querySelectorAll("dt")].find((each) => each.textContent === name);
    const value = term?.nextElementSibling?.textContent ?? null;
    if (details) details.open = false;
    return value;
}"""

_WORK = "() => { for (const end = performance.now() + 100; performance.now() < end; ); }"


class Chromium:
    """A browser as a person starts it, but without a window; usable inside the `async with` block.

    Playwright would start it with switches that keep pages in the background awake, and would keep all pages
    in front; both is what is to be measured. So it is started here, and Playwright only drives it.
    """

    async def __aenter__(self) -> Chromium:
        path = shutil.which("chromium")
        if path is None:
            raise RuntimeError("chromium is not installed: make test installs it")
        self._resources = contextlib.AsyncExitStack()
        folder = self._resources.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        switches = ["--headless=new", "--no-sandbox", "--no-first-run", "--disable-dev-shm-usage"]
        self.process = psutil.Popen(
            [path, *switches, f"--user-data-dir={folder}", "--remote-debugging-port=0", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._resources.callback(self._end)
        try:
            port = await self._port(Path(folder) / "DevToolsActivePort")
            playwright = await self._resources.enter_async_context(async_playwright())
            self.browser: Browser = await playwright.chromium.connect_over_cdp(
                f"http://127.0.0.1:{port}", no_defaults=True
            )
            self._resources.push_async_callback(self.browser.close)
        except BaseException:
            await self._resources.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._resources.aclose()

    def _end(self) -> None:
        processes = [*self.process.children(recursive=True), self.process]
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
        _, alive = psutil.wait_procs(processes, 5)
        for process in alive:
            process.kill()

    async def _port(self, file: Path) -> int:
        begun = time.monotonic()
        while time.monotonic() < begun + START_S:
            if port := _first_word(file):
                return int(port)
            if self.process.poll() is not None:
                raise RuntimeError(f"chromium ended with code {self.process.returncode}")
            await asyncio.sleep(0.02)
        raise RuntimeError(f"chromium was not ready after {START_S} s")

    def processes(self, kind: str | None = None) -> list[psutil.Process]:
        """All of it, or those of one kind, as `renderer`."""
        found = [self.process, *self.process.children(recursive=True)]
        return [each for each in found if kind is None or f"--type={kind}" in _command(each)]

    def cpu_s(self) -> float:
        """CPU seconds that all of it has used."""
        return sum(map(cpu_s, self.processes()))


def _first_word(file: Path) -> str | None:
    words = file.read_text().split() if file.exists() else []
    return words[0] if words else None


def _command(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def cpu_s(process: psutil.Process) -> float:
    """CPU seconds that a process has used; 0 when it is gone."""
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)


@dataclass(frozen=True, slots=True)
class FirstSound:
    """When what happened on the way from the key to the first sound; wall clock, in ms."""

    #: The browser had the key, and the page had time for it.
    key: float
    typed: float
    #: The first text was sent, and the first frame came.
    sent: float
    came: float
    #: The first quantum of sound, and the first audible one, left the audio graph.
    begun: float
    audible: float


class SpeakingPage:
    """The page, ready to speak by one of its players."""

    @classmethod
    async def open(
        cls, chromium: Chromium, context: BrowserContext, address: str, player: str
    ) -> SpeakingPage:
        """`context` is a browser of its own for the page, or the one that everybody has."""
        page = await context.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda message: complaints.append(message.text) if message.type == "error" else None,
        )
        tools = await context.new_cdp_session(page)
        # The recorder's worklet is not of the page's own origin.
        await tools.send("Page.enable")
        await tools.send("Page.setBypassCSP", {"enabled": True})
        for script in _SCRIPTS:
            await page.add_init_script(path=script)
        await page.goto(address)
        try:
            await page.wait_for_selector("html[data-ready=true]", state="attached", timeout=START_S * 1000)
        except PlaywrightTimeout:
            raise RuntimeError(f"the page is not ready after {START_S} s: {complaints}") from None
        chosen = await page.locator("#player").evaluate(_CHOOSE, player)
        if chosen != player:
            raise RuntimeError(f"the page has no player {player!r}")
        return cls(chromium, page, tools)

    def __init__(self, chromium: Chromium, page: Page, tools: CDPSession) -> None:
        """Use `open`."""
        self.page = page
        self._chromium = chromium
        self._tools = tools

    async def speak(self, text: str) -> FirstSound:
        """Type a text and press Enter; returns when it is heard."""
        await self.page.fill("#text", text)
        await self.page.evaluate("Promise.all([tap.clear(), watch.clear()])")
        await self.page.press("#text", "Enter")
        async with asyncio.timeout(SOUND_S):
            found = await self.page.evaluate("tap.audible(watch.steps().key)")
        steps = await self.page.evaluate("watch.steps()")
        begun = await self.page.evaluate(
            "tap.runs().find((run) => run.kind > 0 && run.to >= watch.steps().key)?.from"
        )
        return FirstSound(
            **{name: steps[name] for name in ("key", "typed", "sent", "came")},
            begun=max(begun, steps["came"]),
            audible=found,
        )

    async def interrupt(self) -> float | None:
        """Press Esc: ms from the key to the last audible quantum, None when it happened in a pause."""
        await self.page.keyboard.press("Escape")
        await asyncio.sleep(0.4)
        key, last = await self.page.evaluate(
            "tap.settle().then(() => [watch.steps().key, tap.lastAudible()])"
        )
        await self.quiet()
        return max(0.0, last - key) if last >= key - 20 else None

    async def quiet(self, within_s: float = 30) -> None:
        """Wait until it has stopped speaking."""
        async with asyncio.timeout(within_s):
            await self.page.evaluate("watch.quiet()")

    async def heard(self) -> Heard:
        """How the last utterance was heard, after it is over."""
        await self.page.evaluate("tap.settle()")
        if await self.page.evaluate("tap.lost()"):
            raise RuntimeError("the recorder missed sound")
        sound: Sound = np.frombuffer(base64.b64decode(await self.page.evaluate("tap.sound()")), "<f4")
        return await asyncio.to_thread(compare, await self.sent(), sound)

    async def sent(self) -> Sound:
        """The sound that came for the last utterance."""
        frames: list[str] = await self.page.evaluate("watch.frames()")
        return sent_sound([base64.b64decode(frame) for frame in frames], PRE_SKIP)

    async def own_underruns(self) -> float:
        """What the page itself says of the last utterance."""
        value: str | None = await self.page.locator("#figures").evaluate(_FIGURE, "Underruns")
        if value is None:
            raise RuntimeError("the page does not tell how many underruns there were")
        return 0.0 if value == "none" else float(value.split(",")[0])

    async def keep(self, what: bool) -> None:
        """Whether sound and frames are kept, for `heard`; the memory they take is the page's."""
        await self.page.evaluate("(what) => Promise.all([tap.keep(what), watch.keep(what)])", what)

    async def clock(self, seconds: float) -> float:
        """The audio clock beside the wall clock: 1 where sound plays in real time."""
        ask = """async () => {
            await tap.settle();
            const run = tap.runs().at(-1);
            return [run.frame + run.quanta * 128, run.to];
        }"""
        first_frame, first_ms = await self.page.evaluate(ask)
        await asyncio.sleep(seconds)
        frame, ms = await self.page.evaluate(ask)
        rate: int = await self.page.evaluate("tap.rate()")
        return float((frame - first_frame) / rate / ((ms - first_ms) / 1000))

    async def number(self, script: str) -> float:
        """What a script of one number gives."""
        return float(await self.page.evaluate(script))

    async def heap_mb(self) -> float:
        """Memory of JavaScript objects that are in use."""
        await self._tools.send("HeapProfiler.collectGarbage")
        await self._tools.send("Performance.enable")
        metrics: dict[str, Any] = await self._tools.send("Performance.getMetrics")
        values = {metric["name"]: metric["value"] for metric in metrics["metrics"]}
        return float(values["JSHeapUsedSize"]) / 2**20

    async def process(self) -> psutil.Process:
        """The renderer, in which everything of the page runs: the one that works when the page does."""
        before = {each: cpu_s(each) for each in self._chromium.processes("renderer")}
        for _ in range(100):
            await self.page.evaluate(_WORK)
            renderers = self._chromium.processes("renderer")
            worked = {each: cpu_s(each) - before.get(each, 0.0) for each in renderers}
            first, second, *_ = [*sorted(worked, key=worked.__getitem__, reverse=True), None]
            # Others may just be starting.
            if first and worked[first] > 0.2 + (worked[second] if second else 0.0):
                return first
        raise RuntimeError("no renderer works as the page does")
