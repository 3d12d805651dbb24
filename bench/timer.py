"""A bare timer, on the event loop that the server uses: `python -m bench.timer SECONDS TIMERS`.

So many tasks wake every 20 ms by absolute deadlines, and do nothing. Written is how late each of them was, in
seconds. No sender of packets that waits as they do can be more punctual on this machine at this time.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time

import uvloop

_PERIOD_S = 0.02


async def _wake(seconds: float) -> list[float]:
    due = time.monotonic() + random.uniform(0, _PERIOD_S)
    late: list[float] = []
    while len(late) * _PERIOD_S < seconds:
        now = time.monotonic()
        if now < due:
            await asyncio.sleep(due - now)
        late.append(time.monotonic() - due)
        due += _PERIOD_S
    return late


async def _all(seconds: float, timers: int) -> list[list[float]]:
    return await asyncio.gather(*(_wake(seconds) for _ in range(timers)))


def main() -> None:
    """Wake for a while, and write one list for each timer."""
    json.dump(uvloop.run(_all(float(sys.argv[1]), int(sys.argv[2]))), sys.stdout)


if __name__ == "__main__":
    main()
