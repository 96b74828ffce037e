"""Is everything in its place? Looks at all that is on a server and says what is not.

Every live job is in exactly one place, no entry is without its job, no key without an owner or
an expiry. The one rule: nothing here changes anything. It reads in slices, beside running
workers; what seems wrong is looked at twice more, and told only if it is the same both times.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, Final, NamedTuple, TypeVar

from workhorse.core.states import State
from workhorse.store.calls import Arguments, Call, command, page, script
from workhorse.store.drivers import Store
from workhorse.store.findings import (
    LISTS,
    SORTED_SETS,
    Fault,
    Finding,
    KeyFacts,
    Place,
    Sight,
    judge,
    judge_key,
    shown,
)
from workhorse.wire.codec import Value
from workhorse.wire.keys import KeyName, Keys, split_lease

T = TypeVar("T")

SLICE: Final = 100
"""Jobs looked at in one call: about two milliseconds of the server's time."""
SCANNED: Final = 500
"""Keys, or entries, read in one call."""


class Suspect(NamedTuple):
    """A job to look at; the other names say where an entry of it was seen, if it was."""

    job_id: bytes
    execution_id: bytes = b""
    queue: bytes = b""
    limit: bytes = b""


def audit(store: Store, keys: Keys, *, pause: Callable[[], None] = lambda: None) -> list[Finding]:
    """Return all that is wrong on the server, sorted; nothing if everything is in its place.

    Takes about 50 us of the server's time for a job, and 8 bytes of memory for each that
    waits. *pause* is called between the two closer looks at what seemed wrong: give jobs that
    RQ moves in several steps the time to arrive. Raises what the client raises.
    """
    return _Auditor(store, keys).run(pause)


class _Auditor:
    """One audit, and what it remembers: the jobs on each list, and what seemed wrong."""

    def __init__(self, store: Store, keys: Keys) -> None:
        self._store = store
        self._keys = keys
        self._listed: dict[bytes, array[int]] = {}
        self._suspects: set[Suspect] = set()
        self._odd_keys: set[bytes] = set()

    def run(self, pause: Callable[[], None]) -> list[Finding]:
        self._search()
        if not self._suspects and not self._odd_keys:
            return []
        first = self._look_closely()
        if not first:
            return []
        pause()
        return sorted(first & self._look_closely())

    # First, everything once, without searching long lists for single jobs.

    def _search(self) -> None:
        for key, name in self._keys_of("list"):
            if name.template in LISTS:
                self._walk_list(key, name)
        for members in self._listed.values():
            members[:] = array("q", sorted(members))
        for key, name in self._keys_of("zset"):
            if name.template in SORTED_SETS:
                self._walk_sorted_set(key, name)
        jobs = (Suspect(_bytes(name.parts["job"])) for name in self._other_keys())
        self._suspect(jobs, self._with_lists)

    def _suspect(self, jobs: Iterable[Suspect], complete: Callable[[Sight], Sight]) -> None:
        """Note those of *jobs* that seem wrong, once what the look left out is completed."""
        for some in _slices(jobs, SLICE):
            sights = self._look(some)
            self._suspects |= {
                job for job, sight in zip(some, sights, strict=True) if judge(complete(sight))
            }

    def _keys_of(self, kind: str) -> Iterator[tuple[bytes, KeyName]]:
        for key in self._scan("TYPE", kind):
            name = self._keys.read(_text(key))
            if name:
                yield key, name

    def _other_keys(self) -> Iterator[KeyName]:
        """Yield the keys of jobs; note those others that look odd."""
        for key_slice in _slices(self._scan(), SLICE):
            named = [(key, self._keys.read(_text(key))) for key in key_slice]
            others = [key for key, name in named if name is None or name.template != "job"]
            self._odd_keys |= {key for key, _ in self._examine(others)}
            yield from (name for _, name in named if name and name.template == "job")

    def _scan(self, *options: str) -> Iterator[bytes]:
        cursor = b""
        while cursor != b"0":
            words: tuple[Value, ...] = ("SCAN", cursor or b"0", "MATCH", self._keys.pattern())
            call = command(*words, "COUNT", SCANNED, *options, parse=page)
            cursor, found = self._store.run(call)
            yield from found

    def _walk_list(self, key: bytes, name: KeyName) -> None:
        queue = _bytes(name.parts["queue"])
        here = Place(name.template, queue)
        listed = self._listed.setdefault(queue, array("q"))
        start, ids = 0, [b""] * SCANNED
        while len(ids) == SCANNED:
            last = start + SCANNED - 1
            ids = self._store.run(command("LRANGE", key, start, last, parse=list[bytes]))
            start += SCANNED
            listed.extend(hash(job_id) for job_id in ids)
            jobs = (Suspect(job_id, queue=queue) for job_id in ids)
            self._suspect(jobs, lambda sight: _seen_at(sight, here))

    def _walk_sorted_set(self, key: bytes, name: KeyName) -> None:
        cursor = b""
        while cursor != b"0":
            words = ("ZSCAN", key, cursor or b"0", "COUNT", SCANNED)
            cursor, found = self._store.run(command(*words, parse=_scored_page))
            self._suspect((_entry(name, member) for member in found), self._with_lists)

    def _with_lists(self, sight: Sight) -> Sight:
        """Return *sight* with what the walk over its queue's list saw."""
        listed = self._listed.get(sight.queue)
        if not listed:
            return sight
        mark = hash(sight.job_id)
        times = bisect_right(listed, mark) - bisect_left(listed, mark)
        return _seen_at(sight, *[Place("queue", sight.queue)] * min(times, 2))

    # Then what seemed wrong, twice.

    def _look_closely(self) -> set[Finding]:
        found = {finding for _, finding in self._examine(self._odd_keys)}
        placed = {job.job_id for job in self._suspects if any(job[1:])}  # these see more
        jobs = (job for job in self._suspects if any(job[1:]) or job.job_id not in placed)
        for suspects in _slices(jobs, SLICE):
            for sight in self._look(suspects, in_lists=True):
                found |= {self._finding(sight, fault) for fault in judge(sight)}
        return found

    def _look(self, suspects: Sequence[Suspect], *, in_lists: bool = False) -> list[Sight]:
        return self._store.run(look(self._keys, suspects, in_lists=in_lists))

    def _finding(self, sight: Sight, fault: Fault) -> Finding:
        job_id = shown(sight.job_id)
        if fault.place is None:
            key = self._keys.job(job_id)
        else:
            key = self._keys.place(fault.place.kind, shown(fault.place.queue))
        return Finding(fault.kind, key, job_id, fault.explanation)

    # Keys.

    def _examine(self, keys: Iterable[bytes]) -> Iterator[tuple[bytes, Finding]]:
        """Yield those of *keys* that have neither an owner nor an expiry, or are misshapen."""
        for key_slice in _slices(keys, SLICE):
            named = [self._keys.read(_text(key)) for key in key_slice]
            calls: list[Call[Any]] = []
            for key, name in zip(key_slice, named, strict=True):
                calls += self._questions(key, name.parts if name else {})
            answers: Iterator[Any] = iter(self._store.look_at(calls))
            for key, name in zip(key_slice, named, strict=True):
                fact = KeyFacts(*(next(answers) for _ in range(4)))
                if name and name.template == "dependents" and not fact.has_job:
                    fact = fact._replace(has_waiters=self._has_waiters(key))
                if fault := judge_key(name, fact):
                    job_id = shown(_bytes(name.parts.get("job", ""))) if name else ""
                    yield key, Finding(fault.kind, shown(key), job_id, fault.explanation)

    def _has_waiters(self, key: bytes) -> bool:
        """Return whether some of the jobs in a set of dependents wait for others."""
        (ids,) = self._store.look_at([command("SRANDMEMBER", key, SCANNED, parse=list[bytes])])
        jobs = [
            self._keys.job(_text(job_id)).encode("utf-8", "surrogateescape")
            for job_id in ids or ()
        ]
        asked = [command("HGET", job, "status", parse=_word) for job in jobs]
        return any(word in _WAITING for word in self._store.look_at(asked))

    def _questions(self, key: bytes, parts: Mapping[str, str]) -> list[Call[Any]]:
        job = _bytes(self._keys.job(parts.get("job", "")))
        queue = _bytes(self._keys.queue(parts.get("queue", "")))
        listed: tuple[Value, ...] = (self._keys.queues(), queue)
        if "group" in parts:
            listed = (self._keys.groups(), _bytes(parts["group"]))
        return [
            command("TYPE", key, parse=_text),
            command("TTL", key, parse=int),
            command("EXISTS", job, parse=bool),
            command("SISMEMBER", *listed, parse=bool),
        ]


