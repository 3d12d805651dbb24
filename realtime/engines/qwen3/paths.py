"""Which pause of a voice stands where in its text: several ways to read it, weighed against each other.

A path is one way: it lays pauses that were heard at places of the text where a voice may pause. What it costs
is minus the logarithm of how likely it is, up to a constant: speech between two such places takes about as
long as its words should at this voice's speed; pauses are long after sentences, shorter after clauses, and
seldom elsewhere. The cheapest few are kept (a beam search), and go on with every pause.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from realtime.engines.qwen3.units import Gap, Unit

#: Paths that are kept, and places that a pause is tried at by each.
_KEPT = 12
_PLACES = 10
#: The speed of a voice is the usual one until so many seconds of it were heard.
_USUAL_WEIGHT_S = 2.0
#: How far durations of words are off, relatively: of one of `_ONE_WORD_S`, and what does not average out.
_WORD_DEVIATION = 0.35
_ONE_WORD_S = 0.25
_RATE_DEVIATION = 0.10
_MOST_OFF = 8.0
#: Pauses after sentences and clauses (logarithms of seconds), and how far they are off. A voice's own come to
#: count as much as the usual one after so many.
_LONG_PAUSE = math.log(0.45)
_SHORT_PAUSE = math.log(0.22)
_PAUSE_DEVIATION = 0.45
_USUAL_PAUSES = 2
#: Of places that the voice has passed without a pause.
_PASSED = {Gap.NONE: 0.0, Gap.CLAUSE: 0.8, Gap.SENTENCE: 3.0}


@dataclass(frozen=True, slots=True)
class Anchor:
    """So many units are said when so many seconds of speech were heard; then comes silence [start, end)."""

    units: int
    spoken: float
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class Path:
    """`anchors`: in order, at least one, and all that are needed for units whose times were not told.

    `heard_s` and `usual_s`: of the speech between anchors, the seconds it took and those it takes usually.
    `long_pauses`: how many pauses after sentences there are, and the sum of their lengths' logarithms.
    """

    anchors: tuple[Anchor, ...]
    cost: float = 0.0
    heard_s: float = 0.0
    usual_s: float = 0.0
    long_pauses: tuple[int, float] = (0, 0.0)

    @property
    def last(self) -> Anchor:
        """The last place that is known."""
        return self.anchors[-1]

    @property
    def slowness(self) -> float:
        """Seconds that the voice takes for a usual second."""
        return (_USUAL_WEIGHT_S + self.heard_s) / (_USUAL_WEIGHT_S + self.usual_s)

    @property
    def long_pause(self) -> float:
        """The logarithm of the seconds that the voice pauses after a sentence."""
        count, total = self.long_pauses
        return (_USUAL_PAUSES * _LONG_PAUSE + total) / (_USUAL_PAUSES + count)


@dataclass(frozen=True, slots=True)
class HeardPause:
    """After `spoken` seconds of speech, [start, end) in steps. `units`: that can be said by its end."""

    spoken: float
    start: int
    end: int
    seconds: float
    units: int


class Places:
    """The text as a row of units, and how long they take up to each."""

    def __init__(self) -> None:
        self.units: list[Unit] = []
        self._usual: list[float] = [0.0]

    def replace(self, first: int, units: Sequence[Unit]) -> None:
        """All units from `first` on become these."""
        del self.units[first:]
        del self._usual[first + 1 :]
        for unit in units:
            self.units.append(unit)
            self._usual.append(self._usual[-1] + unit.seconds)

    def usual(self, start: int, end: int) -> float:
        """Seconds that the units [start, end) take at the usual speed."""
        return self._usual[end] - self._usual[start]

    def next_ending(self, units: int) -> int | None:
        """The number of units at the next end of a segment, after so many."""
        for number in range(units, len(self.units)):
            if self.units[number].ends_segment:
                return number + 1
        return None


def hear(paths: Sequence[Path], pause: HeardPause, places: Places) -> list[Path]:
    """The paths that go on after a pause, the likeliest first."""
    found: list[Path] = []
    for path in paths:
        found.append(replace(path, cost=path.cost + _no_place_cost(pause.seconds)))
        found += _placed(path, pause, places)
    return best(found)


def best(paths: Sequence[Path]) -> list[Path]:
    """The likeliest paths, in that order; one of those that are at the same place."""
    kept: dict[Anchor, Path] = {}
    for path in sorted(paths, key=lambda each: each.cost):
        kept.setdefault(path.last, path)
    return list(kept.values())[:_KEPT]


def _placed(path: Path, pause: HeardPause, places: Places) -> list[Path]:
    """The path with the pause at each place that is not too far away."""
    heard = pause.spoken - path.last.spoken
    found: list[Path] = []
    passed = 0.0
    for units in range(path.last.units + 1, pause.units + 1):
        unit = places.units[units - 1]
        usual = places.usual(path.last.units, units)
        if usual * path.slowness > 3 * heard + 1.0 or len(found) >= _PLACES:
            break
        if not unit.gap:
            continue
        is_long = unit.ends_segment or unit.gap == Gap.SENTENCE
        cost = path.cost + passed + off_cost(heard, usual, path.slowness)
        cost += _length_cost(pause.seconds, path.long_pause if is_long else _SHORT_PAUSE, is_long)
        passed += _PASSED[unit.gap]
        anchor = Anchor(units, pause.spoken, pause.start, pause.end)
        placed = go_to(path, anchor, cost, usual)
        if is_long:
            count, total = path.long_pauses
            placed = replace(placed, long_pauses=(count + 1, total + math.log(pause.seconds)))
        found.append(placed)
    return found


def go_to(path: Path, anchor: Anchor, cost: float, usual: float) -> Path:
    """The path with one place more, `usual` seconds after its last one at the usual speed."""
    heard = anchor.spoken - path.last.spoken
    return replace(
        path,
        anchors=(*path.anchors, anchor),
        cost=cost,
        heard_s=path.heard_s + heard,
        usual_s=path.usual_s + usual,
    )


def end(paths: Sequence[Path], anchor: Anchor, places: Places) -> Path:
    """The likeliest path when all of the text was said by then."""
    found: list[Path] = []
    for path in paths:
        if path.last.units > anchor.units:
            continue
        heard = anchor.spoken - path.last.spoken
        usual = places.usual(path.last.units, anchor.units)
        said = range(path.last.units + 1, anchor.units + 1)
        cost = path.cost + (off_cost(heard, usual, path.slowness) if usual else min(6 * heard, _MOST_OFF))
        cost += sum(_PASSED[places.units[units - 1].gap] for units in said[:-1])
        found.append(go_to(path, anchor, cost, usual))
    return min(found, key=lambda each: each.cost)


def off_cost(heard: float, usual: float, slowness: float) -> float:
    """Of speech that took `heard` seconds where `usual` * `slowness` were expected."""
    expected = max(usual * slowness, 0.02)
    deviation = math.hypot(_RATE_DEVIATION, _WORD_DEVIATION / math.sqrt(max(1.0, usual / _ONE_WORD_S)))
    off = math.log(max(heard, 0.02) / expected) / deviation
    return min(off * off / 2, _MOST_OFF)


def late_cost(path: Path, spoken: float, places: Places) -> float:
    """Of a path whose next sentence should have ended before so many seconds of speech."""
    heard = spoken - path.last.spoken
    for units in range(path.last.units + 1, len(places.units) + 1):
        if places.units[units - 1].gap == Gap.SENTENCE:
            usual = places.usual(path.last.units, units)
            late = heard > usual * path.slowness
            return off_cost(heard, usual, path.slowness) if late else 0.0
    return 0.0


def _no_place_cost(seconds: float) -> float:
    """Of a pause where the text has none."""
    return min(2.0 + 10 * max(0.0, seconds - 0.12), 5.0)


def _length_cost(seconds: float, expected: float, is_long: bool) -> float:
    """Of a pause where one of `expected` (a logarithm) is usual: one after a sentence should not be short."""
    off = (math.log(seconds) - expected) / _PAUSE_DEVIATION
    unusual = off < 0 if is_long else off > 0
    return min(off * off / (2 if unusual else 8), 3.0)
