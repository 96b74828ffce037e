"""The loader refuses a wrong call, and a wrong script, before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from workhorse.core.states import TRANSITIONS, Event
from workhorse.store import scripts
from workhorse.store.calls import script
from workhorse.store.scripts import Argument, Item, Script
from workhorse.wire.keys import TEMPLATES, Keys

GOOD: dict[str, Argument] = {"queue": "q", "limit": 5, "fields": ["a", "b"], "extras": []}


class Held(NamedTuple):
    job_id: str
    execution_id: str
    queue: str


class Swapped(NamedTuple):
    execution_id: str
    job_id: str
    queue: str


@pytest.fixture
def uncached() -> Iterator[None]:
    scripts.load.cache_clear()
    yield
    scripts.load.cache_clear()


def written(monkeypatch: pytest.MonkeyPatch, **texts: str) -> None:
    """Let the loader find these scripts in place of the files."""
    monkeypatch.setattr(scripts, "_read", texts.__getitem__)


def words(name: str, args: dict[str, Argument], items: list[Item] | None = None) -> list[object]:
    return list(scripts.load(name).order(args, items or []))


def test_arguments_are_put_in_the_scripts_order_whatever_theirs() -> None:
    shuffled: dict[str, Argument] = {"extras": [], "fields": ["a", "b"], "queue": "q", "limit": 5}
    assert words("lapsed", GOOD) == words("lapsed", shuffled) == ["q", 5, 2, "a", "b", 0]


def test_items_follow_the_arguments() -> None:
    held: list[Item] = [Held("j", "e", "q"), Held("k", "f", "q")]
    assert words("release", {"worker": "w", "failure_ttl": 9}, held) == [
        "w",
        9,
        "j",
        "e",
        "q",
        "k",
        "f",
        "q",
    ]


@pytest.mark.parametrize(
    "args",
    [
        {},
        {"queue": "q", "limit": 5},
        {**GOOD, "extra": 1},
        {"queue": "q", "limits": 5, "fields": [], "extras": []},
        {**GOOD, "fields": "a"},
        {**GOOD, "fields": 7},
        {**GOOD, "limit": [5]},
    ],
    ids=[
        "none",
        "missing",
        "extra",
        "misspelt",
        "text for list",
        "number for list",
        "list for one",
    ],
)
def test_wrong_arguments_are_refused(args: dict[str, Argument]) -> None:
    with pytest.raises(TypeError):
        words("lapsed", args)


@pytest.mark.parametrize(
    "item",
    [("j", "e", "q"), Swapped("e", "j", "q")],
    ids=["no names", "wrong order"],
)
def test_wrong_items_are_refused(item: Item) -> None:
    with pytest.raises(TypeError):
        words("release", {"worker": "w", "failure_ttl": 9}, [item])


def test_a_call_names_its_slot_and_its_prefix() -> None:
    call = script("lapsed", Keys("p"), GOOD, parse=list)
    assert call.words[:5] == ("EVALSHA", scripts.load("lapsed").sha, 1, "p:queues", "p")
    assert call.words_with_source[:2] == ("EVAL", scripts.load("lapsed").source)
    assert call.words_with_source[2:] == call.words[2:]


@pytest.mark.usefixtures("uncached")
def test_an_argument_that_an_include_declares_again_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written(
        monkeypatch,
        bad="--! Sentence.\n--! args: clock\n--! include: _clock\nreturn clock",
        _clock="local clock = redis.call('TIME')",
    )
    with pytest.raises(ValueError, match="bad declares twice: clock"):
        scripts.load("bad")


@pytest.mark.usefixtures("uncached")
def test_two_includes_that_declare_the_same_function_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written(
        monkeypatch,
        bad="--! Sentence.\n--! include: _a, _b",
        _a="local function keep() end",
        _b="local other, keep = 1, 2",
    )
    with pytest.raises(ValueError, match="keep"):
        scripts.load("bad")


@pytest.mark.usefixtures("uncached")
def test_a_list_before_a_single_value_in_an_item_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written(monkeypatch, bad="--! Sentence.\n--! each: names..., queue")
    with pytest.raises(ValueError, match="last"):
        scripts.load("bad")


@pytest.mark.usefixtures("uncached")
@pytest.mark.parametrize("header", ["keys: no_such_key", "events: no_such_event"])
def test_an_unknown_key_or_event_is_refused(monkeypatch: pytest.MonkeyPatch, header: str) -> None:
    written(monkeypatch, bad=f"--! Sentence.\n--! {header}")
    with pytest.raises((KeyError, ValueError)):
        scripts.load("bad")


@pytest.mark.parametrize("name", scripts.names())
def test_every_script_loads_and_declares_no_name_twice(name: str) -> None:
    assert isinstance(scripts.load(name), Script)


@pytest.mark.parametrize("name", scripts.names())
def test_a_script_declares_each_key_and_each_event_it_uses(name: str) -> None:
    source = scripts.load(name).source
    used = set(re.findall(r"\b(\w+)_key\b", source)) & set(TEMPLATES)
    assert used == set(re.findall(r"^local function (\w+)_key\(", source, re.MULTILINE))
    asked = set(re.findall(r"\bafter\('(\w+)'", source))
    assert asked <= set(re.findall(r"\['(\w+)'\] = ';", source))


@pytest.mark.parametrize("name", scripts.names())
def test_a_script_uses_what_is_defined_later_only_by_asking_for_it(name: str) -> None:
    source = scripts.load(name).source
    later = "".join(re.findall(r"^-- later$.*?^-- now$", source, re.MULTILINE | re.DOTALL))
    rest = source.replace(later, "") if later else source
    defined = re.compile(r"^(?:local )?function (\w+)\(", re.MULTILINE)
    missing = set(defined.findall(later)) - set(defined.findall(rest))
    called = set(re.findall(r"(?<![.\w])(\w+)\(", rest))
    assert not missing & called


def test_scripts_are_given_the_rows_of_their_events_alone() -> None:
    source = scripts.load("claim").source
    assert "local transitions = {['claim'] = ';queued=started;'}" in source


def test_every_event_has_a_script_that_asks_for_it() -> None:
    asked = "".join(scripts.load(name).source for name in scripts.names())
    for event in Event:
        assert f"['{event.value}'] = ';" in asked, event
    assert {event for _, event in TRANSITIONS} == set(Event)
