"""The page: static files of a folder, read once, with an answer for every browser that has them already."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

#: By suffix; what is not here is text.
CONTENT_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}
_BINARY = {".png"}
#: A connection to a WebSocket of the page's own server is `'self'` as well (CSP level 3). Sound that
#: plays through MediaSource, and files to save, are blobs.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    # Asked for each time, and answered with 304: a server that was renewed has its own page at once.
    hdrs.CACHE_CONTROL: "no-cache",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    # What the page does not do, nothing that is put into it can.
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file as it is sent: at `path`, with its tag, and packed where that makes it smaller."""

    path: str
    content_type: str
    body: bytes
    packed: bytes | None
    etag: str

    def answer(self, request: web.Request) -> web.Response:
        """The file, or 304 for a browser that has it."""
        tags = request.if_none_match or ()
        headers = {**_HEADERS, hdrs.ETAG: f'"{self.etag}"'}
        if any(tag.value in (self.etag, "*") for tag in tags):
            return web.Response(status=304, headers={**headers, hdrs.VARY: hdrs.ACCEPT_ENCODING})
        body = self.body
        if self.packed is not None:
            headers[hdrs.VARY] = hdrs.ACCEPT_ENCODING
            if "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, ""):
                headers[hdrs.CONTENT_ENCODING] = "gzip"
                body = self.packed
        return web.Response(body=body, headers={**headers, hdrs.CONTENT_TYPE: self.content_type})


def read_page(folder: Path) -> tuple[PageFile, ...]:
    """All files of a folder and of those in it, each at its path there; raises `OSError`."""
    return tuple(_read(folder))


def _read(folder: Path) -> Iterator[PageFile]:
    for file in sorted(folder.rglob("*")):
        if not file.is_file():
            continue
        body = file.read_bytes()
        kind = CONTENT_TYPES.get(file.suffix, "text/plain")
        binary = file.suffix in _BINARY
        # The time in the header would make equal files differ.
        packed = gzip.compress(body, mtime=0)
        yield PageFile(
            f"/{file.relative_to(folder).as_posix()}",
            kind if binary else f"{kind}; charset=utf-8",
            body,
            None if binary or len(packed) >= len(body) else packed,
            hashlib.sha256(body).hexdigest()[:32],
        )


def page_handler(file: PageFile) -> Handler:
    """The file for everybody."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return file.answer(request)

    return handle


def front_handler(page: PageFile | None, index: Handler) -> Handler:
    """The page for browsers, which ask for HTML by name; for all others `index`."""

    async def handle(request: web.Request) -> web.StreamResponse:
        response: web.StreamResponse
        if page is not None and "text/html" in request.headers.get(hdrs.ACCEPT, ""):
            response = page.answer(request)
        else:
            response = await index(request)
        vary = response.headers.get(hdrs.VARY)
        response.headers[hdrs.VARY] = hdrs.ACCEPT if vary is None else f"{hdrs.ACCEPT}, {vary}"
        return response

    return handle
