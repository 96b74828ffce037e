"""What a job calls, at a glance: nothing is unpickled, and nothing is imported. See ``texts``."""

from __future__ import annotations

import json
import re
import zlib
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final

UNKNOWN: Final = "(unknown)"
DOTTED: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
LONGEST: Final = 200
_ENOUGH: Final = 4096
"""Bytes of a call that are looked at for the function's name, which comes first."""


def function_of(description: str, data: bytes) -> str:
    """Return the name of the function that a job calls.

    From its description, where that is of the usual form; else from the call itself.

    >>> function_of("shop.pay(7)", b""), function_of("Pay, please", b"?")
    ('shop.pay', '(unknown)')
    """
    return _name_in(description.partition("(")[0]) or name_in_call(data)


@lru_cache(maxsize=1024)
def _name_in(text: str) -> str:
    return text if len(text) <= LONGEST and "." in text and DOTTED.fullmatch(text) else ""


def name_in_call(data: bytes) -> str:
    """Return the function's name in the ``data`` of a job, pickled or JSON."""
    head = data
    with suppress(zlib.error):
        head = zlib.decompressobj().decompress(data, _ENOUGH)
    name: Any = None
    with suppress(Exception):  # whatever it is, it names no function
        name = json.loads(_first_of_list(head)) if head[:1] == b"[" else _first_text(head)
    if not isinstance(name, str) or len(name) > LONGEST or not DOTTED.fullmatch(name):
        return UNKNOWN
    return name


def _first_of_list(head: bytes) -> bytes:
    return head[1:].partition(b",")[0]


def _first_text(pickled: bytes) -> str | None:
    """Return the first text that a pickle makes: its operations are read, none is done."""
    import pickletools  # noqa: PLC0415 - a millisecond that few producers need

    for operation, argument, _ in pickletools.genops(pickled):
        if isinstance(argument, str) and "UNICODE" in operation.name:
            return argument
    return None
