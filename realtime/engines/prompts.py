"""What an engine works out of a recording before it can speak with that voice: kept in memory and on disk.

On disk each prompt is a safetensors file of its own (https://huggingface.co/docs/safetensors), named by
hashes of the recording and of the text and the model. Its header tells what it belongs to, and holds a
checksum of the arrays: a file that is damaged or another's is made anew. Of a recording that came with one
request (`VoiceReference.kept` is false) nothing is written: its prompt is kept in memory alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from realtime.clock import WallClock
from realtime.engines.engine import PromptStats
from realtime.types import VoiceReference

Prompt: TypeAlias = Mapping[str, NDArray[Any]]

#: On disk are kept this many times more than in memory, and at least so many.
DISK_FACTOR = 10
LEAST_ON_DISK = 100
_END = ".safetensors"
_NEW_END = ".new"  # of what is not complete
_STALE_S = 3600.0
_log = logging.getLogger(__name__)  # processes of engines load no more than they need


@dataclass(frozen=True, slots=True)
class _Name:
    """What a prompt is of."""

    key: str
    text: str
    model: str

    @property
    def file(self) -> str:
        return f"{_file_start(self.key)}{_digest(self.text, self.model)}{_END}"

    def metadata(self, prompt: Prompt) -> dict[str, str]:
        return {"of": self.file, "checksum": _checksum(prompt)}


@dataclass(slots=True, eq=False)
class _Kept:
    """A prompt in memory, and whether it has been written to the disk."""

    prompt: Prompt
    written: bool


@dataclass(slots=True, eq=False)
class _Making:
    """A prompt that one thread works out, and others may wait for."""

    result: Future[Prompt] = field(default_factory=Future)
    forgotten: bool = False


class PromptCache:
    """Prompts by recording, text and model; the least recently used go first. For use by several threads.

    Nothing is locked while a prompt is read or made. Without a folder, or when it cannot be used (which is
    logged once), prompts are kept in memory alone.
    """

    def __init__(self, folder: Path | None, max_entries: int, wall_clock: WallClock | None = None) -> None:
        """`max_entries` in memory, whether they may be written or not; 0: none, but those on disk."""
        self._folder = folder
        self._max_entries = max_entries
        self._max_files = max(LEAST_ON_DISK, DISK_FACTOR * max_entries)
        self._wall_clock = wall_clock or WallClock()
        self._lock = threading.Lock()
        self._kept: OrderedDict[_Name, _Kept] = OrderedDict()
        self._making: dict[_Name, _Making] = {}
        self._hits = 0
        self._misses = 0
        self._disk_failed = False

    def prompt(
        self, reference: VoiceReference, model: str, make: Callable[[VoiceReference], Prompt]
    ) -> Prompt:
        """The prompt of a recording for a model (its name and revision), made by `make` when there is none.

        The arrays may not be written to. Threads that ask for the same at the same time wait for the one that
        makes it, and share what it raises.
        """
        name = _Name(reference.key, reference.text, model)
        with self._lock:
            kept = self._kept.get(name)
            others = self._making.get(name)
            if kept is not None:
                self._kept.move_to_end(name)
                self._hits += 1
            elif others is None:
                making = self._making[name] = _Making()
        if kept is not None:
            if reference.kept and not kept.written:
                self._write_late(name, kept)
            return kept.prompt
        if others is not None:
            prompt = others.result.result()
            with self._lock:
                self._hits += 1
            return prompt
        try:
            found = self._read(name)
            prompt = _read_only(make(reference)) if found is None else found
            if found is None and reference.kept:
                self._write(name, prompt)
        except BaseException as error:
            with self._lock:
                del self._making[name]
            making.result.set_exception(error)
            raise
        self._keep(name, _Kept(prompt, found is not None or reference.kept), making, found is not None)
        making.result.set_result(prompt)
        return prompt

    def forget(self, key: str) -> None:
        """Drop all prompts of a recording, in memory and on disk, also one that is being made.

        Blocks for as long as it takes to list a folder and to remove a few files.
        """
        with self._lock:
            for name in [name for name in self._kept if name.key == key]:
                del self._kept[name]
            for name, making in self._making.items():
                making.forgotten |= name.key == key
        if self._folder is not None:
            forget_on_disk(self._folder, key)

    @property
    def stats(self) -> PromptStats:
        """Counts since the start."""
        with self._lock:
            return PromptStats(len(self._kept), self._hits, self._misses)

    def _keep(self, name: _Name, kept: _Kept, making: _Making, found: bool) -> None:
        with self._lock:
            del self._making[name]
            self._hits += found
            self._misses += not found
            forgotten = making.forgotten
            if not forgotten:
                self._kept[name] = kept
                while len(self._kept) > self._max_entries:
                    self._kept.popitem(last=False)
        if forgotten:
            self._unlink(name)  # `forget` may have been there before the file

    def _write_late(self, name: _Name, kept: _Kept) -> None:
        """It was made for one request, and is now asked for by a voice that stays."""
        with self._lock:
            others, kept.written = kept.written, True
        if others:
            return
        self._write(name, kept.prompt)
        with self._lock:
            gone = self._kept.get(name) is not kept
        if gone:
            self._unlink(name)  # as above; or it had to make room, and is made anew

    def _unlink(self, name: _Name) -> None:
        if self._folder is not None:
            with contextlib.suppress(OSError):
                (self._folder / name.file).unlink(missing_ok=True)

    def _read(self, name: _Name) -> Prompt | None:
        """What lies on disk, if it is whole and what it should be."""
        if self._folder is None:
            return None
        path = self._folder / name.file
        try:
            data = path.read_bytes()
            with contextlib.suppress(OSError):
                os.utime(path)  # used just now
        except FileNotFoundError:
            return None
        except OSError as error:
            self._tell_failure(error)
            return None
        try:
            prompt = _read_only(load(data))
            size = int.from_bytes(data[:8], "little")  # the format begins with the size of its header
            metadata = json.loads(data[8 : 8 + size]).get("__metadata__")
        except (SafetensorError, ValueError, KeyError):
            return None
        return prompt if metadata == name.metadata(prompt) else None

    def _write(self, name: _Name, prompt: Prompt) -> None:
        if self._folder is None:
            return
        new = self._folder / f"{secrets.token_hex(8)}{_NEW_END}"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
                with open(descriptor, "wb") as file:
                    file.write(save(dict(prompt), name.metadata(prompt)))
                new.replace(self._folder / name.file)
            except BaseException:
                new.unlink(missing_ok=True)
                raise
            self._prune(self._folder)
        except OSError as error:
            self._tell_failure(error)

    def _prune(self, folder: Path) -> None:
        """Remove the least recently used files when there are too many, and what others left unfinished."""
        names = os.listdir(folder)
        stale = self._wall_clock.now() - _STALE_S
        for name in names:
            if name.endswith(_NEW_END) and _used_at(folder / name) < stale:
                (folder / name).unlink(missing_ok=True)
        files = [folder / name for name in names if name.endswith(_END)]
        if len(files) > self._max_files:
            files.sort(key=_used_at)
            for path in files[: len(files) - self._max_files]:
                path.unlink(missing_ok=True)

    def _tell_failure(self, error: OSError) -> None:
        with self._lock:
            told, self._disk_failed = self._disk_failed, True
        if not told:
            _log.warning("prompts of cloned voices are kept in memory alone: %s", error)


def forget_on_disk(folder: Path, key: str) -> None:
    """Remove all prompts of a recording from a folder, whoever uses it."""
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            if name.startswith(_file_start(key)) and name.endswith(_END):
                (folder / name).unlink(missing_ok=True)


def _file_start(key: str) -> str:
    """Hashed once more: what a key is made of never is part of a path."""
    return f"{_digest(key)}-"


def _digest(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _checksum(prompt: Prompt) -> str:
    digest = hashlib.sha256()
    for name, array in sorted(prompt.items()):
        digest.update(json.dumps([name, array.dtype.name, array.shape]).encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _read_only(arrays: Prompt) -> Prompt:
    """As safetensors needs them, in one piece; and nobody changes what others use."""
    prompt = {name: np.ascontiguousarray(array).view() for name, array in arrays.items()}
    for array in prompt.values():
        array.setflags(write=False)
    return MappingProxyType(prompt)


def _used_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # removed by another
        return 0.0
