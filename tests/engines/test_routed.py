"""Several engines as one: the voice decides, and the fault of one is not the others'."""

from __future__ import annotations

import asyncio
import contextlib
import errno
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from realtime.engines.engine import (
    Cancel,
    Capabilities,
    Chunk,
    Engine,
    Event,
    Failure,
    Feed,
    Finish,
    Grant,
    Open,
    Stats,
)
from realtime.engines.process import ProcessEngine
from realtime.engines.routed import Part, RoutedEngine
from realtime.engines.thread import ThreadEngine
from realtime.engines.tone import ToneSynthesizer
from realtime.errors import EngineError
from realtime.types import TextPiece
from tests.engines.test_process import PATIENCE_S, Log, children, clone, pitch, reference, wait_prompts
from tests.wire_client import eventually

HELLO = TextPiece(0, "Hello.", (0, 6), (), "en")
LONG = TextPiece(0, "1", (0, 1), (), "en")  # for one that makes long sounds, which come in two parts
KILL = TextPiece(0, "One KILL two.", (0, 13), (), "en")


def _tone() -> Engine:
    return ThreadEngine(ToneSynthesizer(), 1)


def _process(factory: str) -> ProcessEngine:
    return ProcessEngine(f"tests.engines.faulty:{factory}", 1, PATIENCE_S)


@contextlib.asynccontextmanager
async def routed(*parts: Part) -> AsyncIterator[tuple[RoutedEngine, Log]]:
    engine, log = RoutedEngine(parts), Log()
    await engine.start(log)
    try:
        yield engine, log
    finally:
        await engine.stop()


def say(engine: Engine, utterance: int, voice: str, piece: TextPiece = HELLO) -> None:
    for command in (
        Open(utterance, voice, "en"),
        Feed(utterance, piece),
        Grant(utterance, 10_000, 0.0),
        Finish(utterance),
    ):
        engine.send(command)


async def test_the_voice_decides() -> None:
    parts = Part(_tone(), frozenset({"anna"})), Part(_process("make_faulty"), frozenset({"bert"}))
    async with routed(*parts) as (engine, log):
        for utterance, voice in enumerate(("anna", "bert", "anna", "bert"), 1):
            say(engine, utterance, voice)
        await log.wait_freed(1, 2, 3, 4)
        assert all(log.of(utterance) == ["Chunk", "Freed"] for utterance in range(1, 5))
        sounds = {e.utterance: e.audio.pcm.tobytes() for e in log.events if isinstance(e, Chunk)}
        assert sounds[1] == sounds[2]
        assert engine.capabilities.voices == ("tone",) and engine.ready
        say(engine, 5, "nobody")
        await log.wait_freed(5)
        assert log.of(5) == ["Failure", "Freed"] and log.failures() == [5]


async def test_a_dead_part_fails_its_utterances_alone() -> None:
    parts = Part(_tone(), frozenset({"anna"})), Part(_process("make_faulty"), frozenset({"bert"}))
    async with routed(*parts) as (engine, log):
        say(engine, 1, "bert", KILL)
        say(engine, 2, "anna")
        await log.wait_freed(1, 2)
        assert engine.ready
        say(engine, 3, "bert")
        say(engine, 4, "anna")
        await log.wait_freed(3, 4)
        assert log.failures() == [1]


async def test_busy_is_the_sum_of_all() -> None:
    parts = Part(_tone(), frozenset({"anna"})), Part(_process("make_faulty"), frozenset({"bert"}))
    async with routed(*parts) as (engine, log):
        for utterance, voice in ((1, "anna"), (2, "bert")):
            engine.send(Open(utterance, voice, "en"))
            engine.send(Feed(utterance, HELLO))
            engine.send(Grant(utterance, 10_000, 0.0))  # no Finish: it stays open
        await log.wait(lambda events: any(isinstance(e, Stats) and e.open == 2 for e in events))
        for utterance in (1, 2):
            engine.send(Cancel(utterance))
        await log.wait_freed(1, 2)
        await log.wait(lambda events: isinstance(events[-1], Stats) and events[-1].open == 0)


async def test_what_is_on_demand_starts_with_its_first_utterance() -> None:
    lazy = _process("make_faulty")
    parts = Part(_tone(), frozenset({"anna"})), Part(lazy, frozenset({"bert"}), on_demand=True)
    async with routed(*parts) as (engine, log):
        say(engine, 1, "anna")
        await log.wait_freed(1)
        assert not lazy.ready
        for utterance in (2, 3):
            say(engine, utterance, "bert")
        await log.wait_freed(2, 3)
        assert lazy.ready and log.failures() == []


