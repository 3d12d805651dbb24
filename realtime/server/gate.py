"""Which requests are under way, and that none begin any more when the server is shutting down."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from realtime.errors import QueueFullError
from realtime.server.exchange import route_of

#: Another server may be there by then.
_RETRY_AFTER_MS = 1000


class Gate:
    """Every request passes it."""

    def __init__(self) -> None:
        self._count = 0
        self._empty = asyncio.Event()
        self._empty.set()
        #: Whether no more requests are let in.
        self.closed = False

    @property
    def count(self) -> int:
        """Requests that are under way."""
        return self._count

    def close(self) -> None:
        """No more requests are let in; those under way go on."""
        self.closed = True

    async def until_empty(self) -> None:
        """Returns when no request is under way."""
        await self._empty.wait()

    def middleware(self, uncounted: Collection[str]) -> Middleware:
        """For the application; routes that are `uncounted` are served whether it is closed or not."""

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            if route_of(request) in uncounted:
                return await handler(request)
            if self.closed:
                raise QueueFullError("the server is shutting down", _RETRY_AFTER_MS)
            self._count += 1
            self._empty.clear()
            try:
                return await handler(request)
            finally:
                self._count -= 1
                if not self._count:
                    self._empty.set()

        return guard
