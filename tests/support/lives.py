"""Jobs brought into each state by our own calls, and all that they leave behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import redis

from workhorse.core.outcomes import Outcome, Raised, Returned, Stopped
from workhorse.core.states import State
from workhorse.core.verdicts import Verdict, judge
from workhorse.store import jobs
from workhorse.store import recover as store_recover
from workhorse.store.drivers import Store
from workhorse.store.jobs import Claim, Enqueued, Execution, Settled, Settlement
from workhorse.wire.claimed import Claimed
from workhorse.wire.keys import Keys
from workhorse.wire.records import IN_HASH, JobRecord

Dump = dict[str, tuple[str, bool, Any]]

# States that only an RQ 3.0 process makes, and the registry that it keeps such a job in.
MADE_BY_RQ = {
    State.DEFERRED: "rq:deferred:q",
    State.READY_TO_ENQUEUE: "rq:ready:q",
    State.RATE_LIMITED: "rq:rl:slots:rate_limited",
}


def record(job_id: str, **fields: Any) -> JobRecord:
    """Return a small job of queue "q" that keeps its result in its hash."""
    settings: dict[str, Any] = {"data": b"call", "origin": "q", "result_in": IN_HASH, **fields}
    return JobRecord(id=job_id, **settings)


def execution_of(job: Claimed) -> Execution:
    return Execution(job.job_id, job.execution_id, job.queue)


_NO_STATE = {"rq:worker:w:claim", "rq:totals", "rq:durations", "rq:causes"}


class Life:
    """What happens to jobs on one server, in few words."""

    def __init__(self, client: redis.Redis) -> None:
        self.client: Any = client
        self.store = Store(client)
        self.keys = Keys()
        self._claims = 0

    def enqueue(self, *job_ids: str, at_front: Sequence[str] = (), **fields: Any) -> Enqueued:
        records = [record(job_id, **fields) for job_id in job_ids]
        return self.store.run(jobs.enqueue(self.keys, records, at_front=at_front))

    def claim(self, count: int = 1, *queues: str, **options: Any) -> Claim:
        self._claims += 1
        settings = {"worker": "w", "token": f"{self._claims:024}", "lease": 60, **options}
        return self.store.run(jobs.claim(self.keys, queues or ("q",), count=count, **settings))

    def claim_one(self, **options: Any) -> Claimed:
        (job,) = self.claim(1, **options).jobs
        return job

    def start(self, job_id: str = "j", **fields: Any) -> Claimed:
        """Enqueue a job and claim it."""
        self.enqueue(job_id, **fields)
        return self.claim_one()

    def settle(
        self, job: Claimed, outcome: Outcome | Verdict, *, ttl: int = 500, worker: str = "w"
    ) -> Settled:
        verdict = outcome if isinstance(outcome, Verdict) else judge(outcome)
        (answer,) = self.settle_many([settlement(job, verdict, ttl)], worker=worker)
        return answer

    def settle_many(self, settlements: Sequence[Settlement], worker: str = "w") -> list[Settled]:
        return self.store.run(jobs.settle(self.keys, settlements, worker=worker, sent_at=10.0))

    def extend(self, *held: Claimed, lease: float = 60) -> list[Execution]:
        """Renew leases; return the lost ones. A negative *lease* makes them lapse."""
        return self.extended(*held, lease=lease).lost

    def extended(self, *held: Claimed, lease: float = 60) -> jobs.Extended:
        executions = [execution_of(job) for job in held]
        return self.store.run(jobs.extend(self.keys, executions, worker="w", lease=lease))

    def stop(self, job_id: str = "j", *, token: str = "", grace: float = 0) -> State | None:
        return self.store.run(jobs.stop(self.keys, job_id, token=token, grace=grace))

    def release(self, *held: Claimed) -> int:
        executions = [execution_of(job) for job in held]
        return self.store.run(jobs.release(self.keys, executions, worker="w"))

    def recover(self) -> store_recover.Recovered:
        return self.store.run(store_recover.recover(self.keys, "q"))

    def cancel(self, job_id: str = "j") -> State | None:
        return self.store.run(jobs.cancel(self.keys, job_id))

    def requeue(self, job_id: str = "j", *, at_front: bool = False) -> State | None:
        return self.store.run(jobs.requeue(self.keys, job_id, at_front=at_front))

    def delete(self, *job_ids: str) -> list[State | None]:
        return self.store.run(jobs.delete(self.keys, job_ids or ("j",)))

    def state(self, job_id: str = "j") -> State | None:
        word = self.client.hget(f"rq:job:{job_id}", "status")
        return State(word.decode()) if word else None

    def field(self, name: str, job_id: str = "j") -> str | None:
        value = self.client.hget(f"rq:job:{job_id}", name)
        return None if value is None else cast("bytes", value).decode()

    def waiting(self, queue: str = "q") -> list[str]:
        return [job_id.decode() for job_id in self.client.lrange(f"rq:queue:{queue}", 0, -1)]

    def members(self, key: str) -> list[str]:
        return [member.decode() for member in self.client.zrange(key, 0, -1)]

    def in_state(self, state: State | None, job_id: str = "j") -> Claimed | None:
        """Bring a job into *state*, with all the places that belong to it; return its last run."""
        if state is None:
            return None
        if state is State.CREATED or state in MADE_BY_RQ:
            self._as_rq_made_it(state, job_id)
            return None
        if state is State.QUEUED:
            self.enqueue(job_id)
            return None
        if state is State.CANCELED:
            self.enqueue(job_id)
            self.cancel(job_id)
            return None
        job = self.start(job_id, retries_left=1, retry_intervals=(60,))
        self.extend(job)
        self._end(job, state)
        return job

    def _end(self, job: Claimed, state: State) -> None:
        if state is State.FINISHED:
            self.settle(job, Returned(b"42"))
        elif state is State.FAILED:
            self.settle(job, judge(Raised("boom")))
        elif state is State.STOPPED:
            self.settle(job, Stopped())
        elif state is State.SCHEDULED:
            self.settle(job, replace(judge(Raised("boom"), job.policy), due_in=-1))  # due already

    def _as_rq_made_it(self, state: State, job_id: str) -> None:
        fields = {
            "data": b"call", "status": state.value, "origin": "q", "created_at": "",
            "ended_at": "", "started_at": "", "worker_name": "",
            "last_heartbeat": "", "timeout": 180,
        }  # fmt: skip
        self.client.hset(f"rq:job:{job_id}", mapping=fields)
        self.client.sadd("rq:queues", "rq:queue:q")
        if state is State.RATE_LIMITED:
            self.client.hset(f"rq:job:{job_id}", "rate_limit_key", "slots")
        if state in MADE_BY_RQ:
            self.client.zadd(MADE_BY_RQ[state], {job_id: 1})

    def dump(self) -> Dump:
        """Return all that is on the server: each key's type, whether it expires, its value.

        But for what a worker's last claim took: every claim writes that, also one that takes
        nothing. And but for the counters, and what causes of failures are known, which no state
        of a job follows from.
        """
        found: Dump = {}
        for raw in self.client.scan_iter(count=1000):
            key, kind = raw.decode(), self.client.type(raw).decode()
            if key in _NO_STATE or key.startswith(("rq:cause:", "rq:histor")):
                continue
            found[key] = (kind, self.client.ttl(raw) != -1, self._value(raw, kind))
        return found

    def _value(self, key: bytes, kind: str) -> Any:
        if kind == "hash":
            return self.client.hgetall(key)
        if kind == "list":
            return self.client.lrange(key, 0, -1)
        if kind == "set":
            return self.client.smembers(key)
        if kind == "zset":
            return self.client.zrange(key, 0, -1, withscores=True)
        return self.client.xrange(key) if kind == "stream" else self.client.get(key)


def settlement(job: Claimed, verdict: Verdict, ttl: int = 500) -> Settlement:
    """Return a verdict on a job that ran from 8 to 9 by a clock that says 10 when it is sent."""
    return jobs.settlement(job, verdict, result_ttl=ttl, started_at=8.0, ended_at=9.0)
