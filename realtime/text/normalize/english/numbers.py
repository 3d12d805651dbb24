"""Numbers in English that are nothing else: cardinals, ordinals, fractions, ranges, sums, ratios."""

from __future__ import annotations

import re

from realtime.text.normalize.base import Rule
from realtime.text.normalize.english.matches import FUNCTION_WORDS, after, before, describes
from realtime.text.normalize.english.words import (
    NUMBER,
    VULGAR,
    cardinal,
    digits,
    fraction,
    number,
    ordinal,
    pairs,
    plural,
    quantity,
    signed,
    version,
)
from realtime.text.spans import Edit

_MAGNITUDES = {
    "k": "thousand",
    "m": "million",
    "b": "billion",
    "bn": "billion",
    "t": "trillion",
    "mn": "million",
}
_SET_FRACTIONS = {"24/7": "twenty-four seven", "9/11": "nine eleven", "20/20": "twenty twenty"}


def _ordinal(match: re.Match[str]) -> str | None:
    text = match["number"].replace(",", "")
    last = "th" if text[-2:-1] == "1" else {"1": "st", "2": "nd", "3": "rd"}.get(text[-1], "th")
    if match["ending"].lower() != last:
        return None
    return ordinal(text) + ("s" if match["many"] else "")


def _fraction(match: re.Match[str]) -> str | None:
    said = _plain_fraction(match)
    return f"{said} {match['variable']}" if said and match["variable"] else said


_A = re.compile(r"(?:^|\W)[Aa] $")
_MEASURED = re.compile(
    r" (?:mile|inch|cup|pound|teaspoon|tablespoon|hour|acre|turn|century|ounce|tank|gallon|cent)\b"
)


def _plain_fraction(match: re.Match[str]) -> str | None:
    text = match[0].rstrip("dhnrstxy")
    if text in _SET_FRACTIONS:
        return _SET_FRACTIONS[text]
    whole, top, bottom = match["whole"], int(match["top"]), int(match["bottom"])
    if not bottom:
        return None
    if whole is not None:
        if not 0 < top < bottom:
            return None
        return quantity(text)
    if top == bottom or (top + bottom == 100 and not top % 10):
        return f"{cardinal(match['top'])} {cardinal(match['bottom'])}"
    rated = after(match, 6) == " stars" or after(match, 5) == " star"
    if (bottom in (10, 100) and 1 < top < bottom) or rated:
        return f"{cardinal(match['top'])} out of {cardinal(match['bottom'])}"
    if top < bottom or bottom <= 10:
        said = fraction(top, bottom)
        if " over " in said:
            return said
        if match.string[match.end() : match.end() + 1] == "-":
            return said.replace(" ", "-")  # "1/8-inch"
        if top == 1 and bottom in (2, 4) and _A.search(before(match, 3)):
            if bottom == 2 or _MEASURED.match(match.string, match.end()):
                return "half" if bottom == 2 else "quarter"
        return said.replace(" ", "-") if describes(match) else said
    return f"{cardinal(match['top'])} over {cardinal(match['bottom'])}"


def _vulgar(match: re.Match[str]) -> str:
    return quantity(match[0])


_CODED = re.compile(r"0\d")


def _range(match: re.Match[str]) -> str | None:
    first, last = match["first"], match["last"]
    if match["mark"] == "-" and (
        after(match, 2).lstrip(" ")[:1] == "=" or (match["space"] and not _ascending(first, last))
    ):
        return f"{number(first)} minus {number(last)}"
    if _CODED.match(first) or _CODED.match(last):
        return f"{digits(first)}, {digits(last)}"  # "0098-22" is no range
    if (first, last) == ("50", "50"):
        return "fifty-fifty"
    low, high = number(first), number(last)
    sign = "minus " if match["sign"] else ""
    magnitude = match["magnitude"]
    tail = ""
    if magnitude and magnitude in "xX\u00d7":
        tail = " times" if _COMPARED.match(match.string, match.end()) else " x"
    elif magnitude:
        tail = f" {_MAGNITUDES[magnitude.lower()]}"
    return f"{sign}{low} to {high}{tail}"


def _ascending(first: str, last: str) -> bool:
    """Whether the second number is the greater one; of whole numbers only, so that nothing overflows."""
    low, high = first.partition(".")[0].replace(",", ""), last.partition(".")[0].replace(",", "")
    return (len(low), low) < (len(high), high)


def _score(match: re.Match[str]) -> str:
    return " ".join(cardinal(part) for part in re.split(r"[-\u2013]", match[0]))


def _ratio(match: re.Match[str]) -> str:
    return " to ".join(number(part) for part in match[0].replace(" ", "").split(":"))


