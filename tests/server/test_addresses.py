"""Limits per address: whose a request is, that nobody can be somebody else, that the table stays small."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from realtime.errors import ConfigError
from realtime.server.addresses import (
    MOST_HOPS,
    Address,
    Addresses,
    AddressLimits,
    client_address,
    counted_as,
    parse_address,
    trusted_proxies,
)
from realtime.server.errors import RateLimitedError
from realtime.server.keys import KeyLimits, load_keys
from tests.server.small_server import Small, StillClock, error_of, hello, small_server
from tests.wire_client import eventually

KEY = "sk-one-0123456789"


def limits(concurrency: int = 0, requests_per_minute: int = 0, proxies: str | None = None) -> AddressLimits:
    return AddressLimits(KeyLimits(concurrency, requests_per_minute), trusted_proxies(proxies))


def ip(text: str) -> Address:
    return ipaddress.ip_address(text)


@contextlib.asynccontextmanager
async def client(
    server: Small, local: str = "127.0.0.1", *forwarded: str, key: str | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """A client at an address of its own: all of 127.0.0.0/8 are this machine's."""
    headers = [("X-Forwarded-For", each) for each in forwarded]
    if key is not None:
        headers.append(("Authorization", f"Bearer {key}"))
    transport = httpx.AsyncHTTPTransport(local_address=local)
    async with httpx.AsyncClient(base_url=server.url, headers=headers, transport=transport) as http:
        yield http


class TestProxies:
    @pytest.mark.parametrize(
        ("listed", "trusted", "others"),
        [
            (None, [], ["127.0.0.1", "::1"]),
            ("10.0.0.1", ["10.0.0.1"], ["10.0.0.2", "::1", "::a00:1"]),
            ("10.0.0.0/8, 2001:db8::/32", ["10.9.8.7", "2001:db8::1"], ["11.0.0.1", "2001:db9::"]),
            ("::ffff:10.0.0.0/104", ["10.1.1.1"], ["11.0.0.1"]),
            ("::ffff:10.0.0.1", ["10.0.0.1"], ["10.0.0.2"]),
            ("0.0.0.0/0,::/0", ["1.2.3.4", "fe80::1%eth0"], []),
            ("unix,127.0.0.1", ["127.0.0.1"], ["127.0.0.2"]),
        ],
    )
    def test_who_is_one(self, listed: str | None, trusted: list[str], others: list[str]) -> None:
        proxies = trusted_proxies(listed)
        assert all(proxies.trusts(ip(each)) for each in trusted)
        assert not any(proxies.trusts(ip(each)) for each in others)
        assert proxies.unix == ("unix" in (listed or ""))

    @pytest.mark.parametrize(
        ("listed", "wrong"),
        [
            ("localhost", "localhost"),
            ("10.0.0.1,", ""),
            ("10.0.0.1 10.0.0.2", "10.0.0.1 10.0.0.2"),
            ("10.0.0.1/8", "10.0.0.1/8"),
            ("10.0.0.0/33", "10.0.0.0/33"),
            ("10.0.0.1:80", "10.0.0.1:80"),
            ("none,10.0.0.1", "none"),
            ("10.0.0", "10.0.0"),
            ("*", "*"),
        ],
    )
    def test_what_is_none_stops_the_start_with_one_line(self, listed: str, wrong: str) -> None:
        with pytest.raises(ConfigError) as refused:
            trusted_proxies(listed)
        message = refused.value.message
        assert message.startswith("TRUSTED_PROXIES must be ") and message.endswith(f", not {wrong!r}")
        assert "\n" not in message


