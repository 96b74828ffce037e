"""The names of the keys in Redis, each built here and nowhere else.

``TEMPLATES`` is read twice: by ``Keys``, and by the script loader, which gives each
Lua script a function for every key it declares (``job_key(id)``). Names are RQ 3.0's;
those marked + are ours, and RQ never looks at them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

from workhorse.core.settings import KEY_PREFIX

TEMPLATES: Mapping[str, str] = MappingProxyType(
    {
        "queues": "queues",  # set of queue keys
        "queue": "queue:<queue>",  # list of job ids, taken from the left
        "intermediate": "queue:<queue>:intermediate",  # what an RQ worker is about to start
        "bell": "bell:<queue>",  # + list of at most one token, wakes one idle worker
        "job": "job:<job>",  # hash
        "dependents": "job:<job>:dependents",
        "dependencies": "job::<job>:dependencies",  # the double colon is RQ's
        "results": "results:<job>",  # stream, one entry a run
        "log": "log:<job>",  # + stream, one entry a line
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
        "groups": "groups",  # set of names
        "group": "group:<group>",  # set of job ids
        "tags": "tags",  # + set of the tags that jobs have
        "tag": "tag:<tag>",  # + sorted set of the jobs that have it -> when they were made
        "limits": "rl-keys",  # set of the keys of rate limits
        "limit": "rl:<limit>",  # hash: how many jobs with this key may have a place
        "allowed": "rl:<limit>:allowed",  # sorted set of jobs that have one
        "limited": "rl:<limit>:rate_limited",  # sorted set of jobs that wait for a free place
        "place": "place:<job>",  # + string: the limit of a job that may expire in its queue
        "promoting": "promoting",  # + hash: parents that ended -> how many children were told
        "workers": "workers",
        "workers_of": "workers:<queue>",
        "worker": "worker:<worker>",
        "worker_executions": "worker:<worker>:executions",
        "channel": "pubsub:<worker>",  # no key but a channel, with RQ's commands to a worker
        "claim": "worker:<worker>:claim",  # + string: the last claim, for a lost reply
        "closed": "closed:<token>",  # + string: a claim that takes nothing, should it arrive
        "suspended": "suspended",
        "paused": "paused",  # + sorted set of queues -> until when
        "turn": "turn:<work>",  # + string: whose turn it is to do what one process can do for all
        "cron_due": "cron_due",  # + sorted set: cron entry -> when it fires next, or inf
        "cron_entry": "cron:<entry>",  # + hash: when it fires, and the job that it makes then
        "cron_jobs": "cron_jobs",  # sorted set: cron entry -> when it fired last
        "cron_history": "cron_job:<entry>:jobs",  # sorted set: its jobs -> when they were made
        "cron_schedulers": "cron_schedulers",  # sorted set: name -> its last sign of life
        "cron_scheduler": "cron_scheduler:<scheduler>",  # hash
        "advanced": "advanced",  # + hash: how far tests moved the time, and the last call that did
        "totals": "totals",  # + hash: "event:queue" -> how often it happened
        "durations": "durations",  # + hash: "bucket:function" -> how many runs took that long
        "causes": "causes",  # + sorted set: why jobs failed -> when one did so last
        "cause": "cause:<id>",  # + hash: what is known of it
        "failed_of": "failed_of:<id>",  # + sorted set of the jobs -> when they failed
        "audit": "audit",  # + stream: what people did, or tried, in a dashboard
        "history": "history",  # + string: records of slots of time; see store/history.py
        "history_of": "history:<queue>",  # + string: those of one queue
        "histories": "histories",  # + sorted set of the queues that have them -> their rank
        "broken": "broken:<queue>",  # + list of ids that could not be handled, the newest first
    }
)

FOREIGN: Mapping[str, str] = MappingProxyType(
    {
        "first_seen": "queue:<queue>:intermediate:first_seen:<job>",
        "scheduler": "scheduler:<scheduler>",
        "scheduler_lock": "scheduler-lock:<queue>",
        "clean_registries": "clean_registries:<queue>",
        "clean_groups": "clean_groups",
    }
)
"""Keys that RQ's processes make and we only recognize."""

PLACEHOLDER = re.compile(r"<(\w+)>")


class KeyName(NamedTuple):
    """What a key says it is: its template's name, and what stands in the placeholders."""

    template: str
    parts: Mapping[str, str]


@cache
def _forms() -> list[tuple[str, re.Pattern[str]]]:
    """Return how each key is recognized, those with the most fixed text first.

    An execution's id has no colon; RQ 2 let jobs, and lets all else, be named with them.
    """

    def part(hole: re.Match[str]) -> str:
        return f"(?P<{hole[1]}>{'[^:]+' if hole[1] == 'execution' else '.+'})"

    named = sorted(
        (*TEMPLATES.items(), *FOREIGN.items()), key=lambda item: -len(PLACEHOLDER.sub("", item[1]))
    )
    return [
        (name, re.compile(PLACEHOLDER.sub(part, re.escape(template)), re.DOTALL))
        for name, template in named
    ]


