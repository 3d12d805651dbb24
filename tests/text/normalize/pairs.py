"""Tables of written and spoken text in `tests/data/spoken`, a file for each language."""

from __future__ import annotations

from pathlib import Path

from realtime.text.normalize import reader
from realtime.text.spans import MappedText

FOLDER = Path(__file__).parents[2] / "data" / "spoken"


def pairs(language: str) -> list[tuple[str, str]]:
    """(written, spoken) of a language: lines of two columns with a tab between; "#" begins a comment line."""
    lines = (FOLDER / f"{language}.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if line.strip() and not line.startswith("#\t")]
    return [(written, spoken) for written, spoken in rows]


def read(text: str, language: str) -> MappedText:
    """A text as a language's reader has it said."""
    found = reader(language)
    assert found is not None
    return MappedText(text, 0).edited(found.edits(text)).stripped()


def check_sources(text: str, said: MappedText) -> None:
    """Source spans are ordered and disjoint, and cover all that is spoken."""
    spoken_end = source_end = 0
    covered: set[int] = set()
    for link in said.links():
        assert spoken_end <= link.spoken_start < link.spoken_end <= len(said.text)
        assert source_end <= link.source_start < link.source_end <= len(text)
        spoken_end, source_end = link.spoken_end, link.source_end
        covered |= set(range(link.spoken_start, link.spoken_end))
    assert {at for at, character in enumerate(said.text) if not character.isspace()} <= covered
