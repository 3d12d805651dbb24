"""Pictures, faces of punctuation, and characters without a sound."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.text.clean.cleaning import said

FACES = [
    *(
        ":)",
        ":-)",
        ":(",
        ":-(",
        ";)",
        ";-)",
        ":D",
        ":-D",
        ":P",
        ":p",
        ":o",
        ":O",
        ":/",
        ":|",
        ":'(",
        ":*",
        "=)",
        "=D",
    ),
    *("<3", "</3", "xD", "^_^", "^^", "-_-", "o_O", "T_T", ">_<", ":))))", ">:(", "(:", "\\o/"),
    *(
        "(^_^)",
        "(>_<)",
        "(T_T)",
        "(・_・)",
        "(≧▽≦)",
        "ʕ•ᴥ•\u0294",
        "(ಠ_ಠ)",
        "¯\\_(ツ)_/¯",
        "(╯°□°)╯︵ ┻━┻",
        "m(_ _)m",
    ),
]


@pytest.mark.parametrize("face", FACES)
def test_a_face_is_not_said(face: str) -> None:
    assert said(f"Well {face} then") == "Well then"
    assert said(f"Well {face}") == "Well"
    assert said(f"{face} Well.") == "Well."
    assert said(f"Well {face}. Then") == "Well. Then"


@pytest.mark.parametrize(
    "text",
    [
        "at 10:30 and 3:2",
        "C:\\D and D: and C:/x",
        "a) b) 8) 9)",
        "(note) and (5 > 3) and (x)",
        "if x <3 or 5 <3",
        "he said: (yes) no",
        "a:b and std::vector",
        "Adobe XD 2",
        "(Д) (ツ) (°C)",
        "n = 3; (a); b",
        "#1 (ДД)",
    ],
)
def test_what_only_looks_like_a_face_stays(text: str) -> None:
    assert said(text) == text


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("😀", ""),
        ("👍🏽👍🏿 ok", "ok"),
        ("🏳️\u200d🌈 flag 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "flag"),
        ("#️⃣ 5️⃣ *️⃣", "5"),
        ("yes✅no❌", "yes no"),
        ("今😀天", "今 天"),
        ("A ➜ B ⇒ C", "A, B, C"),
        ("♥ ★ ☎ ♫ ok", "ok"),
        ("ok ↩️", "ok"),
        ("Ⓜ️etro", "Metro"),
        ("\u2139️ Note", "Note"),
    ],
)
def test_emoji(text: str, spoken: str) -> None:
    assert said(text) == spoken


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("Ⅳ and ⅷ", "IV and viii"),
        ("㎏ ⓐ ⑫ ⑴", "kg a 12 (1)"),
        ("ﬀ ﬁ ﬂ ﬃ ﬄ", "ff fi fl ffi ffl"),
        ("\U0001d573\U0001d58a\U0001d591\U0001d591\U0001d594 \U0001d7db.\U0001d7dd \u210bi", "Hello 3.5 Hi"),
        ("\uff21\uff22\uff23\uff11\uff12 ｶﾅ", "\uff21\uff22\uff23\uff11\uff12 ｶﾅ"),
        ("x² ½ H₂O ª º", "x² ½ H₂O ª º"),
        ("h\u0335\u0321\u032a\u032fe\u0338", "h\u0335\u0321e\u0338"),
        ("שָׁלוֹם", "שָׁלוֹם"),
        ("a\u2028b\u0085c\x0bd\u3000e", "a b c d e"),
        ("it\u00b4s", "it's"),
        ("a\u2028- b\u2029# c", "a b c"),
        ("\U0001d6c2 \U0001d7d9", "\u03b1 1"),
    ],
)
def test_other_characters(text: str, spoken: str) -> None:
    assert said(text) == spoken


@given(st.characters(codec="utf-8"))
def test_every_character_is_said_left_out_or_space(character: str) -> None:
    spoken = said(f"a {character} b")
    stays = {character, unicodedata.normalize("NFKC", character), "", "!", "?", "?!", "!?", ","}
    assert spoken.replace(" ", "") in {f"a{said}b" for said in stays}
