"""`.env.example`, the README's table, compose.yaml and `realtime/config.py` say the same."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from deploy import settings
from realtime.config import Config, from_environment, table

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / ".env.example").read_text()


@pytest.mark.parametrize("path", settings.written(), ids=lambda path: path.name)
def test_files_are_as_make_settings_writes_them(path: Path) -> None:
    assert path.read_text() == settings.written()[path], "run `make settings`"


def test_the_example_holds_every_setting_once_with_its_default() -> None:
    given = re.findall(r"^#([A-Z][A-Z0-9_]*)=(.*)$", EXAMPLE, re.MULTILINE)
    names = [name for name, _ in given]
    assert len(names) == len(set(names))
    of_server = {name: default for name, default, _ in table()}
    assert dict(given) == of_server | {name: default for name, default, _ in settings.OF_COMPOSE}
    assert from_environment({name: value for name, value in given if name in of_server}) == Config()


def test_the_example_as_it_is_sets_nothing_and_a_shell_reads_it(tmp_path: Path) -> None:
    """With the # taken away it is read by a shell, too, and says what it says."""
    assert all(line.startswith("#") or not line for line in EXAMPLE.splitlines())
    active = tmp_path / ".env"
    active.write_text(re.sub(r"^#(?=[A-Z][A-Z0-9_]*=)", "", EXAMPLE, flags=re.MULTILINE))
    command = f'set -a; . {active}; [ "$MAX_SESSIONS $MODEL_ID" = "256 {Config().model_id}" ]'
    subprocess.run(["sh", "-euc", command], env={}, check=True)


def test_groups_begin_at_settings_in_their_order() -> None:
    names = [name for name, *_ in table()]
    firsts = [first for _, first in settings.GROUPS]
    assert firsts == sorted(firsts, key=names.index) and firsts[0] == names[0]
    assert set(settings.FIXED) <= set(names)


def test_a_file_without_a_table_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match="nothing looks like"):
        settings.compose("services: {}\n")
