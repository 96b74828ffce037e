"""What a worker hears, over connections that break."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from tests.support.servers import RunningServer
from tests.support.waiting import wait_until
from workhorse.store.channels import Listener
from workhorse.store.connections import connect


@pytest.fixture
def listener(client: redis.Redis, valkey_server: RunningServer) -> Iterator[Listener]:
    made = Listener(lambda: connect(valkey_server.url, for_worker=True))
    made.follow(["news"])
    made.heard()
    wait_until(lambda: client.publish("news", "first"))
    wait_until(lambda: made.heard() == [("news", b"first")])
    yield made
    made.close()


def test_what_is_said_while_a_listener_finds_its_connection_cut_is_heard(
    client: redis.Redis, listener: Listener
) -> None:
    client.client_kill_filter(_type="pubsub")
    heard = listener.heard()  # in which it subscribes again
    assert client.publish("news", "second") == 1
    wait_until(lambda: heard + listener.heard() == [("news", b"second")])
