"""What jobs failed of: failures that have one cause in common are told of together.

A cause is the job's function, the kind of the error, and the place that raised it: the same
before and after the next deploy, which moves line numbers, and whatever the message says.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final, NamedTuple

_FRAME: Final = re.compile(r'^ *File "([^"\n]*)", line \d+(?:, in (.*))?$', re.MULTILINE)
_HEADER: Final = "Traceback (most recent call last):"
_GROUP_HEADER: Final = f"  + Exception Group {_HEADER}"
_GROUP_MARGIN: Final = re.compile(r"^  [|+] ?", re.MULTILINE)
_GROUP_MEMBERS: Final = re.compile(r"^  \+-\+-", re.MULTILINE)
_NEXT_IN_CHAIN: Final = re.compile(
    r"^(?:During handling of the above exception, another exception occurred"
    r"|The above exception was the direct cause of the following exception):\n\n"
    r"(?=Traceback |  \+ Exception Group )",
    re.MULTILINE,
)
_KIND: Final = re.compile(r"([^\W\d][\w.<>]*)(?:: ?(.*))?")
_LOST: Final = re.compile(r"Job lost(?: .*? Last time)?: (.*?)(?:; not tried again: .*)?")
_FROZEN: Final = "<frozen "
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")
_LONGEST: Final = 200


class Cause(NamedTuple):
    """Why a job failed, as far as its traceback tells."""

    id: str
    """The same for failures of one function, of one kind of error, raised in one place."""
    function: str
    error: str
    """The exception's class, or what happened instead."""
    message: str
    """The first line of the exception's own words, of one of them."""
    place: str
    """The file and function that raised it; empty where there is no traceback."""


def cause_of(function: str, text: str) -> Cause:
    r"""Return the cause of a failure of *function*, whose traceback, or reason, is *text*.

    Of exceptions that followed from each other it is the last, which the job raised.

    >>> cause_of("shop.pay", "Traceback (most recent call last):\nValueError: no")[1:]
    ('shop.pay', 'ValueError', 'no', '')
    >>> cause_of("shop.pay", "Job lost: killed")[2:]
    ('Job lost', 'killed', '')
    """
    traceback = _last_traceback(text)
    if traceback:
        kind, message, place = _read(traceback)
    else:
        kind, message, place = *_in_words(text), ""
    kind, place = _cut(kind), _cut(place)
    same = f"{function}\0{kind if place else _NUMBER.sub('0', kind)}\0{place}"
    digest = hashlib.sha256(same.encode("utf-8", "replace"))
    return Cause(digest.hexdigest()[:16], function, kind, _cut(message), place)


def _last_traceback(text: str) -> str:
    """Return the last traceback of a chain, without what was said before; empty for none."""
    for follows in _NEXT_IN_CHAIN.finditer(text):
        text = follows.string[follows.end() :]
    for header in (_HEADER, _GROUP_HEADER):
        if text.startswith(header):
            return text
        _, found, rest = text.partition(f"\n{header}\n")
        if found:
            return f"{header}\n{rest}"
    return ""


def _read(traceback: str) -> tuple[str, str, str]:
    """Return the kind, the message and the place of the exception of one traceback."""
    if traceback.startswith(_GROUP_HEADER):
        traceback = _GROUP_MARGIN.sub("", _GROUP_MEMBERS.split(traceback, 1)[0])
    lines = traceback.split("\n")[1:]
    told = next((n for n, line in enumerate(lines) if line and line[0] not in " \t"), len(lines))
    frames = [frame for line in lines[:told] if (frame := _FRAME.match(line))]
    own = [frame for frame in frames if not frame[1].startswith(_FROZEN)] or frames
    place = _place(*own[-1].groups()) if own else ""
    kind, message = _said(lines[told:])
    return kind, message, place


def _place(file: str, where: str | None) -> str:
    """Return where it was raised: the end of the path is the same on every machine."""
    name = "/".join(re.split(r"[/\\]", file)[-2:])
    return f"{name}: {where}" if where else name


def _said(lines: list[str]) -> tuple[str, str]:
    """Return the kind and the message of an exception, of which *lines* are the text."""
    first = lines[0].strip() if lines else ""
    found = _KIND.fullmatch(first)
    if not found:
        return first or "(not told)", ""
    message = found[2] or ""
    if not message and found[2] is not None:
        message = next((line.strip() for line in lines[1:] if line.strip()), "")
    return found[1], message


def _in_words(text: str) -> tuple[str, str]:
    """Return what happened, and more of it, where no exception did."""
    first = next((line.strip() for line in text.split("\n") if line.strip()), "")
    lost = _LOST.fullmatch(first)
    if lost:
        return "Job lost", lost[1]
    found = _KIND.fullmatch(first)
    if found and found[2]:
        return found[1], found[2]
    return first.rstrip(".") or "(not told)", ""


def _cut(text: str) -> str:
    """Return the beginning of *text*, as it can be stored."""
    return text[:_LONGEST].encode("utf-8", "backslashreplace").decode()[:_LONGEST]