def split_lease(member: bytes) -> tuple[bytes, bytes]:
    """Return the job and the execution of an entry among the leases.

    >>> split_lease(b"7:e1"), split_lease(b"7")
    ((b'7', b'e1'), (b'7', b''))
    """
    job_id, colon, execution = member.rpartition(b":")
    return (job_id, execution) if colon else (execution, b"")


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

    def dependents(self, job_id: str) -> str:
        return self._fill("dependents", job_id)

    def dependencies(self, job_id: str) -> str:
        return self._fill("dependencies", job_id)

    def promoting(self) -> str:
        return f"{self.prefix}:{TEMPLATES['promoting']}"

    def results(self, job_id: str) -> str:
        return self._fill("results", job_id)

    def log(self, job_id: str) -> str:
        return self._fill("log", job_id)

    def ended(self, job_id: str) -> str:
        return self._fill("ended", job_id)

    def lease(self, queue: str) -> str:
        return self._fill("lease", queue)

    def execution(self, job_id: str, execution_id: str) -> str:
        return self._fill("execution", job_id).replace("<execution>", execution_id)

    def executions(self, job_id: str) -> str:
        return self._fill("executions", job_id)

    def claim(self, worker: str) -> str:
        return self._fill("claim", worker)

    def groups(self) -> str:
        return f"{self.prefix}:{TEMPLATES['groups']}"

    def group(self, group: str) -> str:
        return self._fill("group", group)

    def registry(self, name: str, queue: str) -> str:
        """Return the sorted set of the jobs of *queue* in the registry *name*."""
        return self._fill(name, queue)

    def place(self, kind: str, name: str) -> str:
        """Return the key of *kind* in which jobs of the queue, or limit, *name* are."""
        return self._fill("lease" if kind == "lapsed" else kind, name)

    def advanced(self) -> str:
        return f"{self.prefix}:{TEMPLATES['advanced']}"

    def totals(self) -> str:
        return f"{self.prefix}:{TEMPLATES['totals']}"

    def durations(self) -> str:
        return f"{self.prefix}:{TEMPLATES['durations']}"

    def audit(self) -> str:
        return f"{self.prefix}:{TEMPLATES['audit']}"

    def cron_due(self) -> str:
        return f"{self.prefix}:{TEMPLATES['cron_due']}"

    def cron_entry(self, entry: str) -> str:
        return self._fill("cron_entry", entry)

    def cron_jobs(self) -> str:
        return f"{self.prefix}:{TEMPLATES['cron_jobs']}"

    def cron_history(self, entry: str) -> str:
        return self._fill("cron_history", entry)

    def cron_schedulers(self) -> str:
        return f"{self.prefix}:{TEMPLATES['cron_schedulers']}"

    def cron_scheduler(self, scheduler: str) -> str:
        return self._fill("cron_scheduler", scheduler)

    def limits(self) -> str:
        return f"{self.prefix}:{TEMPLATES['limits']}"

    def limit(self, name: str) -> str:
        return self._fill("limit", name)

    def allowed(self, name: str) -> str:
        return self._fill("allowed", name)

    def limited(self, name: str) -> str:
        return self._fill("limited", name)

    def broken(self, queue: str) -> str:
        return self._fill("broken", queue)

    def causes(self) -> str:
        return f"{self.prefix}:{TEMPLATES['causes']}"

    def cause(self, cause: str) -> str:
        return self._fill("cause", cause)

    def failed_of(self, cause: str) -> str:
        return self._fill("failed_of", cause)

    def tags(self) -> str:
        return f"{self.prefix}:{TEMPLATES['tags']}"

    def tag(self, tag: str) -> str:
        return self._fill("tag", tag)

    def workers(self, queue: str | None = None) -> str:
        return self._fill("workers_of", queue) if queue else f"{self.prefix}:workers"

    def worker(self, name: str) -> str:
        return self._fill("worker", name)

    def channel(self, worker: str) -> str:
        return self._fill("channel", worker)

    def suspended(self) -> str:
        return f"{self.prefix}:{TEMPLATES['suspended']}"

    def paused(self) -> str:
        return f"{self.prefix}:{TEMPLATES['paused']}"

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

    def pattern(self, template: str | None = None) -> str:
        """Return what SCAN matches to find every key of ours, or of the given kind."""
        start = self._fill(template, "") if template else f"{self.prefix}:"
        return re.sub(r"([*?\[\]\\^])", r"\\\1", start) + "*"

    def read(self, key: str) -> KeyName | None:
        """Return what *key* is; None for one that neither we nor RQ make.

        >>> Keys().read("rq:job:7:dependents")
        KeyName(template='dependents', parts={'job': '7'})
        """
        name = key.removeprefix(f"{self.prefix}:")
        if name == key:
            return None
        for template, form in _forms():
            if found := form.fullmatch(name):
                return KeyName(template, found.groupdict())
        return None

    def _fill(self, template: str, name: str) -> str:
        head, _, rest = TEMPLATES[template].partition("<")
        return f"{self.prefix}:{head}{name}{rest.partition('>')[2]}"
