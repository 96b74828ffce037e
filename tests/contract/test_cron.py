"""Cron entries on real servers: each slot once, whoever fires it, however often it is sent."""

from __future__ import annotations

import math
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis

from tests.support.api import nothing_sent, run
from tests.support.jobs import nothing
from workhorse import InvalidOptionError, Queue, Retry, UnsupportedOptionError
from workhorse.core.errors import NoSuchCronError
from workhorse.core.limits import RateLimit
from workhorse.cron import Cron
from workhorse.store import cron as store
from workhorse.store.drivers import Store
from workhorse.wire.keys import Keys
from workhorse.worker.duties.cron import Cron as Duty

KEYS = Keys()
EVERY_MINUTE: dict[str, Any] = {"cron": "* * * * *", "zone": "UTC", "queue": "q"}


@pytest.fixture
def cron(client: redis.Redis) -> Cron:
    return Cron(client)


@pytest.fixture
def every_cron(every_client: redis.Redis) -> Cron:
    return Cron(every_client)


def client_of(cron: Cron) -> Any:
    return cron._store.client  # noqa: SLF001 - what it was given


def now_of(cron: Cron) -> float:
    return Store(client_of(cron)).run(store.now(KEYS))


def fire(cron: Cron, at: float | None = None) -> int:
    """Run the duty once, as if it were *at*; return how many jobs it made."""
    return Duty(Store(client_of(cron)), KEYS).run_once(0.0, at=at).done


def ids(cron: Cron, name: str = "e") -> list[str]:
    return [job_id for job_id, _ in cron.history(name)][::-1]


def slot_of(cron: Cron, name: str = "e") -> float:
    slot = cron.get(name).record.slot
    assert slot is not None
    return slot


def test_a_slot_makes_its_job_and_plans_the_next(every_cron: Cron) -> None:
    cron = every_cron
    cron.add("e", nothing, **EVERY_MINUTE)
    slot = slot_of(cron)
    assert fire(cron, slot - 0.01) == 0
    assert fire(cron, slot) == 1
    assert fire(cron, slot) == 0
    assert slot_of(cron) == slot + 60
    (job_id,) = ids(cron)
    assert datetime.fromtimestamp(slot, UTC).strftime("-%Y%m%dT%H%M%SZ") in job_id
    queue = Queue("q", client_of(cron))
    assert queue.job_ids == [job_id]
    assert run(queue)
    assert client_of(cron).hget(f"rq:job:{job_id}", "cron") == b"e"


def test_the_same_fire_sent_again_makes_nothing(every_cron: Cron) -> None:
    cron = every_cron
    server = Store(client_of(cron))
    cron.add("e", nothing, **EVERY_MINUTE)
    slot = slot_of(cron)
    (entry,) = server.run(store.due(KEYS, at=slot)).entries
    shot = store.shot(entry, {"once": slot}, slot + 60, slot + 60)
    assert server.run(store.fire(KEYS, [shot])) == [store.Fired("fired", 1, 0)]
    assert server.run(store.fire(KEYS, [shot])) == [store.Fired("past")]
    run(Queue("q", client_of(cron)))
    client_of(cron).delete("rq:job:once")
    assert server.run(store.fire(KEYS, [shot])) == [store.Fired("past")]
    assert ids(cron) == ["once"]


def test_an_entry_that_was_edited_meanwhile_is_not_fired_as_it_was(cron: Cron) -> None:
    server = Store(client_of(cron))
    cron.add("e", nothing, **EVERY_MINUTE)
    slot = slot_of(cron)
    (entry,) = server.run(store.due(KEYS, at=slot)).entries
    cron.edit("e", queue="other")
    shot = store.shot(entry, {"once": slot}, slot + 60, slot + 60)
    assert server.run(store.fire(KEYS, [shot])) == [store.Fired("past")]
    assert slot_of(cron) == slot
    assert fire(cron, slot) == 1
    assert len(Queue("other", client_of(cron)).job_ids) == 1


