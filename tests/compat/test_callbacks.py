"""Callbacks and webhooks on a server that RQ 3.0 shares, from either side to the other."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import redis

from tests.compat import jobs
from tests.compat.sides import KINDS, Kind, RQSide, work_off
from workhorse import Callback, Queue, Webhook

pytestmark = pytest.mark.timeout(180)  # the first test may have to install RQ

ALL = {"on_success": "called_back", "on_failure": "called_back", "on_stopped": "called_back"}


def lines(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


@pytest.mark.parametrize("kind", KINDS)
def test_our_workers_call_the_callbacks_of_rqs_jobs(
    rq: RQSide, client: redis.Redis, tmp_path: Path, kind: Kind
) -> None:
    del client
    log = tmp_path / "log"
    ids = [rq("enqueue", call="log_and_end", args=[str(log), how], **ALL) for how in ("", "raise")]
    work_off(kind, rq.url)
    assert sorted(lines(log)) == ["('',)", "ValueError"]  # of two workers
    assert rq("statuses", job_ids=ids) == ["finished", "failed"]


def test_rqs_workers_call_the_callbacks_of_our_jobs(
    rq: RQSide, client: redis.Redis, tmp_path: Path
) -> None:
    queue, log = Queue(connection=client), tmp_path / "log"
    told: dict[str, Any] = {name: Callback(jobs.called_back, timeout=30) for name in ALL}
    made = [queue.enqueue(jobs.log_and_end, str(log), how, **told) for how in ("", "raise")]
    rq("work")
    assert lines(log) == ["('',)", "ValueError"]
    assert [job.get_status() for job in made] == ["finished", "failed"]


class _Receiver(BaseHTTPRequestHandler):
    heard: list[Any]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.heard.append(json.loads(body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        del format, args


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("WORKHORSE_WEBHOOK_ALLOW", "127.0.0.1")
    handler = type("Handler", (_Receiver,), {"heard": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def hook_of(receiver: Any, job_status: str) -> dict[str, Any]:
    url = f"http://127.0.0.1:{receiver.server_port}/"
    return {"url": url, "job_status": job_status, "method": "POST"}


def test_both_sides_tell_receivers_the_same_of_a_job(
    rq: RQSide, client: redis.Redis, tmp_path: Path, receiver: Any
) -> None:
    """Whoever made a job, and whoever ran it; but for ids and moments."""
    queue, log = Queue(connection=client), str(tmp_path / "log")
    heard = receiver.RequestHandlerClass.heard
    told: list[list[dict[str, Any]]] = []
    for maker, runner in (("rq", "rq"), ("rq", "ours"), ("ours", "rq"), ("ours", "ours")):
        for how, status in (("", "finished"), ("raise", "failed")):
            hook = hook_of(receiver, status)
            if maker == "rq":
                rq("enqueue", call="log_and_end", args=[log, how], webhooks=[hook])
            else:
                queue.enqueue(jobs.log_and_end, log, how, webhooks=[Webhook(**hook)])
        if runner == "rq":
            rq("work")
        else:
            work_off("fork", rq.url)
        told.append(sorted(heard, key=lambda facts: str(facts["status"])))
        heard.clear()
    shown = [[_plain(facts) for facts in several] for several in told]
    assert shown[0] == shown[1] == shown[2] == shown[3]
    assert [facts["status"] for facts in shown[0]] == ["failed", "finished"]


def _plain(facts: dict[str, Any]) -> dict[str, Any]:
    plain = dict(facts)
    for name in ("job_id", "enqueued_at", "ended_at"):
        plain[name] = bool(plain[name])
    if "exc_info" in plain:
        plain["exc_info"] = plain["exc_info"].rstrip().rpartition("\n")[2]
    return plain
