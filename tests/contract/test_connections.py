"""Which server is chosen, and what a connection to it does."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from tests.support.servers import RunningServer
from workhorse.store.connections import (
    Choice,
    InvalidConfigError,
    InvalidUrlError,
    checked,
    choose_url,
    connect,
    connect_async,
)
from workhorse.store.server import EmbeddedServer

ALL_SET = {
    "WORKHORSE_URL": "redis://ours",
    "RQ_REDIS_URL": "redis://rqs",
    "REDIS_URL": "redis://everybodys",
}
NOBODY = "redis://localhost:1"


@contextmanager
def a_listener_that_says(reply: bytes) -> Iterator[str]:
    """Yield the URL of a port on which one caller gets *reply*."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(64)
                connection.sendall(reply)

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "workhorse.toml").write_text('url = "redis://configured"\n')
    return tmp_path


def without(*names: str) -> Mapping[str, str]:
    return {name: url for name, url in ALL_SET.items() if name not in names}


def test_the_argument_comes_first(folder: Path) -> None:
    chosen = choose_url("redis://given", ALL_SET, folder)
    assert chosen == Choice("redis://given", "the URL given")


def test_the_environment_comes_second_in_its_own_order(folder: Path) -> None:
    assert choose_url(None, ALL_SET, folder) == Choice("redis://ours", "WORKHORSE_URL")
    rqs = choose_url(None, without("WORKHORSE_URL"), folder)
    assert rqs == Choice("redis://rqs", "RQ_REDIS_URL")
    everybodys = choose_url(None, without("WORKHORSE_URL", "RQ_REDIS_URL"), folder)
    assert everybodys == Choice("redis://everybodys", "REDIS_URL")


def test_an_empty_variable_says_nothing(folder: Path) -> None:
    chosen = choose_url(None, {**ALL_SET, "WORKHORSE_URL": ""}, folder)
    assert chosen.source == "RQ_REDIS_URL"


def test_the_configuration_file_comes_third(folder: Path) -> None:
    chosen = choose_url(None, {}, folder)
    assert chosen == Choice("redis://configured", str(folder / "workhorse.toml"))


@pytest.mark.parametrize("reply", [b"+PONG\r\n", b"-NOAUTH Authentication required.\r\n"])
def test_a_server_on_this_machine_comes_fourth(tmp_path: Path, reply: bytes) -> None:
    with a_listener_that_says(reply) as url:
        chosen = choose_url(None, {}, tmp_path, local_url=url)
    assert chosen == Choice(url, "a server on this machine")


def test_something_else_on_the_port_is_no_server(tmp_path: Path) -> None:
    with a_listener_that_says(b"HTTP/1.1 400 Bad Request\r\n") as url:
        chosen = choose_url(None, os.environ, tmp_path, local_url=url)
    assert chosen.source == "the embedded server"


def test_the_embedded_server_comes_last_and_is_started(tmp_path: Path) -> None:
    environ = {"WORKHORSE_DATA_DIR": str(tmp_path / "data")}
    server = EmbeddedServer(tmp_path / "data")
    try:
        chosen = choose_url(None, environ, tmp_path, local_url=NOBODY)
        assert chosen == Choice(server.url, "the embedded server")
        with connect(chosen.url) as client:
            assert client.ping()
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("localhost:6379", "must start with"),
        ("http://localhost", "must start with"),
        ("", "must start with"),
        ("redis://localhost:port", "[Pp]ort"),
        ("redis://localhost:70000", "[Pp]ort"),
        ("redis://localhost:0", "port 0"),
        ("redis://localhost/one", "'one' is no database"),
        ("redis://[::1", "IPv6"),
        ("redis://localhost?socket_timeout=soon", "socket_timeout"),
        ("redis://localhost?speed=high", "speed"),
        ("unix://", "path is missing"),
    ],
)
def test_a_url_that_cannot_work_is_refused_with_the_reason(url: str, problem: str) -> None:
    with pytest.raises(InvalidUrlError, match=f"^REDIS_URL: .*{problem}"):
        checked(url, "REDIS_URL")


def test_an_error_never_shows_a_password(tmp_path: Path) -> None:
    with pytest.raises(InvalidUrlError) as refused:
        choose_url("redis://ada:s3cret@localhost/one", {}, tmp_path)
    assert "s3cret" not in str(refused.value)
    assert "ada:***@localhost" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b'url = "redis://', "is no TOML"),
        (b"url = '\xff'", "is no TOML"),
        (b"url = 6379", "url must be text"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(
    tmp_path: Path, text: bytes, problem: str
) -> None:
    (tmp_path / "workhorse.toml").write_bytes(text)
    with pytest.raises(InvalidConfigError, match=f"workhorse.toml: {problem}"):
        choose_url(None, {}, tmp_path)


def test_a_configuration_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "workhorse.toml").mkdir()
    with pytest.raises(InvalidConfigError, match="can't be read"):
        choose_url(None, {}, tmp_path)


def test_both_clients_get_the_same_bytes_from_every_server(every_server: RunningServer) -> None:
    async def read() -> object:
        async with connect_async(every_server.url) as client:
            return await client.get("key")

    with connect(every_server.url) as client:
        client.set("key", "value")
        assert client.get("key") == b"value"
    assert asyncio.run(read()) == b"value"


@pytest.mark.parametrize("make", [connect, connect_async])
def test_a_worker_sends_nothing_twice_by_itself(
    make: Callable[..., redis.Redis | redis.asyncio.Redis],
) -> None:
    settings = make("redis://localhost", for_worker=True).connection_pool.connection_kwargs
    attempts = 0

    def lost() -> None:
        nonlocal attempts
        attempts += 1
        raise redis.ConnectionError

    async def lost_in_a_loop() -> None:
        lost()

    retry = settings["retry"]

    def call() -> None:
        if make is connect:
            retry.call_with_retry(lost, lambda _error: None)
        else:
            asyncio.run(retry.call_with_retry(lost_in_a_loop, ignored))

    with pytest.raises(redis.ConnectionError):
        call()
    assert attempts == 1


async def ignored(_error: Exception) -> None:
    """What redis-py does between two attempts."""


def test_an_option_in_the_url_overrules_ours() -> None:
    settings = connect("redis://localhost?socket_timeout=3").connection_pool.connection_kwargs
    assert settings["socket_timeout"] == 3
