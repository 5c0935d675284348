"""The shipped alert rules and dashboard ask only for metrics that exist, and fire when they should."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from shared.metrics import catalogue
from shared.state import health
from shared.words.statuses import FileStatus, Work

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "curavani.rules.yml"
RULE_TESTS = sorted((DEPLOY / "prometheus").glob("*.test.yml"))
DASHBOARD = json.loads((DEPLOY / "grafana" / "curavani.json").read_text(encoding="utf-8"))

KNOWN = {metric.name for metric in catalogue.ALL}
KNOWN |= {
    f"{metric.name}_{part}"
    for metric in catalogue.ALL
    if metric.kind == "histogram"
    for part in ("bucket", "sum", "count")
}
LABELS = {label for metric in catalogue.ALL for label in metric.all_labels} | {"le"}

rules = [rule for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]]
panels = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
expressions = [
    *[pytest.param(rule["expr"], id=rule["alert"]) for rule in rules],
    *[pytest.param(target["expr"], id=panel["title"]) for panel in panels for target in panel["targets"]],
]


def rule_named(name):
    (found,) = [rule for rule in rules if rule["alert"] == name]
    return found


@pytest.mark.parametrize("expression", expressions)
def test_every_metric_and_label_that_is_asked_for_exists(expression):
    asked = set(re.findall(r"curavani_\w+", expression))
    assert asked
    assert asked <= KNOWN
    labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", expression))
    labels |= {
        name.strip() for group in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression) for name in group.split(",")
    }
    assert labels <= LABELS


def test_every_metric_of_the_catalogue_is_shown_or_watched():
    used = set(re.findall(r"curavani_\w+", " ".join(str(parameters.values[0]) for parameters in expressions)))
    assert {name for name in KNOWN if not name.endswith(("_sum", "_count", "_duration_seconds"))} - used == set()


def test_words_in_the_expressions_are_words_of_the_program():
    text = " ".join(str(parameters.values[0]) for parameters in expressions)
    assert set(re.findall(r'worker="(\w+)"', text)) <= set(Work)
    assert set(re.findall(r'status="(\w+)"', text)) <= set(FileStatus)


@pytest.mark.parametrize("rule", rules, ids=lambda rule: rule["alert"])
def test_every_rule_says_how_urgent_it_is_and_what_to_do(rule):
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"]["summary"].endswith((".", ")."))
    assert "Bitte" in rule["annotations"]["description"] or "`" in rule["annotations"]["description"]


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("CuravaniDeletesPending", health.DELETE_PENDING_LIMIT),
        ("CuravaniEventsWaiting", health.EVENTS_WAITING_LIMIT),
        ("CuravaniMailsWaiting", health.ALERTS_WAITING_LIMIT),
        ("CuravaniNoNewScrape", health.SCRAPE_LIMIT),
    ],
)
def test_rules_and_health_have_the_same_limits(name, limit):
    factors = re.search(r"> ([0-9* ]+)", rule_named(name)["expr"])[1]
    seconds = 1
    for factor in factors.split("*"):
        seconds *= int(factor)
    assert seconds == limit.total_seconds()


def test_every_rule_is_tried():
    tried = set(re.findall(r'alertname="(\w+)"', "".join(file.read_text(encoding="utf-8") for file in RULE_TESTS)))
    assert tried == {rule["alert"] for rule in rules}


@pytest.mark.slow
def test_the_rules_fire_when_they_should(promtool):
    tried = subprocess.run([promtool, "test", "rules", *RULE_TESTS], capture_output=True, text=True, check=False)
    assert tried.returncode == 0, tried.stdout + tried.stderr


def test_prometheus_takes_configuration_and_rules(promtool):
    command = [promtool, "check", "config", DEPLOY / "prometheus" / "prometheus.yml"]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_panels_have_their_own_numbers_and_do_not_overlap():
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    taken = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
    assert max(x for x, _ in taken) < 24


def test_the_dashboard_asks_the_data_source_that_is_chosen():
    for panel in panels:
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}
