"""Korean: Sino-Korean numbers, and native ones before the words that ask for them.

Native numbers (한, 두, 세, 스무) stand before counters such as 개, 명, 살 and 시, up to 99; above, only what
is left over the hundreds is native, and only up to 19 (101명 백한 명). Sino-Korean ones are written together
with the word after them as orthography allows (이천이십사년), names of units and currencies are set apart.
6월 and 10월 are 유월 and 시월; 0 in telephone numbers and 007 is 공. A single digit at Latin letters is said
in English (5G 파이브 G). Before 번, 장 and 대 both kinds of number are usual, with different meanings: digits
stay there unless a neighbour tells (하루에 3번, 3번 출구).
"""

from __future__ import annotations

import re

from realtime.text.normalize.base import Reader, Rule
from realtime.text.normalize.east_asian import patterns
from realtime.text.normalize.east_asian.names import MONEY, MONEY_NEEDS, SCALES, unit_or_currency
from realtime.text.normalize.east_asian.patterns import DASH, DASHES, FRESH, NUMBER
from realtime.text.normalize.east_asian.reader import EastAsianReader
from realtime.text.normalize.east_asian.shared import (
    address,
    ascends,
    is_date,
    is_fraction,
    parts,
    phone,
    plain,
    point,
    scaled,
    times,
)
from realtime.text.normalize.korean.everyday import after_units, before_units, number
from realtime.text.normalize.korean.numbers import clock, counted, digits, month, sino
from realtime.text.spans import Edit

_ENGLISH = ("제로", "원", "투", "쓰리", "포", "파이브", "식스", "세븐", "에잇", "나인")
# Two neighbouring numbers, from the first: "2~3개" is "두세 개".
_ABOUT = ("", "한두", "두세", "서너", "네다섯", "대여섯", "예닐곱", "일고여덟")
# Words that native numbers stand before. What looks like one of them and is not stands behind it.
_COUNTERS = (
    "(?:개(?![월국년비소사])|명(?!동)|사람|살(?!롱)|시간|시(?![즌리장민도험])|마리|권(?!역)|잔(?!고)|병(?![원동])|번째|송이|그루"
    "|켤레|벌|채(?!널)|척|가지|배(?![럴치속])|달(?!러)|곳|군데|끼|쌍|줄|방울|모금|조각|그릇|접시|봉지|상자|박스|자루|포기"
    "|걸음|차례|바퀴|정거장|큰술|작은술|스푼|티스푼|숟갈|숟가락|컵|꼬집|줌|알(?![파고림])|톨|토막|캔(?!버)|팩(?!트))"
)
_COUNTER = re.compile(_COUNTERS)
_LETTERS = dict(
    zip("ABCDEFGHIJKLM", "에이 비 씨 디 이 에프 지 에이치 아이 제이 케이 엘 엠".split(), strict=True)
) | dict(zip("NOPQRSTUVWXYZ", "엔 오 피 큐 알 에스 티 유 브이 더블유 엑스 와이 제트".split(), strict=True))
_SIGNS = dict(
    zip(
        "./@-_?=&:#+%",
        "점 슬래시 골뱅이 하이픈 언더바 물음표 이퀄 앤드 콜론 샵 더하기 퍼센트".split(),
        strict=True,
    )
)
_ABOUT_SIGNS = {"\u00b1": " 플러스마이너스 ", "\u2248": " 약 ", "\u2252": " 약 "}
_MATHS = {"+": "더하기", "=": "이퀄", "\u00d7": "곱하기", "\u00f7": "나누기"}
_CENTS = {"달러": "센트", "유로": "센트", "파운드": "펜스"}


def _both(
    match: re.Match[str], unit: str, number: str = "", minus: str = "마이너스 ", joined: str = ""
) -> str | list[Edit]:
    """What is said for a match of `ranged`, the last number being `number` if given, with `joined` at it.

    A "|" in the unit stands for the number; what is before it is not said if the text says so already.
    """
    before, found, behind = unit.partition("|")
    if not found:
        before, behind = "", unit
    if before and match.string.endswith(before, 0, match.start()):
        before = ""
    last = (minus if match["minus"] else "") + sino(number or match["number"]) + joined + f" {behind}"
    if not match["first"]:
        return before + last
    first = before + (minus if match["below"] else "") + sino(match["first"]) + "에서 "
    return parts(match, ("first", first), ("minus" if match["minus"] else "number", last))


def _phone(match: re.Match[str]) -> list[Edit]:
    return phone(match, lambda group: digits(group, "공"), ", ", "플러스 ")


def _date(match: re.Match[str]) -> list[Edit] | None:
    if not is_date(match):
        return None
    months, days = month(int(match["month"])) + " ", sino(str(int(match["day"]))) + "일"
    return parts(match, ("year", sino(match["year"]) + "년 "), ("month", months), ("day", days))


def _year_month(match: re.Match[str]) -> list[Edit]:
    return parts(match, ("year", sino(match["year"]) + "년 "), ("month", month(int(match["month"]))))


