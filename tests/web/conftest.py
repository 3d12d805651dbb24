"""Fixtures: a real Chromium, pages of it that are listened to, and servers whose page it opens.

Everything here lives on one event loop for the whole run, so that one browser serves all tests of this
folder: a test says `pytestmark = pytest.mark.asyncio(loop_scope="session")`. Other tests would find it among
the children of their process, so it ends with the folder.
"""

from __future__ import annotations

import base64
import re
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from numpy.typing import NDArray
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright

from bench.server import ServerProcess
from realtime.app import Server, running
from tests.conftest import TONE

ROOT = Path(__file__).parents[2]
TAP = ROOT / "bench" / "tap.js"
Sound = NDArray[np.float32]


@pytest_asyncio.fixture(loop_scope="session", scope="package")
async def chromium() -> AsyncIterator[Browser]:
    """Debian's Chromium, without a window."""
    path = shutil.which("chromium")
    assert path, "chromium is not installed: make test installs it"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        await browser.close()


@pytest.fixture(scope="package")
def voice_server() -> Iterator[ServerProcess]:
    """A server of its own process with the small voice."""
    with ServerProcess() as running_server:
        yield running_server


#: As `TONE`, with the credit that pages use, and sessions that wait for a socket.
PAGE_TONE = replace(TONE, max_lead_ms=10_000, resume_window_s=30)


@pytest_asyncio.fixture(loop_scope="session", scope="package")
async def tone_server() -> AsyncIterator[Server]:
    """A server with the tone engine."""
    async with running(PAGE_TONE) as listening:
        yield listening


class ListenedPage:
    """A page of Chromium, what its loudspeaker was sent, and what it complained of."""

    def __init__(self, page: Page) -> None:
        self.page = page
        #: Errors and warnings on the console, and exceptions nobody caught.
        self.complaints: list[str] = []
        #: Addresses of everything that was asked for.
        self.requests: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.complaints.append(f"{error}"))
        page.on("request", lambda request: self.requests.append(request.url))

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")

    async def heard(self) -> Sound:
        """All samples since the page opened, or since `forget`: mono, at `rate`."""
        await self.page.evaluate("tap.settle()")
        assert await self.page.evaluate("tap.lost()") == 0, "the recorder missed sound"
        return await recorded(self.page)

    async def rate(self) -> int:
        rate: int = await self.page.evaluate("tap.rate()")
        return rate

    async def forget(self) -> None:
        """What is heard later begins anew."""
        await self.page.evaluate("tap.settle().then(() => tap.clear())")


async def recorded(page: Page) -> Sound:
    """The samples that the recorder has delivered by now."""
    return np.frombuffer(base64.b64decode(await page.evaluate("tap.sound()")), "<f4")


OpenPage = Callable[..., AbstractAsyncContextManager[ListenedPage]]


@pytest.fixture
def open_page(chromium: Browser) -> OpenPage:
    """Opens an address in a browser of its own (cookies, storage), listened to.

    Options are those of Playwright's `new_context`. The content security policy of the page is as served,
    unless it is listened to: the recorder is not of the page's own origin.
    """

    @asynccontextmanager
    async def start(url: str, listen: bool = True, **options: Any) -> AsyncIterator[ListenedPage]:
        context: BrowserContext = await chromium.new_context(bypass_csp=listen, **options)
        try:
            if listen:
                await context.add_init_script(path=TAP)
            page = await context.new_page()
            listened = ListenedPage(page)
            await page.goto(url)
            yield listened
        finally:
            await context.close()

    return start


def audible(sound: Sound, rate: int, level_db: float = -45.0) -> Sound:
    """A sound without the silence before and after it, to 5 ms."""
    block = rate // 200
    loud = np.flatnonzero(_reaches(sound, block, level_db))
    return sound[loud[0] * block : (loud[-1] + 1) * block] if len(loud) else sound[:0]


def silences(sound: Sound, rate: int, level_db: float = -60.0) -> list[tuple[float, float]]:
    """Pauses inside a sound: (begin, length) in seconds, to 5 ms, of all that are 5 ms or longer."""
    quiet = "".join("x" if each else "." for each in _reaches(sound, rate // 200, level_db))
    return [(found.start() / 200, len(found.group()) / 200) for found in re.finditer(r"\.+", quiet)]


def _reaches(sound: Sound, block: int, level_db: float) -> NDArray[np.bool_]:
    """Of each block of so many samples, whether it is that loud."""
    count = len(sound) // block
    rms = np.sqrt(np.mean(sound[: count * block].reshape(count, block) ** 2, axis=1))
    return rms >= 10 ** (level_db / 20)
