"""The text of an utterance as the model's tokens, each of which knows the characters that it stands for."""

from __future__ import annotations

import unicodedata

from realtime.engines.qwen3.budget import slow_seconds
from realtime.engines.qwen3.generation import SpokenToken
from realtime.engines.qwen3.tokenizer import IncrementalTokenizer, Tokenizer
from realtime.types import TextPiece


class SpeechTokens:
    """As `generation.Tokenize`. Segments are tokenized as one text; no token belongs to two of them."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokens = IncrementalTokenizer(tokenizer)
        self._fed = 0  # characters
        self._segment = -1
        self._segment_start = 0  # where its text begins among all that was fed
        self._text = ""  # of the segment so far
        self._last = ""  # character

    def feed(self, piece: TextPiece) -> list[SpokenToken]:
        """The tokens that are certain. Raises `EngineError` when the text is too long."""
        text = piece.text
        if piece.segment != self._segment:
            self._segment, self._text = piece.segment, ""
            text = separator(self._last, text) + text
            self._segment_start = self._fed + len(text) - len(piece.text)
        self._text += piece.text
        tokens = self._tokens.feed(text)
        self._fed += len(text)
        self._last = text[-1:] or self._last
        if piece.last_of_segment:
            tokens += self._tokens.flush()
        spoken: list[SpokenToken] = []
        for number, token in enumerate(tokens, 1):
            start = max(0, token.start - self._segment_start)
            end = max(0, token.end - self._segment_start)
            slow_s = slow_seconds(self._text[start:end])
            is_last = piece.last_of_segment and number == len(tokens)
            spoken.append(SpokenToken(token.id, piece.segment, start, end, slow_s, is_last))
        return spoken


def separator(before: str, text: str) -> str:
    """What stands between a segment that ends with the character `before` and the text of the next one."""
    if not before or not text or before.isspace() or text[0].isspace():
        return ""
    wide = ("W", "F")  # of scripts that are written without spaces; Korean is not one of them
    is_wide = unicodedata.east_asian_width(before) in wide and not "가" <= before <= "힣"
    return "" if is_wide else " "
