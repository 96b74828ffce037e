"""A producer: ``python -m chaos.producer URL MIX FIRST STEP COUNT RATE``.

Enqueues COUNT jobs, numbered from FIRST by STEP, at RATE a second, whatever becomes of the
server meanwhile; ends sooner when its stdin closes. Its last line says
how many jobs there are, and how many calls were sent again.
"""

from __future__ import annotations

import json
import select
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from random import Random
from typing import Any, Final

from chaos import jobs
from chaos.plan import Kind, Mix, Spec
from workhorse import EnqueueRefusedError, EnqueueUnknownError, Job, Queue, Retry

KEEP: Final = 86_400
"""Seconds for which ended jobs are kept, so that all can be counted at the end."""
SURVIVES: Final = 1000
"""Starts of a job that is no poison pill: however often we kill it, it must not count as one."""
_PAUSE: Final = 0.05
_LARGEST: Final = 200


def options_of(mix: Mix, what: Spec) -> dict[str, Any]:
    """Return what ``Queue.prepare_data`` takes for a job."""
    arguments: dict[Kind, dict[str, Any]] = {
        Kind.GIVE: {"number": what.number},
        Kind.LINGER: {"number": what.number, "seconds": what.seconds},
        Kind.ASK: {"tries": what.tries, "interval": what.interval},
        Kind.DIE: {"by_signal": what.by_signal},
    }
    retried = what.kind is Kind.STUMBLE or (what.kind is Kind.FAIL and what.tries)
    return {
        "func": getattr(jobs, what.kind.value),
        "kwargs": arguments.get(what.kind, {}),
        "job_id": mix.job_id(what.number),
        "result_ttl": KEEP,
        "failure_ttl": KEEP,
        "retry": Retry(what.tries, what.interval) if retried else None,
        "max_starts": None if what.kind is Kind.DIE else SURVIVES,
    }


class Producer:
    """Enqueues jobs in calls of different sizes."""

    def __init__(self, url: str, mix: Mix, first: int) -> None:
        self._mix = mix
        self._url = url
        self._dice = Random(f"producer {mix.seed} {first}")
        self.sent_again = 0

    def sizes(self) -> Iterator[int]:
        """Yield how many jobs each call has: one in half of the calls."""
        while True:
            yield 1 if self._dice.random() < 0.5 else self._dice.randint(2, _LARGEST)  # noqa: PLR2004

    def enqueue(self, numbers: Sequence[int]) -> None:
        """Enqueue jobs; returns when all of them are on the server."""
        by_queue: dict[str, list[Spec]] = {}
        for number in numbers:
            what = self._mix.spec(number)
            by_queue.setdefault(what.queue, []).append(what)
        for name, some in by_queue.items():
            self._insist(Queue(name, self._url), some)

    def _insist(self, queue: Queue, some: Sequence[Spec]) -> None:
        """Send jobs until the server has said that it has them, each once."""
        send: Callable[[], list[Job]] = partial(self._send, queue, some)
        while True:
            try:
                send()
            except (EnqueueUnknownError, EnqueueRefusedError) as error:
                self.sent_again += 1
                send = error.send_again
                time.sleep(_PAUSE)
            else:
                return

    def _send(self, queue: Queue, some: Sequence[Spec]) -> list[Job]:
        options = [options_of(self._mix, what) for what in some]
        if len(some) == 1:
            return [queue.enqueue_call(**options[0])]
        return queue.enqueue_many([queue.prepare_data(**each) for each in options])


def main() -> None:
    """Enqueue what the arguments say."""
    url, mix, *words, rate = sys.argv[1:]
    first, step, count = map(int, words)
    producer, done, began = Producer(url, Mix(**json.loads(mix)), first), 0, time.monotonic()
    numbers = iter(range(first, first + count * step, step))
    for size in producer.sizes():
        some = list(islice(numbers, size))
        if not some:
            break
        producer.enqueue(some)
        done += len(some)
        ahead = done / float(rate) - (time.monotonic() - began)
        if select.select([sys.stdin], [], [], max(0, ahead))[0]:
            break
    print(done, producer.sent_again)


if __name__ == "__main__":
    main()
