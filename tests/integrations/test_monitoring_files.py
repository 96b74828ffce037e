"""The files for Grafana and Prometheus name metrics that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import redis
from prometheus_client.parser import text_string_to_metric_families

from tests.support.lives import Life
from workhorse.core.outcomes import Returned
from workhorse.integrations.prometheus import metrics_response

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "docs" / "monitoring" / "alerts.yml"
GRAFANA = ROOT / "docs" / "monitoring" / "grafana.json"
NAME = re.compile(r"\b(?:workhorse|rq)_[a-z_]+\b")
LABELLED = re.compile(r"\b(workhorse_[a-z_]+)\{([^}]*)\}")


@pytest.fixture
def told(client: redis.Redis) -> dict[str, set[str]]:
    """The labels of each metric that a server with some of everything has."""
    life = Life(client)
    client.config_set("maxmemory", "1gb")
    try:
        life.client.hset("rq:worker:a", mapping={"state": "busy", "queues": "q", "birth": "x"})
        life.client.sadd("rq:workers", "rq:worker:a")
        life.settle(life.start(description="shop.pay()"), Returned(b"42"))
        body, _ = metrics_response(client)
    finally:
        client.config_set("maxmemory", 0)
    read: Any = text_string_to_metric_families
    return {
        sample.name: set(sample.labels)
        for family in read(body.decode())
        for sample in family.samples
    }


def expressions(dashboard: dict[str, Any]) -> list[str]:
    found = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    return found + [each.get("definition", "") for each in dashboard["templating"]["list"]]


def check(text: str, told: dict[str, set[str]]) -> None:
    names = set(NAME.findall(text))
    assert names
    assert names <= set(told)
    for name, matchers in LABELLED.findall(text):
        assert set(re.findall(r"(\w+)=", matchers)) <= told[name], name


def test_grafana_shows_metrics_that_there_are(told: dict[str, set[str]]) -> None:
    dashboard = json.loads(GRAFANA.read_text())
    check("\n".join(expressions(dashboard)), told)
    places = [tuple(panel["gridPos"][side] for side in "xywh") for panel in dashboard["panels"]]
    cells = [(x + i, y + j) for x, y, w, h in places for i in range(w) for j in range(h)]
    assert len(cells) == len(set(cells))  # no panel lies on another
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(places)


def test_alerts_are_of_metrics_that_there_are(told: dict[str, set[str]]) -> None:
    text = ALERTS.read_text()
    check(text, told)
    alerts = re.findall(r"^      - alert: (\w+)$", text, re.MULTILINE)
    assert len(alerts) == len(set(alerts)) == text.count("expr:") == text.count("summary:")


def test_the_documents_name_metrics_that_there_are(told: dict[str, set[str]]) -> None:
    text = (ROOT / "docs" / "metrics.md").read_text()
    named = {name for name in NAME.findall(text) if not name.endswith("_")}
    histograms = {name.removesuffix("_bucket") for name in told if name.endswith("_bucket")}
    assert named <= set(told) | histograms
    documented = {name for name in told if not re.search("_(bucket|count|sum|created)$", name)}
    assert documented <= named
