"""Rows 48 to 57 and 61 of the fault matrix: what jobs hold, and what keys hold, may be anything.

No worker, duty or command stops because of it; other jobs run; a job that can't be run ends
failed with the reason, or its id is set aside.
"""

from __future__ import annotations

import base64
import pickle
import re
import threading
import zlib
from pathlib import Path

import pytest
import redis

from tests.support.api import nothing_sent
from tests.support.faults import FULL, Life, Started
from tests.support.waiting import wait_until
from workhorse import Job, PayloadTooLargeError, Queue
from workhorse.core.settings import CALL_BYTES, RESULT_BYTES, TRACEBACK_BYTES
from workhorse.store import jobs
from workhorse.wire.codec import error_from_text
from workhorse.wire.payload import Call, JSONSerializer, PickleSerializer, decode_call, encode_call
from workhorse.wire.records import encode
from workhorse.worker.runner import LONGEST_TRACEBACK, UNSERIALIZABLE

both_isolations = pytest.mark.parametrize("isolation", ["inline", "fork"])

LINE = re.compile(r"(\d\d:\d\d:\d\d |    )[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]*")


def assert_log_is_sound(supervisor: Started) -> None:
    """Check that each line is one that we wrote, and can do nothing to a terminal."""
    text = supervisor.log_path.read_bytes().decode()
    assert [line for line in text.split("\n")[:-1] if not LINE.fullmatch(line)] == []
    assert max(map(len, text.split("\n"))) < 5000


def assert_one_life(supervisor: Started) -> None:
    """Check that no worker process was lost on the way."""
    assert " is gone" not in supervisor.log, supervisor.log
    assert not re.search(r"worker \S+ broke", supervisor.log), supervisor.log


def reason(life: Life, job_id: str) -> str:
    """Return why a job failed."""
    assert life.state(job_id) == "failed", life.logs()
    return life.results(job_id)[0].error or ""


# 48: what is called

PAYLOADS = {
    "nothing": b"",
    "garbage": b"garbage",
    "random": bytes(range(255, 0, -1)),
    "garbage, compressed": zlib.compress(b"garbage"),
    "half of it": zlib.compress(pickle.dumps(("builtins.len", None, ([],), {})) * 9)[:-9],
    "no call": pickle.dumps(7),
    "three parts": pickle.dumps(("builtins.len", None, ([],))),
    "no name": pickle.dumps((7, None, (), {})),
    "no arguments": pickle.dumps(("builtins.len", None, 7, {})),
    "another serializer's": b'["builtins.len", null, [[]], {}]',
    "a version from the future": b"\x80\xffq" + pickle.dumps(7),
    "a class that is gone": b"cno_such_module\nNoSuchClass\n.",
}


@both_isolations
def test_fault_48_what_is_no_call_fails_its_job_and_no_other(life: Life, isolation: str) -> None:
    for name, data in PAYLOADS.items():
        record = life.record("work", name.replace(" ", "-"), data=data, retries_left=1)
        assert not any(life.store.run(jobs.enqueue(life.keys, [record])).refused)
    life.enqueue("work", "good")
    supervisor = life.drain(isolation=isolation)
    assert life.state("good") == "finished"
    for name in PAYLOADS:
        job_id = name.replace(" ", "-")
        assert "DeserializationError: " in reason(life, job_id)
        assert len(life.results(job_id)) == 2  # a Retry is used up, no more
    assert_one_life(supervisor)
    assert_log_is_sound(supervisor)
    life.assert_clean()


def test_fault_48_a_serializer_that_can_not_read_the_call_is_named() -> None:
    data = encode_call(Call("builtins.len", None, ([],), {}), PickleSerializer())
    with pytest.raises(Exception, match="can't be read by JSONSerializer"):
        decode_call(data, JSONSerializer())


# 50: hashes that vanish


def test_fault_50_a_job_that_vanishes_while_it_is_queued_is_dropped(life: Life) -> None:
    life.enqueue("work", "gone")
    life.enqueue("work", "good")
    life.client.delete(life.keys.job("gone"))
    supervisor = life.drain()
    assert life.lines == ["begin good", "end good"]
    assert "dropped gone" in supervisor.log
    life.assert_clean()


