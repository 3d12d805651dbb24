"""The one way from a context's text to pieces that can be spoken; what is out never changes.

Each segment goes through the same stages, each a function from a text to edits (`spans`): markup, cleaning,
lexicon, normalization; after the cleaning its language is told. An engine that takes sentences is given a
piece for each segment, one that takes words the words of a segment as soon as nothing that may follow can
change them (`parts`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

from realtime.text.announce import announcement
from realtime.text.clean import clean, clean_code, clean_table
from realtime.text.language import LanguageGuess
from realtime.text.lexicon import MOST_GROWTH, Lexicon
from realtime.text.markup import MAX_PAUSE_MS, read_markup
from realtime.text.normalize import reader
from realtime.text.normalize.base import Reader
from realtime.text.parts import next_word, part_ends
from realtime.text.segment import RawSegment, Segmenter
from realtime.text.spans import Edit, MappedText
from realtime.types import BlockReading, Buffering, Pronunciation, TextPiece, later

_WARM_UP = "On 2024-01-05 it cost $3.50, **not** 1.200,50 €. 今日は。 안녕하세요. Сегодня 5%."
#: Characters of a first part that are waited for when the language is to be told by them.
_LENGTH_FOR_LANGUAGE = 24
_TAG = re.compile(r"<[^<>]{1,300}>")
#: Characters before a part that its reader sees.
_CONTEXT = 60
# A letter and the accents on it, or the parts of a Korean syllable.
_IN_PARTS = re.compile(
    "[^\\W\\d_][\u0300-\u036f\u3099\u309a]{1,8}|[\u1100-\u1112][\u1161-\u1175][\u11a8-\u11c2]?"
)


@dataclass(frozen=True, slots=True)
class TextOptions:
    """How the text of one context is read.

    `language` (ISO 639-1) is assumed until the text tells another of `languages`; with no `languages` it is
    the language of all text. `words`: pieces are words, not segments. `language_fixed`: the first piece
    decides for all. `code` and `tables`: what is made of such blocks.
    """

    language: str
    languages: tuple[str, ...] = ()
    language_fixed: bool = False
    buffering: Buffering = "auto"
    normalize: bool = True
    lexicon: Lexicon | None = None
    markup: bool = False
    code: BlockReading = "skip"
    tables: BlockReading = "say"
    words: bool = False


@dataclass(frozen=True, slots=True)
class Stages:
    """What a run of text has become, for people who look inside: cleaned, its language, as spoken."""

    raw: RawSegment
    cleaned: str
    piece: TextPiece


class Frontend:
    """Text of one context, in tokens of any size; the pieces depend on the characters, not on the cuts."""

    def __init__(self, options: TextOptions) -> None:
        """`options` hold for all of the context's text."""
        self._options = options
        self._guess = self._new_guess()
        # Parts of a segment are read before its end is decided: that must not depend on what they told.
        language_of = self._new_guess().peek if options.words else self._guess.peek
        early = options.buffering == "auto" and not options.words
        self._segmenter = Segmenter(language_of, early, options.markup, self._on_cut)
        self._stages: list[Stages] = []  # of the segments that were cut since they were last taken
        self._made: list[TextPiece] = []  # their pieces
        self._held: list[TextPiece] = []  # in `manual`: final, and not asked for yet
        self._segments = 0
        self._pause_ms: int | None = None
        self._segment_start = 0  # of the segment under way, when it goes out in parts
        self._part_end = 0  # where the parts that are out end
        self._part_language: str | None = None
        self._part_before = ""  # the end of what is out of the segment, cleaned

    def _new_guess(self) -> LanguageGuess:
        options = self._options
        languages = options.languages or (options.language,)
        return LanguageGuess(languages, options.language, options.language_fixed)

    # -- text in, pieces out ----------------------------------------------------------------------------

    def append(self, text: str) -> list[TextPiece]:
        """Take more text; returns what is now final."""
        self._segmenter.append(text)
        pieces = self._take()
        if self._options.words:
            pieces += self._settled_parts()
        if self._options.buffering == "manual":
            self._held += pieces
            return []
        return pieces

    def flush(self) -> list[TextPiece]:
        """Everything so far is final, also half a word."""
        held, self._held = self._held, []
        self._segmenter.cut_all()
        return held + self._take()

    def settle(self) -> list[TextPiece]:
        """Text has stopped arriving: what can be spoken of it now, if the buffering allows it.

        In `sentence` these are sentences whose end mark is there; in `auto` all whole words, and when nothing
        else is left the last, perhaps half a word.
        """
        if self._options.buffering == "manual":
            return []
        self._segmenter.cut_settled(self._options.buffering == "sentence")
        return self._take()

    def explain(self, text: str, final: bool) -> list[Stages]:
        """As `append`, and then `flush` if `final`, with what each piece was on its way. Not for `words`."""
        self._segmenter.append(text)
        if final:
            self._segmenter.cut_all()
        stages = self._stages
        self._take()
        return stages

    @property
    def held(self) -> int:
        """Characters of which `settle` may make something, when no more come."""
        if self._options.buffering == "manual":
            return 0
        if not self._options.words:
            return self._segmenter.held
        position, text = self._segmenter.pending
        return len(text[max(0, self._part_end - position) :].strip())

    # -- segments ---------------------------------------------------------------------------------------

    def _on_cut(self, segment: RawSegment) -> None:
        if self._options.words:
            self._made += self._last_parts(segment)
            return
        stages = self._read(segment, None)
        if stages is not None:
            self._stages.append(stages)
            self._made.append(stages.piece)
            self._segments += 1

    def _take(self) -> list[TextPiece]:
        made, self._made, self._stages = self._made, [], []
        return made

    # -- parts of segments, for engines that take words --------------------------------------------------

    def _settled_parts(self) -> list[TextPiece]:
        """The words of the segment under way that nothing can change any more."""
        position, text = self._segmenter.pending
        done = max(0, self._part_end - position)
        return self._parts(position, text[: self._segmenter.certain], done)

    def _parts(self, position: int, text: str, done: int) -> list[TextPiece]:
        """The parts of a segment's `text` that are complete; `done` characters of it are out already."""
        lexicon = self._options.lexicon
        only_clauses = self._options.markup or (lexicon is not None and lexicon.has_phrases)
        pieces: list[TextPiece] = []
        for end in part_ends(text, only_clauses, self._shortest_part, done):
            at_line_start = position + done == self._segment_start
            part = RawSegment(position + done, text[done:end], "text", at_line_start, False)
            done = end
            piece = self._part(part, last=False, after=next_word(text, end))
            if piece is not None:
                pieces.append(piece)
        self._part_end = position + done
        return pieces

    def _last_parts(self, segment: RawSegment) -> list[TextPiece]:
        """What was not out yet of a segment that is complete now."""
        done = max(0, self._part_end - segment.position)
        pieces: list[TextPiece] = []
        if segment.kind == "text":
            pieces = self._parts(segment.position, segment.text, done)
            done = self._part_end - segment.position
        rest = replace(segment, position=segment.position + done, text=segment.text[done:])
        piece = self._part(replace(rest, at_line_start=segment.at_line_start and not done), last=True)
        if piece is not None:
            pieces.append(piece)
        elif self._part_language is not None:
            end = segment.position + len(segment.text)
            pieces.append(TextPiece(self._segments, "", (end, end), (), self._part_language))
        if pieces or self._part_language is not None:
            self._segments += 1
        self._part_end = self._segment_start = segment.position + len(segment.text)
        self._part_language = None
        return pieces

    def _part(self, part: RawSegment, last: bool, after: str = "") -> TextPiece | None:
        """The piece of a part, read between the words before and after it, as whole segments are."""
        spaced = part.text[-1:].isspace()
        around = (self._part_before, " " + after if spaced and after else after)
        stages = self._read(part, self._part_language, around)
        if stages is None:
            return None
        self._part_language = stages.piece.language
        piece = replace(stages.piece, last_of_segment=last)
        if self._part_before.endswith(" "):
            piece = _with_space(piece)
        before = self._part_before + stages.cleaned + (" " if spaced else "")
        self._part_before = "" if last else before[-_CONTEXT:]
        return piece

    @property
    def _shortest_part(self) -> int:
        """Characters of the next part at least: enough to tell a language by, where one is to be told."""
        guesses = len(self._options.languages) > 1 and self._part_language is None
        return _LENGTH_FOR_LANGUAGE if guesses else 0

    # -- the stages -------------------------------------------------------------------------------------

    def _read(
        self, segment: RawSegment, language: str | None, around: tuple[str, str] = ("", "")
    ) -> Stages | None:
        """A segment through all stages; None when nothing of it is spoken. Without `language` it is told.

        `around`: cleaned text before and after it, of the same segment, when it is a part of one.
        """
        written = MappedText(segment.text, segment.position)
        phonemes: list[tuple[int, int, str]] = []  # source characters, and their IPA
        pause_ms: int | None = None
        if self._options.markup and segment.kind == "text":
            marked = read_markup(segment.text, language or self._guess.peek(_TAG.sub(" ", segment.text)))
            written = written.edited(marked.edits)
            pause_ms = marked.pause_ms
            phonemes = [
                (segment.position + start, segment.position + end, ipa) for start, end, ipa in marked.phonemes
            ]
        cleaned = _composed(self._clean(written, segment).stripped())
        if not any(map(str.isalnum, cleaned.text)):
            self._pause_ms = _sum(self._pause_ms, pause_ms)
            return None
        language = language or self._guess.decide(cleaned.text)
        spoken = self._normalized(cleaned, language, *around)
        if not any(map(str.isalnum, spoken.text)):  # the lexicon silences it
            self._pause_ms = _sum(self._pause_ms, pause_ms)
            return None
        spans = spoken.links()
        piece = TextPiece(
            self._segments,
            spoken.text,
            (spans[0].source_start, spans[-1].source_end),
            spans,
            language,
            normalized=self._options.normalize,
            pronunciations=tuple(
                Pronunciation(*spoken.spoken_range(start, end), ipa) for start, end, ipa in phonemes
            ),
            pause_before_ms=self._pause_ms,
        )
        self._pause_ms = pause_ms
        return Stages(segment, cleaned.text, piece)

    def _clean(self, text: MappedText, segment: RawSegment) -> MappedText:
        if segment.kind == "text":
            return text.edited(clean(text.text, segment.at_line_start))
        reading = self._options.code if segment.kind == "code" else self._options.tables
        if reading == "say":
            cleaner = clean_code if segment.kind == "code" else clean_table
            return text.edited(cleaner(text.text))
        said = ""
        if reading == "announce" and segment.opens_block:
            said = announcement(segment.kind, self._guess.peek(""))
        return text.edited([Edit(0, len(text.text), said, settled=True)])

    def _normalized(self, cleaned: MappedText, language: str, before: str, after: str) -> MappedText:
        text = cleaned
        if self._options.lexicon is not None:
            text = text.edited(self._options.lexicon.edits(text.text))
        found = reader(language) if self._options.normalize else None
        if found is None:
            return text.stripped()
        spoken = text.read_by(partial(_edits_between, found, before, after)).stripped()
        # What grows more has gone wrong: it is said as it stands.
        return spoken if len(spoken.text) <= MOST_GROWTH * len(text.text) else text.stripped()


