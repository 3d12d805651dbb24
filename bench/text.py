"""What the text front end costs: `python -m bench.text [--quick] [--json FILE]`.

Sentences of about 80 characters, full of numbers, through the whole front end, warm, in ten languages; what a
token costs, and whether it costs more late in a long context than early; and the import, in a new process.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from bench.table import Row, progress, show
from realtime.text.frontend import Frontend, TextOptions
from realtime.text.normalize import LANGUAGES

TEXTS = [
    tuple(line.split("\t"))
    for line in (Path(__file__).parent / "data" / "texts.tsv").read_text(encoding="utf-8").splitlines()
]
SENTENCE = 80
MEGABYTE = 1_000_000
_IMPORT = (
    "import time; t = time.perf_counter(); import realtime.text.frontend; print(time.perf_counter() - t)"
)


def import_s() -> float:
    """Seconds to import the front end in a new process."""
    done = subprocess.run([sys.executable, "-c", _IMPORT], capture_output=True, text=True, check=True)
    return float(done.stdout)


def sentence_ms(language: str, auto: bool, rounds: int) -> float:
    """Median of milliseconds per 80 characters of a language, from the first token to the last piece."""
    options = TextOptions(language, languages=LANGUAGES if auto else ())
    texts = [text for each, text in TEXTS if each == language]
    times: list[float] = []
    for _ in range(rounds):
        for text in texts:
            frontend = Frontend(options)
            begun = time.perf_counter()
            frontend.append(text)
            frontend.flush()
            times.append((time.perf_counter() - begun) * 1000 * SENTENCE / len(text))
    return median(times[len(texts) :])


def tokens_us(length: int) -> list[float]:
    """Microseconds per one-character token, for each tenth of a context of `length` characters."""
    text = " ".join(text for language, text in TEXTS if language == "en") + " "
    frontend = Frontend(TextOptions("en"))
    tenth = length // 10
    figures: list[float] = []
    for part in progress("tenth of a long context", range(10)):
        characters = [text[(part * tenth + at) % len(text)] for at in range(tenth)]
        begun = time.perf_counter()
        for character in characters:
            frontend.append(character)
        figures.append((time.perf_counter() - begun) * 1e6 / tenth)
    return figures


def measure(quick: bool) -> Sequence[Row]:
    """All figures, in the order of the table."""
    rounds = 5 if quick else 200
    rows = [Row("import, median", median(import_s() for _ in range(1 if quick else 9)), "s", 0.5)]
    for language in progress("language", ("en", *(each for each in LANGUAGES if each != "en"))):
        limit = 1.0 if language == "en" else 3.0
        rows.append(
            Row(f"80 characters, {language}, median", sentence_ms(language, False, rounds), "ms", limit)
        )
    rows.append(
        Row("80 characters, en, language told by the text", sentence_ms("en", True, rounds), "ms", 1.0)
    )
    length = MEGABYTE // 100 if quick else MEGABYTE
    tenths = tokens_us(length)
    return [
        *rows,
        Row(f"token of one character, of {length}, median", median(tenths), "us", 50),
        Row("the last three tenths of them / the first", median(tenths[-3:]) / median(tenths[:3]), "x", 1.3),
    ]


def main() -> None:
    """Measure and print; the exit code tells nothing of the targets, for machines differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer runs")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    show("The text front end, warm", measure(arguments.quick), arguments.json)


if __name__ == "__main__":
    main()
