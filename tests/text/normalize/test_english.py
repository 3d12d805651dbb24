"""What the table of English pairs does not show: number words against inflect, letters as a voice reads them,
and that what is said depends on near words alone."""

from __future__ import annotations

import itertools
import re
from typing import Any

import inflect
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.text.normalize import reader
from realtime.text.normalize.base import Reader
from realtime.text.normalize.english import words as english_words
from realtime.text.normalize.english.letters import pronounceable, say_name
from realtime.text.normalize.roman import roman_value
from realtime.text.spans import Edit
from tests.text.normalize.pairs import check_sources, pairs, read

#: Of what English rules are fond, so that odd neighbours meet.
PIECES = st.sampled_from(
    [
        *list("0123456789 .,:;-\u2013/%$\u00a3\u20ac\u00a5\u00b0#&@+*()'\u2019\"\u00bd\u00b2"),
        *list("\u00d7~\u00b1\u2265<>=^_xXIVMe\u0663\u00e9"),
        *"12 2024 1e5 404 st th am p.m. Dr. km XIV http:// www. a.b .com Jan. May UTC BC AD K USD".split(),
        *"wind NS|winds ENE|'s|s| x |Hwy 5 N|Ctrl+|\\|::|**|K-|FY|W0|Apt|#A-|q6h|y/o|mmHg|/day|\u2082|".split(
            "|"
        ),
        *"No.| in |Section |HTTP |St.|Mon|T10:30|m/s|FBI|A|iPhone|192.168.0.1|'s".split("|"),
    ]
)
WORDS = st.sampled_from(
    "4th July 5 12 2024 1/2 $5 5% km miles people the a in of to May Jan. No. St. Paul Main Dr. pm p.m. "
    "5:30 3-2 XIV Chapter "
    "FBI US IT WHO stars million x = + - century error 404 @ w/ e.g. etc. vs. ft 3 in. "
    "6'2\" 1x faster per / # & 1990s 44 BC AD et al. team sales 10 000 Q3 lbs. and not UTC EST I II Street "
    "123 Ave. USD , . is was 221B Settings > Privacy 1:1 1:1s meeting 12/25 4/8 Tues. K-12 v2 FY25 "
    "1) 2) ending 1099 737 \u00a7 sq. NW N. Ave w/ b. d. c. '24 5'4 4 u 120/80 3yo 1/3 chance 6-3, "
    "6-4 M-F hours 0800 q6h Ctrl+C 2h 45m 10' 5\" -0.1% 16 GB 7B parameters 5M hrs approx idk King "
    "Charles Stage IIIB 45-1234-67 SSN are PIN code 381-204".split()
)
#: As `text.parts` takes words for plain.
PLAIN = re.compile(r"[a-z]{2,40}")


@pytest.fixture(scope="module")
def english() -> Reader:
    found = reader("en")
    assert found is not None
    return found


ENGINE = inflect.engine()


@given(number=st.integers(0, 10**15 - 1) | st.integers(0, 5000))
def test_cardinals_are_those_of_inflect_without_commas(number: int) -> None:
    words = ENGINE.number_to_words(str(number), andword="and")
    assert english_words.cardinal(str(number)) == str(words).replace(",", "")


@given(number=st.integers(0, 10**15 - 1) | st.integers(0, 5000))
def test_ordinals_are_those_of_inflect_without_commas(number: int) -> None:
    words = ENGINE.number_to_words(ENGINE.ordinal(str(number)), andword="and")
    assert english_words.ordinal(str(number)) == str(words).replace(",", "")


@pytest.mark.parametrize(
    ("digits", "words"),
    [
        ("0", "zero"),
        ("-5", "minus five"),
        ("105", "one hundred and five"),
        ("1234", "one thousand two hundred and thirty-four"),
        ("007", "zero zero seven"),
        ("1000000", "one million"),
        ("1234567890123456", "one two three four five six seven eight nine zero one two three four five six"),
    ],
)
def test_cardinals_of_the_reader(english: Reader, digits: str, words: str) -> None:
    assert english.cardinal(digits) == words


