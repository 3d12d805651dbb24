"""What happened to an utterance: its log, its figures, and what is saved of it."""

from __future__ import annotations

import base64
import io
import subprocess

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from playwright.async_api import Page

from realtime.app import Server
from tests.web.conftest import OpenPage
from tests.web.recording import TEN_MINUTES, recorder
from tests.wire_client import open_client

pytestmark = pytest.mark.asyncio(loop_scope="session")

Samples = NDArray[np.int16]
TEXT = "It is noon. The sun is out, and it is warm."


async def figures(page: Page, log: str = "log") -> dict[str, str]:
    """Values of the figures by name, a dash where one is missing; each must say how it is measured."""
    found = await page.evaluate(
        f"recorded.module('/record/figures.js').then(({{figuresOf}}) => figuresOf({log}))"
    )
    assert all(len(each["title"]) > 30 for each in found)
    assert len({each["name"] for each in found}) == len(found)
    assert all(each.get("missing", False) == (each["value"] == "–") for each in found)
    plain = str.maketrans({"\N{MULTIPLICATION SIGN}": "x", "\N{MINUS SIGN}": "-"})
    return {each["name"]: each["value"].translate(plain) for each in found}


def ffmpeg(data: bytes) -> Samples:
    """A file decoded by FFmpeg, at 48 kHz."""
    command = ["ffmpeg", "-v", "error", "-i", "-", "-f", "s16le", "-ac", "1", "-ar", "48000", "-"]
    done = subprocess.run(command, input=data, capture_output=True, check=True)
    assert done.stderr == b""
    return np.frombuffer(done.stdout, "<i2")


def read(data: bytes) -> Samples:
    """A file decoded by libsndfile."""
    samples, rate = soundfile.read(io.BytesIO(data), dtype="int16")
    assert rate == 48_000
    result: Samples = samples
    return result


async def saved(page: Page, which: str, before: str = "") -> bytes:
    """What `oggOf` or `wavOf` gives for the page's `log`."""
    return base64.b64decode(
        await page.evaluate(
            f"""async () => {{
              const download = await recorded.module("/record/download.js");
              {before}
              return await recorded.base64(await download.{which}(log));
            }}"""
        )
    )


async def servers_own(server: Server, **settings: object) -> bytes:
    """The Ogg file that the server itself makes of the text."""
    async with open_client(server.url) as client:
        await client.send("session.start", formats=["ogg_opus"], max_lead_ms=0, **settings)
        await client.speak(TEXT)
        return b"".join(frame.packet.payload for frame in client.frames())


@pytest.mark.parametrize("frame_ms", [20, 60])
async def test_what_is_saved_is_what_was_said_to_the_sample(
    tone_server: Server, open_page: OpenPage, frame_ms: int
) -> None:
    theirs = await servers_own(tone_server, frame_ms=frame_ms)
    async with recorder(tone_server, open_page) as page:
        await page.evaluate(
            "async ([text, settings]) => { globalThis.log = await recorded.speak(text, settings); }",
            [TEXT, {"frame_ms": frame_ms}],
        )
        ogg = await saved(page, "oggOf")
        assert np.array_equal(ffmpeg(ogg), ffmpeg(theirs))
        assert np.array_equal(read(ogg), read(theirs))
        assert len(read(ogg)) == round(await page.evaluate("log.receivedMs") * 48)
        assert f"TITLE={TEXT}".encode() in ogg
        wav = read(await saved(page, "wavOf"))
        # The same decoder, but for how it rounds.
        assert len(wav) == len(read(ogg)) and np.abs(wav.astype(int) - read(ogg)).max() <= 1
        # A browser without WebCodecs decodes whole files.
        plain = read(await saved(page, "wavOf", before="delete globalThis.AudioDecoder;"))
        assert np.array_equal(plain, wav)


