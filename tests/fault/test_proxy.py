"""The proxy does what its faults say, to the call that its rule names and to no other."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.support.lives import record
from tests.support.proxy import Fault, Proxy, Rule, message_end, name_of
from tests.support.waiting import wait_until
from workhorse.store import jobs, scripts
from workhorse.store.drivers import Store
from workhorse.wire.keys import Keys

Connect = Callable[..., redis.Redis]


@pytest.fixture
def proxy(server_socket: Path) -> Iterator[Proxy]:
    with Proxy(server_socket) as proxy:
        yield proxy


@pytest.fixture
def connect(proxy: Proxy) -> Iterator[Connect]:
    """Opens clients that send nothing twice and introduce themselves with nothing."""
    with ExitStack() as stack:

        def opened(**options: Any) -> redis.Redis:
            settings = {"protocol": 2, "driver_info": None, **options}
            client: redis.Redis = redis.Redis(
                unix_socket_path=str(proxy.socket), retry=Retry(NoBackoff(), 0), **settings
            )
            stack.callback(client.close)
            return client

        yield opened


@pytest.mark.parametrize(
    "message",
    [
        b"+OK\r\n",
        b"-ERR no\r\n",
        b":12\r\n",
        b"$-1\r\n",
        b"*-1\r\n",
        b"$0\r\n\r\n",
        b"$5\r\na\r\nbc\r\n",
        b"*0\r\n",
        b"*3\r\n$1\r\na\r\n*2\r\n:1\r\n$-1\r\n+b\r\n",
        b"_\r\n",
        b"#t\r\n",
        b",3.25\r\n",
        b"(12345678901234567890\r\n",
        b"!5\r\nERR a\r\n",
        b"=7\r\ntxt:abc\r\n",
        b"%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n:2\r\n",
        b"~2\r\n:1\r\n:2\r\n",
        b"|1\r\n+ttl\r\n:3\r\n$1\r\na\r\n",
        b">2\r\n+invalidate\r\n*1\r\n$1\r\na\r\n:1\r\n",
        b"PING\r\n",
    ],
)
def test_a_message_ends_where_it_ends_and_nowhere_before(message: bytes) -> None:
    assert message_end(message + b"+NEXT\r\n") == len(message)
    assert all(message_end(message[:length]) is None for length in range(len(message)))


def test_scripts_are_known_by_name_in_both_forms() -> None:
    script = scripts.load("settle")
    assert name_of((b"EVALSHA", script.sha.encode(), b"1")) == "settle"
    assert name_of((b"EVAL", script.source.encode(), b"1")) == "settle"
    assert name_of((b"EVALSHA", b"0" * 40, b"1")) == "EVALSHA"


@pytest.mark.parametrize("protocol", [2, 3])
def test_without_a_rule_everything_passes(connect: Connect, protocol: int) -> None:
    client = connect(protocol=protocol)
    client.hset("h", mapping={"a": "1", "b": "x" * 300_000})
    with client.pipeline(transaction=True) as batch:
        batch.hgetall("h")
        batch.zadd("z", {"m": 1.5})
        batch.zrange("z", 0, -1, withscores=True)
        found = batch.execute()
    assert found[0] == {b"a": b"1", b"b": b"x" * 300_000}
    assert [list(pair) for pair in found[2]] == [[b"m", 1.5]]


def test_calls_are_told_with_their_names_and_their_process(proxy: Proxy, connect: Connect) -> None:
    client = connect()
    store = Store(client)
    store.run(jobs.enqueue(Keys(), [record("a")]))
    client.llen("rq:queue:q")
    assert set(proxy.names()) >= {"enqueue", "LLEN"}
    assert {call.pid for call in proxy.calls} == {os.getpid()}
    assert [call.number for call in proxy.calls] == list(range(1, len(proxy.calls) + 1))


def test_a_lost_request_never_reaches_the_server(
    proxy: Proxy, connect: Connect, client: redis.Redis
) -> None:
    rule = proxy.add(Rule(Fault.LOSE_REQUEST, nth=2, name="INCRBY"))
    through = connect()
    assert through.incr("n") == 1
    with pytest.raises(redis.ConnectionError):
        through.incr("n")
    assert client.get("n") == b"1"
    assert through.incr("n") == 2
    assert rule.wait().words == (b"INCRBY", b"n", b"1")


@pytest.mark.parametrize("fault", [Fault.LOSE_REPLY, Fault.CUT_REPLY])
def test_a_lost_reply_leaves_what_the_server_did(
    proxy: Proxy, connect: Connect, client: redis.Redis, fault: Fault
) -> None:
    seen: list[object] = []
    proxy.add(Rule(fault, name="INCRBY", then=lambda _: seen.append(client.get("n"))))
    with pytest.raises(redis.ConnectionError):
        connect().incr("n")
    assert client.get("n") == b"1"
    assert seen == [b"1"]


def test_a_repeated_request_is_done_twice(
    proxy: Proxy, connect: Connect, client: redis.Redis
) -> None:
    proxy.add(Rule(Fault.REPEAT, name="INCRBY"))
    through = connect()
    assert through.incr("n") == 2
    assert through.incr("m") == 1
    assert client.get("n") == b"2"


def test_a_delayed_reply_comes_late(proxy: Proxy, connect: Connect) -> None:
    proxy.add(Rule(Fault.DELAY, name="INCRBY", seconds=0.2))
    began = time.monotonic()
    assert connect().incr("n") == 1
    assert time.monotonic() - began >= 0.2


def test_a_connection_that_hangs_answers_nothing_and_stays_open(
    proxy: Proxy, connect: Connect, client: redis.Redis
) -> None:
    proxy.add(Rule(Fault.HANG, name="INCRBY"))
    with pytest.raises(redis.TimeoutError):
        connect(socket_timeout=0.1).incr("n")
    wait_until(lambda: client.get("n") == b"1")
    assert connect().incr("n") == 2


def test_a_refused_request_never_reaches_the_server_and_the_connection_stays(
    proxy: Proxy, connect: Connect
) -> None:
    proxy.add(Rule(Fault.REFUSE, name="INCRBY", times=2, error="READONLY not now"))
    through = connect()
    for _ in range(2):
        with pytest.raises(redis.exceptions.ReadOnlyError):
            through.incr("n")
    assert through.incr("n") == 1


def test_a_rule_can_choose_by_the_words_of_a_call(proxy: Proxy, connect: Connect) -> None:
    proxy.add(Rule(Fault.LOSE_REQUEST, where=lambda call: b"poison" in call.words))
    through = connect()
    assert through.incr("n") == 1
    with pytest.raises(redis.ConnectionError):
        through.incr("poison")


def test_one_call_of_a_pipeline_is_lost_with_those_behind_it(
    proxy: Proxy, connect: Connect, client: redis.Redis
) -> None:
    proxy.add(Rule(Fault.LOSE_REPLY, nth=2, name="INCRBY"))
    with connect().pipeline(transaction=False) as batch:
        for _ in range(3):
            batch.incr("n")
        with pytest.raises(redis.ConnectionError):
            batch.execute()
    assert client.get("n") == b"2"


def test_a_partition_cuts_what_is_there_and_what_comes_until_it_heals(
    proxy: Proxy, connect: Connect
) -> None:
    through = connect()
    assert through.incr("n") == 1
    proxy.partition()
    for _ in range(2):
        with pytest.raises(redis.ConnectionError):
            through.incr("n")
    proxy.heal()
    assert through.incr("n") == 2


def test_a_client_that_goes_takes_its_blocked_call_along(
    proxy: Proxy, client: redis.Redis
) -> None:
    with socket.socket(socket.AF_UNIX) as raw:
        raw.connect(str(proxy.socket))
        raw.sendall(b"BLPOP list 0\r\n")
        wait_until(lambda: client.info("clients")["blocked_clients"] == 1)
    wait_until(lambda: client.info("clients")["blocked_clients"] == 0)
