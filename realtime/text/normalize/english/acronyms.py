"""Acronyms in English that are spelled and those that are read, and letters with signs: "R&D", "C++"."""

from __future__ import annotations

import re

from realtime.text.normalize.base import Rule
from realtime.text.normalize.english.letters import (
    READ,
    is_acronym,
    is_spelled,
    is_word,
    pronounceable,
    say_letters,
)
from realtime.text.normalize.english.matches import after, at, before
from realtime.text.normalize.english.words import cardinal, letters
from realtime.text.normalize.roman import roman_value
from realtime.text.spans import Edit

#: Roman numerals that are nothing else.
_NUMERALS = frozenset("II III VII VIII XII XIII XIV XVI XVII XVIII XIX".split())
_MIXED_CASE = "|".join(word for word in READ if not word.isupper())
_ACRONYM = re.compile(rf"(?<![\w.&'\u2019])(?:[A-Z]{{2,6}}|{_MIXED_CASE})(?![\w&]|['\u2019][A-Z])")
_NEXT_TOKEN = re.compile(r",? ([A-Z]{2,20})(?!\w)")
_PREVIOUS_TOKEN = re.compile(r"(?<!\w)([A-Z]{2,20})[,!]? $")
_THE = re.compile(r"\b(?:[Tt]he|[Aa]n?|[Oo]ur|[Yy]our|[Tt]heir|[Ii]ts|of|in|for|from|to|and) $")
#: Words too, unless something before or after says otherwise.
_AMBIGUOUS = {
    "IT": re.compile(
        r" (?:team|department|support|staff|infrastructure|security|industry|services?|manager|systems?)\b"
    ),
    "WHO": re.compile(r"(?!)"),
    "US": re.compile(r""),
    "LA": re.compile(r"(?!)"),
}


def _acronym(match: re.Match[str]) -> str | None:
    token = match[0]
    if token in READ:
        return READ[token]
    if token in _NUMERALS:
        return cardinal(str(roman_value(token)))
    following, previous = after(match, 22), before(match, 24)
    neighbour = _NEXT_TOKEN.match(following), _PREVIOUS_TOKEN.search(previous)
    shouted = any(found is not None and is_word(found[1]) for found in neighbour)
    if token in _AMBIGUOUS:
        listed = token in ("WHO", "LA") and any(
            found is not None and is_acronym(found[1]) for found in neighbour
        )
        if shouted or (not listed and not (_AMBIGUOUS[token].match(following) or _THE.search(previous))):
            return None
    elif not is_spelled(token) or (shouted and not is_acronym(token) and pronounceable(token)):
        return None
    if following[:1] == "." or following[:2] in ("'s", "\u2019s"):
        # The sentence's own stop must stay one, and a possessive is read right as it is.
        return letters(token)[:-1] if token in _AMBIGUOUS and token != "US" else None
    return letters(token)


def _ampersand(match: re.Match[str]) -> str:
    left, right = match["left"], match["right"]
    tail = ("'s" if right == "A" else "s") if match["many"] else ""
    said_right = right if match["many"] else letters(right)
    if match.string[match.end() : match.end() + 1] == ".":
        said_right = said_right.rstrip(".")
    return f"{letters(left)} and {said_right}{tail}"


def _signed(match: re.Match[str]) -> str:
    """ "C++", "C#", "A+"."""
    sign = {"+": "plus", "++": "plus plus", "#": "sharp"}[match["sign"]]
    return f"{say_letters(match['name'])} {sign}"


_AMPERSAND = re.compile(r"(?<![\w&])(?P<left>[A-Z]{1,4})&(?P<right>[A-Z]{1,4})(?P<many>s)?(?![\w&])")
_SIGNED = re.compile(r"(?<![\w+#])(?P<name>[A-Za-z]{1,12})(?P<sign>\+\+|[+#])(?![\w+#])")
_AND = re.compile(r"(?<=[^\s&]) & (?=[^\s&])|(?<=[\w.,)'\"])(?: &|& ?)(?=[\w$('\"])")
_PHD = re.compile(r"\bPhD(?!\w)(?!\.|['\u2019])")
_UNDERSCORES = re.compile(
    r"(?<!\w)_{1,4}(?=[A-Za-z0-9])|(?<=[A-Za-z0-9])_{1,4}(?!\w)|(?<=[A-Za-z0-9])_(?=[A-Za-z0-9])"
)


def _and(match: re.Match[str]) -> list[Edit]:
    at_sign = match.start() + match[0].index("&")
    left = "" if match[0].startswith(" ") else " "
    right = "" if match[0].endswith(" ") else " "
    return [Edit(at_sign, at_sign + 1, f"{left}and{right}")]


def _underscore(match: re.Match[str]) -> list[Edit]:
    inside = (
        match.start() > 0
        and match.string[match.start() - 1].isalnum()
        and match.string[match.end() : match.end() + 1].isalnum()
    )
    return [at(match, 0, " " if inside else "")]


RULES = (
    Rule(_AMPERSAND, _ampersand, "&"),
    Rule(_SIGNED, _signed, "+#"),
    Rule(_AND, _and, "&"),
    Rule(_PHD, lambda match: "Ph.D.", "P"),
    Rule(_UNDERSCORES, _underscore, "_"),
    Rule(_ACRONYM, _acronym),
)
