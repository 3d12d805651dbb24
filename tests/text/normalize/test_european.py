"""German, French and Russian: number words, separators, agreement, and what their readers keep to."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.text.normalize import reader
from realtime.text.normalize.base import Reader
from realtime.text.normalize.european.numbers import (
    Conventions,
    Currency,
    Noun,
    Number,
    Numerals,
    words_before,
)
from realtime.text.normalize.roman import roman_value
from realtime.text.spans import Edit
from tests.text.normalize.pairs import check_sources, pairs, read

LANGUAGES = ("de", "fr", "ru")
#: A word that no rule looks beyond: small letters and nothing else.
PLAIN = re.compile("[a-zäöüßà-ÿа-яё]+")


def found(language: str) -> Reader:
    made = reader(language)
    assert made is not None
    return made


CARDINALS = {
    "de": {
        "0": "null",
        "1": "eins",
        "16": "sechzehn",
        "17": "siebzehn",
        "21": "einundzwanzig",
        "30": "dreißig",
        "66": "sechsundsechzig",
        "101": "einhunderteins",
        "1000": "eintausend",
        "21000": "einundzwanzigtausend",
        "2000001": "zwei Millionen eins",
        "-12": "minus zwölf",
        "007": "null null sieben",
        "1111111111111111": " ".join(["eins"] * 16),
    },
    "fr": {
        "0": "zéro",
        "17": "dix-sept",
        "21": "vingt et un",
        "70": "soixante-dix",
        "71": "soixante et onze",
        "77": "soixante-dix-sept",
        "80": "quatre-vingts",
        "81": "quatre-vingt-un",
        "91": "quatre-vingt-onze",
        "99": "quatre-vingt-dix-neuf",
        "200": "deux cents",
        "201": "deux cent un",
        "1000": "mille",
        "80000": "quatre-vingt mille",
        "1000000": "un million",
        "-5": "moins cinq",
    },
    "ru": {
        "0": "ноль",
        "1": "один",
        "19": "девятнадцать",
        "40": "сорок",
        "90": "девяносто",
        "200": "двести",
        "1000": "тысяча",
        "2000": "две тысячи",
        "21000": "двадцать одна тысяча",
        "5000000": "пять миллионов",
        "-3": "минус три",
    },
}
ORDINALS = {
    "de": {"1": "erste", "3": "dritte", "7": "siebte", "8": "achte", "19": "neunzehnte", "20": "zwanzigste"},
    "fr": {
        "1": "premier",
        "2": "deuxième",
        "80": "quatre-vingtième",
        "200": "deux centième",
        "21": "vingt et unième",
    },
    "ru": {"1": "первый", "3": "третий", "40": "сороковой", "100": "сотый", "2000": "двухтысячный"},
}
#: Texts of which nothing is sure enough to be said otherwise.
LEFT = {
    "de": ["A4 und H2O", "4K-Video", "und/oder", "snake_case", "Er mag Ludwig.", "a.b"],
    "fr": ["A4 et 5G", "et/ou", "Les vers et les fers.", "Le livre est vert.", "Vive le roi Louis."],
    "ru": ["А4 и H2O", "и/или", "Пётр и Иван", "Слово в слово.", "Это с. или нет"],
}


@pytest.mark.parametrize(
    ("language", "digits", "said"),
    [(language, *each) for language in LANGUAGES for each in CARDINALS[language].items()],
)
def test_cardinals(language: str, digits: str, said: str) -> None:
    assert found(language).cardinal(digits) == said


@pytest.mark.parametrize(
    ("language", "digits", "said"),
    [(language, *each) for language in LANGUAGES for each in ORDINALS[language].items()],
)
def test_ordinals(language: str, digits: str, said: str) -> None:
    assert found(language).ordinal(digits) == said


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_number_has_words_of_its_own(language: str) -> None:
    numbers = [*range(1, 2101), 9_999, 10_000, 99_999, 100_000, 999_999, 1_000_000, 10**9, 10**12]
    for say in (found(language).cardinal, found(language).ordinal):
        said = [say(str(number)) for number in numbers]
        assert len(set(said)) == len(numbers)
        assert all(re.fullmatch(r"[^\W\d_]+(?:[ -][^\W\d_]+)*", each) for each in said)


def test_french_ordinals_drop_the_plural() -> None:
    said = [found("fr").ordinal(str(number)) for number in [*range(2, 1001), 2_000_000, 3 * 10**8]]
    assert all(each.endswith("ième") for each in said)
    assert not any(each.endswith(("vingtsième", "centsième", "millionsième")) for each in said)


def test_german_ordinals_end_by_their_last_two_digits() -> None:
    for number in range(1, 1000):
        ending = "ste" if number % 100 == 0 or number % 100 >= 20 else "te"
        assert found("de").ordinal(str(number)).endswith(ending)


@given(st.integers(1000, 10**14))
def test_separators_change_nothing(number: int) -> None:
    grouped = f"{number:,}"
    for language, marks in (("de", ".'’ \u00a0\u202f"), ("fr", " \u00a0\u202f."), ("ru", " \u00a0\u202f")):
        said = found(language).cardinal(str(number))
        for mark in marks:
            assert read(f"({grouped.replace(',', mark)})", language).text == f"({said})"


@given(st.integers(0, 10**6), st.integers(0, 9))
def test_russian_nouns_agree_with_their_number(number: int, digit: int) -> None:
    teen = 11 <= number % 100 <= 14
    noun = "рублей" if teen or number % 10 in (0, 5, 6, 7, 8, 9) else "рубль" if number % 10 == 1 else "рубля"
    minute = "минут" if noun == "рублей" else "минута" if noun == "рубль" else "минуты"
    assert read(f"{number} руб. и", "ru").text.endswith(f" {noun} и")
    said = read(f"{number} мин и", "ru").text
    assert said.endswith(f" {minute} и")
    if not teen and number % 10 in (1, 2):
        assert said.split()[-3] == ("одна" if number % 10 == 1 else "две")
    # What has a fraction is always in the genitive singular.
    assert read(f"{number},{digit} руб. и", "ru").text.endswith(" рубля и")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("в XIX веке", "в девятнадцатом веке"),
        ("до XIX века", "до девятнадцатого века"),
        ("в XIX в.", "в девятнадцатом веке."),
        ("Екатерине II", "Екатерине Второй"),
        ("с Петром I", "с Петром Первым"),
        ("к 5 мая", "к пятому мая"),
        ("Сегодня 5 мая", "Сегодня пятое мая"),
        ("до 5 мая", "до пятого мая"),
        ("к 2025 году", "к две тысячи двадцать пятому году"),
        ("в 5-й раз", "в пятый раз"),
        ("на 2-й странице", "на второй странице"),
        ("между 10 и 12 часами", "между десятью и двенадцатью часами"),
        ("1-2 минуты", "одна-две минуты"),
        ("к 5 часам", "к пяти часам"),
        ("в 5 городах", "в пяти городах"),
        ("2 новые книги", "две новые книги"),
        ("2 новых дома", "два новых дома"),
        ("21 книгу", "двадцать одну книгу"),
        ("до 21 минуты", "до двадцати одной минуты"),
        ("120/80 мм рт. ст.", "сто двадцать на восемьдесят миллиметров ртутного столба."),
        ("при 1 °C", "при одном градусе Цельсия"),
        ("к 100 руб.", "к ста рублям."),
        ("около 1,5 кг", "около полутора килограммов"),
        ("1,5 минуты", "полторы минуты"),
        ("через 21 мин", "через двадцать одну минуту"),
        ("во вт. и в пт", "во вторник и в пятницу"),
        ("в сб и вс", "в субботу и воскресенье"),
        ("в п. 3 ст. 5", "в пункте три статьи пять"),
        ("в 5 ч. 20 мин", "в пять часов двадцать минут"),
        ("II мировая война", "вторая мировая война"),
        ("980 руб. 50 коп.", "девятьсот восемьдесят рублей пятьдесят копеек."),
        ("2 детей", "двое детей"),
        ("с 5 утра", "с пяти утра"),
        ("5 млн т", "пять миллионов тонн"),
        ("25 дек. в", "двадцать пятого декабря в"),
        ("сегодня 15 янв. 2025 г.", "сегодня пятнадцатое января две тысячи двадцать пятого года."),
        ("250 г. муки", "двести пятьдесят граммов муки"),
        ("в 44 г. до н. э.", "в сорок четвёртом году до нашей эры."),
        ("в 988 г.", "в девятьсот восемьдесят восьмом году."),
    ],
)
def test_russian_cases(written: str, said: str) -> None:
    assert read(written, "ru").text == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("der 3. Platz", "der dritte Platz"),
        ("in der 3. Klasse", "in der dritten Klasse"),
        ("des 3. Tages", "des dritten Tages"),
        ("ein 3. Platz", "ein dritter Platz"),
        ("ihr 2. Kind", "ihr zweites Kind"),
        ("am 1. und 2. Mai", "am ersten und zweiten Mai"),
        ("Ludwigs XIV. Hof", "Ludwigs des Vierzehnten Hof"),
        ("durch Karl V.", "durch Karl den Fünften."),
        ("1 Stadt", "eine Stadt"),
        ("1 Zeitung", "eine Zeitung"),
        ("1 Name", "ein Name"),
        ("Kapitel 1 Anfang", "Kapitel eins Anfang"),
        ("um 1500", "um fünfzehnhundert"),
        ("etwa 1500 Leute", "etwa eintausendfünfhundert Leute"),
        ("So, 12 Leute", "So, zwölf Leute"),
        ("Fr. Müller", "Frau Müller"),
        ("am Fr.", "am Freitag."),
        (
            "von 24.12.–26.12.2024",
            "von vierundzwanzigster Dezember bis sechsundzwanzigster Dezember zweitausendvierundzwanzig",
        ),
        ("(3. Aufl.)", "(dritte Auflage.)"),
        ("vor 1/2 Std.", "vor einer halben Stunde."),
        ("3/4 l", "drei viertel Liter"),
        ("1 Ärztin und 1 Verein", "eine Ärztin und ein Verein"),
    ],
)
def test_german_endings(written: str, said: str) -> None:
    assert read(written, "de").text == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("½ c. à café", "une demi-cuillère à café"),
        ("1½ c. à soupe", "une cuillère et demie à soupe"),
        ("2 c. à s.", "deux cuillères à soupe."),
        ("120 x 80 cm", "cent vingt sur quatre-vingts centimètres"),
        ("4 x 100 m", "quatre fois cent mètres"),
        ("2 x 500 g", "deux fois cinq cents grammes"),
        ("M. le Président", "monsieur le Président"),
        ("av. J.-C.", "avant Jésus-Christ."),
        ("St-Michel et Ste-Anne", "Saint-Michel et Sainte-Anne"),
        ("au n° 5", "au numéro cinq"),
        ("lun-ven", "lundi à vendredi"),
    ],
)
def test_french_abbreviations(written: str, said: str) -> None:
    assert read(written, "fr").text == said


@pytest.mark.parametrize(
    ("language", "written", "said"),
    [
        ("de", '15,6"-Display', "fünfzehn Komma sechs Zoll-Display"),
        ("de", 'er sagte "5,5"', 'er sagte "fünf Komma fünf"'),
        (
            "de",
            "302-1234567-8901",
            "drei null zwei, eins zwei drei vier fünf sechs sieben, acht neun null eins",
        ),
        ("de", "Saison 2008-09", "Saison zweitausendacht-null neun"),
        ("de", "liste_2024-03.pdf", "liste Unterstrich zwei null zwei vier Minus null drei Punkt pdf"),
        ("fr", "x > y", "x supérieur à y"),
        ("fr", "Fichier > Imprimer", "Fichier, Imprimer"),
        ("fr", "dossier n° 125/23", "dossier numéro cent vingt-cinq slash vingt-trois"),
        ("ru", "ИНН 7701234567", "и эн эн семь семь ноль, один два три, четыре пять шесть, семь"),
    ],
)
def test_codes_and_measures(language: str, written: str, said: str) -> None:
    assert read(written, language).text == said


@pytest.mark.parametrize(("language", "text"), [(each, text) for each in LANGUAGES for text in LEFT[each]])
def test_what_is_not_sure_is_left(language: str, text: str) -> None:
    assert read(text, language).text == text


@pytest.mark.parametrize(
    ("language", "written", "said"),
    [
        ("de", "usw.", "und so weiter."),
        ("de", "(usw.)", "(und so weiter.)"),
        ("de", "usw. und mehr", "und so weiter und mehr"),
        ("de", "5 Min.", "fünf Minuten."),
        ("de", "5 Min. später", "fünf Minuten später"),
        ("fr", "etc.", "et cetera."),
        ("fr", "etc., puis", "et cetera, puis"),
        ("ru", "100 руб.", "сто рублей."),
        ("ru", "100 руб. за", "сто рублей за"),
    ],
)
def test_a_full_stop_of_the_sentence_is_kept(language: str, written: str, said: str) -> None:
    assert read(written, language).text == said


@pytest.mark.parametrize(
    ("language", "text", "said"),
    [
        ("de", "Ab ß-4", "A B Eszett Minus vier"),
        ("fr", "Jé 2y", "J E accent aigu deux i grec"),
        ("ru", "ГИБДД 5", "гэ и бэ дэ дэ пять"),
    ],
)
def test_spelling(language: str, text: str, said: str) -> None:
    assert found(language).spell(text) == said


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_after_the_next_plain_word_matters(language: str) -> None:
    """So that a word can be spoken as soon as a plain word after it has come."""
    cuts = 0
    for text, _ in pairs(language):
        whole = found(language).edits(text)
        for word in re.finditer(r"\S+", text):
            if not PLAIN.fullmatch(word.group()) or not word.start():
                continue
            expected = [edit for edit in whole if edit.start < word.start()]
            for rest in ("", " 7 % X.", " 5 мая", " Wort 3.", " encore"):
                edits = found(language).edits(text[: word.end()] + rest)
                assert [edit for edit in edits if edit.start < word.start()] == expected
            cuts += 1
    assert cuts > 50


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_written_word_has_its_own_part(language: str) -> None:
    text = {"de": "5 Mio. €", "fr": "5 M €", "ru": "5 млн руб"}[language]
    said = read(text, language)
    check_sources(text, said)
    assert len({(link.source_start, link.source_end) for link in said.links()}) == 3


def test_roman_digits() -> None:
    assert [roman_value(digits) for digits in ("I", "IV", "IX", "XIV", "XIX", "XL", "MCMXC")] == [
        1,
        4,
        9,
        14,
        19,
        40,
        1990,
    ]
    assert not any(roman_value(digits) for digits in ("IIII", "VV", "IC", "XM", "VX", "ABC"))


def test_roman_digits_are_all_different() -> None:
    letters = ["".join(each) for length in range(1, 6) for each in itertools.product("IVX", repeat=length)]
    values = [value for digits in letters if (value := roman_value(digits))]
    assert len(values) == len(set(values)) and max(values) < 40


def test_words_before_a_place() -> None:
    text = "Er kam (in der 3."
    assert words_before(text, text.index("3"), 2) == ["in", "der"]
    assert words_before(text, text.index("3"), 9) == ["in", "der"]
    assert words_before(text, 0) == []
    assert words_before("x:5", 2) == []


@pytest.fixture
def plain() -> Numerals:
    """A language of digits, to see what the common parts do by themselves."""
    return Numerals(
        Conventions(
            decimal_word="comma",
            point_word="dot",
            minus_word="minus",
            plus_word="plus",
            range_word="to",
            number_word="number",
            cardinal=str,
            count=lambda number, gender: f"{number}{gender}",
            ordinal=lambda number, gender: f"{number}th",
            form=lambda number: int(number != 1),
            decimal_form=lambda number: 1,
            cents=lambda main, cents, currency: f"{main} {cents}",
            date=lambda day, month, year, before: f"{day} {month} {year}",
            time=lambda hour, minute, second: f"{hour} {minute}",
            mixed=lambda whole, numerator, denominator: None,
        )
    )


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("12", Number("12")),
        ("-3,25", Number("3", "25", True, ",")),
        ("1.234.567,8", Number("1234567", "8", False, ",")),
        ("1.234", Number("1234")),
        ("1234.567", Number("1234", "567", False, ".")),
        ("3.10", Number("3", "10", False, ".")),
        ("1 234", Number("1234")),
        ("1,234.50", Number("1234", "50", False, ".")),
    ],
)
def test_numbers_are_read(plain: Numerals, written: str, number: Number) -> None:
    match = re.fullmatch(plain.pattern("number"), written)
    assert match is not None
    assert plain.parse(match["number"]) == number


def test_sums(plain: Numerals) -> None:
    coin = Currency(Noun(("coin", "coins"), "f"), Noun(("bit", "bits"), "n"))
    assert plain.money(Number("1"), coin) == "1f coin"
    assert plain.money(Number("3", "50", False, ","), coin) == "3f coins 50"
    assert plain.money(Number("3", "00", False, ","), coin) == "3f coins"
    assert plain.money(Number("0", "01", False, ","), coin) == "1n bit"
    assert plain.money(Number("3", "5", False, ","), coin) == "3 comma 5 coins"
    assert plain.money(Number("2"), coin, Noun(("heap", "heaps"))) == "2m heaps coins"
    assert plain.money(Number("9" * 20), coin).endswith("9 coins")


def test_edits_lie_within_the_text() -> None:
    for language in LANGUAGES:
        for text, _ in pairs(language):
            edits = found(language).edits(text)
            assert all(isinstance(edit, Edit) and 0 <= edit.start < edit.end <= len(text) for edit in edits)
            assert all(one.end <= two.start for one, two in itertools.pairwise(edits))
