"""Japanese: what the dictionary of the voice cannot read is written in kana; the rest stays.

The voice `kokoro-ja` reads by OpenJTalk's dictionary, which knows numbers with their counters (2人 ふたり,
1本 いっぽん, 20日 はつか) by ASCII digits; so whole numbers stay digits, and so do decimals before kanji
(1.5倍). It skips what it does not know: "/", ":", "-", "=", "#" and currency signs but the yen's, which
it says before the number. Those are written out, and with them telephone numbers and versions, whose
digits it reads as bare numbers. Two of its readings are corrected: 0時 is れいじ, 1日(月) ついたち. Letters
and words in Latin script that it skips or spells are written in katakana (`japanese_words`).

The voice without the dictionary reads kana only. So a text without kanji is given none: its dates, times,
decimals and units become katakana, which both read alike: in katakana no particle and no word is found
by mistake (はち would begin with a は). Long vowels are written with ー for the same reason. A text with
kanji is for the voice with the dictionary, and has its dates, times and units in digits and kanji
(`japanese_everyday.in_kanji`).
"""

from __future__ import annotations

import re

from realtime.text.normalize.base import Reader, Rule
from realtime.text.normalize.east_asian import patterns
from realtime.text.normalize.east_asian.names import MONEY, MONEY_NEEDS, SCALES, name
from realtime.text.normalize.east_asian.patterns import DASHES, FRESH
from realtime.text.normalize.east_asian.shared import (
    address,
    ascends,
    edits_of,
    is_date,
    is_fraction,
    parts,
    plain,
    point,
    scaled,
    times,
)
from realtime.text.normalize.japanese.everyday import (
    IN_KANJI,
    down,
    floor,
    hours,
    in_kanji,
    is_kanji,
    postal,
    power,
    pressure,
    rate,
    scaled_unit,
    with_scale,
)
from realtime.text.normalize.japanese.numbers import cardinal, clock, day, decimal, digits, month, year
from realtime.text.normalize.japanese.words import letters, said
from realtime.text.spans import Edit

_SIGNS = dict(
    zip(
        "./@-_?=&:#+%",
        "ドット スラッシュ アット ハイフン アンダーバー クエスチョン イコール アンド コロン シャープ プラス "
        "パーセント".split(),
        strict=True,
    )
)
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
_ABOUT = {"\u00b1": "プラスマイナス", "\u2248": "ヤク", "\u2252": "ヤク"}
_WEEKDAY = "[(\uff08](?:[月火水木金土日]|祝)[)\uff09]"
_MATHS = {"+": "タス", "=": "イコール", "\u00d7": "カケル", "\u00f7": "ワル"}
# Latin words; not sizes of paper ("A4"), and not "4K", "5G", "3D", which the dictionary has.
_WORD = re.compile(
    "(?<![A-Za-z@._])(?![AB][3-6](?![0-9A-Za-z]))(?!(?<=[2-8])[KGD](?![A-Za-z0-9]))[A-Za-z]{1,12}(?![A-Za-z@_]|[.][A-Za-z])"
)
_SPEEDS = ("時速", "秒速", "分速", "風速")
_CENTS = {"ドル": "セント", "ユーロ": "セント", "ポンド": "ペンス"}


def _is_katakana(character: str) -> bool:
    return "\u30a1" <= character <= "\u30fc"


def _written(number: str, after: str, kanji: bool) -> str:
    """A number as the voices read it; `after` is what comes after it. A katakana word is set apart.

    The dictionary reads decimals too; without `kanji` another voice may be the one that reads.
    """
    if "." in number and not kanji and not is_kanji(after[:1]):
        return decimal(plain(number)) + (" " if _is_katakana(after[:1]) else "")
    return plain(number)


def _after(match: re.Match[str]) -> str:
    return match.string[match.end() : match.end() + 1]


