"""The one owner of positions: what a context sounds like from its first sample to its last.

Trims the silence that a voice puts around a segment, sets pauses of its own, maps words to the client's
characters, and hands the sound to the context's one encoder, frame by frame.

Samples here are at the encoder's rate. The encoder's output is `lookahead` samples late, so packet k of F
samples holds the timeline's [k F - lookahead, (k+1) F - lookahead): position 0 is the first sample after the
pre-skip, the first packet is shorter by it, and the last is cut to the true end.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from realtime.audio.formats import PacketEncoder, to_int16
from realtime.audio.silence import audible_range, fade_in, fade_out
from realtime.errors import EngineError
from realtime.types import (
    TIMELINE_RATE,
    AudioChunk,
    FrameFlags,
    Packet,
    Pcm,
    SegmentStarted,
    SourceWord,
    TextPiece,
    WordsTimed,
    WordTiming,
)

LEAD_S = 0.030  # silence kept before a segment's first audible sample
TAIL_S = 0.040  # and after its last
FADE_S = 0.005  # at an edge that was cut, so that it does not click
#: Silence from the last audible sample of a segment to the first of the next, by how the first one ends.
GAP_S = {"sentence": 0.45, "clause": 0.20, "other": 0.30}
_BYTES_PER_SAMPLE = 2


def gap_after(text: str) -> float:
    """Seconds of silence that belong after a segment with this text."""
    last = text.rstrip("\"'”’»)]」』）")[-1:]
    if last and last in ".!?…。！？":
        return GAP_S["sentence"]
    return GAP_S["clause" if last and last in ",;:—–、，；：" else "other"]


class Timeline:
    """The sound of one context. Not thread-safe: calls must follow one another."""

    def __init__(self, encoder: PacketEncoder) -> None:
        """`encoder` is the context's own, and new."""
        self._encoder = encoder
        self._rate = encoder.sample_rate
        self._scale = TIMELINE_RATE // encoder.sample_rate
        self._waiting = bytearray()  # 16-bit samples not yet encoded
        self._placed = 0  # samples put on the timeline, padding of flushes included
        self._sound_end = 0  # where the last sound placed ends
        self._audible_end = 0  # where the last audible sound placed ends
        self._encoded = 0  # samples given to the encoder
        self._sent = 0  # where the last packet made ends
        self._seq = 0
        self._finished = False
        self._last_made = False
        self._segment_starts: deque[int] = deque()
        self._previous_text = ""
        self._reset_segment()

    def _reset_segment(self) -> None:
        self._begun = False
        self._trimmed = 0
        self._segment_start = 0
        self._tail: Pcm = np.zeros(0, np.float32)
        self._words: deque[WordTiming] = deque()

    @property
    def length(self) -> int:
        """Whole length so far, in samples of `TIMELINE_RATE`."""
        return self._sent * self._scale

    def add(self, piece: TextPiece, chunk: AudioChunk) -> list[SegmentStarted | WordsTimed]:
        """Put a chunk of `piece`'s sound on the timeline. What it returns comes before the next `packets`."""
        if chunk.sample_rate != self._rate:
            raise EngineError(f"the voice speaks at {chunk.sample_rate} Hz, and {self._rate} Hz is needed")
        events: list[SegmentStarted | WordsTimed] = []
        self._words.extend(chunk.words)
        pcm = np.concatenate([self._tail, chunk.pcm]) if len(self._tail) else chunk.pcm
        start, end = audible_range(pcm)
        if start < end:
            if not self._begun:
                pcm, removed = self._begin(piece, pcm, start)
                end -= removed
                events.append(self._segment_started(piece))
            self._place(pcm, end, chunk.last_of_segment)
        elif not self._begun:
            lead = min(len(pcm), round(LEAD_S * self._rate))
            self._trimmed += len(pcm) - lead
            self._tail = pcm[len(pcm) - lead :]
        else:
            self._place(pcm, 0, chunk.last_of_segment)
        if self._begun and (words := self._settled_words(piece, chunk.last_of_segment)):
            events.append(WordsTimed(piece.segment, words, chunk.estimated))
        if chunk.last_of_segment:
            if self._begun:
                self._previous_text = piece.text
            self._reset_segment()
        return events

    def flush(self) -> None:
        """Pad the encoder out, so that `packets` hands on all sound so far; the padding is a pause."""
        if self._sent >= self._sound_end or self._encoder.lookahead == 0:
            return
        self._pad()

    def finish(self) -> None:
        """No more sound will come; `packets` then ends with a packet that is marked as the last."""
        self._finished = True
        if self._sent < self._sound_end and self._encoder.lookahead:
            self._pad()

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
            made.append(self._number(b"", self._sent, self._sent, FrameFlags.LAST))
        return made

    def _packet(self, size: int) -> Packet:
        frame = bytes(memoryview(self._waiting)[:size])
        del self._waiting[:size]
        self._encoded += size // _BYTES_PER_SAMPLE
        position = self._sent
        end = max(position, self._encoded - self._encoder.lookahead)
        flags = FrameFlags.FIRST if self._seq == 0 else FrameFlags.NONE
        if self._finished and not self._waiting:
            end = self._sound_end
            flags |= FrameFlags.LAST
        while self._segment_starts and self._segment_starts[0] < end:
            self._segment_starts.popleft()
            flags |= FrameFlags.SEGMENT
        self._sent = end
        return self._number(self._encoder.encode(frame), position, end, flags)

    def _number(self, payload: bytes, position: int, end: int, flags: FrameFlags) -> Packet:
        packet = Packet(payload, self._seq, position * self._scale, (end - position) * self._scale, flags)
        self._seq += 1
        self._last_made = bool(flags & FrameFlags.LAST)
        return packet

    def _pad(self) -> None:
        frame = self._encoder.frame_samples
        needed = -(-(self._sound_end + self._encoder.lookahead) // frame) * frame
        missing = max(0, needed - self._placed)
        self._waiting += bytes(missing * _BYTES_PER_SAMPLE)
        self._placed += missing

    def _begin(self, piece: TextPiece, pcm: Pcm, start: int) -> tuple[Pcm, int]:
        """Trim the lead, and set the pause after what came before; returns the sound and what was removed."""
        lead = min(start, round(LEAD_S * self._rate))
        removed = start - lead
        self._trimmed += removed
        if self._trimmed:
            pcm = fade_in(pcm[removed:], round(FADE_S * self._rate))
        if self._placed:
            gap = round(gap_after(self._previous_text) * self._rate)
            silence = max(0, gap - (self._placed - self._audible_end) - lead)
            self._waiting += bytes(silence * _BYTES_PER_SAMPLE)
            self._placed += silence
        self._begun = True
        self._segment_start = self._placed
        self._segment_starts.append(self._placed)
        return pcm, removed

    def _segment_started(self, piece: TextPiece) -> SegmentStarted:
        start = self._segment_start * self._scale
        return SegmentStarted(piece.segment, piece.text, piece.source, piece.language, start)

    def _place(self, pcm: Pcm, audible: int, last: bool) -> None:
        """Place sound of which `audible` samples are heard; what follows them waits, or ends the segment."""
        keep = min(len(pcm), audible + round(TAIL_S * self._rate)) if last else audible
        self._tail = pcm[keep:]
        sound = pcm[:keep]
        if last and len(self._tail):
            sound = fade_out(sound, round(FADE_S * self._rate))
        if audible:
            self._audible_end = self._placed + audible
        self._waiting += to_int16(sound).tobytes()
        self._placed += len(sound)
        self._sound_end = self._placed

    def _settled_words(self, piece: TextPiece, last: bool) -> tuple[SourceWord, ...]:
        """Words whose sound is on the timeline; at the segment's end all, the last cut to what is audible."""
        offset = self._segment_start - self._trimmed
        settled: list[SourceWord] = []
        while self._words and (last or self._words[0].end + offset <= self._placed):
            word = self._words.popleft()
            start = max(self._segment_start, word.start + offset)
            end = max(start, min(word.end + offset, self._audible_end) if last else word.end + offset)
            source = source_of(piece, word.spoken_start, word.spoken_end)
            settled.append(SourceWord(*source, start * self._scale, end * self._scale))
        return tuple(settled)


def source_of(piece: TextPiece, spoken_start: int, spoken_end: int) -> tuple[int, int]:
    """The client's characters that the spoken ones came from."""
    links = [
        link for link in piece.spans if link.spoken_start < spoken_end and spoken_start < link.spoken_end
    ]
    if not links:
        return piece.source[1], piece.source[1]
    return links[0].source_start, links[-1].source_end
