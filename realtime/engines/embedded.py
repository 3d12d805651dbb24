"""The small neural voice that works out of the box: hibari (English, 24 kHz) on onnxruntime.

Uses hibari's text-to-phonemes and network as they are, and turns the network's output into sound itself, for
three reasons: the graph's own durations give exact word timings, the silence that the voice puts around
every sentence is not even computed, and the first 0.3 s leave before the rest is rendered.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime.engines.alignment import align_words
from realtime.engines.engine import Capabilities, EngineSettings, Open
from realtime.engines.ipa import to_voice_phonemes
from realtime.engines.network import (
    open_network,
    reduced_to,
    run_network,
    silence_telemetry,
    with_output,
)
from realtime.engines.rendering import Floats, Renderer
from realtime.engines.synthesizer import Cancellation, NeverCancelled
from realtime.types import AudioChunk, TextPiece, WordTiming

SAMPLE_RATE = 24_000
#: The graph's durations are counted in units of 25 ms, two frames of its spectrum each.
UNIT_FRAMES = 2
#: More phonemes than this in one run cost memory and time without end (5,000 characters: 16 s and 1.8 GB).
MAX_PHONEMES = 400
#: What is used of the network: by frame its spectrum and pitch, by phoneme its duration.
_OUTPUTS = (_SPECTRUM, _PITCH, _DURATIONS) = ("/head/Add_output_0", "f0", "/Clip_output_0")
_LEAD_UNITS = 5  # kept before the first phoneme: soft ones are heard up to 90 ms before their nominal start
_TAIL_UNITS = 10  # kept from the last phoneme's nominal start: it is audible up to 0.21 s after it
#: Phonemes sound earlier than the durations say: by this many frames (12.5 ms each) where words meet.
_EARLY_FRAMES = 3
#: The last phoneme before a pause has the pause in its duration; its sound lasts no longer than this.
_LAST_PHONEME_UNITS = 3
_PUNCTUATION = frozenset(';:,.!?—…"“”() ')
# Beyond the voice's names for numbers: read digit by digit. Decimals it reads so by itself.
_LONG_NUMBER = re.compile(r"(?<![\d.,])\d(?:,?\d){15,}")
_WORD = re.compile(r"\S+")
# One character for one: hibari knows these marks in their plain form; its own brackets are kept for it.
_PLAIN_MARKS = str.maketrans("\u00a0\u2019\u2012\u2015[]", " '-\u2014()")
_WARM_UP = "Ready to speak, 1 2 3."


@dataclass(frozen=True, slots=True)
class _Run:
    """Phonemes that the network speaks in one go; `words` are (spoken span, first id, last id + 1).

    A word that follows another without a pause begins with the space between them: there it already sounds.
    """

    ids: list[int]
    words: list[tuple[tuple[int, int], int, int]]


class EmbeddedSynthesizer:
    """A `Synthesizer` for English; thread-safe, and the same sound for the same text and seed."""

    def __init__(self) -> None:
        self._renderer: Renderer | None = None
        self._session: Any = None
        self._g2p: Any = None
        self._vocabulary: dict[str, int] = {}

    @property
    def capabilities(self) -> Capabilities:
        """English, one voice, exact timings of words."""
        return Capabilities(
            name="embedded",
            voices=("heart",),
            languages=("en",),
            sample_rate=SAMPLE_RATE,
            word_timings="exact",
            concurrency=16,
        )

    def load(self) -> None:
        """Read the network and the lexicon, and speak once, so that the first utterance pays nothing."""
        silence_telemetry()
        import onnx
        from hibari import Hibari
        from hibari.voices import voice_path

        model = onnx.load(voice_path("heart", download_missing=False))
        for inner in (_SPECTRUM, _DURATIONS):
            model = with_output(model, inner)
        self._session = open_network(reduced_to(model, _OUTPUTS))
        voice = Hibari.__new__(Hibari)  # its own constructor would load the network a second time
        voice.voice, voice._g2p = "heart", None
        self._g2p = voice.g2p
        self._g2p.oov("warmth")
        self._vocabulary = _read_vocabulary()
        self._renderer = Renderer()
        warm_up = TextPiece(0, _WARM_UP, (0, len(_WARM_UP)), (), "en")
        for _ in self.synthesize(warm_up, Open(0, "heart", "en"), NeverCancelled()):
            pass

    def synthesize(self, piece: TextPiece, request: Open, cancellation: Cancellation) -> Iterator[AudioChunk]:
        """The first 0.3 s, then the rest; text without end is spoken in runs of at most `MAX_PHONEMES`."""
        assert self._renderer is not None
        runs = self._runs(piece)
        if not runs:
            yield AudioChunk(piece.segment, np.zeros(0, np.float32), SAMPLE_RATE)
        made = 0
        for number, run in enumerate(runs):
            if cancellation.cancelled:
                return
            outputs = self._infer(run.ids, cancellation)
            if outputs is None:
                return
            spectrum, f0, durations = outputs
            start, end, words = _cut(run, durations, made, self._renderer.hop)
            last_run = number == len(runs) - 1
            done = start
            for pcm in self._renderer.blocks(spectrum, f0, request.seed, start, end):
                if cancellation.cancelled:
                    return
                done += len(pcm) // self._renderer.hop
                yield AudioChunk(
                    piece.segment, pcm, SAMPLE_RATE, words, last_of_segment=last_run and done == end
                )
                words = ()
                made += len(pcm)

    def _infer(self, ids: list[int], cancellation: Cancellation) -> tuple[Floats, Floats, Floats] | None:
        """The network's `_OUTPUTS`; None when it was cancelled."""
        feed = {"ids": np.asarray([ids], np.int64), "speed": np.ones(1, np.float32)}
        outputs = run_network(self._session, feed, cancellation)
        if outputs is None:
            return None
        spectrum, f0, durations = outputs
        return spectrum[0], f0[0], durations.reshape(-1)

    def _runs(self, piece: TextPiece) -> list[_Run]:
        """Phoneme ids of a text, cut before words so that a run has about `MAX_PHONEMES` at the most."""
        readable, sources = _readable(piece)
        if not sources:
            return []
        tokens = self._phonemize(readable)
        words: list[tuple[tuple[int, int], str]] = []  # source span, phonemes
        phonemes = ""
        for token in tokens:
            phonemes += token.phonemes or ""
            if token.whitespace:
                words.append((_nth(sources, len(words)), phonemes))
                phonemes = ""
        if phonemes:
            words.append((_nth(sources, len(words)), phonemes))
        return self._pack(words)

    def _phonemize(self, text: str) -> list[Any]:
        try:
            return list(self._g2p.phonemize_tokens(self._g2p.tokenize(text)))
        except Exception:  # hibari raises whatever its tables raise
            words = text.split()
            if len(words) == 1:
                return [_Unreadable()]
        # One odd word must not silence its sentence: each is read by itself, the unreadable are left out.
        tokens: list[Any] = []
        for word in words:
            tokens += self._phonemize(word)
            tokens[-1].whitespace = " "
        return tokens

    def _pack(self, words: list[tuple[tuple[int, int], str]]) -> list[_Run]:
        runs: list[_Run] = []
        run = _Run([0], [])
        for source, phonemes in words:
            known = [phoneme for phoneme in phonemes if phoneme in self._vocabulary]
            for at in range(0, len(known), MAX_PHONEMES):
                part = known[at : at + MAX_PHONEMES]
                if len(run.ids) + len(part) > MAX_PHONEMES and len(run.ids) > 1:
                    runs.append(run)
                    run = _Run([0], [])
                if len(run.ids) > 1:
                    run.ids.append(self._vocabulary[" "])
                first = len(run.ids)
                run.ids.extend(self._vocabulary[phoneme] for phoneme in part)
                spoken = [number for number, phoneme in enumerate(part) if phoneme not in _PUNCTUATION]
                if spoken:
                    begin = first + spoken[0]
                    if run.words and run.words[-1][2] == begin - 1:
                        begin -= 1
                    run.words.append((source, begin, first + spoken[-1] + 1))
        if len(run.ids) > 1:
            runs.append(run)
        # Punctuation alone is a breath, not speech.
        return [_Run([*run.ids, 0], run.words) for run in runs if run.words]


