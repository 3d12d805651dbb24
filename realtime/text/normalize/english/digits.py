"""Digits that count nothing, in English: "ending in 4321", "code 381-204", "a 1099", "0800 hours"."""

from __future__ import annotations

import re

from realtime.text.normalize.base import Rule
from realtime.text.normalize.english.matches import after, at, before
from realtime.text.normalize.english.words import cardinal, digits, letters, pairs, plural
from realtime.text.spans import Edit

_CARD = re.compile(r"(?:[Cc]ard|[Aa]ccount|[Nn]umber|[Pp]hone|Visa|[Cc]hecking|[Ss]avings)\b")


def _ending(match: re.Match[str]) -> str | None:
    """Digits of an account, a card or a code, one by one."""
    context = _BEFORE_ENDING.search(before(match, 30))
    if context is None:
        return None
    text = match[0]
    if context["end"] and len(text) == 4 and text[:2] in ("19", "20") and not _CARD.search(before(match, 30)):
        return None  # "ending in 1984"
    return digits(text, "oh" if context["called"] else "zero")


def _split_code(match: re.Match[str]) -> list[Edit] | None:
    """ "code: 381-204"."""
    return _grouped(match, "zero") if _BEFORE_CODE.search(before(match, 16)) else None


def _form(match: re.Match[str]) -> list[Edit] | None:
    """ "a 1099", "Form 1040", "1099s"."""
    if re.match(r" (?:people|men|women|children)\b", after(match, 10)):
        return None
    said = pairs(match["number"])
    return [Edit(match.start("number"), match.end(), plural(said) if match["many"] else said)]


def _plane(match: re.Match[str]) -> list[Edit] | None:
    """ "the 737 MAX", "a 747"."""
    following = re.match(r" ([a-z]+)", after(match, 20))
    if following is not None and following[1].endswith("s") and following[1] not in ("is", "was", "has"):
        return None
    return [at(match, "number", pairs(match["number"]))]


def _extension(match: re.Match[str]) -> str:
    """ "(800) 555-0199 x42"."""
    return f"extension {pairs(match[1])}"


def _grouped(match: re.Match[str], zero: str = "oh") -> list[Edit]:
    """Groups of digits, each digit by itself, with a comma after all but the last."""
    edits: list[Edit] = []
    for group in re.finditer(r"\d+", match[0]):
        start, end = match.start() + group.start(), match.start() + group.end()
        said = digits(group[0], zero)
        if end == match.end():
            edits.append(Edit(start, end, said))
        else:  # with the hyphen after it, if there is one
            hyphen = match.string[end] == "-"
            edits.append(Edit(start, end + hyphen, said + (", " if hyphen else ",")))
    return edits


def _case(match: re.Match[str]) -> str:
    """ "21-cv-1234", "No. 22-451": cases at court."""
    if match["kind"] is None:
        return f"{pairs(match['term'])} {pairs(match['docket'])}"
    return f"{cardinal(match['year'])} {letters(match['kind'])} {pairs(match['number'])}"


def _hours(match: re.Match[str]) -> list[Edit]:
    """ "0800 hours", as soldiers say it."""
    hour, minute = match["hour"], match["minute"]
    said = f"oh {cardinal(hour[1])}" if hour[0] == "0" else cardinal(hour)
    last = (
        "hundred" if minute == "00" else f"oh {cardinal(minute[1])}" if minute[0] == "0" else cardinal(minute)
    )
    return [Edit(match.start(), match.end(), f"{said} {last}")]


_ENDING = re.compile(r"(?<![\w.,/$#:-])\d{4,12}(?![\w%/:-]|[.,]\d)")
_BEFORE_ENDING = re.compile(
    r"\b(?:(?P<end>(?:ending|ends|end) (?:in|with))|(?P<called>[Zz][Ii][Pp](?: [Cc]ode)?(?: is)?|"
    r"[Tt]ext [A-Z]{2,9} to)|[Ss][Ss][Nn](?: is)?|SSN are|[Pp]asscode(?: is)?|PIN"
    r"(?: is)?|[Aa]ccount number is|"
    r"[Oo]rder number is|[Ss]erial number is|[Cc]ode is|[Dd]igits are) $"
)
_SPLIT_CODE = re.compile(r"(?<![\w.,/$#:-])\d{3}[- ]\d{3}(?![\w%/:-]|[.,]\d| \d)")
_BEFORE_CODE = re.compile(r"\b(?:[Cc]ode|[Pp]asscode|OTP|PIN)(?: is|:)? $")
_FORM = re.compile(
    r"\b(?:(?:[Aa]|[Tt]he|[Mm]y|[Yy]our|[Ff]orm|[Hh]is|[Hh]er|[Ee]ach|[Ee]very|IRS) |(?<=[Aa]nd )"
    r"(?=1099))(?P<number>1099"
    r"|1040|1098|1095)"
    r"(?P<many>s)?(?![\w%/:-]|[.,]\d)"
)
_PLANE = re.compile(r"\b(?:[Aa]|[Tt]he|[Aa]n|[Oo]ur|[Oo]ne) (?P<number>7[0-8]7)(?![\w%/:,-]|\.\d)")
_EXTENSION = re.compile(r"(?<=\d{3}[-. ]\d{4} )x ?(\d{1,6})(?!\w)")
_BRITISH = re.compile(r"(?<![\w.,+-])(?<!\d )0\d{2,4} \d{3,4} \d{3,4}(?![\w-]|[.,]\d| \d)")
_GROUPS = re.compile(r"(?<![\w.,+/$-])\d{1,7}-\d{3,7}-\d{1,7}(?![\w/%-]|[.,:]\d)")
_CASE = re.compile(
    r"(?<![\w-])(?:(?P<year>\d{1,2})-(?P<kind>cv|cr|mc|md|mj|bk)-(?P<number>\d{1,4})|"
    r"(?<=No\. )(?P<term>\d\d)-(?P<docket>\d{3,4}))(?![\w-]|[.,]\d)"
)
_HOURS = re.compile(r"(?<![\w.,:-])(?P<hour>[01]\d|2[0-4])(?P<minute>[0-5]\d)(?= (?:hours|hrs)\b)")

FIRST_RULES = (
    Rule(_ENDING, _ending, "0"),
    Rule(_SPLIT_CODE, _split_code, "0"),
    Rule(_FORM, _form, "0"),
    Rule(_PLANE, _plane, "0"),
    Rule(_EXTENSION, _extension, "x"),
    Rule(_BRITISH, _grouped, "0"),
    Rule(_CASE, _case, "-"),
    Rule(_HOURS, _hours, "0"),
)
#: After telephone numbers and dates.
RULES = (Rule(_GROUPS, _grouped, "-"),)
