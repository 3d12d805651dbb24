"""Abbreviations in English, by what stands around them: "Dr. Lee", "Main St.", "St. Paul", "No. 5"."""

from __future__ import annotations

import re

from realtime.text.normalize.base import Rule
from realtime.text.normalize.english.matches import after, before, closes
from realtime.text.normalize.english.words import letters
from realtime.text.spans import Edit

#: Before a name, which begins with a capital.
_TITLES = {
    "Mr": "Mister",
    "Mrs": "Missus",
    "Ms": "Miz",
    "Messrs": "Messieurs",
    "Dr": "Doctor",
    "Prof": "Professor",
    "Rev": "Reverend",
    "Hon": "Honorable",
    "Gen": "General",
    "Col": "Colonel",
    "Maj": "Major",
    "Capt": "Captain",
    "Lt": "Lieutenant",
    "Sgt": "Sergeant",
    "Cmdr": "Commander",
    "Adm": "Admiral",
    "Sen": "Senator",
    "Rep": "Representative",
    "Gov": "Governor",
    "Pres": "President",
    "Supt": "Superintendent",
    "Fr": "Father",
    "Msgr": "Monsignor",
    "Drs": "Doctors",
    "Mt": "Mount",
    "Ft": "Fort",
}
_WITHOUT_DOT = frozenset("Mr Mrs Ms Dr Prof Mt".split())
#: After a name or a number of a street.
_STREETS = {
    "St": "Street",
    "Dr": "Drive",
    "Ave": "Avenue",
    "Blvd": "Boulevard",
    "Rd": "Road",
    "Ln": "Lane",
    "Hwy": "Highway",
    "Pkwy": "Parkway",
    "Ct": "Court",
    "Sq": "Square",
    "Pl": "Place",
    "Ter": "Terrace",
}
_SAINTS = frozenset(
    "Paul Louis Peter John Mary George Patrick Helens Petersburg Francis Andrew Andrews Thomas Augustine "
    "Lucia Lucie "
    "Kitts Nicholas James Joseph Michael Martin Albans Bernard Catherine Catherines Charles Clair Cloud "
    "Croix Denis Elmo "
    "Germain Ives Jude Lawrence Luke Mark Matthew Moritz Pancras Stephen Tropez Valentine Vincent Barts "
    "Basil Anthony "
    "Anne Agnes Teresa Christopher David Gallen Ignatius Benedict".split()
)
#: Whatever stands around them; with a stop at the end.
_ANYWHERE = {
    "e.g.": "for example",
    "i.e.": "that is",
    "eg.": "for example",
    "ie.": "that is",
    "etc.": "et cetera",
    "etc": "et cetera",
    "vs.": "versus",
    "approx.": "approximately",
    "Approx.": "approximately",
    "dept.": "department",
    "Dept.": "Department",
    "govt.": "government",
    "Govt.": "Government",
    "Inc.": "Incorporated",
    "Ltd.": "Limited",
    "Corp.": "Corporation",
    "Co.": "Company",
    "Bros.": "Brothers",
    "Univ.": "University",
    "Assn.": "Association",
    "Jr.": "Junior",
    "Sr.": "Senior",
    "Esq.": "Esquire",
    "et al.": "and others",
    "cf.": "compare",
    "viz.": "namely",
    "avg.": "average",
    "max.": "maximum",
    "min.": "minimum",
    "incl.": "including",
    "excl.": "excluding",
    "misc.": "miscellaneous",
    "a.k.a.": "also known as",
    "Ave.": "Avenue",
    "Blvd.": "Boulevard",
    "Rd.": "Road",
    "Hwy.": "Highway",
    "Pkwy.": "Parkway",
    "Apt.": "Apartment",
    "Bldg.": "Building",
    "Tel.": "telephone",
    "tel.": "telephone",
    "attn.": "attention",
    "Attn.": "attention",
    "ext.": "extension",
    "Ext.": "extension",
    "appt.": "appointment",
    "Appt.": "Appointment",
    "qty.": "quantity",
    "Qty.": "Quantity",
    "msg.": "message",
    "hrs.": "hours",
    "mins.": "minutes",
    "yrs.": "years",
    "Est.": "Established",
    "natl.": "national",
    "Natl.": "National",
    "intl.": "international",
    "Intl.": "International",
    "mgr.": "manager",
    "Mgr.": "Manager",
    "asst.": "assistant",
    "Asst.": "Assistant",
    "temp.": "temperature",
    "ea.": "each",
    "acct.": "account",
    "Acct.": "Account",
    "bal.": "balance",
    "mtg.": "meeting",
    "tbsp.": "tablespoon",
    "tsp.": "teaspoon",
    "mos.": "months",
    "wt.": "weight",
    "Wt.": "Weight",
    "ht.": "height",
    "Ht.": "Height",
    "Min.": "Minimum",
    "qtr.": "quarter",
    "qtrs.": "quarters",
}
#: Before a number only.
_NUMBERED = {
    "no": "number",
    "nos": "numbers",
    "fig": "figure",
    "figs": "figures",
    "vol": "volume",
    "vols": "volumes",
    "p": "page",
    "pp": "pages",
    "ch": "chapter",
    "sec": "section",
    "sect": "section",
    "art": "article",
    "eq": "equation",
    "ver": "version",
    "est": "established",
    "c": "circa",
    "ca": "circa",
    "par": "paragraph",
    "pt": "part",
    "ste": "suite",
    "op": "opus",
    "rev": "revision",
    "ex": "example",
    "para": "paragraph",
    "ep": "episode",
    "bk": "book",
    "cl": "clause",
    "cat": "category",
}
_SAINT_PLACES = frozenset("Mount Mt. Port Fort Lake East Sault".split())
_LAST_WORD = re.compile(r"(\S+) $")
_NUMBER_OF_HOUSE = re.compile(
    r"\d+\w? (?:[NSEW]\.? |North |South |East |West )?(?:[A-Z][a-z]+ ){1,2}$|\d(?:st|nd|rd|th) $"
)


