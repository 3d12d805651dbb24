"""Cuts a growing text into sentences, the same ones whatever the cuts between its tokens.

The rules:
1. A place where a sentence may end is found by punctuation: a mark of its end, then closing quotes or
   brackets, then space (after CJK marks nothing need follow); or an empty line.
2. It is decided when `LOOKAHEAD` characters that are not space have come after it, or `LONGEST_SPACE` of any
   kind, on the text up to exactly there: so the decision is a function of the characters alone. sentencex
   decides (it knows "Dr.", "No. 5").
3. A sentence of more than `MAX_CHARACTERS` is cut after its last clause mark, else its last space, else hard.
4. `cut_all` (a flush, or the end) decides what is left on the text that is there.
"""

from __future__ import annotations

import re

import sentencex

#: Characters, not counting space, that must follow a possible end of a sentence before it is decided.
LOOKAHEAD = 8
#: And no more than so many characters of any kind are waited for.
LONGEST_SPACE = 64
#: A longer sentence is cut: what is spoken in one go must stay short enough to be ready soon.
MAX_CHARACTERS = 400
# Every part of this pattern is bounded: whether it matches within MAX_CHARACTERS is known from as many
# characters more as one match can have, and no text can make it backtrack without end.
_END = re.compile(
    r"[.!?…]{1,32}[\"'”’»)\]]{0,8}(?=\s)"
    r"|[。！？]{1,32}[」』”’）]{0,8}"
    r"|\n[ \t\r]{0,16}\n"
)
_LONGEST_END = 64
_CLAUSE = re.compile(r"[,;:—–)、，；：](?=\s)|[、，；：]")
_NON_SPACE = re.compile(r"\S")
_HARD = re.compile(r"\n[ \t\r]{0,16}\n|[。！？]")


class Segmenter:
    """Holds the text of one context that is not yet cut; positions are code points since its beginning."""

    def __init__(self, language: str = "en") -> None:
        """`language` chooses the abbreviations that do not end a sentence (ISO 639-1)."""
        self._language = language
        self._text = ""
        self._offset = 0  # position of _text[0] in the context's text
        self._searched = 0  # before this index of _text no undecided end is left

    def append(self, text: str) -> list[tuple[int, str]]:
        """Take more text; returns the sentences that are now decided, as (position, text with its space)."""
        self._text += text
        return self._cut(final=False)

    def cut_all(self) -> list[tuple[int, str]]:
        """Everything that is left, as sentences."""
        segments = self._cut(final=True)
        if self._text:
            segments.append(self._take(len(self._text)))
        return segments

    def _cut(self, final: bool) -> list[tuple[int, str]]:
        segments: list[tuple[int, str]] = []
        while (end := self._next_cut(final)) is not None:
            segments.append(self._take(end))
        return segments

    def _take(self, end: int) -> tuple[int, str]:
        segment = (self._offset, self._text[:end])
        self._text = self._text[end:]
        self._offset += end
        self._searched = 0
        return segment

    def _next_cut(self, final: bool) -> int | None:
        """Index after the next sentence, None when it is not decided yet."""
        text = self._text
        reach = MAX_CHARACTERS + _LONGEST_END
        while (match := _END.search(text, self._searched, reach)) and match.start() < MAX_CHARACTERS:
            window = self._window(match.end())
            if window is None:
                if not final:
                    return None
                window = len(text)
            if self._is_boundary(match, window):
                return _skip_space(text, match.end(), window)
            self._searched = match.end()
        if len(text) > reach or (final and len(text) > MAX_CHARACTERS):
            return self._forced_cut()
        if match is None:
            # What may still be completed by the next characters is looked at again.
            self._searched = max(self._searched, len(text) - _LONGEST_END)
        return None

    def _window(self, position: int) -> int | None:
        """Index up to which text decides about an end at `position`; None if it has not come yet."""
        longest = position + LONGEST_SPACE
        for number, match in enumerate(_NON_SPACE.finditer(self._text, position, longest), 1):
            if number == LOOKAHEAD:
                return match.end()
        return longest if len(self._text) >= longest else None

    def _is_boundary(self, end: re.Match[str], window: int) -> bool:
        if _HARD.match(end.group()) or end.end() == window or not self._text[end.end() : window].strip():
            return True
        following = _skip_space(self._text, end.end(), window)
        for boundary in sentencex.get_sentence_boundaries(self._language, self._text[:window]):
            if end.end() <= boundary["end_index"] <= following:
                return True
        return False

    def _forced_cut(self) -> int:
        part = self._text[:MAX_CHARACTERS]
        clauses = [match.end() for match in _CLAUSE.finditer(part, MAX_CHARACTERS // 4)]
        if clauses:
            return _skip_space(self._text, clauses[-1], MAX_CHARACTERS)
        space = max(part.rfind(" "), part.rfind("\n"), part.rfind("\t"))
        return space + 1 if space > 0 else MAX_CHARACTERS


def _skip_space(text: str, position: int, limit: int) -> int:
    """Index of the first character from `position` on that is not space; at most `limit`."""
    while position < limit and text[position].isspace():
        position += 1
    return position