def test_an_interval_fires_at_once_and_then_by_its_steps(cron: Cron) -> None:
    cron.add("e", nothing, interval=60, queue="q")
    assert fire(cron) == 1
    assert fire(cron) == 0
    begin = cron.get("e").record.rules.schedule.anchor
    assert slot_of(cron) == pytest.approx(begin + 60)


@pytest.mark.parametrize(
    ("rules", "made"),
    [
        ({"misfire": "skip"}, 1),
        ({"misfire": "once"}, 1),
        ({"misfire": "all", "catch_up": 5}, 5),
        ({"misfire": "all", "catch_up": 1000}, 180),
    ],
)
def test_after_three_hours_without_schedulers(
    cron: Cron, rules: dict[str, Any], made: int
) -> None:
    cron.add("e", nothing, **EVERY_MINUTE, **rules)
    slot = slot_of(cron)
    assert fire(cron, slot + 179 * 60) == made
    assert slot_of(cron) == slot + 180 * 60
    assert len(set(ids(cron))) == made
    assert Queue("q", client_of(cron)).job_ids == ids(cron)


def test_overlap_skip_makes_no_job_while_one_has_not_ended(cron: Cron) -> None:
    cron.add("e", nothing, **EVERY_MINUTE, overlap="skip")
    slot = slot_of(cron)
    assert [fire(cron, slot + 60 * number) for number in range(3)] == [1, 0, 0]
    assert cron.get("e").record.counts == {"fired": 1, "skipped": 2}
    run(Queue("q", client_of(cron)))
    assert fire(cron, slot + 180) == 1


def test_overlap_queue_has_one_wait_at_most(cron: Cron) -> None:
    client = client_of(cron)
    cron.add("e", nothing, **EVERY_MINUTE, overlap="queue")
    slot = slot_of(cron)
    assert fire(cron, slot) == 1
    (first,) = ids(cron)
    client.lpop("rq:queue:q")
    client.hset(f"rq:job:{first}", "status", "started")
    assert [fire(cron, slot + 60 * number) for number in range(1, 4)] == [1, 0, 0]
    assert len(Queue("q", client).job_ids) == 1


def test_overlap_allow_makes_one_for_each(cron: Cron) -> None:
    cron.add("e", nothing, **EVERY_MINUTE)
    slot = slot_of(cron)
    assert [fire(cron, slot + 60 * number) for number in range(3)] == [1, 1, 1]


def test_a_job_that_was_deleted_is_in_nobodys_way(cron: Cron) -> None:
    cron.add("e", nothing, **EVERY_MINUTE, overlap="skip")
    slot = slot_of(cron)
    fire(cron, slot)
    Queue("q", client_of(cron)).empty()
    assert fire(cron, slot + 60) == 1


def test_so_many_times_and_no_more(cron: Cron) -> None:
    cron.add("e", nothing, **EVERY_MINUTE, times=2)
    slot = slot_of(cron)
    assert [fire(cron, slot + 60 * number) for number in range(4)] == [1, 1, 0, 0]
    assert cron.get("e").next_run_at is None
    assert cron.get("e").record.times_left == 0


def test_after_its_end_it_fires_no_more(cron: Cron) -> None:
    end = datetime.now(UTC) + timedelta(minutes=2)
    cron.add("e", nothing, **EVERY_MINUTE, end=end)
    slot = slot_of(cron)
    assert [fire(cron, slot + 60 * number) for number in range(4)] == [1, 1, 0, 0]
    assert client_of(cron).zscore("rq:cron_due", "e") == math.inf


def test_jitter_puts_it_off_and_everybody_agrees(cron: Cron) -> None:
    cron.add("e", nothing, **EVERY_MINUTE, jitter=20)
    due = client_of(cron).zscore("rq:cron_due", "e")
    slot = slot_of(cron)
    assert slot <= due <= slot + 20
    assert fire(cron, due - 0.01) == 0
    assert fire(cron, due) == 1


