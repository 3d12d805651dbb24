"""A stand-in for a server of chat completions: the streaming API that the openai package speaks.

The format is that of `POST /chat/completions` with `stream`: server-sent events, each a JSON object
`chat.completion.chunk`, the last one `[DONE]`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

#: An LLM writes about so fast.
TOKEN_S = 0.02


class ChatCompletions:
    """Answers each request with the next of `answers`, word by word; keeps what it was asked."""

    def __init__(self, answers: Sequence[str]) -> None:
        self._answers = iter(answers)
        self.url = ""
        self.asked: list[dict[str, Any]] = []
        #: Of each request, whether the answer was taken to its end.
        self.finished: list[bool] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """`POST /v1/chat/completions`."""
        self.asked.append(await request.json())
        number = len(self.finished)
        self.finished.append(False)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        deltas: list[dict[str, str]] = [{"role": "assistant", "content": ""}]
        deltas += [{"content": word} for word in next(self._answers).split(" ")]
        for delta in deltas[:2] + [{"content": " " + each["content"]} for each in deltas[2:]]:
            await _send(response, _chunk([{"index": 0, "delta": delta, "finish_reason": None}]))
            await asyncio.sleep(TOKEN_S)
        await _send(response, _chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}]))
        await _send(response, _chunk([]))  # as the one that tells the usage
        await response.write(b"data: [DONE]\n\n")
        self.finished[number] = True
        return response


def _chunk(choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": choices}


async def _send(response: web.StreamResponse, event: dict[str, Any]) -> None:
    await response.write(b"data: " + json.dumps(event).encode() + b"\n\n")


@asynccontextmanager
async def chat_completions(*answers: str) -> AsyncIterator[ChatCompletions]:
    """The stand-in on loopback; `url` is what goes into `OPENAI_BASE_URL`."""
    stand_in = ChatCompletions(answers)
    app = web.Application()
    app.router.add_post("/v1/chat/completions", stand_in.handle)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        stand_in.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        yield stand_in
    finally:
        await runner.cleanup()
