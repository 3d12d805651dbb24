"""Portuguese, as in Portugal where the countries differ."""

from __future__ import annotations

import re

from realtime.text.normalize.base import Reader, Rule
from realtime.text.normalize.european.numbers import Conventions, Numerals, words_before
from realtime.text.normalize.european.reader import EuropeanReader
from realtime.text.normalize.european.rules import DONE, FREE, time_rules
from realtime.text.normalize.european.words import stop_of
from realtime.text.normalize.portuguese import numbers as say
from realtime.text.normalize.portuguese import tables
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
from realtime.text.normalize.romance.words import PORTUGUESE_DAYS, PORTUGUESE_KEYS, PORTUGUESE_MONTHS

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
    part_of=Parts("meio", "um quarto", "três quartos", "e", "de", say.count, say.fraction).say,
    out_of="em",
    over="por",
    inch=tables.INCH,
    days=PORTUGUESE_DAYS,
    months=PORTUGUESE_MONTHS,
    day_range="{} a {}",
    keys=PORTUGUESE_KEYS,
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


def _duration(match: re.Match[str]) -> str:
    """ "1h30", as a time and as how long something takes."""
    hours = int(match[1])
    minutes = f" e {say.cardinal(int(match[2]))}" if int(match[2]) else ""
    said = f"{say.count(hours, 'f')} hora{'' if hours == 1 else 's'}{minutes}"
    return f"{said}{' minutos' if match[3] else ''}{stop_of(match)}"


def _times(match: re.Match[str]) -> str:
    """ "3x ao dia"."""
    number = int(match[1])
    return f"{say.count(number, 'f')} {'vez' if number == 1 else 'vezes'}"


def _score(match: re.Match[str]) -> str | None:
    """ "ganhou de 2x1"."""
    if _MATCH.isdisjoint(words_before(match.string, match.start(), 2)):
        return None
    return f"{say.cardinal(int(match[1]))} a {say.cardinal(int(match[2]))}"


def _digits(numerals: Numerals, match: re.Match[str]) -> str:
    return ", ".join(numerals.digits(group) for group in re.findall("[0-9]+", match.group()))


def _first(numerals: Numerals) -> list[Rule]:
    return [
        *_ROMAN.rules(),
        *phone_rules(numerals, _PHONE),
        *phone_rules(numerals, _LANDLINE),
        *phone_rules(numerals, _BRAZILIAN_PHONE),
        Rule(re.compile(r"(?<=% )a\.a\."), lambda match: "ao ano" + stop_of(match), "."),
        *phone_rules(numerals, AFTER_TELEPHONE),
        *ordinal_rules(say.ORDINALS.say, {"º": "m", "ª": "f"}, tables.SINGULAR_ARTICLES, tables.GENDERS),
        *clock_rules(say.clock, ("às ", "as ", "à ", "das ", "pelas "), ":.h", "h", ("às ", "à ")),
        *time_range_rules(say.clock, "das {} às {}", "[:.h]"),
        Rule(re.compile(rf"{FREE}([0-9]{{1,2}})h ?([0-5][0-9])(?: ?(min)\.?)?{DONE}"), _duration, "h"),
        Rule(re.compile(r"(?:(?<=\bo )|(?<=\bao )|(?<=\bpor ))kg(?!\w)"), lambda match: "quilo", "k"),
        Rule(re.compile(r"(?<=[0-9.]ª )ed\."), lambda match: "edição", "."),
        Rule(re.compile(rf"{FREE}([0-9]{{1,3}})[x\u00d7](?=[ ,.;]|$)(?! ?[0-9])"), _times, "x\u00d7"),
        Rule(re.compile(rf"{FREE}([0-9]{{1,2}}) ?[x\u00d7] ?([0-9]{{1,2}}){DONE}"), _score, "x\u00d7"),
        Rule(re.compile(_TAX_NUMBER), lambda match: _digits(numerals, match), "-"),
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


def _before_numbers(numerals: Numerals) -> list[Rule]:
    return [*thousand_rules(numerals, tables.GENDERS), *counted_rules(numerals, tables.GENDERS)]


def make() -> Reader:
    """The reader of Portuguese."""
    return EuropeanReader(CONVENTIONS, first=_first, before_numbers=_before_numbers)
