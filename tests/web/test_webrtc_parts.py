"""Parts of the way by WebRTC: what realtime.js tells of a track, where its listener is, and its figures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from playwright.async_api import Browser

from realtime.app import Server, running
from tests.web.client_page import OPEN_TONE, client_page
from tests.web.conftest import OpenPage
from tests.web.recording import recorder
from tests.web.test_record import figures

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_realtime_js_over_a_track(chromium: Browser, tone_server: Server) -> None:
    async with client_page(chromium, tone_server.url) as client:
        told = await client.run("overTrack", tone_server.url)
        assert told["audio"] == "rtc" and told["hasToken"] and told["ice"] == []
        assert told["states"] == ["connected", "closed"] and told["told"][0] == "connected"
        states = [state for state, _ in told["played"]]
        assert states[0] == "playing" and states[-1] == "ended" and "waiting" in states
        at = [ms for _, ms in told["played"]]
        assert at == sorted(at) and at[0] <= 20 and at[-1] == pytest.approx(told["audio_ms"], abs=20)
        assert told["frames"] == 0 and told["stream"] is None
        assert told["lost"] == 0 and told["packets"] > at[-1] / 20
        assert told["spoken"].startswith("One two ") and "eight" not in told["spoken"]

        told = await client.run("noTrack", tone_server.url, False)
        assert told["told"][0] == "connection_failed" and told["ready"] == {"value": "frames"}
        async with running(replace(OPEN_TONE, rtc=False)) as server:
            told = await client.run("noTrack", server.url, True)
        assert told["told"] == ["the session is over"]
        assert told["ready"]["error"]["code"] == "unsupported"


#: Runs what is told of an utterance, and asks at some times what has happened, and how much was heard.
HEARD = """async (steps) => {
  const { Heard } = await import("/player/heard.js");
  const heard = new Heard();
  return steps.map(([what, ...given]) => {
    if (what === "at") return heard.at(...given);
    if (what === "happened")
      return heard.happened(...given).map(({ type, at, gapMs }) => [type, at, gapMs]);
    if (what === "told") heard.told({ state: given[0], played_ms: given[1], at: given[2] });
    else heard[what](...given.map((each) => each ?? Number.NaN));
    return null;
  });
}"""


async def test_where_the_listener_of_a_track_is(tone_server: Server, open_page: OpenPage) -> None:
    async with open_page(f"{tone_server.url}/realtime.md", listen=False) as listened:

        async def after(*steps: list[Any]) -> list[Any]:
            told = await listened.page.evaluate(HEARD, list(steps))
            return [each for each in told if each is not None]

        begun = [["told", "playing", 20, 1000], ["happened", 1000]]
        assert await after(["happened", 999], ["at", 5000]) == [[], 0]
        assert await after(*begun, ["at", 1000], ["at", 1500], ["at", 1400]) == [
            [["playing", 1000, 0]],
            *(0, 500, 500),
        ]
        # Nothing happens before its time, and it does not run on for ever.
        assert await after(["told", "playing", 20, 1000], ["happened", 900], ["at", 900]) == [[], 0]
        assert (await after(*begun, ["at", 9000]))[-1] == 1520
        # What is told late does not set it back.
        late = [["told", "playing", 1020, 2100], ["happened", 2100], ["at", 2100]]
        assert (await after(*begun, *late))[-1] == 1100
        # It stands still and goes on.
        stands = [["told", "waiting", 500, 1500], ["happened", 1500], ["at", 1800]]
        goes_on = [["told", "playing", 520, 1900], ["happened", 1900], ["at", 1950]]
        assert (await after(*begun, *stands, *goes_on))[1:] == [
            [["underrun", 1500, 0]],
            500,
            [["continued", 1900, 400]],
            550,
        ]
        # The last packet is heard out.
        ended: list[Any] = [
            ["told", "ended", 500, 1480],
            ["happened", 1499],
            ["happened", 1500],
            ["at", 2000],
        ]
        assert (await after(*begun, *ended))[1:] == [[], [["played", 1500, 0]], 500]
        # Its end is not told: by its length and the clock, or when it stands still after a failure.
        known: list[Any] = [["end", 600], ["happened", 2400], ["at", 2400], ["happened", 2600]]
        assert (await after(*begun, *known))[1:] == [[], 600, [["played", 1600, 0]]]
        failed: list[Any] = [["end", None], ["told", "waiting", 500, 1500], ["happened", 1500]]
        assert (await after(*begun, *failed))[1:] == [[["played", 1500, 0]]]
        resumed: list[Any] = [["end", 600], ["goesOn", 3000], ["happened", 4000], ["happened", 4600]]
        assert (await after(*begun, *stands[:2], *resumed))[2:] == [[], [["played", 3100, 0]]]


async def test_the_figures_of_a_track(tone_server: Server, open_page: OpenPage) -> None:
    counted = {
        **{"packets": 100, "bytes": 8000, "lost": 1, "jitterMs": 2, "roundTripMs": 30},
        **{"bufferedS": 4800, "bufferedSamples": 96_000, "samples": 96_000, "concealedSamples": 960},
    }
    nothing = {
        **counted,
        "packets": 0,
        "bytes": 0,
        "lost": 0,
        "bufferedSamples": 0,
        "bufferedS": 0,
        "concealedSamples": 0,
    }
    calls = [
        ["tokenSent", 1000, 0, 4],
        ["textEnded", 1000],
        ["segment", {"index": 0, "text": "One.", "range": [0, 4], "start_ms": 0}, 1050],
        ["done", {"reason": "completed", "audio_ms": 2000}, 1100],
        ["left", 20, 1100, False],
        ["playing", 1150],
        ["audible", 1180],
        ["progress", 1650, 500, 40],
        ["carriedOver", counted, 1700],
    ]
    async with recorder(tone_server, open_page) as page:
        await page.evaluate(
            "async ([calls]) => { log = await recorded.scripted('One.', calls, { track: true }); }",
            [calls],
        )
        assert not await page.evaluate("log.over") and await page.evaluate("log.heardMs") == 500
        await page.evaluate("log.askedAt = 990")
        await page.evaluate("log.left(2000, 3100, true); log.played(3150)")
        await page.evaluate("(more) => log.carriedOver(more, 3200)", nothing)
        shown = await figures(page)
        assert await page.evaluate("[log.over, log.heardMs, log.beginsSegment(15)]") == [True, 2000, True]
    assert {name: value for name, value in shown.items() if name.startswith("WebRTC: ")} == {
        "WebRTC: first audible sound": "190 ms",
        "WebRTC: jitter buffer": "50 ms",
        "WebRTC: jitter": "2 ms",
        "WebRTC: round trip": "30 ms",
        "WebRTC: packets": "100, 8.00 kB",
        "WebRTC: packets lost": "1, 1.0 %",
        "WebRTC: made up": "20 ms, 0.5 %",
    }
    # What is not to be had is missing, and says why.
    missing = (
        "Least sound in hand",
        "Sound in hand, median",
        "Sound",
        "Packets",
        "Real-time factor, all the way",
    )
    assert [shown[name] for name in missing] == ["–"] * 5
