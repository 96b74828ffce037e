"""Tags: the jobs that have one, and the sweep of those that are gone. No I/O here; see drivers."""

from __future__ import annotations

from typing import Any, Final

from workhorse.store import jobs
from workhorse.store.calls import Arguments, Call, command, page, script
from workhorse.wire.keys import Keys

PAGE: Final = 200
"""Tags, or jobs of one, that a call looks at."""


def some_names(keys: Keys, cursor: bytes) -> Call[tuple[bytes, list[str]]]:
    """Return where the next page of tags begins, and the tags of this one."""

    def parse(reply: Any) -> tuple[bytes, list[str]]:
        following, found = page(reply)
        return following, [jobs.text(name) for name in found]

    return command("SSCAN", keys.tags(), cursor, "COUNT", PAGE, parse=parse)


def sweep_page(keys: Keys, tag: str, cursor: bytes) -> Call[tuple[bytes, int]]:
    """Take jobs off a tag that are gone; return the next page, and how many went."""

    def parse(reply: list[Any]) -> tuple[bytes, int]:
        following, removed = reply
        return following, int(removed)

    args: Arguments = {"tag": tag, "cursor": cursor, "count": PAGE}
    return script("sweep_tag", keys, args, parse=parse)
