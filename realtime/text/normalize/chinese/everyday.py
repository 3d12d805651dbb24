"""What is said in Chinese of scores, powers, blood pressure, aeroplanes, marks and days with a name."""

from __future__ import annotations

import re

from realtime.text.normalize.chinese.numbers import cardinal, decimal, digits
from realtime.text.normalize.east_asian.shared import pressure as numbers_of
from realtime.text.spans import Edit


def score(match: re.Match[str]) -> list[Edit]:
    """Scores one after another: each pair with 比."""
    start = match.start("pairs")
    return [
        Edit(
            start + pair.start(), start + pair.end(), "比".join(map(cardinal, re.split("[:-]", pair.group())))
        )
        for pair in re.finditer("[0-9]+[:-][0-9]+", match["pairs"])
    ]


def power(match: re.Match[str]) -> str:
    """A power."""
    raised = match["raised"]
    if raised:
        return "的平方" if raised == "\u00b2" else "的立方"
    return f"的{cardinal(match['power'])}次方"


def pressure(match: re.Match[str]) -> str:
    """Blood pressure."""
    high, low = numbers_of(match)
    return f"{cardinal(high)}，{cardinal(low)}" + ("毫米汞柱" if match["unit"] else "")


def event(match: re.Match[str]) -> str:
    """A day that has become a name: "9·11"."""
    return digits(match["month"] + match["day"])


def down(match: re.Match[str]) -> list[Edit] | None:
    """A score that goes down."""
    first, last = match["first"], match["last"]
    if int(first) <= int(last) or (last[0] == "0" and last != "0"):
        return None
    return [Edit(match.start(), match.end(), f"{cardinal(first)}比{cardinal(last)}")]


def plane(match: re.Match[str]) -> str | None:
    """The type of an aeroplane, "737-800"."""
    if "-" not in match.group() and not match.string.endswith(("波音", "波音 "), 0, match.start()):
        return None
    return "，".join(map(digits, match.group().split("-")))


def points(match: re.Match[str]) -> list[Edit]:
    """What something was given, of how much."""
    got, most = decimal(match["got"]), cardinal(match["most"])
    return [
        Edit(match.start("got"), match.start("most") - 1, got),
        Edit(match.start("most") - 1, match.end("most"), f"，满分{most}"),
    ]


def spelled(match: re.Match[str]) -> str:
    """Digits one by one."""
    return digits(match.group())
