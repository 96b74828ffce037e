"""The jobs of a shop, as a dashboard's visitor meets them: most go well, some do not."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from workhorse import get_current_job

LOG = logging.getLogger("shop")
TOLD_EVERY = 50
ODD_EVERY = 120


class PaymentDeclinedError(Exception):
    """The customer's bank said no."""


class StockError(Exception):
    """The warehouse counts otherwise."""


def send_receipt(order: int, to: str) -> str:
    """Send a receipt."""
    time.sleep(0.01 + order % 7 / 100)
    return f"receipt of order {order} sent to {to}"


def charge_card(order: int, amount: float) -> dict[str, float | int | str]:
    """Take the money; every ninth bank declines."""
    time.sleep(0.02 + order % 5 / 50)
    if order % 9 == 0:
        raise PaymentDeclinedError(f"order {order}: insufficient funds for {amount:.2f} EUR")
    return {"order": order, "amount": amount, "reference": f"ch_{order:06d}"}


def reserve_stock(order: int, article: str) -> int:
    """Take an article off the shelf; some are not there."""
    time.sleep(0.03)
    if article == "cobalt-mug":
        raise StockError(f"{article}: 3 ordered, 2 on the shelf")
    return 100 - order % 100


def resize_photo(name: str, widths: Sequence[int]) -> list[str]:
    """Make smaller photos."""
    made: list[str] = []
    for width in widths:
        time.sleep(0.05)
        made.append(f"{name}-{width}.webp")
    return made


def nightly_report(shop: str, orders: int) -> dict[str, int]:
    """Add up a day, order by order, and say how far it is."""
    job = get_current_job()
    LOG.info("report of %s: %d orders", shop, orders)
    for order in range(orders):
        time.sleep(0.05)
        if job is not None:
            job.progress(order + 1, orders, f"order {order + 1}")
        if order % TOLD_EVERY == 0:
            LOG.info("%d of %d orders added up", order, orders)
        if order % ODD_EVERY == 0:
            LOG.warning("order %d has no invoice address", order)
    print(f"{shop}: done")
    return {"orders": orders, "cents": orders * 1999}


def import_catalogue(source: str) -> int:
    """Read a catalogue."""
    LOG.info("reading %s", source)
    time.sleep(0.2)
    return 240


def index_articles(part: int) -> int:
    """Index a part of a catalogue."""
    time.sleep(0.1)
    return part * 10
