"""Each pair of a state and an event, those that are not in the table too, by the real scripts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.support.lives import Life, execution_of, record
from workhorse.core.dependencies import Parents
from workhorse.core.errors import IllegalTransitionError
from workhorse.core.states import ENDED, TRANSITIONS, Event, State, after
from workhorse.core.verdicts import Policy, Verdict
from workhorse.store import dependents, reconcile, schedule, starting
from workhorse.store.jobs import Execution
from workhorse.wire.claimed import Claimed

STATES = (None, *State)
NOBODY = Claimed("q", "j", "e" * 32, b"", "", None, None, None, Policy(), "hash")
Act = Callable[[Life, Claimed, State | None], object]


def settle(event: Event) -> Act:
    def act(life: Life, job: Claimed, to: State | None) -> object:
        targets = {
            target for (_, each), row in TRANSITIONS.items() if each == event for target in row
        }
        return life.settle(job, Verdict(event, to or next(iter(targets - {None})) or State.FAILED))

    return act


def enqueue(life: Life, _job: Claimed, _to: State | None) -> object:
    return life.enqueue("j", token="t")


def schedule_it(life: Life, _job: Claimed, _to: State | None) -> object:
    return life.enqueue("j", token="t", due_in=60)


def defer(life: Life, _job: Claimed, _to: State | None) -> object:
    life.client.hset("rq:job:p", "status", "queued")
    life.enqueue("j", token="t", parents=Parents(("p",)))
    return life.client.delete("rq:job:p")


def fill_limit(life: Life, *, of_job: bool = True) -> None:
    """Have another job take the only place of the limit "slots", which the job needs, too."""
    if of_job:
        life.client.hset("rq:job:j", mapping={"rate_limit_key": "slots", **ONE_PLACE})
    life.client.sadd("rq:rl-keys", "slots")
    life.client.hset("rq:rl:slots", "concurrency", 1)
    life.client.zadd("rq:rl:slots:allowed", {"other": 1})


ONE_PLACE = {"rate_limit_concurrency": 1}


def limit(life: Life, _job: Claimed, _to: State | None) -> object:
    before = life.dump()
    fill_limit(life, of_job=False)
    life.enqueue("j", token="t", rate_limit_key="slots", rate_limit_concurrency=1)
    if "rq:rl:slots" not in before:
        life.client.delete("rq:rl:slots", "rq:rl-keys")
    return life.client.delete("rq:rl:slots:allowed")


def go_on_as(life: Life, to: State | None) -> None:
    """Give the job what sends it to *to*, rather than to its queue."""
    if to is State.RATE_LIMITED:
        fill_limit(life)
    elif to is State.SCHEDULED:
        life.client.hset("rq:job:j", "scheduled_for", 1e11)


def promote(life: Life, _job: Claimed, to: State | None) -> object:
    go_on_as(life, to)
    life.client.sadd("rq:job:p:dependents", "j")
    life.client.hset("rq:promoting", "p", "0:finished")
    return life.store.run(dependents.promote(life.keys))


def admit(life: Life, _job: Claimed, _to: State | None) -> object:
    before = life.dump()
    life.enqueue("other", rate_limit_key="slots", rate_limit_concurrency=1, token="o")
    life.client.lrem("rq:queue:q", 0, "other")
    life.delete("other")
    life.client.delete("rq:gone:other")
    return None if "rq:bell:q" in before else life.client.delete("rq:bell:q")


def start(life: Life, _job: Claimed, _to: State | None) -> object:
    execution = Execution("j", "f" * 32, "q")
    call = starting.start(life.keys, record("j", token="t"), execution, worker="w", lease=60)
    return life.store.run(call)


def forward(life: Life, _job: Claimed, to: State | None) -> object:
    go_on_as(life, to)
    return life.store.run(schedule.forward(life.keys, ["q"]))


def claim(life: Life, _job: Claimed, _to: State | None) -> object:
    return life.claim()


def release(life: Life, job: Claimed, _to: State | None) -> object:
    return life.release(job)


def cancel(life: Life, _job: Claimed, _to: State | None) -> object:
    return life.cancel()


def requeue(life: Life, _job: Claimed, to: State | None) -> object:
    go_on_as(life, to)
    return life.requeue()


def delete(life: Life, _job: Claimed, _to: State | None) -> object:
    return life.delete()


def recover(life: Life, job: Claimed, to: State | None) -> object:
    if life.client.zscore("rq:wip:q", f"j:{job.execution_id}"):
        life.client.zadd("rq:wip:q", {f"j:{job.execution_id}": 1})  # it lapsed long ago
    if to is State.FAILED:
        life.client.hset("rq:job:j", "on_lost", "fail")
    return life.recover()


def put_back(life: Life, _job: Claimed, _to: State | None) -> object:
    """Take the job out of its place first, if that is where it may be missed."""
    if life.state() in (State.QUEUED, State.STARTED, State.SCHEDULED, State.RATE_LIMITED):
        life.client.delete("rq:queue:q", "rq:wip:q", "rq:scheduled:q", "rq:executions:j")
        life.client.delete("rq:rl:slots:rate_limited")
    seen = life.store.run(reconcile.sight(life.keys, b"j"))
    return life.store.run(reconcile.reconcile(life.keys, [seen]))


ACTS: dict[Event, Act] = {
    Event.ENQUEUE: enqueue,
    Event.START: start,
    Event.SCHEDULE: schedule_it,
    Event.DEFER: defer,
    Event.LIMIT: limit,
    Event.FORWARD: forward,
    Event.PROMOTE: promote,
    Event.ADMIT: admit,
    Event.CLAIM: claim,
    Event.SUCCEED: settle(Event.SUCCEED),
    Event.REPEAT: settle(Event.REPEAT),
    Event.RETRY: settle(Event.RETRY),
    Event.FAIL: settle(Event.FAIL),
    Event.STOP: settle(Event.STOP),
    Event.RELEASE: release,
    Event.RECOVER: recover,
    Event.RECONCILE: put_back,
    Event.CANCEL: cancel,
    Event.REQUEUE: requeue,
    Event.DELETE: delete,
}

LEGAL = [(state, event, to) for (state, event), row in TRANSITIONS.items() for to in row]
MISSING = [
    (state, event) for state in STATES for event in Event if (state, event) not in TRANSITIONS
]


def name(value: State | Event | None) -> str:
    return value.value if value else "none"


def without_events_own_places(life: Life) -> None:
    """Take away the claim's memory and the bell, which are nobody's state."""
    life.client.delete("rq:worker:w:claim", "rq:bell:q")


def test_every_event_has_a_script() -> None:
    assert set(ACTS) == set(Event)


@pytest.mark.parametrize(("state", "event", "to"), LEGAL, ids=name)
def test_a_pair_of_the_table_is_applied(
    every_life: Life, state: State | None, event: Event, to: State | None
) -> None:
    job = every_life.in_state(state) or NOBODY
    ACTS[event](every_life, job, to)
    assert every_life.state() == to
    assert places(every_life) == belongs(to)


@pytest.mark.parametrize(("state", "event"), MISSING, ids=name)
def test_a_pair_that_is_not_in_the_table_changes_nothing(
    every_life: Life, state: State | None, event: Event
) -> None:
    job = every_life.in_state(state) or NOBODY
    without_events_own_places(every_life)
    before = every_life.dump()
    ACTS[event](every_life, job, None)
    registers_its_queue = event in {
        Event.ENQUEUE, Event.START, Event.SCHEDULE, Event.DEFER, Event.LIMIT, Event.ADMIT,
    }  # fmt: skip
    if registers_its_queue and (
        state not in (None, State.CREATED, *ENDED) or event is Event.ADMIT
    ):
        before["rq:queues"] = ("set", False, {b"rq:queue:q"})
    if event is Event.CLAIM:  # of nothing: its worker's earlier claims are over all the same
        every_life.client.delete("rq:worker:w:claim")
    assert every_life.dump() == before


def places(life: Life) -> set[str]:
    """Return the kinds of places in which the job is."""
    found = set()
    for key, (kind, _, value) in life.dump().items():
        if key == "rq:rl:slots:allowed" or key.startswith("rq:failed_of:"):  # who is elsewhere
            continue
        if kind == "list" and value == [b"j"]:
            found.add(key)
        if kind == "zset" and any(member.split(b":")[0] == b"j" for member, _ in value):
            found.add(key)
    return found


def belongs(state: State | None) -> set[str]:
    """Return the one place in which a job in *state* is."""
    if state is None:
        return set()
    return {
        State.QUEUED: {"rq:queue:q"},
        State.STARTED: {"rq:wip:q"},
        State.SCHEDULED: {"rq:scheduled:q"},
        State.DEFERRED: {"rq:deferred:q"},
        State.RATE_LIMITED: {"rq:rl:slots:rate_limited"},
        State.FINISHED: {"rq:finished:q"},
        State.CANCELED: {"rq:canceled:q"},
    }.get(state, {"rq:failed:q"})


@pytest.mark.parametrize("state", [s for s in STATES if s is not State.QUEUED], ids=name)
def test_a_stale_id_on_a_queue_is_dropped_and_its_job_left_alone(
    every_life: Life, state: State | None
) -> None:
    every_life.in_state(state)
    without_events_own_places(every_life)
    before = every_life.dump()
    every_life.client.rpush("rq:queue:q", "j")
    claim = every_life.claim()
    assert (claim.jobs, claim.dropped) == ([], [("q", "j", state or "")])
    assert every_life.dump() == before


@pytest.mark.parametrize("state", [s for s in STATES if s is not State.SCHEDULED], ids=name)
def test_a_stale_id_in_the_schedule_is_dropped_and_its_job_left_alone(
    every_life: Life, state: State | None
) -> None:
    every_life.in_state(state)
    before = every_life.dump()
    every_life.client.zadd("rq:scheduled:q", {"j": 1})
    assert every_life.store.run(schedule.forward(every_life.keys, ["q"])).moved == {}
    assert every_life.dump() == before


@pytest.mark.parametrize("state", [None, *ENDED], ids=name)
def test_a_lease_left_on_a_job_that_is_not_started_is_no_leave_to_change_it(
    every_life: Life, state: State | None
) -> None:
    """RQ's cancel and delete leave the lease of a running job."""
    every_life.in_state(state)
    job = replace(NOBODY, execution_id="a" * 32)
    for act in [settle(Event.SUCCEED), settle(Event.FAIL), release, recover]:
        before = every_life.dump()
        every_life.client.zadd("rq:wip:q", {f"j:{job.execution_id}": 1})
        act(every_life, job, None)
        assert every_life.dump() == before
        every_life.client.zadd("rq:wip:q", {f"j:{job.execution_id}": 1})
        assert every_life.extend(job) == [execution_of(job)]
        assert every_life.dump() == before


@pytest.mark.parametrize(("state", "event"), MISSING, ids=name)
def test_the_rules_refuse_what_the_scripts_refuse(state: State | None, event: Event) -> None:
    with pytest.raises(IllegalTransitionError):
        after(state, event)
