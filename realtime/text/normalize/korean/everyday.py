"""What is said in Korean of everyday life: sheets, floors, how often, historic days, sums in won."""

from __future__ import annotations

import re

from realtime.text.normalize.base import Rule
from realtime.text.normalize.east_asian import patterns
from realtime.text.normalize.east_asian.names import name
from realtime.text.normalize.east_asian.patterns import DASH, DASHES, FRESH, NUMBER
from realtime.text.normalize.east_asian.shared import parts, pressure
from realtime.text.normalize.korean.numbers import counted, digits, month, sino
from realtime.text.spans import Edit

_WEEKDAYS = "[월화수목금토일]"
# What stands behind a number with decimals and is counted by it; particles are not.
_COUNTED = re.compile("[원배점도초분세인회평급톤명개](?![은는이가을를과와])")


_LOANS = re.compile(
    "포인트|라운드|페이지|퍼센트|달러|유로|위안|센티|밀리|미터|킬로|그램|리터|인치|칼로리|와트|볼트|배럴|온스|바이트|픽셀"
)


def _after(words: str) -> str:
    """Pattern: one of some words and a space stand before."""
    return "(?:" + "|".join(f"(?<={word} )" for word in words.split()) + ")"


_OFTEN = _after("하루에 주일에 달에 년에 총 하루 매일 주 주일 최대 최소 모두 약 벌써")
_SHEETS = _after("종이 용지 사진 티켓 표 카드 그림 짜리 이미지 문서 사본 슬라이드 접시 수건 마스크")
_MACHINES = _after("차 컴퓨터 노트북 버스 트럭 택시 비행기 자전거 서버 카메라 냉장고 에어컨 피아노 휴대폰 TV")


def number(match: re.Match[str]) -> str:
    """Any number; what is counted by one with decimals is set apart from it: "십이 점 오 포인트"."""
    written = match["number"]
    end = match.end()
    apart = _LOANS.match(match.string, end) or ("." in written and _COUNTED.match(match.string, end))
    return ("마이너스 " if match.group()[0] == "-" else "") + sino(written) + (" " if apart else "")


def _frost(match: re.Match[str]) -> list[Edit]:
    return [Edit(match.start("number") - 1, match.end(), f"영하 {sino(match['number'])} ")]


def _down(match: re.Match[str]) -> str | None:
    first, last = match["first"], match["last"]
    if int(first) <= int(last) or (last[0] == "0" and last != "0"):
        return None
    return f"{sino(first)} 대 {sino(last)}"


def _power(match: re.Match[str]) -> str:
    if match["raised"]:
        return " 제곱" if match["raised"] == "\u00b2" else " 세제곱"
    return f"의 {sino(match['power'])}제곱"


def _pressure(match: re.Match[str]) -> str:
    high, low = pressure(match)
    return f"{sino(high)}에 {sino(low)}" + (" 밀리미터에이치지" if match["unit"] else "")


def _floor(match: re.Match[str]) -> str:
    return ("지하 " if match["below"] else "") + sino(match["floor"]) + "층"


def _neighbours(match: re.Match[str]) -> str | None:
    """Two neighbouring Sino-Korean numbers: "3~4분" is "삼사 분"."""
    first, last = match["first"], match["last"]
    return f"{sino(first)}{sino(last)} " if int(last) == int(first) + 1 else None


def _day(match: re.Match[str]) -> list[Edit]:
    months, days = month(int(match["month"])) + " ", sino(match["day"]) + "일"
    return parts(match, ("month", months), ("day", days), ("week", f" {match['week'][1]}요일"))


def _days(match: re.Match[str]) -> list[Edit]:
    first = f"{month(int(match['month']))} {sino(match['day'])}일에서 "
    return parts(
        match, ("month", first), ("month2", f"{month(int(match['month2']))} {sino(match['day2'])}일")
    )


def _won(match: re.Match[str]) -> str:
    """A sum in won; its particle goes by "원", not by how the sum is written."""
    particle = {"를": "을", "는": "은", "가": "이", "와": "과"}[match["particle"]]
    return f"{sino(match['number'])}{match['scale']} 원{particle}"


def _historic(match: re.Match[str]) -> str:
    """A day of history, "6.25"."""
    days = match.group().split(".")
    return "".join(sino(part) if len(days[0]) == 2 else digits(part) for part in days)


def _hours(match: re.Match[str]) -> str:
    return f"{counted(match['hours'], '시간')} 시간 {sino(str(int(match['minutes'])))}분"


def _times(match: re.Match[str]) -> str:
    return counted(next(group for group in match.groups() if group), "번") + " "