def _both(match: re.Match[str], unit: str, number: str = "", scale: str = "") -> str | list[Edit]:
    """What is said for a match of `ranged`, the last number being `number` if given, with `scale` behind it.

    A "|" in the unit stands for the number; what is before it is not said if the text says so already.
    """
    kanji = in_kanji(match)
    if kanji:
        unit = IN_KANJI.get(unit, unit)
    unit = scale + unit
    before, found, behind = unit.partition("|")
    if not found:
        before, behind = "", unit
    if match.string.endswith(_SPEEDS, 0, match.start()):
        before = ""
    minus = "マイナス" if match["minus"] else ""
    last = minus + (number or _written(match["number"], behind or _after(match), kanji)) + behind
    if not match["first"]:
        return before + last
    first = before + ("マイナス" if match["below"] else "") + _written(match["first"], "から", kanji) + "から"
    return parts(match, ("first", first), ("minus" if match["minus"] else "number", last))


def _phone(match: re.Match[str]) -> list[Edit]:
    said = "、".join(digits(group) for group in re.findall("[0-9]+", match["number"]))
    said = ("プラス" if match["number"][0] == "+" else "") + said
    return [Edit(match.start("number"), match.end("number"), said)]


def _day(match: re.Match[str]) -> str:
    """A day of a month in digits, as the dictionary reads it."""
    return f"{int(match['day'])}日"


def _clock(match: re.Match[str]) -> str | list[Edit] | None:
    if not in_kanji(match):
        return times(match, clock, "から", ("ゴゼン ", "ゴゴ "))

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


def _percent(match: re.Match[str]) -> str | list[Edit]:
    unit = "ポイント" if match["point"] else "パーセント" if match["sign"] == "%" else "パーミル"
    return _both(match, unit)


def _money(match: re.Match[str]) -> str | list[Edit]:
    currency = MONEY[match["before"]][1]
    scale = (match["scale"] or "").strip()
    whole, _, cents = match["number"].partition(".")
    if scale in SCALES:
        value = scaled(match["number"], scale)
        if "." in value:
            return _both(match, currency, decimal(value))
        return _both(match, currency, with_scale(value) if in_kanji(match) else cardinal(value))
    if len(cents) == 2 and not scale and currency in _CENTS and not match["first"]:
        said = f"{plain(whole)}{currency}" if int(plain(whole)) or not int(cents) else ""
        said += f"{int(cents)}{_CENTS[currency]}" if int(cents) else ""
        return ("マイナス" if match["minus"] else "") + said
    return _both(match, currency, scale=scale)


def _unit(match: re.Match[str]) -> str | list[Edit]:
    unit = match["unit"]
    return _both(match, MONEY[unit][1] if unit in MONEY else name(unit, 1))


def _range(match: re.Match[str]) -> list[Edit] | None:
    if not ascends(match):
        return None
    kanji = in_kanji(match)
    first = _written(match["first"], "から", kanji) + "から"
    last = _written(match["last"], _after(match), kanji)
    return parts(match, ("first", first), ("last", last))


def _fraction(match: re.Match[str]) -> str | None:
    above, below = match["above"], match["below"]
    return f"{below}ぶんの{above}" if is_fraction(match) else None


def _digit_by_digit(match: re.Match[str]) -> str:
    return digits(match.group())


def _maths(match: re.Match[str]) -> str:
    sign = match.group().strip()
    between = match.string[match.start() - 1] + match.string[match.end()]
    return "プラス" if sign == "+" and between.isalpha() else _MATHS[sign]  # keys are pressed together


def _address(match: re.Match[str]) -> str:
    return address(match, _SIGNS, digits, "", lambda word: said(word) or word)


def _version(match: re.Match[str]) -> str:
    numbers = match["version"].split(".")
    return "テン".join(cardinal(part) if len(part) == 2 else digits(part) for part in numbers)


