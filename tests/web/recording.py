"""A page with the modules of `web/record`, without the rest, and what is said in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import ConsoleMessage, Page

from realtime.app import Server
from tests.web.conftest import OpenPage

SCRIPTS = [Path(__file__).with_name(name).read_text() for name in ("recorded.js", "scenes.js")]
SENTENCES = [
    "It is noon.",
    "The sun is out, and it is warm in the garden behind the house.",
    "Nobody has seen the cat since breakfast, which is not unusual for her.",
    "She will be back when she is hungry.",
]
TEN_MINUTES = [
    f"This is sentence {n} of a text that goes on for ten minutes and then it ends." for n in range(125)
]


@asynccontextmanager
async def recorder(server: Server, open_page: OpenPage, **options: Any) -> AsyncIterator[Page]:
    """A page of the server's with the modules of `web/record` within reach, which must not complain."""
    complaints: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        # A file of text, as which the page begins, has no icon.
        if message.type in ("error", "warning") and not message.location["url"].endswith("/favicon.ico"):
            complaints.append(message.text)

    async with open_page("about:blank", listen=False, **options) as listened:
        page = listened.page
        page.on("console", on_console)
        page.on("pageerror", lambda error: complaints.append(f"{error}"))
        await page.goto(f"{server.url}/vendor/README.md")
        for script in SCRIPTS:
            await page.evaluate(script)
        yield page
        assert complaints == []