@both_isolations
def test_fault_50_a_job_that_vanishes_while_it_runs_does_not_come_back(
    life: Life, isolation: str
) -> None:
    file = life.folder / "go"
    life.enqueue("wait_for", "gone", str(file))
    life.enqueue("work", "good")
    supervisor = life.start(isolation=isolation, burst=True)
    wait_until(lambda: life.begun()["gone"])
    life.client.delete(life.keys.job("gone"))
    file.touch()
    assert supervisor.end() == 0
    assert life.state("good") == "finished"
    assert not life.client.exists(life.keys.job("gone"), life.keys.results("gone"))
    assert "the end of job gone was not written: it was deleted" in supervisor.log
    assert_one_life(supervisor)
    life.assert_clean()


def test_fault_50_a_job_that_vanishes_while_it_is_scheduled_is_dropped(life: Life) -> None:
    for name in ("gone", "good"):
        life.enqueue("fail", name, retries_left=1, retry_intervals=(600,))
    life.drain()
    for name in ("gone", "good"):
        life.client.zadd(life.keys.registry("scheduled", "q"), {name: 1})
    life.client.delete(life.keys.job("gone"), life.keys.results("gone"))
    life.start()
    life.wait_for("good", state="failed")
    assert life.begun() == {"gone": 1, "good": 2}
    assert not life.client.exists(life.keys.job("gone"))
    life.assert_clean()


# 51: functions that can't be had

MISSING = {
    "raises.work": "RuntimeError: not today",
    "hangs.work": "JobTimeoutException",
    "exits.work": "SystemExit",
    "plain.work": "can't find",
    "plain.NUMBER": "is not a function but int",
    "plain.NUMBER.real.imag": "is not a function but int",
    "none.work": "can't find",
    "": "can't find",
    ".": "",
    "..": "",
    "work": "can't find",
    "a\0b.c": "",
    "\ud800.c": "",
}


@both_isolations
def test_fault_51_a_function_that_can_not_be_had_fails_its_job(life: Life, isolation: str) -> None:
    for number, name in enumerate(MISSING):
        path = name if not name or name[0] not in "rhepn" else f"tests.fault.modules.{name}"
        call = Call(path, None, (), {})
        data = pickle.dumps(tuple(call))
        record = life.record("work", f"j{number}", data=data, timeout=1, description="none")
        assert not any(life.store.run(jobs.enqueue(life.keys, [record])).refused)
    life.enqueue("work", "good")
    supervisor = life.drain(isolation=isolation)
    for number, told in enumerate(MISSING.values()):
        assert told in reason(life, f"j{number}")
    assert life.state("good") == "finished"
    assert_one_life(supervisor)
    life.assert_clean()


# 52, 53: results

HOSTILE = ("a lambda", "deep", "it raises", "it exits", "it interrupts")


@both_isolations
def test_fault_52_a_job_whose_result_can_not_be_stored_has_finished(
    life: Life, isolation: str
) -> None:
    for number, kind in enumerate(HOSTILE):
        life.enqueue("give_unserializable", f"j{number}", kind)
    life.enqueue("give", "good")
    supervisor = life.drain(isolation=isolation)
    for number in range(len(HOSTILE)):
        assert life.state(f"j{number}") == "finished"
        assert life.value(f"j{number}") == UNSERIALIZABLE
        assert f"q: the result of job j{number} is not stored: " in supervisor.log
    assert life.value("good") == "good's value"
    assert_one_life(supervisor)
    assert_log_is_sound(supervisor)
    life.assert_clean()


@both_isolations
def test_fault_53_a_result_that_is_too_large_is_not_stored_and_its_job_has_finished(
    life: Life, isolation: str
) -> None:
    life.enqueue("give_much", "large", 5_000)
    life.enqueue("give_much", "small", 1_000)
    supervisor = life.drain(isolation=isolation, max_result_bytes=2_000)
    assert life.state("large") == "finished"
    assert re.fullmatch(r"Result not stored: it has 50\d\d bytes, .* 2000 bytes .*",
                        life.value("large"))  # fmt: skip
    assert life.value("small") == b"x" * 1_000
    assert "q: the result of job large is not stored: it has 50" in supervisor.log
    assert_one_life(supervisor)
    life.assert_clean()


