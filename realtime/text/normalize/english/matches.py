"""What the English rules ask of a match's neighbours, and how they say a match part by part."""

from __future__ import annotations

import re

from realtime.text.spans import Edit, share

#: Words that follow a measure but are no noun that it describes: "a 5 km run", but "5 km from here".
FUNCTION_WORDS = frozenset(
    "a about above across after ago all an and apart are as at away back be because been before below "
    "beneath "
    "between but by can could deep did do does down during each earlier either even every for from had has "
    "have "
    "high how if in into is it its just later less long may might more most much must near next nor not "
    "now of "
    "off on once one only onto or out outside over past per plus rather right should since so still than "
    "that "
    "the their then there these they thick this those though through thus till to today together too toward "
    "towards under until up upon very was we well were what when where which while who wide will with within "
    "without would yet you tall north south east west left overnight yesterday again already".split()
)
_CLOSING = "\"')]}\u2019\u201d"
_NEXT_WORD = re.compile(r" ([a-z]{2,20})(?!\w|\.\w)")
_ARTICLE = re.compile(r"(?:^|[\s(\"\u201c])[Aa]n? $")


def at(match: re.Match[str], group: int | str, said: str) -> Edit:
    """An edit of one group of a match."""
    return Edit(match.start(group), match.end(group), said)


def in_parts(match: re.Match[str], *parts: tuple[int, str]) -> list[Edit]:
    """Edits of a match's parts, each of them where it begins and what it says; parts that touch are one."""
    text, edits = match.string, []
    start, said = parts[0]
    for position, words in parts[1:]:
        if text[position - 1] == " ":
            edits += share(text, start, position - 1, said)
            start, said = position, words
        else:
            said = f"{said} {words}"
    return [*edits, *share(text, start, match.end(), said)]


def before(match: re.Match[str], length: int = 24) -> str:
    """What stands before a match, as far as rules look."""
    return match.string[max(0, match.start() - length) : match.start()]


def after(match: re.Match[str], length: int = 24) -> str:
    """What stands after a match, as far as rules look."""
    return match.string[match.end() : match.end() + length]


def closes(match: re.Match[str]) -> bool:
    """Whether nothing but closing brackets and quotes comes after a match."""
    rest = match.string[match.end() : match.end() + 4]
    return len(rest) < 4 and not rest.strip(_CLOSING)


def describes(match: re.Match[str]) -> bool:
    """Whether a measure stands before its noun, where English says the singular: "a 5 km run"."""
    following = _NEXT_WORD.match(match.string, match.end())
    return (
        following is not None
        and following[1] not in FUNCTION_WORDS
        and not following[1].endswith("ly")
        and _ARTICLE.search(before(match, 10)) is not None
    )


def noun_follows(match: re.Match[str]) -> bool:
    """Whether a noun that a match may describe comes next, as far as one small word tells."""
    following = _NEXT_WORD.match(match.string, match.end())
    return following is not None and following[1] not in FUNCTION_WORDS
