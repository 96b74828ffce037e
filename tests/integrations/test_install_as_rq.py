"""Library code that asks for rq gets ours."""

from __future__ import annotations

import subprocess
import sys

from tests.support.servers import ROOT

NAMES = """
import workhorse
workhorse.install_as_rq()
workhorse.install_as_rq()
import rq, rq.cron, rq.defaults, rq.job, rq.queue, rq.registry, rq.timeouts, rq.version, rq.worker
from rq import Queue, Retry, SimpleWorker, Worker, get_current_job, VERSION, __version__
from rq.job import Callback, Job, JobStatus
from rq.registry import FailedJobRegistry, StartedJobRegistry
from rq.serializers import DefaultSerializer, JSONSerializer
from rq.worker import BaseWorker
assert Queue is workhorse.Queue and rq.queue.Queue is Queue and rq.worker.Worker is Worker
assert Job is workhorse.Job and rq.timeouts.JobTimeoutException is workhorse.JobTimeoutException
assert rq.version.VERSION == VERSION == __version__ == "3.0.0"
"""

TOO_LATE = """
import sys, types
sys.modules["rq"] = types.ModuleType("rq")
import workhorse
try:
    workhorse.install_as_rq()
except workhorse.RQImportedError as error:
    assert "before anything imports rq" in str(error)
else:
    sys.exit("it was installed")
"""


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )


def test_what_imports_rq_gets_workhorse() -> None:
    said = python(NAMES)
    assert said.returncode == 0, said.stderr


def test_where_rq_was_imported_before_it_says_so() -> None:
    said = python(TOO_LATE)
    assert said.returncode == 0, said.stderr


def test_a_job_is_not_performed_by_hand() -> None:
    code = (
        "import workhorse\n"
        "try:\n"
        "    workhorse.Job('j', connection='redis://localhost:1').perform()\n"
        "except workhorse.InvalidJobOperation as error:\n"
        "    assert 'is_async=False' in str(error)\n"
        "else:\n"
        "    raise SystemExit('it ran')\n"
    )
    said = python(code)
    assert said.returncode == 0, said.stderr
