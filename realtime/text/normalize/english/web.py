"""Addresses in English as people say them: URLs, e-mail, files and paths, "@user", "#hashtag"."""

from __future__ import annotations

import re

from realtime.text.normalize.base import Rule
from realtime.text.normalize.english.letters import code_number, say_name, spell
from realtime.text.normalize.english.words import letters
from realtime.text.spans import Edit

#: Endings of names of hosts that are read; others of two or three letters are spelled.
_READ_ENDINGS = frozenset(
    "com org net edu gov info biz dev app blog shop store online site tech cloud news world agency museum "
    "mil name pro co me chat".split()
)
_TOP = (
    "com|org|net|edu|gov|mil|int|info|biz|dev|app|io|ai|co|uk|us|ca|de|fr|es|it|nl|eu|ch|at|au|jp|cn|in|br|ru|se|no|fi|dk|"
    "pl|me|tv|fm|gg|ly|sh|to|xyz|tech|cloud|blog|shop|store|online|site|news"
)
#: Endings of files and how they are said.
_ENDINGS = {
    "txt": "text",
    "json": "jason",
    "jsonl": "jason L",
    "yaml": "yammel",
    "yml": "yammel",
    "toml": "tommel",
    "docx": "doc X",
    "xlsx": "X.L.S.X.",
    "pptx": "P.P.T.X.",
    "doc": "doc",
    "zip": "zip",
    "tar": "tar",
    "jpeg": "jpeg",
    "jpg": "J.P.G.",
    "gif": "gif",
    "log": "log",
    "java": "java",
    "env": "env",
    "conf": "conf",
    "config": "config",
    "lock": "lock",
    "bak": "back",
    "wav": "wave",
    "mp3": "M.P. three",
    "mp4": "M.P. four",
    "7z": "seven Z",
    "bin": "bin",
    "bat": "bat",
    "ini": "I.N.I.",
    "go": "go",
    "vue": "view",
    "swift": "swift",
    "dart": "dart",
    "exe": "E.X.E.",
    "app": "app",
    "iso": "I.S.O.",
    "webp": "web P",
    "webm": "web M",
    "flac": "flack",
    "ogg": "ogg",
    "avi": "A.V.I.",
    "onnx": "onyx",
}
_SPELLED_ENDINGS = (
    "pdf py js ts jsx tsx md csv tsv png svg html htm css scss xml sql sh rs rb php cpp cc cs kt xls ppt "
    "rtf bmp mov mkv gz bz2 "
    "dll jar apk dmg pt h5 db cfg ps1 ipynb"
).split()
_FILE_ENDINGS = "|".join(sorted({*_ENDINGS, *_SPELLED_ENDINGS}, key=len, reverse=True))
_FOLDERS = {"src": "source", "usr": "user", "tmp": "temp", "etc": "etsy", "img": "image", "pkg": "package"}
_MAX_PATH = 60  # characters of a path that are said; what is longer nobody wants to hear


def _ending(text: str) -> str:
    low = text.lower()
    return _ENDINGS.get(low) or " ".join(
        code_number(part) if part.isdecimal() else letters(part) for part in re.findall(r"\d+|[a-z]+", low)
    )


def _host(text: str) -> str:
    labels = text.rstrip(".").split(".")
    if labels[0].lower() == "www" and len(labels) > 2:
        labels = labels[1:]
    said = [_label(label) for label in labels[:-1]]
    top = labels[-1].lower()
    said.append(top if top in _READ_ENDINGS or len(top) > 3 else letters(top))
    return " dot ".join(said)


def _label(text: str) -> str:
    return " dash ".join(say_name(part) or "" for part in text.split("-") if part)


def _segment(text: str) -> str:
    """A part of a path: words, "dash" for a hyphen, "dot" and the ending of a file."""
    stem, dot, ending = text.rpartition(".")
    if dot and stem and re.fullmatch(_FILE_ENDINGS, ending, re.IGNORECASE):
        return f"{_segment(stem)} dot {_ending(ending)}"
    parts = [_FOLDERS.get(part) or _label(part) for part in re.split(r"[._]", text)]
    return " ".join(part for part in parts if part)


def _path(text: str) -> str:
    """The words of a path: "/docs/intro" is "slash docs slash intro"; cut off where it gets long."""
    said = ""
    length = 0
    for segment in text.split("/"):
        if not segment:
            continue
        length += len(segment)
        if length > _MAX_PATH or len(segment) > 40 or _looks_random(segment):
            return said + " and so on"
        words = _segment(segment)
        if words:
            said += f" slash {words}"
    return said


def _looks_random(text: str) -> bool:
    """Whether a part of a path is an identifier that nobody would say: long, with many digits."""
    return len(text) > 11 and sum(map(str.isdecimal, text)) * 4 > len(text)


def _trimmed(match: re.Match[str], group: str) -> str:
    """Without punctuation at its end, and without a bracket that closes one opened before it."""
    text = match[group].rstrip(".,;:!?'\"\u2019\u201d*_")
    if text.endswith(")") and "(" not in text:
        text = text.rstrip(").,;:!?'\"")
    return text


def _spoken_end(match: re.Match[str], end: int, said: str) -> list[Edit]:
    if said.endswith(".") and match.string[end : end + 1] == ".":
        said = said[:-1]
    return [Edit(match.start(), end, said)]


