"""Prompts in the one form of this engine give the model the very numbers that qwen-tts gives it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from realtime.engines.qwen3.configuration import GenerationConfig, ModelConfig, read_config
from realtime.engines.qwen3.description import LANGUAGE_NAMES
from realtime.engines.qwen3.prompt import (
    MAX_CARRIED_FRAMES,
    Opening,
    PromptBuilder,
    Sampling,
    Start,
)
from realtime.engines.qwen3.tokenizer import Tokenizer
from realtime.errors import EngineError
from realtime.types import LANGUAGES
from tests.engines.qwen3.checkpoint import write_checkpoint
from tests.engines.qwen3.reference import load_reference, silenced

SHORT = "Hi."
LONG = (
    "The quick brown fox jumps over the lazy dog, and then it sleeps. Nobody knows why it did so;"
    " we asked twice! Die Antwort war: vierzig Jahre. 他说：“好的。”"
)
FRAMES = 12  # of the reference recording: more than the tokens of SHORT, fewer than those of LONG


class Bench:
    """A tiny checkpoint, its reference and what is under test."""

    def __init__(self, folder: Path) -> None:
        self.config: ModelConfig = read_config(folder)
        self.reference: Any = load_reference(folder)
        # Sums of the same numbers in another order: what is left to differ is far below what matters.
        self.reference.model.talker.double()
        self.tokenizer = Tokenizer.read(folder)
        self.builder = PromptBuilder(self.config, self.tokenizer)

    def expected(self, text: str, **how: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """`inputs_embeds` and `trailing_text_hidden` as qwen-tts hands them to the talker."""
        seen: dict[str, Any] = {}

        class Seen(Exception):  # noqa: N818
            pass

        def look(**given: Any) -> None:
            seen.update(given)
            raise Seen

        model = self.reference
        speak = {
            "custom_voice": model.generate_custom_voice,
            "voice_design": model.generate_voice_design,
            "base": model.generate_voice_clone,
        }[self.config.kind]
        with silenced(), mock.patch.object(model.model.talker, "generate", look), pytest.raises(Seen):
            speak(text, **how)
        return seen["inputs_embeds"][0].numpy(), seen["trailing_text_hidden"][0].numpy()

    def given(self, start: Start) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What the one form adds up to, by the reference's own tables."""
        talker, prompt = self.reference.model.talker, start.prompt
        with torch.no_grad():
            added = self._text(prompt.text_ids)
            tables = [talker.get_input_embeddings(), *talker.code_predictor.get_input_embeddings()]
            for group, table in enumerate(tables):
                codes = torch.from_numpy(prompt.codes[:, group])
                added += torch.where(codes[:, None] >= 0, table(codes.clamp(min=0)), 0.0)
            if prompt.speaker is not None:
                added[prompt.speaker_at] += torch.from_numpy(prompt.speaker)
            ids = [*start.trailing, *([self.config.tts_eos] if start.ends else []), self.config.tts_pad]
            return added.numpy(), self._text(np.array(ids)).numpy()

    def _text(self, ids: NDArray[np.int64]) -> torch.Tensor:
        talker = self.reference.model.talker
        projected: torch.Tensor = talker.text_projection(talker.get_text_embeddings()(torch.from_numpy(ids)))
        return projected

    def compare(self, start: Start, text: str, **how: Any) -> None:
        prompt, trailing = self.given(start)
        expected_prompt, expected_trailing = self.expected(text, **how)
        assert prompt.shape == expected_prompt.shape
        assert np.abs(prompt - expected_prompt).max() < 1e-9
        # qwen-tts goes on with tts_pad after what it is given; ours says tts_pad once more.
        length = len(expected_trailing)
        assert length in (len(trailing), len(trailing) - 1)
        assert np.abs(trailing[:length] - expected_trailing).max() < 1e-9
        pad = self._text(np.array([self.config.tts_pad])).detach().numpy()
        assert np.abs(trailing[length - 1 :][1:] - pad).max(initial=0) < 1e-9


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {
        name: write_checkpoint(tmp_path_factory.mktemp(name), kind, size=size)
        for name, kind, size in (
            ("custom", "custom_voice", "1b7"),
            ("custom_small", "custom_voice", "0b6"),
            ("design", "voice_design", "1b7"),
            ("base", "base", "1b7"),
        )
    }


@pytest.fixture(scope="module")
def custom(folders: dict[str, Path]) -> Bench:
    return Bench(folders["custom"])


@pytest.fixture(scope="module")
def design(folders: dict[str, Path]) -> Bench:
    return Bench(folders["design"])


