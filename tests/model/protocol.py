"""Our delivery protocol, small enough to look at every state that it can reach.

Each script is one step: the server is atomic. Between two steps anything may happen that
``Budget`` allows: a reply is lost and its call sent again, a call is late and comes when its
sender is dead, a worker or a whole machine dies, a lease lapses though its holder lives, a person
stops, cancels, requeues or deletes, the server forgets a write. ``search`` goes through all
orders of events and checks each step, and at the end that no state is a dead end.

A change of the protocol lands here first. ``Flaw`` names what our scripts and processes must
not do; with any one of them the search must find a violation, or the model is blind to it.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")

MAX_STARTS = 2
"""Small, so that the end of it is near."""
MOVES_KEPT = 2
"""Calls of persons that a job remembers: enough where one is sent again after one of another's."""


class Flaw(Enum):
    """A single mistake, each one that a queue was seen to make."""

    NO_FENCE = auto()
    """settle asks for no lease."""
    SETTLE_NOT_IDEMPOTENT = auto()
    """A settle that is sent again is applied again."""
    CLAIM_NOT_IDEMPOTENT = auto()
    """A claim that is sent again takes other jobs; what the first took waits for its lease."""
    CLAIM_WITHOUT_LEASE = auto()
    """claim pops the job, and the worker alone knows that it has it."""
    PICK_UP_WITHOUT_MEMO = auto()
    """The supervisor does not ask what a dead worker's last claim took."""
    PICK_UP_CHARGES_UNRUN = auto()
    """Jobs of a dead worker that were not entered are judged as lost."""
    PICK_UP_RERUNS_ENDED = auto()
    """Jobs of a dead worker that had ended are judged as lost."""
    RECOVER_UNGUARDED = auto()
    """recover acts on what was lapsed when it looked."""
    RELEASE_UNGUARDED = auto()
    """release asks for no lease."""
    ENQUEUE_NOT_RECOGNISED = auto()
    """An enqueue that is sent again is another job."""
    DELETE_FORGETS_TOKEN = auto()
    """Nothing remembers that a deleted job's enqueue was carried out."""
    EXTEND_REVIVES = auto()
    """extend writes the lease and the hash, whether or not they are there."""
    STARTS_NOT_COUNTED = auto()
    """A lost run is free."""
    RUNS_WHAT_WAS_TAKEN_BACK = auto()
    """The worker enters a job that its supervisor gave back to the queue."""
    CANCEL_LEAVES_LEASE = auto()
    """cancel changes the state alone."""
    STOP_FORGOTTEN_BY_RETRY = auto()
    """A run that failed, or was lost, is followed by another, though a person stopped it."""
    STOP_FORGOTTEN_BY_RECOVER = auto()
    """The same, when its lease lapsed."""
    STOP_FORGOTTEN_BY_RELEASE = auto()
    """The same, when it is given back before it was entered."""
    STOP_NEEDS_A_LEASE = auto()
    """stop asks for the lease, though what a server forgot may be put back."""
    PICK_UP_LEAVES_CLAIM_OPEN = auto()
    """The server carries out a dead worker's claim after its supervisor asked what it took."""
    LATE_CLAIM_TAKES_JOBS = auto()
    """A claim that was sent again takes jobs when its first sending arrives at last."""
    PICK_UP_CLOSES_UNDONE_ONLY = auto()
    """The same, where the claim had been sent twice: the server forgets what it carried out once
    the worker has a successor."""
    MOVE_NOT_IDEMPOTENT = auto()
    """A person's call that is sent again is applied, and answered, as if it were another."""
    MOVE_FORGOTTEN_BY_NEXT = auto()
    """A job remembers the last person's call alone: what one asks again undoes another's."""
    LOST_RUNS_AGAIN = auto()
    """A lost run is followed by another, though its job says that it must not."""
    NO_RECONCILE = auto()
    """Nobody looks for jobs that are in no place."""
    RECONCILE_UNGUARDED = auto()
    """reconcile acts on what it saw first."""
    PLACE_NOT_FREED_BY_RECOVER = auto()
    """A job that fails because its lease lapsed keeps its place in its limit."""
    PLACE_LEAKED_BY_CANCEL = auto()
    """So does one that is canceled."""
    ADMIT_TWICE = auto()
    """Who does not wait any more gives a place on, whether or not it had one."""
    REPEAT_NOT_IN_SETTLE = auto()
    """A job that is to run again is queued by its worker's next call."""
    PROMOTE_NOT_IN_SETTLE = auto()
    """A child is told of its parent's end by the next call of the parent's worker."""
    PROMOTE_TWICE = auto()
    """A child is let go whenever a parent ends, also one that does not wait for it any more."""
    PROMOTE_BY_ANY_PARENT = auto()
    """A child is let go by the first of its parents that ends."""
    CHILD_FORGOTTEN_WHEN_PARENT_DELETED = auto()
    """delete tells nobody."""
    CHILD_FORGOTTEN_BY_RECOVER = auto()
    """A parent that fails because its lease lapsed tells nobody."""
    DEFER_LOOKS_BEFORE = auto()
    """A child waits for a parent that had ended when it came."""


class Status(Enum):
    """What the job's hash says; GONE is deleted, and its token remembered."""

    ABSENT = auto()
    QUEUED = auto()
    DEFERRED = auto()
    LIMITED = auto()
    STARTED = auto()
    FINISHED = auto()
    FAILED = auto()
    STOPPED = auto()
    CANCELED = auto()
    GONE = auto()


ENDED = frozenset({Status.FINISHED, Status.FAILED, Status.STOPPED, Status.CANCELED})
OVER = ENDED | {Status.GONE}
LIVE = frozenset({Status.QUEUED, Status.STARTED})


