"""Rows 38 to 45 of the fault matrix: clocks that are wrong, and processes that stand still."""

from __future__ import annotations

import os
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.faults import FULL, Life, Started, descendants_of, is_running
from tests.support.fleet import Fleet
from tests.support.proxy import Fault, Rule, Seen
from tests.support.waiting import wait_until

ISOLATIONS = ("inline", "fork")
LEASE = 0.5
YEAR = 365 * 86_400

both_isolations = pytest.mark.parametrize("isolation", ISOLATIONS)

# Clocks

_WRONG_CLOCK = """
import datetime, time
_time, _time_ns, _datetime = time.time, time.time_ns, datetime.datetime

def offset():
    with open({file!r}) as file:
        return float(file.read() or 0)

class Wrong(_datetime):
    @classmethod
    def now(cls, tz=None):
        return _datetime.now(tz) + datetime.timedelta(seconds=offset())

    @classmethod
    def utcnow(cls):
        return _datetime.utcnow() + datetime.timedelta(seconds=offset())

time.time = lambda: _time() + offset()
time.time_ns = lambda: _time_ns() + int(offset() * 1e9)
datetime.datetime = Wrong
"""


class Clock:
    """What the processes that are started in its ``environment`` take for the time."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "offset"
        (folder / "sitecustomize.py").write_text(_WRONG_CLOCK.format(file=str(self._file)))
        self.environment = {"PYTHONPATH": str(folder)}
        self.put(0)

    def put(self, seconds: float) -> None:
        """Have it go wrong by *seconds* from now on."""
        new = self._file.with_suffix(".new")
        new.write_text(str(seconds))
        new.rename(self._file)


@pytest.fixture
def clock(fleet: Fleet) -> Clock:
    return Clock(fleet.folder)


def field_time(fleet: Fleet, job_id: str, name: str) -> datetime:
    text = fleet.fetch(job_id, name)
    assert text
    return datetime.fromisoformat(text)


def scores(fleet: Fleet, key: str) -> list[float]:
    """Return the times in a registry, the first first."""
    client: Any = fleet.client
    return [score for _, score in client.zrange(key, 0, -1, withscores=True)]


@pytest.mark.parametrize(
    ("offset", "isolation"),
    [(-300, "inline"), (YEAR, "fork"), *([(300, "inline")] if FULL else [])],
    ids=["late", "a_year_early", *(["early"] if FULL else [])],
)
def test_fault_38_a_wrong_clock_changes_nothing(
    fleet: Fleet, clock: Clock, offset: float, isolation: str
) -> None:
    """But a line in the log says that it is wrong."""
    clock.put(offset)
    nothing_changes(fleet, clock, isolation, [])
    wrong, right = fleet.started
    assert "seconds apart" in wrong.log
    assert "apart" not in right.log


def test_fault_39_a_clock_that_jumps_changes_nothing(fleet: Fleet, clock: Clock) -> None:
    nothing_changes(fleet, clock, "fork", [3600, -3600] * 20)


def nothing_changes(fleet: Fleet, clock: Clock, isolation: str, jumps: list[float]) -> None:
    """Run jobs that depend on times, and let the clock jump meanwhile.

    A supervisor with a right clock is there, too, and would recover what seems to lapse.
    """
    began = datetime.now(UTC)
    slow = fleet.enqueue("note_and_sleep", str(fleet.journal), "slow", 2)
    over = fleet.enqueue("sleep", 30, timeout=1)
    retried = fleet.enqueue("fail", "no", retries_left=1, retry_intervals=(2,))
    wrong = fleet.start(3, isolation=isolation, lease=1, environment=clock.environment)
    fleet.wait_for(retried, "scheduled")
    (due,) = scores(fleet, "rq:scheduled:q")
    assert 0 < due - time.time() <= 2
    right = fleet.start(isolation=isolation, lease=1, queues=("other",))
    until = time.monotonic() + 20
    while fleet.state(slow) in {"queued", "started"} and time.monotonic() < until:
        if jumps:
            clock.put(jumps.pop())
        for lapses in scores(fleet, "rq:wip:q"):
            assert -0.5 < lapses - time.time() <= 1
        time.sleep(0.1)
    fleet.wait_for(over, "failed")
    fleet.wait_for(retried, "failed")
    assert fleet.state(slow) == "finished"
    assert fleet.noted == ["slow", "slow ended"]
    assert "1 seconds, its time limit" in fleet.error(over)
    assert [fleet.starts(job_id) for job_id in (slow, over, retried)] == [0, 0, 0]
    for job_id in (slow, over, retried):
        times = [field_time(fleet, job_id, name) for name in ("started_at", "ended_at")]
        assert began - timedelta(seconds=1) <= times[0] <= times[1]
        assert times[1] <= datetime.now(UTC) + timedelta(seconds=1)
    spent = field_time(fleet, slow, "ended_at") - field_time(fleet, slow, "started_at")
    assert 1.9 < spent.total_seconds() < 4
    assert [wrong.stop(), right.stop()] == [0, 0]


def test_a_clock_in_these_tests_is_wrong(fleet: Fleet, clock: Clock) -> None:
    """Else they would prove nothing."""
    clock.put(YEAR)
    fleet.enqueue("note_time", str(fleet.journal))
    for isolation in ISOLATIONS:
        fleet.drain(isolation=isolation, environment=clock.environment)
        fleet.enqueue("note_time", str(fleet.journal))
    now = time.time()
    assert [round((float(one) - now) / YEAR) for one in fleet.noted] == [1, 1, 1, 1]


# Processes that stand still


def running(life: Life, begun: int = 1) -> int:
    """Return the process that runs the job, when it has begun so often."""
    wait_until(lambda: life.begun()["job"] == begun)
    return life.process_of("job")


def lapsed(life: Life) -> bool:
    """Return whether the job's lease is over by the server's clock, and nobody took it."""
    return all(score < time.time() for score in leases(life).values())


def leases(life: Life) -> dict[bytes, float]:
    return dict(life.client.zrange(life.keys.lease("q"), 0, -1, withscores=True))


def allow(life: Life, process: int) -> None:
    """Let the run in *process* end."""
    (life.folder / str(process)).touch()


def send(number: signal.Signals, *pids: int) -> None:
    for pid in pids:
        os.kill(pid, number)


def workers_of(supervisor: Started) -> list[int]:
    """Return what belongs to a supervisor, without itself."""
    return descendants_of(supervisor.pid)


def begin(life: Life, isolation: str) -> tuple[Started, int]:
    """Start a supervisor and the job; return it and the job's process."""
    life.enqueue("wait_for_own", "job", str(life.folder))
    supervisor = life.start(isolation=isolation, lease=LEASE)
    return supervisor, running(life)


