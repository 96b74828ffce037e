"""Jobs whose every text was written by somebody who wants to do harm to those who look."""

from __future__ import annotations

import base64
import json
import pickle
import time
import zlib
from typing import Any, Final

import redis

from tests.support.lives import Life
from workhorse.core.dependencies import Parents
from workhorse.core.outcomes import Raised, Returned
from workhorse.store import workers
from workhorse.wire.keys import Keys
from workhorse.wire.records import FIELDS

MARK: Final = "zqz"
"""Stands in every text, so that it is found wherever it is shown."""
TEXTS: Final[dict[str, bytes]] = {
    "HTML": b"</td></script><script>alert('zqz')</script><img src=x onerror=zqz><b id=zqz>'\" "
    b"onmouseover=zqz style=x{{7*7}}<!--",
    "control sequences": b"zqz\x1b[2J\x1b]0;zqz\x07\x9b31m\x90\x1bP\x00\x08\x7f\r\nforged: line",
    "bidi": "zqz\u202egnp.exe\u2066\u200f\u2028forged zqz\u200b\ufeff".encode(),
    "invalid UTF-8": b"zqz\xff\xfe\xed\xa0\x80\xc3(\xf8",
    "attributes": b"javascript:alert('zqz')",
    "deep JSON": b"[" * 20_000 + b'"zqz"' + b"]" * 20_000,
    "a bomb": zlib.compress(b"zqz" + bytes(50_000_000), 9),
    "many digits": b"9" * 4_000,
    "huge": b"zqz" + b"A" * 10_000_000,
}
NAMED: Final = 2_000
"""Bytes of names of keys: more than any screen shows."""
SOME: Final = 100_000
"""Bytes of what is in many places at once."""
JOBS: Final = ("waits", "runs", "failed", "finished", "scheduled", "parent", "child", "retried")
KEPT: Final = {"status", "origin", "execution_id", "dependency_ids", "dependency_id", "extras"}
"""Fields that keep their values, or the job would be in no place."""


class Trap:
    """Whoever unpickles it is caught: the file ``path`` is made."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return open, (self.path, "w")


def plant(client: redis.Redis, text: bytes, trap: str) -> None:
    """Bring jobs in every state onto an empty server, all their texts being *text*."""
    _make(Life(client), text[:NAMED].decode("utf-8", "backslashreplace"))
    for job_id in JOBS:
        _fill(client, job_id, text if job_id == "failed" else text[:SOME], trap)
    _plant_places(client, text[:SOME])


def _fill(raw: redis.Redis, job_id: str, text: bytes, trap: str) -> None:
    """Write *text* into all that is a job's."""
    shown = text[:NAMED].decode("utf-8", "backslashreplace")
    value = pickle.dumps((Trap(trap), shown, {shown: [Trap(trap)]}))
    data = zlib.compress(pickle.dumps((shown, Trap(trap), (shown, Trap(trap)), {shown: shown})))
    names = FIELDS - KEPT if len(text) <= SOME else {"description", "callback_error", "cron"}
    fields: dict[Any, Any] = dict.fromkeys(names, text)
    raw.hset(f"rq:job:{job_id}", mapping=fields | _special(text, data, value))
    raw.hset(f"rq:job:{job_id}", text[:99], text[:NAMED])
    entry: dict[Any, Any] = {
        "type": 2, "exc_string": base64.b64encode(zlib.compress(text)), "worker_name": text,
        "return_value": base64.b64encode(value), "execution_id": text[:NAMED], text[:99]: text,
    }  # fmt: skip
    raw.xadd(f"rq:results:{job_id}", entry)
    raw.xadd(f"rq:results:{job_id}", {text[:99]: text[:NAMED]})
    line: Any = {"at": text[:NAMED], "source": text, "level": text[:NAMED], "text": text}
    raw.xadd(f"rq:log:{job_id}", line)


