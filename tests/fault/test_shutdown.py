"""Rows 74 and 75 of the fault matrix: a worker is told to stop, at any moment and in any way."""

from __future__ import annotations

import os
import pty
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.fault.conftest import NewLife
from tests.fault.sweeps import ATTEMPTS, STATES, begin, problems_of_end, sweep, with_log
from tests.support import fleet as fleets
from tests.support.faults import Life, part_of
from tests.support.fleet import Fleet, is_running
from tests.support.proxy import Fault, Rule
from tests.support.servers import ROOT
from tests.support.waiting import wait_until

ISOLATIONS = ("inline", "fork")
STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
UNSHARE = (
    "unshare",
    "--user",
    "--map-root-user",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
)

both_isolations = pytest.mark.parametrize("isolation", ISOLATIONS)
each_stop = pytest.mark.parametrize(
    ("stop", "isolation"),
    [
        (signal.SIGTERM, "inline"),
        (signal.SIGTERM, "fork"),
        (signal.SIGINT, "inline"),
        (signal.SIGHUP, "fork"),
    ],
)


def started(life: Life, job: str) -> None:
    wait_until(lambda: life.begun()[job])


# One signal


@pytest.mark.parametrize("stop", STOPS)
def test_fault_74_an_idle_worker_stops_within_a_second_or_so(
    life: Life, stop: signal.Signals
) -> None:
    supervisor = life.start(2)
    wait_until(lambda: life.proxy.names().count("BLPOP") >= 2)
    workers = supervisor.workers
    supervisor.send(stop)
    assert supervisor.end(within=2) == 0
    assert not any(is_running(pid) for pid in workers)
    assert life.client.scard(life.keys.workers()) == 0


@each_stop
def test_fault_74_a_running_job_may_end_and_the_rest_goes_back_in_order(
    life: Life, stop: signal.Signals, isolation: str
) -> None:
    quick = [f"quick{number}" for number in range(20)]
    behind = [f"behind{number}" for number in range(5)]
    for job in quick:  # so that many are claimed at once by then
        life.enqueue("work", job)
    life.enqueue("linger", "slow", 0.5)
    for job in behind:
        life.enqueue("work", job)
    supervisor = life.start(isolation=isolation)
    started(life, "slow")
    supervisor.send(stop)
    assert supervisor.end() == 0
    assert life.lines[-1] == "end slow"
    assert life.waiting() == behind
    assert {life.state(job) for job in [*quick, "slow"]} == {"finished"}
    assert {life.field(job, "starts") for job in [*quick, "slow", *behind]} == {None}
    life.assert_clean()


@both_isolations
def test_fault_74_a_worker_stops_although_a_job_took_its_signals(
    life: Life, isolation: str
) -> None:
    life.enqueue("take_signals", "took")
    supervisor = life.start(isolation=isolation)
    life.wait_for("took", state="finished")
    supervisor.send(signal.SIGTERM)
    assert supervisor.end(within=5) == 0


@pytest.mark.parametrize("after", [0.0, 0.01, 0.03])
def test_fault_74_a_signal_is_never_missed_while_workers_start(life: Life, after: float) -> None:
    supervisor = life.start(4)
    wait_until(lambda: "started" in supervisor.log)
    time.sleep(after)  # falls into different moments of the start; each must do
    supervisor.send(signal.SIGTERM)
    assert supervisor.end(4) == 0


@both_isolations
def test_fault_74_a_signal_at_any_call_costs_no_job_anything(
    new_life: NewLife, isolation: str
) -> None:
    """The supervisor is told to stop at its own calls, its workers', and a job's.

    Two workers give back what they have not begun one after the other, in either order.
    """
    processes = 1 if isolation == "inline" else 2

    def problems_at(number: int) -> list[str]:
        with new_life() as life:
            stop = Rule(
                Fault.DELAY,
                nth=number,
                where=lambda call: call.pid != os.getpid(),
                then=lambda _: life.started[0].send(signal.SIGTERM),
            )
            life.proxy.add(stop)
            begin(life)
            code = life.start(processes, isolation=isolation, burst=True).end()
            found = [f"it ended with {code}"] if code else []
            found += problems_of_stop(life, in_order=processes == 1)
            life.drain(isolation=isolation)
            if life.begun() != ATTEMPTS:
                found.append(f"begun: {life.begun()}")
            return with_log(life, found + problems_of_end(life))

    with new_life() as life:
        rule = Rule(Fault.DELAY, nth=10**6, where=lambda call: call.pid != os.getpid())
        life.proxy.add(rule)
        begin(life)
        life.drain(processes=processes, isolation=isolation)
    share = 5 if isolation == "inline" else 10
    assert sweep(part_of(range(1, rule.matched + 2), share), problems_at) == []


