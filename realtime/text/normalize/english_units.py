"""Measures in English: "5 km", "60 mph", "98.6\u00b0F", "5 ft 3 in", "100 MB/s", "1920x1080"."""

from __future__ import annotations

import re

from realtime.text.normalize.base import Rule
from realtime.text.normalize.english_words import (
    FUNCTION_WORDS,
    QUANTITY,
    VULGAR,
    after,
    below_two,
    cardinal,
    closes,
    describes,
    in_parts,
    pairs,
    quantity,
    signed,
)
from realtime.text.spans import Edit

#: Names of units, in the singular, and their signs.
_SIGNS = {
    "kilometer": "km,KM,Km",
    "meter": "m",
    "centimeter": "cm",
    "millimeter": "mm",
    "micrometer": "\u00b5m,\u03bcm,um",
    "nanometer": "nm",
    "mile": "mi",
    "yard": "yd,yds",
    "foot": "ft",
    "kilogram": "kg,KG,Kg",
    "gram": "g",
    "milligram": "mg",
    "microgram": "\u00b5g,\u03bcg,mcg",
    "pound": "lb,lbs,LBS",
    "ounce": "oz",
    "ton": "t,tn",
    "liter": "l,L",
    "milliliter": "ml,mL,ML",
    "centiliter": "cl,cL",
    "deciliter": "dl,dL",
    "fluid ounce": "fl oz",
    "gallon": "gal",
    "quart": "qt",
    "tablespoon": "tbsp,Tbsp",
    "teaspoon": "tsp",
    "hectare": "ha",
    "second": "s,sec,secs",
    "millisecond": "ms,msec",
    "microsecond": "\u00b5s,\u03bcs",
    "nanosecond": "ns",
    "minute": "min,mins",
    "hour": "h,hr,hrs",
    "week": "wk,wks",
    "month": "mo,mos",
    "year": "yr,yrs",
    "kilobyte": "KB,kB",
    "megabyte": "MB",
    "gigabyte": "GB",
    "terabyte": "TB",
    "petabyte": "PB",
    "megabit": "Mb",
    "gigabit": "Gb",
    "kibibyte": "KiB",
    "mebibyte": "MiB",
    "gibibyte": "GiB",
    "hertz": "Hz",
    "kilohertz": "kHz,KHz",
    "megahertz": "MHz",
    "gigahertz": "GHz",
    "watt": "W",
    "kilowatt": "kW,KW",
    "megawatt": "MW",
    "gigawatt": "GW",
    "watt hour": "Wh",
    "kilowatt hour": "kWh,KWh",
    "megawatt hour": "MWh",
    "gigawatt hour": "GWh",
    "terawatt hour": "TWh",
    "volt": "V",
    "millivolt": "mV",
    "kilovolt": "kV",
    "milliamp": "mA",
    "milliamp hour": "mAh",
    "ohm": "\u03a9,\u2126",
    "joule": "J",
    "kilojoule": "kJ",
    "calorie": "cal",
    "kilocalorie": "kcal",
    "newton": "N",
    "kilonewton": "kN",
    "newton meter": "Nm",
    "pascal": "Pa",
    "hectopascal": "hPa",
    "kilopascal": "kPa",
    "megapascal": "MPa",
    "millibar": "mbar",
    "decibel": "dB",
    "lumen": "lm",
    "mole": "mol",
    "horsepower": "hp,HP",
    "mile per hour": "mph,MPH",
    "mile per gallon": "mpg,MPG",
    "kilometer per hour": "kph,kmh",
    "kilobit per second": "kbps,Kbps",
    "megabit per second": "Mbps",
    "gigabit per second": "Gbps",
    "frame per second": "fps,FPS",
    "revolution per minute": "rpm,RPM",
    "beat per minute": "bpm,BPM",
    "word per minute": "wpm,WPM",
    "query per second": "qps,QPS",
    "part per million": "ppm",
    "basis point": "bps",
    "pound per square inch": "psi,PSI",
    "dot per inch": "dpi,DPI",
    "pixel": "px",
    "megapixel": "MP",
    "degree Celsius": "\u00b0C,\u2103,\u00b0 C",
    "degree Fahrenheit": "\u00b0F,\u2109,\u00b0 F",
    "degree": "\u00b0",
    "kelvin": "K",
    "knot": "kn,kt,kts",
    "electronvolt": "eV",
    "square foot": "sq ft,sqft",
    "square meter": "sqm,sq m",
    "square mile": "sq mi",
}
_UNITS = {sign: name for name, signs in _SIGNS.items() for sign in signs.split(",")}
_PERS = {
    "100 km": "hundred kilometers",
    "100km": "hundred kilometers",
    "100 g": "hundred grams",
    "100g": "hundred grams",
}
_SAME = ("hertz", "horsepower")
_LENGTHS = ("meter", "kilometer", "centimeter", "millimeter", "mile", "foot", "yard")
_POWERS = {"\u00b2": "square", "\u00b3": "cubic", "^2": "square", "^3": "cubic", "2": "square", "3": "cubic"}


