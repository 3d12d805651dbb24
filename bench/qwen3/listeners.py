"""How many can listen at once: as the server does it, by its own rules of who needs what by when.

The engine's threads, the slots and `speech.pace` are the real ones. Listeners stand in for sessions: each has
its text at once, hears it in real time from its first sound on, and may be sent as much ahead as a session.
"""

from __future__ import annotations

import heapq
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from statistics import fmean, median

import torch

from bench.qwen3.bed import LEAST_PROMPT, Bed
from bench.qwen3.models import frame_bytes
from bench.qwen3.speaking import Stage, Voice, speak, text
from bench.table import quantile
from realtime.clock import MonotonicClock
from realtime.engines.batches import Batches
from realtime.engines.crew import SWITCH_INTERVAL_S
from realtime.engines.engine import (
    Capabilities,
    Chunk,
    Event,
    Failure,
    Feed,
    Finish,
    Freed,
    Grant,
    Open,
)
from realtime.engines.qwen3.held import held_bytes
from realtime.engines.qwen3.speech import Speech
from realtime.engines.synthesizer import Made
from realtime.speech.pace import Pace

#: Grants that would change less than so are not sent, as in `speech.synthesis`.
_NEARLY_S, _PLENTY_MS = 0.05, 1000
_TICK_S = 0.1
#: Listeners come within this time, and so much later for each of them.
_COMING_S, _COMING_EACH_S = 1.0, 0.01
#: Rows begin at so many lengths, as if they had been spoken to for a while already.
_LENGTHS = 8
#: Of the memory that is free, what rows may take.
_SHARE_OF_MEMORY = 0.8
_WORDS = 10
#: A listener's sound may shrink by so much in the window, or it is not kept up.
_LOST_S = 0.5


