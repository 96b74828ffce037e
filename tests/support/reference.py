"""What our calls do to jobs, without a server: the rules of delivery in their simplest form.

A dictionary of jobs, lists of waiting ids, leases. States change by ``core.states`` alone: what
its table does not allow changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from workhorse.core.errors import IllegalTransitionError
from workhorse.core.states import ENDED, Event, State, after
from workhorse.core.verdicts import Policy, Verdict, judge_lost
from workhorse.store.jobs import Settled

QUEUES = ("high", "low")


@dataclass
class Known:
    """A job."""

    state: State
    queue: str
    token: str
    execution: str | None = None
    """The one that holds it, or that ended it last."""
    starts: int = 0
    keeps_failures: bool = True


@dataclass(frozen=True)
class Lease:
    """An execution's hold on a job."""

    job_id: str
    queue: str
    lapsed: int | None = None
    """Where it lapsed: in which order leases did."""


@dataclass(frozen=True)
class Waiting:
    """A scheduled job."""

    due: bool
    number: int


@dataclass
class Reference:
    """All jobs, and where they are."""

    jobs: dict[str, Known] = field(default_factory=dict[str, Known])
    lists: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in QUEUES})
    leases: dict[str, Lease] = field(default_factory=dict[str, Lease])
    schedule: dict[str, Waiting] = field(default_factory=dict[str, Waiting])
    gone: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    """Deleted jobs: the execution that ended it, if one did, and its token."""
    claims: dict[str, tuple[str, list[str]]] = field(
        default_factory=dict[str, tuple[str, list[str]]]
    )
    """Each worker's last claim: its token, the greatest so far, and its executions."""
    closed: set[str] = field(default_factory=set[str])
    """Tokens of claims that were given up: they take nothing any more."""
    steps: int = 0

    def state(self, job_id: str) -> State | None:
        known = self.jobs.get(job_id)
        return known.state if known else None

    def registered(self, queue: str, *states: State) -> set[str]:
        return {
            job_id
            for job_id, job in self.jobs.items()
            if job.queue == queue and job.state in states
        }

    def _may(self, job_id: str, event: Event, to: State | None = None) -> State | None:
        """Return the state that *event* leads to, None where it is not allowed."""
        try:
            return after(self.state(job_id), event, to)
        except IllegalTransitionError:
            return None

    def _push(self, job_id: str, *, at_front: bool) -> None:
        waiting = self.lists[self.jobs[job_id].queue]
        waiting.insert(0 if at_front else len(waiting), job_id)

    def _withdraw(self, job_id: str) -> None:
        """Take a job out of every place."""
        for waiting in self.lists.values():
            if job_id in waiting:
                waiting.remove(job_id)
        self.schedule.pop(job_id, None)
        self.leases = {e: lease for e, lease in self.leases.items() if lease.job_id != job_id}

    # Producers

    def enqueue(
        self, job_id: str, token: str, queue: str, *, at_front: bool, keeps_failures: bool
    ) -> str:
        """Return '' where the job is stored, now or before; else the state of another."""
        known = self.jobs.get(job_id)
        if known and known.token == token:
            return ""
        if self.gone.get(job_id, ("", None))[1] == token:
            return ""
        if self._may(job_id, Event.ENQUEUE) is None:
            assert known
            return known.state.value
        self.jobs[job_id] = Known(State.QUEUED, queue, token, keeps_failures=keeps_failures)
        self._push(job_id, at_front=at_front)
        return ""

    # Workers

    def claim(self, worker: str, token: str, queues: Sequence[str], count: int) -> list[str]:
        """Return the executions that the claim gives, as often as it is sent."""
        memo, taken = self.claims.get(worker, ("", []))
        if memo == token:
            return [execution for execution in taken if execution in self.leases]
        if count == 0:
            self.closed.add(token)
        if token in self.closed or token < memo:
            return []
        taken = []
        for queue in queues:
            while self.lists[queue] and len(taken) < count:
                job_id = self.lists[queue].pop(0)
                job = self.jobs[job_id]
                job.state = after(job.state, Event.CLAIM) or job.state
                job.execution = f"{token}{len(taken) + 1:08x}"
                self.leases[job.execution] = Lease(job_id, queue)
                taken.append(job.execution)
        self.claims[worker] = (token, taken)
        return taken

    def settle(self, job_id: str, execution: str, verdict: Verdict, ttl: int) -> Settled:
        if execution in self.leases:
            del self.leases[execution]
            self._apply(job_id, execution, verdict, ttl)
            return Settled.APPLIED
        known = self.jobs.get(job_id)
        if known is None:
            by = self.gone.get(job_id, ("", ""))[0]
            return Settled.ALREADY if by == execution else Settled.GONE
        if (known.state, known.execution) == (verdict.to, execution):
            return Settled.ALREADY
        return Settled.REFUSED

    def _apply(self, job_id: str, execution: str, verdict: Verdict, ttl: int) -> None:
        job = self.jobs[job_id]
        to = after(job.state, verdict.event, verdict.to)
        assert to
        if to in ENDED and ttl == 0:
            del self.jobs[job_id]
            self.gone[job_id] = (execution, job.token)
            return
        job.state = to
        if verdict.starts is not None:
            job.starts = verdict.starts
        if to is State.QUEUED:
            self._push(job_id, at_front=verdict.at_front)
        elif to is State.SCHEDULED:
            self.schedule[job_id] = Waiting(verdict.due_in <= 0, self.steps)

    def extend(self, executions: Iterable[str], *, lapse: bool) -> list[str]:
        """Renew leases, or let them lapse; return the lost ones."""
        lost: list[str] = []
        for execution in executions:
            held = self.leases.get(execution)
            if held is None:
                lost.append(execution)
            else:
                lapsed = self.steps if lapse else None
                self.leases[execution] = Lease(held.job_id, held.queue, lapsed)
        return lost

    def release(self, executions: Sequence[str]) -> int:
        held = [execution for execution in executions if execution in self.leases]
        for execution in reversed(held):
            job_id = self.leases.pop(execution).job_id
            job = self.jobs[job_id]
            job.state = after(job.state, Event.RELEASE) or job.state
            job.execution = None
            self._push(job_id, at_front=True)
        return len(held)

    # Duties

    def lapsed(self, queue: str) -> list[tuple[str, Verdict]]:
        """Return the executions of *queue* whose lease lapsed, and what is to follow."""
        found = [
            (lease.lapsed, lease.job_id, execution)
            for execution, lease in self.leases.items()
            if lease.queue == queue and lease.lapsed is not None
        ]
        return [
            (execution, judge_lost("", Policy(starts=self.jobs[job_id].starts)))
            for _, job_id, execution in sorted(found)
        ]

    def recover(self, judged: Iterable[tuple[str, Verdict]]) -> list[str]:
        """Apply what was judged, where the lease is still lapsed; return those executions."""
        applied: list[str] = []
        for execution, verdict in judged:
            lease = self.leases.get(execution)
            if lease is None or lease.lapsed is None:
                continue
            del self.leases[execution]
            job = self.jobs[lease.job_id]
            self._apply(lease.job_id, execution, verdict, ttl=int(job.keeps_failures))
            job.execution = None
            if lease.job_id not in self.jobs:
                self.gone[lease.job_id] = ("", job.token)
            applied.append(execution)
        return applied

    def forward(self, queue: str) -> int:
        due = [
            (waiting.number, job_id)
            for job_id, waiting in self.schedule.items()
            if waiting.due and self.jobs[job_id].queue == queue
        ]
        for _, job_id in sorted(due):
            del self.schedule[job_id]
            job = self.jobs[job_id]
            job.state = after(job.state, Event.FORWARD, State.QUEUED) or job.state
            self._push(job_id, at_front=False)
        return len(due)

    def live(self) -> list[str]:
        """Return the jobs that have not ended, in their order."""
        return [job_id for job_id, job in self.jobs.items() if job.state not in ENDED]

    def put_back(self, job_id: str) -> None:
        """Put a job, of which nobody knew where it is, back where its state says."""
        job = self.jobs[job_id]
        if job.state is State.QUEUED:
            self.lists[job.queue].remove(job_id)
            self._push(job_id, at_front=True)
        elif job.state is State.STARTED:  # a scheduled one waits for its moment, as before
            assert job.execution
            self.leases[job.execution] = Lease(job_id, job.queue, self.steps)

    # People

    def cancel(self, job_id: str) -> State | None:
        before = self.state(job_id)
        if to := self._may(job_id, Event.CANCEL):
            self._withdraw(job_id)
            self.jobs[job_id].state = to
            self.jobs[job_id].execution = None
        return before

    def requeue(self, job_id: str, *, at_front: bool) -> State | None:
        before = self.state(job_id)
        if to := self._may(job_id, Event.REQUEUE, State.QUEUED):
            job = self.jobs[job_id]
            job.state, job.execution, job.starts = to, None, 0
            self._push(job_id, at_front=at_front)
        return before

    def delete(self, job_id: str) -> State | None:
        before = self.state(job_id)
        if before:
            self._withdraw(job_id)
            self.gone[job_id] = ("", self.jobs.pop(job_id).token)
        return before

    def empty(self, queue: str, *, keep: bool) -> int:
        taken, self.lists[queue] = self.lists[queue], []
        for job_id in taken:
            if keep:
                job = self.jobs[job_id]
                job.state = after(job.state, Event.CANCEL) or job.state
            else:
                self.gone[job_id] = ("", self.jobs.pop(job_id).token)
        return len(taken)
