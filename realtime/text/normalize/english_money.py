"""Money and percentages in English: "$1.2B", "£3.50", "€5k", "USD 20", "10-20%"."""

from __future__ import annotations

import re
from dataclasses import dataclass

from realtime.text.normalize.base import Rule
from realtime.text.normalize.english_words import (
    NUMBER,
    cardinal,
    describes,
    in_parts,
    is_one,
    number,
    signed,
)
from realtime.text.spans import Edit


@dataclass(frozen=True, slots=True)
class _Currency:
    """Names of a currency and of its hundredth, None where none is in use."""

    one: str
    many: str
    cent: str | None = None
    cents: str | None = None


def _currency(
    one: str, many: str | None = None, cent: str | None = None, cents: str | None = None
) -> _Currency:
    return _Currency(one, many or one + "s", cent, cents or (f"{cent}s" if cent else None))


_CURRENCIES = {
    "$": _currency("dollar", cent="cent"),
    "US$": _currency("U.S. dollar", cent="cent"),
    "C$": _currency("Canadian dollar", cent="cent"),
    "CA$": _currency("Canadian dollar", cent="cent"),
    "A$": _currency("Australian dollar", cent="cent"),
    "AU$": _currency("Australian dollar", cent="cent"),
    "NZ$": _currency("New Zealand dollar", cent="cent"),
    "HK$": _currency("Hong Kong dollar", cent="cent"),
    "S$": _currency("Singapore dollar", cent="cent"),
    "NT$": _currency("Taiwan dollar"),
    "Rs.": _currency("rupee", cent="paisa", cents="paise"),
    "Rs": _currency("rupee", cent="paisa", cents="paise"),
    "R$": _currency("real", "reais", "centavo"),
    "\u00a3": _currency("pound", cent="penny", cents="pence"),
    "\u20ac": _currency("euro", cent="cent"),
    "\u00a5": _currency("yen", "yen"),
    "\u20b9": _currency("rupee", cent="paisa", cents="paise"),
    "\u20a9": _currency("won", "won"),
    "\u20bd": _currency("ruble", cent="kopeck"),
    "\u20ba": _currency("lira", "lira"),
    "\u20aa": _currency("shekel"),
    "\u20b4": _currency("hryvnia", "hryvnias"),
    "\u20ab": _currency("dong", "dong"),
    "\u20b1": _currency("peso"),
    "\u20a6": _currency("naira", "naira"),
    "\u0e3f": _currency("baht", "baht"),
    "\u20bf": _currency("bitcoin"),
}
_CODES = {
    "USD": _CURRENCIES["US$"],
    "EUR": _CURRENCIES["\u20ac"],
    "GBP": _currency("British pound", cent="penny", cents="pence"),
    "JPY": _CURRENCIES["\u00a5"],
    "CAD": _CURRENCIES["C$"],
    "AUD": _CURRENCIES["A$"],
    "NZD": _CURRENCIES["NZ$"],
    "HKD": _CURRENCIES["HK$"],
    "SGD": _CURRENCIES["S$"],
    "CHF": _currency("Swiss franc"),
    "CNY": _currency("yuan", "yuan"),
    "RMB": _currency("yuan", "yuan"),
    "INR": _CURRENCIES["\u20b9"],
    "KRW": _CURRENCIES["\u20a9"],
    "RUB": _CURRENCIES["\u20bd"],
    "BRL": _CURRENCIES["R$"],
    "MXN": _currency("Mexican peso"),
    "SEK": _currency("Swedish krona", "Swedish kronor"),
    "NOK": _currency("Norwegian krone", "Norwegian kroner"),
    "DKK": _currency("Danish krone", "Danish kroner"),
    "PLN": _currency("zloty", "zloty"),
    "TRY": _CURRENCIES["\u20ba"],
    "ZAR": _currency("rand", "rand"),
}
_MAGNITUDES = {
    "k": "thousand",
    "m": "million",
    "mn": "million",
    "mm": "million",
    "mio": "million",
    "b": "billion",
    "bn": "billion",
    "t": "trillion",
    "tn": "trillion",
}
_SYMBOLS = "|".join(re.escape(each) for each in sorted(_CURRENCIES, key=len, reverse=True))
#: The characters that tell that a text has money in it at all.
_SIGNS = "".join(sorted({each[-1] for each in _CURRENCIES if each[0] != "R" or each[-1] == "$"}))
_SUFFIX = r"(?: ?(?:[Mm]io|[Mm][Nn]|MM|[Bb][Nn]|[Tt][Nn]|[MBTK])|[kmbt])(?!\w)"
_WORD = r"(?:hundred|thousand|million|billion|trillion)"
_PER = {
    "hr": "hour",
    "h": "hour",
    "hour": "hour",
    "day": "day",
    "wk": "week",
    "week": "week",
    "mo": "month",
    "month": "month",
    "yr": "year",
    "year": "year",
    "kg": "kilogram",
    "lb": "pound",
    "oz": "ounce",
    "gal": "gallon",
    "GB": "gigabyte",
    "kWh": "kilowatt hour",
    "user": "user",
    "person": "person",
    "unit": "unit",
    "seat": "seat",
    "token": "token",
    "night": "night",
    "sq ft": "square foot",
}
_PER_PATTERN = " ?/ ?(?P<unit>" + "|".join(sorted(_PER, key=len, reverse=True)) + r")(?![\w/])"


def _magnitude(suffix: str | None) -> str:
    return _MAGNITUDES[suffix.strip().lower()] if suffix else ""


