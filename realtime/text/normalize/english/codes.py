"""Numbers in English that are names: telephone numbers, codes, models, rooms, "HTTP 404", "GPT-4o", "#1"."""

from __future__ import annotations

import re

from realtime.text.normalize.base import Rule
from realtime.text.normalize.english.letters import READ, code_number, say_letters, say_name
from realtime.text.normalize.english.matches import after, at, before
from realtime.text.normalize.english.places import party_rule
from realtime.text.normalize.english.words import cardinal, digits, letters, pairs, plural, version
from realtime.text.spans import Edit

_WORD = re.compile(r"\S+")
_DIGITS = re.compile(r"\d+")


def _grouped(match: re.Match[str]) -> list[Edit]:
    """Groups of digits, each digit by itself, with commas between the groups."""
    last = match.string.rfind(" ", match.start(), match.end()) + 1
    edits: list[Edit] = []
    for word in _WORD.finditer(match.string, match.start(), match.end()):
        groups = [_group(group) for group in _DIGITS.findall(word[0])]
        said = ", ".join(groups) + ("," if word.start() < last else "")
        edits.append(Edit(word.start(), word.end(), ("plus " if word[0][0] == "+" else "") + said))
    return edits


def _group(group: str) -> str:
    if len(group) == 11 and group[0] == "1":
        return ", ".join(digits(part, "oh") for part in (group[:1], group[1:4], group[4:7], group[7:]))
    return "eight hundred" if group == "800" else digits(group, "oh")


def _international(match: re.Match[str]) -> list[Edit] | None:
    count = sum(map(str.isdecimal, match[0]))
    return _grouped(match) if 7 <= count <= 15 else None


def _local(match: re.Match[str]) -> list[Edit] | None:
    """Seven digits: a telephone number unless it looks like a range of round numbers."""
    first, last = match[0].split("-")
    called = re.search(
        r"(?:[Cc]all|[Dd]ial|[Pp]hone|[Tt]ext|[Tt]el\.?|[Nn]umber(?: is)?|[Ff]ax):? (?:at |us at )?$",
        before(match, 22),
    )
    if (
        called is None
        and first != "555"
        and (
            int(first) < 200
            or (last.endswith("0") and first.endswith("0"))
            or (int(last) % 1000 < 2 and last[0] != "0")
        )
    ):
        return None
    return _grouped(match)


def _address(match: re.Match[str]) -> str | None:
    """An IP address."""
    parts = match["parts"].split(".")
    if any(int(part) > 255 for part in parts):
        return None
    port = f" port {code_number(match['port'])}" if match["port"] else ""
    net = f" slash {cardinal(match['net'])}" if match["net"] else ""
    return " dot ".join(pairs(part) for part in parts) + net + port


_BEFORE_CODE = re.compile(
    r"\b(?:HTTP|HTTPS|[Ee]rror|[Cc]ode|[Ss]tatus|[Ee]rror code|[Ss]tatus code|[Rr]oom|[Ss]uite|[Aa]pt\.?|"
    r"[Aa]partment|"
    r"[Rr]oute|[Hh]ighway|Hwy\.?|Rte\.?|Rm\.?|[Ee]xit|Form|Xbox|Office|Op\.|K\.|H\.R\.|[Rr]ule|chmod"
    r"|AA|DL|UA|BA|LH|AF|WN|KL|EK|QF|IEEE|UFC|"
    r"[Ii]nterstate|I-|US-|[Ff]light(?: [A-Z]{2})?|Boeing|Airbus|Porsche|Peugeot|"
    r"[Aa]rea|[Bb]us|[Pp]ort|RFC|ISO|RTX|GTX|RX|"
    r"Ryzen|Core|Xeon|Snapdragon|[Uu]nit|[Gg]ate|[Cc]hannel|[Bb]uilding|Section|CS|Intel|Nikon|Canon|Nokia|"
    r"Windows|Fortune|"
    r"[Mm]odel|[Ee]xtension|[Ee]xt\.|[Ll]ocker|PIN|[Cc]ourse|Psych|Biology|English|Physics|Math|Chemistry|"
    r"Chem|Bio|Econ|History"
    r")(?: is|:)? ?[#-]?$|\u00a7\u00a7? ?$"
)


