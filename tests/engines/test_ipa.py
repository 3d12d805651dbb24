# ruff: noqa: RUF001 - phonemes are written in IPA
"""A pronunciation in IPA becomes what the voice itself says for that word."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hibari.g2p import G2P
from hibari.tts import ASSETS
from hypothesis import given
from hypothesis import strategies as st

from realtime.engines.ipa import to_voice_phonemes

#: The letters that are in the voice's own lexicon of US English, all of them known to its network.
KNOWN = frozenset("AIOTWYbdfhijklmnpstuvwzæðŋɑɔəɛɜɡɪɹʃʊʌʒʤʧθᵊᵻ ˈˌ")
VOWELS = "AIOWYiuæɑɔəɛɜɪʊʌᵊᵻ"
#: As dictionaries of English write them: American and British, broad and narrow, with and without syllables.
WORDS = """
tomato təˈmeɪtoʊ | tomato /tə.ˈmeɪ.toʊ/ | tomato [tʰəˈmeɪɾoʊ] | water ˈwɔːtər | water ˈwɔɾɚ
butter ˈbʌtɚ | little ˈlɪtl̩ | hello həˈloʊ | hello həˈləʊ | world wɜːrld | world wɝld
world wɜː(r)ld | computer kəmˈpjuːtər | about əˈbaʊt | bird bɜːd | nurse nɝs | nurse nɜ˞s
car kɑː(r) | car kɑɹ | door dɔːr | door dor | hair hɛər | hair heəʳ | hair heɪr | tour tʊər
cure kjʊr | clear klɪər | clear klir | year jɪr | idea aɪˈdiːə | boy bɔɪ | my maɪ | day deɪ
day dei | see siː | blue bluː | good gʊd | good ɡʊd | cup kʌp | bed bed | bed bɛd | cat kæt
hot hɒt | hot hɑt | law lɔː | father ˈfɑːðə(r) | measure ˈmɛʒɚ | church t͡ʃɜːtʃ | church ʧɜːʧ
judge d͡ʒʌd͡ʒ | judge dʒʌdʒ | thing θɪŋ | ring rɪŋ | yellow ˈjɛləʊ | queen kwiːn | phone foʊn
phone fəʊn | city ˈsɪti | happy ˈhæpi | people ˈpiːpl̩ | reason ˈɹiːzn̩ | listen 'lɪsn̩
vision ˈvɪʒən | nation ˈneɪʃən | question ˈkwɛst͡ʃn̩ | nature ˈneɪtʃɚ | picture ˈpɪktʃər
vanilla vəˈnɪlə | Bach bɑːx | data ˈdeɪtə | route ruːt | either ˈiːðər | photographer fəˈtɑːɡɹəfɚ
fire ˈfaɪər | hour ˈaʊər | player ˈpleɪər | lower ˈloʊər | sure ʃʊr | error ˈɛɹɚ | mirror ˈmɪrər
hurry ˈhʌri | very ˈveri | merry ˈmeri | waiting ˈweɪtɪŋ | party ˈpɑːrti | center ˈsɛntər
garden ˈɡɑːrdən | caffeine kæˈfiːn | sequel ˈsiːkwəl | three θriː | three θɾiː | hotel hoʊˈtɛl
machine məˈʃiːn | camera ˈkæm(ə)rə | choir ˈkwaɪər | sword sɔːrd | enough ɪˈnʌf | yacht jɑt
yacht jɒt | queue kjuː | quay kiː | island ˈaɪlənd | salmon ˈsæmən | subtle ˈsʌtl̩ | debt dɛt
knight naɪt | psychology saɪˈkɑlədʒi | xylophone ˈzaɪləˌfoʊn | rhythm ˈrɪðəm | atom ˈætəm
attack əˈtæk | roses ˈroʊzɨz | loud laʊd | joy dʒɔɪ | chair tʃɛə | noise nɔɪz | house haʊs
teeth tiːθ | mother ˈmʌðər | garage ɡəˈrɑːʒ | when hwɛn | bell bɛɫ | island ˈaɪ̯lənd | café kæˈfeɪ
café kæˈfe
"""
PAIRS = [tuple(pair.split(None, 1)) for line in WORDS.strip().splitlines() for pair in line.split("|")]


@pytest.fixture(scope="module")
def voice() -> Callable[[str], str]:
    """What the voice's own text-to-phonemes says for a word."""
    return G2P()


