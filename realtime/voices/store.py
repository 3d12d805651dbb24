"""Cloned voices on disk: the recordings by the hash of their sound, and what is known of each voice.

    FOLDER/clone-<24 hex>.json      one voice: name, text, language, and which sound
    FOLDER/sounds/<64 hex>.flac     one recording, shared by the voices that have the same
    FOLDER/temporary/<32 hex>.flac  a recording for the time of one request
    FOLDER/.lock                    held by whoever changes anything, of all servers that share the folder

A file is complete or not there: it is written under another name, forced to the disk, and renamed. The sound
comes before the voice that needs it, and goes after it, so that a server that is killed leaves at most a
sound that no voice has; the next `open` removes it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import structlog

from realtime.clock import MonotonicClock, ThreadClock, WallClock
from realtime.errors import ConfigError, ErrorCode, RealtimeError
from realtime.types import VoiceReference
from realtime.voices.clone import CLONE_ID, StoredVoice, describe
from realtime.voices.recording import Recording

_LOCK_WAIT_S = 10.0
_LOCK_PAUSE_S = 0.01
_MOST_METADATA_BYTES = 64 * 1024
_NEW_END = ".new"  # of what is not complete
#: Between the making of a temporary file and its being locked are microseconds.
_UNLOCKED_S = 60.0
_log = structlog.get_logger(__name__)


class VoiceStore:
    """Voices in `folder`, which is made when the first one is added.

    All methods but `get`, `all` and `reference` block for as long as the disk needs, and may be called from
    any thread. Several servers may share a folder; `find` and `refresh` show what the others have done.
    """

    def __init__(
        self,
        folder: Path,
        max_voices: int,
        clock: ThreadClock | None = None,
        wall_clock: WallClock | None = None,
    ) -> None:
        """`max_voices` are kept; more are refused. `wall_clock` is compared with the ages of files."""
        self._clock = clock or MonotonicClock()
        self._wall_clock = wall_clock or WallClock()
        self._folder = folder
        self._sounds = folder / "sounds"
        self._temporary = folder / "temporary"
        self._max_voices = max_voices
        self._voices: dict[str, StoredVoice] = {}  # replaced as a whole: lookups need no lock

    def open(self) -> None:
        """Read what is there, and remove what a killed server left. Damaged voices are left out, and logged.

        Raises `ConfigError` when there is something in its place that cannot be read.
        """
        try:
            self._look(self._remove_leftovers)
        except OSError as error:
            raise ConfigError(f"the voices in {self._folder} cannot be read: {error.strerror}") from error

    def refresh(self) -> None:
        """Read again what is there; raises `RealtimeError` when that fails."""
        try:
            self._look(self._read)
        except OSError as error:
            raise _failed("read", error) from error

    def get(self, voice_id: str) -> StoredVoice | None:
        """A voice by its id; in memory."""
        return self._voices.get(voice_id)

    def find(self, voice_id: str) -> StoredVoice | None:
        """A voice by its id, as it is on disk now: another server may have added it, or deleted it.

        It looks for the one small file of a well-formed id, and opens it if the voice is not known: so who
        cannot wait may call it too. What it finds gets into memory with the next `refresh`.
        """
        if not CLONE_ID.fullmatch(voice_id):
            return None
        path = self._metadata(voice_id)
        try:
            path.lstat()
            return self.get(voice_id) or self._read_voice(path)
        except (ValueError, OSError):
            return None

    def all(self) -> list[StoredVoice]:
        """All voices, the oldest first; in memory."""
        return sorted(self._voices.values(), key=lambda voice: (voice.created, voice.id))

    def reference(self, voice: StoredVoice) -> VoiceReference:
        """What an engine needs to speak with this voice."""
        return VoiceReference(voice.sound, str(self._sound(voice.sound)), voice.text)

    def sound(self, voice: StoredVoice) -> bytes:
        """The recording of a voice, as FLAC; raises `RealtimeError` when it cannot be read."""
        try:
            return _read_file(self._sound(voice.sound), voice.sound_bytes)
        except OSError as error:
            raise _failed("read", error) from error

    def add(
        self,
        name: str,
        recording: Recording,
        text: str = "",
        language: str | None = None,
        *,
        created: float,
    ) -> tuple[StoredVoice, bool]:
        """Keep a voice; `created` are seconds since 1970. Returns it, and whether it is new.

        The same voice again is the one that is there. Raises `RealtimeError`: what `describe` raises,
        FORBIDDEN when there are too many, STORAGE_FAILED when the disk is full or cannot be written. Then
        nothing has changed.
        """
        voice = describe(name, recording, text, language, created)
        try:
            self._make_folders()
            with self._locked():
                self._read()
                known = self._voices.get(voice.id)
                if known is not None:
                    return known, False
                if len(self._voices) >= self._max_voices:
                    raise RealtimeError(
                        f"{len(self._voices)} cloned voices are kept, and at most {self._max_voices} may be; "
                        "delete one first",
                        ErrorCode.FORBIDDEN,
                    )
                return self._write(voice, recording), True
        except OSError as error:
            raise _failed("kept", error) from error

    def delete(self, voice_id: str) -> bool:
        """Remove a voice, and its recording when no other voice has it; whether there was such a voice.

        Raises `RealtimeError` when the disk cannot be written.
        """
        if not CLONE_ID.fullmatch(voice_id):
            return False
        try:
            if not self._folder.exists():
                self._voices = {}
                return False
            with self._locked():
                self._read()
                voice = self._voices.get(voice_id)
                if voice is None:
                    return False
                self._metadata(voice_id).unlink()
                _sync(self._folder)
                self._voices = {key: each for key, each in self._voices.items() if key != voice_id}
                self._remove_unused(voice.sound)
        except OSError as error:
            raise _failed("deleted", error) from error
        return True

    @contextlib.contextmanager
    def temporary(self, recording: Recording, text: str = "") -> Iterator[VoiceReference]:
        """A reference to a recording that is kept as a file for as long as the block runs.

        The file is this block's alone; equal recordings have the same `key`, so what was made of one serves
        all; the reference says that nothing of it may be kept. Writing takes a few milliseconds. Raises
        `RealtimeError` when the disk cannot be written.
        """
        path = self._temporary / f"{secrets.token_hex(16)}.flac"
        try:
            self._make_folders()
            descriptor = _create(path)
        except OSError as error:
            raise _failed("kept", error) from error
        try:
            # Held until the end, whatever that is: `open` knows by it that somebody needs the file.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                _write_all(descriptor, recording.flac)
            except OSError as error:
                raise _failed("kept", error) from error
            yield VoiceReference(recording.key, str(path), text, kept=False)
        finally:
            os.close(descriptor)
            with contextlib.suppress(OSError):  # then the next `open` removes it
                path.unlink(missing_ok=True)

    def _metadata(self, voice_id: str) -> Path:
        return self._folder / f"{voice_id}.json"

    def _sound(self, key: str) -> Path:
        return self._sounds / f"{key}.flac"

    def _make_folders(self) -> None:
        """Links are not followed: what is written here stays here."""
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        for folder in (self._folder, self._sounds, self._temporary):
            with contextlib.suppress(FileExistsError):
                folder.mkdir(mode=0o700)
                _sync(folder.parent)
            if folder != self._folder and not stat.S_ISDIR(folder.lstat().st_mode):
                raise NotADirectoryError(0, f"{folder.name} is no folder")

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone, of all threads of all servers. The system gives the lock back when its holder dies."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self._folder / ".lock", flags, 0o600)
        try:
            end = self._clock.now() + _LOCK_WAIT_S
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if self._clock.now() > end:
                        raise TimeoutError(0, "another server holds the folder") from None
                    self._clock.sleep(_LOCK_PAUSE_S)
            yield
        finally:
            os.close(descriptor)

    def _look(self, action: Callable[[], object]) -> None:
        """Alone if possible: so nobody is in the midst of a change. A folder that is read-only serves too."""
        if not self._folder.exists():
            self._voices = {}
            return
        try:
            with self._locked():
                action()
        except OSError:
            self._read()

    def _read(self) -> bool:
        """See what is there now; whether all of it is well."""
        voices: dict[str, StoredVoice] = {}
        well = True
        for path in _files(self._folder, ".json"):
            try:
                voice = self._read_voice(path)
            except (ValueError, OSError) as error:
                well = False
                _log.warning("voice_left_out", voice=path.stem, reason=str(error))
            else:
                voices[voice.id] = voice
        self._voices = voices
        return well

    def _read_voice(self, path: Path) -> StoredVoice:
        """Raises `ValueError` or `OSError` when it is not whole."""
        voice = self._voices.get(path.stem) or _parse(path)
        sound = self._sound(voice.sound).lstat()
        if not stat.S_ISREG(sound.st_mode) or sound.st_size != voice.sound_bytes:
            raise ValueError("its recording is damaged")
        return voice

    def _write(self, voice: StoredVoice, recording: Recording) -> StoredVoice:
        shared = next((each for each in self._voices.values() if each.sound == voice.sound), None)
        try:
            if shared is None:
                _write_file(self._sound(voice.sound), recording.flac)
            else:  # another version of the encoder may have written it
                voice = msgspec.structs.replace(voice, sound_bytes=shared.sound_bytes)
            _write_file(self._metadata(voice.id), msgspec.json.encode(voice))
        except BaseException:
            with contextlib.suppress(OSError):
                self._metadata(voice.id).unlink(missing_ok=True)
                if shared is None:
                    self._sound(voice.sound).unlink(missing_ok=True)
            raise
        self._voices = self._voices | {voice.id: voice}
        return voice

    def _remove_unused(self, sound: str) -> None:
        if all(each.sound != sound for each in self._voices.values()):
            self._sound(sound).unlink(missing_ok=True)
            _sync(self._sounds)

    def _remove_leftovers(self) -> None:
        """With the lock held: nobody is in the midst of writing."""
        well = self._read()
        for path in (*_files(self._folder, _NEW_END), *_files(self._sounds, _NEW_END)):
            path.unlink(missing_ok=True)
        for path in _files(self._temporary, ".flac"):
            _remove_if_abandoned(path, self._wall_clock.now())
        if well:  # else a sound may belong to a voice that could not be read
            for path in _files(self._sounds, ".flac"):
                self._remove_unused(path.stem)


def _files(folder: Path, end: str) -> list[Path]:
    """Unlike `Path.glob`, this raises `OSError` when the folder cannot be read."""
    try:
        return [folder / name for name in os.listdir(folder) if name.endswith(end)]
    except FileNotFoundError:
        return []


def _parse(path: Path) -> StoredVoice:
    """Raises `ValueError` or `OSError` when it is not what `add` wrote."""
    voice = msgspec.json.decode(_read_file(path, None), type=StoredVoice)
    if voice.id != path.stem or voice.id != voice.made_id():
        raise ValueError("its contents do not belong to its name")
    return voice


def _read_file(path: Path, size: int | None) -> bytes:
    """A file of a known size, or one of metadata. Raises `OSError` also for a link."""
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
        data = file.read((size or _MOST_METADATA_BYTES) + 1)
    if len(data) > (size or _MOST_METADATA_BYTES) or (size and len(data) != size):
        raise OSError(0, "the file is damaged")
    return data


def _create(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _write_file(path: Path, data: bytes) -> None:
    """All of it or nothing, also when the power fails."""
    new = path.with_name(f"{secrets.token_hex(8)}{_NEW_END}")
    descriptor = _create(new)
    try:
        try:
            _write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        new.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """Force the names in a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_if_abandoned(path: Path, now: float) -> None:
    """Its owner, if it lives, holds a lock on it, or is just about to."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if now - os.fstat(descriptor).st_mtime > _UNLOCKED_S:
                path.unlink()
        finally:
            os.close(descriptor)


def _failed(action: str, error: OSError) -> RealtimeError:
    _log.error("voice_store_failed", action=action, reason=str(error))
    return RealtimeError(
        f"the voice could not be {action}: {error.strerror or 'the disk failed'}", ErrorCode.STORAGE_FAILED
    )
