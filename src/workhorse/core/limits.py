"""How many jobs with one key may run at a time."""

from __future__ import annotations

from dataclasses import dataclass

from workhorse.core.errors import InvalidOptionError


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most *concurrency* jobs with this *key* are queued or run at a time; others wait.

    Those that wait are admitted in the order in which they came. Raises InvalidOptionError, a
    ValueError.
    """

    key: str
    concurrency: int

    def __post_init__(self) -> None:
        if not isinstance(self.key, str) or not self.key:  # pyright: ignore[reportUnnecessaryIsInstance] # users
            raise InvalidOptionError(f"RateLimit(key={self.key!r}): give text, at least a letter")
        is_count = isinstance(self.concurrency, int) and not isinstance(self.concurrency, bool)  # pyright: ignore[reportUnnecessaryIsInstance] # users
        if not is_count or self.concurrency < 1:
            raise InvalidOptionError(
                f"RateLimit(concurrency={self.concurrency!r}): give a number of jobs, 1 or more"
            )
