"""deploy/grafana: the dashboard is what its program prints, is whole, and asks for what there is."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from realtime.observe.metrics import Metrics
from realtime.observe.state import CacheState, ServerState
from tests.deploy.test_rules import RECORDS, RULES

FOLDER = Path(__file__).parents[2] / "deploy/grafana"
FILE = FOLDER / "dashboards/realtime.json"
DASHBOARD: dict[str, Any] = json.loads(FILE.read_text())
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
ROWS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] == "row"]
EXPRESSIONS = [target["expr"] for panel in PANELS for target in panel["targets"]]
#: Of Prometheus itself.
ITS_OWN = {"up", "ALERTS"}


def test_it_is_what_its_program_prints() -> None:
    printed = subprocess.run(
        [sys.executable, FOLDER / "dashboard.py"], capture_output=True, text=True, check=True, timeout=60
    )
    assert printed.stdout == FILE.read_text()


def test_there_is_a_row_for_every_question() -> None:
    assert [row["title"] for row in ROWS] == [
        "At a glance",
        "Latency",
        "Load",
        "Listeners",
        "Engine",
        "Caches",
        "Process",
    ]
    assert len(PANELS) > 40


def test_panels_have_numbers_and_places_of_their_own() -> None:
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(numbers) == len(set(numbers)) and min(numbers) > 0
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    for place in places:
        assert place["x"] >= 0 and place["w"] > 0 and place["h"] > 0 and place["x"] + place["w"] <= 24
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above, (one, other)


def test_rows_are_filled_to_the_edge() -> None:
    """By height, every line of panels takes all of the 24 columns."""
    lines: dict[int, int] = {}
    for panel in PANELS:
        lines[panel["gridPos"]["y"]] = lines.get(panel["gridPos"]["y"], 0) + panel["gridPos"]["w"]
    assert set(lines.values()) == {24}


def test_panels_explain_themselves() -> None:
    titles = [(panel["title"], panel["description"]) for panel in PANELS]
    assert len(set(titles)) == len(titles)
    for panel in PANELS:
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"][0]["value"] is None


def test_queries_ask_the_source_and_the_servers_that_were_chosen() -> None:
    for panel in PANELS:
        assert panel["datasource"]["uid"] == "${datasource}"
        letters = [target["refId"] for target in panel["targets"]]
        assert letters and len(letters) == len(set(letters)), panel["title"]
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}"
            assert 'instance=~"$instance"' in target["expr"], target["expr"]
            assert target["instant"] != target["range"]
    names = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(DASHBOARD)))
    assert used - {"__rate_interval", "__all"} == names == {"datasource", "instance"}


def served() -> set[str]:
    """The names of all samples that a server may serve."""
    metrics = Metrics("1", "tone", ("tone",))
    cache = CacheState(hits=1, misses=1, entries=1, bytes=1, up=True)
    metrics.update(ServerState(caches={"audio": cache}))
    text = metrics.render("")[0].decode()
    endings = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("_total",)}
    return {
        family.name + ending
        for family in text_string_to_metric_families(text)
        for ending in endings.get(family.type, ("",))
    }


def names(expression: str) -> set[str]:
    """The metrics in an expression: names that are neither functions nor labels nor words of PromQL."""
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^]]*\]', "", re.sub(r'"[^"]*"', "", expression))
    bare = re.sub(r"\b(by|on|without|ignoring|group_left|group_right) *\([^)]*\)", "", bare)
    found = re.findall(r"(?<![\w:.])[a-zA-Z_:][\w:]*(?! *\()(?![\w:])", bare)
    return set(found) - {"and", "or", "unless", "offset", "bool"}


def test_names_are_found() -> None:
    assert names('sum by (a, b) (rate(x_total{c=~"d{e}"}[5m])) / on (f) g:h > 0 or vector(1e3) * i') == {
        "x_total",
        "g:h",
        "i",
    }


@pytest.mark.parametrize("expression", [*EXPRESSIONS, *(rule["expr"] for rule in RULES)])
def test_what_is_asked_for_is_served(expression: str) -> None:
    asked = names(expression)
    assert asked and asked <= served() | RECORDS | ITS_OWN


def test_what_is_served_is_shown() -> None:
    """A figure that nobody looks at need not be counted."""
    shown = {name for expression in EXPRESSIONS for name in names(expression)}
    asked = {name for rule in RULES if rule.get("record") in shown for name in names(rule["expr"])}
    ours = {re.sub(r"_(bucket|sum|count|total)$", "", name) for name in served() if name.startswith("tts_")}
    seen = {re.sub(r"_(bucket|sum|count|total)$", "", name) for name in shown | asked}
    # Each is shown by another that says more; the alerts ask for the limit.
    assert ours - seen == {"tts_model_loaded", "tts_queue_limit"}


def test_grafana_finds_the_dashboard_and_the_prometheus() -> None:
    provisioned = FOLDER / "provisioning"
    (source,) = yaml.safe_load((provisioned / "datasources/prometheus.yaml").read_text())["datasources"]
    scraped = yaml.safe_load((FOLDER.parent / "prometheus/prometheus.yml").read_text())
    assert source["type"] == "prometheus" and source["url"] == "http://prometheus:9090"
    assert source["jsonData"]["timeInterval"] == scraped["global"]["scrape_interval"]
    (provider,) = yaml.safe_load((provisioned / "dashboards/realtime.yaml").read_text())["providers"]
    assert provider["type"] == "file" and provider["options"]["path"] == "/var/lib/grafana/dashboards"
    operations = (FOLDER.parents[1] / "docs/operations.md").read_text()
    assert f"`{provider['options']['path']}`" in operations
