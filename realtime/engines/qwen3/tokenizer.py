"""Text to token ids, as transformers' Qwen2TokenizerFast makes them, by the `tokenizers` package alone.

Checkpoints bring `vocab.json`, `merges.txt` and `tokenizer_config.json`, some `tokenizer.json`. Text is
brought to NFC, cut by a regular expression into pieces, and each piece is merged from its bytes. The tokens
that were added to the vocabulary ("<|im_end|>", "<tts_pad>", "<think>") are never found in text: who writes
one is read its characters, as by transformers' Qwen2Tokenizer with `split_special_tokens=True`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from tokenizers import Regex, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as _Backend

from realtime.errors import EngineError, ErrorCode

#: Longer texts are refused. At 3 to 4 tokens a second this is an hour and a half of speech.
MAX_TEXT_TOKENS = 20_000
#: Characters that `IncrementalTokenizer` holds back at most.
MAX_HELD = 200

#: How Qwen2 cuts text (`Qwen2Converter` in transformers' convert_slow_tokenizer.py).
_PIECES = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
#: How one cuts that transformers 4.57.3 has saved after it was loaded with `fix_mistral_regex=True`.
_PIECES_OF_MISTRAL = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_MOST_BYTES = 64 * 1024 * 1024


class Token(NamedTuple):
    """A token and the characters [start, end) of the text that it stands for.

    The ranges of a text's tokens follow each other without gaps. Several tokens that make up one character
    (or one of NFC made of several) all have that character's range.
    """

    id: int
    start: int
    end: int


class Tokenizer:
    """Text to tokens and back to characters; may be used by several threads."""

    def __init__(self, backend: _Backend, added: Mapping[str, int]) -> None:
        """`backend` without added tokens; `added`: their ids by content."""
        self._backend = backend
        self._added = dict(added)

    @classmethod
    def read(cls, folder: Path) -> Tokenizer:
        """The tokenizer of the checkpoint in `folder`; raises `EngineError`: what is wrong with it."""
        whole = folder / "tokenizer.json"
        return _from_one_file(whole) if whole.is_file() else _from_parts(folder)

    def special(self, content: str) -> int:
        """The id of an added token such as "<|im_start|>"; raises `EngineError` when there is none."""
        number: int | None = self._added.get(content, self._backend.token_to_id(content))
        if number is None:
            raise EngineError(f"the model's tokenizer has no token {content!r}")
        return number

    def encode(self, text: str) -> list[Token]:
        """The tokens of `text`; raises `EngineError` when they are more than `MAX_TEXT_TOKENS`."""
        encoding = self._backend.encode(text, add_special_tokens=False)
        check_length(len(encoding.ids))
        tokens: list[Token] = []
        # A token's own end misses combining marks that NFC took into its last character, so its end is where
        # the next one starts. Tokens of one character have one start, and so one end.
        end, last = len(text), len(text)
        for number, (start, _) in zip(reversed(encoding.ids), reversed(encoding.offsets), strict=True):
            if start < last:
                end, last = last, start
            tokens.append(Token(number, start, end))
        tokens.reverse()
        return tokens

    def ids(self, text: str) -> tuple[int, ...]:
        """The ids alone."""
        return tuple(token.id for token in self.encode(text))

    def normalized(self, text: str) -> str:
        """Its NFC. (Not by `unicodedata`: the two may know different versions of Unicode.)"""
        normalized: str = self._backend.normalizer.normalize_str(text)
        return normalized

    def piece_ends(self, normalized: str) -> set[int]:
        """Where the pieces of a text in NFC end that are merged each for itself, in its characters."""
        return {end for _, (_, end) in self._backend.pre_tokenizer.pre_tokenize_str(normalized)}


def check_length(tokens: int) -> None:
    """Raises `EngineError` when a text of so many tokens is too long."""
    if tokens > MAX_TEXT_TOKENS:
        raise EngineError(
            f"the text is too long: at most {MAX_TEXT_TOKENS} tokens can be spoken in one utterance",
            ErrorCode.TEXT_TOO_LONG,
        )


class IncrementalTokenizer:
    """The same tokens as of the whole text, given while it arrives, however it is cut.

    What is given can never change, whatever follows:

    - NFC never joins anything to what is before separators, punctuation, symbols, digits and control
      characters, nor to a line break before it. Text is cut at these places alone.
    - The expression looks at nothing before the piece that it is at, and beyond a piece's end at one
      character, or at all of the white space that it is in. So a piece that does not end with white space is
      final as soon as one character stands after it; one that ends with a line break is, when that character
      is not white space.
    - Where pieces end is asked of the pre-tokenizer itself, so that both agree on what is a letter.

    So a word is given when the character after it arrives, be it a space or a mark: earlier than the next
    word. A mark is given when the character after it ends its piece: a space does; a letter may belong to it
    ("。我们" is one piece), and then both are given at the next character that is no letter.

    At most `MAX_HELD` characters are held back. A run without such a place (Chinese without marks) is cut
    after so many all the same, between characters that NFC does not join; only then may tokens at that cut
    differ from those of the whole text. They spell the same.

    Offsets count the characters of all text that was fed. Raises what `Tokenizer.encode` does, for all of it.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._held = ""
        self._given = 0  # characters
        self._tokens = 0

    @property
    def held(self) -> str:
        """Text that was fed and of which no token was given yet."""
        return self._held

    def feed(self, text: str) -> list[Token]:
        """The tokens that became final by `text`."""
        tokens: list[Token] = []
        done = 0
        while done < len(text):
            # Never more than the bound and one: runs without an end are cut at the same places however the
            # text comes, and the work is proportional to its length.
            step = text[done : done + MAX_HELD + 1 - len(self._held)]
            self._held += step
            done += len(step)
            tokens += self._give(self._final_end())
        return tokens

    def flush(self) -> list[Token]:
        """The rest: the text ends here. What is fed after it is tokenized as another text is."""
        return self._give(len(self._held))

    def _give(self, end: int) -> list[Token]:
        text, self._held = self._held[:end], self._held[end:]
        tokens = [
            Token(token.id, token.start + self._given, token.end + self._given)
            for token in self._tokenizer.encode(text)
        ]
        self._given += len(text)
        self._tokens += len(tokens)
        check_length(self._tokens)
        return tokens

    def _final_end(self) -> int:
        """How many characters of what is held can be given."""
        held = self._held
        ends: set[int] | None = None
        for end in range(len(held) - 1, 0, -1):
            before, after = held[end - 1], held[end]
            if before.isspace():
                if before not in "\r\n" or after.isspace():
                    continue
            elif not _stands_alone(after):
                continue
            if ends is None:
                ends = self._tokenizer.piece_ends(self._tokenizer.normalized(held))
            if len(self._tokenizer.normalized(held[:end])) in ends:
                return end
        if len(held) <= MAX_HELD:
            return 0
        return next((end for end in range(MAX_HELD, 0, -1) if not _joins(held[end])), MAX_HELD)


