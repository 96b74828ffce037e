"""Run the tests on each Python of this machine, each in a virtual environment of its own.

This Python's go first, as two processes at once; then those of the others, at once.

What is tested on the others is the wheel, as a user would install it: a file that it lacks fails.
Of the tests that need a server they run a sixth, drawn by the commit.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

VERSIONS = ("3.11", "3.12", "3.13")
WITHOUT_EXTRAS = "3.13"
"""There the core is tested by itself: whatever our extras need is not installed."""
ROOT = Path(__file__).parents[1]
VERSION = "import sys; print('.'.join(map(str, sys.version_info[:2])))"


def candidates(version: str) -> list[Path]:
    """Return what may be a Python of *version*, on PATH or installed by pyenv."""
    on_path = [shutil.which(f"python{version}", path=folder) for folder in os.get_exec_path()]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv", "versions")
    return [Path(found) for found in on_path if found] + sorted(
        pyenv.glob(f"{version}.*/bin/python")
    )


def works_as(python: Path, version: str) -> bool:
    """Return whether *python* runs and can make virtual environments; pyenv's shims may not."""
    code = f"{VERSION}; import ensurepip, venv"
    said = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return said.stdout.strip() == version


def find(version: str) -> Path | None:
    """Return a Python of *version* that works."""
    return next((python for python in candidates(version) if works_as(python, version)), None)


def prepared(version: str, python: Path, wheel: Path) -> Path:
    """Return the Python of the virtual environment `.venv-<version>`, with *wheel* in it."""
    folder = ROOT / f".venv-{version}"
    inside = folder / "bin" / "python"
    stamp = folder / ".installed"
    pip: list[str | Path] = [
        inside,
        "-m",
        "pip",
        "--quiet",
        "--disable-pip-version-check",
        "install",
    ]
    if not stamp.exists() or stamp.stat().st_mtime < (ROOT / "pyproject.toml").stat().st_mtime:
        subprocess.run([python, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([*pip, "--upgrade", "pip>=25.1"], check=True)
        groups = ["--group", "test"]
        if version != WITHOUT_EXTRAS:
            groups += ["--group", "extras"]
        subprocess.run([*pip, *groups, f"{wheel}[embedded]"], check=True, cwd=ROOT)
        stamp.touch()
    else:
        subprocess.run([*pip, "--force-reinstall", "--no-deps", wheel], check=True)
    return inside


def build_wheel() -> Path:
    """Return a wheel of what is here now."""
    folder = ROOT / "dist" / "check"
    shutil.rmtree(folder, ignore_errors=True)
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "--quiet",
        "wheel",
        "--no-deps",
        "--wheel-dir",
        folder,
    ]
    subprocess.run([*pip, ROOT], check=True)
    return next(folder.glob("*.whl"))


def commit() -> str:
    """Return the current commit; nothing where there is none."""
    git = shutil.which("git")
    if git is None:
        return ""
    told = subprocess.run(
        [git, "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return told.stdout.strip()


@dataclass(frozen=True, slots=True)
class Run:
    """The tests on one Python, begun."""

    label: str
    process: subprocess.Popen[bytes]
    log: Path


def begin(label: str, python: Path, arguments: list[str]) -> Run:
    """Start the tests; most of their time is waiting, so that several share two cores well."""
    log = ROOT / "dist" / "check" / f"tests-{label}.log"
    command: list[str | Path] = [python, "-m", "pytest", "tests", "--durations=20", *arguments]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output)
    return Run(label, process, log)


def end(run: Run) -> bool:
    """Wait for the tests and show what they said; return whether they passed."""
    passed = run.process.wait() == 0
    lines = run.log.read_text(errors="replace").splitlines()
    print(f"--- Python {run.label}: {'passed' if passed else 'FAILED'}")
    print("\n".join(lines[-1:] if passed else lines), flush=True)
    return passed


def main(arguments: list[str]) -> int:
    """Return 0 if the tests pass on each Python found, this one among them."""
    here = ".".join(map(str, sys.version_info[:2]))
    wheel = build_wheel()
    pythons = {here: Path(sys.executable)}
    for version in VERSIONS:
        if version == here:
            continue
        python = find(version)
        if python is None:
            print(f"--- Python {version}: not found on this machine", flush=True)
        else:
            print(f"--- Python {version}: {python}", flush=True)
            pythons[version] = prepared(version, python, wheel)
    inside = pythons.pop(here)
    halves = [begin(f"{here}-{n}", inside, [f"--part={n}/2", *arguments]) for n in (1, 2)]
    passed = [end(run) for run in halves]  # all of them, whatever the first one said
    sixth = f"--one-in=6:{commit()}"
    others = [begin(version, python, [sixth, *arguments]) for version, python in pythons.items()]
    passed += [end(run) for run in others]
    return int(not all(passed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
