"""The page in a real Chromium: `python -m bench.browser [PART ...] [--quick] [--long] [--json FILE]`.

Parts: `first` (from the Enter key to the first audible sample, and where the time goes), `interrupt` (from
the Esc key to silence), `together` (a text of two minutes while a second page speaks sentence after
sentence), `background` (another tab in front for half a minute), and `long` (memory during a text of ten
minutes; only when it is asked for). Each by each player in turn, with the embedded voice, without a cache.

Sound is taken from the page's audio graph where it leaves for the loudspeaker; what the loudspeaker's own
buffers add is not in it. A sample is audible when its quantum (128 samples) has -45 dBFS. What the voice
alone takes is measured in turns with it. Gaps are found by laying the sound that was heard upon the sound
that was sent: neither the page nor its player is asked.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median

import psutil
from hibari import Hibari

from bench.browser_page import Chromium, FirstSound, SpeakingPage, cpu_s
from bench.server import ServerProcess
from bench.table import Row, progress, quantile, show

_DATA = Path(__file__).with_name("data")
TEN_WORDS = (_DATA / "ten_words.txt").read_text("utf-8").splitlines()
SENTENCES = (_DATA / "load_texts.txt").read_text("utf-8").splitlines()
#: The voice takes a little more for a word.
WORD_S = 0.3
#: The limits of the time to first sound, in ms.
PLAYERS = {"webcodecs": 120.0, "mediasource": 350.0}
SILENCE_MS = 50
#: Memory in use may grow by so much from the first minute to the last, in MB: packets are kept up to 16 MB.
HEAP_GROWTH_MB = 16
RESIDENT_GROWTH_MB = 64


class Sizes:
    """How much is measured."""

    def __init__(self, quick: bool) -> None:
        """Less when `quick`; then both players are measured at a time, each in one browser for all parts."""
        self.quick = quick
        self.openings = 1 if quick else 5
        self.first = 1 if quick else len(TEN_WORDS)
        self.interrupts = 1 if quick else 20
        self.together_s = 4.0 if quick else 120.0
        self.background_s = 2.0 if quick else 30.0
        self.long_s = (1.0, 2.0, 3.0) if quick else (60.0, 300.0, 595.0)


def text_of(seconds: float, first: int = 0) -> str:
    """A text that is spoken for at least so long, beginning with a sentence of the list."""
    words: list[str] = []
    while len(words) * WORD_S < seconds:
        words += SENTENCES[first % len(SENTENCES)].split()
        first += 1
    return " ".join(words)


class Bench:
    """A server, a browser, and one player of the page."""

    def __init__(self, server: ServerProcess, chromium: Chromium, player: str, sizes: Sizes) -> None:
        """The server and the browser are ready."""
        self.server = server
        self.chromium = chromium
        self.player = player
        self.sizes = sizes
        self._address = f"http://127.0.0.1:{server.port}/"

    def row(self, name: str, value: float, unit: str, limit: float | None = None) -> Row:
        return Row(f"{self.player}: {name}", value, unit, limit)

    async def open(self, shared: bool = False) -> SpeakingPage:
        """The page, in a browser of its own, or in that of the other tabs."""
        browser = self.chromium.browser
        context = browser.contexts[0] if shared else await browser.new_context()
        return await SpeakingPage.open(self.chromium, context, self._address, self.player)

    async def close(self, page: SpeakingPage) -> None:
        """Close the page, and its browser if that was its own."""
        context = page.page.context
        await page.page.close()
        if context is not self.chromium.browser.contexts[0]:
            await context.close()

    async def first(self) -> list[Row]:
        """From Enter to the first audible sample."""
        fresh: list[float] = []
        page: SpeakingPage | None = None
        for _ in progress(f"{self.player}: fresh pages", range(self.sizes.openings)):
            if page:
                await self.close(page)
            page = await self.open()
            sound = await page.speak(TEN_WORDS[0])
            fresh.append(sound.audible - sound.key)
        assert page
        sounds: list[FirstSound] = []
        clock = await page.clock(1)
        voice = Hibari()
        voice(TEN_WORDS[0], seed=0)
        direct: list[float] = []
        for number in progress(f"{self.player}: first sounds", range(self.sizes.first)):
            text = TEN_WORDS[number % len(TEN_WORDS)]
            await page.quiet()
            await asyncio.sleep(0.3)
            begun = time.perf_counter()
            voice(text, seed=0)
            direct.append((time.perf_counter() - begun) * 1000)
            sounds.append(await page.speak(text))
        await page.quiet()
        await self.close(page)
        whole = [each.audible - each.key for each in sounds]

        def step(name: str, length: Callable[[FirstSound], float]) -> Row:
            return self.row(f"{name}, median", median(map(length, sounds)), "ms")

        return [
            self.row("audio clock / wall clock", clock, "x"),
            self.row("Enter to first audible sample, median", median(whole), "ms", PLAYERS[self.player]),
            self.row("Enter to first audible sample, p95", quantile(whole, 0.95), "ms"),
            self.row("Enter to first audible sample on a page just opened, median", median(fresh), "ms"),
            step("1. Enter to the page's hands", lambda sound: sound.typed - sound.key),
            step("2. until the text is sent", lambda sound: sound.sent - sound.typed),
            step("3. until the first frame is there", lambda sound: sound.came - sound.sent),
            step("4. until its first sample sounds", lambda sound: sound.begun - sound.came),
            step("5. until one is audible", lambda sound: sound.audible - sound.begun),
            self.row("direct call of the voice, in turns with it, median", median(direct), "ms"),
        ]

    async def interrupt(self) -> list[Row]:
        """From Esc to silence, at random moments while it sounds."""
        page = await self.open()
        chance = random.Random(7)
        silences: list[float] = []
        number = 0
        while len(silences) < self.sizes.interrupts:
            number += 1
            await page.speak(text_of(12, number))
            await asyncio.sleep(chance.uniform(0.2, 2.5))
            silence = await page.interrupt()
            # Who presses the key in a pause of the voice has silence already.
            if silence is not None:
                silences.append(silence)
        await self.close(page)
        return [
            self.row("Esc to silence, median", median(silences), "ms", SILENCE_MS),
            self.row("Esc to silence, worst", max(silences), "ms", SILENCE_MS),
        ]

    async def together(self) -> list[Row]:
        """A long text on one page, sentence after sentence on another."""
        page, other = await self.open(), await self.open()
        process = await page.process()
        server_s, browser_s = self.server.cpu_s(), self.chromium.cpu_s()
        page_s, begun = cpu_s(process), time.monotonic()
        first = await page.speak(text_of(self.sizes.together_s))
        beside = asyncio.create_task(self._speak_on(other))
        await page.quiet(self.sizes.together_s * 3)
        wall_s = time.monotonic() - begun
        server_s, browser_s = self.server.cpu_s() - server_s, self.chromium.cpu_s() - browser_s
        page_s = cpu_s(process) - page_s
        beside.cancel()
        spoken, gaps, own = await beside
        heard, sent = await page.heard(), await page.sent()
        rows = [
            self.row("two pages: length of the text", len(sent) / 48_000, "s"),
            self.row("two pages: Enter to its first audible sample", first.audible - first.key, "ms"),
            self.row("two pages: gaps in the long text", len(heard.gaps), "", 0),
            self.row("two pages: silence in gaps of the long text", sum(gap.ms for gap in heard.gaps), "ms"),
            self.row("two pages: sound lost of the long text", heard.lost_ms, "ms", 0),
            self.row(
                "two pages: underruns of the long text as the page says", await page.own_underruns(), "", 0
            ),
            self.row("two pages: sentences of the other page", spoken, ""),
            self.row("two pages: gaps in them", gaps, "", 0),
            self.row("two pages: underruns of them as the page says", own, "", 0),
            self.row("two pages: audio thread, longest wait", await page.number("tap.longestMs()"), "ms"),
            self.row("two pages: main thread, longest task", await page.number("watch.longTasksMs()"), "ms"),
            self.row("two pages: CPU of the server", server_s / wall_s * 100, "% of one core"),
            self.row("two pages: CPU of the long text's renderer", page_s / wall_s * 100, "% of one core"),
            self.row("two pages: CPU of all of Chromium", browser_s / wall_s * 100, "% of one core"),
        ]
        await self.close(page)
        await self.close(other)
        return rows

    async def _speak_on(self, page: SpeakingPage) -> tuple[int, int, float]:
        """Speaks until it is cancelled; sentences, gaps in them, underruns by the page's own count."""
        spoken, gaps, own = 0, 0, 0.0
        try:
            while True:
                await page.speak(SENTENCES[spoken % len(SENTENCES)])
                await page.quiet(60)
                gaps += len((await page.heard()).gaps)
                own += await page.own_underruns()
                spoken += 1
        except asyncio.CancelledError:
            return spoken, gaps, own

    async def background(self) -> list[Row]:
        """A text goes on while another tab is in front."""
        page = await self.open(shared=True)
        await page.speak(text_of(self.sizes.background_s + 4))
        blank = await page.page.context.new_page()
        await blank.bring_to_front()
        await asyncio.sleep(0.5)
        if await page.page.evaluate("document.visibilityState") != "hidden":
            raise RuntimeError("the page is not in the background")
        await asyncio.sleep(self.sizes.background_s - 0.5)
        if await page.page.evaluate("document.body.dataset.speaking") != "true":
            raise RuntimeError("the text was over before the tab came back")
        await page.page.bring_to_front()
        await page.quiet(self.sizes.background_s + 60)
        heard = await page.heard()
        rows = [
            self.row("in the background: gaps", len(heard.gaps), "", 0),
            self.row("in the background: sound lost", heard.lost_ms, "ms", 0),
            self.row("in the background: underruns as the page says", await page.own_underruns(), "", 0),
        ]
        await blank.close()
        await self.close(page)
        return rows

    async def long(self) -> list[Row]:
        """Memory during a text of ten minutes."""
        page = await self.open()
        await page.keep(False)
        process = await page.process()
        begun = time.monotonic()
        page_s, server_s = cpu_s(process), self.server.cpu_s()
        await page.speak(text_of(self.sizes.long_s[-1] + 5))
        rows: list[Row] = []
        heaps: list[float] = []
        residents: list[float] = []
        for at_s in self.sizes.long_s:
            await asyncio.sleep(begun + at_s - time.monotonic())
            heaps.append(await page.heap_mb())
            residents.append(process.memory_info().rss / 2**20)
            rows.append(self.row(f"long text: JavaScript heap after {at_s:.0f} s", heaps[-1], "MB"))
            rows.append(self.row(f"long text: renderer resident after {at_s:.0f} s", residents[-1], "MB"))
        if await page.page.evaluate("document.body.dataset.speaking") != "true":
            raise RuntimeError("the text was over before the last figures were taken")
        wall_s = time.monotonic() - begun
        page_s, server_s = cpu_s(process) - page_s, self.server.cpu_s() - server_s
        await page.quiet(600)
        rows += [
            self.row("long text: heap growth", heaps[-1] - heaps[0], "MB", HEAP_GROWTH_MB),
            self.row("long text: resident growth", residents[-1] - residents[0], "MB", RESIDENT_GROWTH_MB),
            self.row("long text: underruns as the page says", await page.own_underruns(), "", 0),
            self.row("long text: CPU of the renderer", page_s / wall_s * 100, "% of one core"),
            self.row("long text: CPU of the server", server_s / wall_s * 100, "% of one core"),
        ]
        await self.close(page)
        return rows