def assert_one_end(life: Life, holder: int, *, runs: int) -> None:
    """Check that the run in *holder* was the one that counts."""
    life.wait_for("job", state="finished")
    assert life.value("job") == holder
    assert [result.type.name for result in life.results("job")].count("SUCCESSFUL") == 1
    assert (life.begun()["job"], life.starts("job")) == (runs, runs - 1)
    life.assert_clean()


@pytest.mark.parametrize("first", ["worker", "supervisor"])
@both_isolations
def test_fault_41_a_worker_that_stood_still_past_its_lease_changes_nothing(
    life: Life, isolation: str, first: str
) -> None:
    """Its job runs elsewhere by then; it ends its own as soon as it hears of that."""
    frozen, stale = begin(life, isolation)
    everybody = workers_of(frozen)
    frozen.send_all(signal.SIGSTOP)
    other = life.start(isolation=isolation, lease=2 * LEASE)
    holder = running(life, 2)
    held = set(leases(life))
    allow(life, stale)
    if first == "worker":
        send(signal.SIGCONT, *everybody)
        wait_until(lambda: "was not written: its lease was lost" in frozen.log)
        frozen.send(signal.SIGCONT)
    else:
        frozen.send(signal.SIGCONT)
        wait_until(lambda: "not ours any more" in frozen.log)
        send(signal.SIGCONT, *(pid for pid in everybody if Path(f"/proc/{pid}").exists()))
    assert life.state("job") == "started"
    assert set(leases(life)) == held
    allow(life, holder)
    assert_one_end(life, holder, runs=2)
    assert [frozen.stop(), other.stop()] == [0, 0]


