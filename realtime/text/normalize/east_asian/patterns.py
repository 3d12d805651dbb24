"""Patterns of what is written alike in Chinese, Japanese and Korean, for text with its signs in ASCII.

Each stands for the same thing in all three; named groups hold its parts. All repetitions are bounded.
"""

from __future__ import annotations

import re

from realtime.text.normalize.east_asian.names import MONEY_SIGNS, UNIT_SIGNS

#: A number, perhaps with thousands separators and decimals; without groups.
NUMBER = r"(?:[0-9]{1,3}(?:,[0-9]{3}){1,4}|[0-9]{1,15})(?:\.[0-9]{1,12})?(?![0-9]|\.[0-9]|,[0-9]{3}(?![0-9]))"
#: Before a number: it does not begin within one.
FRESH = r"(?<![0-9])(?<![0-9][.,:/-])"
#: What stands between the ends of a range; all of them.
DASH = "[-~\u2014]"
DASHES = "-~\u2014"
#: A minus that is one: at the beginning, after space, an opening bracket, a sign or a word before numbers.
MINUS = (
    r"(?:(?<=[ (\[:=<>,~*/\u3000\uff08\u3010\u300c\uff0c\u3001\uff1a\u2264\u2265\u2248"
    r"为是到至达约跌降低在比剩はがをのとでもに])"
    r"|(?<=[气水室体高低]温)|(?<=温度)|(?<![^\n]))-"
)


def ranged(unit: str = "") -> str:
    """Pattern of a number, or of two with a dash between; the first of them may have its unit too.

    Its groups: `below` and `first`, and `minus` and `number`; the former are None when it is one number.
    """
    return (
        f"(?:(?P<below>{MINUS})?{FRESH}(?P<first>{NUMBER}){unit}{DASH}|(?={MINUS})|{FRESH}(?!-))"
        f"(?P<minus>-)?(?P<number>{NUMBER})"
    )


def until(units: str) -> re.Pattern[str]:
    """A dash between two ends of a range, the first of which ends with one of `units` or is a time."""
    return re.compile(
        f"(?<=[{units}]){DASH}(?=[0-9])"
        f"|(?<=[0-9]){DASH}(?=上午|下午|午前|午後|오전|오후|{MONEY_SIGNS} ?[0-9])"
    )


def labelled(words: str, between: str, counters: str) -> re.Pattern[str]:
    """Digits after a word such as "telephone", `between` may stand in between; and not before a counter."""
    return re.compile(
        rf"(?:{words})[{between}: ]{{0,3}}(?P<number>[0-9]{{3,20}}(?:[- ][0-9]{{2,12}}){{0,4}})(?![0-9])"
        rf"(?! ?[{counters}])"
    )


