"""What the readers of Chinese, Japanese and Korean do alike.

Rules see the text with its full-width letters, digits and signs in ASCII, which changes no position. As there
are no spaces between words, rules give the edits of a date or a range part by part.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from decimal import Decimal

from realtime.text.normalize.base import Rule, apply_rules
from realtime.text.normalize.east_asian.names import SCALES
from realtime.text.spans import Edit

# Full-width letters, digits and those signs that stand in numbers; not the comma and the full stop of a
# sentence. Wave dashes become "~", dashes that are not those of a sentence "-".
_WIDE = "".join(
    chr(0xFEE0 + code)
    for code in (*range(0x30, 0x3A), *range(0x41, 0x5B), *range(0x61, 0x7B), *b"#$%&*+-./:=@_~")
)
_ODD = {
    0xFFE5: 0xA5,  # yen
    0xFFE6: 0x20A9,  # won
    0xFFE1: 0xA3,  # pound
    0x301C: 0x7E,  # wave dash
    0x2013: 0x2D,  # en dash
    0x2212: 0x2D,  # minus
    0x2010: 0x2D,
    0x2011: 0x2D,
    0x2236: 0x3A,  # ratio
}
_FOLD = {ord(character): ord(character) - 0xFEE0 for character in _WIDE} | _ODD
_BELOW = (16, 20, 32, 50, 64, 100, 1000)  # what fractions have below, above 10
_ADDRESS_PARTS = re.compile(r"[A-Za-z]+|[0-9]+|[^A-Za-z0-9]")


def fold(text: str) -> str:
    """Full-width letters, digits and signs of numbers in ASCII; every character keeps its position."""
    return text.translate(_FOLD)


def edits_of(text: str, rules: Sequence[Rule]) -> list[Edit]:
    """What the rules make of the folded text, and full-width letters and digits that are left in ASCII."""
    folded = fold(text)
    found = apply_rules(folded, rules)
    if folded == text:
        return found
    changed = bytearray(len(text))
    for edit in found:
        changed[edit.start : edit.end] = b"\1" * (edit.end - edit.start)
    for at, (before, after) in enumerate(zip(text, folded, strict=True)):
        if before != after and after.isalnum() and not changed[at]:
            found.append(Edit(at, at + 1, after))
    return sorted(found, key=lambda edit: edit.start)


def parts(match: re.Match[str], *said: tuple[int | str, str]) -> list[Edit]:
    """Edits that cover a match: each group is said as given, together with all up to the next of them."""
    starts = [match.start(group) for group, _ in said]
    starts[0] = match.start()
    ends = [*starts[1:], match.end()]
    return [
        Edit(start, end, spoken)
        for start, end, (_, spoken) in zip(starts, ends, said, strict=True)
        if end > start
    ]


def plain(number: str) -> str:
    """A number without its thousands separators."""
    return number.replace(",", "")


def one_by_one(number: str, longest: int) -> bool:
    """Whether digits are said one by one: a very long number, or one that begins with 0."""
    return len(number) > longest or (len(number) > 1 and number[0] == "0")


def phone(match: re.Match[str], digits: Callable[[str], str], gap: str, plus: str) -> list[Edit]:
    """What is said for a number in groups, the group `number` of a match; `plus` for one before it."""
    written = match["number"]
    said = gap.join(digits(group) for group in re.findall("[0-9]+", written))
    return [Edit(match.start("number"), match.end("number"), (plus if written[0] == "+" else "") + said)]


def scaled(number: str, scale: str) -> str:
    """The digits of a number times thousand, million ... as in "1.2" "B"."""
    value = (Decimal(plain(number)) * 10 ** SCALES[scale]).normalize()
    return f"{value:f}"


def _letters_or_word(word: str) -> str:
    return word if re.search("[aeiouyAEIOUY]", word) else word.upper()


def address(
    match: re.Match[str],
    signs: dict[str, str],
    digits: Callable[[str], str],
    gap: str,
    word: Callable[[str], str] = _letters_or_word,
) -> str:
    """How a match of `ADDRESS` is said: signs by their names, `gap` between all, words as `word` says them.

    What has no vowel is put in capitals, which engines read letter by letter. An unknown sign is left out.
    """
    words: list[str] = []
    for part in _ADDRESS_PARTS.findall((match["link"] or match.group()).rstrip("/")):
        if part.isdigit():
            words.append(digits(part))
        elif part.isalpha():
            words.append(word(part))
        elif part in signs:
            words.append(signs[part])
    return gap.join(words)


def enclosed(match: re.Match[str]) -> str:
    """The digits of a match of `ENCLOSED`."""
    return str(int(unicodedata.numeric(match.group().strip()[0])))


def is_date(match: re.Match[str]) -> bool:
    """Whether a match of `DATE` can be one."""
    return 1 <= int(match["month"]) <= 12 and 1 <= int(match["day"]) <= 31


def is_fraction(match: re.Match[str]) -> bool:
    """Whether a match of `FRACTION` is surely one: "12/25" may be a day, "24/7" is none."""
    above, below = int(match["above"]), int(match["below"])
    return 0 < above < below and (below <= 10 or below in _BELOW)


def ascends(match: re.Match[str]) -> bool:
    """Whether the groups `first` and `last` are a range: telephone numbers and scores are not."""
    first, last = plain(match["first"]), plain(match["last"])
    return not (len(last) > 1 and last[0] == "0" and last[1] != ".") and Decimal(first) < Decimal(last)


def times(
    match: re.Match[str],
    say: Callable[[str, str, str | None], str],
    to: str,
    halves: tuple[str, str],
) -> str | list[Edit] | None:
    """What is said for a match of `CLOCK`: `say` gets hour, minute and second, `to` stands between two.

    `halves`: what stands before a time of the morning, and of the afternoon, where "AM" or "PM" is behind it.
    """
    hour, minute, hour2 = match["hour"], match["minute"], match["hour2"]
    if int(hour) > 24 or int(hour2 or 0) > 24:
        return None
    half = halves[match["half"] in "pP"] if match["half"] else ""
    if hour2:
        until = say(hour2, match["minute2"], None)
        return parts(match, ("hour", half + say(hour, minute, None) + to), ("hour2", until))
    return half + say(hour, minute, match["second"])


def point(match: re.Match[str]) -> str:
    """The digits of a match of `POINT`, of `LATER_POINT` or of `ENCLOSED`."""
    groups = match.groupdict()
    return str(int(groups["number"])) if groups.get("number") else enclosed(match)


def pressure(match: re.Match[str]) -> tuple[str, str]:
    """The two numbers of a match of `PRESSURE`."""
    return match["high"] or match["high2"], match["low"] or match["low2"]
