"""What the readers of all languages share: the contract, and rules that are tried in order."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from realtime.text.spans import Edit, share


class Reader(Protocol):
    """How one language reads aloud what is written in digits, signs and abbreviations. Thread-safe."""

    def edits(self, text: str) -> list[Edit]:
        """What of a cleaned sentence is said otherwise than it is written; ordered and disjoint.

        What is not sure is left as it is. Never raises, whatever the text.
        """
        ...

    def cardinal(self, digits: str) -> str:
        """A whole number in ASCII digits, perhaps with a minus; a very long one digit by digit."""
        ...

    def ordinal(self, digits: str) -> str:
        """A whole number of ASCII digits as an ordinal ("1" -> "first"), as it stands before a noun."""
        ...

    def spell(self, text: str) -> str:
        """Every letter, digit and sign by its name, one after another, spaces left out."""
        ...


@dataclass(frozen=True, slots=True)
class Rule:
    """`say` gives what is said for a match of `pattern`, or None to leave it; then later rules may take it.

    Patterns must be linear: every repetition bounded or over disjoint characters. The characters of
    `needs` say when it is worth trying: one of them is in the text ("0": any ASCII digit). Empty: always.
    """

    pattern: re.Pattern[str]
    say: Callable[[re.Match[str]], str | list[Edit] | None]
    needs: str = ""


def apply_rules(text: str, rules: Sequence[Rule]) -> list[Edit]:
    """What the rules make of a text. A character is taken by the first rule that has something to say for it.

    A spoken string for several written words is shared out over them (`spans.share`); a rule that knows
    better returns the edits itself.
    """
    present = {"0" if character in "0123456789" else character for character in text}
    taken = bytearray(len(text))
    found: list[Edit] = []
    for rule in rules:
        if rule.needs and present.isdisjoint(rule.needs):
            continue
        for match in rule.pattern.finditer(text):
            start, end = match.span()
            if start == end or any(taken[start:end]):
                continue
            said = rule.say(match)
            if said is None:
                continue
            edits = share(text, start, end, said) if isinstance(said, str) else said
            taken[start:end] = b"\1" * (end - start)
            found += edits
    return sorted(found, key=lambda edit: edit.start)
