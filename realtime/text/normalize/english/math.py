"""Signs of mathematics in English: "2 + 2 = 4", "x\u00b2", "10^6", "~5", "\u03c0"."""

from __future__ import annotations

import re

from realtime.text.normalize.base import Rule
from realtime.text.normalize.english.matches import after, at, before
from realtime.text.normalize.english.words import cardinal, letters, number, ordinal, signed
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
    if match["base"] in _SYMBOLS:
        return [Edit(match.start(), match.end(), f"{_SYMBOLS[match['base']]} {said}")]
    if match["base"].isdecimal() and len(match["base"]) <= 15:
        return [Edit(match.start(), match.end(), f"{cardinal(match['base'])} {said}")]
    gap = " " if after(match, 1).isalnum() else ""
    return [Edit(match.start("power"), match.end("power"), f" {said}{gap}")]


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


_COMPARED = frozenset(("<", ">", "<=", ">=", "\u2264", "\u2265", "\u2248"))
#: Words after which a sign belongs to what follows it: "is \u2264 5".
_NO_OPERAND = re.compile(
    r"(?:^|[\s(])(?:is|are|was|be|or|and|to|of|for|with|if|by|only|than|that|any|at|from) ?$"
)
_EQUALS = re.compile(r"-?\d[\d.,]{0,15} ?=")
_SIZE = re.compile(r"\d[\d.]{0,9} ?(?:m|cm|mm|km|in|ft|px|inch|inches|feet|meters|grid|matrix|table)\b")


def _operator(match: re.Match[str]) -> list[Edit] | None:
    sign = match["sign"]
    if sign in "+<><=>=\u2264\u2265" and sign != "=" and (match["left"] is None) != (match["right"] is None):
        return None  # "50+ points", "values >10"
    if sign in _COMPARED and _NO_OPERAND.search(before(match, 12)):
        return [at(match, "sign", _PREFIX_WORDS[sign].strip() + ("" if match["right"] else " "))]
    if sign == "\u00d7" and match["left"] and not match["right"]:
        return None  # "batteries \u00d74"
    said = _SIGN_WORDS[sign]
    if sign == "x" and _EQUALS.match(match.string, match.end()) is None:
        said = "by"
    if sign == "\u00d7" and (before(match, 1).isalpha() or _SIZE.match(match.string, match.end())):
        said = "by"
    if said.startswith("is ") and sign in _COMPARED and _QUESTION.search(before(match, 16)):
        said = said.removeprefix("is ")
    left = "" if match["left"] else " "
    right = "" if match["right"] else " "
    return [at(match, "sign", f"{left}{said}{right}")]


#: "Is 5 > 3?", "for n > 10".
_QUESTION = re.compile(r"\b(?:[Ii]s|[Aa]re|[Ff]or|[Ww]ith|of) [\w.]{1,10} ?$")
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
    "\u00a7\u00a7": "sections ",
    "\u00b6\u00b6": "paragraphs ",
    "\u00a7": "section ",
    "\u00b6": "paragraph ",
    "\u00a9": "copyright ",
    "\u2116": "number ",
}


