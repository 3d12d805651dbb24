"""The one way from a context's text to pieces: segments are cut, then cleaned; what is out never changes."""

from __future__ import annotations

from realtime.text.clean import clean
from realtime.text.segment import Segmenter
from realtime.types import Buffering, TextPiece


class Frontend:
    """Text of one context, in tokens of any size; the pieces depend on the characters, not on the cuts."""

    def __init__(self, language: str, buffering: Buffering = "auto") -> None:
        """`language`: of the whole context, ISO 639-1."""
        self._language = language
        self._manual = buffering == "manual"
        self._held: list[TextPiece] = []  # in `manual`: final, and not asked for yet
        self._segmenter = Segmenter(language)
        self._segments = 0

    def append(self, text: str) -> list[TextPiece]:
        """Take more text; returns what is now final."""
        pieces = self._pieces(self._segmenter.append(text))
        if self._manual:
            self._held += pieces
            return []
        return pieces

    def flush(self) -> list[TextPiece]:
        """Everything so far is final, also half a word."""
        held, self._held = self._held, []
        return held + self._pieces(self._segmenter.cut_all())

    def _pieces(self, segments: list[tuple[int, str]]) -> list[TextPiece]:
        pieces: list[TextPiece] = []
        for position, segment in segments:
            text, spans = clean(segment, position)
            if not text:
                continue
            source = (spans[0].source_start, spans[-1].source_end)
            pieces.append(TextPiece(self._segments, text, source, spans, self._language))
            self._segments += 1
        return pieces
