"""The reader that Chinese, Japanese and Korean share; a language brings rules and words of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from realtime.text.normalize.base import Rule
from realtime.text.normalize.east_asian.shared import edits_of
from realtime.text.spans import Edit


class EastAsianReader:
    """A `Reader` from rules and from what a language says for numbers and single characters."""

    def __init__(
        self,
        rules: Sequence[Rule],
        *,
        cardinal: Callable[[str], str],
        minus: str,
        ordinal: Callable[[str, str], str],
        digits: Callable[[str], str],
        name: Callable[[str], str],
    ) -> None:
        """`rules` see the folded text (`shared.edits_of`).

        `cardinal` says ASCII digits as a number, `minus` stands before it; `ordinal` is given digits and the
        cardinal in words; `digits` says them one by one, `name` any other character.
        """
        self._rules = tuple(rules)
        self._cardinal, self._minus, self._ordinal = cardinal, minus, ordinal
        self._digits, self._name = digits, name

    def edits(self, text: str) -> list[Edit]:
        """What of a cleaned sentence is said otherwise than it is written; ordered and disjoint."""
        return edits_of(text, self._rules)

    def cardinal(self, digits: str) -> str:
        """A whole number in ASCII digits, perhaps with a minus; a very long one digit by digit."""
        return self._minus + self._cardinal(digits[1:]) if digits.startswith("-") else self._cardinal(digits)

    def ordinal(self, digits: str) -> str:
        """A whole number of ASCII digits as an ordinal."""
        return self._ordinal(digits, self.cardinal(digits))

    def spell(self, text: str) -> str:
        """Every letter, digit and sign by its name, with a space between; spaces left out."""
        return " ".join(
            self._digits(character) if character in "0123456789" else self._name(character)
            for character in text
            if not character.isspace()
        )
