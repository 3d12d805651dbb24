"""Russian numbers in words: cardinals and ordinals in gender and case, fractions, dates, times."""

from __future__ import annotations

import functools

from num2words.lang_RU import Num2Word_RU  # type: ignore[import-untyped]

from realtime.text.normalize.european.numbers import Currency, Noun, Number
from realtime.text.normalize.russian.forms import FEMININE
from realtime.text.normalize.russian.words import MONTHS

#: Words before a date that leave it in the nominative.
NOMINATIVE = frozenset(("на", "это", "сегодня", "завтра", "вчера", "по", "дата"))
#: Small words that look like nouns of a gender.
_SMALL = frozenset("или для если когда где при чтобы это мая раза евро нам вам там сам".split())
#: Endings of nouns in the plural by which the case of the number before them can be told.
_PLURALS = {"ьми": "i", "ами": "i", "ями": "i", "ам": "d", "ям": "d", "ах": "p", "ях": "p"}
_PARTS = {1: "десят", 2: "сот", 3: "тысячн"}
_HALVES = {"литр": "пол-литра", "час": "полчаса", "килограмм": "полкилограмма", "метр": "полметра"}
_WORDS = Num2Word_RU()


@functools.lru_cache(maxsize=4096)
def cardinal(number: int, gender: str = "m", case: str = "n") -> str:
    """A whole number in a gender (m, f, n) and a case (n, g, d, a, i, p); "одна тысяча" is said "тысяча"."""
    said = str(_WORDS.to_cardinal(number, case=case, gender=gender))
    first, _, rest = said.partition(" ")
    return rest if first in ("одна", "одной", "одну") and rest.startswith("тысяч") else said


@functools.lru_cache(maxsize=4096)
def ordinal(number: int, gender: str = "m", case: str = "n", plural: bool = False) -> str:
    """An ordinal in a gender (m, f, n) and a case (n, g, d, a, i, p)."""
    return str(_WORDS.to_ordinal(number, case=case, gender=gender, plural=plural))


def form(number: int) -> int:
    """Which form of a noun follows: 0 after one, 1 after two to four, 2 after the rest."""
    if number % 10 == 1 and number % 100 != 11:
        return 0
    return 1 if 2 <= number % 10 <= 4 and not 12 <= number % 100 <= 14 else 2


def gender_of(word: str) -> str | None:
    """What the ending of the word after a number says of gender or case, for `count`; None: nothing."""
    if len(word) < 3 or word in _SMALL:
        return None
    for ending, case in _PLURALS.items():
        if word.endswith(ending):
            return case
    if word in FEMININE or word.endswith(("а", "я", "ость")):
        return "one"
    if word.endswith(("у", "ю")):
        return "accusative"
    if word.endswith(("ы", "и", "ые", "ие")):
        return "two"
    return "neuter" if word.endswith(("о", "е")) else None


def count(number: int, gender: str) -> str:
    """Before a noun of a gender, or of what `gender_of` has found (минута, минуту, минуты, часам)."""
    if gender in ("m", "f", "n"):
        return cardinal(number, gender)
    if gender in _PLURALS.values():
        return cardinal(number, case=gender)
    one, two = (number % 10 == digit and number % 100 != 10 + digit for digit in (1, 2))
    if one and gender == "accusative":
        return cardinal(number, "f", "a")
    if (one and gender == "one") or ((one or two) and gender == "two"):  # одна-две минуты
        return cardinal(number, "f")
    return cardinal(number, "n" if one and gender == "neuter" else "m")


def decimals(number: Number) -> str:
    """Two wholes and five tenths; more than three digits are read out after "запятая"."""
    whole, tail = int(number.whole), number.decimals
    if len(tail) > 3:
        return " ".join([cardinal(whole), "запятая", *(cardinal(int(digit)) for digit in tail)])
    return parts(whole, tail, "n")


def parts(whole: int, tail: str, case: str) -> str:
    """A decimal of one to three digits after the comma in a case (n, g, a, p, d)."""
    one = {"n": "ая", "a": "ую"}.get(case, "ой")
    many = "ым" if case == "d" else "ых"
    said = [
        f"{_counted(number, case)} {stem}{one if form(number) == 0 else many}"
        for number, stem in ((whole, "цел"), (int(tail), _PARTS[len(tail)]))
    ]
    return " ".join(said)


