"""A segment as it was written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "code", "table"]


@dataclass(frozen=True, slots=True)
class RawSegment:
    """A piece of the text as it was written; all of them together are exactly the text.

    `position`: code points since the context's beginning. `kind`: "code" is lines of one block in fences,
    these included; "table" is rows. `at_line_start`: it begins at the beginning of a line, so "# " or "- "
    may be marks. `opens_block`: the first segment of its code or table.
    """

    position: int
    text: str
    kind: Kind
    at_line_start: bool
    opens_block: bool
