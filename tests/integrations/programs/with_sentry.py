"""Jobs with Sentry's own integration for RQ; each event is a line of the file in EVENTS."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import workhorse

workhorse.install_as_rq()

import sentry_sdk  # noqa: E402 - it looks for rq when it is set up
from sentry_sdk.envelope import Envelope  # noqa: E402
from sentry_sdk.integrations.rq import RqIntegration  # noqa: E402
from sentry_sdk.transport import Transport  # noqa: E402


class ToFile(Transport):
    def capture_envelope(self, envelope: Envelope) -> None:
        for item in envelope.items:
            event: Any = item.get_event() or item.get_transaction_event()
            with Path(os.environ["EVENTS"]).open("a", encoding="utf-8") as file:
                file.write(json.dumps({"type": item.type, **(event or {})}, default=str) + "\n")


sentry_sdk.init(
    dsn="http://key@127.0.0.1:1/1",
    integrations=[RqIntegration()],
    transport=ToFile,
    traces_sample_rate=1.0,
    default_integrations=False,
)


def main() -> None:
    queue = workhorse.Queue("q")
    with sentry_sdk.start_transaction(name="web"):
        queue.enqueue("math.sqrt", "x", job_id="bad")
        queue.enqueue("math.sqrt", "x", job_id="again", retry=workhorse.Retry(1))
        queue.enqueue("math.sqrt", 4, job_id="good")
    worker_class = {"fork": workhorse.Worker, "inline": workhorse.SimpleWorker}[sys.argv[1]]
    worker_class([queue]).work(burst=True)


if __name__ == "__main__":
    main()
