"""All listeners of a load, in one process of their own: cheap, for they run on the server's cores.

One task-free event loop (uvloop): a protocol per listener that reads frames where they lie, notes the time of
arrival, and moves its `Player`. Nothing is decoded here. The process tells how late its own loop was, for no
figure is better than the clock of who took it.
"""

from __future__ import annotations

import asyncio
import pickle
import random
import sys
import time
from collections.abc import Callable

import uvloop

from bench.http_listening import HttpListener
from bench.listening import Listener, WebSocketListener
from bench.player import Crowd, Listened, Spoken

TICK_S = 0.01
#: Who came in the window gets its first sound within this, or it counts as an error.
PATIENCE_S = 10.0
_PROGRESS_S = 1.0
_LOOK_S = 0.05


class Players:
    """The listeners of one crowd, from the first arrival until all are gone."""

    def __init__(self, crowd: Crowd, tell: Callable[[object], None]) -> None:
        """`tell` is called when the window begins and ends, and how it goes."""
        self.crowd = crowd
        self._tell = tell
        self._chance = random.Random(crowd.seed)
        self._loop = asyncio.get_running_loop()
        self._listeners: list[Listener] = []
        self._connecting: set[asyncio.Task[None]] = set()
        self._open = True
        self._samples = crowd.samples
        self._lags: list[float] = []
        self.texts = self._chance.sample(crowd.texts, len(crowd.texts))
        self._next_text = 0
        self.audio_s = 0.0
        self.longest_segment_ms = 0.0
        self.begun = self.ended = float("inf")

    def next_text(self) -> str:
        """The texts in an order that the seed gives, round and round."""
        self._next_text += 1
        return self.texts[self._next_text % len(self.texts)]

    def next_voice(self) -> str | None:
        """One of the voices asked for."""
        return self._chance.choice(self.crowd.voices) if self.crowd.voices else None

    def wants_sample(self, spoken: Spoken) -> bool:
        """Whether the first sound of a text is to be kept."""
        if self._samples > 0 and spoken.fresh and self.begun <= spoken.sent:
            self._samples -= 1
            return True
        return False

    async def run(self) -> Listened:
        """Let them all come, listen for the window, and go."""
        crowd, start = self.crowd, time.perf_counter()
        self._plan(start)
        await self._until(start + crowd.warm_s)
        self.begun, audio_s, cpu_s = time.perf_counter(), self.audio_s, time.process_time()
        self._lags.clear()
        self._tell("begun")
        self._tick(time.perf_counter())
        await self._until(start + crowd.warm_s + crowd.window_s)
        self.ended = time.perf_counter()
        audio_s, cpu_s, lags = self.audio_s - audio_s, time.process_time() - cpu_s, list(self._lags)
        self._tell("ended")
        self._open = False  # nobody comes any more
        await self._first_sounds()
        for listener in self._listeners:
            listener.leave()
        for task in self._connecting:
            task.cancel()
        await asyncio.gather(*self._connecting, return_exceptions=True)
        return Listened(
            self.begun,
            self.ended,
            [spoken for listener in self._listeners for spoken in listener.spoken],
            {each.number: [*each.player.periods, each.player.end] for each in self._listeners},
            {each.number: each.player.gaps for each in self._listeners},
            {each.number: each.session for each in self._listeners},
            [each.error for each in self._listeners if each.error],
            audio_s,
            cpu_s,
            lags,
            self.longest_segment_ms,
        )

    async def _until(self, moment: float) -> None:
        while (left := moment - time.perf_counter()) > 0:
            await asyncio.sleep(min(left, _PROGRESS_S))
            self._tell(sum(each.sounds for each in self._listeners))

    async def _first_sounds(self) -> None:
        """Wait until all who came hear something; who waits too long has an error."""
        for _ in range(round(PATIENCE_S / _LOOK_S)):
            if not any(listener.waits for listener in self._listeners):
                return
            await asyncio.sleep(_LOOK_S)
        for listener in self._listeners:
            if listener.waits:
                listener.fail(f"no sound in {PATIENCE_S:g} s")

    def _plan(self, start: float) -> None:
        crowd = self.crowd
        for _ in range(crowd.idle):
            self._plan_arrival(start + self._chance.uniform(0, crowd.ramp_s), speaks=False, steady=False)
        for _ in range(crowd.steady):  # a Poisson process, given how many came
            self._plan_arrival(start + self._chance.uniform(0, crowd.ramp_s), speaks=True, steady=True)
        end = crowd.warm_s + crowd.window_s
        for at in self._poisson(crowd.rate, 0.0, end):
            self._plan_arrival(start + at, speaks=True, steady=False)
        for at in self._poisson(crowd.barge_rate, crowd.warm_s, end):
            self._loop.call_later(at, self._barge_in)

    def _plan_arrival(self, due: float, *, speaks: bool, steady: bool) -> None:
        self._loop.call_later(due - time.perf_counter(), self._arrive, due, speaks, steady)

    def _poisson(self, rate: float, begin: float, end: float) -> list[float]:
        moments: list[float] = []
        at = begin
        while rate and (at := at + self._chance.expovariate(rate)) < end:
            moments.append(at)
        return moments

    def _arrive(self, due: float, speaks: bool, steady: bool) -> None:
        if not self._open:
            return
        kind = HttpListener if self.crowd.transport == "http" else WebSocketListener
        listener = kind(self, len(self._listeners), due, speaks, steady)
        self._listeners.append(listener)
        task = self._loop.create_task(self._connect(listener))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, listener: Listener) -> None:
        try:
            await self._loop.create_connection(lambda: listener, "127.0.0.1", self.crowd.port)
        except OSError as error:
            listener.fail(f"cannot connect: {error}")

    def _barge_in(self) -> None:
        able = [each for each in self._listeners if isinstance(each, WebSocketListener) and each.can_barge_in]
        if able:
            self._chance.choice(able).barge_in()

    def _tick(self, due: float) -> None:
        now = time.perf_counter()
        self._lags.append(max(0.0, now - due))
        if self._open:
            self._loop.call_later(TICK_S, self._tick, now + TICK_S)


def main() -> None:
    """Read a `Crowd`, and tell how it goes; the last that is told is a `Listened`. All of it is pickled."""
    crowd: Crowd = pickle.load(sys.stdin.buffer)

    def tell(what: object) -> None:
        pickle.dump(what, sys.stdout.buffer)
        sys.stdout.buffer.flush()

    async def run() -> None:
        tell(await Players(crowd, tell).run())

    uvloop.run(run())


if __name__ == "__main__":
    main()
