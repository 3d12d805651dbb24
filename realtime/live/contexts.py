"""The contexts of one session that are being spoken: their speakers, and what became of each."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from realtime.clock import Clock
from realtime.errors import ErrorCode
from realtime.live.summaries import ContextSummary, LateCancel, Observer, Reason
from realtime.session.actions import (
    AppendText,
    EndSpeaker,
    FlushSpeaker,
    Machine,
    OpenSpeaker,
    Replenish,
    StopSpeaker,
    Unheard,
)
from realtime.speech.speaker import Listener, Speaker
from realtime.types import AudioSettings, VoiceSettings

#: What was made for a context is remembered for the case of a late cancel, of so many contexts.
_MOST_REMEMBERED = 256

#: Makes the speaker of a context.
OpenSpeakerFor = Callable[[VoiceSettings, AudioSettings, Listener], Speaker]


@dataclass(frozen=True, slots=True)
class _Running:
    opened: OpenSpeaker
    speaker: Speaker
    task: asyncio.Task[None]


class Contexts:
    """Those that run, by handle. `machine` knows what was sent and heard of each."""

    def __init__(
        self,
        machine: Machine,
        session_id: str,
        open_speaker: OpenSpeakerFor,
        clock: Clock,
        observe: Observer,
    ) -> None:
        """There are none."""
        self.machine = machine
        self._session_id = session_id
        self._open_speaker = open_speaker
        self._clock = clock
        self._observe = observe
        self._running: dict[int, _Running] = {}
        self._made_ms: OrderedDict[int, float] = OrderedDict()  # of what was sent to its end

    def __len__(self) -> int:
        return len(self._running)

    def open(self, action: OpenSpeaker, listener: Listener, tasks: asyncio.TaskGroup) -> None:
        """Have one spoken, by a task of its own; what the opening raises is passed on."""
        speaker = self._open_speaker(action.settings, action.audio, listener)
        if self.machine.head() == action.handle:
            speaker.take_turn()
        self._running[action.handle] = _Running(action, speaker, tasks.create_task(speaker.run()))

    def speaker(self, handle: int | None) -> Speaker | None:
        """Who speaks it; None when nobody does (any more)."""
        running = None if handle is None else self._running.get(handle)
        return running.speaker if running is not None else None

    def instruct(self, action: AppendText | FlushSpeaker | EndSpeaker | Replenish) -> None:
        """Tell a speaker."""
        speaker = self.speaker(action.handle)
        if speaker is None:
            return
        if isinstance(action, AppendText):
            speaker.append(action.text)
        elif isinstance(action, FlushSpeaker):
            speaker.flush(action.flush_id)
        elif isinstance(action, EndSpeaker):
            speaker.end()
        else:
            speaker.on_credit()

    def listener_moved(self) -> None:
        """When the next sound is needed has to be seen anew, by whoever speaks now."""
        for running in self._running.values():
            running.speaker.on_credit()
            return  # the first is the one whose turn it is, or was: the others wait

    def text_was_lost(self) -> None:
        """There is a new socket: the client may be sending again what the last one took with it."""
        for running in self._running.values():
            running.speaker.text_was_lost()

    def stop(self, action: StopSpeaker) -> None:
        """Fall silent."""
        self.drop(action.handle, action.reason, action.code)

    def drop_all(self) -> None:
        """Nobody listens any more."""
        for handle in list(self._running):
            self.drop(handle, "disconnected")

    def drop(self, handle: int, reason: Reason, code: str | None = None) -> None:
        """It is over: its speaker is stopped, and the observer told."""
        running = self._running.pop(handle, None)
        if running is None:
            return
        running.task.cancel()
        opened, made_ms, wasted_ms = running.opened, running.speaker.synthesized_ms, 0.0
        if reason == "completed":
            self._remember(handle, made_ms)
        else:
            wasted_ms = max(0.0, made_ms - self._heard_ms(handle, reason))
        self._observe(
            ContextSummary(
                self._session_id,
                opened.context_id,
                handle,
                reason,
                opened.settings,
                opened.audio,
                self.machine.text(handle),
                running.speaker.timing,
                None if code is None else ErrorCode(code),
                wasted_ms,
            )
        )

    def _heard_ms(self, handle: int, reason: Reason) -> float:
        """Of what has failed all will be heard that was sent."""
        if reason == "failed":
            return self.machine.sent_ms(handle)
        return self.machine.played_ms(handle, self._clock.now())

    def _remember(self, handle: int, made_ms: float) -> None:
        self._made_ms[handle] = made_ms
        if len(self._made_ms) > _MOST_REMEMBERED:
            self._made_ms.popitem(last=False)

    def cut_late(self, action: Unheard) -> None:
        """One that was sent to its end was cancelled."""
        wasted_ms = self._made_ms.pop(action.handle, 0.0) - action.played_ms
        if wasted_ms > 0:
            self._observe(LateCancel(self._session_id, action.handle, wasted_ms))
