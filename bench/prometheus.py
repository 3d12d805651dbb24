"""A real Prometheus beside a server, and what the panels of the dashboard show of it.

It reads with the rules of `deploy/`, only more often; it keeps what it has read in a folder of its own.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.server import free_port

DEPLOY = Path(__file__).parents[1] / "deploy"
DASHBOARD = DEPLOY / "grafana/dashboards/realtime.json"
_START_S = 60.0


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a panel: its labels, and the values in it, the last one last."""

    labels: Mapping[str, str]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class PanelQuery:
    """A query of a panel, with its variables filled in."""

    row: str
    panel: str
    unit: str
    kind: str
    legend: str
    expr: str

    def name(self, labels: Mapping[str, str]) -> str:
        """What a line of it is called, and where it is."""
        legend = re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), self.legend)
        return f"{self.row} / {self.panel}" + ("" if legend == "__auto" else f": {legend}")


class Prometheus:
    """A Prometheus that runs; see `running_prometheus`."""

    def __init__(self, port: int) -> None:
        """It listens on this port of 127.0.0.1."""
        self._url = f"http://127.0.0.1:{port}"
        self._http = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def is_ready(self) -> bool:
        """Whether it answers queries."""
        try:
            with self._http.open(f"{self._url}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def at(self, expr: str, when: float | None = None) -> list[Line]:
        """The value of an expression at a `time.time()`, or now."""
        moment = {} if when is None else {"time": str(when)}
        found = self._get("query", query=expr, **moment)["result"]
        return [Line(each["metric"], (float(each["value"][1]),)) for each in found]

    def over(self, expr: str, begin: float, end: float, step_s: float = 1.0) -> list[Line]:
        """Its values from `begin` to `end`, which are seconds of `time.time()`."""
        values = {"query": expr, "start": str(begin), "end": str(end), "step": str(step_s)}
        found = self._get("query_range", **values)["result"]
        return [Line(each["metric"], tuple(float(value) for _, value in each["values"])) for each in found]

    def rules(self) -> list[dict[str, Any]]:
        """All rules, with their health and their last error."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def targets(self) -> list[dict[str, Any]]:
        """What it reads, with the last error of each."""
        found: list[dict[str, Any]] = self._get("targets")["activeTargets"]
        return found

    def has_read(self, count: int) -> bool:
        """Whether it has read so many targets, or tried to."""
        return sum(target["health"] != "unknown" for target in self.targets()) == count

    def _get(self, what: str, **parameters: str) -> Any:
        address = f"{self._url}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        try:
            with self._http.open(address, timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            told = json.load(error)
            raise RuntimeError(f"{told['error']}: {parameters.get('query', what)}") from None


@contextmanager
def running_prometheus(targets: Sequence[str]) -> Iterator[Prometheus]:
    """A Prometheus that reads these `host:port` every 2 s, and has done so once."""
    config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "2s", "scrape_timeout": "2s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(DEPLOY / "prometheus" / name) for name in config["rule_files"]]
    config["scrape_configs"][0]["static_configs"] = [{"targets": list(targets)}]
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="prometheus-") as folder:
        file = Path(folder) / "prometheus.yml"
        file.write_text(yaml.safe_dump(config))
        command = ["prometheus", f"--config.file={file}", f"--storage.tsdb.path={folder}/data"]
        command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            prometheus = Prometheus(port)
            begun = time.monotonic()
            while not (prometheus.is_ready() and prometheus.has_read(len(targets))):
                if process.poll() is not None or time.monotonic() > begun + _START_S:
                    process.kill()
                    raise RuntimeError(
                        f"prometheus does not start, or reads nothing: {process.communicate()[1]}"
                    )
                time.sleep(0.1)
            yield prometheus
        finally:
            process.terminate()
            process.communicate(timeout=_START_S)


def panel_queries(instances: Sequence[str], rate_interval_s: int) -> list[PanelQuery]:
    """All queries of the dashboard, as Grafana would ask them of these servers."""
    dashboard = json.loads(DASHBOARD.read_text())
    variables = {
        "$instance": "|".join(re.escape(each).replace("\\", "\\\\") for each in instances),
        "$__rate_interval": f"{rate_interval_s}s",
    }
    queries: list[PanelQuery] = []
    row = ""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            row = panel["title"]
            continue
        unit = panel["fieldConfig"]["defaults"]["unit"]
        for target in panel["targets"]:
            expr = target["expr"]
            for name, value in variables.items():
                expr = expr.replace(name, value)
            queries.append(PanelQuery(row, panel["title"], unit, panel["type"], target["legendFormat"], expr))
    return queries
