"""realtime.js in a real Chromium, when the network, the server or the key is not as it should be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from bench.server import free_port
from realtime.app import Server, running
from tests.cutting_proxy import Fault, cutting
from tests.web.client_page import OPEN_TONE, ClientPage, client_page
from tests.wire_client import WireClient, eventually, open_client

pytestmark = pytest.mark.asyncio(loop_scope="session")
#: Exchanges at a time. Chromium makes a page wait that opens many connections, or has many refused.
AT_ONCE = 6
KEY = "a-key-of-the-tests"
TEXT = "One two three. Four five six. Seven eight nine. "


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def server() -> AsyncIterator[Server]:
    async with running(OPEN_TONE) as listening:
        yield listening


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def client(chromium: Browser, server: Server) -> AsyncIterator[ClientPage]:
    async with client_page(chromium, server.url) as page:
        yield page


# -- no session ------------------------------------------------------------------------------------------


async def test_the_server_that_it_came_from(client: ClientPage) -> None:
    told = await client.run("life")
    assert told["engine"] == "tone"


async def test_addresses(client: ClientPage, server: Server) -> None:
    good = [server.url, server.url.replace("http", "ws") + "/", f"{server.url}/v1/audio/speech/ws", "/"]
    assert await client.run("addresses", good) == [None] * 4
    told = await client.run("addresses", ["ftp://example.org", "http://["])
    assert "begins with ws" in told[0] and "no URL" in told[1]


async def test_no_server_is_there(client: ClientPage) -> None:
    told = await client.run("refused", f"http://127.0.0.1:{free_port()}", {})
    error = told["ready"]["error"]
    assert error["name"] == "RealtimeError" and error["code"] == "connection_failed"
    assert "no server runs there" in error["message"] and "ALLOWED_ORIGINS" in error["message"]
    assert told["told"] == [error, {"state": "closed", "reason": error["message"]}]
    assert told["finished"]["error"] == error and told["errors"] == [error]


async def test_something_else_is_there(client: ClientPage, server: Server) -> None:
    told = await client.run("refused", f"{server.url}/other", {})
    assert told["ready"]["error"]["code"] == "not_found"


async def test_keys(client: ClientPage) -> None:
    async with running(replace(OPEN_TONE, api_keys=KEY)) as server:
        for options in ({}, {"apiKey": KEY + "x"}):
            told = await client.run("refused", server.url, options)
            assert (
                told["ready"]["error"]["code"] == "unauthorized"
                and "key" in told["ready"]["error"]["message"]
            )
        told = await client.run("refused", server.url, {"apiKey": KEY + '"'})
        assert told["ready"]["error"]["code"] == "connection_failed"
        begun = await client.run("begin", server.url, {"apiKey": KEY}, "k", "Hello.")
        assert begun["session_id"]
        assert (await client.run("finish", "k", True))["finished"]["value"]["reason"] == "completed"


async def test_a_page_that_may_not(chromium: Browser, server: Server) -> None:
    async with running(replace(OPEN_TONE, allowed_origins="none")) as closed:
        for bypass in (True, False):
            async with client_page(chromium, server.url, bypass) as client:
                told = await client.run("refused", closed.url, {})
            message = told["ready"]["error"]["message"]
            assert "ALLOWED_ORIGINS" in message and "connect-src" in message


async def test_no_room(client: ClientPage) -> None:
    async with running(replace(OPEN_TONE, max_sessions=1)) as server:
        await client.run("begin", server.url, {}, "first", "Hello.")
        told = await client.run("refused", server.url, {})
        assert told["ready"]["error"]["code"] == "queue_full" and told["ready"]["error"]["retryAfterMs"] > 0
        await client.run("finish", "first", True)


async def test_a_first_message_that_is_refused(client: ClientPage, server: Server) -> None:
    told = await client.run("refused", server.url, {"voice": "nobody"})
    assert told["ready"]["error"]["code"] == "unknown_voice"
    await eventually(lambda: server.registry.count == 0)


# -- a session that is lost ------------------------------------------------------------------------------


async def test_it_is_taken_up_again(client: ClientPage, server: Server) -> None:
    await client.run("begin", server.url, {}, "whole", TEXT)
    await client.run("more", "whole", TEXT)
    whole = await client.run("finish", "whole", True)
    async with cutting(server.url, Fault(down=6000)) as proxy:
        await client.run("begin", proxy.url, {}, "cut", TEXT)
        await client.run("takenUp", "cut", 1)
        proxy.cut_all()
        await client.run("takenUp", "cut", 2)
        await client.run("more", "cut", TEXT)
        cut = await client.run("finish", "cut", True)
    assert cut["frames"] == whole["frames"] and cut["words"] == whole["words"]
    assert cut["resumed"] == 2 and cut["replayed"] > 0 and cut["errors"] == []
    assert cut["told"] == [
        "open",
        *(["lost", 0], "open", ["resumed", "open"]),
        *(["lost", 0], "open", ["resumed", "open"]),
    ]


@asynccontextmanager
async def taken_over(server: Server, begun: dict[str, str]) -> AsyncIterator[WireClient]:
    """Another connection, which has taken up a session of the page, and ends it."""
    async with open_client(server.url) as other:
        resume = {"session_id": begun["session_id"], "token": begun["resume_token"], "last": {}}
        await other.send("session.start", resume=resume)
        assert (await other.until("session.ready"))["resumed"] is True
        yield other


async def test_another_has_taken_it(client: ClientPage, server: Server) -> None:
    begun = await client.run("begin", server.url, {}, "mine", TEXT)
    async with taken_over(server, begun) as other:
        mine = await client.run("finish", "mine", False)
        assert mine["told"][0] == "open" and mine["told"][2] == "closed" and len(mine["told"]) == 3
        assert mine["told"][1][1]["code"] == "taken_over" and mine["told"][1][1]["closeCode"] == 4001
        assert mine["finished"]["error"]["code"] == "taken_over" and mine["resumed"] == 0
        await asyncio.sleep(0.3)
        await other.pong()  # it is not taken back


async def test_it_is_not_taken_up_where_that_is_not_wanted(client: ClientPage, server: Server) -> None:
    async with cutting(server.url) as proxy:
        await client.run("begin", proxy.url, {"resume": False}, "lost", TEXT)
        proxy.cut_all()
        told = await client.run("finish", "lost", False)
    assert told["finished"]["error"]["code"] == "connection_lost" and told["state"] == "closed"
    assert [each for each in told["told"] if isinstance(each, str)] == ["open", "closed"]


async def test_a_server_that_does_not_come_back(client: ClientPage) -> None:
    async with running(replace(OPEN_TONE, resume_window_s=1)) as going:
        async with cutting(going.url) as proxy:
            await client.run("begin", proxy.url, {}, "lost", TEXT)
        told = await client.run("finish", "lost", False)
    error = told["finished"]["error"]
    assert error["code"] == "connection_lost" and "no server runs there" in error["message"]
    tries = [each[1] for each in told["told"] if each[0] == "lost"]
    assert tries[0] == 0 and 3 <= len(tries) <= 7 and tries[-1] > tries[1] > 0
    assert told["told"][-1] == "closed" and told["resumed"] == 0


async def test_a_session_that_the_server_has_forgotten(client: ClientPage, server: Server) -> None:
    async with cutting(server.url) as proxy:
        begun = await client.run("begin", proxy.url, {}, "forgotten", TEXT)
        proxy.faults.append(Fault(up=0))
        proxy.cut_all()
        await eventually(lambda: len(proxy.connections) >= 2)
        async with taken_over(server, begun):
            pass
        told = await client.run("finish", "forgotten", False)
    assert told["finished"]["error"]["code"] == "resume_failed"


async def test_the_server_goes_away(client: ClientPage) -> None:
    async with running(OPEN_TONE) as going:
        await client.run("begin", going.url, {}, "last", "One two. ")
        draining = asyncio.create_task(going.drain(10))
        await client.run("more", "last", "Three.")
        told = await client.run("finish", "last", True)
        await draining
    assert told["told"] == ["open", ["closing", "shutdown", 10_000]]
    assert told["finished"]["value"]["reason"] == "completed" and len(told["words"]) == 3


async def test_the_server_goes_away_before_the_end(client: ClientPage) -> None:
    async with running(OPEN_TONE) as going:
        await client.run("begin", going.url, {}, "cut off", "One two. ")
        await going.drain(0.1)
    told = await client.run("finish", "cut off", False)
    assert told["finished"]["error"]["code"] == "session_closed"
    assert told["finished"]["error"]["closeCode"] == 1001
    assert told["told"][:2] == ["open", ["closing", "shutdown", 100]]


async def test_nothing_is_said_for_long(client: ClientPage) -> None:
    async with running(replace(OPEN_TONE, idle_timeout_s=1)) as idle:
        await client.run("begin", idle.url, {}, "idle", "One two. ")
        told = await client.run("finish", "idle", False)
    assert told["told"] == ["open", ["closing", "idle", 0], "closed"]
    assert told["finished"]["error"]["code"] == "session_closed"


async def test_a_context_that_the_server_has_ended(
    client: ClientPage, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime.session.turns.SILENT_HEAD_S", 0.3)
    async with cutting(server.url) as proxy:
        told = await client.run("endedEarly", proxy.url, False)
        # As far as the second context's opening: what comes behind that is lost.
        down = b"".join(proxy.connections[0].down.passed)
    assert told["late"]["code"] == told["afterwards"]["code"] == "context_closed"
    assert [each["value"]["reason"] for each in told["ends"]] == ["completed"] * 2
    whole = [each["frames"] for each in told["told"]]
    async with cutting(server.url, Fault(down=down.index(b"context-1"), stalls=True)) as proxy:
        told = await client.run("endedEarly", proxy.url, True)
    assert told["resumed"] == 1 and told["late"] is None
    assert [each["code"] for each in told["told"][0]["errors"]] == ["context_closed"]
    assert told["afterwards"]["code"] == "context_closed" and "10 s" in told["afterwards"]["message"]
    assert [each["value"]["reason"] for each in told["ends"]] == ["completed"] * 2
    assert [each["frames"] for each in told["told"]] == whole


# -- a network that is cut anywhere ----------------------------------------------------------------------


async def outcomes(
    client: ClientPage, server: Server, exchange: str, cases: Sequence[Sequence[Fault]], **options: object
) -> list[dict[str, Any]]:
    """What comes of an exchange with each of these faults."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(faults: Sequence[Fault]) -> dict[str, Any]:
        async with turn, cutting(server.url, *faults) as proxy:
            told: dict[str, Any] = await client.run("exchange", proxy.url, options, exchange)
            return told

    return await asyncio.gather(*map(one, cases))


