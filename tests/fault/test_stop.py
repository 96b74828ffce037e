"""A person stops a running job, or tells a worker to leave. Rows 18 and 50 of the fault matrix.

That a run is wanted ended is a fact on the server; the message to its worker saves time only.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.support.faults import Life, is_running
from tests.support.proxy import Fault, Rule
from tests.support.waiting import wait_until
from workhorse.core.states import State
from workhorse.store import jobs, workers
from workhorse.wire.commands import Kind, encode_command
from workhorse.wire.entries import ResultType

ISOLATIONS = ("inline", "fork")
FOREVER = {"retries_left": 5, "retry_intervals": (0,)}
"""Of a job that would be tried again for any reason."""

both_isolations = pytest.mark.parametrize("isolation", ISOLATIONS)


def stop(life: Life, job_id: str = "job", grace: float = 0) -> State | None:
    return life.store.run(jobs.stop(life.keys, job_id, token="t" * 24, grace=grace))


def wait_until_it_runs(life: Life, job_id: str = "job") -> None:
    """Return when a job runs and its lease was extended: the next time is 15 seconds away."""
    wait_until(lambda: life.begun()[job_id])
    # At once; where the job began just after the first time, with the next one.
    wait_until(lambda: life.client.exists(f"{life.prefix}:executions:{job_id}"), within=20)


def assert_stopped(life: Life, job_id: str = "job") -> None:
    assert life.state(job_id) == "stopped", life.logs()
    assert [run.type for run in life.results(job_id)] == [ResultType.STOPPED]
    assert life.begun()[job_id] == 1
    assert life.starts(job_id) == 0


@both_isolations
def test_a_stopped_job_ends_at_once_and_its_worker_goes_on(life: Life, isolation: str) -> None:
    life.enqueue("linger", "job", 60, **FOREVER)
    life.start(isolation=isolation)
    wait_until_it_runs(life)
    assert stop(life) is State.STARTED
    life.wait_for("job", within=5)
    life.enqueue("work", "next")
    life.wait_for("next", state="finished")
    assert_stopped(life)
    assert life.lines.count("end job") == 0
    life.assert_clean()


@both_isolations
def test_a_job_that_got_time_cleans_up_first(life: Life, isolation: str) -> None:
    life.enqueue("clean_up", "job", **FOREVER)
    supervisor = life.start(isolation=isolation)
    wait_until_it_runs(life)
    worker = life.process_of("job") if isolation == "inline" else supervisor.workers[0]
    stop(life, grace=30)
    life.wait_for("job", within=5)
    assert_stopped(life)
    assert life.lines == ["begin job", "end job"]
    life.enqueue("work", "next")
    life.wait_for("next", state="finished")
    assert is_running(worker)  # nobody had to be killed
    life.assert_clean()


@both_isolations
def test_a_job_that_does_not_heed_it_is_killed_when_its_time_is_over(
    life: Life, isolation: str
) -> None:
    life.enqueue("refuse_to_end", "job", **FOREVER)
    life.start(isolation=isolation)
    wait_until_it_runs(life)
    stop(life, grace=0.5)
    life.wait_for("job", within=5)
    assert_stopped(life)
    assert life.lines == ["begin job", "end job"]
    life.assert_clean()


@both_isolations
def test_a_job_that_succeeds_when_it_is_asked_to_stop_has_finished(
    life: Life, isolation: str
) -> None:
    life.enqueue("finish_when_asked", "job")
    life.start(isolation=isolation)
    wait_until_it_runs(life)
    stop(life, grace=30)
    life.wait_for("job", state="finished", within=5)
    assert life.value("job") == "done"
    life.assert_clean()


@both_isolations
def test_only_the_job_that_is_meant_is_stopped(life: Life, isolation: str) -> None:
    """The others of its batch, which it keeps waiting, are run by others or later."""
    for job_id in ("before", "job", "after"):
        name = "linger" if job_id == "job" else "work"
        life.enqueue(name, job_id, *([60] if name == "linger" else []))
    life.start(isolation=isolation)
    wait_until(lambda: life.begun()["job"])
    stop(life)
    life.wait_for("before", "after", state="finished")
    assert_stopped(life)
    assert life.begun() == {"before": 1, "job": 1, "after": 1}
    life.assert_clean()


@both_isolations
@pytest.mark.parametrize("lost", ["message", "message and extension"])
def test_fault_18_a_stop_that_its_worker_missed_is_found_with_the_next_extension(
    life: Life, isolation: str, lost: str
) -> None:
    life.enqueue("linger", "job", 60, **FOREVER)
    life.start(isolation=isolation, lease=2)
    wait_until_it_runs(life)
    if lost == "message and extension":
        life.proxy.add(Rule(Fault.LOSE_REPLY, name="extend"))
    # The state without the message: as if PUBLISH had reached nobody.
    life.client.hset(life.keys.job("job"), "stop_requested", life.field("job", "execution_id"))
    life.wait_for("job", within=10)
    assert_stopped(life)
    life.assert_clean()


@both_isolations
def test_fault_18_a_stopped_job_is_not_run_again_though_its_machine_dies_before_it_heard(
    life: Life, isolation: str
) -> None:
    life.enqueue("linger", "job", 60, **FOREVER)
    supervisor = life.start(isolation=isolation)
    wait_until_it_runs(life)
    supervisor.send_all(signal.SIGSTOP)
    stop(life)
    supervisor.kill_all()
    life.let_leases_lapse()
    life.drain()
    assert life.state("job") == "stopped"
    assert life.begun() == {"job": 1}
    life.assert_clean()


@both_isolations
def test_a_stop_holds_against_the_retry_that_was_on_its_way(life: Life, isolation: str) -> None:
    """The job fails in the moment in which it is stopped; its retry arrives later."""
    life.enqueue("fail", "job", **FOREVER)
    answers: list[State | None] = []
    life.proxy.add(
        Rule(Fault.LOSE_REQUEST, name="settle", then=lambda _: answers.append(stop(life)))
    )
    life.start(isolation=isolation)
    life.wait_for("job")
    assert answers == [State.STARTED]
    assert life.state("job") == "stopped"
    assert life.begun() == {"job": 1}
    life.assert_clean()


def test_a_stop_that_is_sent_again_gets_the_first_answer(life: Life) -> None:
    life.enqueue("linger", "job", 60)
    life.start()
    wait_until_it_runs(life)
    assert stop(life) is State.STARTED
    life.wait_for("job", state="stopped")
    assert stop(life) is State.STARTED
    life.assert_clean()


@both_isolations
def test_fault_50_a_job_that_is_deleted_while_it_runs_is_ended_at_once(
    life: Life, isolation: str
) -> None:
    life.enqueue("linger", "job", 60)
    supervisor = life.start(isolation=isolation)
    wait_until_it_runs(life)
    life.store.run(jobs.delete(life.keys, ["job"]))
    process = life.process_of("job")
    wait_until(lambda: not is_running(process), within=5)
    assert life.state("job") is None
    wait_until(lambda: "is not ours any more" in supervisor.log)
    life.assert_clean()


# Commands to a worker


@pytest.fixture
def told(life: Life) -> Iterator[Life]:
    """A life with a worker that runs a job."""
    file = life.folder / "go"
    life.enqueue("wait_for", "job", str(file))
    yield life
    file.touch()


def tell(life: Life, worker: str, kind: Kind) -> int:
    return life.store.run(workers.tell(life.keys, worker, encode_command(kind)))


@both_isolations
def test_a_worker_that_is_told_to_shut_down_ends_its_job_and_leaves(
    told: Life, isolation: str
) -> None:
    supervisor = told.start(name="w", isolation=isolation)
    wait_until(lambda: told.begun()["job"])
    told.enqueue("work", "later")
    assert wait_until(lambda: tell(told, "w", Kind.SHUTDOWN)) == 1
    wait_until(lambda: "w was told to stop" in supervisor.log)
    (told.folder / "go").touch()
    assert supervisor.end() == 0
    assert (told.state("job"), told.state("later")) == ("finished", "queued")
    told.assert_clean()


def test_one_of_several_workers_is_told_to_leave_and_is_not_replaced(told: Life) -> None:
    supervisor = told.start(2, name="w")
    wait_until(lambda: told.begun()["job"])
    idle = "w-1" if told.field("job", "worker_name") == "w-2" else "w-2"
    wait_until(lambda: tell(told, idle, Kind.SHUTDOWN))
    wait_until(lambda: len(supervisor.workers) == 1)
    (told.folder / "go").touch()
    told.wait_for("job", state="finished")
    assert supervisor.code() is None
    assert supervisor.stop() == 0


def test_a_worker_hears_again_after_its_connection_was_cut(told: Life) -> None:
    supervisor = told.start(name="w")
    wait_until(lambda: tell(told, "w", Kind.EXTEND))
    told.client.client_kill_filter(_type="pubsub")
    wait_until(lambda: tell(told, "w", Kind.SHUTDOWN), within=15)
    (told.folder / "go").touch()
    assert supervisor.end() == 0


@pytest.mark.parametrize("message", [b"", b"boo", b"[]", b'{"command": 7}', b"\xff", b"null"])
def test_what_is_no_command_is_passed_over(told: Life, message: bytes) -> None:
    told.start(name="w")
    heard = lambda: told.client.publish(told.keys.channel("w"), message)  # noqa: E731
    assert wait_until(heard) == 1
    (told.folder / "go").touch()
    told.wait_for("job", state="finished")
    assert told.starts("job") == 0


@pytest.mark.parametrize("isolation", ["inline", "fork"])
def test_a_job_whose_process_is_killed_by_command_is_a_lost_run(
    life: Life, isolation: str
) -> None:
    go = life.folder / "go"
    life.enqueue("wait_for", "job", str(go))
    supervisor = life.start(isolation=isolation, name="w")
    wait_until(lambda: life.begun()["job"])

    def is_killed() -> bool:  # told again: it means no job that has just begun
        told = encode_command(Kind.KILL_HORSE)
        life.store.run(workers.tell(life.keys, "w", told))
        return life.begun()["job"] > 1

    wait_until(is_killed, every=0.2)
    go.touch()
    life.wait_for("job", state="finished")
    assert life.starts("job") == life.begun()["job"] - 1
    life.enqueue("work", "next")
    life.wait_for("next", state="finished")
    assert supervisor.code() is None
    life.assert_clean()
