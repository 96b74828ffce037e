"""The dashboard in other applications, under a prefix, and its pages as scripts read them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import pytest
import redis

pytest.importorskip("starlette", reason="the extra 'dashboard' is not installed")

import httpx
from starlette.applications import Starlette
from starlette.routing import Mount

from tests.support.sites import browser_of, form_token, serving, serving_wsgi
from workhorse import Queue
from workhorse.dashboard import Dashboard, Role, Tokens
from workhorse.dashboard.tokens import new_token


def in_starlette(dashboard: Dashboard) -> Any:
    return Starlette(routes=[Mount("/admin/jobs", dashboard)])


def in_fastapi(dashboard: Dashboard) -> Any:
    from fastapi import FastAPI  # noqa: PLC0415 - only here

    app = FastAPI()
    app.mount("/admin/jobs", dashboard)
    return app


def in_flask(dashboard: Dashboard) -> Any:
    from flask import Flask  # noqa: PLC0415 - only here
    from werkzeug.middleware.dispatcher import DispatcherMiddleware  # noqa: PLC0415 - the same

    app = Flask("host")
    app.wsgi_app = DispatcherMiddleware(  # type: ignore[method-assign] # as Flask's docs have it
        app.wsgi_app, {"/admin/jobs": dashboard.wsgi()}
    )
    return app


def in_django(dashboard: Dashboard) -> Any:
    django: Any = import_module("django")  # it has no types
    settings = import_module("django.conf").settings
    get_wsgi_application = import_module("django.core.wsgi").get_wsgi_application

    if not settings.configured:
        settings.configure(ROOT_URLCONF=__name__, SECRET_KEY="x", ALLOWED_HOSTS=["*"])
        django.setup()
    host, jobs = get_wsgi_application(), dashboard.wsgi()

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        if path == "/admin/jobs" or path.startswith("/admin/jobs/"):
            environ["SCRIPT_NAME"] += "/admin/jobs"
            environ["PATH_INFO"] = path.removeprefix("/admin/jobs")
            return jobs(environ, start_response)
        return host(environ, start_response)

    return application


urlpatterns: list[object] = []


@pytest.mark.parametrize("host", [in_starlette, in_fastapi, in_flask, in_django])
def test_a_mounted_dashboard_has_all_its_addresses_under_its_prefix(
    client: redis.Redis, host: Callable[[Dashboard], Any]
) -> None:
    Queue("a/b c", connection=client).enqueue("os.getcwd", job_id="j")
    dashboard = Dashboard(client)
    is_wsgi = host in (in_flask, in_django)
    with _serving(host(dashboard), is_wsgi=is_wsgi) as url, httpx.Client(base_url=url) as browser:
        text = browser.get("/admin/jobs/queues").text
        links = set(re.findall(r'(?:href|src|action|hx-post|data-live)="(/[^"]*)"', text))
        assert [link for link in links if not link.startswith("/admin/jobs/")] == []
        assert ("/admin/jobs/live?follows=" in links) is not is_wsgi
        for link in links:
            if "/do/" not in link and "/live" not in link:
                answer = browser.get(link.replace("&amp;", "&"))
                assert answer.status_code == 200, link
        token = form_token(browser, "/admin/jobs/queues")
        data = {"queue": "a/b c", "form_token": token}
        answer = browser.post("/admin/jobs/do/queue-pause", data=data)
        assert answer.status_code == 200
        assert "Paused a/b c." in answer.text
        assert {cookie.path for cookie in browser.cookies.jar} == {"/admin/jobs"}
        assert browser.get("/admin/jobs/jobs/j").status_code == 200
        assert browser.get("/admin/jobs", follow_redirects=True).status_code == 200
        assert browser.get("/elsewhere").status_code == 404
        assert "Workhorse" not in browser.get("/elsewhere").text
    dashboard.close()


@contextmanager
def _serving(app: Any, *, is_wsgi: bool) -> Iterator[str]:
    if is_wsgi:
        with serving_wsgi(app) as url:
            yield url
    else:
        with serving(app) as site:
            yield site.url


def test_behind_a_proxy_that_cuts_the_prefix_all_addresses_have_it(client: redis.Redis) -> None:
    token, holder = new_token("ann", Role.ADMIN)
    app = Dashboard(client, authenticate=Tokens(holder.line))
    with (
        serving(app, root_path="/jobs") as site,
        httpx.Client(base_url=site.url, headers={"x-forwarded-for": "10.0.0.7"}) as browser,
    ):
        answer = browser.get("/queues")
        assert answer.headers["location"] == "/jobs/login?next=%2Fjobs%2Fqueues"
        data = {
            "form_token": form_token(browser, "/login"),
            "token": token,
            "next": "/jobs/queues",
        }
        headers = {"cookie": "; ".join(f"{c.name}={c.value}" for c in browser.cookies.jar)}
        answer = browser.post("/login", data=data, headers=headers)
        assert answer.headers["location"] == "/jobs/queues"
        assert "Path=/jobs;" in answer.headers["set-cookie"]


def test_under_wsgi_a_page_is_asked_for_and_answered_only_when_it_is_another(
    client: redis.Redis,
) -> None:
    queue = Queue("q", connection=client)
    queue.enqueue("os.getcwd")
    with (
        serving_wsgi(Dashboard(client).wsgi()) as url,
        httpx.Client(base_url=url, headers={"hx-request": "true"}) as browser,
    ):
        mark = browser.get("/queues").headers["etag"]
        same = {browser.get("/queues", headers={"if-none-match": mark}).status_code for _ in "123"}
        assert 204 in same
        queue.enqueue("os.getcwd")
        statuses: list[int] = []
        while statuses[-1:] != [200]:
            statuses.append(browser.get("/queues", headers={"if-none-match": mark}).status_code)
        assert set(statuses) <= {200, 204}
        assert browser.get("/live").status_code == 404


def test_every_screen_is_json_for_scripts(client: redis.Redis) -> None:
    Queue("mail", connection=client).enqueue("os.getcwd", job_id="j")
    accept = {"accept": "application/json"}
    with browser_of(Dashboard(client)) as browser:
        assert browser.get("/queues?format=json").json()["queues"][0]["name"] == "mail"
        told = browser.get("/jobs/j", headers=accept)
        assert told.headers["content-type"] == "application/json"
        assert told.json()
        mark = told.headers["etag"]
        again = browser.get("/jobs/j", headers={**accept, "if-none-match": mark})
        assert again.status_code in {200, 304}  # another one with the next ten seconds
        absent = browser.get("/jobs/absent", headers=accept)
        assert absent.status_code == 404
        assert absent.json()["told"]


def test_a_host_decides_by_a_function_who_may_see_and_where_to_log_in(client: redis.Redis) -> None:
    app = Dashboard(client, authenticate=lambda _: None, login="/accounts/login/?from=jobs")
    with browser_of(Starlette(routes=[Mount("/jobs", app)])) as browser:
        answer = browser.get("/jobs/queues")
        assert answer.headers["location"] == "/accounts/login/?from=jobs&next=%2Fjobs%2Fqueues"
        assert browser.get("/jobs/login").status_code == 404