def test_a_job_has_the_options_of_its_entry(cron: Cron) -> None:
    cron.add(
        "e", nothing, **EVERY_MINUTE, job_timeout=77, result_ttl=33, failure_ttl=44, ttl=55,
        description="what", meta={"a": 1}, retry=Retry(max=3, interval=[1, 2]), on_lost="fail",
        at_front=True, group_id="g", rate_limit=RateLimit("k", concurrency=1),
    )  # fmt: skip
    slot = slot_of(cron)
    fire(cron, slot)
    fire(cron, slot + 60)
    first, second = (Queue("q", client_of(cron)).fetch_job(job_id) for job_id in ids(cron))
    assert first is not None
    assert second is not None
    assert (first.timeout, first.result_ttl, first.failure_ttl) == (77, 33, 44)
    assert (first.description, first.meta) == ("what", {"a": 1})
    assert (first.retries_left, first.record.on_lost) == (3, "fail")
    assert [first.get_status(), second.get_status()] == ["queued", "rate_limited"]
    assert client_of(cron).smembers("rq:group:g") == {first.id.encode(), second.id.encode()}


@pytest.mark.parametrize("option", ["job_id", "unique", "depends_on", "nonsense"])
def test_what_an_entry_can_not_have_is_refused(cron: Cron, option: str) -> None:
    given: dict[str, Any] = {**EVERY_MINUTE, option: "x"}
    with nothing_sent(client_of(cron)), pytest.raises(UnsupportedOptionError):
        cron.add("e", nothing, **given)


@pytest.mark.parametrize(
    "options",
    [{}, {"cron": "x"}, {"interval": 0}, {"cron": "* * * * *", "times": 0},
     {"cron": "* * * * *", "zone": "Mars"}, {"interval": 5, "cron": "* * * * *"},
     {"interval": 5, "start": "today"}, {"interval": 5, "ttl": -1}],
    ids=str,
)  # fmt: skip
def test_nonsense_is_refused_before_anything_is_sent(cron: Cron, options: dict[str, Any]) -> None:
    with nothing_sent(client_of(cron)), pytest.raises(InvalidOptionError):
        cron.add("e", nothing, **options)


def test_adding_the_same_again_changes_nothing(cron: Cron) -> None:
    first = cron.add("e", nothing, interval=60)
    fire(cron)
    again = cron.add("e", nothing, interval=60)
    assert again.record.version == first.record.version
    assert fire(cron) == 0
    with pytest.raises(InvalidOptionError, match="already"):
        cron.add("e", nothing, interval=61)
    assert cron.add("e", nothing, interval=61, replace=True).interval == 61
    cron.edit("e", interval=62)
    assert cron.add("e", nothing, interval=61).interval == 62
    assert cron.add("e", nothing, interval=61, replace=True).interval == 61
    slot = slot_of(cron)
    cron.add("e", nothing, interval=61, replace=True)
    assert slot_of(cron) == slot


@pytest.mark.parametrize("change", ["add", "edit", "pause"])
def test_an_entry_that_the_server_forgot_to_fire_is_put_right(cron: Cron, change: str) -> None:
    given: dict[str, Any] = {**EVERY_MINUTE, "jitter": 5}
    cron.add("e", nothing, **given)
    slot = slot_of(cron)
    client_of(cron).delete("rq:cron_due")
    assert fire(cron, slot + 10) == 0
    if change == "add":
        cron.add("e", nothing, **given)
    elif change == "edit":
        cron.edit("e", result_ttl=5)
    else:
        cron.pause("e")
        cron.resume("e")
    assert slot_of(cron) == slot
    assert fire(cron, slot + 10) == 1


def test_an_edit_changes_what_it_names(cron: Cron) -> None:
    cron.add("e", nothing, args=(1,), **EVERY_MINUTE, meta={"a": 1}, jitter=5)
    before = slot_of(cron)
    entry = cron.edit("e", job_timeout=9, overlap="skip")
    assert slot_of(cron) == before
    assert (entry.args, entry.record.job.timeout, entry.record.rules.overlap) == ((1,), 9, "skip")
    entry = cron.edit("e", func="tests.support.jobs.add", args=(1, 2), queue="other")
    assert (entry.func_name, entry.args, entry.queue_name) == (
        "tests.support.jobs.add", (1, 2), "other",
    )  # fmt: skip
    assert entry.record.job.meta is not None
    entry = cron.edit("e", interval=3600)
    assert (entry.cron, entry.interval, entry.record.rules.schedule.jitter) == (None, 3600, 5)
    assert slot_of(cron) > now_of(cron) + 3000


