"""A real Prometheus reads real servers under load: every query of every panel has data, no rule is in error.

There are two servers, as no single one has everything: one with a cache and a Redis, and one whose engine
works in steps.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from math import isfinite

import pytest

from bench.prometheus import Line, PanelQuery, Prometheus, panel_queries, running_prometheus
from bench.server import ServerProcess
from bench.visitors import VISITS, visitors
from realtime.client import connect
from tests.engines.qwen3.checkpoint import write_checkpoint
from tests.redis_server import running_redis

TEXT = "This is long enough for somebody to interrupt it before it has come to its end."
#: All has data after some ten seconds of load; a machine that does much else takes longer.
PATIENCE_S = 120
RATE_S = 20


@dataclass(frozen=True, slots=True)
class Filled:
    """What there is after the load. `wrong`: requests that were not answered as they should be."""

    prometheus: Prometheus
    servers: list[ServerProcess]
    queries: list[PanelQuery]
    begun: float
    wrong: list[str]

    def query(self, panel: str, legend: str = "__auto") -> PanelQuery:
        """That of a panel, as "row / panel", whose lines have this legend."""
        named = [(f"{each.row} / {each.panel}", each.legend) for each in self.queries]
        return self.queries[named.index((panel, legend))]

    def shown(self, panel: str, legend: str = "__auto") -> list[Line]:
        """What it shows now."""
        return self.prometheus.at(self.query(panel, legend).expr)


async def load(port: int, max_lead_ms: int) -> None:
    """Somebody listens to the end, and somebody interrupts."""

    async def listen(interrupt_after: int | None) -> None:
        async with connect(f"ws://127.0.0.1:{port}", max_lead_ms=max_lead_ms) as session:
            context = session.open()
            await context.send(TEXT)
            await context.end()
            chunks = 0
            async for _ in context:
                chunks += 1
                if chunks == interrupt_after:
                    await context.cancel()

    await asyncio.gather(listen(None), listen(3))


def has_data(lines: list[Line]) -> bool:
    return any(isfinite(value) for line in lines for value in line.values)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """Under load until everything has data, but for so long at most."""
    model = write_checkpoint(tmp_path_factory.mktemp("model"), "custom_voice")
    data = str(tmp_path_factory.mktemp("data"))
    with ExitStack() as stack:
        redis = stack.enter_context(running_redis())
        kept = {"AUDIO_CACHE_MB": "64", "REDIS_URL": redis.url}
        tone = stack.enter_context(ServerProcess(ENGINE="tone", DATA_FOLDER=data, **kept))
        tiny = {"MODEL_ID": str(model), "MODEL_DEVICE": "cpu", "MAX_BATCH_SIZE": "4", "MAX_NEW_TOKENS": "30"}
        tiny |= {"PRELOAD_MODEL": "0", "OMP_NUM_THREADS": "1"}  # it is loaded when somebody wants to hear it
        steps = stack.enter_context(ServerProcess(ENGINE="qwen3", DATA_FOLDER=data, **tiny))
        instances = [f"127.0.0.1:{server.port}" for server in (tone, steps)]
        queries = panel_queries(instances, RATE_S)
        prometheus = stack.enter_context(running_prometheus(instances))
        begun = time.time()
        with visitors(tone.port) as wrong:
            missing = queries
            while missing and time.time() < begun + PATIENCE_S:
                asyncio.run(load(tone.port, 400))
                asyncio.run(load(steps.port, 10_000))
                time.sleep(1)  # it looks every two seconds
                missing = [each for each in missing if not has_data(prometheus.at(each.expr))]
            yield Filled(prometheus, [tone, steps], queries, begun, wrong)


def test_every_query_of_every_panel_has_data(filled: Filled) -> None:
    assert len(filled.queries) > 60
    nothing = [
        f"{query.row} / {query.panel}: {query.expr}"
        for query in filled.queries
        if not has_data(filled.prometheus.at(query.expr))
        or not has_data(filled.prometheus.over(query.expr, filled.begun, time.time()))
    ]
    assert nothing == []


def test_legends_name_labels_that_lines_have(filled: Filled) -> None:
    for query in filled.queries:
        for label in re.findall(r"\{\{(\w+)\}\}", query.legend):
            assert all(label in line.labels for line in filled.prometheus.at(query.expr)), query


def test_every_rule_is_well_and_every_recorded_figure_has_a_value(filled: Filled) -> None:
    rules = filled.prometheus.rules()
    assert {(rule["name"], rule["health"], rule.get("lastError")) for rule in rules} == {
        (rule["name"], "ok", None) for rule in rules
    }
    recorded = [rule["name"] for rule in rules if rule["type"] == "recording"]
    assert len(recorded) > 8
    assert [name for name in recorded if not has_data(filled.prometheus.at(name))] == []


def test_panels_tell_what_has_happened(filled: Filled) -> None:
    def value(panel: str, legend: str = "__auto") -> float:
        (line,) = filled.shown(panel, legend)
        return line.values[-1]

    assert filled.wrong == []
    assert value("At a glance / Can speak") == 1 and value("Caches / Redis") == 1
    assert value("At a glance / Sessions", "limit") == 2 * 256
    assert value("At a glance / Faults, last hour") == 0
    (tone, steps) = filled.servers
    kinds = filled.prometheus.at("sum by (type) (tts_errors_total) > 0")
    assert {line.labels["type"] for line in kinds} == {"unknown_voice", "not_found"}
    outcomes = filled.prometheus.at("sum by (outcome) (tts_utterances_total) > 0")
    assert {line.labels["outcome"] for line in outcomes} == {"completed", "cancelled"}
    paths = {visit.path for visit in VISITS if visit.status == 200} | {"/v1/audio/speech/ws", "unknown"}
    asked = filled.shown("Load / Requests by endpoint", "{{endpoint}}")
    assert {line.labels["endpoint"] for line in asked} == paths
    stepping = filled.prometheus.at("tts_batch_size_count > 0")
    assert [line.labels["instance"] for line in stepping] == [f"127.0.0.1:{steps.port}"]
    found = filled.prometheus.at('instance_cache:tts_cache_hits:ratio_5m{cache="audio"}')
    assert [line.labels["instance"] for line in found if 0 < line.values[-1] < 1] == [
        f"127.0.0.1:{tone.port}"
    ]


def test_promtool_finds_nothing_wrong_with_what_is_served(filled: Filled) -> None:
    http = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for server in filled.servers:
        with http.open(f"http://127.0.0.1:{server.port}/metrics", timeout=60) as answer:
            served = answer.read()
        done = subprocess.run(["promtool", "check", "metrics"], input=served, capture_output=True, timeout=60)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_server_that_is_gone_cannot_speak(filled: Filled) -> None:
    """The last one, as it ends one: what it served no longer counts, and that it does not answer does."""
    filled.servers[1].process.terminate()
    deadline = time.monotonic() + PATIENCE_S
    while [line.values for line in filled.shown("At a glance / Can speak")] != [(0.0,)]:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert [line.values for line in filled.shown("At a glance / Sessions", "limit")] == [(256.0,)]
