"""The programs in `bench/` run, and write what they print; what they measure is not judged here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from math import isfinite
from pathlib import Path

import numpy as np
import pytest

from bench.browser_gaps import Sound, compare, sent_sound
from bench.crowds import TEXTS, wasted
from bench.figures import Run, at_once, first_audio_s, underruns
from bench.listening import client_frame
from bench.player import Crowd, Listened, Player, Spoken
from bench.rtc_peer import Arrival, lateness
from realtime import __version__
from realtime.audio.formats import to_int16
from realtime.audio.opus import OpusEncoder
from realtime.session.frames import FrameKind, encode_frame
from realtime.types import FrameFlags, Packet

ROOT = Path(__file__).parents[1]


Rows = dict[str, dict[str, float]]
#: By the test that looks at what it wrote: a program and its arguments. Those that mostly wait come first.
PROGRAMS = {
    "test_load_has_figures_of_every_part_and_draws_them": (
        "bench.load",
        "--engine",
        "tone",
        "--find",
        "--plot",
        "load.png",
    ),
    "test_latency": ("bench.latency",),
    "test_session": ("bench.session",),
    "test_load_of_the_voice_is_measured_beside_the_bare_voice": ("bench.load", "steady"),
    "test_load_over_http": ("bench.load", "open", "--engine", "tone", "--transport", "http"),
    "test_load_by_words": ("bench.load", "open", "--engine", "tone", "--token-rate", "20"),
    "test_panels": ("bench.panels", "--engine", "tone"),
    "test_text": ("bench.text",),
}


def run(program: str, figures: Path, *arguments: str) -> Rows:
    """The rows that a program wrote, by name, when it has printed all of them."""
    done = subprocess.run(
        [sys.executable, "-m", program, "--quick", "--json", str(figures), *arguments],
        cwd=figures.parent,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(figures.read_text())}
    assert all(name in done.stdout for name in rows)
    return rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the programs write."""
    return tmp_path_factory.mktemp("bench")


@pytest.fixture(scope="module")
def programs(request: pytest.FixtureRequest, folder: Path) -> Iterator[dict[str, Future[Rows]]]:
    """By test: what its program writes. Two run at a time, for they wait for most of their time."""
    asked = {item.name for item in request.session.items}
    with ThreadPoolExecutor(2) as threads:
        yield {
            test: threads.submit(run, program, folder / f"{test}.json", *arguments)
            for test, (program, *arguments) in PROGRAMS.items()
            if test in asked
        }


@pytest.fixture
def rows(request: pytest.FixtureRequest, programs: dict[str, Future[Rows]]) -> Rows:
    """What the program of this test wrote."""
    return programs[request.node.name].result()


def test_latency(rows: Rows) -> None:
    assert len(rows) >= 15
    # The one figure that no machine's speed can change.
    assert rows["frames after context.cancelled in 50 tries"]["value"] == 0
    assert rows["first audible sample, median"]["value"] > 0
    # 30 ms of lead, in windows of 5 ms, and what of the onset is below -45 dBFS.
    assert 25 <= rows["silence before it, median"]["value"] <= 45


def test_session(rows: Rows) -> None:
    assert len(rows) == 9
    assert all(row["value"] > 0 for row in rows.values())


def test_text(rows: Rows) -> None:
    assert len(rows) == 14
    assert all(row["value"] > 0 for row in rows.values())


def test_packets_are_late_against_the_most_punctual_one() -> None:
    at = [5.0, 5.021, 5.04, 5.119]
    timestamps = [2**32 - 960, 0, 960, 3840]  # it wraps around, and two packets are left out
    packets = [Arrival(number, *each) for number, each in enumerate(zip(timestamps, at, strict=True))]
    assert lateness(packets) == pytest.approx([0.0, 0.001, 0.0, 0.019])
    at[2] = 5.03
    packets = [Arrival(number, *each) for number, each in enumerate(zip(timestamps, at, strict=True))]
    assert lateness(packets) == pytest.approx([0.01, 0.011, 0.0, 0.029])