class Slot(Enum):
    """What a ledger says of a job."""

    HELD = auto()
    TAKEN_BACK = auto()
    ENTERED = auto()
    SUCCEEDED = auto()
    RAISED = auto()
    TO_REPEAT = auto()
    """It was settled, and is to be queued again: of a flaw."""
    TO_TELL = auto()
    """It was settled, and its child is to be told: of a flaw."""


class Job(NamedTuple):
    """A job on the server, and what a witness saw of it."""

    status: Status = Status.ABSENT
    execution: int = 0
    starts: int = 0
    retries: int = 0
    most: int = MAX_STARTS
    """Starts without an outcome after which it is failed; 1 where ``on_lost`` is "fail"."""
    repeats: int = 0
    """Runs that are to follow a success."""
    stop: int = 0
    """The execution that is to be stopped."""
    moved_by: tuple[tuple[int, Status], ...] = ()
    """The tokens of the last calls that moved it, newest first, and the state that it was in."""
    # The witness: since the enqueue, or the last requeue
    since: int = 0
    """The first execution that counts."""
    commits: int = 0
    entered: frozenset[int] = frozenset()
    outcomes: frozenset[int] = frozenset()
    """Executions whose code ended."""
    released: frozenset[int] = frozenset()
    excused: int = 0
    """Times that a start may be charged though nobody saw one: a machine died, a lease lapsed."""
    stopped: bool = False
    """A person asked for it, and nobody has requeued it."""
    mislaid: bool = False
    """The server forgot where it is."""
    runs: int = 1
    """How many successes there are to be."""


class Lease(NamedTuple):
    """An execution's hold on a job."""

    job: int
    execution: int
    worker: int
    lapsed: bool = False


class Entry(NamedTuple):
    """A line of a ledger."""

    job: int
    execution: int
    slot: Slot


class Worker(NamedTuple):
    """A worker process; its ledger outlives it, its machine's death does not."""

    dead: bool = False
    asking: int = 0
    """The token of a claim whose reply has not come."""
    ledger: tuple[Entry, ...] = ()


class Memo(NamedTuple):
    """What the server remembers of a worker's last claim."""

    token: int = 0
    taken: tuple[Lease, ...] = ()


class Asked(NamedTuple):
    """A person's call whose reply has not come."""

    verb: str
    job: int
    token: int
    answer: Status | None
    """What the server answered when it applied it, None where it did not, or never got it."""


class Sighting(NamedTuple):
    """A live job that a maintainer saw in no place."""

    job: int
    status: Status
    execution: int


class Producer(Enum):
    """What a caller of enqueue knows."""

    NEW = auto()
    UNSURE = auto()
    DONE = auto()


class Budget(NamedTuple):
    """How much may still go wrong."""

    crashes: int = 0
    deaths: int = 0
    """Of machines: worker, supervisor and ledger."""
    losses: int = 0
    """Of replies."""
    lapses: int = 0
    """Of leases whose holder lives."""
    people: int = 0
    """What persons do."""
    retries: int = 0
    """Runs that raise and are tried again."""
    stops: int = 0
    """Running jobs that persons stop."""
    delays: int = 0
    """Claims that the server gets when their sender is dead."""
    slow: int = 0
    """Claims that are sent again, both sendings of which arrive."""
    forgets: int = 0
    """Writes that the server loses: an entry of a list, a lease."""


class State(NamedTuple):
    """All there is, at one moment."""

    queue: tuple[int, ...]
    jobs: tuple[Job, ...]
    leases: frozenset[Lease]
    workers: tuple[Worker, ...]
    memos: tuple[Memo, ...]
    producers: tuple[Producer, ...]
    looked: Lease | None
    """What recover saw lapsed, and has not acted on yet."""
    budget: Budget
    number: int
    """Of the next execution or token."""
    late: frozenset[tuple[int, int]] = frozenset()
    """Claims on their way, of dead workers: whose, and the token."""
    copies: frozenset[tuple[int, int]] = frozenset()
    """The same, of living workers, who did not wait for it and sent it again."""
    closed: frozenset[int] = frozenset()
    """Their tokens, once the supervisor asked; a memo is its worker's successor's."""
    asked: Asked | None = None
    places: int = 0
    """How many jobs may be queued or started; 0 for no limit."""
    allowed: frozenset[int] = frozenset()
    """Those that are."""
    limited: tuple[int, ...] = ()
    """Those that wait for a place."""
    child: int = -1
    """The job that waits for all others to end, however they do; -1 for none."""
    owed: frozenset[int] = frozenset()
    """Those whose end it was not told yet."""
    sighted: tuple[Sighting | None, ...] = ()
    """What each maintainer saw, and has not acted on yet."""
    wrong: str = ""
    """What a caller could complain of."""


Step = tuple[str, State]


@dataclass(frozen=True)
class Setting:
    """How many of each there are."""

    jobs: int
    workers: int
    batch: int
    budget: Budget
    on_lost: str = "requeue"
    asks_again: bool = False
    """Persons' replies can be lost, too, and their calls sent again."""
    maintainers: int = 0
    places: int = 0
    """A rate limit that all jobs share."""
    repeats: int = 0
    family: bool = False
    """The last job waits for the others."""


def begin(setting: Setting) -> State:
    most = 1 if setting.on_lost == "fail" else MAX_STARTS
    return State(
        queue=(),
        jobs=(
            Job(
                retries=setting.budget.retries,
                most=most,
                repeats=setting.repeats,
                runs=1 + setting.repeats,
            ),
        )
        * setting.jobs,
        leases=frozenset(),
        workers=(Worker(),) * setting.workers,
        memos=(Memo(),) * setting.workers,
        producers=(Producer.NEW,) * setting.jobs,
        looked=None,
        budget=setting.budget,
        number=1,
        sighted=(None,) * setting.maintainers,
        places=setting.places,
        child=setting.jobs - 1 if setting.family else -1,
    )