def _sum(amount: str, currency: _Currency, name: str) -> str:
    """An amount without a magnitude: "three dollars and fifty cents"; `name` is that of more than one."""
    whole, _, decimals = amount.partition(".")
    if len(decimals) != 2 or currency.cent is None:
        return f"{number(amount)} {currency.one if is_one(amount) else name}"
    said = f"{cardinal(whole or '0')} {currency.one if is_one(whole) else name}"
    cents = int(decimals)
    if not cents:
        return said
    cent_words = f"{cardinal(str(cents))} {currency.cent if cents == 1 else currency.cents}"
    return f"{said} and {cent_words}" if whole.strip("0") else cent_words


#: Two digits after a comma are no thousands: "\u20ac2,50".
_DECIMAL_COMMA = re.compile(r",(?=\d\d$)")


def _money(match: re.Match[str]) -> list[Edit] | str | None:
    """An amount with its currency before or after it, perhaps a range, a magnitude and "per" something."""
    parts = match.groupdict()
    symbol, word = parts.get("symbol"), parts["word"]
    if symbol == "$" and parts.get("upto") is None and match.string[match.end() : match.end() + 1] == "$":
        return None
    currency = _CURRENCIES[symbol] if symbol else _CODES[match["code"]]
    amount, suffix, upto = _DECIMAL_COMMA.sub(".", match["amount"]), parts["suffix"], parts.get("upto")
    sign = signed(parts.get("sign") or parts.get("inner"))
    name = currency.one if describes(match) else currency.many
    unit = parts.get("unit")
    tail = f" per {_PER[unit]}" if unit else " plus" if parts.get("more") else ""
    if not (suffix or word or upto):
        return sign + _sum(amount, currency, name) + tail
    figure = f"{sign}{number(amount)} {_magnitude(suffix)}".rstrip()
    if upto:
        figure += f" to {number(upto)} {_magnitude(parts.get('suffix2'))}".rstrip()
    if word is None:
        return f"{figure} {name}{tail}"
    last = f"{word} {name}{tail}"
    gap = match.start("word") - 1
    if match.string[gap] != " ":
        return f"{figure} {last}"
    if symbol is None and match.start("code") < match.start("amount"):
        return f"{figure} {last}"
    return [Edit(match.start(), gap, figure), Edit(gap + 1, match.end(), last)]


def _cents(match: re.Match[str]) -> str:
    single = is_one(match["amount"]) or describes(match)
    return f"{number(match['amount'])} {'cent' if single else 'cents'}"


def _percent(match: re.Match[str]) -> list[Edit]:
    upto = match["upto"]
    middle = f" to {number(upto)}" if upto else ""
    name = "percent" if match["mark"] == "%" else "per mille"
    first = f"{signed(match['sign'])}{number(match['amount'])}{middle}"
    return in_parts(match, (match.start(), first), (match.start("mark"), name))


_AMOUNT = rf"(?P<amount>\d{{1,7}},\d\d(?![\d,])|{NUMBER}|\.\d{{1,9}}(?!\d))"
_START = r"(?<![\w.,])"
_SIGN = r"(?P<sign>(?<![\w)\]%])[-+~\u2212])?"
_WORDS = rf"(?P<word>{_WORD})(?!\w)"
_CODE = "|".join(_CODES)
_MONEY = re.compile(
    rf"{_START}{_SIGN}(?P<symbol>{_SYMBOLS}) ?(?P<inner>[-\u2212])?{_AMOUNT}(?P<suffix>{_SUFFIX})?"
    rf"(?: ?[-\u2013\u2014] ?(?:{_SYMBOLS})?(?P<upto>{NUMBER})(?P<suffix2>{_SUFFIX})?)?"
    rf"(?:[ -]{_WORDS})?(?:(?P<more>\+)(?!\w)|{_PER_PATTERN})?(?!\w)"
)
_MONEY_AFTER = re.compile(
    rf"{_START}{_SIGN}{_AMOUNT}(?P<suffix>{_SUFFIX})?(?: {_WORDS})? ?(?P<symbol>[{re.escape(_SIGNS)}])"
    rf"(?:{_PER_PATTERN})?(?!\w)"
)
_CODE_FIRST = re.compile(rf"\b(?P<code>{_CODE}) ?{_AMOUNT}(?:(?P<suffix>{_SUFFIX})| {_WORDS})?(?!\w)")
_CODE_AFTER = re.compile(
    rf"{_START}{_SIGN}{_AMOUNT}(?P<suffix>{_SUFFIX})?(?: {_WORDS})? ?(?P<code>{_CODE})(?!\w)"
)
_CENT_SIGN = re.compile(rf"{_START}{_AMOUNT} ?\u00a2")
_PERCENT = re.compile(
    rf"{_START}(?P<sign>(?<![\w)\]%])[-+~\u2212])?{_AMOUNT}%?(?: ?[-\u2013\u2014] ?(?P<upto>{NUMBER}))? ?"
    rf"(?P<mark>[%\u2030])(?!\w)"
)

#: Every code has one of these letters.
_CODE_LETTERS = "DRPFNBKY"
RULES = (
    Rule(_MONEY, _money, _SIGNS + "R"),
    Rule(_MONEY_AFTER, _money, _SIGNS),
    Rule(_CODE_FIRST, _money, _CODE_LETTERS),
    Rule(_CODE_AFTER, _money, _CODE_LETTERS),
    Rule(_CENT_SIGN, _cents, "\u00a2"),
    Rule(_PERCENT, _percent, "%\u2030"),
)
