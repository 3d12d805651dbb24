"""deploy/prometheus: promtool checks the files and tests the rules, and no rule is without a test."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/prometheus"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((FOLDER / "rules.yml").read_text())["groups"] for rule in group["rules"]
]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RECORDS = {rule["record"] for rule in RULES if "record" in rule}
TESTS: list[dict[str, Any]] = yaml.safe_load((FOLDER / "rules.test.yml").read_text())["tests"]


def promtool(*arguments: str) -> str:
    """What it prints; it must have nothing to complain of."""
    done = subprocess.run(
        ["promtool", *arguments], cwd=FOLDER, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_configuration_is_one_and_finds_its_rules() -> None:
    assert "1 rule files found" in promtool("check", "config", "prometheus.yml")


def test_the_rules_are_rules() -> None:
    assert f"{len(RULES)} rules found" in promtool("check", "rules", "--lint-fatal", "rules.yml")


def test_the_rules_do_what_they_should() -> None:
    promtool("test", "rules", "rules.test.yml")


def test_each_alert_has_a_case_that_fires_and_one_in_which_all_is_well() -> None:
    cases = [case for test in TESTS for case in test.get("alert_rule_test", [])]
    fires = {case["alertname"] for case in cases if case["exp_alerts"]}
    silent = {case["alertname"] for case in cases if not case["exp_alerts"]}
    assert len(ALERTS) >= 12
    assert fires == silent == set(ALERTS)


def test_each_alert_that_waits_is_seen_one_round_before_it_fires() -> None:
    """So that nobody makes it wait less without noticing."""
    for name, rule in ALERTS.items():
        if "for" not in rule:
            continue
        cases = [
            (_seconds(case["eval_time"]), bool(case["exp_alerts"]))
            for test in TESTS
            for case in test.get("alert_rule_test", [])
            if case["alertname"] == name and any(each["exp_alerts"] for each in test["alert_rule_test"])
        ]
        first = min(at for at, does_fire in cases if does_fire)
        assert (first - 15, False) in cases, name


def test_each_recorded_figure_is_tested() -> None:
    tested = " ".join(case["expr"] for test in TESTS for case in test.get("promql_expr_test", []))
    assert {name for name in RECORDS if name not in tested} == set()


def test_alerts_say_how_bad_it_is_and_what_to_do() -> None:
    for name, rule in ALERTS.items():
        assert rule["labels"]["severity"] in ("warning", "critical"), name
        assert set(rule["annotations"]) == {"summary", "description", "runbook"}, name
        assert "$labels.instance" in rule["annotations"]["summary"], name
        assert rule["annotations"]["runbook"].endswith(" docs/operations.md#dashboard-and-alerts"), name


def test_the_table_of_alerts_is_that_of_the_rules() -> None:
    """Names, how bad each is and for how long it must be so."""
    _, _, chapter = (ROOT / "docs/operations.md").read_text().partition("\n## Dashboard and alerts\n")
    chapter, _, _ = chapter.partition("\n## ")
    listed = re.findall(r"^\| `(Tts\w+)` \| (\w+) \| [^|]+ \| ([^|]+) \| [^|]+ \|$", chapter, re.MULTILINE)
    assert listed == [
        (name, rule["labels"]["severity"], rule.get("for", "at once")) for name, rule in ALERTS.items()
    ]


def _seconds(time: str) -> int:
    return sum(int(n) * {"s": 1, "m": 60, "h": 3600}[unit] for n, unit in re.findall(r"(\d+)([smh])", time))
