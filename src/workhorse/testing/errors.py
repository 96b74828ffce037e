"""Errors of the tools for tests."""

from __future__ import annotations

from workhorse.core.errors import WorkhorseError


class NoTestServerError(WorkhorseError):
    """A tool needs a server for tests, and none is in use, or there is none to be had."""


class JobFailedError(WorkhorseError):
    """A job that a tool for tests ran has failed for good.

    What it raised is the ``__cause__``, where it is at hand; else the message has its traceback.
    """

    def __init__(
        self,
        job_id: str,
        call: str,
        state: str,
        traceback: str,
        cause: BaseException | None = None,
    ) -> None:
        why = (traceback.strip().splitlines() or ["no traceback is known"])[-1]
        has = "has failed" if state == "failed" else f"is {state}"
        more = "" if cause else f"\n{traceback}"
        super().__init__(f"{call or 'a call'} {has}: {why} (job {job_id}){more}")
        self.job_id = job_id
        self.exc_string = traceback
        """The traceback, as the job's result keeps it."""
        self.__cause__ = cause


class EndlessDrainError(WorkhorseError):
    """So many jobs ran that they may have no end: each one perhaps enqueues the next."""
