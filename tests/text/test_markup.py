"""What the tags that authors may use ask for, and that no tag can do harm."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.text import markup
from realtime.text.markup import MAX_ELEMENT, MAX_PAUSE_MS, SAY_AS, STRENGTHS_MS, Marked, read_markup
from realtime.text.normalize import reader as reader_of
from realtime.text.spans import Edit, MappedText

TOLD = "told"


class Told:
    """A reader that tells what it was asked for; it knows numbers with a dot, dollar or hyphen."""

    def edits(self, text: str) -> list[Edit]:
        return [
            Edit(match.start(), match.end(), f"read {match.group().replace('-', ' ')}")
            for match in re.finditer(r"[$\d][\d.-]{1,9}\b", text)
        ]

    def cardinal(self, digits: str) -> str:
        return f"cardinal {digits}"

    def ordinal(self, digits: str) -> str:
        return f"ordinal {digits}"

    def spell(self, text: str) -> str:
        return " ".join("plus" if letter == "+" else letter.upper() for letter in text if letter != " ")


@pytest.fixture(autouse=True, scope="module")
def reader() -> Iterator[None]:
    """There is a language that `Told` reads."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(markup, "reader", lambda language: Told() if language == TOLD else reader_of(language))
        yield


def said(text: str, language: str = TOLD) -> str:
    return MappedText(text, 0).edited(read_markup(text, language).edits).stripped().text


# -- breaks


@pytest.mark.parametrize(
    ("tag", "pause_ms"),
    [
        ('<break time="500ms"/>', 500),
        ("<break time='1.5s'/>", 1500),
        ('<BREAK Time = " +.25S " />', 250),
        ('<break time="0s">', 0),
        ('<break time="1s"></break>', 1000),
        ('<break strength="weak" time="3s"/>', 3000),
        ("<break/>", STRENGTHS_MS["medium"]),
        ("<break />", STRENGTHS_MS["medium"]),
        ('<break strength="X-Strong"/>', STRENGTHS_MS["x-strong"]),
        ('<break strength="none"/>', 0),
        ('<break time="11s"/>', MAX_PAUSE_MS),
        ('<break time="999999999s"/>', MAX_PAUSE_MS),
        ('<break time="6s"/> <break time="6s"/>', MAX_PAUSE_MS),
        ('<break time="200ms"/><break time="300ms"/>', 500),
        ('<break time="&#50;s"/>', 2000),
    ],
)
def test_a_break_is_silence_after_the_segment(tag: str, pause_ms: int) -> None:
    assert read_markup(f"One {tag}", TOLD).pause_ms == pause_ms
    assert said(f"One {tag}") == "One"


def test_strengths_grow() -> None:
    lengths = [STRENGTHS_MS[name] for name in ("none", "x-weak", "weak", "medium", "strong", "x-strong")]
    assert lengths == sorted(set(lengths))


@pytest.mark.parametrize(
    "tag",
    [
        '<break time="3"/>',
        '<break time="s"/>',
        '<break time=".ms"/>',
        '<break time="-1s"/>',
        '<break time="1 s"/>',
        '<break strength="huge"/>',
        '<break time="3s/>',
        '<break time="3s"',
        "<breakfast/>",
        "< break/>",
        '<b time="1s"/>',
    ],
)
def test_a_malformed_break_is_left_to_the_cleaning(tag: str) -> None:
    assert read_markup(f"One {tag} two", TOLD) == Marked()


def test_a_break_parts_two_words() -> None:
    assert said("one<break/>two") == "one two"


