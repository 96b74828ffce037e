"""Jobs that wait for others, while messages are lost, machines die and people take jobs away."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry as ClientRetry

from tests.fault.conftest import NewLife
from tests.fault.sweeps import sweep, with_log
from tests.support.faults import Life, part_of
from tests.support.proxy import Fault, Rule, Seen
from tests.support.waiting import wait_until
from workhorse import Dependency, EnqueueUnknownError, Job, Queue
from workhorse.core.dependencies import OnParentFailure, Parents
from workhorse.store import jobs
from workhorse.store.audit import audit

FAULTS = (Fault.LOSE_REPLY, Fault.LOSE_REQUEST, Fault.CUT_REPLY, Fault.REPEAT)
MANY = 450
"""Children that are too many for the step in which their parent ends."""


def child(life: Life, job_id: str, *parents: str, rule: OnParentFailure = "wait") -> None:
    life.enqueue("work", job_id, parents=Parents(parents, rule), token="t")


def findings(life: Life) -> list[str]:
    return [str(one) for one in audit(life.store, life.keys)]


def dies_with_the_end_of(life: Life, job_id: str) -> None:
    """Run a supervisor whose machine dies as soon as the server has the end of a job."""
    first = life.start(max_jobs=1)
    life.proxy.add(
        Rule(
            Fault.DELAY,
            name="settle",
            times=10,
            then=lambda _: first.kill_all() if life.state(job_id) == "finished" else None,
        )
    )
    assert first.end() in (-signal.SIGKILL, 0)
    wait_until(life.all_dead)
    assert life.state(job_id) == "finished"


def test_fault_07_a_child_is_queued_in_the_same_commit_in_which_its_parent_ends(
    life: Life,
) -> None:
    life.enqueue("give", "p")
    child(life, "c", "p")
    dies_with_the_end_of(life, "p")
    assert life.state("c") == "queued"
    assert life.waiting() == ["c"]
    assert findings(life) == []


def test_fault_07_children_that_are_too_many_for_one_step_are_told_by_anybody(life: Life) -> None:
    life.enqueue("give", "p")
    names = [f"c{number}" for number in range(MANY)]
    for name in names:
        child(life, name, "p")
    dies_with_the_end_of(life, "p")
    assert {life.state(name) for name in names} == {"queued", "deferred"}
    assert findings(life) == []
    life.start()
    life.wait_for(*names, state="finished")
    assert set(life.begun().values()) == {1}


def begin(life: Life) -> None:
    """Queue a diamond: b and c wait for a, d for both; e is canceled with f, which fails."""
    life.enqueue("give", "a")
    child(life, "b", "a")
    child(life, "c", "a")
    child(life, "d", "b", "c")
    life.enqueue("fail", "f")
    child(life, "e", "f", rule="cancel")
    child(life, "g", "f", "a", rule="run")


ENDS = {
    "a": "finished", "b": "finished", "c": "finished", "d": "finished", "e": "canceled",
    "f": "failed", "g": "finished",
}  # fmt: skip


def problems_of_life(life: Life) -> list[str]:
    begin(life)
    life.drain()
    found = [f"{job} is {life.state(job)}" for job in ENDS if life.state(job) != ENDS[job]]
    begun = life.begun()
    found += [f"{job} began {begun[job]} times" for job in ENDS if begun[job] != (job != "e")]
    order = [line.split()[1] for line in life.lines if line.startswith("begin")]
    if order and order[0] == "a" and order.index("d") < max(order.index("b"), order.index("c")):
        found.append(f"they began as {order}")
    return found + findings(life)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.lower())
def test_fault_16_any_call_may_be_lost_while_jobs_wait_for_others(
    new_life: NewLife, fault: Fault
) -> None:
    def problems_at(number: int) -> list[str]:
        with new_life() as life:
            life.proxy.add(Rule(fault, nth=number))
            return with_log(life, problems_of_life(life))

    with new_life() as life:
        assert problems_of_life(life) == []
        calls = len(life.proxy.calls)
    assert sweep(part_of(range(1, calls + 2), 4), problems_at) == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.lower())
def test_window_t8_children_that_are_enqueued_together_are_each_queued_once(
    life: Life, fault: Fault, environment_of_its_own: pytest.MonkeyPatch
) -> None:
    """While their parents are written to, and the reply to their producer is lost."""
    environment_of_its_own.setenv("RQ_KEY_PREFIX", life.prefix)
    for name in ("done", "lives"):
        life.enqueue("give", name)
    life.drain(max_jobs=1)
    rule = Rule(
        fault,
        name="enqueue",
        then=lambda _: life.client.hset(life.keys.job("done"), "meta", "new"),
    )
    life.proxy.add(rule)
    retry = ClientRetry(NoBackoff(), 3)
    with redis.Redis(unix_socket_path=str(life.proxy.socket), retry=retry) as client:
        queue = Queue("q", connection=client)
        free = [queue.prepare_data(print, depends_on="done", job_id=f"f{n}") for n in range(100)]
        waits = [queue.prepare_data(print, depends_on=["done", "lives"]) for _ in range(50)]
        made = queue.enqueue_many([*free, *waits])
        assert rule.hits
        assert [job.get_status() for job in made] == ["queued"] * 100 + ["deferred"] * 50
        assert queue.job_ids == ["lives", *(f"f{number}" for number in range(100))]
    assert findings(life) == []


# Row 58: at each moment, for each rule


def ends_well(life: Life) -> None:
    life.drain(max_jobs=1)


def fails(life: Life) -> None:
    life.client.lpush(life.keys.queue("q"), "p")
    life.client.hset(life.keys.job("p"), "data", b"nothing that can be called")
    life.client.lpop(life.keys.queue("q"))
    life.drain(max_jobs=1)


def is_canceled(life: Life) -> None:
    life.store.run(jobs.cancel(life.keys, "p"))


def is_deleted(life: Life) -> None:
    life.store.run(jobs.delete(life.keys, ["p"]))


def expires(life: Life) -> None:
    life.client.delete(life.keys.job("p"))
    life.drain()


FATES: dict[Callable[[Life], None], dict[str, str]] = {
    ends_well: dict.fromkeys(["wait", "cancel", "run"], "queued"),
    fails: {"wait": "deferred", "cancel": "canceled", "run": "queued"},
    is_canceled: {"wait": "deferred", "cancel": "canceled", "run": "queued"},
    is_deleted: {"wait": "deferred", "cancel": "canceled", "run": "queued"},
    expires: {"wait": "deferred", "cancel": "canceled", "run": "queued"},
}


@pytest.mark.parametrize("moment", ["before", "during", "after"])
@pytest.mark.parametrize("end", FATES, ids=lambda end: end.__name__)
@pytest.mark.parametrize("rule", ["wait", "cancel", "run"])
def test_fault_58_whenever_its_parent_ends_a_child_ends_as_its_rule_says(
    life: Life, queue: Queue, moment: str, end: Callable[[Life], None], rule: Any
) -> None:
    life.enqueue("give", "p")
    if moment == "before":
        end(life)
    elif moment == "during":  # its parent lives when the call is made, and not when it arrives
        life.proxy.add(Rule(Fault.LOSE_REQUEST, name="enqueue", then=lambda _: end(life)))
    given = Dependency("p", on_parent_failure=rule)
    try:
        made = queue.enqueue(print, depends_on=given, job_id="c")
    except EnqueueUnknownError as error:
        made = error.send_again()[0]
    if moment == "after":
        assert made.is_deferred
        end(life)
    # As in RQ, one that is gone when the child comes counts as done: it may have been long ago.
    was_gone = moment != "after" and end in (is_deleted, expires)
    wanted = "queued" if was_gone else FATES[end][rule]
    if wanted == "queued" and end is expires and moment == "after":
        wanted = "finished"  # by the supervisor that found its parent gone
    assert life.state("c") == wanted
    assert [one for one in findings(life) if "'p'" not in one] == []


def test_fault_58_no_child_is_forgotten_that_comes_while_its_parent_ends(life: Life) -> None:
    """Workers end parents as fast as several producers add children to them."""
    life.start(2)
    ids: list[str] = []

    def produce(number: int) -> None:
        for at in range(40):
            parent, name = f"p{number}-{at}", f"c{number}-{at}"
            life.enqueue("work", parent)
            for some in range(3):
                child(life, f"{name}-{some}", parent)
                ids.append(f"{name}-{some}")

    threads = [threading.Thread(target=produce, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    life.wait_for(*ids, state="finished", within=60)
    begun = life.begun()
    assert {begun[name] for name in ids} == {1}
    wait_until(lambda: life.leases() == 0)
    assert findings(life) == []


# RQ's windows


def as_rqs_worker_leaves_it(life: Life, job_id: str) -> None:
    """Make a job of one that RQ's worker saw free, and died before it queued it."""
    life.client.zrem(life.keys.registry("deferred", "q"), job_id)
    life.client.hset(life.keys.job(job_id), "status", "ready_to_enqueue")
    life.client.zadd(life.keys.registry("ready", "q"), {job_id: time.time()})


