"""Rules for numbers that European languages share: dates, times, money, units, ranges, fractions."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from realtime.text.normalize.base import Rule
from realtime.text.normalize.european.numbers import (
    DASH,
    GAP,
    MINUS,
    SPACES,
    Noun,
    Number,
    Numerals,
    words_before,
)
from realtime.text.normalize.european.words import (
    END,
    UNIT_END,
    any_of,
    by_key,
    in_parts,
    key_of,
    spelled,
    stop_of,
)
from realtime.text.spans import Edit

#: Before a number that is not part of something longer, and after it.
FREE = r"(?<![\w.,:/-])"
DONE = r"(?![\w/-]|[.,:][0-9])"
_TO = rf"(?:\s?{DASH}\s?)"
#: Written for a thousand beside a currency, in all languages.
_THOUSANDS = ("k", "K")
#: Unicode's fractions as numerator and denominator.
VULGAR = {
    "\u00bd": (1, 2),
    "\u2153": (1, 3),
    "\u2154": (2, 3),
    "\u00bc": (1, 4),
    "\u00be": (3, 4),
    "\u2155": (1, 5),
    "\u215b": (1, 8),
}


def date_rules(numerals: Numerals) -> list[Rule]:
    """Dates all in digits: 2024-01-15, 15.01.2024, 15/01/24, 15-01-2024; days that are none are left."""

    def say(match: re.Match[str]) -> str | None:
        year, month, day = (int(match[name]) for name in ("year", "month", "day"))
        if month > 12 >= day:
            month, day = day, month
        if not (1 <= month <= 12 and 1 <= day <= 31):
            return None
        if len(match["year"]) == 2:
            year += 2000 if year < 70 else 1900
        before = words_before(match.string, match.start())
        return numerals.conventions.date(day, month, year, before[0] if before else "")

    year_first = rf"{FREE}(?P<year>[12][0-9]{{3}})-(?P<month>[01][0-9])-(?P<day>[0-3][0-9]){DONE}"
    day_first = (
        rf"{FREE}(?P<day>[0-3]?[0-9])(?P<mark>[./-])(?P<month>[0-3]?[0-9])(?P=mark)"
        rf"(?P<year>[12][0-9]{{3}}|(?<=[./])[0-9]{{2}}){DONE}"
    )
    return [Rule(re.compile(year_first), say, "-"), Rule(re.compile(day_first), say, "./-")]


def time_rules(numerals: Numerals, mark: str = ":", suffix: str | None = None) -> list[Rule]:
    """Times of day with two digits of minutes, perhaps seconds, and from one to another.

    `mark` is a regular expression for what stands between hour and minute, `suffix` one for what must
    follow ("Uhr"); None: `Conventions.time_suffix` may follow.
    """
    conventions = numerals.conventions
    clock = rf"(?:[01]?[0-9]|2[0-4]){mark}[0-5][0-9](?::[0-5][0-9])?"
    if suffix is not None:
        after = f"{GAP}(?:{suffix}){END}"
    elif conventions.time_suffix:
        after = f"(?:{GAP}(?:{conventions.time_suffix}){END})?"
    else:
        after = ""

    def one(written: str) -> str:
        parts = [int(part) for part in re.findall("[0-9]+", written)]
        return conventions.time(parts[0], parts[1], parts[2] if len(parts) == 3 else None)

    def say(match: re.Match[str]) -> str:
        said = one(match["time"]) + stop_of(match)
        to = "—" if conventions.range_word == "-" else conventions.range_word
        return f"{one(match['low'])} {to} {said}" if match["low"] else said

    # "1:50 000" is a ratio.
    free = rf"(?![\w:/]|[.,][0-9]|[{SPACES}][0-9]{{3}}(?![0-9]))"
    pattern = rf"{FREE}(?:(?P<low>{clock}){_TO})?(?P<time>{clock}){free}{after}"
    return [Rule(re.compile(pattern), say, "0")]


def version_rules(numerals: Numerals) -> list[Rule]:
    """Versions and network addresses: three or more numbers with full stops, or two after a "v"."""
    conventions = numerals.conventions

    def say(match: re.Match[str]) -> str | None:
        parts = match["parts"].split(".")
        if not match["v"] and (len(parts) < 3 or (len(parts[-1]) == 3 and "." in conventions.thousands)):
            return None  # German 1.234.567 is a number
        said = f" {conventions.point_word} ".join(
            numerals.digits(part) if len(part) > 2 else numerals.whole(part) for part in parts
        )
        word = conventions.version_word
        named = word.lower() in words_before(match.string, match.start())
        return f"{word} {said}" if match["v"] and not named else said

    parts = r"(?P<parts>[0-9]{1,5}(?:\.[0-9]{1,5}){0,4})"
    pattern = rf"(?<![\w.,/-])(?P<v>[vV]?){parts}(?![\w/]|-[0-9]|[.,:][0-9])"
    return [Rule(re.compile(pattern), say, ".vV")]


def phone_rules(numerals: Numerals) -> list[Rule]:
    """Telephone numbers: a plus or what national numbers begin with, and at least seven digits in groups."""
    conventions = numerals.conventions

    def say(match: re.Match[str]) -> str | None:
        groups = re.findall("[0-9]+", match["digits"])
        length = sum(map(len, groups))
        if not 7 <= length <= 15 or (not match["plus"] and len(groups) < 2 and length < 9):
            return None
        if conventions.phone is not None:
            said = conventions.phone(groups)
        else:
            said = ", ".join(numerals.digits(group) for group in groups)
        return f"{conventions.plus_word} {said}" if match["plus"] else said

    start = rf"(?:(?<=\+)[1-9]|(?:\((?=[0-9]{{1,6}}\)))?{conventions.phone_start})"
    rest = rf"(?:(?:\)|{GAP}\(|\){GAP}|{GAP}[/.-]{GAP}|{GAP})[0-9]{{1,14}}){{0,8}}"
    pattern = rf"(?<![\w.,:/+-])(?<![0-9][{SPACES}])(?P<plus>\+?)(?P<digits>{start}[0-9]{{0,14}}{rest}){DONE}"
    # Account and card numbers are groups of four.
    four = "(?P<gap>[ -])[0-9]{4}(?:(?P=gap)[0-9]{4}){1,6}(?:(?P=gap)[0-9]{1,4})?"
    account = rf"(?<![\w.,:/+-])(?:(?P<land>[A-Z]{{2}})[0-9]{{2}}|[0-9]{{4}}){four}{DONE}"

    def digits(match: re.Match[str]) -> str:
        said = ", ".join(numerals.digits(group) for group in re.findall("[0-9]+", match.group()))
        return f"{spelled(conventions, match['land'])} {said}" if match["land"] else said

    return [Rule(re.compile(account), digits, "0"), Rule(re.compile(pattern), say, "+0")]


def _per(numerals: Numerals) -> str:
    """A regular expression for "/h" and the like after a sum or a unit."""
    per = numerals.conventions.per
    return rf"(?:/(?P<per>{any_of(per)}){END})?" if per else "(?P<per>(?!))?"


def money_rules(numerals: Numerals) -> list[Rule]:
    """Sums: € 3,50, 3,50 €, 5-10 €, $1.2B, 5 Mio. Euro; and numbers before a magnitude, 5 Mio."""
    conventions = numerals.conventions
    powers = {
        **conventions.magnitudes,
        **conventions.money_magnitudes,
        **dict.fromkeys(_THOUSANDS, Noun(("",))),
    }
    per = by_key(conventions.per)
    currencies = by_key(conventions.currencies)
    magnitudes = by_key(powers)
    currency = any_of(conventions.currencies)
    magnitude = rf"(?:{GAP}(?P<magnitude>{any_of(powers)})(?:{END}|(?<=\.)))?"

    def say(match: re.Match[str]) -> str | list[Edit]:
        number = numerals.parse(match["number"])
        if match["sign"]:
            number = Number(number.whole, number.decimals, True, number.mark)
        if match["first"] is not None and number.mark == "," and len(number.decimals) == 3:
            number = Number(number.whole + number.decimals, "", number.negative)  # $1,200
        unit, power = currencies[key_of(match["currency"])], match["magnitude"]
        if power in _THOUSANDS and len(number.decimals) <= 3:
            number = Number(number.whole + number.decimals.ljust(3, "0"), "", number.negative)
            power = None
        after = f" {per[key_of(match['per'])]}" if match["per"] else ""
        if power and match["first"] is None:
            noun = magnitudes[key_of(power)]
            return in_parts(
                match,
                ("number", numerals.range(match["low"], numerals.say(number, noun.gender), noun.gender)),
                ("magnitude", numerals.noun(number, noun)),
                ("currency", conventions.of_noun(unit.main.forms[-1]) + after),
            )
        said = numerals.money(number, unit, magnitudes[key_of(power)] if power else None)
        return numerals.range(match["low"], said, unit.main.gender) + after + stop_of(match)

    def say_magnitude(match: re.Match[str]) -> list[Edit]:
        noun, number = magnitudes[key_of(match["magnitude"])], numerals.parse(match["number"])
        return in_parts(
            match,
            ("number", numerals.range(match["low"], numerals.say(number, noun.gender), noun.gender)),
            ("magnitude", numerals.noun(number, noun)),
        )

    low = f"(?:{numerals.pattern('low')}{_TO})?"
    number = numerals.pattern("number") + rf"(?:,{DASH}{{1,2}}(?!\w))?"
    # Not the rest of "3 EUR 50 ct".
    before = rf"(?<!\w)(?<![0-9][{SPACES}])(?P<sign>[{MINUS}]?)(?P<first>)(?P<currency>{currency})"
    before += rf"{GAP}{low}{number}{magnitude}"
    after = rf"(?P<sign>){low}{number}{magnitude}(?P<first>(?!))?{GAP}(?P<currency>{currency})"
    ends = rf"(?:{END}|(?<=\.)){_per(numerals)}"
    rules = [Rule(re.compile(before + ends), say, "0"), Rule(re.compile(after + ends), say, "0")]
    if conventions.magnitudes:
        pattern = rf"{low}{number}{GAP}(?P<magnitude>{any_of(conventions.magnitudes)})(?:{END}|(?<=\.))"
        rules.append(Rule(re.compile(pattern), say_magnitude, "0"))
    return rules


def unit_rules(numerals: Numerals) -> list[Rule]:
    """Numbers with a unit or percent, and ranges of them: 5-10 km, -3,5 °C, 20 %."""
    conventions = numerals.conventions
    units = by_key(conventions.units)
    per = by_key(conventions.per)

    def say(match: re.Match[str]) -> list[Edit]:
        noun, number = units[key_of(match["unit"])], numerals.parse(match["number"])
        if len(number.whole) == 2 and number.whole[0] == "0":
            number = replace(number, whole=number.whole[1])  # "2 h 05 min"
        said = numerals.say(number, noun.gender)
        after = f" {per[key_of(match['per'])]}" if match["per"] else ""
        unit = ("unit", numerals.noun(number, noun) + after)
        if not match["low_unit"]:
            return in_parts(match, ("number", numerals.range(match["low"], said, noun.gender)), unit)
        low, low_noun = numerals.parse(match["low"]), units[key_of(match["low_unit"])]
        to = conventions.range_word.strip("-")
        return in_parts(
            match,
            ("low", numerals.say(low, low_noun.gender)),
            ("low_unit", numerals.noun(low, low_noun)),
            ("number", f"{to} {said}" if to else said),
            unit,
        )

    unit = any_of(conventions.units)
    low = f"(?:{numerals.pattern('low')}(?:{GAP}(?P<low_unit>{unit}))?{_TO})?"
    pattern = rf"{low}{numerals.pattern('number')}{GAP}(?P<unit>{unit})(?:{UNIT_END}|(?<=\.)){_per(numerals)}"
    rules = [Rule(re.compile(pattern), say, "0")]
    if per:

        def rate(match: re.Match[str]) -> str:
            return (
                f"{numerals.say(numerals.parse(match['number']))} {per[key_of(match['per'])]}{stop_of(match)}"
            )

        letters = any_of(each for each in conventions.per if each.isalpha() or each.endswith("."))
        bare = rf"{numerals.pattern('number')}/(?P<per>{letters})(?:{UNIT_END}|(?<=\.))"
        rules.append(Rule(re.compile(bare), rate, "/"))  # a pulse of 72/min
    return rules


def range_rules(numerals: Numerals) -> list[Rule]:
    """Ranges of plain numbers, from the smaller to the larger, and scores or ratios (3:2)."""
    conventions = numerals.conventions

    def say(match: re.Match[str]) -> str | None:
        low, high = numerals.parse(match["low"]), numerals.parse(match["number"])
        if max(len(low.whole), len(high.whole)) > 6 or high.negative:
            return None
        first, last = (float(f"{each.whole}.{each.decimals}") for each in (low, high))
        if first >= last and not low.negative:
            return None
        return numerals.range(match["low"], numerals.say(high))

    def ratio(match: re.Match[str]) -> str:
        last = "".join(digit for digit in match[2] if digit.isdecimal())
        word = "-" if conventions.ratio_word == "-" else f" {conventions.ratio_word} "
        return f"{numerals.whole(match[1])}{word}{numerals.whole(last)}"

    def season(match: re.Match[str]) -> str | None:
        first, last = int(match[1]), int(match[2])
        if (last if last > 99 else first // 100 * 100 + last) != first + 1:
            return None
        return f"{conventions.cardinal(first)} {conventions.cardinal(last)}"

    pattern = rf"(?<![\w/-]){numerals.pattern('low')}{_TO}{numerals.pattern('number')}(?![\w/]|-[\w])"

    def minus(match: re.Match[str]) -> str:
        return f" {conventions.minus_word} "

    rules = [
        Rule(re.compile(rf"(?<=[0-9])\s[{MINUS}]\s(?=[0-9]{{1,15}}\s?=)"), minus, "="),
        Rule(re.compile(pattern), say, "-\u2013\u2011"),
        Rule(re.compile(rf"{FREE}((?:19|20)[0-9]{{2}})/((?:19|20)?[0-9]{{2}}){DONE}"), season, "/"),
    ]
    if conventions.ratio_word:
        first = rf"{FREE}([0-9]{{1,3}})(?: : |:)(?![0-9]{{1,9}} =)"
        last = rf"([0-9]{{1,3}}(?:[.{SPACES}][0-9]{{3}}){{1,2}}|[0-9]{{1,7}})(?:{DONE}|(?=-[^\W\d_]))"
        rules.append(Rule(re.compile(first + last), ratio, ":"))
    return rules


def fraction_rules(numerals: Numerals) -> list[Rule]:
    """Fractions, alone and after a whole number: 3/4, 1 1/2, ½, 2½."""
    conventions = numerals.conventions

    def say(match: re.Match[str]) -> str | None:
        sign = match["sign"]
        numerator, denominator = VULGAR[sign] if sign else (int(match["top"]), int(match["bottom"]))
        if not match["whole"]:
            if numerator == denominator > 9 or (numerator, denominator) == (24, 7):  # 50/50, 24/7
                return f"{numerals.whole(str(numerator))} {numerals.whole(str(denominator))}"
            said = conventions.fraction(numerator, denominator)
            points = conventions.out_of and numerator <= denominator in (10, 20, 30, 100)
            if said is None and points:
                got, all_of_them = numerals.whole(str(numerator)), numerals.whole(str(denominator))
                return f"{got} {conventions.out_of} {all_of_them}"
            return said
        if numerator >= denominator:
            return None
        return conventions.mixed(int(match["whole"]), numerator, denominator)

    signs = "".join(VULGAR)
    pattern = (
        rf"{FREE}(?:(?P<whole>[0-9]{{1,3}}){GAP}(?=[{signs}]|(?<=\s)[0-9]/))?"
        rf"(?:(?P<sign>[{signs}])|(?P<top>[0-9]{{1,2}})/(?P<bottom>[0-9]{{1,3}})(?![\w/]|-[0-9]|[.,:][0-9]))"
    )
    return [Rule(re.compile(pattern), say, "/" + signs)]


def counted_rules(numerals: Numerals, gender: Callable[[str], str | None]) -> list[Rule]:
    """Whole numbers before a word whose gender the language can tell ("une heure"); None: it cannot."""

    def say(match: re.Match[str]) -> list[Edit] | None:
        number = numerals.parse(match["number"])
        found = None if number.mark else gender(match["word"])
        if found is None:
            return None
        said = numerals.range(match["low"], numerals.say(number, found), found)
        return [Edit(match.start(), match.end(), said)]

    # The word is only looked at: it may need a reading of its own.
    low = rf"(?:{numerals.pattern('low')}{_TO})?"
    pattern = rf"{low}{numerals.pattern('number')}(?=[{SPACES}](?P<word>[^\W\d_]{{1,40}}))"
    return [Rule(re.compile(pattern), say, "0")]


def number_rules(numerals: Numerals) -> list[Rule]:
    """Numbers that nothing else has taken. Those that touch letters are left."""

    def say(match: re.Match[str]) -> str:
        return numerals.say(numerals.parse(match["number"]), point=True)

    return [Rule(re.compile(rf"{numerals.pattern('number')}(?![\w/])"), say, "0")]
