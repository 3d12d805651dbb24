"""From tokens to pieces: the same ones whatever the cuts, each knowing its source."""

from __future__ import annotations

import itertools
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.text.frontend import Frontend, TextOptions, warm_up
from realtime.text.lexicon import MOST_GROWTH, Lexicon
from realtime.text.normalize import LANGUAGES
from realtime.types import Buffering, TextPiece
from tests.text.normalize.pairs import pairs

#: Pieces of text of which the stages are fond, so that odd neighbours meet often.
FRAGMENTS = [
    *(". ", "! ", "?", "…", "...", ", ", "; ", ": ", " - ", " — ", "\n", "\n\n", " ", "\t", "\u3000"),
    *(
        "**",
        "*",
        "_",
        "`",
        "```\n",
        "~~~",
        "# ",
        "- ",
        "> ",
        "| a | b |\n",
        "|---|---|\n",
        "1. ",
        "[x](",
        ")",
        "[",
    ),
    *(
        "<b>",
        "</b>",
        "<br/>",
        "&amp;",
        "<break time='1s'/>",
        "<say-as interpret-as='digits'>",
        "</say-as>",
        "<",
    ),
    *(
        "$3.50",
        "2024-01-15",
        "5 km",
        "1/2",
        "3-2",
        "98.6°F",
        "Dr. ",
        "No. 5",
        "U.S.A.",
        "e.g. ",
        "p.m.",
        "XIV",
    ),
    *(
        "https://a.example/b?c",
        "x@y.org",
        "#1",
        "@user",
        "snake_case",
        "C++",
        "😀",
        "👍🏽",
        ":-)",
        "\0",
        "\u200b",
    ),
    *(
        "The ",
        "word ",
        "and ",
        "it is ",
        "Hello",
        "été ",
        "über ",
        "мая ",
        "今日は",
        "。",
        "、",
        "5月",
        "안녕",
        "مرحبا ",
    ),
    *("Das ist nicht sehr viel Geld, glaube ich. ", "Am 3. Mai 2024 ", "This is what I think about it. "),
    *(
        "C'est ce que M. Dupont a dit hier. ",
        "Это совсем другое дело, т.е. не такое. ",
        "今天天气很好。",
        "今日はとても良い。",
    ),
    *("x" * 90, "long " * 20, "." * 40, "「", "」", '"', "”", "(", "9" * 30),
]
TEXTS = st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join)
OPTIONS = [
    TextOptions("en"),
    TextOptions("en", buffering="sentence", markup=True, code="announce", tables="announce"),
    TextOptions(
        "en", LANGUAGES, code="say", tables="skip", lexicon=Lexicon({"word": "lexical item", "the": ""})
    ),
    TextOptions("de", normalize=False),
    TextOptions("en", LANGUAGES, words=True, markup=True),
    TextOptions("en", words=True),
    TextOptions("en", LANGUAGES, language_fixed=True, words=True, lexicon=Lexicon({"it is": "it's"})),
]


def spoken(tokens: list[str], options: TextOptions) -> list[TextPiece]:
    frontend = Frontend(options)
    pieces = [piece for token in tokens for piece in frontend.append(token)]
    return pieces + frontend.flush()


def texts(text: str, options: TextOptions) -> list[str]:
    return [piece.text for piece in spoken([text], options)]


def check_sources(text: str, pieces: list[TextPiece]) -> None:
    """Pieces and spans are in order and disjoint, inside the text, and cover all that is spoken."""
    end = 0
    open_segment: int | None = None
    segments = 0
    for piece in pieces:
        assert piece.segment == (segments if open_segment is None else open_segment)
        if open_segment is None:
            assert any(character.isalnum() for character in piece.text)
        open_segment = None if piece.last_of_segment else piece.segment
        segments += piece.last_of_segment
        covered: set[int] = set()
        spoken_end = 0
        for span in piece.spans:
            assert end <= span.source_start < span.source_end <= len(text)
            assert spoken_end <= span.spoken_start < span.spoken_end <= len(piece.text)
            end, spoken_end = span.source_end, span.spoken_end
            covered |= set(range(span.spoken_start, span.spoken_end))
        assert {at for at, character in enumerate(piece.text) if not character.isspace()} <= covered
        if piece.spans:
            assert piece.source == (piece.spans[0].source_start, piece.spans[-1].source_end)
        for each in piece.pronunciations:
            assert 0 <= each.spoken_start <= each.spoken_end <= len(piece.text)
    assert open_segment is None


