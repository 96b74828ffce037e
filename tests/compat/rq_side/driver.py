"""RQ, told what to do by one JSON line after the other on stdin; it answers each on stdout.

``{"do": "fetch", "job_id": "7"}`` calls the method of that name. An exception is an answer too.
RQ is imported only when the program runs: where the tests are collected there is none.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

DATES = ("created_at", "enqueued_at", "started_at", "ended_at", "last_heartbeat")
FACTS = (
    "id", "origin", "description", "timeout", "result_ttl", "failure_ttl", "ttl", "worker_name",
    "retries_left", "retry_intervals", "number_of_retries", "meta", "func_name", "kwargs",
    "enqueue_at_front",
)  # fmt: skip


class Side:
    """RQ's API on one server, with words in and words out."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.rq = import_module("rq")
        self.job_class = import_module("rq.job").Job
        self.registry = import_module("rq.registry")
        self.connection = import_module("redis").Redis.from_url(url)

    # Produce

    def enqueue(
        self,
        call: str,
        args: list[Any] | None = None,
        queue: str = "default",
        serializer: str | None = None,
        account: int | None = None,
        retry: dict[str, Any] | None = None,
        **options: Any,
    ) -> str:
        function: Any = f"tests.compat.jobs.{call}"
        if account is not None:
            function = import_module("tests.compat.jobs").Account(account).plus
        if retry:
            options["retry"] = self.rq.Retry(**retry)
        for name, made in (("repeat", self.rq.Repeat), ("rate_limit", self.rq.RateLimit)):
            if name in options:
                options[name] = made(**options[name])
        for name in ("on_success", "on_failure", "on_stopped"):
            if name in options:
                options[name] = self.rq.Callback(f"tests.compat.jobs.{options[name]}", timeout=30)
        if "webhooks" in options:
            options["webhooks"] = [self.rq.Webhook(**hook) for hook in options["webhooks"]]
        job = self._queue(queue, serializer).enqueue(function, args=args or [], **options)
        return str(job.id)

    def enqueue_many(
        self, call: str, args: list[list[Any]], queue: str = "default", **options: Any
    ) -> list[str]:
        prepared = [
            self.rq.Queue.prepare_data(f"tests.compat.jobs.{call}", some, **options)
            for some in args
        ]
        return [job.id for job in self._queue(queue).enqueue_many(prepared)]

    def enqueue_in(self, seconds: float, call: str, args: list[Any], **options: Any) -> str:
        delay, function = timedelta(seconds=seconds), f"tests.compat.jobs.{call}"
        job = self._queue("default").enqueue_in(delay, function, args=args, **options)
        return str(job.id)

    # Look

    def cron(self, name: str) -> dict[str, Any]:
        """Return what RQ's monitors see of cron: schedulers, names, and the jobs of *name*."""
        cron = import_module("rq.cron")
        schedulers = cron.CronScheduler.all(self.connection)
        return {
            "schedulers": [each.to_dict() for each in schedulers],
            "is_alive": [each.last_heartbeat is not None for each in schedulers],
            "names": import_module("rq.cron_job_registry").get_names(self.connection),
            "job_ids": cron.get_cron_job_ids(name, self.connection),
        }

    def fire_cron(self, call: str, name: str) -> list[str]:
        """Have RQ's own scheduler fire an interval job once; return the ids of its history."""
        cron = import_module("rq.cron")
        scheduler = cron.CronScheduler(self.connection, name="theirs")
        function = getattr(import_module("tests.compat.jobs"), call)
        scheduler.register(function, "default", args=(1, 2), interval=60, name=name)
        scheduler.register_birth()
        scheduler.enqueue_jobs()
        scheduler.save()
        return list(cron.get_cron_job_ids(name, self.connection))

    def fetch(self, job_id: str, serializer: str | None = None) -> dict[str, Any]:
        """Return all that RQ tells of a job."""
        job = self._job(job_id, serializer)
        facts = {name: getattr(job, name) for name in FACTS}
        facts |= {name: _date(getattr(job, name)) for name in DATES}
        results = [
            {
                "type": result.type.name,
                "return_value": result.return_value,
                "exc_string": result.exc_string,
                "worker_name": result.worker_name,
                "execution_id": result.execution_id,
                "execution_started_at": _date(result.execution_started_at),
                "execution_ended_at": _date(result.execution_ended_at),
            }
            for result in job.results()
        ]
        return {
            **facts,
            "args": list(job.args),
            "status": job.get_status().value,
            "return_value": job.return_value(),
            "latest": results[0] if results else None,
            "results": results,
            "position": job.get_position(),
            "registries": self._registries(job),
        }

    def statuses(self, job_ids: list[str]) -> list[str | None]:
        jobs = self.job_class.fetch_many(job_ids, connection=self.connection)
        return [job and job.get_status(refresh=False).value for job in jobs]

    def counts(self, queue: str = "default") -> dict[str, int]:
        """Return what `rq info` counts: which cleans the registries up first."""
        found = self._queue(queue)
        return {
            "queued": found.count,
            "started": found.started_job_registry.count,
            "finished": found.finished_job_registry.count,
            "failed": found.failed_job_registry.count,
            "scheduled": found.scheduled_job_registry.count,
            "canceled": found.canceled_job_registry.count,
        }

    def limits(self) -> dict[str, list[Any]]:
        """Return all rate limits: the concurrency, who has a place, and who waits."""
        found = import_module("rq.rate_limit").RateLimitRegistry.all(self.connection)
        return {
            each.key: [
                each.concurrency,
                each.get_allowed_job_ids(),
                each.get_rate_limited_job_ids(),
            ]
            for each in found
        }

    def intervals(self, times: int, intervals: list[int]) -> list[int]:
        """Return the waits of a chain of repeats, as RQ chooses them."""
        interval = import_module("rq.repeat").Repeat.get_interval
        return [interval(count, intervals) for count in range(times)]

    def workers(self) -> list[dict[str, Any]]:
        return [
            {
                "name": worker.name,
                "state": worker.get_state(),
                "queues": worker.queue_names(),
                "pid": worker.pid,
                "hostname": worker.hostname,
                "version": worker.version,
                "birth": _date(worker.birth_date),
                "last_heartbeat": _date(worker.last_heartbeat),
                "successful": worker.successful_job_count,
                "failed": worker.failed_job_count,
                "working_time": worker.total_working_time,
                "job": worker.get_current_job_id(),
            }
            for worker in self.rq.Worker.all(connection=self.connection)
        ]

    # Change

    def dependencies(self, job_id: str) -> list[list[str]]:
        """Return whom a job waits for, and all that it depends on."""
        job = self._job(job_id)
        return [job.dependency_ids, [one.id for one in job.fetch_dependencies()]]

    def groups(self) -> dict[str, list[str]]:
        """Return all groups and the jobs that RQ finds in them; it takes off what is gone."""
        return {
            group.name: sorted(job.id for job in group.get_jobs())
            for group in import_module("rq.group").Group.all(self.connection)
        }

    def registry_ids(self, name: str, queue: str = "default") -> list[str]:
        """Return the jobs of a registry, with RQ's clean-up."""
        ids: list[str] = getattr(self._queue(queue), f"{name}_job_registry").get_job_ids()
        return ids

    def enqueue_group(self, name: str, call: str, args: list[list[Any]]) -> list[str]:
        """Enqueue calls as a group of RQ's."""
        prepared = [self.rq.Queue.prepare_data(f"tests.compat.jobs.{call}", some) for some in args]
        group = import_module("rq.group").Group.create(self.connection, name)
        return [job.id for job in group.enqueue_many(self._queue("default"), prepared)]

    def clean_groups(self) -> None:
        import_module("rq.group").Group.clean_registries(self.connection)

    def requeue_failed(self, job_id: str) -> None:
        self._queue("default").failed_job_registry.requeue(job_id)

    def cancel(self, job_id: str) -> None:
        self._job(job_id).cancel()

    def delete(self, job_id: str) -> None:
        self._job(job_id).delete()

    def requeue(self, job_id: str) -> None:
        self._job(job_id).requeue()

    def stop(self, job_id: str) -> None:
        import_module("rq.command").send_stop_job_command(self.connection, job_id)

    def clean_registries(self, queue: str = "default") -> None:
        self.registry.clean_registries(self._queue(queue))

    # Work

    def work(
        self,
        worker: str = "SimpleWorker",
        queues: list[str] | None = None,
        serializer: str | None = None,
        **options: Any,
    ) -> bool:
        """Run a worker in a burst, here."""
        names = queues or ["default"]
        made = getattr(self.rq, worker)(names, connection=self.connection, serializer=serializer)
        done: bool = made.work(burst=True, logging_level="ERROR", **options)
        return done

    def die_with_a_job(self, *, leased: bool, queues: list[str]) -> int:
        """Kill a worker of its own that has popped a job, or leased it too; return the signal."""
        pid = os.fork()
        if pid == 0:
            connection = import_module("redis").Redis.from_url(self.url)
            worker = self.rq.SimpleWorker(queues, connection=connection)
            prepare = worker.prepare_execution

            def die(job: Any) -> None:
                if leased:
                    prepare(job)
                os.kill(os.getpid(), signal.SIGKILL)

            worker.prepare_execution = die
            worker.work(burst=True, logging_level="ERROR")
            os._exit(1)
        _, status = os.waitpid(pid, 0)
        return -os.waitstatus_to_exitcode(status)

    def _queue(self, name: str, serializer: str | None = None) -> Any:
        return self.rq.Queue(name, connection=self.connection, serializer=serializer)

    def _job(self, job_id: str, serializer: str | None = None) -> Any:
        return self.job_class.fetch(job_id, connection=self.connection, serializer=serializer)

    def _registries(self, job: Any) -> list[str]:
        """Return the registries that have the job, without cleaning any up."""
        queue = self._queue(job.origin)
        names = ("started", "finished", "failed", "deferred", "scheduled", "canceled")
        return [
            name
            for name in names
            if job.id in getattr(queue, f"{name}_job_registry").get_job_ids(cleanup=False)
        ]


def serve(url: str) -> None:
    """Answer until stdin ends. What RQ prints goes to stderr."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    side = Side(url)
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer: dict[str, Any] = {"value": getattr(side, asked.pop("do"))(**asked)}
        except Exception as error:  # noqa: BLE001 - the test that asked raises it
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer, default=repr) + "\n")
        answers.flush()


def _date(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


if __name__ == "__main__":
    serve(sys.argv[1])