@both_isolations
@pytest.mark.skipif(not FULL, reason="needs much memory: in the full sweep")
def test_fault_53_a_huge_result_leaves_its_worker_free_at_once(life: Life, isolation: str) -> None:
    life.enqueue("give_much", "huge", 100_000_000)
    life.enqueue("work", "good")
    supervisor = life.drain(isolation=isolation)
    assert (life.state("huge"), life.state("good")) == ("finished", "finished")
    assert "95.4 MiB" in life.value("huge")
    assert f"{RESULT_BYTES >> 20}.0 MiB" in life.value("huge")
    assert_one_life(supervisor)


# 54, 55: sizes


def test_fault_54_a_call_that_is_too_large_is_refused_and_nothing_is_sent(
    client: redis.Redis,
) -> None:
    queue = Queue("q", connection=client)
    large = b"x" * CALL_BYTES
    with nothing_sent(client), pytest.raises(PayloadTooLargeError) as refused:
        queue.enqueue(len, large)
    assert str(refused.value).startswith(
        "the call of builtins.len with its arguments has 64.0 MiB once serialized, more than "
        "64.0 MiB: keep large data elsewhere"
    )
    with nothing_sent(client), pytest.raises(PayloadTooLargeError):
        queue.enqueue_many([Queue.prepare_data(len, ([],)), Queue.prepare_data(len, (large,))])


def bomb(size: int, end: bytes = b"") -> bytes:
    """Return a few bytes for each MiB that they unpack to, which are *size* bytes or more."""
    packer = zlib.compressobj(9)
    head = packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + block * (size >> 20) + end


