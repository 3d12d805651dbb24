"""English words for numbers and letters.

Numbers are said with "and" ("one hundred and five") and without commas. Words for 0 to 999 come from inflect,
once; larger numbers are put together here.
"""

from __future__ import annotations

import functools
import importlib
import re
import threading
from typing import Any

#: A whole or decimal number: "1,234.5", "1,00,000". What stands around it is up to the rule.
NUMBER = (
    r"(?:\d{1,3}(?:,\d{3}){1,6}(?!,?\d)|\d{1,2}(?:,\d\d){1,4},\d{3}(?!,?\d)|\d{1,40}(?!\d))"
    r"(?:\.\d{1,40}(?!\d))?"
)
#: Whole numbers of more digits than this are read digit by digit.
MAX_DIGITS = 15
#: Between the two numbers of a range; with space on one side only it is a sign of the second number.
DASH = r"(?:[-\u2013\u2014]| [-\u2013\u2014] )"
SCALES = ("", "thousand", "million", "billion", "trillion")
_IMPORTING = threading.Lock()


def _inflect() -> Any:
    """The library, with its checks of types left out: adding them to it takes 1.5 s of every start."""
    with _IMPORTING:
        try:
            typeguard: Any = importlib.import_module("typeguard")
        except ModuleNotFoundError:  # a version of inflect that does not use it
            return importlib.import_module("inflect")
        checked, typeguard.typechecked = typeguard.typechecked, lambda target: target
        try:
            return importlib.import_module("inflect")
        finally:
            typeguard.typechecked = checked


