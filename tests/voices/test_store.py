"""Cloned voices on disk: nothing half done, whatever fails, whoever else writes, whatever names are given."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import os
import random
import resource
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import structlog

from realtime.clock import ThreadClock, WallClock
from realtime.errors import ConfigError, ErrorCode, InvalidMessageError, RealtimeError
from realtime.types import VoiceReference
from realtime.voices.clone import CLONE_ID, StoredVoice
from realtime.voices.store import VoiceStore
from tests.voices.recordings import recording, tone

NOW = 1_800_000_000.0
A, B = recording(300), recording(400)


class HandClock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


class Today(WallClock):
    """A date of one's own."""

    def __init__(self, date: float) -> None:
        self.date = date

    def now(self) -> float:
        return self.date


def opened(
    folder: Path,
    max_voices: int = 100,
    clock: ThreadClock | None = None,
    wall_clock: WallClock | None = None,
) -> VoiceStore:
    store = VoiceStore(folder, max_voices, clock, wall_clock)
    store.open()
    return store


def add(store: VoiceStore, name: str = "Ada", sound: object = A, **fields: object) -> StoredVoice:
    voice, _ = store.add(name, sound, created=NOW, **fields)  # type: ignore[arg-type]
    return voice


def names(folder: Path) -> list[str]:
    """Every file below, but the lock."""
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if not path.is_dir() and path.name != ".lock"
    )


def check(folder: Path) -> VoiceStore:
    """All that is in a folder belongs together, and nothing else is there."""
    store = opened(folder)
    expected = {f"{voice.id}.json" for voice in store.all()}
    expected |= {f"sounds/{voice.sound}.flac" for voice in store.all()}
    assert set(names(folder)) == expected
    for voice in store.all():
        assert store.sound(voice) in {A.flac, B.flac}
    return store


def test_a_voice_is_kept_and_found_again(tmp_path: Path) -> None:
    store = opened(tmp_path / "data" / "voices")
    assert store.all() == []
    voice = add(store, " Ada\n", text=" Hello \n there. ", language="en")
    assert CLONE_ID.fullmatch(voice.id)
    assert (voice.name, voice.text, voice.language, voice.created) == ("Ada", "Hello there.", "en", NOW)
    assert (voice.sound, voice.seconds) == (A.key, 1.0)
    again = opened(tmp_path / "data" / "voices")
    for each in (store, again):
        assert each.get(voice.id) == voice and each.all() == [voice]
        assert each.sound(voice) == A.flac
        path = str(tmp_path / "data" / "voices" / "sounds" / f"{A.key}.flac")
        assert each.reference(voice) == VoiceReference(A.key, path, "Hello there.", kept=True)
    pcm, rate = soundfile.read(io.BytesIO(A.flac), dtype="float32")
    assert rate == 24_000 and np.max(np.abs(pcm - tone(1))) < 1e-4


