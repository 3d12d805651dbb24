"""A session of a soak from its beginning to its end: also what it should not do, vanishing and resuming."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from bench.latency import SENTENCES
from bench.soak_line import Line, Place
from bench.soak_talk import OPEN_S, Talk
from bench.soak_witness import Told, Witness, check
from realtime.types import TIMELINE_PER_MS

#: A resume that comes when this share of the window is over may come too late, on a busy machine.
_EARLY = 0.6
#: What is no message, or one that is not allowed, and the code of the one error that answers it.
RUBBISH: list[tuple[str | bytes, str]] = [
    ("", "invalid_message"),
    ("{", "invalid_message"),
    ("[]", "invalid_message"),
    ("null", "invalid_message"),
    ("[" * 100_000, "invalid_message"),
    ('{"type": "text"}', "invalid_message"),
    ('{"type": "text", "text": 7}', "invalid_message"),
    ('{"type": "text", "text": "\\ud800"}', "invalid_message"),
    ('{"type": "text", "text": "x", "context_id": "*"}', "invalid_message"),
    ('{"type": "text", "text": "x", "context_id": ""}', "invalid_message"),
    ('{"type": "nothing"}', "invalid_message"),
    ('{"type": "session.start"}', "invalid_message"),
    ('{"type": "session.update", "speed": 400}', "invalid_message"),
    ('{"type": "session.update", "voice": "nobody"}', "unknown_voice"),
    ('{"type": "session.update", "language": "tlh"}', "unknown_language"),
    ('{"type": "context.open", "context_id": "rubbish", "frame": 1, "seed": -1}', "invalid_message"),
    ('{"type": "playback", "played_ms": NaN}', "invalid_message"),
    ('{"type": "flush", "context_id": "nobody"}', "context_closed"),
    ('{"type": "end", "context_id": "nobody"}', "context_closed"),
    ('{"type": "pause", "context_id": "nobody"}', "context_closed"),
    ('{"type": "cancel", "played_ms": "soon"}', "invalid_message"),
    ('{"type": "ping", "t": {}}', "invalid_message"),
    (b"\x00" * 100, "invalid_message"),
    ('{"input": "this is the other form"}', "invalid_message"),
]


class Life(Talk):
    """One session, of one socket or of several; its actions are what a client may do next."""

    def __init__(self, place: Place, chance: Random) -> None:
        """Nothing is sent before `live`."""
        super().__init__(place, chance)
        #: Whether it does not come back.
        self.gone = False
        self.actions: dict[Callable[[], Awaitable[None]], int] = {
            self.speak: 12,
            self.say_more: 6,
            self.wait: 6,
            self.barge_in: 4,
            self.barge_in_on_all: 1,
            self.pause: 3,
            self.flush: 3,
            self.report: 6,
            self.read_slowly: 2,
            self.send_rubbish: 3,
            self.flood: 1,
            self.say_too_much: 1,
            self.come_late: 2,
            self.update: 2,
            self.vanish: 3,
        }

    async def live(self) -> None:
        """From the first message to the end."""
        self.line = Line(await self.place.connect(self.small), self.witness.receive)
        try:
            if self.start:
                await self.send("session.start", **self.start)
            else:
                await self.ping()
            await self.line.until(lambda: self.witness.readies > 0, "session.ready")
            for _ in range(self.chance.randint(2, 25)):
                if self.place.over or self.gone:
                    break
                await self.end_what_is_open(OPEN_S)
                (action,) = self.chance.choices(list(self.actions), list(self.actions.values()))
                self.place.counts[action.__name__.replace("_", " ")] += 1
                self.witness.note(f"-- {action.__name__} --")
                await action()
                await asyncio.sleep(self.chance.choice([0.0, 0.0, 0.05, 0.5]))
            if not self.gone:
                await self.finish()
        finally:
            await self.line.abort()
        if self.line.violation is not None:
            raise self.line.violation
        for told in self.witness.contexts.values():
            self._check_sound(told)

    def _check_sound(self, told: Told) -> None:
        comparable = self.witness.ready["format"] in ("opus", "pcm_s16le", "mulaw")
        if told.whole and comparable and told.done is not None and told.done["reason"] == "completed":
            self.place.check_sound((told.text, *told.shape), told.sound)

    # -- what is wrong ----------------------------------------------------------------------------------

    async def say_too_much(self) -> None:
        """A text over the limit of a message, or over that of a context."""
        self.number += 1
        told = Told(f"c{self.number}", time.monotonic(), may_fail=True)
        self.witness.contexts[told.context_id] = told
        part = (" ".join(SENTENCES) + " ") * 20
        if self.chance.random() < 0.3:
            for _ in range(4):
                await self.append(told, part[: 16 * 1024])
        await self.send("text", context_id=told.context_id, text="é" * 8192 + "x")
        await self.ping()
        check(self.witness.errors["text_too_long"] > 0, "a text that is too long was taken")
        if self.chance.random() < 0.8:
            await self.cancel(told, None)

    async def send_rubbish(self) -> None:
        """Things that are answered by one error each."""
        for rubbish, code in self.chance.sample(RUBBISH, 3):
            self.witness.provoked.add(code)
            before = self.witness.errors[code]
            self.witness.note(f"-> {str(rubbish)[:80]}")
            await self.line.send(rubbish)
            await self.ping()
            count = self.witness.errors[code] - before
            check(count == 1, f"{count} errors {code} for {str(rubbish)[:80]}")

    async def flood(self) -> None:
        """Many small messages at once."""
        self.witness.provoked.add("rate_limited")
        message = json.dumps({"type": "playback", "context_id": "nobody", "played_ms": 1})
        for number in range(self.chance.randint(500, 6000)):
            await self.line.send(message)
            if number % 100 == 0:
                await asyncio.sleep(0)
        await self.ping()

    async def come_late(self) -> None:
        """Tokens for what was cancelled: one error, and nothing is spoken."""
        told = self.some(lambda told: told.cut is not None)
        if told is not None:
            self.witness.provoked.add("context_closed")
            for token in ("These ", "come ", "too late."):
                await self.send("text", context_id=told.context_id, text=token)
            await self.ping()

    async def update(self) -> None:
        """Other settings for what is opened later."""
        before = self.witness.readies
        self.speed = self.chance.choice([0.8, 1.0, 1.5])
        await self.send("session.update", speed=self.speed)
        await self.line.until(lambda: self.witness.readies > before, "session.ready")
        self.start["speed"] = self.speed

    # -- vanishing --------------------------------------------------------------------------------------

    async def vanish(self) -> None:
        """Lose the socket, and mostly take the session up again by another one."""
        if self.chance.random() < 0.3:
            await self.speak()
        if self.chance.random() < 0.2 and not self.lied:
            await self.take_over()
            return
        if self.chance.random() < 0.5:  # what comes from now on is lost
            self.line.hears.clear()
            await asyncio.sleep(self.chance.choice([0.0, 0.1, 0.5]))
        await self.line.abort()
        if self.line.violation is not None:
            raise self.line.violation
        lost_at = time.monotonic()
        self.witness.lost()
        fate = self.chance.random()
        if self.lied or fate < 0.15 or self.place.over:
            self.gone = True
        elif fate < 0.25:
            self.place.counts["too late"] += 1
            await asyncio.sleep(self.place.window_s + 2)
            await self.resume_in_vain(self.token, self.witness.last({}))
            self.gone = True
        else:
            await asyncio.sleep(self.chance.choice([0.0, 0.0, 0.3, self.place.window_s / 4]))
            last = self.witness.last({})
            if fate < 0.4:
                await self.resume_in_vain("wrong" + self.token[5:], last)
            elif fate < 0.5 and last:
                handle = self.chance.choice(list(last))
                await self.resume_in_vain(self.token, last | {handle: last[handle] + 100_000})
            if time.monotonic() > lost_at + self.place.window_s * _EARLY:
                self.gone = True  # too late to be sure of anything
            else:
                await self.resume()

    @property
    def token(self) -> str:
        """The resume token in force."""
        return str(self.witness.ready["resume_token"])

    async def resume_in_vain(self, token: str, last: dict[str, int]) -> None:
        """What is wrong is answered with an error and a fresh session."""
        self.place.counts["resume in vain"] += 1
        stranger = Witness()
        stranger.provoked.add("resume_failed")
        stranger.trace = self.witness.trace
        line = Line(await self.place.connect(), stranger.receive)
        try:
            await line.send(json.dumps({"type": "session.start", "resume": self._resume(token, last)}))
            await line.until(lambda: stranger.readies > 0, "session.ready of a fresh session")
            check(stranger.errors["resume_failed"] == 1, "a wrong resume without an error")
            fresh = stranger.ready["session_id"] != self.witness.ready["session_id"]
            check(fresh and not stranger.ready.get("resumed"), f"resumed by what is wrong: {stranger.ready}")
            await line.connection.close()
        finally:
            await line.abort()

    def _resume(self, token: str, last: dict[str, int]) -> dict[str, Any]:
        return {"session_id": self.witness.ready["session_id"], "token": token, "last": last}

    async def resume(self) -> None:
        """Take the session up again, and send what had not arrived."""
        self.place.counts["resume"] += 1
        claimed = self.witness.last(self._rewind())
        connection = await self.place.connect(self.small)
        self.witness.resumed(claimed)
        before = self.witness.readies
        self.line = Line(connection, self.witness.receive)
        await self.send("session.start", resume=self._resume(self.token, claimed))
        await self.line.until(lambda: self.witness.readies > before, "session.ready of a resume")
        check(bool(self.witness.ready.get("resumed")), "a right resume failed")
        for told in list(self.witness.contexts.values()):
            if told.over:
                continue
            if not told.handle and told.opening is not None:
                await self.open(told)
            if told.missing or not told.handle:
                missing, told.missing = told.missing, ""
                await self.append(told, missing)
            if told.missing_end:
                told.missing_end = False
                await self.end(told)
            if told.paused and not told.silenced:
                await self.send("pause", context_id=told.context_id)
            elif told.handle and not told.silenced:  # that it goes on may have been lost
                await self.send("continue", context_id=told.context_id)
            if told.silenced:
                await self.send("cancel", context_id=told.context_id)

    def _rewind(self) -> dict[int, int]:
        """Now and then a client has lost what it had received, and was not yet heard."""
        told = self.some(lambda told: not told.over and told.next_seq > 0)
        heard = max((told.handle for told in self.witness.contexts.values() if told.reported_ms), default=0)
        if told is None or told.handle < heard or self.chance.random() < 0.5:
            return {}
        kept = [seq for seq, (_, end) in enumerate(told.frames) if end >= told.reported_ms * TIMELINE_PER_MS]
        seq = self.chance.choice(kept) if kept else told.next_seq - 1
        return {told.handle: min(seq, told.next_seq - 1)}

    async def take_over(self) -> None:
        """Resume by a new socket while the old one is open."""
        self.place.counts["take over"] += 1
        old = self.line
        old.receive = lambda data: None
        self.witness.lost()
        try:
            await self.resume()
            old.hears.set()
            await old.until(lambda: old.over, "the end of a socket that was taken over")
            check(old.code == 4001, f"a socket that was taken over was closed with {old.code}")
        finally:
            await old.abort()

    # -- the end ----------------------------------------------------------------------------------------

    async def finish(self) -> None:
        """Come to an end, in one of the ways there are."""
        (way,) = self.chance.choices(
            (self.drain, self.close_at_once, self.hang_up, self.walk_away), (6, 2, 1, 2)
        )
        self.place.counts[way.__name__.replace("_", " ")] += 1
        self.witness.note(f"-- {way.__name__} --")
        await way()

    async def drain(self) -> None:
        """Everything is spoken to its end."""
        for told in self.witness.live():
            told.paused = told.quiet = False
        await self.send("session.close")
        self.line.may_close = True
        for told in self.witness.live():
            told.ended = True
        await self._heard_out()

    async def close_at_once(self) -> None:
        """Everything is dropped."""
        self.silence()
        await self.send("session.close", drain=False)
        self.line.may_close = True
        await self._heard_out()

    async def _heard_out(self) -> None:
        await self.hear(lambda: self.line.over or not self.witness.live(), "the end of all contexts")
        await self.line.until(lambda: self.line.over, "the close of a session that has ended")
        check(self.line.code == 1000, f"closed with {self.line.code}")
        left = [told.context_id for told in self.witness.live()]
        check(not left, f"the session is over, and these contexts never ended: {left}")

    async def hang_up(self) -> None:
        """Close from this side, amid everything."""
        await self.line.connection.close()

    async def walk_away(self) -> None:
        """The socket is lost for good."""
        self.place.counts["gone for good"] += 1
