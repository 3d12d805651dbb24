"""German: "am 1. Mai 1984" is said "am ersten Mai neunzehnhundertvierundachtzig"."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from realtime.text.normalize.base import Rule
from realtime.text.normalize.european.measures import product_rules
from realtime.text.normalize.european.numbers import Conventions, Numerals
from realtime.text.normalize.european.reader import EuropeanReader
from realtime.text.normalize.european.rules import time_rules
from realtime.text.normalize.german import numbers, rules, words

CONVENTIONS = Conventions(
    thousands=".'’",
    decimal_word="Komma",
    point_word="Punkt",
    minus_word="minus",
    plus_word="plus",
    range_word="bis",
    ratio_word="zu",
    number_word="Nummer",
    cardinal=numbers.cardinal,
    count=numbers.count,
    ordinal=numbers.ordinal,
    form=lambda number: int(number != 1),
    decimal_form=lambda number: 1,
    cents=numbers.cents,
    date=numbers.date,
    time=numbers.time,
    time_suffix="Uhr",
    fraction=numbers.fraction,
    mixed=numbers.mixed,
    units=words.UNITS,
    magnitudes=words.MAGNITUDES,
    money_magnitudes=words.MONEY_MAGNITUDES,
    currencies=words.CURRENCIES,
    per=words.PER,
    part_of=numbers.part_of,
    out_of="von",
    over="zu",
    inch=words.INCH,
    keys=words.KEYS,
    powers=words.POWERS,
    abbreviations=words.ABBREVIATIONS,
    before_number=words.BEFORE_NUMBER,
    before_name=words.BEFORE_NAME,
    spelled=words.SPELLED,
    sign_names=words.SIGN_NAMES,
    signs=words.SIGNS,
    letter_names=words.LETTER_NAMES,
)


def _first(numerals: Numerals) -> Sequence[Rule]:
    return [
        *rules.date_rules(),
        *time_rules(numerals, mark=r"\.", suffix="Uhr"),
        *rules.ordinal_rules(),
        *rules.joined_rules(),
        *rules.weekday_rules(),
        *rules.sign_rules(),
        *product_rules(numerals, "mal", "mal"),
    ]


def _before_numbers(numerals: Numerals) -> Sequence[Rule]:
    return rules.year_rules()


make = partial(EuropeanReader, CONVENTIONS, first=_first, before_numbers=_before_numbers)