def _prefix(match: re.Match[str]) -> list[Edit]:
    said = _PREFIX_WORDS[match["sign"]]
    return [at(match, "sign", said.rstrip() if match["space"] else said)]


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
    "\u03b6": "zeta",
    "\u03b7": "eta",
    "\u03ba": "kappa",
    "\u03bd": "nu",
    "\u03c1": "rho",
    "\u03c4": "tau",
    "\u03c6": "phi",
    "\u03c7": "chi",
    "\u03c8": "psi",
    "\u0393": "gamma",
    "\u039b": "lambda",
    "\u03a6": "phi",
    "\u03a8": "psi",
    "\u03a9": "omega",
    "\u2208": "in",
}
_SYMBOL = re.compile(
    r"(?<![\u0370-\u03ff])(?<![\w.,])(?P<count>\d{1,9})?\u03c0|"
    r"(?<![\u0370-\u03ff])[\u03b1-\u03b8\u03ba-\u03bd\u03c0\u03c1\u03c3\u03c4\u03c6-\u03c9\u0393\u0394\u039b\u03a3\u03a6\u03a8\u03a9]"
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
    r"(?P<base>(?<![\w.,])\d{1,15}|(?<!\w)[A-Za-z]{1,3}(?=\^)|[A-Za-z\u03b1-\u03c9]"
    r"(?=[\u00b9\u00b2\u00b3\u2070-\u207b])|\))"
    r"(?P<power>\^-?\d{1,3}(?!\d|\.\d)|\^\(-?\d{1,3}\)|\u207b?[\u00b9\u00b2\u00b3\u2070\u2074-\u2079]{1,3})"
)
_OPERATOR = re.compile(
    r"(?:(?<=[\w)%\]\u00b0])(?P<left> )?(?P<sign>==|!=|<=|>=|"
    r"[=<>+\u00d7*\u00b7\u00f7\u2260\u2248\u2264\u2265\u00b1^])"
    r"(?P<right> )?(?=-?(?:[\w(\u221a$\u00a3\u20ac]|\.\d)))"
)
_OVER = re.compile(
    r"(?<=[\d\u00b2\u00b3\u03c0])/(?=[a-z\u03c0](?![A-Za-z]))|(?<=[\u00b2\u00b3\u03c0])/(?=\d)"
)
_SPACED_OPERATOR = re.compile(
    r"(?<=[\d)])(?P<left> )(?P<sign>[-\u2212\u2013x/%])(?P<right> )(?=[-\d(]|[a-z]\b)"
)
_NEGATIVE = re.compile(
    r"(?<=[=<>(,] )[-\u2212](?=\d{0,3}[a-z](?![a-z]))|(?<=[=(])[-\u2212](?=\d{1,3}[a-z](?![a-z]))"
)
_MINUS = re.compile(r"(?<=[\w)])(?P<left> )?(?P<sign>[-\u2212])(?P<right> )?(?=[\d(])")
_SUBSCRIPTS = re.compile(
    r"(?<![\w\u0370-\u03ff])(?:[A-Za-z\u03b1-\u03c9]{1,3}[\u2080-\u2089]{1,3}){1,4}(?:[A-Z][a-z]?)?(?!\w)"
)
_LOW = str.maketrans("\u2080\u2081\u2082\u2083\u2084\u2085\u2086\u2087\u2088\u2089", "0123456789")


def _subscripts(match: re.Match[str]) -> str:
    """ "CO\u2082", "x\u2081", "log\u2082"."""
    text = match[0].translate(_LOW)
    if text.startswith("log"):
        return f"log base {cardinal(text[3:])}" if text[3:].isdecimal() else text
    said = []
    for part in re.findall(r"\d+|[A-Z][a-z]|[A-Z]+|[a-z]+|[\u03b1-\u03c9]", text):
        if part.isdecimal():
            said.append(cardinal(part))
        elif part.isupper():
            said.append(letters(part))
        else:
            said.append(_SYMBOLS.get(part, part))
    words = " ".join(said)
    return words[:-1] if words.endswith(".") and after(match, 1) == "." else words


def _minus(match: re.Match[str]) -> list[Edit] | None:
    """ "(x-1)", "2x - 5": between a letter and a number, with the same space on both sides."""
    if (match["left"] is None) != (match["right"] is None) or (
        match["sign"] == "-" and not _LETTER.search(before(match, 3))
    ):
        return None
    if match["left"] is None and match["sign"] == "-" and not re.search(r"\([b-z]$", before(match, 2)):
        return None
    return [at(match, "sign", "minus" if match["left"] else " minus ")]


_LETTER = re.compile(r"(?:\d|[(=+ ]|^)[b-z]$")
_PREFIX = re.compile(
    r"(?<![\w)])(?P<sign>\u00a7\u00a7|\u00b6\u00b6"
    r"|[~\u2248\u223c\u00b1\u2265\u2264\u221a\u00d7\u00a7\u00b6\u2116\u00a9]|[<>]=?|=)"
    r"(?P<space> )?(?=[-.]?\d|[$\u00a3\u20ac]\d)"
)

#: Before ranges and plain numbers.
FIRST_RULES = (
    Rule(_SUBSCRIPTS, _subscripts, "\u2080\u2081\u2082\u2083\u2084\u2085\u2086\u2087\u2088\u2089"),
    Rule(_SCIENTIFIC, _scientific, "eEx\u00d7*"),
    Rule(_RAISED, _raised, "^\u00b9\u00b2\u00b3\u2070\u2074\u2075\u2076\u2077\u2078\u2079\u207b"),
)
#: After them.
RULES = (
    Rule(_SPACED_OPERATOR, _operator, "-\u2212\u2013x/%"),
    Rule(_OPERATOR, _operator, "=<>+\u00d7*\u00b7\u00f7\u2260\u2248\u2264\u2265\u00b1^"),
    Rule(_MINUS, _minus, "-\u2212"),
    Rule(_NEGATIVE, lambda match: "minus ", "-\u2212"),
    Rule(_OVER, lambda match: " over ", "/"),
    Rule(_SYMBOL, _symbol, "".join(sorted({sign[-1] for sign in _SYMBOLS}))),
    Rule(_PREFIX, _prefix, "~\u2248\u223c\u00b1\u2265\u2264\u221a\u00d7\u00a7\u00b6\u2116\u00a9<>="),
)
