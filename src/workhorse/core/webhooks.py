"""HTTP requests that tell another service how a job ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from workhorse.core.errors import InvalidOptionError

_STATES = ("finished", "failed")


@dataclass(frozen=True, slots=True)
class Webhook:
    """Tell *url* when a job has ended as *job_status* says: "finished" or "failed".

    Raises InvalidOptionError, a ValueError.
    """

    url: str
    job_status: str
    method: str = field(default="GET", kw_only=True)
    headers: Mapping[str, str] | None = field(default=None, kw_only=True)
    timeout: int = field(default=10, kw_only=True)

    def __post_init__(self) -> None:
        if self.job_status not in _STATES:
            raise InvalidOptionError(
                f"Webhook(job_status={self.job_status!r}): give 'finished' or 'failed'"
            )