async def test_of_an_interrupted_one_what_was_heard_is_saved(
    tone_server: Server, open_page: OpenPage
) -> None:
    async with recorder(tone_server, open_page) as page:
        await page.evaluate(
            "async (text) => { globalThis.log = await recorded.speak(text); }",
            TEXT,
        )
        whole_ogg, whole_wav = ffmpeg(await saved(page, "oggOf")), read(await saved(page, "wavOf"))
        for played_ms in (0.5, 13.5, 13.6, 1000.25):
            await page.evaluate(
                """(played_ms) => {
                  log.cancelAsked(performance.now());
                  log.cancelled({ reason: "cancelled", played_ms }, performance.now());
                }""",
                played_ms,
            )
            samples = int(played_ms * 48)
            assert np.array_equal(ffmpeg(await saved(page, "oggOf")), whole_ogg[:samples]), played_ms
            assert np.array_equal(read(await saved(page, "wavOf")), whole_wav[:samples]), played_ms
        names = await page.evaluate(
            """async () => {
              const { fileName } = await recorded.module("/record/download.js");
              const name = (text) => { log.text = text; return fileName(log, "ogg"); };
              const interrupted = fileName(log, "wav");
              log.cancelAskedAt = Number.NaN;
              log.cancelledWith = null;
              const names = ["  ...!", "Grüße an José: 3,50 €", "con", "你好".repeat(40)].map(name);
              return [interrupted, ...names];
            }"""
        )
        assert names == [
            "it-is-noon-the-sun-is-out-and-it-is-warm-interrupted.wav",
            "speech.ogg",
            "grüße-an-josé-3-50.ogg",
            "speech-con.ogg",
            f"{'你好' * 20}.ogg",
        ]
        # Nothing heard, nothing there, nothing kept: it says so.
        problems = await page.evaluate(
            """async () => {
              const { oggOf, wavOf } = await recorded.module("/record/download.js");
              const problem = (promise) => promise.then(() => "none", (error) => error.message);
              const empty = await recorded.scripted("Hm.", [["tokenSent", 0, 0, 3]]);
              const unheard = await recorded.scripted("Hm.", [["frame", {}, 1], ["cancelAsked", 2]]);
              const problems = [await problem(oggOf(empty)), await problem(wavOf(unheard))];
              log.packets.drop();
              return [...problems, await problem(oggOf(log))];
            }"""
        )
        assert problems == [
            "There is no sound.",
            "Nothing of it was heard.",
            "The sound of this one is no longer kept: later ones took its room.",
        ]


async def test_ten_minutes_are_kept_and_saved_in_little_memory_while_the_page_lives(
    tone_server: Server, open_page: OpenPage
) -> None:
    async with recorder(tone_server, open_page) as page:
        found = await page.evaluate(
            """async (sentences) => {
              globalThis.log = await scenes.scene({ sentences });
              const points = [log.tokens, log.frames, log.hand.points];
              const kept = {
                audio: log.receivedMs, frames: log.frameCount,
                points: Math.max(...points.map((each) => each.length)),
                bytes: log.frames.of("bytes").subarray(0, log.frames.length).reduce((a, b) => a + b),
                end: log.frames.at("end", -1), audioBytes: log.audioBytes,
              };
              await new Promise((resolve) => setTimeout(resolve));
              let longest = 0;
              const tasks = new PerformanceObserver((list) => {
                for (const { duration } of list.getEntries()) longest = Math.max(longest, duration);
              });
              tasks.observe({ type: "longtask" });
              const { oggOf, wavOf } = await recorded.module("/record/download.js");
              const times = [];
              const sizes = [];
              for (const make of [oggOf, wavOf]) {
                const begun = performance.now();
                sizes.push((await make(log)).size);
                const took = performance.now() - begun;
                await new Promise((resolve) => setTimeout(resolve, 100));
                times.push([longest, took]);
                longest = 0;
              }
              return { ...kept, times, ogg: sizes[0], wav: sizes[1] };
            }""",
            TEN_MINUTES,
        )
        assert found["audio"] > 590_000 and found["frames"] > 29_000
        assert found["points"] <= 4096
        # What was put together is all there.
        assert found["bytes"] == found["audioBytes"] and found["end"] == found["audio"]
        assert found["wav"] == 44 + 2 * (48 * found["audio"] - 312)
        assert found["ogg"] < 1.05 * found["audioBytes"]
        # Others of the page have their turn all the while: on a machine that is shared, times are but shares.
        for longest, took in found["times"]:
            assert longest < took / 2
        assert longest < took / 8
        # Packets of older ones make room for those of later ones.
        dropped = await page.evaluate(
            """async () => {
              const { PacketShelf } = await recorded.module("/record/packets.js");
              const shelf = new PacketShelf(1_000_000);
              const all = [shelf.open(), shelf.open(), shelf.open()];
              for (const packets of all) {
                for (let count = 0; count < 400; count += 1) {
                  packets.add(new Uint8Array(1000), 0, 960);
                  shelf.added(1000);
                }
              }
              return all.map(({ dropped, bytes }) => [dropped, bytes]);
            }"""
        )
        assert dropped == [[True, 0], [False, 400_000], [False, 400_000]]