_HOST = r"(?:[A-Za-z0-9][A-Za-z0-9-]{0,40}\.){1,5}[A-Za-z]{2,12}"
_PATH = r"(?:/(?:[A-Za-z0-9._~%/?#=&+-]{0,200}[A-Za-z0-9_~%/#=&+-])?)?"
#: An address of the web or of mail, or a user's name.
ADDRESS = re.compile(
    r"(?<![A-Za-z0-9@._%+/-])(?:"
    rf"https?://(?P<link>{_HOST}(?::[0-9]{{1,5}})?{_PATH})"
    rf"|[A-Za-z0-9][A-Za-z0-9._%+-]{{0,60}}@{_HOST}"
    r"|(?:[A-Za-z0-9][A-Za-z0-9-]{0,40}\.){1,4}"
    rf"(?:com|org|net|io|ai|dev|app|edu|gov|cn|jp|kr|tw|hk|info|co|me){_PATH}"
    r"|@[A-Za-z0-9_]{1,40})(?![A-Za-z0-9@])"
)
#: Year, month and day in digits, the ones of a calendar or not.
DATE = re.compile(
    rf"{FRESH}(?P<year>[12][0-9]{{3}})(?P<sign>[-/]|\. ?)(?P<month>[0-9]{{1,2}})(?P=sign)"
    r"(?P<day>[0-9]{1,2})(?![0-9]|[-/.][0-9])(?:[日号일]|\.(?=[가-힣(]))?"
)
YEAR_MONTH = re.compile(
    rf"{FRESH}(?P<year>[12][0-9]{{3}})[-/](?P<month>0[1-9]|1[0-2])(?![0-9]|[-/.~][0-9])[月월]?"
)
#: Three or more groups of digits with hyphens, which are said one by one.
GROUPS = re.compile(r"(?<![0-9-])(?P<number>(?:[0-9]{2,6}-){2,5}[0-9]{2,6})(?![0-9-])")
#: A time of the day, or two.
CLOCK = re.compile(
    rf"{FRESH}(?P<hour>[0-9]{{1,2}}):(?P<minute>[0-5][0-9])(?::(?P<second>[0-5][0-9]))?(?![0-9]|[:.][0-9])"
    rf"(?:{DASH}(?P<hour2>[0-9]{{1,2}}):(?P<minute2>[0-5][0-9])(?![0-9]|[:.][0-9]))?"
    r"(?: ?(?P<half>[AaPp])\.?[Mm](?![A-Za-z]))?"
)
#: The number of a point in a list, at the beginning of a text, with the mark behind it.
POINT = re.compile(
    r"^(?:(?P<number>[0-9]{1,2})(?:[)\uff09] ?|\.(?: |(?=[^\x00-\x7f])))|[\u2460-\u2473](?: |\u3001|\. ?))"
    r"(?=\S)(?![0-9]{1,2}\.)"
)
#: Later in a text only circled ones are numbers of points.
LATER_POINT = re.compile("(?<=[\uff1b;\u3002\uff0c\u3001,]) ?[\u2460-\u2473] ")
#: The letter between the day and the time of ISO 8601.
ISO_TIME = re.compile("(?<=[0-9])T(?=[0-2][0-9]:[0-5][0-9])")
#: A unit behind a power of ten in characters.
SCALED_UNIT = re.compile(rf"(?<=[0-9][万亿億千兆만억천조]) ?(?P<unit>{UNIT_SIGNS})")
#: Hours and minutes of how long something takes, "2h15min".
HOURS = re.compile(
    rf"{FRESH}(?P<hours>[0-9]{{1,3}})h ?(?P<minutes>[0-5]?[0-9])(?:min|m|分|분)(?![A-Za-z0-9])"
)
#: Blood pressure: two numbers, with the unit behind them or the word before.
PRESSURE = re.compile(
    rf"{FRESH}(?P<high>[1-9][0-9]{{1,2}})/(?P<low>[0-9]{{2,3}})(?P<unit> ?mmHg(?![A-Za-z]))"
    r"|(?:(?<=血压)|(?<=血圧)|(?<=혈압 ))(?P<high2>[1-9][0-9]{1,2})/(?P<low2>[0-9]{2,3})(?![0-9/])"
)
#: Two days of a year, "9/1-9/30".
DAYS = re.compile(
    rf"{FRESH}(?P<month>[1-9]|1[0-2])/(?P<day>[1-9]|[12][0-9]|3[01]) ?{DASH} ?"
    r"(?P<month2>[1-9]|1[0-2])/(?P<day2>[1-9]|[12][0-9]|3[01])(?![0-9/])"
)
#: "=" behind a word, before a number.
EQUALS = re.compile("(?<=[一-鿿ァ-ヶー가-힣]) ?= ?(?=-?[0-9])")
#: A plus that is the sign of a number.
PLUS = re.compile(r"(?<![0-9A-Za-z+])(?<![0-9A-Za-z)] )\+(?=[0-9])")
#: A minus between two numbers of a sum.
LESS = re.compile(r"(?<=[0-9]) ?- ?(?=[0-9]{1,9} ?=)")
#: Powers: "x\u00b2", "2^10"; and roots.
POWER = re.compile(r"(?<=[A-Za-z0-9)])(?:(?P<raised>[\u00b2\u00b3])|\^(?P<power>[0-9]{1,3})(?![0-9.]))")
ROOT = re.compile(r"\u221a ?(?=[0-9A-Za-z(])")
#: A score or a ratio that goes down: no range does.
DOWN = re.compile(rf"{FRESH}(?P<first>[0-9]{{1,3}})-(?P<last>[0-9]{{1,3}})(?![0-9A-Za-z]|[-.,/:][0-9]| ?=)")

