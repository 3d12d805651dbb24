"""Connections come and go, in every way: no task, no socket and no allowance is left."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import psutil
import pytest

from tests.conftest import Serve
from tests.rtc_client import ROUTE, SDP, RtcClient, rtc_client
from tests.server.webrtc.test_connection import until_gone
from tests.wire_client import eventually, open_client


async def spoken(client: RtcClient) -> None:
    """Something is heard."""
    await client.connect()
    client.send(type="text", text="One two three. ")
    await client.until("playback", state="playing")


async def hung_up(url: str) -> None:
    async with rtc_client(url) as client:
        await spoken(client)
        await client.hang_up()


async def closed(url: str) -> None:
    async with rtc_client(url) as client:
        await spoken(client)


async def vanished(url: str) -> None:
    async with rtc_client(url) as client:
        await spoken(client)
        await client.vanish()


async def never_connected(url: str) -> None:
    async with rtc_client(url) as client, aiohttp.ClientSession() as http:
        async with http.post(url + ROUTE, data=await client.offer(), headers={"Content-Type": SDP}) as answer:
            assert answer.status == 201


async def deleted_before_it_connected(url: str) -> None:
    async with rtc_client(url) as client:
        response = await client.post(await client.offer())
        client.location = response.headers["Location"]
        assert await client.hang_up() == 204


async def tied(url: str) -> None:
    async with open_client(url) as backend, rtc_client(url, label=None) as browser:
        await backend.send("session.start", audio="rtc")
        await browser.connect((await backend.until("session.ready"))["rtc_token"])
        await backend.until("track")


async def begun_anew(url: str) -> None:
    async with rtc_client(url) as client:
        await spoken(client)
        await client.restart_ice()


WAYS = [hung_up, closed, vanished, never_connected, deleted_before_it_connected, tied, begun_anew]


@pytest.mark.parametrize("way", WAYS)
async def test_nothing_is_left(serve_tone: Serve, way: Callable[[str], Awaitable[None]]) -> None:
    async with serve_tone(rtc_connect_s=1.0, rtc_lost_s=1.0) as server:
        await way(server.url)  # what is made once
        await until_gone(server)
        tasks, descriptors = await settled(), psutil.Process().num_fds()
        for _ in range(3):
            await way(server.url)
        await until_gone(server)
        await eventually(lambda: len(asyncio.all_tasks()) <= tasks)
        await eventually(lambda: psutil.Process().num_fds() <= descriptors)


async def settled() -> int:
    """How many tasks there are when none ends any more."""
    counts: list[int] = []
    while len(counts) < 5 or len(set(counts[-5:])) > 1:
        counts.append(len(asyncio.all_tasks()))
        await asyncio.sleep(0.1)
    return counts[-1]


async def test_a_server_that_ends_ends_them_all(serve_tone: Serve) -> None:
    """Whatever they are at: connecting, connected, leading a session."""
    tasks = len(asyncio.all_tasks())
    async with serve_tone() as server, rtc_client(server.url) as speaks, rtc_client(server.url) as waits:
        await spoken(speaks)
        assert (await waits.post(await waits.offer())).status == 201
        peers = server.peers
    assert peers is not None and not peers.count
    await eventually(lambda: len(asyncio.all_tasks()) <= tasks)
