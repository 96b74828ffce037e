"""What one worker's loop does with the jobs that it claims, on a real server, in this process."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.support import fleet as fleets
from tests.support.fleet import KEYS, Fleet
from workhorse.core.outcomes import Crashed, Returned
from workhorse.core.verdicts import judge
from workhorse.store import jobs
from workhorse.store.drivers import Store
from workhorse.wire.claimed import Claimed
from workhorse.worker.executors.fork import ForkExecutor
from workhorse.worker.executors.inline import InlineExecutor
from workhorse.worker.executors.protocol import Called, Ended, Executor, Run
from workhorse.worker.ledger import Ledger, Slot
from workhorse.worker.lifecycle import Shutdown
from workhorse.worker.loop import Loop
from workhorse.worker.options import WorkerOptions
from workhorse.worker.pickup import pick_up, settle_ended

TOKEN = "0123456789abcdef01234567"  # noqa: S105 - of a claim


@pytest.fixture
def fleet(server_socket: Path) -> Iterator[Fleet]:
    yield from fleets.of_server(server_socket)


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    made = Ledger()
    yield made
    made.close()


class Between(InlineExecutor):
    """Runs jobs, and does something of the test's own after the first *after* of them."""

    def __init__(self, after: int, what: Any) -> None:
        super().__init__()
        self._after = after
        self._what = what

    def start(self, execution_id: str, run: Run, *, kill_after: float | None) -> None:
        super().start(execution_id, run, kill_after=kill_after)
        self._after -= 1
        if self._after == 0:
            self._what()


def loop_of(
    fleet: Fleet,
    ledger: Ledger,
    executor: Executor | None = None,
    shutdown: Shutdown | None = None,
    **options: Any,
) -> Loop:
    told = WorkerOptions(
        connect=partial(fleets.connect, str(fleet.socket)),
        queues=("q",),
        name="looper",
        **{"burst": True, **options},
    )
    store = Store(fleet.client)
    return Loop(told, store, ledger, executor or InlineExecutor(), shutdown or Shutdown())


def claim(fleet: Fleet, count: int, token: str = TOKEN) -> list[Claimed]:
    call = jobs.claim(KEYS, ["q"], worker="looper", token=token, count=count, lease=60)
    return fleet.store.run(call).jobs


def options_of(fleet: Fleet) -> WorkerOptions:
    return WorkerOptions(connect=lambda: fleets.connect(str(fleet.socket)), queues=("q",))


def test_every_job_is_run_once_in_order_and_settled(fleet: Fleet, ledger: Ledger) -> None:
    ids = fleet.enqueue_many([fleet.note(str(number)) for number in range(50)])
    assert loop_of(fleet, ledger).run() == 50
    assert fleet.noted == [str(number) for number in range(50)]
    assert {fleet.state(job_id) for job_id in ids} == {"finished"}
    assert not ledger.is_busy()


def test_short_jobs_are_claimed_and_settled_many_at_a_time(fleet: Fleet, ledger: Ledger) -> None:
    fleet.enqueue_many([("nothing",)] * 200)
    before = fleet.client.info("commandstats")["cmdstat_evalsha"]["calls"]
    loop_of(fleet, ledger).run()
    after = fleet.client.info("commandstats")["cmdstat_evalsha"]["calls"]
    assert after - before < 50


class Hasty(ForkExecutor):
    """Is told to stop, and to stop at once, while its first job runs."""

    def __init__(self, shutdown: Shutdown, begun: Callable[[], object]) -> None:
        super().__init__()
        self._shutdown = shutdown
        self._begun = begun

    def collect(self, timeout: float) -> list[Ended | Called]:
        found = super().collect(timeout)
        if self._begun():
            self._shutdown.request()
        return found


def test_a_run_that_is_abandoned_is_lost_and_keeps_when_it_began(
    fleet: Fleet, ledger: Ledger
) -> None:
    job_id = fleet.enqueue("note_and_sleep", str(fleet.journal), "ran", 60)
    shutdown = Shutdown()
    executor = Hasty(shutdown, begun=lambda: fleet.noted)
    loop_of(fleet, ledger, executor, shutdown).run()
    (lost,) = fleet.results(job_id)
    assert "told to stop at once" in str(lost.error)
    assert lost.started_at is not None
    assert lost.ended_at is not None
    assert lost.ended_at > lost.started_at
    assert (fleet.state(job_id), fleet.starts(job_id)) == ("queued", 1)