@pytest.fixture(scope="module")
def base(folders: dict[str, Path]) -> Bench:
    return Bench(folders["base"])


def laid_out(bench: Bench, opening: Opening, text: str, streaming: bool) -> Start:
    ids = bench.tokenizer.ids(text)
    builder = bench.builder
    return builder.streaming(opening, ids, complete=True) if streaming else builder.whole(opening, ids)


both_layouts = pytest.mark.parametrize("streaming", [True, False])
short_and_long = pytest.mark.parametrize("text", [SHORT, LONG])


@both_layouts
@short_and_long
@pytest.mark.parametrize("instruct", ["", "Speak slowly, and <|im_end|> softly.", "\nvery sad \n"])
@pytest.mark.parametrize(
    ("speaker", "language", "named"),
    [
        ("ryan", "en", "english"),
        ("Vivian", "auto", "auto"),
        ("eric", "zh", "chinese"),  # a dialect
        ("dylan", "AUTO", "Auto"),
        ("Eric", "german", "German"),
    ],
)
def test_a_voice_of_its_own(
    custom: Bench, speaker: str, language: str, named: str, instruct: str, text: str, streaming: bool
) -> None:
    opening = custom.builder.custom(speaker, language, instruct)
    with _special_as_text(custom):
        custom.compare(
            laid_out(custom, opening, text, streaming),
            text,
            speaker=speaker,
            language=named,
            instruct=instruct,
            non_streaming_mode=not streaming,
        )


@contextmanager
def _special_as_text(bench: Bench) -> Iterator[None]:
    """qwen-tts takes "<|im_end|>" in an instruction for the real one; its template's own must stay so."""
    model = bench.reference

    def template(text: str) -> str:
        return f"<|im_start|>user\n{text}<|im_end|>\n"

    whole = model._tokenize_texts

    def tokenize(texts: list[str]) -> list[torch.Tensor]:
        (text,) = texts
        if not text.startswith("<|im_start|>user\n"):
            return list(whole(texts))
        inner = text[len("<|im_start|>") : -len("<|im_end|>\n")]
        backend = model.processor.tokenizer
        (start,), (end,) = backend.encode("<|im_start|>"), backend.encode("<|im_end|>")
        body = backend(inner, split_special_tokens=True)["input_ids"]
        return [torch.tensor([[start, *body, end, *backend.encode("\n")]])]

    with mock.patch.object(model, "_tokenize_texts", tokenize):
        assert model._build_instruct_text("x") == template("x")
        yield


@both_layouts
@short_and_long
@pytest.mark.parametrize("instruct", ["", "A deep old voice; it creaks."])
@pytest.mark.parametrize(("language", "named"), [("fr", "french"), ("auto", None)])
def test_a_voice_by_its_description(
    design: Bench, language: str, named: str | None, instruct: str, text: str, streaming: bool
) -> None:
    opening = design.builder.design(instruct, language)
    start = laid_out(design, opening, text, streaming)
    design.compare(start, text, instruct=instruct, language=named, non_streaming_mode=not streaming)


def _clone(bench: Bench, frames: int, said: str | None) -> tuple[NDArray[np.float32], Any, list[Any]]:
    """An embedding, codes, and the two as qwen-tts has them."""
    random = np.random.default_rng(5)
    embedding = random.standard_normal(bench.config.talker.hidden_size).astype(np.float32)
    codes = random.integers(0, 2048, (frames, 16))
    item = SimpleNamespace(
        ref_code=None if said is None else torch.from_numpy(codes),
        ref_spk_embedding=torch.from_numpy(embedding),
        x_vector_only_mode=said is None,
        icl_mode=said is not None,
        ref_text=said,
    )
    return embedding, codes, [item]


@both_layouts
@short_and_long
@pytest.mark.parametrize(("language", "named"), [("ja", "Japanese"), ("auto", None)])
def test_a_clone_by_its_embedding(
    base: Bench, language: str, named: str | None, text: str, streaming: bool
) -> None:
    embedding, _, prompt = _clone(base, FRAMES, None)
    opening = base.builder.x_vector(embedding, language)
    start = laid_out(base, opening, text, streaming)
    base.compare(start, text, voice_clone_prompt=prompt, language=named, non_streaming_mode=not streaming)


