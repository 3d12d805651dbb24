"""What people type, as English says it: "Ctrl+C", "Settings > Privacy", "C:\\Users", "v2", "x**2"."""

from __future__ import annotations

import re

from realtime.text.normalize.base import Rule
from realtime.text.normalize.english.letters import code_number, say_name
from realtime.text.normalize.english.matches import after, before
from realtime.text.normalize.english.words import cardinal, digits, letters, version
from realtime.text.spans import Edit

_KEYS = {
    "ctrl": "Control",
    "cmd": "Command",
    "alt": "Alt",
    "opt": "Option",
    "esc": "Escape",
    "del": "Delete",
    "win": "Windows",
    "fn": "Function",
}
_KEY = (
    r"(?:[Cc]trl|CTRL|[Cc]md|CMD|[Aa]lt|ALT|[Oo]pt|[Oo]ption|[Ss]hift|SHIFT|Control|Command|Win|Windows|Fn)"
)


def _chord(match: re.Match[str]) -> str:
    """Keys that are pressed together: "Ctrl+Shift+T"."""
    said: list[str] = []
    for key in re.split(r"[+-]", match[0]):
        if len(key) == 1:
            said.append(code_number(key) if key.isdecimal() else letters(key))
        else:
            said.append(_KEYS.get(key.lower()) or say_name(key.capitalize() if key.isupper() else key))
    words = " ".join(said)
    return words[:-1] if words.endswith(".") and after(match, 1) == "." else words


def _menu(match: re.Match[str]) -> list[Edit] | None:
    """ "Settings > Privacy": a way through menus; between numbers and in conditions it is a sign."""
    if _CONDITION.search(before(match, 32)):
        return None
    return [Edit(match.start(), match.end(), ", ")]


def _windows_path(match: re.Match[str]) -> str:
    """ "C:\\Users\\me": a drive and its folders."""
    text = match[0].rstrip(".")
    folders = [say_name(part) for part in text[2:].split("\\") if part]
    said = f"{letters(text[0])} colon" + "".join(f" backslash {folder}" for folder in folders)
    stop = "." if match[0].endswith(".") and not said.endswith(".") else ""
    return said + (stop if folders else " backslash" + stop)


def _version(match: re.Match[str]) -> str:
    """ "v2", "v1.0.0-beta.2"."""
    said = f"version {version(match['number'])}"
    stage = match["stage"]
    if stage is None:
        return said
    name = letters(stage).rstrip(".") if stage == "rc" else stage
    return f"{said} {name}" + (f" {cardinal(match['count'])}" if match["count"] else "")


def _order(match: re.Match[str]) -> str:
    """ "#A-10482", "#12-345": the number of an order or a case."""
    said = []
    for part in re.findall(r"\d+|[A-Za-z]+", match["code"]):
        said.append(
            (digits(part, "oh") if len(part) > 2 else code_number(part))
            if part.isdecimal()
            else letters(part)
        )
    words = " ".join(said)
    return f"number {words[:-1] if words.endswith('.') and after(match, 1) == '.' else words}"


def _loopback(match: re.Match[str]) -> str:
    """ "::1", and other addresses of the sixth version of IP."""
    said = []
    for part in re.findall(r"::|:|[0-9A-Fa-f]+", match[0]):
        if part == "::":
            said.append("colon colon")
        elif part == ":":
            said.append("colon")
        else:
            said += [digits(each) if each.isdecimal() else letters(each) for each in part]
    words = " ".join(said)
    return words[:-1] if words.endswith(".") and after(match, 1) == "." else words


def _power(match: re.Match[str]) -> str:
    del match
    return " to the power of "


def _number_sign(match: re.Match[str]) -> str:
    del match
    return "number"


_CHORD = re.compile(
    rf"(?<![\w+])(?:{_KEY}[+-]){{1,3}}(?:[A-Za-z\d](?!\w)|[A-Z][a-z]{{1,8}}|F\d{{1,2}})(?![\w+-])"
)
_MENU = re.compile(r"(?<=[A-Za-z\d)\u2026]{2}) (?:>|\u203a|\u00bb) (?=[A-Za-z]{2}|\")")
#: Before these it compares.
_CONDITION = re.compile(
    r"(?:\b(?:[Ii]f|IF|[Ww]hile|[Ww]here|WHERE|[Ww]hen|assert|and|or)\b[^>,]{0,24}|(?<!\w)\d[\d.,]*)$"
)
_WINDOWS_PATH = re.compile(r"(?<![\w\\])[A-Za-z]:\\(?:[\w.~() -]{1,40}\\){0,12}[\w.~-]{0,60}(?![\w\\])")
_VERSION = re.compile(
    r"(?<![\w.])v(?P<number>\d{1,4}(?:\.\d{1,4}){0,4})(?:-(?P<stage>alpha|beta|rc|dev|preview)"
    r"(?:[.-]?(?P<count>\d{1,4}))?)?(?![\w-]|\.\w)"
)
_ORDER = re.compile(
    r"(?<![\w#&])#(?P<code>(?:[A-Z]{1,4}-?\d{2,10}|\d{2,8}-\d{2,10}|\d{2,8}-?[A-Z]{1,4}(?!\w))"
    r"(?:-[A-Z\d]{1,10}){0,3})"
    r"(?![\w-])"
)
_HEX_COLOR = re.compile(r"[0-9A-Fa-f]{6}")
_LOOPBACK = re.compile(
    r"(?<![\w:.])(?:::1|(?:[0-9A-Fa-f]{1,4}:){1,7}:(?:[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){0,6})?|"
    r"(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4})(?![\w:/])"
)
_POWER = re.compile(r"(?<=[\w)\]]) ?\*\* ?(?=[\w(-])")
_NUMBER_SIGN = re.compile(r"(?<![\w#])#(?=:)")


def _order_number(match: re.Match[str]) -> str | None:
    return None if _HEX_COLOR.fullmatch(match.string, match.start() + 1, match.end()) else _order(match)


_SERIES = re.compile(r"(?<![\w.,])(\d{1,3})\.x(?!\w)")


def _series(match: re.Match[str]) -> str:
    """ "2.x", the releases of a major version."""
    return f"{cardinal(match[1])} point X"


#: Before addresses are read, and after them.
FIRST_RULES = (
    Rule(_WINDOWS_PATH, _windows_path, "\\"),
    Rule(_ORDER, _order_number, "#"),
    Rule(_LOOPBACK, _loopback, ":"),
)
RULES = (
    Rule(_CHORD, _chord, "+-"),
    Rule(_MENU, _menu, ">\u203a\u00bb"),
    Rule(_VERSION, _version, "v"),
    Rule(_SERIES, _series, "x"),
    Rule(_POWER, _power, "*"),
    Rule(_NUMBER_SIGN, _number_sign, "#"),
)
