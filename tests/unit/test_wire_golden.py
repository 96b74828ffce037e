"""The bytes that other processes read and write, RQ's too. A change here is a migration."""

from __future__ import annotations

import base64
import json
import pickle
import re
import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from workhorse.core.callbacks import CallbackRecord
from workhorse.core.errors import DeserializationError
from workhorse.core.outcomes import AskedRetry, Outcome, Raised, Returned, Stopped
from workhorse.core.retry import Retry
from workhorse.core.settings import LONGEST_SPAN, MAX_STARTS
from workhorse.core.states import State
from workhorse.core.verdicts import Policy, judge
from workhorse.store import scripts
from workhorse.wire import claimed as claimed_fields
from workhorse.wire import codec, entries, extras, keys, payload, records
from workhorse.wire.claimed import EXTRA_FIELDS, FIELDS_TO_RUN
from workhorse.wire.codec import NO_RULES, RetryRules
from workhorse.wire.entries import ResultType
from workhorse.wire.keys import TEMPLATES, Keys
from workhorse.wire.payload import Call, JSONSerializer, PickleSerializer
from workhorse.wire.records import FIELDS, JobRecord

LUA = sorted(Path(scripts.__file__).parent.glob("*.lua"))
SOURCES = [Path(str(module.__file__)) for module in (keys, records)]
MOMENT = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
CALL = Call("shop.mail.send", None, ("a@b.c",), {"urgent": True})
FULL = JobRecord(
    id="j", data=b"\x80call", origin="q", description="d", created_at=MOMENT, timeout=180,
    result_ttl=-1, failure_ttl=9, ttl=8, meta=b"m", retries_left=3, retry_intervals=(10, 30),
    enqueue_at_front=True, enqueue_at_front_on_retry=True, result_in="hash", token="t",
    on_lost="fail", max_starts=5,
    retry_rules=RetryRules(0.5, ("builtins.OSError",), ("shop.SoldOut",)),
)  # fmt: skip


def as_stored(flat: list[Any]) -> dict[bytes, bytes]:
    """Return fields as the server gives them back."""
    values = [word if isinstance(word, bytes) else str(word).encode() for word in flat]
    return dict(zip(values[::2], values[1::2], strict=True))


def test_the_fields_of_a_job() -> None:
    assert as_stored(records.encode(FULL)) == {
        b"data": b"\x80call",
        b"origin": b"q",
        b"created_at": b"2026-01-02T03:04:05.000006Z",
        b"description": b"d",
        b"timeout": b"180",
        b"result_ttl": b"-1",
        b"failure_ttl": b"9",
        b"ttl": b"8",
        b"meta": b"m",
        b"result_in": b"hash",
        b"token": b"t",
        b"on_lost": b"fail",
        b"max_starts": b"5",
        b"enqueue_at_front": b"1",
        b"retries_left": b"3",
        b"retry_intervals": b"[10, 30]",
        b"enqueue_at_front_on_retry": b"1",
        b"retry_rules": b'{"jitter":0.5,"on":["builtins.OSError"],"give_up":["shop.SoldOut"]}',
    }


def test_a_job_that_says_nothing_has_two_fields() -> None:
    assert records.encode(JobRecord(id="j", data=b"x", origin="q")) == [
        "data", b"x", "origin", "q",
    ]  # fmt: skip


def test_a_retry_that_rqs_fields_can_tell_has_no_rules() -> None:
    plain = records.encode(replace(FULL, retry_rules=NO_RULES))
    assert "retry_rules" not in plain
    assert codec.rules_to_json(NO_RULES) is None
    assert codec.rules_from_json(b"") == codec.rules_from_json(None) == NO_RULES


def test_what_a_job_says_of_a_lost_run_is_told_from_silence() -> None:
    """Silence lets the worker decide."""
    assert "on_lost" not in records.encode(replace(FULL, on_lost=None))
    said = records.encode(replace(FULL, on_lost="requeue"))
    assert records.decode("j", as_stored(said)).on_lost == "requeue"
    assert records.decode("j", {b"data": b"x"}).on_lost is None


def test_a_job_is_read_as_it_was_written() -> None:
    assert records.decode("j", as_stored(records.encode(FULL))) == FULL


def test_a_job_of_rqs_client_is_read() -> None:
    empty = ("success_callback_name", "started_at", "ended_at", "worker_name", "group_id")
    fields = {name.encode(): b"" for name in empty}
    fields |= {
        b"created_at": b"2026-01-02T03:04:05.000006Z",
        b"data": b"x",
        b"status": b"rate_limited",
        b"origin": b"q",
        b"timeout": b"-1",
        b"webhooks": b"[]",
    }
    expected = JobRecord(
        id="j", data=b"x", status=State.RATE_LIMITED, origin="q", created_at=MOMENT, timeout=-1
    )
    assert records.decode("j", fields) == expected