#: What is written like a time and is none, as its minutes do not have two digits.
RATIO = re.compile(rf"{FRESH}(?P<ratio>[0-9]{{1,4}}(?::[0-9]{{1,8}}){{1,2}})(?![0-9]|[:.][0-9])")
#: Percent, per mille, percentage points ("%p").
PERCENT = re.compile(ranged("%?") + " ?(?P<sign>[%\u2030])(?P<point>p(?![A-Za-z]))?")
DEGREES = re.compile(
    ranged("(?:\u00b0[CF]?|[\u2103度도])?") + " ?(?P<scale>\u00b0 ?[CF](?![A-Za-z])|[\u00b0\u2103\u2109])"
)
#: A currency's sign and a sum, with the letter or word of a power of ten.
SUM = re.compile(
    f"(?<![A-Za-z])(?P<before>{MONEY_SIGNS}) ?{ranged()}"
    "(?P<scale>[KkMBT](?![A-Za-z0-9])| ?(?:thousand|million|billion|trillion)(?![A-Za-z])"
    "|[十百千백천]?[万亿億兆만억조]亿?)?(?:美?元|円|ドル|원|달러)?"
)
#: A number and a unit, or the sign of a currency.
MEASURED = re.compile(f"{ranged(f'(?:{UNIT_SIGNS})?')} ?(?P<unit>{UNIT_SIGNS}|{MONEY_SIGNS}(?![A-Za-z0-9]))")
VERSION = re.compile(rf"{FRESH}(?P<version>[0-9]{{1,5}}(?:\.[0-9]{{1,5}}){{2,4}})(?![0-9]|\.[0-9])")
RANGE = re.compile(rf"{FRESH}(?<![-〒])(?P<first>{NUMBER}){DASH}(?P<last>{NUMBER})(?!{DASH}[0-9]|/)")
FRACTION = re.compile(
    r"(?<![0-9A-Za-z/.第제])(?P<above>[0-9]{1,3})/(?P<below>[0-9]{1,4})(?![0-9A-Za-z/]|[.,][0-9])"
)
#: "#1", "No. 1".
NUMBERED = re.compile(r"(?:#|(?<![A-Za-z])N[oO]\. ?|\u2116 ?)(?P<number>[0-9]{1,6})(?![0-9A-Za-z]|[.,][0-9])")
#: Digits at the end of letters, perhaps with a hyphen.
CODE = re.compile(
    r"(?:(?<=[A-Za-z])-?|(?<=HTTP) )(?P<number>[0-9]{1,15}(?:\.[0-9]{1,6})?)(?![0-9]|[.,][0-9])"
)
ANY_NUMBER = re.compile(rf"(?:{MINUS}|{FRESH})(?P<number>{NUMBER})")
MATHS = re.compile(r"(?<=[0-9A-Za-z\u00b2\u00b3)]) ?[+=\u00d7\u00f7] ?(?=-?[0-9A-Za-z])")
#: A sign before a number that tells how exact it is, or how great.
ABOUT = re.compile("[\u00b1\u2248\u2252\u2264\u2265<>] ?(?=[0-9])")
#: Numbers in circles up to 20, Roman ones up to 12.
ENCLOSED = re.compile("[\u2460-\u2473\u2160-\u216b]")
#: An ampersand beside what is not ASCII.
AND = re.compile(r"(?<=[^\x00-\x7f]) ?& ?|& ?(?=[^\x00-\x7f])")