def _named(match: re.Match[str]) -> str | None:
    left = before(match, 20)
    text = match[0]
    if text == "911" and re.search(r"(?:[Cc]all|[Dd]ial|[Cc]alled|[Dd]ialed|[Cc]alling|\ba|\b9-1-1) $", left):
        return "nine one one"
    if text == "101" and re.search(r"[A-Z][a-z]+ $", left):
        return pairs(text)
    if text == "404" and (
        re.match(r" (?:error|page|errors|Not|not|response)\b", after(match, 12))
        or left.endswith((" a ", "A "))
    ):
        return pairs(text)
    if _BEFORE_CODE.search(left) is None:
        return None
    return pairs(text) if len(text) <= 4 else digits(text)


def _model_pair(match: re.Match[str]) -> str:
    """ "737-800" after "Boeing"."""
    return f"{pairs(match['first'])} {pairs(match['second'])}"


_SOFTWARE = re.compile(
    r"\b(?:Python|iOS|iPadOS|macOS|watchOS|Android|Node|Node\.js|Java|Ubuntu|Debian|Fedora|Go|Rust|PHP|"
    r"Ruby|Perl|Windows|Chrome|"
    r"Firefox|Safari|[Vv]ersion|[Vv]ersions|[Rr]elease|Kubernetes|TypeScript|Swift|Kotlin|Postgres|"
    r"PostgreSQL|MySQL|Redis|"
    r"Django|Flask|Rails|React|Angular|Vue|CUDA|PyTorch|TensorFlow|Linux|[Kk]ernel|Claude|Gemini|Llama|"
    r"NumPy|[Ss]ection|"
    r"[Ff]igure|[Tt]able|[Cc]hapter|[Ee]xercise|[Ee]quation|[Ff]ig\.|npm|OpenSSL|HTTP/|TLS|Bluetooth|"
    r"OpenGL|DirectX|C\+\+) ?$"
)


def _software(match: re.Match[str]) -> str | None:
    if _SOFTWARE.search(before(match, 20)) is None:
        return None
    said = version(match["number"])
    return said + (" plus" if match["plus"] else "")


def _protocol(match: re.Match[str]) -> str:
    return f"{letters(match['name'])} {version(match['number'])}"


def _hash(match: re.Match[str]) -> str:
    text = match["number"].replace(",", "")
    return f"number {pairs(text) if len(text) == 4 else cardinal(text)}"


_STATES = dict(
    pair.split(":")
    for pair in (
        "AL:Alabama AK:Alaska AZ:Arizona AR:Arkansas CA:California CO:Colorado CT:Connecticut DE:Delaware "
        "FL:Florida "
        "GA:Georgia HI:Hawaii ID:Idaho IL:Illinois IN:Indiana IA:Iowa KS:Kansas KY:Kentucky LA:Louisiana "
        "ME:Maine "
        "MD:Maryland MA:Massachusetts MI:Michigan MN:Minnesota MS:Mississippi MO:Missouri MT:Montana "
        "NE:Nebraska "
        "NV:Nevada NH:New_Hampshire NJ:New_Jersey NM:New_Mexico NY:New_York NC:North_Carolina "
        "ND:North_Dakota OH:Ohio "
        "OK:Oklahoma OR:Oregon PA:Pennsylvania RI:Rhode_Island SC:South_Carolina SD:South_Dakota "
        "TN:Tennessee TX:Texas "
        "UT:Utah VT:Vermont VA:Virginia WA:Washington WV:West_Virginia WI:Wisconsin WY:Wyoming DC:D.C."
    ).split()
)


def _zip(match: re.Match[str]) -> list[Edit] | None:
    state = _STATES.get(match["state"])
    if state is None:
        return None
    said = digits(match["zip"], "oh") + (f", {digits(match['more'], 'oh')}" if match["more"] else "")
    return [at(match, "state", state.replace("_", " ")), Edit(match.start("zip"), match.end(), said)]


#: States whose letters are no word and mean little else after a town's name.
_SURE = frozenset("AZ CA CO FL GA IL KY MA MD MN MO NC NJ NM NV NY OH OR PA SC TN TX UT VA WA WI".split())


def _state(match: re.Match[str]) -> str | None:
    if match[0] not in _SURE or not re.search(r"[A-Z][a-z]+, $", before(match, 20)):
        return None
    return _STATES[match[0]].replace("_", " ")