#: Text at 100 and 400; sound from 430 on, of which the player has none left from 530 to 580, and which is
#: complete at 640.
SPOKEN: list[list[object]] = [
    ["tokenSent", 100, 0, 6],
    ["tokenSent", 400, 6, 11],
    ["textEnded", 401],
    ["segment", {"index": 0, "text": "It is noon.", "range": [0, 11], "start_ms": 0}, 420],
    ["words", {"words": [{"range": [0, 2], "start_ms": 12, "end_ms": 60}]}, 421],
    ["frame", {"duration": 4800, "bytes": 376}, 430],
    ["playing", 442],
    *[["progress", 442 + ms, ms, 100 - ms] for ms in range(10, 100, 10)],
    ["underrun", 542],
    ["frame", {"position": 4800, "duration": 4800, "bytes": 376}, 570],
    ["continued", 580, 38],
    *[["progress", 580 + ms, 100 + ms, 100 - ms] for ms in range(10, 60, 10)],
    ["frame", {"position": 9600, "duration": 4800, "bytes": 376, "last": True}, 640],
    ["progress", 680, 200, 100],
]
DONE: list[object] = [
    "done",
    {"reason": "completed", "audio_ms": 300, "timing": {"infer_ms": 4, "encode_ms": 2}, "cache": "miss"},
    641,
]


async def scripted(page: Page, calls: list[list[object]]) -> None:
    await page.evaluate(
        "async (calls) => { globalThis.log = await recorded.scripted('It is noon.', calls); }", calls
    )


