"""Dates, years and decades in English."""

from __future__ import annotations

import re

from realtime.text.normalize.base import Rule
from realtime.text.normalize.english.matches import FUNCTION_WORDS, after, at, before, closes
from realtime.text.normalize.english.words import cardinal, ordinal, pairs, plural, year
from realtime.text.spans import Edit

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_SHORT = {month[:3]: month for month in MONTHS} | {"Sept": "September"}
_WEEKDAYS = {
    "Mon": "Monday",
    "Tue": "Tuesday",
    "Tues": "Tuesday",
    "Wed": "Wednesday",
    "Thu": "Thursday",
    "Thur": "Thursday",
    "Thurs": "Thursday",
    "Fri": "Friday",
    "Sat": "Saturday",
    "Sun": "Sunday",
}
_FULL = "|".join(MONTHS)
MONTH = rf"(?:(?:{_FULL})(?![a-z])|(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)(?![a-z])\.?)"


def month_name(text: str) -> str:
    """The whole name of a month that is perhaps cut short: "Jan." """
    bare = text.rstrip(".")
    return _SHORT.get(bare, bare)


def valid(month: int, day: int) -> bool:
    """Whether a month has such a day in some year."""
    return 1 <= month <= 12 and 1 <= day <= (29 if month == 2 else 30 if month in (4, 6, 9, 11) else 31)


def full_year(text: str) -> str:
    """The words of a year of two digits ("24" is 2024, "98" is 1998) or of four."""
    if len(text) == 2:
        text = ("20" if int(text) < 50 else "19") + text
    return year(text)


def written_date(month: int, day: int, year_text: str) -> str:
    """A date in the American order: "January fifteenth, twenty twenty-four"."""
    return f"{MONTHS[month - 1]} {ordinal(str(day))}, {full_year(year_text)}"


def _iso(match: re.Match[str]) -> str:
    month, day = int(match["month"]), int(match["day"])
    if not valid(month, day):  # some other number in groups
        return ", ".join(pairs(match[group]) for group in ("year", "month", "day")) + (
            " " if match["time"] else ""
        )
    return written_date(month, day, match["year"]) + (", " if match["time"] else "")


def _numeric(match: re.Match[str]) -> str | None:
    """With strokes, dots or hyphens: month first, unless only the day can come first or dots say so."""
    first, second, mark = int(match["first"]), int(match["second"]), match["mark"]
    if mark != "." and valid(first, second):
        return written_date(first, second, match["year"])
    if valid(second, first):
        return f"the {ordinal(str(first))} of {MONTHS[second - 1]}, {full_year(match['year'])}"
    return None


def _month(match: re.Match[str]) -> list[Edit]:
    written, name = match["month"], month_name(match["month"])
    if written == name:
        return []
    ends_here = written.endswith(".") and match.end("month") == match.end() and closes(match)
    return [at(match, "month", name + ("." if ends_here else ""))]


def _its_year(match: re.Match[str]) -> list[Edit]:
    if match.groupdict().get("short"):
        return [Edit(match.start("short") - 1, match.end("short"), pairs(match["short"]))]
    return [at(match, "year", year(match["year"]))] if match["year"] else []


def _days(match: re.Match[str]) -> str | None:
    """A day of a month, or some days: "fifth", "fifth to seventh"."""
    day, upto = int(match["day"]), match["upto"]
    if not 1 <= day <= 31 or (upto and not day < int(upto) <= 31):
        return None
    return ordinal(str(day)) + (f" to {ordinal(upto)}" if upto else "")


def _month_day(match: re.Match[str]) -> list[Edit] | None:
    said = _days(match)
    if said is None or after(match, 7) == " people":
        return None
    if match["the"] and match["month"] not in MONTHS:
        return None  # what "Jan" is must not depend on so late a word
    return [*_month(match), Edit(match.start("day"), match.end("days"), said), *_its_year(match)]


_BEFORE_DAY = re.compile(
    r"(?:\d(?:st|nd|rd|th)(?:,| &| and| or|, and)|[Tt]he|[Mm]on|[Tt]ues|[Ww]ednes|[Tt]hurs|[Ff]ri"
    r"|[Ss]atur|[Ss]un) $"
)


def _day_month(match: re.Match[str]) -> list[Edit] | None:
    said = _days(match)
    if said is None:
        return None
    if match["of"] and match["days"].isdecimal():
        return None  # "4 of July": "of" came too early to tell what follows
    article = "" if match["of"] or _BEFORE_DAY.search(before(match, 10)) else "the "
    of = "" if match["of"] else " of"
    days = Edit(match.start("day"), match.end("days"), article + said + of)
    return [days, *_month(match), *_its_year(match)]


def _month_year(match: re.Match[str]) -> list[Edit]:
    return [*_month(match), *_its_year(match)]


def _month_alone(match: re.Match[str]) -> str:
    return month_name(match["month"]) + ("." if closes(match) else "")


def _months(match: re.Match[str]) -> str:
    """ "Jan-Mar"."""
    said = f"{month_name(match['first'])} to {month_name(match['last'])}"
    return said + ("." if match["dot"] and closes(match) else "")


def _weekday(match: re.Match[str]) -> str | None:
    name, dot, upto = match["day"], match["dot"], match["upto"]
    if upto is not None:
        return f"{_WEEKDAYS[name]} to {_WEEKDAYS[upto]}" + ("." if match["dot2"] and closes(match) else "")
    if not dot and re.match(r": [\dA-Z]", after(match, 3)):
        return _WEEKDAYS[name]
    if not dot and not re.match(r",? (?:\d|[A-Z])|[-\u2013](?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)", after(match, 8)):
        return None
    if (
        not dot
        and name in ("Sun", "Sat", "Wed")
        and not re.match(rf",? (?:{MONTH}|\d)|[-\u2013]", after(match, 14))
    ):
        return None
    if (
        dot
        and name in ("Sun", "Sat")
        and not re.match(r",|[-\u2013]| (?:\d|at|night|morning|afternoon|evening|[A-Z])", after(match, 12))
    ):
        return None
    return _WEEKDAYS[name] + ("." if dot and closes(match) else "")


#: After these a number is a year, whatever follows.
_SURE_YEAR = re.compile(
    rf"(?:\b(?:{MONTH}|[Yy]ear|[Yy]ear of|[Cc]lass of|FY|Q[1-4]|[Ss]pring|[Ss]ummer|[Aa]utumn|[Ww]inter|"
    r"[Cc]opyright),? |\u00a9 ?|mid-|early-|late-)$"
)
#: After these it is one if it counts nothing, and is not too round.
_BEFORE_YEAR = re.compile(
    r"\b(?:[Ii]n|[Ss]ince|[Bb]y|[Ff]rom|[Uu]ntil|[Tt]ill?|[Bb]efore|[Aa]fter|[Dd]uring|[Aa]round|[Cc]irca|"
    r"ca?\.|"
    r"early|late|mid|[Yy]ears|[Ff]all|b\.|d\.|born|died|founded|established|est\.|[A-Z][a-z]{2,20} of|"
    r"(?:summer|spring|autumn|winter|fall|end|beginning|events|revolution|battle|treaty|siege|act|crisis|"
    r"crash|"
    r"election|fire|war|constitution|declaration|vintage) of|"
    r"(?:1[1-9]|20)\d\d(?: and| or| to|,)),? $"
)
_COUNTED = re.compile(r" ([a-z]{3,20})(?!\w|\.\w)")
_NOT_COUNTED = frozenset(
    "was has does its this always perhaps sometimes afterwards towards across besides various plus less as "
    "is".split()
)
_COUNTABLE = frozenset("people men women children feet percent dollars mph rpm kilometers".split())
_CAPITAL = re.compile(" [A-Z][a-z]")
_NUMBERED = re.compile(
    r"(?:[Rr]oom|[Pp]ort|[Pp]age|[Ll]ine|[Nn]umber|[Mm]odel|[Vv]ersion|x|=|over|nearly|exactly|"
    r"least|most) $"
)


def _counted(match: re.Match[str]) -> bool:
    following = _COUNTED.match(match.string, match.end())
    if following is None:
        return False
    word = following[1]
    return word in _COUNTABLE or (
        word.endswith("s")
        and not word.endswith("ss")
        and word not in _NOT_COUNTED
        and word not in FUNCTION_WORDS
    )


