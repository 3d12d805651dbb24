"""Rules for measures that European languages share: parts of a unit, inches, blood pressure."""

from __future__ import annotations

import re

from realtime.text.normalize.base import Rule
from realtime.text.normalize.european.numbers import GAP, SPACES, Number, Numerals, words_before
from realtime.text.normalize.european.rules import FREE, VULGAR
from realtime.text.normalize.european.words import UNIT_END, any_of, by_key, key_of, stop_of

_PRESSURE = "mmHg"
_LENGTHS = frozenset(("mm", "cm", "m", "km", "px"))
#: How far back a quotation is looked for.
_FAR = 200
_OPENING = re.compile(r'(?:^|(?<=[\s(\[]))"')
_CLOSING = re.compile(r'(?<=[^\W\d]|[.,!?])"')


def part_rules(numerals: Numerals) -> list[Rule]:
    """Fractions of a unit, alone and after a whole number: ½ l, 3/4 h, 1½ Std."""
    conventions = numerals.conventions
    units = by_key(conventions.units)

    def say(match: re.Match[str]) -> str | None:
        sign = match["sign"]
        numerator, denominator = VULGAR[sign] if sign else (int(match["top"]), int(match["bottom"]))
        if numerator >= denominator:
            return None
        before = "".join(words_before(match.string, match.start()))
        unit = units[key_of(match["unit"])]
        said = conventions.part_of(int(match["whole"] or 0), numerator, denominator, unit, before)
        return None if said is None else said + stop_of(match)

    signs = "".join(VULGAR)
    unit = any_of(unit for unit in conventions.units if unit[0].isalpha())
    pattern = (
        rf"{FREE}(?<![0-9][{SPACES}])(?:(?P<whole>[1-9][0-9]{{0,2}}){GAP}(?=[{signs}]|(?<=\s)[1-9]/))?"
        rf"(?:(?P<sign>[{signs}])|(?P<top>[1-9])/(?P<bottom>[2-9]|10))"
        rf"{GAP}(?P<unit>{unit})(?:{UNIT_END}|(?<=\.))(?!/)"
    )
    return [Rule(re.compile(pattern), say, "/" + signs)]


def product_rules(numerals: Numerals, times: str, sized: str) -> list[Rule]:
    """Products and sizes, 3x4 and 120 x 80 cm: `times` between numbers, `sized` where it is a size."""
    conventions = numerals.conventions
    units = by_key(conventions.units)

    def say(match: re.Match[str]) -> str | None:
        factors = [numerals.parse(factor) for factor in re.split(" ?[x\u00d7\u0445] ?", match["factors"])]
        if max(len(factor.whole) for factor in factors) > 6:
            return None
        said = [numerals.say(factor) for factor in factors]
        word = times
        if match["unit"]:
            said[-1] = numerals.counted(factors[-1], units[key_of(match["unit"])]) + stop_of(match)
            # "4 x 100 m" is a relay, "2 x 500 g" are two of them.
            if match["unit"] in _LENGTHS and len(factors[-1].whole) <= len(factors[0].whole) + 1:
                word = sized
        return f" {word} ".join(said)

    factor = "[0-9]{1,9}(?:[.,][0-9]{1,3})?"
    more = rf"(?: ?[x\u00d7\u0445] ?{factor}){{1,2}}"
    factors = rf"{FREE}(?P<factors>{factor}{more})(?![0-9]|[.,][0-9]|{GAP}[x\u00d7])"
    unit = rf"(?:{GAP}(?P<unit>{any_of(conventions.units)})(?:{UNIT_END}|(?<=\.)))?"
    return [Rule(re.compile(rf"{factors}{unit}(?!\w)"), say, "x\u00d7\u0445")]


def measure_rules(numerals: Numerals) -> list[Rule]:
    """Inches (6,1") and the two values of a blood pressure (120/80 mmHg)."""
    conventions = numerals.conventions
    rules: list[Rule] = []
    inch = conventions.inch
    if inch is not None:

        def inches(match: re.Match[str]) -> str | None:
            number = numerals.parse(match["number"])
            if match["mark"] == '"':
                joined = match.string[match.end() : match.end() + 1] == "-"
                before = match.string[max(0, match.start() - _FAR) : match.start()]
                if not (number.mark or joined) or len(_OPENING.findall(before)) > len(
                    _CLOSING.findall(before)
                ):
                    return None  # it is the end of a quotation
            return numerals.counted(number, inch)

        rules.append(
            Rule(re.compile(rf"{numerals.pattern('number')}(?P<mark>[\"\u2033])"), inches, '"\u2033')
        )
    if conventions.over:
        unit = conventions.units[_PRESSURE]

        def pressure(match: re.Match[str]) -> str:
            low = numerals.counted(Number(match[2]), unit)
            return f"{numerals.whole(match[1])} {conventions.over} {low}{stop_of(match)}"

        written = any_of(each for each, noun in conventions.units.items() if noun is unit)
        pattern = rf"{FREE}([1-9][0-9]{{1,2}})/([1-9][0-9]{{1,2}}){GAP}{written}(?:{UNIT_END}|(?<=\.))"
        rules.append(Rule(re.compile(pattern), pressure, "/"))
    return rules
