"""A session of a soak as it should be: it speaks, listens, reports, pauses and barges in.

What it does is drawn from a generator of its own; what the server makes of it is judged by `soak_witness`.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from random import Random
from typing import Any

from bench.soak_line import PATIENCE_S, Line, Place, a_text, in_tokens
from bench.soak_witness import Told, ViolationError, Witness, check
from realtime.types import TIMELINE_PER_MS

#: A context is ended by its client before the server does it: an unended one may block others for 10 s.
OPEN_S = 3.0
MOST_LIVE = 4
#: How often a player tells where it is, while somebody waits for the end of a context.
_REPORT_S = 0.25
_STARTS: list[dict[str, Any]] = [
    {},
    {"formats": ["opus"], "frame_ms": 40, "bitrate": 24_000},
    {"formats": ["opus"], "frame_ms": 60},
    {"formats": ["pcm_s16le"]},
    {"formats": ["pcm_s16le"], "sample_rate": 48_000},
    {"formats": ["pcm_s16le"], "sample_rate": 8_000, "frame_ms": 40},
    {"formats": ["mulaw"]},
    {"formats": ["webm_opus"]},
    {"formats": ["ogg_opus"], "frame_ms": 60},
]
_LEADS_MS = (None, None, 0, 1_000, 3_000)
#: What the sound of a session's contexts depends on, besides its format.
_SOUNDING = ("sample_rate", "bitrate", "frame_ms")
_OPENINGS: dict[str, list[object]] = {
    "speed": [0.5, 1.3, 2.0],
    "buffer": ["auto", "sentence", "manual"],
    "seed": [1, 2],
    "normalize": [False],
    "on_conflict": ["preempt", "queue"],
}


class Talk:
    """What a client may do in a session as long as all goes well."""

    def __init__(self, place: Place, chance: Random) -> None:
        """Nothing is sent before `live`."""
        self.place = place
        self.chance = chance
        self.witness = Witness()
        self.line: Line
        self.start = dict(chance.choice(_STARTS))
        if chance.random() < 0.3:
            self.start["timestamps"] = "word"
        if chance.random() < 0.2:
            self.start["speed"] = chance.choice([0.5, 0.8, 1.25, 2.0])
        lead_ms = chance.choice(_LEADS_MS)
        if lead_ms is not None:
            self.start["max_lead_ms"] = lead_ms
        if chance.random() < 0.1:
            self.start = {}
        self.speed = float(self.start.get("speed", 1.0))
        self.small = chance.random() < 0.3
        self.number = 0
        #: Whether a report was beyond what had come: then what is kept for a resume is the server's guess.
        self.lied = False

    async def send(self, kind: str, **fields: Any) -> None:
        """A message."""
        message = json.dumps({"type": kind, **fields})
        self.witness.note(f"-> {message}")
        await self.line.send(message)

    async def ping(self) -> None:
        """Until all that was sent so far is answered."""
        self.number += 1
        name = f"p{self.number}"
        await self.send("ping", t=name)
        await self.line.until(lambda: name in self.witness.pongs, f"the pong of {name}")
        self.witness.pongs.clear()

    def some(self, condition: Callable[[Told], bool]) -> Told | None:
        """One of the contexts for which it holds."""
        fitting = [told for told in self.witness.contexts.values() if condition(told)]
        return self.chance.choice(fitting) if fitting else None

    def silence(self) -> None:
        """Everything is about to be cancelled."""
        for told in self.witness.contexts.values():
            told.silenced = told.silenced or told.cut is None

    # -- speaking ---------------------------------------------------------------------------------------

    async def speak(self) -> None:
        """A new context, its text whole or in tokens."""
        if len(self.witness.live()) >= MOST_LIVE:
            await self.wait()
            return
        opening: dict[str, Any] | None = None
        if self.chance.random() < 0.4:
            opening = {
                name: self.chance.choice(values)
                for name, values in _OPENINGS.items()
                if self.chance.random() < 0.3
            }
        self.number += 1
        told = Told(f"c{self.number}", time.monotonic(), opening=opening)
        sounding = {name: self.start[name] for name in _SOUNDING if name in self.start}
        sounding |= {"speed": self.speed} | {k: v for k, v in (opening or {}).items() if k != "on_conflict"}
        told.shape = (str(self.start.get("formats")), *sorted(sounding.items()))
        await self.open(told)
        text = a_text(self.chance)
        if self.chance.random() < 0.5:
            told.whole = bool(text)
            await self.append(told, text)
            await self.end(told)
            return
        for token in in_tokens(text, self.chance):
            await self.append(told, token)
            if self.chance.random() < 0.1:
                await asyncio.sleep(self.chance.choice([0.0, 0.02, 0.1]))
        if self.chance.random() < 0.6:
            await self.end(told)

    async def open(self, told: Told) -> None:
        """Open a context, with its settings if it has any."""
        if told.opening is not None:
            if told.opening.get("on_conflict") == "preempt":
                silenced = told.silenced
                self.silence()
                told.silenced = silenced
            self.witness.contexts[told.context_id] = told
            await self.send("context.open", context_id=told.context_id, **told.opening)
        self.witness.contexts[told.context_id] = told

    async def append(self, told: Told, text: str) -> None:
        """Send text of a context."""
        told.text += text
        await self.send("text", context_id=told.context_id, text=text)

    async def end(self, told: Told) -> None:
        """Say that no more text comes."""
        told.ended = True
        await self.send("end", context_id=told.context_id)

    async def say_more(self) -> None:
        """More text of a context that is open, and perhaps its end."""
        told = self.some(lambda told: told.takes_text)
        if told is None:
            await self.speak()
            return
        for token in in_tokens(" " + a_text(self.chance), self.chance):
            await self.append(told, token)
        if self.chance.random() < 0.5:
            await self.end(told)

    async def end_what_is_open(self, older_s: float) -> None:
        """No context stays open for long: one in which nothing comes blocks those behind it."""
        now = time.monotonic()
        for told in self.witness.live():
            if told.takes_text and now - told.opened_at > older_s:
                await self.end(told)

    # -- listening --------------------------------------------------------------------------------------

    async def wait(self) -> None:
        """Until one of the contexts is over, as a player that is fast."""
        live = self.witness.live()
        if live:
            await self.go_on_with_all()
            await self.hear(lambda: live[0].over, f"the end of {live[0].context_id}")

    async def hear(self, condition: Callable[[], bool], what: str) -> None:
        """Until it holds; tells again and again that all was heard that has come."""
        begun = time.monotonic()
        while not condition():
            try:
                await asyncio.wait_for(self.line.until(condition, what), _REPORT_S)
            except TimeoutError:
                if time.monotonic() > begun + PATIENCE_S:
                    raise ViolationError(f"after {PATIENCE_S} s, not: {what}") from None
            if not condition():
                await self.end_what_is_open(OPEN_S)
                if self.chance.random() < 0.7 and (told := self.some(self._is_heard)) is not None:
                    await self.report_heard(told, 1.0)

    def _is_heard(self, told: Told) -> bool:
        """Also what has come to its end is still heard: who has reported once must go on doing so."""
        is_audible = not told.refused and not told.silenced and told.cut is None
        return is_audible and told.reported_ms < told.position / TIMELINE_PER_MS

    async def report_heard(self, told: Told, share: float) -> None:
        """Say that so much of what has come and was not yet heard was heard."""
        end_ms = told.position / TIMELINE_PER_MS
        told.reported_ms = max(told.reported_ms, told.reported_ms + share * (end_ms - told.reported_ms))
        await self.send("playback", context_id=told.context_id, played_ms=told.reported_ms)

    async def report(self) -> None:
        """Say what was heard: as it is, backwards, or more than there is."""
        told = self.some(lambda told: told.next_seq > 0 and told.cut is None)
        if told is None:
            return
        kind = self.chance.random()
        if kind < 0.7:
            await self.report_heard(told, self.chance.random())
        elif kind < 0.9:
            for back_ms in (1.0, 500.0, 1e9):
                await self.send("playback", context_id=told.context_id, played_ms=told.reported_ms - back_ms)
        else:
            self.lied = True
            await self.send("playback", context_id=told.context_id, played_ms=1e12)

    async def read_slowly(self) -> None:
        """Take nothing for a while."""
        self.line.hears.clear()
        await asyncio.sleep(self.chance.uniform(0.1, 2.5))
        self.line.hears.set()

    async def barge_in(self) -> None:
        """Cancel one context; it may be over already."""
        told = self.some(lambda told: not told.refused and not told.silenced)
        if told is None:
            return
        played_ms = self.chance.choice(
            [None, -5.0, 0.0, 1e12, self.chance.uniform(0, 1) * told.position / 48]
        )
        await self.cancel(told, played_ms)
        if self.chance.random() < 0.2:
            await self.send("cancel", context_id=told.context_id, played_ms=7.0)

    async def cancel(self, told: Told, played_ms: float | None) -> None:
        """Cancel a context, and see where it was cut."""
        told.silenced = True
        await self.send("cancel", context_id=told.context_id, played_ms=played_ms)
        await self.line.until(lambda: told.cut is not None, f"the cut of {told.context_id}")
        if played_ms is not None and told.cut is not None:
            expected = min(max(0.0, played_ms), told.position / TIMELINE_PER_MS)
            exact = abs(told.cut["played_ms"] - expected) < 0.01
            check(exact or self.witness.resumes > 0, f"not cut at {expected}: {told.cut}")

    async def barge_in_on_all(self) -> None:
        """Cancel everything."""
        self.silence()
        before, live = self.witness.cancelled_all, self.witness.live()
        await self.send("cancel", context_id="*", played_ms=self.chance.choice([None, 0.0, 300.0]))
        await self.line.until(lambda: self.witness.cancelled_all > before, "the answer to a cancel of all")
        check(all(told.over for told in live), "a cancel of all has left something")

    async def pause(self) -> None:
        """Hold a context for a while."""
        told = self.some(lambda told: not told.over and not told.silenced and not told.may_fail)
        if told is None:
            return
        told.paused = True
        await self.send("pause", context_id=told.context_id)
        await self.ping()
        told.quiet = not told.over
        await asyncio.sleep(self.chance.choice([0.0, 0.1, 0.5]))
        if self.chance.random() < 0.8:
            await self.go_on(told)

    async def go_on(self, told: Told) -> None:
        """Go on with a context that was paused."""
        told.paused = told.quiet = False
        if not told.silenced:
            await self.send("continue", context_id=told.context_id)

    async def go_on_with_all(self) -> None:
        """Nothing stays paused."""
        for told in self.witness.live():
            if told.paused:
                await self.go_on(told)

    async def flush(self) -> None:
        """Everything so far is final."""
        told = self.some(lambda told: told.takes_text)
        if told is not None:
            self.number += 1
            told.flushes.append(f"f{self.number}")
            await self.send("flush", context_id=told.context_id, flush_id=told.flushes[-1])
