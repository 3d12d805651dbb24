"""The codec's decoder: codes to sound for many streams at once, a few frames at a time, exactly.

It is strictly causal, so that a stream can be decoded in pieces when each layer remembers what it needs of
the past: convolutions their last inputs, the transformer the keys and values in its window. The pieces are,
up to rounding, what the decoder makes of all codes at once. (Pieces that are decoded with some frames before
them, as in `chunked_decode` of qwen-tts, are not.)

What is remembered of all streams lies in three tensors, one row for each stream, from the beginning. One call
gathers the rows it is asked for, and puts what has changed back; so a stream that waits costs nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from realtime.engines.qwen3.codec_graph import CodecGraph
from realtime.engines.qwen3.codec_layers import Ring, Tails, head_size
from realtime.engines.qwen3.codec_network import CodecNetwork
from realtime.engines.qwen3.codec_sound import PlainSound, SoundOps
from realtime.engines.qwen3.configuration import CodecConfig
from realtime.engines.qwen3.graphs import Recorder
from realtime.engines.qwen3.weights import Weights

#: Frames of one pass at most: of more, several are made.
MOST_FRAMES = 24
#: Shapes of passes that are recorded as graphs.
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64)
GRAPH_FRAMES = (1, 2, 4, 8, 12)
#: Keys and values of a row are a multiple of these: fast kernels want masks of such a width.
_SLOTS = 16


@dataclass(frozen=True, slots=True, eq=False)
class CodecState:
    """What is remembered of one stream, to go on from there again and again; on the codec's device."""

    tails: Tensor
    kv: Tensor
    position: Tensor