def test_only_the_owner_may_read(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        store = opened(tmp_path / "voices")
        add(store)
        with store.temporary(B) as reference:
            assert stat.S_IMODE(Path(reference.path).stat().st_mode) == 0o600
    finally:
        os.umask(old)
    for path in (tmp_path / "voices", *(tmp_path / "voices").rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_server_that_keeps_no_voice_makes_no_folder(tmp_path: Path) -> None:
    store = opened(tmp_path / "voices")
    assert store.delete("clone-" + "0" * 24) is False
    assert store.get("x") is None and store.find("x") is None
    assert not (tmp_path / "voices").exists()


def test_the_same_voice_twice_is_one(tmp_path: Path) -> None:
    store = opened(tmp_path)
    first, is_new = store.add("Ada", A, created=NOW)
    assert is_new is True
    for at in (NOW, NOW + 5):
        assert store.add("Ada", recording(300), created=at) == (first, False)
        assert opened(tmp_path).add("Ada", A, created=at) == (first, False)
    others = [add(store, "Bea"), add(store, sound=B), add(store, text="Hi."), add(store, language="de")]
    assert len({first.id, *(voice.id for voice in others)}) == 5
    assert len(store.all()) == 5


def test_a_sound_goes_with_its_last_voice(tmp_path: Path) -> None:
    store = opened(tmp_path)
    ada, bea = add(store, "Ada"), add(store, "Bea")
    assert store.delete(ada.id) is True and store.delete(ada.id) is False
    assert store.get(ada.id) is None and store.sound(bea) == A.flac
    assert names(tmp_path) == [f"{bea.id}.json", f"sounds/{A.key}.flac"]
    assert store.delete(bea.id) is True
    assert names(tmp_path) == [] and opened(tmp_path).all() == []


def test_a_sound_that_another_version_encoded(tmp_path: Path) -> None:
    """The same samples, other bytes: those that are there stay."""
    store = opened(tmp_path)
    add(store, "Ada")
    bea = add(store, "Bea", replace(A, flac=A.flac + b"\0"))
    assert store.sound(bea) == A.flac
    assert len(check(tmp_path).all()) == 2


def test_no_more_than_allowed(tmp_path: Path) -> None:
    store = opened(tmp_path, 2)
    first = add(store, "1")
    add(store, "2")
    with pytest.raises(RealtimeError, match="at most 2") as caught:
        add(store, "3")
    assert caught.value.code == ErrorCode.FORBIDDEN
    assert add(store, "1") == first  # it is there already
    store.delete(first.id)
    add(store, "3")
    with pytest.raises(RealtimeError, match="at most 0"):
        add(opened(tmp_path / "none", 0))


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "..",
        "a\\b",
        "C:\\x",
        "~root",
        "$(id)",
        "{0}%s",
        "🎙️👩‍🚀",
        "עברית",
        "\u202eadA",
        "名前" * 32,
        "a" * 64,
        "clone-" + "0" * 24,
    ],
)
def test_a_name_is_data_and_nothing_else(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "voices"
    voice = add(opened(folder), name)
    assert voice.name == name and check(folder).all() == [voice]
    assert [path.name for path in tmp_path.iterdir()] == ["voices"]


@pytest.mark.parametrize(
    "name", ["", "   ", "a" * 65, "a\0b", "a\nb", "\x1b[31mred", "a\u2028b", "\ud800", "\x7f"]
)
def test_names_that_are_none(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidMessageError) as caught:
        add(opened(tmp_path), name)
    assert caught.value.param == "name" and names(tmp_path) == []


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"text": "x" * 2001}, "ref_text", ErrorCode.INVALID_MESSAGE),
        ({"text": "a\0b"}, "ref_text", ErrorCode.INVALID_MESSAGE),
        ({"text": "\udfff"}, "ref_text", ErrorCode.INVALID_MESSAGE),
        ({"language": "xx"}, "language", ErrorCode.UNKNOWN_LANGUAGE),
        ({"language": "../en"}, "language", ErrorCode.UNKNOWN_LANGUAGE),
    ],
)
def test_other_fields_that_are_wrong(
    tmp_path: Path, fields: dict[str, object], param: str, code: ErrorCode
) -> None:
    with pytest.raises(RealtimeError) as caught:
        add(opened(tmp_path), **fields)
    assert (caught.value.param, caught.value.code) == (param, code) and names(tmp_path) == []


def test_an_id_that_is_none_touches_nothing(tmp_path: Path) -> None:
    store = opened(tmp_path / "voices")
    voice = add(store)
    outside = tmp_path / "x.json"
    outside.write_text("{}")
    for wrong in (
        "../x",
        "x",
        "",
        voice.id + "\n",
        voice.id.upper(),
        voice.id + ".json",
        f"sounds/../{voice.id}",
        voice.id + "\0",
        "clone-" + "g" * 24,
    ):
        assert store.delete(wrong) is False and store.get(wrong) is None
    assert outside.exists() and check(tmp_path / "voices").all() == [voice]


def test_links_are_not_followed(tmp_path: Path) -> None:
    folder, outside = tmp_path / "voices", tmp_path / "outside"
    voice = add(opened(folder))
    outside.write_bytes(b"precious")
    for path in (folder / f"{voice.id}.json", folder / "sounds" / f"{A.key}.flac"):
        path.unlink()
        path.symlink_to(outside)
    store = opened(folder)
    assert store.all() == []
    assert add(store) == voice and store.sound(voice) == A.flac
    store.delete(voice.id)
    assert outside.read_bytes() == b"precious" and names(folder) == []


@pytest.mark.parametrize("name", ["sounds", "temporary"])
def test_folders_that_are_links_are_not_used(tmp_path: Path, name: str) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "voices").mkdir()
    (tmp_path / "voices" / name).symlink_to(tmp_path / "outside")
    with pytest.raises(RealtimeError, match=f"{name} is no folder"):
        add(opened(tmp_path / "voices"))
    assert list((tmp_path / "outside").iterdir()) == []


def damage_text(folder: Path, voice: StoredVoice) -> None:
    path = folder / f"{voice.id}.json"
    path.write_bytes(path.read_bytes()[:-20])


