"""The way to each screen, and what each action does: the steps of the walk through a dashboard.

``SCREENS`` and ``ACTIONS`` have a step each; ``test_walk.py`` takes them all, on the server of a
``Shop``: jobs in every state, that real workers ran or run, and something for each action.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import redis

from tests.support import page_jobs
from tests.support.fleet import Fleet
from tests.support.waiting import wait_until
from workhorse import Cron, Group, Job, Queue, RateLimit
from workhorse.store import audit_log, pauses
from workhorse.store.audit_log import AuditEntry
from workhorse.store.drivers import Store
from workhorse.wire.keys import Keys

KEYS = Keys()
WHOLE = "math.sqrt"


@dataclass
class Shop:
    """A server with something on every screen, and two workers, each with a job that runs on."""

    fleet: Fleet
    client: redis.Redis = field(init=False)

    def __post_init__(self) -> None:
        self.client = self.fleet.client
        self.store = Store(self.client)

    def queue(self, name: str) -> Queue:
        return Queue(name, connection=self.client)

    def ids(self, name: str) -> list[str]:
        return self.queue(name).job_ids

    def state(self, job_id: str) -> str | None:
        return self.fleet.state(job_id)

    def is_paused(self, entry: str) -> bool:
        return Cron(self.client).get(entry).paused

    def entries(self) -> list[str]:
        return [entry.name for entry in Cron(self.client).all()]

    def is_suspended(self) -> bool:
        return self.store.run(pauses.is_suspended(KEYS))

    def open(self) -> None:
        """Fill the server."""
        self._run_some()
        self._have_some_wait()
        cron = Cron(self.client)
        for name in ("fires", "is-paused", "goes-on", "old"):
            cron.add(name, WHOLE, args=(1,), cron="0 3 1 1 *", queue="waits")
        cron.pause("is-paused")
        photos = self.queue("photos")
        Group(self.client, "holiday").enqueue_many(
            photos, [photos.prepare_data(WHOLE, (number,)) for number in range(3)]
        )
        entry = AuditEntry(
            who="ann", role="operator", action="queue-pause", target={"queue": "mail"},
            outcome="done", told="Paused mail.",
        )  # fmt: skip
        self.store.run(audit_log.note(KEYS, entry, "a-token"))

    def _run_some(self) -> None:
        """Have jobs fail and succeed, and two run until somebody stops them."""
        work, folder = self.queue("work"), self.fleet.folder
        for number in range(1, 5):
            name = f"fails-{number}"
            work.enqueue(page_jobs.fail_then_work, str(folder / name), job_id=name)
        work.enqueue(WHOLE, 16, job_id="works", job_tags=["night"])
        self.supervisor = self.fleet.start(2, queues=("work",), capture_logs=True, name="crew")
        wait_until(lambda: self.state("works") == "finished", within=30)
        wait_until(lambda: self.state("fails-4") == "failed", within=30)
        for number in range(1, 3):
            text = folder / f"text-{number}"
            text.write_text("the first line\n")
            work.enqueue(page_jobs.read_aloud, str(text), job_id=f"runs-{number}")
        for number in range(1, 3):
            self.fleet.wait_for(f"runs-{number}", "started")
        wait_until(lambda: all(self._worker_of(f"runs-{number}") for number in (1, 2)))

    def _worker_of(self, job_id: str) -> str | None:
        return Job.fetch(job_id, connection=self.client).worker_name

    def _have_some_wait(self) -> None:
        work, waits = self.queue("work"), self.queue("waits")
        for number in range(1, 3):
            work.enqueue_in(timedelta(hours=1), WHOLE, 25, job_id=f"later-{number}")
        work.enqueue(WHOLE, 36, job_id="after", depends_on="runs-1")
        for number in range(1, 9):
            waits.enqueue(WHOLE, number, job_id=f"waits-{number}")
        for number in range(2):
            waits.enqueue(WHOLE, 4, rate_limit=RateLimit("bank", 1), job_id=f"limited-{number}")
        for name in ("paused", "moved", "emptied"):
            self.queue(name).enqueue(WHOLE, 1, job_id=f"of-{name}")
        self.queue("paused").pause()

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Let no worker do anything within the block, so that nothing changes by itself."""
        os.killpg(self.supervisor.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self.supervisor.pid, signal.SIGCONT)

    def dump(self) -> dict[bytes, bytes]:
        """Return all that the server holds, but for the audit log: it tells what was refused."""
        keys = sorted(set(self.client.scan_iter(count=1000)) - {b"rq:audit"})
        found = ((key, self.client.dump(key)) for key in keys)
        return {key: value for key, value in found if value is not None}


