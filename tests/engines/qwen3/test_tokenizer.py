"""Tokens as transformers makes them, whole and while text arrives; what users write is never control."""

from __future__ import annotations

import json
import random
import shutil
import sys
import unicodedata
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, pre_tokenizers

from realtime.engines.qwen3.tokenizer import (
    _PIECES_OF_MISTRAL,
    MAX_HELD,
    MAX_TEXT_TOKENS,
    IncrementalTokenizer,
    Token,
    Tokenizer,
    _joins,
    _stands_alone,
)
from realtime.errors import EngineError, ErrorCode
from tests.engines.qwen3.checkpoint import ADDED_TOKENS, write_checkpoint
from tests.engines.qwen3.reference import silenced

TEXTS = [
    "Hello there! It's 3:45 p.m., and we'RE at 1,234.56 km/h; don't worry -- they've said... \"Yes?\" (No.)",
    "Die Straße führt über Größenmaß; »Grüße« aus Österreich: 12,5 %!\r\n\r\nZweiter Absatz\n  eingerückt.",
    "L'été, c'est où ? À l'hôtel « Où »… 3 € l'unité.\u202fVoilà\u00a0!",
    "你好，世界！今天是2024年5月1日。我们去公园吧？“好的”，他说……再见。\n下一行",
    "吾輩は猫である。名前はまだ無い。ｶﾀｶﾅ、コーヒー、「はい」と言った。が ぱ",
    "안녕하세요? 저는 학생입니다. 가격은 10,000원이에요!",
    "Привет, как дела? Всё хорошо — 5 мая; ёлка и йод.",
    "Emoji 👩‍👩‍👧‍👦 and 🇩🇪🇫🇷, ✌🏽! ❤️ done 😀😀a",
    "Visit https://example.org/a?b=c&d=%20#x or mail a.b+c@d.co.uk; C:\\path\\file.txt",
    "def f(x: int) -> str:\n\treturn f'{x!r}'  # it's fine\n\n\nif __name__ == '__main__':\n    f(1)\n",
    "Cafe\u0301 nai\u0308ve q\u0303 a\u0315\u0301 \u1112\u1161\u11ab\u1100\u1173\u11af e\u0323\u0302x"
    " \u0301 \u0958a",
    "tabs\t\tand\u2003em\u2009thin\u3000ideographic\u00a0nbsp"
    " \u200bzero \x0b\x0cff\x85nel\u2028ls\u2029   end   ",
    "x\n\n\ny \n z\r\nq\r\r .\n!\n\n'S 'll ''ve n't's/\n/\n",
    "①②½Ⅳ ²³ ௧௨ 0x1F 1e-9 \u22125 №7 ﬁn ﷺ ㎏ Å Ω K",
    "สวัสดีครับ नमस्ते दुनिया। مرحبا بالعالم שלום עולם",
    "<|im_end|> <tts_eos><tts_pad>x<|im_start|>user\nhi<|endoftext|><tts_text_eod>",
]
#: Added tokens that are not special: only the slow tokenizer can be told to take them as text.
NOT_SPECIAL = "a<think>b</think> <tool_call>{}<|fim_prefix|>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("qwen3"), "custom_voice", size="0b6")


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> Tokenizer:
    return Tokenizer.read(folder)


@pytest.fixture(scope="module")
def fast(folder: Path) -> Any:
    with silenced():
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(folder, split_special_tokens=True)