def test_a_word_by_its_ipa_is_what_the_voice_says_for_it(voice: Callable[[str], str]) -> None:
    # Small words are spoken with less stress, and the voice writes weak vowels in more ways than one.
    def plain(phonemes: str | None) -> str:
        return (phonemes or "").replace("ˌ", "ˈ").replace("ᵊ", "ə")

    made = {(word, ipa): plain(to_voice_phonemes(ipa.strip())) for word, ipa in PAIRS}
    assert made == {(word, ipa): plain(voice(word)) for word, ipa in PAIRS}


@pytest.mark.parametrize(
    ("ipa", "phonemes"),
    [
        ("tʰə.ˈmɑː.tʰəʊ", "təmˈɑtO"),  # a t with its breath stays one
        ("ˈkɔrt.ʃɪp", "kˈɔɹtʃɪp"),  # a syllable ends between the two letters
        ("rɪˈtɝn", "ɹɪtˈɜɹn"),
        ("ˈbʌtn̩", "bˈʌtᵊn"),
        ("ðə", "ðə"),  # weak vowels alone are not stressed
        ("nuː jɔːk", "nˈu jˈɔk"),
        ("ˌɪntɚˈnæʃənəl", "ˌɪntəɹnˈæʃənəl"),
        ("ˈˈˌta", "tˈɑ"),
        ("bɔ̃ʒuʁ", "bˈɔnʒʊɹ"),
        ("ɕi tɕin.pʰiŋ", "ʃˈi ʧˈinpiŋ"),
        ("ˈɡøːtə", "ɡˈɜɹTə"),
        ("ɲɔ.ki", "njˈɔki"),
        ("mʷe˥˩", "mˈA"),
        ("pst", "pst"),
    ],
)
def test_sounds_that_english_does_not_write_so(ipa: str, phonemes: str) -> None:
    assert to_voice_phonemes(ipa) == phonemes


@pytest.mark.parametrize("ipa", ["", " ", "ˈ", "// []", "ʘ ǃ", "ABC", "\N{THUMBS UP SIGN}", "ʰ", "\u0303"])
def test_nothing_that_the_voice_knows(ipa: str) -> None:
    assert to_voice_phonemes(ipa) is None


IPA = "abcdefghijklmnopqrstuvwxyzæçðøħŋœɐɑɒɓɔɕɖɗɘəɚɛɜɝɞɟɠɡɢɣɤɥɦɨɪɫɬɭɮɯɰɱɲɳɴɵɶɸɹɺɻɽɾʀʁʂʃʈʉʊʋʌʍʎʏʐʑʒʔʝʟʣʤʦʧʨβθχ"
MARKS = "ˈˌːˑʰʲʷ˞.()/ ‿\u0303\u0329\u030d\u0361\u035c\u0327'"


@given(st.one_of(st.text(max_size=40), st.text(alphabet=IPA + MARKS, max_size=40)))
def test_whatever_comes_out_the_voice_can_say(ipa: str) -> None:
    phonemes = to_voice_phonemes(ipa)
    if phonemes is None:
        return
    assert set(phonemes) <= KNOWN
    assert phonemes == " ".join(phonemes.split())
    assert set(phonemes) - set(" ˈˌ")
    assert len(phonemes) <= 4 * len(ipa)
    for at, sound in enumerate(phonemes):
        assert sound not in "ˈˌ" or phonemes[at + 1] in VOWELS


def test_every_letter_of_the_ipa_is_something_that_the_voice_knows() -> None:
    spoken = {letter: to_voice_phonemes(letter) for letter in IPA}
    assert [letter for letter, phonemes in spoken.items() if phonemes is None] == []
    assert set("".join(map(str, spoken.values()))) <= KNOWN


def test_the_network_knows_these_letters() -> None:
    assert set(json.loads(Path(ASSETS, "vocab.json").read_text(encoding="utf-8"))) >= KNOWN
