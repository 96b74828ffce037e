"""Rows 29, 33 and 35 to 37 of the fault matrix: a server that is slow, full, or forbids things.

And one that cannot be reached for a while, which no row has by itself.
"""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis

from tests.fault.troubles import Restartable, idle
from tests.support.faults import FULL, Life
from tests.support.proxy import Fault, Rule, Seen
from tests.support.servers import ROOT, RunningServer
from tests.support.waiting import wait_until
from workhorse import (
    ConnectionChoiceError,
    EnqueueRefusedError,
    EnqueueUnknownError,
    Queue,
    SimpleWorker,
)


def cut_all(life: Life) -> None:
    """Have everybody connect, and log in, anew."""
    life.client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


@pytest.mark.parametrize("trouble", ["WRONGPASS", "NOAUTH"])
def test_fault_29_a_password_that_is_changed_is_waited_for(
    own_server: Restartable, own_life: Life, trouble: str
) -> None:
    own_server.start()
    life = own_life
    life.client.execute_command("ACL", "SETUSER", "fleet", "on", ">old", "~*", "&*", "+@all")
    user = "?username=fleet&password=old" if trouble == "WRONGPASS" else ""
    supervisor = life.start(url=f"unix://{own_server.socket}{user}")
    workers = idle(life, supervisor)
    go = life.folder / "go"
    life.enqueue("wait_for", "job", str(go))
    wait_until(lambda: life.begun()["job"])
    if trouble == "WRONGPASS":
        life.client.execute_command("ACL", "SETUSER", "fleet", "resetpass", ">new")
    else:
        life.client.config_set("requirepass", "secret")
        life.client.connection_pool.connection_kwargs["password"] = "secret"  # noqa: S105
    cut_all(life)
    go.touch()
    wait_until(lambda: "the server refuses, trying again in" in supervisor.log)
    assert life.state("job") == "started"
    if trouble == "WRONGPASS":
        life.client.execute_command("ACL", "SETUSER", "fleet", ">old")
    else:
        life.client.config_set("requirepass", "")
    life.wait_for("job", state="finished")
    wait_until(lambda: life.leases() == 0)
    assert life.begun() == {"job": 1}
    assert supervisor.workers == workers
    life.assert_clean()


@contextmanager
def bad_weather(life: Life, *, latency: float, loss: float, seed: int) -> Iterator[list[Rule]]:
    """Lose some messages, and be late with all others, within the block."""
    dice = random.Random(seed)  # noqa: S311 - dice that fall the same way again
    ever = 10**9

    def unlucky(_: Seen) -> bool:
        return dice.random() < loss / 3

    losses = (Fault.LOSE_REQUEST, Fault.LOSE_REPLY, Fault.CUT_REPLY)
    rules = [Rule(fault, where=unlucky, times=ever) for fault in losses]
    rules.append(Rule(Fault.DELAY, seconds=latency, times=ever))
    for rule in rules:
        life.proxy.add(rule)
    yield rules
    for rule in rules:
        rule.times = 0


@pytest.mark.timeout(300)
@pytest.mark.parametrize("isolation", ["inline", "fork"] if FULL else ["inline"])
def test_fault_33_late_and_lost_messages_lose_no_job_and_repeat_none(
    life: Life, environment_of_its_own: pytest.MonkeyPatch, isolation: str
) -> None:
    environment_of_its_own.setenv("RQ_KEY_PREFIX", life.prefix)
    latency, loss, count = (0.1, 0.05, 300) if FULL else (0.02, 0.2, 60)
    life.start(3, isolation=isolation)
    life.start(3, isolation=isolation)
    with bad_weather(life, latency=latency, loss=loss, seed=33) as rules:
        queue = Queue("q", life.proxy.url)
        jobs = [f"job{number}" for number in range(count)]
        for number, job in enumerate(jobs):
            name = ("work", "give", "save")[number % 3]
            queue.enqueue(f"tests.fault.jobs.{name}", str(life.journal), job, job_id=job)
        life.wait_for(*jobs, state="finished", within=120 if FULL else 30)
    wait_until(lambda: life.leases() == 0)
    assert sum(len(rule.hits) for rule in rules[:3]) > count / 10
    assert life.begun() == dict.fromkeys(jobs, 1)
    assert {life.starts(job) for job in jobs} == {0}
    life.assert_clean()
    queue.connection.close()


@pytest.mark.timeout(200)
@pytest.mark.parametrize("seconds", [5, 60] if FULL else [2])
@pytest.mark.parametrize("isolation", ["inline", "fork"] if FULL else ["inline"])
def test_a_job_that_ended_while_the_server_was_out_of_reach_is_settled_when_it_is_back(
    life: Life, isolation: str, seconds: float
) -> None:
    """Long after its lease lapsed, because nobody has recovered it: the fence decides."""
    supervisor = life.start(2, isolation=isolation, lease=1)
    workers = idle(life, supervisor, 2)
    go = life.folder / "go"
    life.enqueue("wait_for", "ends meanwhile", str(go))
    life.enqueue("linger", "runs on", seconds + 1, timeout=600)
    wait_until(lambda: len(life.begun()) == 2)
    life.proxy.partition()
    go.touch()
    threading.Event().wait(seconds)
    life.proxy.heal()
    life.wait_for("ends meanwhile", "runs on", state="finished")
    wait_until(lambda: life.leases() == 0)
    assert life.begun() == {"ends meanwhile": 1, "runs on": 1}
    assert supervisor.workers == workers
    life.assert_clean()