def _month(match: re.Match[str]) -> list[Edit]:
    """The number of a month whose name is special; perhaps of two with a dash."""
    last = month(int(match["last"])).removesuffix("월")
    if match["first"]:
        return parts(match, ("first", month(int(match["first"])) + "에서 "), ("last", last))
    return [Edit(match.start("last"), match.end("last"), last)]


def _percent(match: re.Match[str]) -> str | list[Edit]:
    unit = "퍼센트포인트" if match["point"] else "퍼센트" if match["sign"] == "%" else "퍼밀"
    return _both(match, unit)


def _degrees(match: re.Match[str]) -> str | list[Edit]:
    sign = match["scale"][-1]
    if sign in "C\u2103":
        return _both(match, "도" if match["minus"] or match["below"] else "섭씨 |도", minus="영하 ")
    return _both(match, "화씨 |도" if sign in "F\u2109" else "도")


def _money(match: re.Match[str]) -> str | list[Edit]:
    currency = MONEY[match["before"]][2]
    scale = (match["scale"] or "").strip()
    whole, _, cents = match["number"].partition(".")
    if scale in SCALES:
        return _both(match, currency, scaled(match["number"], scale))
    if len(cents) == 2 and not scale and currency in _CENTS and not match["first"]:
        said = [f"{sino(whole)} {currency}"] if int(plain(whole)) or not int(cents) else []
        said += [f"{sino(str(int(cents)))} {_CENTS[currency]}"] if int(cents) else []
        return ("마이너스 " if match["minus"] else "") + " ".join(said)
    return _both(match, currency, joined=scale)


def _unit(match: re.Match[str]) -> str | list[Edit]:
    return _both(match, unit_or_currency(match["unit"], 2))


def _range(match: re.Match[str]) -> list[Edit] | None:
    if not ascends(match):
        return None
    return parts(match, ("first", sino(match["first"]) + "에서 "), ("last", sino(match["last"])))


def _counted_range(match: re.Match[str]) -> list[Edit] | None:
    first, last, counter = int(match["first"]), int(match["last"]), match["counter"]
    if last == first + 1 and 0 < first < len(_ABOUT):
        return [Edit(match.start(), match.end(), _ABOUT[first] + " ")]
    if match["comma"] or not ascends(match):
        return None
    front = f"{counted(match['first'], counter)} {counter}에서 "
    return parts(match, ("first", front), ("last", counted(match["last"], counter) + " "))


def _score(match: re.Match[str]) -> str:
    return " 대 ".join(sino(number) for number in re.findall("[0-9]+", match.group()))


def _fraction(match: re.Match[str]) -> str | None:
    above, below = match["above"], match["below"]
    apart = " " if _COUNTER.match(match.string, match.end()) else ""
    return f"{sino(below)}분의 {sino(above)}{apart}" if is_fraction(match) else None


def _version(match: re.Match[str]) -> str:
    numbers = match["version"].split(".")
    return " 점 ".join(sino(part) if len(part) < 3 else digits(part) for part in numbers)


def _code(match: re.Match[str]) -> str:
    """Digits after letters: one in English, two as a number, more one by one."""
    number = match["number"]
    if len(number) == 1:
        return " " + _ENGLISH[int(number)]
    return " " + (sino(number) if len(number) < 3 or "." in number else digits(number, "공"))


def _maths(match: re.Match[str]) -> str:
    sign = match.group().strip()
    before = match.string[match.start() - 1]
    if sign == "=" and before.isdigit():
        return "는 " if before in "2459" else "은 "  # the particle goes by the number's last sound
    between = before + match.string[match.end()]
    return " 플러스 " if sign == "+" and between.isalpha() else f" {_MATHS[sign]} "  # keys pressed together


def _number_rules() -> list[Rule]:
    """Numbers of points in a list, addresses, telephone numbers."""
    return [
        Rule(patterns.POINT, lambda match: sino(point(match)) + ", "),
        Rule(patterns.LATER_POINT, lambda match: f" {sino(point(match))}, "),
        Rule(patterns.ADDRESS, lambda match: address(match, _SIGNS, digits, " "), "@."),
        Rule(
            patterns.labelled(
                "전화|번호|문의|팩스|연락처|핸드폰|휴대폰|계좌", "는은가이를", "개명원년월일시번회만억"
            ),
            _phone,
            "0",
        ),
        Rule(
            re.compile(
                r"(?<![0-9A-Za-z.,+-])(?<![0-9]:)(?P<number>\+[0-9]{1,3}[ -][0-9]{1,4}(?:[ -][0-9]{2,4}){1,3}"
                r"|0[0-9]{1,3}[-. ][0-9]{3,4}[-. ][0-9]{4}|01[016789][0-9]{7,8}|1[568][0-9]{2}-[0-9]{4})"
                r"(?![0-9A-Za-z]|[.,-][0-9])"
            ),
            _phone,
            "0",
        ),
    ]