# -- elements


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        # say-as
        ('<say-as interpret-as="characters">nato</say-as>.', "N A T O."),
        ("<SAY-AS INTERPRET-AS='Spell-Out'>a b</SAY-AS>", "A B"),
        ('<say-as interpret-as="verbatim">a&amp;b</say-as>', "A & B"),
        ('<say-as interpret-as="cardinal">12</say-as>', "cardinal 12"),
        ('<say-as interpret-as="number">\u221212</say-as>', "cardinal -12"),
        ('<say-as interpret-as="cardinal">1.5 twelve</say-as>', "read 1.5 twelve"),
        ('<say-as interpret-as="ordinal">12</say-as>', "ordinal 12"),
        ('<say-as interpret-as="ordinal">3rd</say-as>', "ordinal 3"),
        ('<say-as interpret-as="ordinal">3.</say-as>', "ordinal 3"),
        ('<say-as interpret-as="ordinal">3-1</say-as>', "read 3 1"),
        ('<say-as interpret-as="ordinal">third</say-as>', "third"),
        ('<say-as interpret-as="digits">12-34</say-as>', "1 2, 3 4"),
        ('<say-as interpret-as="telephone">+1 (212) 555-01</say-as>', "plus 1, 2 1 2, 5 5 5, 0 1"),
        ('<say-as interpret-as="telephone">555-01</say-as>', "5 5 5, 0 1"),
        ('<say-as interpret-as="telephone">-</say-as>', "-"),
        ('<say-as interpret-as="date">2024-05-06</say-as>', "read 2024 05 06"),
        ('<say-as interpret-as="date" format="dmy">6.5.2024</say-as>', "read 2024 05 06"),
        ('<say-as interpret-as="date" format="mm/dd/yyyy">5/6/2024</say-as>', "read 2024 05 06"),
        ('<say-as interpret-as="date" format="my">5/6</say-as>', "5/6"),
        ('<say-as interpret-as="time">10.30</say-as>', "read 10.30"),
        ('<say-as interpret-as="currency">$3.50 net</say-as>', "read $3.50 net"),
        ('<say-as interpret-as="currency">&#36;3.50</say-as>', "read $3.50"),
        ('<say-as interpret-as="unit">5</say-as>', "5"),
        ('<say-as interpret-as="fraction">one half</say-as>', "one half"),
        ('<say-as interpret-as="expletive">word</say-as>', "word"),
        ("<say-as>word</say-as>", "word"),
        # sub
        ('the <sub alias="World Wide Web">WWW</sub>!', "the World Wide Web!"),
        ('<sub alias="say &quot;x&quot; &lt; &#65;&#x42;">x</sub>', 'say "x" < AB'),
        ("<sub alias='5.0 km'>x</sub>", "5.0 km"),
        ('a <sub alias="">silent</sub> b', "a b"),
        ("<sub>WWW</sub>", "WWW"),
        ('<sub alias="a&#10;b&#0;&#x200b;">x</sub>', "a b\ufffd"),
        ('<sub alias="x > y">z</sub>', "x > y"),
        ('<sub alias="x">**z**</sub>', "**x**"),
        ('a<sub alias="x"></sub>b', "ab"),
        # phoneme
        ('<phoneme alphabet="ipa" ph="x">word</phoneme>s', "words"),
        ('<phoneme alphabet="x-sampa" ph="x">word</phoneme>', "word"),
        # left out, with a space where words would touch
        ("<speak>One.<p>Two</p><p><s>three</s></p></speak>", "One. Two three"),
        ('<s>One</s>, <emphasis level="strong">t</emphasis>wo', "One, two"),
        ('<prosody rate="slow" pitch=\'+2st\'>a</prosody> <voice name="x">b</voice>', "a b"),
        ('<lang xml:lang="fr-FR">oui</lang>', "oui"),
        ("<paragraph><sentence>a</sentence><w role='x'>b</w> c</paragraph>", "a b c"),
        ('<mstts:express-as style="sad">a</mstts:express-as> <audio src="x">b</audio>', "a b"),
        # not for us
        ("1 < 2 > 3 <b>x</b> <p", "1 < 2 > 3 <b>x</b> <p"),
        ("<\u017fub alias='x'>y</\u017fub>", "<\u017fub alias='x'>y</\u017fub>"),
    ],
)
def test_what_is_said(written: str, spoken: str) -> None:
    assert said(written) == spoken


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        # the outer is read, what is in it is plain
        ('<sub alias="x">a <emphasis>b</emphasis> <sub alias="y">c</sub></sub>!', "x!"),
        (
            '<say-as interpret-as="characters">a<break/>b<i>c</i><sub alias="y">d</sub></say-as>',
            "A B C D",
        ),
        ('<emphasis><sub alias="x">a</sub></emphasis>', "x"),
        # what does nothing does not keep its content from being read
        ('<say-as interpret-as="name"><sub alias="x">a</sub></say-as>', "x"),
        # never closed, never opened, crossed, too long
        ('<sub alias="x">a <sub alias="y">b</sub>', "a y"),
        ("a</sub></phoneme></say-as>", "a"),
        ('<sub alias="x">a<phoneme ph="p">b</sub>c</phoneme>', "xc"),
        (f'<sub alias="x">{"a" * MAX_ELEMENT}</sub>', "a" * MAX_ELEMENT),
    ],
)
def test_nested_and_broken_elements(written: str, spoken: str) -> None:
    assert said(written) == spoken


