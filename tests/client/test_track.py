"""The client's peer connection: what it hears, what is known of that, and what goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest
from msgspec.structs import replace

from realtime.app import Server
from realtime.client import ConnectionFailedError, Session, SessionClosedError, SessionRefusedError, connect
from realtime.client.track import SAMPLE_RATE, HeardTrack, hear
from tests.conftest import Serve
from tests.wire_client import Sound, eventually


@asynccontextmanager
async def heard_session(url: str) -> AsyncIterator[tuple[Session, list[Sound]]]:
    """A session, and what its track brings."""
    async with connect(url, audio="rtc", timestamps="word") as session, hear(session) as track:
        sounds: list[Sound] = []
        taking = asyncio.create_task(_take(track, sounds))
        try:
            yield session, sounds
        finally:
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)


async def _take(track: HeardTrack, sounds: list[Sound]) -> None:
    async for pcm in track:
        sounds.append(pcm)


def audible_s(sounds: list[Sound]) -> float:
    """Seconds of 20 ms that are no silence."""
    return sum(len(pcm) for pcm in sounds if np.abs(pcm).max() > 1e-3) / SAMPLE_RATE


async def test_a_context_is_heard(server: Server) -> None:
    async with heard_session(server.url) as (session, sounds):
        await eventually(lambda: session.has_listener)
        context = session.open()
        await context.send("One two three four. ")
        await context.end()
        await context.heard()
        assert context.playback is not None and context.done is not None
        assert context.playback.played_ms == context.done.audio_ms
        assert [word.text for word in context.words] == ["One", "two", "three", "four."]
        assert [chunk async for chunk in context] == [], "its frames went over the track"
        await asyncio.sleep(0.3)
        assert all(pcm.shape == (960,) for pcm in sounds)
        assert 0.5 < audible_s(sounds) <= context.done.audio_ms / 1000 + 0.1


async def test_a_barge_in_needs_no_report(server: Server) -> None:
    async with heard_session(server.url) as (session, _):
        context = session.open()
        await context.send("One two three four five six seven eight nine ten. ")
        await eventually(lambda: context.playback is not None and context.playback.played_ms > 900)
        cut = await context.cancel()
        assert cut.played_ms > 900 and cut.text_spoken and cut.text_remaining
        await context.heard()


async def test_nothing_to_say_is_heard_at_once(server: Server) -> None:
    async with heard_session(server.url) as (session, _):
        context = session.open()
        await context.send("...")
        await context.end()
        await context.heard()


async def test_who_leaves_is_told_to_the_session(server: Server) -> None:
    async with connect(server.url, audio="rtc") as session:
        async with hear(session):
            await eventually(lambda: session.has_listener)
        await eventually(lambda: not session.has_listener)


async def test_a_session_that_ends_is_not_waited_for(server: Server) -> None:
    async with heard_session(server.url) as (session, _):
        context = session.open()
        await context.send("One two three four five six. ")
        heard = asyncio.create_task(context.heard())
        await asyncio.sleep(0.2)
        await session.close(drain=False)
        await asyncio.gather(heard, return_exceptions=True)
        assert heard.exception() is None or isinstance(heard.exception(), SessionClosedError)


async def test_a_session_of_frames_has_no_track(server: Server) -> None:
    async with connect(server.url) as session:
        with pytest.raises(ValueError, match="audio"):
            async with hear(session):
                pass


async def test_a_server_without_webrtc_refuses_the_session(serve_tone: Serve) -> None:
    async with serve_tone(rtc=False) as server:
        with pytest.raises(SessionRefusedError, match="frames"):
            async with connect(server.url, audio="rtc"):
                pass


async def test_a_refused_offer_says_why(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    async with connect(server.url, audio="rtc") as session:
        monkeypatch.setattr(session, "_ready", replace(session.ready, rtc_token="rtc_nobody.nothing"))
        with pytest.raises(ConnectionFailedError, match="410"):
            async with hear(session):
                pass
