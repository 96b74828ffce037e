"""Names: making new ones, and refusing those that would break a key or a log line."""

from __future__ import annotations

import re
import uuid
from typing import Final, TypeGuard

from workhorse.core.errors import InvalidNameError

_JOB_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,255}")
_CONTROL: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Control characters, those that turn the direction of text, and halves of characters."""
_HALVES: Final = re.compile(r"[\ud800-\udfff]")
_LONGEST: Final = 255


def new_job_id() -> str:
    """Return an id that no other job has, in RQ's form."""
    return str(uuid.uuid4())


def new_token() -> str:
    """Return 24 characters that name one call to the server, so that sending it twice is safe."""
    return uuid.uuid4().hex[:24]


class GrowingTokens:
    """Makes tokens of one process, each greater than those before.

    So a message that arrives late, behind one that was sent after it, is known as late.
    """

    def __init__(self) -> None:
        self._process = uuid.uuid4().hex[:16]
        self._count = 0

    def next(self) -> str:
        """Return the next token: 24 characters, the last 8 a number."""
        self._count += 1
        return f"{self._process}{self._count & 0xFFFFFFFF:08x}"


def check_job_id(job_id: object) -> str:
    """Return *job_id* if it may name a job: letters, digits, ``_`` and ``-``, as in RQ 3.0.

    >>> check_job_id("nightly-report_7")
    'nightly-report_7'
    >>> check_job_id("a:b")
    Traceback (most recent call last):
        ...
    workhorse.core.errors.InvalidNameError: not a job id: 'a:b' (use 1 to 255 of A-Z a-z 0-9 _ -)
    """
    if isinstance(job_id, str) and _JOB_ID.fullmatch(job_id):
        return job_id
    raise InvalidNameError(f"not a job id: {_brief(job_id)} (use 1 to 255 of A-Z a-z 0-9 _ -)")


def check_queue_name(name: object) -> str:
    r"""Return *name* if it may name a queue.

    >>> check_queue_name("low\n")
    Traceback (most recent call last):
        ...
    workhorse.core.errors.InvalidNameError: not a queue name: 'low\n' (1 to 255 visible characters)
    """
    if isinstance(name, str) and is_queue_name(name):
        return name
    raise InvalidNameError(f"not a queue name: {_brief(name)} (1 to 255 visible characters)")


def check_group_name(name: object) -> str:
    r"""Return *name* if it may name a group.

    >>> check_group_name("")
    Traceback (most recent call last):
        ...
    workhorse.core.errors.InvalidNameError: not a group name: '' (1 to 255 visible characters)
    """
    if isinstance(name, str) and is_queue_name(name):
        return name
    raise InvalidNameError(f"not a group name: {_brief(name)} (1 to 255 visible characters)")


def is_queue_name(name: str) -> bool:
    """Return whether *name* may name a queue."""
    return 0 < len(name) <= _LONGEST and not _CONTROL.search(name)


def is_limit_key(key: object) -> TypeGuard[str]:
    """Return whether *key* may name a rate limit: any text that can be stored."""
    return isinstance(key, str) and 0 < len(key) <= _LONGEST and not _HALVES.search(key)


def _brief(name: object) -> str:
    """Return what an error shows of *name*, which may be of any length."""
    shown = repr(name[: _LONGEST + 1] if isinstance(name, str | bytes) else name)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}..."
