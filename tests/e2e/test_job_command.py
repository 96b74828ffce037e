"""``workhorse job``: what a person sees of a job, and does to some."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import redis

from tests.e2e.test_command_line import folder
from tests.support import calls
from tests.support.commands import run_here as run
from tests.support.lives import Life
from workhorse import Queue, Retry, SimpleWorker

__all__ = ["folder"]  # a fixture


@pytest.fixture
def life(folder: Path, client: redis.Redis) -> Life:
    """A queue "low" with jobs that finished, failed, run, wait and are canceled, named so."""
    assert folder.is_dir()
    queue = Queue("low", client)
    queue.enqueue(calls.add, 1, job_id="finished", meta={"by": "ada"})
    queue.enqueue(calls.fail, job_id="failed", retry=Retry(1))
    SimpleWorker([queue]).work(burst=True)
    for job_id in ("started", "queued", "canceled"):
        queue.enqueue(calls.add, job_id=job_id)
    queue.enqueue(calls.add, job_id="deferred", depends_on=["queued"])
    life = Life(client)
    life.claim(1, "low")
    life.cancel("canceled")
    return life


@pytest.mark.usefixtures("life")
def test_a_failed_job_is_shown_with_its_runs_and_its_traceback() -> None:
    done = run("job", "show", "failed")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "Job failed  failed"
    assert lines[1].startswith("failed ")
    assert "  tests.support.calls.fail()" in lines
    assert "  Traceback (most recent call last):" in lines
    at = lines.index("Runs")
    assert [line.split()[0] for line in lines[at + 2 : at + 4]] == ["1", "2"]
    assert "retried" in lines[at + 2]
    assert "rq:results:failed" in done.stdout


@pytest.mark.usefixtures("life")
@pytest.mark.parametrize(
    ("job_id", "told"),
    [
        ("finished", ["'by': 'ada'", "tests.support.calls.add(1)", "Result"]),
        ("started", ["running for ", " on w\n", "its worker must answer within"]),
        ("queued", ["waits in low, 0 before it", "Waited for by", "deferred"]),
        ("deferred", ["waits for 1 job", "Waits for\n", "queued"]),
    ],
)
def test_a_job_is_shown_as_it_stands(job_id: str, told: list[str]) -> None:
    page = run("job", "show", job_id).stdout
    assert [text for text in told if text not in page] == []


@pytest.mark.usefixtures("life")
def test_programs_are_told_the_same() -> None:
    document = json.loads(run("job", "show", "failed", "--json").stdout)
    assert (document["job"]["id"], document["job"]["status"]) == ("failed", "failed")
    assert document["call"]["text"] == "tests.support.calls.fail()"
    assert [each["outcome"] for each in document["attempts"]] == ["failed", "retried"]
    assert document["error"].startswith("Traceback")
    assert {key["kind"] for key in document["keys"]} >= {"job", "results"}
    document = json.loads(run("job", "show", "deferred", "--json").stdout)
    assert document["parents"]["rows"][0]["id"] == "queued"


@pytest.mark.usefixtures("life")
def test_what_is_not_there_is_said_on_one_line() -> None:
    done = run("job", "show", "none")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("workhorse: no such job: 'none'")
    for words in ("show", "cancel", "delete --yes"):
        done = run("job", *words.split(), "a\udcff")
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert run("job", "show").returncode == 2
    assert run("job", "cancel").returncode == 2


WORDS = {
    "cancel": (
        {"started": "canceled (it was started)", "queued": "canceled (it was queued)"},
        {
            "finished": "not done: it has ended: it is finished",
            "none": "there is no such job",
        },
    ),
    "stop": (
        {"started": "asked to stop (it was started)"},
        {
            "queued": "not done: it does not run: it is queued (`workhorse job cancel` keeps it "
            "from running)",
            "failed": "not done: it does not run: it is failed",
        },
    ),
    "retry": (
        {
            "failed": "queued again (it was failed)",
            "canceled": "queued again (it was canceled)",
        },
        {
            "finished": "not done: it has ended: it is finished (--finished runs it again all "
            "the same)",
            "started": "not done: it is started (`workhorse job stop` ends it first)",
        },
    ),
}


@pytest.mark.parametrize("verb", WORDS)
def test_what_was_done_to_each_job_is_said(life: Life, verb: str) -> None:
    done, problems = WORDS[verb]
    found = run("job", verb, *problems, *done, *done)
    assert found.returncode == 1
    assert found.stdout.splitlines() == [f"{job_id}: {told}" for job_id, told in done.items()]
    assert found.stderr.splitlines() == [f"{job_id}: {told}" for job_id, told in problems.items()]
    assert run("job", "retry", "canceled").returncode == int(verb == "retry")
    assert life.client.exists("rq:job:finished")


def test_a_finished_job_is_run_again_where_that_is_said(life: Life) -> None:
    assert run("job", "retry", "--finished", "--front", "finished").returncode == 0
    assert life.waiting("low")[0] == "finished"


def test_nothing_is_deleted_unasked(life: Life) -> None:
    done = run("job", "delete", "finished", "started")
    assert done.returncode == 2
    assert "Delete 2 jobs, with results and log; 1 of them runs now?" in done.stderr
    assert "--yes" in done.stderr
    assert life.client.exists("rq:job:finished")
    done = run("job", "delete", "finished", "failed", "none", "--yes")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "finished: deleted (it was finished)",
        "failed: deleted (it was failed)",
    ]
    assert not life.client.exists("rq:job:finished", "rq:results:failed")


def test_a_job_in_no_state_that_we_know_can_be_deleted(life: Life) -> None:
    life.client.hset("rq:job:odd", mapping={"status": "ba\x1bnana", "data": "x"})
    done = run("job", "cancel", "odd")
    assert (done.returncode, done.stdout) == (1, "")
    assert "in no state that we know (`workhorse job delete` removes it)" in done.stderr
    assert "ba\\x1bnana" in run("job", "show", "odd").stdout
    assert run("job", "delete", "--yes", "odd").returncode == 0
    assert not life.client.exists("rq:job:odd")