def test_an_edit_that_changes_nothing_is_none(cron: Cron) -> None:
    cron.add("e", nothing, **EVERY_MINUTE)
    version = cron.get("e").record.version
    assert cron.edit("e", queue="q", misfire="once").record.version == version


def test_what_was_paused_fires_nothing_and_catches_nothing_up(cron: Cron) -> None:
    cron.add("e", nothing, **EVERY_MINUTE, misfire="all", catch_up=100)
    slot = slot_of(cron)
    for _ in range(2):
        assert cron.pause("e").paused
    assert cron.get("e").next_run_at is None
    assert fire(cron, slot + 600) == 0
    for _ in range(2):
        assert not cron.resume("e").paused
    assert slot_of(cron) >= slot
    assert fire(cron, slot_of(cron)) == 1


def test_a_paused_entry_can_be_edited_and_stays_paused(cron: Cron) -> None:
    cron.add("e", nothing, **EVERY_MINUTE, paused=True)
    cron.edit("e", cron="0 * * * *")
    assert client_of(cron).zscore("rq:cron_due", "e") == math.inf
    assert cron.resume("e").cron == "0 * * * *"


def test_by_hand_it_runs_beside_its_schedule(cron: Cron) -> None:
    cron.add("e", nothing, **EVERY_MINUTE, overlap="skip", paused=True, times=1)
    jobs = [cron.run("e") for _ in range(2)]
    assert Queue("q", client_of(cron)).job_ids == [job.id for job in jobs] == ids(cron)
    assert cron.get("e").record.times_left == 1


def test_what_ran_by_hand_alone_can_be_paused_and_resumed(every_cron: Cron) -> None:
    every_cron.add("e", nothing, **EVERY_MINUTE)
    every_cron.run("e")
    every_cron.pause("e")
    assert every_cron.resume("e").next_run_at is not None


def test_by_hand_sent_again_it_runs_once(cron: Cron) -> None:
    cron.add("e", nothing, **EVERY_MINUTE)
    shot = store.by_hand("e", "cron-e-run-1", now_of(cron))
    for _ in range(2):
        Store(client_of(cron)).run(store.fire(KEYS, [shot]))
    assert Queue("q", client_of(cron)).job_ids == ["cron-e-run-1"]


def test_what_was_deleted_is_gone_and_its_jobs_stay(cron: Cron) -> None:
    cron.add("e", nothing, **EVERY_MINUTE)
    slot = slot_of(cron)
    fire(cron, slot)
    assert cron.delete("e", "never") == 1
    assert cron.delete("e") == 0
    assert fire(cron, slot + 600) == 0
    assert "e" not in cron
    assert cron.all() == []
    assert len(Queue("q", client_of(cron)).job_ids) == len(ids(cron)) == 1
    for change in (cron.get, cron.pause, cron.resume, cron.run, cron.edit):
        with pytest.raises(NoSuchCronError, match="no such cron entry: 'e'"):
            change("e")


def test_history_keeps_the_last_thousand(cron: Cron) -> None:
    cron.add("e", nothing, **EVERY_MINUTE, misfire="all", catch_up=1000)
    slot = slot_of(cron)
    assert fire(cron, slot + 999 * 60) == 1000
    assert fire(cron, slot + 1009 * 60) == 10
    assert len(ids(cron)) == 1000
    assert cron.history("e", 0, 1) == cron.history("e")[:2]
    assert client_of(cron).ttl("rq:cron_job:e:jobs") > 31_000_000
    assert client_of(cron).zscore("rq:cron_jobs", "e") == pytest.approx(now_of(cron), abs=60)


def test_only_what_is_due_is_looked_at(cron: Cron) -> None:
    for number in range(300):
        cron.add(f"later{number}", nothing, interval=3600, start=datetime.now(UTC) + timedelta(1))
    cron.add("e", nothing, interval=3600)
    server = Store(client_of(cron))
    due = server.run(store.due(KEYS))
    assert [entry.name for entry in due.entries] == ["e"]
    assert fire(cron) == 1
    assert server.run(store.due(KEYS)).entries == []


