"""What the demo's jobs do. A worker imports this by its name, as it would your own module."""

from __future__ import annotations

from urllib.request import urlopen


def count_words_at_url(url: str) -> int:
    """Return how many words the page at *url* has."""
    with urlopen(url, timeout=10) as page:  # noqa: S310 - the demo's own pages, on loopback
        text: str = page.read().decode()
    return len(text.split())
