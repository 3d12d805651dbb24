"""Whether a sentence ends at a mark, decided on what stands before it and as little as can tell of the rest.

`ends_latin` is for marks before space, `ends_wide` for those of Chinese and Japanese, and before letters
that need no space. Both answer None when more text is needed. sentencex knows the abbreviations of many
languages and is asked for words that the tables of `abbreviations` do not have.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

import sentencex

from realtime.text.segment.abbreviations import (
    AFTER_TIME,
    ALL,
    BEFORE_NAME,
    BEFORE_TIME,
    EXCLAIMING,
    GERMAN_AFTER_ORDINAL,
    GERMAN_BEFORE_ORDINAL,
    LETTERED,
    NO_ABBREVIATIONS,
    Abbreviations,
    abbreviations,
)

#: Marks that end a sentence wherever they stand.
WIDE_MARKS = frozenset("\u3002\uff01\uff1f\uff61")
#: Chinese, Japanese and Korean letters, and signs of their width.
WIDE = re.compile(
    "[\u1100-\u11ff\u2e80-\u30ff\u3100-\u318f\u31a0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f"
    "\uac00-\ud7ff\uf900-\ufaff\uff01-\uff60\uff66-\uff9f\U00020000-\U0003ffff]"
)
# A word in Latin letters directly after Chinese or Japanese ones.
_GLUED = re.compile(rf"{WIDE.pattern}([A-Za-z]{{1,10}})\Z")
_HANGUL = re.compile("[\uac00-\ud7a3]")
#: One letter that is a unit after a number.
_UNITS = frozenset("mglht\u043c\u0447\u0441\u043b\u0442")
#: The words before a mark are looked for in so many characters.
REACH = 80

_BEFORE_WORD = "\"'\u201c\u201d\u201e\u2018\u201a\u00ab\u00bb\u2039\u203a([{\u00bf\u00a1*_~#\u2014\u2013-"
_OPENERS = _BEFORE_WORD.replace("#", "") + "\u2019\u300c\u300e\uff08 \t\u00a0"
_AFTER_WORD = "\"'\u201c\u201d\u2019\u00bb\u203a)]}*_~"
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")
_NUMBER = re.compile(r"(?:[0-9]+\.?[-\u2013])?([0-9]+(?:[.,:/-][0-9]+)*)")
_GERMAN_DAY = re.compile(r"[0-3]?[0-9]\.[01]?[0-9]")
_ACRONYM = re.compile(r"(?:[^\W\d_]{1,2}\.){1,8}[^\W\d_]{1,2}")
_SHORT_PART = re.compile(r"[^\W\d_]{1,2}")
_ROMAN = re.compile(r"[IVXLC]{1,7}|[ivx]{1,5}")
_VOWEL = re.compile(
    "[aeiouy\u00e0-\u024f\u0370-\u03ff\u0430\u0435\u0451\u0438\u043e\u0443\u044b\u044d\u044e\u044f]"
)
_LATIN_OR_CYRILLIC = re.compile("[a-z\u0430-\u044f\u0451]+")
#: "10!" before an operator, or before a small letter, is a factorial.
_FACTORIAL = re.compile(r"(?:^|[\s(=])[0-9]{1,3}\Z")
_OPERATORS = "=+*/\u00d7\u00f7<>"
#: With a digit after them these are a number too: "Apt. #3".
_NUMBER_SIGNS = "#$\u20ac\u00a3\u00a5"
_LAST_PART = re.compile("['\u2019]|\\.[-\u2013]")
_DASHES = ("-", "\u2013", "\u2014")
_ELLIPSES = frozenset(".\u2026\u2025\uff0e")
#: With so few letters before it an ellipsis is a hesitation, where capitals do not tell.
_LONGEST_HESITATION = 6
#: Items whose numbers are looked for in one line.
_LONGEST_LIST = 20
#: After a quotation these go on with the sentence: Japanese and Chinese particles.
_PARTICLES = frozenset("\u3092\u304c\u306e\u3063\u7684\u5730\u5f97")
_KOREAN_QUOTATIVES = frozenset(
    {"\ub77c\uace0", "\ub77c\uba70", "\ub77c\ub294", "\ud558\uace0", "\ud558\uba70", "\uc774\ub77c"}
)
_NO_QUOTATIVE = frozenset("\u3066\u3053\u306b\u304d\u3082\u3063")


@dataclass(frozen=True, slots=True)
class Mark:
    """Marks that may end a sentence, and what stands before them.

    `before`: the sentence so far, at most `REACH` characters of it; `closers`: quotes and brackets after the
    marks; `starts`: `before` is all of the sentence; `number`: that of the item of a list which it is in.
    """

    before: str
    marks: str
    closers: str
    starts: bool
    number: int | None
    language: Callable[[], str]


def ends_latin(mark: Mark, after: str, whole: bool) -> bool | None:
    """Whether a sentence ends at a mark that space follows.

    `after`: what comes after the space, or a beginning of it; `whole`: no more of it is waited for.
    """
    rest = after.lstrip(_OPENERS)
    if not rest and not whole:
        return None
    if mark.before[-1:] in ("(", "[", "\uff08"):
        return False  # "(!)"
    if mark.closers and _HANGUL.match(rest):
        if len(rest) < 2 and not whole:
            return None
        if rest[:2] in _KOREAN_QUOTATIVES:
            return False
    if mark.marks == ".":
        return _Period(mark, rest, whole).ends()
    return _ends_exclamation(mark, rest, after.lstrip()[:1] in _DASHES)


def ends_wide(mark: Mark, after: str, whole: bool, length: int) -> bool | None:
    """Whether a sentence ends at a mark where no space need follow; `after` comes directly.

    `length`: Chinese, Japanese and Korean letters of the sentence so far.
    """
    if not after:
        return True if whole else None
    if mark.closers:
        if mark.closers[-1] in "\u300b\u3009" or after[0] in _PARTICLES:
            return after[0].isspace()
        if after[0] == "\u3068":
            if len(after) < 2 and not whole:
                return None
            return after[1:2] in _NO_QUOTATIVE
    if after[0] in "\u3001\uff0c,;\uff1b:\uff1a)\uff09\u300d\u300f":
        return False
    before, marks = mark.before, mark.marks
    if mark.closers and _HANGUL.match(after):
        return False  # Korean puts a space after a sentence, and its particles directly after a quotation
    if not WIDE_MARKS.isdisjoint(marks):
        return True
    if marks in (".", "\uff0e"):
        return WIDE.match(before[-1:]) is not None and not (before[-1].isdigit() and after[0].isdigit())
    if _ELLIPSES.issuperset(marks):
        return length >= _LONGEST_HESITATION
    return before[-1:].isalnum() and before.split()[-1].lower() not in EXCLAIMING


def ends_before_line(before: str, marks: str) -> bool:
    """Whether a sentence ends at `marks` before the end of a line, whatever the next line is."""
    if marks != ".":
        return "!" in marks or "?" in marks
    word = before[before.rfind(" ") + 1 :].lower().strip(_BEFORE_WORD + _AFTER_WORD)
    return len(word) > 3 and word.isalpha() and word not in ALL and _VOWEL.search(word) is not None


def _ends_exclamation(mark: Mark, rest: str, dashed: bool) -> bool:
    """For question and exclamation marks and for ellipses."""
    if not rest:
        return True
    first = rest[0]
    if first in ",;:.!?)]}\u2026":
        return False
    if _ELLIPSES.issuperset(mark.marks):
        if WIDE.match(first):
            return len(WIDE.findall(mark.before)) >= _LONGEST_HESITATION
        return not first.islower()
    if mark.marks == "!" and not mark.closers and (first.islower() or first in _OPERATORS):
        if _FACTORIAL.search(mark.before):
            return False
    if not first.islower():
        return mark.marks != "!" or not _exclaims(mark.before) or not first.isalpha()
    return not (mark.closers or dashed or (mark.marks == "!" and _exclaims(mark.before)))


def _exclaims(before: str) -> bool:
    words = before[-16:].split()
    return bool(words) and words[-1].strip(_BEFORE_WORD + _AFTER_WORD).lower() in EXCLAIMING


class _Period:
    """The case of one full stop."""

    def __init__(self, mark: Mark, rest: str, whole: bool) -> None:
        self._mark = mark
        self._rest = rest
        self._whole = whole
        self._tokens = mark.before.split()
        joined = self._tokens and not mark.before[-1].isspace()
        self._word = self._tokens[-1].lstrip(_BEFORE_WORD) if joined else ""
        if wide := _GLUED.search(self._word):
            self._word = self._word[wide.start(1) :]
        self._closers = mark.closers

    def ends(self) -> bool | None:
        word, rest = self._word, self._rest
        if rest and rest[0] in ",;:.!?)]}\u2026%&/=":
            return False
        bare = word.rstrip(_AFTER_WORD)
        if bare != word or not bare or not (bare[-1].isalnum() or bare[-1] == "\u00b0"):
            return self._begins()  # "it)." - no abbreviation
        if self._is_item(bare):
            return False
        if bare[-1].isdigit() and (number := _NUMBER.fullmatch(bare)):
            return self._after_number(number[1])
        if len(bare) == 1 and bare.isalpha() and (bare.isupper() or bare.islower()):
            return self._after_letter(bare)
        name = bare.lower()
        tail = _LAST_PART.split(name)[-1]  # "l'ing.", "Mon.-Fri."
        if len(tail) > 1 and tail in ALL and name not in ALL:
            italian = abbreviations("it")
            if name[-len(tail) - 1] in "'\u2019" and tail in italian.either:
                return self._starter(italian)  # "l'on. Rossi", which has no other language
            name = tail
        if name in ALL or name.endswith("str") or self._joined(name) in ALL or _ACRONYM.fullmatch(name):
            return self._after_abbreviation(name)
        if not self._begins():
            return False
        if self._looks_short(bare) and self._unknown_abbreviation(bare):
            return self._starter(abbreviations(self._mark.language()))
        return True

    def _is_item(self, bare: str) -> bool:
        """Whether it is the mark of an item in a list: "1. First", or "2." in "1. First 2. Second"."""
        if self._mark.starts and len(self._tokens) == 1:
            letter = len(bare) == 1 and bare.lower() != bare.upper()
            return bare.isdigit() or letter or _ROMAN.fullmatch(bare) is not None
        if not bare.isdecimal() or len(bare) > 3:
            return False
        number = int(bare)
        return (
            (len(self._tokens) > 1 and self._tokens[-2].endswith(":"))
            or (self._mark.number is not None and 0 < number - self._mark.number <= _LONGEST_LIST)
            or not {f"{number - 1}.", f"{number - 1}.)"}.isdisjoint(self._tokens)
        )

    def _begins(self) -> bool:
        """Whether what follows can begin a sentence, after a word that is no abbreviation."""
        if not self._rest:
            return True
        first = self._rest[0]
        if first.islower():
            casual = self._mark.starts and self._tokens and self._tokens[0].lstrip(_BEFORE_WORD)[:1].islower()
            return bool(casual) and not self._closers
        if first.isalnum():
            return True
        return unicodedata.category(first) in ("So", "Sc", "Sk") or first in "#@`<\\[|\u300a\u3010"

    def _joined(self, name: str) -> str:
        """The name with the short parts before it: "b" after "z." is "z.b"."""
        parts = [name]
        for token in self._tokens[-2:-5:-1]:
            part = token.lstrip(_BEFORE_WORD)
            if not part.endswith(".") or not _SHORT_PART.fullmatch(part[:-1]):
                break
            parts.append(part[:-1].lower())
        return ".".join(reversed(parts))

    def _previous(self) -> str:
        return self._tokens[-2].lower().strip(_BEFORE_WORD + ",") if len(self._tokens) > 1 else ""

    def _after_number(self, number: str) -> bool | None:
        rest = self._rest
        if not rest:
            return True
        if rest[0].islower():
            return False
        language = self._mark.language() if len(number) <= 5 or rest[0].isdigit() else ""
        previous = self._previous()
        if rest[0].isdigit():
            return language not in ("de", "ko", "ja", "zh") and len(number) > 2
        if language == "ko":
            return not (previous.endswith(".") and previous[:-1].isdigit())
        if language == "de" and _GERMAN_DAY.fullmatch(number):
            return self._starter(abbreviations(language))
        if language == "de" and len(number) <= 3:
            if previous in GERMAN_BEFORE_ORDINAL or self._tokens[-1].startswith("("):
                return False
            following = self._first_word()
            if following is None:
                return None
            return following not in GERMAN_AFTER_ORDINAL and self._begins()
        return self._begins()

    def _after_letter(self, letter: str) -> bool | None:
        language = self._mark.language()
        table = abbreviations(language)
        joined = self._joined(letter.lower())
        initials = (
            letter.isupper() and self._tokens[-2:-1] and self._tokens[-2].lstrip(_BEFORE_WORD)[:1].isupper()
        )
        if joined != letter.lower() and joined in ALL and not initials:
            return self._after_abbreviation(letter.lower())
        if letter.islower():
            if letter in table.either:
                return self._starter(table)
            if letter in _UNITS and self._previous().replace(",", "").replace(".", "").isdigit():
                return self._begins()
            word_letters = "\u044f" if language == "ru" else "y" if language == "es" else ""
            return letter in word_letters and self._begins()
        if letter == "I" and language == "en" and len(self._tokens) > 1 and self._tokens[-2].islower():
            return self._begins()
        return self._starter(table)

    def _after_abbreviation(self, name: str) -> bool | None:
        rest = self._rest
        language = self._mark.language()
        table = abbreviations(language)
        joined = self._joined(name)
        if joined in ALL:
            name = joined
        elif name.endswith("str"):
            name = "str"  # a street: "Goethestr. 5"
        if name in table.never:
            return False
        if language == "en" and not self._closers and self._names(name):
            return False
        if self._closers[:1] in (")", "]"):
            known = name in table.numbered or name in table.closing or name in table.either
            return not known and self._begins()
        if name in table.closing:
            if not rest:
                return True
            if rest[0].islower() or rest[0].isdigit():
                return False
            if name in ("a.m", "p.m"):
                if self._mark.starts and len(self._tokens) < 4 and self._tokens[0].lower() in BEFORE_TIME:
                    return False  # "At 5 a.m. Mr. Smith left."
                following = self._first_word()
                return None if following is None else following not in AFTER_TIME
            return True
        if name in table.either:
            return self._starter(table)
        if name in table.numbered:
            if not rest:
                return name == "no"
            if rest[0] in _NUMBER_SIGNS and len(rest) == 1 and not self._whole:
                return None
            if rest[0].isdigit() or (rest[0] in _NUMBER_SIGNS and rest[1:2].isdigit()):
                return False
            following = self._first_word()
            if following is None:
                return None
            if language == "en" and name in LETTERED and len(following) == 1 and rest[0].isupper():
                return not self._word[0].isupper() and following in "ai"
            roman = _ROMAN.match(rest)
            article = following == "i" and name not in ("sec", "séc", "secc")  # Italian
            if roman is not None and roman.group().lower() == following and not article:
                return False
            return self._begins()
        if "." in name:
            return self._starter(table)
        if self._looks_short(name) and self._unknown_abbreviation(name):
            return self._starter(table)
        return self._begins()

    def _names(self, name: str) -> bool:
        """Whether it begins a name in English: "Ft. Bragg", but not "5 ft. Bring it"."""
        if name not in BEFORE_NAME or not self._word.istitle() or not self._rest[:1].isupper():
            return False
        return not self._previous().replace(",", "").replace(".", "").isdigit()

    def _starter(self, table: Abbreviations) -> bool | None:
        """After what may be an abbreviation: only a usual first word tells that a sentence begins."""
        rest = self._rest
        if not rest:
            return "." in self._word or len(self._word) > 1
        if not rest[0].isupper():
            return False
        following = self._first_word()
        if following is None:
            return None
        if len(following) == 1 and rest[1:2] == ".":
            return False  # one more initial
        return following in table.starters or following.partition("'")[0] in table.starters

    def _first_word(self) -> str | None:
        """The first word of what follows, None when it may go on; "" when there is none."""
        rest = self._rest
        match = _WORD.match(rest)
        if match is None:
            return ""
        end = match.end()
        if not self._whole and (end == len(rest) or (rest[end] in "'\u2019" and end + 1 == len(rest))):
            return None
        return match.group().lower().replace("\u2019", "'")

    def _looks_short(self, word: str) -> bool:
        return len(word) <= 6 and not (word.isupper() and len(word) > 1)

    def _unknown_abbreviation(self, word: str) -> bool:
        """Whether it is one by its looks, or by what sentencex knows."""
        small = word.lower()
        if 2 <= len(small) <= 5 and _LATIN_OR_CYRILLIC.fullmatch(small) and not _VOWEL.search(small):
            return True
        if small in NO_ABBREVIATIONS or self._mark.language() == "it":
            return False  # the Italian list of sentencex has hundreds of ordinary words
        found = sentencex.get_sentence_boundaries(self._mark.language(), f"Xx {word}. Xx")
        return len(found) == 1
