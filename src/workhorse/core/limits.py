"""How many jobs with one key may run at a time."""

from __future__ import annotations

from dataclasses import dataclass

from workhorse.core.errors import InvalidOptionError
from workhorse.core.ids import is_limit_key
from workhorse.core.waits import is_count


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most *concurrency* jobs with this *key* are queued or run at a time; others wait.

    Those that wait are admitted in the order in which they came. A key is any text of up to 255
    characters. Where jobs with one key say different things, the newest one's *concurrency* holds
    for all of them. Raises InvalidOptionError, a ValueError.

    >>> RateLimit("mail", 0)
    Traceback (most recent call last):
        ...
    workhorse.core.errors.InvalidOptionError: RateLimit(concurrency=0): give a number of jobs, 1 \
or more
    """

    key: str
    concurrency: int

    def __post_init__(self) -> None:
        if not is_limit_key(self.key):
            raise InvalidOptionError(f"RateLimit(key={self.key!r:.300}): give 1 to 255 characters")
        if not is_count(self.concurrency) or not 1 <= self.concurrency <= MOST_PLACES:
            raise InvalidOptionError(
                f"RateLimit(concurrency={self.concurrency!r}): give a number of jobs, 1 or more"
            )


def limit_name(key: str) -> str:
    """Return by which name the keys on the server know the limit *key*.

    RQ's keys of a limit ``x:allowed`` would be those of ``x``: such names get a colon more. The
    job's own field has the name, too, so that RQ's workers find those keys.

    >>> limit_name("mail"), limit_name("mail:allowed"), limit_name("mail:rate_limited:")
    ('mail', 'mail:allowed:', 'mail:rate_limited::')
    """
    return f"{key}:" if key.rstrip(":").endswith(_TAKEN) else key


def limit_key(name: str) -> str:
    """Return the key of the limit that is known as *name*: the inverse of ``limit_name``.

    >>> limit_key("mail"), limit_key("mail:allowed:")
    ('mail', 'mail:allowed')
    """
    return name.removesuffix(":") if name.rstrip(":").endswith(_TAKEN) else name


_TAKEN = (":allowed", ":rate_limited")
MOST_PLACES = 1_000_000_000
"""More jobs than a server holds: what is larger is a mistake."""
