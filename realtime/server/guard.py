"""Who may speak, and how much: a key for every request, and what a key or an address may use."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from structlog.contextvars import bound_contextvars

from realtime.clock import Clock
from realtime.errors import ErrorCode, RealtimeError
from realtime.server.errors import RateLimitedError
from realtime.server.exchange import exchange_of, route_of
from realtime.server.keys import KEY_PREFIX, MAX_OFFERED, KeyLimits, KeyRing, offered_keys

#: When something under way will end is not known: a client that has too much of it asks again after so long.
_BUSY_RETRY_MS = 1000
_MINUTE_S = 60.0


class Allowance:
    """What one key or address uses: how much at the same time, and how much in a minute.

    The rate is that of a token bucket which holds a minute's worth: who rested may use it all at once.
    It is kept as one number, the time at which all that was used would have come evenly (the generic cell
    rate algorithm of ITU-T I.371).
    """

    def __init__(self, limits: KeyLimits, clock: Clock, whose: str = "this key") -> None:
        """`whose` it is, for those who are refused."""
        self._limits = limits
        self._whose = whose
        self._clock = clock
        self._running = 0
        self._even_until = clock.now()

    @property
    def running(self) -> int:
        """Requests and sessions under way."""
        return self._running

    @property
    def unused(self) -> bool:
        """Whether nothing is under way, and a whole minute's worth is left: as it was made."""
        return not self._running and self._even_until <= self._clock.now()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Counts a request or session for as long as the block runs. Raises `RateLimitedError`."""
        limits = self._limits
        if limits.concurrency and self._running >= limits.concurrency:
            raise RateLimitedError(
                f"{self._whose} has {limits.concurrency} requests and sessions under way, and gets no more",
                _BUSY_RETRY_MS,
            )
        if limits.requests_per_minute:
            self._take_one(limits.requests_per_minute)
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1

    def _take_one(self, per_minute: int) -> None:
        now = self._clock.now()
        interval = _MINUTE_S / per_minute
        even_until = max(self._even_until, now) + interval
        too_early_s = even_until - now - _MINUTE_S
        # Less than a microsecond is the rounding of these sums.
        if too_early_s > 1e-6:
            raise RateLimitedError(
                f"{self._whose} has begun all the {per_minute} requests and sessions of its minute",
                int(too_early_s * 1000) + 1,
            )
        self._even_until = even_until


_TAKEN = web.RequestKey("taken", list[ExitStack])


async def within(
    taken: AbstractContextManager[None], request: web.Request, handler: Handler
) -> web.StreamResponse:
    """Handle a request that has taken something: until it is answered, or for longer (`keep_allowances`)."""
    with ExitStack() as stack:
        stack.enter_context(taken)
        request.setdefault(_TAKEN, []).append(stack)
        return await handler(request)


def keep_allowances(request: web.BaseRequest) -> ExitStack:
    """What a request has taken of allowances, for something that outlives it: to be closed at its end."""
    kept = ExitStack()
    for stack in request.get(_TAKEN, []):
        kept.enter_context(stack.pop_all())
    return kept


def key_guard(
    ring: KeyRing,
    clock: Clock,
    open_routes: Collection[str],
    has_pass: Callable[[web.Request], bool] = lambda request: False,
    uncounted: Collection[str] = (),
) -> Middleware:
    """A middleware that lets nobody in without a key, but to `open_routes`; without keys everybody.

    `has_pass`: whether a request bears something else that lets it in. Requests of `uncounted` routes take
    nothing of what their key may use.

    Routes are named as they were added to the router: what it resolved is what is asked for, however the path
    was spelled. What is logged while a request is handled bears the name of its key.
    """
    allowances = {key.digest: Allowance(key.limits, clock) for key in ring.keys}

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not allowances or route_of(request) in open_routes:
            return await handler(request)
        offered = offered_keys(request)
        key = ring.find(offered)
        if key is None and has_pass(request):
            return await handler(request)
        if key is None:
            raise RealtimeError(_what_was_wrong(offered), ErrorCode.UNAUTHORIZED)
        exchange_of(request).key = key.name
        with bound_contextvars(key=key.name):
            if route_of(request) in uncounted:
                return await handler(request)
            return await within(allowances[key.digest].taken(), request, handler)

    return guard


def _what_was_wrong(offered: Collection[str]) -> str:
    if not offered:
        return f"a key is needed: `Authorization: Bearer <key>`, or the subprotocol `{KEY_PREFIX}<key>`"
    if len(offered) > MAX_OFFERED:
        return f"a request may offer {MAX_OFFERED} keys, not {len(offered)}"
    return "this key is not known here"