def test_load_of_the_voice_is_measured_beside_the_bare_voice(rows: Rows) -> None:
    assert rows["steady: errors, all runs"]["value"] == 0
    assert rows["steady: listeners at once, on average"]["value"] > 0
    assert rows["steady: first audible sample, median"]["value"] > 0
    # 30 ms of lead, in windows of 5 ms, and what of the onset is below -45 dBFS.
    assert 25 <= rows["steady: silence before it, median"]["value"] <= 45
    assert rows["steady: server / bare on all cores"]["value"] > 0


def test_load_has_figures_of_every_part_and_draws_them(rows: Rows, folder: Path) -> None:
    parts = ("open loop: ", "steady: ", "newcomer ", "20 idle sessions", "cancel ", "most listeners")
    assert all(any(name.startswith(part) for name in rows) for part in parts)
    assert all(row["value"] == 0 for name, row in rows.items() if "errors" in name)
    assert rows["frames after context.cancelled"]["value"] == 0
    assert rows["barge-ins"]["value"] > 0
    assert (folder / "load.png").read_bytes().startswith(b"\x89PNG")


def test_load_over_http(rows: Rows) -> None:
    assert rows["open loop: errors, all runs"]["value"] == 0
    assert rows["open loop: audio per second"]["value"] > 0


def test_load_by_words(rows: Rows) -> None:
    assert rows["open loop: errors, all runs"]["value"] == 0
    assert rows["open loop: audio per second"]["value"] > 0


def test_panels(rows: Rows) -> None:
    """That all are filled is for tests/deploy, with servers that have everything."""
    assert rows["At a glance / Can speak"]["value"] == 1
    assert rows["At a glance / Sessions: limit"]["value"] == 256
    assert rows["Load / Sound made: /v1/audio/speech/ws"]["value"] > 0
    assert rows[f"Process / Version: {__version__} tone"]["value"] == 1
    assert rows["Caches / Redis"] | {"value": None, "note": "nothing"} == rows["Caches / Redis"]
    heat = rows["Latency / First sound, all: in 30 s"]
    assert heat["value"] == max(heat["more"].values())