def test_window_s5_a_job_that_was_ready_when_rqs_worker_died_is_run(life: Life) -> None:
    life.enqueue("give", "p")
    child(life, "c", "p")
    as_rqs_worker_leaves_it(life, "c")
    life.client.lrem(life.keys.queue("q"), 0, "p")
    life.start()
    life.wait_for("c", state="finished")
    assert life.begun()["c"] == 1


@pytest.mark.parametrize("rule", ["cancel", "run"])
def test_window_s6_a_child_whose_parent_failed_untold_does_not_wait_for_ever(
    life: Life, rule: OnParentFailure
) -> None:
    """RQ's worker fails a parent and tells nobody but those that it releases itself."""
    life.enqueue("give", "p")
    child(life, "c", "p", rule=rule)
    life.client.lrem(life.keys.queue("q"), 0, "p")
    life.client.hset(life.keys.job("p"), "status", "failed")
    life.client.zadd(life.keys.registry("failed", "q"), {"p": 1e11})
    life.start()
    life.wait_for("c", state="canceled" if rule == "cancel" else "finished")


def test_window_s6_what_expired_while_it_waited_leaves_nothing(life: Life) -> None:
    life.enqueue("give", "p")
    child(life, "c", "p")
    child(life, "g", "c", rule="run")
    life.client.lrem(life.keys.queue("q"), 0, "p")
    life.client.delete(life.keys.job("c"))
    life.start()
    life.wait_for("g", state="finished")
    wait_until(lambda: life.client.zcard(life.keys.registry("deferred", "q")) == 0)
    assert not life.client.exists(life.keys.dependents("p"), life.keys.dependencies("c"))


