"""Errors of the tools for tests."""

from __future__ import annotations

from workhorse.core.errors import WorkhorseError


class NoTestServerError(WorkhorseError):
    """A tool needs a server for tests, and none is in use, or there is none to be had."""


class JobFailedError(WorkhorseError):
    """A job that a tool for tests ran has failed for good. The message has its traceback."""

    def __init__(self, job_id: str, call: str, state: str, traceback: str) -> None:
        why = (traceback.strip().splitlines() or ["no traceback is known"])[-1]
        has = "has failed" if state == "failed" else f"is {state}"
        super().__init__(f"{call or 'a call'} {has}: {why} (job {job_id})\n{traceback}")
        self.job_id = job_id
        self.exc_string = traceback


class EndlessDrainError(WorkhorseError):
    """So many jobs ran that they may have no end: each one perhaps enqueues the next."""
