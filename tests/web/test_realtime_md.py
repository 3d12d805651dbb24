"""What realtime.md shows does what it says: its recipes run as they stand, and its declarations are whole."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
import soundfile
from playwright.async_api import Browser, Page, Route

from realtime.app import Server, running
from tests.cutting_proxy import cutting
from tests.web.client_page import OPEN_TONE
from tests.wire_client import open_client

pytestmark = pytest.mark.asyncio(loop_scope="session")
ROOT = Path(__file__).parents[2]
WEB = ROOT / "web"
DOCUMENT = (WEB / "realtime.md").read_text()
BEGIN = """async (url) => {
    const lines = (window.shown = []); // those of an older session go elsewhere
    await (await import("/connection.js")).begin(url, (line) => lines.push(line)).catch(() => {});
}"""
RECIPES = dict(re.findall(r"^```js (\S+)\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL))


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def server() -> AsyncIterator[Server]:
    async with running(OPEN_TONE) as listening:
        yield listening


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def page(chromium: Browser, server: Server) -> AsyncIterator[Page]:
    """A page of the server, beside whose realtime.js lie the recipes."""
    context = await chromium.new_context(bypass_csp=True)
    page = await context.new_page()

    async def serve(route: Route) -> None:
        code = RECIPES.get(route.request.url.removeprefix(f"{server.url}/"))
        await (route.fallback() if code is None else route.fulfill(content_type="text/javascript", body=code))

    await page.route("**/*.js", serve)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(f"{server.url}/realtime.md")
    yield page
    await context.close()
    assert complaints == []


async def test_all_recipes_are_run() -> None:
    assert list(RECIPES) == [
        *("player.js", "speak.js", "stream.js", "interrupt.js", "track.js", "connection.js", "say.mjs")
    ]
    assert DOCUMENT.count("```js") == len(RECIPES)


async def test_speak(page: Page) -> None:
    audio_ms = await page.evaluate("async () => (await import('/speak.js')).speak('One two.')")
    assert audio_ms == pytest.approx(180 + 40 + 240, abs=20)


async def test_stream(page: Page) -> None:
    shown = await page.evaluate(
        """async () => {
            const { speakTokens } = await import("/stream.js");
            const shown = [];
            async function* tokens() {
                for (const token of ["\\u{1f600} On", "e two", ". Three."]) {
                    yield token;
                    await new Promise((resolve) => setTimeout(resolve, 300));
                }
            }
            await speakTokens(tokens(), (text, range) => shown.push(text.slice(...range)));
            return shown;
        }"""
    )
    assert list(dict.fromkeys(shown)) == ["One", "two.", "Three."]


async def test_interrupt(page: Page) -> None:
    told = await page.evaluate(
        """async () => {
            const { speak, interrupt } = await import("/interrupt.js");
            speak("One two three four five six seven eight.");
            await new Promise((resolve) => setTimeout(resolve, 1000));
            return interrupt();
        }"""
    )
    assert told["heard"].startswith("One two ") and told["unheard"].endswith("seven eight.")


async def test_track(page: Page) -> None:
    await page.mouse.click(3, 3)
    told = await page.evaluate(
        """async () => {
            const { speak, interrupt } = await import("/track.js");
            const shown = [];
            const audio_ms = await speak("One two.", (...each) => shown.push(each));
            while (shown.at(-1)?.[0] !== "ended") await new Promise((resolve) => setTimeout(resolve, 20));
            let begun;
            const begins = new Promise((resolve) => { begun = resolve; });
            await speak("One two three four five six seven.", (_, ms) => ms > 1000 && begun());
            await begins;
            return { audio_ms, shown, spoken: await interrupt() };
        }"""
    )
    assert told["shown"][0][0] == "playing" and told["shown"][-1] == ["ended", told["audio_ms"]]
    assert told["spoken"].startswith("One two three ") and "seven" not in told["spoken"]


async def test_connection(page: Page, server: Server) -> None:
    async with cutting(server.url) as proxy:
        await page.evaluate(BEGIN, proxy.url)
        proxy.cut_all()
        await page.wait_for_function("shown.length === 4")
    shown = await page.evaluate("shown")
    assert [line.split(" ")[0] for line in shown[:4]] == ["open", "Lost", "open", "back,"]


async def test_connection_begins_anew(page: Page) -> None:
    full = replace(OPEN_TONE, max_sessions=1)
    async with running(full) as server, open_client(server.url) as other:
        await other.send("session.start")
        await other.until("session.ready")
        await page.evaluate(BEGIN, server.url)
        await page.wait_for_function("shown.length === 2")
        await other.connection.close()
        await page.wait_for_function("shown.length === 3")
        shown = await page.evaluate("shown")
    assert shown[0].startswith("queue_full: ") and shown[1:] == ["closed", "open"]


async def test_node(server: Server, tmp_path: Path) -> None:
    shutil.copy(WEB / "realtime.js", tmp_path)
    shutil.copytree(WEB / "realtime", tmp_path / "realtime")
    (tmp_path / "say.mjs").write_text(RECIPES["say.mjs"])
    node = await asyncio.create_subprocess_exec(
        *("node", "--experimental-websocket", "--no-warnings", "say.mjs", "out.ogg"),
        cwd=tmp_path,
        env=os.environ | {"REALTIME_URL": server.url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        out, errors = await node.communicate()
    assert node.returncode == 0 and errors == b"", errors.decode()
    audio_ms = float(out.split()[0])
    info = soundfile.info(tmp_path / "out.ogg")
    assert info.duration * 1000 == pytest.approx(audio_ms, abs=1) and audio_ms > 1000


async def test_declarations(tmp_path: Path) -> None:
    """As strict as a user's program may be; `make lint-web` leaves declarations unchecked."""
    options = {
        "strict": True,
        "exactOptionalPropertyTypes": True,
        "noUncheckedIndexedAccess": True,
        "noPropertyAccessFromIndexSignature": True,
        "skipLibCheck": False,
        "skipDefaultLibCheck": True,
        "noEmit": True,
        "allowJs": True,
        "target": "ES2022",
        "lib": ["ES2023", "DOM"],
        "module": "ES2022",
        "moduleResolution": "Bundler",
        "types": [],
    }
    files = [f"{WEB}/realtime.d.ts", f"{ROOT}/tests/web/client/typed.ts"]
    config = tmp_path / "tsconfig.json"
    config.write_text(json.dumps({"compilerOptions": options, "files": files}))
    checked = await asyncio.to_thread(
        subprocess.run,
        [ROOT / "node_modules/.bin/tsc", "-p", config],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout
