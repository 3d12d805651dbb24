"""Dates and times of the day in Chinese: years digit by digit, months and days as numbers."""

from __future__ import annotations

import re

from realtime.text.normalize.base import Rule
from realtime.text.normalize.chinese.everyday import spelled
from realtime.text.normalize.chinese.numbers import count, digits, say
from realtime.text.normalize.east_asian import patterns
from realtime.text.normalize.east_asian.patterns import DASH, DASHES, FRESH
from realtime.text.normalize.east_asian.shared import is_date, parts
from realtime.text.spans import Edit


def _date(match: re.Match[str]) -> list[Edit] | None:
    if not is_date(match):
        return None
    month, day = say(int(match["month"])) + "月", say(int(match["day"])) + "日"
    return parts(match, ("year", digits(match["year"]) + "年"), ("month", month), ("day", day))


def _month(match: re.Match[str]) -> list[Edit]:
    said = say(int(match["month"])) + "月"
    return parts(match, ("year", digits(match["year"]) + "年"), ("month", said))


def _days(match: re.Match[str]) -> list[Edit]:
    first = f"{say(int(match['month']))}月{say(int(match['day']))}日到"
    return parts(
        match, ("month", first), ("month2", f"{say(int(match['month2']))}月{say(int(match['day2']))}日")
    )


def _year(match: re.Match[str]) -> str | None:
    """The digits of a year; a round number before "的历史" or "前" counts years."""
    number = match["year"]
    if not "1000" < number < "3000" or (number.endswith("00") and match["after"]):
        return None
    return digits(number)


def _years(match: re.Match[str]) -> list[Edit] | None:
    first, last = match["first"], match["last"]
    if not "1000" < first < last < "2200":
        return None
    return parts(match, ("first", digits(first) + "到"), ("last", digits(last)))


def _two(number: str) -> str:
    """Minutes or seconds, two digits."""
    return ("零" if number[0] == "0" else "") + say(int(number))


def clock(hour: str, minute: str, second: str | None) -> str:
    """A time of the day; minutes that are zero are not said."""
    said = (count(str(int(hour)))) + "点"
    if second is not None:
        return f"{said}{_two(minute)}分{_two(second)}秒"
    return said + (f"{_two(minute)}分" if int(minute) else "")


def day_rules() -> list[Rule]:
    """Days and months, with a year and without."""
    return [
        Rule(patterns.DATE, _date, "0"),
        Rule(patterns.ISO_TIME, lambda match: " ", "T"),
        Rule(re.compile("(?<![0-9])0(?=[1-9][月日号点时])"), lambda match: "", "0"),
        Rule(patterns.YEAR_MONTH, _month, "-/"),
        Rule(patterns.DAYS, _days, "/"),
        Rule(
            re.compile(rf"{FRESH}(?P<first>20[0-9]{{2}})[-/](?P<last>[0-9]{{2}})(?=赛季|学年|财年|年度)"),
            lambda match: parts(
                match, ("first", digits(match["first"]) + "到"), ("last", digits(match["last"]))
            ),
            "-/",
        ),
        Rule(re.compile("(?<=第[0-9])/(?=[0-9])"), lambda match: "、", "/"),
        Rule(
            re.compile(rf"{FRESH}[12][0-9]{{3}}(?=[、和与及至][12][0-9]{{3}}年)|{FRESH}[1-9][0-9](?=折)"),
            spelled,
            "年折",
        ),
    ]


def year_rules() -> list[Rule]:
    """Years alone, and two of them."""
    return [
        Rule(
            re.compile(
                rf"{FRESH}(?P<first>[0-9]{{4}})年?{DASH}(?P<last>[0-9]{{4}})(?![0-9A-Za-z元个万亿]|[-.,:/~][0-9])"
            ),
            _years,
            DASHES,
        ),
        Rule(
            re.compile(
                rf"{FRESH}(?<![约近逾超达满])(?P<year>[0-9]{{4}})(?=年(?P<after>的?历史|[之以]?[前后]|来|间)?)"
            ),
            _year,
            "年",
        ),
        Rule(re.compile("(?:(?<=公元)|(?<=公元前))[0-9]{3}(?=年)"), spelled, "年"),
        Rule(re.compile("(?<![0-9])(?:[5-9]0|[89]5|0[05]|10)(?=后(?![面卫退续台来果备]))"), spelled, "后"),
        Rule(re.compile("(?<![0-9])[5-9][0-9](?=年(?:出?生|毕业|入学))"), spelled, "年"),
    ]
