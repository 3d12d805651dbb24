"""Prompts are worked out once, are found again in memory and on disk, and are never another's."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from realtime.engines.engine import PromptStats
from realtime.engines.prompts import LEAST_ON_DISK, Prompt, PromptCache, forget_on_disk
from realtime.types import VoiceReference

ADA = VoiceReference("aa" * 32, "/nowhere/a.flac", "Hello.")
BEA = VoiceReference("bb" * 32, "/nowhere/b.flac")
#: The same sound, in a recording that came with one request.
PASSING = replace(ADA, path="/nowhere/temporary.flac", kept=False)


class Maker:
    """Makes prompts that tell what they are of, and counts them."""

    def __init__(self) -> None:
        self.made: list[VoiceReference] = []

    def __call__(self, reference: VoiceReference) -> Prompt:
        self.made.append(reference)
        letters = np.frombuffer(f"{reference.key}{reference.text}".encode(), np.uint8)
        return {"letters": letters, "codes": np.arange(12, dtype=np.int64).reshape(3, 4).T}


def same(one: Prompt, other: Prompt) -> bool:
    return one.keys() == other.keys() and all(
        np.array_equal(one[name], other[name]) and one[name].dtype == other[name].dtype for name in one
    )


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def test_it_is_made_once_and_found_in_memory() -> None:
    cache, make = PromptCache(None, 2), Maker()
    first = cache.prompt(ADA, "m", make)
    assert same(first, Maker()(ADA))
    assert cache.prompt(ADA, "m", make) is first
    assert make.made == [ADA] and cache.stats == PromptStats(1, 1, 1)


def test_recording_text_and_model_tell_prompts_apart(tmp_path: Path) -> None:
    make = Maker()
    other_text = VoiceReference(ADA.key, ADA.path, "Bye.")
    elsewhere = VoiceReference(ADA.key, "/somewhere/else.flac", ADA.text)
    for _ in range(2):
        cache = PromptCache(tmp_path, 10)
        for reference, model in ((ADA, "m"), (BEA, "m"), (other_text, "m"), (ADA, "m2"), (elsewhere, "m")):
            assert same(cache.prompt(reference, model, make), Maker()(reference))
    assert make.made == [ADA, BEA, other_text, ADA] and len(files(tmp_path)) == 4
    assert cache.stats == PromptStats(4, 5, 0)


def test_the_least_recently_used_goes_first() -> None:
    cache, make = PromptCache(None, 2), Maker()
    for key in ("1", "2", "1", "3", "1", "2"):
        cache.prompt(VoiceReference(key, ""), "m", make)
    assert [each.key for each in make.made] == ["1", "2", "3", "2"]
    assert cache.stats == PromptStats(2, 2, 4)


def test_none_in_memory(tmp_path: Path) -> None:
    make = Maker()
    cache = PromptCache(tmp_path, 0)
    for _ in range(3):
        cache.prompt(ADA, "m", make)
    assert make.made == [ADA] and cache.stats == PromptStats(0, 2, 1)
    cache = PromptCache(None, 0)
    for _ in range(3):
        cache.prompt(ADA, "m", make)
    assert cache.stats == PromptStats(0, 0, 3)


def test_nobody_may_change_it(tmp_path: Path) -> None:
    source = np.zeros(3, np.float32)
    for _ in range(2):
        prompt = PromptCache(tmp_path, 1).prompt(ADA, "m", lambda reference: {"a": source})
        with pytest.raises(ValueError, match="read-only"):
            prompt["a"][0] = 1
        with pytest.raises(TypeError):
            prompt["b"] = source  # type: ignore[index]
    source[0] = 1  # whoever made it may go on with his own


def test_it_is_found_on_disk_by_the_next_process(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "prompts"
    made = PromptCache(folder, 2).prompt(ADA, "m", Maker())
    cache, make = PromptCache(folder, 2), Maker()
    assert same(cache.prompt(ADA, "m", make), made)
    cache.prompt(ADA, "m", make)
    assert make.made == [] and cache.stats == PromptStats(1, 2, 0)
    (path,) = files(folder)
    assert path.suffix == ".safetensors" and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("key", ["../../x", "a/b", "", "\0", "x" * 10_000, "\ud800", "🎙️"])
def test_a_key_is_never_part_of_a_path(tmp_path: Path, key: str) -> None:
    folder = tmp_path / "prompts"
    cache = PromptCache(folder, 0)
    reference = VoiceReference(key, "", "../text")
    for _ in range(2):
        cache.prompt(reference, "../model", lambda each: {"a": np.zeros(1)})
    assert cache.stats == PromptStats(0, 1, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["prompts"]
    cache.forget(key)
    assert files(folder) == []


def test_nothing_of_a_passing_recording_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "prompts"
    cache, make = PromptCache(folder, 1), Maker()
    first = cache.prompt(PASSING, "m", make)
    assert cache.prompt(PASSING, "m", make) is first  # for the next request with the same
    assert make.made == [PASSING] and cache.stats == PromptStats(1, 1, 1) and not folder.exists()
    cache.prompt(replace(BEA, kept=False), "m", make)
    assert cache.stats.entries == 1 and not folder.exists()
    cache.prompt(PASSING, "m", make)
    assert len(make.made) == 3  # memory is all that it was in


def test_one_that_a_stored_voice_asks_for_is_written_after_all(tmp_path: Path) -> None:
    cache, make = PromptCache(tmp_path, 5), Maker()
    first = cache.prompt(PASSING, "m", make)
    assert files(tmp_path) == []
    for _ in range(2):
        assert cache.prompt(ADA, "m", make) is first
    assert len(files(tmp_path)) == 1 and len(make.made) == 1
    again = PromptCache(tmp_path, 5)
    for reference in (ADA, PASSING):
        assert same(again.prompt(reference, "m", make), first)
    assert len(make.made) == 1 and again.stats == PromptStats(1, 2, 0)


def test_one_that_is_forgotten_while_it_is_written_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = PromptCache(tmp_path, 5)
    cache.prompt(PASSING, "m", Maker())
    rename = os.replace

    def forgotten_meanwhile(*paths: str) -> None:
        cache.forget(ADA.key)
        rename(*paths)

    monkeypatch.setattr(os, "replace", forgotten_meanwhile)
    cache.prompt(ADA, "m", Maker())
    assert files(tmp_path) == [] and cache.stats.entries == 0


def truncated(path: Path, other: Path) -> None:
    os.truncate(path, path.stat().st_size - 10)


def one_bit(path: Path, other: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)


def empty(path: Path, other: Path) -> None:
    path.write_bytes(b"")


def huge_header(path: Path, other: Path) -> None:
    path.write_bytes(b"\xff" * 100)


def of_another(path: Path, other: Path) -> None:
    path.write_bytes(other.read_bytes())


def from_elsewhere(path: Path, other: Path) -> None:
    save_file({"letters": np.zeros(3)}, path)


def nothing_in_it(path: Path, other: Path) -> None:
    save_file({}, path)


@pytest.mark.parametrize(
    "damage", [truncated, one_bit, empty, huge_header, of_another, from_elsewhere, nothing_in_it]
)
def test_a_file_that_is_damaged_or_anothers_is_made_anew(
    tmp_path: Path, damage: Callable[[Path, Path], None]
) -> None:
    PromptCache(tmp_path, 2).prompt(ADA, "m", Maker())
    (path,) = files(tmp_path)
    PromptCache(tmp_path, 2).prompt(BEA, "m", Maker())
    (other,) = set(files(tmp_path)) - {path}
    damage(path, other)
    cache, make = PromptCache(tmp_path, 2), Maker()
    assert same(cache.prompt(ADA, "m", make), Maker()(ADA))
    assert make.made == [ADA] and cache.stats.misses == 1
    cache = PromptCache(tmp_path, 2)
    assert same(cache.prompt(ADA, "m", make), Maker()(ADA)) and cache.stats.hits == 1
    assert len(files(tmp_path)) == 2


def test_without_a_usable_folder_memory_serves_and_one_line_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "file"
    place.write_text("no folder")
    cache, make = PromptCache(place, 2), Maker()
    for reference in (ADA, BEA, ADA):
        cache.prompt(reference, "m", make)
    cache.forget(ADA.key)
    assert make.made == [ADA, BEA] and cache.stats == PromptStats(1, 1, 2)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "in memory alone: " in caplog.text and "Not a directory" in caplog.text


def test_a_disk_that_is_full_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    cache, make = PromptCache(tmp_path, 2), Maker()
    cache.prompt(ADA, "m", make)
    cache.prompt(ADA, "m", make)
    assert make.made == [ADA] and files(tmp_path) == []


def test_the_disk_holds_no_more_than_it_may(tmp_path: Path) -> None:
    cache, make = PromptCache(tmp_path, 1), Maker()
    left = tmp_path / "0123.new"
    left.write_bytes(b"")
    os.utime(left, (0, 0))
    (tmp_path / "other.txt").write_text("mine")
    for number in range(LEAST_ON_DISK):
        cache.prompt(VoiceReference(str(number), ""), "m", make)
        newest = max(files(tmp_path), key=lambda path: path.stat().st_mtime_ns)
        os.utime(newest, (1000 + number, 1000 + number))
    cache.prompt(VoiceReference("0", ""), "m", make)  # used just now, on disk
    for number in range(LEAST_ON_DISK, LEAST_ON_DISK + 3):
        cache.prompt(VoiceReference(str(number), ""), "m", make)
    assert len(files(tmp_path)) == LEAST_ON_DISK + 1 and not left.exists()
    again, make = PromptCache(tmp_path, 1), Maker()
    for number in (0, 4, LEAST_ON_DISK - 1, LEAST_ON_DISK + 2, 1, 2, 3):
        again.prompt(VoiceReference(str(number), ""), "m", make)
    assert [each.key for each in make.made] == ["1", "2", "3"]


class Waiting(Maker):
    """Takes until it is told to go on."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.error = error

    def __call__(self, reference: VoiceReference) -> Prompt:
        self.made.append(reference)
        self.begun.set()
        assert self.go_on.wait(30)
        if self.error is not None:
            raise self.error
        return Maker()(reference)


