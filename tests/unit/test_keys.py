"""A key says what it is: each one that is built is recognized."""

from __future__ import annotations

import fnmatch

import pytest

from workhorse.store.findings import HOMES, LISTS, OF_A_JOB, PERMANENT, SORTED_SETS
from workhorse.wire.keys import FOREIGN, PLACEHOLDER, TEMPLATES, KeyName, Keys

EVERY = {**TEMPLATES, **FOREIGN}


@pytest.mark.parametrize("prefix", ["rq", "{rq:2}"])
@pytest.mark.parametrize("name", EVERY)
def test_a_key_is_read_as_it_was_built(name: str, prefix: str) -> None:
    key = f"{prefix}:" + PLACEHOLDER.sub(lambda hole: f"a-{hole[1]}", EVERY[name])
    parts = {hole: f"a-{hole}" for hole in PLACEHOLDER.findall(EVERY[name])}
    assert Keys(prefix).read(key) == KeyName(name, parts)


@pytest.mark.parametrize("key", ["rq:nonsense", "rq", "job:7", "other:job:7", "rq2:job:7"])
def test_a_key_of_nobody_is_none(key: str) -> None:
    assert Keys().read(key) is None


def test_a_name_may_have_colons() -> None:
    assert Keys().read("rq:queue:a:b") == KeyName("queue", {"queue": "a:b"})
    assert Keys().read("rq:execution:a:b:e") == KeyName(
        "execution", {"job": "a:b", "execution": "e"}
    )


def test_the_pattern_takes_the_prefix_literally() -> None:
    assert Keys("a*[b]").pattern() == r"a\*\[b\]:*"
    assert fnmatch.fnmatch("rq:job:7", Keys().pattern())


def test_the_auditor_names_keys_that_there_are() -> None:
    homes = {kind for kinds in HOMES.values() for kind in kinds} - {"lapsed"}
    assert homes | PERMANENT | OF_A_JOB | LISTS | SORTED_SETS <= set(EVERY)
