"""RQ 3.0.0 from PyPI, in a virtual environment of its own: `.venv-rq` in the project's folder.

Its one rule: RQ is never installed beside Workhorse, so that neither can lean on the other's
dependencies. Run as a program it makes the environment and prints its Python.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".venv-rq"
RQ_VERSION = "3.0.0"
PACKAGES = (f"rq=={RQ_VERSION}", "redis[hiredis]")

_PYTHON = FOLDER / "bin" / "python"
_STAMP = FOLDER / f".rq-{RQ_VERSION}"


class NoRQError(RuntimeError):
    """RQ could not be installed; the message has what the installer said."""


def rq_python() -> Path:
    """Return the Python that has RQ; make its environment first if there is none.

    Several processes may ask at once. Raises NoRQError.
    """
    with _locked():
        if not (_STAMP.exists() and _works()):
            _make()
    return _PYTHON


def _make() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    _run(sys.executable, "-m", "venv", str(FOLDER))
    _run(str(_PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES)
    _STAMP.touch()


def _works() -> bool:
    """Return whether the Python it was made of is still there."""
    return (
        subprocess.run([_PYTHON, "-c", "import rq"], check=False, capture_output=True).returncode
        == 0
    )


def _run(*command: str) -> None:
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    if said.returncode != 0:
        raise NoRQError(
            f"RQ {RQ_VERSION}, which these tests compare with, could not be installed in {FOLDER} "
            f"(is PyPI, or your index, within reach?). `{' '.join(command)}` said:\n"
            f"{said.stdout}{said.stderr}"
        )


@contextmanager
def _locked() -> Iterator[None]:
    """Hold a lock on this file's folder, which the kernel frees however we end."""
    folder = os.open(Path(__file__).parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


if __name__ == "__main__":
    print(rq_python())  # noqa: T201 - for the person, or the Makefile, that ran it
