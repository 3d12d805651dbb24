"""Draws docs/architecture.svg by the imports that the code really has: `make architecture`.

A box is a room: a package of `realtime`, or a module beside them. A row is a floor, as the contract in
pyproject.toml has them. An arrow says that modules of one room import some of another; the wider, the more.
The picture has nothing that is not read from there, and equal code gives an equal picture.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]
PACKAGE = "realtime"
#: What each room is, in the words of the README's table.
MEANING = {
    "__main__": "the command line",
    "app": "puts all together",
    "say": "the command say",
    "text_command": "the command text",
    "hearing": "plays for commands",
    "sinks": "files, sound device",
    "server": "HTTP, WebSocket, WebRTC",
    "client": "the Python client",
    "live": "sessions while they run",
    "speech": "one utterance: text to packets",
    "text": "tokens to segments",
    "audio": "codecs, files, tempo",
    "voices": "names, recordings",
    "engines": "what speaks",
    "session": "the protocol, no I/O",
    "observe": "logs, metrics",
    "host": "cores, memory",
    "cores": "lists of cores",
    "config_values": "what a value may be",
    "types": "what travels",
    "config": "settings",
    "clock": "time",
    "paths": "places of files",
    "tracebacks": "failures, for logs",
    "errors": "what can go wrong",
}
#: Rooms that nearly all others import: arrows to them are pale.
_COMMON = frozenset({"types", "errors", "config", "clock", "paths", "tracebacks", "cores"})
_COLOURS = ("#2b6cb0", "#c05621", "#2f855a", "#6b46c1", "#b83280", "#00838f", "#975a16", "#4a5568")


def floors(pyproject: Path = ROOT / "pyproject.toml") -> list[list[str]]:
    """Rooms by floor, the highest first, as the contract of imports names them."""
    contracts = tomllib.loads(pyproject.read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = [each["layers"] for each in contracts if each["type"] == "layers"]
    return [[name.strip().removeprefix(f"{PACKAGE}.") for name in layer.split("|")] for layer in layers]


def room_of(module: str) -> str | None:
    """The room that a module is in; None for the package itself, which holds the version alone."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else None


def imports() -> Counter[tuple[str, str]]:
    """How many imports lead from a room to another, in modules of the first."""
    graph = grimp.build_graph(PACKAGE, cache_dir=None)
    found: Counter[tuple[str, str]] = Counter()
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            pair = room_of(module), room_of(imported)
            if pair[0] is not None and pair[1] is not None and pair[0] != pair[1]:
                found[pair[0], pair[1]] += 1
    return found


def rows(edges: Iterable[tuple[str, str]], listed: list[list[str]]) -> list[list[str]]:
    """The floors, with the rooms that the contract does not name: as low as what they import allows."""
    edges = sorted(edges)
    placed = [list(row) for row in listed]
    floor = {room: number for number, row in enumerate(listed) for room in row}
    for room in sorted({room for edge in edges for room in edge} - floor.keys()):
        below = [floor[target] for source, target in edges if source == room and target in floor]
        floor[room] = max(0, min(below, default=len(placed)) - 1)
        placed[floor[room]].append(room)
    return placed


def dot(edges: Counter[tuple[str, str]], listed: list[list[str]]) -> str:
    """The picture in the language of Graphviz; sorted, so that equal imports give equal text."""
    lines = [
        "digraph architecture {",
        '  graph [rankdir=TB, ranksep=0.75, nodesep=0.3, splines=true, fontname="Helvetica", bgcolor="white",'
        ' label="realtime: who imports whom. Drawn by make architecture.", fontsize=11, labelloc=b]',
        '  node [shape=box, style="rounded,filled", fontname="Helvetica", fontsize=13, color="#4a5568",'
        ' fillcolor="#f7fafc", margin="0.14,0.07"]',
        "  edge [arrowsize=0.6]",
    ]
    placed = rows(edges, listed)
    colours: dict[str, str] = {}
    for number, row in enumerate(placed):
        for room in row:
            colours[room] = _COLOURS[len(colours) % len(_COLOURS)]
            lines.append(f'  "{room}" [label=<{_label(room)}>, color="{colours[room]}"]')
        lines.append(f"  {{ rank=same; {'; '.join(f'{chr(34)}{room}{chr(34)}' for room in row)} }}")
        if number:  # rows stay in their order, whoever imports whom
            lines.append(f'  "{placed[number - 1][0]}" -> "{row[0]}" [style=invis, weight=20]')
    for (source, target), count in sorted(edges.items()):
        is_common = target in _COMMON
        colour = "#cbd5e0" if is_common else colours[source]
        width = 0.6 if is_common else min(4.0, 0.8 + count / 15)
        # Arrows to what all import do not pull at the boxes.
        lines.append(
            f'  "{source}" -> "{target}" [color="{colour}", penwidth={width:.2f}, '
            f'weight={1 if is_common else 3}, edgetooltip="{count} imports"]'
        )
    return "\n".join([*lines, "}", ""])


def _label(room: str) -> str:
    meaning = MEANING.get(room)
    told = f'<br/><font point-size="9" color="#4a5568">{meaning}</font>' if meaning else ""
    return f"<b>{room}</b>{told}"


def main(arguments: list[str]) -> int:
    """`OUTPUT`, a file whose name ends as the form that is wanted: .svg or .png."""
    if len(arguments) != 1:
        print("usage: python docs/draw_architecture.py OUTPUT.svg", file=sys.stderr)
        return 2
    sys.path.insert(0, str(ROOT))  # the code that stands beside this, not what is installed
    output = Path(arguments[0])
    edges = imports()
    command = ["dot", f"-T{output.suffix[1:]}", "-o", str(output)]
    subprocess.run(command, input=dot(edges, floors()), text=True, check=True, timeout=120)
    print(f"{output}: {len(edges)} arrows between {len({room for edge in edges for room in edge})} rooms")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