@pytest.mark.parametrize("options", OPTIONS, ids=range(len(OPTIONS)))
@settings(max_examples=60)
@given(text=st.one_of(TEXTS, st.text(max_size=120)), data=st.data())
def test_any_cuts_give_the_same_pieces(options: TextOptions, text: str, data: st.DataObject) -> None:
    pieces = spoken([text], options)
    check_sources(text, pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=10)))
    tokens = [text[a:b] for a, b in itertools.pairwise([0, *cuts, len(text)])]
    for other in (list(text), tokens):
        again = spoken(other, options)
        check_sources(text, again)
        if options.words:  # parts are cut where the text had come to, whole segments are not
            assert joined(again) == joined(pieces)
        else:
            assert again == pieces


def joined(pieces: list[TextPiece]) -> list[tuple[str, str]]:
    """Text and language of whole segments."""
    groups = itertools.groupby(pieces, key=lambda piece: piece.segment)
    whole = [list(group) for _, group in groups]
    return [("".join(piece.text for piece in group), group[0].language) for group in whole]


@settings(max_examples=60)
@given(text=TEXTS)
def test_manual_buffering_gives_the_same_at_its_end(text: str) -> None:
    frontend = Frontend(TextOptions("en", buffering="manual"))
    assert [frontend.append(character) for character in text] == [[]] * len(text)
    assert frontend.settle() == [] and frontend.held == 0
    assert frontend.flush() == spoken([text], TextOptions("en", buffering="sentence"))
    assert frontend.flush() == []


@settings(max_examples=60)
@given(parts=st.lists(TEXTS, min_size=2, max_size=4), forces=st.lists(st.booleans(), min_size=4, max_size=4))
def test_what_is_forced_keeps_every_position(parts: list[str], forces: list[bool]) -> None:
    frontend = Frontend(TextOptions("en"))
    pieces: list[TextPiece] = []
    for part, force in zip(parts, forces, strict=False):
        pieces += frontend.append(part)
        pieces += frontend.flush() if force else frontend.settle()
    check_sources("".join(parts), pieces + frontend.flush())


# -- what is spoken -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("It costs **$3.50** today.", "It costs three dollars and fifty cents today."),
        ("See [the 2nd page](https://example.com/x?y=1) &amp; go.", "See the second page and go."),
        ("Great 👍🏽 work!!!", "Great work!"),
        ("## Chapter IV\n", "Chapter four"),
        ("Use `code` here.", "Use code here."),
    ],
)
def test_a_segment_goes_through_all_stages(written: str, expected: str) -> None:
    (piece,) = spoken([written], TextOptions("en"))
    assert piece.text.split() == expected.split() or piece.text == expected
    assert piece.normalized
    check_sources(written, [piece])


def test_a_price_is_one_word_of_the_source_and_five_spoken_ones() -> None:
    text = "It costs $3.50 today."
    (piece,) = spoken([text], TextOptions("en"))
    link = next(link for link in piece.spans if text[link.source_start] == "$")
    assert text[link.source_start : link.source_end] == "$3.50"
    assert piece.text[link.spoken_start : link.spoken_end] == "three dollars and fifty cents"


def test_without_normalization_numbers_stay() -> None:
    (piece,) = spoken(["It costs **$3.50** today."], TextOptions("en", normalize=False))
    assert piece.text == "It costs $3.50 today." and not piece.normalized


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\n\n\n",
        "😀🎉",
        "...",
        "?!",
        "— “” —",
        "\0\0",
        "😀. 🎉! \n\n",
        "*`*",
        "<b></b>",
        "```\n```\n",
    ],
)
@pytest.mark.parametrize("buffering", ["auto", "sentence", "manual"])
def test_nothing_to_say_gives_no_piece(text: str, buffering: Buffering) -> None:
    for options in (TextOptions("en", buffering=buffering), TextOptions("en", LANGUAGES, markup=True)):
        assert spoken([text], options) == []
        assert spoken(list(text), options) == []


def test_segments_are_numbered_without_those_that_say_nothing() -> None:
    pieces = spoken(["First one here.\n\n😀\n\nSecond one here.\n\n...\n\nThird"], TextOptions("en"))
    assert [(piece.segment, piece.text) for piece in pieces] == [
        (0, "First one here."),
        (1, "Second one here."),
        (2, "Third"),
    ]


