"""Japanese: what the dictionary of the voice cannot read is written in kana; the rest stays.

The voice `kokoro-ja` reads by OpenJTalk's dictionary, which knows numbers with their counters (2人 ふたり,
1本 いっぽん, 20日 はつか) by ASCII digits; so whole numbers stay digits, and so do decimals before kanji
(1.5倍). It skips what it does not know: "/", ":", "-", "=", "#" and currency signs but the yen's, which it
says before the number. Those are written out, and with them dates, times, telephone numbers and versions,
whose digits it reads as bare numbers. Two of its readings are corrected: 0時 is れいじ, 1日(月) ついたち.

The voice without the dictionary reads kana only. So nothing here brings in kanji, and decimals, percent
signs and units become katakana, which both read alike: in katakana no particle and no word is found by
mistake (はち would begin with a は). Long vowels are written with ー for the same reason.
"""

from __future__ import annotations

import re

from realtime.text.normalize import east_asian_patterns as patterns
from realtime.text.normalize.base import Reader, Rule
from realtime.text.normalize.east_asian import (
    address,
    ascends,
    edits_of,
    enclosed,
    is_date,
    is_fraction,
    parts,
    plain,
    scaled,
    times,
)
from realtime.text.normalize.east_asian_names import MONEY, MONEY_NEEDS, SCALES, name
from realtime.text.normalize.east_asian_patterns import DASHES, FRESH
from realtime.text.normalize.japanese_numbers import cardinal, clock, day, decimal, digits, month, year
from realtime.text.spans import Edit

_SIGNS = dict(
    zip(
        "./@-_?=&:#+%",
        "ドット スラッシュ アット ハイフン アンダーバー クエスチョン イコール アンド コロン シャープ プラス "
        "パーセント".split(),
        strict=True,
    )
)
_LETTERS = dict(
    zip(
        "ABCDEFGHIJKLM",
        "エー ビー シー ディー イー エフ ジー エイチ アイ ジェー ケー エル エム".split(),
        strict=True,
    )
) | dict(
    zip(
        "NOPQRSTUVWXYZ",
        "エヌ オー ピー キュー アール エス ティー ユー ブイ ダブリュー エックス ワイ ゼット".split(),
        strict=True,
    )
)
_WEEKDAYS = {"月": "ゲツ", "火": "カ", "水": "スイ", "木": "モク", "金": "キン", "土": "ド", "日": "ニチ"}
_ABOUT = {"\u00b1": "プラスマイナス", "\u2248": "ヤク"}
_WEEKDAY = "[(\uff08][月火水木金土日][)\uff09]"
_MATHS = {"+": "タス", "=": "イコール", "\u00d7": "カケル", "\u00f7": "ワル"}
_CENTS = {"ドル": "セント", "ユーロ": "セント", "ポンド": "ペンス"}


def _is_kanji(character: str) -> bool:
    return "\u4e00" <= character <= "\u9fff" or character == "\u3005"


def _is_katakana(character: str) -> bool:
    return "\u30a1" <= character <= "\u30fc"


def _written(number: str, after: str) -> str:
    """A number as the voices read it; `after` is what comes after it. A katakana word is set apart."""
    if "." in number and not _is_kanji(after[:1]):
        return decimal(plain(number)) + (" " if _is_katakana(after[:1]) else "")
    return plain(number)


def _after(match: re.Match[str]) -> str:
    return match.string[match.end() : match.end() + 1]


def _both(match: re.Match[str], unit: str, number: str = "") -> str | list[Edit]:
    """What is said for a match of `ranged`, the last number being `number` if given.

    A "|" in the unit stands for the number; what is before it is not said if the text says so already.
    """
    before, found, behind = unit.partition("|")
    if not found:
        before, behind = "", unit
    if match.string.endswith("時速", 0, match.start()):
        before = ""
    minus = "マイナス" if match["minus"] else ""
    last = minus + (number or _written(match["number"], behind or _after(match))) + behind
    if not match["first"]:
        return before + last
    first = before + ("マイナス" if match["below"] else "") + _written(match["first"], "から") + "から"
    return parts(match, ("first", first), ("minus" if match["minus"] else "number", last))


def _phone(match: re.Match[str]) -> list[Edit]:
    said = "、".join(digits(group) for group in re.findall("[0-9]+", match["number"]))
    said = ("プラス" if match["number"][0] == "+" else "") + said
    return [Edit(match.start("number"), match.end("number"), said)]


def _date(match: re.Match[str]) -> list[Edit] | None:
    if not is_date(match):
        return None
    months, days = month(int(match["month"])) + " ", day(int(match["day"]))
    return parts(match, ("year", year(match["year"]) + " "), ("month", months), ("day", days))


def _month(match: re.Match[str]) -> list[Edit]:
    return parts(match, ("year", year(match["year"]) + " "), ("month", month(int(match["month"]))))


