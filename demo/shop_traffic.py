"""A morning of the shop: orders, photos, a report that runs, a catalogue whose parts wait."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from workhorse import Cron, Group, Queue, RateLimit, Retry

ARTICLES = ("walnut-tray", "linen-apron", "cobalt-mug", "oak-board", "brass-spoon")


def open_shop(connection: Any) -> None:
    """Enqueue what there is one of: a report, a catalogue with its parts, schedules, a group."""
    reports, default = Queue("reports", connection), Queue("default", connection)
    reports.enqueue(
        "demo.shop.nightly_report", "Lisbon", 4800, job_id="report-lisbon", job_timeout=900,
        description="nightly_report('Lisbon', 4800)", job_tags=["night"],
    )  # fmt: skip
    for town in ("Porto", "Braga", "Faro"):
        reports.enqueue(
            "demo.shop.nightly_report", town, 4800, job_timeout=900, job_tags=["night"],
            rate_limit=RateLimit("tax-office", 1),
        )  # fmt: skip
    catalogue = default.enqueue(
        "demo.shop.import_catalogue", "spring.csv", job_id="catalogue-spring"
    )
    parts = [
        default.enqueue(
            "demo.shop.index_articles", part, job_id=f"index-{part}", depends_on=catalogue
        )
        for part in range(6)
    ]
    default.enqueue(
        "demo.shop.nightly_report", "catalogue", 20, job_id="catalogue-summary", depends_on=parts
    )
    for number in range(4):
        default.enqueue(
            "demo.shop.index_articles", number, rate_limit=RateLimit("search-engine", 1)
        )
    soon = datetime.now(UTC) + timedelta(hours=2)
    for number in range(3):
        default.enqueue_at(
            soon + timedelta(minutes=number), "demo.shop.send_receipt", number, "a@b.example"
        )
    photos = Queue("photos", connection)
    Group(connection, "spring-photos").enqueue_many(
        photos,
        [
            photos.prepare_data("demo.shop.resize_photo", (f"photo-{number}", (320, 640, 1280)))
            for number in range(12)
        ],
    )
    cron = Cron(connection)
    cron.add("nightly-report", "demo.shop.nightly_report", args=("Lisbon", 60), cron="30 2 * * *",
             zone="Europe/Lisbon", queue="reports", replace=True)  # fmt: skip
    cron.add("stock-check", "demo.shop.reserve_stock", args=(1, "oak-board"), interval=30,
             queue="default", replace=True)  # fmt: skip


def take_orders(connection: Any, first: int, count: int) -> None:
    """Enqueue *count* orders, each several jobs."""
    dice = random.Random(first)  # noqa: S311 - the same orders each time
    high, mail, default = (Queue(name, connection) for name in ("high", "mail", "default"))
    for order in range(first, first + count):
        article = dice.choice(ARTICLES)
        charged = high.enqueue(
            "demo.shop.charge_card", order, round(dice.uniform(5, 120), 2),
            retry=Retry(1) if order % 18 == 0 else None,
        )  # fmt: skip
        default.enqueue("demo.shop.reserve_stock", order, article)
        mail.enqueue(
            "demo.shop.send_receipt", order, f"customer{order}@example.org", depends_on=charged
        )
