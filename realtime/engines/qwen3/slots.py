"""Continuous batching: utterances join and leave at any frame, each in a row of its own.

A step launches one frame of each utterance that takes part, and then reads what the step before it has made:
so the device never waits for the host, and an end is known one frame late. Frames become sound in chunks; all
chunks of the same length that are complete after a step are decoded together.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import numpy as np
import structlog
import torch

from realtime.engines.crew import reason_of
from realtime.engines.qwen3.codec import Codec
from realtime.engines.qwen3.generation import Launched, ReadyChunk
from realtime.engines.qwen3.prompt import Prompt, Sampling
from realtime.engines.qwen3.sound import Download, SpokenSound
from realtime.engines.qwen3.speech import Speech
from realtime.engines.qwen3.step import Decoder, Frame, Joining
from realtime.engines.synthesizer import Made
from realtime.errors import EngineError

#: Positions of prompts that are worked on beside one step of the others; one is counted as a piece at least.
PREFILL_POSITIONS = 256
PREFILL_PIECE = 64
#: What the last step weighs in the average of how long one takes.
_NEW_STEP = 0.2
_OUT_OF_MEMORY = "the GPU has no memory left for this utterance; try again, or with a shorter text"
_log = structlog.get_logger(__name__)

_Made = Made[Speech]


@dataclass(slots=True, eq=False)
class _UnderWay:
    """A step that the device is at, and whose frames it makes; None: it was one without frames."""

    frame: Frame | None = None
    launched: list[tuple[Speech, Launched]] = field(default_factory=list)


class Slots:
    """The rows of a model, and who is in them. For the thread of the steps alone."""

    def __init__(self, decoder: Decoder, codec: Codec, sampling: Sampling) -> None:
        """`decoder` and `codec` have as many rows; the last is theirs."""
        self._decoder = decoder
        self._codec = codec
        self._sampling = sampling
        self._device = decoder.device
        self._stream: torch.cuda.Stream | None = None
        if self._device.type == "cuda":
            self._stream = torch.cuda.Stream(self._device, priority=-1)  # type: ignore[no-untyped-call]
        self._free = list(range(decoder.rows - 1, -1, -1))
        self._joining: dict[Speech, Joining] = {}
        self._under_way = _UnderWay()
        self._step_s = 0.0
        self._step_began: float | None = None

    @property
    def unfinished(self) -> bool:
        """Whether a step is under way whose frames nobody has read."""
        return self._under_way.frame is not None

    @property
    def free_rows(self) -> int:
        """Rows that nobody is in."""
        return len(self._free)

    def has_row(self, speech: Speech) -> bool:
        """Whether an utterance has a row, or could get one."""
        return speech.row is not None or bool(self._free)

    def leave(self, speech: Speech) -> None:
        """An utterance is over: its row is free from the next step on."""
        self._joining.pop(speech, None)
        self._give_back(speech)

    def step(self, speeches: Sequence[Speech], deadlines: Sequence[float]) -> Sequence[_Made]:
        """As `engine.BatchSynthesizer.step`."""
        if self._stream is not None:
            torch.cuda.set_device(self._device)  # each thread has its own, and it need not be the first GPU
        now = time.monotonic()
        self._note_step(now)
        made: list[_Made] = []
        launched: list[tuple[Speech, Launched]] = []
        text_ids: list[int] = []
        positions_left = PREFILL_POSITIONS
        for speech, deadline in sorted(zip(speeches, deadlines, strict=True), key=lambda each: each[1]):
            try:
                if speech.is_over:
                    made.append(_ended(speech))
                    continue
                joined, positions_left = self._join(speech, positions_left)
            except Exception as error:  # whatever it is, it is nothing of the others'
                made.append(Made(speech, error=_told(error)))
                continue
            if joined:
                text_id, launch = speech.launch(deadline - now, self._step_s)
                launched.append((speech, launch))
                text_ids.append(text_id)
        frame = None
        if launched:
            frame = self._decoder.step([_row_of(speech) for speech, _ in launched], text_ids)
        before, self._under_way = self._under_way, _UnderWay(frame, launched)
        return made + self._collect(before)

    def _give_back(self, speech: Speech) -> None:
        if speech.row is not None:
            self._decoder.leave(speech.row)
            self._free.append(speech.row)
            speech.row = None

    def _note_step(self, now: float) -> None:
        """Steps that follow each other at once tell how long one takes."""
        if self._step_began is not None and self.unfinished:
            self._step_s += _NEW_STEP * (now - self._step_began - self._step_s)
        self._step_began = now

    def _join(self, speech: Speech, positions_left: int) -> tuple[bool, int]:
        """Whether its prompt has been worked on to its end; and how many positions may be worked on still."""
        if speech.generation is None:
            if speech.row is None:
                if not self._free:
                    return False, positions_left
                speech.row = self._free.pop()
            beginning = speech.begin(self._room)
            if beginning is None or speech.generation is None:
                return False, positions_left
            if not speech.generation.goes_on:
                with self._beside():
                    speech.script.prepare(self._codec, speech.row)
            prompt, seed = beginning
            self._joining[speech] = self._decoder.begin(speech.row, prompt, self._sampling, seed)
        joining = self._joining.get(speech)
        if joining is None:
            return True, positions_left
        if positions_left <= 0 or not joining.advance(positions_left):
            return False, 0
        del self._joining[speech]
        return True, positions_left - PREFILL_PIECE

    def _room(self, prompt: Prompt) -> int:
        """Frames that fit behind a prompt, whose last position is the first of them."""
        return self._decoder.positions - len(prompt.text_ids) + 1

    def _collect(self, step: _UnderWay) -> list[_Made]:
        """Read the frames of a step, and decode the chunks that are complete."""
        if step.frame is None:
            return []
        codes, ended = step.frame.read()
        by_length: dict[int, list[tuple[Speech, ReadyChunk]]] = defaultdict(list)
        made: list[_Made] = []
        for place, (speech, launched) in enumerate(step.launched):
            if speech.closed:
                continue
            chunk = speech.collect(launched, codes[place], bool(ended[place]))
            if chunk is not None:
                by_length[len(chunk.codes)].append((speech, chunk))
        for length, chunks in by_length.items():
            try:
                download = self._decode(chunks) if length else None
            except Exception as error:
                made += [Made(speech, error=_told(error)) for speech, _ in chunks]
                continue
            for place, (speech, chunk) in enumerate(chunks):
                over = speech.is_over
                sound = SpokenSound(speech.sound, download, place, chunk, over, speech.collected_ms)
                made.append(Made(speech, sound, over=over))
                if not speech.needs_row:  # others may have text, and wait for one
                    self._give_back(speech)
        return made

    def _decode(self, chunks: Sequence[tuple[Speech, ReadyChunk]]) -> Download:
        codes = np.stack([chunk.codes for _, chunk in chunks])
        with self._beside():
            rows = [_row_of(speech) for speech, _ in chunks]
            # From a GPU it goes to the host at once, before there is another pass.
            lasting = self._stream is None
            return Download(self._codec.decode(rows, torch.from_numpy(codes), lasting=lasting))

    def _beside(self) -> AbstractContextManager[object]:
        """What is done inside, the device does beside the next step: sound does not wait for that."""
        return nullcontext() if self._stream is None else torch.cuda.stream(self._stream)


def _ended(speech: Speech) -> _Made:
    rest = SpokenSound(speech.sound, None, 0, speech.rest(), True, speech.collected_ms)
    return Made(speech, rest, over=True)


def _row_of(speech: Speech) -> int:
    assert speech.row is not None, "one that has begun has a row"
    return speech.row


def _told(error: Exception) -> EngineError:
    """What may be told of a failure; called while it is handled."""
    if isinstance(error, EngineError):
        return error
    if isinstance(error, torch.OutOfMemoryError):
        _log.error("gpu_out_of_memory", error=str(error).partition("\n")[0])
        torch.cuda.empty_cache()
        return EngineError(_OUT_OF_MEMORY)
    _log.error("speech_failed", exc_info=error)
    return EngineError(reason_of(error))
