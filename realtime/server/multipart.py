"""Forms with a file (`multipart/form-data`, RFC 7578; its outer form is RFC 2046, section 5.1.1).

A form is taken apart as it comes in, so that no more of it is held than the fields that are wanted. All of it
has a limit, and the names of files are never looked at.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from realtime.errors import ErrorCode, InvalidMessageError
from realtime.session.offer import shown

#: Parts that a form may have, and bytes that the headers of one may have.
MAX_PARTS = 64
MAX_HEADER_BYTES = 8 * 1024
#: What all but the file may have together, fields, their headers, boundaries; more where a field may.
MAX_OTHER_BYTES = 1024 * 1024
_MAX_FRAME_BYTES = 256 * 1024
#: Blanks that may follow a boundary; the contract sets no limit.
_MAX_PADDING = 256
#: As RFC 2046 has it: 1 to 70 characters, no space at the end.
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")
#: A parameter of a header: a name, and a value with or without quotes.
_PARAMETER = re.compile(
    r""";\s*([\w!#$%&'*+.^`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))\s*""", re.ASCII
)
_PLAIN_ENCODINGS = ("", "binary", "8bit", "7bit")


@dataclass(frozen=True, slots=True)
class Form:
    """What was sent: the fields that were wanted, as text, and the file; what is missing was not sent."""

    fields: Mapping[str, str]
    file: bytes | None


@dataclass(frozen=True, slots=True)
class FormLimits:
    """What is wanted: text fields, with the bytes that each may have; and a file, in the field `file`."""

    fields: Mapping[str, int]
    file_bytes: int
    file: str = "file"

    @property
    def total(self) -> int:
        """Bytes that a whole form may have."""
        fields = sum(self.fields.values()) + _MAX_FRAME_BYTES
        return self.file_bytes + max(MAX_OTHER_BYTES, fields)

    def of(self, name: str) -> int | None:
        """Bytes that a field may have, None when it is not wanted."""
        return self.file_bytes if name == self.file else self.fields.get(name)


async def read_form(request: web.Request, limits: FormLimits) -> Form:
    """The form that a request bears. Raises `InvalidMessageError` for what is none, or is too large."""
    parser = FormParser(_boundary(request), limits)
    if request.content_length is not None and request.content_length > limits.total:
        raise _too_large(f"all of it may have {_shown(limits.total)}")
    size = 0
    try:
        async for chunk in request.content.iter_any():
            size += len(chunk)
            if size > limits.total:
                raise _too_large(f"all of it may have {_shown(limits.total)}")
            parser.feed(chunk)
    except (web.RequestPayloadError, ConnectionResetError):
        raise InvalidMessageError("the body ends early, or is not encoded as its headers say") from None
    return parser.finish()


class FormParser:
    """Takes a form apart, piece by piece as it comes in; does no I/O."""

    def __init__(self, boundary: bytes, limits: FormLimits) -> None:
        """`boundary` as the header names it, without dashes."""
        self._limits = limits
        self._delimiter = b"\r\n--" + boundary
        # Every boundary begins a line; so the first one may stand at the very start.
        self._held = bytearray(b"\r\n")
        self._read = self._read_content
        self._parts = 0
        self._field: tuple[str, io.BytesIO] | None = None  # that is being read, None when it is not wanted
        self._values: dict[str, bytes] = {}
        self._closed = False

    def feed(self, data: bytes) -> None:
        """More of the body. Raises `InvalidMessageError` for what is no form, or goes beyond a limit."""
        if self._closed:
            return  # what follows the last boundary means nothing
        self._held += data
        while self._read():
            pass

    def finish(self) -> Form:
        """The form, when all of the body was fed. Raises `InvalidMessageError` when its end is missing."""
        if not self._closed:
            if not self._parts:
                raise InvalidMessageError("the body holds no form with the boundary that Content-Type names")
            raise InvalidMessageError("the form ends before its last boundary")
        file = self._values.pop(self._limits.file, None)
        return Form({name: _text(name, value) for name, value in self._values.items()}, file)

    # Each `_read_...` takes what it reads off what is held, and tells whether there may be more to do.

    def _read_content(self) -> bool:
        """What belongs to a field, or stands before the first boundary."""
        end = self._held.find(self._delimiter)
        if end < 0:
            # A boundary may have begun in the last bytes.
            self._keep(max(0, len(self._held) - len(self._delimiter) + 1))
            return False
        self._keep(end)
        del self._held[: len(self._delimiter)]
        if self._field is not None:
            name, content = self._field
            self._values[name] = content.getvalue()
            self._field = None
        self._read = self._read_line_end
        return True

    def _read_line_end(self) -> bool:
        """What follows a boundary: two dashes the last, the end of the line every other."""
        if self._held.startswith(b"--"):
            self._closed = True
            self._held.clear()
            return False
        end = self._held.find(b"\r\n")
        if end < 0 and len(self._held) <= _MAX_PADDING:
            return False
        if end < 0 or self._held[:end].strip(b" \t"):
            raise InvalidMessageError("a line of the form begins like a boundary and is none")
        del self._held[:end]  # but not the end of the line: with the next one it ends no headers at all
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise InvalidMessageError(f"the form has more than {MAX_PARTS} fields")
        self._read = self._read_headers
        return True

    def _read_headers(self) -> bool:
        """The headers of a field, up to the empty line."""
        end = self._held.find(b"\r\n\r\n")
        if (len(self._held) if end < 0 else end) > MAX_HEADER_BYTES:
            raise InvalidMessageError(
                f"a field of the form has headers of more than {MAX_HEADER_BYTES} bytes"
            )
        if end < 0:
            return False
        name = _field_name(self._held[:end].decode("utf-8", "replace"))
        del self._held[: end + 4]
        if name in self._values:
            raise InvalidMessageError(f"the form has the field `{name}` twice", param=name)
        if self._limits.of(name) is not None:
            self._field = (name, io.BytesIO())
        self._read = self._read_content
        return True

    def _keep(self, size: int) -> None:
        """Take `size` bytes off what is held; they belong to the field that is read, if that is wanted."""
        if self._field is not None:
            name, content = self._field
            limit = self._limits.of(name) or 0
            if content.tell() + size > limit:
                raise _too_large(f"`{name}` may have {_shown(limit)}", name)
            content.write(self._held[:size])
        del self._held[:size]


def _boundary(request: web.Request) -> bytes:
    """The boundary that the headers name."""
    expected = "send a form (Content-Type: multipart/form-data with a boundary)"
    if request.content_type != "multipart/form-data":
        raise InvalidMessageError(
            f"this takes a form with a file, not {shown(request.content_type)}; {expected}"
        )
    header = request.headers.getall("Content-Type")[0]
    boundary = _parameters(header.partition(";")[1] + header.partition(";")[2]).get("boundary")
    if boundary is None or not _BOUNDARY.fullmatch(boundary):
        raise InvalidMessageError(f"Content-Type names no boundary; {expected}")
    return boundary.encode()


def _field_name(headers: str) -> str:
    """The name of a field, by its headers."""
    lines = (line.partition(":") for line in headers.split("\r\n"))
    values = {name.strip().lower(): value.strip() for name, _, value in lines}
    if values.get("content-transfer-encoding", "").lower() not in _PLAIN_ENCODINGS:
        raise InvalidMessageError(
            "fields of the form must be sent as they are, without Content-Transfer-Encoding"
        )
    kind, semicolon, rest = values.get("content-disposition", "").partition(";")
    name = _parameters(semicolon + rest).get("name")
    if kind.strip().lower() != "form-data" or name is None:
        raise InvalidMessageError(
            'every field of the form needs the header Content-Disposition: form-data; name="..."'
        )
    return name


def _parameters(text: str) -> dict[str, str]:
    """The parameters of a header; `text` is it from the first semicolon on. None when it is malformed."""
    found: dict[str, str] = {}
    position = 0
    while position < len(text):
        match = _PARAMETER.match(text, position)
        if match is None:
            return {}
        name, quoted, plain = match.groups()
        found.setdefault(name.lower(), plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
        position = match.end()
    return found


def _text(name: str, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise InvalidMessageError(f"`{name}` is not text in UTF-8", param=name) from None


def _too_large(allowed: str, name: str | None = None) -> InvalidMessageError:
    return InvalidMessageError(f"the form is too large: {allowed}", ErrorCode.BODY_TOO_LARGE, name)


def _shown(size: int) -> str:
    whole, rest = divmod(size, 1024 * 1024)
    return f"{size} bytes" if rest else f"{whole} MiB"
