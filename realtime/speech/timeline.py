"""The one owner of positions: what a context sounds like from its first sample to its last.

Sets the tempo, trims the silence that a voice puts around a segment, sets pauses of its own, maps words to
the client's characters, and hands the sound to the context's one encoder, frame by frame.

Samples here are at `CODED_RATE`, whatever the voice's rate and the listener's, so that all formats of a text
have the same length. The encoder's output is `lookahead` samples late, so packet k of F samples holds the
timeline's [k F - lookahead, (k+1) F - lookahead): position 0 is the first sample after the pre-skip, the
first packet is shorter by it, and the last is cut to the true end.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import replace

import numpy as np

from realtime.audio.formats import PacketEncoder, to_int16
from realtime.audio.loudness import Loudness
from realtime.audio.opus import CODED_RATE
from realtime.audio.resample import Resampler
from realtime.audio.rubberband import RubberBandTempo
from realtime.audio.silence import AUDIBLE_DB, Trim, Trimmed
from realtime.audio.tempo import Tempo
from realtime.types import (
    TIMELINE_RATE,
    AudioChunk,
    FrameFlags,
    Packet,
    Pcm,
    SegmentStarted,
    SourceWord,
    SpanLink,
    TextPiece,
    WordsTimed,
    WordTiming,
)

#: Silence from the end of a segment's speech to the beginning of the next one's, by how the first one ends.
GAP_S = {"sentence": 0.45, "clause": 0.20, "other": 0.30}
SILENCE_S = 0.1  # that stands for no sound
_BYTES_PER_SAMPLE = 2
_WORD = re.compile(r"\S+")
_SCALE = TIMELINE_RATE // CODED_RATE
#: Segments end on multiples of this, so that their ends are whole samples at every rate from 8 kHz on.
_QUANTUM = CODED_RATE // 8_000


def gap_after(text: str) -> float:
    """Seconds of silence that belong after a segment with this text."""
    last = text.rstrip("\"'”’»)]」』）")[-1:]
    if last and last in ".!?…。！？":
        return GAP_S["sentence"]
    return GAP_S["clause" if last and last in ",;:—–、，；：" else "other"]


class _Converter:
    """Brings the sound of one segment to a tempo, to `CODED_RATE`, and to a loudness."""

    def __init__(
        self,
        sample_rate: int,
        speed: float,
        tempo: type[Tempo] | type[RubberBandTempo],
        gain_db: float,
    ) -> None:
        self._stages: list[Tempo | RubberBandTempo | Resampler | Loudness] = []
        if speed != 1:
            self._stages.append(tempo(sample_rate, speed))
        if sample_rate != CODED_RATE:
            self._stages.append(Resampler(sample_rate, CODED_RATE))
        if gain_db:
            self._stages.append(Loudness(CODED_RATE, gain_db))
        self._ratio = CODED_RATE / (sample_rate * speed)

    def convert(self, pcm: Pcm, last: bool) -> Pcm:
        """What is ready after `pcm`; after the last everything is."""
        for stage in self._stages:
            pcm = stage.process(pcm)
            if last:
                pcm = np.concatenate([pcm, stage.finish()])
        return pcm

    def at(self, sample: int) -> int:
        """Where a sample of the voice's is afterwards."""
        return round(sample * self._ratio)


