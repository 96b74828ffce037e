"""What a newcomer sees first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from workhorse.store.server import EmbeddedServer

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "demo" / "pages"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What the demo printed, and the folder that it left."""
    folder = tmp_path_factory.mktemp("demo") / "left"
    command = [sys.executable, str(ROOT / "demo" / "run.py"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, folder


def test_the_demo_counts_the_words_of_every_page(demo: tuple[str, Path]) -> None:
    table = (demo[1] / "results.txt").read_text()

    counted = {row.split()[0]: int(row.split()[1]) for row in table.splitlines()[1:]}

    assert counted == {page.name: len(page.read_text().split()) for page in PAGES.iterdir()}


def test_the_demo_shows_a_page_that_was_away_and_tried_again(demo: tuple[str, Path]) -> None:
    assert "2 (was away, tried again)" in demo[0]


def test_the_demo_leaves_nothing_running(demo: tuple[str, Path]) -> None:
    assert EmbeddedServer(demo[1]).status() is None
    assert "supervisor" in (demo[1] / "worker.log").read_text().splitlines()[-1]


def test_the_demo_leaves_its_jobs_on_disk_to_be_looked_at(demo: tuple[str, Path]) -> None:
    server = EmbeddedServer(demo[1])
    url = server.start()
    try:
        shown = subprocess.run(
            [str(Path(sys.executable).parent / "workhorse"), "info", "-u", url],
            capture_output=True, text=True, check=True, timeout=20,
        ).stdout  # fmt: skip
    finally:
        server.stop()

    assert f"{len(list(PAGES.iterdir()))} finished" in shown
