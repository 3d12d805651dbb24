"""The commands as a user types them: real processes, a real server, real files."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile

from bench.server import ServerProcess, free_port
from tests.speech_judges import transcribe, word_error_rate
from tests.wire_client import open_client

ROOT = Path(__file__).parents[1]
FOX = "The quick brown fox jumps over the lazy dog."


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    """`python -m realtime serve` with the embedded voice."""
    with ServerProcess() as running:
        yield running


def say(
    server: ServerProcess | None, *arguments: str | Path, stdin: bytes | None = None
) -> subprocess.CompletedProcess[bytes]:
    """`python -m realtime say` against a server, or against a port where nobody listens."""
    port = server.port if server else free_port()
    return subprocess.run(
        [sys.executable, "-m", "realtime", "say", *map(str, arguments)],
        env=os.environ | {"REALTIME_URL": f"ws://127.0.0.1:{port}"},
        input=stdin,
        capture_output=True,
        timeout=60,
        cwd=ROOT,
    )


def heard(path: Path) -> str:
    """What the recogniser reads out of a sound file."""
    sound, rate = soundfile.read(path, dtype="float32")
    return transcribe(sound, rate)


def test_a_text_into_a_wav_file(server: ServerProcess, tmp_path: Path) -> None:
    done = say(server, FOX, "--out", tmp_path / "fox.wav", "--stats")
    assert done.returncode == 0, done.stderr
    assert word_error_rate([FOX], [heard(tmp_path / "fox.wav")]) <= 0.12  # one word at most
    assert b"first audio" in done.stderr and b"real-time factor" in done.stderr


def test_over_a_webrtc_track(server: ServerProcess, tmp_path: Path) -> None:
    """In real time, and from the first audible sample to the last."""
    out = tmp_path / "track.wav"
    done = say(server, FOX, "--rtc", "--out", out, "--stats")
    assert done.returncode == 0, done.stderr
    assert word_error_rate([FOX], [heard(out)]) <= 0.12
    assert b"of a track" in done.stderr
    sound, _ = soundfile.read(out, dtype="float32")
    assert np.abs(sound[:480]).max() > 1e-3 and np.abs(sound[-480:]).max() > 1e-3


def test_a_barge_in_over_a_track(server: ServerProcess, tmp_path: Path) -> None:
    done = say(server, FOX, "--rtc", "--out", tmp_path / "cut.wav", "--interrupt-after", "0.8")
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.decode().splitlines()
    spoken, rest = first.removeprefix("heard:").split(), second.removeprefix("not heard:").split()
    assert [*spoken, *rest] == FOX.split() and spoken and rest


def test_an_ogg_file_that_other_programs_read(server: ServerProcess, tmp_path: Path) -> None:
    assert say(server, FOX, "--out", tmp_path / "fox.ogg").returncode == 0
    opusdec = shutil.which("opusdec")
    assert opusdec is not None, "make test installs it"
    subprocess.run([opusdec, "--quiet", tmp_path / "fox.ogg", tmp_path / "decoded.wav"], check=True)
    assert word_error_rate([FOX], [heard(tmp_path / "decoded.wav")]) <= 0.12


def test_pcm_and_opus_have_the_same_length(server: ServerProcess, tmp_path: Path) -> None:
    for form in ("opus", "pcm_s16le"):
        assert say(server, FOX, "--format", form, "--out", tmp_path / f"{form}.wav").returncode == 0
    opus, _ = soundfile.read(tmp_path / "opus.wav")
    pcm, _ = soundfile.read(tmp_path / "pcm_s16le.wav")
    assert len(opus) == len(pcm) > 24_000
    # The decoded sound lies where the original lies: no sample of delay is left.
    lags = [int(np.dot(opus[1000:-1000], np.roll(pcm, lag)[1000:-1000]) * 1000) for lag in range(-5, 6)]
    assert lags.index(max(lags)) == 5


def test_standard_input_is_spoken_as_it_arrives(server: ServerProcess, tmp_path: Path) -> None:
    out = tmp_path / "stdin.wav"
    with subprocess.Popen(
        [sys.executable, "-m", "realtime", "say", "-", "--out", str(out)],
        env=os.environ | {"REALTIME_URL": f"http://127.0.0.1:{server.port}"},
        stdin=subprocess.PIPE,
        cwd=ROOT,
    ) as process:
        assert process.stdin is not None
        process.stdin.write(b"The first sentence is here. And the second one ")
        process.stdin.flush()
        # The first sentence is written to the file while standard input is still open.
        deadline = time.monotonic() + 30
        while not (out.exists() and out.stat().st_size > 40_000):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.05)
        process.stdin.write("follows later, caf\u00e9.".encode())
        process.stdin.close()
        assert process.wait(30) == 0
    assert (
        word_error_rate(["The first sentence is here. And the second one follows later, cafe"], [heard(out)])
        < 0.2
    )


#: Sent by 2000 characters: three contexts.
LONG = "One two three. " * 300


@pytest.fixture(scope="module")
def short_contexts() -> Iterator[ServerProcess]:
    """A server that takes less than `LONG` in one context."""
    with ServerProcess(ENGINE="tone", ENGINE_RUNNER="thread", MAX_TEXT_PER_CONTEXT="2500") as running:
        yield running


def test_a_file_longer_than_a_context(short_contexts: ServerProcess, tmp_path: Path) -> None:
    text = tmp_path / "long.txt"
    text.write_text(LONG)
    done = say(short_contexts, "--file", text, "--out", tmp_path / "long.wav", "--stats")
    assert done.returncode == 0, done.stderr
    # 300 sentences of 0.8 s, 0.45 s apart but for the joints of contexts.
    assert 372 < soundfile.info(tmp_path / "long.wav").duration < 375


def _told(done: subprocess.CompletedProcess[bytes]) -> tuple[str, str]:
    """What `--interrupt-after` says was heard, and what was not."""
    heard, rest = done.stdout.decode().splitlines()
    assert heard.startswith("heard:     ") and rest.startswith("not heard: "), done.stderr
    return heard[11:], rest[11:]


@pytest.mark.parametrize("form", ["opus", "pcm_s16le"])
def test_a_barge_in_tells_what_was_heard(server: ServerProcess, tmp_path: Path, form: str) -> None:
    out = tmp_path / "short.wav"
    told, rest = _told(say(server, FOX, "--interrupt-after", "1.8", "--format", form, "--out", out))
    assert soundfile.info(out).frames == 1.8 * 24_000
    assert f"{told} {rest}" == FOX and rest.endswith("lazy dog.")
    assert word_error_rate([told], [heard(out)]) <= 0.2  # the word that is cut off may be guessed


def test_a_barge_in_while_standard_input_is_open(server: ServerProcess, tmp_path: Path) -> None:
    with subprocess.Popen(
        [
            sys.executable,
            "-m",
            "realtime",
            "say",
            "-",
            "--interrupt-after",
            "0.5",
            "--out",
            tmp_path / "x.wav",
        ],
        env=os.environ | {"REALTIME_URL": f"http://127.0.0.1:{server.port}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(b"The first sentence is here. And the second one ")
        process.stdin.flush()
        assert process.wait(30) == 0
        lines = process.stdout.read().decode().splitlines()
        process.stdin.close()
    assert lines[0].startswith("heard:     The") and lines[1].endswith("And the second one")
    assert soundfile.info(tmp_path / "x.wav").frames == 0.5 * 24_000


def test_a_barge_in_after_the_end_heard_everything(server: ServerProcess, tmp_path: Path) -> None:
    done = say(server, FOX, "--interrupt-after", "60", "--out", tmp_path / "fox.wav")
    assert _told(done) == (FOX, "(nothing: everything was heard)")
    assert soundfile.info(tmp_path / "fox.wav").duration < 4


def test_a_barge_in_within_a_later_context(short_contexts: ServerProcess, tmp_path: Path) -> None:
    text = tmp_path / "long.txt"
    text.write_text(LONG)
    arguments = ("--file", text, "--interrupt-after", "300", "--out", tmp_path / "long.wav")
    told, rest = _told(say(short_contexts, *arguments))
    assert f"{told} {rest}" == LONG.strip()
    # A sentence and its pause take 1.24 s.
    assert 238 < len(told.split()) / 3 < 244
    assert soundfile.info(tmp_path / "long.wav").frames == 300 * 24_000


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "soon"])
def test_seconds_that_are_none(seconds: str) -> None:
    done = say(None, FOX, f"--interrupt-after={seconds}")
    assert done.returncode == 2 and f"must be seconds above 0, not '{seconds}'".encode() in done.stderr


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--out", "x.mp3", "Hello"], b".wav or .ogg"),
        (["--out", "/nowhere/at/all.wav", "Hello"], b"cannot be written"),
        (["--file", "/nowhere.txt", "--out", "x.wav"], b"cannot be read"),
        (["--voice", "nobody", "--out", "x.wav", "Hello"], b"heart"),
        (["--language", "tlh", "--out", "x.wav", "Hello"], b"spoken: en"),
        ([], b"usage"),
    ],
)
def test_mistakes_get_one_clear_line(server: ServerProcess, arguments: list[str], hint: bytes) -> None:
    done = say(server, *arguments)
    assert done.returncode != 0 and hint in done.stderr and b"Traceback" not in done.stderr


def test_no_server(tmp_path: Path) -> None:
    done = say(None, "Hello", "--out", tmp_path / "x.wav")
    assert done.returncode == 1 and b"no server answers" in done.stderr and b"Traceback" not in done.stderr


def test_without_a_sound_device_it_says_so_or_plays(server: ServerProcess) -> None:
    done = say(server, "Hi.")
    assert b"Traceback" not in done.stderr
    assert done.returncode == 0 or b"--out" in done.stderr


@pytest.mark.parametrize(
    ("setting", "hint"),
    [
        ({"PORT": "http"}, "PORT must be a whole number from 0 to 65535, not 'http'"),
        ({"ENGINE": "loud"}, "ENGINE must be one of embedded, qwen3, tone"),
        ({"IDLE_TIMEOUT_S": "-1"}, "IDLE_TIMEOUT_S must be seconds from 1 to 86400"),
        ({"TRUSTED_PROXIES": "10.0.0.1/8"}, "TRUSTED_PROXIES must be IP addresses and networks"),
        ({"HOST": "203.0.113.7"}, "cannot listen on 203.0.113.7"),
    ],
)
def test_a_bad_setting_stops_the_start_with_one_line(setting: dict[str, str], hint: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "realtime", "serve"],
        env=os.environ | {"PORT": "0", "LOG_LEVEL": "error"} | setting,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
    )
    assert done.returncode == 1 and hint in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_port_that_is_taken(server: ServerProcess) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "realtime", "serve"],
        env=os.environ | {"PORT": str(server.port), "LOG_LEVEL": "error"},
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
    )
    assert done.returncode == 1 and f"cannot listen on 127.0.0.1:{server.port}" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_0_and_the_logs_hold_no_text(number: int, tmp_path: Path) -> None:
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-m", "realtime", "serve"],
        env=os.environ | {"PORT": str(port), "LOG_FORMAT": "json", "LOG_LEVEL": "debug"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        while f"http://127.0.0.1:{port}" not in process.stdout.readline():
            assert process.poll() is None
        done = subprocess.run(
            [sys.executable, "-m", "realtime", "say", "Secret words.", "--out", str(tmp_path / "x.wav")],
            env=os.environ | {"REALTIME_URL": f"ws://127.0.0.1:{port}"},
            cwd=ROOT,
        )
        assert done.returncode == 0
        process.send_signal(number)
        log = process.stderr.read()
        assert process.wait(20) == 0
    lines = [json.loads(line) for line in log.splitlines()]
    over = next(line for line in lines if line["event"] == "context_over")
    assert over["reason"] == "completed" and over["audio_s"] > 0.5 and over["characters"] == 13
    assert over["session"] and over["request"] and over["context"] == "context-1"
    assert "Secret" not in log


def test_make_say(server: ServerProcess, tmp_path: Path) -> None:
    make = ["make", "--no-print-directory", "-o", ".venv/.installed", "say"]
    environment = os.environ | {"REALTIME_URL": f"ws://127.0.0.1:{server.port}"}
    out = tmp_path / "fox.wav"
    done = subprocess.run(
        [*make, f'TEXT={FOX} It\'s $5 "now"; really?', f"OUT={out}"], env=environment, cwd=ROOT, timeout=60
    )
    assert done.returncode == 0
    assert "quick brown fox" in heard(out).lower() and "5" in heard(out).replace("five", "5")
    usage = subprocess.run([*make], env=environment, cwd=ROOT, capture_output=True, timeout=60)
    assert usage.returncode != 0 and b"usage" in usage.stdout + usage.stderr


def test_the_settings_and_the_version_are_told() -> None:
    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "realtime", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout

    assert "OPUS_BITRATE" in run("serve", "--help") and "64000" in run("serve", "--help")
    assert run("--version").startswith("realtime 0.")


def test_text_is_logged_when_asked_for(tmp_path: Path) -> None:
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-m", "realtime", "serve"],
        env=os.environ | {"PORT": str(port), "LOG_FORMAT": "json", "LOG_TEXT": "1", "ENGINE": "tone"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        while f"http://127.0.0.1:{port}" not in process.stdout.readline():
            assert process.poll() is None
        arguments = ["say", "Hello.", "--url", f"http://127.0.0.1:{port}", "--out", str(tmp_path / "x.wav")]
        subprocess.run([sys.executable, "-m", "realtime", *arguments], cwd=ROOT, check=True)
        process.terminate()
        assert '"text": "Hello."' in process.stderr.read()


def test_nothing_is_written_outside_and_nobody_is_told(tmp_path: Path) -> None:
    """onnxruntime's builds leave files in the home folder, and report to their maker, unless told not to."""
    with ServerProcess(HOME=str(tmp_path), XDG_CACHE_HOME=str(tmp_path / "cache")) as server:
        assert say(server, "Hi.", "--out", tmp_path / "x.wav").returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["x.wav"]


