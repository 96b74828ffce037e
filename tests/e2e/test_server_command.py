"""`workhorse server` as a person runs it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from workhorse.cli.server import server
from workhorse.store.server import EmbeddedServer


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "data"
    EmbeddedServer(tmp_path / "data").stop()


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(server, [str(word) for word in words])


def test_start_prints_the_url_and_status_describes_the_server(folder: Path) -> None:
    started = run("start", "--data-dir", folder)
    assert (started.exit_code, started.output) == (0, f"{EmbeddedServer(folder).url}\n")
    told = run("status", "--data-dir", folder)
    assert told.exit_code == 0
    assert told.output.startswith("Running: Valkey 9.")
    assert str(folder) in told.output


def test_status_for_programs(folder: Path) -> None:
    asleep = json.loads(run("status", "--json", "--data-dir", folder).output)
    assert asleep == {"running": False, "url": None, "folder": str(folder)}
    run("start", "--data-dir", folder)
    awake = json.loads(run("status", "--json", "--data-dir", folder).output)
    assert awake["running"] is True
    assert awake["url"] == EmbeddedServer(folder).url
    assert awake.keys() >= {"pid", "version", "used_memory", "uptime"}


def test_stop_says_whether_there_was_a_server(folder: Path) -> None:
    run("start", "--data-dir", folder)
    assert run("stop", "--data-dir", folder).output == f"Stopped: {folder}\n"
    again = run("stop", "--data-dir", folder)
    assert (again.exit_code, again.output) == (0, f"Was not running: {folder}\n")
    assert run("status", "--data-dir", folder).output == f"Not running: {folder}\n"


def test_the_environment_chooses_the_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKHORSE_DATA_DIR", str(folder))
    assert run("status").output == f"Not running: {folder}\n"


def test_bad_input_exits_with_2(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = run("start", "--data-dir", tmp_path / "file")
    assert refused.exit_code == 2
    assert "file" in refused.output


def test_a_failed_start_exits_with_1_and_one_line(folder: Path) -> None:
    folder.mkdir()
    (folder / "server").write_text("in the way")
    failed = run("start", "--data-dir", folder)
    assert failed.exit_code == 1
    assert failed.output.startswith("Error: ")
    assert len(failed.output.splitlines()) == 1
    (folder / "server").unlink()
