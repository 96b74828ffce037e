"""The snapshot of RQ's names is RQ's.

To make it anew, for another version of RQ:

    .venv-rq/bin/python tests/compat/rq_side/surface.py > tests/compat/rq_surface.json
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.support.rq_names import ROOT, SNAPSHOT


def test_the_snapshot_of_rqs_names_is_rqs(python_of_rq: Path) -> None:
    script = ROOT / "tests" / "compat" / "rq_side" / "surface.py"
    made = subprocess.run([python_of_rq, script], capture_output=True, text=True, check=True)
    assert made.stdout == SNAPSHOT.read_text()
