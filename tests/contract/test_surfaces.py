"""Each option of a job, by each way to enqueue one, stores the same fields.

The ways are compared with ``Queue.enqueue``. ``has_room`` says what a way has no room for: at the
call of a decorated function other names are its own arguments, as in RQ, and a cron entry makes
many jobs. Of RQ's own holes there is none.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis

from tests.support import calls
from tests.support.api import nothing_sent
from tests.support.surfaces import (
    NOT_FOR_CRON,
    OPTIONS,
    WAYS,
    Option,
    Way,
    cron_entry,
    cron_file,
    enqueue,
    enqueue_at,
    enqueue_in,
    has_room,
    plain,
    shell,
)  # fmt: skip
from workhorse import Job, Queue, UnsupportedOptionError, job

OF_THE_WAY = {b"created_at", b"enqueued_at", b"token", b"status", b"scheduled_for"}
"""Fields that differ from one call to the next, and how a way has the job wait."""


def stored(client: redis.Redis, way: Way, option: Option) -> dict[bytes, Any]:
    """Enqueue a call by *way* on an empty server that has a parent; return its fields."""
    client.flushall()
    Queue("parents", client).enqueue(calls.add, job_id="parent")
    way(client, option)
    keys = [key for key in client.scan_iter("rq:job:*") if client.type(key) == b"hash"]
    (key,) = (key for key in keys if key != b"rq:job:parent")
    found: Any = client.hgetall(key)
    fields: dict[bytes, Any] = {
        name: value for name, value in found.items() if name not in OF_THE_WAY
    }
    if b"webhooks" in fields:
        fields[b"webhooks"] = json.loads(fields[b"webhooks"])
    if way is shell and b"meta" in fields:
        fields[b"meta"] = Job.fetch(key.removeprefix(b"rq:job:").decode(), client).meta
    return fields


ROOMS = [(way, option) for way in WAYS for option in OPTIONS if has_room(way, option)]


@pytest.mark.parametrize(
    ("way", "option"), ROOMS, ids=[f"{way.__name__}-{option.name}" for way, option in ROOMS]
)
def test_an_option_stores_the_same_fields_whichever_way_it_goes(
    client: redis.Redis, option: Option, way: Way
) -> None:
    expected = stored(client, enqueue, option)
    if way is shell and option.name == "meta":
        expected[b"meta"] = option.value
    if way in (cron_entry, cron_file):  # a job of cron names its entry, in fields of its own
        found = stored(client, way, option)
        assert {name: found.get(name) for name in expected} == expected
    else:
        assert stored(client, way, option) == expected


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_an_option_says_something(client: redis.Redis, option: Option) -> None:
    """Or the comparison with ``enqueue`` would compare nothing."""
    bare = stored(client, enqueue, Option("description", None, ()))
    with_it = stored(client, enqueue, option)
    if option.name == "job_id":
        assert client.exists("rq:job:mine")
    elif option.name == "unique":
        with pytest.raises(ValueError, match="is there already"):
            enqueue(client, option)
    else:
        assert (
            with_it.items() - bare.items() if option.name != "webhooks" else b"webhooks" in with_it
        )


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_a_way_that_waits_does_not_forget_the_moment(client: redis.Redis, option: Option) -> None:
    for way in (enqueue_at, enqueue_in):
        client.flushall()
        made: Any = way(client, option)
        assert made.is_scheduled
        assert client.zscore("rq:scheduled:low", made.id) is not None


@pytest.mark.parametrize("name", NOT_FOR_CRON)
def test_what_a_cron_entry_has_no_room_for_is_refused(client: redis.Redis, name: str) -> None:
    option = next(option for option in OPTIONS if option.name == name)
    with nothing_sent(client), pytest.raises(UnsupportedOptionError, match=f"has no {name}"):
        cron_entry(client, Option(name, option.value, ()))


def test_an_option_at_a_decorated_call_is_an_argument(client: redis.Redis) -> None:
    made = job("low", client)(plain(calls.echo)).delay(timeout=5, meta=1)
    assert made.kwargs == {"timeout": 5, "meta": 1}