def test_more_than_a_slice_is_fired_in_one_go(cron: Cron) -> None:
    for number in range(store.SLICE * 2 + 1):
        cron.add(f"e{number}", nothing, interval=3600, queue="q")
    assert fire(cron) == store.SLICE * 2 + 1


def test_the_duty_looks_again_when_the_next_is_due(cron: Cron) -> None:
    duty = Duty(Store(client_of(cron)), KEYS)
    assert duty.run_once(0.0).again_in is None
    cron.add("e", nothing, **EVERY_MINUTE)
    slot = slot_of(cron)
    again_in = duty.run_once(0.0, at=slot - 0.25).again_in
    assert again_in == pytest.approx(0.25)
    assert duty.run_once(0.0, at=slot - 30).again_in is None
    assert duty.run_once(0.0, at=slot).again_in is None


@pytest.mark.parametrize(
    "commands",
    [
        [("DEL", "rq:cron:bad"), ("SET", "rq:cron:bad", "text")],
        [("HSET", "rq:cron:bad", "cron", "nonsense")],
        [("HSET", "rq:cron:bad", "slot", b"\xff")],
        [("HSET", "rq:cron:bad", "zone", "Mars/Base")],
        [("HSET", "rq:cron:bad", "queue", "no-list")],
        [("DEL", "rq:cron:bad")],
        [("ZADD", "rq:cron_due", 1, b"\xff\xfe")],
        [("ZADD", "rq:cron_due", 1, "ghost")],
        [("DEL", "rq:cron_job:e:jobs"), ("SET", "rq:cron_job:e:jobs", "text")],
        [
            ("HSET", "rq:rl:k:allowed", "a", "b"),
            ("HSET", "rq:cron:bad", "job.rate_limit_key", "k"),
        ],
    ],
    ids=["string", "expression", "slot", "zone", "queue", "gone", "name", "ghost", "history",
         "limit"],
)  # fmt: skip
def test_an_entry_that_is_damaged_stops_no_other(
    cron: Cron, commands: list[tuple[str, ...]]
) -> None:
    client = client_of(cron)
    client.hset("rq:queue:no-list", "a", "b")
    cron.add("bad", nothing, **EVERY_MINUTE)
    cron.add("e", nothing, **EVERY_MINUTE)
    slot = slot_of(cron)
    for command in commands:
        client.execute_command(*command)
    client.zadd("rq:cron_due", {"bad": 1})
    for number in range(2):
        fire(cron, slot + 60 * number)
    mine = [job_id for job_id in Queue("q", client).job_ids if job_id.startswith("cron-e-")]
    assert len(mine) == 2
    assert "e" in [entry.name for entry in cron.all()]


def test_out_of_memory_an_entry_waits(every_cron: Cron) -> None:
    cron, client = every_cron, client_of(every_cron)
    cron.add("e", nothing, **EVERY_MINUTE)
    slot = slot_of(cron)
    client.config_set("maxmemory", 1)
    try:
        with pytest.raises(redis.ResponseError):
            fire(cron, slot)
    finally:
        client.config_set("maxmemory", 0)
    assert slot_of(cron) == slot
    assert fire(cron, slot) == 1


def test_a_thousand_slots_by_ten_schedulers_in_any_order(cron: Cron) -> None:
    client = client_of(cron)
    cron.add("e", nothing, **EVERY_MINUTE, misfire="all", catch_up=10)
    first = slot_of(cron)
    server = Store(client)
    read: list[Any] = []
    for number in range(200):
        at = first + 60 * number
        read += server.run(store.due(KEYS, at=at)).entries
        duties = [Duty(server, KEYS) for _ in range(2)]
        made = sum(duty.run_once(0.0, at=at).done for duty in duties)
        stale = [
            store.shot(entry, {f"stale{number}": entry.slot}, at + 60, at + 60) for entry in read
        ]
        assert {fired.outcome for fired in server.run(store.fire(KEYS, stale))} == {"past"}
        assert made == 1
    counted = Counter(Queue("q", client).job_ids)
    assert len(counted) == 200
    assert set(counted.values()) == {1}
