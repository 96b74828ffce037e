"""RQ's cron on ours: its configuration files unchanged, many schedulers, restarts."""

from __future__ import annotations

import importlib.util
import json
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.support.jobs import nothing
from tests.support.waiting import wait_until
from workhorse import InvalidOptionError, Queue
from workhorse.core.errors import SchedulerNotFound
from workhorse.cron import Cron, CronJob, CronScheduler, create_cron, get_cron_job_ids, register

WriteConfig = Callable[..., str]

OF_RQ = """
from rq import cron
from rq.cron import register
from tests.support.jobs import nothing

cron.register(nothing, 'q', interval=60)
cron.register(nothing, queue_name='q', args=(1,), kwargs={'x': 1}, interval=120)
register(nothing, 'mail', cron='0 9 * * *', job_timeout=30, result_ttl=10, ttl=20, failure_ttl=5,
         meta={'a': 1}, name='morning')
"""


@pytest.fixture
def write_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WriteConfig]:
    """Write a module that can be imported, and return its name."""
    monkeypatch.syspath_prepend(str(tmp_path))
    names: set[str] = set()

    def write(text: str, name: str = "some_cron_config") -> str:
        (tmp_path / f"{name}.py").write_text(text)
        names.add(name)
        sys.modules.pop(name, None)
        importlib.invalidate_caches()
        return name

    yield write
    for name in names:
        sys.modules.pop(name, None)


def load(client: redis.Redis, config: str) -> CronScheduler:
    scheduler = CronScheduler(client)
    scheduler.load_config_from_file(config)
    return scheduler


def names_of(client: redis.Redis) -> set[str]:
    return {entry.name for entry in Cron(client).all()}


def test_a_file_of_rq_runs_unchanged(client: redis.Redis, write_config: WriteConfig) -> None:
    scheduler = load(client, write_config(OF_RQ))
    assert [job.name for job in scheduler.get_jobs()] == [
        "tests.support.jobs.nothing",
        "tests.support.jobs.nothing#2",
        "morning",
    ]
    fired = scheduler.enqueue_jobs()
    assert [job.name for job in fired] == [
        "tests.support.jobs.nothing",
        "tests.support.jobs.nothing#2",
    ]
    assert len(Queue("q", client).job_ids) == 2
    assert 50 < scheduler.calculate_sleep_interval() <= 60
    morning = Cron(client).get("morning").record.job
    assert (morning.timeout, morning.result_ttl, morning.ttl, morning.failure_ttl) == (
        30, 10, 20, 5,
    )  # fmt: skip


def test_rq_is_as_it_was_after_the_file_was_loaded(
    client: redis.Redis, write_config: WriteConfig
) -> None:
    load(client, write_config(OF_RQ))
    assert "rq.cron" not in sys.modules
    assert "rq" not in sys.modules
    assert importlib.util.find_spec("rq") is None


def test_a_restart_fires_nothing_and_forgets_nothing(
    client: redis.Redis, write_config: WriteConfig
) -> None:
    config = write_config(OF_RQ)
    assert len(load(client, config).enqueue_jobs()) == 2
    before = {entry.name: entry.record.slot for entry in Cron(client).all()}
    for _ in range(3):
        assert load(client, config).enqueue_jobs() == []
    assert {entry.name: entry.record.slot for entry in Cron(client).all()} == before


def test_two_schedulers_fire_each_slot_once(
    client: redis.Redis, write_config: WriteConfig
) -> None:
    config = write_config(OF_RQ)
    schedulers = [load(client, config) for _ in range(2)]
    assert [len(scheduler.enqueue_jobs()) for scheduler in schedulers] == [2, 0]
    assert len(Queue("q", client).job_ids) == 2


def test_an_entry_that_left_its_file_is_removed(
    client: redis.Redis, write_config: WriteConfig
) -> None:
    Cron(client).add("mine", nothing, interval=60)
    two = "from rq.cron import register\nregister('a.b', 'q', interval=5)\n"
    load(client, write_config(two + "register('a.c', 'q', interval=5)")).publish()
    load(client, write_config(two.replace("a.b", "x.y"), "another")).publish()
    assert names_of(client) == {"mine", "x.y", "a.b", "a.c"}
    load(client, write_config(two)).publish()
    assert names_of(client) == {"mine", "x.y", "a.b"}


def test_an_edit_stays_until_the_file_says_another_thing(
    client: redis.Redis, write_config: WriteConfig
) -> None:
    text = "from rq.cron import register\nregister('a.b', 'q', interval=5, name='e')\n"
    load(client, write_config(text)).publish()
    Cron(client).edit("e", interval=7)
    Cron(client).pause("e")
    load(client, write_config(text)).publish()
    assert (Cron(client).get("e").interval, Cron(client).get("e").paused) == (7, True)
    load(client, write_config(text.replace("interval=5", "interval=9"))).publish()
    assert (Cron(client).get("e").interval, Cron(client).get("e").paused) == (9, True)


def test_an_entry_of_another_file_stays_as_it_is(
    client: redis.Redis, write_config: WriteConfig, caplog: pytest.LogCaptureFixture
) -> None:
    text = "from workhorse.cron import register\nregister('a.b', 'q', interval=5, name='e')\n"
    load(client, write_config(text)).publish()
    load(client, write_config(text.replace("5", "6"), "other")).publish()
    assert Cron(client).get("e").interval == 5
    assert "belongs to some_cron_config" in caplog.text


