"""What English says in its own way: "1:1", "24x7", "120/80", "K-12", "49ers", "gr8"."""

from __future__ import annotations

import re

from realtime.text.normalize.base import Rule
from realtime.text.normalize.english.matches import after, before, closes, describes, in_parts
from realtime.text.normalize.english.words import VULGAR, cardinal, digits, letters, number, pairs
from realtime.text.spans import Edit

#: Said so wherever they stand as words of their own.
_BARE = {
    "approx": "approximately",
    "Approx": "Approximately",
    "pls": "please",
    "plz": "please",
    "Pls": "Please",
    "thx": "thanks",
    "Thx": "Thanks",
    "ppl": "people",
    "msg": "message",
    "msgs": "messages",
    "Msg": "Message",
    "Msgs": "Messages",
    "qty": "quantity",
    "Qty": "Quantity",
    "hrs": "hours",
    "mins": "minutes",
    "yrs": "years",
    "lbs": "pounds",
    "tmrw": "tomorrow",
    "smth": "something",
    "sth": "something",
    "idk": "I don't know",
    "Idk": "I don't know",
    "btw": "by the way",
    "Btw": "By the way",
    "brb": "be right back",
    "ttyl": "talk to you later",
    "ngl": "not gonna lie",
    "tbh": "to be honest",
    "lmk": "let me know",
    "afaik": "as far as I know",
    "imo": "in my opinion",
    "imho": "in my humble opinion",
    "omg": "O.M.G.",
    "gr8": "great",
    "l8r": "later",
    "m8": "mate",
    "str8": "straight",
    "2nite": "tonight",
    "2day": "today",
    "2moro": "tomorrow",
    "4ever": "forever",
    "YoY": "year over year",
    "yoy": "year over year",
    "QoQ": "quarter over quarter",
    "MoM": "month over month",
    "prn": "as needed",
    "mmHg": "millimeters of mercury",
    "WW1": "World War One",
    "WW2": "World War Two",
    "49ers": "forty-niners",
    "76ers": "seventy-sixers",
    "24x7": "twenty-four seven",
    "TL;DR": "T.L.D.R.",
    "tl;dr": "T.L.D.R.",
    "SpO2": "S.P.O. two",
    "HbA1c": "H.B.A. one C",
    "A1c": "A. one C",
    "A1C": "A. one C",
    "k8s": "kubernetes",
    "req'd": "required",
    "req\u2019d": "required",
    "etc": "et cetera",
    "w/w": "week over week",
    "m/m": "month over month",
    "q/q": "quarter over quarter",
    "y/y": "year over year",
    "sq. ft.": "square foot",
    "sq ft": "square foot",
}


#: With a stop they are abbreviations.
_STOPPED = frozenset("approx Approx etc mins hrs yrs lbs qty Qty msg Msg".split())


def _bare(match: re.Match[str]) -> str | None:
    said = _BARE[match[0]]
    if match[0] in _STOPPED and after(match, 1) == ".":
        return None
    if match[0].endswith("."):
        return said + ("." if closes(match) else "")
    return said[:-1] if said.endswith(".") and after(match, 1) == "." else said


_RATIO_NOUN = re.compile(
    r" (?:ratio|scale|match|mapping|mix|odds|correspondence|aspect|relationship|relation|split|copy|draw|"
    r"solution|dilution|replacement|with the|tie)\b"
)
_ONE_ON_ONE = re.compile(
    r"\b(?:(?:[Aa]|[Mm]y|[Oo]ur|[Yy]our|[Tt]heir|[Hh]is|[Hh]er|[Ww]eekly|[Mm]onthly|[Nn]ext|[Tt]he|[Ff]irst|"
    r"[Qq]uick)) $"
)
_MEETING = re.compile(
    r" (?:meeting|meetings|call|calls|chat|chats|session|sessions|conversation|coaching|time)\b"
)


def _one_on_one(match: re.Match[str]) -> str | None:
    if match["many"]:
        return "one-on-ones"
    if _MEETING.match(match.string, match.end()):
        return "one-on-one"
    if _ONE_ON_ONE.search(before(match, 10)) and not _RATIO_NOUN.match(match.string, match.end()):
        return "one-on-one"
    return None


def _pressure(match: re.Match[str]) -> str | None:
    """ "120/80", as blood pressure is told."""
    upper, lower = int(match["upper"]), int(match["lower"])
    if not (80 <= upper <= 260 and 40 <= lower <= 150 and upper - lower >= 15):
        return None
    said = f"{pairs(match['upper'])} over {pairs(match['lower'])}"
    return f"{said} millimeters of mercury" if match["unit"] else said


def _grades(match: re.Match[str]) -> str:
    """ "K-12": the years of a school."""
    return f"K through {cardinal(match[1])}"


