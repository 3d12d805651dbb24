"""Spanish number words: cardinals with gender, ordinals, dates, times, fractions, sums."""

from __future__ import annotations

import re

from realtime.text.normalize.european.numbers import number_words
from realtime.text.normalize.romance.numbers import Calendar, Fractions, Ordinals

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


_ORDINALS = Ordinals(
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
    said = _ORDINALS.say(number, "f" if gender == "f" else "m")
    short = gender == "n" and said.endswith(("primero", "tercero"))
    return said[:-1] if short else said


def _hour_and_minute(hour: int, minute: int) -> str:
    """ "nueve y cinco", "catorce treinta", "diez"."""
    said = count(hour, "f")
    if not minute:
        return said if hour else "cero horas"
    return f"{said} y {cardinal(minute)}" if minute < 10 else f"{said} {cardinal(minute)}"


_CALENDAR = Calendar(MONTHS, "y", cardinal, count, _hour_and_minute)
date, clock, time, hours = _CALENDAR.date, _CALENDAR.clock, _CALENDAR.time, _CALENDAR.hours
_FRACTIONS = Fractions(_PARTS, "{}s".format, "y", cardinal, count)
fraction, mixed = _FRACTIONS.say, _FRACTIONS.mixed
