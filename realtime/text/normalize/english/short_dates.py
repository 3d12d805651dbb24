"""Short dates in English: "on 3/15", "12/25", "FY2025", "2025-W03", "the 3rd c. BC"."""

from __future__ import annotations

import re

from realtime.text.normalize.base import Rule
from realtime.text.normalize.english.dates import MONTHS, valid
from realtime.text.normalize.english.matches import after, before, closes
from realtime.text.normalize.english.words import cardinal, letters, ordinal, pairs, year
from realtime.text.spans import Edit

_CENTURY = re.compile(
    r"(?:(?<=\dst )|(?<=\dnd )|(?<=\drd )|(?<=\dth ))c\.(?: (?P<era>BCE?|CE|AD)(?!\w|\.\w))?"
)
_WEEK = re.compile(r"(?<![\w.-])(?P<year>[12]\d{3})-?W(?P<week>[0-5]\d)(?:-(?P<day>[1-7]))?(?![\w-])")
_FISCAL = re.compile(r"(?<!\w)FY[ '\u2019-]?(?P<year>(?:19|20)\d\d|\d\d)(?![\w-]|[.,/]\d)")


def _week(match: re.Match[str]) -> str:
    """ "2025-W03", as ISO 8601 counts weeks."""
    day = f" day {cardinal(match['day'])}" if match["day"] else ""
    return f"{year(match['year'])} week {cardinal(str(int(match['week'])))}{day}"


def _fiscal(match: re.Match[str]) -> str:
    """ "FY2025", "FY25"."""
    text = match["year"]
    return f"fiscal year {year(text) if len(text) == 4 else pairs(text)}"


_SHORT_DATE = re.compile(r"(?<![\w.,/:$-])(?P<month>\d{1,2})/(?P<day>\d{1,2})(?![\w/%]|[.,:]\d)(?! of\b)")
_BEFORE_DATE = re.compile(
    r"\b(?:(?P<word>[Oo]n|[Bb]y|[Uu]ntil|[Bb]efore|[Aa]fter|[Ss]ince|[Dd]ue|[Dd]ated|[Ff]rom|[Tt]o"
    r"|[Tt]hrough|"
    r"[Ss]tarting|[Ee]nding|[Ee]ffective|[Ee]xpires|"
    r"(?:[Bb]-?day|[Bb]irthday|[Dd]ate|[Dd]eadline|[Aa]nniversary|[Ww]edding) is)|(?:Mon|Tues?|Wednes"
    r"|Thur?s?|Fri|Satur|Sun)(?:day"
    r"|\.)?,?|Wed\.?,?|"
    r"Sat\.?,?) $"
)
_FRACTIONS = frozenset((2, 3, 4, 5, 6, 8, 10))
#: Into so many parts hardly anything is divided.
_NO_BOTTOMS = frozenset((13, 14, 15, 17, 18, 19, 21, 22, 23, 26, 27, 28, 29, 31))
_FRACTION_WORD = re.compile(
    r"(?:[Ff]raction|[Rr]atio|[Oo]dds|[Pp]robability|[Cc]hance|=|[Ss]cored?|[+*]|got)\b.{0,8}$|[=+*] $"
)
_TEN_BOTTOMS = frozenset((16, 20, 32))


def _short_date(match: re.Match[str]) -> list[Edit] | None:
    """ "on 3/15", "Sat 3/7", "12/25": a month and a day, where they are no fraction."""
    month, day = int(match["month"]), int(match["day"])
    context = _BEFORE_DATE.search(before(match, 12))
    word = (context["word"] or "").lower() if context else ""
    if not valid(month, day) or (month, day) == (9, 11):
        return None
    named = context is not None and not word
    holiday = (month, day) in ((12, 25), (12, 24), (12, 31), (10, 31))
    padded = "0" in (match["month"][0], match["day"][0])
    rare = day in _NO_BOTTOMS and not _FRACTION_WORD.search(before(match, 24))
    if not (named or holiday or padded or rare):
        if context is None or (word in ("to", "by", "from", "through") and month < day and day in _FRACTIONS):
            return None
        if word in ("to", "by", "before", "after", "through") and (month < day and day in _TEN_BOTTOMS):
            return None
        if word in ("since", "to") and month == day:
            return None
    return [Edit(match.start("month"), match.end("day"), f"{MONTHS[month - 1]} {ordinal(str(day))}")]


def _century(match: re.Match[str]) -> str:
    """ "the 3rd c. BC"."""
    if match["era"] is None:
        return "century" + ("." if closes(match) else "")
    era = letters(match["era"])
    return f"century {era[:-1] if after(match, 1) == '.' else era}"


#: Before the other rules for dates.
RULES = (
    Rule(_WEEK, _week, "W"),
    Rule(_FISCAL, _fiscal, "F"),
    Rule(_CENTURY, _century, "c"),
    Rule(_SHORT_DATE, _short_date, "/"),
)