def _aged(match: re.Match[str]) -> str:
    """ "45 y/o", "3yo"."""
    stop = "." if match[0].endswith(".") and closes(match) else ""
    years = "years" if _BEING.search(before(match, 8)) else "year"
    return f"{cardinal(match['age'])} {years} old{'s' if match['many'] else ''}{stop}"


_BEING = re.compile(r"(?:\b(?:is|am|are|was|im|be|turned|hes|shes|only|just)|['\u2019](?:m|s|re)|,) $")


def _tall(match: re.Match[str]) -> str:
    """ "5'4": feet and inches without a sign for the inches."""
    inches = cardinal(match["inches"]) if match["inches"] != "0" else ""
    return f"{cardinal(match['feet'])} foot {inches}".rstrip()


def _sets(match: re.Match[str]) -> str | None:
    """The sets of a tennis match: "6-4, 3-6, 7-6"."""
    for first, last in re.findall(r"(\d)[-\u2013](\d)", match[0]):
        if not 6 <= max(int(first), int(last)) <= 7:
            return None
    said = re.sub(r"(\d)[-\u2013](\d)", lambda one: f"{cardinal(one[1])} {cardinal(one[2])}", match[0])
    return re.sub(r"\d{1,2}", lambda one: cardinal(one[0]), said)


_STEP = re.compile(r"\b(?:[Ss]tep|[Oo]ption|[Pp]art|[Tt]ip|[Rr]eason|[Qq]uestion|[Cc]ase)$")
_REFERENCE = re.compile(r"\b(?:and|or|see|in|to|of|with|by|than|from|got|both)$")


def _item(match: re.Match[str]) -> list[Edit] | None:
    """ "2)" in the middle of a line: the next item of a list."""
    left = match.string[max(0, match.start() - 160) : match.start()]
    written = match["number"]
    if left.count("(") > left.count(")") or _REFERENCE.search(left[-8:]):
        return None  # it closes a bracket, or is spoken of
    if _STEP.search(left[-9:]):
        return [Edit(match.start(), match.end(), f" {cardinal(written)},")]
    if written != "1" and f"{int(written) - 1})" not in left:
        return None
    comma = "" if left[-1:] in ",.;:!?" else ","
    return [Edit(match.start(), match.end(), f"{comma} {cardinal(match['number'])},")]


def _verse(match: re.Match[str]) -> list[Edit]:
    """ "Psalm 23:4", "John 3:16-17"."""
    said = f"{cardinal(match['chapter'])} {cardinal(match['verse'])}"
    return [
        Edit(
            match.start("chapter"),
            match.end(),
            said + (f" to {cardinal(match['upto'])}" if match["upto"] else ""),
        )
    ]


def _epistle(match: re.Match[str]) -> str:
    """ "1 Corinthians"."""
    return {"1": "First", "2": "Second", "3": "Third"}[match[0]]


def _minus_grade(match: re.Match[str]) -> str:
    """ "A-", a mark or a type of blood."""
    return f"{letters(match[1])} minus"


def _short_units(match: re.Match[str]) -> list[Edit]:
    """ "2h 45m", "1hr30": hours and minutes, where "m" is no meter."""
    single = describes(match)
    hours, minutes = match["hours"], match["minutes"]
    first = f"{cardinal(hours)} {'hour' if single or hours == '1' else 'hours'}"
    last = cardinal(minutes.lstrip("0") or "0")
    if match["mark"]:
        last += " minute" if single or minutes == "1" else " minutes"
    return in_parts(match, (match.start(), first), (match.start("minutes"), last))


def _lap(match: re.Match[str]) -> str:
    """ "1:23.456": minutes, and seconds with decimals."""
    minutes, seconds = match["minutes"], match["seconds"]
    whole = f"oh {cardinal(seconds[1])}" if seconds[0] == "0" else cardinal(seconds[:2])
    return f"{cardinal(minutes)} {whole} point {digits(match['rest'])}"


def _out_of(match: re.Match[str]) -> str | None:
    """ "4.5/5", "3.8/4.0"."""
    top, bottom = float(match["top"]), float(match["bottom"])
    joint = "out of" if 0 < top <= bottom else "over"
    return f"{number(match['top'])} {joint} {number(match['bottom'])}"


def _factorial(match: re.Match[str]) -> str:
    return f"{cardinal(match[1])} factorial"


def _life(match: re.Match[str]) -> str:
    return {"b": "born", "d": "died"}[match[0][0]]


