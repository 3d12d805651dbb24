"""The picture in docs/ shows the imports that there are, and the document beside it files that there are."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs/architecture.svg"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def drawing() -> ModuleType:
    """The program that draws it."""
    spec = importlib.util.spec_from_file_location("draw_architecture", ROOT / "docs/draw_architecture.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def titles(picture: Path, kind: str) -> set[str]:
    """What the arrows (`edge`) or boxes (`node`) of a picture are called."""
    groups = ElementTree.parse(picture).getroot().iter(f"{SVG}g")
    return {group.findtext(f"{SVG}title") or "" for group in groups if group.get("class") == kind}


def arrows(picture: Path) -> set[tuple[str, ...]]:
    return {tuple(title.split("->")) for title in titles(picture, "edge")}


def test_the_picture_has_the_imports_of_the_code(drawing: ModuleType) -> None:
    drawn, real = arrows(PICTURE), set(drawing.imports())
    assert drawn == real, "make architecture draws it anew"
    assert titles(PICTURE, "node") == {room for edge in real for room in edge}
    assert ("server", "live") in drawn and ("live", "server") not in drawn and len(drawn) > 40


def test_arrows_lead_down(drawing: ModuleType) -> None:
    rows = drawing.rows(drawing.imports(), drawing.floors())
    floor = {room: number for number, row in enumerate(rows) for room in row}
    assert all(floor[source] < floor[target] for source, target in drawing.imports())
    assert drawing.MEANING.keys() <= floor.keys(), "words for a room that is not there any more"


def test_rooms_that_the_contract_does_not_name_have_a_place(drawing: ModuleType) -> None:
    rows = drawing.rows({("a", "b"), ("new", "b"), ("newer", "c")}, [["a"], ["b"], ["c"]])
    assert rows == [["a", "new"], ["b", "newer"], ["c"]]


def test_it_is_drawn_anew_with_the_same_arrows(tmp_path: Path) -> None:
    command = [sys.executable, "docs/draw_architecture.py", str(tmp_path / "again.svg")]
    subprocess.run(command, cwd=ROOT, check=True, timeout=120, stdout=subprocess.DEVNULL)
    assert arrows(tmp_path / "again.svg") == arrows(PICTURE)


def test_the_document_names_what_is_there() -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    named = set(re.findall(r"`((?:[\w-]+/)*[\w-]+\.(?:py|toml|md)|(?:[\w-]+/)+)`", text))
    assert len(named) > 25
    missing = [each for each in named if not any((ROOT / base / each).exists() for base in ("", "realtime"))]
    assert not missing
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert (ROOT / "docs" / link).exists()