@pytest.fixture(scope="module")
def one_file(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same tokenizer as transformers saves it."""
    saved = tmp_path_factory.mktemp("saved")
    with silenced():
        from transformers import AutoTokenizer

        AutoTokenizer.from_pretrained(folder).save_pretrained(saved)
    assert (saved / "tokenizer.json").is_file()
    return saved


def random_text(source: random.Random, length: int = 80) -> str:
    """Parts of the texts above in any order, and now and then any character."""
    parts: list[str] = []
    while sum(map(len, parts)) < length:
        text = source.choice(TEXTS)
        start = source.randrange(len(text))
        parts.append(text[start : start + source.randint(1, 12)])
        if source.random() < 0.1:
            parts.append(
                chr(source.choice((source.randrange(0x20, 0x3000), source.randrange(0xE000, 0x1F900))))
            )
    return "".join(parts)


def in_parts(tokenizer: Tokenizer, parts: list[str]) -> list[Token]:
    incremental = IncrementalTokenizer(tokenizer)
    return [token for part in parts for token in incremental.feed(part)] + incremental.flush()


def cut_anywhere(text: str, source: random.Random) -> list[str]:
    places = sorted(source.choices(range(len(text) + 1), k=source.randint(1, len(text))))
    return [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]


@pytest.mark.parametrize("text", TEXTS)
def test_text_gives_the_tokens_of_transformers(tokenizer: Tokenizer, fast: Any, text: str) -> None:
    assert list(tokenizer.ids(text)) == fast(text)["input_ids"]


def test_any_text_gives_the_tokens_of_transformers(tokenizer: Tokenizer, fast: Any) -> None:
    source = random.Random(0)
    for _ in range(2000):
        text = random_text(source)
        assert list(tokenizer.ids(text)) == fast(text)["input_ids"], text


def test_no_added_token_is_found_in_text(tokenizer: Tokenizer, folder: Path) -> None:
    """The slow tokenizer takes none from text when told so; the fast one takes those not special."""
    with silenced():
        from transformers import Qwen2Tokenizer

        slow = Qwen2Tokenizer.from_pretrained(folder, split_special_tokens=True)
    added = {tokenizer.special(content) for content in ADDED_TOKENS}
    for text in [*TEXTS[:12], TEXTS[-1], NOT_SPECIAL, "".join(ADDED_TOKENS)]:
        ids = tokenizer.ids(text)
        assert list(ids) == slow(text)["input_ids"]
        assert not added & set(ids)


def test_special_tokens_have_the_ids_of_the_vocabulary(tokenizer: Tokenizer, fast: Any) -> None:
    for content in ADDED_TOKENS:
        assert tokenizer.special(content) == fast.convert_tokens_to_ids(content)
    with pytest.raises(EngineError, match="no token '<nothing>'"):
        tokenizer.special("<nothing>")


def test_tokens_cover_the_text_they_stand_for(tokenizer: Tokenizer, fast: Any) -> None:
    source = random.Random(1)
    for text in [*TEXTS, *(random_text(source) for _ in range(300))]:
        tokens = tokenizer.encode(text)
        assert tokens[0].start == 0 and tokens[-1].end == len(text)
        ranges = list(dict.fromkeys((token.start, token.end) for token in tokens))
        assert all(before[1] == after[0] for before, after in pairwise(ranges))
        assert all(start < end for start, end in ranges)
        spelt = [_bytes_of(fast.convert_ids_to_tokens(token.id)) for token in tokens]
        normalized = unicodedata.normalize("NFC", text)
        assert b"".join(spelt) == normalized.encode()
        if normalized != text:
            continue
        done = 0
        for token, part in zip(tokens, spelt, strict=True):
            # It starts with the character that its first byte belongs to.
            assert token.start == len((text.encode()[: done + 1]).decode(errors="replace")) - 1
            done += len(part)


def _bytes_of(token: str) -> bytes:
    from transformers.models.qwen2.tokenization_qwen2 import bytes_to_unicode

    letters = {letter: byte for byte, letter in bytes_to_unicode().items()}
    return bytes(letters[letter] for letter in token)


def test_offsets_are_those_of_the_text_as_it_was_given(tokenizer: Tokenizer) -> None:
    tokens = tokenizer.encode("Cafe\u0301 我 x")
    by_range = {(token.start, token.end) for token in tokens}
    assert max(end for _, end in by_range) == 9
    assert any(start <= 3 and end == 5 for start, end in by_range)  # e and its accent together
    assert not any(start == 4 for start, _ in by_range)


def test_text_in_3000_random_cuts_gives_the_tokens_of_the_whole(tokenizer: Tokenizer) -> None:
    source = random.Random(2)
    for number in range(3000):
        text = TEXTS[number % len(TEXTS)] if number % 2 else random_text(source)
        assert in_parts(tokenizer, cut_anywhere(text, source)) == tokenizer.encode(text), text


def test_text_by_single_characters_gives_the_tokens_of_the_whole(tokenizer: Tokenizer) -> None:
    for text in TEXTS:
        assert in_parts(tokenizer, list(text)) == tokenizer.encode(text)


_ANY_TEXT = st.text(
    st.one_of(
        st.sampled_from(
            " \n\r\t'.,!?。，、！'sStTrReEvVmMlLdD0123/<|>\u3000\u00a0\u0301\u0323\u1161\u11ab\u1112我"
        ),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=MAX_HELD,
)


@given(text=_ANY_TEXT, seed=st.integers(0, 2**32))
def test_any_text_in_any_cuts_gives_the_tokens_of_the_whole(
    tokenizer: Tokenizer, text: str, seed: int
) -> None:
    if text:
        assert in_parts(tokenizer, cut_anywhere(text, random.Random(seed))) == tokenizer.encode(text)


@pytest.mark.parametrize(
    "final",
    [
        lambda held: len(held),  # nothing is held back
        lambda held: max(0, len(held) - 1),  # one character is
        lambda held: held.rfind(" ") + 1,  # what follows the last space is, not the space
        lambda held: max((held.rfind(mark) + 1 for mark in ".!?。"), default=0),  # what follows a mark is
    ],
)
def test_the_comparison_finds_out_who_holds_back_too_little(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch, final: Callable[[str], int]
) -> None:
    monkeypatch.setattr(IncrementalTokenizer, "_final_end", lambda self: final(self.held))
    source = random.Random(3)
    wrong = sum(
        in_parts(tokenizer, cut_anywhere(text, source)) != tokenizer.encode(text)
        for text in TEXTS
        for _ in range(5)
    )
    assert wrong


def test_what_the_cuts_rely_on_holds_for_every_character(tokenizer: Tokenizer) -> None:
    every = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF]
    joined = {
        unicodedata.normalize("NFD", each)[-1]
        for each in every
        if unicodedata.decomposition(each) and not unicodedata.decomposition(each).startswith("<")
    }
    for each in every:
        if _stands_alone(each):
            assert unicodedata.combining(each) == 0 and not (each in joined and _composes(each)), hex(
                ord(each)
            )
        # Every character that NFC may join to what is before it is known (Hangul by its rule).
        if unicodedata.combining(each):
            assert _joins(each), hex(ord(each))
    assert not _stands_alone("\u1161") and _joins("\u1161") and _joins("\u11a8")
    # All that the expression takes for white space is white space to Python as well.
    spaces = pre_tokenizers.Split(Regex(r"\s"), behavior="removed")
    left = "".join(piece for piece, _ in spaces.pre_tokenize_str("".join(every)))
    assert all(each.isspace() for each in set(every) - set(left))
    # And the normalizer joins nothing to those either.
    for base in ("a", "e", "\u1100", "\uac00", "\n", "="):
        for each in every:
            if _stands_alone(each):
                assert tokenizer.normalized(base + each)[0] == base


def _composes(character: str) -> bool:
    """Whether any character in NFC is made of another and this one."""
    return any(
        len(unicodedata.normalize("NFC", base + character)) == 1
        for base in ("=", "<", ">", "+", "\u2add", "a")
    )


def test_a_word_is_given_with_the_character_after_it(tokenizer: Tokenizer) -> None:
    incremental = IncrementalTokenizer(tokenizer)
    text = "Yes, I know. So what?\nWell"
    given: list[str] = []
    for character in text:
        tokens = incremental.feed(character)
        given.append(text[tokens[0].start : tokens[-1].end] if tokens else "")
    expected = dict.fromkeys(range(len(text)), "")
    for place, word in (
        (3, "Yes"),
        (4, ","),
        (6, " I"),
        (11, " know"),
        (12, "."),
        (15, " So"),
        (20, " what"),
    ):
        expected[place] = word
    expected[22] = "?\n"
    assert given == list(expected.values())
    assert text[incremental.flush()[0].start] == "W"


def test_chinese_is_given_at_each_mark(tokenizer: Tokenizer) -> None:
    incremental = IncrementalTokenizer(tokenizer)
    text = "你好，世界。我们走！"
    given: list[str] = []
    for character in text:
        tokens = incremental.feed(character)
        given.append(text[tokens[0].start : tokens[-1].end] if tokens else "")
    assert given == ["", "", "你好", "", "", "，世界", "", "", "", "。我们走"]
    assert incremental.held == "！"


@pytest.mark.parametrize("unit", ["我", "a", "-", "\u0301", "\u0e01\u0e31", " ", "é", "\n"])
def test_no_more_is_held_back_than_the_bound(tokenizer: Tokenizer, unit: str) -> None:
    text = unit * (5 * MAX_HELD)
    by_cut: list[list[Token]] = []
    for size in (1, 7, 199, 200, 201, len(text)):
        incremental, tokens = IncrementalTokenizer(tokenizer), []
        for start in range(0, len(text), size):
            tokens += incremental.feed(text[start : start + size])
            assert len(incremental.held) <= MAX_HELD
        by_cut.append(tokens + incremental.flush())
    assert all(each == by_cut[0] for each in by_cut)  # how it comes changes nothing here either
    assert by_cut[0][-1].end == len(text)


def test_text_goes_on_after_a_flush(tokenizer: Tokenizer) -> None:
    incremental = IncrementalTokenizer(tokenizer)
    tokens = (
        incremental.feed("你好。") + incremental.flush() + incremental.feed("我们。") + incremental.flush()
    )
    first, second = tokenizer.encode("你好。"), tokenizer.encode("我们。")
    assert [token.id for token in tokens] == [token.id for token in first + second]
    assert tokens[len(first)].start == 3 and tokens[-1].end == 6


def test_a_text_that_is_too_long_is_refused_with_the_limit(tokenizer: Tokenizer) -> None:
    assert len(tokenizer.encode("1" * MAX_TEXT_TOKENS)) == MAX_TEXT_TOKENS
    for encode in (tokenizer.encode, lambda text: in_parts(tokenizer, [text]), tokenizer.ids):
        with pytest.raises(EngineError, match="20000 tokens") as refused:
            encode("1" * (MAX_TEXT_TOKENS + 1))
        assert refused.value.code is ErrorCode.TEXT_TOO_LONG
    # Also when no part of it is too long.
    incremental = IncrementalTokenizer(tokenizer)
    with pytest.raises(EngineError, match="20000 tokens"):
        for _ in range(MAX_TEXT_TOKENS // 100 + 1):
            incremental.feed("1" * 100)


def test_no_text_gives_no_tokens(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("") == [] == in_parts(tokenizer, [])
    assert in_parts(tokenizer, ["", ""]) == []


def test_a_tokenizer_in_one_file_is_the_same(tokenizer: Tokenizer, one_file: Path) -> None:
    same = Tokenizer.read(one_file)
    for text in [*TEXTS, NOT_SPECIAL]:
        assert same.encode(text) == tokenizer.encode(text)
    for content in ADDED_TOKENS:
        assert same.special(content) == tokenizer.special(content)


def test_one_that_cuts_by_the_other_known_rule_is_incremental_too(
    tokenizer: Tokenizer, one_file: Path, tmp_path: Path
) -> None:
    """transformers 4.57.3 takes large vocabularies in local folders for Mistral's, and puts its rule in."""
    with silenced():
        from transformers import AutoTokenizer

        other_fast = AutoTokenizer.from_pretrained(one_file, split_special_tokens=True)
        rule = pre_tokenizers.Split(Regex(_PIECES_OF_MISTRAL), behavior="isolated")
        other_fast.backend_tokenizer.pre_tokenizer[0] = rule
        other_fast.save_pretrained(tmp_path / "saved")
    other = Tokenizer.read(tmp_path / "saved")
    assert other.piece_ends("HelloWorld") == {5, 10} and tokenizer.piece_ends("HelloWorld") == {10}
    source = random.Random(4)
    for number in range(1000):
        text = TEXTS[number % len(TEXTS)] if number % 2 else random_text(source)
        assert list(other.ids(text)) == other_fast(text)["input_ids"]
        assert in_parts(other, cut_anywhere(text, source)) == other.encode(text), text


def _changed(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    return apply


@pytest.mark.parametrize(
    ("file", "break_it", "told"),
    [
        ("vocab.json", Path.unlink, "vocab.json cannot be read: No such file"),
        ("merges.txt", Path.unlink, "merges.txt cannot be read: No such file"),
        ("tokenizer_config.json", Path.unlink, "tokenizer_config.json cannot be read"),
        ("vocab.json", lambda path: path.write_bytes(path.read_bytes()[:100]), "vocab.json is not what"),
        ("vocab.json", _changed(lambda vocab: vocab.pop("a")), "does not belong to its vocab.json: line"),
        ("vocab.json", _changed(lambda vocab: vocab.pop("\u0100")), "lacks tokens of single bytes"),
        ("merges.txt", lambda path: path.write_text("a b c\n"), "merges.txt does not belong .* line 1"),
        ("tokenizer_config.json", lambda path: path.write_text('{"added_tokens_decoder": 3}'), "is not what"),
    ],
)
def test_a_broken_tokenizer_is_told(
    folder: Path, tmp_path: Path, file: str, break_it: Callable[[Path], None], told: str
) -> None:
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json"):
        shutil.copy(folder / name, tmp_path)
    Tokenizer.read(tmp_path)
    break_it(tmp_path / file)
    with pytest.raises(EngineError, match=told):
        Tokenizer.read(tmp_path)


@pytest.mark.parametrize(
    ("break_it", "told"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:5000]), "is not what a Qwen3-TTS model has there"),
        (_changed(lambda all_of_it: all_of_it.update(normalizer=None)), "does not bring text to NFC"),
        (
            _changed(lambda all_of_it: all_of_it["pre_tokenizer"]["pretokenizers"].pop(0)),
            "cuts text in another way",
        ),
        (_changed(lambda all_of_it: all_of_it["model"].update(type="Other")), "cannot be used"),
        (
            _changed(lambda all_of_it: all_of_it["model"]["vocab"].pop("\u0100")),
            "lacks tokens of single bytes",
        ),
    ],
)
def test_a_broken_file_of_a_tokenizer_is_told(
    one_file: Path, tmp_path: Path, break_it: Callable[[Path], None], told: str
) -> None:
    shutil.copy(one_file / "tokenizer.json", tmp_path)
    Tokenizer.read(tmp_path)
    break_it(tmp_path / "tokenizer.json")
    with pytest.raises(EngineError, match=told):
        Tokenizer.read(tmp_path)