@pytest.mark.parametrize("signals", [1, 2])
def test_a_signal_while_the_voice_is_loaded_ends_it(signals: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "realtime", "serve"],
        env=os.environ | {"PORT": "0", "LOG_FORMAT": "json"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        assert any("loading" in line for line in process.stderr)
        for _ in range(signals):
            process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert "is ready" not in process.stdout.read() and "Traceback" not in process.stderr.read()


async def test_shutdown_waits_for_no_stalled_listener() -> None:
    server = ServerProcess(ENGINE="tone", ENGINE_RUNNER="thread").__enter__()
    async with open_client(f"http://127.0.0.1:{server.port}", max_queue=1) as client:
        for _ in range(4):
            await client.send("text", text="One two three. " * 1000)
        await client.until_frame()
        client.connection.transport.pause_reading()
        await asyncio.sleep(1)  # until the buffers between here and there are full
        server.process.terminate()
        # Far less than the 30 s that a listener may take nothing.
        assert await asyncio.to_thread(server.process.wait, 20) == 0
        client.connection.transport.abort()  # or it would wait for the answer that it does not read


async def test_shutdown_waits_for_no_frozen_engine() -> None:
    server = ServerProcess(ENGINE_TIMEOUT_S="60").__enter__()
    engines = psutil.Process(server.process.pid).children()
    assert len(engines) == 2  # of the English voice, and of espeak-ng
    for engine in engines:
        engine.suspend()
    async with open_client(f"http://127.0.0.1:{server.port}") as client:
        for number in range(8):
            for _ in range(4):
                await client.send("text", text="word " * 3000, context_id=f"c{number}")
        await client.pong()
        server.process.terminate()
        assert await asyncio.to_thread(server.process.wait, 20) == 0
    assert not any(engine.is_running() for engine in engines)


def test_voices_are_listed_also_into_a_pipe_that_closes() -> None:
    command = f"{sys.executable} -m realtime voices"
    listed = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60)
    rows = [re.split(r"  +", line) for line in listed.stdout.splitlines()]
    assert rows[0][:4] == ["voice", "language", "engine", "aliases"]
    assert ["heart", "en", "embedded"] in rows and ["espeak-ko", "ko", "espeak", "ko"] in rows
    closed = subprocess.run(f"{command} | true", shell=True, capture_output=True, text=True, timeout=60)
    assert closed.returncode == 0 and closed.stderr == ""


def test_no_secret_reaches_a_process_that_the_server_starts() -> None:
    key, redis = "k" * 32, "redis://:password@127.0.0.1:9"
    with ServerProcess(ENGINE="tone", API_KEYS=key, REDIS_URL=redis, AUDIO_CACHE_MB="1") as server:
        children = psutil.Process(server.process.pid).children(recursive=True)
        assert children
        for child in children:
            told = [*child.environ().items(), *enumerate(child.cmdline())]
            assert not [name for name, value in told if key in value or "password" in value]
