"""Jobs whose pages are looked at."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from workhorse import get_current_job

HOSTILE = (
    "<script>document.title = 'owned'</script><img src=x onerror=\"document.title='owned'\">"
    "\x1b[2J\x1b]0;owned\x07\u202egnp.exe {{ 7 * 7 }} javascript:alert(1) ' \" </title></svg>"
)


def read_aloud(path: str) -> str:
    """Log each line that is written to a file, until one is "end"."""
    job = get_current_job()
    assert job is not None
    seen = 0
    while True:
        lines = Path(path).read_text().splitlines() if Path(path).exists() else []
        for line in lines[seen:]:
            seen += 1
            if line == "end":
                return f"read {seen} lines"
            logging.getLogger("tests").warning(line)
            job.progress(seen, 4, line)
        time.sleep(0.01)


def be_hostile(text: str, **more: str) -> None:
    del more
    logging.getLogger("tests").error(text)
    print(text)  # noqa: T201 - it is captured
    job = get_current_job()
    assert job is not None
    job.progress(1, 2, text)
    job.meta[text] = text * 1000
    job.save_meta()
    raise ValueError(text)


def fail_then_work(path: str) -> str:
    """Fail the first time, and work then."""
    if not Path(path).exists():
        Path(path).touch()
        raise LookupError("no such customer: 7")
    return "paid"
