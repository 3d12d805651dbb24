"""Italian."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial

from realtime.text.normalize.base import Rule
from realtime.text.normalize.european.numbers import DASH, Noun, Numerals
from realtime.text.normalize.european.reader import EuropeanReader
from realtime.text.normalize.european.rules import DONE, FREE
from realtime.text.normalize.european.words import any_of, stop_of
from realtime.text.normalize.italian import numbers as say
from realtime.text.normalize.italian import tables
from realtime.text.normalize.roman import roman_value
from realtime.text.normalize.romance.conventions import romance_conventions
from realtime.text.normalize.romance.rules import (
    AFTER_TELEPHONE,
    NUMERAL,
    Roman,
    and_so_on_rules,
    clock_rules,
    day_rules,
    duration_rules,
    english_number_rules,
    era_rules,
    half_rules,
    ordinal_rules,
    phone_rules,
    power_rules,
    repeated_rules,
    short_year_rules,
    sum_rules,
)
from realtime.text.normalize.romance.shared import Parts
from realtime.text.normalize.romance.words import ITALIAN_DAYS, ITALIAN_KEYS, ITALIAN_MONTHS
from realtime.text.spans import Edit

_PARTS = Parts("mezzo", "un quarto", "tre quarti", "e", "di", say.count, say.fraction)


def _part_of(whole: int, numerator: int, denominator: int, noun: Noun, before: str) -> str | None:
    """ "mezz'ora", "un quarto d'ora"."""
    said = _PARTS.say(whole, numerator, denominator, noun, before)
    return None if said is None else said.replace("mezza ora", "mezz'ora").replace("di o", "d'o")


CONVENTIONS = romance_conventions(
    say,
    tables,
    decimal_word="virgola",
    point_word="punto",
    minus_word="meno",
    plus_word="più",
    range_word="",
    version_word="versione",
    number_word="numero",
    before_cents="e",
    of="di",
    part_of=_part_of,
    out_of="su",
    over="su",
    days=ITALIAN_DAYS,
    months=ITALIAN_MONTHS,
    day_range="da {} a {}",
    keys=ITALIAN_KEYS,
    top_names={"it": "it"},
)
_ROMAN = Roman(
    after_name=say.ordinal,
    after_century=say.ordinal,
    before_noun=say.ordinal,
    cardinal=say.cardinal,
    genders=tables.GENDERS,
    names=tables.NAMES,
    century="secolo",
    centuries=tables.CENTURIES,
    century_abbreviations=("sec.",),
    numbered=tables.NUMBERED,
    abbreviations=tables.BEFORE_NUMBER,
    articles=tables.ARTICLES,
    and_words=frozenset(("e", "o", "al")),
    events=tables.EVENTS,
)
_ORDINAL_ENDINGS = {"º": "m", "ª": "f", "mo": "m", "ma": "f"}
_BEFORE_TIME = ("alle ", "dalle ", "delle ", "le ", "ore ", "all'", "dall'", "all\u2019", "dall\u2019", "h ")
#: Ten digits, or nine, that begin as those of mobile telephones do.
_MOBILE_PHONE = rf"{FREE}(?<![0-9+] )3[0-9]{{2}}[ ./-][0-9]{{3}}[ .]?[0-9]{{3,4}}{DONE}"
#: Numbers that cost nothing, and those that cost the same everywhere.
_TOLL_FREE = rf"(?<![\w.,+-])(?<![0-9] )(?:800|803|199|840|848|892|899) [0-9]{{3}} [0-9]{{3}}{DONE}"
_SET_BEFORE = re.compile(r"[0-7]-[0-7],? \Z")
_SET_AFTER = re.compile(r",? [0-7]-[0-7](?![\w-])")
_VOWELS = tuple("aeiouàèéìòùh")
#: Before these sounds the article is "uno".
_UNO = re.compile(r"s[^aeiouàèéìòùh]|z|gn|ps|pn|x|y")
#: After these words a range has no words of its own: "in cinque dieci minuti".
_PREPOSITION = re.compile(
    r"\b(?:in|di|per|tra|fra|ogni|con|entro|da|dal|dalle|dai|dei|delle|nei|nelle|ai|alle|i|le|gli|del|al|il|a)"
    " $",
    re.IGNORECASE,
)


def _one(match: re.Match[str]) -> str | None:
    """One of something: "un libro", "uno zaino", "una pagina", "un'ora"."""
    noun = match["noun"]
    gender = tables.GENDERS.of(noun)
    if not gender:
        return None
    if gender == "f":
        return f"un'{noun}" if noun.startswith(_VOWELS) else f"una {noun}"
    return f"{'uno' if _UNO.match(noun) else 'un'} {noun}"


def _saint(match: re.Match[str]) -> str | None:
    """ "S. Pietro", of which "S. Rossi" is none."""
    name = match["name"]
    if name in tables.SAINTS_WITH_VOWEL:
        return f"Sant'{name}"
    if name in tables.FEMALE_SAINTS:
        return f"Santa {name}"
    if name in ("Stefano", "Spirito"):
        return f"Santo {name}"
    return f"San {name}" if name in tables.MALE_SAINTS else None


def _roman_day(match: re.Match[str]) -> str | None:
    """ "XX Settembre"; numerals are in capitals."""
    return say.cardinal(roman_value(match["day"])) if match["day"].isupper() else None


def _roman_century(match: re.Match[str]) -> str:
    """ "III sec."."""
    return f"{say.ordinal(roman_value(match['number']), 'm')} secolo{stop_of(match)}"


def _time_range_rules() -> list[Rule]:
    """From one time of day to another: 9:00-14:30."""

    def say_range(match: re.Match[str]) -> str:
        low, high = (say.clock(int(match[f"hour{n}"]), int(match[f"minute{n}"]), None) for n in "12")
        return " ".join(
            f"{to}'{said}" if said.startswith("una") else f"{to}e {said}"
            for to, said in (("dall", low), ("all", high))
        )

    times = [rf"(?P<hour{n}>[01]?[0-9]|2[0-4])[:.](?P<minute{n}>[0-5][0-9])" for n in "12"]
    before = r"(?<![\w.,:/-])(?:ore |(?=[0-9]{1,2}:))"
    return [Rule(re.compile(rf"{before}{times[0]} ?{DASH} ?{times[1]}{DONE}"), say_range, "0")]


def _range_rules(numerals: Numerals) -> list[Rule]:
    """Ranges of years in brackets, and of other numbers: "da cinque a dieci", but not after a preposition."""

    def years(match: re.Match[str]) -> str | None:
        low, high = int(match["low"]), int(match["high"])
        return f"dal {say.cardinal(low)} al {say.cardinal(high)}" if low < high else None

    def numbers(match: re.Match[str]) -> str | None:
        low, high = int(match["low"]), int(match["high"])
        # "6-4, 3-6": sets of a match.
        sets = high < 8 and (
            _SET_BEFORE.search(match.string[max(0, match.start() - 5) : match.start()])
            or _SET_AFTER.match(match.string, match.end())
        )
        if low >= high or sets:
            return f"{say.cardinal(low)} a {say.cardinal(high)}" if low < 100 else None
        if _PREPOSITION.search(match.string[max(0, match.start() - 8) : match.start()]):
            return f"{say.cardinal(low)} {say.cardinal(high)}"
        return f"da {say.cardinal(low)} a {say.cardinal(high)}"

    plain = "(?:0|[1-9][0-9]{0,3})"
    return [
        Rule(
            re.compile(rf"(?<=\()(?P<low>[12][0-9]{{3}})\s?{DASH}\s?(?P<high>[12][0-9]{{3}})(?=[),;])"),
            years,
            "0",
        ),
        Rule(
            re.compile(
                rf"{FREE}(?P<low>{plain})\s?{DASH}\s?(?P<high>{plain})(?!\s?[%€$£°])"
                rf"(?![\w/\u2013-]|[.,:][0-9])"
            ),
            numbers,
            "0",
        ),
    ]


def _hours(number: int) -> str:
    return "un'ora" if number == 1 else f"{say.cardinal(number)} ore"


def _first(numerals: Numerals) -> list[Rule]:
    month = any_of(say.MONTHS)
    return [
        Rule(re.compile(rf"(?<!\w)(?P<day>{NUMERAL})(?= {month}(?!\w))", re.IGNORECASE), _roman_day, "IVX"),
        Rule(re.compile(rf"(?<!\w)(?P<number>{NUMERAL}) sec\.(?!\w)"), _roman_century, "IVX"),
        *_ROMAN.rules(),
        *phone_rules(numerals, AFTER_TELEPHONE),
        *phone_rules(numerals, _MOBILE_PHONE),
        *ordinal_rules(say.ordinal, _ORDINAL_ENDINGS, tables.SINGULAR_ARTICLES, tables.GENDERS),
        Rule(re.compile(rf"{FREE}1°?(?= {month}(?!\w))"), lambda match: "primo", "0"),
        Rule(re.compile(rf"{FREE}1 ?h(?!\w)"), lambda match: "un'ora", "0"),
        Rule(re.compile(r"(?<=\bl['\u2019])1(?= (?:di|del|e|meno|in)\b)"), lambda match: "una", "0"),
        *duration_rules(_hours, say.cardinal, "minuti", "e"),
        Rule(re.compile(r"(?:(?<=\bil )|(?<=\bal )|(?<=\bper ))kg(?!\w)"), lambda match: "chilo", "k"),
        Rule(re.compile(r"(?<=[0-9.]ª )ed\."), lambda match: "edizione", "."),
        *repeated_rules(say.count, "volta", "volte"),
        Rule(re.compile(r"(?<!\w)['\u2019](?=[1-9]00(?![\w'\u2019]))"), lambda match: "", "'\u2019"),
        Rule(
            re.compile(r"(?<=\bal )([1-9][0-9]{0,2})['\u2019](?!\w)"),  # of a match
            lambda match: say.ordinal(int(match[1]), "m"),
            "0",
        ),
        *phone_rules(numerals, _TOLL_FREE),
        *_time_range_rules(),
        *clock_rules(say.clock, _BEFORE_TIME, ":.", "h", ("all'", "all\u2019")),
        *clock_rules(say.clock, ("alle ", "dalle ", "ore "), ",", "h", ("ore ",)),
        *day_rules(say.date),
        *short_year_rules(numerals),
        *and_so_on_rules("ecc", "eccetera"),
        *era_rules("avanti Cristo", "dopo Cristo"),
        *half_rules(numerals, tables.GENDERS, "mezzo", "e"),
        *sum_rules(numerals, "uguale", "per", "e"),
        *english_number_rules(numerals),
        *power_rules(numerals, "al quadrato", "al cubo"),
        Rule(re.compile(r"(?<![\w.])S\. ?(?P<name>[A-Z][a-zà-ù]{2,20})(?!\w)"), _saint, "."),
    ]


def _thousands(match: re.Match[str]) -> str:
    """ "100mila"."""
    return say.cardinal(1000 * int(match["thousands"]))


def _before_numbers(numerals: Numerals) -> list[Rule]:
    return [
        *_range_rules(numerals),
        Rule(re.compile(rf"{FREE}(?P<thousands>[1-9][0-9]{{0,2}}) ?mila(?!\w)"), _thousands, "0"),
        Rule(re.compile(rf"{FREE}1 (?P<noun>[a-zà-ù]{{2,30}})(?!\w)"), _one, "0"),
    ]


class ItalianReader(EuropeanReader):
    """A `EuropeanReader` that says "un'ora"."""

    def edits(self, text: str) -> list[Edit]:
        """What of a cleaned sentence is said otherwise than it is written; ordered and disjoint."""
        return [self._corrected(edit) for edit in super().edits(text)]

    @staticmethod
    def _corrected(edit: Edit) -> Edit:
        spoken = edit.spoken
        if spoken.startswith("una ora"):
            spoken = f"un'{spoken[4:]}"
        return edit if spoken == edit.spoken else replace(edit, spoken=spoken)


make = partial(ItalianReader, CONVENTIONS, first=_first, before_numbers=_before_numbers)
