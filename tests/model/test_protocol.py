"""No order of events breaks the protocol; and each mistake that it avoids would be noticed."""

from __future__ import annotations

import pytest

from tests.model.protocol import Budget, Flaw, Result, Setting, search

# Each goes through every order of events: about 100,000 states in all.
SETTINGS = {
    "two workers, and a person": Setting(
        jobs=1, workers=2, batch=1, budget=Budget(crashes=1, losses=1, lapses=1, people=1)
    ),
    "a job that crashes its worker and raises": Setting(
        jobs=1, workers=1, batch=1, budget=Budget(crashes=3, losses=1, people=1, retries=1)
    ),
    "machines that die": Setting(
        jobs=1, workers=2, batch=1, budget=Budget(deaths=2, losses=2, retries=1)
    ),
    "leases that lapse while their holder lives": Setting(
        jobs=1, workers=2, batch=1, budget=Budget(losses=1, lapses=2, people=1)
    ),
    "a batch": Setting(jobs=2, workers=1, batch=2, budget=Budget(crashes=1, losses=1)),
    "two batches": Setting(jobs=2, workers=2, batch=2, budget=Budget(crashes=1)),
    "a person stops a job": Setting(
        jobs=1, workers=1, batch=1, budget=Budget(crashes=1, lapses=1, retries=1, stops=1)
    ),
    "a stop and a batch": Setting(jobs=2, workers=1, batch=2, budget=Budget(crashes=1, stops=1)),
    "a claim that comes late": Setting(
        jobs=1, workers=2, batch=1, budget=Budget(crashes=2, delays=1, losses=1)
    ),
    "a claim that arrives twice": Setting(
        jobs=2, workers=1, batch=1, budget=Budget(losses=1, retries=1, slow=1)
    ),
    "a person who asks again": Setting(
        jobs=1,
        workers=1,
        batch=1,
        budget=Budget(crashes=1, losses=1, people=1, stops=1),
        asks_again=True,
    ),
    "two persons who ask": Setting(
        jobs=1, workers=1, batch=1, budget=Budget(crashes=1, losses=1, people=2), asks_again=True
    ),
    "jobs that must not run again": Setting(
        jobs=1,
        workers=2,
        batch=1,
        budget=Budget(crashes=1, lapses=1, people=1),
        on_lost="fail",
    ),
    "a limit of one": Setting(
        jobs=2,
        workers=1,
        batch=2,
        budget=Budget(crashes=1, deaths=1, people=1),
        places=1,
        on_lost="fail",
    ),
    "three jobs and a limit of one": Setting(
        jobs=3, workers=1, batch=1, budget=Budget(people=1), places=1
    ),
    "a limit and leases that lapse": Setting(
        jobs=2, workers=1, batch=1, budget=Budget(deaths=1, losses=1, retries=1), places=1
    ),
    "a job that repeats": Setting(
        jobs=1,
        workers=1,
        batch=1,
        budget=Budget(crashes=1, deaths=1, losses=1, people=1, stops=1),
        repeats=1,
    ),
    "two that repeat, and a limit": Setting(
        jobs=2, workers=1, batch=1, budget=Budget(crashes=1, losses=1), places=1, repeats=1
    ),
    "a child of one": Setting(
        jobs=2,
        workers=1,
        batch=1,
        budget=Budget(crashes=1, losses=1, people=1),
        family=True,
        on_lost="fail",
    ),
    "a child of one, and machines that die": Setting(
        jobs=2, workers=1, batch=2, budget=Budget(deaths=1, retries=1), family=True, on_lost="fail"
    ),
    "a child of two": Setting(jobs=3, workers=1, batch=1, budget=Budget(people=1), family=True),
    "a child of two, and a limit of one": Setting(
        jobs=3, workers=1, batch=2, budget=Budget(crashes=1), family=True, places=1
    ),
    "a server that forgets": Setting(
        jobs=1,
        workers=1,
        batch=1,
        budget=Budget(crashes=1, people=1, forgets=1),
        maintainers=2,
    ),
    "a server that forgets what is stopped": Setting(
        jobs=1,
        workers=1,
        batch=1,
        budget=Budget(stops=1, crashes=1, retries=1, forgets=1),
        maintainers=1,
    ),
    "a server that forgets twice": Setting(
        jobs=1, workers=2, batch=1, budget=Budget(forgets=2), maintainers=2
    ),
}