def _magnitude(match: re.Match[str]) -> str | None:
    """ "1.5M views", "20k", "a 7B model"; elsewhere the letter is a letter: "221B", "Seat 5C", "4K video"."""
    suffix, amount = match["suffix"], match["amount"]
    plus = " plus" if match["plus"] else ""
    sign = signed(match["sign"])
    following = _FOLLOWING.match(match.string, match.end())
    noun = following[1] if following else ""
    name = _NAME.search(before(match)) is not None
    counted = noun in _COUNTED or (
        noun.endswith("s") and noun not in _NOT_COUNTED and noun not in FUNCTION_WORDS
    )
    long = "." in amount or "," in amount
    if suffix in ("bn", "mn") or (suffix == "k" and (len(amount) > 1 or counted)):
        large = True
    elif suffix in "kK":
        large = len(amount) > 1 and (counted or long or not name)
    elif suffix == "M" and amount != "3":
        large = not name
    else:
        counted = counted and amount != "3"  # a company
        large = not name and (counted or long or _AMOUNT_BEFORE.search(before(match, 16)) is not None)
        large = large and (suffix != "T" or counted)
    if large:
        return f"{sign}{number(amount)} {_MAGNITUDES[suffix.lower()]}{plus}"
    said = pairs(amount) if amount.isdecimal() and len(amount) <= 4 else number(amount)
    return f"{sign}{said} {suffix.upper()}{plus}"


_FOLLOWING = re.compile(r"[ -]([a-z]{3,20})(?!\w|\.\w)")
_COUNTED = frozenset(
    "people model parameter context population worldwide monthly daily weekly active".split()
)
_NOT_COUNTED = frozenset("is was has as its this plus less class pass bus yes".split())
#: Before an amount, and not before the number of a house or a seat.
_AMOUNT_BEFORE = re.compile(
    r"(?:\b(?:about|over|nearly|almost|around|under|roughly|approximately|least|most|than|reached|hit|passed|"
    r"topped|exceeded|surpassed|[Pp]opulation:|[Vv]iews:|[Uu]sers:|[Ff]ollowers:|[Dd]ownloads:)"
    r"|[~<>\u2264\u2265]) ?$"
)
_NAME = re.compile(
    r"(?<!\w)(?!(?:About|Over|Nearly|Around|The|With|In|Of|From|By|To|Some|Almost|At|And|Only|"
    r"Another) )[A-Z][a-z]+ $"
)


_COMPARED = re.compile(
    " "
    "(?:faster|slower|bigger|smaller|larger|greater|higher|lower|cheaper|better|worse|longer|shorter|stronger|lighter|heavier|"
    r"quicker|easier|harder|fewer|more|less|as|the|improvement|speedup|increase|growth)\b"
)


def _times_as(match: re.Match[str]) -> str:
    """ "5x faster" is five times faster, a "10x engineer" a ten x engineer."""
    if _COMPARED.match(match.string, match.end()):
        return f"{signed(match['sign'])}{number(match['amount'])} times"
    return f"{signed(match['sign'])}{number(match['amount'])} x"


def _number(match: re.Match[str]) -> str | None:
    text = match["number"]
    sign = signed(match["sign"])
    if match["sign"] == "+" and not match["plus"]:
        sign = "plus "
    tail = " plus" if match["plus"] else "s" if match["many"] else ""
    if match["many"]:
        said = pairs(text) if len(text) == 4 else cardinal(text)
        if text in ("100", "1000", "1,000") and after(match, 3) == " of":
            said = said.removeprefix("one ")
        return sign + plural(said)
    if text == "007":
        return "double oh seven"
    if len(text) >= 10 and text.isdecimal() and not text.endswith("000"):
        return sign + digits(text) + tail  # an identifier, not a count
    if text[:1] == "." and before(match, 1) == ".":
        return None
    return sign + number(text) + tail


def _dotted(match: re.Match[str]) -> str:
    """ "2.0.1", "v1.2"."""
    said = version(match["number"])
    return f"version {said}" if match["v"] else said


def _item(match: re.Match[str]) -> list[Edit]:
    """ "1." or "2)" before an item of a list."""
    start = match.start() if match[0][0] == "(" and match[0].endswith(")") else match.start("number")
    return [Edit(start, match.end(), cardinal(match["number"]) + ".")]


def _continental(match: re.Match[str]) -> str:
    """ "1.234,56", as the European continent writes it."""
    return number(match[0].replace(".", "").replace(",", "."))


def _dotted_thousands(match: re.Match[str]) -> str:
    """ "1.000.000"."""
    return cardinal(match[0].replace(".", ""))


def _spaced(match: re.Match[str]) -> str:
    """ "1 000 000"."""
    return cardinal(match[0].replace(" ", ""))


def _separate(match: re.Match[str]) -> str | None:
    """Numbers with commas that are no thousands: "1,2,3"."""
    if _GROUPED.fullmatch(match[0]):
        return None
    return ", ".join(cardinal(part) for part in match[0].split(","))


