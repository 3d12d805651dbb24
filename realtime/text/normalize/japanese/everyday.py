"""What is said in Japanese of floors, powers, blood pressure, rates; and where kanji may be written.

The voice that reads kana only must meet no kanji that the text does not have. Where there are some already,
the voice with the dictionary reads, and "14時30分" is better to look at than its reading in katakana.
"""

from __future__ import annotations

import functools
import re

from realtime.text.normalize.east_asian.names import name
from realtime.text.normalize.east_asian.shared import pressure as numbers_of
from realtime.text.normalize.japanese.numbers import cardinal, clock, digits

#: In a text that has kanji, units are written so; what is read from them is the same.
IN_KANJI = {
    "エン": "円",
    "ド": "度",
    "カシ|ド": "華氏|度",
    "ジソク|キロメートル": "時速|キロメートル",
    "ジソク|マイル": "時速|マイル",
    "ビョーソク|メートル": "秒速|メートル",
    "ヘーホーキロメートル": "平方キロメートル",
    "ヘーホーメートル": "平方メートル",
    "リッポーメートル": "立方メートル",
    "ミリビョー": "ミリ秒",
    "キロワットジ": "キロワット時",
    "ジンミンゲン": "人民元",
    "ジカン": "時間",
    "フン": "分",
}
_KANJI = re.compile("[\u4e00-\u9fff\u3005]")


def is_kanji(character: str) -> bool:
    """Whether a character, or none, is a kanji."""
    return "\u4e00" <= character <= "\u9fff" or character == "\u3005"


def in_kanji(match: re.Match[str]) -> bool:
    """Whether the text of a match has kanji, so that only the voice with the dictionary reads it."""
    return _has_kanji(match.string)


@functools.lru_cache(maxsize=16)
def _has_kanji(text: str) -> bool:
    return _KANJI.search(text) is not None


def with_scale(number: str) -> str:
    """A large whole number in digits and 兆, 億, 万: only for texts that have kanji."""
    if int(number) >= 10**16:
        return number
    powers = ((10**12, "兆"), (10**8, "億"), (10**4, "万"), (1, ""))
    groups = [(int(number) // power % 10_000, unit) for power, unit in powers]
    return "".join(f"{value}{unit}" for value, unit in groups if value)


def down(match: re.Match[str]) -> str | None:
    """A score that goes down, "5-3"."""
    first, last = match["first"], match["last"]
    return f"{first}タイ{last}" if int(first) > int(last) and (last == "0" or last[0] != "0") else None


def postal(match: re.Match[str]) -> str:
    """A postal code."""
    return "の".join(map(digits, match.group().split("-")))


def pressure(match: re.Match[str]) -> str:
    """Blood pressure."""
    high, low = numbers_of(match)
    return f"{high}の{low}" + ("ミリメートルエイチジー" if match["unit"] else "")


def rate(match: re.Match[str]) -> str:
    """A rate in baseball, ".310"."""
    tenths, hundredths, rest = map(cardinal, match["rate"])
    return f"{tenths}ワリ{hundredths}ブ" + (f"{rest}リン" if match["rate"][2] != "0" else "")


def hours(match: re.Match[str]) -> str:
    """How long something takes, "2h15min"."""
    hours, minutes = int(match["hours"]), int(match["minutes"])
    if in_kanji(match):
        return f"{hours}時間{minutes}分"
    return f"{cardinal(str(hours))}ジカン {clock('0', str(minutes), None).partition(' ')[2]}"


def scaled_unit(match: re.Match[str]) -> str | None:
    """A unit behind a number with a power of ten in kanji."""
    named = name(match["unit"], 1)
    return None if "|" in named else IN_KANJI.get(named, named)


def power(match: re.Match[str]) -> str:
    """A power."""
    exponent = match["power"] or ("2" if match["raised"] == "\u00b2" else "3")
    return f"の{exponent}乗" if in_kanji(match) else f"\u30ce{cardinal(exponent)}ジョー"


def floor(match: re.Match[str]) -> str:
    """A floor, "4F" or "B1F"."""
    if in_kanji(match):
        return ("地下" if match["below"] else "") + match["floor"] + "階"
    return ("チカ" if match["below"] else "") + match["floor"] + "カイ"