@dataclass(frozen=True)
class Way:
    """How a person gets to a screen: links that are clicked in turn, and what is seen then."""

    clicks: tuple[str, ...]
    """What a link says, or its place on the page (with a "#" or a ".")."""
    shows: str
    empty: str
    """What is told where there is nothing."""
    nowhere: str = ""
    """An address that names what there is not; else the screen's own, on an empty server."""


WORK = ("Queues", "#queue-work a.open")
WAYS: Mapping[str, Way] = MappingProxyType(
    {
        "/": Way(("Overview",), "What happened", "No queue was used yet"),
        "/queues": Way(("Queues",), "emptied", "No queue was used yet"),
        "/queues/{queue}": Way(WORK, "No job waits", "No job waits", "/queues/new"),
        "/queues/{queue}/{state}": Way(
            (*WORK, ".tabs a:has-text('Failed')"), "fails-1", "No job failed", "/queues/new/failed"
        ),
        "/jobs/{job_id}": Way(
            (*WORK, ".tabs a:has-text('Running')", "#job-runs-1 a.open"), "the first line",
            "There is no job", "/jobs/nobody",
        ),
        "/failures": Way(("Failures",), "no such customer", "No job failed"),
        "/failures/{cause}": Way(
            ("Failures", "tbody a.open"), "Traceback", "No job failed of", "/failures/nobody"
        ),
        "/search": Way(("Search",), "A part of the function's name", "A part of the function's"),
        "/workers": Way(("Workers",), "read_aloud", "No worker"),
        "/workers/{worker}": Way(
            ("Workers", "tbody a.open"), "Runs now", "There is no worker", "/workers/nobody"
        ),
        "/schedules": Way(("Schedules",), "goes-on", "No cron entry"),
        "/schedules/{entry}": Way(
            ("Schedules", "#entry-fires a.open"), "It has not fired", "no cron", "/schedules/none"
        ),
        "/limits": Way(("Limits",), "bank", "No limit is in use"),
        "/limits/{limit}": Way(
            ("Limits", "#limit-bank a.open"), "limited-1", "No job waits for a place",
            "/limits/none",
        ),
        "/groups": Way(("Groups",), "holiday", "No group"),
        "/groups/{group}": Way(
            ("Groups", "#group-holiday a.open"), "0 of 3 have ended", "no group", "/groups/none"
        ),
        "/functions": Way(("Functions",), "fail_then_work", "No function ran yet"),
        "/audit": Way(("Audit",), "queue-pause", "Nothing was done here yet"),
    }
)  # fmt: skip


@dataclass(frozen=True)
class Step:
    """An action: the page that has its button, what the form holds, and what comes of it.

    Fields of the form that a page shows are filled in, ``ids`` are chosen, ``typed`` is typed to
    confirm; the others are the page's own, and must be as they are here.
    """

    at: str
    form: Mapping[str, str]
    told: str
    happened: Callable[[Shop], Any]


def _job(verb: str, job_id: str, happened: Callable[[Shop], Any], **more: str) -> Step:
    return Step(f"/jobs/{job_id}", {"id": job_id, **more}, verb, happened)


