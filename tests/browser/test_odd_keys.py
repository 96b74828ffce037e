"""Pages of what is damaged, or of another kind than it should be, say so, and hide no other."""

from __future__ import annotations

import json
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import urlopen

import redis

from tests.support.sites import Site
from workhorse import Queue

KINDS = (
    "cron_due", "groups", "rl-keys", "workers", "durations", "audit", "cron_schedulers", "rl:x",
    "rl:x:allowed", "rl:x:rate_limited", "group:x", "paused", "totals",
)  # fmt: skip
PLACES = ("schedules", "groups", "limits", "limits/x", "workers", "functions", "audit")


def status_of(site: Site, path: str) -> int:
    """Ask for a page, and for the same as JSON, which must be as well."""
    found: set[int] = set()
    for address in (path, f"{path}{'&' if '?' in path else '?'}format=json"):
        try:
            with urlopen(f"{site.url}/{address}") as answer:  # noqa: S310 - our own server
                text = answer.read()
                found.add(answer.status)
        except HTTPError as error:
            text = error.read()
            found.add(error.code)
    assert json.loads(text) is not None
    (status,) = found
    return status


def test_damaged_jobs_have_pages(client: redis.Redis, site: Site) -> None:
    client.set("rq:job:text", "x")
    client.hset("rq:job:bare", "status", "queued")
    client.hset("rq:job:odd", mapping={
        "status": "no such", "origin": b"\xff", "data": b"\x80\x05boo", "created_at": "never",
        "progress": '{"done":1e999}', "tags": "{", "dependency_ids": "[1,2]", "timeout": "x",
        "rate_limit_key": "k", "webhooks": "[1]", "cron": "none", "ended_at": "1",
    })  # fmt: skip
    assert [status_of(site, f"jobs/{name}") for name in ("text", "bare", "odd")] == [200] * 3


def test_what_is_not_there_is_not_found(site: Site) -> None:
    names = ("x", quote("a\nb\x00"), quote("ä/../x", safe=""))
    for place in ("jobs", "schedules", "groups", "workers"):
        assert {status_of(site, f"{place}/{name}") for name in names} == {404}


def test_queries_that_make_no_sense_are_passed_over(site: Site) -> None:
    for query in ("offset=999999999999", "offset=x", "cursor=x", f"cursor={'9' * 30}", "before=x",
                  "sort=x", "find=%FF", "queue=%00"):  # fmt: skip
        assert {status_of(site, f"{place}?{query}") for place in PLACES} == {200}


def test_keys_of_another_kind_leave_pages_empty(client: redis.Redis, site: Site) -> None:
    job = Queue("mail", connection=client).enqueue("math.sqrt", 4)
    client.mset({f"rq:{name}": "x" for name in KINDS})
    client.hset("rq:suspended", "a", "1")
    assert {status_of(site, place) for place in (*PLACES, f"jobs/{job.id}")} == {200}