def _year(match: re.Match[str]) -> str | None:
    """A number of four digits, if it is a year.

    Anything from 1000 after a word that asks for a year; from 1900 to 2099 also without one, unless it counts
    something ("1950 people").
    """
    value, left = int(match[0]), before(match)
    recent = 1900 <= value <= 2099
    if _SURE_YEAR.search(left):
        return year(match[0])
    counts = _counted(match)
    if _BEFORE_YEAR.search(left):
        exact = value % 100 and value != 2048
        asked = value < 2200 and (not counts or (exact and (recent or left.endswith(("In ", "Since ")))))
        return year(match[0]) if asked else None
    the = left.endswith(("the ", "The "))
    if the and value >= 1100 and _CAPITAL.match(match.string, match.end()):
        return year(match[0])
    if recent and (the or not counts) and not _NUMBERED.search(left):
        return year(match[0])
    return None


def _era(match: re.Match[str]) -> list[Edit]:
    """ "44 BC", "AD 79", "500-400 BCE"."""
    edits = [at(match, "first", _era_year(match["first"]))]
    if match["upto"]:
        edits = [
            Edit(
                match.start("first"),
                match.end("upto"),
                f"{_era_year(match['first'])} to {_era_year(match['upto'])}",
            )
        ]
    era = match["era"].replace(".", "")
    dots = match["era"].endswith(".")
    if closes(match) and not dots:
        return [*edits, at(match, "era", ".".join(era) + ".")]
    return [
        *edits,
        at(match, "era", ".".join(era) + ("" if match.string[match.end() : match.end() + 1] == "." else ".")),
    ]


def _era_year(text: str) -> str:
    return year(text) if len(text) == 4 else cardinal(text)


def _ad(match: re.Match[str]) -> list[Edit]:
    return [at(match, "era", "A.D."), at(match, "year", _era_year(match["year"]))]


def _years(match: re.Match[str]) -> str | None:
    """A range of years: "1990-1995", "1990-95", "2019/20"."""
    first, last = match["first"], match["last"]
    if len(last) == 2:
        if not int(first[2:]) < int(last) or (match["mark"] == "/" and int(last) != int(first[2:]) + 1):
            return None
        joint = " " if match["mark"] == "/" else " to "
        return f"{year(first)}{joint}{cardinal(last) if last[0] != '0' else 'oh ' + cardinal(last[1])}"
    if not int(first) < int(last) <= 2199 or (match["mark"] == "/" and int(last) != int(first) + 1):
        return None
    lifetime = before(match, 1) == "(" and int(first) >= 1000 and int(last) - int(first) < 120
    if int(first) < 1600 and not lifetime and not _BEFORE_YEAR.search(before(match)):
        return None
    return f"{year(first)}{' ' if match['mark'] == '/' else ' to '}{year(last)}"


def _decade(match: re.Match[str]) -> str | None:
    said = _one_decade(match)
    return f"{said} to {plural(year(match['upto']))}" if said and match["upto"] else said


def _one_decade(match: re.Match[str]) -> str | None:
    century, decade = match["century"], match["decade"]
    if century is None:
        if not match["quote"] and not re.search(
            r"(?:[Tt]he|[Ee]arly|[Ll]ate|[Mm]id|[Hh]is|[Hh]er|[Tt]heir|[Mm]y|[Oo]ur|[Yy]our|[Ii]ts|\d0s "
            r"(?:and|or|to))[ -]$",
            before(match, 8),
        ):
            return None
        return plural(cardinal(decade))
    if (century, decade) == ("10", "00") and after(match, 3) == " of":
        return "thousands"
    return plural(year(century + decade))


