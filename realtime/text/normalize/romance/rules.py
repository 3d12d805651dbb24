"""Makers of the rules that Spanish, Italian and Portuguese share beside those of all European languages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from realtime.text.normalize.base import Rule
from realtime.text.normalize.european.measures import product_rules
from realtime.text.normalize.european.numbers import DASH, GAP, SPACES, Number, Numerals, words_before
from realtime.text.normalize.european.rules import DONE, FREE
from realtime.text.normalize.european.words import END, any_of, stop_of, table_rule
from realtime.text.normalize.roman import roman_value
from realtime.text.normalize.romance.shared import Genders

#: Numerals up to 39: the longer ones, and the letters L, C, D, M, are mostly something else.
NUMERAL = r"(?=[IVX])X{0,3}(?:IX|IV|V?I{0,3})"
_LETTERS = r"[^\W\d_]"
_LOWER = r"[a-zà-öø-ÿ]"
#: How far back the word before a Roman numeral is looked for.
_BEHIND = 24
#: Words before a year.
_YEARS = frozenset("de del en em desde hasta até año ano do no".split())
_LAST_WORD = re.compile(rf"({_LETTERS}{{1,20}}\.?)[{SPACES}]$")


@dataclass(frozen=True, slots=True)
class Roman:
    """What a language says for Roman numerals, by the words beside them.

    `after_name`, `after_century` and `before_noun` say a number with a gender; `names` are rulers' names
    with their gender, `centuries` words before the number of a century, `numbered` words before a plain
    number ("chapter"), `articles` what stands before a numeral and a noun, `and_words` what may join two
    centuries, `events` nouns before which a single letter is a numeral too. `abbreviations` are said as
    words before a numeral, those of `century_abbreviations` as the word `century`.
    """

    after_name: Callable[[int, str], str]
    after_century: Callable[[int, str], str]
    before_noun: Callable[[int, str], str]
    cardinal: Callable[[int], str]
    genders: Genders
    names: Mapping[str, str]
    century: str
    centuries: frozenset[str]
    century_abbreviations: tuple[str, ...]
    numbered: frozenset[str]
    abbreviations: Mapping[str, str]
    articles: frozenset[str]
    and_words: frozenset[str]
    events: frozenset[str]

    def rules(self) -> list[Rule]:
        """Numerals after a word, and before a noun."""
        before_second = rf"{any_of(self.centuries)} [IVX]{{1,6}} {any_of(self.and_words)} $"
        second = re.compile(before_second.replace(" ", f"[{SPACES}]"), re.IGNORECASE)

        def after(match: re.Match[str]) -> str | None:
            behind = match.string[max(0, match.start() - _BEHIND) : match.start()]
            found = _LAST_WORD.search(behind)
            if found is None:
                return None
            word, number = found.group(1), roman_value(match.group())
            lower = word.lower()
            if lower in self.centuries or lower in self.century_abbreviations or second.search(behind):
                return self.after_century(number, "m")
            if lower in self.numbered or lower in self.abbreviations:
                return self.cardinal(number)
            if word in self.names:
                return self.after_name(number, self.names[word])
            # "Rocky IV", but not "Malcolm X" and nothing among capitals.
            title = word[0].isupper() and word[1:].islower() and word[-1] != "."
            sure = title and len(match.group()) > 1 and lower not in self.articles
            return self.cardinal(number) if sure else None

        def before(match: re.Match[str]) -> str | None:
            behind = match.string[max(0, match.start() - _BEHIND) : match.start()]
            found = _LAST_WORD.search(behind)
            if match.start() and (found is None or found.group(1).lower() not in self.articles):
                return None
            noun = match["noun"]
            gender = self.genders.of(noun.lower())
            if not gender or (len(match["numeral"]) < 2 and noun.lower() not in self.events):
                return None
            return self.before_noun(roman_value(match["numeral"]), gender)

        written_out = dict(self.abbreviations) | dict.fromkeys(self.century_abbreviations, self.century)
        free = r"(?<![\w.'\u2019-])"
        noun = rf"(?=[{SPACES}](?P<noun>{_LETTERS}{{4,30}}))"
        return [
            table_rule(written_out, rf"(?=[{SPACES}]{NUMERAL}(?!\w))"),
            Rule(re.compile(rf"{free}(?P<numeral>{NUMERAL}){noun}"), before, "IVX"),
            Rule(re.compile(rf"(?<=[\w.][{SPACES}]){NUMERAL}(?![\w'\u2019-])"), after, "IVX"),
        ]


def _counted_rules(numerals: Numerals, genders: Genders) -> list[Rule]:
    """Whole numbers and ranges of them before a plain word, in the word's gender: "doscientas personas"."""

    def say(match: re.Match[str]) -> str | None:
        number = numerals.parse(match["number"])
        gender = genders.of(match["noun"])
        if number.mark or not gender:
            return None
        year = len(match["number"]) == 4 and match["number"][:2] in ("19", "20") and int(number.whole) % 50
        if year and not _YEARS.isdisjoint(words_before(match.string, match.start())):
            return None  # "de 1994 dura"
        return numerals.range(match["low"], numerals.say(number, gender), gender)

    low = rf"(?:{numerals.pattern('low')}\s?{DASH}\s?)?"
    noun = rf"(?=[{SPACES}](?P<noun>{_LOWER}{{2,30}})(?!\w))"
    return [Rule(re.compile(rf"(?<![\w/-]){low}{numerals.pattern('number')}{noun}"), say, "0")]


