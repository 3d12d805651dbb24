"""Cuts a growing text into segments, the same ones whatever the cuts between its tokens.

The text is read once, from left to right. Every step is decided on the characters up to exactly where
enough has come to tell, and waits until they are there: so what is decided is a function of the characters
alone.

1. Lines (`blocks`): code in fences and tables are cut out whole, in pieces of bounded size, at the ends of
   lines. A heading, an item of a list, a quotation or an empty line begins a new segment.
2. Constructs (`atoms`): no cut falls inside inline code, a link, a tag, an address.
3. Sentences (`sentences`): a mark, then closing quotes or brackets, then space (none after wide marks). At
   most `LOOKAHEAD` characters of what follows are waited for; most ends are decided by its first.
4. Clauses: a sentence of more than `CLAUSE_AFTER` characters is cut after its next clause, of more than
   `SPACE_AFTER` at the next space, of more than `HARD_AFTER` anywhere; a wide character counts as two and a
   half, because it takes so long to say. With `early` the first sentence of all is cut after its first
   clause. A clause or a space is cut at only when the sentence goes on for `CLAUSE_REST` characters after it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from realtime.text.segment.atoms import ATOM_STARTS, read_atom
from realtime.text.segment.blocks import (
    BLOCK_PIECE,
    TEXT_LINE,
    Block,
    Line,
    begins_segment,
    continues_list,
    ends_segment,
    read_line,
)
from realtime.text.segment.clauses import (
    CLAUSE_AFTER,
    CLAUSE_REST,
    EARLY_AFTER,
    HARD_AFTER,
    HARD_SLACK,
    WIDE_CLAUSES,
    WIDE_LENGTH,
    belongs,
    ends_clause,
)
from realtime.text.segment.ends import MARKS, Sentence, read_end
from realtime.text.segment.raw import Kind, RawSegment
from realtime.text.segment.sentences import WIDE

#: Characters of any kind, also such as are not heard, after which a segment is cut wherever it is.
LONGEST_RAW = 700
#: Long tokens are read in parts of this size, so that work does not grow with their square.
_PART = 512

_PLAIN = re.compile(rf"[^\s{MARKS}{WIDE_CLAUSES}:`\[<]{{1,256}}")
_RUN = re.compile(rf"[^\n{MARKS}{WIDE_CLAUSES}:`\[<]+")
_TICKS = re.compile(r"`{1,16}")
# Where a run of plain words ends.
_SPECIAL = frozenset(MARKS + WIDE_CLAUSES) | ATOM_STARTS

# What a step answers when it made no cut: more text is needed; go on.
_WAIT = -1
_GO = 0


@dataclass(frozen=True, slots=True)
class _Clause:
    """A place where the segment is cut if its sentence goes on long enough."""

    cut: int
    length: float
    line: Line


class Segmenter:
    """Holds the text of one context that is not yet cut."""

    def __init__(
        self,
        language_of: Callable[[str], str],
        early: bool = False,
        markup: bool = False,
        on_cut: Callable[[RawSegment], None] = lambda segment: None,
    ) -> None:
        """`language_of` tells the language (ISO 639-1) of some text, when abbreviations make it matter.

        `early`: the first segment may end at its first clause; `markup`: the tags of `markup` are known.
        `on_cut` is told each segment before anything that follows it is decided, so that `language_of` may
        depend on the segments before.
        """
        self._language_of = language_of
        self._on_cut = on_cut
        self._markup = markup
        self._early = early  # and nothing has been cut yet
        self._text = ""  # begins where the next segment does
        self._offset = 0  # position of _text[0] in the context's text
        self._last = "\n"  # the character before _text
        self._block: Block | None = None  # the code or table that _text is in
        self._line = TEXT_LINE  # of the character at _index
        self._fresh = True  # the line at _index has not been read
        self._number: int | None = None  # of the last item of a list
        self._in_list = False
        self._starts = True  # the segment begins a sentence
        self._ended = False  # the last step ended one
        self._begin()

    def _begin(self) -> None:
        """The state of a segment of which nothing has been read."""
        self._index = 0  # so far _text has been read
        self._content = 0  # where the words begin, after marks of the line
        self._sure = 0  # so far it belongs to this segment, though not read
        self._narrow = 0  # characters heard
        self._wide = 0
        self._clause: _Clause | None = None
        self._language: tuple[int, str] | None = None

    # What callers use.

    def append(self, text: str) -> list[RawSegment]:
        """Take more text; returns the segments that are now decided."""
        segments: list[RawSegment] = []
        for start in range(0, len(text), _PART):
            self._text += text[start : start + _PART]
            segments += self._cut()
        return segments

    def cut_all(self) -> list[RawSegment]:
        """Everything that is left, decided on what is there."""
        segments = self._cut(final=True)
        if self._text:
            segments.append(self._take(len(self._text), starts=True))
        return segments

    def cut_settled(self, whole_sentences: bool) -> list[RawSegment]:
        """What can be spoken now that text has stopped arriving.

        `whole_sentences`: only those whose end mark is there. Otherwise everything but a word that may go on;
        that too, if nothing else is held.
        """
        segments = self._cut(settle=True)
        if whole_sentences or not self._text:
            return segments
        cut = self._settled()
        if not cut or self._text[:cut].isspace():
            if segments:
                return segments
            cut = len(self._text)
        segments.append(self._take(cut))
        return segments

    @property
    def held(self) -> int:
        """Characters, not counting space, that wait."""
        return len("".join(self._text.split()))

    @property
    def pending(self) -> tuple[int, str]:
        """Position and text of what is not yet cut."""
        return self._offset, self._text

    @property
    def certain(self) -> int:
        """Characters of `pending` that belong to the current segment: no cut will fall before that index.

        0 inside code and tables.
        """
        if self._block is not None:
            return 0
        if self._clause is not None:
            return self._clause.cut
        return max(self._index, self._sure)

    # Cutting.

    def _cut(self, final: bool = False, settle: bool = False) -> list[RawSegment]:
        """All segments that are decided; `final`: no more text comes, `settle`: not for a while."""
        segments: list[RawSegment] = []
        while self._text:
            self._ended = False
            if self._block is not None:
                cut = self._block_step(self._block, final)
            elif self._fresh:
                cut = self._line_step(final)
            else:
                cut = self._step(final, settle)
            if cut == _WAIT:
                break
            if cut != _GO:
                segments.append(self._take(cut, self._ended))
        return segments

    def _take(self, cut: int, starts: bool = False) -> RawSegment:
        """Cut _text there; `starts`: what follows begins a sentence."""
        text = self._text[:cut]
        block = self._block
        kind: Kind = block.kind if block is not None else "text"
        opens = block is not None and not block.opened
        segment = RawSegment(self._offset, text, kind, self._last == "\n", opens)
        if block is not None:
            block.opened = True
            self._block = None if block.over else block
        if not text.isspace():
            self._early = False
        if self._clause is not None and cut == self._clause.cut:
            self._line = self._clause.line
        self._last = text[-1]
        self._fresh = self._last == "\n"
        self._text = self._text[cut:]
        self._offset += cut
        self._starts = starts
        self._begin()
        self._on_cut(segment)
        return segment

    def _settled(self) -> int:
        """Index after the last word that cannot go on, or before a construct that is not complete."""
        text, limit = self._text, self._index
        if self._block is not None:
            return text.rfind("\n") + 1
        if limit < len(text) and (text[limit].isspace() or WIDE.match(text[limit])):
            return limit
        while limit and not text[limit - 1].isspace() and not WIDE.match(text[limit - 1]):
            limit -= 1
        return limit

    # Lines.

    def _block_step(self, block: Block, final: bool) -> int:
        """Read one row of the code or of the table."""
        text, start = self._text, self._index
        if start == len(text):
            return _WAIT
        line_start = (text[start - 1] if start else self._last) == "\n"
        end = block.read_row(text, start, line_start, final, self._in_list)
        if end is None:
            return _WAIT
        self._index = end
        self._ended = block.over
        if not end:
            self._block = None  # it ended with the segment before
            return _GO
        return end if block.over or end >= BLOCK_PIECE or (final and end == len(text)) else _GO

    def _line_step(self, final: bool) -> int:
        """Read the beginning of a line: its marks, and whether it begins a segment."""
        text, start = self._text, self._index
        if start == len(text):
            return _WAIT
        if start >= LONGEST_RAW:
            return start
        line = read_line(text, start, final, self._in_list)
        if line is None:
            return _WAIT
        words_before = start > 0 and not text[:start].isspace()
        if line.kind == "blank":
            return self._blank_line(line, words_before)
        if line.kind in ("fence", "table"):
            self._ended = True
            if start:
                return start
            self._block = Block(line)
            self._line = TEXT_LINE
            return _GO
        if words_before:
            if line.kind == "item" and not continues_list(line, self._number, text[:start]):
                line = Line("text", line.indent, line.indent, quoted=line.quoted)
            if begins_segment(line, self._line, text[start + line.mark : start + line.mark + 1]):
                self._ended = True
                return start
        mark = start + line.mark
        if not words_before:
            self._content = mark
        elif mark < len(text) and self._consider(start, mark, final) == _WAIT:
            return _WAIT
        if line.kind == "item":
            self._in_list = True
            self._number = line.number if line.number is not None else self._number
        elif (line.indent == 0 and self._line.kind == "blank") or line.kind == "heading":
            self._in_list = False
        self._line = line
        self._index = mark
        self._fresh = False
        return _GO

    def _blank_line(self, line: Line, words_before: bool) -> int:
        end = self._text.find("\n", self._index) + 1
        self._line = line
        self._index = end or len(self._text)
        self._fresh = end > 0
        if words_before:
            self._ended = True
            return self._index
        return _GO

    def _newline(self, at: int) -> int:
        """The end of a line; some lines end their segment whatever follows."""
        text = self._text
        self._consume(at + 1)
        self._fresh = True
        start = text.rfind("\n", 0, at) + 1
        whole = start > 0 or self._last == "\n"
        if not text[:at].isspace() and at and ends_segment(self._line, text[start:at], whole):
            self._ended = True
            return at + 1
        return self._grown()

    # Words.

    def _step(self, final: bool, settle: bool) -> int:
        """Read the next thing in a line: a run of words, a mark, a construct."""
        text, at = self._text, self._index
        if at == len(text):
            return _WAIT
        if at >= LONGEST_RAW:
            return self._clause.cut if self._clause else at
        character = text[at]
        if character == "\n":
            return self._newline(at)
        if character.isspace():
            self._consume(at + 1)
            return self._grown()
        if self._consider(at, at, final) == _WAIT:
            return _WAIT
        if character in _SPECIAL:
            if self._length >= HARD_AFTER + HARD_SLACK:
                return self._clause.cut if self._clause else at
            if character in MARKS:
                return self._mark(at, final or settle)
            if character in ATOM_STARTS:
                return self._atom(at, final)
            self._consume(at + 1)
            return self._grown()
        return self._plain(at)

    @property
    def _length(self) -> float:
        """How much of the segment has been read, in characters as they are heard."""
        return self._narrow + WIDE_LENGTH * self._wide

    def _consume(self, end: int, heard: int | None = None) -> None:
        """Read on to `end`; `heard` characters of it are spoken, None for all."""
        if heard is not None:
            self._narrow += heard
        elif self._narrow or self._wide or not self._text[self._index].isspace():
            run = self._text[self._index : end]
            wide = 0 if run.isascii() else len(WIDE.findall(run))
            self._wide += wide
            self._narrow += len(run) - wide
        self._index = end

    def _grown(self) -> int:
        """Cut at the clause that waits, once enough of the sentence has come after it."""
        clause = self._clause
        if clause is not None and self._length - clause.length >= CLAUSE_REST:
            return clause.cut
        return _GO

    def _plain(self, at: int) -> int:
        """A run without marks. Where no clause can count yet, spaces belong to it."""
        text = self._text
        room = 0
        if self._clause is None:
            room = int(((EARLY_AFTER if self._early else CLAUSE_AFTER) - self._length) / WIDE_LENGTH)
        if room > 8:
            match = _RUN.match(text, at, at + room)
        else:
            match = _PLAIN.match(text, at)
        assert match is not None  # no character is in none of the classes
        end = min(match.end(), LONGEST_RAW)
        if self._length + WIDE_LENGTH * (end - at) <= HARD_AFTER:
            self._consume(end)
            return self._grown()
        while at < end:
            over = self._length - HARD_AFTER
            if over >= 0 and (over >= HARD_SLACK or not belongs(text[at - 1], text[at])):
                return self._clause.cut if self._clause else at
            self._consume(at + 1)
            if (cut := self._grown()) != _GO:
                return cut
            at += 1
        return _GO

    def _atom(self, at: int, final: bool) -> int:
        atom = read_atom(self._text, at, final, self._markup)
        if atom is None:
            return _WAIT
        if atom.end == at:
            ticks = None if at and self._text[at - 1] == "\\" else _TICKS.match(self._text, at)
            self._consume(ticks.end() if ticks else at + 1)
            return self._grown()
        self._consume(atom.end, atom.spoken)
        if atom.ends_segment:
            return atom.end
        return self._grown()

    def _consider(self, cut: int, following: int, final: bool) -> int:
        """Note the clause before `cut`, if the segment is long enough for one; words go on at `following`."""
        early = self._early and self._length >= EARLY_AFTER
        if self._clause is not None or not cut or not (early or self._length >= CLAUSE_AFTER):
            return _GO
        ends = ends_clause(self._text, self._content, cut, following, self._length, final)
        if ends is None:
            return _WAIT
        if ends:
            self._clause = _Clause(cut, self._length, self._line)
        return _GO

    def _mark(self, at: int, final: bool) -> int:
        """A mark that may end a sentence."""
        sentence = Sentence(
            self._text,
            self._content,
            self._starts,
            self._wide,
            self._line,
            self._in_list,
            self._language_at,
        )
        end = read_end(sentence, at, final)
        self._sure = end.sure
        if not end.decided:
            return _WAIT
        if end.cut is not None:
            self._ended = True
            return end.cut
        self._consume(end.sure)
        return self._grown()

    def _language_at(self, end: int) -> str:
        """The language of the segment so far; asked again when the segment has doubled."""
        if self._language is None or end >= 2 * self._language[0]:
            self._language = (end, self._language_of(self._text[self._content : end]))
        return self._language[1]
