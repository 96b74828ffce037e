"""The tests' own clockwork."""

from __future__ import annotations

import pytest

from tests.support.waiting import wait_until


def test_it_returns_the_first_true_answer() -> None:
    answers = iter([0, "", [7]])
    assert wait_until(lambda: next(answers), every=0) == [7]


def test_it_says_what_it_waited_for() -> None:
    light = "red"
    with pytest.raises(AssertionError, match=r'in vain for: .*light == "green".*False'):
        wait_until(lambda: light == "green", within=0)
