"""Several engines behind one contract: the voice of an utterance decides which of them speaks it.

With `Open.auto_voices` the language of each piece decides which voice that is (`engines.relay`). Each engine
is what it is (a process of its own, say): when one dies, the utterances of the others go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import structlog

from realtime.engines.engine import (
    Capabilities,
    Chunk,
    Command,
    DeviceMemory,
    Engine,
    Event,
    Failure,
    Freed,
    LoadState,
    Open,
    Restarted,
    Stats,
    Steps,
)
from realtime.engines.relay import Output, Relay, Soon
from realtime.errors import EngineError

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Part:
    """An engine and its voices; one `on_demand` is started when it is first spoken with."""

    engine: Engine
    voices: frozenset[str]
    on_demand: bool = False


class RoutedEngine:
    """An `Engine` made of several. Voices that none of them has fail their utterance.

    Numbers of utterances may not be negative: those are for the runs of utterances that several voices speak.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        """The first is the main one: it is ready when this engine is. It may not be on demand."""
        self._parts = parts
        self._main = parts[0]
        self._by_voice = {voice: part for part in parts for voice in part.voices}
        self._by_utterance: dict[int, Part] = {}
        self._relays: dict[int, Relay] = {}  # by the numbers of their utterances and of their runs
        self._run_numbers = itertools.count(-1, -1)
        self._outputs: deque[tuple[Relay, Output]] = deque()
        self._stats: dict[int, Stats] = {}
        self._starts: dict[int, asyncio.Task[None]] = {}
        self._on_event: Callable[[Event], None] = lambda event: None

    @property
    def capabilities(self) -> Capabilities:
        """Those of the main engine, with the voices, languages and cloning of all that run."""
        known = [self._main.engine.capabilities]
        for part in self._parts[1:]:
            with contextlib.suppress(EngineError):  # not started yet
                known.append(part.engine.capabilities)
        return replace(
            known[0],
            voices=tuple(dict.fromkeys(voice for each in known for voice in each.voices)),
            languages=tuple(dict.fromkeys(language for each in known for language in each.languages)),
            cloning=any(each.cloning for each in known),
        )

    @property
    def ready(self) -> bool:
        """Whether the main engine is."""
        return self._main.engine.ready

    async def start(self, on_event: Callable[[Event], None]) -> None:
        """Start all that are not on demand, side by side; raises `EngineError` when one cannot."""
        self._on_event = on_event
        eager = [part for part in self._parts if not part.on_demand]
        results = await asyncio.gather(*(self._start(part) for part in eager), return_exceptions=True)
        failures = [result for result in results if isinstance(result, BaseException)]
        if failures:
            await self.stop()
            raise failures[0]

    def send(self, command: Command) -> None:
        """Give a command to the engine whose voice it is for."""
        if isinstance(command, Open):
            if command.auto_voices and command.reference is None and command.voice in self._by_voice:
                self._relays[command.utterance] = Relay(command, lambda: next(self._run_numbers))
                return
        elif (relay := self._relays.get(command.utterance)) is not None:
            self._carry_out(relay, relay.command(command))
            return
        self._send_to_part(command)

    async def forget(self, voice_key: str) -> None:
        """Drop what any of them keeps of a recording."""
        await asyncio.gather(*(part.engine.forget(voice_key) for part in self._parts))

    async def stop(self) -> None:
        """Stop all."""
        starts = list(self._starts.values())
        for start in starts:
            start.cancel()
        await asyncio.gather(*starts, return_exceptions=True)
        await asyncio.gather(*(part.engine.stop() for part in self._parts))

    async def _start(self, part: Part) -> None:
        number = self._parts.index(part)
        await part.engine.start(lambda event: self._take(number, event))

    def _start_on_demand(self, part: Part) -> None:
        number = self._parts.index(part)
        if number not in self._starts:
            self._starts[number] = asyncio.create_task(self._try_start(number, part))

    async def _try_start(self, number: int, part: Part) -> None:
        try:
            await self._start(part)
        except EngineError as error:  # the engine has failed what was opened meanwhile
            _log.error("engine_not_started", voices=sorted(part.voices), message=error.message)
            del self._starts[number]  # the next utterance may try again
            if part in self._by_utterance.values():  # it was opened by one who heard of the failure
                self._start_on_demand(part)
        except BaseException:
            del self._starts[number]
            raise

    def _take(self, number: int, event: Event) -> None:
        if isinstance(event, Stats):
            self._stats[number] = event
            stats = self._stats.values()
            self._on_event(
                Stats(
                    open=sum(each.open for each in stats),
                    waiting=sum(each.waiting for each in stats),
                    busy=sum(each.busy for each in stats),
                    prompts=sum(each.prompts for each in stats),
                    prompt_hits=sum(each.prompt_hits for each in stats),
                    prompt_misses=sum(each.prompt_misses for each in stats),
                    device=next((each.device for each in stats if each.device.total), DeviceMemory()),
                )
            )
            return
        if isinstance(event, LoadState):
            if self._parts[number] is self._main:  # by which we are ready
                self._on_event(event)
            return
        if isinstance(event, Steps | Restarted):
            self._on_event(event)
            return
        self._deliver(event)

    def _send_to_part(self, command: Command) -> None:
        if isinstance(command, Open):
            cloned = command.reference is not None
            part = self._cloning_part() if cloned else self._by_voice.get(command.voice)
            if part is None:
                reason = "clones voices" if cloned else f"has the voice {command.voice!r}"
                self._deliver(Failure(command.utterance, f"no engine {reason}"))
                self._deliver(Freed(command.utterance))
                return
            self._by_utterance[command.utterance] = part
            part.engine.send(command)
            if part.on_demand:
                self._start_on_demand(part)
        elif (part := self._by_utterance.get(command.utterance)) is not None:
            part.engine.send(command)

    def _cloning_part(self) -> Part | None:
        """The first that runs and clones voices."""
        for part in self._parts:
            with contextlib.suppress(EngineError):  # not started yet
                if part.engine.capabilities.cloning:
                    return part
        return None

    def _deliver(self, event: Chunk | Failure | Freed) -> None:
        """Hand an event of a part on to those above, or to the relay whose run it is of."""
        relay = self._relays.get(event.utterance)
        if isinstance(event, Freed):
            self._by_utterance.pop(event.utterance, None)
            self._relays.pop(event.utterance, None)
        if relay is None:
            self._on_event(event)
        else:
            self._carry_out(relay, relay.event(event))

    def _carry_out(self, relay: Relay, outputs: list[Output]) -> None:
        """In order: what is sent meanwhile, by those who hear an event, comes after all that is waiting."""
        self._outputs += [(relay, output) for output in outputs]
        while self._outputs:
            self._carry_out_one(*self._outputs.popleft())

    def _carry_out_one(self, relay: Relay, output: Output) -> None:
        if isinstance(output, Soon):
            part = self._by_voice.get(output.voice)
            if part is not None and part.on_demand:
                self._start_on_demand(part)
        elif isinstance(output, Chunk | Failure | Freed):
            if isinstance(output, Freed):
                del self._relays[output.utterance]
            self._on_event(output)
        else:
            if isinstance(output, Open):
                self._relays[output.utterance] = relay
            self._send_to_part(output)
