"""Markdown that has a shape of its own: code spans, escapes, links, notes, and what begins a line.

Marks that are told by their neighbours alone (emphasis and the like) are left to `marks`.
"""

from __future__ import annotations

import re

from realtime.text.spans import Edit

_TICKS = re.compile(r"`+")
# A backtick for an apostrophe: "don`t" is never code, the others are not if nothing closes it.
_NOT = re.compile(r"(?<=[nN])`(?=[tT](?![A-Za-z]))")
_CONTRACTED = re.compile(r"(?:s|t|m|d|re|ve|ll)(?![A-Za-z])")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")

_AUTOLINK = re.compile(
    r"<((?:[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s<>]{1,2000})|(?:mailto:)?[\w.+-]{1,64}@[\w.-]{1,200})>"
)
_DESTINATION = re.compile(
    r"\(\s{0,4}(?:<[^<>\n]{0,2000}>|[^\s()<>]{0,2000}(?:\([^\s()<>]{0,500}\)[^\s()<>]{0,1000}){0,3})"
    r"(?:\s{1,4}(?:\"[^\"\n]{0,500}\"|'[^'\n]{0,500}'|\([^()\n]{0,500}\)))?\s{0,4}\)"
)
_CUT_DESTINATION = re.compile(r"\((?:https?://|www\.|mailto:)[^\s()]{0,2000}\s{0,4}\Z")
_NUMBERS = re.compile(r"[1-9][0-9]{0,2}(?:\s?[,;\u2013-]\s?[1-9][0-9]{0,2}){0,9}")
# After these and before those, [1, 2] is a value or a part of the sentence, and no mark of a source.
_VALUE_BEFORE = re.compile(
    r"(?:[=:,;+*/<>(\[-]|\b(?:is|are|arrays?|lists?|interval|range|vector|set|tuple|see|in|refs?|references?"
    r"|sources?|returns?|gives|prints?|from|to|of|and|or|with|by))\s{1,4}\Z",
    re.IGNORECASE,
)
_VALUE_AFTER = re.compile(r"\s?(?:=|\[(?![1-9])|[+*/%<>]\s?\w)|\.[a-z_]|\(")
# Directly before: a name of code ("argv[1]", "my_list[2]", "rowData[3]", "x[1]"), or a value ("= top[1]").
_CODE_NAME = re.compile(
    r"(?<!\w)(?:args?|argv|kwargs|arr|ary|nums|vals|vec|buf|ptr|idx|tmp|elems?|params|items|dict|obj|mat|df|lst"
    r"|[b-z]|\w{0,40}_\w{0,40}|[a-z]{1,20}[A-Z]\w{0,20})\Z|[=+*/<>%]\s?\w{1,40}\Z|\w[.(]\w{1,40}\Z"
)
_SOURCE_MARK = re.compile(
    "\u3010[^\u3010\u3011\n]{0,80}\u2020[^\u3010\u3011\n]{0,80}\u3011|\ue200[^\ue200\ue201\n]{0,300}\ue201"
)

_PREFIX = re.compile(
    r"[ \t]*(?:"
    r">(?![=\d])[ \t]?"
    r"|[-*+\u2022\u2023\u25e6\u25aa\u25ab\u25cf\u25cb\u25a0\u25a1\u2043\u00b7](?:[ \t]+|(?=\n|\Z))"
    r"|#{1,6}(?:[ \t]+|(?=\n|\Z))"
    r"|\[[ xX]\][ \t]+"
    r"|(?P<number>\d{1,9}[.)][ \t]+)(?=\[[ xX]\][ \t])"
    r")"
)
_RULE = re.compile(r"[ \t]*(?:[-*_=~+#|\u2500\u2501\u2550\u2014\u2013][ \t]*){3,}(?=\n|\Z)")
_DEFINITION = re.compile(
    r"[ \t]*\[[^\[\]\n^][^\[\]\n]{0,200}\]:[ \t]*"
    r"(?:<[^<>\n]{1,2000}>|[A-Za-z][A-Za-z0-9+.-]{1,20}:[^\s]{2,2000}|(?:\./|\.\./|/|#)[^\s]{1,2000}"
    r"|[\w-]{2,60}(?:\.[\w-]{2,60}){1,8}(?:/[^\s]{0,2000})?)"
    r"(?:[ \t]+(?:\"[^\"\n]{0,500}\"|'[^'\n]{0,500}'|\([^()\n]{0,500}\)))?[ \t]*(?=\n|\Z)"
)
_LINE_SIGNS = frozenset(
    ">-*+#=_~|[\u2022\u2023\u25e6\u25aa\u25ab\u25cf\u25cb\u25a0\u25a1\u2043\u00b7\u2500\u2501\u2550\u2014\u2013"
)