def put(items: tuple[T, ...], at: int, item: T) -> tuple[T, ...]:
    """Return *items* with another one in place *at*."""
    return (*items[:at], item, *items[at + 1 :])


def with_job(state: State, at: int, **fields: Any) -> State:
    return state._replace(jobs=put(state.jobs, at, state.jobs[at]._replace(**fields)))


def with_worker(state: State, at: int, **fields: Any) -> State:
    changed = state.workers[at]._replace(**fields)
    return state._replace(workers=put(state.workers, at, changed))


def without_entry(state: State, at: int, entry: Entry) -> State:
    rest = tuple(each for each in state.workers[at].ledger if each != entry)
    return with_worker(state, at, ledger=rest)


def with_slot(state: State, at: int, entry: Entry, slot: Slot) -> State:
    ledger = state.workers[at].ledger
    place = ledger.index(entry)
    return with_worker(state, at, ledger=put(ledger, place, entry._replace(slot=slot)))


def spend(state: State, kind: str) -> State | None:
    """Return *state* with one *kind* of misfortune less to come; None if there was none left."""
    left: int = getattr(state.budget, kind)
    return state._replace(budget=state.budget._replace(**{kind: left - 1})) if left else None


MOVES = {
    "cancel": LIVE | {Status.LIMITED, Status.DEFERRED},
    "requeue": ENDED,
    "stop": frozenset({Status.STARTED}),
}
"""From which states a person can move a job."""


