"""What European languages write numbers with, and how numbers, counted things and sums are put into words."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from num2words import num2words  # type: ignore[import-untyped]

#: Spaces that may stand between the digits of a long number, or between a number and its unit.
SPACES = " \u00a0\u2009\u202f"
#: Signs that make a number negative.
MINUS = "-\u2212\u2013"
#: What stands between the two ends of a range: hyphen, en dash.
DASH = "[-\u2013\u2011]"
#: At most one space of any kind.
GAP = f"[{SPACES}]?"
#: Whole numbers of more digits are said digit by digit.
LONGEST = 15
_LAST_WORD = re.compile(rf"(?<![^\s(\[\"'«„“])([^\W\d_]{{1,20}}\.?)[{SPACES}]\Z")


@functools.lru_cache(maxsize=4096)
def number_words(number: int, language: str, kind: str = "cardinal") -> str:
    """What num2words makes of a whole number; `kind` is "cardinal", "ordinal" or "year"."""
    return str(num2words(number, lang=language, to=kind))


def words_before(text: str, position: int, count: int = 1) -> list[str]:
    """Up to `count` words before a position, one space after each, in small letters, the nearest last."""
    found: list[str] = []
    while len(found) < count:
        match = _LAST_WORD.search(text, max(0, position - 24), position)
        if match is None:
            break
        found.insert(0, match[1].lower())
        position = match.start()
    return found


@dataclass(frozen=True, slots=True)
class Noun:
    """A thing that is counted. `forms` are those that `Conventions.form` chooses from, as it wants them.

    Two, singular and plural, in most languages; one will do where they are the same.
    """

    forms: tuple[str, ...]
    gender: str = "m"


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency and its hundredth, None where nobody counts it."""

    main: Noun
    cent: Noun | None = None


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it was written: whole and fractional digits without separators.

    `mark` is the decimal mark, "" for a whole number.
    """

    whole: str
    decimals: str = ""
    negative: bool = False
    mark: str = ""


def _no_fraction(numerator: int, denominator: int) -> str | None:
    return None


def _no_part(whole: int, numerator: int, denominator: int, noun: Noun, before: str) -> str | None:
    return None


@dataclass(frozen=True, kw_only=True)
class Conventions:
    """All that a language brings along; what a table has under several spellings it has several times.

    Functions get plain integers from 0 to 10**15 - 1, genders are "m", "f", "n" or what the language
    calls its own.
    """

    #: The decimal mark, and the marks between groups of three digits (spaces are always allowed).
    decimal: str = ","
    thousands: str = "."
    #: Said for the decimal mark, and for a full stop in "2.0.1" or where a decimal mark was expected.
    decimal_word: str
    point_word: str
    minus_word: str
    plus_word: str
    #: Said between the ends of a range ("bis"), and of a score or ratio ("zu"); "": scores are left alone,
    #: "-": the numbers are joined by a hyphen.
    range_word: str
    ratio_word: str = ""
    #: Said for the "v" of "v2.0".
    version_word: str = "Version"
    #: Said for "#" and the like before a number ("Nummer").
    number_word: str
    #: A number on its own; before a noun of a gender; as an ordinal of a gender (or form).
    cardinal: Callable[[int], str]
    count: Callable[[int, str], str]
    ordinal: Callable[[int, str], str]
    #: Which of a noun's forms goes with a whole number, and which with a decimal of that whole part.
    form: Callable[[int], int]
    decimal_form: Callable[[int], int]
    #: Digits after the decimal mark; None: one by one.
    decimals: Callable[[Number], str] | None = None
    #: A sum with cents (1 to 99), from its whole part in words and how many cents; the currency.
    cents: Callable[[str, int, Currency], str]
    #: What stands between "million" and a noun: "{}" or "de {}".
    of_noun: Callable[[str], str] = "{}".format
    #: Day (1 to 31), month (1 to 12), year of four digits or None; the word before in small letters, or "".
    date: Callable[[int, int, int | None, str], str]
    #: Hour (0 to 24), minute (0 to 59), second or None.
    time: Callable[[int, int, int | None], str]
    #: A regular expression for what may follow a time and is said with it already; "": nothing.
    time_suffix: str = ""
    #: Numerator and denominator, None for what is not said as a fraction; and after a whole number.
    fraction: Callable[[int, int], str | None] = _no_fraction
    mixed: Callable[[int, int, int], str | None]
    #: The same of a unit, whole 0 for the fraction alone; the word before. None: it is said without the unit.
    part_of: Callable[[int, int, int, Noun, str], str | None] = _no_part
    #: Said between points and how many there can be, where `fraction` has None ("8 von 10"); between the two
    #: values of a blood pressure. "": left as it is.
    out_of: str = ""
    over: str = ""
    #: The unit that is written as a quotation mark (6,1").
    inch: Noun | None = None
    #: Groups of digits of a telephone number (without plus), None: digit by digit, a comma between groups.
    phone: Callable[[list[str]], str] | None = None
    #: A regular expression for how a national telephone number begins.
    phone_start: str = "0"
    #: By what is written after a number: symbols and abbreviations, those with a full stop with it.
    units: Mapping[str, Noun] = field(default_factory=dict)
    magnitudes: Mapping[str, Noun] = field(default_factory=dict)
    #: Magnitudes that are written so only beside a currency ("$5k", "$2B").
    money_magnitudes: Mapping[str, Noun] = field(default_factory=dict)
    #: Currencies by sign, code and name.
    currencies: Mapping[str, Currency] = field(default_factory=dict)
    #: What may follow a sum or a unit and a slash ("h": "pro Stunde").
    per: Mapping[str, str] = field(default_factory=dict)
    #: Days and months, by abbreviations without their full stop; what is said between days.
    days: Mapping[str, str] = field(default_factory=dict)
    months: Mapping[str, str] = field(default_factory=dict)
    day_range: str = "{} - {}"
    #: Keys as they are named before a plus ("Strg+C").
    keys: Mapping[str, str] = field(default_factory=dict)
    #: What "²" and "³" say after a letter or a bracket.
    powers: Mapping[str, str] = field(default_factory=dict)
    #: Written and spoken; before digits only; before a capital letter only. Written with their full stops.
    abbreviations: Mapping[str, str] = field(default_factory=dict)
    before_number: Mapping[str, str] = field(default_factory=dict)
    before_name: Mapping[str, str] = field(default_factory=dict)
    #: Capitals that are spelled although they look like a word ("EU").
    spelled: frozenset[str] = frozenset()
    #: The last parts of addresses that are not spelled or said as written ("ru").
    top_names: Mapping[str, str] = field(default_factory=dict)
    #: Signs by name, as in an address or when spelled; and as they are said in running text, between spaces.
    sign_names: Mapping[str, str] = field(default_factory=dict)
    signs: Mapping[str, str] = field(default_factory=dict)
    #: Letters by name, capitals; a letter that is not here is said as it is.
    letter_names: Mapping[str, str] = field(default_factory=dict)


class Numerals:
    """Numbers of a language: how they are found in a text and said."""

    def __init__(self, conventions: Conventions) -> None:
        self.conventions = conventions
        groups = [f"[{SPACES}]", *(re.escape(mark) for mark in conventions.thousands)]
        body = "|".join(rf"[0-9]{{1,3}}(?:{mark}[0-9]{{3}}){{1,5}}(?![0-9]|{mark}[0-9])" for mark in groups)
        # Both marks in the English order can only be an English number, whatever the language.
        body += r"|[0-9]{1,3}(?:,[0-9]{3}){1,5}(?=\.[0-9])"
        self._number = (
            rf"(?:(?:(?<![^\s(\[\"'«„“])[{MINUS}]|(?<![^\Wºª])(?<![0-9][.,:/]))"
            rf"(?:{body}|[0-9]++)(?:[.,][0-9]++)?(?![0-9]|[.,][0-9]))"
        )

    def pattern(self, name: str) -> str:
        """A regular expression for a number with or without minus, separators and decimals, as a group.

        What comes after it is for the caller to say: add "(?!\\w)" where no unit may touch it.
        """
        return f"(?P<{name}>{self._number})"

    def parse(self, written: str) -> Number:
        """A number that `pattern` has found."""
        negative = written[0] in MINUS
        digits = written[1:] if negative else written
        at = max(digits.rfind("."), digits.rfind(","))
        if at >= 0:
            mark, tail = digits[at], digits[at + 1 :]
            if mark == self.conventions.decimal or not (
                mark in self.conventions.thousands
                and "," not in digits
                and len(tail) == 3
                and digits.find(mark) <= 3
            ):
                return Number(_bare(digits[:at]), tail, negative, mark)
        return Number(_bare(digits), "", negative)

    def whole(self, digits: str, gender: str = "") -> str:
        """A whole number in words, before a noun if a gender is given.

        Digit by digit if it is very long or begins with zero.
        """
        if len(digits) > LONGEST or (len(digits) > 1 and digits[0] == "0"):
            return self.digits(digits)
        number = int(digits)
        return self.conventions.count(number, gender) if gender else self.conventions.cardinal(number)

    def digits(self, digits: str) -> str:
        """ASCII digits one by one."""
        return " ".join(self.conventions.cardinal(int(digit)) for digit in digits)

    def say(self, number: Number, gender: str = "", point: bool = False) -> str:
        """A number in words, before a noun of a gender if one is given.

        `point`: a full stop is named as such, else every mark as the decimal mark.
        """
        conventions = self.conventions
        sign = f"{conventions.minus_word} " if number.negative else ""
        if not number.mark:
            return sign + self.whole(number.whole, gender)
        if point and number.mark != conventions.decimal:
            said = f"{self.whole(number.whole)} {conventions.point_word} {self._after_point(number.decimals)}"
        elif conventions.decimals is not None and len(number.whole) <= LONGEST:
            said = conventions.decimals(number)
        else:
            said = f"{self.whole(number.whole)} {conventions.decimal_word} {self.digits(number.decimals)}"
        return sign + said

    def _after_point(self, decimals: str) -> str:
        return self.whole(decimals) if len(decimals) <= 2 else self.digits(decimals)

    def noun(self, number: Number, noun: Noun) -> str:
        """The form of a noun that goes with a number."""
        conventions = self.conventions
        if len(number.whole) > LONGEST:
            return noun.forms[-1]
        choose = conventions.decimal_form if number.mark else conventions.form
        return noun.forms[min(choose(int(number.whole)), len(noun.forms) - 1)]

    def counted(self, number: Number, noun: Noun) -> str:
        """A number of things in words."""
        return f"{self.say(number, noun.gender)} {self.noun(number, noun)}"

    def range(self, low: str | None, said: str, gender: str = "") -> str:
        """What was said for a number, with what it begins at before it if that was written."""
        if low is None:
            return said
        word = self.conventions.range_word
        return self.say(self.parse(low), gender) + ("-" if word == "-" else f" {word} ") + said

    def money(self, number: Number, currency: Currency, magnitude: Noun | None = None) -> str:
        """A sum in words; any mark is a decimal mark here ("$1.2 Mrd.")."""
        conventions = self.conventions
        if magnitude is not None:
            return f"{self.counted(number, magnitude)} {conventions.of_noun(currency.main.forms[-1])}"
        if currency.cent is None or len(number.decimals) != 2 or len(number.whole) > LONGEST:
            return self.counted(number, currency.main)
        cents = int(number.decimals)
        whole = Number(number.whole, "", number.negative)
        if not cents:
            return self.counted(whole, currency.main)
        if number.whole.strip("0"):
            return conventions.cents(self.counted(whole, currency.main), cents, currency)
        return self.counted(Number(str(cents), "", number.negative), currency.cent)


def _bare(digits: str) -> str:
    """Digits without their separators."""
    return "".join(digit for digit in digits if "0" <= digit <= "9")
