"""What this process enqueued on the server for tests, in its order, whatever became of it."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

from workhorse.api.job import Job
from workhorse.wire.payload import Serializer


class Record:
    """The jobs that were enqueued since the server was emptied last."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self._serializers: dict[str, Serializer] = {}

    def add(self, jobs: Sequence[Job]) -> None:
        """Note new *jobs*, as they are now."""
        self.jobs += [copy(job) for job in jobs]
        for job in jobs:
            self._serializers[job.origin] = job.serializer

    def clear(self) -> None:
        """Forget all."""
        self.jobs.clear()
        self._serializers.clear()

    def serializer_of(self, queue: str) -> Serializer | None:
        """Return what the newest job of *queue* was written with."""
        return self._serializers.get(queue)