class Asking(threading.Thread):
    """Asks for a prompt on a thread of its own."""

    def __init__(self, cache: PromptCache, reference: VoiceReference, make: Maker) -> None:
        super().__init__()
        self.result: Prompt | Exception | None = None
        self._ask = lambda: cache.prompt(reference, "m", make)
        self.start()

    def run(self) -> None:
        try:
            self.result = self._ask()
        except Exception as error:
            self.result = error


def test_equal_calls_at_the_same_time_make_one_and_hold_up_no_other(tmp_path: Path) -> None:
    cache, make = PromptCache(tmp_path, 5), Waiting()
    asking = [Asking(cache, ADA, make) for _ in range(5)]
    assert make.begun.wait(30)
    cache.prompt(BEA, "m", Maker())
    assert cache.stats.misses == 1
    make.go_on.set()
    for each in asking:
        each.join()
    assert make.made == [ADA] and all(each.result is asking[0].result for each in asking)
    assert asking[0].result is not None and not isinstance(asking[0].result, Exception)
    assert cache.stats == PromptStats(2, 4, 2)


def test_a_failure_is_shared_and_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    others = threading.Semaphore(0)
    wait = Future.result

    def come_to_wait(future: Future[object], timeout: float | None = None) -> object:
        others.release()
        return wait(future, timeout)

    monkeypatch.setattr(Future, "result", come_to_wait)
    cache, make = PromptCache(tmp_path, 5), Waiting(ValueError("no voice in it"))
    asking = [Asking(cache, ADA, make) for _ in range(3)]
    assert make.begun.wait(30) and others.acquire(timeout=30) and others.acquire(timeout=30)
    make.go_on.set()
    for each in asking:
        each.join()
    assert isinstance(asking[0].result, ValueError) and make.made == [ADA]
    assert all(each.result is asking[0].result for each in asking)
    assert cache.stats == PromptStats(0, 0, 0) and files(tmp_path) == []
    assert same(cache.prompt(ADA, "m", Maker()), Maker()(ADA))


