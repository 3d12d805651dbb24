"""Rules for words and signs that European languages share: abbreviations, addresses, acronyms, "&"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TypeVar

from realtime.text.normalize.base import Rule
from realtime.text.normalize.european.numbers import GAP, SPACES, Conventions, Numerals, words_before
from realtime.text.spans import Edit

#: After a word, a unit or a number: nothing that would make it part of something longer.
END = r"(?!\w)"
#: After a unit: it is no word that was shortened ("5 l'ho", "5 m'a").
UNIT_END = r"(?!\w|['\u2019]\w)"
_CLOSING = re.compile(r"[\s\"'»“”’)\]]*")
_Value = TypeVar("_Value")
_HOST = r"[\w-]{1,63}"
_PATH = r"[^\s<>\"«»“”()]"
#: Names without "www." or "http://" are addresses if they end in one of these.
_TOP = "(?:com|org|net|info|io|ai|dev|app|eu|de|fr|ru|es|it|pt|br|mx|at|ch|be|uk|edu|gov|рф)"

#: What the names of files end in.
_FILE = "(?:pdf|docx?|xlsx?|txt|csv|json|jpe?g|png|zip|py|js|html?|mp3|mp4|exe|md|ya?ml|xml)"


def any_of(written: Iterable[str]) -> str:
    """A regular expression for one of these strings, the longest that fits; any space or none for a space."""
    found = (re.escape(each) for each in sorted(written, key=len, reverse=True))
    return "(?:" + "|".join(each.replace("\\ ", GAP) for each in found) + ")"


def key_of(written: str) -> str:
    """What was written without its spaces: the key of `by_key`."""
    return "".join(written.split())


def by_key(table: Mapping[str, _Value]) -> dict[str, _Value]:
    """A table whose keys have no spaces, for what `any_of` finds."""
    return {key_of(written): value for written, value in table.items()}


def stop_of(match: re.Match[str]) -> str:
    """The full stop that an abbreviation shares with its sentence: "." if one ends the match and the text."""
    if not match.group().endswith("."):
        return ""
    rest = _CLOSING.match(match.string, match.end())
    return "." if rest is not None and rest.end() == len(match.string) else ""


def in_parts(match: re.Match[str], *parts: tuple[str, str]) -> list[Edit]:
    """Edits for groups of a match, in order, with what is said for each; groups that touch become one.

    So that what is said for a number does not depend on how many words belong to it. Groups that took no
    part are left out; what is before the first group and after the last belongs to them.
    """
    edits: list[Edit] = []
    taken = [(match.start(group), match.end(group), said) for group, said in parts if match[group]]
    for start, end, said in taken:
        if edits and not match.string[edits[-1].end : start].isspace():
            edits[-1] = Edit(edits[-1].start, end, f"{edits[-1].spoken} {said}")
        else:
            edits.append(Edit(start, end, said))
    edits[0] = Edit(match.start(), edits[0].end, edits[0].spoken)
    edits[-1] = Edit(edits[-1].start, match.end(), edits[-1].spoken + stop_of(match))
    return edits


def like(match: re.Match[str], said: str) -> str:
    """With a capital at the beginning if what was written has one."""
    return said[:1].upper() + said[1:] if match.group()[:1].isupper() else said


def spelled(conventions: Conventions, text: str) -> str:
    """Letters, digits and signs by their names, with spaces between them."""
    parts: list[str] = []
    for character in text:
        upper = character.upper() if len(character.upper()) == 1 else character
        if character.isspace():
            continue
        if "0" <= character <= "9":
            parts.append(conventions.cardinal(int(character)))
        else:
            name = conventions.letter_names.get(upper)
            parts.append(conventions.sign_names.get(character, upper) if name is None else name)
    return " ".join(parts)


def table_rule(table: Mapping[str, str], after: str = "", any_case: bool = True) -> Rule:
    """Abbreviations of a table, spaces in them may be left out; `after`: a lookahead for what must follow."""
    spoken = by_key(table)
    any_spoken = {written.lower(): said for written, said in spoken.items()} if any_case else {}

    def say(match: re.Match[str]) -> str | None:
        key = key_of(match.group())
        said = spoken.get(key)
        if said is None:
            said = any_spoken.get(key.lower())
        if said is None:
            return None
        touches = match.string[match.end() : match.end() + 1].isalnum()
        return (like(match, said) if any_case else said) + stop_of(match) + " " * touches

    # A full stop or a sign ends an abbreviation whatever follows: "z.B.das", "n°5".
    pattern = rf"(?<![\w.@/-]){any_of(table)}(?:(?<!\w)|(?<=[ºª])(?=[0-9])|{END})(?![A-ZÀ-Þ]\.){after}"
    dots = all("." in written for written in table)
    return Rule(re.compile(pattern, re.IGNORECASE if any_case else re.NOFLAG), say, "." if dots else "")


def abbreviation_rules(conventions: Conventions) -> list[Rule]:
    """Abbreviations of all three kinds."""
    rules = []
    if conventions.before_number:
        rules.append(table_rule(conventions.before_number, rf"(?={GAP}[0-9])"))
    if conventions.before_name:
        rules.append(table_rule(conventions.before_name, rf"(?=[{SPACES}][A-ZÀ-ÞЀ-Я])", any_case=False))
    if conventions.abbreviations:
        rules.append(table_rule(conventions.abbreviations))
    return rules


def address_rules(numerals: Numerals) -> list[Rule]:
    """URLs, e-mail addresses, @user, #1 and #word."""
    conventions = numerals.conventions
    names = conventions.sign_names

    def address(match: re.Match[str]) -> str:
        written = match.group()
        bare = written.rstrip(".,;:!?'’")
        # Nobody says "www".
        shown = re.sub(r"^(?:https?://)?(?:www\.(?=\w))?", "", bare, flags=re.IGNORECASE).rstrip("/")
        parts: list[str] = []
        for part in re.findall(r"[0-9]+|[^\W\d_]+|.", shown):
            if part.isalpha():
                after_dot = bool(parts) and parts[-1] == names["."]
                if after_dot and part.lower() in conventions.top_names:
                    parts.append(conventions.top_names[part.lower()])
                else:
                    short = after_dot and len(part) == 2
                    parts.append(spelled(conventions, part) if short else part)
            elif part.isascii() and part.isdigit():
                parts.append(numerals.whole(part) if len(part) <= 2 else numerals.digits(part))
            else:
                parts.append(names.get(part, part))
        return " ".join(parts) + written[len(bare) :]

    def handle(match: re.Match[str]) -> str | None:
        name = match["name"]
        if match["sign"] == "#" and name.isascii() and name.isdigit():
            return f"{conventions.number_word} {numerals.whole(name)}"
        if not name[0].isalpha():
            return None
        said = names[match["sign"]]
        named = said.lower() in words_before(match.string, match.start())  # "the hashtag #word"
        return name if named else f"{said} {name}"

    return [
        Rule(re.compile(rf"(?:https?://|(?<![\w.@-])www\.){_PATH}{{1,1000}}", re.IGNORECASE), address, "./"),
        Rule(re.compile(rf"(?<![\w.+@-])[\w.+-]{{1,64}}@{_HOST}(?:\.{_HOST}){{1,8}}"), address, "@"),
        Rule(
            re.compile(
                rf"(?<![\w.@-]){_HOST}(?:\.{_HOST}){{0,4}}\.{_TOP}(?:[/?#]{_PATH}{{0,1000}})?(?![\w@-]|\.\w)"
            ),
            address,
            ".",
        ),
        Rule(re.compile(rf"(?<![\w.@/-])[\w-]{{1,64}}\.{_FILE}(?!\w|\.\w)"), address, "."),
        Rule(re.compile(r"(?<![\w@#&])(?P<sign>[@#])(?P<name>\w{1,64})"), handle, "@#"),
    ]


