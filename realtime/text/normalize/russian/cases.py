"""Rules of Russian for numbers whose case the word before tells: до 5 км, при 20 °C, к 17:30, на 5 этаже."""

from __future__ import annotations

import re

from realtime.text.normalize.base import Rule
from realtime.text.normalize.european.numbers import DASH, SPACES, Noun, Number, Numerals, words_before
from realtime.text.normalize.european.rules import DONE, FREE
from realtime.text.normalize.european.words import END, any_of, by_key, in_parts, key_of, like, stop_of
from realtime.text.normalize.russian.forms import (
    FEMININE_PLACES,
    GENITIVE,
    NEUTER_PLACES,
    NUMBERED,
    ORDINAL_PLACES,
)
from realtime.text.normalize.russian.numbers import cardinal, form, oblique, ordinal, parts
from realtime.text.normalize.russian.words import CURRENCIES, MAGNITUDES, UNITS
from realtime.text.spans import Edit

_BETWEEN = re.compile(r"(?<!\w)[Мм]ежду [0-9]{1,9} и \Z")
_POINT = re.compile(r"(?<!\w)(?:п|пп|ч|подп)\.\s?[0-9.]{1,6} \Z")
_GAP = f"[{SPACES}]"
_COUNTED = {**by_key(UNITS), **{sign: each.main for sign, each in by_key(CURRENCIES).items()}}
_CURRENCIES = by_key(CURRENCIES)
_MAGNITUDES = by_key(MAGNITUDES)
#: The case that a word before a number asks for, where it asks for one in any company.
_CASES = {**dict.fromkeys(GENITIVE, "g"), "при": "p", "к": "d", "ко": "d"}
_TIMES = {**dict.fromkeys("с со до после от около раньше позже".split(), "g"), "к": "d", "ко": "d"}
_ACCUSATIVE = ("на", "в", "за", "через", "про")
_NUMBERED_CASES = {
    **dict.fromkeys("в во на о об при".split(), "p"),
    **dict.fromkeys("из от до с без у для после".split(), "g"),
    **dict.fromkeys("к по согласно".split(), "d"),
    **dict.fromkeys("см. смотри через про".split(), "a"),
}


def _before(match: re.Match[str], group: int | str = 0) -> str:
    return "".join(words_before(match.string, match.start(group)))


def case_rules(numerals: Numerals) -> list[Rule]:
    """Numbers in the case of the word before, with magnitude, unit or currency, or without: ок. 5 млн руб."""

    def say(match: re.Match[str]) -> list[Edit] | None:
        number = numerals.parse(match["number"])
        zero = len(number.whole) > 1 and number.whole[0] == "0"
        if number.negative or len(number.whole) > 9 or len(number.decimals) > 3 or zero:
            return None
        case = _CASES.get(match["before"].lower(), "g")
        edits = (
            [Edit(match.start("before"), match.end("before"), like(match, "около"))]
            if match["before"].lower() == "ок."
            else []
        )
        said = _inflected(number, case, match)
        if said is None:
            return None
        return edits + said

    def instrumental(match: re.Match[str]) -> list[Edit] | None:
        number = numerals.parse(match["number"])
        if number.mark or number.negative or len(number.whole) > 9:
            return None
        return [Edit(match.start("number"), match.end("number"), numerals.whole(number.whole, "i"))]

    def between(match: re.Match[str]) -> list[Edit] | None:
        number, noun = numerals.parse(match["number"]), _COUNTED[key_of(match["unit"])]
        if (
            number.mark
            or len(number.whole) > 9
            or not _BETWEEN.search(match.string[max(0, match.start() - 24) : match.start()])
        ):
            return None
        form_ = oblique(noun.forms[0], "i", form(int(number.whole)) != 0)
        said = numerals.whole(number.whole, "i")
        return None if form_ is None else _from_number(match, said, ("unit", form_))

    def accusative(match: re.Match[str]) -> list[Edit] | None:
        number, noun = numerals.parse(match["number"]), _COUNTED[key_of(match["unit"])]
        if number.negative or len(number.whole) > 9 or len(number.decimals) > 3 or number.whole[0] == "0":
            return None
        if number.mark:
            said = parts(int(number.whole), number.decimals, "a")
            return _from_number(match, said, ("unit", noun.forms[1]))
        value = int(number.whole)
        if noun.gender != "f" or form(value) or not noun.forms[0].endswith("а"):
            return None
        return _from_number(match, cardinal(value, "f", "a"), ("unit", noun.forms[0][:-1] + "у"))

    def each(match: re.Match[str]) -> list[Edit] | None:
        value, word = int(match["number"]), match["word"]
        if form(value):
            return None
        said = cardinal(value, "f" if word.endswith(("е", "и")) else "m", "d")
        return [Edit(match.start("number"), match.end("number"), said)]

    number = numerals.pattern("number")
    unit = rf"(?:{_GAP}?(?P<unit>{any_of([*UNITS, *CURRENCIES])})(?:{END}|(?<=\.)))"
    magnitude = rf"(?:{_GAP}?(?P<magnitude>{any_of(MAGNITUDES)})(?:{END}|(?<=\.)))"
    nothing = rf"(?![\w/:%]|\s?{DASH}\s?[0-9])(?=(?:{_GAP}(?P<word>[а-яё]{{3,40}}))?)"
    before = rf"(?<!\w)(?P<before>(?i:{any_of(_CASES)})|[Оо]к\.){_GAP}"
    some = rf"[0-9.,{SPACES}]{{1,12}}(?:{any_of([*UNITS, *CURRENCIES, *MAGNITUDES])})?"
    since = rf"(?<!\w)(?P<before>[Сс])(?={_GAP}{some}\s?до{END}){_GAP}"
    counted = rf"{number}{magnitude}?(?:{unit}|{nothing})"
    acc = rf"(?<!\w)(?i:{any_of(_ACCUSATIVE)}){_GAP}{number}{unit}(?!/)"
    return [
        Rule(re.compile(before + counted), say, "0"),
        Rule(re.compile(since + counted), say, "0"),
        Rule(re.compile(acc), accusative, "0"),
        Rule(
            re.compile(
                rf"(?<!\w)[Пп]о{_GAP}(?P<number>[0-9]{{1,4}})(?={_GAP}(?P<word>[а-яё]{{2,30}}[еиую]){END})"
            ),
            each,
            "0",
        ),
        Rule(re.compile(rf"(?<!\w)[Мм]ежду{_GAP}{number}(?={_GAP}и{END})"), instrumental, "0"),
        Rule(re.compile(rf"(?<=[0-9]{_GAP}и{_GAP}){number}{unit}(?!/)"), between, "0"),
    ]


