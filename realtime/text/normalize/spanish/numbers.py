"""Spanish number words: cardinals with gender, ordinals, dates, times, fractions, sums."""

from __future__ import annotations

import math
import re

from realtime.text.normalize.european.numbers import Currency, number_words
from realtime.text.normalize.romance.shared import Ordinals

MONTHS = "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre".split()
_PARTS = {2: "medio", 3: "tercio", 4: "cuarto", 5: "quinto", 6: "sexto", 8: "octavo", 10: "décimo"}


def cardinal(number: int) -> str:
    """A whole number on its own: "veintiuno", but "veintiún mil"."""
    said = number_words(number, "es")
    # num2words leaves the long form before what is counted.
    said = said.replace("veintiuno m", "veintiún m").replace("veintiuno b", "veintiún b")
    return re.sub(r"\buno (?=mil|bill)", "un ", said)


def count(number: int, gender: str) -> str:
    """A whole number before a noun: "veintiún", "doscientas"."""
    said = cardinal(number)
    if gender == "f":
        # What counts millions is masculine whatever there are millions of.
        millions, unit, rest = said.rpartition("ill")
        rest = rest.replace("cientos", "cientas").replace("quinientos", "quinientas")
        return millions + unit + (f"{rest[:-1]}a" if rest.endswith("uno") else rest)
    if said.endswith("veintiuno"):
        return f"{said[:-3]}ún"
    return said[:-1] if said.endswith("uno") else said


ORDINALS = Ordinals(
    units="primero segundo tercero cuarto quinto sexto séptimo octavo noveno".split(),
    tens=(
        "décimo vigésimo trigésimo cuadragésimo quincuagésimo sexagésimo septuagésimo octogésimo nonagésimo"
    ).split(),
    hundreds=(
        "centésimo ducentésimo tricentésimo cuadringentésimo quingentésimo sexcentésimo septingentésimo "
        "octingentésimo noningentésimo"
    ).split(),
    thousandth="milésimo",
    irregular={
        11: "undécimo",
        12: "duodécimo",
        13: "decimotercero",
        14: "decimocuarto",
        15: "decimoquinto",
        16: "decimosexto",
        17: "decimoséptimo",
        18: "decimoctavo",
        19: "decimonoveno",
    },
    cardinal=cardinal,
)


def ordinal(number: int, gender: str) -> str:
    """An ordinal of gender "m" or "f", or "n" for the short form before a noun ("primer", "tercer")."""
    said = ORDINALS.say(number, "f" if gender == "f" else "m")
    short = gender == "n" and said.endswith(("primero", "tercero"))
    return said[:-1] if short else said


def date(day: int, month: int, year: int | None, _before: str = "") -> str:
    """ "quince de enero de dos mil veinticuatro"."""
    said = f"{cardinal(day)} de {MONTHS[month - 1]}"
    return said if year is None else f"{said} de {cardinal(year)}"


def clock(hour: int, minute: int, second: int | None) -> str:
    """A time of day after "a las": "nueve y cinco", "catorce treinta", "diez"."""
    said = count(hour, "f")
    if second is not None:
        return f"{_counted(hour, 'hora')}, {_counted(minute, 'minuto')} y {_counted(second, 'segundo')}"
    if not minute:
        return said if hour else "cero horas"
    return f"{said} y {cardinal(minute)}" if minute < 10 else f"{said} {cardinal(minute)}"


def time(hour: int, minute: int, second: int | None) -> str:
    """A time of day that stands alone: full hours are said to be hours."""
    said = clock(hour, minute, second)
    return said if minute or second is not None else _counted(hour, "hora")


def _counted(number: int, noun: str) -> str:
    said = count(number, "f" if noun.endswith("a") else "m")
    return f"{said} {noun}" if number == 1 else f"{said} {noun}s"


def fraction(numerator: int, denominator: int) -> str | None:
    """ "un medio", "tres cuartos"; None for one that nobody would say so."""
    part = _PARTS.get(denominator) if denominator < 10 or numerator == 1 else None
    if part is None or not 0 < numerator < denominator or math.gcd(numerator, denominator) > 1:
        return None
    return f"un {part}" if numerator == 1 else f"{cardinal(numerator)} {part}s"


def mixed(whole: int, numerator: int, denominator: int) -> str | None:
    """A whole number and a fraction: "uno y medio", "dos y tres cuartos"."""
    said = "medio" if (numerator, denominator) == (1, 2) else fraction(numerator, denominator)
    return None if said is None else f"{cardinal(whole)} y {said}"


def cents(whole: str, number: int, currency: Currency) -> str:
    """A sum with cents: "tres euros con cincuenta céntimos"."""
    assert currency.cent is not None
    return f"{whole} con {count(number, currency.cent.gender)} {currency.cent.forms[number != 1]}"