def _month_day(match: re.Match[str]) -> list[Edit] | None:
    months, days = int(match["month"]), int(match["day"])
    if not (1 <= months <= 12 and 1 <= days <= 31):
        return None
    weekday = match["weekday"][1]
    named = "祝日" if weekday == "祝" else weekday + "曜日"
    return parts(match, ("month", f"{months}月"), ("day", _day(match)), ("weekday", named))


def _first_day(match: re.Match[str]) -> list[Edit]:
    return parts(match, ("day", "ツイタチ "), ("weekday", _WEEKDAYS[match["weekday"][1]]))


def _number(match: re.Match[str]) -> str | None:
    number = _written(match["number"], _after(match), in_kanji(match))
    said = ("マイナス" if match.group()[0] == "-" else "") + number
    return said if said != match.group() else None


def _rules() -> list[Rule]:
    return [
        Rule(patterns.POINT, lambda match: point(match) + "、"),
        Rule(patterns.LATER_POINT, lambda match: point(match) + "、"),
        Rule(patterns.ADDRESS, _address, "@."),
        Rule(
            patterns.labelled(
                "電話番号|電話|番号|携帯|TEL|Tel|コード|パスワード",
                "はがのを",
                "番個円年月日時人回件本行万億",
            ),
            _phone,
            "0",
        ),
        Rule(
            re.compile(
                r"(?<![0-9A-Za-z.,+-])(?<![0-9]:)(?P<number>\+[0-9]{1,3}[ -][0-9]{1,4}(?:[ -][0-9]{2,4}){1,3}"
                r"|0[0-9]{1,4}-[0-9]{1,4}-[0-9]{3,4}|0[5789]0[0-9]{8})(?![0-9A-Za-z]|[.,-][0-9])"
            ),
            _phone,
            "0",
        ),
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
        Rule(
            re.compile(r"(?<![0-9A-Za-z-])[1-9][0-9]{0,3}-[1-9][0-9]{0,3}-[1-9][0-9]{0,3}(?![0-9A-Za-z-])"),
            lambda match: match.group().replace("-", "の"),  # in a postal address
            "-",
        ),
        Rule(patterns.GROUPS, _phone, "-"),
        Rule(patterns.CLOCK, _clock, ":"),
        Rule(
            re.compile(
                rf"{FRESH}[0-9]{{1,2}}x?-[0-9]{{1,2}}(?=で[^、。0-9]{{0,12}}[勝負敗快下破]|の(?:スコア|同点|引き分け))"
            ),
            lambda match: match.group().replace("x", "エックス").replace("-", "タイ"),
            "-",
        ),
        Rule(patterns.RATIO, lambda match: match["ratio"].replace(":", "タイ"), ":"),
        Rule(patterns.PRESSURE, pressure, "/"),
        Rule(
            re.compile(r"(?<=[打勝]率)[は ]?0?\.(?P<rate>[0-9]{3})(?![0-9])"),
            lambda match: [Edit(match.start(), match.end(), rate(match))],
            ".",
        ),
        Rule(
            re.compile("(?<=HTTP )[1-5][0-9]{2}(?![0-9])|(?<![0-9])[45]0[0-9](?= ?エラー)"),
            _digit_by_digit,
            "0",
        ),
        Rule(patterns.PERCENT, _percent, "%\u2030"),
        Rule(
            patterns.DEGREES,
            lambda match: _both(match, "カシ|ド" if match["scale"][-1] in "F\u2109" else "ド"),
            "\u00b0\u2103\u2109",
        ),
        Rule(patterns.SUM, _money, MONEY_NEEDS),
        Rule(patterns.HOURS, hours, "h"),
        Rule(patterns.MEASURED, _unit, "0"),
        Rule(patterns.SCALED_UNIT, scaled_unit, "万億千兆"),
        Rule(patterns.VERSION, _version, "."),
        Rule(patterns.POWER, power, "\u00b2\u00b3^"),
        Rule(patterns.ROOT, lambda match: "ルート", "\u221a"),
        Rule(patterns.LESS, lambda match: "ヒク", "-"),
        Rule(re.compile("(?<![0-9-])[0-9]{3}-[0-9]{4}(?=$|[ \u3000。)\uff09])"), postal, "-"),
        Rule(patterns.DOWN, down, "-"),
        Rule(patterns.RANGE, _range, DASHES),
        Rule(
            patterns.until("円年月日時分秒度個人本枚回歳匹冊階台件名週万億"),
            lambda match: "から",
            DASHES,
        ),
        Rule(patterns.FRACTION, _fraction, "/"),
        Rule(patterns.NUMBERED, lambda match: f"ナンバー{match['number']}", "#.\u2116"),
        Rule(re.compile("(?<![0-9])0時(?!間)"), lambda match: "レージ", "時"),
        Rule(
            re.compile("(?<![0-9月])(?P<day>1日)(?P<weekday>" + _WEEKDAY + ")"),
            _first_day,
            "日",
        ),
        Rule(
            re.compile("(?<![A-Za-z])[CF]#(?![A-Za-z0-9])"),
            lambda match: f"{letters(match.group()[0])}シャープ",
            "#",
        ),
        Rule(re.compile(r"(?<![A-Za-z])C\+\+"), lambda match: "シープラスプラス", "+"),
        Rule(re.compile("(?<=[A-Z])2(?=[A-Z](?![A-Za-z]))"), lambda match: "ツー", "0"),
        Rule(re.compile("(?<=[A-Za-z])-(?=[0-9])"), lambda match: " ", "-"),
        Rule(re.compile("(?<![0-9A-Za-z])(?P<below>B)?(?P<floor>[1-9][0-9]?)F(?![0-9A-Za-z])"), floor, "F"),
        Rule(re.compile(r"(?<=[0-9])\+(?=[0-9]{1,2}分)"), lambda match: "プラス", "+"),
        Rule(_WORD, lambda match: said(match.group())),
        Rule(re.compile("(?<=[一-龠々])/(?=[一-龠々])|(?<=[ァ-ヶー])/(?=[ァ-ヶ])"), lambda match: "、", "/"),
        Rule(patterns.ANY_NUMBER, _number, "0"),
        Rule(patterns.PLUS, lambda match: "プラス", "+"),
        Rule(patterns.EQUALS, lambda match: "イコール", "="),
        Rule(patterns.ENCLOSED, point),
        Rule(patterns.ABOUT, lambda match: _ABOUT.get(match.group()[0]), "".join(_ABOUT)),
        Rule(patterns.MATHS, _maths, "".join(_MATHS)),
        Rule(re.compile(" ?& ?"), lambda match: "アンド", "&"),
    ]


class _Japanese:
    """See `base.Reader`."""

    def __init__(self) -> None:
        self._rules = _rules()

    def edits(self, text: str) -> list[Edit]:
        """See `base.Reader`."""
        found = edits_of(text, self._rules)
        for at, edit in enumerate(found):  # what becomes katakana is no part of a katakana word before it
            before = text[edit.start - 1 : edit.start]
            if _is_katakana(before) and _is_katakana(edit.spoken[:1]):
                found[at] = Edit(edit.start, edit.end, f" {edit.spoken}")
        return found

    def cardinal(self, digits: str) -> str:
        """See `base.Reader`; in katakana."""
        return "マイナス" + cardinal(digits[1:]) if digits.startswith("-") else cardinal(digits)

    def ordinal(self, digits: str) -> str:
        """See `base.Reader`; as "イチバンメ"."""
        return self.cardinal(digits) + "バンメ"

    def spell(self, text: str) -> str:
        """See `base.Reader`; letters and digits by their names in katakana."""
        return " ".join(_name(character) for character in text if not character.isspace())


def _name(character: str) -> str:
    if character in "0123456789":
        return digits(character)
    return _SIGNS.get(character) or letters(character)


def make() -> Reader:
    """The reader of Japanese."""
    return _Japanese()
