"""Whether anything changed: a word that is another one when it did."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.support.lives import Life
from tests.support.waiting import wait_until
from workhorse.core.outcomes import Returned
from workhorse.store import pauses
from workhorse.store.changes import Words, changes


def look(life: Life) -> Words:
    return life.store.run(changes(life.keys, ["j", "other"]))


def start_of_ten_seconds() -> None:
    """Wait until the next seconds are within ten of the clock's, which are one word."""
    wait_until(lambda: time.time() % 10 < 7, within=5)


def changed(life: Life, act: Callable[[], object]) -> tuple[bool, bool]:
    """Return whether the words of the server, and of job j, are others after *act*."""
    start_of_ten_seconds()
    before = look(life)
    act()
    after = look(life)
    assert after.jobs["other"] == before.jobs["other"]
    return after.server != before.server, after.jobs["j"] != before.jobs["j"]


def test_nothing_that_happened_changes_no_word(every_life: Life) -> None:
    every_life.enqueue("j")
    assert changed(every_life, lambda: None) == (False, False)


def test_what_happens_to_a_job_changes_its_word_and_that_of_the_server(every_life: Life) -> None:
    assert changed(every_life, lambda: every_life.enqueue("j")) == (True, True)
    job = every_life.claim_one()
    assert changed(every_life, lambda: every_life.settle(job, Returned(None))) == (True, True)


def test_what_a_job_tells_of_itself_changes_its_word(life: Life) -> None:
    life.enqueue("j")
    client = life.client
    told = {"progress": "{}"}
    assert changed(life, lambda: client.hset("rq:job:j", mapping=told)) == (False, True)
    assert changed(life, lambda: client.xadd("rq:log:j", {"text": "x"})) == (False, True)


@pytest.mark.parametrize(
    "words",
    [
        ("ZADD", "rq:cron_due", 1, "nightly"),
        ("SADD", "rq:workers", "rq:worker:w"),
        ("SET", "rq:suspended", 1),
        ("XADD", "rq:audit", "*", "who", "ann"),
        ("RPUSH", "rq:queue:q", "from-rq"),
        ("ZADD", "rq:finished:q", 1, "by-rq"),
    ],
)
def test_what_others_change_changes_the_servers_word(
    life: Life, words: tuple[str | int, ...]
) -> None:
    life.enqueue("j2")
    assert changed(life, lambda: life.client.execute_command(*words))[0]


def test_a_pause_changes_the_servers_word(life: Life) -> None:
    pause = pauses.pause(life.keys, "q")
    assert changed(life, lambda: life.store.run(pause))[0]


def test_keys_of_other_kinds_than_expected_stop_nobody(life: Life) -> None:
    life.enqueue("j")
    for key in ("totals", "queues", "workers", "paused", "audit", "cron_due", "cron_jobs"):
        life.client.delete(f"rq:{key}")
        life.client.set(f"rq:{key}", "x")
    for key in ("job:j", "results:j", "log:j", "job:j:dependents"):
        life.client.delete(f"rq:{key}")
        life.client.lpush(f"rq:{key}", "x")
    assert look(life).server