@functools.cache
def _tables() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Cardinals of 0 to 999 and ordinals of 0 to 99, as inflect says them."""
    engine = _inflect().engine()
    cardinals = tuple(str(engine.number_to_words(str(number), andword="and")) for number in range(1000))
    ordinals = tuple(str(engine.number_to_words(engine.ordinal(str(number)))) for number in range(100))
    return cardinals, ordinals


def warm_up() -> None:
    """Read the libraries, so that the first sentence does not pay for it."""
    _tables()


def digits(text: str, zero: str = "zero") -> str:
    """The digits of a text one by one; anything else in it is left out."""
    names = _tables()[0]
    return " ".join(names[int(each)] if int(each) else zero for each in text if each.isdecimal())


def cardinal(text: str) -> str:
    """A whole number, perhaps with separators and a minus: "one thousand two hundred and thirty-four".

    With a leading zero or more than `MAX_DIGITS` digits it is read digit by digit.
    """
    if text[0] in "-\u2212":
        return "minus " + cardinal(text[1:])
    text = text.replace(",", "")
    if len(text) > MAX_DIGITS or (len(text) > 1 and int(text[0]) == 0):
        return digits(text)
    return _whole(int(text))


def _whole(number: int) -> str:
    names = _tables()[0]
    if number < 1000:
        return names[number]
    parts: list[str] = []
    rest, scale = number, 0
    while rest:
        rest, group = divmod(rest, 1000)
        if group:
            parts.append(f"{names[group]} {SCALES[scale]}".strip())
        scale += 1
    if 0 < number % 1000 < 100:
        parts[0] = "and " + parts[0]
    return " ".join(reversed(parts))


def ordinal(text: str) -> str:
    """A whole number as an ordinal: "twenty-first"; one that is too long digit by digit as a cardinal."""
    text = text.replace(",", "")
    if len(text) > MAX_DIGITS:
        return digits(text)
    number = int(text)
    head, tail = number - number % 100, number % 100
    if not head:
        return _tables()[1][tail]
    if not tail:
        return _whole(head) + "th"
    joint = " and " if head % 1000 or head >= 1000 else " "
    return _whole(head) + joint + _tables()[1][tail]


def number(text: str) -> str:
    """A whole or decimal number: "three point one four"; an empty whole part is "zero"."""
    whole, point, decimals = text.partition(".")
    said = cardinal(whole) if whole not in ("", "-") else whole.replace("-", "minus ") + "zero"
    return f"{said} point {digits(decimals)}" if point and decimals else said


def is_one(text: str) -> bool:
    """Whether a number is followed by a singular: "1 km"."""
    return text.lstrip("-+\u2212") == "1"


def year(text: str) -> str:
    """A year: "nineteen eighty-four", "two thousand and five", "twenty twenty-four", "ten sixty-six"."""
    value = int(text)
    if len(text) != 4 or value < 1000 or value % 1000 < 10:
        return cardinal(str(value))
    return pairs(text)


def pairs(text: str) -> str:
    """A number as a code or a name: "four oh four", "seven forty-seven", "eighty eighty", "two hundred".

    Of more than four digits each is said by itself.
    """
    names = _tables()[0]
    value = int(text) if len(text) <= 4 else 0
    if len(text) > 4 or (text[0] == "0" and len(text) > 1):
        return digits(text, "oh")
    if len(text) < 3 or not value % 100:
        if len(text) == 4 and value % 1000:
            return f"{names[value // 100]} hundred"
        return cardinal(text)
    if len(text) == 4 and value % 1000 < 10:
        return cardinal(text)
    head, tail = divmod(value, 100)
    return f"{names[head]} {names[tail] if tail > 9 else 'oh ' + names[tail]}"


def version(text: str) -> str:
    """Parts of a version with "point" between them: "three point eleven", "twenty-two point zero four"."""
    parts = [part for part in text.split(".") if part]
    return " point ".join(pairs(part) if len(part) == 4 else cardinal(part) for part in parts)


def plural(words: str) -> str:
    """The plural of the words for a number: "nineties", "two thousands", "sixes"."""
    if words.endswith("y"):
        return words[:-1] + "ies"
    return words + ("es" if words.endswith(("x", "s")) else "s")


def fraction(top: int, bottom: int) -> str:
    """A fraction: "one half", "three quarters", "seven eighths", "five over twenty-three"."""
    if bottom == 2:
        name = "half" if top == 1 else "halves"
    elif bottom == 4:
        name = "quarter" if top == 1 else "quarters"
    elif bottom > 2 and (top == 1 or bottom <= 20 or bottom in (32, 50, 64, 100, 1000)):
        name = ordinal(str(bottom))
        if bottom in (100, 1000):
            name = name.removeprefix("one ")
        name += "" if top == 1 else "s"
    else:
        return f"{cardinal(str(top))} over {cardinal(str(bottom))}"
    return f"{cardinal(str(top))} {name}"


def letters(text: str) -> str:
    """Letters by their names: "F.B.I.". So written, engines read no "A" as an article and no word for them.

    A single one is written as it is, but for "A".
    """
    upper = text.upper()
    if len(upper) == 1 and upper != "A":
        return upper
    return "".join(f"{letter}." for letter in upper)


def signed(sign: str | None) -> str:
    """What a sign before a number says, with a space after it; nothing if there is none."""
    return {"-": "minus ", "\u2212": "minus ", "+": "plus ", "~": "about "}.get(sign or "", "")


_VULGAR = {"\u00bd": (1, 2), "\u2153": (1, 3), "\u2154": (2, 3), "\u00bc": (1, 4), "\u00be": (3, 4)}
_VULGAR |= {"\u2155": (1, 5), "\u2156": (2, 5), "\u2157": (3, 5), "\u2158": (4, 5), "\u2159": (1, 6)}
_VULGAR |= {"\u215a": (5, 6), "\u215b": (1, 8), "\u215c": (3, 8), "\u215d": (5, 8), "\u215e": (7, 8)}
VULGAR = "".join(_VULGAR)
#: A number that may be a fraction too: "2 1/2", "3/4", "2\u00bd".
QUANTITY = (
    rf"(?:(?:\d{{1,4}}[ -])?\d{{1,2}}/\d{{1,3}}(?![\d/])|(?:\d{{1,4}} ?)?[{VULGAR}]"
    rf"|{NUMBER}|\.\d{{1,9}}(?!\d))"
)
_MIXED = re.compile(rf"(?:(\d+)[ -]?)??(?:(\d+)/(\d+)|([{VULGAR}]))")


def quantity(text: str) -> str:
    """A number or a fraction: "two and a half", "three quarters", "one point five"."""
    mixed = _MIXED.fullmatch(text)
    if mixed is None:
        return number(text)
    top, bottom = _VULGAR[mixed[4]] if mixed[4] else (int(mixed[2]), int(mixed[3]))
    said = fraction(top, bottom)
    if mixed[1] is None:
        return said
    if top == 1 and bottom in (2, 4):
        said = said.replace("one", "a", 1)
    return f"{cardinal(mixed[1])} and {said}"


def below_two(text: str) -> bool:
    """Whether a quantity is "1" or a fraction of one, after which a singular stands: "3/4 mile"."""
    part = text in _VULGAR or ("/" in text and text.index("/") == 1)
    return is_one(text) or (part and " " not in text and "-" not in text)
