"""`make demo`: an embedded server, two worker processes, a producer, and what came of it.

Leaves nothing running. What a person may want to read stays in the folder
``.demo``, or in the one that is given.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from demo.pages_server import serving  # noqa: E402 - after its folder is known
from workhorse import Job  # noqa: E402
from workhorse.store.server import EmbeddedServer  # noqa: E402

FOLDER = Path(sys.argv[1]).resolve() if sys.argv[1:] else ROOT / ".demo"
LOG = FOLDER / "worker.log"
WORKHORSE = Path(sys.executable).parent / "workhorse"
WORKERS = 2
AT_MOST = 60.0
"""Seconds after which something is wrong."""


def main() -> int:
    """Run the demo; return its exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that all is cleaned up then too
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    server = EmbeddedServer(FOLDER)
    url = server.start()
    os.environ["WORKHORSE_URL"] = url
    say("1", f"A server, just for this: {url}")
    try:
        with serving() as pages, _workers():
            say("2", f"{WORKERS} worker processes: workhorse worker pages -n {WORKERS}")
            began = time.monotonic()
            jobs = _produce(pages)
            say("3", f"A producer, in a process of its own, enqueued {len(jobs)} jobs")
            say("4", "While they run:")
            _watch(jobs)
            seconds = time.monotonic() - began
            say("5", "Results:")
            table = _table(jobs)
            print(table)
            print(f"\n   {len(jobs)} pages in {seconds:.1f} s, by {WORKERS} workers.")
            say("6", "workhorse info says:")
            print(_indented(_output([str(WORKHORSE), "info"])))
            (FOLDER / "results.txt").write_text(f"{table}\n", encoding="utf-8")
    finally:
        server.stop()
    _tell_more(jobs[0])
    return 0


def say(number: str, text: str) -> None:
    """Print a heading."""
    print(f"\n{number}. {text}", flush=True)


@contextmanager
def _workers() -> Generator[None]:
    """Run the worker command within the block, and end it in order."""
    command = [str(WORKHORSE), "worker", "pages", "-n", str(WORKERS), "--path", str(ROOT)]
    with LOG.open("wb") as log:
        worker = subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT)
    try:
        yield
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(timeout=30)


def _produce(pages: Sequence[str]) -> list[Job]:
    output = _output([sys.executable, "-m", "demo.producer", *pages])
    return [Job.fetch(line.split()[0]) for line in output.splitlines()]


def _watch(jobs: Sequence[Job]) -> None:
    """Show how far the jobs are until all have ended."""
    until = time.monotonic() + AT_MOST
    last = ""
    while True:
        states = Counter(str(job.get_status()) for job in jobs)
        done = states["finished"] + states["failed"]
        others = ", ".join(f"{n} {s}" for s, n in sorted(states.items()) if s != "finished")
        line = f"   [{'#' * done}{'.' * (len(jobs) - done)}] {states['finished']} finished"
        line += f", {others}" if others else ""
        if line != last:
            print(line, flush=True)
        last = line
        if done == len(jobs):
            return
        if time.monotonic() > until:
            raise SystemExit(f"not done after {AT_MOST:g} s; the log says:\n{LOG.read_text()}")
        time.sleep(0.1)


def _table(jobs: Sequence[Job]) -> str:
    rows = [("page", "words", "seconds", "runs", "worker")]
    for job in jobs:
        job.refresh()
        result = job.latest_result()
        if (
            result is None
            or result.execution_started_at is None
            or result.execution_ended_at is None
        ):
            raise SystemExit(f"{job} left no result")
        took = (result.execution_ended_at - result.execution_started_at).total_seconds()
        page = str(job.args[0]).rpartition("/")[2]
        runs = len(job.results())
        note = f"{runs}" if runs == 1 else f"{runs} (was away, tried again)"
        rows.append((page, f"{result.return_value:,}", f"{took:.3f}", note, result.worker_name))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return "\n".join(
        f"   {page:<{widths[0]}}  {words:>{widths[1]}}  {took:>{widths[2]}}  "
        f"{runs:<{widths[3]}}  {worker}"
        for page, words, took, runs, worker in rows
    )


def _tell_more(job: Job) -> None:
    socket = EmbeddedServer(FOLDER).url.removeprefix("unix://")
    binary = WORKHORSE.relative_to(ROOT) if WORKHORSE.is_relative_to(ROOT) else WORKHORSE
    say("7", "To look closer (nothing runs any more; the jobs are still on disk):")
    print(f"""
   less {LOG}
                                                      what the workers said
   {binary} server start --data-dir {FOLDER}
                                                      the same server again
   {binary} info -u unix://{socket}
   redis-cli -s {socket} HGETALL {job.key}
                                                      (or valkey-cli) one job, as it is stored
   {binary} server stop --data-dir {FOLDER}
""")


def _output(command: Sequence[str]) -> str:
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.rstrip()


def _indented(text: str) -> str:
    return "\n".join(f"   {line}" for line in text.splitlines())


if __name__ == "__main__":
    sys.exit(main())