class Server:
    """The scripts. Each method is one step, and returns what the server is after it."""

    def __init__(self, flaws: frozenset[Flaw]) -> None:
        self.flaws = flaws

    def enqueue(self, state: State, job: int) -> State:
        is_known = state.jobs[job].status is not Status.ABSENT
        if is_known and Flaw.ENQUEUE_NOT_RECOGNISED not in self.flaws:
            return state
        if is_known:
            return state._replace(queue=(*state.queue, job))
        return self.defer(state) if job == state.child else self.move_on(state, job)

    def defer(self, state: State) -> State:
        """Have the child wait for those that live; one that nobody knows was done long ago."""
        met = {Status.ABSENT} if Flaw.DEFER_LOOKS_BEFORE in self.flaws else {Status.ABSENT, *OVER}
        owed = [n for n in range(state.child) if state.jobs[n].status not in met]
        if not owed:
            return self.move_on(state, state.child)
        state = with_job(state, state.child, status=Status.DEFERRED)
        return state._replace(owed=frozenset(owed))

    def tell(self, state: State, parent: int) -> State:
        """Tell the child that a parent has ended; it goes on if that was the last."""
        child = state.child
        if child < 0 or parent == child:
            return state
        if Flaw.PROMOTE_TWICE in self.flaws and not state.owed - {parent}:
            known = state.jobs[child].status is not Status.ABSENT
            return self.move_on(state._replace(owed=frozenset()), child) if known else state
        if parent not in state.owed:
            return state
        state = state._replace(owed=state.owed - {parent})
        if state.owed and Flaw.PROMOTE_BY_ANY_PARENT not in self.flaws:
            return state
        return self.move_on(state, child)

    def move_on(self, state: State, job: int) -> State:
        """Send a job that may run to its queue, or to those that wait for a place."""
        if not state.places:
            state = with_job(state, job, status=Status.QUEUED)
            return state._replace(queue=(*state.queue, job))
        state = with_job(state, job, status=Status.LIMITED)
        return self.admit(state._replace(limited=(*state.limited, job)))

    def admit(self, state: State, places: int = 0) -> State:
        """Give free places to those that wait."""
        while state.limited and len(state.allowed) < (places or state.places):
            job, *others = state.limited
            state = with_job(state, job, status=Status.QUEUED)
            state = state._replace(
                limited=tuple(others), allowed=state.allowed | {job}, queue=(*state.queue, job)
            )
        return state

    def leave_limit(self, state: State, job: int) -> State:
        """Take a job's place, or its wait for one, and admit the next."""
        limited = tuple(each for each in state.limited if each != job)
        had_place = job in state.allowed
        state = state._replace(limited=limited, allowed=state.allowed - {job})
        if Flaw.ADMIT_TWICE in self.flaws and not had_place:
            return self.admit(state, len(state.allowed) + 1)
        return self.admit(state)

    def end(self, state: State, job: int, **fields: Any) -> State:
        """Have a job end, and others go on."""
        return self.tell(self.leave_limit(with_job(state, job, **fields), job), job)

    def repeat(self, state: State, job: int) -> State:
        """Queue a job again that succeeded."""
        left = state.jobs[job].repeats - 1
        state = with_job(
            state, job, status=Status.QUEUED, repeats=left, starts=0, excused=0, since=state.number
        )
        return state._replace(queue=(*state.queue, job))

    def claim(self, state: State, worker: int, token: int, count: int) -> tuple[State, Memo]:
        memo = state.memos[worker]
        is_late = token < memo.token and (worker, token) in state.copies
        if token in state.closed or (is_late and Flaw.LATE_CLAIM_TAKES_JOBS not in self.flaws):
            return state, Memo(token)
        if memo.token == token and Flaw.CLAIM_NOT_IDEMPOTENT not in self.flaws:
            held = {(lease.job, lease.execution) for lease in state.leases}
            return state, Memo(token, tuple(x for x in memo.taken if (x.job, x.execution) in held))
        taken: list[Lease] = []
        for job in state.queue[:count]:
            lease = Lease(job, state.number, worker)
            taken.append(lease)
            state = with_job(state, job, status=Status.STARTED, execution=lease.execution)
            state = state._replace(number=state.number + 1)
        state = state._replace(queue=state.queue[count:])
        if Flaw.CLAIM_WITHOUT_LEASE not in self.flaws:
            state = state._replace(leases=state.leases | set(taken))
        memo = Memo(token, tuple(taken))
        return state._replace(memos=put(state.memos, worker, memo)), memo

    def lease_of(self, state: State, job: int, execution: int) -> Lease | None:
        for lease in state.leases:
            if lease.job == job and lease.execution == execution:
                return lease
        return None

    def drop_lease(self, state: State, job: int, execution: int) -> State:
        kept = {x for x in state.leases if (x.job, x.execution) != (job, execution)}
        return state._replace(leases=frozenset(kept))

    def holds(self, state: State, job: int, execution: int) -> bool:
        known = state.jobs[job]
        is_current = known.status is Status.STARTED and known.execution == execution
        return is_current and self.lease_of(state, job, execution) is not None

    def settle(self, state: State, job: int, execution: int, slot: Slot) -> State:
        known = state.jobs[job]
        is_again = known.status is Status.FINISHED and known.execution == execution
        may = self.holds(state, job, execution)
        may = may or (Flaw.NO_FENCE in self.flaws and known.status is not Status.GONE)
        may = may or (Flaw.SETTLE_NOT_IDEMPOTENT in self.flaws and is_again)
        if not may:
            return state
        state = self.drop_lease(state, job, execution)
        if slot is Slot.RAISED and self.is_stopped(known, execution, Flaw.STOP_FORGOTTEN_BY_RETRY):
            return self.end(state, job, status=Status.STOPPED)
        if slot is Slot.RAISED:
            state = with_job(state, job, status=Status.QUEUED, retries=known.retries - 1)
            return state._replace(queue=(*state.queue, job))
        is_last = not known.repeats or known.stop == execution
        if not is_last and Flaw.REPEAT_NOT_IN_SETTLE not in self.flaws:
            return self.repeat(with_job(state, job, commits=known.commits + 1), job)
        end = self.end_silently if Flaw.PROMOTE_NOT_IN_SETTLE in self.flaws else self.end
        return end(
            state, job, status=Status.FINISHED, execution=execution, commits=known.commits + 1
        )

    def end_silently(self, state: State, job: int, **fields: Any) -> State:
        """Have a job end, and nobody hear of it: of a flaw."""
        return self.leave_limit(with_job(state, job, **fields), job)

    def is_stopped(self, known: Job, execution: int, forgets: Flaw) -> bool:
        """Return whether what would queue the job again must stop it."""
        return bool(execution) and known.stop == execution and forgets not in self.flaws

    def judge_lost(self, state: State, job: int, execution: int, forgets: Flaw) -> State:
        """Settle, or recover, a run without an outcome; the caller has checked the lease."""
        known = state.jobs[job]
        counted = Flaw.STARTS_NOT_COUNTED not in self.flaws
        starts = known.starts + counted
        state = self.drop_lease(state, job, execution)
        by_recover = forgets is Flaw.STOP_FORGOTTEN_BY_RECOVER
        keeps = by_recover and Flaw.PLACE_NOT_FREED_BY_RECOVER in self.flaws
        silent = by_recover and Flaw.CHILD_FORGOTTEN_BY_RECOVER in self.flaws
        end = with_job if keeps else self.end_silently if silent else self.end
        if self.is_stopped(known, execution, forgets):
            return end(state, job, status=Status.STOPPED, starts=starts)
        if starts >= (MAX_STARTS if Flaw.LOST_RUNS_AGAIN in self.flaws else known.most):
            return end(state, job, status=Status.FAILED, starts=starts)
        state = with_job(state, job, status=Status.QUEUED, starts=starts)
        return state._replace(queue=(job, *state.queue))

    def settle_lost(self, state: State, job: int, execution: int) -> State:
        if not self.holds(state, job, execution):
            return state
        return self.judge_lost(state, job, execution, Flaw.STOP_FORGOTTEN_BY_RETRY)

    def release(self, state: State, job: int, execution: int) -> State:
        is_unguarded = Flaw.RELEASE_UNGUARDED in self.flaws
        if not self.holds(state, job, execution) and not is_unguarded:
            return state
        state = self.drop_lease(state, job, execution)
        known = state.jobs[job]
        released = known.released | {execution}
        if self.is_stopped(known, execution, Flaw.STOP_FORGOTTEN_BY_RELEASE):
            return self.end(state, job, status=Status.STOPPED, execution=0, released=released)
        state = with_job(state, job, status=Status.QUEUED, execution=0, released=released)
        return state._replace(queue=(job, *state.queue))

    def extend(self, state: State, job: int, execution: int, worker: int) -> tuple[State, bool]:
        """Return also whether the execution still holds its job."""
        if Flaw.EXTEND_REVIVES in self.flaws:
            state = with_job(state, job, status=Status.STARTED)
        elif not self.holds(state, job, execution):
            return state, False
        state = self.drop_lease(state, job, execution)
        return state._replace(leases=state.leases | {Lease(job, execution, worker)}), True

    def recover(self, state: State, seen: Lease) -> State:
        if Flaw.RECOVER_UNGUARDED not in self.flaws:
            lease = self.lease_of(state, seen.job, seen.execution)
            if lease is None or not lease.lapsed:
                return state
        forgets = Flaw.STOP_FORGOTTEN_BY_RECOVER
        state = self.judge_lost(state, seen.job, seen.execution, forgets)
        return with_job(state, seen.job, execution=0)

    def is_nowhere(self, state: State, job: int) -> bool:
        """Return whether a job is live and nobody will ever run it."""
        is_live = state.jobs[job].status in LIVE
        leased = any(lease.job == job for lease in state.leases)
        return is_live and not leased and job not in state.queue

    def reconcile(self, state: State, seen: Sighting) -> State:
        known = state.jobs[seen.job]
        is_same = (known.status, known.execution) == (seen.status, seen.execution)
        may = is_same and self.is_nowhere(state, seen.job)
        if not may and Flaw.RECONCILE_UNGUARDED not in self.flaws:
            return state
        state = with_job(state, seen.job, mislaid=False)
        if seen.status is Status.QUEUED:
            return state._replace(queue=(seen.job, *state.queue))
        lease = Lease(seen.job, seen.execution, worker=0, lapsed=True)
        return state._replace(leases=state.leases | {lease})

    def withdraw(self, state: State, job: int) -> State:
        leases = frozenset(lease for lease in state.leases if lease.job != job)
        return state._replace(leases=leases, queue=tuple(x for x in state.queue if x != job))

    def cancel(self, state: State, job: int) -> State:
        if Flaw.CANCEL_LEAVES_LEASE not in self.flaws:
            state = self.withdraw(state, job)
        state = with_job(state, job, status=Status.CANCELED, execution=0)
        if job == state.child:
            state = state._replace(owed=frozenset())
        if Flaw.PLACE_LEAKED_BY_CANCEL not in self.flaws:
            state = self.leave_limit(state, job)
        return self.tell(state, job)

    def delete(self, state: State, job: int) -> State:
        state = self.withdraw(state, job)
        forgets = Flaw.DELETE_FORGETS_TOKEN in self.flaws
        if job == state.child:
            state = state._replace(owed=frozenset())
        silent = Flaw.CHILD_FORGOTTEN_WHEN_PARENT_DELETED in self.flaws
        end = self.end_silently if silent else self.end
        return end(state, job, status=Status.ABSENT if forgets else Status.GONE)

    def requeue(self, state: State, job: int) -> State:
        state = with_job(
            state, job, status=Status.QUEUED, execution=0, starts=0, commits=0, excused=0, stop=0,
            stopped=False,
            since=state.number,
            runs=1 + state.jobs[job].repeats,
        )  # fmt: skip
        return self.move_on(state, job)

    def stop(self, state: State, job: int) -> State:
        execution = state.jobs[job].execution
        asks = Flaw.STOP_NEEDS_A_LEASE in self.flaws
        known = not asks or self.lease_of(state, job, execution) is not None
        return with_job(state, job, stop=execution if known else 0, stopped=True)

    def move(self, state: State, verb: str, job: int, token: int) -> tuple[State, Status]:
        """Do what a person asks for, where it is allowed; return also the state it was in."""
        known = state.jobs[job].moved_by
        for moved_by, answer in known:
            if moved_by == token and Flaw.MOVE_NOT_IDEMPOTENT not in self.flaws:
                return state, answer
        kept = known[: 0 if Flaw.MOVE_FORGOTTEN_BY_NEXT in self.flaws else MOVES_KEPT - 1]
        status = state.jobs[job].status
        if status not in MOVES[verb]:
            return state, status
        state = getattr(self, verb)(state, job)
        return with_job(state, job, moved_by=((token, status), *kept)), status


