"""The values that travel between the rooms: text pieces down, sound and packets up."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntFlag
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

#: Samples per second of every position and duration on the wire, whatever the format's own rate.
TIMELINE_RATE = 48_000
TIMELINE_PER_MS = TIMELINE_RATE / 1000

Pcm = NDArray[np.float32]

#: The language that is found out by the text.
AUTO = "auto"
#: All that are spoken, ISO 639-1, English first.
LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "ru", "zh", "ja", "ko")


@dataclass(frozen=True, slots=True)
class SpanLink:
    """One run of spoken characters and the source characters it came from; both half open.

    Spoken characters are counted in `TextPiece.text`, source characters are code points of the text
    that the client sent for the context.
    """

    spoken_start: int
    spoken_end: int
    source_start: int
    source_end: int


@dataclass(frozen=True, slots=True)
class Pronunciation:
    """How a run of spoken characters is to be pronounced, in the International Phonetic Alphabet."""

    spoken_start: int
    spoken_end: int
    ipa: str


@dataclass(frozen=True, slots=True)
class TextPiece:
    """Text that is ready to be spoken: one segment of an utterance, or a part of one.

    `source` is [start, end) in the client's text; `spans` are ordered and disjoint on both sides, and cover
    every spoken character that is not space. `normalized`: numbers and signs have been written out, and no
    engine does it again. `pause_before_ms` is the silence before it, None what is usual there. Of a segment
    in parts each part but the first begins with the space before it, if there is one; the last may be empty.
    """

    segment: int
    text: str
    source: tuple[int, int]
    spans: tuple[SpanLink, ...]
    language: str
    last_of_segment: bool = True
    normalized: bool = False
    pronunciations: tuple[Pronunciation, ...] = ()
    pause_before_ms: int | None = None


_Run = TypeVar("_Run", SpanLink, Pronunciation)


def joined(piece: TextPiece, rest: TextPiece) -> TextPiece:
    """A part of a segment and the part after it as one."""
    shift = len(piece.text)
    return replace(
        piece,
        text=piece.text + rest.text,
        source=(piece.source[0], max(piece.source[1], rest.source[1])),
        spans=(*piece.spans, *(later(span, shift) for span in rest.spans)),
        pronunciations=(*piece.pronunciations, *(later(each, shift) for each in rest.pronunciations)),
        last_of_segment=rest.last_of_segment,
    )


def later(run: _Run, shift: int) -> _Run:
    """The same run of spoken characters with `shift` more before it."""
    return replace(run, spoken_start=run.spoken_start + shift, spoken_end=run.spoken_end + shift)


@dataclass(frozen=True, slots=True)
class WordTiming:
    """When a run of spoken characters sounds, in samples since the first sample of its segment's sound."""

    spoken_start: int
    spoken_end: int
    start: int
    end: int


@dataclass(frozen=True, slots=True, eq=False)
class AudioChunk:
    """Sound of one segment as an engine made it.

    `pcm` is float32 mono in [-1, 1], shape (samples,); `words` are the timings that became known with
    this chunk; `estimated` says whether they are exact.
    """

    segment: int
    pcm: Pcm
    sample_rate: int
    words: tuple[WordTiming, ...] = ()
    estimated: bool = False
    last_of_segment: bool = True

    @property
    def audio_ms(self) -> float:
        """Milliseconds of sound."""
        return len(self.pcm) * 1000 / self.sample_rate


#: Whether a voice heeds words about how to speak; "required": it is nobody without them.
Instruct = Literal["no", "optional", "required"]

#: When text is handed on: at the ends of sentences, or only when the client says so by a flush.
Buffering = Literal["auto", "sentence", "manual"]

#: What is made of a block of code or a table: nothing, its content, or a word that it is there.
BlockReading = Literal["skip", "say", "announce"]


class FrameFlags(IntFlag):
    """Flags of a binary frame, as on the wire."""

    NONE = 0
    FIRST = 1
    LAST = 2
    SEGMENT = 4
    REPLAYED = 8


@dataclass(frozen=True, slots=True)
class Packet:
    """Encoded sound: `position` and `duration` in samples of `TIMELINE_RATE`, `seq` from 0 in its context."""

    payload: bytes
    seq: int
    position: int
    duration: int
    flags: FrameFlags


@dataclass(frozen=True, slots=True)
class Trace:
    """Where a request belongs in a distributed trace (W3C Trace Context): all in lower-case hexadecimal.

    `parent_id` is the caller's span, `span_id` the one of this request, which it is the parent of.
    """

    trace_id: str
    parent_id: str
    span_id: str
    flags: str


@dataclass(frozen=True, slots=True)
class Caller:
    """Who wants to hear something: the route by which it came, the id of its request, and its trace."""

    endpoint: str
    request_id: str
    trace: Trace | None = None


@dataclass(frozen=True, slots=True)
class VoiceReference:
    """A recording of the voice that is to be cloned.

    `key` is the hash of its sound (hexadecimal), `path` its file (FLAC, mono), `text` what is said in it, or
    empty when that is not known. `kept`: it is a stored voice; if not, the recording is there for one request
    alone, and nothing that is made of it may be written to a disk.
    """

    key: str
    path: str
    text: str = ""
    kept: bool = True