def test_texts_of_the_load_are_all_different_and_of_all_lengths() -> None:
    assert len(TEXTS) == len(set(TEXTS)) == 200
    lengths = [len(text.split()) for text in TEXTS]
    assert min(lengths) == 5 and max(lengths) == 60
    # 56 lengths in eight groups, each as good as any.
    assert set(Counter((length - 5) // 7 for length in lengths).values()) <= {24, 25, 26}


def test_a_player_that_gets_its_sound_in_time_has_no_gap() -> None:
    player = Player()
    for number in range(10):
        player.receive(0.02, 1.0 + number * 0.019)
    assert player.gaps == []
    assert player.end == pytest.approx(1.2)
    assert player.played_s(1.05) == pytest.approx(0.05)
    assert player.played_s(9.0) == pytest.approx(0.2)


def test_a_player_is_silent_until_late_sound_comes_and_then_plays_all_of_it() -> None:
    player = Player()
    player.receive(0.5, 1.0)
    player.receive(0.5, 1.75)
    assert player.gaps == [(1.5, 1.75)]
    assert player.end == pytest.approx(2.25)
    player.receive(0.5, 2.0)
    assert player.gaps == [(1.5, 1.75)]
    assert [*player.periods, player.end] == pytest.approx([1.0, 1.5, 1.75, 2.75])


def test_a_buffered_player_bears_what_is_late_by_less() -> None:
    player = Player(buffer_s=0.06)
    player.receive(0.5, 1.0)
    player.receive(0.5, 1.55)
    assert player.gaps == []
    assert player.end == pytest.approx(2.06)


def test_silence_after_the_end_or_a_barge_in_is_no_gap() -> None:
    player = Player()
    player.receive(0.5, 1.0)
    player.rest()
    player.receive(0.5, 2.0)
    player.stop(2.25)
    assert player.received_s == pytest.approx(0.75)
    player.receive(0.5, 3.0)
    assert player.gaps == []
    assert [*player.periods, player.end] == pytest.approx([1.0, 1.5, 2.0, 2.25, 3.0, 3.5])


def _listened(periods: dict[int, list[float]], gaps: dict[int, list[tuple[float, float]]]) -> Run:
    listened = Listened(
        begun=10.0,
        ended=20.0,
        spoken=[],
        periods=periods,
        gaps=gaps,
        sessions={0: "ours"},
        errors=[],
        audio_s=10.0,
        cpu_s=0.1,
        lags=[0.0],
        longest_segment_ms=0.0,
    )
    return Run(Crowd(0, 0, TEXTS), listened, 1.0, 0.0, 100.0, 110.0)


def test_listeners_at_once_are_counted_within_the_window() -> None:
    run = _listened({0: [0.0, 30.0], 1: [5.0, 15.0], 2: [12.0, 14.0, 16.0, 20.0]}, {0: [], 1: [], 2: []})
    least, mean = at_once(run)
    assert least == 1
    assert mean == pytest.approx((10 + 5 + 2 + 4) / 10)


def test_underruns_outside_the_window_do_not_count() -> None:
    gaps = {0: [(11.0, 11.5), (18.0, 18.1)], 1: [(3.0, 4.0)], 2: [(25.0, 26.0)], 3: []}
    run = _listened({0: [9.0, 30.0], 1: [1.0, 30.0], 2: [9.0, 30.0], 3: [25.0, 26.0]}, gaps)
    share, longest_s = underruns([run])
    assert share == pytest.approx(1 / 3)  # the last one was not there in the window
    assert longest_s == pytest.approx(0.5)


def test_first_audio_is_that_of_who_came_in_the_window() -> None:
    run = _listened({}, {})
    run.listened.spoken += [
        Spoken(0, "0", "early", due=9.0, sent=9.0, first=9.9),
        Spoken(1, "0", "counts", due=11.0, sent=11.1, first=11.3),
        Spoken(1, "1", "behind another", due=12.0, sent=12.0, first=19.0, fresh=False),
    ]
    assert first_audio_s(run) == pytest.approx([0.2])


def test_waste_is_read_from_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    lines = [
        {"event": "context_over", "session": "ours", "handle": 1, "reason": "cancelled", "wasted_ms": 5.0},
        {"event": "context_over", "session": "ours", "handle": 2, "reason": "completed", "wasted_ms": 0.0},
        {"event": "context_cut", "session": "ours", "handle": 2, "wasted_ms": 7.0},
        {"event": "context_over", "session": "other", "handle": 1, "reason": "cancelled", "wasted_ms": 9.0},
    ]
    log.write_text("\n".join(map(json.dumps, lines)))
    assert wasted(log, _listened({}, {})) == {("ours", 1): 5.0, ("ours", 2): 7.0}
    log.write_text(json.dumps({"event": "context_over", "session": "ours", "handle": 1}))
    with pytest.raises(RuntimeError, match="does not log `wasted_ms`"):
        wasted(log, _listened({}, {}))


def test_frames_of_the_players_are_masked_with_zeros() -> None:
    assert client_frame("hi") == b"\x81\x82\0\0\0\0hi"
    assert client_frame("x" * 300)[:8] == b"\x81\xfe\x01\x2c\0\0\0\0"


def test_rtc(tmp_path: Path) -> None:
    """By itself, behind those that run two at a time: that no packet is lost is judged."""
    rows = run("bench.rtc", tmp_path / "rtc.json")
    assert len(rows) == 29
    assert all(isfinite(row["value"]) and row["value"] >= 0 for row in rows.values())
    # 30 ms of lead, and the codec: nothing is heard as soon as it is asked for.
    assert rows["offer to first audible sample, median"]["value"] > 30
    assert rows["WebRTC / WebSocket, CPU, median of rounds"]["value"] > 0
    # From this machine to itself no packet is lost.
    assert rows["packets that did not come"]["value"] == 0


def test_browser(tmp_path: Path) -> None:
    rows = run("bench.browser", tmp_path / "browser.json", "--long")
    assert all(isfinite(row["value"]) for row in rows.values())
    for player in ("webcodecs", "mediasource"):
        named = {name.removeprefix(f"{player}: "): row["value"] for name, row in rows.items()}
        assert named["Enter to first audible sample, median"] > 0
        assert named["Esc to silence, worst"] >= named["Esc to silence, median"] >= 0
        assert named["two pages: length of the text"] > 4
        assert named["two pages: sentences of the other page"] > 0
        assert named["long text: JavaScript heap after 3 s"] > 0
        # Whether it plays in real time: else its figures tell nothing.
        assert named["audio clock / wall clock"] == pytest.approx(1, abs=0.05)


def _noise(seconds: float) -> Sound:
    return np.random.default_rng(3).normal(0, 0.1, int(seconds * 48_000)).astype(np.float32)


def test_sound_that_is_heard_as_it_was_sent_has_no_gap() -> None:
    sent = _noise(2)
    sent[48_000:60_000] = 0  # a pause of the voice is none
    heard = compare(
        sent, np.concatenate([np.zeros(10_000, np.float32), sent * 0.9, np.zeros(500, np.float32)])
    )
    assert heard.blocks == 44 and heard.broken == 0
    assert heard.gaps == [] and heard.lost_ms == 0


def test_gaps_are_found_where_they_are_and_as_long_as_they_are() -> None:
    sent = _noise(2)
    silence = np.zeros(4800, np.float32)
    heard = compare(
        sent, np.concatenate([sent[:30_000], silence, sent[30_000:70_000], silence, sent[70_000:]])
    )
    assert [gap.ms for gap in heard.gaps] == [100, 100]
    assert [gap.at_s for gap in heard.gaps] == pytest.approx([30 / 48, 70 / 48], abs=0.08)
    assert heard.lost_ms == 0


def test_sound_that_was_not_heard_is_lost() -> None:
    sent = _noise(2)
    skipped = compare(sent, np.concatenate([sent[:30_000], sent[39_600:]]))
    assert skipped.gaps == []
    assert skipped.lost_ms == pytest.approx(200, abs=80)
    cut = compare(sent, sent[:-9600])
    assert cut.lost_ms == pytest.approx(200, abs=40)
    assert compare(sent, np.zeros(96_000, np.float32)).lost_ms == 2000


def test_frames_are_heard_without_what_the_codec_needs_before_and_behind_them() -> None:
    tone = np.sin(np.arange(24_000) * 0.1).astype(np.float32)
    encoder = OpusEncoder(64_000)
    pcm = np.concatenate([tone, np.zeros(240, np.float32)])
    packets = [encoder.encode(to_int16(part).tobytes()) for part in np.split(pcm[: 480 * 50], 50)]
    frames = [
        encode_frame(FrameKind.OPUS, 1, Packet(payload, seq, seq * 960, 960, FrameFlags(0)))
        for seq, payload in enumerate(packets)
    ]
    frames[-1] = encode_frame(FrameKind.OPUS, 1, Packet(packets[-1], 49, 49 * 960, 100, FrameFlags.LAST))
    sound = sent_sound(frames, encoder.lookahead * 2)
    assert len(sound) == 49 * 960 + 100
    whole = np.sin(np.arange(len(sound)) * 0.05).astype(np.float32)
    assert np.corrcoef(sound[960:40_000], whole[960:40_000])[0, 1] > 0.99
    assert sent_sound([], 312).size == 0
