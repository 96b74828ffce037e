"""Webhooks: what receivers are told, how often, and where nothing is sent."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support import fleet as fleets
from tests.support.fleet import Fleet
from tests.support.waiting import wait_until
from workhorse import Webhook
from workhorse.core.errors import InvalidOptionError, WebhookFailedError, WebhookRefusedError
from workhorse.core.webhooks import is_allowed, networks_of, target_of
from workhorse.worker import webhooks

ALLOWED = {"WORKHORSE_WEBHOOK_ALLOW": "127.0.0.0/8"}
SECRET = "a secret of these tests"  # noqa: S105


class Receiver(ThreadingHTTPServer):
    """Notes what it is sent, and answers as it was told."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.heard: list[dict[str, Any]] = []
        self.answers: list[tuple[int, dict[str, str]]] = []
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook?id=1"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        heard = {"method": self.command, "path": self.path, "body": body}
        self.server.heard.append({**heard, "headers": dict(self.headers)})
        status, headers = self.server.answers.pop(0) if self.server.answers else (204, {})
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    do_POST = do_GET  # noqa: N815 - the name that the library calls

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        del format, args


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def fleet(server_socket: Path) -> Iterator[Fleet]:
    yield from fleets.of_server(server_socket)


def followers(fleet: Fleet) -> list[str]:
    keys = [key.decode() for key in fleet.client.scan_iter("rq:job:webhook*", count=1000)]
    return sorted(key.removeprefix("rq:job:") for key in keys)


def test_a_success_is_told_once_to_those_who_ask_for_it(fleet: Fleet, receiver: Receiver) -> None:
    hooks = (
        Webhook(receiver.url, "finished", method="POST", headers={"Authorization": "Bearer x"}),
        Webhook(receiver.url, "failed", method="POST"),
        Webhook(receiver.url, "finished"),
    )
    job = fleet.enqueue("add", 2, 3, webhooks=hooks)
    fleet.drain(environment={**ALLOWED, "WORKHORSE_WEBHOOK_SECRET": SECRET})
    assert sorted(heard["method"] for heard in receiver.heard) == ["GET", "POST"]
    (post,) = [heard for heard in receiver.heard if heard["method"] == "POST"]
    told = json.loads(post["body"])
    assert list(told) == ["job_id", "func_name", "status", "enqueued_at", "ended_at"]
    assert (told["job_id"], told["func_name"]) == (job, "tests.support.jobs.add")
    assert told["status"] == "finished"
    assert told["enqueued_at"] < told["ended_at"]
    assert post["path"] == "/hook?id=1"
    assert post["headers"]["Authorization"] == "Bearer x"
    assert post["headers"]["Content-Type"] == "application/json"
    assert_signed(post)
    assert [fleet.state(each) for each in followers(fleet)] == ["finished", "finished"]


def assert_signed(heard: dict[str, Any]) -> None:
    stamp, told = heard["headers"]["Workhorse-Signature"].split(",")
    signed = stamp.removeprefix("t=").encode() + b"." + heard["body"]
    expected = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert told == f"v1={expected}"


@pytest.mark.parametrize("result_ttl", [500, 0])
def test_a_failure_is_told_with_its_traceback_when_it_is_final(
    fleet: Fleet, receiver: Receiver, result_ttl: int
) -> None:
    hooks = (Webhook(receiver.url, "failed", method="POST"),)
    fleet.enqueue(
        "fail", "no such customer", webhooks=hooks, retries_left=1, retry_intervals=(0,),
        failure_ttl=result_ttl,
    )  # fmt: skip
    fleet.drain(environment=ALLOWED)
    (heard,) = receiver.heard
    told = json.loads(heard["body"])
    assert told["status"] == "failed"
    assert told["func_name"] == "tests.support.jobs.fail"
    assert told["exc_info"].rstrip().endswith("ValueError: no such customer")
    assert "Workhorse-Signature" not in heard["headers"]