class Codec:
    """Decodes the codes of `rows` streams, whose states it holds. For one thread, on one CUDA stream.

    Codes below 0 or beyond the codebook are taken for the nearest that is in it: so a frame that is thrown
    away afterwards, as one after the end, may have any. Nothing here waits for the device, but `capture`.
    """

    def __init__(
        self, network: CodecNetwork, rows: int, device: torch.device, dtype: torch.dtype, compile: bool
    ) -> None:
        config = network.config
        self._network = network
        self._device = device
        self.rows = rows
        self.groups = config.num_quantizers
        self.frame_samples = network.frame_samples
        slots = math.ceil((config.sliding_window - 1 + MOST_FRAMES) / _SLOTS) * _SLOTS
        kv = (slots, config.num_hidden_layers, 2, config.num_key_value_heads, head_size(config))
        every = rows + 1  # the last for places of a graph that no stream has, and for `prime`
        self._tails = torch.zeros((every, network.plan.size), dtype=dtype, device=device)
        self._kv = torch.zeros((every, *kv), dtype=dtype, device=device)
        self._positions = torch.zeros((every,), dtype=torch.int64, device=device)
        self._pass = torch.compile(self._plain_pass, fullgraph=True) if compile else self._plain_pass
        self._graphs: dict[tuple[int, int], CodecGraph] = {}

    @classmethod
    def from_state(
        cls,
        config: CodecConfig,
        state: Mapping[str, Tensor],
        rows: int,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        *,
        compile: bool = False,
        kernels: bool = False,
    ) -> Codec:
        """Of the tensors in `speech_tokenizer/model.safetensors`.

        `compile`: by `torch.compile`, which joins small kernels itself. Else `kernels` brings own ones, for
        that and for convolutions, which need Triton.
        Raises `EngineError` that names a weight which is missing or has a shape other than `config` says.
        """
        ops: SoundOps = PlainSound()
        if kernels and not compile:
            from realtime.engines.qwen3 import codec_kernels

            ops = codec_kernels.KernelSound()
        network = CodecNetwork(config.decoder_config, Weights(state, device, dtype).at("decoder"), ops)
        return cls(network, rows, torch.device(device), dtype, compile)

    @property
    def row_bytes(self) -> int:
        """Memory that one stream takes."""
        return sum(each[0].nbytes for each in (self._tails, self._kv, self._positions))

    @torch.no_grad()
    def capture(self, batch_sizes: Sequence[int] = BATCH_SIZES, frames: Sequence[int] = GRAPH_FRAMES) -> None:
        """Record passes of these shapes, which `decode` runs from then on: CUDA graphs, where there is CUDA.

        Elsewhere the same passes with the same places for rows that no stream has.
        """
        recorder = Recorder(self._device) if self._device.type == "cuda" else None
        shapes = sorted({(b, f) for b in batch_sizes for f in frames} - self._graphs.keys(), reverse=True)
        for batch, count in shapes:
            rows = torch.full((batch,), self.rows, dtype=torch.int64, device=self._device)
            codes = torch.zeros((batch, count, self.groups), dtype=torch.int64, device=self._device)
            self._graphs[batch, count] = CodecGraph(self._pass, rows, codes, recorder)

    @torch.no_grad()
    def reset(self, row: int) -> None:
        """The next frame of this row is the first of a new stream; nothing of an earlier one remains."""
        self._check((row,))
        self._clear(row)

    @torch.no_grad()
    def prime(self, codes: Tensor) -> CodecState:
        """The state after `codes`, (frames, groups), of a stream of its own."""
        if not len(codes):
            raise ValueError("no frames to begin with")
        self._clear(self.rows)
        place = torch.full((1,), self.rows, dtype=torch.int64, device=self._device)
        codes = self._sent(codes)[None]
        # Nobody hears it; and sound, which takes most of the time, remembers a few frames only.
        silent = max(0, codes.shape[1] - self._network.sound_memory)
        for part in torch.split(codes[:, :silent], MOST_FRAMES, 1) if silent else ():
            self._silent_pass(place, part)
        for part in torch.split(codes[:, silent:], _cut(codes.shape[1] - silent, self._frames(1)), 1):
            self._pass_of(place, part, 1)
        return CodecState(*(each[self.rows].clone() for each in (self._tails, self._kv, self._positions)))

    @torch.no_grad()
    def restore(self, row: int, state: CodecState) -> None:
        """The next frame of this row follows those that `state` was primed with."""
        self._check((row,))
        self._tails[row].copy_(state.tails)
        self._kv[row].copy_(state.kv)
        self._positions[row].copy_(state.position)

    @torch.no_grad()
    def decode(self, rows: Sequence[int], codes: Tensor, *, lasting: bool = True) -> Tensor:
        """The next frames, 1 or more, of some rows, all different.

        `codes` (len(rows), frames, groups) of integers, on the host or the device. Returns (len(rows), frames
        x `frame_samples`) in float32, within [-1, 1], on the device: for good, or, if it need not be
        `lasting`, until the next call. Then a pass that was recorded takes no memory.
        """
        self._check(rows)
        if codes.shape[0] != len(rows) or codes.shape[2:] != (self.groups,) or codes.shape[1] < 1:
            raise ValueError(f"codes of {len(rows)} rows cannot have the shape {tuple(codes.shape)}")
        batch = min((batch for batch, _ in self._graphs if batch >= len(rows)), default=len(rows))
        frames = _cut(codes.shape[1], self._frames(batch))
        places = self._staged(torch.tensor([*rows, *[self.rows] * (batch - len(rows))], dtype=torch.int64))
        if len(frames) == 1:
            sound = self._pass_of(places, self._staged(codes), batch)
            return sound.clone() if lasting else sound
        places, codes = self._sent(places), self._sent(codes)
        return torch.cat(
            [self._pass_of(places, part, batch).clone() for part in torch.split(codes, frames, 1)], 1
        )

    def _frames(self, batch: int) -> list[int]:
        """Frames of the passes that so many rows may take."""
        return [frames for size, frames in self._graphs if size == batch] or [MOST_FRAMES]

    def _pass_of(self, places: Tensor, codes: Tensor, batch: int) -> Tensor:
        """A pass, recorded if there is such; of `places` (batch,) the first are those of `codes`."""
        graph = self._graphs.get((batch, codes.shape[1]))
        if graph is not None:
            return graph(places, codes)
        return self._pass(self._sent(places)[: len(codes)], self._sent(codes))

    def _staged(self, tensor: Tensor) -> Tensor:
        """Where a copy to the device need not be waited for."""
        return tensor.pin_memory() if self._device.type == "cuda" and not tensor.is_cuda else tensor

    def _sent(self, tensor: Tensor) -> Tensor:
        """On the device; the host does not wait for it to arrive."""
        return self._staged(tensor).to(self._device, non_blocking=True)

    def _plain_pass(self, rows: Tensor, codes: Tensor) -> Tensor:
        """`codes` (batch, frames, groups) of `rows` (batch,) to (batch, samples)."""
        tails = Tails(self._tails[rows])
        features = self._features(rows, codes, tails)
        sound = self._network.sound(features, tails)
        self._tails.index_copy_(0, rows, tails.new())
        return sound

    def _silent_pass(self, rows: Tensor, codes: Tensor) -> None:
        """As `_plain_pass`, without sound and what is remembered of it."""
        tails = Tails(self._tails[rows])
        self._features(rows, codes, tails)
        self._tails.index_copy_(0, rows, tails.new())

    def _features(self, rows: Tensor, codes: Tensor, tails: Tails) -> Tensor:
        positions = self._positions[rows]
        window, frequencies = self._network.config.sliding_window, self._network.inverse_frequencies
        ring = Ring(self._kv[rows], positions, codes.shape[1], window, frequencies)
        features = self._network.features(codes, tails, ring)
        self._kv.index_put_((rows[:, None], ring.slots), ring.new())
        self._positions.index_copy_(0, rows, positions + codes.shape[1])
        return features

    def _clear(self, row: int) -> None:
        for each in (self._tails, self._kv, self._positions):
            each[row].zero_()

    def _check(self, rows: Sequence[int]) -> None:
        for row in rows:
            if not 0 <= row < self.rows:
                raise ValueError(f"there is no row {row}; there are {self.rows}")
        if not rows or len(set(rows)) != len(rows):
            raise ValueError(f"rows must be one or more, all different, not {list(rows)}")


def _cut(frames: int, sizes: Sequence[int]) -> list[int]:
    """`frames` as a sum of `sizes`, the largest first; what is smaller than any is one part."""
    parts = []
    for size in sorted(sizes, reverse=True):
        parts += [size] * (frames // size)
        frames %= size
    return [*parts, frames] if frames else parts