def problems_of_stop(life: Life, *, in_order: bool) -> list[str]:
    """Return what is wrong where all have stopped: what has not ended must wait, uncounted."""
    found = life.audit()
    begun, order = life.begun(), list(STATES)
    for job in order:
        state = life.state(job)
        if state not in (STATES[job], "queued"):
            found.append(f"{job} is {state}")
        if life.starts(job):
            found.append(f"{job} counts as lost")
        if state == "queued" and begun[job] >= ATTEMPTS[job]:
            found.append(f"{job} began {begun[job]} times and is queued")
    waiting = life.waiting()
    unrun = [job for job in waiting if not begun[job]]
    if in_order and unrun != sorted(unrun, key=order.index):
        found.append(f"they wait in another order: {waiting}")
    if life.leases():
        found.append(f"{life.leases()} leases are left")
    return found


# Two signals, or one of the harder kind


@pytest.mark.parametrize(
    ("how", "isolation"),
    [("SIGTERM twice", "fork"), ("SIGINT twice", "inline"), ("SIGQUIT", "fork")],
)
def test_fault_74_a_second_signal_ends_running_jobs_and_puts_them_back(
    life: Life, how: str, isolation: str
) -> None:
    life.enqueue("hang_with_child", "job", "eat")
    supervisor = life.start(isolation=isolation)
    started(life, "job")
    life.enqueue("work", "behind")
    name, _, twice = how.partition(" ")
    supervisor.send(signal.Signals[name])
    wait_until(lambda: "stopping:" in supervisor.log)
    if twice:
        supervisor.send(signal.Signals[name])
    assert supervisor.end(5) == 1
    assert life.waiting() == ["job", "behind"]
    assert life.starts("job") == 1
    wait_until(lambda: not is_running(life.children()["job"]))
    life.assert_clean()


@pytest.mark.parametrize(
    "signals",
    [
        pytest.param((signal.SIGTERM, signal.SIGHUP), id="systemd_with_SendSIGHUP"),
        pytest.param((signal.SIGHUP, signal.SIGHUP), id="a_shell_and_its_terminal"),
        pytest.param((signal.SIGINT, signal.SIGTERM), id="under_a_process_manager"),
    ],
)
def test_fault_74_two_signals_that_mean_one_request_are_one(
    life: Life, signals: tuple[signal.Signals, ...]
) -> None:
    go = life.folder / "go"
    life.enqueue("wait_for", "slow", str(go))
    supervisor = life.start()
    started(life, "slow")
    for number in signals:
        supervisor.send(number)
        wait_until(lambda: "stopping:" in supervisor.log)
    time.sleep(0.5)  # in which nothing must happen
    go.touch()
    assert supervisor.end() == 0
    assert life.state("slow") == "finished"
    assert life.lines == ["begin slow", "end slow"]


@both_isolations
def test_fault_74_the_grace_period_ends_as_a_second_signal_would(
    life: Life, isolation: str
) -> None:
    life.enqueue("hang", "job", "eat")
    life.enqueue("hang", "once", "eat", on_lost="fail")
    supervisor = life.start(2, isolation=isolation, shutdown_grace=0.3)
    started(life, "job")
    started(life, "once")
    life.enqueue("work", "behind")
    assert supervisor.stop() == 1
    assert life.waiting() == ["job", "behind"]
    assert life.starts("job") == 1
    assert life.state("once") == "failed"
    assert "its worker was told to stop at once" in (life.results("once")[0].error or "")
    assert supervisor.log.count("the grace period is over") == 1
    life.assert_clean()


# A signal to everybody


@each_stop
def test_fault_74_a_signal_to_every_process_is_one_request(
    life: Life, isolation: str, stop: signal.Signals
) -> None:
    """As systemd does: its supervisor passes a second one on to each worker."""
    life.enqueue("linger", "slow", 0.5)
    supervisor = life.start(2, isolation=isolation)
    started(life, "slow")
    supervisor.send_all(stop)
    assert supervisor.end() == 0
    assert life.lines == ["begin slow", "end slow"]
    assert life.state("slow") == "finished"
    life.assert_clean()


def test_fault_74_a_worker_under_nohup_outlives_its_terminal(fleet: Fleet) -> None:
    supervisor = fleet.start_in(("nohup",))
    for pid in [supervisor.pid, *supervisor.workers]:
        os.kill(pid, signal.SIGHUP)
    fleet.wait_for(fleet.enqueue("nothing"), "finished")
    assert "stopping:" not in supervisor.log
    assert supervisor.stop() == 0


# A terminal


def slow(fleet: Fleet, seconds: float) -> tuple[str, str, str, float]:
    return ("note_and_sleep", str(fleet.journal), "slow", seconds)


_TAKE_TERMINAL = (
    "import fcntl, os, signal, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "signal.signal(signal.SIGHUP, signal.SIG_DFL); "
    "os.execv(sys.executable, [sys.executable, '-m', 'workhorse.cli', *sys.argv[1:]])"
)