async def test_the_wait_for_what_is_on_demand_is_told() -> None:
    parts = Part(_tone(), frozenset({"anna"})), Part(_tone(), frozenset({"bert"}), on_demand=True)
    async with routed(*parts) as (engine, log):
        say(engine, 1, "anna")
        say(engine, 2, "bert")
        await log.wait_freed(1, 2)
        say(engine, 3, "bert")
        await log.wait_freed(3)
    load_times = {event.utterance: event.load_s for event in log.events if isinstance(event, Chunk)}
    assert load_times[1] == load_times[3] == 0 < load_times[2]


class Deaf(ToneSynthesizer):
    """It clones nothing."""

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, cloning=False)


async def test_a_cloned_voice_goes_to_the_engine_that_clones(tmp_path: Path) -> None:
    deaf, cloning = ThreadEngine(Deaf(), 1), _process("make_faulty")
    async with routed(Part(deaf, frozenset({"anna"})), Part(cloning, frozenset({"bert"}))) as (engine, log):
        assert engine.capabilities.cloning
        for utterance, hz in ((1, 330), (2, 550), (3, 330)):
            voice = reference(tmp_path, hz, f"{hz}")
            # As every context without a voice of its own; and the name is that of another engine's voice.
            auto = (("en", "anna"), ("de", "bert"))
            engine.send(Open(utterance, "anna", "en", auto_voices=auto, reference=voice))
            for command in (Feed(utterance, HELLO), Grant(utterance, 10_000, 0.0), Finish(utterance)):
                engine.send(command)
            await log.wait_freed(utterance)
        assert [pitch(log, number) for number in (1, 2, 3)] == pytest.approx([330, 550, 330], abs=5)
        await wait_prompts(log, 2, 1, 2)
        await engine.forget(reference(tmp_path, 330, "330").key)
        await wait_prompts(log, 1, 1, 2)
    async with routed(Part(ThreadEngine(Deaf(), 1), frozenset({"anna"}))) as (engine, log):
        assert not engine.capabilities.cloning
        clone(engine, 1, voice)
        await log.wait_freed(1)
        assert [e.message for e in log.events if isinstance(e, Failure)] == ["no engine clones voices"]


async def test_on_demand_and_not_to_be_had() -> None:
    parts = (
        Part(_tone(), frozenset({"anna"})),
        Part(_process("make_unloadable"), frozenset({"bert"}), on_demand=True),
    )
    async with routed(*parts) as (engine, log):
        for utterance in (1, 2):  # the second tries again
            say(engine, utterance, "bert")
            await log.wait_freed(utterance)
            say(engine, utterance + 10, "anna")
            await log.wait_freed(utterance + 10)
        assert log.failures() == [1, 2]
        assert all("model.bin" in e.message for e in log.events if isinstance(e, Failure))


async def test_a_part_that_cannot_be_loaded_stops_the_start() -> None:
    tone = _tone()
    engine = RoutedEngine(
        [Part(tone, frozenset({"anna"})), Part(_process("make_unloadable"), frozenset({"bert"}))]
    )
    with pytest.raises(EngineError, match=r"model\.bin"):
        await engine.start(Log())
    assert not tone.ready


async def test_a_stop_while_a_part_is_loading() -> None:
    parts = (
        Part(_tone(), frozenset({"anna"})),
        Part(_process("make_slow"), frozenset({"bert"}), on_demand=True),
    )
    async with routed(*parts) as (engine, log):
        say(engine, 1, "bert")
    assert not engine.ready and log.of(1) == []


async def test_on_demand_and_no_process_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """When there are processes again, the next utterance speaks."""

    async def refuse(*arguments: object, **options: object) -> None:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    lazy = _process("make_faulty")
    parts = Part(_tone(), frozenset({"anna"})), Part(lazy, frozenset({"bert"}), on_demand=True)
    async with routed(*parts) as (engine, log):
        with monkeypatch.context() as patched:
            patched.setattr(asyncio, "create_subprocess_exec", refuse)
            say(engine, 1, "bert")
            await log.wait_freed(1)
        say(engine, 2, "bert")
        await log.wait_freed(2)
        assert log.failures() == [1]
        (failure,) = (event for event in log.events if isinstance(event, Failure))
        assert "temporarily unavailable" in failure.message


async def test_on_demand_and_killed_while_it_loads() -> None:
    """What waited for it fails; one who speaks again at once, from within the failure, has the next."""

    class Retrying(Log):
        def __call__(self, event: Event) -> None:
            super().__call__(event)
            if isinstance(event, Failure):
                say(engine, event.utterance + 1, "bert", LONG)

    lazy = _process("make_late")
    parts = Part(_tone(), frozenset({"anna"})), Part(lazy, frozenset({"bert"}), on_demand=True)
    engine, log = RoutedEngine(parts), Retrying()
    await engine.start(log)
    try:
        say(engine, 1, "bert", LONG)
        await eventually(lambda: bool(children()))
        children()[0].kill()
        await log.wait_freed(1, 2)
        (failure,) = (event for event in log.events if isinstance(event, Failure))
        assert failure.message == "the engine's process ended with code -9 while it loaded"
        assert not failure.lost, "who starts such a one again by itself might do so for ever"
        assert log.of(1) == ["Failure", "Freed"] and log.of(2) == ["Chunk", "Chunk", "Freed"]
    finally:
        await engine.stop()


