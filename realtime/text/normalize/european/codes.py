"""Rules for keys, numbers of customers and orders, and days and months that are abbreviated."""

from __future__ import annotations

import re
from collections.abc import Mapping

from realtime.text.normalize.base import Rule
from realtime.text.normalize.european.numbers import DASH, SPACES, Numerals
from realtime.text.normalize.european.rules import DONE
from realtime.text.normalize.european.words import END, any_of, stop_of
from realtime.text.spans import Edit

#: What stands before numbers of people and firms, which are said digit by digit.
_NUMBERS_OF = "NIF NIE CIF DNI CPF IVA SIRET SIREN IMEI ISBN EAN BLZ ИНН КПП ОГРН СНИЛС".split()
_BEHIND = "|".join(rf"(?<=\b{name} )" for name in _NUMBERS_OF)
#: Before the number of a law or a case.
_NUMBER_WORD = re.compile(r"(?<!\w)(?:[Nn]\.?[º°]|[Nn]r\.|№|[Nn]\.|(?i:lei|ley|legge|loi|decreto))\s?\Z")
_VOWEL = re.compile("[aeiouy]", re.IGNORECASE)


def key_rules(numerals: Numerals) -> list[Rule]:
    """Keys that are pressed together: Ctrl+C, Strg+Alt+Entf."""
    conventions = numerals.conventions
    keys = conventions.keys
    if not keys:
        return []

    def together(match: re.Match[str]) -> list[Edit]:
        key, at = match["key"], match.end("key")
        plus = Edit(at, match.end(), f" {conventions.plus_word} ")
        return [plus] if keys[key] == key else [Edit(match.start(), at, keys[key]), plus]

    rules = [Rule(re.compile(rf"(?<!\w)(?P<key>{any_of(keys)})\+(?=\w)"), together, "+")]
    # Nobody could say these as they are written.
    hard = [key for key in keys if not _VOWEL.search(key)]
    if hard:
        rules.append(
            Rule(re.compile(rf"(?<!\w){any_of(hard)}{END}"), lambda match: keys[match.group()], "lg")
        )
    return rules


def code_rules(numerals: Numerals) -> list[Rule]:
    """Groups of digits that are no range and no date, with a comma between them: 4711-0815."""

    def say(match: re.Match[str]) -> str | None:
        groups = match.group().split("-")
        if len(groups) == 2:
            season = groups[0][:2] in ("19", "20") and len(groups[0]) == 4 and len(groups[1]) == 2
            if season or len(groups[0]) < 3 or len(groups[1]) < 2 or groups[1][0] != "0":
                return None
        elif sum(map(len, groups)) < 7:
            return None
        return ", ".join(numerals.digits(group) for group in groups)

    def known(match: re.Match[str]) -> str:
        digits = match["digits"]
        return ", ".join(numerals.digits(digits[at : at + 3]) for at in range(0, len(digits), 3))

    def case(match: re.Match[str]) -> str | None:
        if not _NUMBER_WORD.search(match.string[max(0, match.start() - 10) : match.start()]):
            return None
        number = numerals.say(numerals.parse(match["number"]))
        return f"{number} {numerals.conventions.sign_names['/']} {numerals.whole(match['rest'])}"

    return [
        Rule(re.compile(rf"(?<![\w.,:/+-])[0-9]{{1,12}}(?:-[0-9]{{1,12}}){{1,6}}{DONE}"), say, "-"),
        Rule(re.compile(rf"(?:{_BEHIND})(?P<digits>[0-9]{{6,14}}){DONE}"), known, "0"),
        Rule(re.compile(rf"{numerals.pattern('number')}/(?P<rest>[0-9]{{2,4}}){DONE}"), case, "/"),
    ]


def calendar_rules(numerals: Numerals) -> list[Rule]:
    """Days of the week and months that are abbreviated: lun. 3 janv. 2025, mar–vie."""
    conventions = numerals.conventions
    days, months = _any_case(conventions.days), _any_case(conventions.months)
    if not days:
        return []

    def day_range(match: re.Match[str]) -> str:
        said = conventions.day_range.format(days[match[1].lower()], days[match[2].lower()])
        return said + stop_of(match)

    def day(match: re.Match[str]) -> str:
        return days[match[1].lower()]

    def month(match: re.Match[str]) -> str:
        return months[match[1].lower()] + stop_of(match)

    a_day, a_month = f"(?i:({any_of(days)}))", f"(?i:({any_of(months)}))"
    after = rf"(?=,?[{SPACES}]?[0-9(]|[{SPACES}][a-zà-ÿ]|,[{SPACES}]|\s?{DASH})"
    return [
        Rule(
            re.compile(rf"(?<![\w-]){a_day}\.?\s?{DASH}\s?{a_day}(?:\.|(?![\w-]))"),
            day_range,
            "-\u2013\u2011",
        ),
        Rule(re.compile(rf"(?:(?<=[0-9] )|(?<=[0-9] de )){a_month}\."), month, "."),
        Rule(re.compile(rf"(?<!\w){a_month}\.(?= (?:de )?[12][0-9]{{3}}{END})"), month, "."),
        Rule(re.compile(rf"(?<!\w){a_day}\.{after}"), day, "."),
    ]


def _any_case(table: Mapping[str, str]) -> dict[str, str]:
    return {written.lower(): said for written, said in table.items()}
