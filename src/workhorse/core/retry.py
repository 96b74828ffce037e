"""When to try a failed job again."""

from __future__ import annotations

import builtins
import math
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final, cast

from workhorse.core.errors import InvalidOptionError
from workhorse.core.settings import LONGEST_SPAN
from workhorse.core.waits import check_waits, is_count

Kind = type[BaseException] | str
"""An exception class, or its dotted name; one of Python's own needs no dot."""

_MOST_WAITS: Final = 1000
"""Waits that are written out for a backoff: they stand in the job's hash."""
_MOST_KINDS: Final = 100
_LONGEST_KIND: Final = 255


class Retry(Exception):  # noqa: N818 - RQ's name, and not an error
    """Try a job again, up to *max* times, waiting *interval* seconds before each try.

    *interval* is one number for all tries, or one for each. Used in two places, with
    RQ 3.0's counting in both: given to ``enqueue`` it answers exceptions, and returned or
    raised by the job itself it asks for another run. ``enqueue_at_front`` puts the retried
    job first in its queue.

    With a *backoff* each wait is so many times the one before, up to *max_interval* seconds. A
    *jitter* of 0.2 takes up to a fifth off each wait, at random, so that jobs that failed
    together don't come back together. With *retry_on* only exceptions of these classes are
    answered, and none of those in *give_up_on*: classes or their dotted names, base classes count.
    What a job asks for itself is not weighed by classes.

    Raises InvalidOptionError, a ValueError, for values that make no sense.

    >>> Retry(max=3, interval=[10, 30, 60]).intervals
    (10, 30, 60)
    >>> Retry(max=5, interval=10, backoff=2, max_interval=60).intervals
    (10, 20, 40, 60, 60)
    >>> Retry(max=2, give_up_on=[ValueError, "shop.SoldOut"]).give_up_on
    ('builtins.ValueError', 'shop.SoldOut')
    >>> Retry(max=0)
    Traceback (most recent call last):
        ...
    workhorse.core.errors.InvalidOptionError: Retry(max=0): give a number of tries, 1 or more
    """

    def __init__(  # noqa: PLR0913 - RQ's three, and ours by name
        self,
        max: int,  # noqa: A002 - RQ's name
        interval: int | Iterable[int] = 0,
        enqueue_at_front: bool = False,  # noqa: FBT001, FBT002 - positional in RQ
        *,
        backoff: float = 1.0,
        max_interval: int | None = None,
        jitter: float = 0.0,
        retry_on: Kind | Iterable[Kind] = (),
        give_up_on: Kind | Iterable[Kind] = (),
    ) -> None:
        super().__init__()
        if not is_count(max) or max < 1:
            raise InvalidOptionError(f"Retry(max={max!r}): give a number of tries, 1 or more")
        if not _is_number(backoff) or not 1 <= backoff < math.inf:
            raise InvalidOptionError(f"Retry(backoff={backoff!r}): give a factor of 1 or more")
        if not _is_number(jitter) or not 0 <= jitter <= 1:
            raise InvalidOptionError(
                f"Retry(jitter={jitter!r}): give a part of the wait, from 0 to 1"
            )
        if max_interval is not None and (not is_count(max_interval) or max_interval < 1):
            raise InvalidOptionError(
                f"Retry(max_interval={max_interval!r}): give whole seconds, 1 or more"
            )
        self.max = max
        self.intervals: tuple[int, ...] = _waits(
            max, check_waits("Retry", interval), backoff, max_interval
        )
        self.enqueue_at_front = enqueue_at_front
        self.backoff = backoff
        self.max_interval = max_interval
        self.jitter = jitter
        self.retry_on = _names("retry_on", retry_on)
        self.give_up_on = _names("give_up_on", give_up_on)

    def _options(self) -> dict[str, Any]:
        """Return what makes another one like this, without what is as it would be anyway."""
        grows = self.backoff > 1
        optional = {
            "enqueue_at_front": self.enqueue_at_front,
            "backoff": self.backoff if grows else None,
            "max_interval": self.max_interval,
            "jitter": self.jitter,
            "retry_on": list(self.retry_on),
            "give_up_on": list(self.give_up_on),
        }
        interval = self.intervals[0] if grows else list(self.intervals)
        return {
            "max": self.max,
            "interval": interval,
            **{name: value for name, value in optional.items() if value},
        }

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self._options().items())
        return f"Retry({shown})"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Retry):
            return NotImplemented
        return repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))

    def __reduce__(self) -> tuple[Any, ...]:
        # As what every process knows: a subclass of the user's is no concern of a worker's.
        return _made_of, (self._options(),)


def _made_of(options: dict[str, Any]) -> Retry:
    return Retry(**options)


def _is_number(number: object) -> bool:
    return is_count(number) or isinstance(number, float)