class World:
    """The processes around the server, and what befalls them."""

    def __init__(self, setting: Setting, flaws: frozenset[Flaw]) -> None:
        self.setting = setting
        self.flaws = flaws
        self.server = Server(flaws)

    def steps(self, state: State) -> Iterator[Step]:
        """Yield all that can happen next, each with a name for people."""
        for job in range(self.setting.jobs):
            yield from self._produce(state, job)
            yield from self._meddle(state, job)
        for number, worker in enumerate(state.workers):
            if worker.dead:
                yield from self._pick_up(state, number)
            else:
                yield from self._claim(state, number)
                for entry in worker.ledger:
                    yield from self._work(state, number, entry)
                    yield from self._keep(state, number, entry)
                yield from self._die(state, number)
        for number, token in state.late:
            after, _ = self.server.claim(state, number, token, self.setting.batch)
            after = after._replace(late=state.late - {(number, token)})
            yield f"the late claim of dead worker {number} arrives", after
        for number, token in state.copies:
            after, _ = self.server.claim(state, number, token, self.setting.batch)
            after = after._replace(copies=state.copies - {(number, token)})
            yield f"the claim of worker {number} arrives that it sent again", after
        yield from self._lapse_and_recover(state)
        yield from self._forget(state)
        for number, seen in enumerate(state.sighted):
            yield from self._reconcile(state, number, seen)

    def _produce(self, state: State, job: int) -> Iterator[Step]:
        if state.producers[job] is Producer.DONE:
            return
        after = self.server.enqueue(state, job)
        for told, next_state in self._with_reply_or_without(after):
            known = Producer.DONE if told else Producer.UNSURE
            producers = put(state.producers, job, known)
            yield f"enqueue {job}{_lost(told)}", next_state._replace(producers=producers)

    def _with_reply_or_without(self, state: State) -> Iterator[tuple[bool, State]]:
        """Yield what follows of a call: its reply comes, or is lost."""
        yield True, state
        if lost := spend(state, "losses"):
            yield False, lost

    def _meddle(self, state: State, job: int) -> Iterator[Step]:
        status = state.jobs[job].status
        if self.setting.asks_again:
            yield from self._ask(state, job)
            return
        if status is Status.STARTED and (after := spend(state, "stops")):
            yield f"a person stops {job}", self.server.stop(after, job)
        after = spend(state, "people")
        if after is None:
            return
        if status in MOVES["cancel"]:
            yield f"a person cancels {job}", self.server.cancel(after, job)
        if status in ENDED:
            yield f"a person requeues {job}", self.server.requeue(after, job)
        if status not in (Status.ABSENT, Status.GONE):
            yield f"a person deletes {job}", self.server.delete(after, job)

    def _ask(self, state: State, job: int) -> Iterator[Step]:
        """Yield a person's calls: the first sending, and those that follow when no reply came."""
        if state.asked and state.asked.job == job:
            yield from self._ask_again(state, state.asked)
        for verb, allowed in MOVES.items():
            after = spend(state, "stops" if verb == "stop" else "people")
            if after is None or state.jobs[job].status not in allowed:
                continue
            token = state.number
            after = after._replace(number=token + 1)
            moved, answer = self.server.move(after, verb, job, token)
            yield f"a person's {verb} of {job}", moved
            if state.asked:
                continue  # one call at a time is enough to lose
            if lost := spend(moved, "losses"):
                asked = Asked(verb, job, token, answer)
                yield f"a person's {verb} of {job} (reply lost)", lost._replace(asked=asked)
            if lost := spend(after, "losses"):
                asked = Asked(verb, job, token, None)
                yield f"a person's {verb} of {job} (call lost)", lost._replace(asked=asked)

    def _ask_again(self, state: State, asked: Asked) -> Iterator[Step]:
        after, answer = self.server.move(state, asked.verb, asked.job, asked.token)
        wrong = ""
        if asked.answer and after != state:
            wrong = f"the {asked.verb} that was sent again was carried out twice"
        elif asked.answer and answer is not asked.answer:
            wrong = f"the {asked.verb} that was sent again was told {answer.name}"
        yield f"the same {asked.verb} again", after._replace(asked=None, wrong=wrong)

    def _claim(self, state: State, number: int) -> Iterator[Step]:
        worker = state.workers[number]
        if worker.ledger or not (worker.asking or state.queue):
            return
        token = worker.asking or state.number
        asked = state if worker.asking else state._replace(number=state.number + 1)
        after, memo = self.server.claim(asked, number, token, self.setting.batch)
        for told, next_state in self._with_reply_or_without(after):
            ledger = tuple(Entry(x.job, x.execution, Slot.HELD) for x in memo.taken if told)
            asking = 0 if told else token
            name = f"worker {number} claims {[x.job for x in memo.taken]}{_lost(told)}"
            yield name, with_worker(next_state, number, asking=asking, ledger=ledger)
        if not worker.asking and (slow := spend(asked, "slow")):
            slow = slow._replace(copies=slow.copies | {(number, token)})
            yield f"worker {number}'s claim is slow", with_worker(slow, number, asking=token)

    def _work(self, state: State, number: int, entry: Entry) -> Iterator[Step]:
        """Yield what the worker does with a job: enter it, end it, settle it."""
        job, execution, slot = entry
        known = state.jobs[job]
        busy = any(each.slot is Slot.ENTERED for each in state.workers[number].ledger)
        runs = slot is Slot.HELD or (
            slot is Slot.TAKEN_BACK and Flaw.RUNS_WHAT_WAS_TAKEN_BACK in self.flaws
        )
        if runs and not busy:
            after = with_job(state, job, entered=known.entered | {execution})
            yield f"worker {number} enters {job}", with_slot(after, number, entry, Slot.ENTERED)
        elif slot is Slot.TAKEN_BACK:
            yield f"worker {number} passes {job} over", without_entry(state, number, entry)
        elif slot is Slot.ENTERED:
            after = with_job(state, job, outcomes=known.outcomes | {execution})
            yield f"{job} returns", with_slot(after, number, entry, Slot.SUCCEEDED)
            if known.retries:
                yield f"{job} raises", with_slot(after, number, entry, Slot.RAISED)
        else:
            yield from self._settle(state, number, entry)

    def _settle(self, state: State, number: int, entry: Entry) -> Iterator[Step]:
        job, execution, slot = entry
        if slot is Slot.TO_REPEAT:
            after = self.server.repeat(state, job)
            yield f"worker {number} repeats {job}", without_entry(after, number, entry)
            return
        if slot is Slot.TO_TELL:
            after = self.server.tell(state, job)
            yield f"worker {number} tells of {job}", without_entry(after, number, entry)
            return
        after = self.server.settle(state, job, execution, slot)
        for told, next_state in self._with_reply_or_without(after):
            name = f"worker {number} settles {job}{_lost(told)}"
            if told and self._must_repeat(next_state, job, execution, slot):
                yield name, with_slot(next_state, number, entry, Slot.TO_REPEAT)
            elif told and job in state.owed and Flaw.PROMOTE_NOT_IN_SETTLE in self.flaws:
                yield name, with_slot(next_state, number, entry, Slot.TO_TELL)
            else:
                yield name, without_entry(next_state, number, entry) if told else next_state

    def _must_repeat(self, state: State, job: int, execution: int, slot: Slot) -> bool:
        known = state.jobs[job]
        is_done = known.status is Status.FINISHED and known.execution == execution
        return is_done and slot is Slot.SUCCEEDED and known.repeats > 0 and not known.stopped

    def _keep(self, state: State, number: int, entry: Entry) -> Iterator[Step]:
        """Yield what the supervisor does for a living worker's job: extend it, take it back."""
        job, execution, slot = entry
        lease = self.server.lease_of(state, job, execution)
        if slot is not Slot.TAKEN_BACK and (lease is None or lease.lapsed):
            after, held = self.server.extend(state, job, execution, number)
            if held or slot in (Slot.HELD, Slot.ENTERED):
                after = after if held else without_entry(after, number, entry)
                yield f"supervisor {number} extends {job}: {'held' if held else 'lost'}", after
        ledger = state.workers[number].ledger
        if slot is Slot.HELD and any(each.slot is Slot.ENTERED for each in ledger):
            after = self.server.release(state, job, execution)
            name = f"supervisor {number} takes {job} back"
            yield name, with_slot(after, number, entry, Slot.TAKEN_BACK)

    def _die(self, state: State, number: int) -> Iterator[Step]:
        worker = state.workers[number]
        if not worker.ledger and not worker.asking:
            yield from self._die_asking(state, number)
            return
        if after := spend(state, "crashes"):
            yield f"worker {number} dies", with_worker(after, number, dead=True)
            if worker.asking and (again := spend(after, "delays")):
                again = again._replace(late=again.late | {(number, worker.asking)})
                name = f"worker {number} dies, its claim on its way once more"
                yield name, with_worker(again, number, dead=True)
        if after := spend(state, "deaths"):
            for lease in state.leases:
                if lease.worker == number and not lease.lapsed:
                    after = with_job(after, lease.job, excused=after.jobs[lease.job].excused + 1)
            name = f"the machine of worker {number} dies"
            yield name, with_worker(after, number, asking=0, ledger=())

    def _die_asking(self, state: State, number: int) -> Iterator[Step]:
        """Yield the death of a worker whose claim is still on its way."""
        after = spend(state, "crashes")
        if after and (after := spend(after, "delays")):
            token = state.number
            after = after._replace(number=token + 1, late=state.late | {(number, token)})
            name = f"worker {number} dies, its claim on its way"
            yield name, with_worker(after, number, dead=True, asking=token)

    def _pick_up(self, state: State, number: int) -> Iterator[Step]:
        """Yield the supervisor's next call for a dead worker, and at the end a new worker."""
        worker = state.workers[number]
        if worker.asking:
            memo = Memo()
            if Flaw.PICK_UP_WITHOUT_MEMO not in self.flaws:
                _, memo = self.server.claim(state, number, worker.asking, 0)
                if state.late and self._closes(state, number):
                    state = state._replace(closed=state.closed | {worker.asking})
            known = {entry.execution for entry in worker.ledger}
            more = (x for x in memo.taken if x.execution not in known)
            found = tuple(Entry(x.job, x.execution, Slot.HELD) for x in more)
            name = f"supervisor {number} asks for the last claim"
            yield name, with_worker(state, number, asking=0, ledger=worker.ledger + found)
        elif worker.ledger:
            entry = worker.ledger[0]
            after = self._tidy(state, entry)
            for told, next_state in self._with_reply_or_without(after):
                name = f"supervisor {number} picks {entry.job} up{_lost(told)}"
                yield name, without_entry(next_state, number, entry) if told else next_state
        else:
            yield f"a new worker {number}", with_worker(state, number, dead=False)

    def _closes(self, state: State, number: int) -> bool:
        was_done = state.memos[number].token == state.workers[number].asking
        if Flaw.PICK_UP_CLOSES_UNDONE_ONLY in self.flaws and was_done:
            return False
        return Flaw.PICK_UP_LEAVES_CLAIM_OPEN not in self.flaws

    def _tidy(self, state: State, entry: Entry) -> State:
        job, execution, slot = entry
        is_lost = (
            slot is Slot.ENTERED
            or (slot is Slot.HELD and Flaw.PICK_UP_CHARGES_UNRUN in self.flaws)
            or (slot in (Slot.SUCCEEDED, Slot.RAISED) and Flaw.PICK_UP_RERUNS_ENDED in self.flaws)
        )
        if is_lost:
            return self.server.settle_lost(state, job, execution)
        if slot is Slot.HELD:
            return self.server.release(state, job, execution)
        if slot is Slot.TAKEN_BACK:
            return state
        return self.server.settle(state, job, execution, slot)

    def _lapse_and_recover(self, state: State) -> Iterator[Step]:
        for lease in state.leases:
            if lease.lapsed:
                if state.looked is None:
                    yield f"recover sees {lease.job}", state._replace(looked=lease)
                continue
            # A lease that nobody can extend any more lapses for sure; another one by misfortune.
            nobody = not self._is_extended(state, lease)
            after = state if nobody else spend(state, "lapses")
            if after is not None:
                lapsed = after.leases - {lease} | {lease._replace(lapsed=True)}
                excused = after.jobs[lease.job].excused + (not nobody)
                after = with_job(after._replace(leases=lapsed), lease.job, excused=excused)
                yield f"the lease of {lease.job} lapses", after
        if state.looked:
            after = self.server.recover(state, state.looked)
            yield f"recover acts on {state.looked.job}", after._replace(looked=None)

    def _forget(self, state: State) -> Iterator[Step]:
        """Yield the loss of a write: half of a step that the server had taken."""
        after = spend(state, "forgets")
        if after is None:
            return
        for job in state.queue:
            queue = tuple(x for x in state.queue if x != job)
            mislaid = with_job(after._replace(queue=queue), job, mislaid=True)
            yield f"the server forgets that {job} waits", mislaid
        for lease in state.leases:
            excused = state.jobs[lease.job].excused + 1
            mislaid = after._replace(leases=state.leases - {lease})
            mislaid = with_job(mislaid, lease.job, mislaid=True, excused=excused)
            yield f"the server forgets the lease of {lease.job}", mislaid

    def _reconcile(self, state: State, number: int, seen: Sighting | None) -> Iterator[Step]:
        """Yield the two halves of a maintainer's work."""
        if Flaw.NO_RECONCILE in self.flaws:
            return
        if seen:
            after = self.server.reconcile(state, seen)
            after = after._replace(sighted=put(state.sighted, number, None))
            yield f"maintainer {number} puts {seen.job} back", after
            return
        for job, known in enumerate(state.jobs):
            if self.server.is_nowhere(state, job):
                sighting = Sighting(job, known.status, known.execution)
                after = state._replace(sighted=put(state.sighted, number, sighting))
                yield f"maintainer {number} sees {job} nowhere", after

    def _is_extended(self, state: State, lease: Lease) -> bool:
        """Return whether somebody still knows of the lease: a ledger, or a claim to be resent."""
        worker = state.workers[lease.worker]
        if any(entry.execution == lease.execution for entry in worker.ledger):
            return True
        memo = state.memos[lease.worker]
        in_memo = any(x.execution == lease.execution for x in memo.taken)
        finds = Flaw.PICK_UP_WITHOUT_MEMO not in self.flaws or not worker.dead
        return bool(worker.asking) and memo.token == worker.asking and in_memo and finds