@dataclass(frozen=True, slots=True)
class VoiceSettings:
    """How one context shall sound. `seed` makes the same text the same sound, sample for sample.

    `speed` is a tempo from 0.25 to 4; the pitch stays. `lexicon` holds pairs of a written word and what is
    said for it; `markup`: the text may hold tags (`text.markup`). `auto_voices` holds pairs of a language and
    the voice that speaks it, when each segment's language is found out by its text; empty when `language` is
    that of all text. `language` is then the one that is assumed where the text does not tell. `reference`
    belongs to a cloned voice. `cache`: sound made before may be used, and this sound kept. `instruct`: how to
    speak, in words.
    """

    voice: str
    language: str
    seed: int = 0
    buffer: Buffering = "auto"
    speed: float = 1.0
    normalize: bool = True
    lexicon: tuple[tuple[str, str], ...] = ()
    markup: bool = False
    auto_voices: tuple[tuple[str, str], ...] = ()
    reference: VoiceReference | None = None
    cache: bool = True
    instruct: str = ""


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice by its id; `languages` are ISO 639-1, the first is its own; it answers to `aliases` too.

    `engine` is the module in `engines` that speaks it; `extra` names the optional packages that it needs.
    One that does not read `all_scripts` of its language speaks only when it or the language is asked for.
    A cloned voice has a `reference`. `instruct`: whether it takes words about how to speak.
    """

    id: str
    languages: tuple[str, ...]
    engine: str
    aliases: tuple[str, ...] = ()
    extra: str | None = None
    all_scripts: bool = True
    reference: VoiceReference | None = None
    instruct: Instruct = "no"


@dataclass(frozen=True, slots=True)
class AudioSettings:
    """What a context's packets are: `format` as on the wire, `bitrate` of Opus, MP3 and AAC in bit/s.

    `sample_rate` in Hz is the listener's: of PCM, and what Opus is decoded to. `segment_ends`: the sound of a
    segment is complete before the next one begins, and `SegmentEnded` is told. `whole`: nobody listens while
    it is made, so that slower and better ways may be taken. `never_empty`: a text with nothing to say gives a
    little silence, as players make a fault of a file without sound. `track`: packets may be lost on their
    way, and are encoded so that what is lost can be made up for.
    """

    format: str
    sample_rate: int
    frame_ms: int
    bitrate: int
    segment_ends: bool = False
    whole: bool = False
    never_empty: bool = False
    track: bool = False


@dataclass(slots=True)
class Timing:
    """Monotonic marks of one utterance in seconds; None until reached. Logs and messages are read from it."""

    accepted: float | None = None
    turn: float | None = None  # the contexts before it were over
    admitted: float | None = None
    first_text: float | None = None
    first_pcm: float | None = None
    first_packet: float | None = None
    done: float | None = None
    load_s: float = 0.0  # until the engine had been loaded, when it was not
    queue_s: float = 0.0  # until the engine took up the first segment
    infer_s: float = 0.0
    idle_s: float = 0.0  # of the engine, between segments that it could have gone on with
    encode_s: float = 0.0
    audio_s: float = 0.0
    segments: int = 0  # that have sounded
    cached_segments: int = 0  # of these, that were not synthesized for this utterance
    cache: bool = False  # whether the cache was asked
    underruns: int = 0  # how often its listener ran dry although there was text
    underrun_s: float = 0.0  # and how long that heard nothing

    @property
    def first_audio_s(self) -> float | None:
        """From text that could be spoken, and its turn, to the first packet; 0 when that was made before.

        What the server is to answer for: not how slowly a text comes, nor how long those before it sound.
        """
        if self.first_text is None or self.turn is None or self.first_packet is None:
            return None
        return max(0.0, self.first_packet - max(self.first_text, self.turn))

    @property
    def cache_use(self) -> Literal["hit", "partial", "miss", "off"]:
        """What of the sound came out of the cache: all of it, some, nothing; or it was not asked."""
        if not self.cache:
            return "off"
        if not self.cached_segments:
            return "miss"
        return "hit" if self.cached_segments == self.segments else "partial"

    def between_ms(self, earlier: float | None, later: float | None) -> int:
        """Whole milliseconds from one mark to another; 0 when either was not reached."""
        if earlier is None or later is None:
            return 0
        return max(0, round((later - earlier) * 1000))


# What a speaker tells about an utterance, in the order in which it must reach the listener.


@dataclass(frozen=True, slots=True)
class SegmentStarted:
    """A segment's first sample will be at `start` (timeline samples).

    Of a segment that is not `final` more words may come; it is told again when it is.
    """

    index: int
    text: str
    source: tuple[int, int]
    language: str
    start: int
    final: bool = True


@dataclass(frozen=True, slots=True)
class SourceWord:
    """A word in the client's characters, [source_start, source_end), and on the timeline, [start, end)."""

    source_start: int
    source_end: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class WordsTimed:
    """The words of (a part of) a segment; comes before the packets that hold them."""

    segment: int
    words: tuple[SourceWord, ...]
    estimated: bool


@dataclass(frozen=True, slots=True)
class SegmentEnded:
    """All sound of a segment has been handed on; it ends at `end` (timeline samples)."""

    index: int
    end: int


@dataclass(frozen=True, slots=True)
class Flushed:
    """All sound of the text before the flush has been handed on."""

    flush_id: str | None


@dataclass(frozen=True, slots=True)
class Finished:
    """The utterance is over; `length` is its whole length on the timeline."""

    length: int
    timing: Timing = field(default_factory=Timing)


@dataclass(frozen=True, slots=True)
class Failed:
    """The utterance cannot go on; `code` is one of `errors.ErrorCode`."""

    code: str
    message: str
    retry_after_ms: int | None = None
    timing: Timing = field(default_factory=Timing)


@dataclass(frozen=True, slots=True)
class Loading:
    """It waits until the engine is loaded: `what` is being done, and the `fraction` of that is done, 0 to 1.

    Comes before all sound; `what` is empty when nothing is known of it.
    """

    what: str
    fraction: float


SpeechEvent = Loading | SegmentStarted | WordsTimed | Packet | SegmentEnded | Flushed | Finished | Failed
