"""Writes what `realtime/config.py` says into other files: README.md, `.env.example`, `compose.yaml`.

`make settings` runs it after a setting was added or changed; a test compares.
"""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path

from realtime.config import table

ROOT = Path(__file__).parents[1]
#: (title, its first setting) in the order of the settings: one that is added is in the group of that before.
GROUPS = (
    ("Where it listens", "HOST"),
    ("Who may speak", "API_KEYS"),
    ("What speaks", "ENGINE"),
    ("Qwen3-TTS", "MODEL_ID"),
    ("Sound", "ENCODER_THREADS"),
    ("What is kept", "AUDIO_CACHE_MB"),
    ("How much at a time", "MAX_SESSIONS"),
    ("Text", "MAX_TEXT_PER_MESSAGE"),
    ("Connections", "REQUEST_TIMEOUT_S"),
    ("WebRTC", "RTC"),
    ("How it ends", "IDLE_TIMEOUT_S"),
    ("Logs", "LOG_LEVEL"),
)
#: What a container has of its own; compose.yaml says it service by service.
FIXED = ("HOST", "PORT", "UDS", "DATA_FOLDER", "ENGINE", "SPEED_QUALITY", "LOG_FORMAT")
#: (variable, default, meaning) of what compose.yaml alone reads.
OF_COMPOSE = (
    (
        "COMPOSE_PROFILES",
        "cpu",
        "what is started, separated by commas: `cpu` or `gpu`, not both; `redis`, `monitoring`, `proxy`",
    ),
    ("REALTIME_IMAGE", "realtime", "name of the image; its tag is `cpu` or `gpu`"),
    ("PUBLISH", "127.0.0.1:8000", "address and port of this machine that lead to the server without a proxy"),
    ("CPUSET", "", "cores of this machine that the server may use, as 0-3,6; nothing: all"),
    ("GPU", "0", "the card that it uses: its number, or its UUID"),
    ("HF_TOKEN", "", "token for models of Hugging Face that ask for one"),
    ("HF_HUB_OFFLINE", "0", "1: Hugging Face is not asked; the model is in the volume already"),
    ("SHM_SIZE", "256m", "shared memory of the server, when it has its own and not the host's (`ipc`)"),
    ("STOP_GRACE_PERIOD", "40s", "how long its end may take: 5 s more than DRAIN_S at least"),
    ("REDIS_MEMORY", "256mb", "memory of Redis; REDIS_URL=redis://redis:6379/0 has the server use it"),
    ("SITE", "localhost", "name of the site, for which Caddy gets a certificate"),
    ("UPSTREAM", "unix//run/realtime/realtime.sock", "where Caddy finds the server: its socket, or tts:8000"),
    ("HTTP_PUBLISH", "80", "port of this machine that leads from http to https, or address and port"),
    ("HTTPS_PUBLISH", "443", "port of this machine that Caddy answers at, or address and port; UDP as well"),
    ("PROMETHEUS_PUBLISH", "127.0.0.1:9090", "address and port of Prometheus; it asks nobody who they are"),
    ("PROMETHEUS_RETENTION", "15d", "how long figures are kept"),
    ("GRAFANA_PUBLISH", "127.0.0.1:3000", "address and port of Grafana"),
    (
        "GRAFANA_PASSWORD",
        "",
        "password of its `admin`, 12 characters at least; without one Grafana does not start",
    ),
)
_HEAD = """\
# Every setting there is, with its default. Copy this file to .env, and take away the # of what you change.
# `docker compose` reads .env by itself. For a server without containers: set -a; . ./.env; set +a; make run
# Written by `make settings`.
"""
_HEAD_OF_COMPOSE = """\
# What compose.yaml alone reads.
"""
_HEAD_OF_SETTINGS = f"""\
# The settings of the server. In a container these are what compose.yaml says, whatever stands here:
# HOST, PORT, UDS and DATA_FOLDER; and the defaults of {", ".join(FIXED[4:])} are those of the image.
"""
_WIDTH = 118


def env_example() -> str:
    """The text of `.env.example`."""
    starts = {first: title for title, first in GROUPS}
    parts = [_HEAD, _HEAD_OF_COMPOSE, *(_entry(*row) for row in OF_COMPOSE), _HEAD_OF_SETTINGS]
    for name, default, meaning in table():
        if name in starts:
            parts.append(f"## {starts[name]}\n")
        parts.append(_entry(name, default, meaning))
    return "\n".join(parts)


def _entry(name: str, default: str, meaning: str) -> str:
    lines = textwrap.wrap(
        meaning, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False
    )
    return "\n".join([*lines, f"#{name}={default}"]) + "\n"


def readme(text: str) -> str:
    """The README with its table of settings."""
    rows = "".join(f"| `{name}` | `{default}` | {meaning} |\n" for name, default, meaning in table())
    return _replaced(text, r"(<!-- settings: [^\n]*-->\n\n\|[^\n]*\n\|[^\n]*\n)((?:\|[^\n]*\n)*)", rows)


def compose(text: str) -> str:
    """`compose.yaml` with what it hands on to the server."""
    lines = "".join(
        f'  {name}: "${{{name}:-{default}}}"\n' for name, default, _ in table() if name not in FIXED
    )
    return _replaced(text, r"(x-settings: &settings\n)((?:  [A-Z0-9_]+:[^\n]*\n)*)", lines)


def _replaced(text: str, pattern: str, by: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise SystemExit(f"nothing looks like {pattern}")
    return text[: match.start(2)] + by + text[match.end(2) :]


def written() -> dict[Path, str]:
    """Every file, with the text that it should have."""
    return {
        ROOT / ".env.example": env_example(),
        ROOT / "README.md": readme((ROOT / "README.md").read_text()),
        ROOT / "compose.yaml": compose((ROOT / "compose.yaml").read_text()),
    }


def main() -> int:
    """Write them, and name those that have become others."""
    for path, text in written().items():
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
