"""Feet, inches and sizes in English: "5'10\"", "27\" monitors", "10'x12'", "1920x1080", "2x4s"."""

from __future__ import annotations

import re

from realtime.text.normalize.base import Rule
from realtime.text.normalize.english.matches import after, before, closes, describes, in_parts, noun_follows
from realtime.text.normalize.english.units import START, UNITS, plural_unit
from realtime.text.normalize.english.words import DASH, QUANTITY, below_two, cardinal, pairs, plural, quantity
from realtime.text.spans import Edit


def _feet(match: re.Match[str]) -> str | list[Edit] | None:
    inches = match["inches"]
    if inches is None:
        return None
    if match["mark"][0] in "'\u2019\u2032":
        return f"{cardinal(match['feet'])} foot {quantity(inches)}"
    feet = "foot" if match["feet"] == "1" else "feet"
    inch = "inch" if below_two(inches) else "inches"
    dot = "." if match["dot"] and closes(match) else ""
    return in_parts(
        match,
        (match.start(), cardinal(match["feet"])),
        (match.start("mark") + match["mark"].startswith(" "), feet),
        (match.start("inches"), quantity(inches)),
        (match.start("sign"), inch + dot),
    )


_QUOTES = re.compile(r'(?<!\d)"')
_ARTICLE = re.compile(r"\b(?:[Aa]n?|[Tt]he|[Tt]his|[Mm]y|[Yy]our) $")


def _inches(match: re.Match[str]) -> str | None:
    if match["mark"] == '"' and (len(_QUOTES.findall(before(match, 80))) % 2 or closes(match)):
        return None  # the quotation mark closes what was said
    quoted = match["mark"] == '"' and noun_follows(match)
    article = (
        _ARTICLE.search(before(match, 8)) is not None and match.string[match.end() : match.end() + 1] == " "
    )
    single = below_two(match["amount"]) or quoted or article or match["mark3"] == "-in." or describes(match)
    if "/" in match["amount"] and (quoted or article):
        return f"{quantity(match['amount']).replace('quarters', 'quarter')} inch"
    dot = "." if match["mark3"] and closes(match) else ""
    first = f"{cardinal(match['from'])} to " if match["from"] else ""
    return f"{first}{quantity(match['amount'])} {'inch' if single and not first else 'inches'}{dot}"


def _by(match: re.Match[str]) -> list[Edit]:
    """Sizes: "10x20", "1920x1080"; numbers of four digits in pairs."""
    numbers = [part for part in match.group(1, 2, 3) if part]
    said = " by ".join(pairs(part) if len(part) == 4 else quantity(part) for part in numbers)
    if match["unit"] is None:
        return in_parts(match, (match.start(), plural(said) if match["many"] else said))
    unit = UNITS[match["unit"]]
    name = unit if noun_follows(match) else plural_unit(unit)
    return in_parts(match, (match.start(), said), (match.start("unit"), name))


_FEET = re.compile(
    r"(?<![\w.,/])(?P<feet>\d{1,2})(?P<mark>['\u2019\u2032]-?| ?ft\.?| ?feet) ?(?P<inches>\d{1,2}(?:\.\d)?|"
    r"\d{0,2} ?[\u00bd])"
    r" ?(?P<sign>\"|\u201d|\u2033|''|inches|in(?P<dot>\.(?= [a-z(]|[,;:)]|$))?(?!\w))"
)
_INCHES = re.compile(
    rf"{START}(?:(?P<from>\d{{1,3}}){DASH})?(?P<amount>{QUANTITY})(?:(?P<mark>\")(?=[ ,.;:)-]|$)| ?"
    rf"(?P<mark2>\u2033)|"
    rf"(?P<mark3>[ -]in\.)(?= [a-z]|[,;:)]|$))"
)
_SIDE = r"(\d{1,5}(?:\.\d{1,3})?)"
_SIZE = re.compile(
    rf"(?<![\w.,/-]){_SIDE}[x\u00d7]{_SIDE}(?:[x\u00d7]{_SIDE})?(?:(?P<many>s)| ?(?P<unit>m|cm|mm|km|ft"
    rf"|px))?"
    r"(?![\w/^]|[.,]\d| ?=)"
)
_INCH_SIZE = re.compile(
    rf"(?<![\w.,/-]){_SIDE}[\"\u2033\u201d][x\u00d7]{_SIDE}[\"\u2033\u201d](?:[x\u00d7]"
    rf"{_SIDE}[\"\u2033\u201d])?"
)
_FOOT_SIZE = re.compile(
    rf"(?<![\w.,/+-]){_SIDE}['\u2019\u2032](?:[x\u00d7]{_SIDE}['\u2019\u2032]|"
    rf"(?= [a-z]{{3,20}}(?!\w)| [x\u00d7]\b)|(?<=[x\u00d7] \d['\u2019\u2032])|"
    rf"(?<=[x\u00d7] \d\d['\u2019\u2032]))"
    rf"(?!\w|['\u2019])"
)
_SIDES = re.compile(r"(?<=\d['\u2019\u2032\"\u2033\u201d] )[x\u00d7](?= \d)")


def _foot_size(match: re.Match[str]) -> str | None:
    """ "10'x12'", "9' ceilings"."""
    named = noun_follows(match)
    side = before(match, 2) in ("x ", "\u00d7 ") or after(match, 2) in (" x", " \u00d7")
    if match[2] is None and not side and (not named or re.search(r"(?:^|\s)['\u2018]", before(match, 80))):
        return None  # the mark closes what was said
    return f"{' by '.join(quantity(part) for part in match.groups() if part)} {'foot' if named else 'feet'}"


def _inch_size(match: re.Match[str]) -> str:
    """ "9\"x13\"", a pan."""
    said = " by ".join(quantity(part) for part in match.groups() if part)
    return f"{said} {'inch' if noun_follows(match) else 'inches'}"


#: Before other measures are read.
RULES = (
    Rule(_INCH_SIZE, _inch_size, "x\u00d7"),
    Rule(_SIDES, lambda match: "by", "x\u00d7"),
    Rule(_FOOT_SIZE, _foot_size, "'\u2019\u2032"),
    Rule(_FEET, _feet, "'\u2019\u2032f"),
    Rule(_INCHES, _inches, '"\u2033i'),
    Rule(_SIZE, _by, "x\u00d7"),
)
