"""Measures in English: "5 km", "60 mph", "98.6\u00b0F", "5 ft 3 in", "100 MB/s", "1920x1080"."""

from __future__ import annotations

import re

from realtime.text.normalize.base import Rule
from realtime.text.normalize.english.matches import after, before, closes, describes, in_parts, noun_follows
from realtime.text.normalize.english.words import DASH, QUANTITY, VULGAR, below_two, quantity, signed
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
    "fluid ounce": "fl oz,fl. oz",
    "gallon": "gal",
    "quart": "qt",
    "tablespoon": "tbsp,Tbsp,tbs,T",
    "teaspoon": "tsp",
    "hectare": "ha",
    "second": "s,sec,secs",
    "millisecond": "ms,msec",
    "atmosphere": "atm",
    "millimole": "mmol",
    "micromole": "\u00b5mol,\u03bcmol",
    "nanogram": "ng",
    "microsecond": "\u00b5s,\u03bcs",
    "nanosecond": "ns",
    "minute": "min,mins",
    "hour": "h,hr,hrs",
    "week": "wk,wks",
    "month": "mo,mos",
    "year": "yr,yrs",
    "kilobyte": "KB,kB,kb",
    "megabyte": "MB,mb",
    "gigabyte": "GB,gb",
    "terabyte": "TB,tb",
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
    "degree Celsius": "\u00b0C,\u2103,\u00b0 C,\u00baC",
    "degree Fahrenheit": "\u00b0F,\u2109,\u00b0 F,\u00baF",
    "degree": "\u00b0",
    "kelvin": "K",
    "knot": "kn,kt,kts",
    "electronvolt": "eV",
    "acre": "ac",
    "square foot": "sf,sq ft,sqft,sq. ft",
    "square meter": "sqm,sq m",
    "square mile": "sq mi,sq. mi",
    "square inch": "sq in",
    "cubic foot": "cu ft,cu. ft,cuft",
    "millimeter of mercury": "mmHg,mm Hg",
    "pound foot": "lb-ft,lb ft,lbft",
    "foot pound": "ft-lb,ft-lbs,ft lbs",
    "point": "pts",
    "rebound": "reb",
    "assist": "ast",
    "amp hour": "Ah",
    "amp": "A",
    "cup": "c",
    "international unit": "IU",
    "percentage point": "pp",
    "milliequivalent": "mEq",
}
#: The name of each sign.
UNITS = {sign: name for name, signs in _SIGNS.items() for sign in signs.split(",")}
_PERS = {
    "100 km": "hundred kilometers",
    "100km": "hundred kilometers",
    "100 g": "hundred grams",
    "100g": "hundred grams",
}
_SAME = ("hertz", "horsepower")
_LENGTHS = ("meter", "kilometer", "centimeter", "millimeter", "mile", "foot", "yard")
_POWERS = {"\u00b2": "square", "\u00b3": "cubic", "^2": "square", "^3": "cubic", "2": "square", "3": "cubic"}


def plural_unit(name: str) -> str:
    """The plural of a unit's name: of the word before "per" in it, of the first word before "Celsius"."""
    if name == "pound foot":
        return "pound-feet"
    head, per, tail = name.partition(" of " if " of " in name else " per ")
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
    name = UNITS[sign]
    said = plural_unit(name) if many else name
    if not power:
        return said
    if name in _LENGTHS:
        return f"{_POWERS[power]} {said}"
    return None if power in "23" else f"{said} {'squared' if _POWERS[power] == 'square' else 'cubed'}"


def _measure(match: re.Match[str]) -> list[Edit] | None:
    amount, upto, sign, join = match["amount"], match["upto"], match["unit"], match["join"]
    if (join == "" and sign in ("N", "J")) or (sign == "K" and join != " "):
        return None  # "5N" and "5K" are something else
    if sign == "s" and not join and (after(match, 3) == " of" or _GROUP.search(before(match, 7))):
        return None  # "100s of people", "the 300s"
    if sign == "m" and not join and _AGO.match(match.string, match.end()):
        sign = "min"  # "5m ago"
    if sign == "W" and after(match, 2)[1:].isdigit():
        return None  # "5 W 4th Street"
    partial, dot = "/" in amount or amount[-1] in VULGAR, match["dot"]
    if sign == "T" and not dot:
        return None
    if (sign == "c" and not (dot or (partial and amount[-1] in "2348" + VULGAR))) or (
        sign == "A" and not _is_current(match)
    ):
        return None  # "5c", "Room 5A"
    if sign == "t" and join == " " and (partial or dot):
        sign = "tsp"  # "1/2 t. salt"
    singular = (upto is None and below_two(amount)) or join == "-" or describes(match)
    singular = singular or (_BY_BEFORE.search(before(match, 4)) is not None and noun_follows(match))
    said = _unit(sign, match["power"], not singular)
    per = match["per"]
    if said is None:
        return None
    if per is not None:
        per_name = _unit(per, match["power2"], False) if per in UNITS else _PERS.get(per, per)
        if per_name is None:
            return None
        said += f" per {per_name}"
    first = signed(match["sign"]) + quantity(amount)
    if upto is not None:
        first += " to " + quantity(upto)
    dot = "." if match["dot"] and closes(match) else ""
    return in_parts(match, (match.start(), first), (match.start("unit"), said + dot))


