"""The recipe of README.md for LLMs, as it stands there: against a real server, and a stand-in for the LLM."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

from realtime.app import Server
from tests.chat_completions import chat_completions

ROOT = Path(__file__).parents[1]
#: In sound of the tone engine, 60 ms per character: far longer than the person listens.
SEA = "The sea is salt water. " * 20 + "That is the sea."
MOON = "The moon is a rock \U0001f319 far away."


def _recipe() -> str:
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    (recipe,) = [block for block in blocks if "AsyncOpenAI" in block]
    return str(recipe)


async def _run(url: str, llm_url: str) -> tuple[int | None, str, str]:
    """Exit code, standard output and standard error of the recipe."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _recipe()),
        env=os.environ
        | {
            "REALTIME_URL": url,
            "OPENAI_BASE_URL": llm_url,
            "OPENAI_API_KEY": "none",
            "NO_PROXY": "127.0.0.1",
        },
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_the_history_holds_what_was_heard(server: Server) -> None:
    async with chat_completions(SEA, MOON) as llm:
        code, out, err = await _run(server.url, llm.url)
    assert code == 0, err
    first, second = llm.asked
    assert first["stream"] is True
    assert [message["role"] for message in first["messages"]] == ["system", "user"]
    assert [message["role"] for message in second["messages"]] == ["system", "user", "assistant", "user"]
    heard = second["messages"][2]["content"]
    # "water." ends at 1240 ms; the person speaks at 1500 ms, before the next sentence begins.
    assert heard == "The sea is salt water. "
    assert llm.finished == [False, True], "the LLM was not stopped by the barge-in"
    lines = re.findall(r"^(heard|not heard): *(.*)$", out, re.MULTILINE)
    assert [name for name, _ in lines] == ["heard", "not heard"] * 2
    texts = [text.strip() for _, text in lines]
    assert texts[0] == heard.strip() and texts[1] and SEA.startswith(f"{texts[0]} {texts[1]}")
    assert texts[2:] == [MOON, ""]


async def test_a_failure_of_the_llm_is_not_swallowed(server: Server) -> None:
    async with chat_completions() as llm:  # it has no answer, and breaks off
        code, _, err = await _run(server.url, llm.url)
    assert code == 1 and "openai." in err