class Speaker:
    """As `engine.BatchSynthesizer`: utterances of the stage, whose seed says at which length they begin."""

    def __init__(self, stage: Stage, frames: int) -> None:
        self._stage = stage
        self._frames = frames
        sizes = stage.bed.sizes
        most = sizes.long_positions - frames
        lengths = [LEAST_PROMPT + (most - LEAST_PROMPT) * each // _LENGTHS for each in range(_LENGTHS)]
        self._voices = [Voice(stage.bed.config, each, seed) for seed, each in enumerate(lengths)]

    @property
    def capabilities(self) -> Capabilities:
        """What the engine's threads ask for."""
        rate, rows = self._stage.bed.config.codec.output_sample_rate, self._stage.rows
        return Capabilities("bench", (), (), rate, concurrency=rows, batch=self._stage.batch)

    @property
    def unfinished(self) -> bool:
        """As `BatchSynthesizer`."""
        return self._stage.slots.unfinished

    def load(self) -> None:
        """It is loaded."""

    def listen(self, on_change: Callable[[], None]) -> None:
        """Nothing changes by itself."""

    def open(self, request: Open) -> Speech:
        """As `BatchSynthesizer`."""
        return self._stage.speech(self._voices[request.seed % _LENGTHS], self._frames, request.seed)

    def step(self, streams: Sequence[Speech], deadlines: Sequence[float]) -> Sequence[Made[Speech]]:
        """As `BatchSynthesizer`."""
        return self._stage.slots.step(streams, deadlines)

    def make_ready(self) -> None:
        """Keep the prefixes of all lengths, so that nobody waits for more than another would in a server."""
        for voice in self._voices:
            speak(self._stage, voice, 1, 2)


@dataclass(eq=False)
class Listener:
    """One who listens, as `pace.Whereabouts`. Times are monotonic seconds, `gaps` are (begin, end)."""

    number: int
    due: float
    lead_ms: float
    send: Callable[[Open | Feed | Finish | Grant], None]
    pace: Pace = field(init=False)
    heard_from: float | None = None
    ends_at: float = 0.0
    received_ms: float = 0.0
    first_s: float | None = None
    gaps: list[tuple[float, float]] = field(default_factory=list)
    over: bool = False
    error: str = ""
    _granted: tuple[int, float] = (0, 0.0)

    def __post_init__(self) -> None:
        self.pace = Pace(self, MonotonicClock(), round(self.lead_ms), 1.0)

    def dry_at(self) -> float:
        """As `Whereabouts`."""
        return self.ends_at if self.heard_from is not None else time.monotonic()

    def credit_ms(self) -> float:
        """As `Whereabouts`."""
        return max(0.0, self.lead_ms - self.lead_s(time.monotonic()) * 1000)

    def lead_s(self, now: float) -> float:
        """Sound in hand, that it has not heard."""
        return max(0.0, self.ends_at - now) if self.heard_from is not None else 0.0

    def come(self) -> None:
        """It gives its text, all at once."""
        self.due = time.monotonic()
        self.send(Open(self.number, "", "en", seed=self.number))
        self.pace.on_turn()
        self.pace.on_text()
        self.send(Feed(self.number, text(_WORDS)))
        self.send(Finish(self.number))
        self.grant()

    def hear(self, audio_ms: float, at: float) -> None:
        """A chunk has arrived; what was silent goes on from here."""
        if self.heard_from is None:
            self.heard_from = self.ends_at = at
            self.first_s = at - self.due
        elif at > self.ends_at:
            self.gaps.append((self.ends_at, at))
            self.ends_at = at
        self.ends_at += audio_ms / 1000
        self.received_ms += audio_ms
        self.pace.on_made(audio_ms)
        self.pace.on_placed()
        self.pace.on_output(audio_ms)
        self.pace.on_taken(audio_ms)
        self.grant(after_sound=True)

    def grant(self, *, after_sound: bool = False) -> None:
        """Say how much may be made and by when it is needed, if that is news."""
        if self.over:
            return
        allowed_ms, deadline = self.pace.grant()
        granted_ms, said = self._granted
        is_plenty = granted_ms - self.received_ms >= _PLENTY_MS or allowed_ms <= granted_ms
        if not after_sound and is_plenty and abs(deadline - said) < _NEARLY_S:
            return
        self._granted = allowed_ms, deadline
        self.send(Grant(self.number, allowed_ms, deadline))


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of it. `leads_s`: mean sound in hand when the window began, and when it ended."""

    listeners: int
    underruns: int
    longest_gap_s: float
    first_s: list[float]
    leads_s: tuple[float, float]
    errors: list[str]
    silent: int
    made_s: float
    lead_s: float

    @property
    def keeps_up(self) -> bool:
        """Whether what is in hand does not shrink, unless it is as much as may be."""
        before, after = self.leads_s
        return after >= before - _LOST_S or after >= 0.8 * self.lead_s

    @property
    def is_good(self) -> bool:
        """Whether all heard all of it without a gap, and would go on to."""
        return not (self.underruns or self.errors or self.silent) and self.keeps_up


def listen(stage: Stage, speaker: Speaker, count: int, numbers: int) -> Heard:
    """So many listen for a while; their utterances have the numbers from `numbers` on."""
    sizes = stage.bed.sizes
    events: SimpleQueue[tuple[float, Event]] = SimpleQueue()
    # The time of arrival is that of the engine's thread: the loop here may be late.
    crew = Batches(speaker, lambda event: events.put((time.monotonic(), event)), [0] * stage.batch)
    begun = time.monotonic()
    coming_s = _COMING_S + _COMING_EACH_S * count
    waiting = [
        Listener(numbers + each, begun + coming_s * each / count, 1000 * sizes.lead_s, crew.handle)
        for each in range(count)
    ]
    heapq.heapify(due := [(each.due, each.number, each) for each in waiting])
    listeners = {each.number: each for each in waiting}
    window_at = begun + coming_s + 0.5
    until = window_at + sizes.window_s
    tick_at, lead_before_s = begun + _TICK_S, 0.0
    crew.start()
    try:
        while (now := time.monotonic()) < until:
            while due and due[0][0] <= now:
                heapq.heappop(due)[2].come()
            if now >= tick_at:
                tick_at = now + _TICK_S
                for each in listeners.values():
                    if each.heard_from is not None:
                        each.grant()
                if now < window_at:
                    lead_before_s = fmean(each.lead_s(now) for each in listeners.values())
            try:
                at, event = events.get(timeout=max(0.0, min(tick_at, due[0][0] if due else until) - now))
            except Empty:
                continue
            _take(listeners, at, event)
        while not events.empty():
            _take(listeners, *events.get())
        ended = time.monotonic()
    finally:
        crew.stop()
        stage.slots.step([], [])  # nobody reads what is under way
    return _heard(list(listeners.values()), ended, lead_before_s, sizes.lead_s)


def _take(listeners: dict[int, Listener], at: float, event: Event) -> None:
    if isinstance(event, Chunk):
        if event.audio.audio_ms:
            listeners[event.utterance].hear(event.audio.audio_ms, at)
    elif isinstance(event, Failure):
        listeners[event.utterance].error = event.message
    elif isinstance(event, Freed):
        listeners[event.utterance].over = True


def _heard(listeners: list[Listener], now: float, lead_before_s: float, lead_s: float) -> Heard:
    gaps = [gap for each in listeners for gap in each.gaps]
    # Who is dry when it is over would have had a gap.
    gaps += [
        (each.ends_at, now) for each in listeners if not each.over and each.heard_from and each.ends_at < now
    ]
    return Heard(
        len(listeners),
        len(gaps),
        max((end - begin for begin, end in gaps), default=0.0),
        [each.first_s for each in listeners if each.first_s is not None],
        (lead_before_s, fmean(each.lead_s(now) for each in listeners)),
        [each.error for each in listeners if each.error],
        sum(each.heard_from is None for each in listeners),
        sum(each.received_ms for each in listeners) / 1000,
        lead_s,
    )


def listeners(bed: Bed) -> None:
    """Find out how many can, beginning with how many should."""
    sizes = bed.sizes
    most = _most(bed)
    ladder = [each for each in sizes.ladder if each <= most]
    if not ladder:
        bed.row("listeners without a gap", None, note=f"there is memory for {most}")
        return
    stage = Stage(bed, max(ladder), min(sizes.batch, max(ladder)), sizes.long_positions)
    longest_s = _COMING_S + _COMING_EACH_S * max(ladder) + sizes.window_s + sizes.lead_s + 2
    speaker = Speaker(stage, round(longest_s * 1000 / bed.config.frame_ms))
    speaker.make_ready()
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        best, tried_all = _search(bed, stage, speaker, ladder)
    finally:
        sys.setswitchinterval(before_s)
    note = "" if tried_all else "the time was up before more were tried"
    if best == ladder[-1] and tried_all:
        note = "as many as were tried"
    bed.row("listeners without a gap", best, "", least=bed.targets.listeners, note=note)
    if bed.cuda:
        free, total = torch.cuda.mem_get_info(bed.device)
        held = held_bytes([bed.talker, stage.slots])
        more = {"of the card": total / 1e9, "torch's most": torch.cuda.max_memory_reserved() / 1e9}
        more["weights and states"] = held / 1e9
        bed.row(f"memory in use with {stage.rows} rows", (total - free) / 1e9, "GB", more=more)


def _search(bed: Bed, stage: Stage, speaker: Speaker, ladder: list[int]) -> tuple[int, bool]:
    """The most of the ladder that can, and whether there was time to try what there was to try."""
    target = bed.targets.listeners or ladder[len(ladder) // 2]
    at = max((place for place, each in enumerate(ladder) if each <= target), default=0)
    found: dict[int, bool] = {}
    while 0 <= at < len(ladder) and at not in found:
        count = ladder[at]
        if bed.left_s < 2 * _COMING_S + _COMING_EACH_S * count + bed.sizes.window_s + 3:
            break
        heard = listen(stage, speaker, count, 1 + 1000 * (len(found) + 1))
        found[at] = heard.is_good
        _tell(bed, heard)
        if stage.slots.free_rows != stage.rows:
            raise RuntimeError(f"{stage.rows - stage.slots.free_rows} rows were not given back")
        at += 1 if found[at] else -1
    else:
        return max((ladder[place] for place, good in found.items() if good), default=0), True
    return max((ladder[place] for place, good in found.items() if good), default=0), False


def _tell(bed: Bed, heard: Heard) -> None:
    more = {"longest, ms": heard.longest_gap_s * 1000}
    if heard.first_s:
        more["first sound, ms"] = median(heard.first_s) * 1000
        more["p99"] = quantile(heard.first_s, 0.99) * 1000
    more |= {"in hand, s": heard.leads_s[0], "then": heard.leads_s[1], "sound made, s": heard.made_s}
    notes = []
    if heard.errors:
        notes.append(f"{len(heard.errors)} failed: {heard.errors[0]}")
    if heard.silent:
        notes.append(f"{heard.silent} heard nothing")
    if not heard.keeps_up:
        notes.append("what they have in hand shrinks")
    bed.row(f"{heard.listeners} listeners: gaps", heard.underruns, "", more=more, note="; ".join(notes))


def _most(bed: Bed) -> int:
    """For how many there is memory, or as many as were asked for."""
    most = bed.most_listeners or max(bed.sizes.ladder)
    if bed.cuda:
        _, kv = frame_bytes(bed.config, bed.dtype.itemsize)
        row = kv * bed.sizes.long_positions + bed.codec(1).row_bytes
        most = min(most, int(torch.cuda.mem_get_info(bed.device)[0] * _SHARE_OF_MEMORY / row))
    return most
