"""Rules of German: dates and years, ordinals by the words around them, numbers in words like "90er"."""

from __future__ import annotations

import re

from realtime.text.normalize.base import Rule
from realtime.text.normalize.european.numbers import DASH, SPACES, words_before
from realtime.text.normalize.european.rules import DONE, FREE
from realtime.text.normalize.european.words import END, any_of, stop_of
from realtime.text.normalize.german.numbers import ARTICLE_E, WEAK, cardinal, count, date, ordinal, year
from realtime.text.normalize.german.words import (
    BEFORE_NUMBER,
    FEMININE,
    FEMININE_ENDINGS,
    MASCULINE,
    MONTHS,
    NEUTER,
    RANKED,
    RULERS,
    RULERS_FEMALE,
    UNITS,
    WEEKDAYS,
)
from realtime.text.normalize.roman import ROMAN, roman_value
from realtime.text.spans import Edit

#: Words after which a number with a full stop at the end of all is still an ordinal.
_DAYS_OR_PLACES = frozenset("am zum vom beim im dem den der des".split())
_STRONG = frozenset("ein mein dein sein ihr unser euer kein".split())
_WITH_DATIVE = frozenset(
    "in aus bei mit nach seit von zu an auf vor während unter wegen ab trotz neben".split()
)
_WITH_ACCUSATIVE = frozenset("durch für gegen um ohne".split())
_YEAR_WORDS = frozenset(
    "jahr jahre jahres seit anno ende anfang mitte sommer winter herbst frühling frühjahr von bis ab um "
    "vor nach zwischen und".split()
) | {name.lower() for name in MONTHS}
#: "1. FC Köln" is "erster FC Köln" even without an article.
_CLUBS = frozenset(("FC", "FSV", "FFC", "VC"))
_NOUN_AFTER = re.compile(rf"[{SPACES}][A-ZÄÖÜ]")
#: Words whose number comes after them: "Kapitel 1".
_NUMBERED = frozenset(
    "kapitel teil band nummer nr. version phase stufe typ platz klasse seite level schritt punkt absatz "
    "artikel tag gruppe formel woche runde akt abschnitt zimmer raum option frage aufgabe übung lektion "
    "folge staffel abs. art. kap. bd. abb. tab.".split()
)
_NO_ADJECTIVES = frozenset(
    "ohne heute gerade bitte habe hatte wurde würde werde alle beide sowie danke oder aber unter über "
    "hinter wieder immer weiter sicher alles dieses dieser diese jeder jede der war wäre".split()
)


def _digits(digits: str) -> str:
    return " ".join(cardinal(int(digit)) for digit in digits if digit != " ")


def _is_feminine(noun: str) -> bool:
    return noun in FEMININE or (noun.endswith(FEMININE_ENDINGS) and noun not in MASCULINE)


def _ending(match: re.Match[str], noun: str) -> str | None:
    """What an ordinal ends in, by the words before it and the noun after it; None if that cannot be told."""
    before = words_before(match.string, match.start(), 2)
    last = before[-1] if before else ""
    if last == "der" and len(before) == 2 and before[0] in _WITH_DATIVE:
        return "en"
    if last in ARTICLE_E:
        return "e"
    if last in _STRONG:
        return "es" if noun in NEUTER else "er"
    if noun in _CLUBS and last not in WEAK:
        return "er"
    if last in WEAK:
        return "en"
    if last or match.string[max(0, match.start() - 2) : match.start()].strip() not in ("(", ","):
        return None
    # "2. Tür links" in a row of such, "(3. Auflage)".
    return "er" if noun in RANKED else "es" if noun in NEUTER else "e" if _is_feminine(noun) else None


