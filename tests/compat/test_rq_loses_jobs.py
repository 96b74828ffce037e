"""RQ's worker is killed with a job in its hands; our fleet brings the job back."""

from __future__ import annotations

import signal
from typing import Any

import pytest
import redis

from tests.compat.sides import RQSide, work_off
from workhorse.core.settings import RECONCILE_AFTER
from workhorse.store.audit import audit
from workhorse.store.drivers import Store
from workhorse.wire.keys import Keys
from workhorse.worker.duties.reconcile import Reconcile
from workhorse.worker.duties.recover import Recover

pytestmark = pytest.mark.timeout(180)  # the first test may have to install RQ


@pytest.mark.parametrize("leased", [False, True], ids=["popped", "leased"])
@pytest.mark.parametrize("queues", [["default"], ["default", "low"]], ids=["one", "two"])
def test_a_job_that_rqs_dead_worker_had_is_run(
    client: redis.Redis, rq: RQSide, queues: list[str], *, leased: bool
) -> None:
    job_id = rq("enqueue", call="add", args=[40, 2])
    assert rq("die_with_a_job", leased=leased, queues=queues) == signal.SIGKILL
    assert client.llen("rq:queue:default") == 0
    store, keys = Store(client), Keys()
    leases: Any = client
    for key in ("rq:wip:default", f"rq:executions:{job_id}"):
        for member in leases.zrange(key, 0, -1):
            leases.zadd(key, {member: 1})  # it lapsed long ago
    Recover(store, keys).run_once(0)
    duty = Reconcile(store, keys)
    for now in (0, RECONCILE_AFTER):
        duty.run_once(now)
    work_off("simple", rq.url)
    assert rq.facts(job_id)["return_value"] == 42
    assert audit(store, keys) == []
    assert client.llen("rq:queue:default:intermediate") == 0