class TestWhose:
    @pytest.mark.parametrize(
        ("peer", "forwarded", "expected"),
        [
            # Nobody who is not trusted can be somebody else.
            ("1.2.3.4", ["9.9.9.9"], "1.2.3.4"),
            ("1.2.3.4", [], "1.2.3.4"),
            ("::ffff:1.2.3.4", ["9.9.9.9"], "1.2.3.4"),
            # A proxy of ours, and what the client had said before it.
            ("10.0.0.1", ["9.9.9.9"], "9.9.9.9"),
            ("10.0.0.1", ["6.6.6.6, 9.9.9.9"], "9.9.9.9"),
            ("10.0.0.1", ["10.0.0.7, 9.9.9.9"], "9.9.9.9"),
            ("10.0.0.1", ["rubbish, 9.9.9.9"], "9.9.9.9"),
            ("10.0.0.1", ["6.6.6.6", "9.9.9.9"], "9.9.9.9"),
            ("::ffff:10.0.0.1", ["::ffff:9.9.9.9"], "9.9.9.9"),
            # Several proxies of ours, in one header or in two.
            ("10.0.0.1", ["6.6.6.6, 9.9.9.9, 10.0.0.3, 10.0.0.2"], "9.9.9.9"),
            ("10.0.0.1", ["9.9.9.9,10.0.0.3", "10.0.0.2"], "9.9.9.9"),
            ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            # With ports, in brackets, with spaces.
            ("10.0.0.1", [" 9.9.9.9:4711 "], "9.9.9.9"),
            ("10.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
            ("10.0.0.1", ["[2001:db8::1]"], "2001:db8::1"),
            ("10.0.0.1", ["2001:db8::1"], "2001:db8::1"),
            # What cannot be read.
            ("10.0.0.1", ["rubbish"], "10.0.0.1"),
            ("10.0.0.1", [""], "10.0.0.1"),
            ("10.0.0.1", ["9.9.9.9,"], "10.0.0.1"),
            ("10.0.0.1", ["9.9.9.9, unknown, 10.0.0.2"], "10.0.0.1"),
            ("10.0.0.1", ["9.9.9.9, 10.0.0.300"], "10.0.0.1"),
            ("10.0.0.1", ["\udcff"], "10.0.0.1"),
            # Over the Unix domain socket.
            (None, ["9.9.9.9"], None),
        ],
    )
    def test_behind_proxies(self, peer: str | None, forwarded: list[str], expected: str | None) -> None:
        address = client_address(peer, forwarded, trusted_proxies("10.0.0.0/8"))
        assert address == (None if expected is None else ip(expected))

    def test_a_proxy_on_the_unix_socket(self) -> None:
        proxies = trusted_proxies("unix, 10.0.0.0/8")
        assert client_address(None, ["6.6.6.6, 9.9.9.9, 10.0.0.1"], proxies) == ip("9.9.9.9")
        assert client_address(None, ["rubbish"], proxies) is None
        assert client_address(None, [], proxies) is None
        assert client_address("1.1.1.1", ["9.9.9.9"], proxies) == ip("1.1.1.1")

    def test_of_an_endless_header_the_end_counts(self) -> None:
        proxies = trusted_proxies("10.0.0.0/8")
        endless = ", ".join(["10.0.0.1"] * 10_000)
        assert client_address("10.0.0.1", [f"9.9.9.9, {endless}"], proxies) == ip("10.0.0.1")
        assert client_address("10.0.0.1", [endless] * 100 + ["9.9.9.9"], proxies) == ip("9.9.9.9")
        hops = ", ".join(["10.0.0.1"] * (MOST_HOPS - 1))
        assert client_address("10.0.0.1", [f"9.9.9.9, {hops}"], proxies) == ip("9.9.9.9")

    @given(st.ip_addresses(), st.integers(0, 65_535) | st.none(), st.sampled_from(["", " ", "\t"]))
    def test_every_address_is_read(self, address: Address, port: int | None, space: str) -> None:
        text = str(address)
        if port is not None:
            text = f"[{text}]:{port}" if address.version == 6 else f"{text}:{port}"
        mapped = getattr(address, "ipv4_mapped", None)
        assert parse_address(space + text + space) == (mapped or address)

    @given(st.ip_addresses(v=4))
    def test_a_mapped_address_is_the_one_it_stands_for(self, address: ipaddress.IPv4Address) -> None:
        assert parse_address(f"::ffff:{address}") == address

    @given(st.text(alphabet="0123456789abcdef:.[]/% x\udcff²", max_size=50) | st.text())
    def test_anything_else_is_none_and_no_failure(self, text: str) -> None:
        address = parse_address(text)
        assert address is None or str(address) in text.lower() or ":" in text

    @given(st.ip_addresses(), st.ip_addresses(), st.lists(st.text(max_size=20), max_size=5))
    def test_nothing_that_a_client_sends_changes_what_a_proxy_tells(
        self, proxy: Address, told: Address, sent: list[str]
    ) -> None:
        told = parse_address(str(told)) or told
        proxies = trusted_proxies(str(proxy))
        forwarded = [*(text.replace(",", "") for text in sent), str(told)]
        if not proxies.trusts(told):
            assert client_address(str(proxy), [", ".join(forwarded)], proxies) == told
            assert client_address(str(proxy), forwarded, proxies) == told

    def test_what_counts_as_one(self) -> None:
        together = counted_as(ip("2001:db8:0:1::1")), counted_as(ip("2001:db8:0:1:ffff::"))
        assert together[0] == together[1]
        apart = ["2001:db8:0:2::1", "::1", "0.0.0.1", "1.2.3.4", "1.2.3.5", "255.255.255.255", "::1:0:0:0:0"]
        assert len({counted_as(ip(each)) for each in apart}) == len(apart)


class TestLimits:
    async def test_the_rate_is_one_for_all_connections_of_an_address(self) -> None:
        clock = StillClock()
        async with small_server(addresses=limits(requests_per_minute=6), clock=clock) as server:
            for _ in range(6):
                async with client(server) as http:
                    assert (await http.post("/v1/echo")).status_code == 200
            async with client(server) as http, client(server, "127.0.0.2") as other:
                refused = await http.post("/v1/echo")
                assert refused.status_code == 429 and refused.headers["Retry-After"] == "11"
                error = error_of(refused.content)
                assert error["code"] == "rate_limited" and "this address" in error["message"]
                assert (await other.post("/v1/echo")).status_code == 200
                assert (await http.get("/health")).status_code == 200
                assert (await http.get("/")).status_code == 200
                clock.time += 10
                assert (await http.post("/v1/echo")).status_code == 200
                assert (await http.post("/v1/echo")).status_code == 429

    async def test_requests_and_sessions_at_the_same_time_count_together(self) -> None:
        go = asyncio.Event()
        inside = 0

        async def wait(request: web.Request) -> web.StreamResponse:
            nonlocal inside
            inside += 1
            await go.wait()
            return await hello(request)

        async with small_server({"GET /v1/x": wait}, addresses=limits(concurrency=50)) as server:
            uri = server.url.replace("http", "ws") + "/v1/ws"
            async with contextlib.AsyncExitStack() as stack:
                for _ in range(25):
                    await stack.enter_async_context(connect(uri))
                https = [await stack.enter_async_context(client(server)) for _ in range(25)]
                waiting = [asyncio.create_task(http.get("/v1/x")) for http in https]
                await eventually(lambda: inside == 25)
                async with client(server) as http, client(server, "127.0.0.9") as other:
                    refused = await http.post("/v1/echo")
                    assert refused.status_code == 429 and refused.headers["Retry-After"] == "1"
                    assert (await other.post("/v1/echo")).status_code == 200
                with pytest.raises(InvalidStatus) as no_socket:
                    await connect(uri)
                assert no_socket.value.response.status_code == 429
                go.set()
                assert {answer.status_code for answer in await asyncio.gather(*waiting)} == {200}
            async with client(server) as http, asyncio.timeout(5):
                # The server hears of the end of a session when it has answered the closing handshake.
                while (await http.post("/v1/echo")).status_code == 429:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)

    async def test_who_guesses_keys_comes_to_an_end(self) -> None:
        ring = load_keys(KEY, None, KeyLimits())
        clock = StillClock()
        async with small_server(ring=ring, addresses=limits(0, 3), clock=clock) as server:
            async with client(server, key="wrong") as guessing, client(server, key=KEY) as knowing:
                assert [(await guessing.post("/v1/echo")).status_code for _ in range(3)] == [401] * 3
                assert (await guessing.post("/v1/echo")).status_code == 429
                assert (await knowing.post("/v1/echo")).status_code == 429
            async with client(server, "127.0.0.2", key=KEY) as elsewhere:
                assert (await elsewhere.post("/v1/echo")).status_code == 200

    async def test_behind_a_proxy_each_client_has_its_own(self) -> None:
        rules = limits(0, 1, proxies="127.0.0.1")
        async with small_server(addresses=rules, clock=StillClock()) as server:
            for told, status in (("9.9.9.1", 200), ("9.9.9.2", 200), ("9.9.9.1", 429), ("x, 9.9.9.2", 429)):
                async with client(server, "127.0.0.1", told) as http:
                    assert (await http.post("/v1/echo")).status_code == status
            for told, status in (("9.9.9.3", 200), ("9.9.9.4", 429)):  # not by the proxy: no such luck
                async with client(server, "127.0.0.2", told) as http:
                    assert (await http.post("/v1/echo")).status_code == status

    async def test_headers_of_any_bytes_are_no_failure(self) -> None:
        rules = limits(0, 1, proxies="127.0.0.1")
        async with small_server(addresses=rules, clock=StillClock()) as server:
            statuses = []
            for header in (b"\xff\xfe", b",,,", b"[", b"1.2.3.4:", b"%"):
                async with httpx.AsyncClient(base_url=server.url) as http:
                    answer = await http.post("/v1/echo", headers=[(b"X-Forwarded-For", header)])
                    statuses.append(answer.status_code)
            assert statuses == [200, 429, 429, 429, 429]

    @pytest.fixture
    def folder(self) -> Iterator[Path]:
        made = Path(tempfile.mkdtemp(prefix="rt-"))
        yield made
        shutil.rmtree(made)

    @pytest.mark.parametrize(("proxies", "second"), [(None, 200), ("unix", 429)])
    async def test_over_a_unix_socket_only_what_a_proxy_tells(
        self, folder: Path, proxies: str | None, second: int
    ) -> None:
        rules = limits(0, 1, proxies=proxies)
        async with small_server(addresses=rules, host=None, uds=folder / "s", clock=StillClock()):
            transport = httpx.AsyncHTTPTransport(uds=str(folder / "s"))
            async with httpx.AsyncClient(base_url="http://localhost", transport=transport) as http:
                told = {"X-Forwarded-For": "9.9.9.9"}
                assert (await http.post("/v1/echo", headers=told)).status_code == 200
                assert (await http.post("/v1/echo", headers=told)).status_code == second
                assert [(await http.post("/v1/echo")).status_code for _ in range(3)] == [200] * 3


