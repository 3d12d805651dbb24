"""Which entry of a lexicon is taken where; what entries may be; lexicons in files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.errors import ConfigError
from realtime.text.lexicon import MAX_ENTRIES, MAX_SPOKEN, MOST_GROWTH, Lexicon, check_entries, load_lexicon
from realtime.text.spans import Edit, MappedText

ENTRIES = {
    "sql": "sequel",
    "US": "you ess",
    "C": "sea",
    "C++": "see plus plus",
    ".NET": "dot net",
    "Node.js": "node jay ess",
    "New": "knew",
    "New York": "Noo Yawk",
    "new york city": "the big apple",
    "cat": "kitty",
    "Nginx": "engine ex",
    "nginx": "en gee inks",
    "hush": "",
    "24/7": "twenty-four seven",
    "caf\u00e9": "coffee house",
    "naive": "simple",
    "東京": "とうきょう",
    "今": "いま",
    "서울": "Seoul city",
    "#1": "number one",
    "x.": "ex",
    "O'Brien": "oh bryan",
}


def said(text: str, entries: dict[str, str] = ENTRIES) -> str:
    return MappedText(text, 0).edited(Lexicon(entries).edits(text)).stripped().text


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        # lower case stands for any case, a capital for itself
        ("SQL, Sql and sql", "sequel, sequel and sequel"),
        ("the US and us", "the you ess and us"),
        ("nginx NGINX Nginx", "en gee inks en gee inks engine ex"),
        # the longest is taken
        ("C and C++", "sea and see plus plus"),
        ("New York, New Jersey", "Noo Yawk, knew Jersey"),
        ("NEW YORK CITY", "the big apple"),
        # whole words
        ("catalogue cat_1 1cat bobcat cats", "catalogue cat_1 1cat bobcat cats"),
        ("cat's (cat) cat-like, cat.", "kitty's (kitty) kitty-like, kitty."),
        ("MySQL SQL2 SQL-2", "MySQL SQL2 sequel-2"),
        ("naive\u0301 naive", "naive\u0301 simple"),
        ("caf\u00e9s CAF\u00c9", "caf\u00e9s coffee house"),
        # signs
        ("ASP.NET or .NET", "ASP dot net or dot net"),
        ("C++11 and C++.", "see plus plus 11 and see plus plus."),
        ("We are #1, open 24/7.", "We are number one, open twenty-four seven."),
        ("x.y", "ex y"),
        ("Node.js's", "node jay ess's"),
        # white space
        ("New \n\t York is new", "Noo Yawk is new"),
        ("NewYork", "NewYork"),
        ("O\u2019Brien's, O'Brien\u2019s", "oh bryan's, oh bryan\u2019s"),
        # scripts without spaces, and Korean
        ("東京タワーへ今行く", "とうきょうタワーへいま行く"),
        ("SQLを使う", "sequelを使う"),
        ("서울에서 북서울 서울", "Seoul city에서 북서울 Seoul city"),
        # silence
        ("hush now, HUSH", "now,"),
        ("hushed", "hushed"),
        ("", ""),
    ],
)
def test_what_is_said(written: str, spoken: str) -> None:
    assert said(written) == spoken


def test_edits_are_settled_and_each_written_word_has_its_own() -> None:
    assert Lexicon(ENTRIES).edits("to New  York!") == [
        Edit(3, 6, "Noo", settled=True),
        Edit(8, 12, "Yawk", settled=True),
    ]
    assert Lexicon({"new york": "Gotham"}).edits("to New York") == [Edit(3, 11, "Gotham", settled=True)]


def test_space_around_and_within_entries_does_not_count() -> None:
    assert said("a New York minute", {" new  york ": " big\n apple "}) == "a big apple minute"


def test_what_is_not_seen_is_not_said() -> None:
    assert said("ab", {"ab": "a\u200bb\u202e"}) == "ab"


def test_a_letter_whose_small_form_is_longer_moves_nothing() -> None:
    assert said("\u0130\u0130 SQL \u0130", {"sql": "sequel"}) == "\u0130\u0130 sequel \u0130"


def test_the_session_wins_over_the_server() -> None:
    server = {"SQL": "server exact", "api": "server lower", "GIF": "server gif", "Rust": "server rust"}
    session = {"sql": "session lower", "API": "session exact", "GIF": "session gif"}
    merged = Lexicon.merged(server, session)
    text = "SQL sql API api GIF Rust"
    spoken = MappedText(text, 0).edited(merged.edits(text)).text
    assert spoken == "session lower session lower session exact server lower session gif server rust"


def test_phrases_are_told() -> None:
    assert Lexicon({"New York": "x"}).has_phrases
    assert not Lexicon({" York ": "new york"}).has_phrases
    assert not Lexicon({}).has_phrases
    assert Lexicon({}).edits("New York") == []


LETTERS = "abAB. +#_1東京かサ서울\u0130"
WRITTEN = st.text(alphabet=LETTERS, min_size=1, max_size=4)
SPOKEN = st.sampled_from(["", "x", "one two", "three four five", "いま"])
TEXT = st.text(alphabet=LETTERS, max_size=40)
ODD = st.text(alphabet="aA 東서\u0301\u0130\n\t+", max_size=40)


def reference(entries: dict[str, str], text: str) -> list[tuple[int, int]]:
    """Places by the rules, tried one after another at every character; all with single spaces."""

    def in_word(at: int) -> bool:
        if not 0 <= at < len(text):
            return False
        return (text[at].isalnum() or text[at] == "_") and text[at] not in "東京かサ서울"

    def fits(at: int, word: str) -> bool:
        end = at + len(word)
        part = text[at:end]
        small = "".join(each if each == "\u0130" else each.lower() for each in part)
        lower = word == "".join(each if each == "\u0130" else each.lower() for each in word)
        if part != word and not (lower and small == word):
            return False
        if in_word(at) and in_word(at - 1):
            return False
        if word[0] in "서울" and at and text[at - 1] in "서울":
            return False
        return not (in_word(end) and in_word(end - 1))

    places: list[tuple[int, int]] = []
    at = 0
    while at < len(text):
        found = max((len(word) for word in entries if fits(at, word)), default=0)
        if found:
            places.append((at, at + found))
        at += found or 1
    return places


@given(st.dictionaries(WRITTEN, SPOKEN, max_size=6), TEXT)
def test_places_are_those_of_the_rules(entries: dict[str, str], text: str) -> None:
    text = " ".join(text.split())
    entries = {" ".join(word.split()): "x" for word in entries if word.strip()}
    edits = Lexicon(entries).edits(text)
    assert [(edit.start, edit.end) for edit in edits] == reference(entries, text)


@given(
    st.dictionaries(st.one_of(WRITTEN, st.text(max_size=8)), SPOKEN, max_size=6),
    st.one_of(TEXT, ODD, st.text()),
)
def test_edits_are_ordered_disjoint_inside_and_settled(entries: dict[str, str], text: str) -> None:
    end = 0
    for edit in Lexicon(entries).edits(text):
        assert end <= edit.start < edit.end <= len(text)
        assert edit.settled
        end = edit.end


@pytest.mark.parametrize("text", ["a" * 50_000, "a " * 25_000, "[" * 50_000, "京" * 50_000, " " * 50_000])
def test_long_texts(text: str) -> None:
    Lexicon({"a b": "x", "[]": "y", "京都": "z", **{f"a {n}": "w" for n in range(500)}}).edits(text)


# -- what entries may be


@pytest.mark.parametrize(
    ("entries", "wrong"),
    [
        ({str(n): "" for n in range(1001)}, "1001 entries; at most 1000 are allowed"),
        ({"": "x"}, "a written word must not be empty; 1 to 64 characters are allowed"),
        ({" \t": "x"}, "a written word must not be empty; 1 to 64 characters are allowed"),
        ({"a" * 65: "x"}, f"the word '{'a' * 40}'... has 65 characters; at most 64 are allowed"),
        ({"a": "x" * 257}, "the spoken form of 'a' has 257 characters; at most 256 are allowed"),
        (
            {"a\x00": "x"},
            "the word 'a\\x00' has the character U+0000 in it; "
            "control characters and lone surrogates are not allowed",
        ),
        (
            {"a": "\ud800"},
            "the spoken form of 'a' has the character U+D800 in it; "
            "control characters and lone surrogates are not allowed",
        ),
    ],
)
def test_what_is_wrong_is_told_in_one_sentence(entries: dict[str, str], wrong: str) -> None:
    assert check_entries(entries) == wrong


def test_what_is_right_is_not_complained_of() -> None:
    entries = {f"word {n}": "x" * 256 for n in range(MAX_ENTRIES - 1)}
    assert check_entries({**entries, "a" * 64: ""}) is None
    assert check_entries({}) is None


@given(st.dictionaries(st.text(max_size=70), st.text(max_size=300), max_size=3))
def test_a_complaint_can_always_be_sent(entries: dict[str, str]) -> None:
    wrong = check_entries(entries)
    assert wrong is None or (wrong.encode().decode("ascii").isprintable() and len(wrong) < 600)


# -- files


def test_lines(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text(
        "\ufeff# names\n\nSQL = sequel\r\nC#=see sharp\na=b = a is b\n  hush =\nK\u00f6ln = Cologne", "utf-8"
    )
    assert load_lexicon(str(path)) == {
        "SQL": "sequel",
        "C#": "see sharp",
        "a=b": "a is b",
        "hush": "",
        "K\u00f6ln": "Cologne",
    }


def test_json(tmp_path: Path) -> None:
    path = tmp_path / "words.JSON"
    entries = {"SQL": "sequel", "#1": "number one", "K\u00f6ln": ""}
    path.write_text(json.dumps(entries), "utf-8")
    assert load_lexicon(str(path)) == entries


@pytest.mark.parametrize(
    ("name", "content", "wrong"),
    [
        ("w.txt", b"a = b\nsequel\n", "line 2: 'sequel' has no equals sign; `word = spoken form` is allowed"),
        (
            "w.txt",
            b"a = b\n\n = c\n",
            "line 3: a written word must not be empty; 1 to 64 characters are allowed",
        ),
        ("w.txt", b"a = b\nb = \xff\n", "line 2: it is not UTF-8; the file must be UTF-8 throughout"),
        ("w.txt", b"a = b\na = c\n", "line 2: the word 'a' is there twice; one spoken form is allowed"),
        ("w.txt", b"a = b\x07\n", "line 1: the spoken form of 'a' has the character U+0007"),
        (
            "w.txt",
            b"\n" + b"".join(b"%d = x\n" % n for n in range(1001)),
            "line 1002: one entry too many; at most",
        ),
        ("w.json", b'{"a": "b",\n"b" "c"}', "line 2: it is not JSON (Expecting ':' delimiter); an object of"),
        ("w.json", b'{"a": "b",\n "c": 3}', "line 2: the spoken form of 'c' is not a string; an object of"),
        (
            "w.json",
            b'{"a": "b",\n "a": "c"}',
            "line 2: the word 'a' is there twice; one spoken form is allowed",
        ),
        ("w.json", b'[["a", "b"]]', "line 1: it is not an object; an object of strings like"),
        ("w.json", b'{"a": ' + b"9" * 5000 + b"}", "line 1: it is not an object of strings; an object"),
        ("w.json", b"[" * 100_000, "line 1: it is not an object of strings; an object"),
        ("w.json", b'{\n"\\ud800": "x"}', "line 2: the word '\\ud800' has the character U+D800"),
    ],
)
def test_what_is_wrong_in_a_file(tmp_path: Path, name: str, content: bytes, wrong: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ConfigError) as error:
        load_lexicon(str(path))
    assert str(error.value).startswith(f"lexicon {path}, {wrong}")
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "none.txt"
    with pytest.raises(ConfigError, match=f"cannot read the lexicon {path}: No such file or directory"):
        load_lexicon(str(path))


@pytest.mark.parametrize("text", ["x " * 350, "x" + " y" * 20, "x!", "x. x. x.", "x x"])
def test_a_segment_does_not_grow_without_end(text: str) -> None:
    spoken = "many words " * (MAX_SPOKEN // 11)
    made = said(text, {"x": spoken})
    assert spoken.strip() in made
    assert len(made) <= max(len(text) + MAX_SPOKEN, MOST_GROWTH * len(text)) + 2
    assert said(text, {"x": "y"}).count("x") == 0, "short forms are taken everywhere"


def test_accents_of_entries_may_be_characters_of_their_own() -> None:
    assert said("a caf\u00e9", {"cafe\u0301": "coffee"}) == "a coffee"


def test_a_dotted_capital_i_keeps_its_place() -> None:
    text = "\u0130 AM in \u0130zmir, SQL"
    assert said(text, {"sql": "sequel", "am": "is"}) == "\u0130 is in \u0130zmir, sequel"
    assert said(text, {"\u0130zmir": "a town"}) == "\u0130 AM in a town, SQL"


def test_no_entry_is_taken_within_a_number() -> None:
    entries = {"3": "three", "50": "fifty", "3.5": "a number", ".": " stop"}
    assert said("3, 3.50, 3.5 or 3,50 and 50.", entries) == "three, 3.50, a number or 3,50 and fifty stop"
