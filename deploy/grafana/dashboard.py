"""Prints the dashboard: `python deploy/grafana/dashboard.py > deploy/grafana/dashboards/realtime.json`.

What is alike in all panels is said once here; the panels are in `panels_*.py`, in the order in which they
are seen. Grafana only reads the JSON, and needs nothing of this.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from panels_listeners import GLANCE, LATENCY, LISTENERS
from panels_server import CACHES, ENGINE, LOAD, PROCESS
from parts import Panel, Query, Row

ROWS = (GLANCE, LATENCY, LOAD, LISTENERS, ENGINE, CACHES, PROCESS)
COLUMNS = 24
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_GREEN, *_WORSE = ("green", "yellow", "red")


def dashboard(rows: Sequence[Row]) -> dict[str, Any]:
    """All of it, as Grafana 11 reads it."""
    panels: list[dict[str, Any]] = []
    top = 0
    for row in rows:
        place = {"x": 0, "y": top, "w": COLUMNS, "h": 1}
        head = {"id": len(panels) + 1, "type": "row", "title": row.title, "collapsed": False}
        panels.append({**head, "gridPos": place, "panels": []})
        top += 1
        left = height = 0
        for panel in row.panels:
            if left + panel.width > COLUMNS:
                left, top, height = 0, top + height, 0
            place = {"x": left, "y": top, "w": panel.width, "h": panel.height}
            panels.append(_panel(panel, len(panels) + 1, place))
            left, height = left + panel.width, max(height, panel.height)
        top += height
    return {
        "uid": "realtime-tts",
        "title": "realtime",
        "description": "A text-to-speech server: what listeners hear, what it costs, and what goes wrong.",
        "tags": ["realtime", "tts"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "",
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "timepicker": {},
        "links": [],
        "annotations": {"list": [_restarts()]},
        "templating": {"list": [_datasource(), _instance()]},
        "panels": panels,
    }


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    defaults: dict[str, Any] = {
        "unit": panel.unit,
        "min": 0,
        "noValue": "–",
        "color": {"mode": "palette-classic" if panel.kind == "timeseries" else "thresholds"},
        "thresholds": {"mode": "absolute", "steps": _steps(panel.thresholds)},
        "mappings": [_mapping(panel.words)] if panel.words else [],
    }
    if panel.decimals is not None:
        defaults["decimals"] = panel.decimals
    if panel.kind == "timeseries":
        defaults["custom"] = {
            "lineWidth": 1,
            "fillOpacity": 10,
            "showPoints": "never",
            "spanNulls": False,
            "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
            "scaleDistribution": {"type": "log", "log": 10} if panel.logarithmic else {"type": "linear"},
            "thresholdsStyle": {"mode": "dashed" if panel.thresholds else "off"},
        }
        if panel.logarithmic:
            del defaults["min"]  # a logarithm of nothing is nowhere
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": _SOURCE,
        "gridPos": place,
        "targets": [_target(panel, query, at) for at, query in enumerate(panel.queries)],
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": _options(panel),
    }


def _target(panel: Panel, query: Query, at: int) -> dict[str, Any]:
    is_now = panel.kind == "stat"
    return {
        "refId": "ABCDEFGH"[at],
        "datasource": _SOURCE,
        "expr": query.expr,
        "legendFormat": query.legend or "__auto",
        "instant": is_now,
        "range": not is_now,
        "exemplar": query.exemplars,
        "format": "heatmap" if panel.kind == "heatmap" else "time_series",
    }


def _options(panel: Panel) -> dict[str, Any]:
    if panel.kind == "stat":
        return {
            "colorMode": "background" if panel.words else "value",
            "graphMode": "none",
            "justifyMode": "auto",
            "orientation": "auto",
            "textMode": "value_and_name" if len(panel.queries) > 1 else "value",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        }
    if panel.kind == "heatmap":
        return {
            "calculate": False,
            "cellGap": 1,
            "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64, "exponent": 0.5, "fill": "orange"},
            "filterValues": {"le": 1e-9},
            "legend": {"show": True},
            "rowsFrame": {"layout": "auto"},
            "tooltip": {"mode": "single", "yHistogram": False},
            "yAxis": {"axisPlacement": "left", "unit": panel.unit, "reverse": False},
        }
    if panel.kind == "state-timeline":
        return {
            "alignValue": "left",
            "mergeValues": True,
            "rowHeight": 0.9,
            "showValue": "never",
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False},
            "tooltip": {"mode": "single", "sort": "none"},
        }
    return {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }


def _steps(thresholds: Sequence[float]) -> list[dict[str, Any]]:
    colors = _WORSE[len(_WORSE) - len(thresholds) :]
    worse = [{"color": color, "value": value} for color, value in zip(colors, thresholds, strict=True)]
    return [{"color": _GREEN, "value": None}, *worse]


def _mapping(words: dict[str, tuple[str, str]]) -> dict[str, Any]:
    options = {
        value: {"text": text, "color": color, "index": index}
        for index, (value, (text, color)) in enumerate(words.items())
    }
    return {"type": "value", "options": options}


def _datasource() -> dict[str, Any]:
    return {
        "name": "datasource",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
        "current": {},
        "hide": 0,
        "includeAll": False,
        "multi": False,
        "options": [],
        "refresh": 1,
        "regex": "",
    }


def _instance() -> dict[str, Any]:
    query = "label_values(tts_build_info, instance)"
    return {
        "name": "instance",
        "label": "Server",
        "type": "query",
        "datasource": _SOURCE,
        "definition": query,
        "query": {"query": query, "refId": "StandardVariableQuery"},
        # "All" is all that the query found: not the Prometheus beside them.
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "hide": 0,
        "includeAll": True,
        "multi": True,
        "options": [],
        "refresh": 2,
        "regex": "",
        "sort": 1,
    }


def _restarts() -> dict[str, Any]:
    return {
        "name": "Server started",
        "datasource": _SOURCE,
        "enable": True,
        "hide": False,
        "iconColor": "blue",
        "expr": 'changes(process_start_time_seconds{instance=~"$instance"}[1m]) > 0',
        "step": "10s",
        "titleFormat": "{{instance}} was started",
    }


if __name__ == "__main__":
    print(json.dumps(dashboard(ROWS), indent=2, ensure_ascii=False))
