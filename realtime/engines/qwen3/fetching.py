"""Where the files of a model are: a folder, or the cache of Hugging Face, into which they are fetched."""

from __future__ import annotations

import fnmatch
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import HfApi, constants, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.file_download import repo_folder_name

from realtime.errors import EngineError

#: Told what is done and how far it is, from 0 to 1.
Progress = Callable[[str, float], None]

#: What of a model is read; some have one file where others have several.
FILES = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "model*.safetensors",
    "model.safetensors.index.json",
    "speech_tokenizer/config.json",
    "speech_tokenizer/model*.safetensors",
    "speech_tokenizer/model.safetensors.index.json",
)
DOWNLOADING = "download"
#: Where weights are.
_PARTS = (".", "speech_tokenizer")

#: "owner/name", as Hugging Face has it.
_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)
_WATCH_S = 0.5


def resolve(
    model_id: str, progress: Progress, *, revision: str | None = None, offline: bool | None = None
) -> Path:
    """The folder with the files of `model_id`, a folder or a name on Hugging Face.

    What is not in the cache of Hugging Face is fetched, with `progress` told; a download that was cut off
    goes on where it was. `revision`: a branch or commit, None: the newest, or the one that is here if the hub
    cannot be reached. `offline`: nothing is fetched; None: as HF_HUB_OFFLINE says. Raises `EngineError`.
    """
    folder = Path(model_id).expanduser()
    if folder.is_dir():
        return folder
    if not _HUB_ID.fullmatch(model_id):
        raise EngineError(f"there is no folder {model_id!r}, and no model has such a name on Hugging Face")
    if offline or (offline is None and constants.HF_HUB_OFFLINE):
        return _cached(model_id, revision, "and HF_HUB_OFFLINE is set")
    try:
        return _fetched(model_id, revision, progress)
    except GatedRepoError:
        raise EngineError(
            f"the model {model_id!r} on Hugging Face is for those who were let in; set HF_TOKEN"
        ) from None
    except RepositoryNotFoundError:
        raise EngineError(
            f"there is no model {model_id!r} on Hugging Face, or it is to be had with a HF_TOKEN only"
        ) from None
    except RevisionNotFoundError:
        raise EngineError(f"the model {model_id!r} has no revision {revision!r}") from None
    except EngineError:
        raise
    except Exception as error:  # what fetches has several trees of errors, and lets others through
        if isinstance(error, OSError) and error.strerror:  # of a file here; those of the network have none
            raise EngineError(f"the model {model_id!r} cannot be stored: {_first_line(error)}") from error
        return _cached(model_id, revision, f"and cannot be had from Hugging Face: {_first_line(error)}")


def _fetched(model_id: str, revision: str | None, progress: Progress) -> Path:
    info = HfApi().model_info(model_id, revision=revision, files_metadata=True)
    sizes = {
        each.rfilename: each.size or 0
        for each in info.siblings or ()
        if any(fnmatch.fnmatchcase(each.rfilename, pattern) for pattern in FILES)
    }
    if "config.json" not in sizes:
        raise EngineError(f"the model {model_id!r} has no config.json; it is not a Qwen3-TTS model")
    whole, done = max(1, sum(sizes.values())), 0
    progress(DOWNLOADING, 0.0)
    # The large ones last: what is wrong with the others is known at once.
    for name, size in sorted(sizes.items(), key=lambda item: item[1]):
        with _watched(model_id, size, lambda part, done=done: progress(DOWNLOADING, (done + part) / whole)):  # type: ignore[misc]
            hf_hub_download(model_id, name, revision=info.sha)
        done += size
        progress(DOWNLOADING, done / whole)
    # By the name of the revision, so that the cache knows which commit it is: now that all of it is there.
    hf_hub_download(model_id, "config.json", revision=revision)
    return Path(hf_hub_download(model_id, "config.json", revision=info.sha)).parent


@contextmanager
def _watched(model_id: str, size: int, arrived: Callable[[int], None]) -> Iterator[None]:
    """Tells at times how many of the `size` bytes of a file are there, while it is fetched.

    The ways in which huggingface_hub fetches files have in common where the unfinished one grows.
    """
    blobs = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=model_id, repo_type="model") / "blobs"
    over = threading.Event()

    def watch() -> None:
        told = 0
        while not over.wait(_WATCH_S):
            there = 0
            for path in blobs.glob("*.incomplete"):
                try:
                    there = max(there, path.stat().st_size)
                except OSError:  # complete by now
                    continue
            if told < there <= size:
                told = there
                arrived(there)

    watcher = threading.Thread(target=watch, name="download", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _cached(model_id: str, revision: str | None, why: str) -> Path:
    """The files that were fetched before, if the weights are among them."""
    try:
        folder = Path(snapshot_download(model_id, revision=revision, local_files_only=True))
    except LocalEntryNotFoundError:
        folder = None
    if folder is None or not all(any((folder / part).glob("model*.safetensors")) for part in _PARTS):
        raise EngineError(f"the model {model_id!r} is not wholly on this machine, {why}")
    return folder


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or repr(error)).splitlines()[0]
