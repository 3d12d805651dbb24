"""Portuguese, as in Portugal where the countries differ."""

from __future__ import annotations

import re
from functools import partial

from realtime.text.normalize.base import Rule
from realtime.text.normalize.european.numbers import Numerals, words_before
from realtime.text.normalize.european.reader import EuropeanReader
from realtime.text.normalize.european.rules import DONE, FREE, time_rules
from realtime.text.normalize.european.words import stop_of
from realtime.text.normalize.portuguese import numbers as say
from realtime.text.normalize.portuguese import tables
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
from realtime.text.normalize.romance.words import PORTUGUESE_DAYS, PORTUGUESE_KEYS, PORTUGUESE_MONTHS

CONVENTIONS = romance_conventions(
    say,
    tables,
    decimal_word="vírgula",
    point_word="ponto",
    minus_word="menos",
    plus_word="mais",
    range_word="a",
    version_word="versão",
    number_word="número",
    before_cents="e",
    of="de",
    part_of=Parts("meio", "um quarto", "três quartos", "e", "de", say.count, say.fraction).say,
    out_of="em",
    over="por",
    days=PORTUGUESE_DAYS,
    months=PORTUGUESE_MONTHS,
    keys=PORTUGUESE_KEYS,
)


def _ordinal_or_cardinal(number: int, gender: str) -> str:
    """After a ruler's name or "século": ordinals up to ten."""
    return say.ordinal(number, gender) if number <= 10 else say.cardinal(number)


_ROMAN = Roman(
    after_name=_ordinal_or_cardinal,
    after_century=_ordinal_or_cardinal,
    before_noun=say.ordinal,
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
_LANDLINE = rf"(?<![\w.,+-])(?<![0-9] )2[0-9]{{1,2}} [0-9]{{3}} [0-9]{{2}} [0-9]{{2}}{DONE}"
_BRAZILIAN_PHONE = rf"(?<![\w.,+-])\([0-9]{{2}}\) ?(?:9 ?)?[0-9]{{4}}-[0-9]{{4}}{DONE}"

#: Brazilian numbers of tax payers, persons and firms.
_TAX_NUMBER = (
    r"(?<![\w.,+-])(?:[0-9]{3}\.[0-9]{3}\.[0-9]{3}|[0-9]{2}\.[0-9]{3}\.[0-9]{3}/[0-9]{4})-[0-9]{2}" + DONE
)
#: Words before the score of a match.
_MATCH = frozenset("ganhou venceu perdeu empatou vence ganha perde empata placar resultado jogo".split())


def _dom(match: re.Match[str]) -> str | None:
    """ "D. João", "D. Maria", but an initial after another name stays."""
    if re.search(r"\b[A-ZÀ-Ú][a-zà-ú]+ $", match.string[max(0, match.start() - 20) : match.start()]):
        return None
    return "dona" if match["name"].endswith("a") or tables.NAMES.get(match["name"]) == "f" else "dom"


def _saint(match: re.Match[str]) -> str | None:
    return "São" if match["name"] in tables.SAINTS else None


def _score(match: re.Match[str]) -> str | None:
    """ "ganhou de 2x1"."""
    if _MATCH.isdisjoint(words_before(match.string, match.start(), 2)):
        return None
    return f"{say.cardinal(int(match[1]))} a {say.cardinal(int(match[2]))}"


def _first(numerals: Numerals) -> list[Rule]:
    return [
        *_ROMAN.rules(),
        *phone_rules(numerals, _PHONE),
        *phone_rules(numerals, _LANDLINE),
        *phone_rules(numerals, _BRAZILIAN_PHONE),
        Rule(re.compile(r"(?<=% )a\.a\."), lambda match: "ao ano" + stop_of(match), "."),
        *phone_rules(numerals, AFTER_TELEPHONE),
        *ordinal_rules(say.ordinal, {"º": "m", "ª": "f"}, tables.SINGULAR_ARTICLES, tables.GENDERS),
        *clock_rules(say.clock, ("às ", "as ", "à ", "das ", "pelas "), ":.h", "h", ("às ", "à ")),
        *time_range_rules(say.clock, "das {} às {}", "[:.h]"),
        *duration_rules(say.hours, say.cardinal, "minutos", "e"),
        Rule(re.compile(r"(?:(?<=\bo )|(?<=\bao )|(?<=\bpor ))kg(?!\w)"), lambda match: "quilo", "k"),
        Rule(re.compile(r"(?<=[0-9.]ª )ed\."), lambda match: "edição", "."),
        *repeated_rules(say.count, "vez", "vezes"),
        Rule(re.compile(rf"{FREE}([0-9]{{1,2}}) ?[x\u00d7] ?([0-9]{{1,2}}){DONE}"), _score, "x\u00d7"),
        *phone_rules(numerals, _TAX_NUMBER),
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


make = partial(EuropeanReader, CONVENTIONS, first=_first, before_numbers=gender_rules(tables.GENDERS))
