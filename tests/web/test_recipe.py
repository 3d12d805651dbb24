"""The page of the README: on an address of its own, it speaks and is interrupted."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from bench.server import ServerProcess, free_port
from tests.speech_judges import transcribe, word_error_rate, words
from tests.web.conftest import OpenPage

pytestmark = pytest.mark.asyncio(loop_scope="session")

README = (Path(__file__).parents[2] / "README.md").read_text()


@pytest_asyncio.fixture(loop_scope="session")
async def page_elsewhere() -> AsyncIterator[str]:
    """Address of the README's page, on a server of other people that realtime lets in."""
    (html,) = re.findall(r"^```html\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    port = free_port()
    with ServerProcess(ALLOWED_ORIGINS=f"http://127.0.0.1:{port}") as voice:

        async def page(request: web.Request) -> web.Response:
            text = html.replace(":8000", f":{voice.port}")
            return web.Response(text=text, content_type="text/html")

        async def no_icon(request: web.Request) -> web.Response:
            return web.Response(status=204)

        application = web.Application()
        application.add_routes([web.get("/", page), web.get("/favicon.ico", no_icon)])
        runner = web.AppRunner(application)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
            yield f"http://127.0.0.1:{port}/"
        finally:
            await runner.cleanup()


async def test_it_speaks_and_is_interrupted(page_elsewhere: str, open_page: OpenPage) -> None:
    async with open_page(page_elsewhere) as listened:
        page = listened.page
        await page.wait_for_function("document.querySelector('#interrupt').onclick !== null")
        await page.click("#speak")
        await page.wait_for_function("tap.firstAudible() && Date.now() - tap.lastAudible() > 1000")
        heard = transcribe(await listened.heard(), await listened.rate())
        said = "the answer is forty two what was the question"
        heard_words = words(heard.replace("42", "forty two").replace("-", " "))
        assert word_error_rate(words(said), heard_words) == 0, heard

        await page.click("#speak")
        await listened.forget()
        await page.wait_for_function("tap.firstAudible()")
        await asyncio.sleep(0.9)
        await page.click("#interrupt")
        told = await (await page.wait_for_selector("#said:not(:empty)")).inner_text()  # type: ignore[union-attr]
        spoken, remaining = re.fullmatch(r"heard: (.*) \| not heard: (.*)", told).groups()  # type: ignore[union-attr]
        assert spoken.startswith("The answer") and remaining.endswith("What was the question?")
        assert not listened.complaints