_START = r"(?<![\w.,])(?<![\w)][-/:\u2013])"
_SIGN = r"(?P<sign>(?<![\w)\]%])[-+\u2212])?"
_ITEM = re.compile(r"^[\"'(]?(?P<number>\d{1,3})[.)](?= |$)")
_ORDINAL = re.compile(
    r"(?<![\w.,])(?P<number>\d{1,3}(?:,\d{3}){1,4}|\d{1,12})(?P<ending>st|nd|rd|th|ST|ND|RD|TH)(?P<many>s)?"
    r"(?!\w)"
)
_FRACTION = re.compile(
    r"(?<![\w.,/:$-])(?:(?P<whole>\d{1,4})[ -])?(?P<top>\d{1,3})/(?P<bottom>\d{1,4})(?:rds|ths|nds|th|rd|"
    r"nd)?(?P<variable>[xyn](?!\w))?(?![\w/]|[.,:]\d)"
)
_VULGAR_RULE = re.compile(rf"(?<!\w)(?:\d{{1,4}} ?)?[{VULGAR}](?!\w)")
_RANGE = re.compile(
    rf"{_START}{_SIGN}(?P<first>{NUMBER})(?P<space> ?)(?P<mark>[-\u2013\u2014])(?P=space)(?P<last>{NUMBER})"
    rf"(?P<magnitude>[kKMB]|bn|[xX\u00d7](?!\d))?(?![\w]|[-\u2013/:]\w|[.,]\d)"
)
_SCORE = re.compile(r"(?<![\w.,/-])\d{1,2}(?:[-\u2013]\d{1,2}){2,6}(?![\w/]|[-.,:]\d)")
_RATIO = re.compile(
    r"(?<![\w.,:/])\d{1,5}(?:\.\d{1,3})?(?: ?: ?\d{1,5}(?:\.\d{1,3})?){1,3}(?![\w:/]|[.,-]\d)"
)
_MAGNITUDE = re.compile(rf"{_START}{_SIGN}(?P<amount>{NUMBER})(?P<suffix>[kKMBT]|bn|mn)(?P<plus>\+)?(?!\w)")
_TIMES_AS = re.compile(rf"{_START}{_SIGN}(?P<amount>{NUMBER})[x\u00d7](?!\w)")
_DOTTED = re.compile(r"(?<![\w.,])(?P<v>[vV]\.? ?)?(?P<number>\d{1,6}(?:\.\d{1,6}){1,4})(?![\w]|[.,]\d)")
_NUMBER_RULE = re.compile(
    rf"(?<![\w])(?<!\d[.,:/-])(?<![^\W\d]\.){_SIGN}(?P<number>{NUMBER}|\d+|\.\d{{1,15}})(?:(?P<plus>\+)"
    rf"(?!\w)|(?P<many>'?s)(?!\w))?(?!\w|[./:]\d|,\d{{3}}(?!\d))"
)
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+")
_SPACED = re.compile(r"(?<![\w.,])(?<!\d )\d{1,3}(?:(?: \d{3}){2,4}| 000)(?![\w]|[.,]\d| \d)")
_CONTINENTAL = re.compile(r"(?<![\w.,])\d{1,3}(?:\.\d{3}){1,4},\d{1,2}(?![\w]|[.,]\d)")
_DOTTED_THOUSANDS = re.compile(r"(?<![\w.,])[1-9]\d{0,2}(?:\.\d{3}){2,4}(?![\w]|[.,]\d)")
_SEPARATE = re.compile(r"(?<![\w.,])\d{1,4}(?:,\d{1,4}){1,40}(?![\w.,]\d|\w)")


def _version_rule(match: re.Match[str]) -> str | None:
    if match["v"] is None and match["number"].count(".") < 2:
        return None
    return _dotted(match)


#: Before units and dates are tried.
FIRST_RULES = (
    Rule(_ITEM, _item, "0"),
    Rule(_DOTTED_THOUSANDS, _dotted_thousands, "."),
    Rule(_DOTTED, _version_rule, "."),
)
RULES = (
    Rule(_FRACTION, _fraction, "/"),
    Rule(_ORDINAL, _ordinal, "hHtTdD"),
    Rule(_VULGAR_RULE, _vulgar, VULGAR),
    Rule(_SCORE, _score, "-\u2013"),
    Rule(_RANGE, _range, "-\u2013\u2014"),
    Rule(_RATIO, _ratio, ":"),
    Rule(_MAGNITUDE, _magnitude, "kKMBTbm"),
    Rule(_TIMES_AS, _times_as, "x\u00d7"),
)
#: When nothing else has taken them.
_SHORT_YEAR = re.compile(
    r"(?:(?<![\w'\u2019])|(?<=Q[1-4])|(?<=H[12]))['\u2019](\d\d)(?![\w'\u2019%]|[.,:/]\d)"
)


def _short_year(match: re.Match[str]) -> str:
    """ "'69", "'05"."""
    return (" " if before(match, 1).isdecimal() else "") + pairs(match[1])


LAST_RULES = (
    Rule(_SHORT_YEAR, _short_year, "'\u2019"),
    Rule(_SPACED, _spaced, " "),
    Rule(_CONTINENTAL, _continental, ","),
    Rule(_SEPARATE, _separate, ","),
    Rule(_NUMBER_RULE, _number, "0"),
)