def test_slow_jobs_are_claimed_one_by_one(fleet: Fleet, ledger: Ledger) -> None:
    fleet.enqueue_many([("sleep", 0.03)] * 3)
    held: list[int] = []
    executor = Between(1, lambda: held.append(len(fleet.queued())))
    loop_of(fleet, ledger, executor).run()
    assert held == [2]


def test_a_result_that_does_not_fit_the_ledger_is_settled_at_once(
    fleet: Fleet, ledger: Ledger
) -> None:
    ids = fleet.enqueue_many([("text_of", 3_000_000)] * 3)
    assert loop_of(fleet, ledger).run() == 3
    assert {fleet.state(job_id) for job_id in ids} == {"finished"}
    assert len(fleet.client.hget(f"rq:job:{ids[0]}", "result") or b"") > 3_000_000


def test_no_more_than_max_jobs_are_claimed(fleet: Fleet, ledger: Ledger) -> None:
    fleet.enqueue_many([("nothing",)] * 20)
    assert loop_of(fleet, ledger, max_jobs=7).run() == 7
    assert len(fleet.queued()) == 13
    assert fleet.leases() == 0


def test_a_burst_is_not_over_while_only_stale_ids_were_found(fleet: Fleet, ledger: Ledger) -> None:
    fleet.client.rpush("rq:queue:q", *(f"gone{number}" for number in range(2500)))
    job_id = fleet.enqueue("nothing")
    assert loop_of(fleet, ledger).run() == 1
    assert fleet.state(job_id) == "finished"


def test_a_loop_ends_when_it_was_idle_for_long(fleet: Fleet, ledger: Ledger) -> None:
    began = time.monotonic()
    assert loop_of(fleet, ledger, burst=False, max_idle_time=0.1).run() == 0
    assert time.monotonic() - began < 5


def test_jobs_that_were_not_begun_go_back_in_order_at_a_request_to_stop(
    fleet: Fleet, ledger: Ledger
) -> None:
    ids = fleet.enqueue_many([("nothing",)] * 100)
    shutdown = Shutdown()
    ran = loop_of(fleet, ledger, Between(40, shutdown.request), shutdown).run()
    assert ran == 40
    assert fleet.queued() == ids[40:]
    assert {fleet.fetch(job_id, "starts") for job_id in ids} == {None}
    assert fleet.leases() == 0


def test_a_job_that_its_supervisor_took_back_is_not_run(fleet: Fleet, ledger: Ledger) -> None:
    fleet.enqueue_many([fleet.note(str(number)) for number in range(100)])
    taken: list[str] = []

    def take_back() -> None:
        taken.extend(held.job.job_id for held in ledger.take_back(Slot.HELD))
        executions = [
            jobs.Execution(job_id, fleet.fetch(job_id, "execution_id") or "", "q")
            for job_id in taken
        ]
        fleet.store.run(jobs.release(KEYS, executions, worker="looper"))

    assert loop_of(fleet, ledger, Between(40, take_back)).run() == 100
    assert taken
    assert sorted(fleet.noted, key=int) == [str(number) for number in range(100)]