def _inflected(number: Number, case: str, match: re.Match[str]) -> list[Edit] | None:
    """A number and what belongs to it in a case; None where its words cannot be put into it."""
    unit = key_of(match["unit"] or "")
    noun = _COUNTED.get(unit)
    if match["magnitude"]:
        magnitude = _MAGNITUDES[key_of(match["magnitude"])]
        forms = [_of(number, magnitude, case)]
        said = _number(number, magnitude.gender, case)
        rest = noun.forms[2] if noun is not None else ""
        if forms[0] is None:
            return None
        return _from_number(match, said, ("magnitude", forms[0]), ("unit", rest))
    if noun is None:
        value = int(number.whole)
        feminine = not number.mark and form(value) == 0 and (match["word"] or "").endswith(("ы", "и"))
        if case != "g" and not number.mark and match["word"] not in (None, "утра", "вечера", "ночи", "дня"):
            return None  # the word after it tells more
        return [
            Edit(match.start("number"), match.end("number"), _number(number, "f" if feminine else "m", case))
        ]
    cent = _CURRENCIES[unit].cent if unit in _CURRENCIES else None
    if cent is not None and len(number.decimals) == 2 and case == "g":
        main = Number(number.whole)
        said = f"{_number(main, noun.gender, case)} {_of(main, noun, case)}"
        if int(number.decimals):
            cents = Number(str(int(number.decimals)))
            said += f" {_number(cents, cent.gender, case)} {_of(cents, cent, case)}"
        return [Edit(match.start("number"), match.end(), said + stop_of(match))]
    of = _of(number, noun, case)
    return None if of is None else _from_number(match, _number(number, noun.gender, case), ("unit", of))


def _from_number(match: re.Match[str], said: str, *rest: tuple[str, str]) -> list[Edit]:
    """As `in_parts`, without what stands before the number."""
    first, *others = in_parts(match, ("number", said), *rest)
    return [Edit(match.start("number"), first.end, first.spoken), *others]


def _number(number: Number, gender: str, case: str) -> str:
    if number.mark:
        return parts(int(number.whole), number.decimals, case)
    return cardinal(int(number.whole), gender, case)


def _of(number: Number, noun: Noun, case: str) -> str | None:
    """The form of a noun after a number in a case."""
    if number.mark:
        return noun.forms[1]
    one = form(int(number.whole)) == 0
    return noun.forms[1 if one else 2] if case == "g" else oblique(noun.forms[0], case, not one)