@both_isolations
def test_fault_42_a_job_whose_supervisor_stood_still_is_refused_if_it_was_reclaimed(
    life: Life, isolation: str
) -> None:
    frozen, stale = begin(life, isolation)
    frozen.send(signal.SIGSTOP)
    other = life.start(isolation=isolation, lease=2 * LEASE)
    holder = running(life, 2)
    allow(life, stale)
    wait_until(lambda: "was not written: its lease was lost" in frozen.log)
    assert life.state("job") == "started"
    allow(life, holder)
    assert_one_end(life, holder, runs=2)
    frozen.send(signal.SIGCONT)
    assert [frozen.stop(), other.stop()] == [0, 0]


@both_isolations
def test_fault_42_and_else_it_counts(life: Life, isolation: str) -> None:
    frozen, holder = begin(life, isolation)
    frozen.send(signal.SIGSTOP)
    wait_until(lambda: lapsed(life))
    allow(life, holder)
    assert_one_end(life, holder, runs=1)
    frozen.send(signal.SIGCONT)
    assert frozen.stop() == 0


def stand_still(life: Life, supervisor: Started, *, times: int) -> None:
    """Stop all as soon as the lease was extended, until it has lapsed, so often."""

    continued: list[Seen] = []

    def stop(call: Seen) -> None:
        supervisor.send_all(signal.SIGSTOP)
        wait_until(lambda: lapsed(life))
        supervisor.send_all(signal.SIGCONT)
        continued.append(call)

    life.proxy.add(Rule(Fault.DELAY, name="extend", times=times, then=stop))
    wait_until(lambda: len(continued) == times)


@both_isolations
def test_fault_43_whoever_stood_still_and_was_not_missed_goes_on(
    life: Life, isolation: str
) -> None:
    """The fence decides, not a timer: the lease had lapsed, and nobody had taken the job."""
    frozen, holder = begin(life, isolation)
    stand_still(life, frozen, times=1)
    wait_until(lambda: not lapsed(life))
    allow(life, holder)
    assert_one_end(life, holder, runs=1)
    assert frozen.stop() == 0


def test_fault_43_whoever_stood_still_in_mid_step_recovers_nothing_of_its_own(life: Life) -> None:
    """It has the answer to an extension then, whose lease has lapsed, and looks for those."""
    frozen, holder = begin(life, "inline")
    stand_still(life, frozen, times=3)
    allow(life, holder)
    assert_one_end(life, holder, runs=1)
    assert frozen.stop() == 0


@both_isolations
def test_fault_44_a_supervisor_that_seldom_gets_to_run_keeps_its_jobs(
    life: Life, isolation: str
) -> None:
    """It may miss three extensions of four; another one would recover the job at once."""
    lease = 1.2
    life.enqueue("wait_for_own", "job", str(life.folder))
    starved = life.start(isolation=isolation, lease=lease)
    holder = running(life)
    other = life.start(isolation=isolation, lease=lease, queues=["other"])
    for _ in range(3):
        before = leases(life)
        starved.send(signal.SIGSTOP)
        time.sleep(lease / 2)
        starved.send(signal.SIGCONT)
        wait_until(lambda: leases(life) != before, every=0.002)  # noqa: B023 - called at once
    allow(life, holder)
    assert_one_end(life, holder, runs=1)
    assert [starved.stop(), other.stop()] == [0, 0]


@both_isolations
def test_fault_45_a_server_whose_clock_jumps_ahead_loses_nothing(
    life: Life, isolation: str
) -> None:
    """All leases seem over at once; here another worker takes the job before it is extended."""
    life.enqueue("wait_for_own", "job", str(life.folder))
    first = life.start(isolation=isolation, lease=2)
    stale = running(life)
    first.send(signal.SIGSTOP)
    life.let_leases_lapse()
    other = life.start(isolation=isolation, lease=2)
    holder = running(life, 2)
    first.send(signal.SIGCONT)
    wait_until(lambda: not is_running(stale))
    allow(life, holder)
    assert_one_end(life, holder, runs=2)
    assert [first.stop(), other.stop()] == [0, 0]


def test_fault_45_a_server_whose_clock_jumps_back_is_put_right_by_the_next_extension(
    life: Life,
) -> None:
    first, _ = begin(life, "inline")
    for member in leases(life):
        life.client.zadd(life.keys.lease("q"), {member: time.time() + 3600}, xx=True)
    wait_until(lambda: max(leases(life).values()) < time.time() + 60)
    first.kill_all()
    life.start(lease=2 * LEASE)
    holder = running(life, 2)
    allow(life, holder)
    assert_one_end(life, holder, runs=2)