def peak_of(pid: int) -> int:
    """Return the most memory that a process has had, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * 1024


@both_isolations
def test_fault_55_a_call_that_unpacks_to_gigabytes_fails_its_job_in_little_memory(
    life: Life, isolation: str
) -> None:
    record = life.record("work", "bomb", data=bomb(1 << 30))
    assert len(record.data) < 2_000_000
    assert not any(life.store.run(jobs.enqueue(life.keys, [record])).refused)
    life.enqueue("work", "good")
    supervisor = life.start(isolation=isolation)
    life.wait_for("bomb", "good")
    assert "the stored call is larger than 64.0 MiB" in reason(life, "bomb")
    assert life.state("good") == "finished"
    assert peak_of(supervisor.workers[0]) < 400 << 20
    assert_one_life(supervisor)


def test_fault_55_a_traceback_that_unpacks_to_gigabytes_is_cut() -> None:
    told = error_from_text(base64.b64encode(bomb(256 << 20)))
    assert TRACEBACK_BYTES <= len(told) < TRACEBACK_BYTES + 100
    assert told.endswith("left out ...]")


@pytest.mark.parametrize("field", ["meta", "result", "description", "exc_info"])
def test_fault_55_what_is_not_compressed_is_not_unpacked(life: Life, field: str) -> None:
    life.enqueue("work", "j")
    life.client.hset(life.keys.job("j"), field, bomb(1 << 30)[:100_000])
    life.drain()
    assert life.state("j") == "finished"
    life.assert_clean()


def test_fault_55_a_call_of_the_longest_size_is_run_and_no_longer_one() -> None:
    call = Call("builtins.len", None, (b"x" * (CALL_BYTES - 200),), {})
    data = encode_call(call, PickleSerializer())
    assert decode_call(data, PickleSerializer()) == call


# 56: exceptions


@both_isolations
def test_fault_56_an_exception_of_any_text_is_recorded_and_forges_nothing(
    life: Life, isolation: str
) -> None:
    kinds = {
        "silent": "_SilentError",
        "huge": "characters left out",
        "nul": "a\0b",
        "surrogate": "half \\ud800 a character",
        "not utf-8": "caf\\udce9",
        "forged": "Job OK (forged)",
    }
    for number, kind in enumerate(kinds):
        life.enqueue("fail_oddly", f"j{number}", kind)
    life.enqueue("work", "good")
    supervisor = life.drain(isolation=isolation)
    for number, told in enumerate(kinds.values()):
        error = reason(life, f"j{number}")
        assert told in error
        assert len(error) < LONGEST_TRACEBACK + 200
    assert life.state("good") == "finished"
    assert_one_life(supervisor)
    assert_log_is_sound(supervisor)
    assert not re.search(r"^\d\d:\d\d:\d\d q: Job OK \(forged\)", supervisor.log, re.MULTILINE)
    life.assert_clean()


# 57: the same id twice


@pytest.mark.parametrize("state", ["queued", "started", "scheduled", "finished"])
def test_fault_57_an_id_names_one_job_while_it_has_not_ended(life: Life, state: str) -> None:
    file = life.folder / "go"
    waits = (600,) if state == "scheduled" else ()
    name = {"started": "wait_for", "scheduled": "fail"}.get(state, "work")
    args = [str(file)] if state == "started" else []
    life.enqueue(name, "j", *args, retries_left=len(waits), retry_intervals=waits)
    supervisor = life.start() if state != "queued" else None
    life.wait_for("j", state=state)
    second = life.record("work", "j", token="another")
    answer = life.store.run(jobs.enqueue(life.keys, [second])).refused
    assert answer == ["" if state == "finished" else state]
    file.touch()
    supervisor = supervisor or life.start()
    if state != "scheduled":
        life.wait_for("j", state="finished")
        wait_until(lambda: life.begun()["j"] == (2 if state == "finished" else 1))
    supervisor.stop()
    assert life.begun()["j"] == (2 if state == "finished" else 1)
    life.assert_clean()


def test_fault_57_of_a_hundred_producers_at_once_one_makes_the_job(life: Life) -> None:
    answers: list[str] = []
    start = threading.Barrier(100)

    def produce(number: int) -> None:
        record = life.record("work", "j", token=f"producer-{number}")
        start.wait()
        answers.extend(life.store.run(jobs.enqueue(life.keys, [record])).refused)

    threads = [threading.Thread(target=produce, args=(number,)) for number in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == ["", *["queued"] * 99]
    life.drain()
    assert life.begun() == {"j": 1}
    life.assert_clean()


# 61: names

NAMES = {
    "colons": "a:b:c",
    "braces": "{a}b",
    "a line": "a\n12:34:56 q: Job OK (forged)",
    "control": "\x1b[2J\x1b]0;title\x07",
    "long": "x" * 10_000,
    "unicode": "käse\u202eesrever",
    "path": "../../etc/passwd",
    "nul": "a\0b",
    "space": " ",
    "glob": "*",
}


@pytest.mark.parametrize("name", [*NAMES.values(), "", "\ud800"], ids=ascii)
def test_fault_61_a_hostile_id_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not a job id"):
        Job(name)


@pytest.mark.parametrize(
    "name", ["", "a\nb", "\x1b[2J", "x" * 256, "a\0b", "\u202e", "\u2028", "\ud800"], ids=ascii
)
def test_fault_61_a_hostile_queue_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not a queue name") as refused:
        Queue(name)
    assert len(str(refused.value)) < 500


def test_fault_61_hostile_ids_that_are_found_are_run_or_set_aside(life: Life) -> None:
    for number, name in enumerate(NAMES.values()):
        record = life.record("work", f"j{number}")
        fields = encode(record)
        pairs = dict(zip(fields[::2], fields[1::2], strict=True))
        life.client.hset(life.keys.job(name), mapping={**pairs, "status": "queued"})
        life.client.rpush(life.keys.queue("q"), name)
    odd = [b"\xff\xfe", b"y" * 10_000, b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"caf\xe9\n"]
    life.client.rpush(life.keys.queue("q"), *odd)
    life.enqueue("work", "good")
    supervisor = life.drain()
    ran = [*(f"j{number}" for number in range(len(NAMES))), "good"]
    assert life.begun() == dict.fromkeys(ran, 1)
    kept = [b"y" * 1000 + b"..." if len(word) > 1000 else word for word in odd]
    assert life.client.lrange(life.keys.broken("q"), 0, -1) == kept[::-1]
    assert supervisor.log.count("is set aside in") == len(odd)
    assert_one_life(supervisor)
    assert_log_is_sound(supervisor)
