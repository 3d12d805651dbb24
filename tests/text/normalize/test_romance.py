"""Number words of Spanish, Italian and Portuguese against their grammars, and what the tables do not show."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.text.normalize import reader
from realtime.text.normalize.base import Reader
from realtime.text.normalize.italian import numbers as italian_numbers
from realtime.text.normalize.portuguese import numbers as portuguese_numbers
from realtime.text.normalize.spanish import numbers as spanish_numbers
from realtime.text.normalize.spanish.tables import GENDERS
from tests.text.normalize.pairs import check_sources, pairs, read

LANGUAGES = ("es", "it", "pt")

ES_SMALL = (
    "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince "
    "dieciséis diecisiete dieciocho diecinueve veinte veintiuno veintidós veintitrés veinticuatro "
    "veinticinco veintiséis veintisiete veintiocho veintinueve"
).split()
ES_TENS = "treinta cuarenta cincuenta sesenta setenta ochenta noventa".split()
ES_HUNDREDS = (
    "ciento doscientos trescientos cuatrocientos quinientos seiscientos setecientos ochocientos novecientos"
).split()
IT_SMALL = (
    "zero uno due tre quattro cinque sei sette otto nove dieci undici dodici tredici quattordici "
    "quindici sedici diciassette diciotto diciannove"
).split()
IT_TENS = "venti trenta quaranta cinquanta sessanta settanta ottanta novanta".split()
PT_SMALL = (
    "zero um dois três quatro cinco seis sete oito nove dez onze doze treze catorze quinze dezasseis "
    "dezassete dezoito dezanove"
).split()
PT_TENS = "vinte trinta quarenta cinquenta sessenta setenta oitenta noventa".split()
PT_HUNDREDS = (
    "cento duzentos trezentos quatrocentos quinhentos seiscentos setecentos oitocentos novecentos"
).split()


def spanish(number: int) -> str:
    if number >= 1000:
        thousands, rest = divmod(number, 1000)
        before = (
            "" if thousands == 1 else re.sub("uno$", "un", spanish(thousands)).replace("veintiun", "veintiún")
        )
        return f"{before} mil {spanish(rest) if rest else ''}".strip()
    if number > 100:
        return f"{ES_HUNDREDS[number // 100 - 1]} {spanish(number % 100) if number % 100 else ''}".strip()
    if number >= 30:
        if number == 100:
            return "cien"
        return ES_TENS[number // 10 - 3] + (f" y {ES_SMALL[number % 10]}" if number % 10 else "")
    return ES_SMALL[number]


def italian(number: int) -> str:
    """Without the accent that a final "tre" has in what is longer."""
    if number >= 1000:
        thousands, rest = divmod(number, 1000)
        before = "mille" if thousands == 1 else f"{italian(thousands)}mila"
        return before + (" " if number > 10_000 and rest else "") + (italian(rest) if rest else "")
    if number >= 100:
        hundreds, rest = divmod(number, 100)
        before = ("" if hundreds == 1 else IT_SMALL[hundreds]) + "cento"
        before = before[:-1] if rest == 8 or rest // 10 == 8 else before
        return before + (italian(rest) if rest else "")
    if number >= 20:
        tens, unit = IT_TENS[number // 10 - 2], number % 10
        return (tens[:-1] if unit in (1, 8) else tens) + (IT_SMALL[unit] if unit else "")
    return IT_SMALL[number]


def portuguese(number: int) -> str:
    if number >= 1000:
        thousands, rest = divmod(number, 1000)
        before = "mil" if thousands == 1 else f"{portuguese(thousands)} mil"
        # "e" before the last hundreds if nothing follows them, and before what is smaller.
        joint = " e " if rest < 100 or rest % 100 == 0 else " "
        return before + (joint + portuguese(rest) if rest else "")
    if number > 100:
        return PT_HUNDREDS[number // 100 - 1] + (f" e {portuguese(number % 100)}" if number % 100 else "")
    if number >= 20:
        if number == 100:
            return "cem"
        return PT_TENS[number // 10 - 2] + (f" e {PT_SMALL[number % 10]}" if number % 10 else "")
    return PT_SMALL[number]


def of(language: str) -> Reader:
    found = reader(language)
    assert found is not None
    return found


@given(number=st.one_of(st.integers(0, 2100), st.integers(0, 999_999)))
def test_numbers_follow_the_grammar(number: int) -> None:
    assert spanish_numbers.cardinal(number) == spanish(number)
    assert portuguese_numbers.cardinal(number) == portuguese(number)
    accented = italian(number)
    if number > 3 and re.search(r"\wtre$", accented):
        accented = f"{accented[:-1]}é"
    assert italian_numbers.cardinal(number) == accented


@pytest.mark.parametrize(
    ("language", "number", "said"),
    [
        ("es", "1000000", "un millón"),
        ("es", "21000001", "veintiún millones uno"),
        ("es", "101000000", "ciento un millones"),
        ("es", "2000000000", "dos mil millones"),
        ("es", "1000000000000", "un billón"),
        ("it", "1000000", "un milione"),
        ("it", "2000003", "due milioni tre"),
        ("it", "1500000000", "un miliardo cinquecento milioni"),
        ("pt", "1000000", "um milhão"),
        ("pt", "2000000000", "dois mil milhões"),
        ("pt", "1000000000000", "um bilião"),
        ("es", "007", "cero cero siete"),
        ("it", "-5", "meno cinque"),
        (
            "pt",
            "1234567890123456",
            "um dois três quatro cinco seis sete oito nove zero um dois três quatro cinco seis",
        ),
    ],
)
def test_cardinals(language: str, number: str, said: str) -> None:
    assert of(language).cardinal(number) == said


@pytest.mark.parametrize(
    ("count", "number", "feminine"),
    [
        (spanish_numbers.count, 1, "una"),
        (spanish_numbers.count, 21, "veintiuna"),
        (spanish_numbers.count, 131, "ciento treinta y una"),
        (spanish_numbers.count, 500, "quinientas"),
        (spanish_numbers.count, 200_500, "doscientas mil quinientas"),
        (spanish_numbers.count, 200_200_000, "doscientos millones doscientas mil"),
        (portuguese_numbers.count, 1, "uma"),
        (portuguese_numbers.count, 2, "duas"),
        (portuguese_numbers.count, 42, "quarenta e duas"),
        (portuguese_numbers.count, 22_301, "vinte e duas mil trezentas e uma"),
        (portuguese_numbers.count, 21_000, "vinte e uma mil"),
        (portuguese_numbers.count, 202_000_002, "duzentos e dois milhões e duas"),
        (italian_numbers.count, 1, "una"),
        (italian_numbers.count, 21, "ventuno"),
    ],
)
def test_feminine(count: Callable[[int, str], str], number: int, feminine: str) -> None:
    assert count(number, "f") == feminine


@pytest.mark.parametrize(
    ("language", "number", "said"),
    [
        ("es", "1", "primero"),
        ("es", "11", "undécimo"),
        ("es", "13", "decimotercero"),
        ("es", "40", "cuadragésimo"),
        ("es", "88", "octogésimo octavo"),
        ("es", "900", "noningentésimo"),
        ("es", "2500", "dos mil quinientos"),
        ("it", "3", "terzo"),
        ("it", "23", "ventitreesimo"),
        ("it", "118", "centodiciottesimo"),
        ("it", "1000", "millesimo"),
        ("pt", "1", "primeiro"),
        ("pt", "16", "décimo sexto"),
        ("pt", "400", "quadringentésimo"),
        ("pt", "1999", "milésimo nongentésimo nonagésimo nono"),
    ],
)
def test_ordinals(language: str, number: str, said: str) -> None:
    assert of(language).ordinal(number) == said


@pytest.mark.parametrize(
    ("language", "written", "said"),
    [
        ("es", "Wi-Fi 5ñ", "uve doble i guion efe i cinco eñe"),
        ("it", "a@b.it", "a chiocciola bi punto i ti"),
        ("pt", "Elo 1_2", "é éle ó um sublinhado dois"),
    ],
)
def test_spelling(language: str, written: str, said: str) -> None:
    assert of(language).spell(written) == said


@pytest.mark.parametrize(
    ("language", "written"),
    [
        ("es", "Mi hijo tiene H2O y CO2, y 120/80 no cierra."),
        ("es", "Juan D. Perón y Washington D. C."),
        ("es", "Vi el XI."),
        ("es", "El Plan C y la I."),
        ("it", "Aperto 120/80 con H2O."),
        ("it", "John S. Smith e Malcolm X."),
        ("it", "I ragazzi e il VI."),
        ("pt", "Aberto 120/80 com H2O."),
        ("pt", "Pedro D. Silva."),
        ("pt", "O X da questão."),
    ],
)
def test_what_is_not_sure_stays(language: str, written: str) -> None:
    assert read(written, language).text == written


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_comes_later_changes_nothing(language: str) -> None:
    """What is said for a word is settled once a plain word has come after it."""
    made = of(language)
    for written, _ in pairs(language):
        whole = [(edit.start, edit.end, edit.spoken) for edit in made.edits(written)]
        for plain in re.finditer(r"(?<= )[a-zà-ÿ]+(?=[ ,])", written):
            early = [(edit.start, edit.end, edit.spoken) for edit in made.edits(written[: plain.end()])]
            settled = plain.start()
            assert [e for e in early if e[1] <= settled] == [e for e in whole if e[1] <= settled]


@pytest.mark.parametrize("language", LANGUAGES)
@given(number=st.integers(-(10**18), 10**18), sign=st.sampled_from(["", " %", " €", " km", " °C"]))
def test_no_digit_is_left_of_a_number(language: str, number: int, sign: str) -> None:
    written = f"{number}{sign}"
    said = read(written, language)
    check_sources(written, said)
    assert not re.search("[0-9]", said.text)


@pytest.mark.parametrize(
    ("language", "written", "said"),
    [
        ("es", "Pan, etc. Luego vino, etc.", "Pan, etcétera. Luego vino, etcétera."),
        ("it", "Pane, ecc. Poi vino, ecc. e basta.", "Pane, eccetera. Poi vino, eccetera e basta."),
        ("pt", "Pão, etc. Depois vinho.", "Pão, etcétera. Depois vinho."),
        ("es", "Mide 5 cm.", "Mide cinco centímetros."),
        ("it", "Siamo nel 44 a.C.", "Siamo nel quarantaquattro avanti Cristo."),
        ("pt", "Custa 5 €.", "Custa cinco euros."),
    ],
)
def test_the_full_stop_of_a_sentence_stays(language: str, written: str, said: str) -> None:
    assert read(written, language).text == said


def test_gender_by_the_word() -> None:
    assert [GENDERS.of(word) for word in ("personas", "problemas", "canciones", "aviones", "días", "de")] == [
        *("f", "m", "f", "m", "m", ""),
    ]


def test_a_name_of_a_city_is_no_saint() -> None:
    assert read("S. Francisco e S. Francesco", "it").text == "S. Francisco e San Francesco"


def test_times_from_and_to_in_italian() -> None:
    assert read("Orario: 9:00-13:30", "it").text == "Orario: dalle nove alle tredici e trenta"
    assert read("Chiuso 1:00-2:00.", "it").text == "Chiuso dall'una alle due."


@pytest.mark.parametrize(
    ("language", "written", "said"),
    [
        ("es", "200 mil mujeres y 21 mil euros", "doscientas mil mujeres y veintiún mil euros"),
        ("pt", "2 mil pessoas e 2 mil carros", "duas mil pessoas e dois mil carros"),
        ("pt", "22 mil casas", "vinte e duas mil casas"),
        ("pt", "ganhou de 2x1", "ganhou de dois a um"),
        ("es", "¾ kg", "tres cuartos de kilo"),
        ("es", "un grupo de 1500 personas", "un grupo de mil quinientas personas"),
        ("es", "en 1994 llega", "en mil novecientos noventa y cuatro llega"),
        ("es", "los 2/3", "los dos tercios"),
        ("it", "½ h e ¼ di litro", "mezz'ora e un quarto di litro"),
        ("it", "L'agente 5 ha 3 figli", "L'agente cinque ha tre figli"),
        ("it", "1:01:01", "un'ora, un minuto e un secondo"),
        (
            "es",
            "ley n.º 9/17 y exp. n.º 125/23",
            "ley número nueve barra diecisiete y exp. número ciento veinticinco barra veintitrés",
        ),
        ("pt", "mar. 5 e a 3ª C", "mar. cinco e a terceira C"),
        ("es", "Las 7x3 y 3x al mes", "Las siete por tres y tres veces al mes"),
    ],
)
def test_phrases(language: str, written: str, said: str) -> None:
    assert read(written, language).text == said