def test_a_receiver_that_is_away_is_told_later(fleet: Fleet, receiver: Receiver) -> None:
    receiver.answers = [(503, {})]
    fleet.enqueue("nothing", webhooks=(Webhook(receiver.url, "finished"),))
    fleet.drain(environment=ALLOWED)
    (follower,) = followers(fleet)
    assert fleet.state(follower) == "scheduled"
    fleet.client.zadd("rq:scheduled:q", {follower: 1})
    supervisor = fleet.start(environment=ALLOWED)
    fleet.wait_for(follower, "finished")
    assert supervisor.stop() == 0
    deliveries = {heard["headers"]["Workhorse-Delivery"] for heard in receiver.heard}
    assert (len(receiver.heard), deliveries) == (2, {follower})


@pytest.mark.parametrize("status", [302, 404])
def test_a_receiver_that_does_not_want_it_is_left_alone(
    fleet: Fleet, receiver: Receiver, status: int
) -> None:
    receiver.answers = [(status, {"Location": f"{receiver.url}&followed=1"})]
    job = fleet.enqueue("nothing", webhooks=(Webhook(receiver.url, "finished"),))
    fleet.drain(environment=ALLOWED)
    (follower,) = followers(fleet)
    assert (fleet.state(job), fleet.state(follower)) == ("finished", "failed")
    assert len(receiver.heard) == 1
    assert f"answered {status}" in fleet.error(follower)


def test_nothing_is_sent_into_ones_own_network(fleet: Fleet, receiver: Receiver) -> None:
    secret = {"Authorization": "Bearer hush"}
    job = fleet.enqueue("nothing", webhooks=(Webhook(receiver.url, "finished", headers=secret),))
    supervisor = fleet.drain()
    (follower,) = followers(fleet)
    assert (fleet.state(job), fleet.state(follower)) == ("finished", "failed")
    assert receiver.heard == []
    assert "not an address of the Internet" in fleet.error(follower)
    assert "hush" not in supervisor.log
    assert "hush" not in fleet.error(follower)


def test_a_job_that_died_is_told_of_too(fleet: Fleet, receiver: Receiver) -> None:
    hooks = (Webhook(receiver.url, "failed", method="POST"),)
    fleet.enqueue("kill_own_process", str(fleet.journal), webhooks=hooks, on_lost="fail")
    fleet.drain(environment=ALLOWED, isolation="fork")
    (heard,) = receiver.heard
    assert json.loads(heard["body"])["exc_info"].startswith("Job lost")


def test_a_webhook_of_rqs_client_is_sent_as_checked_when_it_is_sent(fleet: Fleet) -> None:
    told = [{"url": "http://user@example.com/", "job_status": "finished"}, "x", {"url": 7}]
    job = fleet.enqueue("nothing")
    fleet.client.hset(f"rq:job:{job}", mapping={"extras": 1, "webhooks": json.dumps(told)})
    fleet.drain()
    (follower,) = followers(fleet)
    assert (fleet.state(job), fleet.state(follower)) == ("finished", "failed")
    assert "user or password" in fleet.error(follower)


# Where nothing is sent

URLS = [
    "http://127.0.0.1", "http://127.1", "http://0.0.0.0", "http://0", "http://2130706433",
    "http://0177.0.0.1", "http://0x7f.0.0.1", "http://0x7f000001", "http://localhost",
    "http://[::1]", "http://[::]", "http://[::ffff:127.0.0.1]", "http://[::ffff:7f00:1]",
    "http://[::127.0.0.1]", "http://[64:ff9b::7f00:1]", "http://[2002:7f00:1::]",
    "http://169.254.169.254/latest/meta-data", "http://[fd00:ec2::254]", "http://[fe80::1]",
    "http://10.0.0.1", "http://172.16.0.1", "http://192.168.1.1", "http://100.100.100.200",
    "http://224.0.0.1", "http://[ff02::1]", "http://255.255.255.255", "http://240.0.0.1",
]  # fmt: skip
"""Addresses of this machine, its network, a cloud's metadata, groups: in each spelling."""


@pytest.mark.parametrize("url", URLS)
def test_no_spelling_leads_to_an_address_that_is_not_of_the_internet(url: str) -> None:
    told = {"url": url, "job_status": "finished", "timeout": 1}
    with pytest.raises((WebhookRefusedError, WebhookFailedError)) as refused:
        webhooks.deliver(told, {}, "d", now=0)
    assert "answered" not in str(refused.value)
    assert "address" in str(refused.value)  # it is none of the Internet, or there is none


