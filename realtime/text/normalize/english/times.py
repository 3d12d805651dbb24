"""Times of day in English: "5:30 p.m.", "17:45", "9-5", "10:00 UTC+2"."""

from __future__ import annotations

import re

from realtime.text.normalize.base import Rule
from realtime.text.normalize.english.matches import after, in_parts
from realtime.text.normalize.english.words import cardinal, letters
from realtime.text.spans import Edit

_ZONES = "EST|PST|CST|MST|EDT|PDT|CDT|MDT|ET|PT|CT|MT|UTC|GMT|BST|CET|CEST|EET|IST|JST|KST|AEST|AEDT"


def _minutes(minute: str) -> str:
    return f"oh {cardinal(minute[1])}" if minute[0] == "0" else cardinal(minute)


def clock(hour: str, minute: str | None, second: str | None = None, half: bool = False) -> str | None:
    """A time's words, None if there is none such; `half`: "a.m." or "p.m." follows, so no "o'clock"."""
    hours = int(hour)
    if hours > 24 or (half and not 1 <= hours <= 12) or int(minute or 0) > 59 or int(second or 0) > 59:
        return None
    said = cardinal(str(hours))
    if second is not None and int(second):
        seconds = f"{cardinal(str(int(second)))} second{'' if int(second) == 1 else 's'}"
        said += f" {_minutes(minute or '00')}" if int(minute or 0) else " hundred" if hours > 12 else ""
        return f"{said} and {seconds}"
    if minute is None or not int(minute):
        if half or minute is None:
            return said
        return said + (" o'clock" if 1 <= hours <= 12 else " hundred")
    return f"{said} {_minutes(minute)}"


def _half(text: str, match: re.Match[str]) -> str:
    """ "a.m." or "p.m."; without its last stop where the sentence's own comes next."""
    said = "a.m." if text[0] in "aA" else "p.m."
    if match.string[match.end() : match.end() + 1] == ".":
        return said[:-1]
    return said


def _zone(match: re.Match[str]) -> str:
    """The letters of a time zone."""
    said = letters(match["zone"])
    return said[:-1] if after(match, 1) == "." else said


def _time(match: re.Match[str]) -> list[Edit] | None:
    half, zone, minute = match["half"], match["zone"], match["minute"]
    said = clock(match["hour"], minute, match["second"], half is not None)
    if said is None:
        return None
    if half is None and match["hour"] == "00" and not int(match["second"] or 0):
        said = f"twelve {_minutes(minute)} a.m." if int(minute) else "midnight"
        if zone is None and said.endswith(".") and after(match, 1) == ".":
            said = said[:-1]
    parts = [(match.start(), said)]
    if half is not None:
        parts.append((match.start("half"), _half(half, match) if zone is None else f"{half[0].lower()}.m."))
    if zone is not None:
        parts.append((match.start("zone"), _zone(match)))
    return in_parts(match, *parts)


def _times(match: re.Match[str]) -> str | None:
    """From one time to another: "9am-5pm", "9:00-17:00", "5-6 pm"."""
    half, half2 = match["half"], match["half2"]
    if (half2 is None and half is not None) or (
        half2 is None and (match["minute"] is None or match["minute2"] is None)
    ):
        return None
    first = clock(match["hour"], match["minute"], None, half2 is not None)
    last = clock(match["hour2"], match["minute2"], None, half2 is not None)
    if first is None or last is None:
        return None
    if half is not None:
        first += f" {half[0].lower()}.m."
    if half2 is not None:
        last += " " + _half(half2, match)
    return f"{first} to {last}"


def _offset(match: re.Match[str]) -> str:
    sign = "plus" if match["sign"] == "+" else "minus"
    minute = match["minute"]
    minutes = f" {_minutes(minute)}" if minute and int(minute) else ""
    return f"{'.'.join(match['zone'])}. {sign} {cardinal(str(int(match['hour'])))}{minutes}"


_HALF = r"(?:[ap]\.m\.|[ap]\. m\.|[AP]\.M\.|[ap]m|[AP]M)"
_START = r"(?<![\w:.,/-])"
_TIME = re.compile(
    rf"(?:{_START}|(?<=\dT))(?P<hour>\d{{1,2}})(?:(?::|\.(?=\d\d ?[AaPp]\.?[Mm]))(?P<minute>\d{{2}})(?::"
    rf"(?P<second>\d{{2}})"
    rf"(?:\.\d{{1,9}})?)?(?: ?(?P<half>{_HALF}))?)"
    rf"(?:Z(?!\w)|[+-]\d\d:\d\d(?!\d)| (?P<zone>{_ZONES}))?(?![\w:]|/\d)"
)
_HOUR = re.compile(
    rf"{_START}(?P<hour>\d{{1,2}})(?P<minute>(?!))?(?P<second>(?!))?[ -]?(?P<half>{_HALF})(?: "
    rf"(?P<zone>{_ZONES}))?(?!\w)"
)
_TIMES = re.compile(
    rf"{_START}(?P<hour>\d{{1,2}})(?::(?P<minute>\d{{2}}))? ?(?P<half>{_HALF})? ?[-\u2013\u2014] ?"
    rf"(?P<hour2>\d{{1,2}})(?::(?P<minute2>\d{{2}}))?(?: ?(?P<half2>{_HALF}))?(?![\w:]|[.,/]\d)"
)
_OFFSET = re.compile(
    r"\b(?P<zone>UTC|GMT)(?P<sign>[-+\u2212])(?P<hour>\d{1,2})(?::?(?P<minute>\d{2}))?(?!\w)"
)
_NOON = re.compile(
    rf"{_START}(?:(?P<word>[Nn]oon|[Mm]idnight) ?[-\u2013] ?)?(?P<hour>\d{{1,2}})(?::"
    rf"(?P<minute>\d{{2}}))? ?(?P<half>{_HALF})"
    r"(?: ?[-\u2013] ?(?P<word2>noon|midnight))?(?![\w:])"
)


def _noon(match: re.Match[str]) -> str | None:
    """ "noon-1pm", "8:30am-noon"."""
    said = clock(match["hour"], match["minute"], None, True)
    if said is None or (match["word"] is None) == (match["word2"] is None):
        return None
    if match["word2"]:
        return f"{said} {match['half'][0].lower()}.m. to {match['word2']}"
    return f"{match['word']} to {said} {_half(match['half'], match)}"


_SHORT_HALF = re.compile(
    rf"{_START}(?P<hour>\d{{1,2}})(?::(?P<minute>\d\d))?(?P<half>[ap])"
    r"(?:[-\u2013](?P<hour2>\d{1,2})(?::(?P<minute2>\d\d))?(?P<half2>[ap]))?(?![\w:])"
)


def _short_half(match: re.Match[str]) -> str | None:
    """ "6:15a", "8a-8p"; "8a" alone is something else."""
    if match["minute"] is None and match["half2"] is None:
        return None
    first = clock(match["hour"], match["minute"], None, True)
    if first is None or match["half2"] is None:
        return first and f"{first} {_half(match['half'], match)}"
    last = clock(match["hour2"], match["minute2"], None, True)
    return last and f"{first} {match['half']}.m. to {last} {_half(match['half2'], match)}"


RULES = (
    Rule(_SHORT_HALF, _short_half, "0"),
    Rule(_NOON, _noon, "n"),
    Rule(_OFFSET, _offset, "UG"),
    Rule(_TIMES, _times, "-\u2013\u2014"),
    Rule(_TIME, _time, ":."),
    Rule(_HOUR, _time, "mM"),
)