@pytest.mark.parametrize("act", ["cancel", "delete"])
def test_window_r3_a_child_that_is_taken_away_while_its_parent_ends_is_not_run(
    life: Life, act: str
) -> None:
    life.enqueue("give", "p")
    child(life, "c", "p")

    def take_away(_: Seen) -> None:
        if act == "cancel":
            life.store.run(jobs.cancel(life.keys, "c"))
        else:
            life.store.run(jobs.delete(life.keys, ["c"]))

    race = Rule(Fault.LOSE_REQUEST, name="settle", then=take_away)
    life.proxy.add(race)
    life.drain()
    assert race.hits
    assert life.state("p") == "finished"
    assert life.state("c") == ("canceled" if act == "cancel" else None)
    assert life.begun()["c"] == 0
    assert findings(life) == []


def test_window_s6_a_person_sees_what_a_job_waits_for_in_vain(life: Life, queue: Queue) -> None:
    life.enqueue("fail", "p")
    made = queue.enqueue(print, depends_on=["p"])
    life.drain()
    assert made.is_deferred
    assert [str(each) for each in made.waits_for()] == ["p, which failed"]
    Job.fetch("p", queue.connection).requeue()
    assert [str(each) for each in made.waits_for()] == ["p, which is queued"]


# Row 49: keys of another kind


SPOILT = {
    "the parent's children": "job:p:dependents",
    "the child's parents": "job::c:dependencies",
    "the deferred": "deferred:q",
    "the ready": "ready:q",
    "what is left to tell": "promoting",
    "the child": "job:c",
    "the canceled": "canceled:q",
    "the child's queue": "queue:other",
}


@pytest.mark.parametrize("key", SPOILT.values(), ids=SPOILT)
@pytest.mark.parametrize("rule", ["run", "cancel"])
@pytest.mark.parametrize("parent", ["give", "fail"])
def test_fault_49_no_edge_that_is_damaged_stops_a_worker(
    life: Life, key: str, rule: OnParentFailure, parent: str
) -> None:
    """Neither those that end parents, nor those that look again; and other families go on."""
    for number in range(3):
        life.enqueue(parent, f"p{number or ''}")
    life.enqueue("work", "c", parents=Parents(("p",), rule), token="t", origin="other")
    for number in (1, 2):
        child(life, f"c{number}", f"p{number}", rule=rule)
    spoilt = f"{life.prefix}:{key}"
    life.client.delete(spoilt)
    life.client.set(spoilt, "no such thing")
    supervisor = life.start()
    wanted = "canceled" if (parent, rule) == ("fail", "cancel") else "finished"
    life.wait_for("p", "p1", "p2")
    life.wait_for("c1", "c2", state=wanted)
    assert supervisor.stop() == 0
    again = life.drain()  # what was left is looked at from the start
    assert "failed, trying again" not in supervisor.log + again.log
    kinds = {one.kind for one in audit(life.store, life.keys) if one.id.startswith(("p", "c1"))}
    assert kinds <= {"misshapen", "leftover"}


def test_fault_49_children_are_told_though_it_is_not_known_who_is_left(life: Life) -> None:
    """`promoting` is made anew, and whoever was forgotten with it is found by its own edges."""
    life.enqueue("give", "p")
    names = [f"c{number}" for number in range(MANY)]
    for name in names:
        child(life, name, "p")
    life.client.set(life.keys.promoting(), "no such thing")
    life.start()
    life.wait_for(*names, state="finished")


def test_fault_49_one_damaged_child_keeps_no_other_back(life: Life) -> None:
    life.enqueue("give", "p")
    names = [f"c{number}" for number in range(20)]
    for name in names:
        queue = "other" if name == "c7" else "q"
        life.enqueue("work", name, parents=Parents(("p",)), token="t", origin=queue)
    life.client.set(life.keys.queue("other"), "no list")
    life.drain(max_jobs=1)
    assert sorted([*life.waiting(), "c7"]) == sorted(names)
    assert life.client.lrange(life.keys.broken("other"), 0, -1) == [b"c7"]