def half_rules() -> list[Rule]:
    """One and a half: 1,5 часа, 1,5 млрд руб., около 1,5 кг."""

    def say(match: re.Match[str]) -> list[Edit] | None:
        genitive = _CASES.get(_before(match)) == "g" or _before(match) == "ок."
        magnitude = _MAGNITUDES.get(key_of(match["magnitude"] or ""))
        noun = _COUNTED.get(key_of(match["unit"] or ""))
        first = magnitude or noun
        if first is None:
            return None
        said = "полутора" if genitive else "полторы" if first.gender == "f" else "полтора"
        edits = [Edit(match.start(), match.end("number"), said)]
        after = [("unit", noun)] if magnitude is None else [("magnitude", magnitude), ("unit", noun)]
        for group, each in after:
            if each is not None:
                form_ = each.forms[2 if genitive or each is not first else 1]
                edits.append(Edit(match.start(group), match.end(group), form_))
        last = edits[-1]
        edits[-1] = Edit(last.start, match.end(), last.spoken + stop_of(match))
        return edits

    def word(match: re.Match[str]) -> str | None:
        if match["word"].endswith(("ов", "ев", "ей", "ц", "т", "к", "ч")):
            return "полутора"
        if match["word"].endswith(("ы", "и")):
            return "полторы"
        return "полтора" if match["word"].endswith(("а", "я")) else None

    unit = rf"{_GAP}(?P<unit>{any_of([*UNITS, *CURRENCIES])})(?:{END}|(?<=\.))(?!/)"
    magnitude = rf"{_GAP}(?P<magnitude>{any_of(MAGNITUDES)})(?:{END}|(?<=\.))"
    return [
        Rule(re.compile(rf"{FREE}(?P<number>1,5)(?:{magnitude})?(?:{unit})?(?![0-9]|[.,][0-9])"), say, ","),
        Rule(re.compile(rf"{FREE}1,5(?={_GAP}(?P<word>[а-яё]{{3,30}}){END})"), word, ","),
    ]


def time_rules() -> list[Rule]:
    """Times of day after a preposition, and from one to another: с 8:00 до 17:30, 10:00–14:00."""

    def clock(hour: str, minute: str, case: str) -> str:
        rest = int(minute)
        minutes = "ноль ноль" if not rest else ("ноль " if rest < 10 else "") + cardinal(rest, "m", case)
        return f"{cardinal(int(hour), 'm', case)} {minutes}"

    def say(match: re.Match[str]) -> list[Edit]:
        said = clock(match["hour"], match["minute"], _TIMES[match["before"].lower()])
        return [Edit(match.start("hour"), match.end(), said)]

    def span(match: re.Match[str]) -> str:
        low, high = (clock(match[f"hour{n}"], match[f"minute{n}"], "g") for n in "12")
        return f"с {low} до {high}"

    hour, minute = "[01]?[0-9]|2[0-4]", "[0-5][0-9]"
    before = rf"(?<!\w)(?P<before>(?i:{any_of(_TIMES)})){_GAP}"
    times = [f"(?P<hour{n}>{hour}):(?P<minute{n}>{minute})" for n in "12"]
    return [
        Rule(
            re.compile(rf"{before}(?P<hour>{hour}):(?P<minute>{minute}){DONE}(?!\s?{DASH}\s?[0-9])"), say, ":"
        ),
        Rule(re.compile(rf"{FREE}{times[0]}\s?{DASH}\s?{times[1]}{DONE}"), span, ":"),
    ]


def place_rules() -> list[Rule]:
    """Ordinals of places, на 5 этаже; and what has a number, in its case: в п. 3, согласно ст. 5."""

    def place(match: re.Match[str]) -> str | None:
        noun, number = match["noun"], int(match["number"])
        if _before(match) not in ("в", "во", "на", "о", "об") or (number == 1 and noun not in ORDINAL_PLACES):
            return None
        gender = "f" if noun in FEMININE_PLACES else "n" if noun in NEUTER_PLACES else "m"
        return ordinal(number, gender, "p")

    def numbered(match: re.Match[str]) -> str | None:
        point = _POINT.search(match.string[max(0, match.start() - 14) : match.start()])
        clock = (
            match.group() == "ч."
            and match.string[max(0, match.start() - 2) : match.start()].strip().isdigit()
        )
        if clock and not point:
            return None  # "5 ч. 20 мин."
        case = "g" if point else _NUMBERED_CASES.get(_before(match), "n")
        said = NUMBERED[match.group().lower()].split()["ngdap".index(case)]
        said = said if match.group()[0].islower() else said.capitalize()
        return said + " " * match.string[match.end()].isdigit()

    nouns = any_of(ORDINAL_PLACES | FEMININE_PLACES | NEUTER_PLACES)
    return [
        Rule(re.compile(rf"{FREE}(?P<number>[1-9][0-9]{{0,2}})(?={_GAP}(?P<noun>{nouns}){END})"), place, "0"),
        Rule(re.compile(rf"(?<![\w.-])(?i:{any_of(NUMBERED)})(?={_GAP}?[0-9])"), numbered, "."),
    ]
