"""Portuguese number words, as in Portugal: cardinals with gender, ordinals, dates, times, fractions, sums."""

from __future__ import annotations

import re

from realtime.text.normalize.european.numbers import number_words
from realtime.text.normalize.romance.numbers import Calendar, Fractions, Ordinals

MONTHS = "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro".split()
_PARTS = {2: "meio", 3: "terço", 4: "quarto", 5: "quinto", 6: "sexto", 8: "oitavo", 10: "décimo"}
_FEMININE = re.compile(r"\bum(?= mil\b|$)|\bdois\b|ntos\b")


def cardinal(number: int) -> str:
    """A whole number on its own."""
    return number_words(number, "pt")


def count(number: int, gender: str) -> str:
    """A whole number before a noun: "duas", "vinte e uma", "duzentas mil"."""
    said = cardinal(number)
    if gender != "f":
        return said
    # What counts millions is masculine whatever there are millions of.
    millions, unit, rest = said.rpartition("lh") if "milh" in said else said.rpartition("bili")
    return millions + unit + _FEMININE.sub(_feminine, rest)


def _feminine(match: re.Match[str]) -> str:
    return {"um": "uma", "dois": "duas"}.get(match.group(), "ntas")


_ORDINALS = Ordinals(
    units="primeiro segundo terceiro quarto quinto sexto sétimo oitavo nono".split(),
    tens=(
        "décimo vigésimo trigésimo quadragésimo quinquagésimo sexagésimo septuagésimo octogésimo nonagésimo"
    ).split(),
    hundreds=(
        "centésimo ducentésimo tricentésimo quadringentésimo quingentésimo sexcentésimo septingentésimo "
        "octingentésimo nongentésimo"
    ).split(),
    thousandth="milésimo",
    irregular={},
    cardinal=cardinal,
)
ordinal = _ORDINALS.say


def _hour_and_minute(hour: int, minute: int) -> str:
    """ "nove e cinco", "dez"."""
    said = count(hour, "f")
    return f"{said} e {cardinal(minute)}" if minute else said


_CALENDAR = Calendar(MONTHS, "e", cardinal, count, _hour_and_minute)
date, clock, time, hours = _CALENDAR.date, _CALENDAR.clock, _CALENDAR.time, _CALENDAR.hours
_FRACTIONS = Fractions(_PARTS, "{}s".format, "e", cardinal, count)
fraction, mixed = _FRACTIONS.say, _FRACTIONS.mixed