def date_rules() -> list[Rule]:
    """Days of a month by name (5. Januar 2024), and days and months in digits without a year (am 15.1.)."""
    months = {name[:3].lower(): number for number, name in enumerate(MONTHS, 1)}
    months["mrz"] = 3
    short = [name[:3] + "." for name in MONTHS] + ["Sept.", "Mrz."]

    def say(match: re.Match[str]) -> list[Edit] | None:
        before = words_before(match.string, match.start())
        day, month = int(match["day"]), MONTHS[months[match["month"][:3].lower()] - 1]
        if not 1 <= day <= 31:
            return None
        said = date(day, months[match["month"][:3].lower()], None, before[0] if before else "")
        if match["low"]:
            said = f"{said_day(match['low'], before)} bis {said}"
        edits = [
            Edit(match.start(), match.start("month"), said.removesuffix(month)),
            Edit(match.start("month"), match.end("month"), month + ("" if match["year"] else stop_of(match))),
        ]
        if match["year"]:
            edits.append(Edit(match.start("year"), match.end(), year(int(match["year"]))))
        return edits

    def said_day(day: str, before: list[str]) -> str:
        return date(int(day), 1, None, before[0] if before else "").removesuffix(f" {MONTHS[0]}")

    def date_range(match: re.Match[str]) -> str | None:
        low_day, low_month = int(match["low_day"]), int(match["low_month"] or match["month"])
        day, month = int(match["day"]), int(match["month"])
        if not (1 <= low_day <= 31 and 1 <= day <= 31 and 1 <= low_month <= 12 and 1 <= month <= 12):
            return None
        before = words_before(match.string, match.start())
        word = before[0] if before else ""
        low = (
            date(low_day, low_month, None, word) if match["low_month"] else said_day(match["low_day"], before)
        )
        return f"{low} bis {date(day, month, int(match['year']), word)}"

    def short_date(match: re.Match[str]) -> str | None:
        day, month = int(match[1]), int(match[2])
        before = words_before(match.string, match.start())
        word = before[0] if before else ""
        full = len(match[1]) == len(match[2]) == 2  # "14.03." says enough
        if not (1 <= day <= 31 and 1 <= month <= 12) or not (full or word in (WEAK | {"der"})):
            return None
        return date(day, month, None, word) + stop_of(match)

    low = rf"(?:(?P<low>[1-9]|[12][0-9]|3[01])\.\s?{DASH}\s?)?"
    two = rf"(?P<low_day>[0-3]?[0-9])\.(?:(?P<low_month>[01]?[0-9])\.)?\s?{DASH}\s?"
    return [
        Rule(
            re.compile(
                rf"{FREE}{two}(?P<day>[0-3]?[0-9])\.(?P<month>[01]?[0-9])\.(?P<year>[12][0-9]{{3}}){DONE}"
            ),
            date_range,
            "-\u2013\u2011",
        ),
        Rule(
            re.compile(
                rf"{FREE}{low}(?P<day>[0-3]?[0-9])\.[{SPACES}]?(?P<month>(?:{any_of(MONTHS)}{END}|{any_of(short)}))"
                rf"(?:[{SPACES}](?P<year>[12][0-9]{{3}})(?!\w|[.,:/][0-9]))?"
            ),
            say,
            "0",
        ),
        Rule(re.compile(r"(?<![\w.,:/-])([0-3]?[0-9])\.\s?([01]?[0-9])\.(?!\w|\s?[0-9])"), short_date, "."),
    ]


def ordinal_rules() -> list[Rule]:
    """1. before a noun, by the word before it (der erste, am ersten); rulers and chapters in Roman digits."""
    by_name = rf"(?P<name>{any_of(RULERS | RULERS_FEMALE)}s?)[{SPACES}](?P<roman>{ROMAN})\.?{END}"
    chapters = "Kapitel|Teil|Band|Akt|Abschnitt|Stufe|Typ|Klasse|Phase|Artikel|Episode|Hartz|Anhang|Buch"
    chapters += r"|Kap\.|Bd\.|Art\.|Abb\.|Tab\."

    def say(match: re.Match[str]) -> str | None:
        number = roman_value(match["number"]) if match["number"].isalpha() else int(match["number"])
        ending = _ending(match, match["noun"] or "")
        return None if ending is None or not number else ordinal(number, ending)

    def last(match: re.Match[str]) -> str | None:
        before = words_before(match.string, match.start())
        stop = stop_of(match)
        if before and before[0] == "als" and match["goes_on"]:
            return ordinal(int(match[1]), "er").capitalize()  # "als Dritter ins Ziel"
        if not before or before[0] not in _DAYS_OR_PLACES or not (stop or match["goes_on"]):
            return None
        return ordinal(int(match[1]), "e" if before[0] == "der" else "en") + stop

    def ruler(match: re.Match[str]) -> list[Edit] | None:
        name, number = match["name"], roman_value(match["roman"])
        if not number:
            return None
        before = words_before(match.string, match.start(), 2)
        female = name in RULERS_FEMALE
        if any(word in _WITH_DATIVE for word in before):
            article, ending = ("der" if female else "dem"), "en"
        elif any(word in _WITH_ACCUSATIVE for word in before):
            article, ending = ("die", "e") if female else ("den", "en")
        elif name.endswith("s") and name not in RULERS:
            article, ending = ("der" if female else "des"), "en"
        else:
            article, ending = ("die" if female else "der"), "e"
        said = f"{article} {ordinal(number, ending).capitalize()}"
        return [Edit(match.start("roman"), match.end(), said + stop_of(match))]

    def chapter(match: re.Match[str]) -> list[Edit] | None:
        number, word = roman_value(match["roman"]), match["word"]
        if not number:
            return None
        said = Edit(match.start("roman"), match.end(), cardinal(number))
        return [Edit(match.start(), match.end("word"), BEFORE_NUMBER.get(word, word)), said]

    noun = r"(?P<noun>[A-ZÄÖÜ]\w{0,40})|[a-zäöü]{2,20}e[nrs]?\b|(?:und|oder|bis|sowie)\b"
    return [
        Rule(re.compile(by_name), ruler, "IVX"),
        Rule(
            re.compile(rf"(?<![\w.,:/-])(?P<number>[0-9]{{1,3}}|{ROMAN})\.(?=[{SPACES}](?:{noun}))"), say, "."
        ),
        Rule(re.compile(rf"{FREE}([0-9]{{1,3}})\.(?:(?=[{SPACES}](?P<goes_on>[a-zäöü])))?"), last, "."),
        Rule(re.compile(rf"(?<!\w)(?P<word>{chapters})[{SPACES}](?P<roman>{ROMAN}){END}"), chapter, "IVX"),
    ]


