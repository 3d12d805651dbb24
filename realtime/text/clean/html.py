"""HTML in running text: tags, comments, entities."""

from __future__ import annotations

import html
import re
from html.entities import html5

from realtime.text.spans import Edit

# An attribute without a value must be one of those that have none: "x <y and z> w" is no tag.
_FLAGS = (
    "allowfullscreen|async|autofocus|autoplay|checked|controls|default|defer|disabled|download|hidden|inert"
    "|ismap|itemscope"
    "|loop|multiple|muted|nomodule|novalidate|open|playsinline|readonly|required|reversed|selected"
)
_VALUE = r"""(?:"[^"<>]{0,4000}"|'[^'<>]{0,4000}'|[^\s"'<>]{1,300})"""
_TAG = re.compile(
    r"(?<!<)<(?P<close>/?)(?P<name>[A-Za-z][A-Za-z0-9:._-]{0,40})"
    rf"(?:\s{{1,8}}(?:(?:{_FLAGS})(?![\w=-])|[A-Za-z_:@][\w:.-]{{0,60}}\s?=\s?{_VALUE})){{0,20}}"
    r"\s{0,8}/?>"
    r"|<[!?][A-Za-z\[][^<>]{0,300}>"
    r"|<\|[^<>|\n]{1,40}\|>",
    re.IGNORECASE,
)
# The beginning of a tag at the end of the text: with an attribute, or of a name that is nothing else.
_CUT_TAG = re.compile(
    r"(?<!<)<(?:"
    r"[A-Za-z][A-Za-z0-9:._-]{0,40}"
    rf"(?:\s{{1,8}}[A-Za-z_:@][\w:.-]{{0,60}}\s?=\s?{_VALUE}){{0,20}}"
    r"\s{1,8}[A-Za-z_:@][\w:.-]{0,60}=(?:\s?(?:\"[^\"<>]{0,4000}|'[^'<>]{0,4000}|[^\s\"'<>]{0,300}))?\"?'?/?"
    r"|/?(?:div|span|phoneme|prosody|strong|img|html|tbody|thead|script|iframe|href|say-as|break|emphasis)"
    r"|/[a-z][a-z0-9]{0,10})\s{0,8}\Z",
    re.IGNORECASE,
)
_HIDDEN = re.compile(r"<(script|style)\b[^<>]{0,500}>", re.IGNORECASE)
_HIDDEN_END = {name: re.compile(rf"</{name}\s{{0,8}}>", re.IGNORECASE) for name in ("script", "style")}
_ENTITY = re.compile(r"&(?:amp;)*(#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
# Elements that stand within a word or a sentence.
_INLINE = frozenset(
    "a abbr acronym b bdi bdo big cite code data del dfn em font i ins kbd mark q rp rt ruby s samp small"
    " span strike strong sub sup time tt u var wbr".split()
)
# Where one ends, a pause is heard.
_ITEMS = frozenset("dd dt li option td th".split())
_BLOCKS = frozenset(
    "address article aside blockquote body br button caption center details div dl fieldset figcaption"
    " figure footer form h1 h2 h3 h4 h5 h6 head header hr html iframe img input label legend main meta nav ol"
    " p picture pre section select source summary svg table tbody textarea tfoot thead title tr ul"
    " video audio canvas link script style template object embed noscript".split()
)
_ENDS = frozenset("caption figcaption h1 h2 h3 h4 h5 h6 p summary title tr".split())
_KNOWN = _INLINE | _ITEMS | _BLOCKS


def _hidden(text: str) -> list[tuple[int, int]]:
    """[start, end) of comments, and of scripts and styles with what is in them."""
    found: list[tuple[int, int]] = []
    at = 0
    while (start := text.find("<!--", at)) >= 0:
        end = text.find("-->", start + 4)
        if end < 0:
            found.append((start, start + 4))
            break
        found.append((start, end + 3))
        at = end + 3
    if "<s" not in text and "<S" not in text:
        return found
    at = 0
    endless: set[str] = set()
    for match in _HIDDEN.finditer(text):
        name = match.group(1).lower()
        if match.start() < at or name in endless:
            continue
        closing = _HIDDEN_END[name].search(text, match.end())
        if closing is None:
            endless.add(name)
            continue
        at = closing.end()
        found.append((match.start(), at))
    return _merged(found)


def _merged(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _pause(match: re.Match[str], last: str) -> str:
    """What is heard where a tag was, if more comes after it; `last` is the character before it."""
    name = (match["name"] or "").lower()
    if name in _INLINE or not last:
        return ""
    if match["close"] and (last.isalnum() or last in ")\"'"):
        if name in _ITEMS:
            return ", "
        if name in _ENDS:
            return ". "
    return " "


def tags(text: str) -> list[Edit]:
    """Tags and comments are left out, with a space or a pause where they part two words.

    A tag that touches a word, is none of HTML's and is not closed either, is a type parameter
    ("List<String>") and stays.
    """
    if "<" not in text:
        return []
    gone: list[tuple[int, int, re.Match[str] | None]] = [(start, end, None) for start, end in _hidden(text)]
    hidden = list(gone)
    skip = 0
    matches = list(_TAG.finditer(text))
    closed = {match["name"] for match in matches if match["close"]}
    for match in matches:
        while skip < len(hidden) and hidden[skip][1] <= match.start():
            skip += 1
        if skip < len(hidden) and hidden[skip][0] < match.end():
            continue
        name = match["name"] or ""
        touches = match.start() > 0 and (text[match.start() - 1].isalnum() or text[match.start() - 1] == "_")
        if name and touches and name not in closed and name.lower() not in _KNOWN:
            continue
        gone.append((match.start(), match.end(), match))
    if cut := _CUT_TAG.search(text, text.rfind("<")):
        gone.append((cut.start(), cut.end(), None))
    gone.sort(key=lambda place: place[0])
    final = gone[-1][1] if gone else 0  # after it nothing is left to say
    for at in range(len(gone) - 1, -1, -1):
        following = gone[at + 1][0] if at + 1 < len(gone) else len(text)
        final = gone[at][0]
        if any(map(str.isalnum, text[gone[at][1] : following])):
            final = gone[at][1]
            break
    found: list[Edit] = []
    last, done = "", 0
    for start, end, tag in gone:
        before = text[done:start].rstrip()
        last = before[-1] if before else last
        spoken = ""
        if end <= final:
            spoken = _pause(tag, last) if tag else " "
        if spoken.strip():
            last = spoken[0]
        found.append(Edit(start, end, spoken))
        done = end
    return found


def tag_signs(text: str) -> list[Edit]:
    """Tags without their angle brackets: those of code, whose names are to be said, and type parameters."""
    found: list[Edit] = []
    for match in _TAG.finditer(text):
        if match["name"]:
            start, end = match.span()
            closing = end - (2 if text[end - 2] == "/" else 1)
            before = start > 0 and text[start - 1].isalnum()
            after = end < len(text) and text[end].isalnum()
            found.append(Edit(start, match.start("name"), " " if before else ""))
            found.append(Edit(closing, end, " " if after else ""))
    return found


def entities(text: str) -> list[Edit]:
    """Entities become what they stand for, which is not markup any more; "AT&T" has none."""
    if "&" not in text or ";" not in text:
        return []
    found: list[Edit] = []
    for match in _ENTITY.finditer(text):
        name = f"{match.group(1)};"
        if name[0] == "#" or name in html5:
            spoken = html.unescape(f"&{name}")
            found.append(Edit(match.start(), match.end(), spoken, settled=True))
    return found
