"""`python -m realtime text`: what becomes of a text before it is spoken, for people who wonder."""

from __future__ import annotations

import argparse
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import msgspec

from realtime.errors import InvalidMessageError
from realtime.text.frontend import Frontend, Stages, TextOptions
from realtime.text.lexicon import Lexicon, load_lexicon
from realtime.text.normalize import LANGUAGES
from realtime.types import BlockReading, TextPiece

_TOKEN = re.compile(r"\s*\S{1,6}|\s+")


class _Span(msgspec.Struct):
    """A run of spoken characters, and the written ones that it came from."""

    spoken: tuple[int, int]
    source: tuple[int, int]
    spoken_text: str
    source_text: str


class _Row(msgspec.Struct):
    """A segment as JSON."""

    segment: int
    language: str
    kind: str
    source: tuple[int, int]
    decided_after: int
    cleaned: str
    spoken: str
    pause_before_ms: int | None
    spans: list[_Span]


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit code. Raises `RealtimeError` for what cannot be read."""
    options = _parser().parse_args(arguments)
    text = _text(options)
    lexicon = Lexicon(load_lexicon(options.lexicon)) if options.lexicon else None
    frontend = Frontend(
        TextOptions(
            "en" if options.language == "auto" else options.language,
            languages=LANGUAGES if options.language == "auto" else (),
            buffering=options.buffer,
            normalize=not options.no_normalize,
            lexicon=lexicon,
            markup=options.markup,
            code=options.code,
            tables=options.tables,
        )
    )
    if isinstance(sys.stdout, io.TextIOWrapper):  # whatever the terminal knows, nothing is lost
        sys.stdout.reconfigure(errors="backslashreplace")
    rows = _stream(frontend, text) if options.stream else _whole(frontend, text)
    for row in rows:
        print(msgspec.json.encode(row).decode() if options.json else _shown(row), flush=True)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m realtime text",
        description="Show how a text is cut, cleaned and written out before it is spoken.",
    )
    parser.add_argument("text", nargs="?", help="the text; - reads standard input")
    parser.add_argument("--file", help="read the text from a file")
    parser.add_argument(
        "--language", default="auto", choices=("auto", *LANGUAGES), help="auto: told segment by segment"
    )
    parser.add_argument("--stream", action="store_true", help="token by token, as an LLM writes")
    parser.add_argument("--json", action="store_true", help="a JSON object for each segment")
    parser.add_argument("--buffer", default="auto", choices=("auto", "sentence"))
    parser.add_argument("--no-normalize", action="store_true", help="leave numbers and signs as they are")
    parser.add_argument("--markup", action="store_true", help="the text may hold tags, see protocol.md")
    parser.add_argument("--lexicon", help="a file of words and what is said for them")
    parser.add_argument("--code", default="skip", choices=get_args(BlockReading), help="blocks of code")
    parser.add_argument("--tables", default="say", choices=get_args(BlockReading))
    return parser


def _text(options: argparse.Namespace) -> str:
    if (options.text is None) == (options.file is None):
        raise InvalidMessageError("give either a text, or - for standard input, or --file")
    try:
        if options.file is not None:
            return Path(options.file).read_text(encoding="utf-8")
        if options.text == "-":
            return sys.stdin.buffer.read().decode("utf-8")
    except OSError as error:
        raise InvalidMessageError(f"{options.file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidMessageError("the text must be UTF-8") from None
    text = str(options.text)
    if not text.isprintable() and any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidMessageError("the text must be UTF-8")
    return text


def _whole(frontend: Frontend, text: str) -> Iterator[_Row]:
    for stages in frontend.explain(text, final=True):
        yield _row(stages, text, len(text))


def _stream(frontend: Frontend, text: str) -> Iterator[_Row]:
    tokens = _TOKEN.findall(text)
    come = 0
    for number, token in enumerate(tokens, 1):
        come += len(token)
        for stages in frontend.explain(token, final=number == len(tokens)):
            yield _row(stages, text, come)


def _row(stages: Stages, text: str, come: int) -> _Row:
    piece = stages.piece
    return _Row(
        piece.segment,
        piece.language,
        stages.raw.kind,
        piece.source,
        come,
        stages.cleaned,
        piece.text,
        piece.pause_before_ms,
        _spans(piece, text),
    )


def _spans(piece: TextPiece, text: str) -> list[_Span]:
    return [
        _Span(
            (link.spoken_start, link.spoken_end),
            (link.source_start, link.source_end),
            piece.text[link.spoken_start : link.spoken_end],
            text[link.source_start : link.source_end],
        )
        for link in piece.spans
    ]


def _shown(row: _Row) -> str:
    start, end = row.source
    where = f"[{start}, {end})  after {row.decided_after} characters"
    head = f"{row.segment:>3}  {row.language}  {row.kind:<5}  {where}"
    lines = [head, f"     cleaned  {row.cleaned}", f"     spoken   {row.spoken}"]
    if row.pause_before_ms is not None:
        lines.append(f"     pause    {row.pause_before_ms} ms before it")
    for span in row.spans:
        if span.spoken_text != span.source_text:
            source = f"[{span.source[0]}, {span.source[1]})"
            lines.append(f"     {source:<12} {span.source_text!r} -> {span.spoken_text!r}")
    return "\n".join(lines)