@both_layouts
@pytest.mark.parametrize("text", [SHORT, LONG, "One two", "One two three four"])
@pytest.mark.parametrize("said", ["Yes.", LONG])
@pytest.mark.parametrize("frames", [1, FRAMES, 40])
@pytest.mark.parametrize(("language", "named"), [("pt", "Portuguese"), ("auto", None)])
def test_a_clone_in_context(
    base: Bench, language: str, named: str | None, frames: int, said: str, text: str, streaming: bool
) -> None:
    embedding, codes, prompt = _clone(base, frames, said)
    opening = base.builder.in_context(embedding, codes, said, language)
    start = laid_out(base, opening, text, streaming)
    base.compare(start, text, voice_clone_prompt=prompt, language=named, non_streaming_mode=not streaming)


def test_text_as_long_as_the_recording_leaves_nothing_to_follow(base: Bench) -> None:
    """The three cases of the layout: text is left, tts_eos alone is left, nothing is left."""
    text = "one two three"
    ids = base.tokenizer.ids(text)
    seen = []
    for frames in range(1, len(ids) + 4):
        embedding, codes, prompt = _clone(base, frames, "Yes.")
        start = base.builder.streaming(
            base.builder.in_context(embedding, codes, "Yes.", "en"), ids, complete=True
        )
        base.compare(start, text, voice_clone_prompt=prompt, language="english", non_streaming_mode=False)
        seen.append((bool(start.trailing), start.ends))
    assert list(dict.fromkeys(seen)) == [(True, True), (False, True), (False, False)]


def test_the_comparison_sees_one_changed_token_code_or_place(custom: Bench) -> None:
    start = laid_out(custom, custom.builder.custom("ryan", "en"), LONG, True)
    how = {"speaker": "ryan", "language": "english", "non_streaming_mode": False}
    custom.compare(start, LONG, **how)
    changed = []
    for place in range(len(start.prompt.text_ids)):
        texts = start.prompt.text_ids.copy()
        texts[place] ^= 1
        changed.append(Start(_with(start, text_ids=texts), start.trailing, start.ends))
    for place in range(3, len(start.prompt.text_ids)):
        codes = start.prompt.codes.copy()
        codes[place, 0] ^= 1
        changed.append(Start(_with(start, codes=codes), start.trailing, start.ends))
    changed.append(Start(start.prompt, start.trailing[:-1], start.ends))
    changed.append(Start(start.prompt, start.trailing, False))
    for wrong in changed:
        with pytest.raises(AssertionError):
            custom.compare(wrong, LONG, **how)


def _with(start: Start, **changes: Any) -> Any:
    prompt = start.prompt
    fields = {name: getattr(prompt, name) for name in type(prompt).__slots__}
    return type(prompt)(**(fields | changes))


def test_the_first_token_of_live_text_is_enough(custom: Bench) -> None:
    opening = custom.builder.custom("ryan", "en")
    ids = custom.tokenizer.ids(LONG)
    whole, live = custom.builder.streaming(opening, ids), custom.builder.streaming(opening, ids[:1])
    assert np.array_equal(whole.prompt.text_ids, live.prompt.text_ids)
    assert np.array_equal(whole.prompt.codes, live.prompt.codes)
    assert (live.trailing, live.ends) == ((), True)
    assert (whole.trailing, whole.ends) == (ids[1:], True)
    # All that is prefilled is cached, so that a live utterance begins with a copy.
    assert live.prompt.cacheable == len(live.prompt.text_ids) - 1


def _starts(custom: Bench, design: Bench, base: Bench, text: str) -> list[Start]:
    """Of all kinds, with things changed one at a time."""
    embedding, codes, _ = _clone(base, FRAMES, "Yes.")
    other_codes = codes.copy()
    other_codes[3, 7] += 1
    openings: list[tuple[Bench, Opening]] = [
        *(
            (custom, custom.builder.custom(*each))
            for each in (("ryan", "en"), ("aiden", "en"), ("ryan", "de"))
        ),
        *((custom, custom.builder.custom("ryan", "en", each)) for each in ("sad", "sa")),
        *((custom, custom.builder.custom(each, "auto")) for each in ("eric", "ryan", "dylan")),
        *((design, design.builder.design(*each)) for each in (("sad", "en"), ("sad", "auto"), ("old", "en"))),
        *((base, base.builder.x_vector(each, "en")) for each in (embedding, embedding + 1)),
        (base, base.builder.x_vector(embedding, "fr")),
        (base, base.builder.in_context(embedding, codes, "Yes.", "en")),
        (base, base.builder.in_context(embedding, codes, "Yes, so.", "en")),
        (base, base.builder.in_context(embedding, codes, "Yes.", "fr")),
        (base, base.builder.in_context(embedding, other_codes, "Yes.", "en")),
        (base, base.builder.in_context(embedding + 1, codes, "Yes.", "en")),
    ]
    return [
        laid_out(bench, opening, text, streaming)
        for bench, opening in openings
        for streaming in (True, False)
    ]


