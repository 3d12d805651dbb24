"""A short soak is a part of every test run; `make soak` is the long one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from msgspec import Struct, structs

from bench.soak import AWAITED, wrong_lines
from bench.soak_witness import Told, ViolationError, Witness
from realtime.session import messages as wire
from realtime.session.frames import FrameKind, encode_frame
from realtime.types import FrameFlags, Packet

ROOT = Path(__file__).parents[1]
#: The long soak is of the embedded engine. These two wait for half of their time, and so run together.
SECONDS = {"tone": 8, "embedded": 14}
Soak = tuple[Path, subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def soaks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Soak]]]:
    """By engine: the file of figures, and how the program ended."""

    def soak(engine: str) -> Soak:
        figures = tmp_path_factory.mktemp(engine) / "soak.json"
        command = [sys.executable, "-m", "bench.soak", "--engine", engine, "--json", str(figures)]
        command += ["--seconds", str(SECONDS[engine]), "--sessions", "12", "--seed", "test"]
        return figures, subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)

    with ThreadPoolExecutor() as threads:
        yield {engine: threads.submit(soak, engine) for engine in SECONDS}


@pytest.mark.parametrize("engine", sorted(SECONDS))
def test_after_random_sessions_everything_is_back_where_it_was(
    engine: str, soaks: dict[str, Future[Soak]]
) -> None:
    figures, done = soaks[engine].result()
    assert done.returncode == 0, done.stderr + done.stdout
    rows = {row["name"]: row["value"] for row in json.loads(figures.read_text())}
    assert all(name in done.stdout for name in rows)
    assert rows["lives"] > 12
    assert all(rows[f"  {name}"] > 0 for name in AWAITED)


# -- that the witness sees what is wrong ---------------------------------------------------------------------

WORDS = "It is noon."
SPOKEN = wire.ContextCancelled("c", 1, "cancelled", 20.0, "It is ", "noon.", 6, 0)
DONE = wire.ContextDone("c", 1, "completed", 20.0, 0, wire.ContextTiming(0, 0, 0, 0, 0))


class Session:
    """A witness of one context, and what comes to it."""

    def __init__(self) -> None:
        self.witness = Witness()
        self.told = Told("c", 0.0, text=WORDS)
        self.witness.contexts["c"] = self.told
        self.hear(wire.ContextOpened("c", 1, "heart", "en"))

    def hear(self, message: Struct) -> None:
        self.witness.receive(wire.encode(message))

    def frame(self, seq: int, flags: FrameFlags = FrameFlags.NONE, payload: bytes = b"sound") -> None:
        packet = Packet(payload, seq, seq * 960, 960, flags | (FrameFlags.FIRST if not seq else flags))
        self.witness.receive(encode_frame(FrameKind.OPUS, 1, packet))

    def cancel(self) -> None:
        self.told.silenced = True
        self.hear(SPOKEN)

    def lose(self, claimed: int) -> None:
        """The socket is lost, and the session resumed by one who says to have so many frames."""
        self.witness.lost()
        self.witness.resumed({"1": claimed - 1} if claimed else {})
        known = {"context_id": "c", "handle": 1, "state": "ending", "text_received": 11, "last_seq": 1}
        ready = {"type": "session.ready", "session_id": "s", "resumed": True, "contexts": [known]}
        self.witness.receive(json.dumps(ready))


def test_the_witness_takes_what_is_right() -> None:
    session = Session()
    session.frame(0)
    session.lose(0)
    session.frame(0, FrameFlags.REPLAYED)
    session.frame(1, FrameFlags.REPLAYED)
    session.frame(2, FrameFlags.LAST)
    session.hear(structs.replace(DONE, audio_ms=60.0, last_seq=2))
    session.told.silenced = True
    session.hear(structs.replace(SPOKEN, last_seq=2))
    session.hear(structs.replace(SPOKEN, last_seq=2))
    assert session.told.over and not session.witness.live()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda session: session.frame(1),
        lambda session: (session.frame(0), session.frame(0)),
        lambda session: session.frame(0, FrameFlags.REPLAYED),
        lambda session: (session.frame(0), session.lose(1), session.frame(0, FrameFlags.REPLAYED)),
        lambda session: (session.frame(0), session.lose(0), session.frame(0)),
        lambda session: (session.frame(0), session.lose(0), session.frame(0, FrameFlags.REPLAYED, b"noise")),
        lambda session: (session.frame(0), session.lose(1), session.frame(2)),
        lambda session: (session.frame(0), session.cancel(), session.frame(1)),
        lambda session: (session.frame(0, FrameFlags.LAST), session.hear(DONE), session.hear(DONE)),
        lambda session: (session.frame(0), session.hear(DONE)),
        lambda session: session.hear(DONE),
        lambda session: session.cancel(),
        lambda session: (session.frame(0), session.hear(SPOKEN)),
        lambda session: session.hear(wire.Error("internal", "something went wrong")),
        lambda session: session.hear(wire.ContextOpened("c", 2, "heart", "en")),
        lambda session: session.hear(wire.ContextOpened("d", 2, "heart", "en")),
        lambda session: session.hear(wire.FlushDone("c", 1, "f")),
        lambda session: session.hear(wire.Words("c", 1, 0, False, [wire.Word("is", (0, 2), 0.0, 1.0)])),
        lambda session: (setattr(session.told, "text", "It was noon."), session.frame(0), session.cancel()),
        lambda session: (setattr(session.told, "quiet", True), session.frame(0)),
    ],
)
def test_the_witness_sees_what_is_wrong(wrong: Callable[[Session], object]) -> None:
    with pytest.raises(ViolationError):
        wrong(Session())


def test_a_log_tells_what_went_wrong(tmp_path: Path) -> None:
    log = tmp_path / "log"
    lines = ['{"event": "ready", "level": "info"}', '{"event": "x", "level": "error"}', "Traceback", "[]"]
    log.write_text("\n".join(lines) + "\n")
    assert wrong_lines(log) == lines[1:]
