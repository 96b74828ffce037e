"""What a job waits for, and what becomes of it when that fails."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, cast

from workhorse.core.errors import InvalidOptionError
from workhorse.core.ids import check_job_id
from workhorse.core.states import ENDED, State

OnParentFailure = Literal["wait", "cancel", "run"]

_CHOICES: Final = ("wait", "cancel", "run")


class Parents(NamedTuple):
    """All that a job waits for. Flags of several ``Dependency`` are joined, as in RQ."""

    ids: tuple[str, ...] = ()
    on_failure: OnParentFailure = "wait"
    at_front: bool = False
    results: Mapping[str, str | tuple[str, ...]] = {}
    """Parameters of the function, and the parents whose results they get."""


NO_PARENTS: Final = Parents()


@dataclass(frozen=True, slots=True)
class Dependency:
    """Jobs, or their ids, that a new job waits for.

    It runs when all of them have finished. Where one failed, was stopped or canceled, or is gone,
    the job waits on (it may be requeued), or is canceled with ``on_parent_failure="cancel"``, or
    runs all the same with ``"run"``, which *allow_failure* says, too. With *result_as* the
    function gets the value that the parent returned as the parameter of that name; a list of
    values where *jobs* is a list. Raises InvalidOptionError, a ValueError.
    """

    jobs: Any
    allow_failure: bool = False
    enqueue_at_front: bool = False
    on_parent_failure: OnParentFailure | None = None
    result_as: str | None = None

    def __post_init__(self) -> None:
        if self.on_parent_failure not in (None, *_CHOICES):
            raise InvalidOptionError(
                f"Dependency(on_parent_failure={self.on_parent_failure!r}): give 'wait', "
                "'cancel' or 'run'"
            )
        if self.allow_failure and self.on_parent_failure not in (None, "run"):
            raise InvalidOptionError(
                f"Dependency(allow_failure=True, on_parent_failure={self.on_parent_failure!r}): "
                "these say different things; give one"
            )
        if self.result_as is not None and not _is_name(self.result_as):
            raise InvalidOptionError(
                f"Dependency(result_as={self.result_as!r}): give the name of a parameter"
            )
        if not self.ids:
            raise InvalidOptionError("Dependency(jobs=[]): give a job, its id, or several")

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the jobs, each once."""
        several: Iterable[object] = self.jobs if _are_several(self.jobs) else (self.jobs,)
        return tuple(dict.fromkeys(_id_of(each) for each in several))

    @property
    def rule(self) -> OnParentFailure:
        """What becomes of the job when one of these fails."""
        return self.on_parent_failure or ("run" if self.allow_failure else "wait")


def parents_of(depends_on: object) -> Parents:
    """Return what *depends_on* means: a job, an id, a Dependency, or several of them.

    >>> parents_of(["a", Dependency("b", allow_failure=True)])
    Parents(ids=('a', 'b'), on_failure='run', at_front=False, results={})
    """
    if depends_on is None or (_are_several(depends_on) and not depends_on):
        return NO_PARENTS
    several = cast("Iterable[object]", depends_on if _are_several(depends_on) else (depends_on,))
    told = [each if isinstance(each, Dependency) else Dependency(each) for each in several]
    rules: set[OnParentFailure] = {each.rule for each in told if each.rule != "wait"}
    if len(rules) > 1:
        raise InvalidOptionError(
            "depends_on: one Dependency says 'cancel' and another 'run' when a parent fails; "
            "give one of them"
        )
    results: dict[str, str | tuple[str, ...]] = {}
    for each in told:
        if each.result_as:
            if each.result_as in results:
                raise InvalidOptionError(
                    f"depends_on: result_as={each.result_as!r} is given twice"
                )
            results[each.result_as] = each.ids if _are_several(each.jobs) else each.ids[0]
    return Parents(
        ids=tuple(dict.fromkeys(job_id for each in told for job_id in each.ids)),
        on_failure=rules.pop() if rules else "wait",
        at_front=any(each.enqueue_at_front for each in told),
        results=results,
    )


class Awaited(NamedTuple):
    """A job that another waits for.

    >>> str(Awaited("7", State.FAILED)), str(Awaited("7", None))
    ('7, which failed', '7, which is gone')
    """

    job_id: str
    state: State | None
    """None where it was deleted, or expired, before it finished."""

    def __str__(self) -> str:
        """Return it as a person is told."""
        return f"{self.job_id}, which {_TOLD.get(self.state, f'is {self.state}')}"


_TOLD: Final = {
    None: "is gone",
    State.FAILED: "failed",
    State.STOPPED: "was stopped",
    State.CANCELED: "was canceled",
    State.FINISHED: "has just finished",
    State.STARTED: "is running",
    State.DEFERRED: "waits itself",
}


def is_met(state: State | None, rule: OnParentFailure) -> bool:
    """Return whether a job need not wait for one in *state*; None for one that is gone.

    >>> is_met(State.FAILED, "wait"), is_met(State.FAILED, "run"), is_met(State.QUEUED, "run")
    (False, True, False)
    """
    return state is State.FINISHED or (rule == "run" and (state is None or state in ENDED))


def _are_several(jobs: Any) -> bool:
    return isinstance(jobs, Iterable) and not isinstance(jobs, str | bytes)


def _id_of(job: Any) -> str:
    return check_job_id(job if isinstance(job, str) else getattr(job, "id", job))


def _is_name(name: object) -> bool:
    return isinstance(name, str) and name.isidentifier()
