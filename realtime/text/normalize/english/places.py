"""Streets and directions in English: "221B Baker St.", "5th Ave NW", "N. Main St.", "Hwy 101 N", "Apt 4B"."""

from __future__ import annotations

import re

from realtime.text.normalize.base import Rule
from realtime.text.normalize.english.matches import at, before, closes
from realtime.text.normalize.english.words import cardinal, letters, pairs
from realtime.text.spans import Edit

_DIRECTIONS = {
    "N": "North",
    "S": "South",
    "E": "East",
    "W": "West",
    "NE": "Northeast",
    "NW": "Northwest",
    "SE": "Southeast",
    "SW": "Southwest",
}
_LONG = _DIRECTIONS | {
    "NNE": "North Northeast",
    "NNW": "North Northwest",
    "SSE": "South Southeast",
    "SSW": "South Southwest",
    "ENE": "East Northeast",
    "ESE": "East Southeast",
    "WNW": "West Northwest",
    "WSW": "West Southwest",
}
#: What ends the name of a street; in full or cut short.
_ENDS = (
    "St|Ave|Blvd|Rd|Dr|Ln|Pkwy|Pl|Ct|Ter|Sq|Street|Avenue|Boulevard|Road|Drive|Lane|Parkway|Place|Court|"
    "Terrace|Square|Way|Highway|Hwy"
)
_NAME_OF_STREET = rf"(?:\d{{1,3}}(?:st|nd|rd|th)|(?:[A-Z][a-z]{{1,15}} ){{1,2}}(?:{_ENDS}))\b"


def _house(match: re.Match[str]) -> str:
    """The number of a house: "221B", "1600"."""
    text, letter = match["number"], match["letter"]
    said = pairs(text) if len(text) in (3, 4) else cardinal(text)
    return f"{said} {letters(letter)}" if letter else said


def _way(match: re.Match[str]) -> list[Edit]:
    """ "N. Main St.", "NW 5th Ave": a direction before a street."""
    return [Edit(match.start("way"), match.end("way"), _DIRECTIONS[match["way"].rstrip(".")])]


def _way_after(match: re.Match[str]) -> str:
    """ "Pennsylvania Ave NW", "I-95 N"."""
    name = match["way"].rstrip(".")
    return _DIRECTIONS[name] + ("." if match["way"].endswith(".") and closes(match) else "")


def _wind(match: re.Match[str]) -> list[Edit] | None:
    way = _LONG.get(match["way"])
    return [at(match, "way", way.lower())] if way else None


_SHORT = {
    "apt": "apartment",
    "rm": "room",
    "bldg": "building",
    "ste": "suite",
    "fig": "figure",
    "vol": "volume",
    "hwy": "highway",
    "rte": "route",
    "ext": "extension",
}


def _numbered(match: re.Match[str]) -> list[Edit]:
    """ "Apt 4B", "Rm. 204": what a number follows, with or without a stop."""
    written = match["name"]
    said = _SHORT[written.lower()]
    space = " " if match.string[match.end()].isdecimal() else ""
    return [Edit(match.start(), match.end(), (said.capitalize() if written[0].isupper() else said) + space)]


_PARTIES = {"D": "Democrat", "R": "Republican", "I": "Independent"}


def party_rule(states: dict[str, str]) -> Rule:
    """The rule for "(D-NY)" after a politician's name, with the names of the states."""

    def say(match: re.Match[str]) -> str | None:
        state = states.get(match["state"])
        return f"{_PARTIES[match['party']]} of {state.replace('_', ' ')}" if state else None

    return Rule(_PARTY, say, "-")


_PARTY = re.compile(r"(?<=\()(?P<party>[DRI])-(?P<state>[A-Z]{2})(?=\))")
_HOUSE = re.compile(
    rf"(?<![\w.,/$#:-])(?P<number>\d{{1,5}})(?P<letter>[A-Z])?(?= (?:(?:[NSEW]|NE|NW|SE|SW)\.? |North "
    rf"|South |East |"
    rf"West )?{_NAME_OF_STREET})"
)
_WAY = re.compile(rf"(?<![\w.&])(?P<way>[NSEW]\.|(?<=\d )(?:[NSEW]|NE|NW|SE|SW))(?= {_NAME_OF_STREET})")
_LAND_WAY = re.compile(
    r"(?<![\w.&])(?P<way>[NS]\.(?= (?:Korea|Carolina|Dakota|America|Africa|Ireland|Sudan)\b)|"
    r"[EW]\.(?= (?:Virginia|Germany|Africa|Timor|Bank)\b))"
)
_WAY_AFTER = re.compile(
    r"(?:(?<= St )|(?<= St\. )|(?<= Ave )|(?<= Ave\. )|(?<= Rd )|(?<= Rd\. )|(?<=Street )|(?<=Avenue )|"
    r"(?<=Road )|"
    r"(?<=Blvd )|(?<=Blvd\. )|(?<= Dr )|(?<= Dr\. ))(?P<way>(?:NE|NW|SE|SW|[NSEW])(?!\w)(?!\.\w)\.?)"
    r"(?![\w'&-])"
)
_ROAD_WAY = re.compile(r"(?<=\d )(?P<way>[NSEW](?:\.(?!\w))?)(?![\w'&-]|\.\w)")
_ROAD = re.compile(r"\b(?:I-|US-|US |SR-|Hwy\.? |Highway |Route |Rte\.? |Interstate )\d{1,3} $")
_WIND = re.compile(
    r"\b[Ww]inds? (?:from the |out of the |from )?(?P<way>[NS](?:[NS][EW]|[EW])?|[EW](?:[NS][EW])?)(?![\w.])"
)
_NUMBERED = re.compile(
    r"(?<![\w.])(?P<name>[Aa]pt|[Rr]m|[Bb]ldg|[Ss]te|Fig|Vol|[Hh]wy|[Rr]te|[Ee]xt)(?:\.(?= ?#?\d)|(?= #?\d))"
)


def _road_way(match: re.Match[str]) -> str | None:
    return _way_after(match) if _ROAD.search(before(match, 18)) else None


#: Before numbers and units are read.
FIRST_RULES = (
    Rule(_HOUSE, _house, "0"),
    Rule(_WAY, _way, "NSEW"),
    Rule(_LAND_WAY, _way, "."),
    Rule(_WAY_AFTER, _way_after, "NSEW"),
    Rule(_ROAD_WAY, _road_way, "NSEW"),
    Rule(_WIND, _wind, "Ww"),
    Rule(_NUMBERED, _numbered, "0"),
)
