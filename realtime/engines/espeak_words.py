"""From espeak's word events to the times of written words.

espeak tells where each word that it says begins. That is not one event for each written word: "3,50" is four
spoken words, "il y a" may be one, and a Chinese sentence has no spaces at all.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import numpy as np

from realtime.engines.espeak_library import WordEvent
from realtime.types import Pcm, WordTiming

#: What a written word is: what stands between spaces, what espeak takes for a word within a run of Chinese
#: characters, or a mora of kana.
WordKind = Literal["spaced", "chinese", "mora"]

#: Sound below this is silence: -45 dBFS, as amplitude.
_AUDIBLE = 10 ** (-45 / 20)
_KANA = "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f"
#: Chinese characters: CJK ideographs, their compatibility and iteration forms.
IDEOGRAPHS = "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
#: Their punctuation, which has no spaces around it.
_MARKS = "\u3000-\u3004\u3008-\u3020\u3030\u30fb\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65…—“”‘’"
_UNITS = {
    "spaced": re.compile(r"\S+"),
    "chinese": re.compile(rf"[{IDEOGRAPHS}]+|[^\s{_MARKS}{IDEOGRAPHS}]+"),
    # A mora is a kana with the small ones after it; marks of length and doubling count for themselves.
    "mora": re.compile(rf"[{_KANA}][ぁぃぅぇぉゃゅょゎァィゥェォャュョヮｧｨｩｪｫｬｭｮﾞﾟ]*|[^\s{_MARKS}{_KANA}]+"),
}
_IDEOGRAPH = re.compile(f"[{IDEOGRAPHS}]")


@dataclass(slots=True)
class _Unit:
    """A written word, [start, end) of the text, and the samples at which parts of it begin."""

    start: int
    end: int
    samples: list[int] = field(default_factory=list)


def time_words(
    text: str, events: Sequence[WordEvent], pcm: Pcm, kind: WordKind
) -> tuple[list[WordTiming], bool]:
    """When each written word of `text` sounds in `pcm`, and whether any of it is an estimate.

    Words that espeak says in one breath share its time by their lengths, which is an estimate; all else is
    exact. A word ends where the next one begins, or before that where its sound ends. Without letter, digit
    and event a run of characters is no word. Times are in samples from the beginning of `pcm`.
    """
    units = _units(text, events, kind)
    _assign(units, events, len(pcm))
    if kind != "spaced":
        _hand_over(units)
    groups = _groups(text, units)
    loud = np.flatnonzero(np.abs(pcm) >= _AUDIBLE)
    words: list[WordTiming] = []
    estimated = False
    for number, (begin, members) in enumerate(groups):
        stop = groups[number + 1][0] if number + 1 < len(groups) else len(pcm)
        last = int(np.searchsorted(loud, stop)) - 1
        end = int(loud[last]) + 1 if last >= 0 and loud[last] >= begin else stop
        words += _share(members, begin, end, kind)
        estimated = estimated or len(members) > 1
    return words, estimated


def _units(text: str, events: Sequence[WordEvent], kind: WordKind) -> list[_Unit]:
    begins = {event.position for event in events}
    units: list[_Unit] = []
    for match in _UNITS[kind].finditer(text):
        if kind == "chinese" and _IDEOGRAPH.match(match.group()):
            cuts = [cut for cut in range(match.start() + 1, match.end()) if cut in begins]
            edges = [match.start(), *cuts, match.end()]
            units += [_Unit(start, end) for start, end in pairwise(edges)]
        else:
            units.append(_Unit(*match.span()))
    return units


def _assign(units: list[_Unit], events: Sequence[WordEvent], length: int) -> None:
    """Give each event to the unit that it lies in."""
    if not units:
        return
    starts = [unit.start for unit in units]
    own = {bisect_right(starts, event.position) - 1 for event in events if _inside(units, starts, event)}
    current = 0
    for event in events:
        index = bisect_right(starts, event.position) - 1
        # After an abbreviation positions are one too small, and lie on the space before their word; the
        # second word of what a sign says (an emoji's name) lies on the space after it.
        if not _inside(units, starts, event) and index + 1 < len(units) and index + 1 not in own:
            index += 1
        current = max(current, index)  # within a number positions go back
        units[current].samples.append(min(event.sample, length))


def _inside(units: list[_Unit], starts: list[int], event: WordEvent) -> bool:
    index = bisect_right(starts, event.position) - 1
    return index >= 0 and event.position < units[index].end


def _hand_over(units: list[_Unit]) -> None:
    """Between a character and a digit espeak's positions are one too small: "年5" has two events on "年"."""
    for unit, following in pairwise(units):
        if len(unit.samples) > 1 and unit.end == following.start and not following.samples:
            following.samples.append(unit.samples.pop())


def _groups(text: str, units: list[_Unit]) -> list[tuple[int, list[_Unit]]]:
    """Units that are said together, each group with the sample where it begins."""
    groups: list[tuple[int, list[_Unit]]] = []
    early: list[_Unit] = []
    for unit in units:
        if unit.samples:
            begin = unit.samples[0]
            if groups and begin <= groups[-1][0]:
                groups[-1][1].append(unit)
            else:
                groups.append((begin, [*early, unit]))
                early = []
        elif any(character.isalnum() for character in text[unit.start : unit.end]):
            (groups[-1][1] if groups else early).append(unit)
    return groups or ([(0, early)] if early else [])


def _share(members: list[_Unit], begin: int, end: int, kind: WordKind) -> list[WordTiming]:
    """Timings of units that share [begin, end): by their characters, or a mora as much as another."""
    weights = [unit.end - unit.start if kind == "spaced" else 1 for unit in members]
    edges = begin + np.cumsum([0, *weights]) * (end - begin) // sum(weights)
    return [
        WordTiming(unit.start, unit.end, int(edges[number]), int(edges[number + 1]))
        for number, unit in enumerate(members)
    ]