def look(keys: Keys, suspects: Sequence[Suspect], *, in_lists: bool) -> Call[list[Sight]]:
    """Return what is seen of jobs; lists are searched only where asked: O(their length)."""

    def parse(reply: list[Any]) -> list[Sight]:
        return [_sight(each.job_id, row) for each, row in zip(suspects, reply, strict=True)]

    args: Arguments = {"in_lists": int(in_lists)}
    return script("look", keys, args, suspects, parse=parse)


def _sight(job_id: bytes, row: list[Any]) -> Sight:
    exists, status, queue, execution, expires, indexed, words, limit = row
    places = [
        Place(kind.decode(), where, detail)
        for kind, where, detail in zip(words[::3], words[1::3], words[2::3], strict=True)
    ]
    return Sight(
        job_id=job_id,
        exists=bool(exists),
        status=shown(status),
        queue=queue,
        execution=execution,
        expires=bool(expires),
        indexed=frozenset(indexed),
        places=tuple(places),
        limit=limit,
    )


def _entry(name: KeyName, member: bytes) -> Suspect:
    """Return the job of a sorted set's entry, and where it was seen."""
    if name.template in {"limited", "allowed"}:
        return Suspect(member, limit=_bytes(name.parts["limit"]))
    queue = _bytes(name.parts["queue"])
    if name.template == "lease":
        return Suspect(*split_lease(member), queue)
    return Suspect(member, queue=queue)


def _seen_at(sight: Sight, *places: Place) -> Sight:
    return replace(sight, places=(*sight.places, *places))


_WAITING: Final = frozenset({State.DEFERRED.encode(), State.READY_TO_ENQUEUE.encode()})


def _word(reply: bytes | None) -> bytes:
    return reply or b""


def _scored_page(reply: Any) -> tuple[bytes, list[bytes]]:
    """Return the next cursor and the members, without their scores."""
    cursor, found = page(reply)
    if found and isinstance(found[0], tuple):  # redis-py has read it already
        return cursor, [member for member, _ in found]
    return cursor, found[::2]


def _slices(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield *items* in lists of at most *size*."""
    rest = iter(items)
    while taken := list(islice(rest, size)):
        yield taken


def _text(word: bytes) -> str:
    """Return *word* so that ``_bytes`` gives it back, whatever is in it."""
    return word.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
