"""The signs "#" and "*" where they are said: keys of a telephone, the number sign, a mark that is spoken of.

Only the word before the sign and the one after it are looked at.
"""

from __future__ import annotations

import re

#: After these words a sign alone is a key.
_AFTER_VERB = re.compile(
    r"(?<!\w)(?:press(?:es|ed|ing)?|hit|hitting|dial(?:ing)?|push|tap|enter|type|key|button|marked|with"
    r"|dr\u00fccke(?:n|n Sie)?|w\u00e4hle(?:n|n Sie)?|taste"
    r"|appuyez sur|appuyer sur|tapez|composez|touche"
    r"|pulse|pulsa|presione|presiona|oprima|marque|marca|tecla"
    r"|premi|premere|prema|digita|digiti|tasto"
    r"|pressione|tecle|digite"
    r"|\u043d\u0430\u0436\u043c\u0438\u0442\u0435|\u043a\u043b\u0430\u0432\u0438\u0448\u0443"
    r"|\u043a\u043d\u043e\u043f\u043a\u0443)[ \u00a0]\Z"
    r"|(?:[#*]|(?<![\w.,])[0-9]) ?(?:,|or|and|oder|und|ou|et|o|y|e|\u0438\u043b\u0438|\u0438) \Z"
    r"|[\u6309\u62e8\u64a5] ?\Z",
    re.IGNORECASE,
)
#: Before these it is one too; Chinese, Japanese and Korean put theirs directly after it.
_BEFORE_NOUN = re.compile(
    r" (?:key|button|sign|symbol|character)(?!\w)|-?[Tt]aste(?!\w)|-Zeichen(?!\w)"
    r"|[\u952e\u9375\u53f7\u865f]|[\u3092\u30dc\u30ad]| ?(?:\ubc84\ud2bc|\ud0a4|\ud45c|\uc744|\ub97c)"
)
#: "*67", "*#06#", "*123*4#": services of a telephone. With a second star it is emphasis: "*42*".
_CODE = re.compile(r"\*#?[0-9]{1,4}(?:\*[0-9]{1,15}){0,5}#")
_SHORT_CODE = re.compile(r"\*[0-9]{1,4}(?![\w*])")
#: What may be open or closed around a sign, and emphasis.
_AROUND = " \u00a0*_`"
_BEFORE = ',;:"\u201d'
_CLOSED = ".,;:!?)\"'\u201d\u2019"


def is_key(text: str, start: int) -> bool:
    """Whether the sign at `start`, one of "#" and "*", is told to be a key by the words beside it."""
    return (
        _AFTER_VERB.search(text, max(0, start - 20), start) is not None
        or _BEFORE_NOUN.match(text, start + 1) is not None
    )


def begins_code(text: str, start: int) -> bool:
    """Whether a number that is dialed begins with the star at `start`."""
    if _CODE.match(text, start):
        return True
    return bool(_SHORT_CODE.match(text, start)) and bool(_AFTER_VERB.search(text, max(0, start - 20), start))


def is_number_sign(text: str, start: int) -> bool:
    """Whether "#" at `start` is alone within a line: "my # is 5", "Ref #: 12", "Press # now"."""
    left = text[max(0, start - 8) : start]
    if not (left[-1:].isspace() or left.endswith(("*", "_", "`"))):
        return False
    before = left.rstrip(_AROUND)[-1:]
    after = text[start + 1 : start + 9].lstrip(_AROUND)[:1]
    if not before or not after:
        return False
    return (before.isalnum() or before in _BEFORE) and (after.isalnum() or after in _CLOSED)