def test_forgotten_in_memory_and_on_disk(tmp_path: Path) -> None:
    cache = PromptCache(tmp_path, 5)
    other_text = VoiceReference(ADA.key, ADA.path, "Bye.")
    for reference, model in ((ADA, "m"), (other_text, "m"), (ADA, "m2"), (BEA, "m")):
        cache.prompt(reference, model, Maker())
    cache.forget(ADA.key)
    assert cache.stats.entries == 1 and len(files(tmp_path)) == 1
    make = Maker()
    cache.prompt(BEA, "m", make)
    cache.prompt(ADA, "m", make)
    assert make.made == [ADA]
    forget_on_disk(tmp_path, BEA.key)
    assert len(files(tmp_path)) == 1
    forget_on_disk(tmp_path / "nowhere", BEA.key)
    cache.forget("unknown")
    assert cache.stats.entries == 2


def test_what_is_being_made_of_a_deleted_recording_is_not_kept(tmp_path: Path) -> None:
    cache, make = PromptCache(tmp_path, 5), Waiting()
    asking = Asking(cache, ADA, make)
    assert make.begun.wait(30)
    cache.forget(ADA.key)
    make.go_on.set()
    asking.join()
    assert not isinstance(asking.result, Exception) and asking.result is not None
    assert cache.stats.entries == 0 and files(tmp_path) == []


def test_many_threads_and_few_places(tmp_path: Path) -> None:
    cache = PromptCache(tmp_path, 3)
    references = [VoiceReference(str(number), "", str(number)) for number in range(8)]
    wrong: list[object] = []

    def work(seed: int) -> None:
        chance = np.random.default_rng(seed)
        for number in chance.integers(len(references), size=60):
            reference = references[number]
            if not same(cache.prompt(reference, "m", Maker()), Maker()(reference)):
                wrong.append(reference)
            if number == 0:
                cache.forget(reference.key)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == [] and 0 < cache.stats.entries <= 3
    assert cache.stats.hits + cache.stats.misses == 6 * 60
