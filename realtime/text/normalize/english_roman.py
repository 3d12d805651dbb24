"""Roman numerals in English, after names and nouns: "Louis XIV", "Chapter IV", "World War II"."""

from __future__ import annotations

import re

from realtime.text.normalize.base import Rule
from realtime.text.normalize.english_words import after, before, cardinal, ordinal, year

_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
_ROMAN = re.compile(r"M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")


def roman(text: str) -> int | None:
    """The value of a well-formed Roman numeral."""
    if not text or _ROMAN.fullmatch(text) is None:
        return None
    values = [_ROMAN_VALUES[letter] for letter in text]
    return sum(
        -value if value < following else value
        for value, following in zip(values, [*values[1:], 0], strict=True)
    )


_RULERS = frozenset(
    "Louis Henry Elizabeth Charles George Edward Richard William James John Paul Pius Benedict Gregory Leo "
    "Alexander "
    "Catherine Peter Nicholas Frederick Philip Francis Ferdinand Napoleon Wilhelm Ivan Ramses Ramesses "
    "Ptolemy Xerxes "
    "Darius Cleopatra Otto Carlos Juan Felipe Umberto Emmanuel Haakon Gustav Christian Margrethe Mary "
    "Innocent Clement "
    "Urban Boniface Sixtus Julius Constantine Theodosius Malcolm Robert Stephen Thutmose Amenhotep Mehmed "
    "Murad Selim "
    "Franz Joseph Leopold Albert Alfonso Pedro Sancho Kamehameha Rama Harald Olaf Sigismund Rudolf "
    "Maximilian Isabella "
    "Victoria Anne Celestine Adrian Martin Callixtus Honorius".split()
)
_NOUNS = (
    r"[Cc]hapter|[Pp]art|[Aa]ct|[Ss]cene|[Vv]olume|[Vv]ol\.|[Bb]ook|[Ss]ection|[Pp]hase|[Tt]ype|[Cc]lass|"
    r"[Gg]rade|[Ss]tage|"
    r"[Ll]evel|[Tt]itle|[Aa]rticle|[Aa]ppendix|[Ff]igure|[Tt]able|Super Bowl|[Mm]ark|Mk\.?|[Ee]pisode|"
    r"[Rr]ound|[Uu]nit|"
    r"[Cc]ategory|[Tt]ier|[Ss]chedule|[Vv]ersion|[Pp]age|[Ll]esson|[Mm]odule|[Ss]tep"
)
_ROMAN_RULE = re.compile(r"(?<![\w.'\u2019-])[IVXLCDM]{1,9}(?![.&-]\w|\w|['\u2019](?!s\b))")
_BEFORE_NOUN = re.compile(rf"\b(?:{_NOUNS}) $")
_BEFORE_NAME = re.compile(
    r"(?:^|[^\w.])(?!(?:The|An|In|On|My|His|Her|This|That|Your|Our|And|But|For|With|Their|"
    r"Its) )([A-Z][a-z]{1,15}) $"
)


def _roman(match: re.Match[str]) -> str | None:
    """Ordinal after a ruler's name, cardinal after a noun or another name; "I" alone is the pronoun."""
    text = match[0]
    value = roman(text)
    if value is None:
        return None
    left = before(match, 20)
    if left.endswith(("World War ", "world war ")) and value < 10:
        return cardinal(str(value)).capitalize()
    noun = _BEFORE_NOUN.search(left)
    if noun is not None:
        if text in "LCDM" and len(text) == 1:
            return None
        if text == "I" and not re.match(
            r"$|[.,:;)]|[ ](?:of|and|is|was|to|or|in|error|diabetes|trial|study)\b", after(match, 10)
        ):
            return None
        return cardinal(str(value))
    name = _BEFORE_NAME.search(left)
    if text == "I" or (len(text) == 1 and text in "LCDM"):
        return None
    if name is not None and name[1] in _RULERS:
        if name[1] == "Malcolm" and text == "X":
            return None
        return f"the {ordinal(str(value)).capitalize()}"
    if len(text) > 4 and 1400 <= value <= 2100 and text[0] == "M":
        return year(str(value))
    if after(match, 8) == " century" and len(text) > 1:
        return ordinal(str(value))
    if len(text) > 1 and not text.strip("IVX") and name is not None and value < 40:
        return cardinal(str(value))
    return None


RULES = (Rule(_ROMAN_RULE, _roman, "IVXLCDM"),)
