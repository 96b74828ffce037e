"""A query is read as a person means it, or refused with what to write instead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from workhorse.core.errors import InvalidOptionError
from workhorse.core.queries import Query, parse
from workhorse.core.states import State


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("", Query()),
        ("  \t ", Query()),
        ("status:failed", Query(status=(State.FAILED,))),
        ("STATUS:Failed", Query(status=(State.FAILED,))),
        ("status:failed status:stopped", Query(status=(State.FAILED, State.STOPPED))),
        ("queue:low queue:high", Query(queue=("low", "high"))),
        ("queue:a:b", Query(queue=("a:b",))),
        ('queue:"very low"', Query(queue=("very low",))),
        (r'error:"a \"b\" \\ c"', Query(error=(r'a "b" \ c',))),
        ("func:shop.pay tag:eu cause:0a", Query(func=("shop.pay",), tag=("eu",), cause=("0a",))),
        ("id:7\udc80f\x00", Query(id=("7",), word=("f",))),
        ("id:7f3a", Query(id=("7f3a",))),
        ("7f3a", Query(word=("7f3a",))),
        ('"two words"', Query(word=("two words",))),
        ("after:2h", Query(after=timedelta(hours=2))),
        ("before:1d12h", Query(before=timedelta(hours=36))),
        ("after:2026-11-21", Query(after=datetime(2026, 11, 21, tzinfo=UTC))),
        ("before:2026-11-21T08:30", Query(before=datetime(2026, 11, 21, 8, 30, tzinfo=UTC))),
        (
            "before:2026-11-21T08:30+01:00",
            Query(before=datetime(2026, 11, 21, 8, 30, tzinfo=timezone(timedelta(hours=1)))),
        ),
    ],
)
def test_a_query_is_read(text: str, query: Query) -> None:
    assert parse(text) == query
    assert bool(query) == bool(text.strip())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("stauts:failed", "'stauts:' can't be searched by (use queue:, status:,"),
        ("status:lost", "status:lost is no state of a job (one of created,"),
        ("status:", "status: has no value (such as status:failed)"),
        ('tag:""', "tag: has no value"),
        ('queue:"a', "a quote is not closed"),
        ("after:soon", "after:soon is no time"),
        ("after:9999999999999d", "is no time"),
        ("before:0001-01-01T00:00+14:00", "is no time"),
        ("after:1h after:2h", "after: is given twice"),
        ("x" * 1001, "a query of 1001 characters (at most 1000)"),
        ("x " * 51, "a query of 51 words (at most 50)"),
    ],
)
def test_what_is_not_known_is_refused_with_what_to_write(text: str, told: str) -> None:
    with pytest.raises(InvalidOptionError) as error:
        parse(text)
    assert told in str(error.value)
    assert "\n" not in str(error.value)
