"""Roman digits."""

from __future__ import annotations

import re

#: A regular expression for Roman digits up to 89, and what else is made of their letters: see `roman_value`.
ROMAN = "[IVXL]{1,7}"
_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
_FORM = re.compile(r"M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")


def roman_value(digits: str) -> int:
    """The number that Roman digits (capitals) stand for; 0 for what is not written as the rules want it."""
    if not digits or not _FORM.fullmatch(digits):
        return 0
    total = 0
    for digit, following in zip(digits, digits[1:] + "I", strict=True):
        value = _VALUES[digit]
        total += -value if value < _VALUES[following] else value
    return total
