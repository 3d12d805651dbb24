"""Rules of Russian: dates and years, ordinals, centuries and rulers, numbers in the genitive, places."""

from __future__ import annotations

import re

from realtime.text.normalize.base import Rule
from realtime.text.normalize.european_numbers import DASH, SPACES, Numerals, words_before
from realtime.text.normalize.european_rules import DONE, FREE
from realtime.text.normalize.european_words import END, any_of, by_key, key_of, like, stop_of, times_rules
from realtime.text.normalize.roman import ROMAN, roman_value
from realtime.text.normalize.russian_numbers import cardinal, date_case, form, ordinal
from realtime.text.normalize.russian_words import (
    ENDINGS,
    ENDINGS_FEMALE,
    GENITIVE,
    MONTHS,
    PLACES,
    RULERS,
    RULERS_FEMALE,
    SUFFIXES,
    UNITS,
    WEEKDAYS,
)
from realtime.text.spans import Edit

_UNITS = by_key(UNITS)
_GAP = f"[{SPACES}]"
_YEAR = r"[12][0-9]{3}"
#: The noun after a year, as written: its case.
_YEARS = {"год": "n", "года": "g", "годом": "i", "годе": "p"}
_CENTURIES = {"век": "n", "века": "g", "веку": "d", "веком": "i", "веке": "p", "в.": "g"}
_SEVERAL = {"вв.": "n", "века": "n", "веков": "g", "веках": "p"}
_PREPOSITIONS = frozenset("в на о об к с из от до для по".split())
_STOPS = re.compile(r"\s?[—–,.;:!?)»]|\s?\Z")
_JOINED = "летн|летие|летия|летию|дневн|часов|минутн|этажн|процентн|кратн|метров|тысячн|томн|местн|месячн"


def _before(match: re.Match[str]) -> str:
    """The word before a match, in small letters; "" if there is none."""
    return "".join(words_before(match.string, match.start()))


def date_rules() -> list[Rule]:
    """5 мая 2024 года, 5–10 мая, с 1 по 5 мая, с 2010 по 2015 год."""

    def say(match: re.Match[str]) -> list[Edit] | None:
        day, low = int(match["day"]), int(match["low"] or 1)
        if not (1 <= day <= 31 and 1 <= low <= 31):
            return None
        case = date_case(_before(match))
        said = ordinal(day, "n", case)
        if match["low"]:
            said = f"{ordinal(low, 'n', case)} — {said}"
        edits = [Edit(match.start(), match.end("day"), said)]
        if match["year"]:
            year = ordinal(int(match["year"]), case="g")
            if match["noun"] and match["noun"] != "г.":
                edits.append(Edit(match.start("year"), match.end("year"), year))
            else:
                edits.append(Edit(match.start("year"), match.end(), f"{year} года{stop_of(match)}"))
        return edits

    def since(match: re.Match[str]) -> list[Edit] | None:
        number = int(match["day"])
        said = ordinal(number, "n", "g")
        return (
            [Edit(match.start("day"), match.end("day"), said)] if 1 <= number <= 31 or number > 99 else None
        )

    months = any_of(MONTHS)
    year = rf"(?:{_GAP}(?P<year>{_YEAR})(?!\w|[.,:/-][0-9])(?:{_GAP}?(?P<noun>года{END}|год{END}|г\.))?)?"
    low = rf"(?:(?P<low>[0-9]{{1,2}})\s?{DASH}\s?)?"
    return [
        Rule(
            re.compile(rf"{FREE}{low}(?P<day>[0-9]{{1,2}}){_GAP}(?P<month>(?i:{months})){END}{year}"),
            say,
            "0",
        ),
        Rule(
            re.compile(rf"(?<!\w)[Сс]{_GAP}(?P<day>[0-9]{{1,2}}|{_YEAR})(?={_GAP}по{END})"),
            since,
            "0",
        ),
    ]


