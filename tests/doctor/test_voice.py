"""What is told of an engine that was tried; the real one speaks in `test_command`."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest

from realtime.doctor import voice
from realtime.doctor.machine import Ended
from realtime.doctor.voice import Speech, Spoken
from tests.doctor.looking import look, machine, only, states


def test_the_engine_for_tests_speaks() -> None:
    """In a process of its own, without secrets, and whatever else is wrong."""
    found = look(voice.speaks, ENGINE="tone", ENGINE_RUNNER="thread", MAX_SESSIONS="x", PRELOAD_MODEL="0")
    assert states(found) == [("loads", "ok"), ("speaks tone", "ok")]
    assert found[1].found.startswith("en: first sound after ")


def test_an_engine_that_cannot_be_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told in a line, without a traceback."""
    package = tmp_path / "hibari"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('these weights are broken')\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    (found,) = look(voice.speaks)
    assert found.state == "fail" and found.found.endswith("RuntimeError: these weights are broken")


def test_it_is_not_tried() -> None:
    from realtime.doctor.finding import Situation

    (found,) = voice.speaks(Situation(quick=True))
    assert found.state == "info" and "--quick" in found.found


@pytest.mark.parametrize(
    ("ended", "what"),
    [
        (Ended(124), "has not spoken within 300 s"),
        (Ended(-11), "ended with code -11: it wrote nothing"),
        (Ended(1, "", "Traceback\n  File\nImportError: no libcudart\n"), "code 1: ImportError: no libcudart"),
        (Ended(0, msgspec.json.encode(Speech(error="no model")).decode()), "no model"),
        (Ended(0, "not json"), "this check broke: DecodeError"),
    ],
)
def test_tries_that_fail(ended: Ended, what: str, tmp_path: Path) -> None:
    (found,) = look(voice.speaks, machine(tmp_path, run=lambda *_: ended))
    assert found.state == "fail" and what in found.found and "Traceback" not in found.found


@pytest.mark.parametrize(
    ("spoken", "state"),
    [
        (Spoken("heart", "en", 30.0, 0.2, 2.0), "ok"),
        (Spoken("heart", "en", 700.0, 0.9, 2.0), "warn"),
        (Spoken("heart", "en", 30.0, 3.0, 2.0), "warn"),
        (Spoken("heart", "en", 30.0, 3.0, 0.0), "fail"),
    ],
)
def test_how_fast_it_speaks(spoken: Spoken, state: str) -> None:
    found = only(voice.told("embedded", Speech(1.0, (spoken,))), "speaks heart")
    assert found.state == state and bool(found.remedy) == (state != "ok")


def test_a_model_without_voices_of_its_own() -> None:
    assert states(voice.told("qwen3", Speech(1.0))) == [("loads", "ok"), ("speaks", "info")]