@pytest.mark.parametrize(
    "bad", [{b"status": b"lost"}, {b"timeout": b"soon"}, {b"created_at": b"now"},
            {b"retry_intervals": b"10"}, {b"retry_rules": b"[]"}],
    ids=["status", "number", "date", "list", "rules"],
)  # fmt: skip
def test_a_field_that_cant_be_read_is_named_in_the_error(bad: dict[bytes, bytes]) -> None:
    with pytest.raises(DeserializationError, match="not a"):
        records.decode("j", {b"data": b"x", **bad})


def test_a_pickled_call_is_the_tuple_that_rq_reads() -> None:
    plain = ("shop.mail.send", None, ("a@b.c",), {"urgent": True})
    assert payload.encode_call(CALL, PickleSerializer()) == pickle.dumps(plain, 5)


def test_a_json_call_is_an_array_of_four() -> None:
    encoded = payload.encode_call(CALL, JSONSerializer())
    assert encoded == b'["shop.mail.send", null, ["a@b.c"], {"urgent": true}]'


@pytest.mark.parametrize("serializer", [PickleSerializer(), JSONSerializer()])
@pytest.mark.parametrize("length", [1, 10_000])
def test_a_call_is_read_as_it_was_written(serializer: payload.Serializer, length: int) -> None:
    call = Call("f.g", None, ["x" * length], {"k": 1})
    read = payload.decode_call(payload.encode_call(call, serializer), serializer)
    assert (read.function, read.instance, list(read.args), read.kwargs) == tuple(call)


def test_long_calls_are_compressed_and_short_ones_are_not() -> None:
    long = payload.encode_call(Call("f.g", None, ("x" * 1000,), {}), PickleSerializer())
    assert pickle.loads(zlib.decompress(long)) == ("f.g", None, ("x" * 1000,), {})
    short = payload.encode_call(Call("f.g", None, (), {}), PickleSerializer())
    assert pickle.loads(short) == ("f.g", None, (), {})


def test_a_call_that_rq_compressed_is_read() -> None:
    data = zlib.compress(pickle.dumps(("f.g", None, (), {})))
    assert payload.decode_call(data, PickleSerializer()) == Call("f.g", None, (), {})


def test_a_call_of_another_serializer_is_an_error_that_names_ours() -> None:
    with pytest.raises(DeserializationError, match="JSONSerializer"):
        payload.decode_call(pickle.dumps(tuple(CALL)), JSONSerializer())


def test_an_error_is_base64_of_zlib() -> None:
    text = codec.error_to_text("ValueError: ö")
    assert zlib.decompress(base64.b64decode(text)) == "ValueError: ö".encode()
    assert codec.error_from_text(text.encode()) == "ValueError: ö"


@given(some.text())
def test_every_traceback_is_kept(text: str) -> None:
    kept = codec.error_from_text(codec.error_to_text(text))
    assert kept == text.encode("utf-8", "backslashreplace").decode()


@given(some.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2100, 1, 1)))  # noqa: DTZ001 - made aware below
def test_every_date_is_read_as_it_was_written(moment: datetime) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(hours=5, minutes=30)))
    text = codec.date_to_text(aware)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", text)
    assert codec.date_from_text(text) == aware


@pytest.mark.parametrize(
    "text", ["2026-01-02T03:04:05.000006Z", b"2026-01-02T03:04:05.000006Z",
             "2026-01-02T03:04:05.000006", "2026-01-02T03:04:05.000006+00:00"],
    ids=["as RQ", "bytes", "no zone", "offset"],
)  # fmt: skip
def test_dates_without_a_zone_are_utc(text: str) -> None:
    assert codec.date_from_text(text) == MOMENT


@pytest.mark.parametrize(
    ("outcome", "policy", "number", "error"),
    [
        (Raised("boom"), Policy(), 2, "boom"),
        (Raised("boom"), Policy(retries_left=1), 4, "boom"),
        (Stopped(), Policy(), 3, "Job stopped on request."),
        (AskedRetry(Retry(1)), Policy(asked_retries=1), 5, None),
    ],
    ids=["failed", "retried", "stopped", "exhausted"],
)
def test_the_entry_of_a_run(
    outcome: Outcome, policy: Policy, number: int, error: str | None
) -> None:
    kind, shown, name, text = claimed_fields.verdict_entry(
        judge(outcome, policy), result_in="hash"
    )
    assert (kind, shown, name) == ("type", number, "exc_string")
    if error is not None:
        assert codec.error_from_text(str(text)) == error