def _lost(told: object) -> str:
    return "" if told else " (reply lost)"


# What must be true


def violation(before: State, state: State) -> str | None:
    """Return what is wrong with a step, if anything is."""
    if wrong := state.wrong or _together(state):
        return wrong
    for number, job in enumerate(state.jobs):
        checks = (
            _place(state, number, job),
            _limit(state, number, job),
            _counts(job),
            _chain(state, number, job),
            _change(before.jobs[number], before, job, state),
        )
        for found in checks:
            if found:
                return f"job {number} {found}"
    return None


def _together(state: State) -> str | None:
    """Return what is wrong between jobs."""
    if len(state.allowed) > state.places:
        return f"{len(state.allowed)} have a place, and the limit is {state.places}"
    if state.limited and len(state.allowed) < state.places:
        return f"{state.limited} wait, though a place is free"
    if state.owed and state.jobs[state.child].status is not Status.DEFERRED:
        return f"the child went on, though {set(state.owed)} had not ended"
    return None


def _place(state: State, number: int, job: Job) -> str | None:
    """Return why a job is not in exactly one place."""
    listed = state.queue.count(number)
    leased = sum(lease.job == number for lease in state.leases)
    expected = {Status.QUEUED: (1, 0), Status.STARTED: (0, 1)}.get(job.status, (0, 0))
    if (listed, leased) == expected or (job.mislaid and (listed, leased) == (0, 0)):
        return None
    if listed + leased == 0:
        return f"is lost: {job.status.name} and in no place"
    if expected == (0, 0) and leased:
        return f"is {job.status.name} and leased"
    return f"is a duplicate: {job.status.name}, listed {listed} times and leased {leased} times"


