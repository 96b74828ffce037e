"""Giving a queue's jobs to another one."""

from __future__ import annotations

from workhorse.api.queue_content import QueueContent
from workhorse.store.bulk import Where, move_some


class QueueMoves(QueueContent):
    """How a ``Queue`` lets its jobs go."""

    def move_jobs(self, to: QueueContent | str) -> int:
        """Give every job that waits in the queue now to another queue; return how many went.

        They keep their order, behind what waits there. A few hundred are moved at a time, each
        job in one step: one that a worker claims meanwhile runs. Raises InvalidNameError.
        """
        where, moved = Where(place="queued", name=self.name), 0
        while True:
            name = to if isinstance(to, str) else to.name
            part = self._store.run(move_some(self._keys, where, _AT_ONCE, to=name))
            moved += part.done
            if part.rest is None or part.looked_at >= part.total:
                return moved
            where = part.rest


_AT_ONCE = 200
