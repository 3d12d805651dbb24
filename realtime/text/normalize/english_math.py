"""Signs of mathematics in English: "2 + 2 = 4", "x\u00b2", "10^6", "~5", "\u03c0"."""

from __future__ import annotations

import re

from realtime.text.normalize.base import Rule
from realtime.text.normalize.english_words import after, at, before, cardinal, number, ordinal, signed
from realtime.text.spans import Edit

_SUPERSCRIPTS = str.maketrans(
    "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207b", "0123456789-"
)


def _scientific(match: re.Match[str]) -> str:
    return f"{signed(match['sign'])}{number(match['amount'])} times ten to the {_power(match['power'])}"


def _power(text: str) -> str:
    if text[0] in "-\u2212":
        return cardinal("-" + text[1:])
    return ordinal(text.lstrip("+"))


def _raised(match: re.Match[str]) -> list[Edit]:
    power = match["power"].strip("^()").translate(_SUPERSCRIPTS)
    said = {"2": "squared", "3": "cubed"}.get(power) or f"to the {_power(power)}"
    if match["base"].isdecimal() and len(match["base"]) <= 15:
        return [Edit(match.start(), match.end(), f"{cardinal(match['base'])} {said}")]
    return [Edit(match.start("power"), match.end("power"), " " + said)]


_SIGN_WORDS = {
    "+": "plus",
    "-": "minus",
    "\u2212": "minus",
    "\u2013": "minus",
    "\u00d7": "times",
    "*": "times",
    "x": "times",
    "\u00b7": "times",
    "/": "divided by",
    "\u00f7": "divided by",
    "=": "equals",
    "==": "equals",
    "!=": "is not equal to",
    "\u2260": "is not equal to",
    "\u2248": "is about",
    "<": "is less than",
    ">": "is greater than",
    "<=": "is at most",
    ">=": "is at least",
    "\u2264": "is at most",
    "\u2265": "is at least",
    "\u00b1": "plus or minus",
    "^": "to the power of",
    "%": "modulo",
}


_EQUALS = re.compile(r"-?\d[\d.,]{0,15} ?=")
_SIZE = re.compile(r"\d[\d.]{0,9} ?(?:m|cm|mm|km|in|ft|px|inch|inches|feet|meters|grid|matrix|table)\b")


def _operator(match: re.Match[str]) -> list[Edit] | None:
    sign = match["sign"]
    if sign in "+<><=>=\u2264\u2265" and sign != "=" and (match["left"] is None) != (match["right"] is None):
        return None  # "50+ points", "values >10"
    said = _SIGN_WORDS[sign]
    if sign == "x" and _EQUALS.match(match.string, match.end()) is None:
        said = "by"
    if sign == "\u00d7" and (before(match, 1).isalpha() or _SIZE.match(match.string, match.end())):
        said = "by"
    left = "" if match["left"] else " "
    right = "" if match["right"] else " "
    return [at(match, "sign", f"{left}{said}{right}")]


_PREFIX_WORDS = {
    "~": "about ",
    "\u2248": "about ",
    "\u223c": "about ",
    "\u00b1": "plus or minus ",
    ">": "more than ",
    "<": "less than ",
    ">=": "at least ",
    "<=": "at most ",
    "\u2265": "at least ",
    "\u2264": "at most ",
    "\u221a": "the square root of ",
    "\u00d7": "times ",
    "=": "equals ",
    "+": "plus ",
    "\u00a7": "section ",
    "\u00a9": "copyright ",
    "\u2116": "number ",
}


def _prefix(match: re.Match[str]) -> str:
    said = _PREFIX_WORDS[match["sign"].strip()]
    return said.rstrip() if match["space"] else said


