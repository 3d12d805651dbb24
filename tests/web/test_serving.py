"""The page as it is served: to browsers, to those who have it already, and to nobody else's pages."""

from __future__ import annotations

import gzip
import re
import subprocess
from pathlib import Path

import httpx
import pytest

from realtime.app import Server
from realtime.server.page import CONTENT_SECURITY_POLICY, read_page
from tests.conftest import Serve

ROOT = Path(__file__).parents[2]
WEB = ROOT / "web"
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def files() -> list[str]:
    return [f"/{each.relative_to(WEB).as_posix()}" for each in WEB.rglob("*") if each.is_file()]


IMPORT = re.compile(
    r"""^(?:import|export)\s[^;"=()]*\bfrom "(\.[^"]+)";|^[^*/\n]*\bimport\("(\.[^"]+)"\)""", re.MULTILINE
)


def needed(begin: str, later: set[str]) -> set[str]:
    """A module and all that it imports, and they in turn; of what is imported when needed, only `later`."""
    found: set[Path] = set()
    waiting = [WEB / begin]
    while waiting:
        module = waiting.pop()
        if module in found:
            continue
        found.add(module)
        for at_once, when_needed in IMPORT.findall(module.read_text()):
            path = (module.parent / (at_once or when_needed)).resolve()
            if at_once or path.relative_to(WEB).as_posix() in later:
                waiting.append(path)
    return {each.relative_to(WEB).as_posix() for each in found}


def test_what_the_page_needs_at_its_start_is_asked_for_at_once() -> None:
    """No module is found only when another one is there; and none is loaded that is not needed."""
    listed = re.findall(r'<link rel="modulepreload" href="([^"]+)">', (WEB / "index.html").read_text())
    modules = needed("app.js", {"page/main.js", "player/webcodecs.js"}) - {"app.js"}
    assert len(modules) > 50
    assert sorted(listed) == sorted(modules)


async def test_browsers_get_the_page_and_others_the_routes(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url) as http:
        page, routes = await http.get("/", headers=HTML), await http.get("/")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.content == (WEB / "index.html").read_bytes()
    assert routes.headers["Content-Type"].startswith("text/plain") and "/v1/audio/speech/ws" in routes.text
    assert "Accept" in page.headers["Vary"] and "Accept" in routes.headers["Vary"]


async def test_every_file_is_there_as_it_is(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url) as http:
        for path in files():
            answer = await http.get(path)
            assert answer.status_code == 200 and answer.content == (WEB / path[1:]).read_bytes()
            assert answer.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
            assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_text_is_packed_for_who_can_unpack(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url) as http:
        path = "/vendor/mediabunny.js"
        plain = await http.get(path, headers={"Accept-Encoding": "identity"})
        assert "Content-Encoding" not in plain.headers
        async with http.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as answer:
            packed = b"".join([part async for part in answer.aiter_raw()])
    assert answer.headers["Content-Encoding"] == "gzip" and len(packed) < len(plain.content) / 3
    assert gzip.decompress(packed) == plain.content


async def test_who_has_it_gets_no_body(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url) as http:
        first = await http.get("/", headers=HTML)
        tag = first.headers["ETag"]
        for tags in (tag, f'"other", {tag}', f"W/{tag}", "*"):
            again = await http.get("/", headers=HTML | {"If-None-Match": tags})
            assert (again.status_code, again.content) == (304, b"") and again.headers["ETag"] == tag
        assert (await http.get("/", headers=HTML | {"If-None-Match": '"other"'})).status_code == 200


async def test_only_what_is_there(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url) as http:
        for path in ("/package.json", "/../pyproject.toml", "/%2e%2e/pyproject.toml", "/vendor/", "/vendor"):
            assert (await http.get(path)).status_code == 404
        assert (await http.post("/index.html")).status_code == 405


async def test_no_key_is_needed_to_see_it(serve_tone: Serve) -> None:
    async with serve_tone(api_keys="k" * 16) as server, httpx.AsyncClient(base_url=server.url) as http:
        assert (await http.get("/", headers=HTML)).status_code == 200
        assert (await http.get("/realtime.js")).status_code == 200
        assert (await http.get("/v1/voices")).status_code == 401


def test_a_folder_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "a.js").write_text("a" * 1000)
    (tmp_path / "b.css").write_text("b")
    first, second = read_page(tmp_path)
    assert (first.path, first.content_type, first.packed) == ("/b.css", "text/css; charset=utf-8", None)
    assert second.path == "/inner/a.js" and second.packed and gzip.decompress(second.packed) == b"a" * 1000


def test_the_library_is_made_again_byte_for_byte(tmp_path: Path) -> None:
    """From the packages that package-lock.json names, in another folder."""
    subprocess.run(["sh", "deploy/vendor.sh", tmp_path], cwd=ROOT, check=True, timeout=60)
    made = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    assert made == {each.name: each.read_bytes() for each in (WEB / "vendor").iterdir()}


@pytest.mark.parametrize("name", ["package-lock.json", ".npmrc"])
def test_no_registry_is_named(name: str) -> None:
    text = (ROOT / name).read_text()
    assert '"resolved"' not in text and "registry=" not in text
