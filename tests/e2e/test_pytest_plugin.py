"""A user's project whose tests use our tools, with pytest and unittest, in its own process."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

import workhorse

ROOT = Path(__file__).parents[2]
SOURCE = Path(workhorse.__file__).parents[1]
PLUGIN = ("-p", "no:workhorse", "-p", "workhorse.testing.pytest_plugin", "-p", "no:valkey")
"""Ours by its module: it may not be installed as a plugin where the tests run from a checkout."""

PROJECT = {
    "pytest.ini": "[pytest]\naddopts = -p no:cacheprovider\n",
    "shop.py": """
from workhorse import Queue, Retry, get_current_job, job

mail = Queue("mail", connection="redis://localhost:1")
sent = []


def send_receipt(order):
    sent.append(order)
    return f"receipt {order}"


@job("stock", connection="redis://localhost:1", retry=Retry(1, interval=60))
def count_stock(article):
    if article not in sent:
        sent.append(article)
        raise LookupError(article)
    return get_current_job().origin


def order_view(order):
    mail.enqueue(send_receipt, order)
    count_stock.delay("tea")
""",
    "test_shop.py": """
import pytest

import shop
from workhorse import Queue
from workhorse.testing import assert_enqueued, assert_not_enqueued, drain, run_job


@pytest.fixture(autouse=True)
def begin_anew(workhorse_connection):
    shop.sent.clear()


def test_view():
    shop.order_view(17)
    assert_enqueued(shop.send_receipt, args=[17], queue="mail", times=1)
    assert_not_enqueued(shop.send_receipt, args=[18])


def test_each_test_begins_empty(workhorse_connection):
    assert workhorse_connection.keys() == []
    assert_not_enqueued(shop.send_receipt)


def test_jobs(workhorse_clock):
    shop.order_view(17)
    drain()
    assert shop.sent == [17, "tea"] or shop.sent == ["tea", 17]
    workhorse_clock.advance(minutes=2)
    (job,) = drain()
    assert job.return_value() == "stock"


def test_inline(workhorse_inline):
    shop.mail.enqueue(shop.send_receipt, 18)
    assert shop.sent == [18]


def test_queue(workhorse_queue):
    assert workhorse_queue == Queue("default")
    workhorse_queue.enqueue(shop.send_receipt, 1)
    assert len(drain()) == 1


def test_function():
    assert run_job(shop.send_receipt, 19).return_value == "receipt 19"
""",
    "test_with_unittest.py": """
import unittest

import shop
from workhorse import testing


class ShopTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(testing.server())

    def setUp(self):
        self.server.empty()
        shop.sent.clear()

    def test_view(self):
        shop.order_view(17)
        testing.assert_enqueued(shop.send_receipt, args=[17])

    def test_inline(self):
        self.enterContext(testing.inline())
        shop.mail.enqueue(shop.send_receipt, 18)
        self.assertEqual(shop.sent, [18])


if __name__ == "__main__":
    unittest.main()
""",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in PROJECT.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python with *words* in *folder*, as a user would."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "PYTEST_ADDOPTS": ""}
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=55,
    )


def run_pytest(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run(folder, "-m", "pytest", *PLUGIN, *words)


def test_a_projects_tests_pass_with_pytest(project: Path) -> None:
    ran = run_pytest(project, "-W", "error")
    assert "8 passed" in ran.stdout, ran.stdout + ran.stderr
    assert ran.returncode == 0


def test_a_projects_tests_pass_with_unittest(project: Path) -> None:
    ran = run(project, "-W", "error", "-m", "unittest", "test_with_unittest")
    assert ran.returncode == 0, ran.stderr
    assert "Ran 2 tests" in ran.stderr


def test_a_projects_tests_pass_with_fakeredis(project: Path) -> None:
    pytest.importorskip("fakeredis")
    (project / "pytest.ini").write_text("[pytest]\nworkhorse_server = fake\n")
    ran = run_pytest(project, "test_shop.py")
    assert "6 passed" in ran.stdout, ran.stdout + ran.stderr


def test_a_server_that_can_not_be_had_is_told_where_the_fixture_is_asked_for(
    project: Path,
) -> None:
    (project / "pytest.ini").write_text("[pytest]\nworkhorse_server = redis://localhost:1\n")
    ran = run_pytest(project, "test_shop.py", "-k", "view")
    assert ran.returncode == 1
    assert "NoTestServerError: the server at redis://localhost:1 does not answer" in ran.stdout


def test_a_failed_assertion_shows_what_was_there_instead(project: Path) -> None:
    (project / "test_shop.py").write_text("""
import shop
from workhorse.testing import assert_enqueued

def test_view(workhorse_connection):
    shop.order_view(17)
    assert_enqueued(shop.send_receipt, args=[18])
""")
    ran = run_pytest(project, "test_shop.py")
    assert ran.returncode == 1
    assert "shop.send_receipt(18, ...) was not enqueued; 2 jobs were enqueued:" in ran.stdout
    assert "shop.send_receipt(17) on queue 'mail'  <- differs in args" in ran.stdout


def test_nothing_is_begun_nor_imported_where_no_fixture_is_asked_for(project: Path) -> None:
    (project / "test_shop.py").write_text("""
import sys

def test_nothing():
    assert not {"redis", "workhorse.api", "workhorse.core", "fakeredis"} & sys.modules.keys()
""")
    ran = run_pytest(project, "test_shop.py", "-p", "no:xdist", "-p", "no:hypothesispytest")
    assert ran.returncode == 0, ran.stdout


def test_the_fixtures_are_listed_with_what_they_are(project: Path) -> None:
    ran = run_pytest(project, "--fixtures", "test_shop.py")
    named = [line.split()[0] for line in ran.stdout.splitlines() if line.startswith("workhorse_")]
    assert sorted(named) == [
        "workhorse_clock",
        "workhorse_connection",
        "workhorse_inline",
        "workhorse_queue",
        "workhorse_server",
    ]


def test_the_plugin_is_installed_under_the_name_of_the_project() -> None:
    about = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (name, module), *others = about["entry-points"]["pytest11"].items()
    assert (name, others) == ("workhorse", [])
    assert import_module(module).workhorse_server
