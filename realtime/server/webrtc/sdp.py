"""Offers and answers (SDP: RFC 8866; JSEP: RFC 9429): what is taken of an offer, and the answer to it.

Of an offer one audio section is taken, that receives Opus, and one section for data channels in the same
bundle; all else is refused in the answer, as the others of a call expect it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address

import aioice
from aiortc import RTCDtlsParameters, RTCIceParameters, RTCRtpCodecParameters, RTCSctpTransport
from aiortc.rtcicetransport import candidate_from_aioice
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpParameters
from aiortc.sdp import (
    GroupDescription,
    MediaDescription,
    SessionDescription,
    SsrcDescription,
    candidate_to_sdp,
)

from realtime.errors import ErrorCode, InvalidMessageError
from realtime.server.webrtc.agent import MAX_CANDIDATES, Remote
from realtime.server.webrtc.rtp import CLOCK_RATE

#: Bytes, lines, formats and sections of an offer; a browser's has 2 to 6 KiB, 200 lines and 50 formats.
MAX_SDP_BYTES = 64 * 1024
MAX_LINES = 1000
MAX_FORMATS = 256
_MAX_SECTIONS = 32
#: The attributes that are used. Others are not even parsed: aiortc looks through all formats for each
#: a=rtcp-fb and a=fmtp, and through all sources for each a=ssrc.
_USED = frozenset(
    (
        "candidate", "extmap", "fingerprint", "group", "ice-lite", "ice-pwd", "ice-ufrag", "inactive",
        "max-message-size", "mid", "recvonly", "rtcp-mux", "rtpmap", "sctp-port", "sendonly", "sendrecv",
        "setup",
    )
)  # fmt: skip
_MID_URI = "urn:ietf:params:rtp-hdrext:sdes:mid"
_MOST_MID = 16
_MOST_EXTENSION = 14
#: What is wrong, when what is read by positions and names turns out not to be there.
_BROKEN = (ValueError, AssertionError, IndexError, KeyError, TypeError, AttributeError, StopIteration)
#: ICE name fragment and password (RFC 8839, 5.4).
_UFRAG = re.compile(r"[A-Za-z0-9+/]{4,256}")
_PWD = re.compile(r"[A-Za-z0-9+/]{22,256}")


@dataclass(frozen=True, slots=True)
class Offer:
    """What is taken of an offer.

    `audio` and `data` are indices of its sections. `mid`: number and value of that header extension, if it
    was offered. `tagged`: the index of the section that says how all are reached (RFC 8843, 7).
    """

    description: SessionDescription
    audio: int
    data: int | None
    tagged: int
    remote: Remote
    dtls: RTCDtlsParameters
    codec: RTCRtpCodecParameters
    mid: tuple[int, str] | None

    @property
    def has_data(self) -> bool:
        """Whether it has a section for data channels."""
        return self.data is not None

    @property
    def data_section(self) -> MediaDescription:
        """That section."""
        assert self.data is not None, "asked for only where there is one"
        return self.description.media[self.data]


def _wrong(what: str) -> InvalidMessageError:
    return InvalidMessageError(what, param="sdp")


def read_offer(text: str) -> Offer:
    """The offer in a text; raises `InvalidMessageError` that says what is wrong with it."""
    lines, bundled = _used_lines(text)
    try:
        description = SessionDescription.parse("\r\n".join(lines))
    except _BROKEN:
        description = SessionDescription()
    if not text.startswith("v=0") or not description.media:
        raise _wrong("this is no SDP offer: it must begin with v=0, and have sections (m=)")
    sections = [(n, each) for n, each in enumerate(description.media) if each.port or n in bundled]
    audio = next((number for number, each in sections if each.kind == "audio"), None)
    if audio is None:
        raise _wrong("the offer asks for no audio: it needs a section m=audio that receives (a=recvonly)")
    section = description.media[audio]
    if section.direction not in (None, "recvonly", "sendrecv"):
        raise _wrong(f"the audio section is {section.direction}: it must receive (a=recvonly)")
    if not section.rtcp_mux and section.port:
        raise _wrong("the audio section needs a=rtcp-mux")
    codec = next((each for each in section.rtp.codecs if _is_opus(each)), None)
    if codec is None:
        raise InvalidMessageError(
            "the audio section offers no opus/48000, which is all this server sends",
            ErrorCode.UNSUPPORTED,
            "sdp",
        )
    data = next(
        (number for number, each in sections if each.kind == "application" and each.sctp_port),
        None,
    )
    if data is not None:
        _check_bundle(description, section, description.media[data])
    tagged = next(
        (number for number in (audio, data) if number is not None and description.media[number].port), None
    )
    if tagged is None:
        raise _wrong("neither the audio section nor one for data channels has a port: all are a=bundle-only")
    ice, dtls = description.media[tagged].ice, description.media[tagged].dtls
    name = f"the {'audio' if tagged == audio else 'data channel'} section"
    if (
        ice is None
        or not _UFRAG.fullmatch(ice.usernameFragment or "")
        or not _PWD.fullmatch(ice.password or "")
    ):
        raise _wrong(f"{name} needs a=ice-ufrag and a=ice-pwd")
    if dtls is None or not dtls.fingerprints:
        raise _wrong(f"{name} needs a=fingerprint and a=setup: sound is sent encrypted alone")
    candidates = [each for media in description.media for each in media.ice_candidates]
    return Offer(
        description,
        audio,
        data,
        tagged,
        Remote(
            ice.usernameFragment or "",
            ice.password or "",
            tuple(_candidates([candidate_to_sdp(each) for each in candidates])),
            ice.iceLite,
        ),
        dtls,
        codec,
        _mid_extension(section),
    )


def _used_lines(text: str) -> tuple[list[str], set[int]]:
    """The lines of an offer that are used, and the indices of the sections that are `a=bundle-only`.

    Such a section has port 0 and is offered all the same (RFC 8843, 6); aiortc does not know of it. Raises
    `InvalidMessageError` where there is too much, before any of it is parsed.
    """
    lines = text.splitlines()
    if len(lines) > MAX_LINES:
        raise _wrong(f"the offer has {len(lines)} lines; {MAX_LINES} are allowed")
    used, bundled = [], set()
    sections = formats = candidates = 0
    for line in lines:
        name = line[2:].partition(":")[0].strip() if line.startswith("a=") else ""
        sections += line.startswith("m=")
        formats += name == "rtpmap"
        candidates += name == "candidate"
        if name == "bundle-only":
            bundled.add(sections - 1)
        if line.startswith(("v=", "m=")) or (
            name in _USED and (name != "candidate" or candidates <= MAX_CANDIDATES)
        ):
            used.append(line)
    if sections > _MAX_SECTIONS:
        raise _wrong(f"the offer has {sections} sections; {_MAX_SECTIONS} are allowed")
    if formats > MAX_FORMATS:
        raise _wrong(f"the offer has {formats} formats (a=rtpmap); {MAX_FORMATS} are allowed")
    return used, bundled


def _is_opus(codec: RTCRtpCodecParameters) -> bool:
    return codec.mimeType.lower() == "audio/opus" and codec.clockRate == CLOCK_RATE


def _check_bundle(description: SessionDescription, *sections: MediaDescription) -> None:
    bundled = {item for group in description.group if group.semantic == "BUNDLE" for item in group.items}
    if any(section.rtp.muxId not in bundled for section in sections):
        raise _wrong("audio and data channels must be in one a=group:BUNDLE")


def _mid_extension(section: MediaDescription) -> tuple[int, str] | None:
    mid = section.rtp.muxId
    for each in section.rtp.headerExtensions:
        if each.uri == _MID_URI and 0 < each.id <= _MOST_EXTENSION and 0 < len(mid.encode()) <= _MOST_MID:
            return each.id, mid
    return None


def _candidates(lines: Sequence[str]) -> list[aioice.Candidate]:
    """Addresses of a peer, over UDP.

    Names are left out. Browsers hide the addresses of their network behind some that end in .local: to look
    one up takes a second, and is not needed, for the browser comes to us.
    """
    found: dict[tuple[str, int], aioice.Candidate] = {}
    for line in lines[:MAX_CANDIDATES]:
        try:
            candidate = aioice.Candidate.from_sdp(line)
        except (ValueError, IndexError):
            raise _wrong("a candidate is none: a=candidate:<foundation> 1 udp <priority> ...") from None
        is_ours = candidate.transport.lower() == "udp" and candidate.component == 1
        is_ours = is_ours and 0 < candidate.port < 1 << 16 and 0 <= candidate.priority < 1 << 32
        if is_ours and _is_address(candidate.host):
            found.setdefault((candidate.host, candidate.port), candidate)
    return list(found.values())


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Local:
    """What an answer says of us: name, password, addresses, fingerprints of our certificate, our packets."""

    ice: RTCIceParameters
    candidates: Sequence[aioice.Candidate]
    dtls: RTCDtlsParameters
    ssrc: int
    cname: str


def write_answer(offer: Offer, local: Local) -> str:
    """The answer: what was taken, and of the rest that it was not."""
    answer = SessionDescription()
    answer.origin = "- 1 1 IN IP4 0.0.0.0"
    answer.type = "answer"
    taken = [offer.audio, *([] if offer.data is None else [offer.data])]
    sections = offer.description.media
    if len(taken) > 1 or any(group.semantic == "BUNDLE" for group in offer.description.group):
        answer.group.append(
            GroupDescription(
                "BUNDLE",
                # The section that says how all are reached comes first, as its port is the one that counts.
                [
                    sections[number].rtp.muxId
                    for number in sorted(taken, key=lambda it: (it != offer.tagged, it))
                ],
            )
        )
    answer.msid_semantic.append(GroupDescription("WMS", ["*"]))
    for number, section in enumerate(sections):
        if number == offer.audio:
            answer.media.append(_audio(offer, section, local))
        elif number == offer.data:
            answer.media.append(_data(section, local))
        else:
            answer.media.append(_refused(section, local))
    return str(answer)


def _audio(offer: Offer, section: MediaDescription, local: Local) -> MediaDescription:
    codec = RTCRtpCodecParameters(
        mimeType="audio/opus",
        clockRate=CLOCK_RATE,
        channels=2,  # as it is always written (RFC 7587, 7); what is sent is mono
        payloadType=offer.codec.payloadType,
        parameters={"minptime": 20, "useinbandfec": 1, "sprop-stereo": 0},
    )
    media = _section(section, local, [offer.codec.payloadType or 0])
    extensions = [] if offer.mid is None else [RTCRtpHeaderExtensionParameters(id=offer.mid[0], uri=_MID_URI)]
    media.rtp = RTCRtpParameters(codecs=[codec], headerExtensions=extensions, muxId=section.rtp.muxId)
    media.direction = "sendonly"
    media.msid = f"{local.cname} audio"
    media.ssrc = [SsrcDescription(ssrc=local.ssrc, cname=local.cname)]
    media.rtcp_host, media.rtcp_port, media.rtcp_mux = "0.0.0.0", 9, True
    return media


def _data(section: MediaDescription, local: Local) -> MediaDescription:
    media = _section(section, local, section.fmt)
    media.sctp_port = _SCTP_PORT
    media.sctpCapabilities = RTCSctpTransport.getCapabilities()
    return media


#: Ours; it means nothing, as each association has a connection of its own.
_SCTP_PORT = 5000


def _section(section: MediaDescription, local: Local, formats: Sequence[int | str]) -> MediaDescription:
    media = MediaDescription(section.kind, local.candidates[0].port, section.profile, list(formats))
    media.host = local.candidates[0].host
    media.rtp.muxId = section.rtp.muxId
    media.ice = local.ice
    media.ice_candidates = [candidate_from_aioice(each) for each in local.candidates]
    media.ice_candidates_complete = True
    media.dtls = local.dtls
    return media


def _refused(section: MediaDescription, local: Local) -> MediaDescription:
    """A section that is not wanted has port 0 (RFC 3264, 6)."""
    media = MediaDescription(section.kind, 0, section.profile, section.fmt)
    media.host = "0.0.0.0"
    media.rtp.muxId = section.rtp.muxId
    media.direction = "inactive" if section.kind in ("audio", "video") else None
    media.ice = RTCIceParameters()
    return media


# -- fragments, by which candidates follow (RFC 8840) ----------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fragment:
    """Candidates that follow an offer; with name and password when the peer begins anew, else both empty."""

    username: str
    password: str
    candidates: tuple[aioice.Candidate, ...]


def read_fragment(text: str) -> Fragment:
    """What a fragment says; raises `InvalidMessageError`."""
    lines = [line.strip() for line in text.splitlines()]

    def values(name: str) -> list[str]:
        return [line.removeprefix(f"a={name}:") for line in lines if line.startswith(f"a={name}:")]

    names, passwords = values("ice-ufrag"), values("ice-pwd")
    if bool(names) != bool(passwords):
        raise _wrong("a=ice-ufrag and a=ice-pwd come together: both of the same begin, or neither")
    username, password = (names or [""])[0], (passwords or [""])[0]
    candidates = _candidates(values("candidate"))
    if names and not (_UFRAG.fullmatch(username) and _PWD.fullmatch(password)):
        raise _wrong("a=ice-ufrag or a=ice-pwd is none")
    if not candidates and not username and "a=end-of-candidates" not in lines and not values("candidate"):
        raise _wrong("the fragment has neither a=candidate nor a=ice-ufrag")
    return Fragment(username, password, tuple(candidates))


def write_fragment(ice: RTCIceParameters, candidates: Sequence[aioice.Candidate], mid: str) -> str:
    """Our name, password and candidates after a new begin."""
    lines = [f"a=ice-ufrag:{ice.usernameFragment}", f"a=ice-pwd:{ice.password}"]
    lines += ["m=audio 9 RTP/AVP 0", f"a=mid:{mid}"]
    lines += [f"a=candidate:{each.to_sdp()}" for each in candidates]
    return "\r\n".join([*lines, "a=end-of-candidates"]) + "\r\n"
