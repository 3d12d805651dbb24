"""Which words of a text became which words of its normalized form.

An engine that normalizes by itself knows times of normalized words; a caller wants those of what was written.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher

_WORD = re.compile(r"\S+")


def _key(word: str) -> str:
    return word.strip(".,;:!?\"'“”‘’()[]…—-").lower()


def align_words(written: str, normalized: str) -> list[tuple[int, int]]:
    """For every whitespace-separated word of `normalized`, [start, end) of its word in `written`.

    Words that are equal but for case and punctuation match exactly. Where n words became m others ("$3.50" ->
    "three fifty"), the m are spread over the n in order, or the n over the m. A word that is left out belongs
    to the one before it. Empty when `written` has no word.
    """
    sources = [match.span() for match in _WORD.finditer(written)]
    if not sources:
        return []
    written_keys = [_key(written[start:end]) for start, end in sources]
    normalized_keys = [_key(word) for word in normalized.split()]
    if written_keys == normalized_keys:
        return sources
    spans: list[tuple[int, int]] = []
    matcher = SequenceMatcher(None, written_keys, normalized_keys, autojunk=False)
    for operation, i1, i2, j1, j2 in matcher.get_opcodes():
        count = j2 - j1
        if operation == "insert":  # said in addition: belongs to the word before it
            spans += [sources[max(0, i1 - 1)]] * count
        elif operation == "delete":
            if spans and any(written_keys[i1:i2]):
                spans[-1] = (spans[-1][0], sources[i2 - 1][1])
        else:
            for number in range(count):
                first = i1 + number * (i2 - i1) // count
                last = max(first, i1 + (number + 1) * (i2 - i1) // count - 1)
                spans.append((sources[first][0], sources[last][1]))
    return spans