@pytest.mark.parametrize(
    ("digits", "words"),
    [
        ("1", "first"),
        ("12", "twelfth"),
        ("21", "twenty-first"),
        ("100", "one hundredth"),
        ("9" * 17, "nine " * 16 + "nine"),
    ],
)
def test_ordinals_of_the_reader(english: Reader, digits: str, words: str) -> None:
    assert english.ordinal(digits) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1984", "nineteen eighty-four"),
        ("1900", "nineteen hundred"),
        ("1905", "nineteen oh five"),
        ("2000", "two thousand"),
        ("2005", "two thousand and five"),
        ("2010", "twenty ten"),
        ("2024", "twenty twenty-four"),
        ("2100", "twenty-one hundred"),
        ("1066", "ten sixty-six"),
        ("1000", "one thousand"),
        ("476", "four hundred and seventy-six"),
    ],
)
def test_years(text: str, words: str) -> None:
    assert english_words.year(text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("404", "four oh four"),
        ("200", "two hundred"),
        ("747", "seven forty-seven"),
        ("8080", "eighty eighty"),
        ("9700", "ninety-seven hundred"),
        ("9001", "nine thousand and one"),
        ("05", "oh five"),
        ("66", "sixty-six"),
        ("90210", "nine oh two one oh"),
    ],
)
def test_numbers_that_are_names(text: str, words: str) -> None:
    assert english_words.pairs(text) == words


def test_quantities() -> None:
    assert english_words.quantity("2 1/2") == "two and a half"
    assert english_words.quantity("1\u00be") == "one and three quarters"
    assert english_words.quantity("7/8") == "seven eighths"
    assert english_words.quantity(".25") == "zero point two five"
    assert english_words.fraction(5, 23) == "five over twenty-three"
    assert english_words.version("22.04") == "twenty-two point zero four"


@pytest.mark.parametrize(
    ("text", "value"),
    [("XIV", 14), ("MCMXC", 1990), ("LVIII", 58), ("IX", 9), ("IIII", 0), ("VX", 0), ("", 0)],
)
def test_roman_numerals(text: str, value: int) -> None:
    assert roman_value(text) == value


@given(number=st.integers(1, 3999))
def test_every_roman_numeral_is_understood(number: int) -> None:
    written, rest = "", number
    signs = "M CM D CD C XC L XL X IX V IV I".split()
    for value, sign in zip([1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1], signs, strict=True):
        written += sign * (rest // value)
        rest %= value
    assert roman_value(written) == number


def test_spelling(english: Reader) -> None:
    assert english.spell("ab-7") == "A. B. dash seven"
    assert english.spell("x y@") == "X. Y. at"
    assert english.spell("") == ""


@pytest.mark.parametrize(
    "word", ["nasa", "important", "length", "months", "worlds", "rhythm", "strong", "john"]
)
def test_words_can_be_pronounced(word: str) -> None:
    assert pronounceable(word)


@pytest.mark.parametrize("letters", ["html", "xkcd", "isbn", "imdb", "lapd", "ggml", "bcom"])
def test_what_is_no_word_cannot(letters: str) -> None:
    assert not pronounceable(letters)


def test_names_of_letters_and_digits() -> None:
    assert say_name("jane_doe42") == "jane doe forty-two"
    assert say_name("ThrowbackThursday") == "Throwback Thursday"
    assert say_name("HTTPServer2") == "H.T.T.P. Server two"


def said(text: str, english: Reader) -> list[tuple[str, str]]:
    return [(text[edit.start : edit.end], edit.spoken) for edit in english.edits(text)]


def test_every_written_word_keeps_its_own_words(english: Reader) -> None:
    assert said("It costs $5 million.", english) == [("$5", "five"), ("million", "million dollars")]
    assert said("On Jan. 5, 2024.", english) == [
        ("Jan.", "January"),
        ("5", "fifth"),
        ("2024", "twenty twenty-four"),
    ]
    assert said("(212) 555-7890", english) == [
        ("(212)", "two one two,"),
        ("555-7890", "five five five, seven eight nine oh"),
    ]
    assert said("5 km", english) == [("5", "five"), ("km", "kilometers")]
    assert said("5:30 p.m. EST", english) == [("5:30", "five thirty"), ("p.m.", "p.m."), ("EST", "E.S.T.")]
    assert said("60 km/h", english) == [("60", "sixty"), ("km/h", "kilometers per hour")]
    assert said("5 ft 3 in", english) == [("5", "five"), ("ft", "feet"), ("3", "three"), ("in", "inches")]
    assert said("Louis XIV", english) == [("XIV", "the Fourteenth")]


def test_signs_between_words_keep_to_their_words(english: Reader) -> None:
    assert said("Open Settings > Privacy", english) == [(" > ", ", ")]
    assert said("press Ctrl+C now", english) == [("Ctrl+C", "Control C")]
    assert said("221B Baker St. now", english) == [("221B", "two twenty-one B"), ("St.", "Street")]
    assert said("500 requests/second", english) == [("500", "five hundred"), ("/second", " per second")]
    assert said("2h 45m", english) == [("2h", "two hours"), ("45m", "forty-five minutes")]
    assert said("020 7946 0958", english) == [
        ("020", "oh two oh,"),
        ("7946", "seven nine four six,"),
        ("0958", "oh nine five eight"),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a 7B model", "a seven billion model"),
        ("in seat 7B", "in seat seven B"),
        ("at 7B Elm Street", "at seven B Elm Street"),
        ("about 7B", "about seven billion"),
        ("a 5M loan", "a five million loan"),
        ("in Room 5M", "in Room five M"),
        ("a 4K film", "a four K film"),
        ("40k", "forty thousand"),
    ],
)
def test_a_letter_after_a_number_is_a_magnitude_only_where_it_counts(text: str, words: str) -> None:
    assert read(text, "en").text == words


