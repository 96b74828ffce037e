"""Jobs with Sentry's own integration for RQ; each event is a line of the file in EVENTS."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import workhorse


def write_down(envelope: Any) -> None:
    """Be Sentry's transport."""
    with Path(os.environ["EVENTS"]).open("a", encoding="utf-8") as file:
        for item in envelope.items:
            event: Any = item.get_event() or item.get_transaction_event()
            file.write(json.dumps({"type": item.type, **(event or {})}, default=str) + "\n")


def main() -> None:
    """Run three jobs, one of them well."""
    workhorse.install_as_rq()
    # Only now: it looks for rq. And nothing of it when this module is merely imported.
    import sentry_sdk  # noqa: PLC0415 - see above
    from sentry_sdk.integrations.rq import RqIntegration  # noqa: PLC0415 - see above
    from sentry_sdk.transport import Transport  # noqa: PLC0415 - see above

    class ToFile(Transport):
        def capture_envelope(self, envelope: Any) -> None:
            write_down(envelope)

    sentry_sdk.init(
        dsn="http://key@127.0.0.1:1/1",
        integrations=[RqIntegration()],
        transport=ToFile,
        traces_sample_rate=1.0,
        default_integrations=False,
    )
    queue = workhorse.Queue("q")
    with sentry_sdk.start_transaction(name="web"):
        queue.enqueue("math.sqrt", "x", job_id="bad")
        queue.enqueue("math.sqrt", "x", job_id="again", retry=workhorse.Retry(1))
        queue.enqueue("math.sqrt", 4, job_id="good")
    worker_class = {"fork": workhorse.Worker, "inline": workhorse.SimpleWorker}[sys.argv[1]]
    worker_class([queue]).work(burst=True)


if __name__ == "__main__":
    main()
