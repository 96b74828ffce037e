"""Programs that watch jobs, each in a process of its own: what they change stays there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.support.servers import ROOT, RunningServer

_NEED_EXTRAS = ["test_prometheus.py", "test_monitoring_files.py"]
collect_ignore = [] if find_spec("prometheus_client") else _NEED_EXTRAS
"""The Pythons that have no extras."""

Run = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def run_program(valkey_server: RunningServer, tmp_path: Path) -> Run:
    """Run a program on an empty server; return what it wrote, line by line."""
    with valkey_server.client() as client:
        client.flushall()

    def run(name: str, *arguments: str) -> list[dict[str, Any]]:
        file = tmp_path / "told"
        said = subprocess.run(
            [sys.executable, "-m", f"tests.integrations.programs.{name}", *arguments],
            cwd=ROOT,
            env={
                **os.environ,
                "WORKHORSE_URL": valkey_server.url,
                "EVENTS": str(file),
                "SPANS": str(file),
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=50,
        )
        assert said.returncode == 0, said.stdout + said.stderr
        return [json.loads(line) for line in file.read_text().splitlines()]

    return run
