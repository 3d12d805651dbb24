"""Portuguese, as in Portugal where the countries differ."""

from __future__ import annotations

import re

from realtime.text.normalize import portuguese_numbers as say
from realtime.text.normalize import portuguese_tables as tables
from realtime.text.normalize.base import Reader, Rule
from realtime.text.normalize.european import EuropeanReader
from realtime.text.normalize.european_numbers import Conventions, Numerals
from realtime.text.normalize.european_rules import DONE, time_rules
from realtime.text.normalize.romance import decimal_form, decimals, form
from realtime.text.normalize.romance_rules import (
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
)

CONVENTIONS = Conventions(
    decimal_word="vírgula",
    point_word="ponto",
    minus_word="menos",
    plus_word="mais",
    range_word="a",
    ratio_word="a",
    version_word="versão",
    number_word="número",
    cardinal=say.cardinal,
    count=say.count,
    ordinal=say.ORDINALS.say,
    form=form,
    decimal_form=decimal_form,
    decimals=decimals(say.cardinal, "vírgula", "ponto"),
    cents=say.cents,
    of_noun=lambda noun: noun.removeprefix("de "),
    date=say.date,
    time=say.time,
    time_suffix="h",
    fraction=say.fraction,
    mixed=say.mixed,
    units=tables.UNITS,
    per=tables.PER,
    money_magnitudes=tables.MONEY_MAGNITUDES,
    currencies=tables.CURRENCIES,
    abbreviations=tables.ABBREVIATIONS,
    before_number=tables.BEFORE_NUMBER,
    before_name=tables.BEFORE_NAME,
    spelled=tables.SPELLED,
    sign_names=tables.SIGN_NAMES,
    signs=tables.SIGNS,
    letter_names=tables.LETTERS,
)


def _ordinal_or_cardinal(number: int, gender: str) -> str:
    """After a ruler's name or "século": ordinals up to ten."""
    return say.ORDINALS.say(number, gender) if number <= 10 else say.cardinal(number)


_ROMAN = Roman(
    after_name=_ordinal_or_cardinal,
    after_century=_ordinal_or_cardinal,
    before_noun=say.ORDINALS.say,
    cardinal=say.cardinal,
    genders=tables.GENDERS,
    names=tables.NAMES,
    century="século",
    centuries=tables.CENTURIES,
    century_abbreviations=("séc.",),
    numbered=tables.NUMBERED,
    abbreviations=tables.BEFORE_NUMBER,
    articles=tables.ARTICLES,
    and_words=frozenset(("e", "a", "ao", "ou")),
    events=tables.EVENTS,
)
#: Nine digits in threes that begin as Portuguese numbers do.
_PHONE = rf"(?<![\w.,+-])(?<![0-9] )[29][0-9]{{2}} [0-9]{{3}} (?!000)[0-9]{{3}}{DONE}"
_BRAZILIAN_PHONE = rf"(?<![\w.,+-])\([0-9]{{2}}\) ?(?:9 ?)?[0-9]{{4}}-[0-9]{{4}}{DONE}"


def _dom(match: re.Match[str]) -> str | None:
    """ "D. João", "D. Maria", but an initial after another name stays."""
    if re.search(r"\b[A-ZÀ-Ú][a-zà-ú]+ $", match.string[max(0, match.start() - 20) : match.start()]):
        return None
    return "dona" if match["name"].endswith("a") or tables.NAMES.get(match["name"]) == "f" else "dom"


def _saint(match: re.Match[str]) -> str | None:
    return "São" if match["name"] in tables.SAINTS else None


def _first(numerals: Numerals) -> list[Rule]:
    return [
        *_ROMAN.rules(),
        *phone_rules(numerals, _PHONE),
        *phone_rules(numerals, _BRAZILIAN_PHONE),
        *phone_rules(numerals, AFTER_TELEPHONE),
        *ordinal_rules(say.ORDINALS.say, {"º": "m", "ª": "f"}, tables.SINGULAR_ARTICLES, tables.GENDERS),
        *clock_rules(say.clock, ("às ", "as ", "à ", "das ", "pelas "), ":.h", "h", ("às ", "à ")),
        *time_rules(numerals, "h"),
        *day_rules(say.date),
        *short_year_rules(numerals),
        *and_so_on_rules("etc", "etcétera"),
        *era_rules("antes de Cristo", "depois de Cristo"),
        *score_rules(numerals),
        *half_rules(numerals, tables.GENDERS, "meio", "e"),
        *sum_rules(numerals, "igual a", "por", "e"),
        *english_number_rules(numerals),
        *power_rules(numerals, "ao quadrado", "ao cubo"),
        Rule(re.compile(r"(?<![\w.])D\.(?= (?P<name>[A-ZÀ-Ú][a-zà-ú]{1,20}))"), _dom, "."),
        Rule(re.compile(r"(?<![\w.])S\.(?= (?P<name>[A-ZÀ-Ú][a-zà-ú]{1,20})(?!\w))"), _saint, "."),
        # "J. R. R. Tolkien" lives in no street.
        Rule(
            re.compile(r"(?i:(?<=\bna )|(?<=\bda )|(?<=\bà ))R\.(?= [A-ZÀ-Ú][a-zà-ú])"),
            lambda match: "rua",
            ".",
        ),
    ]


def make() -> Reader:
    """The reader of Portuguese."""
    return EuropeanReader(
        CONVENTIONS, first=_first, before_numbers=lambda numerals: counted_rules(numerals, tables.GENDERS)
    )