@pytest.mark.parametrize(
    "text",
    ["1/2/3", "1,000\u5186", "8/9c", "$1.5.2", "1.2.3.4.5.6.7", "12:34:56:78", "1/2/3/4", "1.5.A", "3.5Q"],
)
def test_what_is_not_understood_is_not_said_in_half(english: Reader, text: str) -> None:
    """Part in words and part in digits would be the worst of all."""
    spoken = read(text, "en").text
    assert not (re.search(r"[0-9]", spoken) and re.search(r"[a-z]{3}", spoken)), spoken


@pytest.mark.parametrize(
    "text",
    [
        "Nothing is written in signs here, is it?",
        "STOP THAT NOW! DON'T DO IT!",
        "I saw NASA and the U.S.A. in RAM.",
        "Malcolm X and Vitamin C, said Henry I think.",
        "A well-known, up-to-date idea - or not.",
        "He said no. No.",
        "Set $HOME and a[i].",
        "May he march on, in May or in March?",
        "Is it OK for us?",
        "Look at the Sun.",
        "CEOs like PCs, and IBM's too.",
    ],
)
def test_what_is_left_as_it_is(english: Reader, text: str) -> None:
    assert english.edits(text) == []


def _of_words(edits: list[Edit], end: int) -> list[Edit]:
    return [edit for edit in edits if edit.end <= end]


def check_near_words_alone(text: str, english: Reader) -> None:
    """Whatever comes after one plain word more changes nothing before it."""
    words = list(re.finditer(r"\S+", text))
    whole = english.edits(text)
    for word, following in itertools.pairwise(words):
        if PLAIN.fullmatch(following[0]) and following is not words[-1]:
            cut = english.edits(text[: following.end()])
            assert _of_words(cut, word.end()) == _of_words(whole, word.end())


@pytest.mark.parametrize("text", [written for written, _ in pairs("en")])
def test_what_is_said_depends_on_near_words_alone(english: Reader, text: str) -> None:
    check_near_words_alone(text, english)


@settings(max_examples=300)
@given(words=st.lists(WORDS, min_size=2, max_size=10))
def test_odd_words_depend_on_near_words_alone(words: list[str]) -> None:
    english = reader("en")
    assert english is not None
    check_near_words_alone(" ".join(words), english)


@settings(max_examples=300)
@given(text=st.lists(PIECES, max_size=25).map("".join))
def test_any_neighbours_are_read(text: str) -> None:
    spoken = read(text, "en")
    check_sources(text, spoken)
    assert len(spoken.text) <= 20 * len(text)


@pytest.fixture(scope="module")
def phonemes() -> Any:
    """The letters-to-sounds of the embedded voice, without marks of stress."""
    from hibari import Hibari

    voice = Hibari.__new__(Hibari)  # its own constructor would load a network
    voice.voice, voice._g2p = "heart", None
    g2p = voice.g2p

    def speak(text: str) -> str:
        tokens = g2p.phonemize_tokens(g2p.tokenize(text))
        return re.sub("[\u02c8\u02cc ]", "", "".join(token.phonemes or "" for token in tokens))

    return speak


@pytest.mark.parametrize(
    "acronym", ["API", "FBI", "USA", "AI", "UAE", "XML", "IEA", "ATM", "HTTP", "ETA", "WHO"]
)
@pytest.mark.parametrize("sentence", ["Use {} now", "the {} and", "{} of it"])
def test_the_voice_reads_spelled_letters_by_their_names(
    english: Reader, phonemes: Any, acronym: str, sentence: str
) -> None:
    names = [phonemes(english.spell(letter)) for letter in acronym]
    start, end = sentence.split("{}")
    written = sentence.format(acronym if acronym != "WHO" else "the WHO")
    spoken = read(written, "en").text
    assert "".join(names) in phonemes(spoken)
    assert start.strip() in spoken and end.strip() in spoken
