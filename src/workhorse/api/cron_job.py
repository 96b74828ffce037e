"""RQ's ``CronJob``: what a scheduler registered, or shows of itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Self

from workhorse.api.connection import default_keys
from workhorse.api.cron import Cron
from workhorse.api.cron_definition import define
from workhorse.api.job import Job
from workhorse.core.cron import explain
from workhorse.core.errors import InvalidOptionError
from workhorse.core.settings import RESULT_TTL
from workhorse.store.drivers import Client
from workhorse.wire.codec import date_from_text
from workhorse.wire.crons import CronRecord, rq_cron_job
from workhorse.wire.payload import PickleSerializer

_NO_JSON: Final = "<not JSON serializable>"
"""RQ's word for it."""


class CronJob:
    """A function and when it is enqueued, as RQ's ``CronJob``.

    What a scheduler registered, or what one shows of itself: that has no function.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - RQ's signature
        self,
        queue_name: str,
        func: Callable[..., Any] | str | None = None,
        func_name: str | None = None,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        interval: float | None = None,
        cron: str | None = None,
        job_timeout: int | str | None = None,
        result_ttl: int | str | None = RESULT_TTL,
        ttl: int | str | None = None,
        failure_ttl: int | str | None = None,
        meta: Mapping[str, Any] | None = None,
        webhooks: Any = None,
        name: str = "",
        **options: Any,
    ) -> None:
        if func is None and not func_name:
            raise InvalidOptionError("a CronJob needs func or func_name")
        given = {
            "job_timeout": job_timeout, "result_ttl": result_ttl, "ttl": ttl,
            "failure_ttl": failure_ttl, "meta": meta, "webhooks": list(webhooks or ()) or None,
        }  # fmt: skip
        self.job_options = {key: value for key, value in given.items() if value is not None}
        when = {"interval": interval or None, "cron": cron or None}
        self.record = define(
            name,
            func if func is not None else str(func_name),
            queue_name,
            (args, kwargs),
            {
                **{key: value for key, value in when.items() if value},
                **self.job_options,
                **options,
            },
            serializer=PickleSerializer(),
        )
        self.func = func
        self.func_name = self.record.call
        self.name = self.record.name
        self.queue_name = queue_name
        self.args = tuple(args or ())
        self.kwargs = dict(kwargs or {})
        self.interval = interval
        self.cron = cron
        self.latest_enqueue_time: datetime | None = None
        self.next_enqueue_time: datetime | None = None

    def __repr__(self) -> str:
        return f"<CronJob {self.name}: {explain(self.record.rules.schedule)}>"

    @property
    def job_history_key(self) -> str:
        """The key of the ids of its jobs."""
        return default_keys().cron_history(self.name)

    def enqueue(self, connection: Client | str | None = None) -> Job:
        """Enqueue its job now; the entry must be on the server. Raises NoSuchCronError."""
        return Cron(connection).run(self.name)

    def get_job_ids(
        self, connection: Client | str | None = None, start: int = 0, end: int = -1
    ) -> list[str]:
        """Return the ids of its jobs, newest first; *end* is included."""
        return get_cron_job_ids(self.name, connection, start, end)

    def should_run(self) -> bool:
        """Return whether its time has come, as it was when it was read."""
        due = self.next_enqueue_time
        return due is not None and due <= datetime.now(UTC)

    def get_next_enqueue_time(self) -> datetime | None:
        """Return when it is enqueued next, as it was when it was read."""
        return self.next_enqueue_time

    def set_enqueue_time(self, time: datetime) -> None:
        """Note when it was enqueued last, in this object alone: the server knows by itself."""
        self.latest_enqueue_time = time

    def note(self, entry: CronRecord) -> None:
        """Take over what the server knows of it."""
        self.record = entry
        self.latest_enqueue_time = entry.last_at
        self.next_enqueue_time = (
            None if entry.slot is None else datetime.fromtimestamp(entry.slot, UTC)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it as RQ's monitors read it."""
        told = rq_cron_job(self.record, _json(self.args), _json(self.kwargs))
        if "meta" in self.job_options:
            told["meta"] = _json(self.job_options["meta"])
        return told

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return one from what a scheduler shows. It can't be enqueued from there."""
        shown = cls(
            queue_name=data["queue_name"],
            func_name=data["func_name"],
            args=_from_json(data.get("args")),
            kwargs=_from_json(data.get("kwargs")),
            interval=data.get("interval"),
            cron=data.get("cron"),
            job_timeout=data.get("job_timeout"),
            result_ttl=data.get("result_ttl", RESULT_TTL),
            ttl=data.get("ttl"),
            failure_ttl=data.get("failure_ttl"),
            meta=_from_json(data.get("meta")),
            name=data.get("name", ""),
        )
        shown.latest_enqueue_time = date_from_text(data.get("latest_enqueue_time"))
        shown.next_enqueue_time = date_from_text(data.get("next_enqueue_time"))
        return shown


def get_cron_job_ids(
    name: str, connection: Client | str | None = None, start: int = 0, end: int = -1
) -> list[str]:
    """Return the ids of the jobs of the entry *name*, newest first; *end* is included."""
    return [job_id for job_id, _ in Cron(connection).history(name, start, end)]


def _json(value: Any) -> str | None:
    if not value:
        return None
    try:
        return json.dumps(value)
    except (TypeError, ValueError):
        return _NO_JSON


def _from_json(text: Any) -> Any:
    if not text or not isinstance(text, str):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None