def joined_rules() -> list[Rule]:
    """Numbers that are part of a word or of a name: 90er, 3-mal, 10-jährig, 5x, 12a."""
    kinds = "jähr|täg|stünd|minüt|wöch|monat|köpf|stell|seit|teil|prozent|stuf|mal"
    rests = rf"mal|fach\w{{0,3}}|(?:{kinds})ig\w{{0,3}}"
    streets = rf"(?:[Ss]traße|[Ss]tr\.|[Ww]eg|[Aa]llee|[Gg]asse|[Pp]latz)[{SPACES}]"
    measures = any_of(unit for unit in UNITS if unit[-1] != ".")

    def joined(match: re.Match[str]) -> str:
        return count(int(match[1]), "n") + match[2]

    def decade(match: re.Match[str]) -> str:
        number = int(match[1])
        return (year(number) if 1100 <= number <= 1999 else cardinal(number)) + match[2]

    def percent(match: re.Match[str]) -> str:
        return f"{cardinal(int(match[1]))}prozent{match[2]}"

    def clock(match: re.Match[str]) -> str | None:
        before = words_before(match.string, match.start())
        if not before or before[0] not in ("um", "ab", "bis", "gegen"):
            return None
        return f"{count(int(match[1]), 'n')} Uhr"

    def house(match: re.Match[str]) -> list[Edit]:
        return [Edit(match.start(1), match.end(), f"{cardinal(int(match[1]))} {match[2]}")]

    def measure(match: re.Match[str]) -> str:
        return f"{cardinal(int(match[1]))}-{UNITS[match[2]].forms[0]}"

    return [
        Rule(re.compile(rf"(?<![\w.,:/-])([0-9]{{1,6}})-?({rests}){END}"), joined, "0"),
        Rule(re.compile(rf"(?<![\w.,:/-])([0-9]{{1,4}})-?(ern?){END}"), decade, "0"),
        Rule(
            re.compile(rf"(?<![\w.,:/-])([0-9]{{1,3}})()[x\u00d7]{END}"),
            lambda match: joined(match) + "mal",
            "x\u00d7",
        ),
        Rule(re.compile(rf"{FREE}([0-9]{{1,4}})[{SPACES}]?%-?(ig\w{{0,3}}){END}"), percent, "%"),
        Rule(re.compile(rf"{FREE}([0-9]{{1,2}})[{SPACES}]?h{END}"), clock, "h"),
        Rule(re.compile(r"(?<=[0-9] )x(?= [a-zäöü])"), lambda match: "mal", "x"),
        Rule(re.compile(rf"{streets}([0-9]{{1,3}})([a-f]){END}"), house, "0"),
        Rule(re.compile(rf"{FREE}([0-9]{{1,5}})-({measures})(?=-[A-ZÄÖÜ])"), measure, "-"),
        Rule(
            re.compile(r"(?:(?<=PLZ )|(?<=BLZ ))[0-9][0-9 ]{3,9}[0-9](?!\w)"),
            lambda match: _digits(match[0]),
            "0",
        ),
    ]


