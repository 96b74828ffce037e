"""The unit file in the documents: systemd takes it, and it gives a worker the time it needs."""

from __future__ import annotations

import re
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest

from workhorse.cli.worker import worker
from workhorse.store.connections import ANSWER_WITHIN, CONNECT_WITHIN

PAGE = Path(__file__).parents[2] / "docs" / "workers.md"
KNOWN = {
    "Unit": {"Description", "Wants", "After"},
    "Service": {
        "Type", "ExecStart", "User", "WorkingDirectory", "Environment", "KillMode",
        "TimeoutStopSec", "WatchdogSec", "Restart", "RestartSec", "OOMPolicy",
    },
    "Install": {"WantedBy"},
}  # fmt: skip
"""By systemd.unit(5), systemd.service(5), systemd.exec(5) and systemd.kill(5)."""
LAST_WORDS = 10
"""Seconds that a supervisor takes at most to give jobs back."""


@pytest.fixture(scope="module")
def text() -> str:
    found = re.search(r"^```ini\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


@pytest.fixture(scope="module")
def unit(text: str) -> ConfigParser:
    parser = ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # names have capitals
    parser.read_string(text)
    return parser


def test_its_options_are_known(unit: ConfigParser) -> None:
    assert {section: set(unit[section]) - KNOWN[section] for section in unit.sections()} == {
        "Unit": set(), "Service": set(), "Install": set(),
    }  # fmt: skip


def test_systemd_takes_it(text: str, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here")
    file = tmp_path / "workhorse.service"
    there = text.replace("/srv/app/.venv/bin/workhorse", shutil.which("true") or "/bin/true")
    file.write_text(there.replace("/srv/app", "/").replace("User=app", "User=root"))
    ran = subprocess.run(
        ["systemd-analyze", "verify", str(file)], capture_output=True, text=True, check=False
    )
    assert [line for line in ran.stderr.splitlines() if file.name in line] == []


def test_its_command_is_one_of_ours_and_gets_the_time_it_asks_for(unit: ConfigParser) -> None:
    service = unit["Service"]
    _, command, *words = service["ExecStart"].split()
    assert command == "worker"
    grace = worker.make_context("worker", words).params["grace"]
    assert float(service["TimeoutStopSec"]) >= grace + LAST_WORDS
    # A call for the commands, and one for all else, of which either may find no server.
    assert float(service["WatchdogSec"]) / 2 > 2 * (CONNECT_WITHIN + ANSWER_WITHIN)
    assert (service["Type"], service["KillMode"]) == ("notify", "mixed")
