"""Random operations, crashes, lost replies and late resends, on a real server and by the rules.

After each step both agree: states, executions, lists in their order, registries, leases; and
the auditor finds nothing. WORKHORSE_MACHINE_RUNS asks for more than the few seconds' worth of
runs that `make check` makes.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import pytest
import redis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as some
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.support.lives import record
from tests.support.reference import QUEUES, Reference
from workhorse.core.dependencies import OnParentFailure, Parents
from workhorse.core.outcomes import Crashed, Stopped
from workhorse.core.states import Event, State
from workhorse.core.verdicts import Verdict, judge
from workhorse.store import jobs, reconcile, recover, registries, schedule, waiting
from workhorse.store.audit import audit
from workhorse.store.calls import Call, as_it_is
from workhorse.store.drivers import Store
from workhorse.store.jobs import Execution, Settled
from workhorse.store.reconcile import Reconciled
from workhorse.wire.claimed import Claimed
from workhorse.wire.keys import Keys

T = TypeVar("T")

RUNS = os.environ.get("WORKHORSE_MACHINE_RUNS")
PROFILE = settings(
    max_examples=int(RUNS or 80),
    derandomize=not RUNS,  # the same runs each time, so that only what was changed can fail
    stateful_step_count=40,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],  # explaining is slow
    suppress_health_check=list(HealthCheck),
)

IDS = some.sampled_from(["j0", "j1", "j2", "j3"])
WORKERS = some.sampled_from(["w0", "w1"])
ONE_QUEUE = some.sampled_from(QUEUES)
QUEUE_ORDERS = some.sampled_from([QUEUES, QUEUES[::-1], QUEUES[:1]])
TIMES_SENT = some.sampled_from([1, 1, 2])
INDEXES = some.integers(0, 7)
VERDICTS = some.sampled_from(
    [
        Verdict(Event.SUCCEED, State.FINISHED, value=b"1"),
        Verdict(Event.FAIL, State.FAILED, error="boom"),
        judge(Stopped()),
        Verdict(Event.RETRY, State.QUEUED, error="boom"),
        Verdict(Event.RETRY, State.QUEUED, error="boom", at_front=True),
        Verdict(Event.RETRY, State.SCHEDULED, error="boom", due_in=-1),
        Verdict(Event.RETRY, State.SCHEDULED, error="boom", due_in=60),
        judge(Crashed("signal 9")),
    ]
)
TTLS = some.sampled_from([500, 500, 0, -1])


class Machine(RuleBasedStateMachine):
    """One server and the reference, side by side."""

    def __init__(self, client: redis.Redis) -> None:
        super().__init__()
        client.flushall()
        self.client: Any = client
        self.store = Store(client)
        self.keys = Keys()
        self.reference = Reference()
        self.handed_out: list[Claimed] = []
        """Every claim's jobs, ever: their holders may come back at any time."""
        self.enqueued: dict[str, Callable[[], None]] = {}
        self.claimed: dict[str, Callable[[], None]] = {}
        self.settled: list[Callable[[], None]] = []
        self.numbers = 0

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    def pick(self, index: int, count: int = 1) -> list[Claimed]:
        """Return up to *count* executions: of those that hold a job, or else of the late ones."""
        held = [job for job in self.handed_out if job.execution_id in self.reference.leases]
        late = [job for job in self.handed_out if job not in held]
        near, far = (late, held) if index % 4 == 3 else (held, late)
        found = (near or far)[::-1]
        first = index // 4 % max(len(found), 1)
        return found[first : first + count]

    def run(self, call: Call[T], times: int = 1) -> T:
        """Run *call*; a reply that is lost is asked for again. Return the first reply."""
        self.reference.steps += 1
        replies = [self.store.run(call) for _ in range(times)]
        return replies[0]

    def has_waiting(self) -> bool:
        return any(self.reference.lists.values())

    def has_claimed(self) -> bool:
        return bool(self.handed_out)

    def has_leases(self) -> bool:
        return bool(self.reference.leases)

    def has_jobs(self) -> bool:
        return bool(self.reference.jobs)

    def has_scheduled(self) -> bool:
        return bool(self.reference.schedule)

    # Producers

    @rule(
        job_id=IDS | some.none(),
        queue=ONE_QUEUE,
        at_front=some.booleans(),
        keeps=some.sampled_from([True, True, False]),
        times=TIMES_SENT,
    )
    def enqueue(
        self, job_id: str | None, queue: str, *, at_front: bool, keeps: bool, times: int
    ) -> None:
        """Enqueue a job with an id of the caller's, or with one that our client makes up."""
        number = self.number()
        name, token = (job_id, f"t{number}") if job_id else (f"m{number}", "")
        new = record(name, origin=queue, token=token, failure_ttl=None if keeps else 0)
        call = jobs.enqueue(self.keys, [new], at_front=[name] if at_front else [])

        def send() -> None:
            expected = self.reference.enqueue(
                name, token, queue, at_front=at_front, keeps_failures=keeps
            )
            assert self.run(call).refused == [expected]

        for _ in range(times):
            send()
        if self.reference.jobs[name].token == token:
            self.enqueued[name] = send

    @rule(
        job_id=IDS,
        queue=ONE_QUEUE,
        parents=some.lists(IDS, min_size=1, max_size=2, unique=True),
        rule=some.sampled_from(["wait", "cancel", "run"]),
        times=TIMES_SENT,
    )
    def enqueue_child(
        self, job_id: str, queue: str, parents: list[str], rule: OnParentFailure, times: int
    ) -> None:
        """Enqueue a job that waits for others."""
        token = f"t{self.number()}"
        told = Parents(tuple(parents), rule)
        call = jobs.enqueue(self.keys, [record(job_id, origin=queue, token=token, parents=told)])

        def send() -> None:
            expected = self.reference.enqueue(
                job_id, token, queue, at_front=False, keeps_failures=True, parents=parents,
                rule=rule,
            )  # fmt: skip
            assert self.run(call).refused == [expected]

        for _ in range(times):
            send()
        known = self.reference.jobs.get(job_id)
        if known and known.token == token:
            self.enqueued[job_id] = send

    # Workers

    @precondition(has_waiting)
    @rule(worker=WORKERS, queues=QUEUE_ORDERS, count=some.integers(1, 4), times=TIMES_SENT)
    def claim(self, worker: str, queues: tuple[str, ...], count: int, times: int) -> None:
        token = f"{self.number():024}"
        call = jobs.claim(self.keys, queues, worker=worker, token=token, count=count, lease=60)

        def send() -> None:
            expected = self.reference.claim(worker, token, queues, count)
            claim = self.run(call)
            assert [job.execution_id for job in claim.jobs] == expected
            assert claim.dropped == []
            known = {job.execution_id for job in self.handed_out}
            self.handed_out += [job for job in claim.jobs if job.execution_id not in known]

        for _ in range(times):
            send()
        self.claimed[worker] = send

    @precondition(has_leases)
    @rule(index=INDEXES, count=some.integers(1, 3), verdict=VERDICTS, ttl=TTLS, times=TIMES_SENT)
    def settle(self, index: int, count: int, verdict: Verdict, ttl: int, times: int) -> None:
        held = self.pick(index, count)
        items = [
            jobs.settlement(replace(job, failure_ttl=ttl), verdict, result_ttl=ttl) for job in held
        ]
        call = jobs.settle(self.keys, items, worker="w", sent_at=0.0)

        def send() -> None:
            expected = [
                self.reference.settle(job.job_id, job.execution_id, verdict, ttl) for job in held
            ]
            assert self.run(call) == expected

        for _ in range(times):
            send()
        self.settled.append(send)

    @precondition(has_waiting)
    @rule(worker=WORKERS, count=some.integers(1, 3), verdict=VERDICTS, ttl=TTLS)
    def work(self, worker: str, count: int, verdict: Verdict, ttl: int) -> None:
        """Claim jobs and settle them."""
        self.claim(worker, QUEUES, count, 1)
        self.settle(0, count, verdict, ttl, 1)

    @precondition(has_claimed)
    @rule(what=some.sampled_from(["enqueue", "claim", "settle"]), index=some.integers(0, 3))
    def resend_late(self, what: str, index: int) -> None:
        """Send a call again after other things have happened."""
        sent = {
            "enqueue": list(self.enqueued.values()),
            "claim": list(self.claimed.values()),
            "settle": self.settled,
        }[what]
        if sent:
            sent[-1 - index % len(sent)]()

    def release(self, index: int, count: int, times: int) -> None:
        held = self.pick(index, count)
        call = jobs.release(self.keys, [_execution(job) for job in held], worker="w")
        for _ in range(times):
            expected = self.reference.release([job.execution_id for job in held])
            assert self.run(call) == expected

    @precondition(has_leases)
    @rule(index=INDEXES, count=some.integers(1, 3), lapse=some.booleans(), times=TIMES_SENT)
    def extend(self, index: int, count: int, *, lapse: bool, times: int) -> None:
        """Renew leases; or let them lapse, as when nobody renews them."""
        held = self.pick(index, count)
        executions = [_execution(job) for job in held]
        lease = -1 if lapse else 60
        call = jobs.extend(self.keys, executions, worker="w", lease=lease)
        for _ in range(times):
            lost = self.run(call).lost
            expected = self.reference.extend([job.execution_id for job in held], lapse=lapse)
            assert [execution.execution_id for execution in lost] == expected

    @precondition(has_leases)
    @rule(index=INDEXES, count=some.integers(1, 3), worker=WORKERS | some.none(), times=TIMES_SENT)
    def give_back(self, index: int, count: int, worker: str | None, times: int) -> None:
        """A worker gives jobs back unrun, or it dies."""
        if worker:
            self.crash_and_pick_up(worker, entered=count - 1)
        else:
            self.release(index, count, times)

    def crash_and_pick_up(self, worker: str, entered: int) -> None:
        """A worker dies, perhaps before its claim's reply came; its supervisor tidies up."""
        token, _ = self.reference.claims.get(worker, ("", []))
        if not token:
            return
        claim = self.run(jobs.claimed_before(self.keys, worker=worker, token=token))
        expected = self.reference.claim(worker, token, (), 0)
        assert [job.execution_id for job in claim.jobs] == expected
        lost, unrun = claim.jobs[:entered], claim.jobs[entered:]
        released = self.run(
            jobs.release(self.keys, [_execution(job) for job in unrun], worker=worker)
        )
        assert released == self.reference.release([job.execution_id for job in unrun])
        verdicts = [judge(Crashed("signal 9"), job.policy) for job in lost]
        items = [
            jobs.settlement(job, verdict, result_ttl=500)
            for job, verdict in zip(lost, verdicts, strict=True)
        ]
        replies = self.run(jobs.settle(self.keys, items, worker=worker, sent_at=0.0))
        for job, verdict, reply in zip(lost, verdicts, replies, strict=True):
            ttl = 500 if job.failure_ttl is None else job.failure_ttl
            assert self.reference.settle(job.job_id, job.execution_id, verdict, ttl) is reply
            assert reply is Settled.APPLIED

    # Duties

    @precondition(has_leases)
    @rule(
        index=INDEXES,
        count=some.integers(1, 3),
        meanwhile=some.sampled_from(["", "extend", "settle", "release", "cancel", "recover"]),
    )
    def lapse_and_recover(self, index: int, count: int, meanwhile: str) -> None:
        """Leases lapse; what happens between the two halves of recover must not matter."""
        self.extend(index, count, lapse=True, times=1)
        looked = [(queue, *self._look_for_lapsed(queue)) for queue in QUEUES]
        if meanwhile == "extend":
            self.extend(index, count, lapse=False, times=1)
        elif meanwhile == "settle":
            self.settle(index, 1, Verdict(Event.SUCCEED, State.FINISHED), 500, 1)
        elif meanwhile == "release":
            self.release(index, 1, 1)
        elif meanwhile == "cancel" and (held := self.pick(index)):
            self.cancel(held[0].job_id, 1)
        elif meanwhile == "recover":
            for queue in QUEUES:
                self._recover(queue, *self._look_for_lapsed(queue))
        for seen in looked:
            self._recover(*seen)

    def _look_for_lapsed(self, queue: str) -> tuple[Any, Any, list[tuple[str, Verdict]]]:
        """Run the first half; return the plan, the reply that it waits for, and the judged."""
        plan = iter(recover.recover(self.keys, queue))
        call = next(plan)
        judged = self.reference.lapsed(queue)
        reply = self.run(replace(call, parse=as_it_is))
        order = [row[2].decode() for row in reply]  # leases that lapse at once come in any order
        return plan, reply, sorted(judged, key=lambda one: order.index(one[0]))

    def _recover(
        self, queue: str, plan: Any, reply: Any, judged: list[tuple[str, Verdict]]
    ) -> None:
        """Run the second half."""
        expected = self.reference.recover(judged)
        try:
            call = plan.send(reply)
            plan.send(self.run(replace(call, parse=as_it_is)))
        except StopIteration as done:
            applied = [job.execution_id for job, _ in done.value.verdicts]
            assert applied == expected, queue

    @precondition(has_scheduled)
    @rule(times=TIMES_SENT)
    def forward_and_sweep(self, times: int) -> None:
        self.run(registries.sweep(self.keys, QUEUES))
        call = schedule.forward(self.keys, QUEUES)
        for _ in range(times):
            expected = {queue: self.reference.forward(queue) for queue in QUEUES}
            assert self.run(call).moved == {q: count for q, count in expected.items() if count}

    @precondition(has_jobs)
    @rule(index=some.integers(0, 3), meanwhile=some.sampled_from(["", "", "cancel", "delete"]))
    def forget_and_reconcile(self, index: int, meanwhile: str) -> None:
        """The server forgets where a job is; two maintainers put it back, or find it changed."""
        live = self.reference.live()
        if not live:
            return
        job_id = live[index % len(live)]
        self._forget(job_id)
        seen = self.run(reconcile.mislaid(self.keys, [job_id.encode()])).sightings
        assert [each.job_id.decode() for each in seen] == [job_id]
        expected = Reconciled.REFUSED if meanwhile else Reconciled.APPLIED
        if meanwhile == "cancel":
            self.cancel(job_id, 1)
        elif meanwhile == "delete":
            self.delete(job_id, 1)
        else:
            self.reference.put_back(job_id)
        assert self.run(reconcile.reconcile(self.keys, seen)) == [expected]
        again = self.run(reconcile.reconcile(self.keys, seen))
        assert again[0] in {Reconciled.REFUSED, Reconciled.FOUND}

    def _forget(self, job_id: str) -> None:
        job = self.reference.jobs[job_id]
        self.client.lrem(f"rq:queue:{job.queue}", 0, job_id)
        self.client.zrem(f"rq:scheduled:{job.queue}", job_id)
        if job.execution:
            self.client.zrem(f"rq:wip:{job.queue}", f"{job_id}:{job.execution}")
        self.client.delete(f"rq:executions:{job_id}")

    # People

    @precondition(has_jobs)
    @rule(
        what=some.sampled_from(["cancel", "requeue", "requeue", "delete", "wait"]),
        index=some.integers(0, 3),
        times=TIMES_SENT,
    )
    def meddle(self, what: str, index: int, times: int) -> None:
        """A person does something to a job."""
        known = [*self.reference.jobs, "unknown"]
        job_id = known[index % len(known)]
        if what == "cancel":
            self.cancel(job_id, times)
        elif what == "requeue":
            self.requeue(job_id, times, at_front=index == 0)
        elif what == "delete":
            self.delete(job_id, times)
        else:
            assert self.run(waiting.wait(self.keys, job_id)) == self.reference.state(job_id)

    def cancel(self, job_id: str, times: int) -> None:
        for _ in range(times):
            expected = self.reference.cancel(job_id)
            assert self.run(jobs.cancel(self.keys, job_id)) == expected

    def requeue(self, job_id: str, times: int, *, at_front: bool) -> None:
        for _ in range(times):
            expected = self.reference.requeue(job_id, at_front=at_front)
            assert self.run(jobs.requeue(self.keys, job_id, at_front=at_front)) == expected

    def delete(self, job_id: str, times: int) -> None:
        for _ in range(times):
            expected = self.reference.delete(job_id)
            assert self.run(jobs.delete(self.keys, [job_id])) == [expected]

    @precondition(has_waiting)
    @rule(queue=ONE_QUEUE, keep=some.booleans(), forget=some.booleans())
    def empty(self, queue: str, *, keep: bool, forget: bool) -> None:
        expected = self.reference.empty(queue, keep=keep)
        taken = self.store.run(jobs.empty(self.keys, queue, keep_jobs=keep, forget=forget))
        assert taken == expected

    # What must be true after each step

    @invariant()
    def the_server_and_the_reference_agree(self) -> None:
        assert self._jobs() == {
            job_id: (job.state.value, job.queue, job.execution)
            for job_id, job in self.reference.jobs.items()
        }
        for queue in QUEUES:
            known = self.reference
            assert self._list(queue) == known.lists[queue]
            assert self._zset("wip", queue) == {
                f"{lease.job_id}:{execution}"
                for execution, lease in known.leases.items()
                if lease.queue == queue
            }
            scheduled = known.registered(queue, State.SCHEDULED)
            assert scheduled == known.schedule.keys() & scheduled
            assert self._zset("scheduled", queue) == scheduled
            assert self._zset("finished", queue) == known.registered(queue, State.FINISHED)
            ended_badly = known.registered(queue, State.FAILED, State.STOPPED)
            assert self._zset("failed", queue) == ended_badly
            assert self._zset("deferred", queue) == known.registered(queue, State.DEFERRED)
            assert self._zset("canceled", queue) == known.registered(queue, State.CANCELED)

    @invariant()
    def everything_is_in_its_place(self) -> None:
        assert audit(self.store, self.keys) == []

    def _jobs(self) -> dict[str, tuple[str, str, str | None]]:
        found: dict[str, tuple[str, str, str | None]] = {}
        for key in self.client.scan_iter("rq:job:*", _type="hash"):
            fields = self.client.hmget(key, "status", "origin", "execution_id")
            status, origin, execution = (word and word.decode() for word in fields)
            found[key.decode().removeprefix("rq:job:")] = (status, origin, execution)
        return found

    def _list(self, queue: str) -> list[str]:
        return [job_id.decode() for job_id in self.client.lrange(f"rq:queue:{queue}", 0, -1)]

    def _zset(self, kind: str, queue: str) -> set[str]:
        return {member.decode() for member in self.client.zrange(f"rq:{kind}:{queue}", 0, -1)}


def _execution(job: Claimed) -> Execution:
    return Execution(job.job_id, job.execution_id, job.queue)


@pytest.mark.timeout(400 + int(RUNS or 80))  # a failure is made short first
def test_whatever_happens_the_server_does_what_the_rules_say(client: redis.Redis) -> None:
    make: Any = partial(Machine, client)
    run_state_machine_as_test(make, settings=PROFILE)