def _waits(
    tries: int, intervals: Sequence[int], backoff: float, cap: int | None
) -> tuple[int, ...]:
    longest = LONGEST_SPAN if cap is None else cap
    if backoff == 1:
        return tuple(min(wait, longest) for wait in intervals)
    if len(intervals) > 1 or not intervals[0]:
        raise InvalidOptionError(
            f"Retry(interval={list(intervals)}, backoff={backoff!r}): a backoff needs the first "
            "wait, one interval of 1 second or more"
        )
    if tries > _MOST_WAITS:
        raise InvalidOptionError(
            f"Retry(max={tries}, backoff={backoff!r}): with a backoff give {_MOST_WAITS} tries at "
            "most"
        )
    waits = [min(float(intervals[0]), longest)]
    while len(waits) < tries:
        waits.append(min(waits[-1] * backoff, longest))
    return tuple(round(wait) for wait in waits)


def _names(option: str, kinds: object) -> tuple[str, ...]:
    several: Iterable[object] = (kinds,)
    if isinstance(kinds, Iterable) and not isinstance(kinds, str | type):
        several = cast("Iterable[object]", kinds)
    names = tuple(dict.fromkeys(_name(option, kind) for kind in several))
    if len(names) > _MOST_KINDS:
        raise InvalidOptionError(
            f"Retry({option}=...): {len(names)} classes; give a base class of theirs"
        )
    return names


def _name(option: str, kind: object) -> str:
    if isinstance(kind, str):
        kind = _builtin(kind) or kind
    if isinstance(kind, str):
        if "." in kind and len(kind) <= _LONGEST_KIND and _is_dotted(kind):
            return kind
        raise InvalidOptionError(
            f"Retry({option}={kind!r}): give an exception class or its dotted name, as "
            "'package.module.Error'"
        )
    if not isinstance(kind, type) or not issubclass(kind, BaseException):
        raise InvalidOptionError(f"Retry({option}={kind!r}): that is no exception class")
    name = kinds_of(kind)[0]
    if kind.__module__ == "__main__":
        raise InvalidOptionError(
            f"Retry({option}={name}): a worker has another __main__; move the class into a module"
        )
    return name


def _builtin(name: str) -> object:
    """Return the class that *name* means to everybody, by whichever of its names."""
    return getattr(builtins, name.removeprefix("builtins."), None)


def _is_dotted(name: str) -> bool:
    return not name.startswith("builtins.") and all(
        part.isidentifier() for part in name.split(".")
    )


def kinds_of(cls: type[BaseException]) -> tuple[str, ...]:
    """Return the dotted names of *cls* and of all its base classes, the nearest first.

    >>> kinds_of(FileNotFoundError)[:2]
    ('builtins.FileNotFoundError', 'builtins.OSError')
    """
    return tuple(f"{kind.__module__}.{kind.__qualname__}" for kind in cls.__mro__[:-1])


def reason_to_give_up(
    kinds: Sequence[str], *, retry_on: Collection[str], give_up_on: Collection[str]
) -> str:
    """Return why an exception of *kinds* is not to be tried again, or '' if it may be.

    >>> reason_to_give_up(kinds_of(KeyError), retry_on=["builtins.OSError"], give_up_on=[])
    'KeyError is not in retry_on'
    >>> reason_to_give_up(kinds_of(KeyError), retry_on=[], give_up_on=["builtins.LookupError"])
    'LookupError is in give_up_on'
    """
    for kind in kinds:
        if kind in give_up_on:
            return f"{_shown(kind)} is in give_up_on"
    if retry_on and not any(kind in retry_on for kind in kinds):
        return f"{_shown(kinds[0]) if kinds else 'what it raised'} is not in retry_on"
    return ""


def _shown(kind: str) -> str:
    return kind.removeprefix("builtins.")


def jittered(wait: float, jitter: float, chance: float) -> float:
    """Return *wait* less a part of up to *jitter* of it; *chance* is a random number below 1.

    >>> jittered(60, 0.5, 0.0), jittered(60, 0.5, 0.5), jittered(60, 0.5, 1.0), jittered(60, 0, 0)
    (30.0, 45.0, 60.0, 60)
    """
    return round(wait * (1 - jitter * (1 - chance)), 3) if jitter and wait else wait


def wait_after_failure(retries_left: int, intervals: Sequence[int]) -> int | None:
    """Return the seconds to wait before the next try, or None to give up.

    With more tries than intervals the first one repeats, as in RQ 3.0:

    >>> [wait_after_failure(left, [10, 30, 60]) for left in (5, 4, 3, 2, 1, 0)]
    [10, 10, 10, 30, 60, None]
    >>> wait_after_failure(1, [])
    0
    """
    if retries_left <= 0:
        return None
    if not intervals:
        return 0
    return intervals[max(len(intervals) - retries_left, 0)]


def wait_when_asked(asked: int, retry: Retry) -> int | None:
    """Return the seconds to wait when the job asked for *retry* after *asked* earlier times.

    None when it has been asked for often enough. The last interval repeats, as in RQ 3.0:

    >>> [wait_when_asked(asked, Retry(4, [10, 30])) for asked in (0, 1, 2, 3, 4)]
    [10, 30, 30, 30, None]
    """
    if asked >= retry.max:
        return None
    return retry.intervals[min(asked, len(retry.intervals) - 1)]
