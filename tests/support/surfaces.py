"""Each way to enqueue a job, and each option of one with what it looks like by that way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import redis

from tests.support import calls
from workhorse import Job, Queue, Retry, job
from workhorse.cli.main import run as command
from workhorse.core.callbacks import Callback
from workhorse.core.dependencies import Dependency
from workhorse.core.limits import RateLimit
from workhorse.core.repeat import Repeat
from workhorse.core.webhooks import Webhook
from workhorse.cron import Cron, CronScheduler, create_cron, register

NOTE = "tests.support.calls.note"


class Option(NamedTuple):
    """One option: its name, a value, and how the shell says it."""

    name: str
    value: Any
    words: tuple[str, ...]


OPTIONS = (
    Option("job_timeout", "1m", ("--timeout", "1m")),
    Option("result_ttl", 60, ("--result-ttl", "60")),
    Option("ttl", 300, ("--ttl", "300")),
    Option("failure_ttl", "1h", ("--failure-ttl", "1h")),
    Option("description", "sum", ("--description", "sum")),
    Option("job_id", "mine", ("--job-id", "mine")),
    Option("at_front", True, ("--at-front",)),  # noqa: FBT003 - the option's value
    Option("meta", {"by": "ada"}, ("--meta", '{"by": "ada"}')),
    Option(
        "retry",
        Retry(max=3, interval=[10, 60], jitter=0.5, retry_on=[OSError]),
        ("--retry-max", "3", "--retry-interval", "10", "--retry-interval", "60",
         "--retry-jitter", "0.5", "--retry-on", "OSError"),
    ),
    Option("on_lost", "fail", ("--on-lost", "fail")),
    Option("max_starts", 5, ("--max-starts", "5")),
    Option(
        "depends_on",
        Dependency(["parent"], on_parent_failure="cancel"),
        ("--depends-on", "parent", "--on-parent-failure", "cancel"),
    ),
    Option(
        "repeat",
        Repeat(times=3, interval=[5, 10]),
        ("--repeat", "3", "--repeat-interval", "5", "--repeat-interval", "10"),
    ),
    Option("rate_limit", RateLimit("mail", concurrency=2), ("--rate-limit", "mail=2")),
    Option("on_success", calls.note, ("--on-success", NOTE)),
    Option("on_failure", NOTE, ("--on-failure", NOTE)),
    Option("on_stopped", Callback(calls.note), ("--on-stopped", NOTE)),
    Option(
        "webhooks",
        [Webhook("https://example.com/a", "finished"), Webhook("https://example.com/b", "failed")],
        ("--webhook", "finished=https://example.com/a", "--webhook",
         "failed=https://example.com/b"),
    ),
    Option("group_id", "g", ("--group", "g")),
    Option("job_tags", ["eu", "a b"], ("--tag", "eu", "--tag", "a b")),
    Option("capture_logs", False, ("--no-capture-logs",)),  # noqa: FBT003 - the option's value
    Option("unique", True, ("--unique", "--job-id", "one")),  # noqa: FBT003 - the option's value
)  # fmt: skip

NEEDS: Mapping[str, dict[str, Any]] = {"unique": {"job_id": "one"}}
"""What an option makes no sense without."""

LATER = datetime(2100, 1, 1, tzinfo=UTC)

Way = Callable[[redis.Redis, Option], object]


def given(option: Option) -> dict[str, Any]:
    """Return *option* as ``enqueue`` takes it."""
    return {option.name: option.value, **NEEDS.get(option.name, {})}


def apart(option: Option) -> dict[str, Any]:
    """Return *option* as ``enqueue_call`` takes it."""
    options = given(option)
    short = {"job_timeout": "timeout", "job_tags": "tags"}
    return {short.get(name, name): value for name, value in options.items()}


def enqueue(client: redis.Redis, option: Option) -> object:
    return Queue("low", client).enqueue(calls.add, 1, right=2, **given(option))


def enqueue_call(client: redis.Redis, option: Option) -> object:
    return Queue("low", client).enqueue_call(calls.add, (1,), {"right": 2}, **apart(option))


def enqueue_at(client: redis.Redis, option: Option) -> object:
    return Queue("low", client).enqueue_at(LATER, calls.add, 1, right=2, **given(option))


def enqueue_in(client: redis.Redis, option: Option) -> object:
    span = timedelta(days=1000)
    return Queue("low", client).enqueue_in(span, calls.add, 1, right=2, **given(option))


def enqueue_many(client: redis.Redis, option: Option) -> object:
    data = Queue.prepare_data(calls.add, (1,), {"right": 2}, **apart(option))
    return Queue("low", client).enqueue_many([data])


def decorated(client: redis.Redis, option: Option) -> object:
    options = apart(option)
    job_id = {"job_id": options.pop("job_id")} if "job_id" in options else {}
    return job("low", client, **options)(plain(calls.add)).delay(1, right=2, **job_id)


def decorated_called(client: redis.Redis, option: Option) -> object:
    return job("low", client)(plain(calls.add)).delay(1, right=2, **apart(option))


def plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of the same name and module, for a decorator to change."""

    def same(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    same.__module__, same.__qualname__ = function.__module__, function.__qualname__
    same.__name__ = function.__name__
    return same


def created(client: redis.Redis, option: Option) -> object:
    options = apart(option)
    later = {name: options.pop(name) for name in ("at_front", "unique") if name in options}
    if "job_id" in options:
        options["id"] = options.pop("job_id")
    made = Job.create(calls.add, (1,), {"right": 2}, connection=client, **options)
    return Queue("low", client).enqueue_job(made, **later)


def created_by_queue(client: redis.Redis, option: Option) -> object:
    options = apart(option)
    later = {name: options.pop(name) for name in ("at_front", "unique") if name in options}
    queue = Queue("low", client)
    return queue.enqueue_job(queue.create_job(calls.add, (1,), {"right": 2}, **options), **later)


def shell(client: redis.Redis, option: Option) -> object:
    url = f"unix://{client.connection_pool.connection_kwargs['path']}"
    words = ("-u", url, "-q", "low", "--quiet", "tests.support.calls.add", ":1", "right:=2")
    assert command(["enqueue", *option.words, *words]) == 0
    return None


def cron_entry(client: redis.Redis, option: Option) -> object:
    cron = Cron(client)
    cron.add("sum", calls.add, args=(1,), kwargs={"right": 2}, queue="low", interval=3600,
             **given(option))  # fmt: skip
    return cron.run("sum")


def cron_file(client: redis.Redis, option: Option) -> object:
    register(calls.add, "low", (1,), {"right": 2}, interval=3600, name="sum",
             **{"result_ttl": None, **given(option)})  # fmt: skip
    scheduler: CronScheduler = create_cron(client)
    scheduler.publish()
    return Cron(client).run("sum")


WAYS: tuple[Way, ...] = (
    enqueue_call, enqueue_at, enqueue_in, enqueue_many, decorated, decorated_called, created,
    created_by_queue, shell, cron_entry, cron_file,
)  # fmt: skip

BY_CODE: tuple[Way, ...] = (enqueue, *(way for way in WAYS if way is not shell))
"""The ways that take a value as it is."""

PER_CALL = ("job_id", "at_front", "depends_on")
"""As in RQ: other names are the function's own arguments."""
NOT_FOR_CRON = ("job_id", "unique", "depends_on")


def has_room(way: Way, option: Option) -> bool:
    if way is decorated_called:
        return option.name in PER_CALL
    if way in (cron_entry, cron_file):
        return option.name not in NOT_FOR_CRON
    return True
