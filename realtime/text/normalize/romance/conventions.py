"""The `Conventions` of Spanish, Italian and Portuguese: what the three share, and what a language brings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from realtime.text.normalize.european.numbers import Conventions, Currency, Noun
from realtime.text.normalize.romance.numbers import cents_of, decimals_of
from realtime.text.normalize.romance.shared import decimal_form, form


class NumberWords(Protocol):
    """A language's module of number words; each does what the field of `Conventions` with its name says."""

    def cardinal(self, number: int, /) -> str: ...
    def count(self, number: int, gender: str, /) -> str: ...
    def ordinal(self, number: int, gender: str, /) -> str: ...
    def date(self, day: int, month: int, year: int | None, before: str, /) -> str: ...
    def time(self, hour: int, minute: int, second: int | None, /) -> str: ...
    def fraction(self, numerator: int, denominator: int, /) -> str | None: ...
    def mixed(self, whole: int, numerator: int, denominator: int, /) -> str | None: ...


class Tables(Protocol):
    """A language's module of tables; each is what the field of `Conventions` with its name says."""

    UNITS: dict[str, Noun]
    PER: dict[str, str]
    INCH: Noun
    MONEY_MAGNITUDES: dict[str, Noun]
    CURRENCIES: dict[str, Currency]
    ABBREVIATIONS: dict[str, str]
    BEFORE_NUMBER: dict[str, str]
    BEFORE_NAME: dict[str, str]
    SPELLED: frozenset[str]
    SIGN_NAMES: dict[str, str]
    SIGNS: dict[str, str]
    LETTERS: dict[str, str]


def romance_conventions(
    say: NumberWords,
    tables: Tables,
    *,
    decimal_word: str,
    point_word: str,
    minus_word: str,
    plus_word: str,
    range_word: str,
    version_word: str,
    number_word: str,
    before_cents: str,
    of: str,
    part_of: Callable[[int, int, int, Noun, str], str | None],
    out_of: str,
    over: str,
    days: Mapping[str, str],
    months: Mapping[str, str],
    keys: Mapping[str, str],
    day_range: str = "{} a {}",
    time_suffix: str = "h",
    top_names: Mapping[str, str] | None = None,
) -> Conventions:
    """What `EuropeanReader` wants to know of a language; see `Conventions` for what the words are for.

    `before_cents` stands between a sum and its cents, `of` between "million" and a noun.
    """
    return Conventions(
        decimal_word=decimal_word,
        point_word=point_word,
        minus_word=minus_word,
        plus_word=plus_word,
        range_word=range_word,
        ratio_word="a",
        version_word=version_word,
        number_word=number_word,
        cardinal=say.cardinal,
        count=say.count,
        ordinal=say.ordinal,
        form=form,
        decimal_form=decimal_form,
        decimals=decimals_of(say.cardinal, decimal_word, point_word),
        cents=cents_of(say.count, before_cents),
        of_noun=lambda noun: noun.removeprefix(f"{of} "),
        date=say.date,
        time=say.time,
        time_suffix=time_suffix,
        fraction=say.fraction,
        mixed=say.mixed,
        units=tables.UNITS,
        per=tables.PER,
        part_of=part_of,
        out_of=out_of,
        over=over,
        inch=tables.INCH,
        days=days,
        months=months,
        day_range=day_range,
        keys=keys,
        money_magnitudes=tables.MONEY_MAGNITUDES,
        currencies=tables.CURRENCIES,
        abbreviations=tables.ABBREVIATIONS,
        before_number=tables.BEFORE_NUMBER,
        before_name=tables.BEFORE_NAME,
        spelled=tables.SPELLED,
        top_names=top_names or {},
        sign_names=tables.SIGN_NAMES,
        signs=tables.SIGNS,
        letter_names=tables.LETTERS,
    )