def _thousand_rules(numerals: Numerals, genders: Genders) -> list[Rule]:
    """Thousands of something, "200 mil personas", in the gender of the word after "mil"."""

    def say(match: re.Match[str]) -> str | None:
        number = numerals.parse(match["number"])
        return None if number.mark else numerals.say(number, genders.of(match["noun"] or "") or "m")

    noun = rf"(?=[{SPACES}]mil(?!\w)(?:[{SPACES}](?P<noun>{_LOWER}{{2,30}})(?!\w))?)"
    return [Rule(re.compile(rf"(?<![\w/-]){numerals.pattern('number')}{noun}"), say, "0")]


def gender_rules(genders: Genders) -> Callable[[Numerals], list[Rule]]:
    """Makes the rules of numbers that have the gender of the noun behind them, thousands first."""
    return lambda numerals: [*_thousand_rules(numerals, genders), *_counted_rules(numerals, genders)]


def half_rules(numerals: Numerals, genders: Genders, half: str, and_word: str) -> list[Rule]:
    """Halves of a thing: "media taza", and "dos horas y media" for 2½ horas; `half` is masculine.

    One and a half keeps its order where the singular of the thing is not known.
    """
    conventions = numerals.conventions

    def say(match: re.Match[str]) -> str | None:
        gender = genders.of(match["noun"])
        return None if not gender else f"{half[:-1]}a" if gender == "f" else half

    def say_more(match: re.Match[str]) -> str | None:
        noun, whole = match["noun"] or match["unit"], int(match["whole"])
        unit = conventions.units.get(noun)
        gender = genders.of_plural(noun) if unit is None else unit.gender
        if unit is not None:
            noun = unit.forms[min(whole != 1, len(unit.forms) - 1)]
        elif whole == 1:
            if not noun.endswith(("as", "os")):
                return None
            noun = noun[:-1]
        if not gender or not whole:
            return None
        said = f"{half[:-1]}a" if gender == "f" else half
        return f"{conventions.count(whole, gender)} {noun} {and_word} {said}"

    noun = rf"(?P<noun>{_LOWER}{{2,30}})(?!\w)"
    a_half = rf"(?:{FREE}(?<![0-9][{SPACES}])1/2|(?<![\w.,:/-])(?<![0-9][{SPACES}])\u00bd)"
    unit = any_of(unit for unit in conventions.units if unit.isalpha())
    more = rf"{FREE}(?P<whole>[0-9]{{1,3}})(?:{GAP}\u00bd|[{SPACES}]1/2)[{SPACES}]"
    return [
        Rule(re.compile(rf"{a_half}(?=[{SPACES}]{noun})"), say, "/\u00bd"),
        Rule(re.compile(rf"{more}(?:{noun}|(?P<unit>{unit})(?!\w))"), say_more, "/\u00bd"),
    ]


def ordinal_rules(
    say_ordinal: Callable[[int, str], str],
    endings: Mapping[str, str],
    articles: frozenset[str],
    genders: Genders,
) -> list[Rule]:
    """Ordinals in digits: 1.º, 2ª, 3er; `endings` are what follows the number, with the gender.

    The sign of degrees is taken for "º" after one of the `articles`, which are singular and masculine, and
    before a noun that can only be masculine singular.
    """

    def say(match: re.Match[str]) -> str | None:
        number = int(match["number"])
        return say_ordinal(number, endings[match["ending"]]) if number else None

    def say_degrees(match: re.Match[str]) -> str | None:
        before, noun = words_before(match.string, match.start()), match["noun"] or ""
        sure = (before and before[0] in articles) or (noun.endswith("o") and genders.of(noun) == "m")
        return say_ordinal(int(match["number"]), "m") if sure and int(match["number"]) else None

    number = rf"{FREE}(?P<number>[0-9]{{1,4}})"
    end = rf"(?!\w|(?<!ª){GAP}[CF]\b)"
    noun = rf"(?=(?:[{SPACES}](?P<noun>{_LOWER}{{2,30}})(?!\w))?)"
    return [
        Rule(re.compile(rf"{number}\.?(?P<ending>{any_of(endings)}){end}"), say, "0"),
        Rule(re.compile(rf"{number}°{end}{noun}"), say_degrees, "°"),
    ]


