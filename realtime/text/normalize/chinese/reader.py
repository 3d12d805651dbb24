"""Chinese: numbers in characters, with 零 and 两 where people say them.

Years are read digit by digit, and so are telephone numbers and what has a zero at its front. In telephone
numbers 1 is 一: everybody understands it, 幺 only those who are used to it. A sum of money is a plain decimal
without its last zeros: $3.50 is 三点五美元. Latin letters stay as they are; voices read them as English.
"3:2" is a score or a ratio (三比二), as minutes have two digits; "21:15" is one only by a word beside it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from realtime.text.normalize.base import Reader, Rule
from realtime.text.normalize.chinese.dates import clock, day_rules, year_rules
from realtime.text.normalize.chinese.everyday import (
    down,
    event,
    plane,
    points,
    power,
    pressure,
    score,
    spelled,
)
from realtime.text.normalize.chinese.numbers import amount, cardinal, count, decimal, digits, say
from realtime.text.normalize.east_asian import patterns
from realtime.text.normalize.east_asian.names import MONEY, MONEY_NEEDS, SCALES, name, unit_or_currency
from realtime.text.normalize.east_asian.patterns import DASHES, FRESH, MINUS, NUMBER
from realtime.text.normalize.east_asian.reader import EastAsianReader
from realtime.text.normalize.east_asian.shared import (
    address,
    ascends,
    is_fraction,
    parts,
    phone,
    point,
    scaled,
    times,
)
from realtime.text.spans import Edit

# Measure words, and what is counted without one, before which 2 is 两. Those that also number things (期, 级,
# 班, 号, 月) are not among them.
_COUNTED = re.compile(
    " ?(?:个|位(?!置)|名|只|张|条|本|件|家|台|辆|部|种|次(?![方元])|天|周|年(?!级)|岁|块|元|人|份|倍|层|句"
    "|页|段|篇|首|行|组|套|枚|门|道|所|艘|架|匹|头|棵|朵|片|滴|双|对|口|座|颗|根|支|瓶|杯|碗|盒|袋|箱"
    "|间|场|项|步|勺|汤匙|茶匙|粒|锅|盘|碟|桶|罐|壶|车|届|节|轮|局|集|遍|趟|顿|副|幅|把|样|款|群|批|笔|卷|册"
    "|封|束|串|圈|阵|堂|处|角(?!形)|星期|礼拜|世纪|成(?=[^立功为员])|分(?=[0-9]{1,2}秒)|米|吨|克|升|斤|磅|万|亿|千|点|分钟|秒|小时|公里|公斤|厘米|毫米|毫升|毫秒|平方|立方"
    "|英里|英尺|美元|欧元|英镑|日元|韩元|港元)"
)
_SIGNS = dict(
    zip("./@-_?=&:#+%", "点 斜杠 艾特 杠 下划线 问号 等于 和 冒号 井号 加 百分号".split(), strict=True)
)
_ABOUT = {
    "\u00b1": "正负",
    "\u2248": "约",
    "\u2252": "约",
    "\u2264": "小于等于",
    "\u2265": "大于等于",
    "<": "小于",
    ">": "大于",
}
_ARC = {"\u2032": "分", "\u2033": "秒"}
_MATHS = {"+": "加", "=": "等于", "\u00d7": "乘", "\u00f7": "除以"}
_DEGREES = {"C": "摄氏度", "F": "华氏度", "\u2103": "摄氏度", "\u2109": "华氏度", "\u00b0": "度"}


def _both(
    match: re.Match[str], number: Callable[[str], str], after: str = "", last: str = "", minus: str = "负"
) -> str | list[Edit]:
    """What is said for a match of `ranged`: one or two of `number`; `last` is said for the last if given."""
    said = (minus if match["minus"] else "") + (last or number(match["number"])) + after
    if not match["first"]:
        return said
    first = (minus if match["below"] else "") + number(match["first"]) + "到"
    return parts(match, ("first", first), ("minus" if match["minus"] else "number", said))


def _phone(match: re.Match[str]) -> list[Edit]:
    return phone(match, digits, "，", "加")


def _ratio(match: re.Match[str]) -> list[Edit]:
    said = "比".join(cardinal(group) for group in re.split("[:-]", match["ratio"]))
    return [Edit(match.start("ratio"), match.end("ratio"), said)]


def _percent(match: re.Match[str]) -> str | list[Edit]:
    if match["point"]:
        return _both(match, count, "个百分点")
    of = "百分之" if match["sign"] == "%" else "千分之"
    return _both(match, lambda number: of + decimal(number))


def _degrees(match: re.Match[str]) -> str | list[Edit]:
    scale = _DEGREES[match["scale"][-1]]
    return _both(match, decimal, scale, minus="零下" if scale == "摄氏度" else "负")


def _money(match: re.Match[str]) -> str | list[Edit]:
    currency = MONEY[match["before"]][0]
    scale = (match["scale"] or "").strip()
    if scale in SCALES:
        return _both(match, amount, currency, amount(scaled(match["number"], scale)))
    return _both(match, amount, scale + currency)


def _unit(match: re.Match[str]) -> str | list[Edit]:
    named = unit_or_currency(match["unit"], 0)
    return _both(match, decimal if named.isascii() else count, named)


def _range(match: re.Match[str]) -> list[Edit] | None:
    if not ascends(match):
        return None
    number = count if _COUNTED.match(match.string, match.end()) else decimal
    return parts(match, ("first", number(match["first"]) + "到"), ("last", number(match["last"])))


def _fraction(match: re.Match[str]) -> str | None:
    above, below = match["above"], match["below"]
    return f"{cardinal(below)}分之{cardinal(above)}" if is_fraction(match) else None


def _version(match: re.Match[str]) -> str:
    numbers = match["version"].split(".")
    return "点".join(cardinal(part) if len(part) < 3 else digits(part) for part in numbers)


def _code(match: re.Match[str]) -> str:
    """Digits after letters: "GPT-4", "iPhone15"; three or more one by one, as in "A380"."""
    whole, point, decimals = match["number"].partition(".")
    if len(whole) < 3:
        return decimal(match["number"])
    return digits(whole) + (point and f"点{digits(decimals)}")


def _more(match: re.Match[str]) -> str:
    number = match["number"]
    return decimal(number) + ("多" if number.endswith("0") and "." not in number else "加")


def _number_rules() -> list[Rule]:
    """Numbers of points in a list, addresses, telephone numbers."""
    return [
        Rule(patterns.POINT, lambda match: cardinal(point(match)) + "、"),
        Rule(patterns.LATER_POINT, lambda match: cardinal(point(match)) + "、"),
        Rule(patterns.ADDRESS, lambda match: address(match, _SIGNS, digits, ""), "@."),
        Rule(
            patterns.labelled(
                "电话|手机|号码|热线|拨打|致电|密码|编号|验证码|邮编|客服|航班|单号|账号|卡号|QQ号?|微信号"
                "|尾号|学号|工号|身份证号?|端口号?",
                "号是为",
                "个元块天年月次人万亿",
            ),
            _phone,
            "0",
        ),
        Rule(
            re.compile(
                r"(?<![0-9A-Za-z.,+-])(?<![0-9]:)(?P<number>(?:\+[0-9]{1,3}[ -]?)?"
                r"(?:1[3-9][0-9][ -]?[0-9]{4}[ -]?[0-9]{4}"
                r"|0[0-9]{2,3}-[0-9]{7,8}|[48]00-[0-9]{3,4}-[0-9]{3,4}))(?![0-9A-Za-z]|[.,-][0-9])"
            ),
            _phone,
            "0",
        ),
    ]


def _score_rules() -> list[Rule]:
    """Scores, times of the day, ratios, blood pressure."""
    return [
        Rule(
            re.compile(
                "(?:比分|比例)(?:分别)?[为是: ]{0,2}"
                "(?P<pairs>[0-9]{1,3}[:-][0-9]{1,3}(?:[、，,和] ?[0-9]{1,3}[:-][0-9]{1,3}){0,8})(?![0-9:-])"
            ),
            score,
            "比",
        ),
        Rule(
            re.compile(
                rf"{FRESH}(?P<ratio>[0-9]{{1,3}}[:-][0-9]{{1,3}})"
                "(?=[^，。0-9]{0,4}(?:[获取战]胜|大胜|险胜|击败|战平|领先|落后|不敌|惜败))"
            ),
            _ratio,
            ":-",
        ),
        Rule(patterns.CLOCK, lambda match: times(match, clock, "到", ("上午", "下午")), ":"),
        Rule(patterns.RATIO, _ratio, ":"),
        Rule(patterns.PRESSURE, pressure, "/"),
    ]


def _measure_rules() -> list[Rule]:
    """Percent, degrees, sums of money, units."""
    return [
        Rule(patterns.PERCENT, _percent, "%\u2030"),
        Rule(re.compile(r"(?<=[\u4e00-\u9fff])-(?=[0-9]{1,3}(?:\.[0-9]{1,4})?%)"), lambda match: "负", "%"),
        Rule(patterns.DEGREES, _degrees, "\u00b0\u2103\u2109"),
        Rule(patterns.SUM, _money, MONEY_NEEDS),
        Rule(
            patterns.HOURS, lambda match: f"{count(match['hours'])}小时{say(int(match['minutes']))}分钟", "h"
        ),
        Rule(patterns.MEASURED, _unit, "0"),
        Rule(patterns.SCALED_UNIT, lambda match: name(match["unit"], 0), "万亿千"),
        Rule(re.compile("(?<=[0-9])[\u2032\u2033]"), lambda match: _ARC[match.group()], "\u2032\u2033"),
    ]


def _stroke_rules() -> list[Rule]:
    """Versions, aeroplanes, and what a stroke between words or numbers stands for."""
    return [
        Rule(patterns.VERSION, _version, "."),
        Rule(re.compile("(?<![0-9A-Za-z-])7[0-9]7(?:-[0-9]{1,4})?(?![0-9A-Za-z-])"), plane, "0"),
        Rule(re.compile("(?:(?<=位是)|(?<=位为)|(?<=位:))[0-9]{3,8}(?![0-9])"), spelled, "位"),
        Rule(re.compile("(?<![0-9/])24/7(?![0-9/])"), lambda match: "七天二十四小时", "/"),
        Rule(
            re.compile(f"(?:评分|得分|打分)[为是: ]{{0,2}}(?P<got>{NUMBER})/(?P<most>5|10|100)(?![0-9/])"),
            points,
            "/",
        ),
        Rule(
            re.compile(
                "(?<=[元块吨个次人件0-9])/(?=[月年天人次个小分秒米平吨斤晚])|(?<=元)/(?=[\u4e00-\u9fff])"
            ),
            lambda match: "每",
            "/",
        ),
        Rule(re.compile("(?<=[\u4e00-\u9fff])/(?=[\u4e00-\u9fff])"), lambda match: "、", "/"),
        Rule(re.compile("(?<=(?<![A-Za-z])[A-Z])/(?=[A-Z](?![A-Za-z]))"), lambda match: " ", "/"),
    ]


def _range_rules() -> list[Rule]:
    """Powers, sums, ranges, fractions."""
    return [
        Rule(patterns.POWER, power, "\u00b2\u00b3^"),
        Rule(patterns.ROOT, lambda match: "根号", "\u221a"),
        Rule(patterns.LESS, lambda match: "减", "-"),
        Rule(patterns.DOWN, down, "-"),
        Rule(patterns.RANGE, _range, DASHES),
        Rule(re.compile("(?<=[0-9][kKwW])-(?=[0-9]{1,4}[kKwW](?![A-Za-z0-9]))"), lambda match: "到", "-"),
        Rule(patterns.until("年月日点时分度万亿"), lambda match: "到", DASHES),
        Rule(patterns.FRACTION, _fraction, "/"),
    ]


def _name_rules() -> list[Rule]:
    """Numbers that are names: ordinals, rooms, short telephone numbers, models."""
    return [
        Rule(patterns.NUMBERED, lambda match: cardinal(match["number"]) + "号", "#.\u2116"),
        Rule(
            re.compile("(?:(?<=第)|(?<=星期)|(?<=礼拜))[0-9]{1,15}(?![0-9.])"),
            lambda match: cardinal(match.group()),
            "0",
        ),
        Rule(
            re.compile("(?<![0-9\u00b7])(?P<month>[1-9]|1[0-2])\u00b7(?P<day>[0-9]{1,2})(?![0-9\u00b7])"),
            event,
            "\u00b7",
        ),
        Rule(
            re.compile("(?<=[A-Z]\u00b7)[0-9]{4,6}(?![0-9])|(?<=[A-Z]\\.)[0-9]{3}(?![0-9])"),
            spelled,
            "\u00b7.",
        ),
        Rule(re.compile("(?<=《)(?:19|20)[0-9]{2}(?=》)"), spelled, "《"),
        Rule(
            re.compile(
                rf"{FRESH}(?:[0-9]{{3,4}}(?=(?:号?会议|教|病|包|办公|实验)室|号?房间?(?!价)|室(?!外|内))|[0-9]{{3}}(?=路(?!人)))"
            ),
            spelled,
            "室房路",
        ),
        Rule(
            re.compile(
                rf"{FRESH}(?:955[0-9]{{2}}|12(?:306|315|345)|10086|10010|1(?:10|19|20|22)(?=报警|急救|电话|热线))"
                "(?![0-9.]|[元个人次件万亿美米公吨块名张台分年-])"
            ),
            spelled,
            "0",
        ),
        Rule(re.compile("(?<=[0-9])s(?=左右|以内|之内|后)"), lambda match: "秒", "s"),
        Rule(re.compile("(?<=[A-Za-z]_)[0-9]{2,10}"), spelled, "_"),
        Rule(re.compile("(?<=[打拨])1(?:10|19|20|14|22)(?![0-9个])"), spelled, "打拨"),
        Rule(re.compile("(?<=[歼轰运直风鹰猎弹旗])-(?=[0-9])"), lambda match: "", "-"),
        Rule(re.compile("(?<=[A-Z])2(?=[A-Z](?![A-Za-z]))"), lambda match: " to ", "0"),
        Rule(patterns.CODE, _code, "0"),
        Rule(re.compile(rf"{FRESH}[0-9]{{3,4}}(?=[pP](?![A-Za-z])|错误|状态码|页面)"), spelled, "0"),
    ]


def _plain_rules() -> list[Rule]:
    """Any other number, and signs."""
    return [
        Rule(re.compile(rf"{FRESH}(?P<number>{NUMBER})\+(?![0-9A-Za-z+])"), _more, "+"),
        Rule(
            re.compile(
                rf"(?P<minus>{MINUS})?{FRESH}(?P<number>{NUMBER})(?= ?(?:[美欧日港]?元|块|英镑|人民币))"
            ),
            lambda match: ("负" if match["minus"] else "") + amount(match["number"]),
            "元块镑币",
        ),
        Rule(re.compile(rf"{FRESH}2(?={_COUNTED.pattern})"), lambda match: "两", "0"),
        Rule(
            patterns.ANY_NUMBER,
            lambda match: ("负" if match.group()[0] == "-" else "") + decimal(match["number"]),
            "0",
        ),
        Rule(re.compile("[0-9]+"), lambda match: cardinal(match.group()), "0"),
        Rule(patterns.ENCLOSED, lambda match: cardinal(point(match))),
        Rule(patterns.ABOUT, lambda match: _ABOUT.get(match.group()[0]), "".join(_ABOUT)),
        Rule(patterns.PLUS, lambda match: "加", "+"),
        Rule(patterns.EQUALS, lambda match: "等于", "="),
        Rule(patterns.MATHS, lambda match: _MATHS[match.group().strip()], "".join(_MATHS)),
        Rule(patterns.AND, lambda match: "和", "&"),
    ]


def _rules() -> list[Rule]:
    return [
        *_number_rules(),
        *day_rules(),
        Rule(patterns.GROUPS, _phone, "-"),
        *year_rules(),
        *_score_rules(),
        *_measure_rules(),
        *_stroke_rules(),
        *_range_rules(),
        *_name_rules(),
        *_plain_rules(),
    ]


def _name(character: str) -> str:
    """A is 诶, because voices take the letter for the English article."""
    return "诶" if character in "aA" else _SIGNS.get(character, character.upper())


def make() -> Reader:
    """The reader of Chinese."""
    return EastAsianReader(
        _rules(),
        cardinal=cardinal,
        minus="负",
        ordinal=lambda digits, said: f"第{said}",
        digits=digits,
        name=_name,
    )
