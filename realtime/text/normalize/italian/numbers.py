"""Italian number words: cardinals, ordinals, dates, times, fractions, sums."""

from __future__ import annotations

from realtime.text.normalize.european.numbers import number_words
from realtime.text.normalize.romance.numbers import Fractions

MONTHS = (
    "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre".split()
)
_PARTS = {2: "mezzo", 3: "terzo", 4: "quarto", 5: "quinto", 6: "sesto", 8: "ottavo", 10: "decimo"}


def cardinal(number: int) -> str:
    """A whole number on its own."""
    said = number_words(number, "it")
    # "un milione e duecento" is right but nobody says the "e" before what is long.
    said = said.replace(",", "").replace(" e ", " ")
    said = said.replace("odicotto", "odiciotto")
    # One word is right, but nobody could read it.
    said = said if number < 10_000 else said.replace("mila", "mila ").rstrip()
    # num2words knows the accent of "ventitré" but not of "centotré".
    return f"{said[:-1]}é" if said.endswith("tre") and not said.endswith(" tre") and number > 3 else said


def count(number: int, gender: str) -> str:
    """A whole number before a noun; only one has genders."""
    if number == 1:
        return "una" if gender == "f" else "un"
    return cardinal(number)


def ordinal(number: int, gender: str) -> str:
    """An ordinal of gender "m" or "f"; from a million on and for 0, which nobody says, the cardinal."""
    if not 0 < number < 1_000_000:
        return cardinal(number)
    said = number_words(number, "it", "ordinal").replace("odicott", "odiciott")
    return f"{said[:-1]}a" if gender == "f" else said


def date(day: int, month: int, year: int | None, _before: str = "") -> str:
    """ "quindici gennaio duemilaventiquattro", "primo maggio"."""
    said = f"{'primo' if day == 1 else cardinal(day)} {MONTHS[month - 1]}"
    return said if year is None else f"{said} {cardinal(year)}"


def clock(hour: int, minute: int, second: int | None) -> str:
    """A time of day after "alle" or "ore": "nove e cinque", "dieci"."""
    said = count(hour, "f")
    if second is not None:
        hours, minutes = "or" + "ea"[hour == 1], "minut" + "io"[minute == 1]
        parts = f"{said} {hours}, {count(minute, 'm')} {minutes} e {count(second, 'm')} second"
        return parts.replace("una ora", "un'ora") + "io"[second == 1]
    return f"{said} e {cardinal(minute)}" if minute else said


def time(hour: int, minute: int, second: int | None) -> str:
    """A time of day that stands alone: full hours are said to be hours."""
    said = clock(hour, minute, second)
    return said if minute or second is not None else f"ore {said}"


_FRACTIONS = Fractions(_PARTS, lambda part: f"{part[:-1]}i", "e", cardinal, count)
fraction, mixed = _FRACTIONS.say, _FRACTIONS.mixed
