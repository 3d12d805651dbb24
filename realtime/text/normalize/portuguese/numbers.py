"""Portuguese number words, as in Portugal: cardinals with gender, ordinals, dates, times, fractions, sums."""

from __future__ import annotations

import math
import re

from realtime.text.normalize.european.numbers import Currency, number_words
from realtime.text.normalize.romance.shared import Ordinals

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


ORDINALS = Ordinals(
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


def date(day: int, month: int, year: int | None, _before: str = "") -> str:
    """ "quinze de janeiro de dois mil e vinte e quatro"."""
    said = f"{cardinal(day)} de {MONTHS[month - 1]}"
    return said if year is None else f"{said} de {cardinal(year)}"


def clock(hour: int, minute: int, second: int | None) -> str:
    """A time of day after "às": "nove e cinco", "dez"."""
    said = count(hour, "f")
    if second is not None:
        return f"{_counted(hour, 'hora')}, {_counted(minute, 'minuto')} e {_counted(second, 'segundo')}"
    return f"{said} e {cardinal(minute)}" if minute else said


def time(hour: int, minute: int, second: int | None) -> str:
    """A time of day that stands alone: full hours are said to be hours."""
    said = clock(hour, minute, second)
    return said if minute or second is not None else _counted(hour, "hora")


def _counted(number: int, noun: str) -> str:
    said = count(number, "f" if noun.endswith("a") else "m")
    return f"{said} {noun}" if number == 1 else f"{said} {noun}s"


def fraction(numerator: int, denominator: int) -> str | None:
    """ "um meio", "três quartos"; None for one that nobody would say so."""
    part = _PARTS.get(denominator) if denominator < 10 or numerator == 1 else None
    if part is None or not 0 < numerator < denominator or math.gcd(numerator, denominator) > 1:
        return None
    return f"um {part}" if numerator == 1 else f"{cardinal(numerator)} {part}s"


def mixed(whole: int, numerator: int, denominator: int) -> str | None:
    """A whole number and a fraction: "um e meio", "dois e três quartos"."""
    said = "meio" if (numerator, denominator) == (1, 2) else fraction(numerator, denominator)
    return None if said is None else f"{cardinal(whole)} e {said}"


def cents(whole: str, number: int, currency: Currency) -> str:
    """A sum with cents: "três euros e cinquenta cêntimos"."""
    assert currency.cent is not None
    return f"{whole} e {count(number, currency.cent.gender)} {currency.cent.forms[number != 1]}"
