"""hibari's way from its network's spectrum to sound, block by block.

Formula and constants are those of `hibari.dsp`: a pulse train filtered by the harmonic branch, plus shaped
noise, plus a free-phase branch, then one inverse STFT (1200 points, hop 300, Hann). It is worked on frame by
frame as the network's last layer has it, in place, and with the noise from a pool that is drawn once: so it
costs two thirds of the original, which is a third of all that the voice costs.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from realtime.types import Pcm

_FIRST_BLOCK_FRAMES = 24
_BLOCK_FRAMES = 256
_POOL_FRAMES = 1024
#: Below this a frame has no pulses, in Hz; and they have no harmonics above that.
_VOICED_HZ = np.float32(40)
_HIGHEST_HZ = np.float32(11_000)
#: Nearer to a pulse than this `sin(t / 2)` is 0 for all purposes.
_AT_PULSE = np.float32(1e-3)
_HALF = np.float32(0.5)

#: float32 throughout, but where it says otherwise.
Floats = NDArray[np.float32]
Spectrum = NDArray[np.complex64]


class Renderer:
    """Makes sound of what the network gives; thread-safe."""

    def __init__(self) -> None:
        """Draws the noise: 6 MB."""
        from hibari import dsp

        self._dsp = dsp
        self.hop: int = dsp.HOP
        self._bins: int = dsp.N_FFT // 2 + 1
        noise = np.random.default_rng(0).standard_normal((_POOL_FRAMES, 2 * self._bins), dtype=np.float32)
        pool = noise.view(np.complex64)
        # The pool's beginning follows its end, so that a block is one slice wherever it starts.
        self._noise = np.concatenate([pool, pool[: _BLOCK_FRAMES + 4]])
        self._to_next, self._from_last = dsp._interp_w()
        #: Where all frames overlap that there are over a sample.
        self._norm = dsp._ola_norm(dsp.N_FFT // dsp.HOP)[dsp.N_FFT // dsp.HOP - 1]

    def blocks(self, spectrum: Floats, f0: Floats, seed: int, start: int, end: int) -> Iterator[Pcm]:
        """Sound of the frames [start, end), 300 samples each, in blocks of growing length.

        `spectrum`: by frame, 601 bins each of the logarithm of the harmonic magnitude, its phase, the
        logarithms of the noise and of the free-phase magnitude, and that one's phase. `f0`: by frame, in Hz.
        """
        dsp = self._dsp
        frames = len(spectrum)
        padded = np.pad(self.pulses(f0), dsp.N_FFT // 2, mode="reflect")
        windows = np.lib.stride_tricks.sliding_window_view(padded, dsp.N_FFT)[:: dsp.HOP]
        shift = int(np.random.default_rng(seed).integers(_POOL_FRAMES))
        length = _FIRST_BLOCK_FRAMES
        while start < end:
            stop = min(end, start + length)
            # A block of output needs the frame before it and the two after it.
            first, last = max(0, start - 1), min(frames, stop + 2)
            offset = (shift + first) % _POOL_FRAMES
            noise = self._noise[offset : offset + last - first]
            sum_of_all = self._spectrum(spectrum[first:last], windows[first:last], noise)
            rows = self._overlap_add(sum_of_all)
            # centre=True: output block j is row j + 2 of the overlapped frames.
            sound = rows[start + 2 - first : stop + 2 - first]
            inside = start > 0 and stop + 2 <= frames
            sound *= self._norm if inside else dsp._ola_norm(frames)[start + 2 : stop + 2]
            yield sound.reshape(-1)
            # The second is not large either: while the first 0.3 s play, others may need the engine, too.
            start, length = stop, min(_BLOCK_FRAMES, 4 * length)

    def _spectrum(self, logarithms: Floats, windows: Floats, noise: Spectrum) -> Spectrum:
        """exp(lh) e^(i pi tanh(theta)) STFT(pulses) + exp(ln) noise + exp(lr) e^(i phi), by frame."""
        dsp, bins = self._dsp, self._bins
        harmonic, phase, noise_gain, free, free_phase = (
            logarithms[:, at : at + bins] for at in range(0, 5 * bins, bins)
        )
        spectrum: Spectrum = dsp.rfft(windows * dsp.WIN_SRC, 1)
        angle = np.tanh(phase)
        angle *= np.float32(np.pi)
        rotation = np.empty(spectrum.shape, np.complex64)
        np.cos(angle, out=rotation.real)
        np.sin(angle, out=rotation.imag)
        rotation *= dsp.ex(harmonic)
        spectrum *= rotation
        np.multiply(noise, dsp.ex(noise_gain), out=rotation)
        spectrum += rotation
        np.cos(free_phase, out=rotation.real)
        np.sin(free_phase, out=rotation.imag)
        rotation *= dsp.ex(free)
        spectrum += rotation
        return spectrum

    def _overlap_add(self, spectrum: Spectrum) -> Floats:
        """The windowed sound of all frames, added up: rows of a hop."""
        dsp = self._dsp
        count, overlap = len(spectrum), dsp.N_FFT // dsp.HOP
        frames = dsp.irfft(spectrum, dsp.N_FFT, 1)
        frames *= dsp.WIN
        frames = frames.reshape(count, overlap, dsp.HOP)
        rows = np.zeros((count + overlap - 1, dsp.HOP), np.float32)
        for part in range(overlap):
            rows[part : part + count] += frames[:, part]
        return rows

    def pulses(self, f0: Floats) -> Floats:
        """`hibari.dsp.pulses`, number for number: all harmonics below 11 kHz at amplitude 1.

        The sum over h <= H of cos(h t) is sin((H + 1/2) t) / (2 sin(t / 2)) - 1/2.
        """
        half = self.hop // 2
        known = np.pad(np.asarray(f0, np.float32), 1, mode="edge")
        before, here, after = known[:-2, None], known[1:-1, None], known[2:, None]
        between = np.empty((len(f0), self.hop), np.float32)
        np.multiply(before, self._from_last[:half], out=between[:, :half])
        between[:, :half] += here * self._to_next[:half]
        np.multiply(here, self._from_last[half:], out=between[:, half:])
        between[:, half:] += after * self._to_next[half:]
        frequency = between.reshape(-1)
        voiced = frequency > _VOICED_HZ
        np.maximum(frequency, _VOICED_HZ, out=frequency)
        turns = frequency.astype(np.float64)
        np.cumsum(turns, out=turns)
        turns *= 1 / self._dsp.SR
        turns -= np.floor(turns)
        turns *= 2 * np.pi
        angle = turns.astype(np.float32)
        harmonics = np.floor(_HIGHEST_HZ / frequency)
        harmonics += _HALF
        below = angle * _HALF
        np.sin(below, out=below)
        at_pulse = np.flatnonzero(np.abs(below) <= _AT_PULSE)
        below[at_pulse] = _HALF
        below *= 2
        angle *= harmonics
        pulses = np.sin(angle, out=angle)
        pulses /= below
        pulses[at_pulse] = harmonics[at_pulse]
        pulses -= _HALF
        pulses *= voiced
        return pulses
