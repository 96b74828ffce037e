"""Cron entries as people look at them."""

from __future__ import annotations

import redis

from tests.support.lives import Life
from workhorse import Cron
from workhorse.store import schedules
from workhorse.store.schedules import ScheduleRow


def look(life: Life) -> list[ScheduleRow]:
    before = life.dump()
    found = life.store.run(schedules.listed(life.keys))
    rows = life.store.look_at([schedules.entry(life.keys, *one) for one in found])
    assert life.dump() == before
    return rows


def test_entries_are_seen_the_next_one_first(every_life: Life) -> None:
    cron = Cron(every_life.client)
    cron.add("later", "os.getcwd", cron="0 4 1 1 *", zone="Europe/Berlin", overlap="skip")
    cron.add("often", "math.sqrt", args=[4], interval=60.0, queue="low", times=3)
    cron.add("never", "os.getcwd", interval=60.0, paused=True)
    job = cron.run("often")
    often, later, never = look(every_life)
    assert [row.name for row in (often, later, never)] == ["often", "later", "never"]
    assert (often.queue, often.function, often.times_left) == ("low", "math.sqrt", 3)
    assert often.last_job == job.id
    assert often.due_at == often.slot
    assert later.rules is not None
    assert (later.rules.overlap, later.rules.schedule.zone) == ("skip", "Europe/Berlin")
    assert (never.paused, never.due_at, never.slot) == (True, None, None)
    assert never.rules is not None
    assert every_life.store.run(schedules.count(every_life.keys)) == 3
    assert every_life.store.run(schedules.due_at(every_life.keys, "often")) == often.due_at


def test_what_cant_be_read_is_seen_beside_the_others(life: Life, client: redis.Redis) -> None:
    Cron(client).add("fine", "os.getcwd", interval=60.0)
    client.zadd("rq:cron_due", {"odd": 1, "gone": 2, "text": 3})
    client.hset("rq:cron:odd", mapping={"version": "1", "cron": "every day", "fired": "x"})
    client.set("rq:cron:text", "x")
    odd, gone, text, fine = look(life)
    assert odd.rules is None
    assert [gone, text] == [None, None]
    assert fine.name == "fine"
    assert "every day" in odd.problem