class TestTable:
    def test_addresses_that_rested_are_forgotten(self) -> None:
        clock = StillClock()
        addresses = Addresses(KeyLimits(2, 60), clock)
        for number in range(10_000):
            with addresses.allowance(ip(f"10.{number >> 8}.{number & 255}.1")).taken():
                pass
            clock.time += 0.01  # the last hundred are not full again
        assert len(addresses) < 300

    def test_what_is_under_way_is_never_forgotten_however_many_come(self) -> None:
        addresses = Addresses(KeyLimits(1, 1000), StillClock(), most=10)
        with addresses.allowance(ip("1.1.1.1")).taken():
            for number in range(1000):
                with addresses.allowance(ip(f"10.0.{number >> 8}.{number & 255}")).taken():
                    assert len(addresses) <= 10
            with pytest.raises(RateLimitedError), addresses.allowance(ip("1.1.1.1")).taken():
                pass

    @given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 40)), max_size=100))
    def test_to_be_forgotten_gives_nobody_more(self, uses: list[tuple[int, float]]) -> None:
        """Two tables, of which one never forgets, refuse the same."""
        clock = StillClock()
        forgetting = Addresses(KeyLimits(0, 3), clock)
        keeping = {number: forgetting.__class__(KeyLimits(0, 3), clock) for number in range(6)}

        def taken(addresses: Addresses, number: int) -> bool:
            try:
                with addresses.allowance(ip(f"10.0.0.{number}")).taken():
                    return True
            except RateLimitedError:
                return False

        for number, wait in uses:
            clock.time += wait
            assert taken(forgetting, number) == taken(keeping[number], number)
