"""Numbers in English that are nothing else: cardinals, ordinals, fractions, ranges, sums, ratios."""

from __future__ import annotations

import re

from realtime.text.normalize.base import Rule
from realtime.text.normalize.english_dates import MONTHS, valid
from realtime.text.normalize.english_words import (
    NUMBER,
    VULGAR,
    after,
    before,
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
_SET_FRACTIONS = {"24/7": "twenty-four seven", "9/11": "nine eleven", "50/50": "fifty fifty"}


def _ordinal(match: re.Match[str]) -> str | None:
    text = match["number"].replace(",", "")
    last = "th" if text[-2:-1] == "1" else {"1": "st", "2": "nd", "3": "rd"}.get(text[-1], "th")
    if match["ending"].lower() != last:
        return None
    return ordinal(text) + ("s" if match["many"] else "")


def _fraction(match: re.Match[str]) -> str | None:
    text = match[0].rstrip("dhnrst")
    if text in _SET_FRACTIONS:
        return _SET_FRACTIONS[text]
    whole, top, bottom = match["whole"], int(match["top"]), int(match["bottom"])
    if not bottom:
        return None
    if whole is not None:
        if not 0 < top < bottom:
            return None
        return quantity(text)
    if top == bottom:
        return f"{cardinal(match['top'])} {cardinal(match['bottom'])}"
    if (
        re.search(r"\b(?:[Oo]n|by|until|before|after|since|due|dated) $", before(match, 8))
        and bottom > 10
        and valid(top, bottom)
    ):
        return f"{MONTHS[top - 1]} {ordinal(match['bottom'])}"
    rated = after(match, 6) == " stars" or after(match, 5) == " star"
    if (bottom in (10, 100) and 1 < top < bottom) or rated:
        return f"{cardinal(match['top'])} out of {cardinal(match['bottom'])}"
    if top < bottom or bottom <= 10:
        return fraction(top, bottom)
    return f"{cardinal(match['top'])} over {cardinal(match['bottom'])}"


def _vulgar(match: re.Match[str]) -> str:
    return quantity(match[0])


def _range(match: re.Match[str]) -> str | None:
    first, last = match["first"], match["last"]
    if match["mark"] == "-" and (
        after(match, 2).lstrip(" ")[:1] == "=" or (match["space"] and not _ascending(first, last))
    ):
        return f"{number(first)} minus {number(last)}"
    low, high = number(first), number(last)
    sign = "minus " if match["sign"] else ""
    magnitude = match["magnitude"]
    tail = f" {_MAGNITUDES[magnitude.lower()]}" if magnitude else ""
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
    suffix, amount = match["suffix"], match["amount"]
    plus = " plus" if match["plus"] else ""
    if suffix in "MBT" and len(amount) < 4 and _NAME.search(before(match)):
        return f"{number(amount)} {suffix}{plus}"  # a room, a seat, a model
    if suffix == "K" and len(amount) == 1:
        return f"{number(amount)} K{plus}"
    return f"{signed(match['sign'])}{number(amount)} {_MAGNITUDES[suffix.lower()]}{plus}"


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
        return f"{number(match['amount'])} times"
    return f"{number(match['amount'])} x"


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
    return [Edit(match.start("number"), match.end(), cardinal(match["number"]) + ".")]


def _continental(match: re.Match[str]) -> str:
    """ "1.234,56", as the European continent writes it."""
    return number(match[0].replace(".", "").replace(",", "."))


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
    r"nd)?(?![\w/]|[.,:]\d)"
)
_VULGAR_RULE = re.compile(rf"(?<!\w)(?:\d{{1,4}} ?)?[{VULGAR}](?!\w)")
_RANGE = re.compile(
    rf"{_START}{_SIGN}(?P<first>{NUMBER})(?P<space> ?)(?P<mark>[-\u2013\u2014]) ?(?P<last>{NUMBER})"
    rf"(?P<magnitude>[kKMB]|bn)?(?![\w]|[-\u2013/:]\d|[.,]\d)"
)
_SCORE = re.compile(r"(?<![\w.,/-])\d{1,2}(?:[-\u2013]\d{1,2}){2,6}(?![\w/]|[-.,:]\d)")
_RATIO = re.compile(r"(?<![\w.,:/])\d{1,5}(?:\.\d{1,3})?(?: ?: ?\d{1,5}(?:\.\d{1,3})?){1,3}(?![\w:/]|[.,]\d)")
_MAGNITUDE = re.compile(rf"{_START}{_SIGN}(?P<amount>{NUMBER})(?P<suffix>[kKMBT]|bn|mn)(?P<plus>\+)?(?!\w)")
_TIMES_AS = re.compile(rf"{_START}(?P<amount>{NUMBER})[x\u00d7](?!\w)")
_DOTTED = re.compile(r"(?<![\w.,])(?P<v>[vV]\.? ?)?(?P<number>\d{1,6}(?:\.\d{1,6}){1,4})(?![\w]|[.,]\d)")
_NUMBER_RULE = re.compile(
    rf"(?<![\w])(?<!\d[.,:/])(?<![^\W\d]\.){_SIGN}(?P<number>{NUMBER}|\d+|\.\d{{1,15}})(?:(?P<plus>\+)"
    rf"(?!\w)|(?P<many>'?s)(?!\w))?(?![\w])"
)
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+")
_SPACED = re.compile(r"(?<![\w.,])(?<!\d )\d{1,3}(?:(?: \d{3}){2,4}| 000)(?![\w]|[.,]\d| \d)")
_CONTINENTAL = re.compile(r"(?<![\w.,])\d{1,3}(?:\.\d{3}){1,4},\d{1,2}(?![\w]|[.,]\d)")
_SEPARATE = re.compile(r"(?<![\w.,])\d{1,4}(?:,\d{1,4}){1,40}(?![\w.,]\d|\w)")


def _version_rule(match: re.Match[str]) -> str | None:
    if match["v"] is None and match["number"].count(".") < 2:
        return None
    return _dotted(match)


#: Before units and dates are tried.
FIRST_RULES = (Rule(_ITEM, _item, "0"), Rule(_DOTTED, _version_rule, "."))
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
_SHORT_YEAR = re.compile(r"(?<![\w'\u2019])['\u2019](\d\d)(?![\w'\u2019%]|[.,:/]\d)")


def _short_year(match: re.Match[str]) -> str:
    """ "'69", "'05"."""
    return pairs(match[1])


LAST_RULES = (
    Rule(_SHORT_YEAR, _short_year, "'\u2019"),
    Rule(_SPACED, _spaced, " "),
    Rule(_CONTINENTAL, _continental, ","),
    Rule(_SEPARATE, _separate, ","),
    Rule(_NUMBER_RULE, _number, "0"),
)