def clock_rules(
    clock: Callable[[int, int, int | None], str],
    before: tuple[str, ...],
    marks: str,
    suffix: str,
    before_hour: tuple[str, ...],
) -> list[Rule]:
    """Times of day after words that are said before them ("a las"), whose hours are not said to be hours.

    `marks` stand between hour and minute, `suffix` is a regular expression for what is left out after a
    time. After `before_hour` a number up to 24 is an hour too.
    """

    def say(match: re.Match[str]) -> str:
        return clock(int(match["hour"]), int(match["minute"]), None)

    def say_hour(match: re.Match[str]) -> str:
        return clock(int(match["hour"]), 0, None)

    hour = "(?P<hour>[01]?[0-9]|2[0-4])"
    no_unit = rf"(?!{GAP}(?:[%€$£]|k?[mg]\b|km\b))"
    pattern = (
        rf"(?=[0-9])(?i:{_after(before)}){hour}[{marks}](?P<minute>[0-5][0-9]){no_unit}"
        rf"(?:{GAP}(?:{suffix})(?!\w))?{DONE}"
    )
    only = rf"(?=[0-9])(?i:{_after(before_hour)}){hour}{no_unit}(?!{GAP}(?:{suffix})(?!\w)){DONE}"
    rules = [Rule(re.compile(pattern), say, "0")]
    if before_hour:
        rules.append(Rule(re.compile(only), say_hour, "0"))
    return rules


def _after(written: Iterable[str]) -> str:
    """A regular expression for the place after one of these strings, the first of which begins a word."""
    return "(?:" + "|".join(rf"(?<=\b{re.escape(each)})" for each in written) + ")"


def time_range_rules(clock: Callable[[int, int, int | None], str], between: str, mark: str) -> list[Rule]:
    """From one time of day to another, 9:00-14:30; `between` is what is said, with "{}" for the times."""

    def say(match: re.Match[str]) -> str:
        low, high = (clock(int(match[f"hour{n}"]), int(match[f"minute{n}"] or 0), None) for n in "12")
        return between.format(low, high)

    times = [
        rf"(?P<hour{n}>[01]?[0-9]|2[0-4])(?:{mark}(?P<minute{n}>[0-5][0-9])|h(?P<full{n}>))" for n in "12"
    ]
    free = r"(?<![\w.,:/-])(?<!às )(?<!das )(?<!de )(?<!las )"
    return [Rule(re.compile(rf"{free}{times[0]}\s?{DASH}\s?{times[1]}(?: ?h)?{DONE}"), say, "0")]


def day_rules(date: Callable[[int, int, int | None], str]) -> list[Rule]:
    """Days without a year, if they can be nothing else: 3/02, 31/12."""

    def say(match: re.Match[str]) -> str | None:
        day, month = int(match["day"]), int(match["month"])
        sure = 1 <= day <= 31 and 1 <= month <= 12 and (month < 10 or day > 12)
        return date(day, month, None) if sure else None

    return [Rule(re.compile(rf"{FREE}(?P<day>[0-3]?[0-9])/(?P<month>[01][0-9]){DONE}"), say, "/")]


def duration_rules(
    hours: Callable[[int], str], cardinal: Callable[[int], str], minutes: str, and_word: str
) -> list[Rule]:
    """Hours and minutes, 1h30: a time, and how long something takes; `minutes` is what "min" is said as."""

    def say(match: re.Match[str]) -> str:
        rest = f" {and_word} {cardinal(int(match[2]))}" if int(match[2]) else ""
        return f"{hours(int(match[1]))}{rest}{f' {minutes}' if match[3] else ''}{stop_of(match)}"

    return [Rule(re.compile(rf"{FREE}([0-9]{{1,2}})h ?([0-5][0-9])(?: ?(min)\.?)?{DONE}"), say, "h")]


def repeated_rules(count: Callable[[int, str], str], once: str, often: str) -> list[Rule]:
    """How often: "3x al día"; `once` and `often` are the word for it, feminine."""

    def say(match: re.Match[str]) -> str:
        number = int(match[1])
        return f"{count(number, 'f')} {once if number == 1 else often}"

    return [Rule(re.compile(rf"{FREE}([0-9]{{1,3}})[x\u00d7](?=[ ,.;]|$)(?! ?[0-9])"), say, "x\u00d7")]