def _stop(match: re.Match[str]) -> str:
    return "." if match[0].endswith(".") and closes(match) else ""


def _saint_or_street(match: re.Match[str]) -> str | None:
    following = re.match(r" ([A-Z][a-z'\u2019]+)", after(match, 24))
    previous = _LAST_WORD.search(before(match, 24))
    last = previous[1] if previous else ""
    dotted = match[0].endswith(".")
    if following is not None and (following[1] in _SAINTS or last in _SAINT_PLACES):
        return "Saint"
    named = (last[:1].isupper() and last.isalpha() and len(last) > 1) or re.fullmatch(
        r"\d+(?:st|nd|rd|th)|[a-z]+(?:st|nd|rd|th)", last
    )
    if named and not (
        following is not None
        and previous is not None
        and previous.start() == 0
        and len(before(match, 25)) < 25
    ):
        return "Street" + _stop(match)
    if following is not None and dotted:
        return "Saint"
    return None


def _title(match: re.Match[str]) -> str | None:
    name, dot = match["name"], match["dot"]
    if name is None:
        return _TITLES[match[0].rstrip(".")]
    if not dot and name not in _WITHOUT_DOT:
        return None
    if name in _STREETS and _NUMBER_OF_HOUSE.search(before(match, 40)):
        return _STREETS[name] + _stop(match)
    return _TITLES[name]


#: Nothing else after a name, even without a stop.
_ALWAYS_STREETS = frozenset("Ave Blvd Rd Hwy Pkwy Sq".split())
_NAME_BEFORE = re.compile(r"(?:[A-Z][a-z]+|\d(?:st|nd|rd|th)) $")


def _street(match: re.Match[str]) -> str | None:
    """After a name: "Elm Dr."; without a stop only in an address: "12 Park Pl"."""
    if not _NAME_BEFORE.search(before(match)):
        return None
    bare = not match["dot"] and match["name"] not in _ALWAYS_STREETS
    if bare and not _NUMBER_OF_HOUSE.search(before(match, 40)):
        return None
    return _STREETS[match["name"]] + _stop(match)


def _anywhere(match: re.Match[str]) -> str | None:
    text = match[0]
    if text in ("Co.", "Inc.", "Corp.", "Ltd.", "Jr.", "Sr.") and not re.search(r"[\w,] $", before(match, 2)):
        return None
    return _ANYWHERE[text] + _stop(match)


def _numbered(match: re.Match[str]) -> list[Edit]:
    written = match["name"]
    said = _NUMBERED[written.lower()]
    return [Edit(match.start("name"), match.end("dot"), said.capitalize() if written[0].isupper() else said)]


def _versus(match: re.Match[str]) -> str:
    del match
    return "versus"


_WITH = {
    "w/": "with ",
    "w/o": "without",
    "w/out": "without",
    "b/w": "between",
    "+/-": "plus or minus",
    "b/c": "because",
    "c/o": "care of",
    "and/or": "and or",
    "he/she": "he or she",
}
_WITH |= {"am/fm": "A.M. F.M.", "24/7/365": "twenty-four seven three sixty-five"}
_WITH |= {
    "his/her": "his or her",
    "him/her": "him or her",
    "she/he": "she or he",
    "yes/no": "yes or no",
    "s/he": "she or he",
}


def _slashed(match: re.Match[str]) -> str:
    said = _WITH[match[0].lower()]
    if match[0][0] == "W":
        said = said.capitalize()
    return said.rstrip() if after(match, 1) == " " else said


