"""How an author wants single words said: a table of written words and their spoken forms.

Which entry is taken for a place in the text:
1. Case: an entry written all in lower case stands for any case ("sql": SQL, Sql, sql); one with a capital
   in it for exactly that writing ("US" is not "us"). Where both fit, the exact one is taken.
2. Length: where several entries fit, the longest is taken ("New York" before "New").
3. Whole words: an end of an entry that is a letter or a digit must not touch another letter, digit or
   underscore in the text ("cat" is not in "catalogue" or "cat_1"; but it is in "cat's" and "cat-like"),
   nor be within a number ("3" in "3.50"). An end that is a sign asks for nothing ("C++", ".NET"). Forms are
   not guessed: "cats" is another word.
4. Between a letter of Chinese or Japanese and any other a word begins or ends ("SQL" is in one that stands
   between kana), and entries in these scripts fit everywhere, also within a longer run. A Korean entry must
   begin where a run of Hangul begins, and particles may follow it.
5. A space in an entry stands for any run of white space; space at its ends does not count. A straight and a
   curly apostrophe are the same, and so are a letter with its accent and the two as two characters.
6. A segment grows to `MOST_GROWTH` times its length, or by `MAX_SPOKEN` characters: where an entry would make
   it longer it is not taken.

An empty spoken form silences the word. What a lexicon says is final: no number or sign in it is read again.
"""

from __future__ import annotations

import functools
import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from realtime.errors import ConfigError
from realtime.text.spans import Edit, share

MAX_ENTRIES = 1000
MAX_WORD = 64
MAX_SPOKEN = 256
#: So many spoken characters for a written one are enough.
MOST_GROWTH = 20
#: How much of a bad entry an error message shows.
_SHOWN = 40

# Scripts without spaces between words: radicals, kana, bopomofo, ideographs with their marks of repetition.
_CJK = (
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303b\u3041-\u3096\u309d-\u309f\u30a1-\u30fa"
    "\u30fc-\u312f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
    "\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
_HANGUL = "\u1100-\u11ff\u3131-\u318e\ua960-\ua97f\uac00-\ud7ff\uffa0-\uffdc"
_LETTER = rf"[^\W{_CJK}{_HANGUL}]"
# Accents that stand as characters of their own belong to their letter.
_ACCENT = "[\u0300-\u036f]"
_WORD = rf"{_LETTER}+(?:{_ACCENT}+{_LETTER}*)*"
# Where an entry may begin: a word, a run of Hangul, a letter of Chinese or Japanese, a sign.
_TOKEN = re.compile(rf"({_WORD})|[{_HANGUL}]+|[^\w\s]|\w")
_IN_WORD = re.compile(rf"{_LETTER}|{_ACCENT}")
_IN_NUMBER = re.compile(r"(?<=\d)[.,](?=\d)")
_ODD_SPACE = re.compile(r"\s{2,}|[^\S ]")
_APOSTROPHES = ("\u2019", "'")
_SPACE = re.compile(r"\s+")
# The one letter that is two characters in lower case.
_DOTTED_I = "\u0130"
# What no entry may hold: control characters and lone surrogates.
_ODD = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\ud800-\\udfff]")


@dataclass(frozen=True, slots=True)
class _Index:
    """Entries by what they begin with: the lengths that such entries have, the longest first."""

    lengths: dict[str, tuple[int, ...]]
    exact: dict[str, str]
    lower: dict[str, str]
    has_phrases: bool


class Lexicon:
    """A table of words and what is said for them. Thread-safe."""

    def __init__(self, entries: Mapping[str, str]) -> None:
        """`entries`: what `check_entries` has nothing against. The same ones again share their index."""
        self._index = _index(tuple(entries.items()))

    @classmethod
    def merged(cls, server: Mapping[str, str], session: Mapping[str, str]) -> Lexicon:
        """The server's entries and the session's; for a word that both have the session's is taken.

        A session's entry in lower case stands for any case, so it replaces all writings of the server's.
        """
        kept = {word: spoken for word, spoken in server.items() if _lower(word) not in session}
        return cls({**kept, **session})

    @property
    def has_phrases(self) -> bool:
        """Whether an entry has a space in it: then text must not be handed on word by word."""
        return self._index.has_phrases

    def edits(self, text: str) -> list[Edit]:
        """The places of entries in a text and what is said there: ordered, disjoint, settled.

        Accented letters are found where they are one character each (NFC).
        """
        index = self._index
        if not index.lengths:
            return []
        places: list[int] | None = None
        single = text.replace(*_APOSTROPHES)
        if _ODD_SPACE.search(single):
            single, places = _single_spaced(single)
        found = _find(index, single)
        if places is not None:
            found = [(places[start], places[end - 1] + 1, spoken) for start, end, spoken in found]
        edits: list[Edit] = []
        room = max(MAX_SPOKEN, (MOST_GROWTH - 1) * len(text))
        for start, end, spoken in found:
            growth = len(spoken) - (end - start)
            if growth <= room:
                room -= growth
                edits += _settled(text, start, end, _printable(spoken))
        return edits