_GLUED_WORDS = {
    "no": "number",
    "vol": "volume",
    "fig": "figure",
    "ch": "chapter",
    "sec": "section",
    "ep": "episode",
}
_GLUED = re.compile(r"([Nn]o|[Vv]ol|[Ff]ig|[Cc]h|[Ss]ec|[Ee]p)\.(\d{1,3})")


def _alphanumeric(match: re.Match[str]) -> str | None:
    """Letters and digits in one: "GPT-4o", "B2B", "H2O", "F-16", "i7-9700K", "3D"."""
    text = match[0].removesuffix("+")
    if text in READ:
        return READ[text]
    glued = _GLUED.fullmatch(text)
    if glued is not None:
        return f"{_GLUED_WORDS[glued[1].lower()]} {cardinal(glued[2])}"
    if text[:-1].isdecimal() and text[-1] == "s":
        return None  # a plural: "100s of people"
    if not any(each.isdecimal() for each in text) or not any(each.isalpha() for each in text):
        return None
    if re.fullmatch(r"[BCDEGMPTV]2[BCDEGMPTVX]", text):
        return f"{letters(text[0])} to {letters(text[2])}"
    if _FORMULA.fullmatch(text):
        return " ".join(
            code_number(part) if part.isdecimal() else letters(part)
            for part in re.findall(r"\d+|[A-Z]+", text)
        )
    parts = text.split("-")
    if parts[0].isdecimal() and len(parts) > 1 and parts[1].islower():
        return None  # "5-year-old": the number alone is rewritten
    if len(text) > 40:
        return None
    if re.fullmatch(r"([A-Z])\d{1,2}-\1\d{1,2}|\d{1,3}[A-Z]-\d{1,3}[A-Z]", text):
        return f"{say_name(parts[0])} to {say_name(parts[1])}"  # "Q1-Q4"
    many = re.fullmatch(r"[A-Z].*\ds", text) is not None
    if many:  # "F-16s"
        parts[-1] = parts[-1][:-1]
    said: list[str] = []
    for part in parts:
        if part.isalpha():
            said.append(say_letters(part) if len(parts) > 1 and not part.islower() else part)
        elif part:
            whole, _, decimals = part.partition(".")
            point = f" {'dot' if whole.isalpha() else 'point'} {pairs(decimals)}" if decimals else ""
            said.append("four oh" if part == "4o" else say_name(whole) + point)
    words = plural(" ".join(said)) if many else " ".join(said)
    if match["plus"]:
        return f"{words} plus"
    if words.endswith(".") and match.string[match.end() : match.end() + 1] == ".":
        words = words[:-1]
    return words


#: Formulas of chemistry: letters and digits by themselves.
_FORMULA = re.compile(r"(?=[A-Z]{0,3}\d)(?=.{0,8}[A-Z]\d?[A-Z])(?:[CHNOSPFK]{1,3}\d{0,2}){1,6}")


def _not_applicable(match: re.Match[str]) -> str:
    del match
    return "not applicable"


