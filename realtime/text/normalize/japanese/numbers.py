"""Japanese numbers, dates and times in katakana, with long vowels as "ー".

They agree with how OpenJTalk's dictionary reads the same in digits, but for 0時 and 8分.
"""

from __future__ import annotations

import re

from realtime.text.normalize.east_asian.shared import one_by_one, plain

_LONGEST = 16  # digits of a number that is still read as one
_DIGITS = ("ゼロ", "イチ", "ニー", "サン", "ヨン", "ゴー", "ロク", "ナナ", "ハチ", "キュー")
_ONES = ("", "イチ", "ニ", "サン", "ヨン", "ゴ", "ロク", "ナナ", "ハチ", "キュー")
_HUNDREDS = (
    " ヒャク ニヒャク サンビャク ヨンヒャク ゴヒャク ロッピャク ナナヒャク ハッピャク キューヒャク".split(" ")
)
_THOUSANDS = " セン ニセン サンゼン ヨンセン ゴセン ロクセン ナナセン ハッセン キューセン".split(" ")
_MINUTES = " イップン ニフン サンプン ヨンプン ゴフン ロップン ナナフン ハップン キューフン".split(" ")
_MONTHS = "イチ ニ サン シ ゴ ロク シチ ハチ ク ジュー ジューイチ ジューニ".split()
_DAYS = dict(
    enumerate("ツイタチ フツカ ミッカ ヨッカ イツカ ムイカ ナノカ ヨーカ ココノカ トーカ".split(), 1)
) | {
    14: "ジューヨッカ",
    17: "ジューシチニチ",
    19: "ジュークニチ",
    20: "ハツカ",
    24: "ニジューヨッカ",
    27: "ニジューシチニチ",
    29: "ニジュークニチ",
}
_HOURS = {4: "ヨ", 7: "シチ", 9: "ク"}  # last digits of hours with readings of their own
# How the end of a number changes before "テン", and before "チョー" but for the long vowels.
_BEFORE_POINT = {"イチ": "イッ", "ハチ": "ハッ", "ジュー": "ジュッ", "ニ": "ニー", "ゴ": "ゴー"}
_DOUBLED = re.compile("(?:イチ|ハチ|ジュー)$")
_POINTED = re.compile("(?:イチ|ハチ|ジュー|ニ|ゴ)$")


def digits(number: str) -> str:
    """Digit by digit."""
    return "".join(_DIGITS[int(digit)] for digit in number)


def _tens(value: int) -> str:
    """The tens of a number; nothing when there are none."""
    tens = value // 10 % 10
    return (_ONES[tens] if tens > 1 else "") + ("ジュー" if tens else "")


def _say(value: int) -> str:
    """A number from 1, below 10^16."""
    said = ""
    for power, unit in ((10**12, "チョー"), (10**8, "オク"), (10**4, "マン"), (1, "")):
        group = value // power % 10_000
        if not group:
            continue
        spoken = _THOUSANDS[group // 1000] + _HUNDREDS[group // 100 % 10] + _tens(group) + _ONES[group % 10]
        if unit and group == 1000:
            spoken = "イッセン"
        elif unit == "チョー":
            spoken = _DOUBLED.sub(lambda match: _BEFORE_POINT[match.group()], spoken)
        said += spoken + unit
    return said


def cardinal(number: str) -> str:
    """A whole number, perhaps with separators; a very long one, or one that begins with 0, digit by digit."""
    whole = plain(number)
    if one_by_one(whole, _LONGEST):
        return digits(whole)
    return _say(int(whole)) or "ゼロ"


def decimal(number: str) -> str:
    """A number with decimals: 1.5 is イッテンゴ, 0.25 レーテンニーゴー."""
    whole, _, decimals = number.partition(".")
    front = (
        "レー" if whole == "0" else _POINTED.sub(lambda match: _BEFORE_POINT[match.group()], cardinal(whole))
    )
    return f"{front}テン{digits(decimals) if len(decimals) > 1 else _ONES[int(decimals)] or 'ゼロ'}"


def year(number: str) -> str:
    """A year of four digits: "2024" is ニセンニジューヨネン."""
    return _say(int(number)).removesuffix("ン" if number[-1] == "4" else "") + "ネン"


def month(value: int) -> str:
    """A month, 1 to 12."""
    return _MONTHS[value - 1] + "ガツ"


def day(value: int) -> str:
    """A day of a month, 1 to 31."""
    return _DAYS.get(value) or _say(value) + "ニチ"


def _minutes(value: int) -> str:
    if value and value % 10 == 0:
        return _tens(value).removesuffix("ー") + "ップン"
    return _tens(value) + _MINUTES[value % 10]


def clock(hour: str, minute: str, second: str | None) -> str:
    """A time of the day; minutes that are zero are not said."""
    value = int(hour)
    last = _HOURS.get(value % 10)
    said = "レー" if value == 0 else _tens(value) + last if last else _say(value)
    said = f"{said}ジ {_minutes(int(minute))}".rstrip()
    return said if second is None else f"{said} {_say(int(second)) or 'ゼロ'}ビョー"
