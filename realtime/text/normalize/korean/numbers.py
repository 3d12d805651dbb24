"""Korean numbers, Sino-Korean and native, in hangul."""

from __future__ import annotations

import functools

from num2words import num2words  # type: ignore[import-untyped]

from realtime.text.normalize.east_asian.shared import one_by_one, plain

_LONGEST = 16  # digits of a number that is still read as one
_DIGITS = "일이삼사오육칠팔구"
_NATIVE_ONES = ("", "한", "두", "세", "네", "다섯", "여섯", "일곱", "여덟", "아홉")
_NATIVE_TENS = ("", "열", "스물", "서른", "마흔", "쉰", "예순", "일흔", "여든", "아흔")
# The highest native number that people say before some counters.
_HIGHEST = {"시": 12, "시간": 19, "배": 10}


def digits(number: str, zero: str = "영") -> str:
    """Digit by digit."""
    return "".join(_DIGITS[int(digit) - 1] if digit != "0" else zero for digit in number)


@functools.lru_cache(maxsize=1024)
def sino(number: str) -> str:
    """A number in digits, perhaps with separators and decimals: "3.14" is "삼 점 일사".

    A very long one, or one that begins with 0, digit by digit.
    """
    whole, _, decimals = plain(number).partition(".")
    if one_by_one(whole, _LONGEST):
        said = digits(whole, "공")
    else:
        said = str(num2words(int(whole), lang="ko"))
    return f"{said} 점 {digits(decimals)}" if decimals else said


def _native(value: int) -> str:
    hundreds, rest = value - value % 100, value % 100
    if hundreds:
        return sino(str(hundreds)) + _native(rest) if 0 < rest < 20 else sino(str(value))
    if value == 20:
        return "스무"
    return _NATIVE_TENS[value // 10] + _NATIVE_ONES[value % 10]


def counted(number: str, counter: str) -> str:
    """A number before a counter, native where people say it so."""
    if "." in number or len(number) > _LONGEST:
        return sino(number)
    value = int(plain(number))
    if counter == "번째" and value == 1:
        return "첫"
    return _native(value) if 0 < value <= _HIGHEST.get(counter, 999) else sino(number)


def month(value: int) -> str:
    """A month, 1 to 12."""
    return {6: "유월", 10: "시월"}.get(value) or sino(str(value)) + "월"


def clock(hour: str, minute: str, second: str | None) -> str:
    """A time of the day; minutes that are zero are not said."""
    said = counted(str(int(hour)), "시") + " 시"
    if int(minute):
        said += f" {sino(str(int(minute)))}분"
    return said if second is None else f"{said} {sino(str(int(second)))}초"
