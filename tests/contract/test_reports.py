"""What a run tells of itself: fenced, bounded, once, and gone with its job."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis

from tests.support.lives import Life
from workhorse.core.outcomes import Raised, Returned
from workhorse.core.progress import Progress
from workhorse.core.settings import LOG_BYTES, LOG_LINES, LOG_TTL
from workhorse.core.states import State
from workhorse.core.verdicts import judge
from workhorse.store import reports
from workhorse.store.reports import LogPage, NewLine, Standing
from workhorse.wire.claimed import Claimed
from workhorse.wire.progress import encode_progress

LOG = "rq:log:j"


def tell(
    life: Life, job: Claimed, *texts: str, number: int = 1, progress: str = "", writer: str = "a"
) -> bool:
    lines = [NewLine(0.0, "log", "info", text) for text in texts]
    call = reports.report(
        life.keys, job.job_id, job.execution_id,
        writer=writer, number=number, progress=progress, lines=lines,
    )  # fmt: skip
    return life.store.run(call)


def log(life: Life, after: str = "", *, count: int = 200, backwards: bool = False) -> LogPage:
    return life.store.run(
        reports.log_page(life.keys, "j", after, count=count, backwards=backwards)
    )


def texts(life: Life) -> list[str]:
    return [line.text for line in log(life).lines]


def standing(life: Life) -> Standing:
    return life.store.run(reports.follow(life.keys, "j"))


def test_what_a_run_tells_is_read(every_life: Life) -> None:
    job = every_life.start()
    lines = [
        NewLine(2.0, "log", "warning", "careful"),
        NewLine(0.5, "out", "", "caf\u00e9 \x1b[2J"),
    ]
    progress = encode_progress(3, 10, 'resizing "a"')
    call = reports.report(
        every_life.keys, "j", job.execution_id, writer="a", number=1, progress=progress,
        lines=lines,
    )  # fmt: skip
    assert every_life.store.run(call)
    seen = standing(every_life)
    assert seen.state is State.STARTED
    assert seen.progress
    assert (seen.progress.done, seen.progress.total) == (3, 10)
    assert (seen.progress.note, seen.progress.fraction) == ('resizing "a"', 0.3)
    told = [(line.source, line.level, line.text) for line in seen.log.lines]
    assert told == [("log", "warning", "careful"), ("out", "", "caf\u00e9 \x1b[2J")]
    first, second = (line.at for line in seen.log.lines)
    assert first
    assert second
    assert seen.progress.at
    assert (second - first).total_seconds() == pytest.approx(1.5, abs=0.01)
    assert (seen.progress.at - second).total_seconds() == pytest.approx(0.5, abs=0.01)


def test_a_report_that_is_sent_again_applies_once(every_life: Life) -> None:
    job = every_life.start()
    for number in (1, 1, 2, 1):
        assert tell(every_life, job, f"line {number}", number=number)
    assert texts(every_life) == ["line 1", "line 2"]


def test_two_writers_of_a_run_are_not_taken_for_each_other(life: Life) -> None:
    job = life.start()
    tell(life, job, "of the first", number=9)
    tell(life, job, "of the second", number=1, writer="b")
    assert texts(life) == ["of the first", "of the second"]


@pytest.mark.parametrize("end", ["settle", "delete", "cancel", "recover", "settle, kept for 0 s"])
def test_a_run_that_lost_its_job_writes_nothing(life: Life, end: str) -> None:
    job = life.start()
    if end == "delete":
        life.delete()
    elif end == "cancel":
        life.cancel()
    elif end == "recover":
        life.extend(job, lease=-1)
        life.recover()
    else:
        life.settle(job, Returned(b"1"), ttl=0 if "kept" in end else 500)
    before = life.dump()
    assert not tell(life, job, "late", progress=encode_progress(1, 1, ""))
    assert life.dump() == before


def test_of_a_long_log_the_last_lines_are_kept(life: Life) -> None:
    job = life.start()
    many = LOG_LINES // reports.MANY + 1
    for number in range(many):
        lines = [f"{number * reports.MANY + i}" for i in range(reports.MANY)]
        tell(life, job, *lines, number=number + 1)
    kept = log(life, count=10_000)
    assert len(kept.lines) == kept.total == LOG_LINES
    assert kept.lines[-1].text == str(many * reports.MANY - 1)


def test_a_log_is_read_in_pages_forward_and_from_its_end(every_life: Life) -> None:
    tell(every_life, every_life.start(), *"abcde")
    first = log(every_life, count=2)
    rest = log(every_life, first.lines[-1].id)
    last = log(every_life, count=2, backwards=True)
    found = [[line.text for line in page.lines] for page in (first, rest, last)]
    assert found == [["a", "b"], ["c", "d", "e"], ["d", "e"]]
    assert (first.total, rest.total) == (5, 5)


def test_a_log_goes_when_its_finished_job_does(life: Life) -> None:
    job = life.start()
    tell(life, job, "x")
    assert LOG_TTL - 60 < life.client.ttl(LOG) <= LOG_TTL
    life.settle(job, Returned(b"1"), ttl=500)
    assert 490 < life.client.ttl(LOG) <= 500


def test_a_log_is_kept_with_a_job_that_is_kept_for_ever(life: Life) -> None:
    job = life.start()
    tell(life, job, "x")
    life.settle(job, Returned(b"1"), ttl=-1)
    assert life.client.ttl(LOG) == -1


@pytest.mark.parametrize("end", ["a result that is not kept", "delete", "a new job with its id"])
def test_a_log_is_removed_with_its_job(life: Life, end: str) -> None:
    job = life.start()
    tell(life, job, "x")
    if end == "delete":
        life.delete()
    else:
        life.settle(job, Returned(b"1"), ttl=0 if "result" in end else 500)
    if "new" in end:
        life.enqueue("j", token="new")
        assert life.state() is State.QUEUED
    assert not life.client.exists(LOG)


def test_a_plain_job_has_no_log_and_its_end_makes_none(life: Life) -> None:
    life.settle(life.start(), Returned(b"1"))
    assert not life.client.exists(LOG)
    assert standing(life).progress is None
    assert log(life) == LogPage([], 0)


@pytest.mark.parametrize("how", ["retry", "requeue", "recover"])
def test_a_later_run_goes_on_in_the_log_behind_a_mark_and_with_progress_of_its_own(
    life: Life, how: str
) -> None:
    job = life.start(retries_left=1)
    tell(life, job, "first", progress=encode_progress(5, 9, ""))
    if how == "retry":
        life.settle(job, judge(Raised("boom"), job.policy))
    elif how == "recover":
        life.extend(job, lease=-1)
        life.recover()
    else:
        life.settle(job, Returned(b"1"))
        assert standing(life).progress
        life.requeue()
    assert standing(life).progress is None
    again = life.claim_one()
    assert tell(life, again, "second")
    assert [line.source for line in log(life).lines] == ["log", "run", "log"]
    assert texts(life) == ["first", again.execution_id, "second"]


def test_no_job_has_no_standing(life: Life) -> None:
    assert standing(life) == Standing(None, None, LogPage([], 0))


def test_a_log_that_is_no_stream_stops_nobody(every_life: Life) -> None:
    job = every_life.start()
    every_life.client.set(LOG, "not a stream")
    assert "WRONGTYPE" in log(every_life).problem
    assert tell(every_life, job, "x")
    assert texts(every_life) == ["x"]
    every_life.client.delete(LOG)
    every_life.client.set(LOG, "not a stream")
    assert every_life.settle(job, Returned(b"1")) == "applied"


def test_a_stream_that_takes_no_more_entries_is_begun_anew(life: Life) -> None:
    job = life.start()
    life.client.xadd(LOG, {"x": "y"}, id="18446744073709551615-18446744073709551615")
    assert tell(life, job, "x")
    assert texts(life) == ["x"]


def test_what_is_read_is_cut_and_may_be_anything(life: Life) -> None:
    job = life.start()
    life.client.xadd(LOG, {"text": b"\xff" + b"x" * 5_000_000, "source": b"\x00", "at": "nan"})
    life.client.hset("rq:job:j", "progress", b"[" * 100_000)
    seen = standing(life)
    (line,) = seen.log.lines
    assert line.text == "\\xff" + "x" * (LOG_BYTES - 1)
    assert (line.source, line.at, seen.progress) == ("log", None, None)
    life.client.hset("rq:job:j", "status", "no state")
    assert standing(life).state is None
    assert not tell(life, job, "x")


@contextmanager
def full(client: redis.Redis) -> Iterator[None]:
    """Have the server refuse whatever takes memory."""
    client.config_set("maxmemory", 1)
    try:
        yield
    finally:
        client.config_set("maxmemory", 0)


def test_a_server_out_of_memory_loses_the_report_and_not_the_job(life: Life) -> None:
    job = life.start()
    tell(life, job, "kept")
    with full(life.client):
        with pytest.raises(redis.ResponseError, match="OOM"):
            tell(life, job, "lost", number=2)
        assert life.settle(job, Returned(b"1")) == "applied"
    assert texts(life) == ["kept"]


def test_a_progress_in_the_field_is_short_whatever_is_noted() -> None:
    for note in ("\x00" * 200, '"' * 200, "\U0001f600" * 200, "\ud800" * 200):
        text = encode_progress(1e17, -0.1, note)
        assert len(text.encode()) <= 400


def test_progress_that_is_no_progress_reads_as_none(life: Life) -> None:
    life.start()
    for stored in ("", "7", "{}", '{"done":"1"}', '{"done":null}', '{"done":1e999}', "NaN"):
        life.client.hset("rq:job:j", "progress", stored)
        assert standing(life).progress is None
    life.client.hset("rq:job:j", "progress", '{"done":2,"note":7,"at":"x"}')
    assert standing(life).progress == Progress(2)
