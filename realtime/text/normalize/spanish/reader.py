"""Spanish, as in Spain where countries differ."""

from __future__ import annotations

import re

from realtime.text.normalize.base import Reader, Rule
from realtime.text.normalize.european.numbers import Conventions, Number, Numerals
from realtime.text.normalize.european.reader import EuropeanReader
from realtime.text.normalize.european.rules import DONE, FREE, time_rules
from realtime.text.normalize.european.words import END, any_of, stop_of
from realtime.text.normalize.romance.rules import (
    AFTER_TELEPHONE,
    Roman,
    and_so_on_rules,
    clock_rules,
    counted_rules,
    day_rules,
    english_number_rules,
    era_rules,
    half_rules,
    ordinal_rules,
    phone_rules,
    power_rules,
    score_rules,
    short_year_rules,
    sum_rules,
    thousand_rules,
    time_range_rules,
)
from realtime.text.normalize.romance.shared import Parts, decimal_form, decimals, form
from realtime.text.normalize.romance.words import SPANISH_DAYS, SPANISH_KEYS, SPANISH_MONTHS
from realtime.text.normalize.spanish import numbers as say
from realtime.text.normalize.spanish import tables

CONVENTIONS = Conventions(
    decimal_word="coma",
    point_word="punto",
    minus_word="menos",
    plus_word="más",
    range_word="a",
    ratio_word="a",
    version_word="versión",
    number_word="número",
    cardinal=say.cardinal,
    count=say.count,
    ordinal=say.ordinal,
    form=form,
    decimal_form=decimal_form,
    decimals=decimals(say.cardinal, "coma", "punto"),
    cents=say.cents,
    of_noun=lambda noun: noun.removeprefix("de "),
    date=say.date,
    time=say.time,
    time_suffix=r"h|hs|hrs",
    fraction=say.fraction,
    mixed=say.mixed,
    units=tables.UNITS,
    per=tables.PER,
    part_of=Parts("medio", "cuarto", "tres cuartos", "y", "de", say.count, say.fraction).say,
    out_of="sobre",
    over="sobre",
    inch=tables.INCH,
    days=SPANISH_DAYS,
    months=SPANISH_MONTHS,
    day_range="{} a {}",
    keys=SPANISH_KEYS,
    money_magnitudes=tables.MONEY_MAGNITUDES,
    currencies=tables.CURRENCIES,
    abbreviations=tables.ABBREVIATIONS,
    before_number=tables.BEFORE_NUMBER,
    before_name=tables.BEFORE_NAME,
    spelled=tables.SPELLED,
    sign_names=tables.SIGN_NAMES,
    signs=tables.SIGNS,
    top_names={"es": "es"},
    letter_names=tables.LETTERS,
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


def _duration(match: re.Match[str]) -> str:
    """ "1h30", as a time and as how long something takes."""
    hours = int(match[1])
    minutes = f" y {say.cardinal(int(match[2]))}" if int(match[2]) else ""
    said = f"{say.count(hours, 'f')} hora{'' if hours == 1 else 's'}{minutes}"
    return f"{said}{' minutos' if match[3] else ''}{stop_of(match)}"


def _sum(numerals: Numerals, match: re.Match[str]) -> str:
    """ "$500 MXN"."""
    number = numerals.parse(match["number"])
    if number.mark == "," and len(number.decimals) == 3:
        number = Number(number.whole + number.decimals, "", number.negative)
    return numerals.money(number, tables.CURRENCIES[match["code"]])


def _times(match: re.Match[str]) -> str:
    """ "3x al día"."""
    number = int(match[1])
    return f"{say.count(number, 'f')} {'vez' if number == 1 else 'veces'}"


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
        Rule(re.compile(rf"{FREE}([0-9]{{1,2}})h ?([0-5][0-9])(?: ?(min)\.?)?{DONE}"), _duration, "h"),
        Rule(re.compile(rf"{FREE}([2-9])(?= hab\.)"), lambda match: say.cardinal(int(match[1])), "0"),
        Rule(
            re.compile(r"(?<=(?<![0-9])[2-9] )hab\.(?!\w)"),
            lambda match: "habitaciones" + stop_of(match),
            ".",
        ),
        Rule(re.compile(rf"(?:(?<=\bel )|(?<=\bal )|(?<=\bpor ))kg{END}"), lambda match: "kilo", "k"),
        Rule(re.compile(r"(?<=[0-9.]ª )ed\."), lambda match: "edición", "."),
        Rule(re.compile(rf"{FREE}([0-9]{{1,3}})[x\u00d7](?=[ ,.;]|$)(?! ?[0-9])"), _times, "x\u00d7"),
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


def _before_numbers(numerals: Numerals) -> list[Rule]:
    return [*thousand_rules(numerals, tables.GENDERS), *counted_rules(numerals, tables.GENDERS)]


def make() -> Reader:
    """The reader of Spanish."""
    return EuropeanReader(CONVENTIONS, _first, _before_numbers)