def other_contents(folder: Path, voice: StoredVoice) -> None:
    path = folder / f"{voice.id}.json"
    path.write_text(path.read_text().replace("Ada", "Eve"))


def path_trick(folder: Path, voice: StoredVoice) -> None:
    path = folder / f"{voice.id}.json"
    path.write_text(path.read_text().replace(voice.sound, "../../../etc/passwd"))


def huge(folder: Path, voice: StoredVoice) -> None:
    (folder / f"{voice.id}.json").write_bytes(b" " * 10_000_000)


def cut_sound(folder: Path, voice: StoredVoice) -> None:
    os.truncate(folder / "sounds" / f"{voice.sound}.flac", 1000)


def no_sound(folder: Path, voice: StoredVoice) -> None:
    (folder / "sounds" / f"{voice.sound}.flac").unlink()


@pytest.mark.parametrize("damage", [damage_text, other_contents, path_trick, huge, cut_sound, no_sound])
def test_a_damaged_voice_is_left_out_and_can_be_made_again(
    tmp_path: Path, damage: Callable[[Path, StoredVoice], None]
) -> None:
    store = opened(tmp_path)
    ada, bea = add(store), add(store, "Bea", B)
    damage(tmp_path, ada)
    (tmp_path / "notes.json").write_text("mine")
    with structlog.testing.capture_logs() as logs:
        store = opened(tmp_path)
    assert store.all() == [bea] and store.sound(bea) == B.flac
    left_out = [log["voice"] for log in logs if log["event"] == "voice_left_out"]
    assert sorted(left_out) == sorted([ada.id, "notes"])
    assert store.delete(ada.id) is False
    assert add(store) == ada
    (tmp_path / "notes.json").unlink()
    assert len(check(tmp_path).all()) == 2


def test_sounds_are_kept_while_something_cannot_be_read(tmp_path: Path) -> None:
    """It may be the voice that a newer version wrote."""
    voice = add(opened(tmp_path))
    damage_text(tmp_path, voice)
    opened(tmp_path)
    assert f"sounds/{A.key}.flac" in names(tmp_path)
    (tmp_path / f"{voice.id}.json").unlink()
    opened(tmp_path)
    assert names(tmp_path) == []


def test_what_a_killed_server_left_is_removed(tmp_path: Path) -> None:
    voice = add(opened(tmp_path))
    for left in ("0123.new", "sounds/4567.new", f"sounds/{B.key}.flac"):
        (tmp_path / left).write_bytes(b"half")
    assert check(tmp_path).all() == [voice]


def test_a_temporary_recording(tmp_path: Path) -> None:
    store = opened(tmp_path)
    with store.temporary(A, "Hello.") as first, store.temporary(A) as second:
        assert (first.key, first.text, second.text) == (A.key, "Hello.", "")
        assert not first.kept and not second.kept
        assert Path(first.path).read_bytes() == Path(second.path).read_bytes() == A.flac
        voice = add(store)
        store.delete(voice.id)
        assert Path(first.path).exists() and Path(second.path).exists()
    assert names(tmp_path) == [] and store.all() == []
    with pytest.raises(ValueError, match="in the block"), store.temporary(A) as reference:
        raise ValueError("in the block")
    assert not Path(reference.path).exists()


def test_another_server_that_starts_takes_no_temporary_recording(tmp_path: Path) -> None:
    with opened(tmp_path).temporary(A) as reference:
        abandoned = Path(reference.path).with_name("abandoned.flac")
        fresh = Path(reference.path).with_name("fresh.flac")
        for path in (abandoned, fresh):
            path.write_bytes(b"x")
        for path in (Path(reference.path), abandoned):
            os.utime(path, (0, 0))
        opened(tmp_path)
        assert Path(reference.path).read_bytes() == A.flac
        assert fresh.exists() and not abandoned.exists()
        opened(tmp_path, wall_clock=Today(fresh.stat().st_mtime + 59))
        assert fresh.exists()
        opened(tmp_path, wall_clock=Today(fresh.stat().st_mtime + 61))
        assert not fresh.exists() and Path(reference.path).exists()