def _counted(number: int, case: str) -> str:
    """Feminine, in the accusative of things that do not live."""
    if case != "a":
        return cardinal(number, "f", case)
    return cardinal(number, "f", "a" if form(number) == 0 else "n")


def oblique(noun: str, case: str, plural: bool) -> str | None:
    """A noun, given in the nominative singular, in the dative, prepositional or instrumental.

    What follows its first word stays ("градус Цельсия"); None for nouns with an adjective.
    """
    first, space, rest = noun.partition(" ")
    if first.endswith(("ый", "ий", "ая", "ое")):
        return None
    if first.endswith(("о", "е", "и")):
        return noun  # евро
    stem = first[:-1] if first[-1] in "аяь" else first
    soft = first[-1] in "яь"
    if plural:
        ending = ("я" if soft else "а") + {"d": "м", "p": "х", "i": "ми"}[case]
    elif first[-1] in "ая":
        ending = "ей" if case == "i" and soft else {"d": "е", "p": "е", "i": "ой"}[case]
    else:
        ending = {"d": "ю" if soft else "у", "p": "е", "i": "ем" if soft else "ом"}[case]
    return stem + ending + space + rest


def part_of(whole: int, numerator: int, denominator: int, noun: Noun, _before: str) -> str | None:
    """A part of a unit: "пол-литра", "два с половиной часа", "три четверти литра"."""
    if whole:
        said = mixed(whole, numerator, denominator)
        if said == "полтора" and noun.gender == "f":
            said = "полторы"
        elif said is not None and noun.gender == "f" and (numerator, denominator) == (1, 2):
            said = f"{cardinal(whole, 'f')} с половиной"
        return None if said is None else f"{said} {noun.forms[1]}"
    if noun.forms[1].startswith(("чайные", "столовые")):
        noun = Noun((noun.forms[0], noun.forms[1].replace("ые ", "ой ", 1)))
    if (numerator, denominator) == (1, 2):
        return _HALVES.get(noun.forms[0], f"половина {noun.forms[1]}")
    if (numerator, denominator) == (1, 4):
        return f"четверть {noun.forms[1]}"
    part = fraction(numerator, denominator)
    return None if part is None else f"{part} {noun.forms[1]}"


def cents(main: str, number: int, currency: Currency) -> str:
    """Roubles and kopecks."""
    if currency.cent is None:
        return main
    return f"{main} {cardinal(number, currency.cent.gender)} {currency.cent.forms[form(number)]}"


def date_case(before: str) -> str:
    """The case of a day by the word before it: mostly the genitive ("он родился пятого мая")."""
    return "d" if before == "к" else "n" if before in NOMINATIVE else "g"


def date(day: int, month: int, year: int | None, before: str) -> str:
    """A date in digits in the case that the word before asks for; with nothing before in the nominative."""
    said = f"{ordinal(day, 'n', date_case(before) if before else 'n')} {MONTHS[month - 1]}"
    return said if year is None else f"{said} {ordinal(year, case='g')} года"


def time(hour: int, minute: int, second: int | None) -> str:
    """Hours and minutes: "девять ноль пять"."""
    rest = [minute] if second is None else [minute, second]
    return " ".join([cardinal(hour), *(("ноль " if part < 10 else "") + cardinal(part) for part in rest)])


def fraction(numerator: int, denominator: int) -> str | None:
    """Fractions that people say; None for others."""
    if not 0 < numerator < denominator or (denominator > 12 and denominator not in (15, 16, 20, 100, 1000)):
        return None
    said = cardinal(numerator, "f")
    if denominator in (3, 4):
        names = ("треть", "трети", "третей") if denominator == 3 else ("четверть", "четверти", "четвертей")
        return f"{said} {names[form(numerator)]}"
    one = form(numerator) == 0
    return f"{said} {ordinal(denominator, 'f') if one else ordinal(denominator, case='g', plural=True)}"


def mixed(whole: int, numerator: int, denominator: int) -> str | None:
    """A whole number and a fraction."""
    if (numerator, denominator) == (1, 2):
        return "полтора" if whole == 1 else f"{cardinal(whole)} с половиной"
    part = fraction(numerator, denominator)
    return None if part is None else f"{cardinal(whole)} и {part}"
