"""Money and percentages in English: "$1.2B", "£3.50", "€5k", "USD 20", "10-20%"."""

from __future__ import annotations

import re
from dataclasses import dataclass

from realtime.text.normalize.base import Rule
from realtime.text.normalize.english.matches import describes, in_parts
from realtime.text.normalize.english.words import (
    DASH,
    NUMBER,
    QUANTITY,
    cardinal,
    is_one,
    number,
    quantity,
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
    "wk": "week",
    "mo": "month",
    "yr": "year",
    "kg": "kilogram",
    "lb": "pound",
    "oz": "ounce",
    "gal": "gallon",
    "GB": "gigabyte",
    "kWh": "kilowatt hour",
    "sq ft": "square foot",
    "sq. ft": "square foot",
    "sqft": "square foot",
    "min": "minute",
    "sec": "second",
    "bbl": "barrel",
    "tn": "ton",
    "mi": "mile",
    "L": "liter",
    "TB": "terabyte",
    "M": "million",
    "1M": "one million",
    "1K": "one thousand",
    "1k": "one thousand",
}
_PER_PATTERN = rf" ?/ ?(?P<unit>{'|'.join(sorted(_PER, key=len, reverse=True))}|[a-z]{{3,12}})(?![\w/])"


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
    code = parts.get("trail") if symbol else match["code"]
    currency = _CODES[code] if code else _CURRENCIES[symbol or "$"]
    amount, suffix, upto = _DECIMAL_COMMA.sub(".", match["amount"]), parts["suffix"], parts.get("upto")
    sign = signed(parts.get("sign") or parts.get("inner"))
    name = currency.one if describes(match) or match.string.startswith("-a-", match.end()) else currency.many
    unit = parts.get("unit")
    tail = f" per {_PER.get(unit, unit)}" if unit else " plus" if parts.get("more") else ""
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


def _pair(match: re.Match[str]) -> str:
    """ "EUR/USD", as traders say it."""
    return f"{_SHORT_NAMES[match['first']]} {_SHORT_NAMES[match['second']]}"


def _cents(match: re.Match[str]) -> str:
    single = is_one(match["amount"]) or describes(match)
    unit = match["unit"]
    tail = f" per {_PER.get(unit, unit)}" if unit else ""
    return f"{number(match['amount'])} {'cent' if single else 'cents'}{tail}"


def _percent(match: re.Match[str]) -> list[Edit]:
    upto = match["upto"]
    middle = f" to {quantity(upto)}" if upto else ""
    name = ("percent" if match["mark"] == "%" else "per mille") + (" plus" if match["more"] else "")
    first = f"{signed(match['sign'])}{quantity(match['amount'])}{middle}"
    return in_parts(match, (match.start(), first), (match.start("mark"), name))


_AMOUNT = rf"(?P<amount>\d{{1,7}},\d\d(?![\d,])|{NUMBER}|\.\d{{1,9}}(?!\d))"
_START = r"(?<![\w.,])"
_NO_YEAR = r"(?!(?<=['\u2019])\d\d(?!\d))"  # "'24" is a year
_SIGN = r"(?P<sign>(?<![\w)\]%])[-+~\u2212])?"
_WORDS = rf"(?P<word>{_WORD})(?!\w)"
_CODE = "|".join(_CODES)
_MONEY = re.compile(
    rf"{_START}{_SIGN}(?P<symbol>{_SYMBOLS}) ?(?P<inner>[-\u2212])?{_AMOUNT}(?P<suffix>{_SUFFIX})?"
    rf"(?:{DASH}(?:{_SYMBOLS})?(?P<upto>{NUMBER})(?P<suffix2>{_SUFFIX})?)?"
    rf"(?:[ -]{_WORDS})?(?: ?(?P<trail>USD|CAD|AUD|NZD|SGD|HKD)(?!\w))?(?:(?P<more>\+)(?!\w)|"
    rf"{_PER_PATTERN})?(?!\w|[.,]\d)"
)
_MONEY_AFTER = re.compile(
    rf"{_START}{_SIGN}{_AMOUNT}(?P<suffix>{_SUFFIX})?(?: {_WORDS})? ?(?P<symbol>[{re.escape(_SIGNS)}])"
    rf"(?:{_PER_PATTERN})?(?!\w)"
)
_CODE_FIRST = re.compile(rf"\b(?P<code>{_CODE}) ?{_AMOUNT}(?:(?P<suffix>{_SUFFIX})| {_WORDS})?(?!\w)")
_CODE_AFTER = re.compile(
    rf"{_START}{_NO_YEAR}{_SIGN}{_AMOUNT}(?P<suffix>{_SUFFIX})?(?: {_WORDS})? ?(?P<code>{_CODE})(?!\w)"
)
_CENT_SIGN = re.compile(rf"{_START}{_AMOUNT} ?\u00a2(?:{_PER_PATTERN})?")
_PAIR = re.compile(r"(?<![\w/])(?P<first>USD|EUR|GBP|JPY|CHF)/(?P<second>USD|EUR|GBP|JPY|CHF)(?![\w/])")
_SHORT_NAMES = {"USD": "dollar", "EUR": "euro", "GBP": "pound", "JPY": "yen", "CHF": "Swiss franc"}
_PERCENT = re.compile(
    rf"{_START}(?P<sign>(?<![\w)\]%])[-+~\u2212])?(?P<amount>{QUANTITY})%?(?:{DASH}(?P<upto>{QUANTITY}))? ?"
    rf"(?P<mark>[%\u2030])(?P<more>\+(?!\w))?(?!\w)(?! \d)"
)

#: Every code has one of these letters.
_CODE_LETTERS = "DRPFNBKY"
RULES = (
    Rule(_MONEY, _money, _SIGNS + "R"),
    Rule(_MONEY_AFTER, _money, _SIGNS),
    Rule(_CODE_FIRST, _money, _CODE_LETTERS),
    Rule(_CODE_AFTER, _money, _CODE_LETTERS),
    Rule(_CENT_SIGN, _cents, "\u00a2"),
    Rule(_PAIR, _pair, "/"),
    Rule(_PERCENT, _percent, "%\u2030"),
)