@functools.lru_cache(maxsize=16)
def _index(entries: tuple[tuple[str, str], ...]) -> _Index:
    lengths: dict[str, set[int]] = {}
    exact: dict[str, str] = {}
    lower: dict[str, str] = {}
    phrases = False
    for written, spoken in entries:
        word = unicodedata.normalize("NFC", " ".join(written.split()).replace(*_APOSTROPHES))
        token = _TOKEN.match(word)
        if token is None:
            continue
        folded = _lower(word)
        (lower if folded == word else exact)[word] = spoken
        lengths.setdefault(_head(token, folded), set()).add(len(word))
        phrases = phrases or " " in word
    ordered = {head: tuple(sorted(each, reverse=True)) for head, each in lengths.items()}
    return _Index(ordered, exact, lower, phrases)


def _printable(spoken: str) -> str:
    """With single spaces, and without what is not seen and cannot be said."""
    single = " ".join(spoken.split())
    return single if single.isprintable() else "".join(filter(str.isprintable, single))


def _head(token: re.Match[str], folded: str) -> str:
    """What an entry that begins at a token is found by: a whole word, else one character."""
    start, end = token.span(1) if token[1] else (token.start(), token.start() + 1)
    return folded[start:end]


def _lower(text: str) -> str:
    """In lower case, with as many characters as before."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return _DOTTED_I.join(part.lower() for part in text.split(_DOTTED_I))


def _find(index: _Index, text: str) -> list[tuple[int, int, str]]:
    """(start, end, spoken form) of every entry that is taken in a text with single spaces."""
    folded = _lower(text)
    found: list[tuple[int, int, str]] = []
    done = 0
    for token in _TOKEN.finditer(text):
        start = token.start()
        if start < done or _IN_NUMBER.match(text, start) or _IN_NUMBER.match(text, start - 1):
            continue
        for length in index.lengths.get(_head(token, folded), ()):
            end = start + length
            spoken = index.exact.get(text[start:end])
            if spoken is None:
                spoken = index.lower.get(folded[start:end])
            if spoken is not None and end <= len(text) and not _goes_on(text, end):
                found.append((start, end, spoken))
                done = end
                break
    return found


def _goes_on(text: str, end: int) -> bool:
    """Whether a word goes on where an entry ends."""
    return bool((_IN_WORD.match(text, end) and _IN_WORD.match(text, end - 1)) or _IN_NUMBER.match(text, end))


def _settled(text: str, start: int, end: int, spoken: str) -> list[Edit]:
    """Settled edits for an entry, with space where it touches a letter: "C++11" as "see plus plus 11"."""
    if not spoken:
        return [Edit(start, end, "", settled=True)]
    shared = share(text, start, end, spoken) if " " in spoken else [Edit(start, end, spoken)]
    last = len(shared) - 1
    edits: list[Edit] = []
    for number, edit in enumerate(shared):
        before = " " if number == 0 and start and _IN_WORD.match(text, start - 1) else ""
        after = " " if number == last and _IN_WORD.match(text, end) else ""
        edits.append(Edit(edit.start, edit.end, before + edit.spoken + after, settled=True))
    return edits


def _single_spaced(text: str) -> tuple[str, list[int]]:
    """With one plain space for each run of white space, and where each character was."""
    parts: list[str] = []
    places: list[int] = []
    done = 0
    for space in _SPACE.finditer(text):
        parts += [text[done : space.start()], " "]
        places += range(done, space.start() + 1)
        done = space.end()
    parts.append(text[done:])
    places += range(done, len(text))
    return "".join(parts), places


# -- what entries may be ----------------------------------------------------------------------------------


def check_entries(entries: Mapping[str, str]) -> str | None:
    """What is wrong with a lexicon's entries and what is allowed, in one sentence; None when nothing is."""
    if len(entries) > MAX_ENTRIES:
        return f"{len(entries)} entries; at most {MAX_ENTRIES} are allowed"
    for word, spoken in entries.items():
        wrong = _check_entry(word, spoken)
        if wrong is not None:
            return wrong
    return None


