"""Japanese: what the dictionary of the voice cannot read is written in kana; the rest stays.

The voice `kokoro-ja` reads by OpenJTalk's dictionary, which knows numbers with their counters (2人 ふたり,
1本 いっぽん, 20日 はつか) by ASCII digits; so whole numbers stay digits, and so do decimals before kanji
(1.5倍). It skips what it does not know: "/", ":", "-", "=", "#" and currency signs but the yen's, which
it says before the number. Those are written out, and with them telephone numbers and versions, whose
digits it reads as bare numbers. Two of its readings are corrected: 0時 is れいじ, 1日(月) ついたち. Letters
and words in Latin script that it skips or spells are written in katakana (`words`).

The voice without the dictionary reads kana only. So a text without kanji is given none: its dates, times,
decimals and units become katakana, which both read alike: in katakana no particle and no word is found
by mistake (はち would begin with a は). Long vowels are written with ー for the same reason. A text with
kanji is for the voice with the dictionary, and has its dates, times and units in digits and kanji
(`everyday.in_kanji`).
"""

from __future__ import annotations

import re

from realtime.text.normalize.base import Reader, Rule
from realtime.text.normalize.east_asian import patterns
from realtime.text.normalize.east_asian.names import MONEY, MONEY_NEEDS, SCALES, unit_or_currency
from realtime.text.normalize.east_asian.patterns import DASHES, FRESH
from realtime.text.normalize.east_asian.reader import EastAsianReader
from realtime.text.normalize.east_asian.shared import (
    address,
    ascends,
    is_fraction,
    parts,
    phone,
    plain,
    point,
    scaled,
)
from realtime.text.normalize.japanese.dates import clock, date_rules, reading_rules
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
from realtime.text.normalize.japanese.numbers import cardinal, decimal, digits
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
_ABOUT = {"\u00b1": "プラスマイナス", "\u2248": "ヤク", "\u2252": "ヤク"}
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
    return phone(match, digits, "、", "プラス")


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
    return _both(match, unit_or_currency(match["unit"], 1))


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


def _number(match: re.Match[str]) -> str | None:
    number = _written(match["number"], _after(match), in_kanji(match))
    said = ("マイナス" if match.group()[0] == "-" else "") + number
    return said if said != match.group() else None


def _number_rules() -> list[Rule]:
    """Numbers of points in a list, addresses, telephone numbers."""
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
    ]


def _score_rules() -> list[Rule]:
    """Postal addresses, times of the day, scores, ratios, blood pressure."""
    return [
        Rule(
            re.compile(r"(?<![0-9A-Za-z-])[1-9][0-9]{0,3}-[1-9][0-9]{0,3}-[1-9][0-9]{0,3}(?![0-9A-Za-z-])"),
            lambda match: match.group().replace("-", "の"),  # in a postal address
            "-",
        ),
        Rule(patterns.GROUPS, _phone, "-"),
        Rule(patterns.CLOCK, clock, ":"),
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
    ]


def _measure_rules() -> list[Rule]:
    """Percent, degrees, sums of money, units."""
    return [
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
    ]


def _range_rules() -> list[Rule]:
    """Versions, powers, sums, ranges, fractions."""
    return [
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
    ]


def _word_rules() -> list[Rule]:
    """Words and letters in Latin script."""
    return [
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
    ]


def _plain_rules() -> list[Rule]:
    """Any other number, and signs."""
    return [
        Rule(patterns.ANY_NUMBER, _number, "0"),
        Rule(patterns.PLUS, lambda match: "プラス", "+"),
        Rule(patterns.EQUALS, lambda match: "イコール", "="),
        Rule(patterns.ENCLOSED, point),
        Rule(patterns.ABOUT, lambda match: _ABOUT.get(match.group()[0]), "".join(_ABOUT)),
        Rule(patterns.MATHS, _maths, "".join(_MATHS)),
        Rule(re.compile(" ?& ?"), lambda match: "アンド", "&"),
    ]


def _rules() -> list[Rule]:
    return [
        *_number_rules(),
        *date_rules(),
        *_score_rules(),
        *_measure_rules(),
        *_range_rules(),
        *reading_rules(),
        *_word_rules(),
        *_plain_rules(),
    ]


class _Japanese(EastAsianReader):
    """What becomes katakana is no part of a katakana word before it."""

    def edits(self, text: str) -> list[Edit]:
        """See `base.Reader`."""
        found = super().edits(text)
        for at, edit in enumerate(found):
            before = text[edit.start - 1 : edit.start]
            if _is_katakana(before) and _is_katakana(edit.spoken[:1]):
                found[at] = Edit(edit.start, edit.end, f" {edit.spoken}")
        return found


def make() -> Reader:
    """The reader of Japanese; numbers and names of letters are in katakana, an ordinal is "イチバンメ"."""
    return _Japanese(
        _rules(),
        cardinal=cardinal,
        minus="マイナス",
        ordinal=lambda digits, said: f"{said}バンメ",
        digits=digits,
        name=lambda character: _SIGNS.get(character) or letters(character),
    )