class Timeline:
    """The sound of one context. Not thread-safe: calls must follow one another."""

    def __init__(
        self,
        encoder: PacketEncoder,
        speed: float = 1.0,
        *,
        never_empty: bool = False,
        silence_db: float = AUDIBLE_DB,
        tempo: type[Tempo] | type[RubberBandTempo] = Tempo,
    ) -> None:
        """`encoder` is the context's own, and new; `speed` is a tempo from 0.25 to 4, set by `tempo`.

        `never_empty`: where there is no sound at all, `SILENCE_S` of silence. What is softer than
        `silence_db` (dBFS) around a segment is cut off, but for soft speech.
        """
        self._encoder = encoder
        self._never_empty = never_empty
        self._speed = speed
        self._silence_db = silence_db
        self._tempo = tempo
        self._waiting = bytearray()  # 16-bit samples not yet encoded
        self._placed = 0  # samples put on the timeline, padding of flushes included
        self._sound_end = 0  # where the last sound placed ends
        self._audible_end = 0  # where the last speech placed ends
        self._encoded = 0  # samples given to the encoder
        self._sent = 0  # where the last packet made ends
        self._seq = 0
        self._finished = False
        self._last_made = False
        self._segment_starts: deque[int] = deque()
        self._previous_text = ""
        self._reset_segment()

    def _reset_segment(self) -> None:
        self._converter: _Converter | None = None
        self._trim = Trim(CODED_RATE, self._silence_db, self._speed)
        self._begun = False
        self._trimmed = 0
        self._segment_start = 0
        self._words: deque[WordTiming] = deque()
        self._open_word: SourceWord | None = None  # more of what is said for it follows

    @property
    def packet_ms(self) -> int:
        """Milliseconds of sound in a packet, at least 1."""
        return max(1, self._encoder.frame_samples * 1000 // CODED_RATE)

    @property
    def length(self) -> int:
        """Whole length so far, in samples of `TIMELINE_RATE`."""
        return self._sent * _SCALE

    @property
    def sound_end(self) -> int:
        """Where the sound placed so far ends, in samples of `TIMELINE_RATE`; padding may follow it."""
        return self._sound_end * _SCALE

    def add(
        self, piece: TextPiece, chunk: AudioChunk, gain_db: float = 0.0
    ) -> list[SegmentStarted | WordsTimed]:
        """Put a chunk of `piece`'s sound on the timeline. What it returns comes before the next `packets`.

        `gain_db` is the same for all chunks of a segment.
        """
        converter = self._converter = self._converter or _Converter(
            chunk.sample_rate, self._speed, self._tempo, gain_db
        )
        events: list[SegmentStarted | WordsTimed] = []
        self._words.extend(
            replace(word, start=converter.at(word.start), end=converter.at(word.end)) for word in chunk.words
        )
        pcm = converter.convert(chunk.pcm, chunk.last_of_segment)
        trimmed = self._trim.process(pcm, chunk.last_of_segment)
        if trimmed.begins:
            self._begin(piece, trimmed)
            events.append(self._segment_started(piece))
        if self._begun:
            self._place(trimmed, chunk.last_of_segment)
        if self._begun and (words := self._settled_words(piece, chunk.last_of_segment)):
            events.append(WordsTimed(piece.segment, words, chunk.estimated))
        if chunk.last_of_segment:
            if self._begun:
                self._previous_text = piece.text
            self._reset_segment()
        return events

    def flush(self) -> None:
        """Pad the encoder out, so that `packets` hands on all sound so far; the padding is a pause."""
        late = self._encoder.lookahead + self._encoder.held_back
        if self._sound_end and late and self._encoded + self._waiting_samples < self._sound_end + late:
            self._pad(late)

    def finish(self) -> None:
        """No more sound will come; `packets` then ends with a packet that is marked as the last."""
        self._finished = True
        if self._never_empty and not self._placed:
            self._placed = self._sound_end = round(SILENCE_S * CODED_RATE)
            self._waiting += bytes(self._placed * _BYTES_PER_SAMPLE)
        late = self._encoder.lookahead
        if late and self._sent < self._sound_end:
            self._pad(late)
            # Of what a flush has padded for a container no more than this may follow the sound's end.
            del self._waiting[max(0, self._end_of_frames(late) - self._encoded) * _BYTES_PER_SAMPLE :]

    @property
    def _waiting_samples(self) -> int:
        return len(self._waiting) // _BYTES_PER_SAMPLE

    def packets(self, limit: int, partial: bool = False) -> list[Packet]:
        """At most `limit` packets. `partial` also gives a short frame, where the format allows one."""
        made: list[Packet] = []
        size = self._encoder.frame_samples * _BYTES_PER_SAMPLE
        while len(made) < limit:
            short = (partial or self._finished) and self._encoder.lookahead == 0
            if len(self._waiting) < size and not (short and self._waiting):
                break
            made.append(self._packet(min(size, len(self._waiting))))
        if self._finished and not self._waiting and self._seq and not self._last_made and len(made) < limit:
            # The last sound left before the end was known: an empty frame says that it was the last.
            made.append(self._number(self._encoder.close(), self._sent, self._sent, FrameFlags.LAST))
        return made

    def _packet(self, size: int) -> Packet:
        frame = bytes(memoryview(self._waiting)[:size])
        del self._waiting[:size]
        self._encoded += size // _BYTES_PER_SAMPLE
        position = self._sent
        end = max(position, self._encoded - self._encoder.lookahead)
        flags = FrameFlags.FIRST if self._seq == 0 else FrameFlags.NONE
        if self._finished and not self._waiting:
            payload = self._encoder.encode_last(frame, end - self._sound_end)
            end = self._sound_end
            flags |= FrameFlags.LAST
        else:
            payload = self._encoder.encode(frame)
        while self._segment_starts and self._segment_starts[0] < end:
            self._segment_starts.popleft()
            flags |= FrameFlags.SEGMENT
        self._sent = end
        return self._number(payload, position, end, flags)

    def _number(self, payload: bytes, position: int, end: int, flags: FrameFlags) -> Packet:
        packet = Packet(payload, self._seq, position * _SCALE, (end - position) * _SCALE, flags)
        self._seq += 1
        self._last_made = bool(flags & FrameFlags.LAST)
        return packet

    def _pad(self, late: int) -> None:
        missing = max(0, self._end_of_frames(late) - self._placed)
        self._waiting += bytes(missing * _BYTES_PER_SAMPLE)
        self._placed += missing

    def _end_of_frames(self, late: int) -> int:
        """Where the whole frames end that bring out all sound so far, when it is so `late`."""
        frame = self._encoder.frame_samples
        return -(-(self._sound_end + late) // frame) * frame

    def _begin(self, piece: TextPiece, trimmed: Trimmed) -> None:
        """Set the pause after what came before; the silence at either end counts towards it."""
        self._trimmed = trimmed.removed
        gap = self._gap_before(piece)
        there = self._placed - self._audible_end + trimmed.lead
        silence = max(0, round(gap * CODED_RATE) - there) if gap else 0
        self._waiting += bytes(silence * _BYTES_PER_SAMPLE)
        self._placed += silence
        self._begun = True
        self._segment_start = self._placed
        self._segment_starts.append(self._placed)

    def _gap_before(self, piece: TextPiece) -> float:
        """Seconds of silence before a segment; one that its author has set does not depend on the tempo."""
        if piece.pause_before_ms is not None:
            return piece.pause_before_ms / 1000
        return gap_after(self._previous_text) / self._speed if self._placed else 0.0

    def _segment_started(self, piece: TextPiece) -> SegmentStarted:
        start = self._segment_start * _SCALE
        return SegmentStarted(
            piece.segment, piece.text, piece.source, piece.language, start, piece.last_of_segment
        )

    def _place(self, trimmed: Trimmed, last: bool) -> None:
        """Place sound; at its end a segment is filled up to a whole `_QUANTUM`."""
        if trimmed.speech:
            self._audible_end = self._placed + trimmed.speech
        sound = trimmed.pcm
        rest = -(self._placed + len(sound)) % _QUANTUM if last else 0
        self._waiting += to_int16(sound).tobytes() + bytes(rest * _BYTES_PER_SAMPLE)
        self._placed += len(sound) + rest
        self._sound_end = self._placed

    def _settled_words(self, piece: TextPiece, last: bool) -> tuple[SourceWord, ...]:
        """Words whose sound is on the timeline; at the segment's end all, the last cut to what is audible."""
        offset = self._segment_start - self._trimmed
        settled: list[SourceWord] = []
        while self._words and (last or self._words[0].end + offset <= self._placed):
            word = self._words.popleft()
            start = max(self._segment_start, word.start + offset)
            end = max(start, min(word.end + offset, self._audible_end) if last else word.end + offset)
            for spoken_start, spoken_end in _written_words(piece.text, word):
                source = source_of(piece, spoken_start, spoken_end)
                self._merge(SourceWord(*source, start * _SCALE, end * _SCALE), settled)
                start = end  # a word without a time of its own ends with the one before it
                if self._open_word is not None and not _goes_on(piece, spoken_end):
                    settled.append(self._open_word)
                    self._open_word = None
        if last and self._open_word is not None:
            settled.append(self._open_word)
            self._open_word = None
        return tuple(settled)

    def _merge(self, word: SourceWord, settled: list[SourceWord]) -> None:
        """`word` is the open one from now on; what is said for the same word of the source is one with it."""
        before = self._open_word
        if before is None:
            self._open_word = word
        elif word.source_start < before.source_end:
            source_end = max(before.source_end, word.source_end)
            self._open_word = replace(before, source_end=source_end, end=max(before.end, word.end))
        else:
            settled.append(before)
            self._open_word = word


def _written_words(text: str, word: WordTiming) -> list[tuple[int, int]]:
    """The words in a timing's run of text: most often one."""
    found = [match.span() for match in _WORD.finditer(text, word.spoken_start, word.spoken_end)]
    said = [(start, end) for start, end in found if any(map(str.isalnum, text[start:end]))]
    return said if len(said) > 1 else [(word.spoken_start, word.spoken_end)]


def source_of(piece: TextPiece, spoken_start: int, spoken_end: int) -> tuple[int, int]:
    """The client's characters that the spoken ones came from.

    A run of text that is spoken as it was written is cut anywhere (words of languages without spaces); of any
    other run the whole source is meant.
    """
    links = [
        link for link in piece.spans if link.spoken_start < spoken_end and spoken_start < link.spoken_end
    ]
    if not links:
        return piece.source[1], piece.source[1]
    first, last = links[0], links[-1]
    start, end = first.source_start, last.source_end
    if _is_verbatim(first):
        start += max(0, spoken_start - first.spoken_start)
    if _is_verbatim(last):
        end -= max(0, last.spoken_end - spoken_end)
    return start, end


def _goes_on(piece: TextPiece, spoken_end: int) -> bool:
    """Whether more is said after `spoken_end` for the word of the source that was said there."""
    return any(
        link.spoken_start < spoken_end < link.spoken_end and not _is_verbatim(link) for link in piece.spans
    )


def _is_verbatim(link: SpanLink) -> bool:
    return link.spoken_end - link.spoken_start == link.source_end - link.source_start