@pytest.mark.parametrize(
    "text",
    [
        "raise ValueError('boom')",
        "from rq.cron import register\nregister('a.b', 'q')",
        "from rq.cron import register\nregister('a.b', 'q', interval=5, cron='* * * * *')",
        "from rq.cron import register\nregister('a.b', 'q', cron='nonsense')",
        "from rq.cron import register\nregister(lambda: 1, 'q', interval=5)",
        "import no_such_module",
        "x = (",
    ],
)
def test_a_file_that_is_wrong_is_refused_as_a_whole(
    client: redis.Redis, write_config: WriteConfig, text: str
) -> None:
    good = "from rq.cron import register\nregister('a.a', 'q', interval=5)\n"
    scheduler = CronScheduler(client)
    with pytest.raises(ValueError):  # noqa: PT011 - each error of ours is one
        scheduler.load_config_from_file(write_config(good + text))
    assert scheduler.get_jobs() == []


@pytest.mark.parametrize("path", ["no/such.py", "no.such", "/no/such.py", "a b", "", "/etc/hosts"])
def test_a_file_that_is_not_there_is_told(client: redis.Redis, path: str) -> None:
    with pytest.raises(InvalidOptionError):
        load(client, path)


def test_a_file_has_a_path_too(
    client: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "settings").mkdir()
    (tmp_path / "settings" / "jobs.py").write_text(OF_RQ)
    assert len(load(client, str(tmp_path / "settings" / "jobs.py")).get_jobs()) == 3
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert len(load(client, "settings/jobs.py").get_jobs()) == 3
    assert len(load(client, "settings.jobs").get_jobs()) == 3


def test_what_a_program_registers_is_in_the_scheduler_that_it_creates(client: redis.Redis) -> None:
    told = register(nothing, "q", interval=60, name="e", overlap="skip")
    assert told["queue_name"] == "q"
    scheduler = create_cron(client)
    assert create_cron(client).get_jobs() == []
    (job,) = scheduler.enqueue_jobs()
    assert (job.name, job.queue_name, job.interval) == ("e", "q", 60)
    assert get_cron_job_ids("e", client) == job.get_job_ids(client) == Queue("q", client).job_ids
    assert client.zcard(job.job_history_key) == 1
    again = job.enqueue(client)
    assert get_cron_job_ids("e", client, 0, 0) == [again.id]


def test_a_scheduler_shows_itself(client: redis.Redis) -> None:
    scheduler = CronScheduler(client, name="one")
    scheduler.register(nothing, "q", args=(1,), interval=60, name="e")
    scheduler.enqueue_jobs()
    scheduler.register_birth()
    found = CronScheduler.fetch("one", client)
    assert [found] == CronScheduler.all(client) == [scheduler]
    assert (found.hostname, found.pid) == (scheduler.hostname, scheduler.pid)
    (job,) = found.get_jobs()
    assert (job.name, job.func_name, job.args, job.interval) == (
        "e", "tests.support.jobs.nothing", (1,), 60,
    )  # fmt: skip
    assert job.latest_enqueue_time is not None
    assert job.next_enqueue_time is not None
    assert not job.should_run()
    assert scheduler.last_heartbeat is not None
    assert 0 < client.ttl("rq:cron_scheduler:one") <= 120
    scheduler.register_death()
    assert CronScheduler.all(client) == []
    with pytest.raises(SchedulerNotFound, match="one"):
        CronScheduler.fetch("one", client)


def test_a_job_is_told_as_rq_tells_it(client: redis.Redis) -> None:
    del client
    told = CronJob(
        "q", func=nothing, args=(object(),), kwargs={"a": 1}, cron="* * * * *"
    ).to_dict()
    assert told["args"] == "<not JSON serializable>"
    assert json.loads(told["kwargs"]) == {"a": 1}
    assert CronJob.from_dict(told).cron == "* * * * *"


def test_a_scheduler_that_runs_fires_what_is_added_meanwhile(client: redis.Redis) -> None:
    scheduler = CronScheduler(client, name="one")
    scheduler.register(nothing, "q", interval=3600, name="e")
    shutdown = scheduler.shutdown
    thread = threading.Thread(target=scheduler.start)
    thread.start()
    try:
        wait_until(lambda: len(Queue("q", client).job_ids) == 1)
        Cron(client).add("later", nothing, interval=3600, queue="q")
        wait_until(lambda: len(Queue("q", client).job_ids) == 2)
        wait_until(lambda: [found.name for found in CronScheduler.all(client)] == ["one"])
    finally:
        shutdown.request()
        thread.join(10)
    assert CronScheduler.all(client) == []


def test_webhooks_and_all_options_of_jobs_are_taken(client: redis.Redis) -> None:
    from workhorse.core.webhooks import Webhook  # noqa: PLC0415 - its home may move

    hook = Webhook("https://example.com/", "finished")
    scheduler = CronScheduler(client)
    scheduler.register(nothing, "q", interval=60, webhooks=[hook], at_front=True, name="e")
    scheduler.enqueue_jobs()
    (job_id,) = Queue("q", client).job_ids
    fields: Any = client.hgetall(f"rq:job:{job_id}")
    assert b"example.com" in fields[b"webhooks"]
