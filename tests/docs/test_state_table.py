"""The documents show the states as they are."""

from __future__ import annotations

from tools import state_table


def test_the_page_on_jobs_has_the_current_table_of_states() -> None:
    page = state_table.PAGE.read_text(encoding="utf-8")

    assert state_table.with_table(page) == page, "run python tools/state_table.py"