_BARE_RULE = re.compile(
    rf"(?<![\w'\u2019./@#-])(?<![\d{VULGAR}] )(?:"
    + "|".join(re.escape(word) for word in sorted(_BARE, key=len, reverse=True))
    + r")(?![\w'\u2019/]|-\w)"
)
_ONE_TO_ONE = re.compile(r"(?<![\w.,:/])1:1(?P<many>'?s)?(?![\w:/]|[.,]\d)")
_PRESSURE = re.compile(
    r"(?<![\w.,/$-])(?P<upper>\d{2,3})/(?P<lower>\d{2,3})(?P<unit> mm ?Hg)?(?![\w/%]|[.,:]\d)"
)
_GRADES = re.compile(r"(?<![\w-])K[-\u2013](5|6|8|12)(?![\w-])")
_AGED = re.compile(r"(?<![\w.,/-])(?P<age>\d{1,3})[ -]?(?:y/o|yo|y\.o\.)(?P<many>s)?(?![\w/])")
_TALL = re.compile(
    r"(?<![\w.,/'\u2019-])(?P<feet>[3-7])['\u2019](?P<inches>\d|1[01])(?![\w\"\u201d\u2033'\u2019]|[.,]\d)"
)
_SETS = re.compile(
    r"(?<![\w.,/-])\d[-\u2013]\d(?: ?\(\d{1,2}(?:-\d{1,2})?\))?(?:, \d[-\u2013]\d(?: ?\(\d{1,2}"
    r"(?:-\d{1,2})?\))?){1,4}(?![\w/:-]|[.,]\d)"
)
_ITEM = re.compile(r"(?<=[^\s\d+*/=x(-]) (?P<number>\d{1,2})\)(?= [A-Za-z])")
_BOOKS = (
    "Genesis|Exodus|Leviticus|Deuteronomy|Joshua|Judges|Job|Psalms?|Proverbs|Isaiah|Jeremiah|Daniel|Matthew|Mark|"
    "Luke|John|Acts|Romans|Corinthians|Galatians|Ephesians|Philippians|Colossians|Thessalonians|Timothy|Hebrews|"
    "James|Peter|Revelation|Samuel|Kings|Chronicles|Quran|Surah"
)
_VERSE = re.compile(
    rf"\b(?:{_BOOKS}) (?P<chapter>\d{{1,3}}):(?P<verse>\d{{1,3}})(?:[-\u2013]"
    rf"(?P<upto>\d{{1,3}}))?(?![\w:]|[.,]\d)"
)
_EPISTLE = re.compile(
    r"(?<![\w.,])[123](?= (?:Corinthians|Thessalonians|Timothy|Samuel|Chronicles|Peter \d|John \d|Kings \d))"
)
_MINUS_GRADE = re.compile(r"(?<![\w-])(A|B|C|D|AB|O)[-\u2212](?=[ ,.;:)!?]|$)(?! [A-Z]\b)")
_SHORT_UNITS = re.compile(
    r"(?<![\w.,/:-])(?P<hours>\d{1,3}) ?(?:h|hr|hrs) ?(?P<minutes>\d{1,2})(?:(?P<mark> ?(?:m|min|mins))|"
    r"(?<=[hrs]\d\d))(?![\w/%:'-]|[.,]\d)"
)
_LAP = re.compile(
    r"(?<![\w.,:/-])(?P<minutes>\d{1,2}):(?P<seconds>[0-5]\d)\.(?P<rest>\d{1,3})(?![\w:/]|[.,]\d)"
    r"(?! ?[AaPp]\.?[Mm])"
)
_OUT_OF = re.compile(
    r"(?<![\w.,/$-])(?P<top>\d{1,3}\.\d{1,2})/(?P<bottom>\d{1,3}(?:\.\d{1,2})?)(?![\w/%]|[.,:]\d)"
)
_FACTORIAL = re.compile(
    r"(?<![\w.,])(\d{1,9})!(?= ?[=/*+\u2212\u00d7\u00f7-]"
    r"| (?:is|equals|has|ways|divided|over|times|plus|minus)\b)"
)
# A sign alone, and a number with signs of the keys: "*67", "*#06#", "1#".
_KEY_SIGN = re.compile(r"(?<![^\s(\"'\u201c])[#*](?![^\s.,;:!?)\"'\u201d])")
_KEY_CODE = re.compile(r"(?<![\w*#)\]])\*#?\d{1,4}(?:\*\d{1,15}){0,5}#?(?![\w*#])")
_KEY_AFTER = re.compile(r"(?:(?<![\w.,#+-])\d{4,15})?(?<=\d)#(?![\w#])")
_PRESSED = re.compile(
    r"(?:\b(?:press(?:es|ed|ing)?|hit|hitting|dial(?:ing)?|push|tap|enter|type|button|marked)"
    r"|(?:\b(?:star|pound)|[#*]|(?<![\w.,])\d) ?(?:,|or|and)) $",
    re.IGNORECASE,
)
_KEY_NOUN = re.compile(r" (?:key|button|sign|symbol|character)\b")
_KEY_USE = re.compile(r"(?:^|, )[#*] (?:to|for|when|if|and)\b")
_LIFE = re.compile(
    r"(?<![\w.])[bd]\.(?= (?:c\. |ca\. )?(?:1\d|20)\d\d(?!\w)| \d{1,2} [A-Z][a-z]{2}| [A-Z][a-z]{2,8}\.? \d)"
)
_KEY_NAMES = {"*": "star", "#": "pound"}


