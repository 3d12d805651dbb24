"""Rules of Russian: dates and years, ordinals, centuries and rulers, streets and days of the week."""

from __future__ import annotations

import re

from realtime.text.normalize.base import Rule
from realtime.text.normalize.european.numbers import DASH, SPACES, words_before
from realtime.text.normalize.european.rules import DONE, FREE
from realtime.text.normalize.european.words import END, any_of, like, stop_of
from realtime.text.normalize.roman import ROMAN, roman_value
from realtime.text.normalize.russian.forms import (
    ENDINGS,
    ENDINGS_FEMALE,
    PLACES,
    ROMAN_NOUNS,
    RULERS,
    RULERS_FEMALE,
    SUFFIXES,
    WEEKDAYS,
)
from realtime.text.normalize.russian.numbers import cardinal, date_case, ordinal
from realtime.text.normalize.russian.words import MONTHS, SHORT_MONTHS, UNITS
from realtime.text.spans import Edit

_GAP = f"[{SPACES}]"
_YEAR = r"[12][0-9]{3}"
#: The noun after a year, as written: its case.
_YEARS = {"год": "n", "года": "g", "годом": "i", "годе": "p"}
_CENTURIES = {"век": "n", "века": "g", "веку": "d", "веком": "i", "веке": "p", "в.": "g"}
_SEVERAL = {"вв.": "n", "века": "n", "веков": "g", "веках": "p"}
#: Children are counted so.
_TOGETHER = ("", "", "двое", "трое", "четверо", "пятеро", "шестеро", "семеро")
_CHAPTERS = "(?:глав|част|том|раздел|книг|акт|действи)[а-я]{0,3}"
_PREPOSITIONS = frozenset("в на о об к с из от до для по".split())
_LOCATIVE = re.compile(r"(?<!\w)[Вв] [0-9]{2,4}-х \Z")
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
        if month := SHORT_MONTHS.get(match["month"].lower()):
            stop = "" if match["year"] else stop_of(match)
            edits.append(Edit(match.start("month"), match.end("month"), month + stop))
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

    months = rf"{any_of(MONTHS)}{END}|{any_of(SHORT_MONTHS)}"
    year = rf"(?:{_GAP}(?P<year>{_YEAR})(?!\w|[.,:/-][0-9])(?:{_GAP}?(?P<noun>года{END}|год{END}|г\.))?)?"
    low = rf"(?:(?P<low>[0-9]{{1,2}})\s?{DASH}\s?)?"
    return [
        Rule(
            re.compile(rf"{FREE}{low}(?P<day>[0-9]{{1,2}}){_GAP}(?P<month>(?i:{months})){year}"),
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
        if match["era"] is not None and before in ("в", "во"):
            return f"{ordinal(number, case='p')} году{stop_of(match)}"
        ancient = noun == "г." and number > 99 and before == "в" and _STOPS.match(match.string, match.end())
        if ancient:
            return f"{ordinal(number, case='p')} году{stop_of(match)}"
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

    def until(match: re.Match[str]) -> list[Edit]:
        said = f"{ordinal(int(match[1]))} {'годы' if match[2] == 'гг' else 'год'}"
        return [Edit(match.start(1), match.end(), said + stop_of(match))]

    def decade(match: re.Match[str]) -> str:
        before = _LOCATIVE.search(match.string, max(0, match.start() - 12), match.start())
        return ("годов" if before is None else "годах") + stop_of(match)

    nouns = rf"(?P<noun>г\.|(?:году|годом|года|годе|год|г){END})"
    several = rf"(?:{_GAP}?(гг\.|г\.|(?:годы|годов|годах){END}))?"
    return [
        Rule(re.compile(rf"{FREE}({_YEAR})\s?{DASH}\s?({_YEAR}){DONE}{several}"), span, "-\u2013\u2011"),
        Rule(
            re.compile(rf"{FREE}(?P<year>[1-9][0-9]{{0,3}}){_GAP}?{nouns}(?P<era>(?=\s(?:до\s)?н\.\s?э))?"),
            year,
            "0",
        ),
        Rule(re.compile(rf"(?<!\w)по{_GAP}({_YEAR}){_GAP}?(гг?)\."), until, "."),
        Rule(re.compile(r"(?<=[0-9]-х )гг?\."), decade, "."),
        Rule(re.compile(r"(?<=[0-9]-е )гг?\."), lambda match: "годы" + stop_of(match), "."),
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

    def chapter(match: re.Match[str]) -> list[Edit] | None:
        number = roman_value(match["roman"])
        return (
            [Edit(match.start("roman"), match.end(), cardinal(number) + stop_of(match))] if number else None
        )

    def quarter(match: re.Match[str]) -> str | None:
        number, gender = roman_value(match["roman"]), ROMAN_NOUNS[match["noun"]]
        return ordinal(number, gender[0], gender[1]) if number else None

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
        Rule(re.compile(rf"(?<!\w)(?i:{_CHAPTERS}){_GAP}(?P<roman>{ROMAN}){END}"), chapter, "IVX"),
        Rule(
            re.compile(rf"{free}(?P<roman>{ROMAN})(?={_GAP}(?P<noun>{any_of(ROMAN_NOUNS)}){END})"),
            quarter,
            "IVX",
        ),
    ]


def place_rules() -> list[Rule]:
    """ул., г. and the like before a name, in the case that the word before asks for; пн–пт; 3x4."""

    def say(match: re.Match[str]) -> str:
        forms, before = PLACES[match.group().lower()], _before(match)
        said = forms[1 if before in ("в", "на", "о") else 2 if before in ("из", "с", "от", "до", "у") else 0]
        return like(match, said)

    def weekdays(match: re.Match[str]) -> str:
        return f"с {WEEKDAYS[match[1].lower()][0]} по {WEEKDAYS[match[2].lower()][1]}{stop_of(match)}"

    def weekday(match: re.Match[str]) -> str:
        genitive, accusative, nominative = WEEKDAYS[match[1].lower()]
        before = _before(match)
        said = (
            accusative
            if before in ("в", "во", "на")
            else genitive
            if before in ("с", "до", "от")
            else nominative
        )
        return like(match, said) + stop_of(match)

    def two_days(match: re.Match[str]) -> str:
        which = 1 if _before(match) in ("в", "во", "на") else 2
        one, other = (WEEKDAYS[match[group].lower()][which] for group in (1, 2))
        return f"{like(match, one)} и {other}{stop_of(match)}"

    days = f"(?i:{'|'.join(WEEKDAYS)})"
    date_or_time = rf"{_GAP}[0-9]{{1,2}}(?::[0-9]|{_GAP}(?:{any_of(MONTHS)})|\.[0-9])|,{_GAP}[0-9]|{_GAP}—"
    after_word = "".join(rf"|(?<=\b{word} )" for word in ("в", "В", "во", "Во", "до", "по"))
    pattern = rf"(?<![\w.-])(?i:{any_of(PLACES)})(?={_GAP}?[А-ЯЁ])"
    return [
        Rule(re.compile(pattern), say, "."),
        Rule(re.compile(rf"(?<!\w)({days})\.?\s?{DASH}\s?({days})(?:\.|{END})"), weekdays, "-\u2013"),
        Rule(re.compile(rf"(?<![\w.-])({days})\.? и ({days})(?:\.|(?![\w-]))"), two_days),
        Rule(re.compile(rf"(?<![\w.-])({days})\.?(?={date_or_time})"), weekday),
        Rule(re.compile(rf"(?:{after_word[1:]})({days})(?:\.|(?![\w.-]))"), weekday),
        Rule(
            re.compile(rf"(?<![0-9.,:])[2-7](?={_GAP}детей{END})"),
            lambda match: _TOGETHER[int(match[0])],
            "0",
        ),
        Rule(
            re.compile(rf"(?<=\b[Сс] )([1-9][0-9]?)(?={_GAP}пути{END})"),
            lambda match: ordinal(int(match[1]), case="g"),
            "0",
        ),
        Rule(
            re.compile(rf"(?<=\b[Сс] )([1-9][0-9]?)(?={_GAP}(?:утра|вечера|ночи|дня){END})"),
            lambda match: cardinal(int(match[1]), case="g"),
            "0",
        ),
        Rule(
            re.compile(rf"(?:(?<=млн )|(?<=млрд )|(?<=тыс\. ))(?:{any_of(UNITS)})(?:{END}|(?<=\.))(?!/)"),
            lambda match: UNITS[match[0]].forms[2] + stop_of(match) if match[0] in UNITS else None,
        ),
        Rule(
            re.compile(r"(?:(?<=мин [0-9] )|(?<=мин [0-9]{2} ))с\.?(?=[,;)]|\s?$)"),
            lambda match: "секунд" + stop_of(match),
            "0",
        ),
        Rule(re.compile(r"(?<=\bпо )тел\."), lambda match: "телефону", "."),
        Rule(re.compile(r"(?<=[0-9]-е )изд\."), lambda match: "издание" + stop_of(match), "."),
        Rule(
            re.compile("(?<!\\w)[C\u0421][O\u041e](?:2|\u2082)(?!\\w)"), lambda match: "цэ о два", "0\u2082"
        ),
        Rule(
            re.compile(r"(?<=[0-9],[0-9] )с\.?(?=[,;)]|\s?$)"), lambda match: "секунды" + stop_of(match), ","
        ),
        Rule(
            re.compile(r"(?<=[0-9],[0-9]{2} )с\.?(?=[,;)]|\s?$)"),
            lambda match: "секунды" + stop_of(match),
            ",",
        ),
        Rule(re.compile(r"(?<=п\. [0-9] )ч\.(?= [0-9])"), lambda match: "часть", "."),
    ]
