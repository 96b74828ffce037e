"""Our commands in this process: as they are run from a shell, and in a tenth of the time."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from subprocess import CompletedProcess

from workhorse.cli import main


def run_here(*words: str) -> CompletedProcess[str]:
    """Run ``workhorse`` with *words*; its output is no terminal."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main.run(list(words))
    return CompletedProcess(words, code, out.getvalue(), err.getvalue())