def test_a_break_within_an_element_still_counts() -> None:
    assert read_markup('<sub alias="x">a<break time="1s"/></sub>', TOLD).pause_ms == 1000


def test_the_longest_element() -> None:
    opening, closing = '<sub alias="x">', "</sub>"
    longest = opening + "a" * (MAX_ELEMENT - len(opening + closing)) + closing
    assert said(longest) == "x"
    assert said(longest.replace("aa", "aaa", 1)) == "a" * (MAX_ELEMENT - len(opening + closing) + 1)


def test_without_a_reader_letters_are_spelled_and_the_rest_is_left() -> None:
    assert said('<say-as interpret-as="characters">ab c</say-as>', "xx") == "a b c"
    assert said('<say-as interpret-as="digits">12-3</say-as>', "xx") == "1 2, 3"
    for kind in ("cardinal", "ordinal", "date", "currency"):
        assert said(f'<say-as interpret-as="{kind}" format="ymd">2024-01-02</say-as>', "xx") == "2024-01-02"
    assert said('<sub alias="5 km">x</sub>', "xx") == "5 km"


@pytest.mark.parametrize(
    ("language", "kind", "written", "spoken"),
    [
        ("en", "cardinal", "12", "twelve"),
        ("en", "ordinal", "3", "third"),
        ("en", "ordinal", "3.", "third"),
        ("en", "ordinal", "22nd", "twenty-second"),
        ("en", "digits", "4711", "four seven one one"),
        ("en", "telephone", "+1 212-555", "plus one, two one two, five five five"),
        ("en", "currency", "$3.50", "three dollars and fifty cents"),
        ("en", "unit", "5 km", "five kilometers"),
        ("en", "fraction", "2/9", "two ninths"),
        ("de", "ordinal", "3.", "dritte"),
        ("de", "time", "14:30", "vierzehn Uhr drei\u00dfig"),
        ("es", "ordinal", "1\N{FEMININE ORDINAL INDICATOR}", "primera"),
        ("fr", "currency", "5 \u20ac", "cinq euros"),
    ],
)
def test_with_the_readers_of_languages(language: str, kind: str, written: str, spoken: str) -> None:
    assert said(f'<say-as interpret-as="{kind}">{written}</say-as>', language) == spoken


def test_the_order_of_a_date() -> None:
    written = '<say-as interpret-as="date" format="{}">5/6/2024</say-as>'
    orders = {order: said(written.format(order), "en") for order in ("mdy", "dmy")}
    assert orders["mdy"].startswith("May sixth")
    assert orders["dmy"].startswith("June fifth")


def test_what_is_rewritten_is_settled_and_its_words_have_places_of_their_own() -> None:
    written = 'a <sub alias="World Wide Web">W W</sub>'
    assert read_markup(written, TOLD).edits == (
        Edit(2, 30, ""),
        Edit(30, 31, "World", settled=True),
        Edit(32, 33, "Wide Web", settled=True),
        Edit(33, 39, ""),
    )


def test_a_word_with_its_phonemes() -> None:
    written = 'I say <phoneme alphabet="IPA" ph="t&#x259;\u02c8me\u026ato\u028a">tomato</phoneme>, you'
    marked = read_markup(written, TOLD)
    start = written.index("tomato")
    end = start + len("tomato")
    assert marked.phonemes == ((start, end, "t\u0259\u02c8me\u026ato\u028a"),)
    assert [edit for edit in marked.edits if edit.spoken] == [Edit(start, end, "tomato", settled=True)]
    assert said(written) == "I say tomato, you"


