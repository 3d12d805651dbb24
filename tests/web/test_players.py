"""The players: what leaves them is what the frames hold, to the sample, soon, and no longer than it shall."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from realtime.app import Server
from tests.web.conftest import OpenPage, silences
from tests.web.players import decoded, found, frames_of, playing, samples, steepest, utterances_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

RATE = 48_000
KINDS = pytest.mark.parametrize("kind", ["webcodecs", "mediasource"])
#: Of a fade and a sound card that is asked for 10 ms at a time, on a machine that is shared.
SILENT_WITHIN_MS = 40
#: Of a tone of the tone engine: 0.3 at 1190 Hz.
TONE_STEP = 0.3 * 2 * np.pi * 1190 / RATE


@KINDS
async def test_every_sample(tone_server: Server, open_page: OpenPage, kind: str) -> None:
    """Of frames of any length and of any bitrate, one utterance after another."""
    async with playing(open_page, tone_server, kind) as player:
        for frame_ms, bitrate in ((20, 64_000), (40, 24_000), (60, 8_000)):
            frames = await frames_of(tone_server, "One two.", frame_ms=frame_ms, bitrate=bitrate)
            sound = decoded(frames)
            # On a machine that stands still for a moment sound begins late, or runs dry. Then it must say so.
            for attempt in range(4):
                key = f"{frame_ms} {attempt}"
                await player.forget()
                began, held = await player.push(key, frames)
                assert held == pytest.approx(len(sound) / 48)
                played = await player.until("played", key)
                first = await player.page.evaluate("tap.firstAudible()")
                dry = [each for each in await player.said("underrun") if each["utterance"] == key]
                if not dry and first - began < 200:
                    break
            at, error = found(sound, heard := await player.heard())
            assert error < 1e-5 and not heard[:at].any() and not heard[at + len(sound) :].any()
            assert first - began < 200
            start = (await player.said("playing"))[-1]
            assert abs(start["at"] - start["now"] + start["wall"] - first) < 200
            assert played["at"] - start["heardAt"] == pytest.approx(len(sound) / 48, abs=250)
            progress = [
                each["playedMs"] for each in await player.said("progress") if each["utterance"] == key
            ]
            assert progress == sorted(progress) and progress[-1] == pytest.approx(len(sound) / 48)
            assert 2 <= len(progress) <= 12
            over = f"[player.playedMs('{key}'), player.current(), player.heldMs()]"
            assert await player.ask(over) == [progress[-1], None, 0]
        assert not await player.said("error")


@KINDS
async def test_twenty_in_a_row(tone_server: Server, open_page: OpenPage, kind: str) -> None:
    words = [f"{chr(97 + index)}{index % 3 * 'x'}" for index in range(20)]
    utterances = await utterances_of(tone_server, *words)
    async with playing(open_page, tone_server, kind) as player:
        # On a machine that stands still for a moment there is a gap for want of a processor.
        keys: list[str] = []
        async for attempt in player.attempts():
            keys += (row := [f"{attempt} {word}" for word in words])
            await player.push_held(*zip(row, utterances, strict=True))
            await player.until("played", row[-1])
            heard, since, gaps = await player.heard(), 0, []
            for frames in utterances:
                sound = decoded(frames)
                at, error = found(sound, heard[: since + len(sound) + RATE], since)
                assert error < 1e-5
                gaps.append(at - since)
                since = at + len(sound)
        # By WebCodecs one begins where the one before ends.
        assert gaps[1:] == [0] * 19 if kind == "webcodecs" else max(gaps[1:]) < RATE // 10
        assert [each["utterance"] for each in await player.said("playing")] == keys
        assert [each["utterance"] for each in await player.said("played")] == keys
        dry = await player.said("underrun", "continued")
        assert not [each for each in dry if each["utterance"] in row] and not await player.said("error")


@KINDS
async def test_stop_is_silence_and_a_new_beginning(
    tone_server: Server, open_page: OpenPage, kind: str
) -> None:
    long, waiting, next_one = [
        await frames_of(tone_server, text) for text in ("abcdefghijklmnop", "waits", "new")
    ]
    async with playing(open_page, tone_server, kind) as player:
        await player.push("long", long)
        await player.push("waiting", waiting)
        await player.until("playing", "long")
        await asyncio.sleep(0.3)
        assert await player.ask("player.current()") == "long"
        before, stopped, _, after, current = await player.ask(
            "[player.playedMs('long'), Date.now(), player.stop(), player.playedMs('long'), player.current()]"
        )
        assert current is None and 150 < before <= after < before + 30
        await asyncio.sleep(0.15)
        assert await player.page.evaluate("tap.lastAudible()") - stopped < SILENT_WITHIN_MS
        heard = await player.heard()
        assert steepest(heard[np.flatnonzero(heard)[0] + 1 :]) < 1.3 * TONE_STEP
        await player.forget()
        # What is decoded at this moment is dropped as well.
        for wait in range(8):
            await player.page.evaluate("([frames, wait]) => harness.pushAndStop(frames, wait)", [long, wait])
        stopped = await player.ask("Date.now()")
        await asyncio.sleep(0.2)
        assert (
            await player.page.evaluate("tap.settle().then(() => tap.lastAudible())") or 0
        ) - stopped < SILENT_WITHIN_MS
        assert await player.ask("player.heldMs()") == 0
        await player.forget()
        await player.push("again", long)
        await player.until("playing", "again")
        await player.ask("player.stop()")
        await player.push("new", next_one)
        await player.until("played", "new")
        # The first moment of it is mixed with the last one of what was stopped.
        _, error = found(decoded(next_one)[300:], await player.heard())
        assert error < 1e-5
        assert await player.ask("player.playedMs('waiting')") == 0
        assert {each["utterance"] for each in await player.said("played")} == {"new"}
        assert not await player.said("underrun", "error")


@KINDS
async def test_pause_and_resume(tone_server: Server, open_page: OpenPage, kind: str) -> None:
    """What is told is what is heard, and it goes on from there."""
    # Long enough that a slow machine is not at its end before it pauses.
    frames = await frames_of(tone_server, "abcdefghijklmnopqrstuvwxyzabcdefghij")
    async with playing(open_page, tone_server, kind) as player:
        await player.push("a", frames)
        await player.until("playing")
        told = []
        for _ in range(4):
            await asyncio.sleep(0.05)
            asked = "[Date.now(), player.playedMs('a') + context.outputLatency * 1000, player.heldMs()]"
            told.append(await player.ask(asked))
        first = await player.page.evaluate("tap.settle().then(() => tap.firstAudible())")
        for now, given, held in told:
            assert given == pytest.approx(now - first, abs=150)
            assert samples(frames) / 48 - held == pytest.approx(now - first, abs=150)
        await player.ask("player.pause()")
        await asyncio.sleep(0.1)
        held = await player.ask("[player.playedMs('a'), player.heldMs(), player.current()]")
        await asyncio.sleep(0.2)
        assert await player.ask("[player.playedMs('a'), player.heldMs(), player.current()]") == held
        assert held[0] + held[1] == pytest.approx(samples(frames) / 48, abs=1) and held[2] == "a"
        await player.ask("player.resume()")
        await player.until("played")
        heard = await player.heard()
        begin, end = np.flatnonzero(heard)[[0, -1]]
        ((_, pause),) = silences(heard[begin:end], RATE)
        # How long the test itself slept says the machine.
        assert 0.28 < pause < 3
        # Nothing was lost but what faded.
        assert end - begin - pause * RATE == pytest.approx(samples(frames), abs=RATE * 0.02)
        assert not await player.said("underrun", "continued", "error")


@KINDS
async def test_text_that_stalls(tone_server: Server, open_page: OpenPage, kind: str) -> None:
    """All that is there is heard; what comes then goes on, and is counted right."""
    frames = await frames_of(tone_server, "abcdefghij klmnopqrst")
    cut = 20
    # So it is when a text stalls.
    frames[cut]["segmentStart"] = True
    async with playing(open_page, tone_server, kind) as player:
        # A browser that has no processor for a moment plays later, or runs dry again.
        async for attempt in player.attempts(underruns=1):
            key = f"a{attempt}"
            await player.push(key, frames, [900 if index == cut else 0 for index in range(len(frames))])
            await player.until("played", key)
            said = [each for each in await player.said("underrun", "continued") if each["utterance"] == key]
        assert [each["type"] for each in said] == ["underrun", "continued"]
        dry, on = said
        heard = await player.heard()
        sound, length = decoded(frames), samples(frames[:cut])
        begin, error = found(sound[:length], heard)
        assert error < 1e-5
        # A decoder that was given silence must find its way back into a tone. Real text stalls in pauses.
        margin = 0 if kind == "webcodecs" else 200 * 48
        at, error = found(sound[length + margin :], heard, begin + length)
        assert error < (0.31 if kind == "webcodecs" else 0.02)
        gap_ms = (at - margin - begin - length) / 48
        assert on["gapMs"] == pytest.approx(gap_ms, abs=5 if kind == "webcodecs" else 60)
        assert on["segmentStart"] is True
        # Those are times of the page, which may be busy.
        assert on["at"] - dry["at"] == pytest.approx(gap_ms, abs=250)
        # Not later than what was put in where the browser would have stopped.
        assert gap_ms == pytest.approx(900 - length / 48, abs=400)
        assert steepest(heard[begin + 1 : at + 100]) < 1.3 * TONE_STEP
        assert await player.ask(f"player.playedMs('{key}')") == pytest.approx(len(sound) / 48)
        # The first packets of a text that stalls at once; then, late, nothing more, which no frame has said.
        await player.forget()
        few = (await frames_of(tone_server, "abc"))[:5]
        began, _ = await player.push("few", few)
        await player.page.wait_for_function("harness.said('underrun').at(-1).utterance === 'few'")
        assert await player.page.evaluate("tap.settle().then(() => tap.firstAudible())") - began < 1000
        await asyncio.sleep(1.5)
        await player.ask("player.end('few')")
        await player.until("played", "few")
        _, error = found(decoded(few), await player.heard())
        assert error < 1e-5


@KINDS
async def test_nothing_is_lost_while_the_page_may_not_sound(
    tone_server: Server, open_page: OpenPage, kind: str
) -> None:
    frames = await frames_of(tone_server, "One two.")
    async with playing(open_page, tone_server, kind, suspended=True) as player:
        await player.push("a", frames)
        await asyncio.sleep(0.4)
        assert await player.ask("[player.playedMs('a'), player.current()]") == [0, None]
        assert not await player.said("playing", "underrun")
        await player.ask("context.resume()")
        await player.until("playing")
        await asyncio.sleep(0.1)
        await player.ask("context.suspend()")
        await asyncio.sleep(0.1)
        await player.ask("context.resume()")
        await player.until("played")
        heard = await player.heard()
        if kind == "webcodecs":
            assert found(decoded(frames), heard)[1] < 1e-5
        sounding = np.flatnonzero(heard)
        assert sounding[-1] - sounding[0] == pytest.approx(samples(frames), abs=RATE * 0.05)
        # Nor is it kept for ever.
        await player.ask("context.suspend()")
        silence = {**frames[1], "payload": "+P/+", "last": False, "duration": 960}
        await player.push("b", [{**silence, "position": index * 960} for index in range(3100)])
        (error,) = await player.said("error")
        assert error["utterance"] == "b" and "60 s" in error["message"]
        assert 60_000 <= await player.ask("player.heldMs()") <= 60_040
        await player.push("c", [{**silence, "kind": 2, "position": 0}])
        assert "Only Opus" in (await player.said("error"))[1]["message"]
        await player.ask("player.stop()")
        assert await player.ask("player.heldMs()") == 0


@KINDS
async def test_the_ends_of_utterances(tone_server: Server, open_page: OpenPage, kind: str) -> None:
    """One packet; an empty last frame; no last frame; no frame with sound; a key that was used before."""
    one, more = await utterances_of(tone_server, "Hi", "abcdef")
    packet = [{**one[0], "last": True, "duration": 500}]
    empty = {**more[-1], "duration": 0, "payload": "", "position": samples(more)}
    closed = [*[{**frame, "last": False} for frame in more], empty]
    failed = [frame for frame in more if not frame["last"]]
    async with playing(open_page, tone_server, kind) as player:
        nothing = [{**empty, "position": 0}]
        await player.ask("context.suspend()")
        await player.push_all(
            ("packet", packet), ("closed", closed), ("nothing", nothing), ("failed", failed)
        )
        await player.ask("player.end('failed')")
        await player.ask("player.end('unknown')")
        await player.push_held(("packet", one))
        await player.until("played", "failed")
        await player.page.wait_for_function("harness.said('played').length === 5")
        heard, since = await player.heard(), 0
        for frames in (packet, closed, failed, one):
            at, error = found(decoded(frames), heard, since)
            assert error < 1e-5, (since, at)
            since = at + samples(frames)
        assert not heard[since:].any()
        assert await player.ask("player.playedMs('packet')") == pytest.approx(samples(one) / 48)
        said = [each["utterance"] for each in await player.said("played")]
        assert said == ["packet", "closed", "nothing", "failed", "packet"]


async def test_sound_that_comes_late_raises_the_threshold(tone_server: Server, open_page: OpenPage) -> None:
    """Late amid a segment, it is the network; then it goes on with more in hand than it began with."""
    frames = await frames_of(tone_server, "abcdefghijklmno")
    text = [{**frame, "segmentStart": index == 12} for index, frame in enumerate(frames)]
    async with playing(open_page, tone_server, "webcodecs") as player:
        for key, late, least in (("text", text, 3), ("network", frames, 5)):
            await player.push(key, late, [0] * 12 + [500] + [30] * least)
            on = await player.until("continued", key)
            assert on["segmentStart"] is (key == "text")
            # 50 ms are three packets, 100 ms are five; the next may have come before it is told.
            assert least <= on["pushed"] - 12 <= least + 1
            await player.until("played", key)
        thresholds = await player.page.evaluate(
            """async () => {
              const { StartThreshold } = await import("/player/threshold.js");
              const threshold = new StartThreshold();
              const seen = [threshold.ms];
              for (let i = 0; i < 5; i++) { threshold.grow(); seen.push(threshold.ms); }
              for (let i = 0; i < 10; i++) { threshold.sounded(10_000); seen.push(threshold.ms); }
              return seen;
            }"""
        )
        assert thresholds[:6] == [50, 100, 200, 400, 400, 400]
        assert thresholds[6:] == sorted(thresholds[6:], reverse=True) and thresholds[-1] == 50


#: Safari's, as far as its documentation tells, on top of what Chromium has.
MANAGED = """() => {
  window.sources = [];
  window.ManagedMediaSource = class extends MediaSource {
    constructor() { super(); sources.push(this); }
  };
}"""


async def test_a_managed_source(tone_server: Server, open_page: OpenPage) -> None:
    """It has all its sound, waits when it is told that there is enough, and is stopped and used again."""
    frames, text = await utterances_of(tone_server, "One two.", "abcdefghij klm")
    async with playing(open_page, tone_server, "managed", MANAGED) as player:
        assert await player.ask("[player.kind, player.label]") == ["managed", "ManagedMediaSource (MP4)"]
        await player.push("long", text)
        await player.until("playing")
        await player.ask("player.stop()")
        await asyncio.sleep(0.1)
        await player.forget()
        await player.page.evaluate(
            "for (const each of sources) each.dispatchEvent(new Event('endstreaming'))"
        )
        await player.push("a", frames)
        await asyncio.sleep(0.3)
        assert [each["utterance"] for each in await player.said("playing")] == ["long"]
        await player.page.evaluate(
            "for (const each of sources) each.dispatchEvent(new Event('startstreaming'))"
        )
        await player.until("played", "a")
        _, error = found(decoded(frames), await player.heard())
        assert error < 1e-5
        assert await player.ask("player.playedMs('a')") == pytest.approx(samples(frames) / 48)
        await player.push("stalls", text, [900 if index == 20 else 0 for index in range(len(text))])
        await player.until("played", "stalls")
        assert len(await player.said("underrun")) == len(await player.said("continued")) == 1
        await player.ask("player.close()")


#: Notes where each buffer of sound begins, after each change.
BUFFERS = """() => {
  window.begins = [];
  const add = MediaSource.prototype.addSourceBuffer;
  MediaSource.prototype.addSourceBuffer = function (type) {
    const buffer = add.call(this, type);
    buffer.onupdateend = () => begins.push(buffer.buffered.length && buffer.buffered.start(0));
    return buffer;
  };
}"""
#: In seconds: when what was played is dropped, and how much of it is kept.
KEPT = ("MOST_PLAYED_S = 20;\nconst KEPT_PLAYED_S = 5;", "MOST_PLAYED_S = 0.5;\nconst KEPT_PLAYED_S = 0.2;")


async def test_memory_and_an_address_that_is_not_secure(tone_server: Server, open_page: OpenPage) -> None:
    """What was played is dropped. Without an AudioWorklet there is another clock."""
    frames = await frames_of(tone_server, "abcdefghij klmnopqrst uvwxyz abcdefghij klmnopqrst")
    patch = ("/player/deck.js", *KEPT)
    async with playing(open_page, tone_server, "mediasource", BUFFERS, insecure=True, patch=patch) as player:
        async for attempt in player.attempts(underruns=1):
            await player.page.evaluate("begins.length = 0")
            key = f"a{attempt}"
            await player.push(key, frames, [0] * 20 + [900] + [10] * (len(frames) - 21))
            await player.until("played", key)
            said = [
                each
                for each in await player.said("underrun", "continued", "progress")
                if each["utterance"] == key
            ]
        begins = [each for each in await player.page.evaluate("begins") if each]
        assert begins == sorted(begins) and len(set(begins)) > 3 and begins[0] < 1 < begins[-1]
        kinds = [each["type"] for each in said]
        assert [kind for kind in kinds if kind != "progress"] == ["underrun", "continued"]
        _, error = found(decoded(frames)[: samples(frames[:20])], await player.heard())
        assert error < 1e-5
        assert kinds.count("progress") > 20
        assert await player.ask(f"player.playedMs('{key}')") == pytest.approx(samples(frames) / 48)


async def test_which_there_are(tone_server: Server, open_page: OpenPage) -> None:
    async with open_page(f"{tone_server.url}/realtime.md", listen=False) as listened:
        page = listened.page
        supported = """async () => (await import("/player/choose.js")).supported()"""
        best, next_one, third, last = await page.evaluate(supported)
        assert (best["kind"], best["missing"]) == ("webcodecs", [])
        assert (next_one["kind"], next_one["missing"]) == ("mediasource", [])
        assert (third["kind"], third["missing"]) == ("managed", ["ManagedMediaSource"])
        assert (last["kind"], last["missing"]) == ("webrtc", [])
        refused = """async ([kind, rate]) => {
          const { createPlayer } = await import("/player/choose.js");
          return createPlayer(kind, new AudioContext({ sampleRate: rate })).catch(({ message }) => message);
        }"""
        assert (
            await page.evaluate(refused, ["managed", 48_000])
            == "ManagedMediaSource (MP4) needs ManagedMediaSource."
        )
        for kind in ("webcodecs", "mediasource", "webrtc"):
            assert "44100 Hz" in await page.evaluate(refused, [kind, 44_100])
        await page.evaluate("delete globalThis.AudioDecoder")
        assert (await page.evaluate(supported))[0]["missing"] == ["WebCodecs"]
        await page.evaluate("Object.defineProperty(globalThis, 'isSecureContext', { value: false })")
        assert (await page.evaluate(supported))[0]["missing"] == ["a secure address (https or localhost)"]


async def test_a_browser_that_stands_still_has_not_gone_on(tone_server: Server, open_page: OpenPage) -> None:
    """It stands where the sound begins that has come since, until it has enough: so long is the gap."""
    frames = await frames_of(tone_server, "abcdefghij klmnopqrst")
    stand = """const Made = Audio; globalThis.Audio = function () {
        const element = new Made();
        element.addEventListener("timeupdate", () => {
            const { buffered, currentTime } = element;
            if (!globalThis.isDry || globalThis.standing) return;
            globalThis.standing = element;
            const end = buffered.end(0);
            Object.defineProperty(element, "currentTime", { configurable: true, get: () => end });
            element.dispatchEvent(new Event("waiting"));
        });
        return element;
    }"""
    patience = ("/player/sourceplayer.js", "const PATIENCE_MS = 120;", "const PATIENCE_MS = 1e9;")
    async with playing(open_page, tone_server, "mediasource", before=stand, patch=patience) as player:
        await player.push("a", frames[:20])
        await player.until("underrun")
        await player.page.evaluate("globalThis.isDry = true")
        await player.page.wait_for_function("globalThis.standing")
        await player.push("a", frames[20:])
        await asyncio.sleep(0.2)
        assert not await player.said("continued")
        await player.page.evaluate(
            "delete standing.currentTime; standing.dispatchEvent(new Event('playing'))"
        )
        await player.until("played")
        (underrun,), (continued,) = await player.said("underrun"), await player.said("continued")
        assert continued["gapMs"] == pytest.approx(continued["at"] - underrun["at"])
