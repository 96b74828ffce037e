"""What happened is counted: each verb once, also where a call is sent again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import redis

from tests.support.jobs import nothing
from tests.support.lives import Life, record, settlement
from tests.support.servers import RunningServer
from workhorse import Cron
from workhorse.core.dependencies import Parents
from workhorse.core.outcomes import Raised, Returned, Stopped
from workhorse.core.verdicts import judge
from workhorse.store import dependents, jobs, schedule
from workhorse.store.drivers import Store
from workhorse.store.faults import ServerError
from workhorse.wire.keys import Keys
from workhorse.worker.duties.cron import Cron as CronDuty

Totals = dict[str, int]


class SendsTwice(redis.Redis):
    """A client that never got the first reply to a script, and sends it again."""

    def execute_command(self, *words: Any, **options: Any) -> Any:
        send: Any = super().execute_command
        if words[0] in ("EVALSHA", "EVAL"):
            send(*words, **options)
        return send(*words, **options)


def totals(client: redis.Redis, queue: str = "q") -> Totals:
    """Return what was counted of a queue."""
    found: Any = client.hgetall("rq:totals")
    named = {tuple(field.decode().split(":", 1)): int(many) for field, many in found.items()}
    return {event: many for (event, of), many in named.items() if of == queue}


def enqueue_many(life: Life) -> None:
    life.enqueue("a", "b", "c")
    life.enqueue("c", "d", token="another")  # one has an id that is taken


def wait_for_others(life: Life) -> None:
    life.enqueue("later", due_in=-1)
    life.enqueue("limited", "limited too", rate_limit_key="k", rate_limit_concurrency=1)
    life.enqueue("child", parents=Parents(("later",)))


def finish(life: Life) -> None:
    life.enqueue("a", "b")
    for job in life.claim(2).jobs:
        life.settle(job, Returned(b"42"))


def fail_at_last(life: Life) -> None:
    job = life.start(retries_left=1, retry_intervals=(0,))
    life.settle(job, judge(Raised("boom"), job.policy))
    life.settle(life.claim_one(), Raised("boom"))


def retry_later(life: Life) -> None:
    job = life.start(retries_left=1, retry_intervals=(60,))
    life.settle(job, replace(judge(Raised("boom"), job.policy), due_in=-1))
    life.store.run(schedule.forward(life.keys))


def stop(life: Life) -> None:
    job = life.start()
    life.stop(token="t")
    life.settle(job, Stopped())


def give_back(life: Life) -> None:
    life.enqueue("a", "b")
    life.release(*life.claim(2).jobs)


def lose(life: Life) -> None:
    life.extend(life.start(on_lost="requeue"), lease=-1)
    life.recover()


def lose_for_good(life: Life) -> None:
    life.extend(life.start(on_lost="fail"), lease=-1)
    life.recover()


def refuse(life: Life) -> None:
    job = life.start()
    life.cancel()
    life.settle(job, Returned(b"late"))


def requeue(life: Life) -> None:
    life.settle(life.start(), Raised("boom"))
    life.store.run(jobs.requeue(life.keys, "j", token="t"))


def cancel_with_child(life: Life) -> None:
    life.enqueue("j")
    life.enqueue("child", parents=Parents(("j",), "cancel"))
    life.store.run(jobs.cancel(life.keys, "j", token="t"))


def fail_with_child(life: Life) -> None:
    life.enqueue("j")
    life.enqueue("child", parents=Parents(("j",), "cancel"))
    life.settle(life.claim_one(), Raised("boom"))


def gone_parent(life: Life) -> None:
    life.enqueue("j")
    life.enqueue("child", parents=Parents(("j",), "cancel"))
    life.client.delete("rq:job:j", "rq:queue:q")
    child = dependents.Child("q", b"child")
    life.store.run(dependents.reconsider(life.keys, [child]))


def delete(life: Life) -> None:
    life.enqueue("a", "b")
    life.delete("a", "b", "c")


def empty(life: Life) -> None:
    life.enqueue("a", "b")
    life.store.run(jobs.empty(life.keys, "q", keep_jobs=False, forget=False))


def expire(life: Life) -> None:
    life.enqueue("a", "b")
    life.enqueue("later", due_in=60)
    life.client.zadd("rq:scheduled:q", {"later": 1})
    life.client.delete("rq:job:a", "rq:job:later")
    life.claim(1)
    life.store.run(schedule.forward(life.keys))


def fire(life: Life) -> None:
    cron = Cron(connection=life.client)
    cron.add("e", nothing, interval=60, queue="q")
    slot = cron.get("e").record.slot
    assert slot is not None
    CronDuty(life.store, life.keys).run_once(0, at=slot)


def hasten(life: Life) -> None:
    life.enqueue("j", due_in=60)
    life.store.run(schedule.hasten(life.keys, "j", token="t"))


LIVES: dict[Callable[[Life], None], Totals] = {
    enqueue_many: {"enqueue": 4},
    wait_for_others: {"enqueue": 4},
    finish: {"enqueue": 2, "claim": 2, "succeed": 2},
    fail_at_last: {"enqueue": 1, "claim": 2, "retry": 1, "fail": 1},
    retry_later: {"enqueue": 1, "claim": 1, "retry": 1, "forward": 1},
    stop: {"enqueue": 1, "claim": 1, "stop": 1},
    give_back: {"enqueue": 2, "claim": 2, "release": 2},
    lose: {"enqueue": 1, "claim": 1, "recover": 1},
    lose_for_good: {"enqueue": 1, "claim": 1, "fail": 1},
    refuse: {"enqueue": 1, "claim": 1, "cancel": 1},
    requeue: {"enqueue": 1, "claim": 1, "fail": 1, "requeue": 1},
    cancel_with_child: {"enqueue": 2, "cancel": 2},
    fail_with_child: {"enqueue": 2, "claim": 1, "fail": 1, "cancel": 1},
    gone_parent: {"enqueue": 2, "cancel": 1},
    delete: {"enqueue": 2, "delete": 2},
    empty: {"enqueue": 2, "delete": 2},
    expire: {"enqueue": 3, "expire": 2, "claim": 1},
    fire: {"enqueue": 1},
    hasten: {"enqueue": 1, "forward": 1},
}  # fmt: skip


@pytest.mark.parametrize("live", LIVES, ids=lambda live: live.__name__)
def test_each_verb_is_counted_once_though_each_call_is_sent_twice(
    client: redis.Redis, valkey_server: RunningServer, live: Callable[[Life], None]
) -> None:
    with SendsTwice(unix_socket_path=str(valkey_server.socket)) as twice:
        live(Life(twice))
    assert totals(client) == LIVES[live]


def test_each_verb_is_counted_on_every_server(every_life: Life) -> None:
    for live, expected in LIVES.items():
        every_life.client.flushall()
        live(every_life)
        assert totals(every_life.client) == expected, live.__name__


def test_what_was_stored_before_a_call_failed_is_counted_once(every_life: Life) -> None:
    life = every_life
    life.client.set("rq:queue:broken", "x")
    records = [record("a"), record("b", origin="broken"), record("c")]
    call = jobs.enqueue(life.keys, records)
    with pytest.raises(ServerError, match="WRONGTYPE"):
        life.store.run(call)
    assert totals(life.client) == {"enqueue": 1}
    life.client.delete("rq:queue:broken")
    life.store.run(call)
    assert totals(life.client) == {"enqueue": 2}
    assert totals(life.client, "broken") == {"enqueue": 1}


def test_a_counter_that_can_not_be_read_is_begun_anew(every_life: Life) -> None:
    life = every_life
    life.client.set("rq:totals", "x")
    life.client.set("rq:durations", "x")
    life.settle(life.start(description="shop.pay()"), Returned(b"42"))
    life.client.hset("rq:totals", "enqueue:q", "x")
    life.client.hset("rq:durations", "1:shop.pay", "x")
    life.settle(life.start("k", description="shop.pay()"), Returned(b"42"))
    assert totals(life.client) == {"enqueue": 1, "claim": 2, "succeed": 2}
    assert life.client.hget("rq:durations", "1:shop.pay") == b"1"


def test_a_server_that_is_full_counts_what_it_does_and_nothing_else(every_life: Life) -> None:
    life = every_life
    job = life.start()
    life.client.config_set("maxmemory", 1)
    try:
        with pytest.raises(ServerError, match="OOM"):
            life.enqueue("refused")
        life.settle_many([settlement(job, judge(Returned(b"42")))])
    finally:
        life.client.config_set("maxmemory", 0)
    assert totals(life.client) == {"enqueue": 1, "claim": 1, "succeed": 1}


def test_queues_are_counted_apart(life: Life) -> None:
    names = ["q", "a:b", "ö", "x" * 1000]
    store, keys = Store(life.client), Keys()
    for number, name in enumerate(names):
        store.run(jobs.enqueue(keys, [record(f"j{number}", origin=name)]))
    found: Any = life.client.hgetall("rq:totals")
    assert {field.decode() for field in found} == {f"enqueue:{name}" for name in names}