def say_in_languages(engine: Engine, utterance: int, voices: dict[str, str], *pieces: TextPiece) -> None:
    engine.send(Open(utterance, voices["en"], "en", auto_voices=tuple(voices.items())))
    engine.send(Grant(utterance, 100_000, 0.0))
    for each in pieces:
        engine.send(Feed(utterance, each))
    engine.send(Finish(utterance))


def pieces(*texts: tuple[str, str]) -> list[TextPiece]:
    return [
        TextPiece(number, text, (0, len(text)), (), language) for number, (language, text) in enumerate(texts)
    ]


async def test_one_utterance_in_several_voices() -> None:
    """With real voices in processes: each segment sounds as if its voice had spoken it alone."""
    voices = {"en": "heart", "de": "espeak-de", "fr": "espeak-fr"}
    text = pieces(
        ("en", "Hello there."),
        ("de", "Guten Tag."),
        ("en", "Hello there."),
        ("fr", "Bonjour."),
        ("fr", "Merci."),
    )
    parts = (
        Part(ProcessEngine("realtime.engines.embedded:make", 1, PATIENCE_S), frozenset({"heart"})),
        Part(
            ProcessEngine("realtime.engines.espeak:make", 1, PATIENCE_S),
            frozenset({"espeak-de", "espeak-fr"}),
            on_demand=True,
        ),
    )
    async with routed(*parts) as (engine, log):
        say_in_languages(engine, 1, voices, *text)
        await log.wait_freed(1)
        for each in text:
            say(engine, 10 + each.segment, voices[each.language], each)
        await log.wait_freed(*(10 + each.segment for each in text))

        def sound(utterance: int, segment: int) -> bytes:
            return b"".join(
                event.audio.pcm.tobytes()
                for event in log.events
                if isinstance(event, Chunk) and (event.utterance, event.audio.segment) == (utterance, segment)
            )

        segments = [e.audio.segment for e in log.events if isinstance(e, Chunk) and e.utterance == 1]
        assert segments == sorted(segments) and set(segments) == {0, 1, 2, 3, 4}
        assert log.of(1).count("Freed") == 1 and log.failures() == []
        for each in text:
            assert len(sound(1, each.segment)) > 4 * 5000, "a quarter of a second at the least"
            assert sound(1, each.segment) == sound(10 + each.segment, each.segment)
        assert sound(1, 0) == sound(1, 2)


async def test_a_dead_part_fails_an_utterance_of_several_voices_once() -> None:
    voices = {"en": "anna", "de": "bert"}
    parts = Part(_tone(), frozenset({"anna"})), Part(_process("make_faulty"), frozenset({"bert"}))
    async with routed(*parts) as (engine, log):
        say_in_languages(engine, 1, voices, *pieces(("en", "One."), ("de", "One KILL two."), ("en", "Two.")))
        await log.wait_freed(1)
        assert log.of(1) == ["Chunk", "Chunk", "Failure", "Freed"] and log.lost() == {1: True}
        say_in_languages(engine, 2, voices, *pieces(("en", "One."), ("de", "Two."), ("en", "Three.")))
        await log.wait_freed(2)
        assert log.of(2) == ["Chunk", "Chunk", "Chunk", "Freed"]
        engine.send(Open(3, "nobody", "en", auto_voices=tuple(voices.items())))
        await log.wait_freed(3)
        assert log.failures() == [1, 3]


async def test_what_is_on_demand_starts_when_text_for_it_comes() -> None:
    """Not with the utterance, and not only when it is its turn."""
    lazy = _process("make_faulty")
    parts = Part(_tone(), frozenset({"anna"})), Part(lazy, frozenset({"bert"}), on_demand=True)
    async with routed(*parts) as (engine, log):
        engine.send(Open(1, "anna", "en", auto_voices=(("de", "bert"),)))
        english, german = pieces(("en", "One."), ("de", "Zwei."))
        engine.send(Feed(1, english))
        await asyncio.sleep(0)
        assert not lazy.ready and not engine._starts
        engine.send(Feed(1, german))
        (start,) = engine._starts.values()
        await start
        assert lazy.ready and log.of(1) == [], "nothing has been granted"
        engine.send(Grant(1, 10_000, 0.0))
        engine.send(Finish(1))
        await log.wait_freed(1)
        assert log.of(1) == ["Chunk", "Chunk", "Freed"]
