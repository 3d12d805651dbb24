"""Spanish, as in Spain where countries differ."""

from __future__ import annotations

import re
from functools import partial

from realtime.text.normalize.base import Rule
from realtime.text.normalize.european.numbers import Number, Numerals
from realtime.text.normalize.european.reader import EuropeanReader
from realtime.text.normalize.european.rules import DONE, FREE, time_rules
from realtime.text.normalize.european.words import END, any_of, stop_of
from realtime.text.normalize.romance.conventions import romance_conventions
from realtime.text.normalize.romance.rules import (
    AFTER_TELEPHONE,
    Roman,
    and_so_on_rules,
    clock_rules,
    day_rules,
    duration_rules,
    english_number_rules,
    era_rules,
    gender_rules,
    half_rules,
    ordinal_rules,
    phone_rules,
    power_rules,
    repeated_rules,
    score_rules,
    short_year_rules,
    sum_rules,
    time_range_rules,
)
from realtime.text.normalize.romance.shared import Parts
from realtime.text.normalize.romance.words import SPANISH_DAYS, SPANISH_KEYS, SPANISH_MONTHS
from realtime.text.normalize.spanish import numbers as say
from realtime.text.normalize.spanish import tables

CONVENTIONS = romance_conventions(
    say,
    tables,
    decimal_word="coma",
    point_word="punto",
    minus_word="menos",
    plus_word="más",
    range_word="a",
    version_word="versión",
    number_word="número",
    before_cents="con",
    of="de",
    time_suffix=r"h|hs|hrs",
    part_of=Parts("medio", "cuarto", "tres cuartos", "y", "de", say.count, say.fraction).say,
    out_of="sobre",
    over="sobre",
    days=SPANISH_DAYS,
    months=SPANISH_MONTHS,
    keys=SPANISH_KEYS,
    top_names={"es": "es"},
)
_ORDINAL_ENDINGS = {
    **dict.fromkeys(("º", "ro", "do", "to", "mo", "vo", "no"), "m"),
    **dict.fromkeys(("ª", "ra", "da", "ta", "ma", "va", "na"), "f"),
    "er": "n",
}
#: Nine digits that begin as Spanish numbers do, in threes or as 91 123 45 67.
_PHONE = (
    r"(?=[679])(?<![\w.,+-])(?<![0-9] )(?:[679][0-9]{2} [0-9]{3} (?!000)[0-9]{3}"
    rf"|[69][0-9]{{1,2}} [0-9]{{2,3}} [0-9]{{2}} [0-9]{{2}}){DONE}"
)
_ROMAN = Roman(
    after_name=lambda number, gender: say.ordinal(number, gender) if number <= 10 else say.cardinal(number),
    after_century=lambda number, gender: say.ordinal(number, "m") if number <= 10 else say.cardinal(number),
    before_noun=lambda number, gender: say.ordinal(number, "f" if gender == "f" else "n"),
    cardinal=say.cardinal,
    genders=tables.GENDERS,
    names=tables.NAMES,
    century="siglo",
    centuries=tables.CENTURIES,
    century_abbreviations=("s.", "S."),
    numbered=tables.NUMBERED,
    abbreviations=tables.BEFORE_NUMBER,
    articles=tables.ARTICLES,
    and_words=frozenset(("y", "al", "a", "o")),
    events=tables.EVENTS,
)


def _don(match: re.Match[str]) -> str | None:
    """ "D. Juan", but an initial after another name stays."""
    return (
        None
        if re.search(r"\b[A-ZÁ-Ú][a-zá-ú]+ $", match.string[max(0, match.start() - 20) : match.start()])
        else "don"
    )


def _half_day(match: re.Match[str]) -> str:
    """The hour of "9am"."""
    return say.clock(int(match[1]), int(match[2] or 0), None)


def _sum(numerals: Numerals, match: re.Match[str]) -> str:
    """ "$500 MXN"."""
    number = numerals.parse(match["number"])
    if number.mark == "," and len(number.decimals) == 3:
        number = Number(number.whole + number.decimals, "", number.negative)
    return numerals.money(number, tables.CURRENCIES[match["code"]])


def _first(numerals: Numerals) -> list[Rule]:
    return [
        *_ROMAN.rules(),
        *phone_rules(numerals, _PHONE),
        *phone_rules(numerals, AFTER_TELEPHONE),
        *ordinal_rules(say.ordinal, _ORDINAL_ENDINGS, tables.SINGULAR_ARTICLES, tables.GENDERS),
        *clock_rules(say.clock, ("las ", "la "), ":.h", "h|hs|hrs", ("a las ", "a la ")),
        *time_range_rules(say.clock, "de {} a {}", "[:.h]"),
        Rule(
            re.compile(rf"\$ ?{numerals.pattern('number')} ?(?P<code>{any_of(tables.DOLLARS)}){END}"),
            lambda match: _sum(numerals, match),
            "$",
        ),
        # From one to another; an hour is feminine.
        *clock_rules(say.clock, ("de ", "a ", "desde ", "hasta "), ":", "h|hs|hrs", ()),
        Rule(re.compile(r"(?<=\bla )1(?= (?:de|y|en|menos)\b)"), lambda match: "una", "0"),
        Rule(re.compile(rf"{FREE}(1?[0-9])(?::([0-5][0-9]))?(?=[ap]m(?!\w))"), _half_day, "0"),
        Rule(
            re.compile(r"(?<=[0-9])[ap]m(?!\w)"),
            lambda match: f" {match.group()[0]} eme".replace("p", "pe"),
            "m",
        ),
        *duration_rules(say.hours, say.cardinal, "minutos", "y"),
        Rule(re.compile(rf"{FREE}([2-9])(?= hab\.)"), lambda match: say.cardinal(int(match[1])), "0"),
        Rule(
            re.compile(r"(?<=(?<![0-9])[2-9] )hab\.(?!\w)"),
            lambda match: "habitaciones" + stop_of(match),
            ".",
        ),
        Rule(re.compile(rf"(?:(?<=\bel )|(?<=\bal )|(?<=\bpor ))kg{END}"), lambda match: "kilo", "k"),
        Rule(re.compile(r"(?<=[0-9.]ª )ed\."), lambda match: "edición", "."),
        *repeated_rules(say.count, "vez", "veces"),
        *time_rules(numerals, "h"),
        *day_rules(say.date),
        *short_year_rules(numerals),
        *and_so_on_rules("etc", "etcétera"),
        *era_rules("antes de Cristo", "después de Cristo"),
        *score_rules(numerals),
        *half_rules(numerals, tables.GENDERS, "medio", "y"),
        *sum_rules(numerals, "igual a", "por", "y"),
        *english_number_rules(numerals),
        *power_rules(numerals, "al cuadrado", "al cubo"),
        Rule(re.compile(r"(?<![\w.])D\.(?= [A-ZÁ-Ú][a-zá-ú])"), _don, "."),
        # At the beginning of a sentence "No." is a sentence.
        Rule(re.compile(r"(?<=[a-zá-ú,] )No\.(?= ?[0-9])"), lambda match: "número", "."),
    ]


make = partial(EuropeanReader, CONVENTIONS, first=_first, before_numbers=gender_rules(tables.GENDERS))
