"""``workhorse enqueue`` with all that it can say, as a person runs it."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis

from tests.support.servers import RunningServer
from workhorse import Job

WORKHORSE = Path(sys.executable).parent / "workhorse"


@pytest.fixture
def connection(
    valkey_server: RunningServer,
    client: redis.Redis,
    environment_of_its_own: pytest.MonkeyPatch,
) -> redis.Redis:
    environment_of_its_own.setenv("WORKHORSE_URL", valkey_server.url)
    environment_of_its_own.setenv("TZ", "Europe/Berlin")
    return client


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(WORKHORSE), "enqueue", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def enqueued(connection: redis.Redis, *words: str) -> Job:
    done = run("time.time", *words)
    assert done.returncode == 0, done.stderr
    return Job.fetch(done.stdout.split("'")[-2], connection)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10s", 10),
        ("5m", 300),
        ("2d", 172_800),
        ("90", 90),
        ("0.5", 0.5),
        ("1h30m", 5400),
        ("2.5s", 2.5),
    ],
)
def test_a_job_is_due_in_a_while(connection: redis.Redis, text: str, seconds: float) -> None:
    before = datetime.now(UTC)
    job = enqueued(connection, "--schedule-in", text)
    assert job.scheduled_for is not None
    late = (job.scheduled_for - before - timedelta(seconds=seconds)).total_seconds()
    assert 0 <= late < 5


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2030-12-01T10:00:00", datetime(2030, 12, 1, 9, tzinfo=UTC)),
        ("2030-07-01T10:00:00", datetime(2030, 7, 1, 8, tzinfo=UTC)),
        ("2030-12-01T10:00:00Z", datetime(2030, 12, 1, 10, tzinfo=UTC)),
        ("2030-12-01T10:00:00.25-05:00", datetime(2030, 12, 1, 15, 0, 0, 250_000, tzinfo=UTC)),
    ],
)
def test_a_job_is_due_at_a_moment(connection: redis.Redis, text: str, moment: datetime) -> None:
    assert enqueued(connection, "--schedule-at", text).scheduled_for == moment


def test_every_option_is_stored(connection: redis.Redis) -> None:
    first, second = enqueued(connection), enqueued(connection)
    job = enqueued(
        connection,
        "--depends-on", first.id, "--depends-on", second.id, "--on-parent-failure", "run",
        "--on-success", "time.time", "--on-failure", "time.ctime", "--on-stopped", "time.gmtime",
        "--webhook", "finished=https://example.com/done", "--webhook", "failed=https://example.com/x",
        "--repeat", "3", "--repeat-interval", "10", "--repeat-interval", "60",
        "--rate-limit", "mail=eu=5", "--job-id", "sum", "--unique", "--meta", '{"by": "ada"}',
        "--group", "reports",
    )  # fmt: skip
    record = job.record
    assert job.get_status() == "deferred"
    assert record.parents.ids == (first.id, second.id)
    assert record.parents.on_failure == "run"
    named = (record.success_callback, record.failure_callback, record.stopped_callback)
    assert [each and each.name for each in named] == ["time.time", "time.ctime", "time.gmtime"]
    assert [hook.job_status for hook in record.webhooks] == ["finished", "failed"]
    assert (record.repeats_left, record.repeat_intervals) == (3, (10, 60))
    assert (record.rate_limit_key, record.rate_limit_concurrency) == ("mail=eu", 5)
    assert (job.meta, job.group_id) == ({"by": "ada"}, "reports")
    again = run("time.time", "--job-id", "sum", "--unique")
    assert again.returncode == 2
    assert "is there already" in again.stderr


WRONG = {
    "both moments": ("--schedule-in", "5m", "--schedule-at", "2030-12-01T10:00:00"),
    "no while": ("--schedule-in", "soon"),
    "a past while": ("--schedule-in", "-5"),
    "no moment": ("--schedule-at", "tomorrow"),
    "no parent": ("--on-parent-failure", "run"),
    "no repeat": ("--repeat-interval", "5"),
    "no number": ("--rate-limit", "mail"),
    "none at all": ("--rate-limit", "mail=0"),
    "no status": ("--webhook", "https-only"),
    "an odd status": ("--webhook", "sometimes=https://example.com"),
    "no JSON": ("--meta", "{by: ada}"),
    "no object": ("--meta", "[1]"),
    "unique without an id": ("--unique",),
}


@pytest.mark.parametrize("words", WRONG.values(), ids=WRONG)
def test_what_makes_no_sense_is_a_usage_error(
    connection: redis.Redis, words: tuple[str, ...]
) -> None:
    done = run("time.time", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("workhorse: ")
    assert connection.dbsize() == 0
