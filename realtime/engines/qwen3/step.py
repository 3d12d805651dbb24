"""Decodes many utterances at once, a frame at a time: rows that last, and places that work on them.

An utterance has a row: its KV and all that is known of it. A step works on any of the rows, in any order, and
moves each of them on by one frame; a row that is not named waits, and nothing of it is copied. One thread
uses a `Decoder`; nothing here waits for the device but `Frame.read`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import cycle

import numpy as np
import torch
from numpy.typing import NDArray

from realtime.engines.qwen3.configuration import ModelConfig
from realtime.engines.qwen3.fields import Field
from realtime.engines.qwen3.frame import FrameFunction, State
from realtime.engines.qwen3.graphs import Runner, runner, sent
from realtime.engines.qwen3.parts import make_parts
from realtime.engines.qwen3.prefill import Prefill, tabulated
from realtime.engines.qwen3.prefixes import Prefixes
from realtime.engines.qwen3.prompt import Prompt, Sampling
from realtime.engines.qwen3.sampling import check_penalty, plain_draw
from realtime.engines.qwen3.talker import Talker
from realtime.errors import EngineError

#: Frames that can be under way or unread: the codes of a frame last until so many more steps were made.
RING = 4
_LEAST_BUCKET = 128
_BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64)
_GREEDY = Sampling(False, 1.0, 0, 1.0, 1.0, False, 1.0, 0, 1.0)
_DONE = object()


class Frame:
    """The codes of one step.

    `codes`: (B, groups) int64 on the device, row i of the rows[i] that the step was given; valid until `RING`
    further steps.
    """

    def __init__(self, slot: _Slot, count: int, end: int) -> None:
        self.codes = slot.codes[:count]
        self._slot, self._turn = slot, slot.turn
        self._end = end

    def ready(self) -> bool:
        """Whether `read` returns at once."""
        copied = self._slot.copied
        return copied is None or bool(copied.query())  # type: ignore[no-untyped-call]

    def read(self) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """The codes (B, groups), and which rows ended (B,): the codes of those mean nothing.

        Waits for their copy alone. Raises `ValueError` when too many steps were made since.
        """
        if self._slot.turn != self._turn:
            raise ValueError(f"a frame must be read before {RING} further steps are made")
        if self._slot.copied is not None:
            self._slot.copied.synchronize()
        codes = self._slot.host.numpy()[: len(self.codes)].copy()
        return codes, codes[:, 0] == self._end


class Joining:
    """A prompt on its way into a row. The row can be decoded when `advance` has said so."""

    def __init__(self, work: Iterator[None], piece: int) -> None:
        self._work = work
        self._piece = piece
        self.done = False

    def advance(self, max_positions: int) -> bool:
        """Works on at most so many positions, but at least one piece of them; true when all is done."""
        for _ in range(max(1, max_positions // self._piece)):
            if self.done:
                break
            self.done = next(self._work, _DONE) is _DONE
        return self.done


class _Slot:
    """One step under way: what it was told and what it gives, in memory that host and device both reach."""

    def __init__(self, size: int, groups: int, device: torch.device) -> None:
        pinned = device.type == "cuda"
        self.inputs = torch.zeros(len(Field), size, dtype=torch.int32, pin_memory=pinned)
        self.filled = self.inputs.numpy()
        self.codes = torch.zeros(size, groups, dtype=torch.int64, device=device)
        self.host = torch.zeros(size, groups, dtype=torch.int64, pin_memory=pinned)
        self.turn = 0
        self.copied = torch.cuda.Event() if pinned else None  # type: ignore[no-untyped-call]


class _Batch:
    """The static memory of steps of one batch size."""

    def __init__(self, size: int, groups: int, device: torch.device) -> None:
        self.inputs = torch.zeros(len(Field), size, dtype=torch.int32, device=device)
        self.codes = torch.zeros(size, groups, dtype=torch.int64, device=device)
        self.slots = cycle([_Slot(size, groups, device) for _ in range(RING)])


class Decoder:
    """Owns KV and what is known of `rows` utterances, each of at most `positions`. All is allocated here.

    `attention`: "sdpa", "triton" or "flash". `graphs`: capture CUDA graphs, where there is CUDA.
    `compile`: use torch.compile, or that backend of it. `batch_sizes`: a step runs on the least of them that
    holds its rows. `piece`: positions of a prompt worked on at once. `prefix_positions`: room for what is
    kept of prompts.
    """

    def __init__(
        self,
        talker: Talker,
        rows: int,
        positions: int,
        *,
        attention: str = "sdpa",
        graphs: bool = False,
        compile: bool | str = False,
        batch_sizes: Sequence[int] = _BATCH_SIZES,
        piece: int = 128,
        prefix_positions: int = 1024,
    ) -> None:
        self.rows = rows
        self.positions = positions
        self.batch_sizes = tuple(sorted(batch_sizes))
        self.device = talker.device
        self._talker = talker
        config, device = talker.config.talker, talker.device
        self._state = State(talker, rows, positions)
        compiler = "inductor" if compile is True else compile or ""
        parts = make_parts(attention, config, positions, self.batch_sizes[-1], device, talker.dtype, compiler)
        buckets = _buckets(positions)
        self._buckets = buckets if parts.attention.by_bucket else (positions,)
        self._function = FrameFunction(talker, self._state, parts, self.batch_sizes[-1])
        self._batches = {size: _Batch(size, talker.groups, device) for size in self.batch_sizes}
        self._prefill = Prefill(talker, self._state, parts, buckets, min(piece, positions), graphs)
        self._prefixes = Prefixes(self._state.kv, prefix_positions)
        self._runner: Runner[tuple[int, int]] = runner(self._run, device, graphs)
        self._prepared = not graphs
        self._end = config.codec_eos_token_id
        self._ready = np.zeros(rows, dtype=np.bool_)
        self._turns = np.zeros(rows, dtype=np.int64)
        # What steps are told, by row; the last is of places that nobody uses.
        self._fields = np.zeros((len(Field), rows + 1), dtype=np.int32)
        self._numbers = self._fields[Field.TEMPERATURE :].view(np.float32)
        self._fields[Field.ROW] = np.arange(rows + 1)
        self._tell(rows, _GREEDY, 0)

    def prepare(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Makes every variant of the step ready, as CUDA graphs if so asked; else the first prompt does it.

        `progress` is told how many of how many are done.
        """
        for size, batch in self._batches.items():
            batch.inputs.copy_(sent(self._fields[:, [self.rows] * size], batch.inputs.device))
        keys = [(size, bucket) for size in reversed(self.batch_sizes) for bucket in reversed(self._buckets)]
        self._prefill.prepare()
        for done, key in enumerate(keys, 1):
            self._runner.prepare(key)
            if progress is not None:
                progress(done, len(keys))
        self._prepared = True

    def join(self, row: int, prompt: Prompt, sampling: Sampling, seed: int) -> None:
        """Puts an utterance into a row, whatever was there; as `begin`, in one go."""
        self.begin(row, prompt, sampling, seed).advance(self.positions + 2 * self._prefill.piece)

    def begin(self, row: int, prompt: Prompt, sampling: Sampling, seed: int) -> Joining:
        """Begins to put an utterance into a row, whatever was there.

        All positions of the prompt but its last are worked on. The last is the input of the row's first step:
        its codes are known here, its text is what that step is given, `prompt.text_ids[-1]` or, where text is
        live, the first token there is. Any whole number is a `seed`; of it 64 bits count.
        Raises `EngineError` for a prompt longer than `positions` or not of this model, and for sampling that
        cannot be.
        """
        self._check_row(row)
        if len(prompt.text_ids) > self.positions:
            raise EngineError(
                f"a prompt of {len(prompt.text_ids)} positions is too long: at most {self.positions} fit"
            )
        table = tabulated(self._talker, prompt)
        self._tell(row, sampling, seed)
        self.leave(row)
        return Joining(self._joined(row, prompt, table, self._turns[row]), self._prefill.piece)

    def leave(self, row: int) -> None:
        """Ends what is in a row: it cannot be stepped until something else has joined."""
        self._check_row(row)
        self._turns[row] += 1
        self._ready[row] = False
        self._fields[Field.LENGTH, row] = 0

    def length(self, row: int) -> int:
        """How many positions of a row are used. At `positions` it is full, and cannot be stepped."""
        self._check_row(row)
        return int(self._fields[Field.LENGTH, row])

    def step(self, rows: Sequence[int], text_ids: Sequence[int]) -> Frame:
        """Makes the next frame of each of `rows`, given one text token each; nothing waits for the device.

        A step appends one position to each row. Raises `ValueError` for more rows than the largest batch
        size, a row twice, one that has not joined or is full, and a token that is none.
        """
        self._check_step(rows, text_ids)
        count = len(rows)
        size = next(size for size in self.batch_sizes if size >= count)
        longest = int(self._fields[Field.LENGTH, rows].max())
        bucket = next(bucket for bucket in self._buckets if bucket > longest)
        batch = self._batches[size]
        slot = next(batch.slots)
        if slot.copied is not None and not slot.copied.query():  # type: ignore[no-untyped-call]
            # Four steps ago: it is long done, unless the device is that far behind.
            slot.copied.synchronize()
        slot.turn += 1
        index = [*rows, *[self.rows] * (size - count)]
        slot.filled[:] = self._fields[:, index]
        slot.filled[Field.TEXT, :count] = text_ids
        self._fields[Field.LENGTH, rows] += 1
        self._fields[Field.FRAME, rows] += 1
        batch.inputs.copy_(slot.inputs, non_blocking=True)
        self._runner.run((size, bucket))
        slot.codes.copy_(batch.codes)
        slot.host.copy_(slot.codes, non_blocking=True)
        if slot.copied is not None:
            slot.copied.record()
        return Frame(slot, count, self._end)

    def _run(self, key: tuple[int, int]) -> None:
        size, bucket = key
        batch = self._batches[size]
        batch.codes.copy_(self._function(batch.inputs, bucket))

    def _tell(self, row: int, sampling: Sampling, seed: int) -> None:
        """Sets what steps are told of a row, of one that has made no frame."""
        config = self._talker.config.talker
        penalty = check_penalty(sampling)
        first = plain_draw(
            sampling.do_sample, sampling.temperature, sampling.top_k, sampling.top_p, config.vocab_size
        )
        rest = plain_draw(
            sampling.sub_do_sample,
            sampling.sub_temperature,
            sampling.sub_top_k,
            sampling.sub_top_p,
            config.code_predictor_config.vocab_size,
        )
        column, numbers = self._fields[:, row], self._numbers[:, row]
        column[Field.TEXT] = column[Field.LENGTH] = column[Field.FRAME] = 0
        halves = np.array([seed & (1 << 64) - 1], dtype="<u8").view("<i4")
        column[Field.SEED_LOW], column[Field.SEED_HIGH] = halves
        column[Field.TOP_K], column[Field.SUB_TOP_K] = first[1], rest[1]
        numbers[:] = (first[0], first[2], first[3], penalty, rest[0], rest[2], rest[3])

    def _joined(self, row: int, prompt: Prompt, table: NDArray[np.int64], turn: int) -> Iterator[None]:
        """Works on a prompt, and pauses between its pieces."""
        self._check_turn(row, turn)
        if not self._prepared:
            self.prepare()
        last, speaker = len(table) - 1, None
        if prompt.speaker is not None and prompt.speaker_at >= 0:
            speaker = sent(prompt.speaker, self._talker.device).to(self._talker.dtype)
        fixed = min(prompt.cacheable, last)
        key = (prompt.cache_key, fixed)
        known = fixed > 0 and self._prefixes.restore(key, row)
        pieces = [] if known else _pieces(0, fixed, self._prefill.piece)
        pieces += _pieces(fixed, last, self._prefill.piece)
        for number, (start, end) in enumerate(pieces):
            if number > 0:
                yield
                self._check_turn(row, turn)
            here = speaker if start <= prompt.speaker_at < end else None
            self._prefill.run(row, start, table[start:end], here, prompt.speaker_at - start)
            if end == fixed and not known:
                self._prefixes.put(key, row, fixed)
        codes = self._talker.codes[sent(table[last, 1:].copy(), self._talker.device)].sum(0)
        self._state.last[row] = codes if speaker is None or prompt.speaker_at != last else codes + speaker
        self._state.seen[row] = False
        self._fields[Field.LENGTH, row] = last
        self._ready[row] = True

    def _check_row(self, row: int) -> None:
        if not 0 <= row < self.rows:
            raise ValueError(f"row {row} is not one of {self.rows}")

    def _check_turn(self, row: int, turn: int) -> None:
        if self._turns[row] != turn:
            raise ValueError(f"row {row} was given away while a prompt was on its way into it")

    def _check_step(self, rows: Sequence[int], text_ids: Sequence[int]) -> None:
        if (
            not 0 < len(rows) <= self.batch_sizes[-1]
            or len(rows) != len(set(rows))
            or len(rows) != len(text_ids)
        ):
            raise ValueError(
                f"{len(rows)} rows, {len(set(rows))} different, and {len(text_ids)} tokens:"
                f" from 1 to {self.batch_sizes[-1]} different rows with one token each are stepped"
            )
        for row, text_id in zip(rows, text_ids, strict=True):
            if not 0 <= text_id < self._talker.config.talker.text_vocab_size:
                raise ValueError(f"text token {text_id} is none of the model's")
            self._check_row(row)
            if not self._ready[row]:
                raise ValueError(f"row {row} has not joined")
            if self._fields[Field.LENGTH, row] >= self.positions:
                raise ValueError(f"row {row} is full: it has {self.positions} positions")


def decoder_bytes(
    config: ModelConfig, rows: int, positions: int, dtype: torch.dtype, prefixes: int = 1024
) -> int:
    """Bytes on the device that a `Decoder` keeps, without the weights and what graphs work in."""
    talker = config.talker
    position = 2 * talker.num_hidden_layers * talker.num_key_value_heads * talker.size_of_head
    numbers = position * ((rows + 1) * positions + prefixes) + (rows + 1) * talker.hidden_size
    return numbers * dtype.itemsize + (rows + 1) * talker.vocab_size


def _pieces(start: int, end: int, piece: int) -> list[tuple[int, int]]:
    return [(at, min(at + piece, end)) for at in range(start, end, piece)]


def _buckets(positions: int) -> tuple[int, ...]:
    """Doublings from the least to the longest length."""
    sizes = []
    size = _LEAST_BUCKET
    while size < positions:
        sizes.append(size)
        size *= 2
    return (*sizes, positions)