def test_the_first_clause_comes_early_and_only_the_first() -> None:
    clause = "Well, when I think about it for a moment, "
    text = (
        clause + "there is a lot that one could say about this. And " + clause + "that is all there is to it."
    )
    assert texts(text, TextOptions("en"))[0] == clause.strip()
    assert len(texts(text, TextOptions("en"))) == 3
    assert len(texts(text, TextOptions("en", buffering="sentence"))) == 2


def test_a_flush_makes_half_a_word_final() -> None:
    frontend = Frontend(TextOptions("en"))
    assert frontend.append("Hel") == []
    assert [(piece.text, piece.source) for piece in frontend.flush()] == [("Hel", (0, 3))]
    assert frontend.append("lo") == []
    assert [(p.segment, p.text, p.source) for p in frontend.flush()] == [(1, "lo", (3, 5))]


# -- blocks -------------------------------------------------------------------------------------------------

CODE = "Look at this:\n\n```python\nprint(x)\n```\n\nThat was it."
TABLE = "See here:\n\n| Name | Age |\n|---|---|\n| Ann | 30 |\n\nThat was it."


def test_code_is_skipped_said_or_announced() -> None:
    assert texts(CODE, TextOptions("en")) == ["Look at this:", "That was it."]
    assert texts(CODE, TextOptions("en", code="announce")) == ["Look at this:", "Code block.", "That was it."]
    (_, said, _) = texts(CODE, TextOptions("en", code="say"))
    assert "print" in said and "`" not in said


def test_tables_are_skipped_said_or_announced() -> None:
    said = texts(TABLE, TextOptions("en"))
    assert said[0] == "See here:" and said[-1] == "That was it."
    assert "Name, Age" in " ".join(said) and "Ann, thirty" in " ".join(said) and "|" not in "".join(said)
    assert texts(TABLE, TextOptions("en", tables="skip")) == ["See here:", "That was it."]
    announced = texts(TABLE, TextOptions("de", tables="announce"))
    assert announced == ["See here:", "Tabelle.", "That was it."]


# -- language, lexicon, markup ------------------------------------------------------------------------------


def test_each_segment_has_its_language_and_its_numbers_are_read_in_it() -> None:
    text = (
        "This is what it costs today: $3.50 and no more than that. "
        "Gestern hat es noch 22,1 Prozent weniger gekostet, glaube ich. "
        "And tomorrow it will cost 5% more than that, I am afraid."
    )
    pieces = spoken([text], TextOptions("en", LANGUAGES, buffering="sentence"))
    assert [piece.language for piece in pieces] == ["en", "de", "en"]
    assert "zweiundzwanzig Komma eins Prozent" in pieces[1].text
    assert "five percent" in pieces[2].text


def test_a_fixed_language_is_told_by_the_first_segment() -> None:
    text = "Gestern hat es noch weniger gekostet, glaube ich jedenfalls. And today it is more than that."
    options = TextOptions("en", LANGUAGES, language_fixed=True, buffering="sentence")
    assert [piece.language for piece in spoken([text], options)] == ["de", "de"]


def test_what_the_lexicon_says_is_not_normalized() -> None:
    lexicon = Lexicon({"sql": "sequel 2", "Nguyen": "win"})
    assert texts("We ask SQL 3 times, Nguyen.", TextOptions("en", lexicon=lexicon)) == [
        "We ask sequel 2 three times, win."
    ]


def test_a_break_is_a_pause_before_the_next_segment() -> None:
    text = "One is here <break time='700ms'/> and two. <break time='1s'/><break time='1s'/> Three is here."
    pieces = spoken([text], TextOptions("en", markup=True))
    assert [(piece.text, piece.pause_before_ms) for piece in pieces] == [
        ("One is here", None),
        ("and two.", 700),
        ("Three is here.", 2000),
    ]
    assert all(piece.pause_before_ms is None for piece in spoken([text], TextOptions("en")))


def test_phonemes_find_their_word_whatever_comes_before_it() -> None:
    text = 'For $3.50 a <phoneme alphabet="ipa" ph="x">tomato</phoneme> is fine.'
    (piece,) = spoken([text], TextOptions("en", markup=True))
    (pronunciation,) = piece.pronunciations
    assert piece.text[pronunciation.spoken_start : pronunciation.spoken_end] == "tomato"
    assert pronunciation.ipa == "x"


# -- word by word -------------------------------------------------------------------------------------------

WORDS = TextOptions("en", words=True)