def code_spans(text: str) -> list[Edit]:
    """Backticks go; what stands between two runs of as many is settled: it is no markdown."""
    if "`" not in text:
        return []
    found = [Edit(match.start(), match.end(), "'") for match in _NOT.finditer(text)]
    apostrophes = {edit.start for edit in found}
    runs = [match.span() for match in _TICKS.finditer(text) if match.start() not in apostrophes]
    partner: list[int | None] = [None] * len(runs)
    seen: dict[int, int] = {}
    for index in range(len(runs) - 1, -1, -1):
        length = runs[index][1] - runs[index][0]
        partner[index] = seen.get(length)
        seen[length] = index
    index = 0
    while index < len(runs):
        start, end = runs[index]
        close = partner[index]
        if close is None:
            quote = end - start == 1 and start and text[start - 1].isalpha() and _CONTRACTED.match(text, end)
            found.append(Edit(start, end, "'" if quote else ""))
            index += 1
            continue
        until, after = runs[close]
        found += [
            Edit(start, end, ""),
            Edit(end, until, text[end:until], settled=True),
            Edit(until, after, ""),
        ]
        index = close + 1
    return sorted(found, key=lambda edit: edit.start)


def escapes(text: str) -> list[Edit]:
    """A backslash before a punctuation mark goes, and the mark is settled."""
    if "\\" not in text:
        return []
    found: list[Edit] = []
    for match in _ESCAPE.finditer(text):
        start, end = match.span()
        found += [Edit(start, start + 1, ""), Edit(start + 1, end, match.group(1), settled=True)]
    return found


def autolinks(text: str) -> list[Edit]:
    """<https://example.com> without its brackets."""
    if "<" not in text:
        return []
    found: list[Edit] = []
    for match in _AUTOLINK.finditer(text):
        found += [Edit(match.start(), match.start(1), ""), Edit(match.end(1), match.end(), "")]
    return found


def source_marks(text: str) -> list[Edit]:
    """What chat models put where a source is named, in brackets or characters that nobody else uses."""
    return [Edit(match.start(), match.end(), "") for match in _SOURCE_MARK.finditer(text)]


def links(text: str) -> list[Edit]:
    """Links and images become their text; notes and numbers of sources go.

    Also of a link of which only the beginning or the end is in the text.
    """
    found: list[Edit] = []
    if "[" not in text and "]" not in text:
        return found
    opened: list[int] = []
    pairs: dict[int, int] = {}
    loose: list[int] = []
    for match in re.finditer(r"[\[\]]", text):
        if match.group() == "[":
            opened.append(match.start())
        elif opened:
            pairs[opened.pop()] = match.start()
        else:
            loose.append(match.start())
    if opened or loose:
        found += _broken(text, opened, loose)
    cited = 0  # where the last reference ended
    for start in sorted(pairs):
        edits = _bracket(text, start, pairs, cited)
        found += edits
        if len(edits) == 1:
            cited = edits[0].end
    # What is within something that is gone goes with it.
    found.sort(key=lambda edit: (edit.start, -edit.end))
    kept: list[Edit] = []
    for edit in found:
        if not kept or edit.start >= kept[-1].end:
            kept.append(edit)
    return kept