async def course(client: ClientPage, server: Server, exchange: str) -> tuple[Any, int, int, int, int]:
    """What comes of it when nothing is cut; bytes of the beginning, and of all, up and down."""
    async with cutting(server.url) as proxy:
        told = await client.run("exchange", proxy.url, {}, exchange)
        assert told["resumed"] == 0 and told["errors"] == []
        passed = proxy.connections[0]
        up, down = passed.up, passed.down
        begin_up = sum(map(len, up.passed[:2]))
        begin_down = sum(map(len, down.passed[:2]))
        return told["facts"], begin_up, up.count, begin_down, down.count


def spread(begin: int, end: int, count: int) -> list[int]:
    return [begin + (end - begin) * each // count for each in range(1, count)]


@pytest.mark.parametrize("exchange", ["speaking", "controlling", "draining"])
async def test_a_cut_anywhere_changes_nothing(client: ClientPage, server: Server, exchange: str) -> None:
    expected, begin_up, up, begin_down, down = await course(client, server, exchange)
    cases = [[Fault(up=cut)] for cut in spread(begin_up, up - 40, 16)]
    cases += [[Fault(down=cut)] for cut in spread(begin_down, down - 100, 16)]
    told = await outcomes(client, server, exchange, cases)
    for faults, each in zip(cases, told, strict=True):
        assert each["facts"] == expected, faults
        assert each["errors"] == []
    assert sum(each["resumed"] == 1 for each in told) > 0.8 * len(cases)


async def test_cuts_on_every_connection(client: ClientPage, server: Server) -> None:
    expected, begin_up, _, begin_down, _ = await course(client, server, "controlling")
    up = begin_up + 200  # the first message of a resumption is longer
    cases = [[Fault(up=up + cut + 25 * n) for n in range(12)] for cut in range(1, 80, 13)]
    cases += [[Fault(down=begin_down + cut + 300 * n) for n in range(12)] for cut in range(1, 300, 47)]
    told = await outcomes(client, server, "controlling", cases)
    assert [each["facts"] == expected for each in told] == [True] * len(cases)
    assert max(each["resumed"] for each in told) > 2


async def test_a_network_that_stalls(client: ClientPage, server: Server) -> None:
    expected, begin_up, up, begin_down, down = await course(client, server, "controlling")
    cases = [[Fault(up=cut, stalls=True)] for cut in spread(begin_up, up - 40, 8)]
    cases += [[Fault(down=cut, stalls=True)] for cut in spread(begin_down, down - 100, 8)]
    told = await outcomes(client, server, "controlling", cases, stallMs=400)
    assert [each["facts"] == expected for each in told] == [True] * len(cases)
    assert sum(each["resumed"] >= 1 for each in told) > 0.7 * len(cases)