def fed(text: str) -> list[str]:
    """What is out before the text has ended."""
    frontend = Frontend(WORDS)
    return [piece.text for character in text for piece in frontend.append(character)]


def test_words_come_as_soon_as_they_are_final() -> None:
    assert "".join(fed("we can see it from here today ")).startswith("we can see it from")
    frontend = Frontend(WORDS)
    first = frontend.append("we can see it from here ")
    assert first and not first[0].last_of_segment
    rest = frontend.append("today. And then ") + frontend.flush()
    assert joined(first + rest) == [("we can see it from here today.", "en"), ("And then", "en")]


@pytest.mark.parametrize(
    "held",
    [
        "$3.50",
        "**emphasis which goes further ",
        "[a link which goes further ",
        "5 km",
        "`code which goes further ",
    ],
)
def test_what_may_still_change_is_held_back(held: str) -> None:
    said = "".join(fed("we can see that it costs " + held)).split()
    assert said == ["we", "can", "see", "that", "it", "costs"][: len(said)] and len(said) >= 4


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_source_word_begins_or_ends_with_space(language: str) -> None:
    for written, _ in pairs(language):
        for piece in spoken([written], TextOptions(language)):
            for span in piece.spans:
                source = written[span.source_start : span.source_end]
                assert source == source.strip(), written


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_tables_are_said_the_same_word_by_word(language: str) -> None:
    different: list[tuple[str, str, str]] = []
    table = pairs(language)
    for written, _ in table:
        whole = joined(spoken([written], TextOptions(language, buffering="sentence")))
        parts = joined(spoken(list(written), TextOptions(language, words=True)))
        if whole != parts:
            different.append((written, str(whole), str(parts)))
    assert not different


# -- any input ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", OPTIONS, ids=range(len(OPTIONS)))
@pytest.mark.parametrize(
    "text",
    [
        *("(" * 10_000, "[" * 10_000, "<" * 10_000, "`" * 10_000, "*" * 10_000, "_a" * 5000, "|" * 10_000),
        *("9" * 400, "9," * 4000, "$" * 5000, "1/" * 4000, "a.b" * 3000, "&amp;" * 2000, "今" * 10_000),
        *(
            "مرحبا 123 بالعالم " * 300,
            "\u202eabc\u202c " * 500,
            "e" + "\u0301" * 5000,
            "\n" * 10_000,
            "😀" * 5000,
        ),
        *(
            "# " * 5000,
            "- " * 5000,
            "https://" * 1500,
            "<say-as " * 1500,
            "> " * 5000,
            "[a](" * 2500,
            "![" * 5000,
        ),
    ],
    ids=range(26),
)
def test_endless_text_of_any_kind_is_survived(options: TextOptions, text: str) -> None:
    pieces = spoken([text[start : start + 256] for start in range(0, len(text), 256)], options)
    check_sources(text, pieces)
    assert sum(len(piece.text) for piece in pieces) <= MOST_GROWTH * len(text)


@settings(max_examples=200)
@given(text=st.text(max_size=300))
def test_any_text_gives_no_more_than_twenty_times_its_length(text: str) -> None:
    pieces = spoken([text], TextOptions("en", LANGUAGES))
    assert sum(len(piece.text) for piece in pieces) <= MOST_GROWTH * len(text)


def test_warming_up_takes_any_language() -> None:
    warm_up(LANGUAGES)
    warm_up(("xx",))


def test_a_letter_and_its_accent_are_one() -> None:
    lexicon = Lexicon({"caf\u00e9": "coffee house"})
    for text in ("Le cafe\u0301 ferme.", "Le caf\u00e9 ferme."):
        pieces = spoken([text], TextOptions("fr", lexicon=lexicon))
        assert [piece.text for piece in pieces] == ["Le coffee house ferme."]
    hangul = unicodedata.normalize("NFD", "\uc548\ub155")
    (piece,) = spoken([hangul], TextOptions("ko"))
    assert piece.text == "\uc548\ub155" and piece.source == (0, len(hangul))


def test_long_spoken_forms_are_not_read_again() -> None:
    lexicon = Lexicon({"x": "1 2 3 " * 40})
    text = "x, 5 km and x. " * 20
    pieces = spoken([text], TextOptions("en", lexicon=lexicon))
    assert all("five kilometers and" in piece.text for piece in pieces)
    assert sum(len(piece.text) for piece in pieces) <= MOST_GROWTH * len(text) * 2
