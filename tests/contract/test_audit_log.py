"""The log of what people did in a dashboard."""

from __future__ import annotations

import dataclasses

from tests.support.lives import Life
from workhorse.store import audit_log
from workhorse.store.audit_log import AuditEntry

PAUSED = AuditEntry(
    who="ann",
    role="operator",
    action="queue-pause",
    target={"queue": "mail"},
    outcome="done",
    told="Paused mail.",
    address="127.0.0.1",
)


def test_an_entry_is_noted_once_however_often_it_is_sent(every_life: Life) -> None:
    keys, run = every_life.keys, every_life.store.run
    assert run(audit_log.note(keys, PAUSED, "t1")) is True
    assert run(audit_log.note(keys, PAUSED, "t1")) is False
    page = run(audit_log.entries(keys))
    assert page.total == 1
    assert page.before == ""
    assert dataclasses.replace(page.entries[0], id="", at=None) == PAUSED
    assert page.entries[0].at is not None


def test_the_log_is_read_in_pages_from_its_end(life: Life) -> None:
    for number in range(5):
        entry = dataclasses.replace(PAUSED, who=str(number))
        life.store.run(audit_log.note(life.keys, entry, str(number)))
    first = life.store.run(audit_log.entries(life.keys, length=2))
    second = life.store.run(audit_log.entries(life.keys, length=3, before=first.before))
    assert [entry.who for entry in first.entries] == ["4", "3"]
    assert [entry.who for entry in second.entries] == ["2", "1", "0"]
    assert life.store.run(audit_log.entries(life.keys, before="none")).total == 5


def test_the_log_keeps_ten_thousand_entries_and_of_each_a_part(life: Life) -> None:
    for number in range(0, 12_000, 1000):
        with life.client.pipeline(transaction=False) as batch:
            for _ in range(number, number + 1000):
                batch.xadd("rq:audit", {"who": "ann"})
            batch.execute()
    long = dataclasses.replace(PAUSED, target={"id": "x" * 1_000_000}, told="y" * 1_000_000)
    life.store.run(audit_log.note(life.keys, long, "t"))
    page = life.store.run(audit_log.entries(life.keys, length=1))
    assert 10_000 <= page.total < 10_200
    assert len(page.entries[0].target["id"]) == 2000
    assert len(page.entries[0].told) == 2000


def test_a_log_of_another_kind_is_empty_and_begun_anew(life: Life) -> None:
    life.client.set("rq:audit", "x")
    assert life.store.run(audit_log.entries(life.keys)).entries == []
    assert life.store.run(audit_log.note(life.keys, PAUSED, "t")) is True
    life.client.xadd("rq:audit", {"target": b"\xff", "role": "[]"})
    page = life.store.run(audit_log.entries(life.keys))
    assert [entry.outcome for entry in page.entries] == ["failed", "done"]
    assert page.entries[0].target == {"": "\\xff"}
