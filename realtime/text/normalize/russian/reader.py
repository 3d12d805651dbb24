"""Russian: nouns after numbers as the number wants them, ordinals and dates in the case that can be told."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from realtime.text.normalize.base import Rule
from realtime.text.normalize.european.measures import product_rules
from realtime.text.normalize.european.numbers import Conventions, Numerals
from realtime.text.normalize.european.reader import EuropeanReader
from realtime.text.normalize.european.rules import counted_rules
from realtime.text.normalize.russian import cases, numbers, rules, words

CONVENTIONS = Conventions(
    thousands="",
    decimal_word="запятая",
    point_word="точка",
    minus_word="минус",
    plus_word="плюс",
    range_word="-",
    ratio_word="-",
    version_word="версия",
    number_word="номер",
    cardinal=numbers.cardinal,
    count=numbers.count,
    ordinal=numbers.ordinal,
    form=numbers.form,
    decimal_form=lambda number: 1,
    decimals=numbers.decimals,
    cents=numbers.cents,
    date=numbers.date,
    time=numbers.time,
    # 8 800 555 35 35, but not the number 8 800 555 353
    phone_start=r"(?:0|8(?= ?\(|[ -][3489][0-9]{2}[ -][0-9]{3}[ -][0-9]{2}(?![0-9])))",
    fraction=numbers.fraction,
    mixed=numbers.mixed,
    units=words.UNITS,
    magnitudes=words.MAGNITUDES,
    money_magnitudes=words.MONEY_MAGNITUDES,
    currencies=words.CURRENCIES,
    per=words.PER,
    part_of=numbers.part_of,
    out_of="из",
    over="на",
    inch=words.INCH,
    keys=words.KEYS,
    powers=words.POWERS,
    abbreviations=words.ABBREVIATIONS,
    before_number=words.BEFORE_NUMBER,
    before_name=words.BEFORE_NAME,
    spelled=words.SPELLED,
    top_names=words.TOP_NAMES,
    sign_names=words.SIGN_NAMES,
    signs=words.SIGNS,
    letter_names=words.LETTER_NAMES,
)


def _first(numerals: Numerals) -> Sequence[Rule]:
    return [
        *rules.date_rules(),
        *rules.year_rules(),
        *rules.ordinal_rules(),
        *rules.roman_rules(),
        *cases.half_rules(),
        *cases.time_rules(),
        *cases.place_rules(),
        *cases.case_rules(numerals),
        *rules.place_rules(),
        *product_rules(numerals, "на", "на"),
    ]


def _before_numbers(numerals: Numerals) -> Sequence[Rule]:
    return counted_rules(numerals, numbers.gender_of)


make = partial(EuropeanReader, CONVENTIONS, first=_first, before_numbers=_before_numbers)