def _check_entry(word: str, spoken: str) -> str | None:
    if not word.strip():
        return f"a written word must not be empty; 1 to {MAX_WORD} characters are allowed"
    if len(word) > MAX_WORD:
        return f"the word {_shown(word)} has {len(word)} characters; at most {MAX_WORD} are allowed"
    shown, length = _shown(word), len(spoken)
    if length > MAX_SPOKEN:
        return f"the spoken form of {shown} has {length} characters; at most {MAX_SPOKEN} are allowed"
    for name, text in (("word", word), ("spoken form of", spoken)):
        odd = _ODD.search(text)
        if odd is not None:
            return (
                f"the {name} {shown} has the character U+{ord(odd[0]):04X} in it; "
                "control characters and lone surrogates are not allowed"
            )
    return None


def _shown(word: str) -> str:
    return ascii(word) if len(word) <= _SHOWN else ascii(word[:_SHOWN]) + "..."


def load_lexicon(path: str) -> dict[str, str]:
    """The entries of a lexicon's file in UTF-8.

    A name that ends in ".json": an object of written words and their spoken forms. Any other: lines of
    `word = spoken form`; empty lines do not count, nor those that begin with "#" (a word that does so needs
    the JSON form). Raises `ConfigError` with the file's name, the line, and what is wrong.
    """
    try:
        with open(path, "rb") as file:
            raw = file.read()
    except OSError as error:
        raise ConfigError(f"cannot read the lexicon {path}: {error.strerror or error}") from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _wrong(path, line, "it is not UTF-8; the file must be UTF-8 throughout") from None
    lines = _json_entries(path, text) if path.lower().endswith(".json") else _line_entries(path, text)
    entries: dict[str, str] = {}
    for number, word, spoken in lines:
        wrong = (
            "the word " + _shown(word) + " is there twice; one spoken form is allowed"
            if word in entries
            else None
        )
        wrong = wrong or _check_entry(word, spoken)
        if wrong is None and len(entries) == MAX_ENTRIES:
            wrong = f"one entry too many; at most {MAX_ENTRIES} are allowed"
        if wrong is not None:
            raise _wrong(path, number, wrong)
        entries[word] = spoken
    return entries


def _wrong(path: str, line: int, what: str) -> ConfigError:
    return ConfigError(f"lexicon {path}, line {line}: {what}")


def _line_entries(path: str, text: str) -> list[tuple[int, str, str]]:
    entries: list[tuple[int, str, str]] = []
    for number, line in enumerate(text.split("\n"), 1):
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        # An equals sign with space around it goes before one within a word ("a=b = a is b").
        word, sign, spoken = bare.partition(" = ")
        if not sign:
            word, sign, spoken = bare.partition("=")
        if not sign:
            raise _wrong(path, number, f"{_shown(bare)} has no equals sign; `word = spoken form` is allowed")
        entries.append((number, word.strip(), spoken.strip()))
    return entries


def _json_entries(path: str, text: str) -> list[tuple[int, str, str]]:
    allowed = 'an object of strings like {"SQL": "sequel"} is allowed'
    try:
        found = json.loads(text, object_pairs_hook=lambda pairs: pairs)
    except json.JSONDecodeError as error:
        raise _wrong(path, error.lineno, f"it is not JSON ({error.msg}); {allowed}") from None
    except (ValueError, RecursionError):  # numbers of thousands of digits, thousands of brackets
        raise _wrong(path, 1, f"it is not an object of strings; {allowed}") from None
    if not isinstance(found, list) or not text.lstrip().startswith("{"):
        raise _wrong(path, 1, f"it is not an object; {allowed}")
    entries: list[tuple[int, str, str]] = []
    at = 0
    for word, spoken in found:
        at = _place_of(text, word, at)
        number = text.count("\n", 0, at) + 1
        if not isinstance(spoken, str):
            raise _wrong(path, number, f"the spoken form of {_shown(word)} is not a string; {allowed}")
        entries.append((number, word, spoken))
    return entries


def _place_of(text: str, word: str, start: int) -> int:
    """Where a key of JSON stands, as it is written most often; else where the one before it does."""
    for form in (json.dumps(word, ensure_ascii=False), json.dumps(word)):
        at = text.find(form, start)
        if at >= 0:
            return at + len(form)
    return start
