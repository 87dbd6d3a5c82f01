"""The dashboard and the alert rules load, and name no metric that a host does not have."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from ..helpers.busy_host import busy_host

DEPLOY = Path(__file__).parent.parent.parent / "deploy"
METRIC = re.compile(r"\broomhost_[a-z_]+")
SELECTOR = re.compile(r"(roomhost_[a-z_]+)\{([^}]*)\}")
MATCHER = re.compile(r"([a-z_]+)\s*(?:=~|!~|!=|=)\s*\"")
GROUPING = re.compile(r"\bby \(([a-z_, ]*)\)")
DURATION = re.compile(r"\d+[smhd]")
SEVERITIES = ("warning", "critical")
# What Prometheus itself puts on every series, and what histograms have.
TARGET_LABELS = {"instance", "job"}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """Files are the same on every loop."""
    return "asyncio"


@pytest.fixture(scope="module")
async def labels() -> dict[str, set[str]]:
    """The labels of every series that a busy host has, by its name."""
    async with busy_host() as host:
        transport = httpx.ASGITransport(app=host.asgi)
        async with httpx.AsyncClient(transport=transport, base_url="http://host") as client:
            text = (await client.get("/metrics")).text
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        found.setdefault(f"{family.name}_total" if family.type == "counter" else family.name, set())
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def dashboard() -> Any:
    """The dashboard."""
    return json.loads((DEPLOY / "grafana-dashboard.json").read_text())


def rules() -> list[Any]:
    """The alert rules of all groups."""
    return [
        rule
        for group in yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"]
        for rule in group["rules"]
    ]


def queries() -> list[str]:
    """Every query of both files."""
    panels = [panel for panel in dashboard()["panels"] if panel["type"] != "row"]
    shown = [target["expr"] for panel in panels for target in panel["targets"]]
    return shown + [rule["expr"] for rule in rules()]


@pytest.mark.anyio
async def test_every_query_is_of_what_a_host_has(labels: dict[str, set[str]]) -> None:
    """By the metrics' names, the labels they are selected by, and those they are summed by."""
    for query in queries():
        names = METRIC.findall(query)
        assert names
        for name in names:
            assert name in labels, query
        for name, selector in SELECTOR.findall(query):
            assert set(MATCHER.findall(selector)) <= labels[name] | TARGET_LABELS, query
        known = set[str]().union(*(labels[name] for name in names)) | TARGET_LABELS
        for grouping in GROUPING.findall(query):
            assert set(grouping.replace(" ", "").split(",")) <= known, query


@pytest.mark.anyio
async def test_every_figure_but_two_is_shown(labels: dict[str, set[str]]) -> None:
    """On the dashboard, or watched by an alert: a figure that nobody sees is not worth its price."""
    named = {name for query in queries() for name in METRIC.findall(query)}
    parts = re.compile(r"_(bucket|sum|count)$")
    families = {parts.sub("", name) for name in labels if not name.endswith("_created")}
    shown = {parts.sub("", name) for name in named}
    text = (DEPLOY / "grafana-dashboard.json").read_text()
    unseen = {name for name in families - shown if name not in text}
    assert unseen == {
        "roomhost_instances",
        "roomhost_followers",
        "roomhost_log_unapplied_writes",
    }


def test_every_query_is_well_formed() -> None:
    """Brackets match, and counters are only ever looked at by their growth."""
    closing = {")": "(", "]": "[", "}": "{"}
    for query in queries():
        open_brackets: list[str] = []
        for character in re.sub(r'"[^"]*"', "", query):
            if character in closing.values():
                open_brackets.append(character)
            elif character in closing:
                assert open_brackets.pop() == closing[character], query
        assert not open_brackets, query
        for name in METRIC.findall(query):
            if name.endswith(("_total", "_bucket", "_sum", "_count")):
                assert re.search(rf"\b(rate|increase)\({name}\b", query), query


def test_the_dashboard_can_be_imported() -> None:
    """It has what Grafana asks for: an id of its own, panels with ids and places, a data source that
    is chosen."""
    board = dashboard()
    assert (board["uid"], board["title"]) == ("roomhost", "roomhost")
    assert board["schemaVersion"] >= 36
    variables = {variable["name"]: variable for variable in board["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert {"instance", "binding"} <= variables.keys()
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (place["x"] + column, place["y"] + line)
            for column in range(place["w"])
            for line in range(place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
        if panel["type"] == "row":
            continue

        assert panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}"
        assert [target["refId"] for target in panel["targets"]] == list("ABC")[
            : len(panel["targets"])
        ]
        for variable in re.findall(r"\$(\w+)", " ".join(t["expr"] for t in panel["targets"])):
            assert variable in variables or variable == "__rate_interval"


def test_the_rules_have_what_prometheus_and_its_alertmanager_need() -> None:
    """A name each, a severity, and what to do, in words."""
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names) > 10
    for rule in rules():
        assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"Roomhost[A-Za-z]+", rule["alert"])
        assert rule["labels"]["severity"] in SEVERITIES
        assert DURATION.fullmatch(rule.get("for", "1m"))
        assert rule["annotations"].keys() == {"summary", "description"}
        for text in rule["annotations"].values():
            assert text.count("{{") == text.count("}}")