def _limit(state: State, number: int, job: Job) -> str | None:
    """Return why a job has a place in its limit, or has none."""
    waits = state.limited.count(number)
    if waits != (job.status is Status.LIMITED):
        return f"is {job.status.name}, and waits for a place {waits} times"
    if state.places and (number in state.allowed) != (job.status in LIVE):
        return f"is {job.status.name} and {'has' if number in state.allowed else 'lacks'} a place"
    return None


def _chain(state: State, number: int, job: Job) -> str | None:
    """Return why a job that was to run several times ended too soon."""
    to_repeat = any(
        (entry.job, entry.slot) == (number, Slot.TO_REPEAT)
        for worker in state.workers
        for entry in worker.ledger
    )
    is_short = job.status is Status.FINISHED and job.commits < job.runs and not job.stopped
    if is_short and not to_repeat:
        return f"ended after {job.commits} of {job.runs} runs"
    return None


def _counts(job: Job) -> str | None:
    """Return what happened too often."""
    entered = {execution for execution in job.entered if execution >= job.since}
    lost = entered - job.outcomes
    if job.commits > job.runs:
        return f"was committed {job.commits} times"
    if job.entered & job.released:
        return "was entered after it was given back"
    if len(lost) > job.most:
        return f"was entered {len(lost)} times without an outcome"
    if job.starts > len(lost) + job.excused:
        return f"was charged {job.starts} starts, and {len(lost)} have no outcome"
    return None