def _key_sign(match: re.Match[str]) -> str | None:
    """ "Press # or *": keys; "my # is 5": a number; a star that is a factor stays."""
    sign = match[0]
    near = match.string[max(0, match.start() - 2) : match.end() + 5]
    if (
        _PRESSED.search(before(match, 12))
        or _KEY_NOUN.match(match.string, match.end())
        or _KEY_USE.match(near)
    ):
        return _KEY_NAMES[sign]
    if sign == "#":
        return "number"
    return "star" if before(match, 5) == "with " else None


def _key_code(match: re.Match[str]) -> str:
    """ "*67", "*#06#": what is dialed, one by one."""
    return " ".join(_KEY_NAMES.get(each) or digits(each) for each in match[0])


def _key_after(match: re.Match[str]) -> str:
    """ "1#", "1234#": numbers of keys are said one by one."""
    typed = match[0].rstrip("#")
    return f"{digits(typed)} pound" if typed else " pound"


_STONE = re.compile(r"(?<![\w.,])(?P<stone>\d{1,2}) ?st(?= \d{1,2} ?lbs?\b)")
_CHAT = re.compile(r"(?<=[a-z] )(?:4(?= (?:u|ur|real|sure)\b)|2(?= u\b))")
_DOSES = re.compile(r"(?<!\w)q(?P<hours>\d{1,2})h(?:rs?)?(?!\w)")
_WEEK = re.compile(r"(?<!\w)M[-\u2013](?P<last>F|Th|Sat|Su)(?=:? \d|[,;]|$)")


def _stone(match: re.Match[str]) -> str:
    """ "13st 4lb", a weight in Britain."""
    return f"{cardinal(match['stone'])} stone"


def _chat(match: re.Match[str]) -> str:
    """ "thx 4 ur help"."""
    return "for" if match[0] == "4" else "to"


def _doses(match: re.Match[str]) -> str:
    """ "q6h", on a prescription."""
    return f"every {cardinal(match['hours'])} hours"


def _week(match: re.Match[str]) -> str:
    """ "M-F"."""
    return "Monday to " + {"F": "Friday", "Th": "Thursday", "Sat": "Saturday", "Su": "Sunday"}[match["last"]]


_DAILY = re.compile(
    r"(?<![\w.,])(?P<count>\d{1,2})[x\u00d7] ?/ ?(?P<unit>day|week|wk|month|mo|year|yr|hour|hr|night)(?!\w)"
)
_UNITS = {"wk": "week", "mo": "month", "yr": "year", "hr": "hour"}


def _daily(match: re.Match[str]) -> str:
    """ "2x/day"."""
    count = {"1": "once", "2": "twice"}.get(match["count"]) or f"{cardinal(match['count'])} times"
    unit = _UNITS.get(match["unit"], match["unit"])
    return f"{count} {'an' if unit == 'hour' else 'a'} {unit}"


FIRST_RULES = (
    Rule(_KEY_CODE, _key_code, "*"),
    Rule(_KEY_SIGN, _key_sign, "#*"),
    Rule(_KEY_AFTER, _key_after, "#"),
    Rule(_DAILY, _daily, "/"),
    Rule(_STONE, _stone, "s"),
    Rule(_CHAT, _chat, "0"),
    Rule(_DOSES, _doses, "q"),
    Rule(_WEEK, _week, "M"),
    Rule(_BARE_RULE, _bare),
    Rule(_ONE_TO_ONE, _one_on_one, ":"),
    Rule(_LAP, _lap, ":"),
    Rule(_VERSE, _verse, ":"),
    Rule(_PRESSURE, _pressure, "/"),
    Rule(_OUT_OF, _out_of, "/"),
    Rule(_GRADES, _grades, "K"),
    Rule(_AGED, _aged, "y"),
    Rule(_TALL, _tall, "'\u2019"),
    Rule(_SETS, _sets, "-\u2013"),
    Rule(_ITEM, _item, ")"),
    Rule(_EPISTLE, _epistle, "CTSPJK"),
    Rule(_MINUS_GRADE, _minus_grade, "-\u2212"),
    Rule(_SHORT_UNITS, _short_units, "h"),
    Rule(_FACTORIAL, _factorial, "!"),
    Rule(_LIFE, _life, "bd"),
)
