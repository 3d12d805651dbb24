"""Findings as a table for people, and as JSON for machines. What is secret is cut out of both."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from urllib.parse import unquote, urlsplit

from realtime import __version__
from realtime.config import SECRETS
from realtime.doctor.finding import OTHER_SECRETS, Finding, Situation
from realtime.doctor.keys import secret_keys

Groups = Mapping[str, Sequence[Finding]]

#: Told apart without colour.
_SIGNS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL", "info": "    "}
_NARROWEST, _WIDEST = 60, 120
_LONGEST_NAME = 28
_HIDDEN = "***"
#: What is shorter would be cut out of everything.
_SHORTEST_SECRET = 4


def secrets_of(situation: Situation) -> tuple[str, ...]:
    """Whatever must not be printed, the longest first: keys, passwords, and the variables that hold them."""
    named = [name for name in SECRETS if name != "API_KEYS_FILE"]
    texts = [situation.environment.get(name, "").strip() for name in (*named, *OTHER_SECRETS)]
    texts += [secret for _, secret in secret_keys(situation)]
    texts += [key.strip() for key in situation.environment.get("API_KEYS", "").split(",")]
    try:
        password = urlsplit(situation.environment.get("REDIS_URL", "")).password or ""
    except ValueError:
        password = ""
    texts += [password, unquote(password)]
    found = {text for text in texts if len(text) >= _SHORTEST_SECRET and text.lower() != "none"}
    return tuple(sorted(found, key=len, reverse=True))


def without_secrets(groups: Groups, secrets: Sequence[str]) -> dict[str, list[Finding]]:
    """The same with every secret cut out: no check prints one, and no error of a library shall."""

    def cut(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, _HIDDEN)
        return text

    return {
        group: [
            replace(each, name=cut(each.name), found=cut(each.found), remedy=cut(each.remedy))
            for each in findings
        ]
        for group, findings in groups.items()
    }


def has_failed(groups: Groups) -> bool:
    """Whether anything must be mended."""
    return any(each.state == "fail" for findings in groups.values() for each in findings)


def as_table(groups: Groups, width: int) -> str:
    """For people, in lines of at most `width` where words allow."""
    width = min(_WIDEST, max(_NARROWEST, width))
    names = [len(each.name) for findings in groups.values() for each in findings]
    column = min(_LONGEST_NAME, max(names, default=0))
    lines = [f"realtime {__version__}"]
    for group, findings in groups.items():
        if findings:
            lines += ["", group]
        for each in findings:
            head = f"  {_SIGNS[each.state]}  {each.name.ljust(column)}  "
            lines += _wrapped(head, " " * (10 + column), each.found, width)
            if each.remedy:
                lines += _wrapped(" " * (10 + column) + "-> ", " " * (13 + column), each.remedy, width)
    return "\n".join([*lines, "", _summary(groups)])


def _wrapped(head: str, indent: str, text: str, width: int) -> list[str]:
    # Neither paths nor names of options are broken.
    return textwrap.wrap(
        text,
        width,
        initial_indent=head,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [head.rstrip()]


def _summary(groups: Groups) -> str:
    counts = Counter(each.state for findings in groups.values() for each in findings)
    if counts["fail"]:
        return f"{counts['fail']} to be mended, {counts['warn']} to be looked at, {counts['ok']} ok"
    if counts["warn"]:
        return f"nothing must be mended; {counts['warn']} to be looked at, {counts['ok']} ok"
    return f"all is well: {counts['ok']} ok"


def as_json(groups: Groups) -> str:
    """For machines: `ok` is whether nothing must be mended."""
    findings = [{"group": group, **asdict(each)} for group, listed in groups.items() for each in listed]
    told = {"version": __version__, "ok": not has_failed(groups), "findings": findings}
    return json.dumps(told, indent=2, ensure_ascii=False)