def test_a_success_is_in_the_hash_or_an_entry() -> None:
    verdict = judge(Returned(b"42"))
    assert claimed_fields.verdict_fields(verdict, result_in="hash") == ["result", b"42"]
    assert claimed_fields.verdict_entry(verdict, result_in="hash") == []
    assert claimed_fields.verdict_fields(verdict, result_in="") == []
    assert claimed_fields.verdict_entry(verdict, result_in="") == [
        "type",
        1,
        "return_value",
        b"NDI=",
    ]


def test_an_entry_is_read() -> None:
    run = entries.decode_entry(
        b"1700000000123-0",
        {
            b"type": b"1", b"return_value": b"NDI=", b"worker_name": b"w", b"execution_id": b"e",
            b"execution_started_at": b"1700000000.000001", b"execution_ended_at": b"1700000000.1",
        },
    )  # fmt: skip
    assert (run.type, run.value, run.worker_name, run.execution_id) == (
        ResultType.SUCCESSFUL, b"42", "w", "e",
    )  # fmt: skip
    assert run.created_at == datetime(2023, 11, 14, 22, 13, 20, 123000, tzinfo=UTC)
    assert run.started_at == datetime(2023, 11, 14, 22, 13, 20, 1, tzinfo=UTC)


def test_the_names_of_the_keys() -> None:
    names = Keys()
    assert (names.queues(), names.queue("q"), names.bell("q")) == (
        "rq:queues", "rq:queue:q", "rq:bell:q",
    )  # fmt: skip
    assert (names.job("j"), names.results("j"), names.ended("j")) == (
        "rq:job:j", "rq:results:j", "rq:ended:j",
    )  # fmt: skip
    assert (names.lease("q"), names.registry("failed", "q")) == ("rq:wip:q", "rq:failed:q")
    assert (names.workers(), names.workers("q")) == ("rq:workers", "rq:workers:q")
    assert (names.worker("w"), names.worker_executions("w")) == (
        "rq:worker:w", "rq:worker:w:executions",
    )  # fmt: skip
    assert names.queue_name("rq:queue:a:b") == "a:b"
    assert names.worker_name("rq:worker:a:b") == "a:b"


def test_a_key_that_is_no_queues_is_refused() -> None:
    with pytest.raises(ValueError, match="rq:queue:<name>"):
        Keys().queue_name("rq:job:j")


def test_every_key_is_used() -> None:
    code = "".join(path.read_text() for path in [*LUA, *SOURCES])
    code += (Path(scripts.__file__).parent.parent / "views.py").read_text()
    for name in TEMPLATES:
        assert re.search(rf'{name}_key\b|_fill\("{name}"|"{name}"(?!:)|:{name}"', code), name


def test_every_field_that_a_script_names_is_known() -> None:
    for path in LUA:
        assert fields_in(path.read_text()) <= FIELDS, path.name


def fields_in(lua: str) -> set[str]:
    """Return the fields of job hashes that a script reads or writes by name."""
    found: set[str] = set()
    calls = re.findall(r"'H\w+',\s*(\w+)(?:\([^()]*\))?,((?:[^()]|\([^()]*\))*)\)", lua)
    for target, words in calls:
        if target not in {"job", "job_key"}:
            continue  # the hash of a worker or of an execution
        found |= set(re.findall(r"'([a-z_]+)'", re.sub(r"\([^()]*\)", "", words)))
    return found


def test_the_search_for_fields_finds_them() -> None:
    assert "enqueued_at" in fields_in((LUA[0].parent / "enqueue.lua").read_text())
    assert "number_of_retries" in fields_in((LUA[0].parent / "requeue.lua").read_text())
    assert "no_such_field" in fields_in("redis.call('HGET', job_key(id), 'no_such_field')")


def test_what_a_claim_returns_is_known_and_fits_the_decoder() -> None:
    assert set(FIELDS_TO_RUN) <= FIELDS
    row = [b"q", b"j", b"e", [b"data", *[None] * (len(FIELDS_TO_RUN) - 1)]]
    job = claimed_fields.decode_claimed(row)
    assert (job.queue, job.job_id, job.data, job.policy) == ("q", "j", b"data", Policy())
    assert job.extras is None