def _date_rules() -> list[Rule]:
    """Dates, times of the day, scores."""
    return [
        Rule(patterns.DATE, _date, "0"),
        *before_units(),
        Rule(patterns.YEAR_MONTH, _year_month, "-/"),
        Rule(
            re.compile(rf"{FRESH}(?:(?P<first>[1-9]|1[0-2])월?{DASH})?(?P<last>0?6|10)(?=월)"), _month, "월"
        ),
        Rule(patterns.GROUPS, _phone, "-"),
        Rule(patterns.CLOCK, lambda match: times(match, clock, "에서 ", ("오전 ", "오후 ")), ":"),
        Rule(
            re.compile(rf"{FRESH}[0-9]{{1,3}} ?대 ?[0-9]{{1,3}}(?=[로의으 ,.]|$)"),
            _score,
            "대",
        ),
        Rule(
            re.compile(f"{FRESH}(?P<month>[0-9])\u00b7(?P<day>[0-9]{{1,2}})(?![0-9])"),
            lambda match: digits(match["month"] + match["day"]),  # a day of history: "6·25"
            "\u00b7",
        ),
        Rule(patterns.RATIO, lambda match: " 대 ".join(map(sino, match["ratio"].split(":"))), ":"),
    ]


def _measure_rules() -> list[Rule]:
    """Percent, degrees, sums of money, units."""
    return [
        Rule(patterns.PERCENT, _percent, "%\u2030"),
        Rule(patterns.DEGREES, _degrees, "\u00b0\u2103\u2109"),
        Rule(patterns.SUM, _money, MONEY_NEEDS),
        Rule(patterns.MEASURED, _unit, "0"),
        *after_units(),
    ]


def _counted_rules() -> list[Rule]:
    """Versions, ranges, fractions, and numbers before counters."""
    return [
        Rule(patterns.VERSION, _version, "."),
        Rule(
            re.compile(
                rf"{FRESH}(?<!-)(?P<first>[0-9]{{1,3}})(?:{DASH}|(?P<comma>, ?))(?P<last>[0-9]{{1,3}})"
                rf" ?(?=(?P<counter>{_COUNTERS}))"
            ),
            _counted_range,
            DASHES + ",",
        ),
        Rule(patterns.RANGE, _range, DASHES),
        Rule(patterns.until("년월일시분초도원세살명개만억천"), lambda match: "에서 ", DASHES),
        Rule(re.compile(rf"{FRESH}[1-4]/4(?=분기)"), lambda match: digits(match.group()[0]) + "사", "/"),
        Rule(patterns.FRACTION, _fraction, "/"),
        Rule(patterns.NUMBERED, lambda match: sino(match["number"]) + "번", "#.\u2116"),
        Rule(
            re.compile(rf"{FRESH}(?<!제)(?P<number>{NUMBER}) ?(?=(?P<counter>{_COUNTERS}))"),
            lambda match: counted(match["number"], match["counter"]) + " ",
            "0",
        ),
        Rule(
            re.compile(
                rf"{FRESH}(?<!제)1?[0-9](?=장|대(?![의를])"
                "|번(?! ?(?:출구|문제|버스|타자|선수|홀|국도|게이트|트랙|채널|버튼|창구)))"
            ),
            lambda match: [],
            "번장대",
        ),
    ]


def _plain_rules() -> list[Rule]:
    """Numbers at letters, any other number, and signs."""
    return [
        Rule(
            re.compile("(?<=[A-Za-z])[- ]?(?P<number>[0-9])(?=[A-Za-z])"),
            lambda match: _code(match) + " ",
            "0",
        ),
        Rule(patterns.CODE, _code, "0"),
        Rule(
            re.compile(rf"{FRESH}[0-9](?=[A-Z](?![A-Za-z0-9]))"),
            lambda match: _ENGLISH[int(match.group())] + " ",
            "0",
        ),
        Rule(re.compile(rf"{FRESH}1(?=[만천백])"), lambda match: "", "0"),
        Rule(
            patterns.ANY_NUMBER,
            number,
            "0",
        ),
        Rule(re.compile("[0-9]+"), lambda match: sino(match.group()), "0"),
        Rule(patterns.PLUS, lambda match: "플러스 ", "+"),
        Rule(patterns.EQUALS, lambda match: " 이퀄 ", "="),
        Rule(patterns.ENCLOSED, lambda match: sino(point(match))),
        Rule(patterns.ABOUT, lambda match: _ABOUT_SIGNS.get(match.group()[0]), "".join(_ABOUT_SIGNS)),
        Rule(patterns.MATHS, _maths, "".join(_MATHS)),
        Rule(patterns.AND, lambda match: " 앤드 ", "&"),
    ]


def _rules() -> list[Rule]:
    return [
        *_number_rules(),
        *_date_rules(),
        *_measure_rules(),
        *_counted_rules(),
        *_plain_rules(),
    ]


def _ordinal(digits: str, said: str) -> str:
    """As "첫 번째"."""
    number = digits.lstrip("0")
    native = number.isdigit() and len(number) <= 3
    return (counted(number, "번째") if native else said) + " 번째"


def _name(character: str) -> str:
    return _LETTERS.get(character.upper()) or _SIGNS.get(character, character)


def make() -> Reader:
    """The reader of Korean; numbers are Sino-Korean, letters are spelled by their names in hangul."""
    return EastAsianReader(
        _rules(), cardinal=sino, minus="마이너스 ", ordinal=_ordinal, digits=digits, name=_name
    )
