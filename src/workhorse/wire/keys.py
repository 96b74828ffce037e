"""The names of the keys in Redis, each built here and nowhere else.

``TEMPLATES`` is read twice: by ``Keys``, and by the script loader, which gives each
Lua script a function for every key it declares (``job_key(id)``). Names are RQ 3.0's;
those marked + are ours, and RQ never looks at them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from workhorse.core.settings import KEY_PREFIX

TEMPLATES: Mapping[str, str] = MappingProxyType(
    {
        "queues": "queues",  # set of queue keys
        "queue": "queue:<queue>",  # list of job ids, taken from the left
        "bell": "bell:<queue>",  # + list of at most one token, wakes one idle worker
        "job": "job:<job>",  # hash
        "dependents": "job:<job>:dependents",
        "dependencies": "job::<job>:dependencies",  # the double colon is RQ's
        "results": "results:<job>",  # stream, one entry a run
        "ended": "ended:<job>",  # + list, a token for each client that waits for the end
        "tombstone": "gone:<job>",  # + string: settled and deleted; refuses a late resend
        "lease": "wip:<queue>",  # sorted set: "job:execution" -> when the lease lapses
        "execution": "execution:<job>:<execution>",
        "executions": "executions:<job>",
        "finished": "finished:<queue>",
        "failed": "failed:<queue>",
        "scheduled": "scheduled:<queue>",
        "deferred": "deferred:<queue>",
        "ready": "ready:<queue>",
        "canceled": "canceled:<queue>",
        "limited": "rl:<limit>:rate_limited",  # sorted set of jobs that wait for a free place
        "workers": "workers",
        "workers_of": "workers:<queue>",
        "worker": "worker:<worker>",
        "worker_executions": "worker:<worker>:executions",
        "claim": "worker:<worker>:claim",  # + string: the last claim, for a lost reply
        "suspended": "suspended",
    }
)

PLACEHOLDER = re.compile(r"<(\w+)>")


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one partition. All keys of a job share its partition.

    >>> Keys().job("7")
    'rq:job:7'
    >>> Keys.of_partition("rq", 2, count=4).queue("low")
    '{rq:2}:queue:low'
    """

    prefix: str = KEY_PREFIX

    @classmethod
    def of_partition(cls, prefix: str, number: int, *, count: int) -> Keys:
        """Return the keys of partition *number*; with one partition they are RQ's own."""
        return cls(prefix if count == 1 else f"{{{prefix}:{number}}}")

    def queues(self) -> str:
        return f"{self.prefix}:{TEMPLATES['queues']}"

    def queue(self, queue: str) -> str:
        return self._fill("queue", queue)

    def bell(self, queue: str) -> str:
        return self._fill("bell", queue)

    def job(self, job_id: str) -> str:
        return self._fill("job", job_id)

    def results(self, job_id: str) -> str:
        return self._fill("results", job_id)

    def ended(self, job_id: str) -> str:
        return self._fill("ended", job_id)

    def lease(self, queue: str) -> str:
        return self._fill("lease", queue)

    def registry(self, name: str, queue: str) -> str:
        """Return the sorted set of the jobs of *queue* in the registry *name*."""
        return self._fill(name, queue)

    def workers(self, queue: str | None = None) -> str:
        return self._fill("workers_of", queue) if queue else f"{self.prefix}:workers"

    def worker(self, name: str) -> str:
        return self._fill("worker", name)

    def worker_executions(self, name: str) -> str:
        return self._fill("worker_executions", name)

    def queue_name(self, queue_key: str) -> str:
        """Return the queue that *queue_key* belongs to; ValueError if it is no queue's key."""
        start = self._fill("queue", "")
        if not queue_key.startswith(start):
            raise ValueError(f"not the key of a queue: {queue_key!r} (expected {start}<name>)")
        return queue_key[len(start) :]

    def worker_name(self, worker_key: str) -> str:
        """Return the name of the worker that *worker_key* belongs to."""
        return worker_key[len(self._fill("worker", "")) :]

    def _fill(self, template: str, name: str) -> str:
        head, _, rest = TEMPLATES[template].partition("<")
        return f"{self.prefix}:{head}{name}{rest.partition('>')[2]}"