def _jobs(at: str, job_id: str, told: str, happened: Callable[[Shop], Any], **more: str) -> Step:
    return Step(at, {"ids": job_id, **more}, told, happened)


STEPS: Mapping[str, Step] = MappingProxyType(
    {
        # Workers run on until these two.
        "job-stop": _job("Asked the worker", "runs-1", lambda it: it.state("runs-1") == "stopped"),
        "jobs-stop": _jobs(
            "/queues/work/started", "runs-2", "Asked 1 job",
            lambda it: it.state("runs-2") == "stopped",
        ),
        "job-retry": _job(
            "Queued fails-1", "fails-1", lambda it: it.state("fails-1") == "finished"
        ),
        "jobs-retry": _jobs(
            "/queues/work/failed", "fails-2", "Retried 1 job",
            lambda it: it.state("fails-2") == "finished",
        ),
        "job-run": _job("Have later-1", "later-1", lambda it: it.state("later-1") == "finished"),
        "jobs-run": _jobs(
            "/queues/work/scheduled", "later-2", "Queued 1 job",
            lambda it: it.state("later-2") == "finished",
        ),
        "job-front": _job("Moved waits-8", "waits-8", lambda it: it.ids("waits")[0] == "waits-8"),
        "job-move": _job(
            "Moved waits-1", "waits-1", lambda it: "waits-1" in it.ids("low"), queue="low"
        ),
        "jobs-move": _jobs(
            "/queues/waits", "waits-2", "Moved 1 job", lambda it: "waits-2" in it.ids("low"),
            to="low",
        ),
        "job-cancel": _job("Canceled", "waits-3", lambda it: it.state("waits-3") == "canceled"),
        "jobs-cancel": _jobs(
            "/queues/waits", "waits-4", "Canceled 1 job",
            lambda it: it.state("waits-4") == "canceled",
        ),
        "job-delete": _job("Deleted", "waits-5", lambda it: it.state("waits-5") is None),
        "jobs-delete": _jobs(
            "/search?q=id:waits-6", "waits-6", "Deleted 1 job",
            lambda it: it.state("waits-6") is None,
        ),
        "queue-pause": Step(
            "/queues/waits", {"queue": "waits", "seconds": "3600"}, "Paused waits for 1h",
            lambda it: it.queue("waits").is_paused,
        ),
        "queue-resume": Step(
            "/queues", {"queue": "paused"}, "Resumed paused",
            lambda it: not it.queue("paused").is_paused,
        ),
        "queue-move": Step(
            "/queues/moved", {"queue": "moved", "to": "low"}, "Moved 1 job",
            lambda it: "of-moved" in it.ids("low"),
        ),
        "queue-empty": Step(
            "/queues/emptied", {"queue": "emptied", "typed": "emptied"}, "Deleted 1 job",
            lambda it: it.state("of-emptied") is None,
        ),
        "schedule-run": Step(
            "/schedules/fires", {"entry": "fires"}, "Enqueued a job",
            lambda it: any("fires" in each for each in it.ids("waits")),
        ),
        "schedule-pause": Step(
            "/schedules/goes-on", {"entry": "goes-on"}, "Paused goes-on",
            lambda it: it.is_paused("goes-on"),
        ),
        "schedule-resume": Step(
            "/schedules", {"entry": "is-paused"}, "Resumed is-paused",
            lambda it: not it.is_paused("is-paused"),
        ),
        "schedule-delete": Step(
            "/schedules/old", {"entry": "old"}, "Deleted old", lambda it: "old" not in it.entries()
        ),
        "work-suspend": Step("/workers", {}, "Suspended", lambda it: it.is_suspended()),
        "work-resume": Step("/workers", {}, "Resumed", lambda it: not it.is_suspended()),
        "worker-shutdown": Step(
            "/workers/crew-2", {"worker": "crew-2"}, "Told",
            lambda it: len(it.supervisor.workers) == 1,
        ),
    }
)  # fmt: skip