def _url(match: re.Match[str]) -> list[Edit] | None:
    rest = _trimmed(match, "rest")
    end = match.start("rest") + len(rest)
    address = re.split(r"[?#]", rest, maxsplit=1)[0]
    host, slash, path = address.partition("/")
    host = host.rpartition("@")[2]
    name, _, port = host.partition(":")
    if not name or not re.fullmatch(r"[\w.-]{1,253}", name):
        return None
    said = _ip_or_host(name)
    if port.isdecimal() and port:
        said += f" colon {code_number(port)}"
    if slash:
        said += _path(path)
    return _spoken_end(match, end, said) if said.strip() else None


def _ip_or_host(name: str) -> str:
    if re.fullmatch(r"[\d.]+", name):
        return " dot ".join(code_number(part) for part in name.split(".") if part)
    return _host(name)


def _email(match: re.Match[str]) -> list[Edit]:
    names = {".": " dot ", "+": " plus ", "_": " underscore ", "-": " dash "}
    local = "".join(
        names.get(part) or say_name(part) for part in re.split(r"([.+_-])", match["local"]) if part
    )
    said = f"{local.strip()} at {_ip_or_host(match['host'])}"
    if match["port"]:
        said += f" port {code_number(match['port'])}"
    return _spoken_end(match, match.end(), said)


def _file(match: re.Match[str]) -> list[Edit]:
    path = match["path"]
    said = (
        f"{_path(path).removeprefix(' slash ')} slash "
        if path.strip("./")
        else "dot slash "
        if path == "./"
        else ""
    )
    stem = re.sub(r"[._-]+", " ", match["stem"]).strip()
    words = " ".join(say_name(part) for part in stem.split())
    return _spoken_end(match, match.end(), f"{said}{words} dot {_ending(match['ending'])}")


def _unix_path(match: re.Match[str]) -> list[Edit] | None:
    text = match[0].rstrip(".,;:!?")
    home = text.startswith("~")
    if not home and text.count("/") < 2:
        return None
    said = ("home" if home else "") + _path(text.lstrip("~"))
    return _spoken_end(match, match.start() + len(text), said.strip())


def _handle(match: re.Match[str]) -> list[Edit]:
    return _spoken_end(match, match.end(), f"at {say_name(match['name'])}")


def _hashtag(match: re.Match[str]) -> list[Edit]:
    name = match["name"]
    if re.fullmatch(r"[0-9A-Fa-f]{6}", name) and re.search(r"\d", name):
        return _spoken_end(match, match.end(), f"hash {spell(name)}")
    return _spoken_end(match, match.end(), f"hashtag {say_name(name)}")


def _dot_name(match: re.Match[str]) -> str:
    del match
    return "dot "


def _member(match: re.Match[str]) -> str:
    del match
    return " dot "


_URL = re.compile(
    r"(?<![\w@])(?:(?:https?|ftp|wss?)://|(?=www\.)|(?=localhost:\d))(?P<rest>[^\s<>\"\u201c\u201d]{1,2000})",
    re.IGNORECASE,
)
_BARE = re.compile(
    rf"(?<![\w@./-])(?P<rest>[A-Za-z0-9](?:[A-Za-z0-9-]{{0,62}}\.){{1,8}}(?:{_TOP})(?::\d{{1,5}})?"
    rf"(?:[/?#][^\s<>\"\u201c\u201d]{{0,2000}})?)(?![\w@-])"
)
_EMAIL = re.compile(
    r"(?<![\w.+-])(?P<local>[\w.+-]{1,64})@(?P<host>[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8})"
    r"(?::(?P<port>\d{1,5}))?(?![\w-])"
)
_FILE = re.compile(
    rf"(?<![\w./\\@:-])(?P<path>(?:[\w.-]{{1,60}}/){{0,12}})(?P<stem>[\w][\w.-]{{0,80}}?)\."
    rf"(?P<ending>{_FILE_ENDINGS})(?![\w/-]|\.\w)"
)
_UNIX_PATH = re.compile(
    r"(?<![\w./:<~])~?/(?=[A-Za-z._])[\w.@~+-]{1,80}(?:/[\w.@~+-]{1,80}){0,20}/?(?![\w/])"
)
_HANDLE = re.compile(r"(?<![\w@.])@(?P<name>[A-Za-z_]\w{0,40})(?![\w@])")
_HASHTAG = re.compile(r"(?<![\w#&])#(?P<name>(?=\w*[^\W\d_])[\w]{1,60})(?!\w)")
_DOT_NAME = re.compile(r"(?<![\w.])\.(?=[A-Za-z]{2})")
_MEMBER = re.compile(r"(?<=[a-z_]{2})\.(?=[a-z_]{2})")

RULES = (
    Rule(_URL, _url, ":w"),
    Rule(_EMAIL, _email, "@"),
    Rule(_BARE, _url, "."),
    Rule(_FILE, _file, "."),
    Rule(_UNIX_PATH, _unix_path, "/"),
    Rule(_HANDLE, _handle, "@"),
    Rule(_HASHTAG, _hashtag, "#"),
    Rule(_DOT_NAME, _dot_name, "."),
    Rule(_MEMBER, _member, "."),
)