def test_fault_35_a_server_without_a_free_connection_is_waited_for(
    own_server: Restartable, own_life: Life, environment_of_its_own: pytest.MonkeyPatch
) -> None:
    own_server.start()
    life = own_life
    environment_of_its_own.setenv("RQ_KEY_PREFIX", life.prefix)
    supervisor = life.start(4)
    workers = idle(life, supervisor, 4)
    go = life.folder / "go"
    life.enqueue("wait_for", "running", str(go))
    wait_until(lambda: life.begun()["running"])
    life.client.config_set("maxclients", 1)  # which is this one
    cut_all(life)
    go.touch()
    with (
        redis.Redis(unix_socket_path=str(own_server.socket)) as client,
        # By what the server says, or by its closing the connection before that was read.
        pytest.raises((EnqueueRefusedError, EnqueueUnknownError), match="connection"),
    ):
        Queue("q", client).enqueue("tests.fault.jobs.work", "x", job_id="refused")
    wait_until(lambda: supervisor.log.count("does not answer") >= 3, within=20)
    life.client.config_set("maxclients", 100)
    life.enqueue("work", "next")
    life.wait_for("running", "next", state="finished")
    wait_until(lambda: life.leases() == 0)
    assert life.begun() == {"running": 1, "next": 1}
    assert supervisor.workers == workers
    life.assert_clean()


def commands_in_docs() -> list[str]:
    """Return the rights of a worker as the documents give them."""
    text = (ROOT / "docs" / "connections.md").read_text()
    found = re.search(r"^ACL SETUSER (\S+) on >\S+ (.*)$", text, re.MULTILINE)
    assert found
    return found[2].split()


def test_fault_36_a_user_with_the_rights_that_the_documents_name_is_enough(
    own_server: Restartable, own_life: Life, environment_of_its_own: pytest.MonkeyPatch
) -> None:
    """No CLIENT, no INFO, no SCRIPT."""
    own_server.start()
    life = own_life
    environment_of_its_own.setenv("RQ_KEY_PREFIX", life.prefix)
    rights = [re.sub("^([~&])rq:", rf"\1{life.prefix}:", word) for word in commands_in_docs()]
    life.client.execute_command("ACL", "SETUSER", "fleet", "on", ">secret", *rights)
    url = f"unix://{own_server.socket}?username=fleet&password=secret"
    life.client.execute_command("ACL", "LOG", "RESET")
    supervisor = life.start(2, url=url)
    idle(life, supervisor, 2)
    queue = Queue("q", url)
    call = "tests.fault.jobs."
    done = queue.enqueue(f"{call}save", str(life.journal), "meta")
    flaky = queue.enqueue(f"{call}fail", str(life.journal), "fails")
    assert done.wait(10) == "finished"
    assert flaky.wait(10) == "failed"
    done.refresh()
    assert [job.id for job in queue.enqueue_many([queue.prepare_data(f"{call}work")])]
    flaky.requeue()
    flaky.delete()
    assert queue.empty() >= 0
    assert supervisor.stop() == 0
    refused = {entry["object"] for entry in _acl_log(life.client)}
    assert refused <= {"client|setinfo", "client", "info", "publish", "subscribe"}
    assert "settings can't be checked" in supervisor.log
    assert supervisor.log.lower().count("no permissions") <= 2  # INFO, SUBSCRIBE: each told once
    queue.connection.close()


def _acl_log(client: Any) -> list[dict[str, Any]]:
    return [
        {key.decode(): value.decode() if isinstance(value, bytes) else value
         for key, value in zip(entry[::2], entry[1::2], strict=True)}
        for entry in client.execute_command("ACL", "LOG")
    ]  # fmt: skip


@pytest.fixture
def cluster(own_server: Restartable) -> RunningServer:
    return own_server.start("--port", "0", "--cluster-enabled", "yes")


def test_fault_37_a_node_of_a_cluster_is_refused_with_the_reason(
    cluster: RunningServer, own_life: Life
) -> None:
    supervisor = own_life.start()
    assert supervisor.end() == 1
    assert "is a node of a Cluster" in supervisor.log
    with (
        cluster.client() as client,
        pytest.raises(ConnectionChoiceError, match="is a node of a Cluster"),
    ):
        SimpleWorker(["q"], connection=client).work(burst=True)
    with (
        cluster.client() as client,
        pytest.raises(EnqueueRefusedError, match="is a node of a Cluster"),
    ):
        Queue("q", client).enqueue("tests.fault.jobs.work", "x")


def test_fault_37_a_client_for_a_cluster_is_refused_with_the_reason() -> None:
    client = object.__new__(redis.RedisCluster)
    with pytest.raises(ConnectionChoiceError, match="is a node of a Cluster"):
        Queue("q", connection=client)
