"""Rows 62 to 65: who moves scheduled jobs dies, stands still, meets people, has a lot to do."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from tests.support.faults import Life
from tests.support.proxy import Fault, Rule, Seen
from tests.support.waiting import wait_until
from workhorse.store import jobs, registries, schedule
from workhorse.worker.duties.forward import Forward


def schedule_some(life: Life, count: int, seconds: float = 3600) -> list[str]:
    """Schedule jobs; return their ids."""
    ids = [f"job{number}" for number in range(count)]
    for job_id in ids:
        life.enqueue("work", job_id, due_in=seconds)
    assert {life.state(job_id) for job_id in ids} == {"scheduled"}
    return ids


def make_due(life: Life, *ids: str) -> None:
    key = life.keys.registry("scheduled", "q")
    assert life.client.zadd(key, dict.fromkeys(ids, 1), xx=True, ch=True) == len(ids)


def has_due(life: Life, *ids: str) -> Any:
    def are_due(_: Seen) -> bool:
        key = life.keys.registry("scheduled", "q")
        return any(life.client.zscore(key, job_id) == 1 for job_id in ids)

    return are_due


# 62: who moves them is killed


@pytest.mark.parametrize("fault", [Fault.LOSE_REQUEST, Fault.CUT_REQUEST, Fault.LOSE_REPLY])
def test_fault_62_jobs_that_became_due_run_once_though_their_mover_is_killed(
    life: Life, fault: Fault
) -> None:
    ids = schedule_some(life, 10)
    dies = life.start(queues=["other"])
    kill = Rule(fault, name="forward", where=has_due(life, *ids), then=lambda _: dies.kill_all())
    life.proxy.add(kill)
    make_due(life, *ids)
    kill.wait()
    life.start(url=f"unix://{life.server}")
    for job_id in ids:
        life.wait_for(job_id, state="finished")
    assert life.begun() == dict.fromkeys(ids, 1)
    life.assert_clean()


def test_fault_62_the_reply_of_a_move_is_lost_and_it_is_sent_again(life: Life) -> None:
    ids = schedule_some(life, 5)
    make_due(life, *ids)
    life.proxy.add(Rule(Fault.LOSE_REPLY, name="forward", where=has_due(life, *ids)))
    life.start()
    for job_id in ids:
        life.wait_for(job_id, state="finished")
    assert life.begun() == dict.fromkeys(ids, 1)
    life.assert_clean()


# 63: who moves them stands still


@pytest.mark.parametrize("fault", [Fault.LOSE_REQUEST, Fault.LOSE_REPLY])
def test_fault_63_two_move_what_is_due_once_though_one_stood_still(
    life: Life, fault: Fault
) -> None:
    """Whoever goes on sends the same again, long after the other's."""
    ids = schedule_some(life, 10)
    stands = life.start(queues=["other"])
    stop = Rule(
        fault,
        name="forward",
        where=has_due(life, *ids),
        then=lambda _: stands.send(signal.SIGSTOP),
    )
    life.proxy.add(stop)
    make_due(life, *ids)
    stop.wait()
    life.start(url=f"unix://{life.server}")
    for job_id in ids:
        life.wait_for(job_id, state="finished")
    seen = life.proxy.names().count("forward")
    stands.send(signal.SIGCONT)
    wait_until(lambda: life.proxy.names().count("forward") > seen + 1)
    assert life.begun() == dict.fromkeys(ids, 1)
    assert {life.state(job_id) for job_id in ids} == {"finished"}
    life.assert_clean()


# 64: a person is faster


@pytest.mark.parametrize("act", ["cancel", "delete", "reschedule"])
def test_fault_64_what_a_person_does_while_a_job_becomes_due_holds(life: Life, act: str) -> None:
    calls: dict[str, Any] = {
        "cancel": jobs.cancel(life.keys, "job0", token="c" * 24),
        "delete": jobs.delete(life.keys, ["job0"]),
        "reschedule": registries.reschedule(life.keys, "q", "job0", due=4e9),
    }
    schedule_some(life, 2)
    race = Rule(
        Fault.LOSE_REQUEST,
        name="forward",
        where=has_due(life, "job0"),
        then=lambda _: life.store.run(calls[act]),
    )
    life.proxy.add(race)
    life.start()
    make_due(life, "job0", "job1")
    race.wait()
    life.wait_for("job1", state="finished")
    assert life.begun() == {"job1": 1}
    expected = {"cancel": "canceled", "delete": None, "reschedule": "scheduled"}
    assert life.state("job0") == expected[act]
    life.assert_clean()


@pytest.mark.parametrize("act", ["cancel", "delete"])
def test_fault_64_what_a_person_does_once_a_job_is_due_holds(life: Life, act: str) -> None:
    schedule_some(life, 1)
    make_due(life, "job0")
    assert life.store.run(schedule.forward(life.keys)).moved == {"q": 1}
    take_away: dict[str, Any] = {
        "cancel": jobs.cancel(life.keys, "job0", token="c" * 24),
        "delete": jobs.delete(life.keys, ["job0"]),
    }
    life.store.run(take_away[act])
    assert life.store.run(schedule.forward(life.keys)).moved == {}
    life.drain()
    assert life.begun() == {}
    life.assert_clean()


# 65: a great many at once


def test_fault_65_many_that_are_due_at_once_are_moved_in_slices_and_starve_no_other_queue(
    life: Life,
) -> None:
    """The figure for a million is in bench/."""
    many = [f"many{number}" for number in range(3000)]
    for first in range(0, len(many), jobs.MANY):
        some = many[first : first + jobs.MANY]
        records = [life.record("work", each, scheduled_for=4e9) for each in some]
        life.store.run(jobs.enqueue(life.keys, records))
    life.enqueue("work", "other", origin="other", scheduled_for=4e9)
    make_due(life, *many)
    life.client.zadd(life.keys.registry("scheduled", "other"), {"other": 1}, xx=True)
    one = life.store.run(schedule.forward(life.keys))
    assert one.moved == {"q": schedule.DUE_SLICE // 2, "other": 1}
    assert one.next_in == 0
    life.client.config_resetstat()
    duty = Forward(life.store, life.keys)
    done, runs = one.moved["q"], 0
    while done < len(many):
        report = duty.run_once(0)
        done += report.done
        runs += 1
        assert (report.again_in == 0) == (done < len(many))
    assert runs == 2  # and between them its process looks after its workers
    told = life.client.info("commandstats")["cmdstat_evalsha"]
    assert told["calls"] == -(-(len(many) - one.moved["q"]) // schedule.DUE_SLICE)
    assert len(life.waiting()) == len(many)