_ISO = re.compile(
    r"(?<![\w.-])(?P<year>[12]\d{3})(?P<mark>[-/.])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})"
    r"(?:(?P<time>[T ])(?=\d\d:\d\d)|(?![\w-]|[/.]\d))"
)
_NUMERIC = re.compile(
    r"(?<![\w.,/-])(?P<first>\d{1,2})(?P<mark>[/.-])(?P<second>\d{1,2})(?P=mark)(?P<year>[12]\d{3}|"
    r"(?<=[/])\d{2})(?![\w/-]|\.\d)"
)
_DATES = re.compile(r"(?:(?<=/\d\d)|(?<=/\d{4}))[\u2013\u2014](?=\d{1,2}/\d{1,2}/\d)")
_DAYS = r"(?P<days>(?P<day>\d{1,2})(?:st|nd|rd|th)?(?: ?[-\u2013] ?(?P<upto>\d{1,2})(?:st|nd|rd|th)?)?)"
_MONTH_DAY = re.compile(
    rf"\b(?P<month>{MONTH}) (?P<the>the )?{_DAYS}(?![\w:/%]|[.,]\d| ?[ap]\.?m\b)(?:,? (?P<year>[12]\d{{3}})"
    rf"(?!\w|[.,:]\d))?"
)
_DAY_MONTH = re.compile(
    rf"(?<![\w.,:/$-]){_DAYS} (?P<of>of )?(?P<month>{MONTH})(?:,? (?P<year>[12]\d{{3}})(?!\w|[.,:]\d))?(?!\w)"
)
_MONTH_YEAR = re.compile(
    rf"\b(?P<month>{MONTH}),? (?:(?P<year>[12]\d{{3}})|['\u2019](?P<short>\d\d))(?!\w|[.,:-]\d)"
)
_MONTH_ALONE = re.compile(r"\b(?P<month>Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\.(?!\w)")
_SHORT_MONTH = "Jan|Feb|Mar|Apr|May|June?|July?|Aug|Sept?|Oct|Nov|Dec"
_MONTHS_RANGE = re.compile(
    rf"\b(?P<first>{_SHORT_MONTH})\.?[-\u2013](?P<last>{_SHORT_MONTH})\b(?P<dot>\.)?(?!\w)"
)
_DAY_NAME = "Mon|Tues?|Wed|Thu(?:rs?)?|Fri|Sat|Sun"
_WEEKDAY = re.compile(
    rf"\b(?P<day>{_DAY_NAME})\b(?P<dot>\.)?(?: ?[-\u2013] ?(?P<upto>{_DAY_NAME})\b(?P<dot2>\.)?)?(?!\w)"
)
_YEAR = re.compile(r"(?<![\w$\u00a3\u20ac.,/:#+-])[12]\d{3}(?![\w%/\u00b0-]|[.,:]\d)")
_ERA = re.compile(
    r"(?<![\w.,])(?P<first>\d{1,3},\d{3}|\d{1,4})(?: ?[-\u2013] ?(?P<upto>\d{1,4}))? ?(?P<era>BCE?|CE|AD"
    r"|B\.C\.E\.|"
    r"B\.C\.|C\.E\.|A\.D\.)(?!\w)"
)
_AD = re.compile(r"\b(?P<era>AD|A\.D\.) (?P<year>\d{1,4})(?![\w%]|[.,]\d)")
_YEARS = re.compile(
    r"(?<![\w$\u00a3\u20ac.,/:#+-])(?P<first>[12]\d{3}) ?(?P<mark>[-\u2013\u2014/]) ?(?P<last>[12]\d{3}|"
    r"\d{2})(?![\w%/:-]|[.,]\d)"
)
_DECADE = re.compile(
    r"(?<!\w)(?P<quote>['\u2019\u2018])?(?P<century>1\d|20)?(?P<decade>\d0)'?s"
    r"(?:[-\u2013]'?(?P<upto>(?:1\d|20)?\d0)s)?(?!\w)"
)

#: How months begin.
_INITIALS = "JFMASOND"
RULES = (
    Rule(_ISO, _iso, "-/."),
    Rule(_DATES, lambda match: " to ", "\u2013\u2014"),
    Rule(_NUMERIC, _numeric, "-/."),
    Rule(_MONTH_DAY, _month_day, _INITIALS),
    Rule(_DAY_MONTH, _day_month, _INITIALS),
    Rule(_MONTHS_RANGE, _months, "-\u2013"),
    Rule(_MONTH_YEAR, _month_year, _INITIALS),
    Rule(_ERA, _era, "BCA"),
    Rule(_AD, _ad, "A"),
    Rule(_DECADE, _decade, "s"),
    Rule(_YEARS, _years, "-\u2013\u2014/"),
    Rule(_WEEKDAY, _weekday, "MTWFS"),
    Rule(_MONTH_ALONE, _month_alone, "."),
)
#: After the rules for other numbers: any four digits may be a year.
YEAR_RULE = Rule(_YEAR, _year, "0")