def year_rules() -> list[Rule]:
    """Years with what says so: в 2024 году, 1941–1945 гг., 1984 г., (1799–1837), в 2024."""

    def year(match: re.Match[str]) -> str | None:
        noun, before, number = match["noun"], _before(match), int(match["year"])
        if (noun == "г" and before not in ("в", "к")) or (noun != "году" and number < 1000):
            return None
        if noun in ("году", "г.", "г"):
            case = {"в": "p", "во": "p", "о": "p", "к": "d"}.get(
                before, "d" if noun == "году" else "g" if before else "n"
            )
            if noun == "году" and not before:
                case = "p"
            noun = {"p": "году", "d": "году", "g": "года", "n": "год"}[case]
        else:
            case = _YEARS[noun]
        return f"{ordinal(number, case=case)} {noun}{stop_of(match)}"

    def span(match: re.Match[str]) -> str | None:
        first, last, noun = int(match[1]), int(match[2]), match[3] or ""
        if first >= last:
            return None
        case = {"годов": "g", "годах": "p"}.get(noun, "n")
        if noun.startswith("г") and _before(match) == "в" and noun != "годы":
            case = "p"
        noun = {"n": " годы", "g": " годов", "p": " годах"}[case] if noun else ""
        return f"{ordinal(first, case=case)} — {ordinal(last, case=case)}{noun}{stop_of(match)}"

    def bare(match: re.Match[str]) -> list[Edit] | None:
        if not _STOPS.match(match.string, match.end()):
            return None
        return [Edit(match.start(1), match.end(1), ordinal(int(match[1]), case="p"))]

    nouns = rf"(?P<noun>г\.|(?:году|годом|года|годе|год|г){END})"
    several = rf"(?:{_GAP}?(гг\.|г\.|(?:годы|годов|годах){END}))?"
    return [
        Rule(re.compile(rf"{FREE}({_YEAR})\s?{DASH}\s?({_YEAR}){DONE}{several}"), span, "-\u2013\u2011"),
        Rule(re.compile(rf"{FREE}(?P<year>[1-9][0-9]{{0,3}}){_GAP}?{nouns}"), year, "0"),
        Rule(re.compile(rf"(?<!\w)[Вв]{_GAP}((?:19|20)[0-9]{{2}}){DONE}"), bare, "0"),
    ]


def ordinal_rules() -> list[Rule]:
    """1-й, 90-х, 25-летний, 50%-ная."""

    def suffix(match: re.Match[str]) -> str:
        number, written = int(match[1]), match[2]
        if written == "ти":
            return cardinal(number, case="g")
        gender, case, plural = SUFFIXES[written]
        if written == "й" and _before(match) in _PREPOSITIONS and (match["noun"] or "").endswith(("е", "и")):
            gender, case = "f", "p"  # на 2-й странице, but в 5-й раз
        plural = plural or (written == "е" and number % 10 == 0 and number >= 20)
        return ordinal(number, gender, case, plural)

    def joined(match: re.Match[str]) -> str:
        number = int(match[1])
        stem = {1: "одно", 90: "девяносто", 100: "сто", 1000: "тысяче"}.get(number)
        rest = "процент" + match[3] if match[3] else match[2]
        return (stem or cardinal(number, case="g").replace(" ", "")) + rest

    noun = rf"(?:{_GAP}(?P<noun>[а-яё]{{2,40}}))?"
    words = rf"-(?P<word>(?:{_JOINED})[а-яё]{{0,5}})|{_GAP}?%-?(?P<percent>н[а-яё]{{1,3}})"
    return [
        Rule(re.compile(rf"{FREE}([0-9]{{1,4}})-({any_of([*SUFFIXES, 'ти'])}){END}(?={noun})"), suffix, "-"),
        Rule(re.compile(rf"{FREE}([0-9]{{1,4}})(?:{words}){END}"), joined, "-%"),
    ]


