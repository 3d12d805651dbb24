"""How a context's text is read follows from its settings, the engine and the server's settings."""

from __future__ import annotations

from typing import Any

import pytest

from realtime.app import text_options
from realtime.config import Config
from realtime.engines.engine import Capabilities
from realtime.text.frontend import TextOptions
from realtime.types import VoiceSettings

CAPABLE: dict[str, Any] = {"name": "any", "voices": ("a",), "languages": ("en", "de"), "sample_rate": 24_000}


def options(
    settings: VoiceSettings | None = None, config: Config | None = None, **capabilities: Any
) -> TextOptions:
    return text_options(
        settings or VoiceSettings("a", "en"), Capabilities(**CAPABLE | capabilities), config or Config(), {}
    )


def test_what_nobody_asked_for() -> None:
    assert options() == TextOptions("en")


@pytest.mark.parametrize(
    ("capabilities", "changed"),
    [
        ({"normalizes_text": True}, {"normalize": False}),
        ({"language_fixed_per_utterance": True}, {"language_fixed": True}),
        ({"takes": "word"}, {"words": True}),
    ],
)
def test_what_the_engine_decides(capabilities: dict[str, Any], changed: dict[str, Any]) -> None:
    """One that writes numbers out by itself is given words as they are written: nothing is done twice."""
    assert options(**capabilities) == TextOptions("en", **changed)


def test_what_the_server_decides() -> None:
    config = Config(code_blocks="say", tables="announce")
    assert options(config=config) == TextOptions("en", code="say", tables="announce")


def test_what_the_client_decides() -> None:
    settings = VoiceSettings(
        "a",
        "de",
        buffer="sentence",
        normalize=False,
        lexicon=(("SQL", "sequel"),),
        markup=True,
        auto_voices=(("en", "a"), ("de", "b")),
    )
    read = options(settings)
    assert (read.language, read.languages, read.buffering) == ("de", ("en", "de"), "sentence")
    assert (read.normalize, read.markup) == (False, True)
    assert read.lexicon is not None
    assert [edit.spoken for edit in read.lexicon.edits("SQL")] == ["sequel"]


def test_the_clients_lexicon_goes_before_the_servers() -> None:
    settings = VoiceSettings("a", "en", lexicon=(("SQL", "squeal"),))
    read = text_options(settings, Capabilities(**CAPABLE), Config(), {"SQL": "sequel", "nginx": "engine ex"})
    assert read.lexicon is not None
    assert [edit.spoken for edit in read.lexicon.edits("SQL nginx")] == ["squeal", "engine ex"]
