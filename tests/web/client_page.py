"""A page that has nothing but realtime.js, and runs scenarios with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, ConsoleMessage, Page

from tests.web.conftest import PAGE_TONE

SCENARIOS = Path(__file__).with_name("client")
#: Pages of other origins may use it: that of a proxy before it is one.
OPEN_TONE = replace(PAGE_TONE, allowed_origins="*")


class ClientPage:
    """Made by `client_page`."""

    def __init__(self, page: Page) -> None:
        self.page = page
        #: Errors and warnings on the console; a browser tells there of every connection that fails.
        self.complaints: list[str] = []
        #: What was thrown and nobody caught.
        self.uncaught: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.uncaught.append(str(error)))

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    async def run(self, scenario: str, *args: object) -> Any:
        """What a scenario of client/scenarios.js returns."""
        code = """async ([scenario, ...args]) => {
            const scenarios = await import("/client/scenarios.js");
            return scenarios[scenario](await import("/realtime.js"), ...args);
        }"""
        async with asyncio.timeout(60):
            return await self.page.evaluate(code, [scenario, *args])


@asynccontextmanager
async def client_page(browser: Browser, url: str, bypass_csp: bool = True) -> AsyncIterator[ClientPage]:
    """A page of the server at `url`, and of its origin."""
    # Servers of other ports, as a proxy, are not of the page's own origin.
    context = await browser.new_context(bypass_csp=bypass_csp)
    try:
        page = await context.new_page()
        await page.route(
            "**/client/*.js", lambda route: route.fulfill(path=SCENARIOS / Path(route.request.url).name)
        )
        await page.goto(f"{url}/realtime.md")
        client = ClientPage(page)
        yield client
        assert client.uncaught == []
    finally:
        await context.close()