def weekday_rules() -> list[Rule]:
    """Days of the week that are abbreviated: Mo., Di–Fr."""
    days = "|".join(WEEKDAYS)
    after_day = rf"(?=,|[{SPACES}][0-9a-zäöü(])"
    before_date = rf"(?=,?[{SPACES}][0-3]?[0-9]\.[{SPACES}]?(?:[01]?[0-9]\.|{any_of(MONTHS)}))"
    before_times = rf"(?=[{SPACES}][0-9]{{1,2}}(?::[0-9]{{2}})?\s?{DASH}\s?[0-9])"

    def weekdays(match: re.Match[str]) -> str:
        return f"{WEEKDAYS[match[1]]} bis {WEEKDAYS[match[2]]}{stop_of(match)}"

    def weekday(match: re.Match[str]) -> str:
        return WEEKDAYS[match[1]] + stop_of(match)

    return [
        Rule(re.compile(rf"(?<!\w)({days})\.?\s?{DASH}\s?({days})(?:\.|{END})"), weekdays, "-\u2013"),
        Rule(re.compile(rf"(?<![\w-])(?<![0-9][{SPACES}])({days})(?:\.{after_day}|{before_date})"), weekday),
        Rule(re.compile(rf"(?:(?<=bis )|(?<=am ))({days})\.(?![\w-])"), weekday, "."),
        Rule(re.compile(rf"(?<!\w)({days})\.?{before_times}"), lambda match: WEEKDAYS[match[1]]),
    ]


def sign_rules() -> list[Rule]:
    """Signs and abbreviations that are said so only where they stand: *1984, Euro/Monat, f., Hauptstr., §."""

    def life(match: re.Match[str]) -> str:
        return "geboren " if match.group() == "*" else "gestorben "

    def street(match: re.Match[str]) -> list[Edit]:
        return [Edit(match.start(1), match.end(), "straße" + stop_of(match))]

    return [
        Rule(re.compile(r"(?<!\w)[*†](?=[0-9]{3,4}(?!\w))"), life, "*†"),
        Rule(
            re.compile(r"(?<=[a-zäöüß]{3})/(?=(?:Monat|Jahr|Tag|Woche|Stunde|Person|Nacht)(?!\w))"),
            lambda match: " pro ",
            "/",
        ),
        Rule(re.compile(r"(?:(?<=\bpro )|(?<=\bje )|(?<=\bdas ))kg(?!\w)"), lambda match: "Kilogramm", "k"),
        Rule(re.compile(r"(?<=[0-9] )J\.(?= alt\b)"), lambda match: "Jahre", "."),
        Rule(re.compile(r"(?<=[0-9] )ff?\."), lambda match: "folgende" + stop_of(match), "."),
        Rule(re.compile(r"(?<=[^\W\d_]{3} )u\.(?= [^\W\d_]{3})"), lambda match: "und", "."),
        Rule(re.compile(r"(?<=[0-9]\. )Aufl\."), lambda match: "Auflage" + stop_of(match), "."),
        Rule(re.compile(r"(?<!\w)[A-ZÄÖÜ][a-zäöüß-]{1,30}(str\.)"), street, "."),
        Rule(
            re.compile(r"§§?(?=\s?[0-9])"),
            lambda match: (
                ("Paragraf" if len(match[0]) == 1 else "Paragrafen")
                + " " * (not match.string[match.end()].isspace())
            ),
            "§",
        ),
    ]


def year_rules() -> list[Rule]:
    """1100 to 1999 in hundreds: after what announces a year, in a range, with no noun; 1 before a noun."""

    def say(match: re.Match[str]) -> str | None:
        before = words_before(match.string, match.start())
        counts = _NOUN_AFTER.match(match.string, match.end())
        if counts and not (before and before[0] in _YEAR_WORDS):
            return None
        return year(int(match["year"]))

    def one(match: re.Match[str]) -> list[Edit] | None:
        word = match["word"]
        behind = match.string[max(0, match.start() - 2) : match.start()]
        if "§" in behind or not _NUMBERED.isdisjoint(words_before(match.string, match.start())):
            return None
        adjective = len(word) > 3 and word.endswith(("e", "er", "es")) and word not in _NO_ADJECTIVES
        if word[0].islower() and not adjective:
            return None
        return [Edit(match.start(), match.start() + 1, "eine" if _is_feminine(word) else "ein")]

    def season(match: re.Match[str]) -> str | None:
        first, last = int(match[1]), int(match[2])
        return f"{year(first)} {cardinal(last)}" if last == (first + 1) % 100 else None

    def span(match: re.Match[str]) -> str | None:
        first, last = int(match[1]), int(match[2])
        return f"{year(first)} bis {year(last)}" if first < last else None

    return [
        Rule(re.compile(rf"{FREE}(1[1-9][0-9]{{2}})\s?{DASH}\s?([12][0-9]{{3}}){DONE}"), span, "-\u2013"),
        Rule(re.compile(rf"{FREE}(1[1-9][0-9]{{2}})/([0-9]{{2}}){DONE}"), season, "/"),
        Rule(re.compile(rf"{FREE}(?P<year>1[1-9][0-9]{{2}}){DONE}"), say, "0"),
        Rule(re.compile(rf"{FREE}1(?=[{SPACES}](?P<word>[^\W\d_]{{2,40}}))"), one, "0"),
    ]
