"""What the jobs wrote, read back as runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

_WORDS: Final = 7


@dataclass(slots=True)
class Run:
    """One run of a job's code. Times are of the machine's steady clock."""

    job_id: str
    execution: str
    attempt: str
    """Which of its tries, by its counts of retries: a try that was lost has the same again."""
    worker: str
    pid: int
    began: float
    ended: float | None = None

    @property
    def lease(self) -> str:
        """The entry by which the server knows it."""
        return f"{self.job_id}:{self.execution}"


class Line(NamedTuple):
    """One record."""

    word: str
    job_id: str
    execution: str
    attempt: str
    pid: int
    at: float


def parse(line: str) -> Line | None:
    """Return the record in a line; None for one that was cut off.

    >>> parse("begin j e 0.0 12 3.5 .")
    Line(word='begin', job_id='j', execution='e', attempt='0.0', pid=12, at=3.5)
    >>> parse("begin j e 0.0 1")
    """
    words = line.split(" ")
    if len(words) != _WORDS or words[-1] != ".":
        return None
    word, job_id, execution, attempt, pid, at, _ = words
    return Line(word, job_id, execution, attempt, int(pid), float(at))


def read(folder: Path) -> dict[str, list[Run]]:
    """Return the runs of each job, in the order in which they began."""
    runs: list[Run] = []
    for file in folder.iterdir():
        open_runs: dict[str, Run] = {}
        for line in _lines(file):
            if line.word == "begin":
                runs.append(
                    Run(line.job_id, line.execution, line.attempt, file.name, line.pid, line.at)
                )
                open_runs[runs[-1].lease] = runs[-1]
            elif run := open_runs.pop(f"{line.job_id}:{line.execution}", None):
                run.ended = line.at
    found: dict[str, list[Run]] = {}
    for run in sorted(runs, key=lambda run: run.began):
        found.setdefault(run.job_id, []).append(run)
    return found


def _lines(file: Path) -> Iterator[Line]:
    for text in file.read_text(encoding="ascii", errors="replace").splitlines():
        if text and (line := parse(text)):
            yield line
