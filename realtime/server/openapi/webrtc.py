"""The routes of WebRTC, as the OpenAPI document describes them."""

from __future__ import annotations

from realtime.errors import ErrorCode
from realtime.server.openapi.parts import JSON, Answer, Body, Operation, Parameter, json_of, reference
from realtime.server.webrtc.whep import FRAGMENT, PEER_ROUTE, ROUTE, SDP, AnswerBody, OfferBody

_TEXT = {"type": "string"}
_PEER = Parameter("id", "path", "The end of the `Location`.", _TEXT, "q8Yx0mUuS5cKzE7vN2rTfw")


def webrtc_operations() -> tuple[Operation, ...]:
    """All of them."""
    return (
        Operation(
            "post",
            ROUTE,
            "connect_peer",
            "speech",
            "Hear it as a WebRTC track: an offer in, an answer out",
            {
                201: Answer(
                    "The answer, in the form of the offer.",
                    {SDP: _TEXT, **json_of(AnswerBody)},
                    ("Location", "ETag", "Accept-Patch"),
                )
            },
            "As WHEP has it; protocol.md says the rest. The offer needs an audio section that receives, and "
            "a data channel `realtime.v1`; or the `rtc_token` of a session, as `token` or as a bearer's.",
            body=Body(JSON, reference(OfferBody), also={SDP: _TEXT}),
            errors=(
                ErrorCode.INVALID_MESSAGE,
                ErrorCode.UNSUPPORTED,
                ErrorCode.RESUME_FAILED,
                ErrorCode.BODY_TOO_LARGE,
                ErrorCode.QUEUE_FULL,
            ),
        ),
        Operation(
            "patch",
            PEER_ROUTE,
            "add_candidates",
            "speech",
            "Tell candidates that were found later, or begin ICE anew",
            {
                204: Answer("They were taken."),
                200: Answer("ICE begins anew: what the server says of itself.", {FRAGMENT: _TEXT}, ("ETag",)),
            },
            "As RFC 9725 has it. `If-Match` names the `ETag` of the last begin.",
            parameters=(_PEER,),
            body=Body(FRAGMENT, _TEXT),
            errors=(
                ErrorCode.INVALID_MESSAGE,
                ErrorCode.NOT_FOUND,
                ErrorCode.PRECONDITION_FAILED,
                ErrorCode.BODY_TOO_LARGE,
                ErrorCode.QUEUE_FULL,
            ),
        ),
        Operation(
            "delete",
            PEER_ROUTE,
            "end_peer",
            "speech",
            "End a peer connection, and the session that its data channel leads",
            {204: Answer("It is ended.")},
            parameters=(_PEER,),
            errors=(ErrorCode.NOT_FOUND,),
        ),
    )