async def test_figures_are_what_was_measured_or_missing(tone_server: Server, open_page: OpenPage) -> None:
    async with recorder(tone_server, open_page) as page:
        await scripted(page, [])
        nothing = await figures(page)
        assert set(nothing.values()) == {"–"}
        await scripted(page, [*SPOKEN, DONE, ["played", 780]])
        assert await figures(page) == {
            "First sound, from the first token": "342 ms",
            "First sound, from the last token": "42 ms",
            "Silence before the first word": "12 ms",
            "Interrupt to silence": "–",
            "Interrupt to the server's answer": "–",
            "Underruns": "1, 38 ms",
            "Waited for text": "none",
            # From 442 to 640: 100 ms falling to none, none for 28 ms, 100 ms that wait for 10 ms, then fall
            # to 40 ms.
            "Least sound in hand": "0 ms",
            "Sound in hand, median": "55 ms",
            "Real-time factor, server": "0.020, 50.0x real time",
            "Real-time factor, all the way": "1.80, 0.56x real time",
            "Heard": "300 ms of 300 ms",
            "Text": "11 B in 2 pieces",
            "Sound": "1.20 kB, 32 kbit/s",
            "Packets": "3 of 100.0 ms",
            "Connection lost": "never",
        }
        # It speaks before the text is complete; the rest of the text came slower than the sound.
        await scripted(page, [*SPOKEN, ["tokenSent", 700, 11, 11], ["textEnded", 701]])
        early = await figures(page)
        assert early["First sound, from the last token"] == "-258 ms"
        assert early["Real-time factor, all the way"] == "–"
        assert early["Heard"] == "200 ms of 300 ms"
        # Text comes slower than speech: nothing is wrong. In the midst of a segment, or without a connection,
        # it is.
        slow = [*SPOKEN[:2], *[each for each in SPOKEN[3:] if each[0] != "continued"]]
        late: dict[str, list[list[object]]] = {
            "text": [["continued", 700, 158, True]],
            "network": [["continued", 700, 158, False]],
            "outage": [["connectionLost", 600], ["connectionBack", 650], ["continued", 700, 158, True]],
        }
        for why, more in late.items():
            await scripted(page, [*slow, *more])
            told = await figures(page)
            waited = why == "text"
            assert told["Waited for text"] == ("1, 158 ms" if waited else "none"), why
            assert told["Underruns"] == ("none" if waited else "1, 158 ms"), why
        # Interrupted, after the connection was away and the server had waited.
        cut: list[list[object]] = [
            ["connectionLost", 690],
            ["connectionBack", 1690],
            ["cancelAsked", 1700],
            ["silent", 1706.25],
            ["cancelled", {"reason": "cancelled", "played_ms": 222}, 1711],
        ]
        await scripted(page, [*SPOKEN, *cut])
        interrupted = await figures(page)
        assert interrupted["Interrupt to silence"] == "6.3 ms"
        assert interrupted["Interrupt to the server's answer"] == "11 ms"
        assert interrupted["Heard"] == "222 ms of 300 ms"
        assert interrupted["Connection lost"] == "1x, 1.00 s"
        assert interrupted["Real-time factor, server"] == "–"
        assert interrupted["Real-time factor, all the way"] == "–"
        # All was there before it was heard; a cache is told; what the server waited does not count.
        at_once: list[list[object]] = [
            ["tokenSent", 0, 0, 11],
            ["frame", {"duration": 4800}, 20],
            ["flow", {"state": "paused"}, 21],
            ["flow", {"state": "resumed"}, 71],
            ["frame", {"position": 4800, "duration": 4800, "last": True}, 80],
            ["done", {**DONE[1], "audio_ms": 200, "cache": "hit"}, 81],  # type: ignore[dict-item]
            ["playing", 90],
            ["played", 290],
        ]
        await scripted(page, at_once)
        cached = await figures(page)
        assert cached["Sound in hand, median"] == "all of it"
        assert cached["Real-time factor, server"] == "0.030, 33.3x real time (cache: hit)"
        assert cached["Real-time factor, all the way"] == "0.15, 6.67x real time"
        assert cached["Underruns"] == "none"


async def test_the_log_knows_when_which_sound_was_heard(tone_server: Server, open_page: OpenPage) -> None:
    async with recorder(tone_server, open_page) as page:
        await scripted(page, SPOKEN)
        times = "(all) => all.map((ms) => log.sounding.timeOf(ms))"
        places = "(all) => all.map((at) => log.sounding.positionAt(at))"
        # Before the underrun, at its two ends, behind it, and ahead of what was reported.
        assert await page.evaluate(times, [0, 50, 100, 101, 200, 250]) == [442, 492, 580, 581, 680, 730]
        assert await page.evaluate(places, [0, 442, 492, 542, 579, 600, 680, 700]) == [
            *[0, 0, 50, 100],
            *[100, 120, 200, 220],
        ]
        # A player that stood still without a word (a suspended page) is noticed by its reports.
        await scripted(
            page,
            [
                ["frame", {"duration": 480_000}, 0],
                ["playing", 0],
                ["progress", 300, 100],
                ["progress", 400, 200],
                ["progress", 5400, 250],
                ["progress", 5500, 350],
            ],
        )
        assert await page.evaluate(places, [400, 5000, 5350, 5400, 5500]) == [200, 200, 200, 250, 350]
        assert await page.evaluate(times, [300]) == [5450]
