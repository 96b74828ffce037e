"""What is wrong with the server itself, judged of what it told: see ``doctor_checks``."""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from workhorse.store.doctor_facts import Facts

Version = tuple[int, ...]

_OLDEST: Final = (6, 2)
_LUA: Final[Mapping[str, tuple[Version, ...]]] = MappingProxyType(
    {
        "redis": ((6, 2, 20), (7, 2, 11), (7, 4, 6), (8, 0, 4), (8, 2, 2)),
        "valkey": ((7, 2, 11), (8, 0, 6), (8, 1, 4), (9, 0, 0)),
    }
)
"""The first version of each line in which CVE-2025-49844 is mended; later lines never had it."""
_EVICTION: Final = ((7, 2, 0), (8, 6, 3))
"""From where to where Redis has CVE-2026-23479."""
_SLOW: Final = 0.010
_TOO_SLOW: Final = 0.100
_SKEWED: Final = 5.0
_NEARLY_FULL: Final = 0.75
_FULL: Final = 0.90


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong, or should be known."""

    check: str
    level: Literal["problem", "advice"]
    """A problem loses or stops jobs, now or soon; advice is good to know."""
    what: str
    why: str
    do: str
    """A command, or what else a person does."""
    about: tuple[str, ...] = ()
    """The queues, workers or entries that it is about."""


def _version(facts: Facts) -> Iterator[Problem]:
    name, version = _server(facts)
    if not version:
        return
    told = f"{name.capitalize()} {'.'.join(map(str, version))}"
    if name == "redis" and version < _OLDEST:
        yield Problem(
            "version",
            "problem",
            f"{told} is older than 6.2",
            "commands that we need are missing",
            "run Redis 7.4, 8, or Valkey",
        )
    if _has_lua_hole(name, version):
        yield Problem(
            "version",
            "problem",
            f"{told} has CVE-2025-49844, unless its distributor mended it",
            "whoever may run scripts, as every user of a job queue may, can take the server over",
            "upgrade it; or, if its package is mended: workhorse doctor --ignore version",
        )
    if name == "redis" and _EVICTION[0] <= version < _EVICTION[1]:
        evicts = facts.settings.get("maxmemory-clients", "0") not in ("", "0")
        yield Problem(
            "version",
            "problem" if evicts else "advice",
            f"{told} has CVE-2026-23479, unless its distributor mended it",
            "a blocked client that is evicted corrupts the server's memory, and idle workers are "
            "blocked clients" + ("" if evicts else "; none is evicted here (maxmemory-clients 0)"),
            "upgrade to Redis 8.6.3"
            + (", and until then: CONFIG SET maxmemory-clients 0" if evicts else ""),
        )


def _server(facts: Facts) -> tuple[str, Version]:
    """Return which server it is, and its version; nothing where it does not tell."""
    if own := facts.info.get("valkey_version"):
        return "valkey", _numbers(own)
    return "redis", _numbers(facts.info.get("redis_version", ""))


def _numbers(text: object) -> Version:
    """Return a version's numbers.

    >>> _numbers("7.0.15"), _numbers("9.1.0-rc2"), _numbers("?")
    ((7, 0, 15), (9, 1, 0), ())
    """
    return tuple(int(word) for word in re.findall(r"\d+", str(text))[:3])


def _has_lua_hole(name: str, version: Version) -> bool:
    """Return whether a server is older than the mended one of its line.

    >>> _has_lua_hole("redis", (7, 2, 11)), _has_lua_hole("redis", (7, 0, 15))
    (False, True)
    >>> _has_lua_hole("valkey", (8, 1, 3)), _has_lua_hole("valkey", (9, 1, 0))
    (True, False)
    """
    mended = _LUA[name]
    of_line = [one for one in mended if one[:2] == version[:2]]
    return version < (of_line[0] if of_line else mended[-1])


def _role(facts: Facts) -> Iterator[Problem]:
    if facts.info.get("role") == "slave":
        yield Problem(
            "role",
            "problem",
            "this server is a replica",
            "nothing can be enqueued or run on it before it leads",
            "connect to the primary; by Sentinel, see docs/connections.md",
        )
    if facts.info.get("cluster_enabled"):
        yield Problem(
            "role",
            "problem",
            "this server is a node of a Cluster",
            "a script of ours reaches keys of several slots, which it refuses",
            "give a server of its own",
        )
    if facts.info.get("loading"):
        yield Problem(
            "role", "problem", "the server loads its data", "it refuses work until then", "wait"
        )


def _persistence(facts: Facts) -> Iterator[Problem]:
    info, check = facts.info, "persistence"
    if not info:
        return
    for status, what in (
        ("rdb_last_bgsave_status", "its last snapshot"),
        ("aof_last_write_status", "its append-only file"),
    ):
        if info.get(status, "ok") != "ok":
            yield Problem(
                check,
                "problem",
                f"the server could not write {what}",
                "its disk is full or broken: a restart loses jobs, and it may refuse to take any",
                "look at its disk and its log",
            )
    if info.get("aof_enabled"):
        return
    if facts.settings.get("save") == "":
        yield Problem(
            check,
            "problem",
            "the server writes nothing to disk",
            "every job is lost when it restarts",
            "CONFIG SET appendonly yes, and appendonly yes in its configuration",
        )
    else:
        saves = facts.settings.get("save")
        yield Problem(
            check,
            "advice",
            f"the server writes snapshots only (save {saves})"
            if saves
            else "the server has no append-only file, and does not tell of snapshots",
            "what happened since the last snapshot is lost with the server, and jobs that "
            "ended since then run again",
            "CONFIG SET appendonly yes, and appendonly yes in its configuration",
        )


def _eviction(facts: Facts) -> Iterator[Problem]:
    policy = str(facts.info.get("maxmemory_policy", "noeviction"))
    if not facts.info.get("maxmemory") or policy == "noeviction":
        return
    lost = "jobs among them" if policy.startswith("allkeys") else "results, and jobs with a ttl"
    yield Problem(
        "eviction",
        "problem",
        f"a full server drops keys (maxmemory-policy {policy})",
        f"JOBS MAY BE LOST: it drops any that it chooses, {lost}",
        "CONFIG SET maxmemory-policy noeviction, and in its configuration",
    )


def _memory(facts: Facts) -> Iterator[Problem]:
    info = facts.info
    limit = int(info.get("maxmemory") or 0)
    limit, of_what = (
        (limit, "maxmemory")
        if limit
        else (
            int(info.get("total_system_memory") or 0),
            "the machine's memory",
        )
    )
    share = int(info.get("used_memory") or 0) / limit if limit else 0.0
    if share > _NEARLY_FULL:
        yield Problem(
            "memory",
            "problem" if share > _FULL else "advice",
            f"the server uses {share:.0%} of {of_what}",
            "when it is full nothing can be enqueued; workers can still drain it",
            "raise maxmemory, keep results for shorter (result_ttl), or empty what "
            "nobody needs: workhorse queue list",
        )


def _clients(facts: Facts) -> Iterator[Problem]:
    clients = int(facts.info.get("connected_clients") or 0)
    most = int(facts.info.get("maxclients") or 0)
    if most and clients > _FULL * most:
        yield Problem(
            "clients",
            "problem",
            f"{clients:,} of {most:,} connections are open",
            "the next worker or producer is turned away",
            "raise maxclients, or find who opens so many: CLIENT LIST",
        )


def _latency(facts: Facts) -> Iterator[Problem]:
    middle = statistics.median(facts.pings) if facts.pings else 0.0
    if middle > _SLOW:
        yield Problem(
            "latency",
            "problem" if middle > _TOO_SLOW else "advice",
            f"the server answers in {middle * 1000:.0f} ms",
            "each job costs a few round trips; a batch of short jobs shares them",
            "run workers near the server; look for slow commands: SLOWLOG GET",
        )


def _clock(facts: Facts) -> Iterator[Problem]:
    if abs(facts.skew) > _SKEWED:
        way = "ahead of" if facts.skew > 0 else "behind"
        yield Problem(
            "clock",
            "problem",
            f"the server's clock is {abs(facts.skew):.0f} s {way} this machine's",
            "jobs for a moment that this machine chose run early or late; leases and "
            "cron go by the server's clock alone",
            "have both set their clocks (chrony, systemd-timesyncd)",
        )


def _rights(facts: Facts) -> Iterator[Problem]:
    needed = [name for name in facts.refused if not name.startswith(("INFO", "CONFIG"))]
    if needed:
        yield Problem(
            "rights",
            "problem",
            f"this user may not do {', '.join(needed)}",
            "commands and workers that log in as this user can't do their work",
            "ACL LOG on the server shows what was refused; see docs/acl.md",
        )
    if left := [name for name in facts.refused if name not in needed]:
        yield Problem(
            "rights",
            "advice",
            f"this user may not do {', '.join(left)}",
            "its settings can't be checked, which costs nothing else",
            "run workhorse doctor as a user who may",
        )


SERVER_CHECKS: Final[Mapping[str, Callable[[Facts], Iterator[Problem]]]] = MappingProxyType(
    {
        "version": _version,
        "role": _role,
        "persistence": _persistence,
        "eviction": _eviction,
        "memory": _memory,
        "clients": _clients,
        "latency": _latency,
        "clock": _clock,
        "rights": _rights,
    }
)