def test_what_is_cached_is_the_same_for_every_text_and_only_then(
    custom: Bench, design: Bench, base: Bench
) -> None:
    first: dict[str, tuple[bytes, ...]] = {}
    contents: list[tuple[str, tuple[bytes, ...]]] = []
    for text in (SHORT, LONG, "Something else."):
        for start in _starts(custom, design, base, text):
            prompt = start.prompt
            assert 0 < prompt.cacheable < len(prompt.text_ids)
            assert prompt.speaker_at < prompt.cacheable
            content = (
                prompt.text_ids[: prompt.cacheable].tobytes(),
                prompt.codes[: prompt.cacheable].tobytes(),
                b"" if prompt.speaker is None else prompt.speaker.tobytes(),
            )
            assert first.setdefault(prompt.cache_key, content) == content
            contents.append((prompt.cache_key, content))
    # What differs in anything has another key: the layouts share theirs, but for in-context clones.
    assert len({key for key, _ in contents}) == 14 + 5 * 2


def test_a_clone_in_context_caches_what_is_said_in_the_recording_too(base: Bench) -> None:
    embedding, codes, _ = _clone(base, FRAMES, "Yes.")
    opening = base.builder.in_context(embedding, codes, " Yes. ", "en")
    said = len(base.tokenizer.ids("Yes."))
    for streaming in (True, False):
        prompt = laid_out(base, opening, LONG, streaming).prompt
        assert prompt.cacheable == len(opening.codes) + said
    # Also when what is said is longer than the recording: all but the last position.
    long = base.builder.in_context(embedding, codes[:2], LONG, "en")
    prompt = laid_out(base, long, SHORT, True).prompt
    assert prompt.cacheable == len(prompt.text_ids) - 1


# A generation that goes on.


def test_a_continuation_is_laid_out_as_if_the_generation_had_begun_there(custom: Bench) -> None:
    """Played back: the inputs of a real generation's steps are the continuation's positions."""
    builder, config = custom.builder, custom.config
    opening = builder.custom("ryan", "en")
    said, follows = custom.tokenizer.ids("One two three."), custom.tokenizer.ids(" " + LONG)
    codes = np.random.default_rng(0).integers(0, 2048, (20, 16))
    start = builder.streaming(opening, said)
    track = [*said, *follows, config.tts_eos] + [config.tts_pad] * 20
    texts = [*start.prompt.text_ids, *track[1 : len(codes) + 1]]
    rows = np.concatenate([start.prompt.codes, codes])
    carried = builder.continuation(opening, said, codes, follows, complete=False)
    assert carried.prompt.text_ids.tolist() == texts
    assert np.array_equal(carried.prompt.codes, rows)
    assert [*carried.trailing, config.tts_eos] == track[len(codes) + 1 : len(said) + len(follows) + 1]
    assert carried.ends
    assert (carried.prompt.cacheable, carried.prompt.cache_key) == (len(opening.codes), opening.key)


@pytest.mark.parametrize("complete", [True, False])
@pytest.mark.parametrize("more", [0, 1, 14, 15, 16, 30])
def test_a_continuation_fills_up_what_text_there_is(custom: Bench, more: int, complete: bool) -> None:
    builder, config = custom.builder, custom.config
    opening = builder.custom("ryan", "en")
    said, follows = tuple(range(300, 306)), tuple(range(400, 400 + more))
    codes = np.zeros((20, 16), np.int64)
    start = builder.continuation(opening, said, codes, follows, complete=complete)
    texts = start.prompt.text_ids[len(opening.codes) :].tolist()
    track = [*said, *follows, *([config.tts_eos] if complete else [])]
    # Together with what follows: the whole text in order, tts_eos once if the text is complete, else later.
    assert len(texts) == 21
    left = [*texts, *start.trailing, *([config.tts_eos] if complete and start.ends else [])]
    assert [each for each in left if each != config.tts_pad] == track
    assert texts[: len(track)] == track[:21]
    assert set(texts[len(track) :]) <= {config.tts_pad}
    assert start.ends or (complete and len(track) <= 21)


