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
    rule: str = "wait"
    parents: set[str] = field(default_factory=set[str])
    """Those whose end it was not told yet."""


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
    children: dict[str, dict[str, None]] = field(default_factory=dict[str, dict[str, None]])
    """Who waits for each job, in the order in which they came; also for one that is gone."""
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

    def enqueue(  # noqa: C901, PLR0911, PLR0913 - as the script
        self,
        job_id: str,
        token: str,
        queue: str,
        *,
        at_front: bool,
        keeps_failures: bool,
        parents: Sequence[str] = (),
        rule: str = "wait",
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
        if parents and self._is_awaited_by(job_id, parents):
            return "cycle"
        new = Known(
            State.QUEUED, queue, token, keeps_failures=keeps_failures, rule=rule,
            parents={each for each in parents if each in self.jobs
                     and not self._is_met(self.jobs[each].state, rule)},
        )  # fmt: skip
        self.jobs[job_id] = new
        if not new.parents:
            self._push(job_id, at_front=at_front)
            return ""
        new.state = State.DEFERRED
        for parent in parents:
            if parent in new.parents:
                self.children.setdefault(parent, {})[job_id] = None
        if rule == "cancel" and any(self.jobs[each].state in ENDED for each in new.parents):
            self._cancel_child(job_id)
        return ""

    # Jobs that wait for others. None is the state of one that is gone.

    def _is_awaited_by(self, job_id: str, parents: Sequence[str]) -> bool:
        found = list(parents)
        for each in found:
            if each == job_id:
                return True
            known = self.jobs.get(each)
            found += sorted((known.parents if known else set()) - set(found))
        return False

    @staticmethod
    def _is_met(state: State | None, rule: str) -> bool:
        return state is State.FINISHED or (rule == "run" and (state is None or state in ENDED))

    def _leave(self, child: str, parent: str) -> None:
        self.jobs[child].parents.discard(parent)
        self.children.get(parent, {}).pop(child, None)

    def _leave_parents(self, child: str) -> None:
        for parent in list(self.jobs[child].parents):
            self._leave(child, parent)

    def _cancel_child(self, child: str) -> None:
        self._leave_parents(child)
        self.jobs[child].state = State.CANCELED
        self.tell(child, State.CANCELED)

    def tell(self, parent: str, state: State | None) -> None:
        """Tell the children of a job that it ended; the children of those come after them."""
        self._to_tell.append((parent, state))
        if len(self._to_tell) > 1:
            return
        while self._to_tell:
            one, at = self._to_tell[0]
            for child in list(self.children.get(one, {})):
                self._consider(child, one, at)
            self._to_tell.pop(0)

    _to_tell: list[tuple[str, State | None]] = field(
        default_factory=list[tuple[str, State | None]]
    )

    def _consider(self, child: str, parent: str, state: State | None) -> None:
        known = self.jobs[child]
        if self._is_met(state, known.rule):
            self._leave(child, parent)
            for other in sorted(known.parents):
                if self._is_met(self.state(other), known.rule):
                    self._leave(child, other)
            if not known.parents:
                known.state = State.QUEUED
                self._push(child, at_front=False)
        elif known.rule == "cancel":
            self._cancel_child(child)

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
            self.tell(job_id, to)
            return
        job.state = to
        if verdict.starts is not None:
            job.starts = verdict.starts
        if to is State.QUEUED:
            self._push(job_id, at_front=verdict.at_front)
        elif to is State.SCHEDULED:
            self.schedule[job_id] = Waiting(verdict.due_in <= 0, self.steps)
        else:
            self.tell(job_id, to)

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
        over = {*ENDED, State.DEFERRED}
        return [job_id for job_id, job in self.jobs.items() if job.state not in over]

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
            self._leave_parents(job_id)
            self.tell(job_id, to)
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
            self._leave_parents(job_id)
            self.gone[job_id] = ("", self.jobs.pop(job_id).token)
            self.tell(job_id, None)
        return before

    def empty(self, queue: str, *, keep: bool) -> int:
        taken, self.lists[queue] = self.lists[queue], []
        told: list[tuple[str, State | None]] = []
        for job_id in taken:
            told.append((job_id, State.CANCELED if keep else None))
            if keep:
                job = self.jobs[job_id]
                job.state = after(job.state, Event.CANCEL) or job.state
            else:
                self.gone[job_id] = ("", self.jobs.pop(job_id).token)
        for parent, state in told:
            self.tell(parent, state)
        return len(taken)
