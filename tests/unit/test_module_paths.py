"""``workhorse.job`` and its like have what RQ's modules of those names have."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from tests.support.rq_names import THERE, rows
from workhorse.compat import paths

OLD_WORDS = {
    "connections": {
        "Connection",
        "get_current_connection",
        "pop_connection",
        "push_connection",
        "use_connection",
    },
    "handlers": {"move_to_failed_queue"},
    "queue": {"FailedQueue", "get_failed_queue"},
    "job": {"Callback"},
}
"""What RQ 3.0 has not, or not there."""

MODULES = sorted(
    path.stem for path in Path(paths.__path__[0]).glob("*.py") if path.stem != "__init__"
)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_has_the_names_that_the_table_promises(name: str) -> None:
    module = import_module(f"workhorse.compat.paths.{name}")
    promised = {
        row.name: row.here
        for row in rows()
        if row.home == f"rq.{name}" and row.verdict in THERE and row.ours == ("workhorse",)
        and "." not in row.here
    }  # fmt: skip
    promised |= {word: word for word in OLD_WORDS.get(name, set())}
    assert set(dir(module)) == set(promised)
    for each, here in promised.items():
        assert getattr(module, each) is getattr(import_module("workhorse"), here)


def test_a_name_that_a_module_has_not_is_told_as_python_does() -> None:
    with pytest.raises(AttributeError, match=r"module 'workhorse\.compat\.paths\.queue' has no"):
        import_module("workhorse.compat.paths.queue").Kueue  # noqa: B018
    with pytest.raises(AttributeError, match=r"module 'workhorse\.worker' has no attribute"):
        import_module("workhorse.worker").HerokuWorker  # noqa: B018


def test_every_module_of_rqs_with_names_that_are_the_same_has_a_path() -> None:
    homes = {
        row.home.removeprefix("rq.")
        for row in rows()
        if row.home.startswith("rq.") and row.ours == ("workhorse",) and row.verdict in THERE
        and row.here == row.name
    }  # fmt: skip
    of_ours = {"worker"}  # a package of our own, with those names
    assert homes - of_ours <= set(MODULES)