@dataclass(slots=True)
class _Unreadable:
    """Stands for a word that hibari cannot turn into phonemes."""

    phonemes: str = ""
    whitespace: str = ""


def _readable(piece: TextPiece) -> tuple[str, list[tuple[int, int]]]:
    """What hibari reads of a piece, and for each word of it [start, end) of its word in the piece's text.

    A given pronunciation is written in hibari's own way, "[x](/phonemes/)", and is one word. No text may look
    like one, so its brackets are others.
    """
    plain = piece.text.translate(_PLAIN_MARKS)
    text = ""
    words: list[tuple[int, int]] = []

    def add(more: str, spans: list[tuple[int, int]]) -> None:
        nonlocal text, words
        if spans and words and not text[-1:].isspace() and not more[:1].isspace():  # one word with the last
            words[-1] = (words[-1][0], spans[0][1])
            spans = spans[1:]
        text += more
        words += spans

    done = 0
    for each in piece.pronunciations:
        phonemes = to_voice_phonemes(each.ipa)
        if phonemes is None or each.spoken_start < done or each.spoken_start == each.spoken_end:
            continue
        add(*_plain_words(plain, done, each.spoken_start, piece.normalized))
        add(f"[x](/{phonemes}/)", [(each.spoken_start, each.spoken_end)])
        done = each.spoken_end
    add(*_plain_words(plain, done, len(plain), piece.normalized))
    return text, words


