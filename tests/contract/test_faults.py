"""Errors as servers and redis-py word them, sorted by what to do about them."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from workhorse.store.faults import is_passing, is_refused_login


def error_for(client: redis.Redis, reply: str) -> redis.RedisError:
    """Return what redis-py raises when a server answers with *reply*."""
    anything: Any = client
    with pytest.raises(redis.RedisError) as raised:
        anything.eval("return {err = ARGV[1]}", 0, reply)
    return raised.value


@pytest.mark.parametrize(
    "reply",
    [
        "LOADING Redis is loading the dataset in memory",
        "READONLY You can't write against a read only replica.",
        "OOM command not allowed when used memory > 'maxmemory'.",
        "ERR Error running script: @user_script:7: -OOM command not allowed",
        "MISCONF Errors writing to the AOF file: No space left on device",
        "NOREPLICAS Not enough good replicas to write.",
        "BUSY Redis is busy running a script.",
        "UNBLOCKED force unblock from blocking operation",
        "MASTERDOWN Link with MASTER is down",
        "CLUSTERDOWN The cluster is down",
        "TRYAGAIN Multiple keys request during rehashing of slot",
        "MOVED 3999 127.0.0.1:6381",
        "ASK 3999 127.0.0.1:6381",
    ],
    ids=lambda reply: reply.split()[0],
)
def test_what_passes_by_itself_is_worth_another_try(client: redis.Redis, reply: str) -> None:
    error = error_for(client, reply)
    assert is_passing(error)
    assert not is_refused_login(error)


@pytest.mark.parametrize(
    "reply",
    [
        "NOAUTH Authentication required.",
        "WRONGPASS invalid username-password pair or user is disabled.",
        "NOPERM this user has no permissions to run the 'evalsha' command",
    ],
    ids=lambda reply: reply.split()[0],
)
def test_a_refused_login_is_no_passing_trouble(client: redis.Redis, reply: str) -> None:
    error = error_for(client, reply)
    assert is_refused_login(error)
    assert not is_passing(error)


@pytest.mark.parametrize(
    "reply",
    ["WRONGTYPE Operation against a key holding the wrong kind of value", "ERR syntax error"],
    ids=lambda reply: reply.split()[0],
)
def test_our_own_mistakes_are_neither(client: redis.Redis, reply: str) -> None:
    error = error_for(client, reply)
    assert not is_passing(error)
    assert not is_refused_login(error)


def test_a_lost_connection_is_worth_another_try() -> None:
    assert is_passing(redis.ConnectionError("gone"))
    assert is_passing(redis.TimeoutError("late"))
