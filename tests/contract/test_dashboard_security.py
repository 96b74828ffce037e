"""What the dashboard lets nobody do, whoever tries."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest
import redis

pytest.importorskip("starlette", reason="the extra 'dashboard' is not installed")

import httpx
from starlette.requests import Request

from tests.support.sites import browser_of, form_token
from workhorse import Cron, Queue, SimpleWorker
from workhorse.dashboard import Dashboard, Role, User
from workhorse.dashboard.actions import ACTIONS
from workhorse.dashboard.screens import SCREENS
from workhorse.dashboard.security import FIELD, HEADERS
from workhorse.store import audit_log
from workhorse.store.drivers import Store
from workhorse.wire.keys import Keys

HOSTILE = "<img src=x onerror=alert(1)>/../%2e?#\"'"


def of_header(request: Request) -> User | None:
    """Who a test says it is, as a proxy of a host application would."""
    role = request.headers.get("x-role")
    return User("somebody", Role[role]) if role else None


@pytest.fixture
def jobs(client: redis.Redis) -> redis.Redis:
    """A server with a job in most states."""
    return fill(client)


def fill(client: redis.Redis) -> redis.Redis:
    client.flushall()
    queue = Queue("mail", connection=client)
    queue.enqueue("math.sqrt", "password=hunter2", job_id="failed")
    SimpleWorker([queue], connection=client).work(burst=True)
    queue.enqueue("math.sqrt", 4, job_id="queued")
    queue.enqueue_in(600, "math.sqrt", 4, job_id="scheduled")
    Queue(HOSTILE, connection=client).enqueue("math.sqrt", 4)
    Cron(client).add("nightly", "math.sqrt", args=(4,), cron="0 0 * * *")
    return client


def content(client: redis.Redis) -> dict[object, bytes | None]:
    """All that the server holds, but for the audit log."""
    return {key: client.dump(key) for key in client.scan_iter() if key != b"rq:audit"}


def every_form() -> list[dict[str, str]]:
    """What is sent with each action: its fields are among these, whatever it is."""
    common = {"queue": "mail", "name": "mail", "typed": "mail", "entry": "nightly", "to": "low"}
    return [
        {**common, "id": "failed", "job": "failed"},
        {**common, "id": "queued", "place": "queued", "all": "1", "total": "1"},
        {**common, "id": "scheduled", "place": "failed", "all": "1", "q": "queue:mail"},
    ]


Ask = Callable[[httpx.Client, str, Mapping[str, str]], int]


def as_role(
    role: str | None, headers: Mapping[str, str] = MappingProxyType({}), *, token: bool = True
) -> Ask:
    """Return how somebody sends the form of an action."""
    told = {**({"x-role": role} if role else {}), **headers}

    def ask(browser: httpx.Client, action: str, form: Mapping[str, str]) -> int:
        fields = {**form, FIELD: browser.cookies.get("workhorse_form", "")} if token else form
        return browser.post(f"/do/{action}", data=dict(fields), headers=told).status_code

    return ask


ATTACKS: dict[str, tuple[Ask, set[int]]] = {
    "nobody": (as_role(None), {401}),
    "viewer": (as_role("VIEWER"), {403}),
    "another site": (as_role("ADMIN", {"sec-fetch-site": "cross-site"}), {403}),
    "a sibling site": (as_role("ADMIN", {"sec-fetch-site": "same-site"}), {403}),
    "another origin": (as_role("ADMIN", {"origin": "http://evil.example"}), {403}),
    "no origin": (as_role("ADMIN", {"origin": "null"}), {403}),
    "no token": (as_role("ADMIN", token=False), {403}),
    "another token": (
        lambda browser, action, form: (
            browser.post(
                f"/do/{action}", data={**form, FIELD: "x" * 43}, headers={"x-role": "ADMIN"}
            ).status_code
        ),
        {403},
    ),
    "GET": (
        lambda browser, action, form: (
            browser.get(
                f"/do/{action}", params=dict(form), headers={"x-role": "ADMIN"}
            ).status_code
        ),
        {405},
    ),
    "JSON": (
        lambda browser, action, form: (
            browser.post(f"/do/{action}", json=dict(form), headers={"x-role": "ADMIN"}).status_code
        ),
        {415},
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_action_is_done_for(jobs: redis.Redis, attack: str) -> None:
    ask, statuses = ATTACKS[attack]
    with browser_of(Dashboard(jobs, authenticate=of_header)) as browser:
        form_token_of_role(browser)
        before = content(jobs)
        for name in ACTIONS:
            assert ask(browser, name, every_form()[0]) in statuses, name
        assert content(jobs) == before


def form_token_of_role(browser: httpx.Client) -> None:
    browser.get("/queues", headers={"x-role": "ADMIN"})
    assert len(browser.cookies["workhorse_form"]) == 43


def test_no_action_is_done_on_a_read_only_dashboard(jobs: redis.Redis) -> None:
    with browser_of(Dashboard(jobs, read_only=True)) as browser:
        browser.get("/queues")
        before = content(jobs)
        for name in ACTIONS:
            assert as_role(None)(browser, name, every_form()[0]) == 403
        assert content(jobs) == before
        assert '<form class="act"' not in browser.get("/queues").text


def test_an_operator_does_not_what_takes_an_admin(jobs: redis.Redis) -> None:
    admins = [name for name, action in ACTIONS.items() if action.role is Role.ADMIN]
    assert {"job-delete"} <= set(admins)
    with browser_of(Dashboard(jobs, authenticate=of_header)) as browser:
        form_token_of_role(browser)
        before = content(jobs)
        for name in admins:
            assert as_role("OPERATOR")(browser, name, every_form()[0]) == 403
        assert content(jobs) == before


def test_the_forms_that_were_refused_above_are_those_that_change_something(
    jobs: redis.Redis,
) -> None:
    with browser_of(Dashboard(jobs, authenticate=of_header)) as browser:
        form_token_of_role(browser)
        idle = []
        for name in ACTIONS:
            before = content(fill(jobs))
            for form in every_form():
                as_role("ADMIN")(browser, name, form)
            if content(jobs) == before:
                idle.append(name)
        works = {"queue-pause", "queue-empty", "job-retry", "job-cancel", "job-delete", "job-run"}
        assert works & set(idle) == set()
        assert len(idle) < len(ACTIONS) / 2, idle  # some need what is paused, or runs


def test_every_answer_has_the_headers_that_keep_pages_safe(jobs: redis.Redis) -> None:
    def broken(request: Request) -> User | None:
        raise RuntimeError(f"a secret of {request.url}")

    with (
        browser_of(Dashboard(jobs)) as fine,
        browser_of(Dashboard(jobs, authenticate=broken)) as bad,
    ):
        answers = {
            "page": fine.get("/queues"),
            "part": fine.get("/queues", headers={"hx-request": "true"}),
            "json": fine.get("/queues?format=json"),
            "data": fine.get("/names/queues"),
            "absent": fine.get("/nothing"),
            "method": fine.get("/do/queue-pause"),
            "refused": fine.post("/do/queue-pause"),
            "static": fine.get("/static/dashboard.js"),
            "no static": fine.get("/static/nothing"),
            "outside": fine.get("/static/%2e%2e/app.py"),
            "elsewhere": fine.get("/queues", headers={"host": "evil.example"}),
            "error": bad.get("/queues"),
        }
    statuses = {name: answer.status_code for name, answer in answers.items()}
    assert statuses == {
        "page": 200, "part": 200, "json": 200, "data": 200, "absent": 404, "method": 405,
        "refused": 403, "static": 200, "no static": 404, "outside": 404, "elsewhere": 403,
        "error": 500,
    }  # fmt: skip
    for name, answer in answers.items():
        for header, value in HEADERS.items():
            if header != "Cache-Control" or name != "static":
                assert answer.headers[header] == value, name
        assert "server" not in answer.headers
    assert "secret" not in answers["error"].text
    assert "Traceback" not in answers["error"].text
    policy = HEADERS["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "script-src 'self'" in policy


def test_static_files_are_kept_by_their_version_alone(client: redis.Redis) -> None:
    with browser_of(Dashboard(client)) as browser:
        (address,) = set(re.findall(r'"(/static/dashboard\.css\?v=\w+)"', browser.get("/").text))
        assert "immutable" in browser.get(address).headers["cache-control"]
        other = browser.get("/static/dashboard.css?v=0").headers["cache-control"]
        assert other == "no-cache"


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ({"host": "jobs.evil.example"}, "127.0.0.1"),
        ({"host": "localhost.evil.example"}, "127.0.0.1"),
        ({"host": "127.0.0.1.evil.example"}, "127.0.0.1"),
        ({"host": "localhost"}, "10.0.0.7"),
        ({"host": "localhost", "x-forwarded-for": "10.0.0.7"}, "127.0.0.1"),
        ({"host": "[::ffff:10.0.0.7]"}, "::1"),
        ({"host": "[::1"}, "::1"),
    ],
)
def test_without_authentication_nobody_gets_in_but_from_this_machine(
    jobs: redis.Redis, headers: dict[str, str], address: str
) -> None:
    with browser_of(Dashboard(jobs), address=address) as browser:
        for path in (*SCREENS, "/names/queues", "/live"):
            if "{" not in path:
                answer = browser.get(path, headers=headers)
                assert answer.status_code == 403, path
                assert "hunter2" not in answer.text
                assert "workhorse dashboard token" in answer.text


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:9181", "[::1]:9181", "jobs.localhost"])
def test_this_machine_by_each_of_its_names_gets_in(client: redis.Redis, host: str) -> None:
    with browser_of(Dashboard(client)) as browser:
        assert browser.get("/queues", headers={"host": host}).status_code == 200


def test_a_hostile_name_has_a_page_and_no_markup(jobs: redis.Redis) -> None:
    with browser_of(Dashboard(jobs)) as browser:
        text = browser.get("/queues").text
        assert "<img src=x" not in text
        (address,) = set(re.findall(r'href="(/queues/[^"/]*onerror[^"/]*)"', text))
        answer = browser.get(address)
        assert answer.status_code == 200
        assert "<img src=x" not in answer.text
        data = {"queue": HOSTILE, FIELD: form_token(browser)}
        assert browser.post("/do/queue-pause", data=data).status_code == 200
    assert jobs.zscore("rq:paused", HOSTILE) is not None


def test_a_form_has_its_limits(client: redis.Redis) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    with browser_of(Dashboard(client)) as browser:
        token = browser.get("/queues").cookies["workhorse_form"]
        large = {FIELD: token, "queue": "x" * 300_000}
        assert browser.post("/do/queue-pause", data=large).status_code == 413
        many = "&".join(f"a{number}=1" for number in range(3000))
        assert browser.post("/do/queue-pause", content=many, headers=form).status_code == 400
        assert browser.post("/do/queue-pause", content=b"\xff", headers=form).status_code == 400
        assert browser.post("/do/queue-pause", files={"f": b"x"}).status_code == 415


def test_a_secret_in_a_call_is_hidden_wherever_it_is_shown(jobs: redis.Redis) -> None:
    with browser_of(Dashboard(jobs)) as browser:
        for path in ("/queues/mail/failed", "/jobs/failed", "/jobs/failed?format=json"):
            answer = browser.get(path)
            assert answer.status_code == 200, path
            assert "hunter2" not in answer.text, path
            assert "•••" in answer.text, path


def test_a_redactor_of_ones_own_sees_every_text_and_may_fail(
    jobs: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    def redact(text: str) -> str:
        if "hunter2" in text:
            raise RuntimeError("no")
        return text.replace("mail", "****")

    with browser_of(Dashboard(jobs, redact=redact)) as browser:
        text = browser.get("/queues").text
        assert "****" in text
        assert 'value="mail"' in text  # what a form sends is as it is
        text = browser.get("/jobs/failed").text
        assert "hunter2" not in text
        assert "could not be redacted" in text
    assert "redact= failed" in caplog.text


def test_what_is_done_and_what_is_refused_is_in_the_audit_log(
    jobs: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "workhorse.dashboard")
    with browser_of(Dashboard(jobs, authenticate=of_header)) as browser:
        form_token_of_role(browser)
        token = browser.cookies["workhorse_form"]
        as_role("OPERATOR")(browser, "queue-pause", {"queue": "mail", "note": "token=abc123"})
        as_role("VIEWER")(browser, "queue-resume", {"queue": "mail\nforged"})
        as_role("ADMIN")(browser, "job-retry", {"id": "absent"})
        as_role(None)(browser, "queue-resume", {"queue": "mail"})
    entries = Store(jobs).run(audit_log.entries(Keys())).entries
    told = [(entry.who, entry.role, entry.action, entry.outcome) for entry in entries]
    assert told == [
        ("somebody", "admin", "job-retry", "failed"),
        ("somebody", "viewer", "queue-resume", "refused"),
        ("somebody", "operator", "queue-pause", "done"),
    ]
    assert entries[2].target == {"queue": "mail", "note": "token=•••"}
    assert entries[2].address == "127.0.0.1"
    lines = [record.getMessage() for record in caplog.records]
    assert "somebody (operator, 127.0.0.1): queue-pause queue=mail" in lines[0]
    assert not any("abc123" in line or token in line or "\n" in line for line in lines)


def test_nothing_of_the_package_is_left_out_of_the_wheel() -> None:
    root = Path(__file__).parents[2]
    rules = (root / "pyproject.toml").read_text()
    assert '[tool.hatch.build.targets.wheel]\npackages = ["src/workhorse"]\n' in rules
    ignored = (root / ".gitignore").read_text().splitlines()  # hatch leaves out what git does
    assert not [line for line in ignored if re.search(r"html|js|css|svg|static|templates", line)]
