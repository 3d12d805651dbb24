"""Roman numerals in English, after names and nouns: "Louis XIV", "Chapter IV", "World War II"."""

from __future__ import annotations

import re

from realtime.text.normalize.base import Rule
from realtime.text.normalize.english.matches import after, before
from realtime.text.normalize.english.words import cardinal, letters, ordinal, year
from realtime.text.normalize.roman import roman_value

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
    r"[Cc]hapter|[Cc]h\.|[Pp]t\.|[Ff]ig\.|[Pp]art|[Aa]ct|[Ss]cene|[Vv]olume|[Vv]ol\.|[Bb]ook|[Ss]ection"
    r"|[Pp]hase|[Tt]ype|[Cc]lass|"
    r"[Gg]rade|[Ss]tage|"
    r"[Ll]evel|[Tt]itle|[Aa]rticle|[Aa]ppendix|[Ff]igure|[Tt]able|Super Bowl|[Mm]ark|Mk\.?|[Ee]pisode|"
    r"[Rr]ound|[Uu]nit|"
    r"[Cc]ategory|[Tt]ier|[Ss]chedule|[Vv]ersion|[Pp]age|[Ll]esson|[Mm]odule|[Ss]tep"
)
_ROMAN_RULE = re.compile(r"(?<![\w.'\u2019-])[IVXLCDM]{1,9}(?![.&-]\w|\w|['\u2019](?!s\b))")
_BEFORE_NOUN = re.compile(rf"\b(?:{_NOUNS})s? $")
_BEFORE_NAME = re.compile(
    r"(?:^|[^\w.])(?!(?:The|An|In|On|My|His|Her|This|That|Your|Our|And|But|For|With|Their|"
    r"Its) )([A-Z][a-z]{1,15}) $"
)


#: Rulers after whose names an "I" before a stop is no pronoun.
_FIRSTS = frozenset("Elizabeth Charles James William Francis Napoleon Nicholas Henry Otto Frederick".split())
_CROWNED = re.compile(r"\b(?:King|Queen|Pope|Emperor|Tsar|Czar|Kaiser|Shah) [A-Z][a-z]{2,12} $")
_ENDS_NAME = re.compile(r"$|[.;:)]|[,] [a-z]|['\u2019]s\b| of\b| reigned\b")
_LETTERED = re.compile(r"(?:(?<=[Ss]tage )|(?<=[Tt]ype ))(I{1,3}|IV)([A-C])(?!\w)")


def _lettered(match: re.Match[str]) -> str:
    """ "Stage IIIB"."""
    return f"{cardinal(str(roman_value(match[1])))} {letters(match[2])}"


def _roman(match: re.Match[str]) -> str | None:
    """Ordinal after a ruler's name, cardinal after a noun or another name; "I" alone is the pronoun."""
    text = match[0]
    value = roman_value(text)
    if not value:
        return None
    left = before(match, 20)
    if left.endswith(("World War ", "world war ", "World Wars ")) and value < 10:
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
    if text == "I" and name is not None and name[1] in _RULERS and _CROWNED.search(left):
        return "the First"
    if (
        text == "I"
        and name is not None
        and name[1] in _FIRSTS
        and _ENDS_NAME.match(match.string, match.end())
    ):
        return "the First"
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


RULES = (
    Rule(_LETTERED, _lettered, "I"),
    Rule(_ROMAN_RULE, _roman, "IVXLCDM"),
)