def test_a_verdict_that_its_supervisor_settled_is_not_told_as_refused(
    fleet: Fleet, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    # Not kept, so that the second sending finds no job.
    fleet.enqueue_many([("nothing",)] * 50, result_ttl=0)

    def settle() -> None:
        taken = ledger.take_back(Slot.ENDED)
        plan = settle_ended(options_of(fleet), "looper", taken, sent_at=time.monotonic())
        fleet.store.run(plan)

    with caplog.at_level(logging.INFO, "workhorse"):
        loop_of(fleet, ledger, Between(40, settle)).run()
    assert "was not written" not in caplog.text


def test_the_end_of_a_job_that_was_deleted_meanwhile_is_told(
    fleet: Fleet, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    job_id = fleet.enqueue("nothing")
    executor = Between(1, lambda: fleet.store.run(jobs.delete(KEYS, [job_id])))
    with caplog.at_level(logging.INFO, "workhorse"):
        loop_of(fleet, ledger, executor).run()
    assert f"the end of job {job_id} was not written: it was deleted" in caplog.text
    assert fleet.client.exists(f"rq:job:{job_id}") == 0


def test_one_end_that_the_server_refuses_for_good_holds_up_no_other(
    fleet: Fleet, ledger: Ledger
) -> None:
    ids = fleet.enqueue_many([("nothing",)] * 10 + [("fail", "no")] + [("nothing",)] * 10)
    bad = ids.pop(10)
    fleet.client.set(f"rq:results:{bad}", "not a stream")
    began = time.monotonic()
    loop_of(fleet, ledger).run()
    assert time.monotonic() - began < 10
    assert {fleet.state(job_id) for job_id in ids} == {"finished"}
    assert fleet.leases() == 0


def test_a_second_request_ends_a_job_that_runs_elsewhere(fleet: Fleet, ledger: Ledger) -> None:
    job_id = fleet.enqueue("sleep", 30)
    shutdown = Shutdown()
    told = options_of(fleet)
    executor = ForkExecutor(shared=(told.connect,))

    def ask() -> None:
        if ledger.entered_since():
            shutdown.request()

    began = time.monotonic()
    Loop(told, Store(fleet.client), ledger, executor, shutdown, tick=ask).run()
    assert time.monotonic() - began < 10
    assert fleet.queued() == [job_id]
    assert fleet.starts(job_id) == 1


def test_a_request_to_stop_ends_a_loop_whose_server_is_away(ledger: Ledger) -> None:
    shutdown = Shutdown()
    nowhere = redis.Redis(unix_socket_path="/nowhere", retry=Retry(NoBackoff(), 0))
    options = WorkerOptions(connect=lambda: nowhere)
    loop = Loop(
        options, Store(nowhere), ledger, InlineExecutor(), shutdown,
        tick=lambda: shutdown.request() if shutdown.requests == 0 and ledger.token() else None,
    )  # fmt: skip
    assert loop.run() == 0


# What a supervisor does with what a worker left.


def hold(fleet: Fleet, ledger: Ledger, count: int) -> list[Claimed]:
    ledger.ask(TOKEN)
    claimed = claim(fleet, count)
    ledger.hold(claimed, now=time.monotonic())
    return claimed


def pick(fleet: Fleet, ledger: Ledger) -> Any:
    plan = pick_up(
        options_of(fleet), "looper", ledger.token(), ledger.held(), Crashed("it is gone"),
        sent_at=time.monotonic(),
    )  # fmt: skip
    return fleet.store.run(plan)


def test_jobs_that_were_held_go_back_in_order(fleet: Fleet, ledger: Ledger) -> None:
    ids = fleet.enqueue_many([("nothing",)] * 5)
    hold(fleet, ledger, 3)
    assert pick(fleet, ledger).released == 3
    assert fleet.queued() == ids


def test_jobs_whose_claim_was_answered_to_nobody_go_back(fleet: Fleet, ledger: Ledger) -> None:
    ids = fleet.enqueue_many([("nothing",)] * 5)
    ledger.ask(TOKEN)
    claim(fleet, 3)
    assert pick(fleet, ledger).released == 3
    assert fleet.queued() == ids


def test_picking_up_twice_is_picking_up_once(fleet: Fleet, ledger: Ledger) -> None:
    ids = fleet.enqueue_many([("nothing",)] * 5)
    claimed = hold(fleet, ledger, 3)
    ledger.enter(0, now=time.monotonic())
    first, second = pick(fleet, ledger), pick(fleet, ledger)
    assert [job.job_id for job, _ in first.judged] == [claimed[0].job_id]
    assert (second.judged, second.released) == ([], 0)
    assert fleet.queued() == ids
    assert fleet.starts(ids[0]) == 1


def test_ended_entered_and_held_jobs_go_three_ways(fleet: Fleet, ledger: Ledger) -> None:
    ids = fleet.enqueue_many([("nothing",)] * 3)
    claimed = hold(fleet, ledger, 3)
    ledger.enter(0, now=time.monotonic())
    verdict = judge(Returned(None))
    ended = jobs.settlement(claimed[0], verdict, result_ttl=500)
    ledger.end(0, ended, now=time.monotonic())
    ledger.enter(1, now=time.monotonic())
    pick(fleet, ledger)
    assert [fleet.state(job_id) for job_id in ids] == ["finished", "queued", "queued"]
    assert fleet.queued() == ids[1:]
    assert [fleet.starts(job_id) for job_id in ids] == [0, 1, 0]