def _percent(match: re.Match[str]) -> str | list[Edit]:
    unit = "ポイント" if match["point"] else "パーセント" if match["sign"] == "%" else "パーミル"
    return _both(match, unit)


def _money(match: re.Match[str]) -> str | list[Edit]:
    currency = MONEY[match["before"]][1]
    scale = (match["scale"] or "").strip()
    whole, _, cents = match["number"].partition(".")
    if scale in SCALES:
        value = scaled(match["number"], scale)
        return _both(match, currency, decimal(value) if "." in value else cardinal(value))
    if len(cents) == 2 and not scale and currency in _CENTS and not match["first"]:
        said = f"{plain(whole)}{currency}" if int(plain(whole)) or not int(cents) else ""
        said += f"{int(cents)}{_CENTS[currency]}" if int(cents) else ""
        return ("マイナス" if match["minus"] else "") + said
    return _both(match, scale + currency)


def _unit(match: re.Match[str]) -> str | list[Edit]:
    unit = match["unit"]
    return _both(match, MONEY[unit][1] if unit in MONEY else name(unit, 1))


def _range(match: re.Match[str]) -> list[Edit] | None:
    if not ascends(match):
        return None
    first, last = _written(match["first"], "から") + "から", _written(match["last"], _after(match))
    return parts(match, ("first", first), ("last", last))


def _fraction(match: re.Match[str]) -> str | None:
    above, below = match["above"], match["below"]
    return f"{below}ぶんの{above}" if is_fraction(match) else None


def _version(match: re.Match[str]) -> str:
    numbers = match["version"].split(".")
    return "テン".join(cardinal(part) if len(part) == 2 else digits(part) for part in numbers)


def _month_day(match: re.Match[str]) -> list[Edit] | None:
    months, days = int(match["month"]), int(match["day"])
    if not (1 <= months <= 12 and 1 <= days <= 31):
        return None
    weekday = _WEEKDAYS[match["weekday"][1]] + "ヨービ"
    return parts(match, ("month", month(months) + " "), ("day", day(days) + " "), ("weekday", weekday))


def _first_day(match: re.Match[str]) -> list[Edit]:
    weekday = _WEEKDAYS[match["weekday"][1]] + "ヨービ"
    return parts(match, ("day", "ツイタチ "), ("weekday", weekday))


def _number(match: re.Match[str]) -> str | None:
    said = ("マイナス" if match.group()[0] == "-" else "") + _written(match["number"], _after(match))
    return said if said != match.group() else None


def _rules() -> list[Rule]:
    return [
        Rule(patterns.ADDRESS, lambda match: address(match, _SIGNS, digits, ""), "@."),
        Rule(
            patterns.labelled("電話番号|電話|番号|携帯|TEL|Tel", "はがのを", "番個円年月日時人回万億"),
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
        Rule(patterns.YEAR_MONTH, _month, "-/"),
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
        Rule(patterns.CLOCK, lambda match: times(match, clock, "から"), ":"),
        Rule(
            re.compile(rf"{FRESH}[0-9]{{1,2}}-[0-9]{{1,2}}(?=で[勝負敗快]|の(?:スコア|同点|引き分け))"),
            lambda match: match.group().replace("-", "タイ"),
            "-",
        ),
        Rule(patterns.RATIO, lambda match: match["ratio"].replace(":", "タイ"), ":"),
        Rule(patterns.PERCENT, _percent, "%\u2030"),
        Rule(
            patterns.DEGREES,
            lambda match: _both(match, "カシ|ド" if match["scale"][-1] in "F\u2109" else "ド"),
            "\u00b0\u2103\u2109",
        ),
        Rule(patterns.SUM, _money, MONEY_NEEDS),
        Rule(patterns.MEASURED, _unit, "0"),
        Rule(patterns.VERSION, _version, "."),
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
            re.compile("(?<![A-Za-z])[CF]#(?![A-Za-z0-9])"), lambda match: f"{match.group()[0]}シャープ", "#"
        ),
        Rule(re.compile("(?<=[A-Z])2(?=[A-Z](?![A-Za-z]))"), lambda match: "ツー", "0"),
        Rule(re.compile("(?<=[A-Za-z])-(?=[0-9])"), lambda match: " ", "-"),
        Rule(patterns.ANY_NUMBER, _number, "0"),
        Rule(re.compile(r"(?<![0-9A-Za-z+ ])\+(?=[0-9])"), lambda match: "プラス", "+"),
        Rule(patterns.ENCLOSED, enclosed),
        Rule(patterns.ABOUT, lambda match: _ABOUT.get(match.group()[0]), "".join(_ABOUT)),
        Rule(patterns.MATHS, lambda match: _MATHS[match.group().strip()], "".join(_MATHS)),
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
    return _LETTERS.get(character.upper()) or _SIGNS.get(character, character)


def make() -> Reader:
    """The reader of Japanese."""
    return _Japanese()
