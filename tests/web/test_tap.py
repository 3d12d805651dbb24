"""The witness itself: what it hears is what is sent to the loudspeaker."""

from __future__ import annotations

import numpy as np
import pytest

from realtime.app import Server
from tests.web.conftest import OpenPage, audible, silences

pytestmark = pytest.mark.asyncio(loop_scope="session")

PLAY = """async () => {
  const context = new AudioContext({ sampleRate: 48000 });
  const sound = new AudioBuffer({ length: 48000, sampleRate: 48000 });
  const samples = sound.getChannelData(0);
  for (let i = 0; i < 48000; i += 1) samples[i] = i > 20000 && i < 22400 ? 0 : ((i % 100) - 50) / 100;
  const source = new AudioBufferSourceNode(context, { buffer: sound });
  source.connect(context.destination);
  await context.resume();
  await new Promise((resolve) => setTimeout(resolve, 200));
  const asked = Date.now();
  source.start();
  await new Promise((resolve) => { source.onended = resolve; });
  await tap.settle();
  return [asked, tap.firstAudible(), tap.lastAudible()];
}"""


async def test_it_hears_every_sample(tone_server: Server, open_page: OpenPage) -> None:
    async with open_page(tone_server.url + "/health") as listened:
        await listened.page.mouse.click(5, 5)
        asked, first, last = await listened.page.evaluate(PLAY)
        heard = audible(await listened.heard(), 48_000)
        # What was played, with the silence that was in it, to the sample.
        played = (np.arange(48_000) % 100 - 50).astype(np.float32) / 100
        played[20_001:22_400] = 0
        found = await listened.heard()
        begin = int(np.flatnonzero(found)[0])
        # One that begins a billionth of a sample late is interpolated by as much.
        differ = np.flatnonzero(np.abs(found[begin : begin + 48_000] - played) > 1e-7)
        assert not len(differ), (begin, len(differ), differ[[0, -1]], found[begin + differ[0]])
        ((_, pause),) = silences(heard, 48_000)
        assert 0.04 <= pause <= 0.05
        assert 0 <= first - asked < 1000 <= last - first + 100
        assert await listened.rate() == 48_000