# The words by which each mistake shows, and where it is looked for. A mistake that the search
# does not notice has no place here: it would be harmless, or the model too small.
SYMPTOMS = {
    Flaw.NO_FENCE: ("by itself", "leases that lapse while their holder lives"),
    Flaw.SETTLE_NOT_IDEMPOTENT: ("committed 2 times", "machines that die"),
    Flaw.CLAIM_NOT_IDEMPOTENT: ("charged 1 starts", "machines that die"),
    Flaw.CLAIM_WITHOUT_LEASE: ("is lost", "machines that die"),
    Flaw.PICK_UP_WITHOUT_MEMO: ("charged 1 starts", "a batch"),
    Flaw.PICK_UP_CHARGES_UNRUN: ("charged 1 starts", "a batch"),
    Flaw.PICK_UP_RERUNS_ENDED: ("charged 1 starts", "a batch"),
    Flaw.RECOVER_UNGUARDED: ("by itself", "leases that lapse while their holder lives"),
    Flaw.RELEASE_UNGUARDED: ("by itself", "two workers, and a person"),
    Flaw.ENQUEUE_NOT_RECOGNISED: ("listed 2 times", "machines that die"),
    Flaw.DELETE_FORGETS_TOKEN: ("committed 2 times", "two workers, and a person"),
    Flaw.EXTEND_REVIVES: ("by itself", "leases that lapse while their holder lives"),
    Flaw.STARTS_NOT_COUNTED: (
        "entered 3 times without an outcome",
        "a job that crashes its worker and raises",
    ),
    Flaw.RUNS_WHAT_WAS_TAKEN_BACK: ("entered after it was given back", "a batch"),
    Flaw.CANCEL_LEAVES_LEASE: ("CANCELED", "two workers, and a person"),
    Flaw.STOP_FORGOTTEN_BY_RETRY: ("stopped, and started again", "a person stops a job"),
    Flaw.STOP_FORGOTTEN_BY_RECOVER: ("stopped, and started again", "a person stops a job"),
    Flaw.STOP_FORGOTTEN_BY_RELEASE: ("stopped, and started again", "a stop and a batch"),
    Flaw.STOP_NEEDS_A_LEASE: (
        "stopped, and started again",
        "a server that forgets what is stopped",
    ),
    Flaw.PICK_UP_LEAVES_CLAIM_OPEN: ("charged 1 starts", "a claim that comes late"),
    Flaw.LATE_CLAIM_TAKES_JOBS: ("charged 1 starts", "a claim that arrives twice"),
    Flaw.PICK_UP_CLOSES_UNDONE_ONLY: ("charged 1 starts", "a claim that comes late"),
    Flaw.MOVE_NOT_IDEMPOTENT: ("was sent again", "a person who asks again"),
    Flaw.MOVE_FORGOTTEN_BY_NEXT: ("was carried out twice", "two persons who ask"),
    Flaw.LOST_RUNS_AGAIN: ("entered 2 times without an outcome", "jobs that must not run again"),
    Flaw.NO_RECONCILE: ("can never end", "a server that forgets"),
    Flaw.RECONCILE_UNGUARDED: ("listed 2 times", "a server that forgets twice"),
    Flaw.PLACE_NOT_FREED_BY_RECOVER: ("FAILED and has a place", "a limit of one"),
    Flaw.PLACE_LEAKED_BY_CANCEL: ("CANCELED and has a place", "a limit of one"),
    Flaw.ADMIT_TWICE: ("2 have a place", "three jobs and a limit of one"),
    Flaw.REPEAT_NOT_IN_SETTLE: ("ended after 1 of 2 runs", "a job that repeats"),
    Flaw.PROMOTE_NOT_IN_SETTLE: ("can never end", "a child of one"),
    Flaw.PROMOTE_TWICE: ("listed 2 times", "a child of one"),
    Flaw.PROMOTE_BY_ANY_PARENT: ("went on, though", "a child of two"),
    Flaw.CHILD_FORGOTTEN_WHEN_PARENT_DELETED: ("can never end", "a child of one"),
    Flaw.CHILD_FORGOTTEN_BY_RECOVER: (
        "can never end",
        "a child of one, and machines that die",
    ),
    Flaw.DEFER_LOOKS_BEFORE: ("can never end", "a child of one"),
}


def told(result: Result) -> str:
    return "\n  ".join((f"{result.violation}, after:", *result.trace))


@pytest.mark.parametrize("name", SETTINGS)
def test_no_order_of_events_breaks_the_protocol(name: str) -> None:
    result = search(SETTINGS[name])
    assert result.violation is None, told(result)
    assert result.states > 1000  # it went somewhere


def test_every_mistake_is_looked_for() -> None:
    assert set(SYMPTOMS) == set(Flaw)


@pytest.mark.parametrize("flaw", Flaw, ids=lambda flaw: flaw.name.lower())
def test_a_single_mistake_is_noticed(flaw: Flaw) -> None:
    words, setting = SYMPTOMS[flaw]
    result = search(SETTINGS[setting], flaw)
    assert result.violation
    assert words in told(result)
    assert result.trace