class Terminal:
    """The command line in a terminal of its own."""

    def __init__(self, *words: str) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", _TAKE_TERMINAL, *words],
            cwd=ROOT,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
            start_new_session=True,
        )
        os.close(theirs)

    def press(self, key: bytes) -> None:
        os.write(self._ours, key)

    def close(self) -> None:
        if self._ours >= 0:
            os.close(self._ours)
            self._ours = -1


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.close()
        terminal.process.kill()
        terminal.process.wait()


@pytest.mark.parametrize(("how", "isolation"), [("Ctrl-C", "fork"), ("closed", "inline")])
def test_fault_74_a_terminal_stops_a_worker_in_order(
    fleet: Fleet, terminals: list[Terminal], how: str, isolation: str
) -> None:
    job_id = fleet.enqueue(*slow(fleet, 0.7))
    url = f"unix://{fleet.socket}"
    terminal = Terminal("worker", "q", "--url", url, "--isolation", isolation, "--path", str(ROOT))
    terminals.append(terminal)
    wait_until(lambda: fleet.noted)
    if how == "closed":
        terminal.close()
    else:
        terminal.press(b"\x03")
    assert terminal.process.wait(10) == 0
    assert fleet.state(job_id) == "finished"
    assert fleet.noted == ["slow", "slow ended"]
    assert fleet.client.scard("rq:workers") == 0


# Process 1 of a container


@pytest.fixture(scope="module")
def unshare() -> tuple[str, ...]:
    """The command that makes a process the first of a namespace."""
    try:
        ran = subprocess.run([*UNSHARE, "true"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no unshare here")
    if ran.returncode:
        pytest.skip(f"no process namespaces here: {ran.stderr}")
    return UNSHARE


@both_isolations
def test_fault_75_the_first_process_of_a_container_leaves_no_zombies(
    fleet: Fleet, unshare: tuple[str, ...], isolation: str
) -> None:
    supervisor = fleet.start_in(unshare, isolation=isolation)
    orphan = fleet.enqueue("leave_an_orphan", str(fleet.journal))
    fleet.wait_for(orphan, "finished")
    (first,) = fleets.children(supervisor.pid)
    wait_until(lambda: len(fleets.children(first)) == 1)  # its worker
    os.kill(first, signal.SIGTERM)
    assert supervisor.end() == 0


def test_fault_75_the_first_process_of_a_container_takes_a_signal_from_its_beginning(
    fleet: Fleet, unshare: tuple[str, ...]
) -> None:
    """The kernel drops what process 1 has no handler for; here its server does not answer yet."""
    silent = fleet.folder / "silent.sock"
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(str(silent))
        listener.listen()
        supervisor = fleet.start(
            prefix=unshare, socket=f"{silent}?socket_timeout=0.3", shutdown_grace=0.2
        )
        listener.settimeout(10)
        with closing(listener.accept()[0]):
            (first,) = fleets.children(supervisor.pid)
            os.kill(first, signal.SIGTERM)
            assert supervisor.end() in (0, 1)


# A script of one's own

_SCRIPT = """
from redis import Redis
from workhorse import SimpleWorker, Worker
if __name__ == "__main__":
    {worker}(["q"], connection=Redis(unix_socket_path="{socket}")).work()
    print("in order")
"""


@pytest.fixture
def script(fleet: Fleet, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    """A script that works; by the class of worker that the test names."""
    path = fleet.folder / "script.py"
    path.write_text(_SCRIPT.format(worker=request.param, socket=fleet.socket))
    with subprocess.Popen(
        [sys.executable, str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        start_new_session=True,
    ) as process:
        yield process
        process.kill()


both_workers = pytest.mark.parametrize("script", ["Worker", "SimpleWorker"], indirect=True)


@pytest.mark.parametrize(
    ("script", "to"), [("Worker", "its group"), ("SimpleWorker", "it")], indirect=["script"]
)
def test_fault_74_a_worker_in_a_script_lets_its_job_end(
    fleet: Fleet, script: subprocess.Popen[str], to: str
) -> None:
    job_id = fleet.enqueue(*slow(fleet, 0.5))
    wait_until(lambda: fleet.noted)
    if to == "it":
        script.send_signal(signal.SIGTERM)
    else:
        os.killpg(script.pid, signal.SIGINT)
    said, _ = script.communicate(timeout=10)
    assert said.splitlines()[-1] == "in order"
    assert fleet.state(job_id) == "finished"
    assert fleet.client.scard("rq:workers") == 0


@both_workers
def test_fault_74_a_second_signal_puts_the_job_of_a_script_back(
    fleet: Fleet, script: subprocess.Popen[str]
) -> None:
    job_id = fleet.enqueue(*slow(fleet, 60))
    behind = fleet.enqueue("nothing")
    wait_until(lambda: fleet.noted)
    for _ in range(2):
        script.send_signal(signal.SIGINT)
        time.sleep(0.3)  # two signals at once may arrive as one
    said, _ = script.communicate(timeout=10)
    assert said.splitlines()[-1] == "in order"
    assert fleet.queued() == [job_id, behind]
    assert fleet.starts(job_id) == 1
    assert fleet.leases() == 0
