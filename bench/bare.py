"""What the bare voice and the bare Opus encoder cost, alone or on all cores at once."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from statistics import median

from bench.latency import encode_bare
from realtime.audio.opus import CODED_RATE


def _speak(lengths: Mapping[str, float], rounds: int, pipe: Connection) -> None:
    from hibari import Hibari  # crowds listen to other voices too, where it is not installed

    voice = Hibari()
    voice(next(iter(lengths)), seed=0)
    pipe.send(0.0)
    pipe.recv()  # until all are ready
    cpu_s = 0.0
    for _ in range(rounds):
        for text, length_s in lengths.items():
            begun = time.process_time()
            pcm = voice(text, seed=0)
            cpu_s += time.process_time() - begun
            cpu_s += encode_bare(pcm[: round(length_s * CODED_RATE)])
    pipe.send(cpu_s / rounds / sum(lengths.values()))


def bare_cost_s(lengths: Mapping[str, float], rounds: int, processes: int) -> float:
    """CPU seconds per second of sound, in so many processes at once; the median of them.

    `lengths`: seconds of sound that the server makes of each text, so that both are told by the same second.
    """
    spawn = multiprocessing.get_context("spawn")
    pipes: list[Connection] = []
    workers = []
    for _ in range(processes):
        ours, theirs = spawn.Pipe()
        worker = spawn.Process(target=_speak, args=(dict(lengths), rounds, theirs))
        worker.start()
        theirs.close()
        pipes.append(ours)
        workers.append(worker)
    for message in ("ready", "over"):
        values: Sequence[float] = [pipe.recv() for pipe in pipes]
        if message == "ready":
            for pipe in pipes:
                pipe.send("go")
    for worker in workers:
        worker.join()
    return median(values)
