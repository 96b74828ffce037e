"""Users by token: who is let in, how long, and who has to wait."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

pytest.importorskip("starlette", reason="the extra 'dashboard' is not installed")

import httpx

from tests.support.sites import browser_of, form_token
from workhorse.core.errors import InvalidOptionError
from workhorse.dashboard import Dashboard, Role, Tokens
from workhorse.dashboard.login_throttle import FREE, Guesses, TooManyGuessesError
from workhorse.dashboard.security import FIELD
from workhorse.dashboard.tokens import SESSION, new_token, read_holders

ANN, ANN_HOLDS = new_token("ann", Role.OPERATOR)
BOB, BOB_HOLDS = new_token("bob", Role.VIEWER)
LINES = f"# who may do what\n{ANN_HOLDS.line}\n\n{BOB_HOLDS.line}\n"


@pytest.fixture
def holders(tmp_path: Path) -> Path:
    path = tmp_path / "tokens"
    path.write_text(LINES)
    return path


@pytest.fixture
def browser(client: redis.Redis, holders: Path) -> Iterator[httpx.Client]:
    with browser_of(Dashboard(client, authenticate=Tokens(holders)), address="10.0.0.7") as found:
        yield found


def log_in(browser: httpx.Client, token: str = ANN, where: str = "") -> httpx.Response:
    data = {FIELD: form_token(browser, "/login"), "token": token, "next": where}
    return browser.post("/login", data=data)


def test_who_is_not_logged_in_is_sent_to_the_page_for_it_and_back(browser: httpx.Client) -> None:
    answer = browser.get("/queues?name=a%26b")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=%2Fqueues%3Fname%3Da%2526b"
    page = browser.get(answer.headers["location"])
    assert 'name="next" value="/queues?name=a%26b"' in page.text
    answer = log_in(browser, where="/queues?name=a%26b")
    assert (answer.status_code, answer.headers["location"]) == (303, "/queues?name=a%26b")
    assert "ann" in browser.get("/queues").text


def test_scripts_and_parts_of_pages_are_told_that_nobody_is_logged_in(
    browser: httpx.Client,
) -> None:
    for answer in (
        browser.get("/queues", headers={"accept": "application/json"}),
        browser.get("/queues", headers={"hx-request": "true"}),
        browser.post("/do/queue-pause"),
        browser.get("/live", headers={"accept": "text/event-stream", "hx-request": "true"}),
    ):
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"


def test_a_script_sends_its_token_and_needs_no_form(
    browser: httpx.Client, client: redis.Redis
) -> None:
    told = {"authorization": f"Bearer {ANN}", "accept": "application/json"}
    assert browser.get("/queues", headers=told).json()["queues"] == []
    answer = browser.post("/do/queue-pause", data={"queue": "mail"}, headers=told)
    assert answer.json()["told"] == "Paused mail."
    assert client.zscore("rq:paused", "mail") is not None
    answer = browser.post(
        "/do/queue-pause", data={"queue": "mail"}, headers={"authorization": f"Bearer {BOB}"}
    )
    assert answer.status_code == 403
    assert browser.get("/queues", headers={"authorization": "Bearer wh_no"}).status_code == 303


def test_the_cookie_of_a_session_is_out_of_reach_of_scripts_and_other_sites(
    client: redis.Redis, holders: Path
) -> None:
    app = Dashboard(client, authenticate=Tokens(holders))
    with browser_of(app) as browser:
        cookie = log_in(browser).headers["set-cookie"]
        assert re.search(
            rf"{SESSION}=[^;]+; HttpOnly; Max-Age=43200; Path=/; SameSite=strict", cookie
        )
        assert ANN not in cookie
        browser.base_url = httpx.URL("https://localhost")
        assert "; Secure" in log_in(browser).headers["set-cookie"]


def test_a_session_ends_with_logging_out_its_time_and_its_token(
    client: redis.Redis, holders: Path
) -> None:
    tokens = Tokens(holders)
    with browser_of(Dashboard(client, authenticate=tokens)) as browser:
        log_in(browser)
        cookie = browser.cookies[SESSION]
        assert browser.get("/queues").status_code == 200
        answer = browser.post("/logout", data={FIELD: form_token(browser)})
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")
        browser.cookies.clear()
        again = {"cookie": f"{SESSION}={cookie}"}
        assert browser.get("/queues", headers=again).status_code == 303

        old = tokens.session_of(ANN_HOLDS.user, time.time() - 12 * 3600 - 1)
        assert browser.get("/queues", headers={"cookie": f"{SESSION}={old}"}).status_code == 303

        browser.cookies.clear()
        log_in(browser)
        assert browser.get("/queues").status_code == 200
        holders.write_text(f"{BOB_HOLDS.line}\n")
        assert browser.get("/queues").status_code == 303


def test_a_session_that_was_changed_lets_nobody_in(client: redis.Redis, holders: Path) -> None:
    tokens = Tokens(holders, secret="s")
    good = tokens.session_of(BOB_HOLDS.user, time.time())
    of_ann = Tokens(holders, secret="other").session_of(ANN_HOLDS.user, time.time())
    body, _, signature = good.rpartition(".")
    with browser_of(Dashboard(client, authenticate=tokens)) as browser:
        for cookie, status in {
            good: 200,
            of_ann: 303,
            f"{of_ann.rpartition('.')[0]}.{signature}": 303,
            f"{body}.": 303,
            f"{body}.é": 303,
            "x": 303,
            "W10=.x": 303,
            "!!.x": 303,
        }.items():
            headers = {b"cookie": f"{SESSION}={cookie}".encode()}
            assert browser.get("/queues", headers=headers).status_code == status, cookie


def test_sessions_of_several_processes_are_the_same_where_they_share_a_secret(
    holders: Path, client: redis.Redis
) -> None:
    cookie = Tokens(holders, secret="shared").session_of(ANN_HOLDS.user, time.time())
    app = Dashboard(client, authenticate=Tokens(holders, secret="shared"))
    with browser_of(app) as browser:
        assert browser.get("/queues", headers={"cookie": f"{SESSION}={cookie}"}).status_code == 200


@pytest.mark.parametrize(
    "where",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "/\t/evil.example", "jobs", ""],
)
def test_nobody_is_sent_elsewhere_after_logging_in(browser: httpx.Client, where: str) -> None:
    assert log_in(browser, where=where).headers["location"] == "/"


def test_another_site_can_log_nobody_in(browser: httpx.Client) -> None:
    data = {FIELD: form_token(browser, "/login"), "token": ANN}
    answer = browser.post("/login", data=data, headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403
    assert SESSION not in browser.cookies
    assert browser.post("/login", data={"token": ANN}).status_code == 403


def test_who_guesses_has_to_wait_and_others_do_not(client: redis.Redis, holders: Path) -> None:
    app = Dashboard(client, authenticate=Tokens(holders))
    with (
        browser_of(app, address="10.0.0.7") as guesser,
        browser_of(app, address="10.0.0.8") as other,
    ):
        log_in(other)
        for _ in range(FREE):
            assert log_in(guesser, "wh_wrong").status_code == 401
        for answer in (
            log_in(guesser, ANN),
            guesser.get("/queues", headers={"authorization": f"Bearer {ANN}"}),
        ):
            assert answer.status_code == 429
            assert int(answer.headers["retry-after"]) >= 1
        assert other.get("/queues").status_code == 200
        assert log_in(other).status_code == 303


def test_the_waiting_grows_and_ends() -> None:
    now = 0.0
    guesses = Guesses(lambda: now)
    waits = []
    for _ in range(FREE + 8):
        guesses.note("2001:db8::1", is_right=False)
        try:
            guesses.check("2001:db8::2")
        except TooManyGuessesError as error:
            waits.append(error.seconds)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    now = 61.0
    guesses.check("2001:db8::1")
    guesses.note("2001:db8::1", is_right=True)
    guesses.note("2001:db8::1", is_right=False)
    guesses.check("2001:db8::1")


def test_a_file_that_is_broken_later_changes_nothing(
    holders: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = Tokens(holders)
    holders.write_text("ann")
    os.utime(holders, ns=(1, 1))
    assert tokens.user_of(ANN, "") == ANN_HOLDS.user
    assert "tokens stay as they were" in caplog.text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has no token"),
        ("# nobody", "has no token"),
        (f"ann admin {ANN}", "expected NAME ROLE sha256:"),
        (f"ann boss {ANN_HOLDS.line.split()[2]}", "'boss' is no role"),
        (f"{ANN_HOLDS.line};{ANN_HOLDS.line}", "a user is there twice"),
    ],
)
def test_a_list_of_tokens_that_makes_no_sense_is_refused(text: str, told: str) -> None:
    with pytest.raises(InvalidOptionError, match=told) as raised:
        Tokens(text)
    assert ANN not in str(raised.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidOptionError, match="can't be read"):
        Tokens(tmp_path / "absent")
    (tmp_path / "bytes").write_bytes(b"\xff")
    with pytest.raises(InvalidOptionError, match="can't be read"):
        Tokens(tmp_path / "bytes")


def test_a_line_holds_no_token() -> None:
    assert ANN not in LINES
    assert read_holders(LINES, "here") == [ANN_HOLDS, BOB_HOLDS]
    with pytest.raises(InvalidOptionError, match="can't be a user"):
        new_token("two words", Role.ADMIN)
