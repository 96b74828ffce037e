"""From which of its queues a worker takes jobs first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

Strategy = Literal["default", "round_robin", "random"]


class Turns:
    """The order of a worker's queues for each claim; *sample* is ``random.sample``.

    >>> turns = Turns(["a", "b", "c"], "round_robin", lambda queues, _: [*queues])
    >>> turns.took_from("a")
    >>> turns.next()
    ('b', 'c', 'a')
    """

    def __init__(
        self,
        queues: Sequence[str],
        strategy: Strategy,
        sample: Callable[[Sequence[str], int], list[str]],
    ) -> None:
        self._order = tuple(queues)
        self._strategy = strategy
        self._sample = sample

    def next(self) -> tuple[str, ...]:
        """Return the queues for the next claim, the one to take from first at the beginning."""
        if self._strategy == "random":
            return tuple(self._sample(self._order, len(self._order)))
        return self._order

    def took_from(self, queue: str) -> None:
        """Note that jobs were taken from *queue*: in turns, it and those before it come last."""
        if self._strategy == "round_robin":
            after = self._order.index(queue) + 1
            self._order = self._order[after:] + self._order[:after]