def test_a_continuation_takes_over_no_more_than_the_bound(custom: Bench) -> None:
    builder = custom.builder
    opening = builder.custom("ryan", "en")
    codes = np.zeros((MAX_CARRIED_FRAMES + 1, 16), np.int64)
    fresh = builder.streaming(opening, [7, 8])
    for length in (MAX_CARRIED_FRAMES + 1, 0):
        start = builder.continuation(opening, [5, 6], codes[:length], [7, 8], complete=True)
        assert np.array_equal(start.prompt.text_ids, fresh.prompt.text_ids)
        assert (start.trailing, start.ends) == ((8,), True)
    most = builder.continuation(opening, [5, 6], codes[1:], [7, 8], complete=True)
    assert len(most.prompt.text_ids) == len(opening.codes) + MAX_CARRIED_FRAMES + 1


# What is refused.


def test_a_voice_or_language_that_it_lacks_is_told_with_those_it_has(custom: Bench, base: Bench) -> None:
    with pytest.raises(
        EngineError, match="no voice 'bob'; it has aiden, dylan, eric, ono_anna, ryan, serena"
    ):
        custom.builder.custom("bob", "en")
    with pytest.raises(
        EngineError, match="language 'nl'; it speaks en, de, fr, es, it, pt, ru, zh, ja, ko, auto"
    ):
        custom.builder.custom("ryan", "nl")
    for dialect in ("sichuan_dialect", ""):
        with pytest.raises(EngineError, match="does not speak the language"):
            custom.builder.custom("ryan", dialect)


def test_instructions_are_refused_by_models_that_leave_them_out(folders: dict[str, Path]) -> None:
    small = PromptBuilder(read_config(folders["custom_small"]), Tokenizer.read(folders["custom_small"]))
    small.custom("ryan", "en")
    with pytest.raises(EngineError, match="does not heed instructions"):
        small.custom("ryan", "en", "slowly")


def test_each_kind_of_model_has_its_kind_of_voice(custom: Bench, design: Bench, base: Bench) -> None:
    embedding, codes, _ = _clone(base, 3, "Yes.")
    for bench in (custom, design, base):
        builder = bench.builder
        tries = {
            "custom_voice": [lambda b=builder: b.custom("ryan", "en")],
            "voice_design": [lambda b=builder: b.design("old", "en")],
            "base": [
                lambda b=builder: b.x_vector(embedding, "en"),
                lambda b=builder: b.in_context(embedding, codes, "Yes.", "en"),
            ],
        }
        for kind, makers in tries.items():
            for make in makers:
                if kind == bench.config.kind:
                    make()
                else:
                    with pytest.raises(EngineError, match=f"a model of kind '{bench.config.kind}' cannot"):
                        make()


def test_nothing_to_say_is_refused(custom: Bench, base: Bench) -> None:
    """qwen-tts would speak the end of its template."""
    opening = custom.builder.custom("ryan", "en")
    codes = np.zeros((3, 16), np.int64)
    for make in (
        lambda: custom.builder.streaming(opening, []),
        lambda: custom.builder.whole(opening, []),
        lambda: custom.builder.continuation(opening, [], codes, [], complete=True),
        lambda: custom.builder.continuation(opening, [1], codes[:0], [], complete=True),
    ):
        with pytest.raises(EngineError, match="nothing to say"):
            make()


def test_a_clone_that_is_not_whole_is_refused(base: Bench) -> None:
    embedding, codes, _ = _clone(base, 3, "Yes.")
    builder = base.builder
    with pytest.raises(EngineError, match="needs the text that is said"):
        builder.in_context(embedding, codes, " \n", "en")
    for bad in (codes[:0], codes[:, :8], codes[0]):
        with pytest.raises(EngineError, match="no codes of the shape"):
            builder.in_context(embedding, bad, "Yes.", "en")
    with pytest.raises(EngineError, match="has the shape"):
        builder.x_vector(embedding[:-1], "en")
    opening = builder.in_context(embedding, codes, "Yes.", "en")
    with pytest.raises(EngineError, match="needs the whole text"):
        builder.streaming(opening, [1])
    with pytest.raises(EngineError, match="cannot be gone on with"):
        builder.continuation(opening, [1], codes, [2], complete=True)


def test_every_language_of_ours_has_a_name(custom: Bench) -> None:
    assert set(LANGUAGE_NAMES) == set(LANGUAGES)
    assert set(LANGUAGE_NAMES.values()) == set(custom.config.languages)


def test_sampling_is_what_the_checkpoint_says() -> None:
    said = GenerationConfig(
        do_sample=False, top_k=3, top_p=0.4, temperature=0.5, repetition_penalty=1.6,
        subtalker_dosample=True, subtalker_top_k=7, subtalker_top_p=0.8, subtalker_temperature=0.9,
    )  # fmt: skip
    assert Sampling.of(said) == Sampling(False, 0.5, 3, 0.4, 1.6, True, 0.9, 7, 0.8)
