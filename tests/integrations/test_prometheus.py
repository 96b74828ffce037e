"""What Prometheus is told."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import redis
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.support.lives import Life
from tests.support.sites import serving
from workhorse.core.outcomes import Raised, Returned
from workhorse.dashboard import Dashboard
from workhorse.dashboard.access import Role
from workhorse.dashboard.tokens import Tokens, new_token
from workhorse.integrations import prometheus
from workhorse.integrations.prometheus import Exposition, metrics_response


@pytest.fixture
def life(client: redis.Redis) -> Life:
    """An empty Valkey."""
    return Life(client)


@pytest.fixture
def every_life(every_client: redis.Redis) -> Life:
    """Each server that we support in turn, empty."""
    return Life(every_client)


OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def samples(client: Any) -> dict[tuple[str, tuple[str, ...]], float]:
    """Return what is told, by name and the values of labels, in the order of these' names."""
    body, _ = metrics_response(client)
    found: list[Sample] = []
    for family in text_string_to_metric_families(body.decode()):
        found += family.samples
    named = [(each.name, tuple(each.labels[by] for by in sorted(each.labels))) for each in found]
    assert len(set(named)) == len(named)  # else Prometheus refuses all of it
    return dict(zip(named, (each.value for each in found), strict=True))


def live(life: Life) -> None:
    """Have one job of each end on queue q, and some workers."""
    life.client.hset("rq:worker:a", mapping={"state": "busy", "queues": "q,r", "birth": "x",
                                             "successful_job_count": 5, "failed_job_count": 2,
                                             "total_working_time": "1.5"})  # fmt: skip
    life.client.hset("rq:worker:b", mapping={"state": "idle", "queues": "q", "birth": "x"})
    life.client.sadd("rq:workers", "rq:worker:a", "rq:worker:b")
    life.client.sadd("rq:workers:q", "rq:worker:a", "rq:worker:b")
    life.enqueue("fine", "bad", "waits", description="shop.pay('x')")
    for job in life.claim(2).jobs:
        life.settle(job, Raised("boom") if job.job_id == "bad" else Returned(b"42"))


def test_queues_workers_and_functions_are_told(every_life: Life) -> None:
    live(every_life)
    told = samples(every_life.client)
    assert told["workhorse_up", ()] == 1
    assert told["workhorse_scrape_errors_total", ()] == 0
    assert told["workhorse_jobs", ("q", "queued")] == 1
    assert told["workhorse_jobs", ("q", "failed")] == 1
    assert told["workhorse_events_total", ("enqueue", "q")] == 3
    assert told["workhorse_events_total", ("fail", "q")] == 1
    assert 0 <= told["workhorse_queue_oldest_job_age_seconds", ("q",)] < 60
    assert told["workhorse_queue_workers", ("q",)] == 2
    assert told["workhorse_queue_paused", ("q",)] == 0
    assert told["workhorse_workers", ("busy",)] == told["workhorse_workers", ("idle",)] == 1
    assert told["workhorse_run_duration_seconds_count", ("shop.pay",)] == 2
    assert told["workhorse_run_duration_seconds_sum", ("shop.pay",)] == 2
    assert told["workhorse_run_duration_seconds_bucket", ("shop.pay", "0.5")] == 0
    assert told["workhorse_run_duration_seconds_bucket", ("shop.pay", "+Inf")] == 2
    assert told["workhorse_function_failures_total", ("shop.pay",)] == 1
    assert told["workhorse_server_memory_bytes", ()] > 100_000
    assert told["workhorse_suspended", ()] == 0


def test_what_rq_exporter_tells_is_told_under_its_names(life: Life) -> None:
    live(life)
    told = samples(life.client)
    assert told["rq_workers", ("a", "q,r", "busy")] == 1
    assert told["rq_workers_success_total", ("a", "q,r")] == 5
    assert told["rq_workers_failed_total", ("a", "q,r")] == 2
    assert told["rq_workers_working_time_total", ("a", "q,r")] == 1.5
    assert {labels[-1] for name, labels in told if name == "rq_jobs"} == {
        "queued", "started", "finished", "failed", "deferred", "scheduled",
    }  # fmt: skip
    assert told["rq_jobs", ("q", "finished")] == 1


def test_both_formats_can_be_read(life: Life) -> None:
    live(life)
    answer = Exposition(life.client)
    text, kind = answer("text/plain")
    assert kind.startswith("text/plain")
    assert list(text_string_to_metric_families(text.decode()))
    text, kind = answer(OPENMETRICS)
    assert kind.startswith("application/openmetrics-text")
    read: Any = openmetrics.text_string_to_metric_families
    assert list(read(text.decode()))