def _edits_between(found: Reader, before: str, after: str, text: str) -> list[Edit]:
    """What a reader makes of `text` between its neighbours, which stay as they are."""
    if not before and not after:
        return found.edits(text)
    start, end = len(before), len(before) + len(text)
    return [
        replace(edit, start=edit.start - start, end=edit.end - start)
        for edit in found.edits(before + text + after)
        if start <= edit.start and edit.end <= end
    ]


def _composed(text: MappedText) -> MappedText:
    """With one character for a letter and its accent (NFC): so tables and voices know it."""
    if unicodedata.is_normalized("NFC", text.text):
        return text
    found = (
        (match.span(), unicodedata.normalize("NFC", match[0])) for match in _IN_PARTS.finditer(text.text)
    )
    return text.edited(
        Edit(start, end, whole) for (start, end), whole in found if whole != text.text[start:end]
    )


def _sum(one: int | None, other: int | None) -> int | None:
    return other if one is None else min(MAX_PAUSE_MS, one + (other or 0))


def _with_space(piece: TextPiece) -> TextPiece:
    """A later part of a segment, with the space before it that it was cut from."""
    return replace(
        piece,
        text=" " + piece.text,
        spans=tuple(later(span, 1) for span in piece.spans),
        pronunciations=tuple(later(each, 1) for each in piece.pronunciations),
    )


def warm_up(languages: Iterable[str]) -> None:
    """Import and build what the first text of each language would wait for; any thread may call it."""
    guessing = TextOptions("en", tuple(languages))
    Frontend(guessing).explain(_WARM_UP, final=True)
    for language in languages:
        Frontend(TextOptions(language)).explain(_WARM_UP, final=True)
