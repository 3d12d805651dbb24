"""Models by name: fetched from a hub, taken from its cache, not to be had; with progress."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from realtime.engines.qwen3.fetching import resolve
from realtime.errors import EngineError
from tests.engines.qwen3.hub import COMMIT, Hub, HubModel

NEEDED = {
    "config.json": b"{}",
    "vocab.json": b"{}",
    "model.safetensors": bytes(25_000_000),
    "speech_tokenizer/config.json": b"{}",
    "speech_tokenizer/model.safetensors": b"codec",
}
OTHERS = {"README.md": b"read me", "pytorch_model.bin": b"pickle", "speech_tokenizer/other.txt": b""}
#: In a process of its own, as huggingface_hub reads its settings when it is imported.
PROGRAM = """
import json, sys
from realtime.engines.qwen3.fetching import resolve
from realtime.errors import EngineError
told = []
try:
    path = str(resolve(sys.argv[1], lambda *what: told.append(what), revision=sys.argv[2] or None))
    print(json.dumps({"path": path, "told": told}))
except EngineError as error:
    print(json.dumps({"error": str(error), "told": told}))
"""


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    models = {
        "me/slow": HubModel(NEEDED | OTHERS, delay_s=0.4),
        "me/broken": HubModel(NEEDED, broken=frozenset({"model.safetensors"})),
        "me/other": HubModel({"weights.bin": b""}),
    }
    with Hub(models) as serving:
        yield serving


def resolved(
    hub: Hub | None, home: Path, model_id: str, revision: str = "", **settings: str
) -> dict[str, Any]:
    """What `resolve` does with a cache in `home`; without a `hub` nobody listens where it should be."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, model_id, revision],
        env=os.environ
        | {"HF_HOME": str(home), "HF_ENDPOINT": "http://127.0.0.1:9" if hub is None else hub.url}
        # Other tests of this process may have gone offline.
        | {"HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
        | settings,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    assert "\n" not in answer.get("error", "")
    return answer


def test_what_is_needed_is_fetched_once_and_told(hub: Hub, tmp_path: Path) -> None:
    first = resolved(hub, tmp_path, "me/slow")
    folder = Path(first["path"])
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files == set(NEEDED)
    assert (folder / "model.safetensors").stat().st_size == 25_000_000
    fractions = [fraction for what, fraction in first["told"] if what == "download"]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    # Also while a large file is on its way.
    assert any(0.1 < fraction < 0.9 for fraction in fractions)

    hub.fetched.clear()
    assert resolved(hub, tmp_path, "me/slow", COMMIT)["path"] == first["path"]
    assert hub.fetched == []
    assert resolved(hub, tmp_path, "me/slow", HF_HUB_OFFLINE="1")["path"] == first["path"]
    assert resolved(None, tmp_path, "me/slow")["path"] == first["path"]


def test_a_download_that_fails_says_why_and_leaves_no_model(hub: Hub, tmp_path: Path) -> None:
    error = resolved(hub, tmp_path, "me/broken")["error"]
    assert error.startswith("the model 'me/broken' is not wholly on this machine, and cannot be had")
    assert "403" in error
    # Its small files are here now: that is not the model.
    error = resolved(hub, tmp_path, "me/broken", HF_HUB_OFFLINE="1")["error"]
    assert error == "the model 'me/broken' is not wholly on this machine, and HF_HUB_OFFLINE is set"


def test_nothing_is_fetched_offline(hub: Hub, tmp_path: Path) -> None:
    hub.fetched.clear()
    error = resolved(hub, tmp_path, "me/slow", HF_HUB_OFFLINE="1")["error"]
    assert error == "the model 'me/slow' is not wholly on this machine, and HF_HUB_OFFLINE is set"
    assert hub.fetched == []


def test_what_a_hub_does_not_have(hub: Hub, tmp_path: Path) -> None:
    error = resolved(hub, tmp_path, "me/nothing")["error"]
    assert error.startswith("there is no model 'me/nothing' on Hugging Face")
    error = resolved(hub, tmp_path, "me/slow", "v2")["error"]
    assert error == "the model 'me/slow' has no revision 'v2'"
    error = resolved(hub, tmp_path, "me/other")["error"]
    assert error == "the model 'me/other' has no config.json; it is not a Qwen3-TTS model"


def test_a_hub_that_cannot_be_reached(tmp_path: Path) -> None:
    error = resolved(None, tmp_path, "me/slow")["error"]
    assert error.startswith("the model 'me/slow' is not wholly on this machine, and cannot be had")


def test_a_cache_that_cannot_be_written_to(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    error = resolved(hub, tmp_path / "file", "me/slow")["error"]
    assert error.startswith("the model 'me/slow' cannot be stored: ")


def test_a_folder_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "model").mkdir()
    for name in (str(tmp_path / "model"), "~/model"):
        assert resolve(name, lambda what, fraction: None) == tmp_path / "model"


@pytest.mark.parametrize("name", ["", "model", "/no/such/folder", "./model", "a/b/c", "a/b?c", "ä/b"])
def test_what_is_neither_a_folder_nor_a_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if not name:
        name = str(tmp_path / "nothing")
    with pytest.raises(EngineError, match="there is no folder"):
        resolve(name, lambda what, fraction: None)
