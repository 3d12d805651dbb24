"""French of France: "le 1er mai 1984" is said "le premier mai mille neuf cent quatre-vingt-quatre"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

from realtime.text.normalize.base import Rule
from realtime.text.normalize.european.measures import product_rules
from realtime.text.normalize.european.numbers import (
    DASH,
    GAP,
    SPACES,
    Conventions,
    Currency,
    Noun,
    Number,
    Numerals,
    number_words,
    words_before,
)
from realtime.text.normalize.european.reader import EuropeanReader
from realtime.text.normalize.european.rules import DONE, FREE, counted_rules, time_rules
from realtime.text.normalize.european.words import END, any_of, stop_of
from realtime.text.normalize.french.words import (
    ABBREVIATIONS,
    AFTER_ORDINAL,
    BEFORE_NAME,
    BEFORE_NUMBER,
    CURRENCIES,
    DAYS,
    FEMININE,
    INCH,
    KEYS,
    LETTER_NAMES,
    MAGNITUDES,
    MONEY_MAGNITUDES,
    MONTHS,
    PER,
    POWERS,
    RULERS,
    SHORT_MONTHS,
    SIGN_NAMES,
    SIGNS,
    SPELLED,
    STREETS,
    UNITS,
)
from realtime.text.normalize.roman import ROMAN, roman_value
from realtime.text.spans import Edit

_PARTS = {2: "demi", 3: "tiers", 4: "quart"}
#: What is written after a number for an ordinal, and whether it is said of something feminine.
_SUFFIXES = r"(?P<suffix>er|\u1d49\u02b3|ère|ere|re|ème|eme|ième|nde|nd|e|è|\u1d49)(?P<plural>s?)"
_FEMININE = frozenset(("ère", "ere", "re"))


def _cardinal(number: int) -> str:
    return number_words(number, "fr")


def _count(number: int, gender: str) -> str:
    """Before a noun: "une heure", "vingt et une heures"."""
    said = _cardinal(number)
    return said + "e" if gender == "f" and re.search(r"\bun$", said) else said


def _ordinal(number: int, gender: str) -> str:
    if number == 1:
        return "première" if gender == "f" else "premier"
    # num2words keeps the plural: "quatre-vingtsième".
    return re.sub(r"(vingt|cent|million|milliard)sième$", r"\1ième", number_words(number, "fr", "ordinal"))


def _decimals(number: Number) -> str:
    """Up to three digits after the comma are said as a number, with their zeros before it."""
    whole, tail = _cardinal(int(number.whole)), number.decimals
    if len(tail) > 3 or not tail.strip("0"):
        said = [_cardinal(int(digit)) for digit in tail]
    else:
        rest = tail.lstrip("0")
        said = ["zéro"] * (len(tail) - len(rest)) + [_cardinal(int(rest))]
    return " ".join([whole, "virgule", *said])


def _date(day: int, month: int, year: int | None, before: str) -> str:
    said = f"{'premier' if day == 1 else _cardinal(day)} {MONTHS[month - 1]}"
    return said if year is None else f"{said} {_cardinal(year)}"


def _hours(hour: int) -> str:
    return f"{_count(hour, 'f')} heure{'s' if hour > 1 else ''}"


def _time(hour: int, minute: int, second: int | None) -> str:
    said = _hours(hour) + (f" {_count(minute, 'f')}" if minute or second else "")
    return said if second is None else f"{said} et {_count(second, 'f')} seconde{'s' if second > 1 else ''}"


def _cents(main: str, cents: int, currency: Currency) -> str:
    return f"{main} {_cardinal(cents)}"


def _of(noun: str) -> str:
    return f"d'{noun}" if noun[0].lower() in "aeiouéèh" else f"de {noun}"


def _fraction(numerator: int, denominator: int) -> str | None:
    if not 0 < numerator < denominator or (denominator > 12 and denominator not in (15, 16, 20, 100, 1000)):
        return None
    if denominator in (10, 20) and numerator > 1:
        return None  # marks at school: "quinze sur vingt"
    part = _PARTS.get(denominator) or _ordinal(denominator, "m")
    return f"{_cardinal(numerator)} {part}{'s' if numerator > 1 and not part.endswith('s') else ''}"


def _mixed(whole: int, numerator: int, denominator: int) -> str | None:
    if (numerator, denominator) == (1, 2):
        return f"{_cardinal(whole)} et demi"
    part = _fraction(numerator, denominator)
    return None if part is None else f"{_cardinal(whole)} et {part}"


def _part_of(whole: int, numerator: int, denominator: int, noun: Noun, _before: str) -> str | None:
    """A part of a unit: "un demi-litre", "une heure et demie"."""
    ending = "e" if noun.gender == "f" else ""
    half = (numerator, denominator) == (1, 2)
    if whole:
        rest = (
            f"demi{ending}"
            if half
            else {(1, 4): "quart", (3, 4): "trois quarts"}.get((numerator, denominator))
        )
        counted = f"{_count(whole, noun.gender)} {noun.forms[min(int(whole > 1), len(noun.forms) - 1)]}"
        if counted.endswith(" à"):  # "une cuillère et demie à soupe"
            counted, rest = counted.removesuffix(" à"), f"{rest} à" if rest else None
        return None if rest is None else f"{counted} et {rest}"
    if half:
        return f"un{ending} demi-{noun.forms[0]}"
    part = _fraction(numerator, denominator)
    return None if part is None else f"{part} {_of(noun.forms[0])}"


def _phone(groups: list[str]) -> str:
    """In pairs, as numbers: "zéro un, vingt-trois"; a single digit stands alone."""
    said: list[str] = []
    for group in groups:
        if len(group) == 3 and group[0] != "0":
            said.append(_cardinal(int(group)))
            continue
        if len(group) % 2:
            said.append(_cardinal(int(group[0])))
        for at in range(len(group) % 2, len(group), 2):
            pair = group[at : at + 2]
            said.append(("zéro " if pair[0] == "0" else "") + _cardinal(int(pair)))
    return ", ".join(said)


CONVENTIONS = Conventions(
    thousands=".'’",
    decimal_word="virgule",
    point_word="point",
    minus_word="moins",
    plus_word="plus",
    range_word="à",
    ratio_word="à",
    version_word="version",
    number_word="numéro",
    cardinal=_cardinal,
    count=_count,
    ordinal=_ordinal,
    form=lambda number: int(number > 1),
    decimal_form=lambda number: int(number > 1),
    decimals=_decimals,
    cents=_cents,
    of_noun=_of,
    date=_date,
    time=_time,
    fraction=_fraction,
    mixed=_mixed,
    phone=_phone,
    units=UNITS,
    magnitudes=MAGNITUDES,
    money_magnitudes=MONEY_MAGNITUDES,
    currencies=CURRENCIES,
    per=PER,
    part_of=_part_of,
    out_of="sur",
    over="sur",
    inch=INCH,
    days=DAYS,
    months=SHORT_MONTHS,
    day_range="{} à {}",
    keys=KEYS,
    powers=POWERS,
    abbreviations=ABBREVIATIONS,
    before_number=BEFORE_NUMBER,
    before_name=BEFORE_NAME,
    spelled=SPELLED,
    sign_names=SIGN_NAMES,
    signs=SIGNS,
    letter_names=LETTER_NAMES,
)


def _ordinals(numerals: Numerals) -> list[Rule]:
    """1er, 2e, XIXe; rulers and chapters in Roman digits; the first of a month written without "er"."""
    counted = (
        "chapitre|tome|livre|acte|scène|partie|volume|annexe|titre|article|niveau|type|phase|épisode|classe"
    )
    months = any_of(MONTHS)

    def say(match: re.Match[str]) -> str | None:
        digits = match["number"]
        number = roman_value(digits) if digits.isalpha() else int(digits)
        suffix = match["suffix"]
        if not number:
            return None
        if suffix in ("nd", "nde"):
            said = "second" + suffix[2:] if number == 2 else None
        elif suffix in ("er", "\u1d49\u02b3", *_FEMININE) and number != 1:
            return None
        else:
            said = _ordinal(number, "f" if suffix in _FEMININE else "m")
        return None if said is None else said + match["plural"]

    def roman(match: re.Match[str]) -> list[Edit] | None:
        number = roman_value(match["roman"])
        if not number:
            return None
        ruler = match["name"] is not None
        said = "premier" if number == 1 and ruler else _cardinal(number)
        return [Edit(match.start("roman"), match.end("roman"), said)]

    return [
        Rule(re.compile(rf"(?<![\w.,])(?P<number>[0-9]{{1,6}}|[IVX]{{1,7}}){_SUFFIXES}{END}"), say),
        Rule(
            re.compile(
                rf"(?<!\w)(?:(?P<name>{any_of(RULERS)})|(?i:{counted}))"
                rf"[{SPACES}](?P<roman>{ROMAN}){END}"
            ),
            roman,
            "IVX",
        ),
        Rule(re.compile("(?<=[IVX][e\u1d49] )s\\."), lambda match: "siècle" + stop_of(match), "."),
        Rule(re.compile(r"(?<![\w.])M\.(?= (?:et|le)\b)"), lambda match: "monsieur", "M"),
        Rule(
            re.compile(rf"{FREE}1(?=[{SPACES}](?:{months}|{any_of(SHORT_MONTHS)}\.){END})"),
            lambda match: "premier",
            "0",
        ),
        Rule(
            re.compile(rf"(?<!\w)(?:siècles?[{SPACES}])(?P<roman>{ROMAN}){END}(?P<name>)?"),
            roman,
            "IVX",
        ),
    ]


def _joined(numerals: Numerals) -> list[Rule]:
    """3x, 3 x 4, 2½ heures, and scores (3-1)."""

    def score(match: re.Match[str]) -> str | None:
        first, second = int(match[1]), int(match[2])
        return f"{_cardinal(first)} à {_cardinal(second)}" if first >= second else None

    def round_the_clock(match: re.Match[str]) -> str:
        unit = "heures" if match[2] == "h" else "jours"
        return f"{_cardinal(int(match[1]))} {unit} sur {_cardinal(int(match[3]))}"

    def tall(match: re.Match[str]) -> str:
        whole = int(match[1])
        return f"{_cardinal(whole)} mètre{'s' if whole > 1 else ''} {_cardinal(int(match[2]))}"

    def day(match: re.Match[str]) -> str | None:
        number, month = int(match["day"]), int(match["month"])
        before = words_before(match.string, match.start())
        if not (1 <= number <= 31 and 1 <= month <= 12) or not before or before[0] not in ("le", "du", "au"):
            return None
        return _date(number, month, None, "")

    def half(match: re.Match[str]) -> list[Edit]:
        gender = _gender(match["noun"]) or "m"
        said = f"{_count(int(match['whole']), gender)} {match['noun']}"
        return [Edit(match.start(), match.end(), f"{said} et demi{'e' if gender == 'f' else ''}")]

    def street(match: re.Match[str]) -> str:
        return STREETS[match.group()]

    def hours(match: re.Match[str]) -> str:
        low, high = (_time(int(match[at]), int(match[at + 1] or 0), None) for at in (1, 3))
        return f"{low} à {high}"

    def law(match: re.Match[str]) -> str:
        return f"{match[1]} " + " tiret ".join(numerals.whole(part) for part in match[2].split("-"))

    return [
        Rule(re.compile(rf"(?<![\w.-]){any_of(STREETS)}(?=[ -](?!J\.-C)[A-ZÀ-Þ]|[ ]d[eu][ s])"), street),
        Rule(re.compile(r"(?<![\w.])([LRD])\.?[ ]?([0-9]{1,4}(?:-[0-9]{1,3}){1,3})(?![\w-])"), law, "-"),
        Rule(re.compile(r"(?:(?<=les )|(?<=aux )|(?<=des ))art\.(?= [0-9])"), lambda match: "articles", "."),
        Rule(
            re.compile(rf"(?:(?<=[0-9]e )|(?<=[0-9]er )){any_of(AFTER_ORDINAL)}"),
            lambda match: AFTER_ORDINAL[match.group()] + stop_of(match),
            ".",
        ),
        Rule(re.compile(rf"(?:(?<=\ble )|(?<=\bau )|(?<=\bpar ))kg{END}"), lambda match: "kilo", "k"),
        Rule(re.compile(r"(?<=[0-9] )et s\."), lambda match: "et suivants" + stop_of(match), "."),
        Rule(
            re.compile(rf"{FREE}([0-9]{{1,2}})h([0-5][0-9])?\s?{DASH}\s?([0-9]{{1,2}})h([0-5][0-9])?{DONE}"),
            hours,
            "h",
        ),
        Rule(re.compile(r"(?<=[Aa])rt\.(?= [LRD]\.)"), lambda match: "rticle", "."),
        Rule(
            re.compile(
                rf"{FREE}(?P<whole>[0-9]{{1,3}}){GAP}(?:\u00bd|1/2)[{SPACES}](?P<noun>[^\W\d_A-Z]{{3,20}}){END}"
            ),
            half,
            "\u00bd/",
        ),
        Rule(
            re.compile(rf"{FREE}([0-9]{{1,3}})[x\u00d7]{END}"),
            lambda match: f"{_cardinal(int(match[1]))} fois",
            "x\u00d7",
        ),
        Rule(re.compile(r"(?<![\w.,:/-])([0-9]{1,2})(h|j)/([0-9]{1,2})(?![\w/])"), round_the_clock, "/"),
        Rule(re.compile(r"(?<![\w.,:/-])([0-9])m([0-9]{2})(?!\w)"), tall, "m"),
        Rule(re.compile(rf"{FREE}(?P<day>[0-3]?[0-9])/(?P<month>[01]?[0-9]){DONE}"), day, "/"),
        Rule(re.compile(rf"{FREE}([0-9]{{1,2}})[-\u2013]([0-9]{{1,2}}){DONE}"), score, "-\u2013"),
        *product_rules(numerals, "fois", "sur"),
    ]


def _first(numerals: Numerals) -> Sequence[Rule]:
    return [
        *time_rules(numerals, mark="[hH]"),
        *_ordinals(numerals),
        *_joined(numerals),
    ]


def _gender(word: str) -> str | None:
    """Whether a noun is feminine, as far as that can be told from the word."""
    if word in FEMININE or word.endswith(("tion", "tions", "sion", "sions", "ée", "ées", "ette", "ettes")):
        return "f"
    return None


def _before_numbers(numerals: Numerals) -> Sequence[Rule]:
    return counted_rules(numerals, _gender)


make = partial(EuropeanReader, CONVENTIONS, first=_first, before_numbers=_before_numbers)