def _change(old: Job, before: State, new: Job, state: State) -> str | None:
    """Return why a job must not have changed so."""
    by_a_person = state.budget.people < before.budget.people or before.asked
    if old.status in OVER and not by_a_person and new.status is not old.status:
        return f"was {old.status.name} and became {new.status.name} by itself"
    if old.stopped and new.status is Status.STARTED and new.execution != old.execution:
        return "was stopped, and started again"
    if new.commits > old.commits and (
        old.status is not Status.STARTED or new.execution != old.execution
    ):
        return "was committed by an execution that does not hold it"
    return None


@dataclass(frozen=True)
class Result:
    """What a search found."""

    states: int
    violation: str | None = None
    trace: tuple[str, ...] = ()


def search(setting: Setting, *flaws: Flaw, most: int = 400_000) -> Result:
    """Go through all states that can be reached; stop at the first violation."""
    world = World(setting, frozenset(flaws))
    start = begin(setting)
    came_from: dict[State, tuple[State, str] | None] = {start: None}
    leads_to: defaultdict[State, list[State]] = defaultdict(list)
    waiting = deque([start])
    while waiting:
        state = waiting.popleft()
        for name, after in world.steps(state):
            if wrong := violation(state, after):
                trace = (*_trace(came_from, state), name)
                return Result(len(came_from), wrong, trace)
            leads_to[after].append(state)
            if after not in came_from:
                came_from[after] = (state, name)
                waiting.append(after)
        if len(came_from) > most:
            raise AssertionError(f"more than {most} states: give the search a smaller setting")
    if stuck := _dead_ends(came_from, leads_to):
        return Result(len(came_from), "some job can never end", _trace(came_from, stuck[0]))
    return Result(len(came_from))


def _trace(came_from: dict[State, tuple[State, str] | None], state: State) -> tuple[str, ...]:
    names: list[str] = []
    while step := came_from[state]:
        state, name = step
        names.append(name)
    return tuple(reversed(names))


def _dead_ends(
    came_from: dict[State, tuple[State, str] | None], leads_to: dict[State, list[State]]
) -> list[State]:
    """Return the states from which not every job can end."""
    good = {
        state
        for state in came_from
        if all(job.status in OVER for job in state.jobs)
        and all(known is Producer.DONE for known in state.producers)
    }
    waiting = deque(good)
    while waiting:
        for state in leads_to.get(waiting.popleft(), ()):
            if state not in good:
                good.add(state)
                waiting.append(state)
    return [state for state in came_from if state not in good]
