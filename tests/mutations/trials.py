"""Run tests against a mutated copy of the package, and leave nothing behind."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from tests.mutations.lists import ROOT, Mutation, NotAppliedError, mutated

LIMIT = 150.0
"""Seconds for the tests of one mutation; those of all, where nothing is changed, may take more."""
COPIED = ("src", "tests", "chaos", "tools", "docs", "README.md", "pyproject.toml")
LINKED = (".servers", ".venv-rq")
PASSED, FAILED = 0, 1  # pytest's exit codes


class Said(StrEnum):
    """What became of a mutation."""

    CAUGHT = "caught"
    EQUIVALENT = "equivalent"
    """Missed, and rightly so."""
    PASSED = "passed"
    """So should tests where nothing was changed."""
    MISSED = "MISSED"
    NOT_APPLIED = "NOT APPLIED"
    BROKEN = "BROKEN"
    """The tests could not be run."""
    TIMED_OUT = "TIMED OUT"


@dataclass(frozen=True, slots=True)
class Report:
    """How the trial of a mutation ended."""

    mutation: Mutation
    said: Said
    seconds: float
    reasons: tuple[str, ...] = ()
    """Why the tests failed, or what went wrong instead."""

    @property
    def is_good(self) -> bool:
        """Whether the tests are worth what they should be."""
        return self.said in (Said.CAUGHT, Said.PASSED, Said.EQUIVALENT)

    def as_equivalent(self, why: str) -> Report:
        """Return the report where nobody should see the change."""
        caught = f"caught, although {why}"
        if self.said is not Said.MISSED:
            return replace(self, said=Said.BROKEN, reasons=(caught, *self.reasons))
        return replace(self, said=Said.EQUIVALENT, reasons=(why,))


def cores() -> int:
    """Return how many trials run at a time."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


async def try_all(
    mutations: Iterable[Mutation], *, at_once: int, options: tuple[str, ...] = ()
) -> AsyncIterator[Report]:
    """Yield a report for each of *mutations* as it is there; *options* are pytest's."""
    turns = asyncio.Semaphore(at_once)

    async def in_turn(mutation: Mutation) -> Report:
        async with turns:
            return await try_one(mutation, options)

    trials = [asyncio.ensure_future(in_turn(mutation)) for mutation in mutations]
    try:
        for trial in asyncio.as_completed(trials):
            yield await trial
    finally:
        for running in trials:
            running.cancel()
        await asyncio.gather(*trials, return_exceptions=True)


async def try_one(mutation: Mutation, options: tuple[str, ...] = ()) -> Report:
    """Run the tests of *mutation* against a copy in which it is applied.

    Each of its tests must fail; where one is named without its parameters, with any of them.
    """
    began = time.monotonic()
    # A short name: the path of a socket below it may have about 100 bytes.
    with tempfile.TemporaryDirectory(prefix="mut-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        try:
            make_copy(mutation, folder)
        except NotAppliedError as error:
            return Report(mutation, Said.NOT_APPLIED, 0, (str(error),))
        try:
            code, output = await _run_tests(mutation, folder, options)
        except TimeoutError:
            return Report(mutation, Said.TIMED_OUT, time.monotonic() - began)
    said, reasons = judge(mutation, code, output)
    return Report(mutation, said, time.monotonic() - began, reasons)


def judge(mutation: Mutation, code: int, output: str) -> tuple[Said, tuple[str, ...]]:
    """Return what a run of pytest means for *mutation*, and why.

    >>> from tests.mutations.lists import Edit
    >>> edits = (Edit("loop.py", "old", "new"),)
    >>> mutation = Mutation("a", ("t.py::test_a", "t.py::test_b[1]"), edits)
    >>> judge(mutation, 1, "FAILED t.py::test_a[x] - oh\\nFAILED t.py::test_b[1] - no")[0]
    <Said.CAUGHT: 'caught'>
    >>> judge(mutation, 1, "FAILED t.py::test_a[x] - oh\\nFAILED t.py::test_b[2] - no")
    (<Said.MISSED: 'MISSED'>, ('passed: t.py::test_b[1]',))
    """
    tail = tuple(output.splitlines()[-15:])
    if code not in (PASSED, FAILED):
        return Said.BROKEN, tail
    if mutation.is_control:
        return (Said.PASSED, ()) if code == PASSED else (Said.BROKEN, tail)
    others = () if mutation.any_test else mutation.tests
    missing = [test for test in others if not _has_failed(test, output)]
    if missing or code == PASSED:
        return Said.MISSED, tuple(f"passed: {test}" for test in missing or mutation.tests)
    return Said.CAUGHT, _failures(output)


def _has_failed(test: str, output: str) -> bool:
    """Return whether pytest's summary says so; ERROR where a fixture looks at the jobs."""
    parameters = "" if "[" in test else r"(\[.*\])?"
    line = rf"^(FAILED|ERROR) {re.escape(test)}{parameters}( - |$)"
    return re.search(line, output, re.MULTILINE) is not None


def _failures(output: str) -> tuple[str, ...]:
    return tuple(re.findall(r"^(?:FAILED|ERROR) [^:]*::(.*)$", output, re.MULTILINE))


def make_copy(mutation: Mutation, folder: Path) -> None:
    """Put into *folder* what the tests need, mutated. Raises NotAppliedError."""
    texts = mutated(mutation)
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            # With what Python has compiled: it goes by times, and those are kept.
            shutil.copytree(source, folder / name)
        else:
            shutil.copy(source, folder)
    for name in LINKED:
        if (ROOT / name).exists():
            (folder / name).symlink_to(ROOT / name)
    (folder / "tmp").mkdir()
    for path, text in texts.items():
        (folder / path).write_text(text, encoding="utf-8")
        for compiled in (folder / path).parent.glob(f"__pycache__/{path.stem}.*"):
            compiled.unlink()


async def _run_tests(
    mutation: Mutation, folder: Path, options: tuple[str, ...]
) -> tuple[int, str]:
    command = (
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-rfE",
        "--tb=no",
        "-p",
        "no:cacheprovider",
        "--timeout=30",
    )
    environment = {
        **os.environ,
        "PYTHONPATH": f"{folder / 'src'}{os.pathsep}{folder}",
        "TMPDIR": str(folder / "tmp"),
        "COLUMNS": "300",  # pytest cuts reasons to the width
    }
    process = await asyncio.create_subprocess_exec(
        *command,
        *options,
        *mutation.tests,
        cwd=folder,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    async with _ended_with_all_it_started(process, folder):
        output, _ = await asyncio.wait_for(
            process.communicate(), LIMIT * (4 if mutation.is_control else 1)
        )
    assert process.returncode is not None
    return process.returncode, output.decode(errors="replace")


@asynccontextmanager
async def _ended_with_all_it_started(
    process: asyncio.subprocess.Process, folder: Path
) -> AsyncIterator[None]:
    """Kill at the end of the block what is left: a mutation may well orphan processes."""
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        while orphans := _processes_of(folder):
            for pid in orphans:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(0.01)


def _processes_of(folder: Path) -> list[int]:
    """Return the processes with a copy's folder in their environment (Linux only)."""
    mark = f"TMPDIR={folder}/".encode()
    found: list[int] = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if mark in entry.read_bytes():
                found.append(int(entry.parent.name))
    return found