_SYMBOLS = {
    "\u221e": "infinity",
    "\u03c0": "pi",
    "\u2192": "to",
    "->": "to",
    "@": "at",
    "\u03b1": "alpha",
    "\u03b2": "beta",
    "\u03b3": "gamma",
    "\u03b4": "delta",
    "\u0394": "delta",
    "\u03b5": "epsilon",
    "\u03b8": "theta",
    "\u03bb": "lambda",
    "\u03bc": "mu",
    "\u03c3": "sigma",
    "\u03a3": "sigma",
    "\u03c9": "omega",
    "\u03a9": "omega",
    "\u2208": "in",
}
_SYMBOL = re.compile(
    r"(?<![\u0370-\u03ff])(?<![\w.,])(?P<count>\d{1,9})?\u03c0|"
    r"(?<![\u0370-\u03ff])[\u03c0\u03b1-\u03b5\u0394\u03b8\u03bb\u03bc\u03c3\u03a3\u03c9\u03a9]"
    r"(?![\u0370-\u03ff])"
    r"|[\u221e\u2192\u2208]|(?<![\w-])->|(?<!\S)@(?= )"
)


def _symbol(match: re.Match[str]) -> str:
    """A sign that is a word: with space around it where there is none."""
    left = before(match, 1)
    right = after(match, 1)
    count = match["count"]
    if count is not None:
        return f"{cardinal(count)} pi" + (" " if right.isalnum() else "")
    said = _SYMBOLS[match[0]]
    return (" " if left.isalnum() else "") + said + (" " if right.isalnum() else "")


_START = r"(?<![\w.,])(?<![\w)][-/:\u2013])"
_SIGN = r"(?P<sign>(?<![\w)\]%])[-+\u2212])?"
_SCIENTIFIC = re.compile(
    rf"{_START}{_SIGN}(?P<amount>\d{{1,9}}(?:\.\d{{1,15}})?)(?:[eE]| ?[\u00d7x*] ?10\^?)"
    rf"(?P<power>[-+\u2212]?\d{{1,3}})(?!\w)"
)
_RAISED = re.compile(
    r"(?P<base>(?<![\w.,])\d{1,15}|(?<!\w)[A-Za-z](?=\^)|[A-Za-z](?=[\u00b9\u00b2\u00b3\u2070-\u207b])|\))"
    r"(?P<power>\^-?\d{1,3}(?!\d|\.\d)|\^\(-?\d{1,3}\)|\u207b?[\u00b9\u00b2\u00b3\u2070\u2074-\u2079]{1,3})"
)
_OPERATOR = re.compile(
    r"(?:(?<=[\w)%\]\u00b0])(?P<left> )?(?P<sign>==|!=|<=|>=|"
    r"[=<>+\u00d7*\u00b7\u00f7\u2260\u2248\u2264\u2265\u00b1^])(?P<right> )?(?=-?[\w(\u221a]))"
)
_SPACED_OPERATOR = re.compile(
    r"(?<=[\d)])(?P<left> )(?P<sign>[-\u2212\u2013x/%])(?P<right> )(?=[-\d(]|[a-z]\b)"
)
_PREFIX = re.compile(
    r"(?<![\w)])(?P<sign>[~\u2248\u223c\u00b1\u2265\u2264\u221a\u00d7\u00a7\u2116\u00a9]|[<>]=?|=)"
    r"(?P<space> )?(?=[-.]?\d|[$\u00a3\u20ac]\d)"
)

#: Before ranges and plain numbers.
FIRST_RULES = (
    Rule(_SCIENTIFIC, _scientific, "eEx\u00d7*"),
    Rule(_RAISED, _raised, "^\u00b9\u00b2\u00b3\u2070\u2074\u2075\u2076\u2077\u2078\u2079\u207b"),
)
#: After them.
RULES = (
    Rule(_SPACED_OPERATOR, _operator, "-\u2212\u2013x/%"),
    Rule(_OPERATOR, _operator, "=<>+\u00d7*\u00b7\u00f7\u2260\u2248\u2264\u2265\u00b1^"),
    Rule(_SYMBOL, _symbol, "".join(sorted({sign[-1] for sign in _SYMBOLS}))),
    Rule(_PREFIX, _prefix, "~\u2248\u223c\u00b1\u2265\u2264\u221a\u00d7\u00a7\u2116\u00a9<>="),
)