def _bracket(text: str, start: int, pairs: dict[int, int], cited: int) -> list[Edit]:
    """What becomes of text[start] == "[" and its partner; a reference to a source ended at `cited`."""
    end = pairs[start]
    after = end + 1
    before = text[start - 1] if start else ""
    if text[start + 1] == "^" and 1 < end - start - 1 <= 60 and not re.search(r"\s", text[start:end]):
        return [Edit(start, after + (text[after : after + 1] == ":" and _begins_note(text, start)), "")]
    first = start - 1 if before == "!" else start
    destination = _DESTINATION.match(text, after) or _CUT_DESTINATION.match(text, after)
    coded = before.isascii() and (before.isalnum() or before in "_)]") and start > 0
    if destination and not (coded and not re.search(r"[/.:#]", destination.group())):
        return [Edit(first, start + 1, ""), Edit(end, destination.end(), "")]
    numbers = _NUMBERS.fullmatch(text, start + 1, end)
    if numbers and cited and start - cited <= 3 and not text[cited:start].strip(" ,;"):
        return [Edit(cited, after, "")]
    if numbers and (before != "]") and _is_reference(text, start, after):
        space = start
        while space and text[space - 1] in " \t" and text[after : after + 1] in ("", ".", ",", ";", "!", "?"):
            space -= 1
        return [Edit(space, after, "")]
    if after in pairs and not coded and end > start + 1 and not numbers and pairs[after] - after <= 100:
        return [Edit(first, start + 1, ""), Edit(end, pairs[after] + 1, "")]
    return []


def _begins_note(text: str, start: int) -> bool:
    near = text[max(0, start - 20) : start]
    return not near[near.rfind("\n") + 1 :].strip()


def _is_reference(text: str, start: int, after: int) -> bool:
    """Whether the numbers in brackets there refer to a source: they stand after a word, and are no value."""
    near = text[max(0, start - 24) : start]
    if _CODE_NAME.search(near):
        return False
    if not near.strip() or _VALUE_AFTER.match(text, after) or _VALUE_BEFORE.search(near):
        return False
    last = near.rstrip(" \t")[-1:]
    if not (last.isalnum() or last in ".,;:!?)\"'\u201d\u2019\u3002\uff0c]*_"):
        return False
    if near[-1] not in " \t":
        return True
    return text[after : after + 1] in ("", ".", ",", ";", "!", "?") or not re.search(
        r"[,;]", text[start:after]
    )


def _broken(text: str, opened: list[int], loose: list[int]) -> list[Edit]:
    """Brackets without a partner: the beginning of a link, or its end."""
    found: list[Edit] = []
    for at in loose:
        destination = _DESTINATION.match(text, at + 1) or _CUT_DESTINATION.match(text, at + 1)
        if destination:
            found.append(Edit(at, destination.end(), ""))
    for at in opened:
        if at + 1 < len(text) and not text[at + 1].isspace() and ")" not in text[at : at + 200]:
            found.append(Edit(at - 1 if at and text[at - 1] == "!" else at, at + 1, ""))
    return found


def lines(text: str, at_line_start: bool) -> list[Edit]:
    """What begins lines: signs of headings, lists, quotes; rules and definitions of links go as a whole."""
    found: list[Edit] = []
    start = 0 if at_line_start else text.find("\n") + 1
    if start == 0 and not at_line_start:
        return found
    while True:
        first = start
        while first < len(text) and text[first] in " \t":
            first += 1
        if first < len(text) and (text[first] in _LINE_SIGNS or text[first].isdigit()):
            found += _line(text, start)
        start = text.find("\n", first) + 1
        if not start:
            return found


def _line(text: str, start: int) -> list[Edit]:
    if whole := _RULE.match(text, start) or _DEFINITION.match(text, start):
        return [Edit(whole.start(), whole.end(), "")]
    found: list[Edit] = []
    while match := _PREFIX.match(text, start):
        start = match.end()
        if match["number"] is None:
            found.append(Edit(match.start(), start, ""))
    return found