def _plain_words(text: str, start: int, end: int, normalized: bool) -> tuple[str, list[tuple[int, int]]]:
    """[start, end) of a text as hibari reads it: what is not normalized yet is now."""
    part = text[start:end]
    if normalized:  # what the front end was not sure of may still hold digits
        spelled = (
            (match.span(), len(_LONG_NUMBER.sub(_spell_digits, match[0]).split()))
            for match in _WORD.finditer(text, start, end)
        )
        return _LONG_NUMBER.sub(_spell_digits, part), [span for span, count in spelled for _ in range(count)]
    from hibari.g2p.normalize import normalize

    readable = _LONG_NUMBER.sub(_spell_digits, normalize(part))
    words = [(first + start, last + start) for first, last in align_words(part, readable)]
    before = " " if part[:1].isspace() else ""
    after = " " if readable and part[-1:].isspace() else ""
    return before + readable + after, words


def _spell_digits(number: re.Match[str]) -> str:
    return " ".join(number.group().replace(",", ""))


def _read_vocabulary() -> dict[str, int]:
    import json
    from pathlib import Path

    from hibari.tts import ASSETS

    vocabulary: dict[str, int] = json.loads(Path(ASSETS, "vocab.json").read_text(encoding="utf-8"))
    return vocabulary


def _nth(spans: list[tuple[int, int]], number: int) -> tuple[int, int]:
    return spans[min(number, len(spans) - 1)]


def _cut(
    run: _Run, durations: NDArray[np.float32], made: int, hop: int
) -> tuple[int, int, tuple[WordTiming, ...]]:
    """Frames [start, end) worth rendering, and when each word sounds if `made` samples come before them."""
    ends = np.cumsum(durations).astype(np.int64)
    starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]])
    first, last = run.words[0][1], run.words[-1][2] - 1
    start_unit = max(0, int(starts[first]) - _LEAD_UNITS)
    end_unit = min(int(ends[-1]), int(starts[last]) + _TAIL_UNITS)
    samples_per_unit = UNIT_FRAMES * hop

    def at(unit: int) -> int:
        return made + max(0, (unit - start_unit) * samples_per_unit - _EARLY_FRAMES * hop)

    words: list[WordTiming] = []
    next_begins = [begin for _, begin, _ in run.words[1:]] + [-1]
    for ((spoken_start, spoken_end), begin, stop), next_begin in zip(run.words, next_begins, strict=True):
        end_unit_of_word = int(ends[stop - 1])
        if next_begin != stop:  # a pause follows
            end_unit_of_word = min(end_unit_of_word, int(starts[stop - 1]) + _LAST_PHONEME_UNITS)
        begun, ended = at(int(starts[begin])), at(end_unit_of_word)
        if words and words[-1].spoken_start == spoken_start:  # "$3.50" is one written word and five spoken
            words[-1] = WordTiming(spoken_start, spoken_end, words[-1].start, ended)
        else:
            words.append(WordTiming(spoken_start, spoken_end, begun, ended))
    return start_unit * UNIT_FRAMES, end_unit * UNIT_FRAMES, tuple(words)


def make(settings: EngineSettings | None = None) -> EmbeddedSynthesizer:
    """Factory for `engines.process`; none of the settings is of use to it."""
    return EmbeddedSynthesizer()