_CARD = re.compile(
    r"(?<![\w.-])\d{4}(?P<gap>[ -])\d{4}(?P=gap)\d{4}(?P=gap)\d{1,7}(?![\w-])|"
    r"(?<![\w.-])\d{4}[ -]\d{6}[ -]\d{5}(?![\w-])"
)
_SSN = re.compile(r"(?<![\w.-])\d{3}-\d{2}-\d{4}(?![\w-])")
_INTERNATIONAL = re.compile(r"(?<![\w+])\+\d{1,3}(?:[ .-]?(?:\(\d{1,5}\)|\d{1,5})){1,6}(?!\w)")
_AMERICAN = re.compile(
    r"(?<![\w.-])(?<!\d )(?:1[-. ])?(?:\(\d{3}\) ?|\d{3}(?P<gap>[-. ]))\d{3}[-. ]\d{4}(?![\w-]|\.\d)"
)
_LOCAL = re.compile(r"(?<![\w.$\u20ac\u00a3-])\d{3}-\d{4}(?![\w-]|[.,/]\d|%)")
_LONG = re.compile(r"(?<![\w.,+-])\d{1,5}(?:-\d{1,7}){3,5}(?![\w-])")
_IP = re.compile(
    r"(?<![\w.])(?P<parts>\d{1,3}(?:\.\d{1,3}){3})(?:/(?P<net>\d{1,2}))?(?::(?P<port>\d{1,5}))?(?![\w]|\.\d)"
)
_NAMED = re.compile(r"(?<![\w.,/$\u00a3\u20ac:])(?<!\d-)\d{3,6}(?![\w%]|[.,:/-]\d)")
_PAIR = re.compile(r"(?<=Boeing )(?P<first>7\d7)-(?P<second>\d{1,4})(?!\w)")
_SOFTWARE_RULE = re.compile(
    r"(?<![\w.,])(?P<number>\d{1,4}(?:\.\d{1,4}){1,4})(?P<plus>\+(?!\w))?(?![\w%]|[.,]\d)"
)
_PROTOCOL = re.compile(r"\b(?P<name>HTTP|TLS|SSL)/(?P<number>\d(?:\.\d)?)(?![\w.]\w)")
_HASH = re.compile(r"(?<![\w#&])#(?P<number>\d{1,3}(?:,\d{3})+|\d{1,9})(?!\w)")
_ZIP = re.compile(r"(?<!\w)(?P<state>[A-Z]{2}),? (?P<zip>\d{5})(?:-(?P<more>\d{4}))?(?![\w-])")
_STATE = re.compile(r"(?<=[a-z], )(?:[A-Z]{2})(?=[,.;:!?)]|$| [a-z])")
_ALPHANUMERIC = re.compile(
    r"(?<![\w.@#+-])(?:(?<!\d/)|(?=[A-Za-z]))[A-Za-z0-9]{1,24}(?:\.\d{1,3}(?!\w))?(?:-[A-Za-z0-9]{1,24}"
    r"(?:\.\d{1,3}"
    r"(?!\w))?){0,5}"
    r"(?P<plus>\+(?!\w))?(?![\w@]|[-.]\w)"
)
_NOT_APPLICABLE = re.compile(r"(?<![\w/])[Nn]/[Aa](?![\w/])")

_VANITY = re.compile(r"(?<![\w-])1-(8\d\d)-([A-Z]{2,9}(?:-[A-Z]{2,9})?)(?![\w-])")
_WIRELESS = re.compile(r"(?<![\w.])802\.(\d{1,2})([a-z]{0,2})(?!\w)")
_RETIREMENT = re.compile(r"(?<!\w)401\(?k\)?(?!\w)", re.IGNORECASE)


def _vanity(match: re.Match[str]) -> str:
    """A telephone number that ends in a word: "1-800-FLOWERS"."""
    return f"one, {_group(match[1])}, {match[2].replace('-', ', ')}"


def _wireless(match: re.Match[str]) -> str:
    """The standards of wireless networks: "802.11ax"."""
    tail = f" {letters(match[2])}" if match[2] else ""
    if after(match, 1) == ".":
        tail = tail.rstrip(".")
    return f"eight oh two dot {cardinal(match[1])}{tail}"


def _retirement(match: re.Match[str]) -> str:
    """The American pension plan."""
    del match
    return "four oh one K"


FIRST_RULES = (
    Rule(_RETIREMENT, _retirement, "kK"),
    Rule(_VANITY, _vanity, "-"),
    Rule(_WIRELESS, _wireless, "."),
    Rule(_CARD, _grouped, "0"),
    Rule(_SSN, _grouped, "-"),
    Rule(_INTERNATIONAL, _international, "+"),
    Rule(_AMERICAN, _grouped, "0"),
    Rule(_LOCAL, _local, "-"),
    Rule(_LONG, _grouped, "-"),
    Rule(_IP, _address, "."),
    Rule(_PROTOCOL, _protocol, "/"),
    Rule(_ZIP, _zip, "0"),
    Rule(_PAIR, _model_pair, "B"),
    Rule(_SOFTWARE_RULE, _software, "."),
    Rule(_HASH, _hash, "#"),
    party_rule(_STATES),
)
RULES = (Rule(_NAMED, _named, "0"),)
LAST_RULES = (
    Rule(_ALPHANUMERIC, _alphanumeric, "0"),
    Rule(_STATE, _state, ","),
    Rule(_NOT_APPLICABLE, _not_applicable, "/"),
)