class Failing:
    """The nth call of the system that changes something fails, or is the last."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, number: int, end: Callable[[str], None]) -> None:
        self.calls = 0
        for name in ("open", "write", "fsync", "replace", "unlink", "mkdir"):
            monkeypatch.setattr(os, name, self._wrap(name, number, end))

    def _wrap(self, name: str, number: int, end: Callable[[str], None]) -> Callable[..., object]:
        original = getattr(os, name)

        def call(*arguments: object, **options: object) -> object:
            self.calls += 1
            if self.calls == number:
                end(name)
            return original(*arguments, **options)

        return call


def no_space(name: str) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/secret/path")


def read_only(name: str) -> None:
    raise OSError(errno.EROFS, os.strerror(errno.EROFS), "/secret/path")


@pytest.mark.parametrize("end", [no_space, read_only])
def test_whatever_step_of_adding_fails_nothing_is_half_done(
    tmp_path: Path, end: Callable[[str], None]
) -> None:
    for number in range(1, 100):
        folder = tmp_path / str(number)
        store = opened(folder)
        with pytest.MonkeyPatch.context() as patched:
            failing = Failing(patched, number, end)
            try:
                voice = add(store)
            except RealtimeError as error:
                failed = error
            else:
                failed = None
        if failing.calls < number:
            break
        if failed is None:  # the folder could not be synced once it was there, say
            assert check(folder).all() == [voice]
            continue
        assert failed.code == ErrorCode.STORAGE_FAILED and "secret" not in failed.message
        assert "No space left" in failed.message or "Read-only" in failed.message
        assert store.all() == [] or store.all() == check(folder).all()
        assert len(check(folder).all()) <= 1
        add(store)
        assert len(check(folder).all()) == 1
    assert 10 < number < 50


def test_whatever_step_of_deleting_fails_it_can_be_done_again(tmp_path: Path) -> None:
    for number in range(1, 100):
        folder = tmp_path / str(number)
        store = opened(folder)
        voice = add(store)
        with pytest.MonkeyPatch.context() as patched:
            failing = Failing(patched, number, no_space)
            with contextlib.suppress(RealtimeError):
                store.delete(voice.id)
        if failing.calls < number:
            break
        assert check(folder).all() in ([], [voice])
        store.delete(voice.id)
        assert check(folder).all() == []
    assert 3 < number < 30


def test_a_disk_that_fills_up_while_a_sound_is_written(tmp_path: Path) -> None:
    """The system's own limit: a part is written, and then no more."""
    store = opened(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(A.flac) // 2, limits[1]))
    try:
        with pytest.raises(RealtimeError, match="could not be kept: File too large"):
            add(store)
        with pytest.raises(RealtimeError, match="could not be kept"), store.temporary(A):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert names(tmp_path) == []
    assert check(tmp_path).all() == []


def test_a_read_only_folder_is_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    voice = add(opened(tmp_path))
    original = os.open

    def only_reading(path: str, flags: int, *mode: int) -> int:
        if flags & os.O_CREAT:
            read_only("open")
        return original(path, flags, *mode)

    monkeypatch.setattr(os, "open", only_reading)
    store = opened(tmp_path)
    assert store.all() == [voice] and store.sound(voice) == A.flac
    with pytest.raises(RealtimeError, match="could not be deleted: Read-only file system"):
        store.delete(voice.id)
    assert store.get(voice.id) == voice


def test_something_else_in_its_place_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "voices").write_text("a file")
    with pytest.raises(ConfigError, match="cannot be read: Not a directory"):
        opened(tmp_path / "voices")
    with pytest.raises(RealtimeError, match="could not be read: Not a directory"):
        VoiceStore(tmp_path / "voices", 1).refresh()
    with pytest.raises(RealtimeError, match="could not be kept: Not a directory"):
        add(VoiceStore(tmp_path / "voices", 1))


def test_a_sound_that_vanished(tmp_path: Path) -> None:
    store = opened(tmp_path)
    voice = add(store)
    no_sound(tmp_path, voice)
    with pytest.raises(RealtimeError, match="could not be read"):
        store.sound(voice)