def test_what_a_claim_returns_of_a_job_with_more_to_it_fits_the_decoder() -> None:
    assert set(EXTRA_FIELDS) <= FIELDS
    stored = {
        "success_callback_name": b"shop.done",
        "failure_callback_name": b"shop.failed",
        "failure_callback_timeout": b"5",
        "webhooks": b"[{}]",
        "repeats_left": b"2",
        "repeat_intervals": b"[1, 2]",
        "parent_results": b'{"total":"p","all":["p","r"]}',
    }
    extras = claimed_fields.decode_extras([stored.get(name) for name in EXTRA_FIELDS])
    assert extras is not None
    assert extras.success_callback == CallbackRecord("shop.done", 60)
    assert extras.failure_callback == CallbackRecord("shop.failed", 5)
    assert extras.stopped_callback is None
    assert extras.has_webhooks
    assert (extras.repeats_left, extras.repeat_intervals) == (2, (1, 2))
    assert extras.parent_results == {"total": "p", "all": ("p", "r")}


def test_extras_that_can_not_be_read_count_as_absent() -> None:
    bad = [b"\xff{"] * len(EXTRA_FIELDS)
    extras = claimed_fields.decode_extras(bad)
    assert extras is not None
    assert (extras.repeats_left, extras.repeat_intervals, extras.parent_results) == (None, (), {})
    assert claimed_fields.decode_extras([None] * len(EXTRA_FIELDS)) is None


def claimed(**fields: bytes) -> claimed_fields.Claimed:
    """Return a job with *fields* as a worker gets it."""
    row = [fields.get(name) for name in FIELDS_TO_RUN]
    return claimed_fields.decode_claimed([b"q", b"j", b"e", row])


def test_a_claim_tells_all_that_a_policy_holds() -> None:
    stored = as_stored(records.encode(FULL))
    row = [stored.get(name.encode()) for name in FIELDS_TO_RUN]
    job = claimed_fields.decode_claimed([b"q", b"j", b"e", row])
    assert job.policy == Policy(
        retries_left=3, retry_intervals=(10, 30), retry_at_front=True, retry_jitter=0.5,
        retry_on=("builtins.OSError",), give_up_on=("shop.SoldOut",), on_lost="fail", max_starts=5,
    )  # fmt: skip


@pytest.mark.parametrize(
    "rules",
    [b"", b"{", b"[]", b"7", b"null", b'{"jitter":"half"}', b'{"jitter":2}', b'{"jitter":-1}',
     b'{"jitter":NaN}', b'{"jitter":1e999}', b'{"on":7}', b'{"on":"x"}', b'{"give_up":[7]}',
     b'{"on":{"a":1}}', b"\xff", b"[" * 100_000, b'{"on":["%s"]}' % (b"x" * 250_000)],
    ids=lambda rules: rules[:20].decode("ascii", "replace"),
)  # fmt: skip
def test_rules_that_cant_be_read_count_as_none(rules: bytes) -> None:
    job = claimed(data=b"x", retries_left=b"1", retry_rules=rules)
    assert job.policy == Policy(retries_left=1)


@pytest.mark.parametrize(
    ("intervals", "read"),
    [(b"[1e999]", ()), (b"[" * 100_000, ()), (b"[1" + b"0" * 400 + b"]", (LONGEST_SPAN,))],
    ids=["infinite", "deep", "huge"],
)
def test_waits_that_nobody_can_count_dont_stop_a_worker(
    intervals: bytes, read: tuple[int, ...]
) -> None:
    job = claimed(data=b"x", retries_left=b"1", retry_intervals=intervals)
    assert job.policy.retry_intervals == read


@pytest.mark.parametrize("most", [b"", b"0", b"-1", b"many"])
def test_a_limit_of_starts_that_makes_no_sense_is_ours(most: bytes) -> None:
    assert claimed(data=b"x", max_starts=most).policy.max_starts == MAX_STARTS


def test_every_field_of_ours_is_read_or_written_in_python_or_lua() -> None:
    code = "".join(path.read_text() for path in LUA)
    body = SOURCES[1].read_text().split("class JobRecord", 1)[1]
    body += "".join(Path(str(module.__file__)).read_text() for module in (claimed_fields, extras))
    body += "".join(body.replace("{kind}", kind) for kind in extras.CALLBACKS)
    for name in FIELDS:
        assert f"'{name}'" in code or f'"{name}"' in body, name


def test_json_is_readable_by_others() -> None:
    data = payload.encode_call(CALL, JSONSerializer())
    assert json.loads(data)[0] == "shop.mail.send"
