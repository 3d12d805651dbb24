"""Headers that have a browser make of an answer no more than it is, on every answer that is one.

The page brings a policy of its own. All other answers are data: no browser is to run, frame or guess them,
and none is to keep what belongs to one client. A page that `ALLOWED_ORIGINS` names reads them as before: CORS
asks for none of these. Only `Cross-Origin-Resource-Policy` has to let it play a sound without CORS.

There is no `Strict-Transport-Security` here: that is for whoever ends TLS to say.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping

from aiohttp import web

#: Of what is no page. A browser that opens a sound shows it with a player, in a style, of its own.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "media-src 'self'",
        "style-src 'unsafe-inline'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
#: Where an answer says nothing else.
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # For browsers that know nothing of frame-ancestors.
    "X-Frame-Options": "DENY",
}

PrepareSignal = Callable[[web.Request, web.StreamResponse], Awaitable[None]]


def add_headers(headers: MutableMapping[str, str]) -> None:
    """Add to an answer what it does not say itself."""
    for name, value in HEADERS.items():
        headers.setdefault(name, value)


def safe_headers(is_shared: bool) -> PrepareSignal:
    """For `on_response_prepare`: the same; `is_shared`: pages of other origins may use the server as well."""

    async def add(request: web.Request, response: web.StreamResponse) -> None:
        if isinstance(response, web.WebSocketResponse):
            return  # no document
        add_headers(response.headers)
        if is_shared:
            response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"

    return add