def _stroke(match: re.Match[str]) -> str:
    """ "client/server", "TCP/IP": nobody says the stroke."""
    del match
    return " "


def _letter_pair(match: re.Match[str]) -> str:
    """ "I/O", "A/B"."""
    if before(match, 2) == "= ":
        return f"{letters(match[1])} over {letters(match[2]).rstrip('.')}"
    pair = letters(match[1] + match[2])
    return pair[:-1] if after(match, 1) == "." else pair


_TITLE = re.compile(
    rf"(?<![\w.&])(?P<name>{'|'.join(_TITLES)})(?P<dot>\.)?(?= [A-Z])|(?<![\w.&])(?:Mrs?|Ms)\.(?!\w)"
)
_ST = re.compile(r"(?<![\w.])St(?:\.|(?= |$|[,;:!?]))")
_STREET = re.compile(rf"(?<=[a-z\d] )(?P<name>{'|'.join(_STREETS)})(?P<dot>\.)?(?!\w)(?! ?\d)")
_ANYWHERE_RULE = re.compile(
    "(?<![\\w./])(?:"
    + "|".join(re.escape(each) for each in sorted(_ANYWHERE, key=len, reverse=True))
    + r")(?!\w)"
)
_NUMBERED_RULE = re.compile(
    rf"(?<![\w.])"
    rf"(?P<name>{'|'.join((*_NUMBERED, *map(str.capitalize, _NUMBERED)))})"
    r"(?P<dot>\.) ?(?=[\d#IVX])"
)
_VERSUS = re.compile(r"(?<=[\w)] )(?:vs|v\.)(?= [\w(])")
_SLASHED = re.compile(
    r"(?<![\w/])(?:w/out\b|w/o\b|[Ww]/(?= |[a-z]{2}|\d)|b/c|b/w|\+/-|c/o|and/or|[Hh]e/she|[Hh]is/her"
    r"|[Hh]im/her|[Ss]he/he"
    r"|yes/no|s/he|AM/FM|"
    r"24/7/365)(?![/])"
)
_FOR = re.compile(r"(?<=\d)/(?=\$\d)")
_STROKE = re.compile(r"(?<=[A-Za-z])/(?=[A-Za-z0-9])|(?<=[A-Za-z]\d)/(?=[A-Za-z])")
_PER = re.compile(
    r"(?<=[a-zKM])/(?P<unit>second|sec|minute|min|hour|hr|day|week|wk|month|mo|quarter|year|yr|person|user"
    r"|share|"
    r"head|capita|item|unit|student|request|token|page|game|night|visit|mile|pound|serving|s)(?![\w/])"
)
#: What is counted and cut short before "per".
_COUNTED = {"req": "requests", "tok": "tokens", "reqs": "requests", "txn": "transactions"}
_COUNT_BEFORE = re.compile(
    r"\d[kKM]$|\d[\d,.]{0,12}[kKMB]? [a-z]{2,15}$|\b(?:many|few|several|more|fewer) [a-z]{2,15}$"
)
_LONG_UNITS = {
    "sec": "second",
    "min": "minute",
    "hr": "hour",
    "wk": "week",
    "mo": "month",
    "yr": "year",
    "s": "second",
}


def _per(match: re.Match[str]) -> list[Edit] | None:
    """ "500 requests/second", "3 meals/day"."""
    counted = _COUNT_BEFORE.search(before(match, 32))
    if counted is None:
        return None
    unit = match["unit"]
    return [Edit(match.start(), match.end(), f" per {_LONG_UNITS.get(unit, unit)}")]


_CUT_SHORT = re.compile(r"(?<=[\dkKMB] )(?:reqs?|tok|txn)(?=/[a-z])")


def _cut_short(match: re.Match[str]) -> str:
    return _COUNTED[match[0]]


_LETTER_PAIR = re.compile(r"(?<![\w/])([A-Z])/([A-Z])(?![\w/])")

#: Before numbers are read.
FIRST_RULES = (
    Rule(_SLASHED, _slashed, "/"),
    Rule(_FOR, lambda match: " for ", "/"),
)
RULES = (
    Rule(_ST, _saint_or_street, "S"),
    Rule(_TITLE, _title, "MDPRHGCLSAF"),
    Rule(_STREET, _street, "SDABRLHPCT"),
    Rule(_NUMBERED_RULE, _numbered, "."),
    Rule(_ANYWHERE_RULE, _anywhere, "."),
    Rule(_VERSUS, _versus, "v"),
    Rule(_LETTER_PAIR, _letter_pair, "/"),
    Rule(_CUT_SHORT, _cut_short, "/"),
    Rule(_PER, _per, "/"),
    Rule(_STROKE, _stroke, "/"),
)