def sum_rules(numerals: Numerals, equals: str, times: str, and_word: str) -> list[Rule]:
    """Signs between numbers, spaced or not, and those that touch letters: 2+2=4, 10x15 cm, I+D."""
    conventions = numerals.conventions
    said = {"+": f" {conventions.plus_word} ", "=": f" {equals} ", "&": f" {and_word} "}

    minus = (
        r"(?<=[0-9] )[-\u2212\u2013](?= [0-9]{1,9} =)|(?<=[+=] [0-9] )-(?= [0-9])|(?<=[0-9)a-z] )\u2212(?= )"
    )
    return [
        *product_rules(numerals, times, times),
        Rule(re.compile(r"(?<=\w)[+=&](?=\w)"), lambda match: said[match.group()], "+=&"),
        Rule(re.compile(minus), lambda match: conventions.minus_word, "-\u2212\u2013"),
    ]


def power_rules(numerals: Numerals, square: str, cube: str) -> list[Rule]:
    """Powers of a number or a letter: 2², x³."""
    said = {"²": square, "³": cube}

    def say(match: re.Match[str]) -> str:
        base = match["base"]
        return f"{numerals.whole(base) if base.isdigit() else base} {said[match['power']]}"

    return [Rule(re.compile(r"(?<![\w.,])(?P<base>[0-9]{1,6}|[a-cn-rx-z])(?P<power>[²³])(?!\w)"), say, "²³")]


def score_rules(numerals: Numerals) -> list[Rule]:
    """Scores whose first number is not the smaller one, 3-1; the others are said as ranges."""

    def say(match: re.Match[str]) -> str | None:
        left, right = match.group("left", "right")
        if int(left) < int(right):
            return None
        return f"{numerals.whole(left)} {numerals.conventions.ratio_word} {numerals.whole(right)}"

    number = "(?:0|[1-9][0-9]{0,2})"
    pattern = rf"{FREE}(?P<left>{number}){DASH}(?P<right>{number})(?!{GAP}[%°]){DONE}"
    return [Rule(re.compile(pattern), say, "0")]


def english_number_rules(numerals: Numerals) -> list[Rule]:
    """Numbers with commas between groups of digits that can be nothing else: $1,234.56 and 1,234,567."""
    conventions = numerals.conventions

    def say(match: re.Match[str]) -> str:
        digits, decimals = match["whole"].replace(",", ""), match["decimals"] or ""
        number = Number(digits, decimals, mark="." if decimals else "")
        currency = match["after"] or match["before"]  # "$1,200.50 MXN"
        return numerals.money(number, conventions.currencies[currency]) if currency else numerals.say(number)

    currency = any_of(conventions.currencies)
    number = r"(?P<whole>[1-9][0-9]{0,2}(?:(?:,[0-9]{3}){1,4}(?=\.[0-9]{1,2}(?![0-9]))|(?:,[0-9]{3}){2,4}))"
    decimals = r"(?:\.(?P<decimals>[0-9]{1,2}))?"
    before = rf"(?:(?<!\w)(?P<before>{currency}){GAP}|{FREE})"
    after = rf"(?:{GAP}(?P<after>{currency}){END})?"
    pattern = rf"{before}{number}{decimals}{DONE}{after}"
    return [Rule(re.compile(pattern), say, ",")]


def phone_rules(numerals: Numerals, pattern: str) -> list[Rule]:
    """Telephone numbers by a language's own pattern, digit by digit with a comma between groups."""

    def say(match: re.Match[str]) -> str | None:
        groups = re.findall("[0-9]+", match.group())
        if not 7 <= sum(map(len, groups)) <= 15:
            return None
        return ", ".join(numerals.digits(group) for group in groups)

    return [Rule(re.compile(pattern), say, "0")]


def short_year_rules(numerals: Numerals) -> list[Rule]:
    """Years of two digits after an apostrophe: "nel '68"."""
    pattern = r"(?<![^\s-])['\u2019](?P<year>[0-9]{2})(?![\w'\u2019])"
    return [Rule(re.compile(pattern), lambda match: numerals.whole(match["year"]), "0")]


def era_rules(before: str, after: str) -> list[Rule]:
    """ "a. C." and "d. C.", in small and capital letters as they are, so that "D. C." is not said so."""
    return [table_rule({"a. C.": before, "d. C.": after}, any_case=False)]


def and_so_on_rules(abbreviation: str, word: str) -> list[Rule]:
    """ "etc." before a capital letter, whose full stop ends a sentence too."""
    return [Rule(re.compile(rf"(?<!\w){abbreviation}\.(?= [A-ZÀ-Þ¿¡])"), lambda match: f"{word}.", ".")]


_TELEPHONE = (
    "tel tel. tfno. telem. cell. teléfono telefono telefone telemóvel cellulare celular móvil"
).split()
#: Digits in groups after a word for "telephone".
AFTER_TELEPHONE = (
    rf"(?=[0-9])(?i:{_after(word + mark for word in _TELEPHONE for mark in (' ', ': '))})"
    rf"[0-9]{{1,12}}(?:[{DASH[1:-1]}{SPACES}.][0-9]{{1,10}}){{0,6}}{DONE}"
)
