"""Every public name of RQ 3.0 is in the table of `docs/from-rq.md`, and the table is right.

RQ's names are those of a snapshot, `tests/compat/rq_surface.json`; `tests/compat` makes it anew.
"""

from __future__ import annotations

import pytest

from tests.support.rq_names import THERE, VERDICTS, find, refused_parameters, rows, surface

ROWS = rows()
SURFACE = surface()


@pytest.mark.parametrize("home", SURFACE)
def test_every_name_of_rqs_is_in_the_table_once(home: str) -> None:
    named = [row.name for row in ROWS if row.home == home]
    assert sorted(named) == sorted(SURFACE[home])


def test_the_table_has_no_home_that_rq_has_not() -> None:
    assert {row.home for row in ROWS} <= SURFACE.keys()


@pytest.mark.parametrize("home", SURFACE)
def test_what_is_said_to_be_there_is(home: str) -> None:
    there = [row for row in ROWS if row.home == home and row.verdict in THERE]
    assert [row.name for row in there if find(row) is None] == []


@pytest.mark.parametrize("home", SURFACE)
def test_what_is_there_takes_rqs_parameters(home: str) -> None:
    """In RQ's order, as far as they go by place; except for those that a row names."""
    refused: dict[str, set[str]] = {}
    for row in ROWS:
        theirs = SURFACE[home].get(row.name)
        if row.home == home and row.verdict in THERE and isinstance(theirs, list):
            missing = refused_parameters(find(row), theirs, by_name=row.by_name)
            refused[row.name] = set(missing) - row.without
    assert {name: missing for name, missing in refused.items() if missing} == {}


@pytest.mark.parametrize("home", SURFACE)
def test_what_is_not_wanted_is_not_there(home: str) -> None:
    unwanted = [row for row in ROWS if row.home == home and row.verdict == "not wanted"]
    assert [row.name for row in unwanted if find(row) is not None] == []


def test_a_verdict_is_one_of_three_and_says_how_or_why() -> None:
    assert {row.verdict for row in ROWS} <= set(VERDICTS)
    silent = [row for row in ROWS if not row.note and row.verdict != "same"]
    assert silent == []
