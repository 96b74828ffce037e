"""A server with very many jobs, in every state: a few made by our own calls, and copies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import redis

from tests.support.lives import Life
from workhorse.core.dependencies import Parents
from workhorse.core.outcomes import Raised, Returned
from workhorse.core.states import State
from workhorse.store import workers
from workhorse.wire.keys import Keys
from workhorse.wire.payload import Call, PickleSerializer, encode_call

QUEUE: Final = "q"
CAUSES: Final = 50
FUNCTIONS: Final = 700
"""As many as are counted each by itself."""
WORKERS: Final = 20
PARENT: Final = "parent"
LIMIT: Final = "mail"
GROUP: Final = "customers"
_SLICE: Final = 2000

_COPY: Final = """
local model, stem, first, count, place, is_list, at = unpack(ARGV)
local hash = redis.call('DUMP', 'rq:job:' .. model)
local results = redis.call('DUMP', 'rq:results:' .. model)
local waits = redis.call('DUMP', 'rq:job::' .. model .. ':dependencies')
for n = first, first + count - 1 do
  local id = stem .. string.format('%d', n)
  redis.call('RESTORE', 'rq:job:' .. id, 0, hash)
  if results then redis.call('RESTORE', 'rq:results:' .. id, 0, results) end
  if waits then redis.call('RESTORE', 'rq:job::' .. id .. ':dependencies', 0, waits) end
  if is_list == '1' then redis.call('RPUSH', place, id) end
  if is_list == '0' then redis.call('ZADD', place, at + n / 1000, id) end
  for i = 8, #ARGV, 2 do
    if ARGV[i] == 'set' then redis.call('SADD', ARGV[i + 1], id) end
    if ARGV[i] == 'zset' then redis.call('ZADD', ARGV[i + 1], at + n / 1000, id) end
  end
end
"""


@dataclass(frozen=True, slots=True)
class Crowd:
    """Jobs of one kind: as many copies of *model* as are its part of all."""

    model: str
    place: str
    part: float
    also: tuple[str, ...] = ()
    """Kinds and keys of the indexes that have them, too."""


def fill(client: redis.Redis, number: int) -> None:
    """Bring *number* jobs onto an empty server: a third of them waits, a third has finished.

    With each thousand of them comes a queue more, and with five thousand a worker.
    """
    life = Life(client)
    crowds = _models(life, WORKERS + number // 5000)
    for n in range(number // 1000):
        life.enqueue(f"of{n}", origin=f"customer-{n}", **_fields("shop.pay"))
    copy: Any = client.register_script(_COPY)
    now = client.time()[0]
    for crowd in crowds:
        count = max(1, round(number * crowd.part))
        is_list = client.type(crowd.place) == b"list"
        for first in range(0, count, _SLICE):
            args: list[Any] = [
                crowd.model, f"{crowd.model}-", first, min(_SLICE, count - first), crowd.place,
                int(is_list), now + 86_400, *crowd.also,
            ]  # fmt: skip
            copy(args=args)


def _models(life: Life, number_of_workers: int) -> list[Crowd]:
    """Make one job of each kind, by the calls that make real ones; return what to copy."""
    for n in range(FUNCTIONS):
        life.settle(life.start(f"done{n}", **_fields(f"shop.f{n}")), Returned(b"42"))
    _register(life, number_of_workers)
    many = _fields("shop.pay")
    life.enqueue(PARENT, **many)
    life.enqueue("deferred", parents=Parents((PARENT,)), **many)
    life.enqueue("placed", "limited", rate_limit_key=LIMIT, rate_limit_concurrency=1, **many)
    life.settle(life.start("finished", group_id=GROUP, **many), Returned(b"42"), ttl=86_400)
    life.enqueue("scheduled", due_in=86_400.0, **many)
    failed = [_failed(life, number) for number in range(CAUSES)]
    life.enqueue("queued", **many)
    life.client.hset("rq:job:queued", "tags", '["bulk"]')
    life.client.sadd("rq:tags", "bulk")
    children = f"rq:job:{PARENT}:dependents"
    return [
        Crowd("queued", f"rq:queue:{QUEUE}", 0.3, ("zset", "rq:tag:bulk")),
        Crowd("finished", f"rq:finished:{QUEUE}", 0.3, ("set", f"rq:group:{GROUP}")),
        Crowd("scheduled", f"rq:scheduled:{QUEUE}", 0.1),
        Crowd("deferred", f"rq:deferred:{QUEUE}", 0.05, ("set", children)),
        Crowd("limited", f"rq:rl:{LIMIT}:rate_limited", 0.05),
        *failed,
    ]


def _failed(life: Life, number: int) -> Crowd:
    model = f"failed{number}"
    error = (
        'Traceback (most recent call last):\n  File "/srv/app/shop.py", line 7, in pay\n'
        f"    charge(order)\nshop.Trouble{number}: no such order: {number}"
    )
    life.settle(life.start(model, **_fields("shop.pay")), Raised(error))
    cause = life.field("cause", model) or ""
    place = ("zset", f"rq:failed_of:{cause}") if cause else ()
    return Crowd(model, f"rq:failed:{QUEUE}", 0.2 / CAUSES, place)


def _fields(function: str) -> dict[str, Any]:
    call = Call(function, None, (7, "a@b.c", {"items": list(range(20))}), {"now": True})
    return {
        "data": encode_call(call, PickleSerializer()), "timeout": 180,
        "description": f"{function}(7, 'a@b.c', now=True)",
    }  # fmt: skip


def _register(life: Life, count: int) -> None:
    for number in range(count):
        name = f"web{number}.7.af03"
        told = workers.describe_worker(
            queues=[QUEUE], pid=7, hostname="web", ip_address="::1", version="1",
            python_version="3.13", state="busy",
        )  # fmt: skip
        life.store.run(workers.register(Keys(), name, [QUEUE], told, ttl=86_400))
        job_id = f"runs{number}"
        life.enqueue(job_id, **_fields("shop.ship"))
        life.claim(1, worker=name, lease=86_400)


def job_in(state: State, number: int = 0) -> str:
    """Return the id of a copied job that is in a state."""
    stem = {State.FAILED: "failed0", State.RATE_LIMITED: "limited"}.get(state, state.value)
    return f"{stem}-{number}"
