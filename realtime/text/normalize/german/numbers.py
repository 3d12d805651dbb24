"""German numbers in words: "eine Minute", "am ersten Mai", "neunzehnhundertvierundachtzig", "zweieinhalb"."""

from __future__ import annotations

from realtime.text.normalize.european.numbers import Currency, Noun, number_words
from realtime.text.normalize.german.words import MONTHS

#: Words after which an ordinal ends in "en", and those after which it ends in "e".
WEAK = frozenset(
    "am zum vom beim im zur dem den des einem einen eines einer meinem meinen meiner seinem seinen seiner "
    "ihrem ihren ihrer unserem unseren unserer deinem deinen diesem diesen dieses dieser jedem jeden "
    "jener jenem jenen keinem keinen bis ab seit und oder zwischen gegen nach vor".split()
)
ARTICLE_E = frozenset("der die das eine meine deine seine ihre unsere keine diese jede jeder jene".split())
#: Words after which a half is in the dative.
_DATIVE = frozenset("in nach vor mit von seit zu bei aus ab".split())
_PARTS = {
    2: "halb",
    3: "Drittel",
    7: "Siebtel",
    8: "Achtel",
    16: "Sechzehntel",
    20: "Zwanzigstel",
    100: "Hundertstel",
    1000: "Tausendstel",
}


def cardinal(number: int) -> str:
    """A whole number on its own."""
    return number_words(number, "de")


def count(number: int, gender: str) -> str:
    """Before a noun: "ein Euro", "eine Minute"; 101 and the like stay as they are."""
    if number == 1:
        return "eine" if gender == "f" else "ein"
    return cardinal(number)


def ordinal(number: int, ending: str) -> str:
    """The ordinal with an ending: "e", "en", "er", "es"; a gender gives "e"."""
    if number >= 1_000_000:
        return cardinal(number)
    return number_words(number, "de", "ordinal")[:-1] + (ending if ending[0] == "e" else "e")


def year(number: int) -> str:
    """A year: 1100 to 1999 in hundreds."""
    return number_words(number, "de", "year")


def date(day: int, month: int, year_number: int | None, before: str) -> str:
    """A date, its day inflected by the word before it."""
    if before in ARTICLE_E:
        ending = "e"
    else:
        ending = "en" if before in WEAK else "er"
    said = f"{ordinal(day, ending)} {MONTHS[month - 1]}"
    return said if year_number is None else f"{said} {year(year_number)}"


def time(hour: int, minute: int, second: int | None) -> str:
    """vierzehn Uhr dreißig."""
    said = f"{count(hour, 'n')} Uhr" + (f" {cardinal(minute)}" if minute or second else "")
    return said if second is None else f"{said} und {count(second, 'f')} Sekunde{'' if second == 1 else 'n'}"


def cents(main: str, number: int, currency: Currency) -> str:
    """drei Euro fünfzig."""
    return f"{main} {cardinal(number)}"


def fraction(numerator: int, denominator: int) -> str | None:
    """Fractions that people say; None for others."""
    if not 0 < numerator < denominator or (denominator > 12 and denominator not in _PARTS):
        return None
    if denominator == 2:
        return "einhalb"
    part = _PARTS.get(denominator) or ordinal(denominator, "e")[:-2].capitalize() + "tel"
    return f"{count(numerator, 'n')} {part}"


def mixed(whole: int, numerator: int, denominator: int) -> str | None:
    """A whole number and a fraction: zweieinhalb."""
    if (numerator, denominator) == (1, 2):
        return f"{count(whole, 'n')}einhalb"
    part = fraction(numerator, denominator)
    return None if part is None else f"{cardinal(whole)} {part}"


def part_of(whole: int, numerator: int, denominator: int, noun: Noun, before: str) -> str | None:
    """A part of a unit: "ein halber Liter", "eineinhalb Stunden"."""
    if whole:
        said = mixed(whole, numerator, denominator)
        return None if said is None else f"{said} {noun.forms[-1]}"
    if (numerator, denominator) == (1, 2):
        if before in _DATIVE:
            said = "einer halben" if noun.gender == "f" else "einem halben"
        else:
            said = {"f": "eine halbe", "n": "ein halbes"}.get(noun.gender, "ein halber")
        return f"{said} {noun.forms[0]}"
    part = fraction(numerator, denominator)
    if part is None:
        return None
    _, _, name = part.rpartition(" ")
    return f"{count(numerator, noun.gender)} {name.lower()} {noun.forms[0 if numerator == 1 else -1]}"