@pytest.mark.parametrize(
    "written",
    [
        '<phoneme alphabet="x-sampa" ph="x">word</phoneme>',
        "<phoneme>word</phoneme>",
        '<phoneme ph="">word</phoneme>',
        '<phoneme ph="x"> </phoneme>',
        '<phoneme ph="x"/>',
        '<phoneme ph="x">word',
        f'<phoneme ph="{"x" * 257}">word</phoneme>',
    ],
)
def test_no_phonemes(written: str) -> None:
    assert read_markup(written, TOLD).phonemes == ()


def test_the_alphabet_is_ipa_unless_it_is_said() -> None:
    assert read_markup("<phoneme ph='x'>two words</phoneme>", TOLD).phonemes == ((16, 25, "x"),)
    assert read_markup("<phoneme ph='x'> **a&amp;b** </phoneme>", TOLD).phonemes == ((19, 26, "x"),)


# -- whatever the text

NAMES = ["break", "say-as", "sub", "phoneme", "emphasis", "p", "s", "speak", "Sub", "b", "breaks"]
ATTRIBUTES = ["alias", "ph", "alphabet", "interpret-as", "time", "strength", "format"]
VALUES = st.one_of(
    st.sampled_from([*SAY_AS, "1s", "weak", "ipa", "dmy", "&lt;&#0;", "<", "'"]), st.text(max_size=8)
)
TAGS = st.builds(
    lambda name, key, value, quote, end: f"<{name} {key}={quote}{value}{quote}{end}",
    st.sampled_from(NAMES),
    st.sampled_from(ATTRIBUTES),
    VALUES,
    st.sampled_from(["'", '"', ""]),
    st.sampled_from([">", "/>", "", " >"]),
)
CLOSING = st.sampled_from(NAMES).map(lambda name: f"</{name}>")
WORDS = st.one_of(st.sampled_from([" ", "a b", "12", "$3.5", "&amp;", "**x**", "\n"]), st.text(max_size=6))


@given(st.lists(st.one_of(TAGS, CLOSING, WORDS), max_size=14).map("".join), st.sampled_from([TOLD, "xx"]))
def test_edits_are_ordered_disjoint_and_inside(text: str, language: str) -> None:
    marked = read_markup(text, language)
    end = 0
    for edit in marked.edits:
        assert end <= edit.start < edit.end <= len(text)
        end = edit.end
    end = 0
    for start, stop, ipa in marked.phonemes:
        assert end <= start < stop <= len(text)
        assert ipa
        end = stop
    assert marked.pause_ms is None or 0 <= marked.pause_ms <= MAX_PAUSE_MS
    assert len(MappedText(text, 0).edited(marked.edits).text) <= 20 * len(text)


@given(st.text())
def test_text_without_our_tags_is_left(text: str) -> None:
    assert read_markup(text.replace("<", "< "), TOLD) == Marked()


@pytest.mark.parametrize(
    "text",
    [
        "<" * 50_000,
        "<p " * 20_000,
        '<p "' * 20_000,
        "<p '" + "x" * 50_000,
        "<p " + "a " * 50_000,
        "<p " + "/ " * 50_000,
        "<p " + "a='b'" * 20_000 + ">",
        "<sub alias='a'>" * 5_000,
        "</sub>" * 10_000,
        "<sub alias='a'>x</sub>" * 3_000,
        "<sub alias='a'><sub alias='b'>" * 2_000 + "</sub>" * 4_000,
        "<break/>" * 5_000,
        "<sub alias='" + "&lt;" * 60 + "'>x</sub>",
        "<say-as interpret-as='characters'>" + "[" * 10_000 + "</say-as>",
    ],
)
def test_long_and_hostile_texts(text: str) -> None:
    mapped = MappedText(text, 0).edited(read_markup(text, TOLD).edits)
    assert len(mapped.text) <= len(text)
