"""TeX formulas in running text: the delimiters go, and commands that are a sign become the sign."""

from __future__ import annotations

import re
import unicodedata

from realtime.text.spans import Edit

_GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau"
    " upsilon phi chi psi omega"
).split()


def _greek() -> dict[str, str]:
    letters = {}
    for name in _GREEK:
        official = name.replace("lambda", "lamda").upper()
        letters[name] = unicodedata.lookup(f"GREEK SMALL LETTER {official}")
        letters[name.capitalize()] = unicodedata.lookup(f"GREEK CAPITAL LETTER {official}")
    return letters


_SIGNS = _greek() | {
    "times": "\u00d7",
    "cdot": "\u00d7",
    "ast": "\u00d7",
    "div": "\u00f7",
    "pm": "\u00b1",
    "le": "\u2264",
    "leq": "\u2264",
    "ge": "\u2265",
    "geq": "\u2265",
    "lt": "<",
    "gt": ">",
    "ne": "\u2260",
    "neq": "\u2260",
    "approx": "\u2248",
    "sim": "\u2248",
    "infty": "\u221e",
    "circ": "\u00b0",
    "to": "\u2192",
    "rightarrow": "\u2192",
    "Rightarrow": "\u2192",
    "implies": "\u2192",
    "in": "\u2208",
    "ldots": "...",
    "dots": "...",
    "cdots": "...",
    "sqrt": "\u221a",
    "varepsilon": "\u03b5",
    "varphi": "\u03c6",
}
#: Commands that say how something looks.
_LOOKS = frozenset(
    "left right big Big bigg Bigg text textbf textit textrm mathrm mathbf mathbb mathcal mathit mathsf"
    " operatorname boxed displaystyle limits quad qquad begin end frac dfrac tfrac".split()
)
# A dollar opens a formula when no space follows it, and closes one when none is before it and no digit after.
_DOLLARS = re.compile(
    r"(?<!\$)\$\$(?P<block>[^$]{1,2000})\$\$(?!\$)"
    r"|(?<![\\$\w])\$(?P<line>[^\s$](?:[^$\n]{0,300}[^\s$\\])?)\$(?!\$)"
)
_TEXT = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{3,}(?![A-Za-z(])")
_SIGN = re.compile(r"[\\^_={}<>+*/]")
_NAME = re.compile(r"[A-Za-z]{1,2}'?|[A-Za-z]\([A-Za-z]\)|-?\d{1,9}")
_FRACTION = re.compile(r"\\[dt]?frac\s?\{([^{}]{1,100})\}\s?\{([^{}]{1,100})\}")
_ENVIRONMENT = re.compile(r"\\(begin|end)\{[A-Za-z]{1,20}\*?\}")
_COMMAND = re.compile(
    r"\\(?:begin|end)\{[A-Za-z]{1,20}\*?\}|\\(?:([A-Za-z]{1,20})|([,;:!> ])|([%$#&_]))|\\\\|[{}&]"
)


def _is_formula(inside: str, following: str) -> bool:
    """Whether what stands between two dollars is mathematics: "5 and 10" is money, "HOME/" the shell's."""
    if following.isdigit():
        return False
    if _NAME.fullmatch(inside):
        return True
    return not following.isalnum() and (
        "\\" in inside or (bool(_SIGN.search(inside)) and not _TEXT.search(inside))
    )


_Place = tuple[int, int, int, int]


def _environments(text: str) -> list[_Place]:
    """The same for environments; one that is not closed, or was not opened, has nothing within."""
    found: list[_Place] = []
    opened: re.Match[str] | None = None
    for match in _ENVIRONMENT.finditer(text):
        if match.group(1) == "begin":
            if opened is not None:
                found.append((*opened.span(), opened.end(), opened.end()))
            opened = match
        elif opened is not None:
            found.append((*opened.span(), *match.span()))
            opened = None
        else:
            found.append((*match.span(), match.end(), match.end()))
    if opened is not None:
        found.append((*opened.span(), opened.end(), opened.end()))
    return found


def _pairs(text: str) -> list[_Place]:
    r"""[start, end) of the delimiters \( and \), \[ and \] around each formula."""
    found: list[_Place] = []
    for opening, closing in (("\\(", "\\)"), ("\\[", "\\]")):
        at = 0
        while (start := text.find(opening, at)) >= 0 and (end := text.find(closing, start + 2)) >= 0:
            at = end + 2
            inside = text[start + 2 : end]
            # "\[1\]" is a bracket that shall not be taken for a link.
            if opening == "\\(" or _SIGN.search(inside):
                found.append((start, start + 2, end, at))
    return found


def formulas(text: str) -> list[Edit]:
    """Delimiters and the commands between them; what remains is left to later passes, but is no markdown."""
    if "$" not in text and "\\" not in text:
        return []
    places = _pairs(text) + _environments(text) if "\\" in text else []
    if "$" in text:
        for match in _DOLLARS.finditer(text):
            if match["block"] or _is_formula(match["line"], text[match.end() : match.end() + 1]):
                start, end = match.span("block" if match["block"] else "line")
                places.append((match.start(), start, end, match.end()))
    found: list[Edit] = []
    done = 0
    for start, first, last, end in sorted(places):
        if start < done:
            continue
        done = end
        found.append(Edit(start, first, ""))
        found += _inside(text, first, last)
        if end > last:
            found.append(Edit(last, end, ""))
    return found


def _inside(text: str, start: int, end: int) -> list[Edit]:
    edits: list[Edit] = []
    for match in _FRACTION.finditer(text, start, end):
        edits.append(Edit(match.start(), match.start(1), ""))
        edits.append(Edit(match.end(1), match.start(2), "/"))
        edits.append(Edit(match.end(2), match.end(), ""))
    taken = {at for edit in edits for at in range(edit.start, edit.end)}
    for match in _COMMAND.finditer(text, start, end):
        if match.start() in taken:
            continue
        name, space, sign = match.groups()
        first, last = match.span()
        if name in _SIGNS:
            edits.append(Edit(first, last, _SIGNS[name]))
        elif name and name not in _LOOKS:
            edits.append(Edit(first, first + 1, ""))
        elif sign:
            edits.append(Edit(first, first + 1, ""))
        else:
            edits.append(Edit(first, last, " " if space or match.group() in ("&", "\\\\") else ""))
    return sorted(edits, key=lambda edit: edit.start)
