"""Takes out of a text what cannot be said: markdown, HTML, emoji, control characters.

Each theme is a function from a text to edits (`markdown`, `html`, `formula`, `emoji`, `characters`, `marks`);
here they are tried one after another, until nothing changes any more.
"""

from __future__ import annotations

import re

from realtime.text.clean import characters, html, marks, table
from realtime.text.clean.draft import Draft
from realtime.text.clean.emoji import emoticons
from realtime.text.clean.formula import formulas
from realtime.text.clean.markdown import autolinks, code_spans, escapes, lines, links, source_marks
from realtime.text.spans import Edit

#: What one pass sets free ("&amp;lt;b&amp;gt;") the next one takes; no more of them than this.
_MOST_ROUNDS = 4

# What may have to be cleaned. Most sentences have none of it, and are done when it is not found: anything but
# letters, digits and usual punctuation; letters that are others in disguise; doubled marks; the beginnings of
# lists, entities and emoticons.
_SUSPECT = re.compile(
    "[^-\\w \n.,!?;:'\"()/%$+&\u20ac\u00a3\u2014\u2013\u2026\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb"
    "\u00bf\u00a1\u00b0\u3002\uff0c\u3001\uff01\uff1f\uff1a\uff1b"
    "\u300c\u300d\u300e\u300f\uff08\uff09\u300a\u300b]"
    "|[_\u2100-\u214f\u2160-\u217f\u2460-\u24ff\ufb00-\ufb06\U0001d400-\U0001d7ff\U0001f100-\U0001f149]"
    "|(?P<twice>[,!?;:'\"%&$+/\u3002\uff0c\u3001\uff01\uff1f\u2013-])"
    "(?P=twice)"
    "|\\.{4}|\u2026{3}|\u2014{3}|\\({3}|\\(\\s{0,8}\\)|\uff08\\s{0,8}\uff09|\\){4}"
    "|[!?\uff01\uff1f][!?\uff01\uff1f]{2}"
    "|&(?=[#A-Za-z])|\\$(?!\\d)"
    "|[:;][-'()/$DPpOoSs](?!\\w)|[:;][-o']|\\([:;-]|xD|\\s[,.;](?!\\S)"
    "|\n\\s{0,16}[-+>#]|\\A\\s{0,16}[-+](?=\\s)"
)
_SAYABLE = re.compile(r"[^\W_]")


def clean(text: str, at_line_start: bool) -> list[Edit]:
    """What of a segment of running text is not said as it stands; ordered and disjoint.

    `at_line_start`: the text begins a line, so that "- " or "# " there is markup. Everything is left out when
    no letter or digit would remain. The result may hold runs of space. A mark whose partner is in another
    segment goes too. Links become their text; code spans, the names of tags in them and formulas are read.
    What is clean stays as it is, but for what a code span, an escape or an entity has set free.
    """
    if _SUSPECT.search(text) is None:
        return [] if _SAYABLE.search(text) else _all(text)
    draft = Draft(text)
    for _ in range(_MOST_ROUNDS):
        before = draft.text
        _round(draft, at_line_start)
        if draft.text == before or _SUSPECT.search(draft.text) is None:
            break
    return draft.edits() if _SAYABLE.search(draft.text) else _all(text)


def clean_table(text: str) -> list[Edit]:
    """Rows of a markdown table: cells are read one after another with commas, a row ends like a sentence.

    The line of dashes is left out, and so is an empty cell. The text may grow by two characters a cell.
    """
    draft = Draft(text)
    draft.apply(table.rules(text))
    for _ in range(_MOST_ROUNDS):
        before = draft.text
        _round(draft, at_line_start=False, in_table=True)
        if draft.text == before:
            break
    draft.apply(table.rows(draft), even_settled=True)
    draft.apply(marks.marks(draft.text), even_settled=True)
    return draft.edits() if _SAYABLE.search(draft.text) else _all(text)


_FENCE = re.compile(r"^[ \t]{0,16}(?:`{3,}|~{3,})[^\n]*(?:\n|\Z)", re.MULTILINE)
_COMMENT = re.compile(
    r"^[ \t]{0,200}(?:#+!?|//+|/\*+|\*+/?|--+|%+|;+)(?=\s)|/\*{1,40}|(?<!\*)\*{1,40}/|<!--|-->"
    r"|(?<![{};])[{};]{1,40}[ \t]{0,40}(?=\n|\Z)",
    re.MULTILINE,
)
_LINE_END = re.compile(r"(?<=[^\s.,;:!?])[ \t]{0,40}\n(?=\s{0,200}\S)")


def clean_code(text: str) -> list[Edit]:
    """Lines of a fenced block, to be read: without fences and signs of comments, lines end with a comma."""
    draft = Draft(text)
    draft.apply([Edit(match.start(), match.end(), "") for match in _FENCE.finditer(text)])
    draft.apply(characters.edits(draft.text))
    draft.apply([Edit(match.start(), match.end(), "") for match in _COMMENT.finditer(draft.text)])
    if "<" in draft.text:
        draft.apply(html.tag_signs(draft.text))
    for _ in range(_MOST_ROUNDS):
        before = draft.text
        draft.apply(marks.marks(before))
        if draft.text == before:
            break
    ends: list[Edit] = []
    for match in _LINE_END.finditer(draft.text):
        if match.end() - match.start() > 1:
            ends.append(Edit(match.start(), match.end() - 1, ""))
        ends.append(Edit(match.end() - 1, match.end(), ", "))
    draft.apply(ends)
    return draft.edits() if _SAYABLE.search(draft.text) else _all(text)


def _round(draft: Draft, at_line_start: bool, in_table: bool = False) -> None:
    """Every theme once. Code comes first: what stands in it is nothing but itself; the marks come last."""
    draft.apply(code_spans(draft.text))
    draft.apply(emoticons(draft.text))
    draft.apply(source_marks(draft.text))
    draft.apply(characters.edits(draft.text), even_settled=True)
    draft.apply(formulas(draft.text))
    draft.apply(autolinks(draft.text))
    draft.apply(html.tags(draft.text))
    draft.apply(escapes(draft.text))
    draft.apply(html.entities(draft.text))
    if not in_table:
        draft.apply(lines(draft.text, at_line_start))
    draft.apply(links(draft.text))
    if "<" in draft.text:
        draft.apply(html.tag_signs(draft.text), even_settled=True)
    draft.apply(marks.marks(draft.text, pipes=not in_table), even_settled=True)


def _all(text: str) -> list[Edit]:
    return [Edit(0, len(text), "")] if text else []