def _plural(name: str) -> str:
    """The plural of a unit's name: of the word before "per" in it, of the first word before "Celsius"."""
    head, per, tail = name.partition(" per ")
    if head.startswith("degree"):
        head = head.replace("degree", "degrees", 1)
    elif head.endswith("foot"):
        head = head.removesuffix("foot") + "feet"
    elif head == "query":
        head = "queries"
    elif not head.endswith(_SAME):
        head += "s"
    return head + per + tail


def _unit(sign: str, power: str | None, many: bool) -> str | None:
    name = _UNITS[sign]
    said = _plural(name) if many else name
    if not power:
        return said
    if name in _LENGTHS:
        return f"{_POWERS[power]} {said}"
    return None if power in "23" else f"{said} {'squared' if _POWERS[power] == 'square' else 'cubed'}"


def _measure(match: re.Match[str]) -> list[Edit] | None:
    amount, upto, sign, join = match["amount"], match["upto"], match["unit"], match["join"]
    if (join == "" and sign in ("N", "J")) or (sign == "K" and join != " "):
        return None  # "5N" and "5K" are something else
    if sign == "s" and not join and after(match, 3) == " of":
        return None  # "100s of people"
    if sign == "W" and after(match, 2)[1:].isdigit():
        return None  # "5 W 4th Street"
    singular = (upto is None and below_two(amount)) or join == "-" or describes(match)
    said = _unit(sign, match["power"], not singular)
    per = match["per"]
    if said is None:
        return None
    if per is not None:
        per_name = _unit(per, match["power2"], False) if per in _UNITS else _PERS.get(per, per)
        if per_name is None:
            return None
        said += f" per {per_name}"
    first = signed(match["sign"]) + quantity(amount)
    if upto is not None:
        first += " to " + quantity(upto)
    dot = "." if match["dot"] and closes(match) else ""
    return in_parts(match, (match.start(), first), (match.start("unit"), said + dot))


def _feet(match: re.Match[str]) -> str | list[Edit] | None:
    inches = match["inches"]
    if inches is None:
        return None
    if match["mark"] in ("'", "\u2019", "\u2032"):
        return f"{cardinal(match['feet'])} foot {quantity(inches)}"
    feet = "foot" if match["feet"] == "1" else "feet"
    inch = "inch" if below_two(inches) else "inches"
    dot = "." if match["dot"] and closes(match) else ""
    return in_parts(
        match,
        (match.start(), cardinal(match["feet"])),
        (match.start("mark") + match["mark"].startswith(" "), feet),
        (match.start("inches"), quantity(inches)),
        (match.start("sign"), inch + dot),
    )


_NOUN = re.compile(r" ([a-z]{2,20})(?!\w|\.\w)")


def _inches(match: re.Match[str]) -> str | None:
    if match["mark"] == '"' and match.string.count('"', max(0, match.start() - 80), match.start()) % 2:
        return None  # the quotation mark closes what was said
    noun = _NOUN.match(match.string, match.end())
    quoted = match["mark"] == '"' and noun is not None and noun[1] not in FUNCTION_WORDS
    single = below_two(match["amount"]) or quoted or describes(match)
    dot = "." if match["mark3"] and closes(match) else ""
    return f"{quantity(match['amount'])} {'inch' if single else 'inches'}{dot}"