def roman_rules() -> list[Rule]:
    """Centuries and rulers in Roman digits: XX век, XVIII–XIX вв., Пётр I."""

    def century(match: re.Match[str]) -> list[Edit] | None:
        number, noun = roman_value(match["roman"]), match["noun"]
        if not number:
            return None
        case = "p" if noun == "в." and _before(match) in ("в", "во") else _CENTURIES[noun]
        edits = [Edit(match.start("roman"), match.end("roman"), ordinal(number, case=case))]
        if noun == "в.":
            spoken = ("веке" if case == "p" else "века") + stop_of(match)
            edits.append(Edit(match.start("noun"), match.end("noun"), spoken))
        return edits

    def centuries(match: re.Match[str]) -> str | None:
        first, last, noun = roman_value(match[1]), roman_value(match[2]), match["noun"]
        if not 0 < first < last:
            return None
        case = "p" if noun == "вв." and _before(match) in ("в", "во") else _SEVERAL[noun]
        said = {"n": "века", "g": "веков", "p": "веках"}[case]
        return f"{ordinal(first, case=case)} — {ordinal(last, case=case)} {said}{stop_of(match)}"

    def ruler(match: re.Match[str]) -> list[Edit] | None:
        number, female = roman_value(match["roman"]), match["female"] is not None
        case = (ENDINGS_FEMALE if female else ENDINGS).get(match["ending"])
        if not number or case is None:
            return None
        said = ordinal(number, "f" if female else "m", case)
        return [Edit(match.start("roman"), match.end("roman"), said[0].upper() + said[1:])]

    free, end = r"(?<![\w-])", rf"(?:{END}|(?<=\.))"
    names = rf"(?:(?P<female>{any_of(RULERS_FEMALE)})|{any_of(RULERS)})(?P<ending>[а-я]{{0,2}})"
    return [
        Rule(
            re.compile(rf"{free}({ROMAN})\s?{DASH}\s?({ROMAN}){_GAP}(?P<noun>{any_of(_SEVERAL)}){end}"),
            centuries,
            "IVX",
        ),
        Rule(
            re.compile(rf"{free}(?P<roman>{ROMAN}){_GAP}(?P<noun>{any_of(_CENTURIES)}){end}"), century, "IVX"
        ),
        Rule(re.compile(rf"(?<!\w){names}{_GAP}(?P<roman>{ROMAN}){END}"), ruler, "IVX"),
    ]


def case_rules(numerals: Numerals) -> list[Rule]:
    """Numbers after words that want the genitive, with a unit or without: до 5 км, с 9 до 18."""

    def say(match: re.Match[str]) -> list[Edit] | None:
        number = numerals.parse(match["number"])
        if number.mark or number.negative or len(number.whole) > 9 or number.whole[0] == "0":
            return None
        value, start = int(number.whole), match.start("number")
        if match["unit"]:
            noun = _UNITS[key_of(match["unit"])]
            said = f"{cardinal(value, noun.gender, 'g')} {noun.forms[1 if form(value) == 0 else 2]}"
            return [Edit(start, match.end(), said + stop_of(match))]
        feminine = form(value) == 0 and (match["word"] or "").endswith(("ы", "и"))
        return [Edit(start, match.end("number"), cardinal(value, "f" if feminine else "m", "g"))]

    def instrumental(match: re.Match[str]) -> list[Edit] | None:
        number = numerals.parse(match["number"])
        if number.mark or number.negative or len(number.whole) > 9:
            return None
        return [Edit(match.start("number"), match.end("number"), numerals.whole(number.whole, "i"))]

    number = numerals.pattern("number")
    between = rf"(?<!\w)[Мм]ежду{_GAP}{number}(?={_GAP}и{END})"
    unit = rf"{_GAP}?(?P<unit>{any_of(UNITS)})(?:{END}|(?<=\.))"
    nothing = rf"(?![\w/:%]|\s?{DASH}\s?[0-9])(?=(?:{_GAP}(?P<word>[а-яё]{{3,40}}))?)"
    since = rf"[Сс]{_GAP}(?=[0-9]{{1,4}}{_GAP}до{END})"
    return [
        Rule(
            re.compile(rf"(?<!\w)(?:(?i:{any_of(GENITIVE)}){_GAP}|{since}){number}(?:{unit}|{nothing})"),
            say,
            "0",
        ),
        Rule(re.compile(between), instrumental, "0"),
    ]


def place_rules() -> list[Rule]:
    """ул., г. and the like before a name, in the case that the word before asks for; пн–пт; 3x4."""

    def say(match: re.Match[str]) -> str:
        forms, before = PLACES[match.group().lower()], _before(match)
        said = forms[1 if before in ("в", "на", "о") else 2 if before in ("из", "с", "от", "до", "у") else 0]
        return like(match, said)

    def weekdays(match: re.Match[str]) -> str:
        return f"с {WEEKDAYS[match[1].lower()][0]} по {WEEKDAYS[match[2].lower()][1]}{stop_of(match)}"

    days = f"(?i:{'|'.join(WEEKDAYS)})"
    pattern = rf"(?<![\w.-])(?i:{any_of(PLACES)})(?={_GAP}?[А-ЯЁ])"
    return [
        Rule(re.compile(pattern), say, "."),
        Rule(re.compile(rf"(?<!\w)({days})\.?\s?{DASH}\s?({days})(?:\.|{END})"), weekdays, "-\u2013"),
        Rule(re.compile(r"(?<=п\. [0-9] )ч\.(?= [0-9])"), lambda match: "часть", "."),
        *times_rules("на", "\u0445"),
    ]