_GROUP = re.compile(r"\b(?:[Tt]he|low|high|mid|upper|lower|[Tt]hese|[Tt]hose)[ -]$")
_AGO = re.compile(r" (?:ago|later|read)\b")
_FUSE = re.compile(r" (?:fuse|breaker|circuit|outlet|charger|supply|current|socket|adapter|of current)\b")


_BY_BEFORE = re.compile(r"(?<![A-Za-z])[x\u00d7] $")


def _is_current(match: re.Match[str]) -> bool:
    """Whether "A" after a number is amperes: a decimal one, or before what they flow through."""
    return ("." in match["amount"] and match["join"] == "") or _FUSE.match(
        match.string, match.end()
    ) is not None


def _directed(match: re.Match[str]) -> str:
    names = {"N": "north", "S": "south", "E": "east", "W": "west"}
    degrees = "degree" if below_two(match["amount"]) else "degrees"
    return f"{quantity(match['amount'])} {degrees} {names[match['to']]}"


_ANY = "|".join(re.escape(sign) for sign in sorted(UNITS, key=len, reverse=True))
_PER_WORDS = "100 ?km|100 ?g|[a-z]{4,12}(?![a-z])|day|" + _ANY
#: What may not stand before a measure.
START = r"(?:(?<![\w.,/])|(?<=[A-Za-z]/))(?<![A-Za-z]-)"
_SIGN = r"(?P<sign>(?<![\w)\]%\u00b0])[-+~\u2212])?"
_POWER = r"(?:\^?[23](?!\d|[.,]\d)|[\u00b2\u00b3])"
_MEASURE = re.compile(
    rf"{START}{_SIGN}(?P<amount>{QUANTITY})(?:(?:{_ANY})?{DASH}(?P<upto>{QUANTITY}))?"
    rf"(?P<join>[ -]?)(?P<unit>{_ANY})(?P<power>{_POWER})?"
    rf"(?: ?/ ?(?P<per>{_PER_WORDS})(?P<power2>{_POWER})?)?"
    rf"(?P<dot>\.(?= [a-z(\d&]|[,;:)\"']|$))?(?!\w|/(?!\d)"
    rf"|['\u2019]\w)"
)
_DIRECTED = re.compile(rf"{START}(?P<amount>{QUANTITY}) ?\u00b0 ?(?P<to>[NSEW])(?!\w)")
_SPEED = re.compile(r"(?<![\w/])(km/h|m/s|mi/h|MB/s|GB/s|kB/s)(?![\w/])")


def _standing(match: re.Match[str]) -> str:
    """A speed's unit without a number before it."""
    unit, _, per = match[1].partition("/")
    return f"{plural_unit(UNITS[unit])} per {UNITS[per] if per in UNITS else 'hour'}"


_DEGREES = re.compile(r"(?:(?<![\w.,/-])|(?<=[FC]/))(?P<amount>\d{2,3}(?:\.\d)?)(?P<scale>[FC])(?!\w)")


def _degrees(match: re.Match[str]) -> str | None:
    """Of an oven or the weather: "350F"; a seat is no temperature."""
    if _SEAT.search(before(match, 16)):
        return None
    return f"{quantity(match['amount'])} degrees {'Fahrenheit' if match['scale'] == 'F' else 'Celsius'}"


_SCALE = re.compile(r"(?<![\d\u00bd\w])(?<!\d )\u00b0(?P<scale>[CF])(?!\w)")


def _scale(match: re.Match[str]) -> str:
    """A scale without a number: "from \u00b0F to \u00b0C"."""
    return f"degrees {'Fahrenheit' if match['scale'] == 'F' else 'Celsius'}"


_SEAT = re.compile(
    r"\b(?:[Ss]eats?|[Rr]ow|[Rr]oom|[Gg]ate|[Aa]pt\.?|[Aa]partment|[Uu]nit|[Ee]xit|[Ss]uite|[Bb]us) $"
)
_LARGE = re.compile(
    r"(?<=\d )(?:million|billion|trillion) (?P<unit>km|kg|mi|lbs?|mph|ft|GB|TB|MW|GW|kWh|MWh|GWh|"
    r"TWh|sq ft|gal|ha|t|m|L)(?P<dot>\.(?= [a-z(]|[,;:)]|$))?(?![\w/])"
)


def _large(match: re.Match[str]) -> list[Edit]:
    """ "1.4 million km"."""
    dot = "." if match["dot"] and closes(match) else ""
    return [Edit(match.start("unit"), match.end(), plural_unit(UNITS[match["unit"]]) + dot)]


RULES = (
    Rule(_DEGREES, _degrees, "FC"),
    Rule(_LARGE, _large, "i"),
    Rule(_DIRECTED, _directed, "\u00b0"),
    Rule(_MEASURE, _measure, "0" + VULGAR),
    Rule(_SCALE, _scale, "\u00b0"),
    Rule(_SPEED, _standing, "/"),
)
