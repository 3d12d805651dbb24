"""Chinese numbers in characters, with 零 and 两 where people say them."""

from __future__ import annotations

from realtime.text.normalize.east_asian.shared import one_by_one, plain

_DIGITS = "零一二三四五六七八九"
_LONGEST = 15  # digits of a number that is still read as one


def digits(number: str) -> str:
    """Digit by digit."""
    return "".join(_DIGITS[int(digit)] for digit in number)


def _below_10000(value: int, leading: bool) -> str:
    said, gap = "", False
    for power, unit in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = value // power % 10
        if digit == 0:
            gap = bool(said)
            continue
        if gap:
            said += "零"
        gap = False
        if power == 10 and digit == 1 and leading and not said:
            said += "十"
        elif power == 1000 and digit == 2 and leading:
            said += "两千"
        else:
            said += _DIGITS[digit] + unit
    return said


def say(value: int, leading: bool = True) -> str:
    """A number below 10^16; zero is said as nothing. `leading`: nothing of the number was said before."""
    for power, unit in ((10**8, "亿"), (10**4, "万")):
        if value >= power:
            high, rest = divmod(value, power)
            said = ("两" if high == 2 and leading else say(high, leading)) + unit
            if not rest:
                return said
            return said + ("零" if rest < power // 10 else "") + say(rest, leading=False)
    return _below_10000(value, leading)


def cardinal(number: str) -> str:
    """A whole number, perhaps with separators; a very long one, or one that begins with 0, digit by digit."""
    whole = plain(number)
    if one_by_one(whole, _LONGEST):
        return digits(whole)
    return say(int(whole)) or "零"


def decimal(number: str) -> str:
    """A number with decimals, digit by digit after 点."""
    whole, _, decimals = number.partition(".")
    return cardinal(whole) + (f"点{digits(decimals)}" if decimals else "")


def count(number: str) -> str:
    """A number before a measure word."""
    return "两" if number == "2" else decimal(number)


def amount(number: str) -> str:
    """A number of money, whose last zeros are not said."""
    return count(number.rstrip("0").rstrip(".") if "." in number else number)