Part = Callable[[Bench], Awaitable[list[Row]]]
PARTS: dict[str, Part] = {
    "first": Bench.first,
    "interrupt": Bench.interrupt,
    "together": Bench.together,
    "background": Bench.background,
    "long": Bench.long,
}


async def measure(parts: list[str], players: list[str], sizes: Sizes) -> list[Row]:
    """All figures, in the order of the table."""
    rows = [Row("load of the machine before", psutil.getloadavg()[0], "")]
    with ServerProcess() as server:

        async def measured(parts: list[str], player: str) -> list[Row]:
            async with Chromium() as chromium:
                bench = Bench(server, chromium, player, sizes)
                return [row for part in parts for row in await PARTS[part](bench)]

        if sizes.quick:
            for found in await asyncio.gather(*(measured(parts, player) for player in players)):
                rows += found
        else:
            # A browser for each: none inherits what another has loaded.
            for part in parts:
                for player in players:
                    rows += await measured([part], player)
    rows.append(Row("load of the machine after", psutil.getloadavg()[0], ""))
    return rows


def main() -> None:
    """Measure and print; the exit code tells nothing of the targets, for machines differ."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help="what is measured")
    parser.add_argument("--quick", action="store_true", help="less of everything, and both players at a time")
    parser.add_argument("--long", action="store_true", help="memory during a text of ten minutes as well")
    parser.add_argument("--player", choices=PLAYERS, help="one of the players, instead of all")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    for part in arguments.parts:
        if part not in PARTS:
            parser.error(f"there is no part {part!r}: {', '.join(PARTS)}")
    parts = arguments.parts or [part for part in PARTS if part != "long"]
    if arguments.long and "long" not in parts:
        parts.append("long")
    players = [arguments.player] if arguments.player else list(PLAYERS)
    rows = asyncio.run(measure(parts, players, Sizes(arguments.quick)))
    show("The page in Chromium, embedded voice", rows, arguments.json)


if __name__ == "__main__":
    main()