def _make(life: Life, shown: str) -> None:
    life.settle(life.start("finished", description=shown), Returned(b"1"))
    raised = f"Traceback\n{shown}: {shown}", f'  File "{shown}", line 1, in {shown}\n{shown}'
    for job_id, error in zip(("failed", "retried"), raised, strict=True):
        life.settle(life.start(job_id, description=f"{shown}(1)"), Raised(error))
    name = shown[:200].replace(",", "")
    told = workers.describe_worker(
        queues=["q", name], pid=7, hostname=shown, ip_address=shown, version=shown,
        python_version=shown, state=shown,
    )  # fmt: skip
    life.store.run(workers.register(Keys(), name, ["q"], told, ttl=600))
    life.enqueue("runs")
    life.claim(1, worker=name)
    life.enqueue("scheduled", due_in=600.0)
    life.enqueue("parent")
    life.enqueue("child", parents=Parents(("parent",)))
    life.enqueue("waits")


def _special(text: bytes, data: bytes, value: bytes) -> dict[str, bytes]:
    """Return fields that are of the form that they should be, around *text*."""
    shown = text[:NAMED].decode("utf-8", "backslashreplace")
    hook = {"url": f"http://{shown}/zqz", "job_status": "finished"}
    return {
        "data": data, "meta": value, "result": value,
        "tags": json.dumps([shown, 7, None]).encode(),
        "progress": json.dumps({"done": 1, "total": 2, "note": shown, "at": 1.5}).encode()[:500],
        "webhooks": json.dumps([hook, {"url": 7, "job_status": []}, 7]).encode(),
    }  # fmt: skip


def _plant_places(raw: redis.Redis, text: bytes) -> None:
    """Put *text* where names of queues, jobs, workers, groups, limits and functions are."""
    name, now = text[:NAMED], time.time()
    key: Any
    for key in (b"rq:queue:q", b"rq:queue:" + name, b"rq:broken:q", b"rq:broken:" + name):
        raw.rpush(key, name, "waits")
    for kind in (b"failed", b"finished", b"scheduled", b"deferred", b"canceled", b"wip"):
        for queue in (b"q", name):
            raw.zadd(b"rq:%s:%s" % (kind, queue), {name: now + 60, b"failed": now + 60})
    for index in (b"rq:rl:" + name, b"rq:rl:mail"):
        raw.zadd(index + b":allowed", {name: now, b"runs": now})
        raw.zadd(index + b":rate_limited", {name: now, b"waits": now})
        raw.hset(index, "concurrency", name)
    causes: Any = raw.zrange("rq:causes", 0, -1)
    for cause in causes:
        raw.hset(b"rq:cause:" + cause, mapping={
            "function": name, "error": name, "message": name, "place": name, "first_at": name,
        })  # fmt: skip
        raw.zadd(b"rq:failed_of:" + cause, {name: now, b"failed": now})
    lists: dict[str, bytes] = {
        "rq:queues": b"rq:queue:" + name, "rq:workers": b"rq:worker:" + name, "rq:groups": name,
        "rq:rl-keys": name, "rq:tags": name, "rq:job:parent:dependents": name,
    }  # fmt: skip
    for key, member in lists.items():
        raw.sadd(key, member)
    raw.sadd(b"rq:group:" + name, name, b"waits")
    raw.zadd(b"rq:tag:" + name, {name: now, b"waits": now})
    about: Any = dict.fromkeys(("state", "queues", "hostname", "version", "birth"), text)
    raw.hset(b"rq:worker:" + name, mapping=about)
    raw.sadd(b"rq:worker:" + name + b":executions", name)
    raw.hset("rq:durations", mapping={
        b"inf:" + name: 3, b"failed:" + name: 1, b"micros:" + name: name, name: name,
    })  # fmt: skip
    raw.hset("rq:totals", mapping={b"enqueue:" + name: 3, name: name})
    raw.zadd("rq:cron_due", {name: now + 60})
    raw.zadd("rq:cron_jobs", {name: now})
    entry: Any = dict.fromkeys(("func", "cron", "queue", "name", "data", "schedule"), name)
    raw.hset(b"rq:cron:" + name, mapping=entry)
    raw.zadd(b"rq:cron_job:" + name + b":jobs", {name: now})
    raw.zadd("rq:cron_schedulers", {name: now})
    raw.hset(b"rq:cron_scheduler:" + name, mapping={"hostname": text[:NAMED], "pid": name})
    audit: Any = {"user": text, "action": text, "what": text, "outcome": text, "at": text}
    raw.xadd("rq:audit", audit)
