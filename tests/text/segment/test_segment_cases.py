"""The table of texts and their cuts, in ten languages, whole and one character at a time."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from realtime.text.segment import Segmenter

TABLE = Path(__file__).parents[2] / "data" / "segments.tsv"
CUT = "\u00a6"
LANGUAGES = {"en", "zh", "ja", "ko", "de", "fr", "es", "it", "pt", "ru"}


def _cases() -> list[tuple[str, str, str]]:
    cases: list[tuple[str, str, str]] = []
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#\t"):
            language, mode, text = line.split("\t")
            for escape, character in (("\\n", "\n"), ("\\r", "\r"), ("\\t", "\t")):
                text = text.replace(escape, character)
            cases.append((language, mode, text))
    return cases


CASES = _cases()


def _cut(language: str, mode: str, tokens: list[str]) -> str:
    segmenter = Segmenter(lambda _: language, early=mode == "early", markup=mode == "markup")
    segments = [segment for token in tokens for segment in segmenter.append(token)]
    return CUT.join(segment.text for segment in segments + segmenter.cut_all())


@pytest.mark.parametrize(("language", "mode", "text"), CASES, ids=range(len(CASES)))
def test_cuts(language: str, mode: str, text: str) -> None:
    plain = text.replace(CUT, "")
    assert _cut(language, mode, [plain]) == text
    assert _cut(language, mode, list(plain)) == text


def test_the_table_is_as_large_as_it_is_said_to_be() -> None:
    assert len(CASES) >= 280
    assert len(set(CASES)) == len(CASES)
    counts = Counter(language for language, _, _ in CASES)
    assert set(counts) == LANGUAGES
    assert min(counts.values()) >= 12
    assert {mode for _, mode, _ in CASES} == {"plain", "early", "markup"}
