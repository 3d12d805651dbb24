"""Forms with a file, as real clients send them and as they must not be."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import aiohttp
import httpx
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from realtime.errors import ERRORS, ErrorCode, InvalidMessageError, RealtimeError
from realtime.server.multipart import (
    MAX_HEADER_BYTES,
    MAX_OTHER_BYTES,
    MAX_PARTS,
    Form,
    FormLimits,
    FormParser,
    read_form,
)

LIMITS = FormLimits({"name": 100, "note": 2_000}, file_bytes=200_000)
MULTIPART = {"Content-Type": "multipart/form-data; boundary=b"}


def part(name: str, content: bytes, more: str = "") -> bytes:
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
    return head.encode() + content + b"\r\n"


def parse(*pieces: bytes, limits: FormLimits = LIMITS, boundary: bytes = b"b") -> Form:
    parser = FormParser(boundary, limits)
    for piece in pieces:
        parser.feed(piece)
    return parser.finish()


def cut(body: bytes, size: int) -> Iterator[bytes]:
    return (body[start : start + size] for start in range(0, len(body), size))


@asynccontextmanager
async def form_server(limits: FormLimits = LIMITS) -> AsyncIterator[str]:
    """A server that tells what it read; gives its address."""

    async def handle(request: web.Request) -> web.Response:
        try:
            form = await read_form(request, limits)
        except RealtimeError as error:
            told = {"error": error.message, "param": error.param}
            return web.json_response(told, status=ERRORS[error.code].http_status)
        size = None if form.file is None else len(form.file)
        return web.json_response({"fields": dict(form.fields), "file": size})

    app = web.Application()
    app.router.add_post("/", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


async def post(url: str, body: object, **more: object) -> tuple[int, dict[str, object]]:
    async with aiohttp.ClientSession() as http, http.post(url, data=body, **more) as answer:  # type: ignore[arg-type]
        return answer.status, await answer.json()


async def raw_post(url: str, length: int, body: bytes, hang_up: bool = False) -> bytes:
    """Send a form that says that it has `length` bytes; gives the first line of the answer."""
    to = httpx.URL(url)
    reader, writer = await asyncio.open_connection(to.host, to.port)
    try:
        headers = MULTIPART | {"Host": to.host, "Content-Length": str(length)}
        lines = ["POST / HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        writer.write("\r\n".join(lines).encode() + body)
        if hang_up:
            writer.write_eof()
        return await reader.readline()
    finally:
        writer.close()
        await writer.wait_closed()


class TestParser:
    BODY = (
        b"what stands before means nothing\r\n"
        + part("name", "Zoë\r\n--c".encode())
        + part("file", bytes(range(256)) * 3 + b"\r\n--", '; filename="../../etc/passwd; name=name"')
        + part("unknown", b"x" * 1000)
        + part("note", b"")
        + b"--b--\r\nnor what stands after"
    )

    def test_a_form_is_the_same_however_it_is_cut(self) -> None:
        whole = parse(self.BODY)
        assert whole.fields == {"name": "Zoë\r\n--c", "note": ""}
        assert whole.file == bytes(range(256)) * 3 + b"\r\n--"
        for size in (1, 2, 3, 7, 64, 500):
            assert parse(*cut(self.BODY, size)) == whole

    @given(st.binary(max_size=300), st.text(max_size=25), st.integers(1, 50))
    def test_whatever_is_in_it_comes_out(self, file: bytes, name: str, size: int) -> None:
        body = part("file", file) + part("name", name.encode()) + b"--b--\r\n"
        if b"\r\n--b" in file or "\r\n--b" in name:
            return  # the boundary must not be in a field
        form = parse(*cut(body, size))
        assert form.file == file and form.fields["name"] == name

    def test_headers_in_any_order_and_case(self) -> None:
        head = b"--b  \t\r\nX-Other: 1\r\ncontent-disposition:form-data;NAME=name\r\nX: text/plain\r\n\r\n"
        assert parse(head + b"v\r\n--b--").fields == {"name": "v"}

    @pytest.mark.parametrize(
        ("body", "complaint"),
        [
            (b"", "no form"),
            (b"just text", "no form"),
            (b"--c\r\n" + part("name", b"x").replace(b"--b", b"--c") + b"--c--", "no form"),
            (part("name", b"x"), "before its last boundary"),
            (part("name", b"x") + b"--b", "before its last boundary"),
            (b'--b\r\nContent-Disposition: form-data; name="name"', "before its last boundary"),
            (b"--bounds\r\n" + part("name", b"x"), "is none"),
            (b"--b" + b" " * 5000, "is none"),
            (b"--b\r\n\r\nx\r\n--b--", "Content-Disposition"),
            (b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--", "Content-Disposition"),
            (b"--b\r\nContent-Disposition: attachment; name=name\r\n\r\nx\r\n--b--", "Content-Disposition"),
            (b'--b\r\nContent-Disposition: form-data; name="name\r\n\r\nx\r\n--b--', "Content-Disposition"),
            (part("name", b"eA==", "\r\nContent-Transfer-Encoding: base64") + b"--b--", "Transfer-Encoding"),
            (b"--b\r\nX: " + b"x" * MAX_HEADER_BYTES, "headers of more than"),
            (b"--b\r\nX: " + b"x" * MAX_HEADER_BYTES + b"\r\n\r\n", "headers of more than"),
            (part("other", b"x") * (MAX_PARTS + 1), "more than 64 fields"),
        ],
    )
    def test_what_is_no_form(self, body: bytes, complaint: str) -> None:
        with pytest.raises(InvalidMessageError, match=complaint) as caught:
            parse(body)
        assert caught.value.code is ErrorCode.INVALID_MESSAGE

    @pytest.mark.parametrize(
        ("body", "param", "code"),
        [
            (part("name", b"x" * 101) + b"--b--", "name", ErrorCode.BODY_TOO_LARGE),
            (part("file", b"x" * 200_001) + b"--b--", "file", ErrorCode.BODY_TOO_LARGE),
            (part("name", b"a") + part("name", b"a"), "name", ErrorCode.INVALID_MESSAGE),
            (part("file", b"a") + part("file", b"a"), "file", ErrorCode.INVALID_MESSAGE),
            (part("name", b"\xff") + b"--b--", "name", ErrorCode.INVALID_MESSAGE),
        ],
    )
    def test_what_names_its_field(self, body: bytes, param: str, code: ErrorCode) -> None:
        with pytest.raises(InvalidMessageError) as caught:
            parse(body)
        assert (caught.value.param, caught.value.code) == (param, code)

    def test_fields_may_be_as_large_as_their_limits(self) -> None:
        form = parse(part("name", b"x" * 100) + part("file", b"y" * 200_000) + b"--b--")
        assert len(form.fields["name"]) == 100 and form.file == b"y" * 200_000

    def test_what_is_not_wanted_is_not_held(self) -> None:
        parser = FormParser(b"b", LIMITS)
        parser.feed(b'--b\r\nContent-Disposition: form-data; name="other"\r\n\r\n')
        chunk = b"x" * 65536
        tracemalloc.start()
        try:
            for _ in range(300):
                parser.feed(chunk)
            assert tracemalloc.get_traced_memory()[1] < 1_000_000
        finally:
            tracemalloc.stop()


class TestRequests:
    async def test_forms_of_real_clients(self) -> None:
        sound = bytes(range(256)) * 500
        async with form_server() as url:
            form = aiohttp.FormData({"name": "Zoë", "other": "ignored"})
            form.add_field("file", sound, filename="ä ö.wav", content_type="audio/wav")
            assert await post(url, form) == (200, {"fields": {"name": "Zoë"}, "file": len(sound)})
            async with httpx.AsyncClient() as http:
                answer = await http.post(
                    url, data={"note": "n"}, files={"file": ('a";.wav', sound, "audio/wav")}
                )
                assert answer.json() == {"fields": {"note": "n"}, "file": len(sound)}
            command = ("-sS", "-F", "name=Zoë", "-F", "file=@-;filename=x.wav", url)
            curl = await asyncio.create_subprocess_exec(
                "curl", *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
            )
            output, _ = await curl.communicate(sound)
            assert curl.returncode == 0 and b'"file": 128000' in output

    @pytest.mark.parametrize(
        "content_type",
        [
            "application/json",
            "application/x-www-form-urlencoded",
            "multipart/mixed; boundary=b",
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=" + "x" * 71,
            'multipart/form-data; boundary="b',
            "rubbish",
        ],
    )
    async def test_what_is_not_a_form_is_told_what_to_send(self, content_type: str) -> None:
        async with form_server() as url:
            status, told = await post(url, b"{}", headers={"Content-Type": content_type})
        assert status == 400 and "multipart/form-data" in str(told["error"])

    async def test_a_form_that_says_that_it_is_too_large_is_not_read(self) -> None:
        async with form_server() as url:
            assert b" 413 " in await raw_post(url, LIMITS.total + 1, b"")

    async def test_one_that_does_not_say_so_is_read_to_its_limit(self) -> None:
        async def endless() -> AsyncIterator[bytes]:
            yield b'--b\r\nContent-Disposition: form-data; name="other"\r\n\r\n'
            for _ in range(200):
                yield b"x" * 65536

        async with form_server() as url:
            status, told = await post(url, endless(), headers=MULTIPART)
        assert status == 413 and "too large" in str(told["error"])

    async def test_a_bomb_counts_as_what_it_becomes(self) -> None:
        bomb = gzip.compress(part("other", bytes(50 * MAX_OTHER_BYTES)))
        assert len(bomb) < MAX_OTHER_BYTES
        async with form_server() as url:
            headers = MULTIPART | {"Content-Encoding": "gzip"}
            status, told = await post(url, bomb, headers=headers)
            assert status == 413 and "too large" in str(told["error"])
            status, told = await post(url, b"no gzip at all", headers=headers)
            assert status == 400

    async def test_a_client_that_hangs_up_or_lies_harms_nobody(self) -> None:
        body = part("file", b"x" * 1000) + b"--b--\r\n"
        async with form_server() as url:
            assert b" 400 " in await raw_post(url, len(body) - 20, body)
            assert await raw_post(url, len(body) + 1000, body, hang_up=True) == b""
            assert await post(url, body, headers=MULTIPART) == (200, {"fields": {}, "file": 1000})
