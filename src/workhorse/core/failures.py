"""What jobs failed of: failures that have one cause in common are told of together."""

from __future__ import annotations

import hashlib
import re
from typing import Final, NamedTuple

_FRAME: Final = re.compile(r'^ +File "(.*)", line \d+, in (.*)$', re.MULTILINE)
_LAST_LINES: Final = re.compile(r"^(?![ \t])(.*)$", re.MULTILINE)
_KIND: Final = re.compile(r"^([A-Za-z_][\w.]*)(?:: |$)")
_LONGEST: Final = 200


class Cause(NamedTuple):
    """Why a job failed, as far as its traceback tells."""

    id: str
    """The same for failures of one function, of one kind of error, raised in one place."""
    function: str
    error: str
    """The exception's class, or what happened instead."""
    message: str
    """The exception's own words, of one of them."""
    place: str
    """The file and function that raised it; empty where there is no traceback."""


def cause_of(function: str, text: str) -> Cause:
    r"""Return the cause of a failure of *function*, whose traceback, or reason, is *text*.

    >>> cause_of("shop.pay", "Traceback (most recent call last):\nValueError: no")[1:]
    ('shop.pay', 'ValueError', 'no', '')
    >>> cause_of("shop.pay", "Job lost: killed")[2:]
    ('Job lost', 'killed', '')
    """
    frames = list(_FRAME.finditer(text))
    place = ""
    if frames:
        file, where = frames[-1].groups()
        place = f"{'/'.join(file.split('/')[-2:])}: {where}"
        text = text[frames[-1].end() :]
    lines = [line for line in _LAST_LINES.findall(text) if line.strip()]
    told = lines[0] if frames and lines else lines[-1] if lines else ""
    kind, colon, message = told.partition(": ")
    if not colon:
        kind, message = told.rstrip("."), ""
    kind, place = kind[:_LONGEST], place[:_LONGEST]
    digest = hashlib.sha256(f"{function}\0{kind}\0{place}".encode("utf-8", "replace"))
    return Cause(digest.hexdigest()[:16], function, kind, message[:_LONGEST], place)
