"""Defaults, in one place. Where RQ 3.0 has the same setting, its value is kept."""

from __future__ import annotations

KEY_PREFIX = "rq"
QUEUE = "default"

JOB_TIMEOUT = 180
"""Seconds a job may run before it is interrupted."""
RESULT_TTL = 500
"""Seconds a finished job and its result are kept."""
FAILURE_TTL = 31_536_000
"""Seconds a failed job is kept: a year."""
WORKER_TTL = 420
"""Seconds after its last sign of life at which a worker counts as gone."""

TIMEOUT_GRACE = 10.0
"""Seconds between the interrupt at the time limit and the kill of a job that goes on."""
SHUTDOWN_GRACE = 180.0
"""Seconds that running jobs get to end after the first signal to stop."""

LEASE = 60.0
"""Seconds a claim holds without being extended. After a machine dies, its jobs come back
after this time plus one ``RECOVER_EVERY``."""
EXTEND_EVERY = 15.0
"""Seconds between two extensions: a quarter of the lease, so that three may be lost."""
MAX_STARTS = 3
"""How often a job may be entered without an outcome before it is failed as a poison pill."""

LONGEST_SPAN = 10_000_000_000
"""Seconds, three centuries: the server can't count many more, and would stop half-way."""

BATCH_SECONDS = 0.025
"""The work that one worker may hold, and the time in which an ended job is settled."""
BATCH_JOBS = 200
"""The most jobs in a batch: 3 ms of the server's time."""
CLAIM_BYTES = 1_000_000
"""A claim stops after this many bytes of arguments, so that large ones travel one by one."""

CALL_BYTES = 64 << 20
"""The most that a job's serialized call may have: more is not enqueued, and not decompressed."""
RESULT_BYTES = 16 << 20
"""The most that a worker stores of one serialized result."""
TRACEBACK_BYTES = 1 << 20
"""The most that is decompressed of a stored traceback: a dozen times what we store of one."""

LOG_LINES = 1000
"""Lines that are kept of a job's log: the last ones."""
LOG_BYTES = 2000
"""Bytes that are kept of one line: a log takes 2 MB at most, and 150 KB with usual lines."""
LOG_TTL = 2_592_000
"""Seconds after its last line for which the log of a job is kept that has not ended: thirty days.
RQ's client knows nothing of logs, and may delete their jobs."""
REPORT_EVERY = 0.25
"""Seconds between two reports of a job: what a killed process had not told yet is lost."""
REPORT_FOR = 3.0
"""Seconds for which a job's end waits for its last report to arrive."""

BELL_SECONDS = 1
"""An idle worker looks into its queues this often; RQ's producers ring no bell."""
REGISTER_EVERY = 15.0
FORWARD_EVERY = 0.1
"""Between two looks for jobs that were scheduled meanwhile; what is known to be due sooner is
moved to the moment."""
PROMOTE_EVERY = 0.25
"""Between two looks for children of ended parents that were too many for one step."""
RECOVER_EVERY = 5.0
SWEEP_EVERY = 60.0
CAUSE_KEPT = 3600
"""Seconds for which the cause of failures is known after the last job of it was tried again."""
ADMIT_EVERY = 5.0
"""Between two looks at the places of rate limits."""
RECONCILE_EVERY = 1.0
"""Between two pages of the walk through all jobs: a million take an hour and a half."""
RECONCILE_AFTER = 60.0
"""Seconds for which a job was in no place, and did not change, before it is put back. RQ moves
jobs in several steps, between which they are nowhere; it waits as long itself."""
RECONSIDER_EVERY = 1.0
"""Between two pages of the walk through the jobs that wait for others."""
RECONSIDER_AFTER = 10.0
"""Between the beginnings of two such walks."""
CHECKUP_EVERY = 3600.0
"""Seconds between two looks at the server's settings."""
