"""WebRTC over HTTP, as WHEP has it: POST an offer, PATCH candidates, DELETE to end.

The draft is draft-ietf-wish-whep; what it shares with WHIP is RFC 9725. An offer comes as `application/sdp`,
with a token in `Authorization: Bearer`, or as `application/json` {sdp, type, token}.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web
from msgspec import UNSET, Struct, UnsetType

from realtime.errors import ErrorCode, InvalidMessageError, RealtimeError
from realtime.server.exchange import caller_of
from realtime.server.guard import keep_allowances
from realtime.server.keys import offered_keys
from realtime.server.webrtc.peers import Peers
from realtime.server.webrtc.sdp import MAX_SDP_BYTES, read_fragment, read_offer
from realtime.session.messages import IceServer, decode_as
from realtime.session.track import TRACK_TOKEN_PREFIX

ROUTE = "/v1/audio/speech/rtc"
PEER_ROUTE = ROUTE + "/{id}"
SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"
_JSON = "application/json"
#: Room for what JSON adds to an offer.
_MAX_JSON_BYTES = 2 * MAX_SDP_BYTES
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class OfferBody(Struct, frozen=True):
    """An offer in JSON, as a browser's `RTCSessionDescription` writes itself."""

    sdp: str
    type: str | UnsetType = UNSET
    token: str | UnsetType = UNSET


class AnswerBody(Struct, frozen=True):
    """The answer in JSON."""

    sdp: str
    type: str = "answer"


def bearer_token(request: web.BaseRequest) -> str | None:
    """The token for a track in a request's `Authorization`, if there is one."""
    return next((key for key in offered_keys(request) if key.startswith(TRACK_TOKEN_PREFIX)), None)


def offer_handler(
    peers: Peers, check_loaded: Callable[[], None], ice_servers: Callable[[], list[IceServer]]
) -> Handler:
    """The handler of POST: an offer in, 201 with the answer out. 503 while `check_loaded` raises."""

    async def handle(request: web.Request) -> web.StreamResponse:
        check_loaded()
        in_json = request.content_type == _JSON
        if not in_json and request.content_type != SDP:
            raise InvalidMessageError(f"an offer is {SDP}, or {_JSON} with {{sdp, type}}")
        text = await _text(request, _MAX_JSON_BYTES if in_json else MAX_SDP_BYTES)
        token = bearer_token(request)
        if in_json:
            body = decode_as(text, OfferBody)
            if body.type not in (UNSET, "offer"):
                raise InvalidMessageError("`type` must be offer", param="type")
            text = body.sdp
            token = body.token if isinstance(body.token, str) else token
            _check_size(len(text.encode("utf-8", "surrogatepass")), MAX_SDP_BYTES)
        offer = read_offer(text)
        peer, answer = await peers.answer(offer, token, caller_of(request), lambda: keep_allowances(request))
        headers = {
            "Location": f"{ROUTE}/{peer.peer_id}",
            "ETag": peer.etag,
            "Accept-Patch": FRAGMENT,
            "Cache-Control": "no-store",
        }
        if in_json:
            content, content_type = msgspec.json.encode(AnswerBody(answer)), _JSON
        else:
            content, content_type = answer.encode(), SDP
        response = web.Response(body=content, status=201, content_type=content_type, headers=headers)
        for server in ice_servers():
            for url in server.urls:
                response.headers.add("Link", _link(url, server))
        return response

    return handle


def patch_handler(peers: Peers) -> Handler:
    """The handler of PATCH: candidates that follow, or a new begin."""

    async def handle(request: web.Request) -> web.StreamResponse:
        peer = peers.find(request.match_info["id"])
        if request.content_type != FRAGMENT:
            raise InvalidMessageError(f"candidates are {FRAGMENT}")
        fragment = read_fragment(await _text(request, MAX_SDP_BYTES))
        match = request.headers.get("If-Match", "*")
        if match not in ("*", peer.etag):
            raise RealtimeError(
                f"If-Match is of a former begin of this connection; its ETag is {peer.etag}",
                ErrorCode.PRECONDITION_FAILED,
            )
        answer = await peer.add(fragment)
        if answer is None:
            return web.Response(status=204)
        headers = {"ETag": peer.etag}
        return web.Response(body=answer.encode(), status=200, content_type=FRAGMENT, headers=headers)

    return handle


def delete_handler(peers: Peers) -> Handler:
    """The handler of DELETE."""

    async def handle(request: web.Request) -> web.StreamResponse:
        await peers.hang_up(request.match_info["id"])
        return web.Response(status=204)

    return handle


async def _text(request: web.Request, most_bytes: int) -> str:
    _check_size(request.content_length or 0, most_bytes)
    data = bytearray()
    async for part in request.content.iter_chunked(16 * 1024):
        data += part
        _check_size(len(data), most_bytes)
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise InvalidMessageError("the body is no UTF-8") from None


def _check_size(size: int, most_bytes: int) -> None:
    if size > most_bytes:
        raise RealtimeError(f"more than {most_bytes} bytes", ErrorCode.BODY_TOO_LARGE)


def _link(url: str, server: IceServer) -> str:
    """A STUN or TURN server as a header (RFC 9725, 4.6)."""
    link = f'<{url}>; rel="ice-server"'
    if server.username is None:
        return link
    return (
        f'{link}; username="{server.username}"; credential="{server.credential}"; credential-type="password"'
    )
