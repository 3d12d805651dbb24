"""The reader that European languages share; a language brings `Conventions` and rules of its own.

    make = partial(EuropeanReader, CONVENTIONS, first=my_rules)

The order is: addresses, keys, measures, `first`, the common rules up to fractions, `before_numbers`,
ranges and plain numbers, words and signs. What a rule has taken no later rule changes: so what a language
reads in its own way goes into `first`, and what it says of numbers that nothing else wanted into
`before_numbers`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from realtime.text.normalize.base import Rule, apply_rules
from realtime.text.normalize.european.codes import calendar_rules, code_rules, key_rules
from realtime.text.normalize.european.measures import measure_rules, part_rules
from realtime.text.normalize.european.numbers import Conventions, Numerals
from realtime.text.normalize.european.rules import (
    date_rules,
    fraction_rules,
    money_rules,
    number_rules,
    phone_rules,
    range_rules,
    time_rules,
    unit_rules,
    version_rules,
)
from realtime.text.normalize.european.words import (
    abbreviation_rules,
    acronym_rules,
    address_rules,
    sign_rules,
    spelled,
)
from realtime.text.spans import Edit

RuleMaker = Callable[[Numerals], Sequence[Rule]]


def no_rules(numerals: Numerals) -> Sequence[Rule]:
    """Nothing to add."""
    return ()


class EuropeanReader:
    """A `Reader` from the conventions of a language and rules of its own."""

    def __init__(
        self,
        conventions: Conventions,
        first: RuleMaker = no_rules,
        before_numbers: RuleMaker = no_rules,
    ) -> None:
        """`first`: tried before all common rules but addresses; `before_numbers`: before plain numbers."""
        self._conventions = conventions
        self._numerals = numerals = Numerals(conventions)
        self._rules: tuple[Rule, ...] = (
            *address_rules(numerals),
            *key_rules(numerals),
            *part_rules(numerals),
            *measure_rules(numerals),
            *first(numerals),
            *calendar_rules(numerals),
            *date_rules(numerals),
            *time_rules(numerals),
            *phone_rules(numerals),
            *code_rules(numerals),
            *money_rules(numerals),
            *unit_rules(numerals),
            *version_rules(numerals),
            *fraction_rules(numerals),
            *before_numbers(numerals),
            *range_rules(numerals),
            *number_rules(numerals),
            *abbreviation_rules(conventions),
            *acronym_rules(conventions),
            *sign_rules(conventions),
        )

    def edits(self, text: str) -> list[Edit]:
        """What of a cleaned sentence is said otherwise than it is written; ordered and disjoint."""
        return apply_rules(text, self._rules)

    def cardinal(self, digits: str) -> str:
        """A whole number in ASCII digits, perhaps with a minus; a very long one digit by digit."""
        if digits.startswith("-"):
            return f"{self._conventions.minus_word} {self._numerals.whole(digits[1:])}"
        return self._numerals.whole(digits)

    def ordinal(self, digits: str) -> str:
        """A whole number of ASCII digits as an ordinal, masculine; a very long one as a cardinal."""
        if len(digits) > 9:
            return self.cardinal(digits)
        return self._conventions.ordinal(int(digits), "m")

    def spell(self, text: str) -> str:
        """Every letter, digit and sign by its name, one after another, spaces left out."""
        return spelled(self._conventions, text)
