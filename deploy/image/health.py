"""Whether the server in this container is well: exit code 0, or 1 and one line that says why it is not.

It is asked where the settings in the environment have it listen. A model that is still being loaded is not
well yet, one that was unloaded until it is wanted is. A server that has much to do is, too: nothing should
restart it for that.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import sys
from pathlib import Path

from realtime.config import Config, from_environment, given
from realtime.errors import RealtimeError

TIMEOUT_S = 4.0
#: Addresses to listen on that are none to connect to.
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}
_WELL = ("ready", "unloaded")


def _connect(config: Config) -> socket.socket:
    host, uds = given(config.host), given(config.uds)
    if host is not None and config.port:
        return socket.create_connection((_ANY.get(host, host), config.port), TIMEOUT_S)
    if uds is None:
        raise RealtimeError("PORT is 0 and there is no UDS: nobody can tell where the server listens")
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(TIMEOUT_S)
    connection.connect(str(Path(uds).expanduser()))
    return connection


def state(config: Config) -> str:
    """The state of the engine, as `/health` tells it."""
    connection = http.client.HTTPConnection("localhost")
    connection.sock = _connect(config)
    try:
        connection.request("GET", "/health")
        return str(json.load(connection.getresponse())["engine"]["state"])
    finally:
        connection.close()


def main() -> int:
    """Ask, and say what is wrong."""
    try:
        found = state(from_environment(os.environ))
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
        print(f"the server does not answer: {error}", file=sys.stderr)
        return 1
    except RealtimeError as error:
        print(error.message, file=sys.stderr)
        return 1
    if found not in _WELL:
        print(f"the engine is {found}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
