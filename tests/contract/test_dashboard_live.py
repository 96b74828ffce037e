"""What has changed, told to those who look; and parts of pages, made once for all of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

pytest.importorskip("starlette", reason="the extra 'dashboard' is not installed")

from tests.support.waiting import wait_until
from workhorse import Queue
from workhorse.dashboard.live import MOST_LISTENERS, Live
from workhorse.dashboard.parts import MOST, Parts
from workhorse.store.drivers import Store
from workhorse.wire.keys import Keys


@pytest.fixture
def live(client: redis.Redis) -> Iterator[Live]:
    found = Live(Store(client), Keys())
    yield found
    found.close()


def readers() -> int:
    return sum(thread.name == "workhorse-live" for thread in threading.enumerate())


def test_the_reader_is_there_while_somebody_listens(live: Live) -> None:
    assert readers() == 0
    listeners = [live.listen("", lambda: None) for _ in range(3)]
    assert readers() == 1
    for listener in listeners:
        assert listener is not None
        live.forget(listener)
    wait_until(lambda: readers() == 0)
    again = live.listen("job:j", lambda: None)
    assert again is not None
    assert readers() == 1
    live.forget(again)


def test_who_follows_a_job_is_woken_by_what_it_does(live: Live, client: redis.Redis) -> None:
    Queue("q", connection=client).enqueue("os.getcwd", job_id="j")
    woken = threading.Event()
    listener = live.listen("job:j", woken.set)
    assert listener is not None
    wait_until(lambda: live.state("job:j").version)
    woken.clear()
    before = live.state("job:j").version
    client.hset("rq:job:j", "progress", '{"done": 1}')
    assert woken.wait(5)
    wait_until(lambda: live.state("job:j").version != before)
    live.forget(listener)


def test_what_was_done_from_here_is_told_at_once(live: Live) -> None:
    before = live.state().version
    live.poke()
    assert live.state().version != before


def test_there_are_so_many_listeners_and_no_more(live: Live) -> None:
    listeners = [live.listen("", lambda: None) for _ in range(MOST_LISTENERS)]
    assert live.listen("", lambda: None) is None
    assert None not in listeners
    live.close()
    assert live.listen("", lambda: None) is None


def test_a_part_is_made_once_for_all_who_ask_at_the_same_time() -> None:
    parts: Parts[str] = Parts()
    made = []
    begun, goes_on = threading.Event(), threading.Event()

    def make() -> str:
        made.append(1)
        begun.set()
        assert goes_on.wait(10)
        return "part"

    with ThreadPoolExecutor(5) as pool:
        answers = [pool.submit(parts.get, "/queues", "v1", make) for _ in range(5)]
        assert begun.wait(10)
        goes_on.set()
        assert [answer.result() for answer in answers] == ["part"] * 5
    assert len(made) == 1
    assert parts.get("/queues", "v1", lambda: "never asked for") == "part"
    assert parts.get("/queues", "v2", lambda: "newer") == "newer"


def test_a_part_that_could_not_be_made_is_tried_again() -> None:
    parts: Parts[str] = Parts()

    def fail() -> str:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        parts.get("/", "v", fail)
    assert parts.get("/", "v", lambda: "yes") == "yes"


def test_parts_that_nobody_asked_for_lately_are_forgotten() -> None:
    parts: Parts[int] = Parts()
    for number in range(MOST + 1):
        parts.get(number, "v", lambda: 0)
    assert parts.get(0, "v", lambda: 1) == 1
    assert parts.get(MOST, "v", lambda: 1) == 0
