"""A small subset of SSML inside running text: pauses, how to say a part of it, aliases, phonemes.

| tag | what it does |
|---|---|
| `<break time="500ms"/>`, `"1.5s"` | silence |
| `<break strength="weak"/>`, `<break/>` | silence of `STRENGTHS_MS`; medium without attributes |
| `<say-as interpret-as="...">` | one of `SAY_AS`; a date may have `format="mdy"`, "dmy" or "ymd" |
| `<sub alias="...">written</sub>` | the alias is said |
| `<phoneme alphabet="ipa" ph="...">word</phoneme>` | the word, with its pronunciation |
| other tags of SSML, and of names like `<amazon:effect>` | left out; what is in them is spoken |

Names are read in any case, values stand in double or single quotes and may hold entities. An element is read
when it is at most `MAX_ELEMENT` characters long with its tags; of nested ones the outer is read, and what is
in it taken as plain text. Everything else stays for the cleaning, which takes out the tags of HTML.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from realtime.text.normalize import reader
from realtime.text.normalize.base import Reader
from realtime.text.spans import Edit, MappedText, share

#: From the first character of the opening tag to the last of the closing one.
MAX_ELEMENT = 300
#: All breaks of a segment together.
MAX_PAUSE_MS = 10_000
#: Weak is the pause after a comma, medium that after a sentence.
STRENGTHS_MS: Mapping[str, int] = {
    "none": 0,
    "x-weak": 100,
    "weak": 200,
    "medium": 450,
    "strong": 800,
    "x-strong": 1200,
}
_READ = frozenset({"say-as", "sub", "phoneme"})
#: These end a word; the others may stand within one.
_SPACING = frozenset({"break", "p", "paragraph", "s", "sentence", "speak"})
# Linear: a tag ends at the next "<" at the latest, and each of its characters can be read in one way only.
_TAG = re.compile(
    r"<(/?)(break|say-as|sub|phoneme|emphasis|p|s|speak|prosody|voice|lang|paragraph|sentence|token|w|audio|mark"
    r"|desc|lookup|[a-z]{1,16}:[a-z-]{1,32})(?=[\s/>])"
    r"((?:[^<>\"'/]|/(?!>)|\"[^\"<]{0,256}\"|'[^'<]{0,256}'){0,300})(/?)>",
    re.IGNORECASE | re.ASCII,
)
_ATTRIBUTE = re.compile(
    r"([a-z][a-z:_-]{0,31})\s{0,16}=\s{0,16}(?:\"([^\"<]{0,256})\"|'([^'<]{0,256})')",
    re.IGNORECASE | re.ASCII,
)
_TIME = re.compile(
    r"\s{0,16}\+?(?=[0-9.])([0-9]{0,9}(?:\.[0-9]{1,9})?)(m?s)\s{0,16}", re.IGNORECASE | re.ASCII
)
_ANY_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,300}>")
_EMPHASIS = re.compile(r"([*_`~]{1,3})([^*_`~\s](?:[^*_`~]{0,280}[^*_`~\s])?)\1")
_WHOLE = re.compile(r"-?[0-9]{1,300}", re.ASCII)
_ORDINAL = re.compile(r"([0-9]{1,300})(?:\W{0,2}\w{0,4}\W?)")
_DIGITS = re.compile(r"[^\W_]{1,300}")
_TELEPHONE = re.compile(r"\+|[^\W_]{1,300}")
_DATE = re.compile(r"([0-9]{1,4})([/.-])([0-9]{1,2})\2([0-9]{1,4})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Marked:
    """What the markup of a segment asks for; all positions are characters of the text that was given.

    `edits` leave out the tags, and rewrite what is in them where they ask for it (then settled). `phonemes`:
    [start, end) of what stands between the tags, and its pronunciation in IPA. `pause_ms`: silence after the
    segment, at most `MAX_PAUSE_MS`; None when there is no break in it.
    """

    edits: tuple[Edit, ...] = ()
    phonemes: tuple[tuple[int, int, str], ...] = ()
    pause_ms: int | None = None


class _Content(NamedTuple):
    """What is between two tags: [start, end) without space at its ends, and how it reads without markup."""

    start: int
    end: int
    plain: str
    simple: bool  # it stands in the text as it reads


_NOTHING = Marked()


def read_markup(text: str, language: str) -> Marked:
    """What the tags in a segment's text ask for; `language` (ISO 639-1) reads what is in `<say-as>`.

    Never raises, and needs time that grows with the length of the text alone.
    """
    if "<" not in text:
        return _NOTHING
    tags = list(_TAG.finditer(text))
    pairs = _pairs(tags)
    edits: list[Edit] = []
    phonemes: list[tuple[int, int, str]] = []
    pauses: list[int] = []
    done = 0
    for number, tag in enumerate(tags):
        name = tag[2].lower()
        if name == "break" and not tag[1]:
            pause = _pause_ms(_attributes(tag))
            if pause is None:
                continue
            pauses.append(pause)
        if tag.start() < done:
            continue
        closing = pairs.get(number)
        content = _content(text, tag.end(), closing.start()) if closing is not None else None
        attributes = _attributes(tag)
        said = _said(text, name, attributes, content, language) if content is not None else None
        if closing is None or said is None:
            edits.append(Edit(tag.start(), tag.end(), _gap(text, tag, edits) if name in _SPACING else ""))
            continue
        edits += [Edit(*tag.span(), ""), *said, Edit(*closing.span(), "")]
        done = closing.end()
        if name == "phoneme" and content is not None:
            phonemes.append((content.start, content.end, attributes["ph"]))
    pause_ms = min(sum(pauses), MAX_PAUSE_MS) if pauses else None
    return Marked(tuple(edits), tuple(phonemes), pause_ms)


def _pairs(tags: list[re.Match[str]]) -> dict[int, re.Match[str]]:
    """The closing tag of each opening one, by its number, for the elements whose content is read."""
    pairs: dict[int, re.Match[str]] = {}
    opened: dict[str, list[int]] = {name: [] for name in _READ}
    for number, tag in enumerate(tags):
        name = tag[2].lower()
        if name not in _READ or tag[4]:
            continue
        if not tag[1]:
            opened[name].append(number)
        elif opened[name]:
            first = opened[name].pop()
            if tag.end() - tags[first].start() <= MAX_ELEMENT:
                pairs[first] = tag
    return pairs


def _gap(text: str, tag: re.Match[str], before: list[Edit]) -> str:
    """A space where two words would touch without the tag."""
    start, end = tag.span()
    if before and before[-1].end == start and before[-1].spoken == " ":
        return ""
    previous, following = text[start - 1 : start], text[end : end + 1]
    return " " if previous.strip() and following.strip() and following not in ".,;:!?" else ""


def _attributes(tag: re.Match[str]) -> dict[str, str]:
    return {
        name.lower(): _printable(html.unescape(double or single))
        for name, double, single in _ATTRIBUTE.findall(tag[3])
    }


def _printable(text: str) -> str:
    """With single spaces, and without what an entity may have brought in that cannot be said."""
    return "".join(character for character in " ".join(text.split()) if character.isprintable())


def _pause_ms(attributes: Mapping[str, str]) -> int | None:
    """The silence of a break; None when it is malformed. A time goes before a strength."""
    if "time" not in attributes:
        return STRENGTHS_MS.get(attributes.get("strength", "medium").lower())
    time = _TIME.fullmatch(attributes["time"])
    if time is None:
        return None
    return min(MAX_PAUSE_MS, round(float(time[1]) * (1 if time[2].lower() == "ms" else 1000)))


def _content(text: str, start: int, end: int) -> _Content | None:
    """What is between two tags; None when it is nothing but space."""
    written = text[start:end]
    bare = written.strip()
    start += len(written) - len(written.lstrip())
    if emphasis := _EMPHASIS.fullmatch(bare):  # the marks stay for the cleaning
        start += emphasis.start(2)
        bare = emphasis[2]
    plain = bare
    if "<" in bare or "&" in bare:
        plain = _printable(html.unescape(_ANY_TAG.sub(" " if "<break" in bare.lower() else "", bare)))
    return _Content(start, start + len(bare), plain, plain == bare) if plain else None


def _said(
    text: str, name: str, attributes: Mapping[str, str], content: _Content, language: str
) -> list[Edit] | None:
    """Settled edits for what is in an element; None to let it be spoken as if there were no tags."""
    said: str | list[Edit] | None
    if name == "sub":
        said = attributes.get("alias")
    elif name == "phoneme":
        known = attributes.get("alphabet", "ipa").lower() == "ipa" and attributes.get("ph")
        said = content.plain if known else None
    else:
        say = SAY_AS.get(attributes.get("interpret-as", "").lower())
        said = say(reader(language), content, attributes.get("format", "")) if say is not None else None
        said = said or None
    if said is None:
        return None
    if isinstance(said, str):
        said = share(text, content.start, content.end, said) if content.simple else [_whole(content, said)]
    return [replace(edit, settled=True) for edit in said]


def _whole(content: _Content, said: str) -> Edit:
    return Edit(content.start, content.end, said)


# What `<say-as>` can do: each gets the language's reader (None: a language that has none), and returns what
# is said, edits, or None to leave it.


def _spell(voice: Reader | None, content: _Content, _: str) -> str:
    if voice is None:
        return " ".join("".join(content.plain.split()))
    return voice.spell(content.plain)


def _digits(voice: Reader | None, content: _Content, _: str) -> str:
    return _groups(voice, _DIGITS.findall(content.plain))


def _telephone(voice: Reader | None, content: _Content, _: str) -> str:
    # "plus" goes with the digits after it.
    return _groups(voice, _TELEPHONE.findall(content.plain)).replace(
        ",", "", 1 if "+" in content.plain else 0
    )


def _groups(voice: Reader | None, groups: list[str]) -> str:
    return ", ".join(voice.spell(group) if voice is not None else " ".join(group) for group in groups)


def _cardinal(voice: Reader | None, content: _Content, _: str) -> str | list[Edit] | None:
    plain = content.plain.replace("\N{MINUS SIGN}", "-")
    if voice is not None and _WHOLE.fullmatch(plain):
        return voice.cardinal(plain)
    return _recognised(voice, content, "")


def _ordinal(voice: Reader | None, content: _Content, _: str) -> str | list[Edit] | None:
    plain = content.plain
    number = _ORDINAL.fullmatch(plain)
    if voice is None or number is None:
        return _recognised(voice, content, "")
    if plain.rstrip(".") != number[1]:  # a suffix may say more: "1\N{FEMININE ORDINAL INDICATOR}"
        edits = voice.edits(plain)
        if edits and edits[0].start == 0 and edits[-1].end == len(plain):
            return _recognised(voice, content, "")
    return voice.ordinal(number[1])


def _date(voice: Reader | None, content: _Content, form: str) -> str | list[Edit] | None:
    order = "".join(dict.fromkeys(filter(str.isalpha, form.lower())))
    date = _DATE.fullmatch(content.plain)
    if voice is not None and date is not None and sorted(order) == ["d", "m", "y"]:
        parts = dict(zip(order, (date[1], date[3], date[4]), strict=True))
        iso = f"{parts['y']}-{parts['m']:0>2}-{parts['d']:0>2}"
        said = _read_out(voice, iso)
        if said != iso:
            return said
    return _recognised(voice, content, "")


def _recognised(voice: Reader | None, content: _Content, _: str) -> str | list[Edit] | None:
    """As the language reads it in running text, as far as it knows it."""
    edits = voice.edits(content.plain) if voice is not None else []
    if not edits:
        return None
    if not content.simple:
        return MappedText(content.plain, 0).edited(edits).text
    at = content.start
    return [replace(edit, start=at + edit.start, end=at + edit.end) for edit in edits]


def _read_out(voice: Reader, text: str) -> str:
    return MappedText(text, 0).edited(voice.edits(text)).text


_Say = Callable[[Reader | None, _Content, str], str | list[Edit] | None]
#: What `interpret-as` may be.
SAY_AS: Mapping[str, _Say] = {
    "characters": _spell,
    "spell-out": _spell,
    "verbatim": _spell,
    "digits": _digits,
    "telephone": _telephone,
    "cardinal": _cardinal,
    "number": _cardinal,
    "ordinal": _ordinal,
    "date": _date,
    "time": _recognised,
    "currency": _recognised,
    "unit": _recognised,
    "fraction": _recognised,
}
