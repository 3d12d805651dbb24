"""Number words that Spanish, Italian and Portuguese put together alike, of each language's own words."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from realtime.text.normalize.european.numbers import Currency, Number


def decimals_of(cardinal: Callable[[int], str], comma: str, point: str) -> Callable[[Number], str]:
    """Says decimals: up to three digits as a number, digit by digit where there are more or a zero leads."""

    def say(number: Number) -> str:
        tail = number.decimals
        if len(tail) <= 3 and tail[0] != "0":
            after = cardinal(int(tail))
        else:
            after = " ".join(cardinal(int(digit)) for digit in tail)
        return f"{cardinal(int(number.whole))} {comma if number.mark == ',' else point} {after}"

    return say


def cents_of(count: Callable[[int, str], str], between: str) -> Callable[[str, int, Currency], str]:
    """Says a sum with cents, `between` stands before them: "tres euros con cincuenta céntimos"."""

    def say(whole: str, number: int, currency: Currency) -> str:
        assert currency.cent is not None
        return f"{whole} {between} {count(number, currency.cent.gender)} {currency.cent.forms[number != 1]}"

    return say


@dataclass(frozen=True, slots=True)
class Fractions:
    """Says fractions: `parts` are the names by what is below, with 2 among them; masculine."""

    parts: Mapping[int, str]
    plural: Callable[[str], str]
    and_word: str
    cardinal: Callable[[int], str]
    count: Callable[[int, str], str]

    def say(self, numerator: int, denominator: int) -> str | None:
        """ "un medio", "tres cuartos"; None for one that nobody would say so."""
        part = self.parts.get(denominator) if denominator < 10 or numerator == 1 else None
        if part is None or not 0 < numerator < denominator or math.gcd(numerator, denominator) > 1:
            return None
        return f"{self.count(numerator, 'm')} {part if numerator == 1 else self.plural(part)}"

    def mixed(self, whole: int, numerator: int, denominator: int) -> str | None:
        """A whole number and a fraction: "uno y medio", "dos y tres cuartos"."""
        said = self.parts[2] if (numerator, denominator) == (1, 2) else self.say(numerator, denominator)
        return None if said is None else f"{self.cardinal(whole)} {self.and_word} {said}"


@dataclass(frozen=True, slots=True)
class Calendar:
    """Dates and times of Spanish and Portuguese, which have the same words for hours, minutes and seconds."""

    months: Sequence[str]
    and_word: str
    cardinal: Callable[[int], str]
    count: Callable[[int, str], str]
    #: Hour and minute after "a las" or "às".
    hour_and_minute: Callable[[int, int], str]

    def date(self, day: int, month: int, year: int | None, _before: str = "") -> str:
        """ "quince de enero de dos mil veinticuatro"."""
        said = f"{self.cardinal(day)} de {self.months[month - 1]}"
        return said if year is None else f"{said} de {self.cardinal(year)}"

    def clock(self, hour: int, minute: int, second: int | None) -> str:
        """A time of day after "a las" or "às": "nueve y cinco", "diez"."""
        if second is None:
            return self.hour_and_minute(hour, minute)
        minutes, seconds = self._counted(minute, "minuto"), self._counted(second, "segundo")
        return f"{self.hours(hour)}, {minutes} {self.and_word} {seconds}"

    def time(self, hour: int, minute: int, second: int | None) -> str:
        """A time of day that stands alone: full hours are said to be hours."""
        full = not minute and second is None
        return self.hours(hour) if full else self.clock(hour, minute, second)

    def hours(self, number: int) -> str:
        """ "una hora", "dos horas"."""
        return self._counted(number, "hora")

    def _counted(self, number: int, noun: str) -> str:
        said = self.count(number, "f" if noun.endswith("a") else "m")
        return f"{said} {noun}" if number == 1 else f"{said} {noun}s"


@dataclass(frozen=True, slots=True)
class Ordinals:
    """Ordinals that are put together of hundreds, tens and units; masculine, each from 1 to 9."""

    units: Sequence[str]
    tens: Sequence[str]
    hundreds: Sequence[str]
    thousandth: str
    irregular: Mapping[int, str]
    cardinal: Callable[[int], str]

    def say(self, number: int, gender: str) -> str:
        """An ordinal of gender "m" or "f"; from 2000 on and for 0, which nobody says, the cardinal."""
        if not 0 < number < 2000:
            return self.cardinal(number)
        parts = [self.thousandth] if number >= 1000 else []
        hundreds, rest = number % 1000 // 100, number % 100
        if hundreds:
            parts.append(self.hundreds[hundreds - 1])
        if rest in self.irregular:
            parts.append(self.irregular[rest])
        else:
            parts += [self.tens[rest // 10 - 1]] if rest >= 10 else []
            parts += [self.units[rest % 10 - 1]] if rest % 10 else []
        if gender == "f":
            parts = [f"{part[:-1]}a" for part in parts]
        return " ".join(parts)
