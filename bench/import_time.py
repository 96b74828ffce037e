"""What ``import workhorse`` costs: ``python -m bench.import_time``.

In milliseconds, over the import of redis, which every program that uses a queue pays anyway. Each
number is the least of some fresh processes: what else the machine does can only add to it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

RUNS = 15
BAR = 60.0

_CODE = """
import time
began = time.perf_counter()
import redis
between = time.perf_counter()
{statement}
ended = time.perf_counter()
print(between - began, ended - between)
"""


def cost(statement: str, python: Path | str = sys.executable) -> tuple[float, float]:
    """Return the milliseconds of ``import redis`` and of *statement* after it."""
    runs = [_once(statement, python) for _ in range(RUNS)]
    redis, ours = zip(*runs, strict=True)
    return min(redis) * 1000, min(ours) * 1000


def _once(statement: str, python: Path | str) -> tuple[float, float]:
    said = subprocess.run(
        [python, "-c", _CODE.format(statement=statement)],
        check=True,
        capture_output=True,
        text=True,
    )
    first, second = said.stdout.split()
    return float(first), float(second)


def main() -> None:
    """Print the costs, and whether the bar holds."""
    redis, ours = cost("import workhorse")
    _, queue = cost("from workhorse import Queue")
    print(f"import redis                  {redis:6.1f} ms")
    print(f"import workhorse              {ours:6.1f} ms more")
    print(f"from workhorse import Queue   {queue:6.1f} ms more")
    worst = max(ours, queue)
    print(
        f"{'holds ' if worst <= BAR else 'MISSED'} at most {BAR:g} ms over redis: {worst:.1f} ms"
    )


if __name__ == "__main__":
    main()