@pytest.mark.parametrize(
    "url",
    [
        "http://a@b", "http://a:b@c/", "http://127.0.0.1@example.com", "ftp://example.com", "//x",
        "file:///etc/passwd", "gopher://x", "http://", "http:///x", " http://example.com", "",
        "http://example.com\n", "http://exa mple.com", "http://example.com/\r\nX: y",
        "http://127\u30020\u30020\u30021", "http://\uff11\uff12\uff17.0.0.1", "http://b\u00fccher",
        "http://example.com:99999", "http://example.com:0", "http://example.com:x",
        "http:\\\\example.com", "http://[::1", "http://a%2eb", "javascript:alert(1)",
        "http://example.com/" + "x" * 2000, 7, None,
    ],
)  # fmt: skip
def test_an_odd_url_is_refused_when_it_is_given(url: Any) -> None:
    with pytest.raises(InvalidOptionError):
        Webhook(url, "finished")


@pytest.mark.parametrize(
    "headers",
    [{"X": "a\r\nY: b"}, {"X\n": "a"}, {"": "a"}, {"X": "\u00fc"}, {"Host": "x"}, {"X": 7}, 7,
     {"Content-Length": "1"}, {"X": "x" * 5000}],
)  # fmt: skip
def test_headers_that_would_be_more_than_headers_are_refused(headers: Any) -> None:
    with pytest.raises(InvalidOptionError):
        Webhook("http://example.com", "finished", headers=headers)


@pytest.mark.parametrize("options", [{"method": "PUT"}, {"timeout": 0}, {"timeout": "1"}])
def test_other_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidOptionError):
        Webhook("http://example.com", "finished", **options)


def test_a_webhook_does_not_show_its_headers() -> None:
    hook = Webhook("http://example.com", "finished", headers={"Authorization": "hush"})
    assert "hush" not in repr(hook)
    assert Webhook.from_dict(hook.to_dict()) == hook


def test_networks_can_be_allowed_and_stay_so_in_each_spelling() -> None:
    allowed = networks_of("127.0.0.0/8, fd00::/8")
    assert is_allowed("127.0.0.1", allowed)
    assert is_allowed("::ffff:127.0.0.1", allowed)
    assert is_allowed("fd00:ec2::254", allowed)
    assert not is_allowed("10.0.0.1", allowed)
    with pytest.raises(InvalidOptionError):
        networks_of("10.0.0.0/33")


def test_a_host_that_means_another_address_by_now_is_asked_once(
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver
) -> None:
    """The name is looked up once; the connection is made to what was checked."""
    monkeypatch.setenv("WORKHORSE_WEBHOOK_ALLOW", "127.0.0.2")
    asked: list[str] = []
    really = socket.getaddrinfo

    def look_up(host: str, *more: Any, **options: Any) -> Any:
        if host != "rebinds.example":
            return really(host, *more, **options)
        asked.append(host)
        return really("127.0.0.2" if len(asked) == 1 else "127.0.0.1", *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    url = f"http://rebinds.example:{receiver.server_port}/"
    with pytest.raises(WebhookFailedError):  # nobody listens at the second
        webhooks.deliver({"url": url, "job_status": "finished", "timeout": 1}, {}, "d", now=0)
    assert asked == ["rebinds.example"]
    assert receiver.heard == []


def test_a_receiver_that_says_nothing_is_left_after_the_time_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WORKHORSE_WEBHOOK_ALLOW", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        told = {"url": url, "job_status": "finished", "timeout": 1}
        with pytest.raises(WebhookFailedError, match="timed out"):
            webhooks.deliver(told, {}, "d", now=0)


def test_where_it_goes_is_read_as_it_is_sent() -> None:
    assert target_of("https://Example.com:8443/a?b=c#d") == (
        "https",
        "example.com",
        8443,
        "/a?b=c",
    )
    assert target_of("http://[2606:2800::1]/") == ("http", "2606:2800::1", 80, "/")


def test_receivers_are_told_while_other_jobs_wait(fleet: Fleet, receiver: Receiver) -> None:
    fleet.enqueue("nothing", webhooks=(Webhook(receiver.url, "finished"),))
    fleet.enqueue_many([("nothing",)] * 50)
    fleet.start(environment=ALLOWED)
    wait_until(lambda: receiver.heard)
