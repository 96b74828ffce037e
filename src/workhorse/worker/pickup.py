"""What to do with the jobs of a worker that can't settle them itself: it died, or it is stuck."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workhorse.core.outcomes import Outcome, Stopped, in_words
from workhorse.core.verdicts import Verdict, judge
from workhorse.store import jobs
from workhorse.store.callbacks import with_problem
from workhorse.store.calls import Plan
from workhorse.wire.claimed import Claimed
from workhorse.worker.ledger import Held, Slot
from workhorse.worker.options import WorkerOptions
from workhorse.worker.presence import executions_of


@dataclass(frozen=True, slots=True)
class PickedUp:
    """What a dead worker left behind."""

    judged: list[tuple[Claimed, Verdict]]
    released: int


def pick_up(  # noqa: PLR0913 - what is left of a worker, and what is known of its end
    options: WorkerOptions,
    worker: str,
    token: str | None,
    held: Sequence[Held],
    outcome: Outcome,
    *,
    sent_at: float,
    chance: float = 1.0,
) -> Plan[PickedUp]:
    """Settle, judge or give back all that a dead *worker* held.

    What ended is settled as it ended, what ran is judged by *outcome*, what was not entered
    goes back uncounted; also what its last claim took while the reply was still on its way.
    """
    left = {h.job.execution_id for h in held if h.slot is not Slot.HELD}
    unrun = [h.job for h in held if h.slot is Slot.HELD]
    if token:
        claim = yield from jobs.claimed_before(options.keys, worker=worker, token=token)
        known = left | {job.execution_id for job in unrun}
        unrun += [job for job in claim.jobs if job.execution_id not in known]
    released = yield from _release(options, worker, unrun)
    lost = [h for h in held if h.slot in (Slot.ENTERED, Slot.LARGE)]
    judged = [
        (h, judge(Stopped() if h.stop_asked else outcome, h.job.policy, chance=chance))
        for h in lost
    ]
    settlements = _as_they_ended(held, outcome) + [
        jobs.settlement(
            h.job,
            verdict,
            result_ttl=options.result_ttl,
            started_at=h.entered_at,
            ended_at=sent_at,
        )
        for h, verdict in judged
    ]
    applied = yield from _settle(options, worker, settlements, sent_at)
    told = applied[len(settlements) - len(judged) :]
    return PickedUp(
        [
            (h.job, verdict)
            for (h, verdict), reply in zip(judged, told, strict=True)
            if reply is jobs.Settled.APPLIED
        ],
        released,
    )


def _as_they_ended(held: Sequence[Held], outcome: Outcome) -> list[jobs.Settlement]:
    """Return the verdicts of jobs that have one: what their callbacks did can't change it."""
    problem = f"What is called after the job did not end: {in_words(outcome)}"
    return [
        with_problem(h.settlement, problem) if h.slot is Slot.CALLING else h.settlement
        for h in held
        if h.settlement is not None
    ]


def settle_ended(
    options: WorkerOptions, worker: str, taken: Sequence[Held], *, sent_at: float
) -> Plan[None]:
    """Settle what ended and give back what was not entered, for a worker stuck in a slow job."""
    settlements = [held.settlement for held in taken if held.settlement is not None]
    yield from _settle(options, worker, settlements, sent_at)
    yield from _release(options, worker, [held.job for held in taken if held.slot is Slot.HELD])


def _settle(
    options: WorkerOptions, worker: str, settlements: list[jobs.Settlement], sent_at: float
) -> Plan[list[jobs.Settled]]:
    if not settlements:
        return []
    return (yield from jobs.settle(options.keys, settlements, worker=worker, sent_at=sent_at))


def _release(options: WorkerOptions, worker: str, unrun: Sequence[Claimed]) -> Plan[int]:
    if not unrun:
        return 0
    executions = executions_of(unrun)
    return (yield from jobs.release(options.keys, executions, worker=worker))
