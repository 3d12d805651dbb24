"""The process in which the engine is tried: settings by the environment, a `Speech` as JSON comes out."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import replace

import msgspec

from realtime.app.building import ON_DEMAND, make_engine
from realtime.app.models import Model, make_model
from realtime.config import Config, from_environment
from realtime.doctor.voice import Speech, Spoken
from realtime.engines.engine import Chunk, Engine, Event, Failure, Feed, Finish, Freed, Grant, Open
from realtime.errors import RealtimeError
from realtime.observe import logs
from realtime.types import TextPiece, Voice
from realtime.voices.catalogue import SAMPLE_DESCRIPTION, SAMPLES, is_installed, voices_of

_GRANTED_MS = 60_000


async def speak(config: Config) -> Speech:
    """Load the engine, and have the first voice of each part say a sentence. Raises `RealtimeError`."""
    # As a server does at its start, whatever is set: a load is what is to be seen.
    config = replace(config, preload_model=True, idle_timeout=0.0)
    model = await asyncio.to_thread(make_model, config)
    engine = make_engine(config, model)
    events: asyncio.Queue[Event] = asyncio.Queue()
    begun = time.monotonic()
    try:
        await engine.start(events.put_nowait)
        load_s = time.monotonic() - begun
        voices = _voices(config, model)
        spoken = [await _say(engine, events, number, voice) for number, voice in enumerate(voices, 1)]
    finally:
        await engine.stop()
    return Speech(load_s, tuple(spoken))


def _voices(config: Config, model: Model | None) -> list[Voice]:
    """The first voice of each engine that a server has from its start."""
    voices = model.voices if model is not None else tuple(filter(is_installed, voices_of(config.engine)))
    first = {voice.engine: voice for voice in reversed(voices) if voice.engine not in ON_DEMAND}
    return [voice for voice in voices if first.get(voice.engine) == voice]


async def _say(engine: Engine, events: asyncio.Queue[Event], utterance: int, voice: Voice) -> Spoken:
    language = voice.languages[0]
    text = SAMPLES[language]
    instruct = SAMPLE_DESCRIPTION if voice.instruct == "required" else ""
    begun = time.monotonic()
    engine.send(Open(utterance, voice.id, language, instruct=instruct))
    engine.send(Feed(utterance, TextPiece(0, text, (0, len(text)), (), language)))
    engine.send(Finish(utterance))
    engine.send(Grant(utterance, _GRANTED_MS, begun))
    first_ms = audio_s = 0.0
    while True:
        event = await events.get()
        if isinstance(event, Failure) and event.utterance == utterance:
            raise RealtimeError(f"the voice {voice.id} does not speak: {event.message}")
        if isinstance(event, Chunk) and event.utterance == utterance:
            first_ms = first_ms or 1000 * (time.monotonic() - begun)
            audio_s += len(event.audio.pcm) / event.audio.sample_rate
        if isinstance(event, Freed) and event.utterance == utterance:
            return Spoken(voice.id, language, first_ms, time.monotonic() - begun, audio_s)


def main() -> None:
    """Write what became of it to standard output, and nothing else: what engines print goes to the errors."""
    out = os.dup(1)
    os.dup2(2, 1)
    logs.configure("error", "console")
    try:
        speech = asyncio.run(speak(from_environment(os.environ)))
    except RealtimeError as error:
        speech = Speech(error=error.message)
    with open(out, "wb") as result:
        result.write(msgspec.json.encode(speech))


if __name__ == "__main__":
    main()
