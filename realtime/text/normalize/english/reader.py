"""How English reads what is written in digits, signs and abbreviations."""

from __future__ import annotations

from realtime.text.normalize.base import apply_rules
from realtime.text.normalize.english import abbreviations as english_abbreviations
from realtime.text.normalize.english import acronyms as english_acronyms
from realtime.text.normalize.english import codes as english_codes
from realtime.text.normalize.english import computing as english_computing
from realtime.text.normalize.english import dates as english_dates
from realtime.text.normalize.english import digits as english_digits
from realtime.text.normalize.english import everyday as english_everyday
from realtime.text.normalize.english import letters as english_letters
from realtime.text.normalize.english import math as english_math
from realtime.text.normalize.english import money as english_money
from realtime.text.normalize.english import numbers as english_numbers
from realtime.text.normalize.english import places as english_places
from realtime.text.normalize.english import roman as english_roman
from realtime.text.normalize.english import short_dates as english_short_dates
from realtime.text.normalize.english import sizes as english_sizes
from realtime.text.normalize.english import times as english_times
from realtime.text.normalize.english import units as english_units
from realtime.text.normalize.english import web as english_web
from realtime.text.normalize.english import words as english_words
from realtime.text.spans import Edit

#: The order decides: what comes first takes its characters.
_RULES = (
    *english_computing.FIRST_RULES,
    *english_web.RULES,
    *english_computing.RULES,
    *english_everyday.FIRST_RULES,
    *english_digits.FIRST_RULES,
    *english_abbreviations.FIRST_RULES,
    *english_codes.FIRST_RULES,
    *english_places.FIRST_RULES,
    *english_short_dates.RULES,
    *english_dates.RULES,
    *english_digits.RULES,
    *english_numbers.FIRST_RULES,
    *english_times.RULES,
    *english_money.RULES,
    *english_roman.RULES,
    *english_sizes.RULES,
    *english_units.RULES,
    *english_codes.RULES,
    *english_math.FIRST_RULES,
    *english_numbers.RULES,
    *english_math.RULES,
    *english_codes.LAST_RULES,
    english_dates.YEAR_RULE,
    *english_numbers.LAST_RULES,
    *english_abbreviations.RULES,
    *english_acronyms.RULES,
)


class _EnglishReader:
    """The `Reader` of English."""

    def edits(self, text: str) -> list[Edit]:
        """What of a sentence is said otherwise than it is written."""
        return apply_rules(text, _RULES)

    def cardinal(self, digits: str) -> str:
        """ "one thousand two hundred and thirty-four"; with leading zeros or over 15 digits one by one."""
        return english_words.cardinal(digits)

    def ordinal(self, digits: str) -> str:
        """ "twenty-first"; over 15 digits one by one."""
        return english_words.ordinal(digits)

    def spell(self, text: str) -> str:
        """Letters with a stop after each, so that "A" is no article; digits and signs by their names."""
        return english_letters.spell(text)


def make() -> _EnglishReader:
    """The reader, with inflect's words for numbers read in (a tenth of a second)."""
    english_words.warm_up()
    return _EnglishReader()
