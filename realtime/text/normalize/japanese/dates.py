"""Dates and times of the day in Japanese: in katakana, or in digits and kanji where the text has kanji."""

from __future__ import annotations

import re

from realtime.text.normalize.base import Rule
from realtime.text.normalize.east_asian import patterns
from realtime.text.normalize.east_asian.patterns import FRESH
from realtime.text.normalize.east_asian.shared import is_date, parts, times
from realtime.text.normalize.japanese import numbers
from realtime.text.normalize.japanese.everyday import in_kanji
from realtime.text.normalize.japanese.numbers import day, month, year
from realtime.text.spans import Edit

_WEEKDAYS = {
    "月": "ゲツヨービ",
    "火": "カヨービ",
    "水": "スイヨービ",
    "木": "モクヨービ",
    "金": "キンヨービ",
    "土": "ドヨービ",
    "日": "ニチヨービ",
    "祝": "シュクジツ",
}
_WEEKDAY = "[(\uff08](?:[月火水木金土日]|祝)[)\uff09]"


def _day(match: re.Match[str]) -> str:
    """A day of a month in digits, as the dictionary reads it."""
    return f"{int(match['day'])}日"


def clock(match: re.Match[str]) -> str | list[Edit] | None:
    """A time of the day, or two."""
    if not in_kanji(match):
        return times(match, numbers.clock, "から", ("ゴゼン ", "ゴゴ "))

    def written(hour: str, minute: str, second: str | None) -> str:
        said = "レージ" if not int(hour) else f"{int(hour)}時"
        said += f"{int(minute)}分" if int(minute) or second is not None else ""
        return said if second is None else f"{said}{int(second)}秒"

    return times(match, written, "から", ("午前", "午後"))


def _date(match: re.Match[str]) -> list[Edit] | None:
    if not is_date(match):
        return None
    months, days = month(int(match["month"])) + " ", day(int(match["day"]))
    if in_kanji(match):
        return parts(
            match, ("year", match["year"] + "年"), ("month", f"{int(match['month'])}月"), ("day", _day(match))
        )
    return parts(match, ("year", year(match["year"]) + " "), ("month", months), ("day", days))


def _month(match: re.Match[str]) -> list[Edit]:
    if in_kanji(match):
        return parts(match, ("year", match["year"] + "年"), ("month", f"{int(match['month'])}月"))
    return parts(match, ("year", year(match["year"]) + " "), ("month", month(int(match["month"]))))


def _days(match: re.Match[str]) -> list[Edit]:
    months, days = (int(match["month"]), int(match["month2"])), (int(match["day"]), int(match["day2"]))
    if in_kanji(match):
        first, last = (f"{each}月{which}日" for each, which in zip(months, days, strict=True))
    else:
        first, last = (f"{month(each)} {day(which)}" for each, which in zip(months, days, strict=True))
    return parts(match, ("month", first + "から"), ("month2", last))


def _month_day(match: re.Match[str]) -> list[Edit] | None:
    months, days = int(match["month"]), int(match["day"])
    if not (1 <= months <= 12 and 1 <= days <= 31):
        return None
    weekday = match["weekday"][1]
    named = "祝日" if weekday == "祝" else weekday + "曜日"
    return parts(match, ("month", f"{months}月"), ("day", _day(match)), ("weekday", named))


def _first_day(match: re.Match[str]) -> list[Edit]:
    return parts(match, ("day", "ツイタチ "), ("weekday", _WEEKDAYS[match["weekday"][1]]))


def date_rules() -> list[Rule]:
    """Days and months, with a year and without."""
    return [
        Rule(patterns.DATE, _date, "0"),
        Rule(patterns.ISO_TIME, lambda match: " ", "T"),
        Rule(re.compile("(?<![0-9])0(?=[1-9][月日時分秒])"), lambda match: "", "0"),
        Rule(patterns.YEAR_MONTH, _month, "-/"),
        Rule(patterns.DAYS, _days, "/"),
        Rule(
            re.compile(rf"{FRESH}(?P<month>[0-9]{{1,2}})/(?P<day>[0-9]{{1,2}})(?P<weekday>{_WEEKDAY})"),
            _month_day,
            "/",
        ),
    ]


def reading_rules() -> list[Rule]:
    """What the dictionary of the voice would read wrong: 0時, 1日(月)."""
    return [
        Rule(re.compile("(?<![0-9])0時(?!間)"), lambda match: "レージ", "時"),
        Rule(
            re.compile("(?<![0-9月])(?P<day>1日)(?P<weekday>" + _WEEKDAY + ")"),
            _first_day,
            "日",
        ),
    ]