def _stands_alone(character: str) -> bool:
    """Whether NFC never joins it to what is before it, and it is no letter."""
    category = unicodedata.category(character)
    return category[0] in "ZPSN" or category == "Cc"


def _joins(character: str) -> bool:
    """Whether NFC may join it to what is before it: marks, and the vowels and finals of Hangul."""
    return unicodedata.category(character)[0] == "M" or "\u1160" <= character <= "\u11ff"


def _from_parts(folder: Path) -> Tokenizer:
    vocabulary = _decode(folder / "vocab.json", dict[str, int])
    settings = _decode(folder / "tokenizer_config.json", _Settings)
    merges: list[tuple[str, str]] = []
    path = folder / "merges.txt"
    for number, line in enumerate(_read(path).decode("utf-8", "replace").split("\n")):
        line = line.strip()
        if not line or (number == 0 and line.startswith("#version:")):
            continue
        parts = line.split()
        if len(parts) != 2 or any(part not in vocabulary for part in (*parts, "".join(parts))):
            raise EngineError(f"{path} does not belong to its vocab.json: line {number + 1}")
        merges.append((parts[0], parts[1]))
    _check_bytes(vocabulary, folder / "vocab.json")
    backend = _Backend(models.BPE(vocab=vocabulary, merges=merges))
    backend.normalizer = normalizers.NFC()
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), behavior="isolated", invert=False),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    added = settings.added_tokens_decoder
    return Tokenizer(backend, {token.content: number for number, token in added.items()})


def _from_one_file(path: Path) -> Tokenizer:
    content: dict[str, Any] = _decode(path, dict[str, Any])
    parts = _decode(path, _Whole)
    splits = [each for each in parts.pre_tokenizer.pretokenizers if each.type == "Split"]
    if len(splits) != 1 or splits[0].pattern.get("Regex") not in (_PIECES, _PIECES_OF_MISTRAL):
        raise EngineError(f"{path} cuts text in another way than Qwen2's tokenizer")
    if parts.normalizer is None or parts.normalizer.type != "NFC":
        raise EngineError(f"{path} does not bring text to NFC, as Qwen2's tokenizer does")
    _check_bytes(parts.model.vocab, path)
    # Without added tokens none is found in text; and nothing is to be cut off, filled up or set around it.
    content |= {"added_tokens": [], "truncation": None, "padding": None, "post_processor": None}
    try:
        backend = _Backend.from_str(msgspec.json.encode(content).decode())
    except Exception as error:  # the package raises no narrower one
        raise EngineError(f"{path} cannot be used: {error}") from None
    return Tokenizer(backend, {token.content: token.id for token in parts.added_tokens})


class _Added(msgspec.Struct, frozen=True):
    content: str
    id: int = -1


class _Settings(msgspec.Struct, frozen=True):
    added_tokens_decoder: dict[int, _Added] = {}


class _Split(msgspec.Struct, frozen=True):
    type: str
    pattern: dict[str, str] = {}


class _Splits(msgspec.Struct, frozen=True):
    pretokenizers: list[_Split] = []


class _Normalizer(msgspec.Struct, frozen=True):
    type: str


class _Model(msgspec.Struct, frozen=True):
    vocab: dict[str, int]


class _Whole(msgspec.Struct, frozen=True):
    model: _Model
    pre_tokenizer: _Splits
    normalizer: _Normalizer | None = None
    added_tokens: list[_Added] = []


def _check_bytes(vocabulary: Mapping[str, int], path: Path) -> None:
    if any(byte not in vocabulary for byte in pre_tokenizers.ByteLevel.alphabet()):
        raise EngineError(f"{path} lacks tokens of single bytes: some text could not be spoken")


def _decode(path: Path, kind: Any) -> Any:
    try:
        return msgspec.json.decode(_read(path), type=kind)
    except msgspec.MsgspecError as error:
        raise EngineError(f"{path} is not what a Qwen3-TTS model has there: {error}") from None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES)
    except OSError as error:
        raise EngineError(f"{path} cannot be read: {error.strerror or error}") from None
