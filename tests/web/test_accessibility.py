"""The page is there for everybody: axe-core finds nothing serious, and the keyboard reaches everything."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page, expect

from realtime.app import Server
from tests.web.conftest import ROOT, OpenPage
from tests.web.driving import begun, place, ready, speak

pytestmark = pytest.mark.asyncio(loop_scope="session")

AXE = ROOT / "node_modules/axe-core/axe.min.js"
WIDTHS = (360, 1280)
#: A sentence that takes longer than one looks at it.
LONG = "Incomprehensibilities and misunderstandings notwithstanding, everything was said. " * 6

FOUND = """async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  return violations.filter(({ impact }) => ["serious", "critical"].includes(impact)).map(({ id, nodes }) =>
    [id, nodes.map(({ html, failureSummary }) => [html.slice(0, 200), failureSummary])]);
}"""


FOCUSED = """() => {
  let element = document.activeElement;
  while (element.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
  const { id, tagName, textContent } = element;
  const { outlineStyle, outlineWidth } = getComputedStyle(element);
  const name = tagName === "BODY" ? tagName : id || `${tagName} ${textContent.trim().slice(0, 40)}`;
  return [name, outlineStyle !== "none" && parseFloat(outlineWidth) >= 1];
}"""


async def check(page: Page) -> None:
    """Nothing serious is found, whatever the colours and the width."""
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        for width in WIDTHS:
            await page.set_viewport_size({"width": width, "height": 800})
            found: list[Any] = await page.evaluate(FOUND)
            assert found == [], f"{scheme}, {width} px"
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width


async def test_axe_finds_nothing_serious(tone_server: Server, open_page: OpenPage) -> None:
    async with open_page(place(tone_server) + "#llm=1&rate=100", reduced_motion="reduce") as listened:
        page = listened.page
        await ready(page)
        await page.evaluate(AXE.read_text())
        await check(page)
        await speak(page, LONG)
        await begun(page)
        await page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        await check(page)
        assert await page.get_attribute("body", "data-speaking") == "true"
        await page.keyboard.press("Escape")
        # An error that the server tells, beside what was interrupted.
        await page.evaluate("document.querySelector('#voice').append(new Option('none', 'nobody'))")
        await page.select_option("#voice", "nobody")
        await page.press("#text", "Enter")
        await expect(page.locator("#problem")).to_contain_text("nobody")
        await check(page)


async def test_everything_is_reached_by_keyboard(tone_server: Server, open_page: OpenPage) -> None:
    async with open_page(place(tone_server) + "#llm=1", listen=False) as listened:
        page = listened.page
        await ready(page)
        assert await page.evaluate("document.activeElement.id") == "text"
        await page.keyboard.press("Control+A")
        await page.keyboard.type("Hello there.")
        await page.keyboard.press("Enter")
        await expect(page.locator("#status")).to_have_text("Heard to the end.")
        reached: list[str] = []
        for _ in range(60):
            await page.keyboard.press("Tab")
            name, has_ring = await page.evaluate(FOCUSED)
            if name == "BODY" or name in reached[:1]:
                break
            assert has_ring, name
            reached.append(name)
        controls = (
            "speak interrupt llm rate jitter voice language speed player said download-ogg download-wav "
            "copy-link copy-curl copy-python copy-javascript"
        )
        assert set(controls.split()) <= set(reached), reached
        # In the order in which one reads.
        assert [each for each in reached if each in controls.split()] == controls.split()


async def test_it_lies_still_for_who_wants_that(tone_server: Server, open_page: OpenPage) -> None:
    async with open_page(place(tone_server) + "#llm=1&rate=200", reduced_motion="reduce") as listened:
        page = listened.page
        await ready(page)
        await speak(page, LONG)
        await begun(page)
        assert await page.evaluate("document.getAnimations().length") == 0