def before_units() -> list[Rule]:
    """Rules that go before those of money, percent and units."""
    return [
        Rule(patterns.ISO_TIME, lambda match: " ", "T"),
        Rule(patterns.DAYS, _days, "/"),
        Rule(re.compile("(?<![0-9])0(?=[1-57-9]월|[1-9][일시분초])"), lambda match: "", "0"),
        Rule(
            re.compile(
                rf"{FRESH}(?P<month>[1-9]|1[0-2])/(?P<day>[1-9]|[12][0-9]|3[01])(?P<week>\({_WEEKDAYS}\))"
            ),
            _day,
            "/",
        ),
        Rule(re.compile(rf"(?<=일) ?\((?P<week>{_WEEKDAYS})\)"), lambda match: f" {match['week']}요일", "("),
        Rule(
            re.compile(
                r"(?<![0-9.])(?:3\.1(?= ?(?:절|운동|만세))|(?:4\.19|5\.18|6\.25|8\.15|12\.12)"
                r"(?= ?(?:운동|혁명|민주|전쟁|사변|참전|동란|광복|사태|기념)))"
            ),
            _historic,
            ".",
        ),
        Rule(
            re.compile(
                rf"{FRESH}[0-9]{{1,3}}-[0-9]{{1,3}}"
                "(?=(?:으)?로 [^,.0-9]{0,15}(?:이[겼기긴]|승|패|졌|지고|앞[섰서선]|꺾|역전|비[겼기긴]))"
            ),
            lambda match: " 대 ".join(map(sino, match.group().split("-"))),
            "-",
        ),
        Rule(patterns.PRESSURE, _pressure, "/"),
        Rule(
            re.compile(
                rf"\u20a9 ?(?P<number>{NUMBER})(?P<scale>[만억조천]?)(?P<particle>[를는가와])(?![가-힣])"
            ),
            _won,
            "\u20a9",
        ),
        Rule(patterns.HOURS, _hours, "h"),
        Rule(
            re.compile(f"(?:(?<=온은 )|(?<=온이 )|(?<=온 ))-(?P<number>{NUMBER}) ?(?=도(?:[^로]|$))"),
            _frost,
            "-",
        ),
    ]


def after_units() -> list[Rule]:
    """Rules that go after those of money, percent and units, and before those of ranges and counters."""
    return [
        Rule(
            patterns.SCALED_UNIT,
            lambda match: " " + name(match["unit"], 2).rpartition("|")[2],
            "만억천조",
        ),
        Rule(
            re.compile(
                rf"{FRESH}(?<!-)(?P<first>[1-8]){DASH}(?P<last>[2-9]) ?"
                "(?=분(?!의)|초|일(?!반)|주|개월|년|회|인분|박)"
            ),
            _neighbours,
            DASHES,
        ),
        Rule(patterns.LESS, lambda match: " 빼기 ", "-"),
        Rule(patterns.DOWN, _down, "-"),
        Rule(patterns.POWER, _power, "\u00b2\u00b3^"),
        Rule(patterns.ROOT, lambda match: "루트 ", "\u221a"),
        Rule(
            re.compile(
                rf"{FRESH}{_OFTEN}(?P<number>[0-9]{{1,2}}) ?(?=번)"
                rf"|{FRESH}(?P<times>[0-9]{{1,2}}) ?"
                "(?=번 ?(?:더|이나|씩|연속|반복|정도|이상|이하|만에|복용|시도|클릭))"
                rf"|{FRESH}{_SHEETS}(?P<sheets>[0-9]{{1,2}}) ?(?=장)"
                rf"|{FRESH}{_MACHINES}(?P<machines>[0-9]{{1,2}}) ?(?=대(?!의))"
            ),
            _times,
            "번장대",
        ),
        Rule(
            re.compile(f"{FRESH}[1-9]0(?=대(?: |[,.]|[초중후](?:반|$)|[의는가에]|$))"),
            lambda match: sino(match.group()),
            "대",
        ),
        Rule(
            re.compile("(?<![0-9])1(?:12|14|19)(?=에 |로 |번| ?신고)"),
            lambda match: digits(match.group()),
            "0",
        ),
        Rule(
            re.compile("(?<=[0-9]초)[0-9]{2}(?![0-9초분])"), lambda match: " " + digits(match.group()), "초"
        ),
        Rule(re.compile("(?<![0-9A-Za-z])(?P<below>B)?(?P<floor>[1-9][0-9]?)F(?![0-9A-Za-z])"), _floor, "F"),
        Rule(re.compile("(?<=[가-힣])/(?=[가-힣0-9])"), lambda match: " ", "/"),
    ]