def _by(match: re.Match[str]) -> list[Edit]:
    """Sizes: "10x20", "1920x1080"; numbers of four digits in pairs."""
    numbers = [part for part in match.group(1, 2, 3) if part]
    said = " by ".join(pairs(part) if len(part) == 4 else quantity(part) for part in numbers)
    if match[4] is None:
        return in_parts(match, (match.start(), said))
    return in_parts(match, (match.start(), said), (match.start(4), _plural(_UNITS[match[4]])))


def _directed(match: re.Match[str]) -> str:
    names = {"N": "north", "S": "south", "E": "east", "W": "west"}
    degrees = "degree" if below_two(match["amount"]) else "degrees"
    return f"{quantity(match['amount'])} {degrees} {names[match['to']]}"


_ANY = "|".join(re.escape(sign) for sign in sorted(_UNITS, key=len, reverse=True))
_PER_WORDS = "100 ?km|100 ?g|second|minute|hour|day|week|month|year|person|token|user|" + _ANY
_START = r"(?<![\w.,/])(?<![A-Za-z]-)"
_SIGN = r"(?P<sign>(?<![\w)\]%\u00b0])[-+~\u2212])?"
_POWER = r"(?:\^?[23](?!\d|[.,]\d)|[\u00b2\u00b3])"
_MEASURE = re.compile(
    rf"{_START}{_SIGN}(?P<amount>{QUANTITY})(?:(?:{_ANY})? ?[-\u2013\u2014] ?(?P<upto>{QUANTITY}))?"
    rf"(?P<join>[ -]?)(?P<unit>{_ANY})(?P<power>{_POWER})?"
    rf"(?: ?/ ?(?P<per>{_PER_WORDS})(?P<power2>{_POWER})?)?(?P<dot>\.(?= [a-z(]|[,;:)\"']|$))?(?![\w/])"
)
_FEET = re.compile(
    r"(?<![\w.,/])(?P<feet>\d{1,2})(?P<mark>['\u2019\u2032]| ?ft\.?| ?feet) ?(?P<inches>\d{1,2}(?:\.\d)?|"
    r"\d{0,2} ?[\u00bd])"
    r" ?(?P<sign>\"|\u201d|\u2033|''|inches|in(?P<dot>\.(?= [a-z(]|[,;:)]|$))?(?!\w))"
)
_INCHES = re.compile(
    rf"{_START}(?P<amount>{QUANTITY})(?:(?P<mark>\")(?:(?= (?:[a-z]|x \d))|(?<=/\d\")|(?<=/\d\d\"))| ?"
    rf"(?P<mark2>\u2033)| "
    rf"(?P<mark3>in\.)(?= [a-z]|[,;:)]|$))"
)
_SIZE = re.compile(
    r"(?<![\w.,/-])(\d{1,5}(?:\.\d{1,3})?)[x\u00d7](\d{1,5}(?:\.\d{1,3})?)(?:[x\u00d7](\d{1,5}(?:\.\d{1,3})?))?"
    r"(?: ?(m|cm|mm|km|ft|px))?(?![\w/]|[.,]\d| ?=)"
)
_DIRECTED = re.compile(rf"{_START}(?P<amount>{QUANTITY}) ?\u00b0 ?(?P<to>[NSEW])(?!\w)")
_SPEED = re.compile(r"(?<![\w/])(km/h|m/s|mi/h|MB/s|GB/s|kB/s)(?![\w/])")


def _standing(match: re.Match[str]) -> str:
    """A speed's unit without a number before it."""
    unit, _, per = match[1].partition("/")
    return f"{_plural(_UNITS[unit])} per {_UNITS[per] if per in _UNITS else 'hour'}"


_DEGREES = re.compile(r"(?<![\w.,/-])(\d{2,3})([FC])(?!\w)")


def _degrees(match: re.Match[str]) -> str:
    """Of an oven or the weather: "350F"."""
    return f"{cardinal(match[1])} degrees {'Fahrenheit' if match[2] == 'F' else 'Celsius'}"


RULES = (
    Rule(_DEGREES, _degrees, "FC"),
    Rule(_FEET, _feet, "'\u2019\u2032f"),
    Rule(_INCHES, _inches, '"\u2033i'),
    Rule(_DIRECTED, _directed, "\u00b0"),
    Rule(_MEASURE, _measure, "0" + VULGAR),
    Rule(_SIZE, _by, "x\u00d7"),
    Rule(_SPEED, _standing, "/"),
)