def test_a_lock_that_never_comes(tmp_path: Path) -> None:
    voice = add(opened(tmp_path))
    clock = HandClock()
    with open(tmp_path / ".lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        store = opened(tmp_path, clock=clock)
        assert 9 < clock.now() < 11
        assert store.all() == [voice]  # it reads, though it may not clean up
        with pytest.raises(RealtimeError, match="another server holds the folder"):
            add(store, "Bea")
    add(store, "Bea")


def test_two_servers_see_what_the_other_has_done(tmp_path: Path) -> None:
    one, two = opened(tmp_path), opened(tmp_path)
    voice = add(one)
    assert two.get(voice.id) is None
    two.refresh()
    assert two.get(voice.id) == voice
    assert two.delete(voice.id) is True
    assert one.delete(voice.id) is False and one.get(voice.id) is None
    one, two = opened(tmp_path, 1), opened(tmp_path, 1)
    add(one)
    with pytest.raises(RealtimeError, match="at most 1"):
        add(two, "Bea")


def test_a_voice_of_another_server_is_found_without_a_look_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = opened(tmp_path), opened(tmp_path)
    voice = add(one, text="Hello.")
    found = two.find(voice.id)
    assert found == voice and two.all() == []
    assert two.reference(found).path == one.reference(voice).path
    one.delete(voice.id)
    assert two.find(voice.id) is None
    bea = add(two, "Bea", B)
    cut_sound(tmp_path, bea)
    assert one.find(bea.id) is None and two.find(bea.id) == bea  # a known one is not opened
    opens: list[object] = []
    monkeypatch.setattr(os, "open", lambda *arguments: opens.append(arguments))
    for name in ("x", "../x", "clone-" + "0" * 24 + "\n", "clone-" + "0" * 23, bea.id):
        two.find(name)
    assert opens == []
    (tmp_path / f"{bea.id}.json").unlink()
    assert two.find(bea.id) is None and two.get(bea.id) == bea


def test_a_folder_that_is_gone_holds_nothing(tmp_path: Path) -> None:
    store = opened(tmp_path / "voices")
    voice = add(store)
    shutil.rmtree(tmp_path / "voices")
    assert store.delete(voice.id) is False and store.get(voice.id) is None and store.all() == []


def test_servers_that_add_and_delete_the_same_at_the_same_time(tmp_path: Path) -> None:
    problems: list[BaseException] = []

    def work(seed: int) -> None:
        chance = random.Random(seed)
        store = opened(tmp_path)
        try:
            for _ in range(25):
                voice = add(store, chance.choice("xyz"), chance.choice((A, B)))
                if chance.random() < 0.7:
                    store.delete(voice.id)
                elif chance.random() < 0.3:
                    store.open()
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    check(tmp_path)


WRITER = """
import os, sys
from pathlib import Path
from realtime.voices.store import VoiceStore
from tests.voices.recordings import recording
folder, at_steps = Path(sys.argv[1]), sys.argv[2] == "at steps"
a, b = recording(300), recording(400)

def work(store, rounds):
    for number in range(rounds):
        voice, _ = store.add("Ada" if number % 3 else "Bea", a if number % 2 else b, created=1.0)
        with store.temporary(a):
            if number % 4 != 1:
                store.delete(voice.id)

def killed_at(step):
    calls = 0
    def wrap(original):
        def call(*arguments, **options):
            nonlocal calls
            calls += 1
            if calls == step:
                os._exit(9)
            return original(*arguments, **options)
        return call
    for name in ("open", "write", "fsync", "replace", "unlink", "mkdir", "close"):
        setattr(os, name, wrap(getattr(os, name)))

if not at_steps:
    print("ready", flush=True)
    store = VoiceStore(folder, 100)
    store.open()
    while True:
        work(store, 8)
for step in range(1, 1000):
    child = os.fork()
    if not child:
        killed_at(step)
        store = VoiceStore(folder / str(step), 100)
        store.open()
        work(store, 2)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print(step, os.waitstatus_to_exitcode(status), flush=True)
    if not status:
        break
"""


def writer(folder: Path, killed: str) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), killed],
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    )


def test_killed_at_any_step(tmp_path: Path) -> None:
    """Before each call of the system in turn: what is there then is whole, and serves the next server."""
    with writer(tmp_path, "at steps") as process:
        assert process.stdout is not None
        ends = dict(line.split() for line in process.stdout)
    assert process.returncode == 0 and list(ends.values()) == ["9"] * (len(ends) - 1) + ["0"]
    assert len(ends) > 60
    for step in ends:
        with structlog.testing.capture_logs() as logs:
            store = opened(tmp_path / step)
        assert logs == []
        for path in (tmp_path / step / "temporary").glob("*.flac"):
            os.utime(path, (0, 0))
        add(store)
        assert A.key in {voice.sound for voice in check(tmp_path / step).all()}


def test_killed_at_any_time(tmp_path: Path) -> None:
    for number in range(3):
        with writer(tmp_path, "at any time") as process:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
            time.sleep(0.05 + 0.07 * number)
            process.send_signal(signal.SIGKILL)
        with structlog.testing.capture_logs() as logs:
            opened(tmp_path)
        assert logs == []
        for path in (tmp_path / "temporary").glob("*.flac"):
            os.utime(path, (0, 0))
        check(tmp_path)