def test_text_that_anybody_wrote_does_no_harm(life: Life) -> None:
    evil = 'a"b\\c\nrq_jobs{queue="x"} 1\x1b[2J\u202e' + "x" * 10_000
    for name in (evil, evil + "y", "\x01", "\\x01"):
        life.client.sadd("rq:queues", f"rq:queue:{name}")
        life.client.rpush(f"rq:queue:{name}", "j")
        life.client.hset("rq:totals", f"enqueue:{name}", 2)
        life.client.hset("rq:durations", f"1:{name}", 3)
        life.client.hset(f"rq:worker:{name}", mapping={"state": name, "queues": name})
        life.client.sadd("rq:workers", f"rq:worker:{name}")
    life.client.hset("rq:totals", b"enqueue:\xff", 2)
    life.client.sadd("rq:queues", b"rq:queue:\xff", "nonsense")
    told = samples(life.client)
    queued = {key[1][0]: value for key, value in told.items()
              if key[0] == "workhorse_jobs" and key[1][1] == "queued"}  # fmt: skip
    assert list(queued.values()) == [2, 2]  # names that look the same are one
    assert all(len(text) < 1000 and text.isprintable() for text in queued)
    assert told["rq_jobs", (next(iter(queued)), "queued")] == 2


def test_more_names_than_a_scrape_should_have_are_counted_and_left_out(life: Life) -> None:
    many = prometheus.QUEUES + 10
    life.client.sadd("rq:queues", *(f"rq:queue:q{number:05}" for number in range(many)))
    fields = {f"1:f{number}": number + 1 for number in range(prometheus.FUNCTIONS + 5)}
    life.client.hset("rq:durations", mapping=fields)
    told = samples(life.client)
    assert told["workhorse_queues_left_out", ()] == 10
    assert told["workhorse_functions_left_out", ()] == 5
    assert ("workhorse_run_duration_seconds_count", ("f0",)) not in told  # the least run


def test_a_server_that_is_away_is_told() -> None:
    away = redis.Redis(unix_socket_path="/nowhere/server.sock", retry=Retry(NoBackoff(), 0))
    answer = Exposition(away)
    body, _ = answer()
    assert b"\nworkhorse_up 0.0\n" in body
    assert b"workhorse_scrape_errors_total 1.0" in body
    assert b"workhorse_jobs" not in body


def test_many_who_ask_at_once_cost_as_much_as_one(life: Life) -> None:
    live(life)
    answer = Exposition(life.client)
    first, _ = answer()
    life.enqueue("another")
    assert answer()[0] == first


def test_metrics_change_nothing(life: Life) -> None:
    live(life)
    before = life.dump()
    samples(life.client)
    assert life.dump() == before


KEYS = ("rq:queues", "rq:workers", "rq:totals", "rq:durations", "rq:queue:q", "rq:failed:q",
        "rq:worker:a", "rq:workers:q", "rq:wip:q")  # fmt: skip


def test_keys_of_another_kind_do_not_keep_back_the_rest(life: Life) -> None:
    for key in KEYS:
        life.client.flushall()
        live(life)
        life.client.delete(key)
        life.client.xadd(key, {"a": "b"})
        told = samples(life.client)
        unread = key in {"rq:queues", "rq:workers", "rq:durations"}
        assert told["workhorse_up", ()] == 1
        assert told["workhorse_scrape_errors_total", ()] == unread
        assert told["workhorse_server_memory_bytes", ()] > 0


def test_the_dashboard_tells_them_to_who_has_a_token(life: Life) -> None:
    live(life)
    token, holder = new_token("prometheus", Role.VIEWER)
    app = Dashboard(life.client, authenticate=Tokens(holder.line))
    with serving(app) as site:
        refused = httpx.get(f"{site.url}/metrics")
        told = httpx.get(f"{site.url}/metrics", headers={"Authorization": f"Bearer {token}"})
        wrong = httpx.get(f"{site.url}/metrics", headers={"Authorization": "Bearer wh_wrong"})
    assert (refused.status_code, wrong.status_code) == (401, 401)
    assert refused.headers["www-authenticate"] == "Bearer"
    assert told.status_code == 200
    assert told.headers["content-type"].startswith("text/plain")
    assert 'workhorse_jobs{queue="q",state="queued"} 1.0' in told.text


def test_the_dashboard_of_this_machine_tells_them_to_this_machine(life: Life) -> None:
    with serving(Dashboard(life.client)) as site:
        assert "workhorse_up 1.0" in httpx.get(f"{site.url}/metrics").text
        foreign = httpx.get(f"{site.url}/metrics", headers={"Host": "evil.example"})
    assert foreign.status_code == 403