def acronym_rules(conventions: Conventions) -> list[Rule]:
    """Capitals that are to be spelled although they look like a word."""
    if not conventions.spelled:
        return []

    def say(match: re.Match[str]) -> str | None:
        return spelled(conventions, match.group()) if match.group() in conventions.spelled else None

    return [Rule(re.compile(r"(?<![\w-])[^\W\d_a-z]{2,6}(?!\w)"), say)]


def sign_rules(conventions: Conventions) -> list[Rule]:
    """Signs that stand between spaces or before a number: "&", "+", "=", "~5"."""

    def say(match: re.Match[str]) -> str:
        touches = match.end() < len(match.string) and not match.string[match.end()].isspace()
        return conventions.signs[match.group()] + " " * touches

    def power(match: re.Match[str]) -> str:
        touches = match.string[match.end() : match.end() + 1].isalnum()
        return f" {conventions.powers[match.group()]}" + " " * touches

    # "~5" has a sign of its own, "$5" that nothing has taken is better left.
    pattern = rf"(?<![^\s(\[„“«]){any_of(conventions.signs)}(?=\s|$|(?<=[~+\u2212±≈<>≤≥])[0-9])"
    divided = conventions.signs.get("÷", "")
    rules = [
        # The way through a menu: "Datei > Drucken".
        Rule(re.compile(r"(?<=[^\W\d_][^\W\d_]) >(?= [^\W\d_]{2})"), lambda match: ",", ">"),
        Rule(re.compile(r"(?<=[0-9] )[/:](?= [0-9]{1,9} ?=)"), lambda match: divided, "="),
        Rule(re.compile(pattern), say, "".join(conventions.signs)),
    ]
    if "+" in conventions.signs:  # UTC+1
        plus = f" {conventions.signs['+']} "
        rules.append(Rule(re.compile(r"(?<=[A-Z][A-Z])\+(?=[0-9])"), lambda match: plus, "+"))
    if "&" in conventions.signs:  # R&D
        rules.append(Rule(re.compile(r"(?<=\w)&(?=\w)"), lambda match: f" {conventions.signs['&']} ", "&"))
    if conventions.powers:
        rules.append(
            Rule(re.compile(rf"(?<=[\w)]){any_of(conventions.powers)}"), power, "".join(conventions.powers))
        )
    return rules
