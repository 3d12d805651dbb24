"""The command line: `python -m realtime serve`, `say`, `text` and `voices`."""

from __future__ import annotations

import os
import sys

from realtime import __version__
from realtime.errors import RealtimeError

_USAGE = """usage: python -m realtime COMMAND

  serve            run the server; settings come from the environment (see README.md)
  say [TEXT]       speak a text, a file (--file) or standard input as it arrives (-); see `say --help`
  text [TEXT]      show how a text is cut, cleaned and written out; see `text --help`
  voices           list the voices: id, language, engine, aliases
"""


def _settings() -> str:
    from realtime.config import table

    rows = "\n".join(f"  {name:<22} {default:<12} {meaning}" for name, default, meaning in table())
    return f"usage: python -m realtime serve\n\nEnvironment variables, their defaults and meaning:\n\n{rows}"


def _voices() -> str:
    from realtime.voices.catalogue import table

    rows = [("voice", "language", "engine", "aliases", ""), *table()]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    command = arguments[0] if arguments else ""
    try:
        if command == "serve" and arguments[1:] in (["-h"], ["--help"]):
            print(_settings(), flush=True)
            return 0
        if command == "--version":
            print(f"realtime {__version__}")
            return 0
        if command == "serve" and len(arguments) == 1:
            # First: the next import makes threads, which are to have the cores and allocator of the settings.
            from realtime.config import from_environment
            from realtime.host import prepare

            prepare(from_environment(os.environ))
            from realtime.app import main as serve

            serve()
            return 0
        if command == "voices" and len(arguments) == 1:
            print(_voices(), flush=True)
            return 0
        if command == "say":
            from realtime.say import main as say

            return say(arguments[1:])
        if command == "text":
            from realtime.text_command import main as text

            return text(arguments[1:])
    except RealtimeError as error:
        print(f"realtime: {error.message}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `| head` has seen enough; nothing may be written at the exit either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    print(_USAGE, file=sys.stderr, end="")
    return 0 if command in ("-h", "--help") else 2


if __name__ == "__main__":
    sys.exit(main())
