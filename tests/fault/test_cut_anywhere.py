"""Row 16 of the fault matrix at its finest: a connection is cut at each byte of each call.

The call is sent again on a new connection, as every client of ours does. What is on the server
then, and what the caller hears, must be what they are without the cut.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry as ClientRetry

from tests.support.faults import part_of
from tests.support.lives import Life, record
from tests.support.proxy import Fault, Proxy, Rule
from workhorse.core.outcomes import Raised, Returned
from workhorse.core.states import State
from workhorse.core.verdicts import Policy, judge
from workhorse.store import jobs, limits, saving, schedule, starting, workers

Act = Callable[[Life], object]
"""A call of a life whose client leads through the proxy."""


@dataclass(frozen=True)
class Kind:
    """One kind of call: what there is before it, and the call that this makes possible."""

    prepare: Callable[[Life], Act]
    script: str
    tells_again: bool = True
    """Whether the second sending hears what the first would have."""


def _queued(life: Life) -> None:
    life.enqueue("a", "b", at_front=["b"])


def _enqueue(life: Life) -> Act:
    life.enqueue("other")
    return lambda cut: cut.enqueue("a", "b", at_front=["b"], token="t" * 22)


def _start(_: Life) -> Act:
    execution = jobs.Execution("j", "e" * 32, "q")

    def act(cut: Life) -> object:
        call = starting.start(cut.keys, record("j", token="t"), execution, worker="w", lease=60)
        return cut.store.run(call)

    return act


def _claim(life: Life) -> Act:
    _queued(life)
    life.client.lpush("rq:queue:q", "a job that is gone")
    return lambda cut: cut.claim(2, token="c" * 24)


def _extend(life: Life) -> Act:
    job = life.start()
    return lambda cut: cut.extend(job)


def _release(life: Life) -> Act:
    _queued(life)
    held = life.claim(2).jobs
    return lambda cut: cut.release(*held)


def _settle(life: Life) -> Act:
    job = life.start()
    return lambda cut: cut.settle(job, Returned(b"42"))


def _settle_and_forget(life: Life) -> Act:
    job = life.start(token="t")
    return lambda cut: cut.settle(job, Returned(b"42"), ttl=0)


def _settle_for_retry(life: Life) -> Act:
    job = life.start(retries_left=2, retry_intervals=(0,))
    policy = Policy(retries_left=2, retry_intervals=(0,))
    return lambda cut: cut.settle(job, judge(Raised("boom"), policy))


def _recover(life: Life) -> Act:
    life.extend(life.start(), lease=-5)
    return lambda cut: cut.recover()


def _forward(life: Life) -> Act:
    life.in_state(State.SCHEDULED)
    return lambda cut: cut.store.run(schedule.forward(cut.keys, ["q"]))


def _cancel(life: Life) -> Act:
    _queued(life)
    return lambda cut: cut.cancel("a")


def _requeue(life: Life) -> Act:
    life.in_state(State.FAILED)
    return lambda cut: cut.requeue()


def _delete(life: Life) -> Act:
    _queued(life)
    return lambda cut: cut.delete("a", "b")


def _empty(life: Life) -> Act:
    _queued(life)
    call = jobs.empty(life.keys, "q", keep_jobs=False, forget=True)
    return lambda cut: cut.store.run(call)


def _set_meta(life: Life) -> Act:
    _queued(life)
    return lambda cut: cut.store.run(saving.set_meta(cut.keys, "a", b"meta"))


def _register(life: Life) -> Act:
    call = workers.register(life.keys, "w", ["q"], ["pid", 1, "state", "idle"], ttl=60)
    return lambda cut: cut.store.run(call)


def _enqueue_limited(life: Life) -> Act:
    life.enqueue("other", **LIMIT)
    return lambda cut: cut.enqueue("a", "b", token="t" * 22, unique=True, **LIMIT)


def _settle_limited(life: Life) -> Act:
    job = life.start(**LIMIT)
    life.enqueue("a", "b", **LIMIT)
    return lambda cut: cut.settle(job, Returned(b"42"))


def _settle_for_repeat(life: Life) -> Act:
    job = life.start(repeats_left=2, repeat_intervals=(0,), **LIMIT)
    return lambda cut: cut.settle(job, judge(Returned(b"42"), job.policy))


def _cancel_limited(life: Life) -> Act:
    life.enqueue("a", "b", "c", **LIMIT)
    return lambda cut: cut.cancel("a")


def _admit(life: Life) -> Act:
    life.enqueue("a", "b", "c", **LIMIT)
    life.client.delete("rq:job:a")
    call = limits.admit(life.keys, [limits.Limit(b"mail")])
    return lambda cut: cut.store.run(call)


LIMIT: dict[str, Any] = {"rate_limit_key": "mail", "rate_limit_concurrency": 1}

KINDS = {
    "enqueue": Kind(_enqueue, "enqueue", tells_again=False),
    "start": Kind(_start, "start", tells_again=False),
    "claim": Kind(_claim, "claim"),
    "extend": Kind(_extend, "extend"),
    "release": Kind(_release, "release", tells_again=False),
    "settle": Kind(_settle, "settle", tells_again=False),
    "settle and forget": Kind(_settle_and_forget, "settle", tells_again=False),
    "settle for a retry": Kind(_settle_for_retry, "settle", tells_again=False),
    "recover": Kind(_recover, "recover", tells_again=False),
    "forward": Kind(_forward, "forward", tells_again=False),
    "cancel": Kind(_cancel, "cancel", tells_again=False),
    "requeue": Kind(_requeue, "requeue", tells_again=False),
    "delete": Kind(_delete, "delete", tells_again=False),
    "empty": Kind(_empty, "empty", tells_again=False),
    "set_meta": Kind(_set_meta, "set_meta"),
    "enqueue with a limit": Kind(_enqueue_limited, "enqueue", tells_again=False),
    "settle with a limit": Kind(_settle_limited, "settle", tells_again=False),
    "settle for a repeat": Kind(_settle_for_repeat, "settle", tells_again=False),
    "cancel with a limit": Kind(_cancel_limited, "cancel", tells_again=False),
    "admit": Kind(_admit, "admit", tells_again=False),
    "register": Kind(_register, "register", tells_again=False),
}


@contextmanager
def through(proxy: Proxy) -> Iterator[Life]:
    """Yield a life whose client sends again what was cut, at once."""
    retry = ClientRetry(NoBackoff(), 2)
    with redis.Redis(unix_socket_path=str(proxy.socket), protocol=2, retry=retry) as client:
        yield Life(client)


@dataclass
class Bench:
    """Does one call again and again, each time on the same beginnings."""

    direct: redis.Redis
    proxy: Proxy
    kind: Kind

    def result(self, rule: Rule | None = None) -> tuple[str, str]:
        """Return what the caller hears and what is on the server."""
        self.direct.flushdb()
        life = Life(self.direct)
        act = self.kind.prepare(life)
        with through(self.proxy) as cut:
            if rule:
                self.proxy.add(rule)
            heard = act(cut)
        return _timeless(heard), _timeless(sorted(life.dump().items()))

    def problem(self, fault: Fault, at: int, wanted: tuple[str, str]) -> str | None:
        rule = Rule(fault, name=self.kind.script, at=at)
        heard, found = self.result(rule)
        rule.times = 0
        assert rule.hits
        if found != wanted[1]:
            return f"{fault.name} at {at}: {found}\nnot: {wanted[1]}"
        if self.kind.tells_again and heard != wanted[0]:
            return f"{fault.name} at {at}: heard {heard}, not {wanted[0]}"
        return None


def _timeless(value: object) -> str:
    """Return *value* without the server's times, which differ from run to run."""
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "DATE", repr(value))
    text = re.sub(r"datetime\.datetime\([^)]*\)", "DATE", text)
    return re.sub(r"\d{10}\.\d+|\d{13}-\d|\d{9,}\.\d+", "TIME", text)


def message(words: tuple[bytes, ...]) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in words)


def bytes_of(size: int, share: int) -> list[int]:
    """Return where to cut: nowhere in, everywhere in between, and after all."""
    return [*part_of(range(size), share), size]


@pytest.mark.parametrize("kind", KINDS)
def test_fault_16_a_connection_that_is_cut_at_any_byte_of_a_call(
    client: redis.Redis, server_socket: Path, kind: str
) -> None:
    with Proxy(server_socket) as proxy:
        bench = Bench(client, proxy, KINDS[kind])
        bench.result()  # the server knows its scripts now
        seen = Rule(Fault.DELAY, name=KINDS[kind].script)
        wanted = bench.result(seen)
        request = len(message(seen.hits[0].words))
        cuts = [(Fault.CUT_REQUEST, at) for at in bytes_of(request, 97)]
        cuts += [(Fault.CUT_REPLY, at) for at in bytes_of(seen.size - 1, 41)]
        problems = [bench.problem(fault, at, wanted) for fault, at in cuts]
    assert [problem for problem in problems if problem] == []
