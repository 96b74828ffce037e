"""Tags: words by which people find jobs again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, cast

from workhorse.core.errors import InvalidOptionError
from workhorse.core.ids import is_queue_name

MOST_TAGS: Final = 20
"""Tags that a job may have."""
LONGEST_TAG: Final = 100
"""Characters of a tag."""
MOST_BYTES: Final = 480
"""Bytes of all tags of a job, with three more for each: lists of jobs show them in full."""


def check_tags(tags: object) -> tuple[str, ...]:
    """Return *tags*, each once, if they may be a job's. Raises InvalidOptionError.

    >>> check_tags(["eu", "nightly", "eu"])
    ('eu', 'nightly')
    >>> check_tags("eu")
    Traceback (most recent call last):
        ...
    workhorse.core.errors.InvalidOptionError: tags is 'eu': give a list of texts
    """
    if isinstance(tags, str | bytes) or not isinstance(tags, Iterable):
        raise InvalidOptionError(f"tags is {tags!r}: give a list of texts")
    found = dict.fromkeys(_checked(tag) for tag in cast("Iterable[object]", tags))
    size = sum(len(tag.encode()) + 3 for tag in found)
    if len(found) > MOST_TAGS or size > MOST_BYTES:
        raise InvalidOptionError(
            f"{len(found)} tags of {size} bytes: a job has {MOST_TAGS} of {MOST_BYTES} at most"
        )
    return tuple(found)


def _checked(tag: object) -> str:
    if isinstance(tag, str) and len(tag) <= LONGEST_TAG and is_queue_name(tag):
        return tag
    told = repr(tag[: LONGEST_TAG + 1] if isinstance(tag, str) else tag)
    raise InvalidOptionError(f"not a tag: {told} (use 1 to {LONGEST_TAG} visible characters)")
