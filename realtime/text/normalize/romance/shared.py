"""What the tables of Spanish, Italian and Portuguese are made of; parts of a unit, gender."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from realtime.text.normalize.european.numbers import Currency, Noun


def form(number: int) -> int:
    """Which form of a noun: 0 singular, 1 plural, 2 after a round number of millions ("de euros")."""
    if number == 1:
        return 0
    return 2 if number and number % 1_000_000 == 0 else 1


def decimal_form(_: int) -> int:
    """Plural after any decimal."""
    return 1


def nouns(of: str, table: str, gender: str = "m") -> dict[str, Noun]:
    """Counted things by symbol; a line of the table is "symbols, singular, plural" with "=" between them.

    A space within a symbol is written "_" there.
    `of` stands before the plural after a round number of millions.
    """
    found: dict[str, Noun] = {}
    for line in table.strip().splitlines():
        symbols, singular, plural = (part.strip() for part in line.split("="))
        noun = Noun((singular, plural, f"{of} {plural}"), gender)
        found |= {symbol.replace("_", " "): noun for symbol in symbols.split()}
    return found


def currencies(of: str, million: tuple[str, str], table: str) -> dict[str, Currency]:
    """Currencies by sign and code; a line is "signs = gender singular, plural = cent, cents", cents optional.

    `million`: singular and plural, for "M" before a sign ("5 M€").
    """
    found: dict[str, Currency] = {}
    for line in table.strip().splitlines():
        signs, main, *rest = (part.strip() for part in line.split("="))
        gender, names = main.split(" ", 1)
        singular, plural = names.split(", ")
        cent = Noun(tuple(rest[0].split(", "))) if rest else None
        for sign in signs.split():
            found[sign] = Currency(Noun((singular, plural, f"{of} {plural}"), gender), cent)
            found[f"M{sign}"] = Currency(Noun(tuple(f"{each} {of} {plural}" for each in million)))
    return found


def pairs(table: str) -> dict[str, str]:
    """Written and spoken; a line is "written = spoken"."""
    split = (line.split("=") for line in table.strip().splitlines())
    return {written.strip(): spoken.strip() for written, spoken in split}


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


@dataclass(frozen=True, slots=True)
class Parts:
    """Says parts of a unit: "medio litro", "dos horas y cuarto"; `half` and `quarter` are masculine."""

    half: str
    quarter: str
    three_quarters: str
    and_word: str
    of: str
    count: Callable[[int, str], str]
    fraction: Callable[[int, int], str | None]

    def say(self, whole: int, numerator: int, denominator: int, noun: Noun, _before: str) -> str | None:
        """A part of a unit, alone or after a whole number; None where it is not usual to say it so."""
        half = self.half[:-1] + "a" if noun.gender == "f" else self.half
        usual = {(1, 2): half, (1, 4): self.quarter, (3, 4): self.three_quarters}
        if whole:
            part = usual.get((numerator, denominator))
            counted = (
                f"{self.count(whole, noun.gender)} {noun.forms[min(int(whole != 1), len(noun.forms) - 1)]}"
            )
            return None if part is None else f"{counted} {self.and_word} {part}"
        if (numerator, denominator) == (1, 2):
            return f"{half} {noun.forms[0]}"
        said = self.fraction(numerator, denominator)
        return None if said is None else f"{said} {self.of} {noun.forms[0]}"


@dataclass(frozen=True, slots=True)
class Genders:
    """Tells the gender of a plain word by its ending; words that fool it are listed.

    `not_nouns` are words that follow a number without being counted by it.
    """

    feminine_endings: tuple[str, ...]
    masculine_endings: tuple[str, ...]
    feminine: frozenset[str]
    masculine: frozenset[str]
    not_nouns: frozenset[str]
    #: Where the plural has endings of its own: those that are feminine.
    feminine_plurals: tuple[str, ...] = ()

    def of_plural(self, word: str) -> str:
        """Gender of a word after a number of more than one, as `of` gives it."""
        feminine = bool(self.feminine_plurals) and word.endswith(self.feminine_plurals)
        return "f" if feminine and word not in self.not_nouns else self.of(word)

    def of(self, word: str) -> str:
        """Gender "m" or "f" of a word in lower case; "" for one that is not counted."""
        if word in self.not_nouns:
            return ""
        if word in self.feminine:
            return "f"
        if word in self.masculine or word.endswith(self.masculine_endings):
            return "m"
        return "f" if word.endswith(self.feminine_endings) else "m"
