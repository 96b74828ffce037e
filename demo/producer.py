"""The web application's side: enqueue a job for each URL and go on with other things.

python -m demo.producer URL...     prints the id of each job
"""

from __future__ import annotations

import sys

from demo.tasks import count_words_at_url
from workhorse import Queue, Retry


def main(urls: list[str]) -> None:
    """Enqueue one job a page. The server is the one that WORKHORSE_URL names."""
    queue = Queue("pages")
    for url in urls:
        job = queue.enqueue(
            count_words_at_url,
            url,
            retry=Retry(max=3, interval=1),  # a page may be away for a moment
            result_ttl=86_400,  # kept for a day, in seconds
        )
        print(job.id, url)


if __name__ == "__main__":
    main(sys.argv[1:])
