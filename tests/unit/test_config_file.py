"""A module of settings, as RQ's: what it says of the server, the queues and the worker."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from workhorse.cli.config_file import Settings, read_settings, server_of
from workhorse.store.sentinel import PrimaryOf
from workhorse.worker.runner import ServerAt


def url_of(**values: Any) -> object:
    server = Settings("settings", values).server()
    return None if server is None else server.connection


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to be in, and to have settings in."""
    monkeypatch.chdir(tmp_path)
    known = set(sys.modules)
    yield tmp_path
    for name in sys.modules.keys() - known:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("values", "url"),
    [
        ({"REDIS_URL": "redis://localhost:6379/1"}, "redis://localhost:6379/1"),
        ({"REDIS_HOST": "redis.example.com"}, "redis://redis.example.com:6379/0"),
        (
            {"REDIS_HOST": "h", "REDIS_PORT": 6380, "REDIS_DB": 3, "REDIS_PASSWORD": "secret /@"},
            "redis://:secret%20%2F%40@h:6380/3",
        ),
        ({"REDIS_DB": 2}, "redis://localhost:6379/2"),
        ({"REDIS_HOST": "h", "REDIS_SSL": True}, "rediss://h:6379/0"),
        ({"REDIS_HOST": "h", "REDIS_SSL": "no"}, "redis://h:6379/0"),
        (
            {"REDIS_HOST": "h", "REDIS_SSL": "yes", "REDIS_SSL_CERT_REQS": "none",
             "REDIS_SSL_CA_CERTS": "/etc/ca.pem"},
            "rediss://h:6379/0?ssl_ca_certs=%2Fetc%2Fca.pem&ssl_cert_reqs=none",
        ),
        ({"QUEUES": ["high"]}, None),
    ],
    ids=lambda value: value if isinstance(value, str) else "-",
)  # fmt: skip
def test_settings_name_a_server(values: dict[str, Any], url: str | None) -> None:
    assert url_of(**values) == url


def test_sentinels_go_before_a_url_as_in_rq() -> None:
    told = {
        "INSTANCES": [("remote.host1.org", 26379), ("remote.host2.org", 26380)],
        "SOCKET_TIMEOUT": None,
        "PASSWORD": "secret",
        "DB": 2,
        "MASTER_NAME": "master",
        "CONNECTION_KWARGS": {"health_check_interval": 5},
        "SENTINEL_KWARGS": {"username": "watcher"},
    }
    server = Settings("settings", {"SENTINEL": told, "REDIS_URL": "redis://h"}).server()
    assert server is not None
    assert server.connect == PrimaryOf(
        service="master",
        sentinels=(("remote.host1.org", 26379), ("remote.host2.org", 26380)),
        options={"db": 2, "password": "secret", "health_check_interval": 5},
        sentinel_options={"username": "watcher"},
    )
    assert "secret" not in f"{server.shown} {server.source}"
    watchers = "remote.host1.org:26379, remote.host2.org:26380"
    assert server.shown == f"the primary of 'master', asked of {watchers}"


def test_a_password_is_not_shown() -> None:
    server = Settings("settings", {"REDIS_HOST": "h", "REDIS_PASSWORD": "secret"}).server()
    assert server is not None
    assert (server.shown, server.source) == ("redis://:***@h:6379/0", "settings")


def test_settings_name_queues_a_worker_and_its_log() -> None:
    told = Settings("settings", {"QUEUES": ["high", "low"], "NAME": "w", "DICT_CONFIG": {"a": 1}})
    assert (told.queues, told.name, told.logging) == (("high", "low"), "w", {"a": 1})
    assert (Settings().queues, Settings().name, Settings().logging) == ((), None, None)


def test_what_nobody_reads_any_more_is_told() -> None:
    told = Settings("settings", {"SENTRY_DSN": "http://x@y/1", "SENTRY_DEBUG": True, "NAME": "w"})
    assert told.forgotten == ["SENTRY_DEBUG", "SENTRY_DSN"]


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("QUEUES", "high", "QUEUES in settings is 'high': give a list"),
        ("DICT_CONFIG", "x", "give a dictionary"),
        ("SENTINEL", "host:1", "SENTINEL in settings is 'host:1': give a dictionary"),
        ("REDIS_SSL", "maybe", "REDIS_SSL in settings is 'maybe': give True or False"),
        ("REDIS_URL", "http://h", "REDIS_URL in settings: 'http://h' is no URL"),
        ("REDIS_DB", "two", "'two' is no database number"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(name: str, value: Any, told: str) -> None:
    settings = Settings("settings", {name: value})
    with pytest.raises((click.UsageError, ValueError), match=told):
        assert (settings.queues, settings.logging, settings.server()) is None


def test_only_upper_case_names_of_a_module_are_settings(folder: Path) -> None:
    (folder / "settings_a.py").write_text("import os\nNAME = 'w'\nsecret = 1\nQueues = ['x']\n")
    assert read_settings("settings_a") == Settings("settings_a", {"NAME": "w"})


def test_settings_are_looked_for_in_the_folders_that_are_given(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "settings_b.py").write_text("NAME = 'b'\n")
    known = list(sys.path)
    assert read_settings("settings_b", (str(folder / "conf"),)).name == "b"
    assert sys.path == known


@pytest.mark.usefixtures("folder")
def test_settings_that_are_not_there_are_told() -> None:
    with pytest.raises(click.UsageError, match=r"--config nowhere: .*settings, not settings\.py"):
        read_settings("nowhere")


def test_the_order_is_url_then_settings_then_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKHORSE_URL", "redis://env")
    told = Settings("settings", {"REDIS_URL": "redis://told"})
    assert server_of("redis://given", told).connect == ServerAt("redis://given")
    assert server_of(None, told).connect == ServerAt("redis://told")
    assert server_of(None, Settings()).connect == ServerAt("redis://env")


def test_the_environment_has_the_same_names_where_it_has_no_url(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REDIS_PORT", "tcp://10.0.0.1:6380")  # as Kubernetes sets it
    assert read_settings(None) == Settings()
    monkeypatch.setenv("REDIS_HOST", "h")
    monkeypatch.setenv("REDIS_DB", "3")
    assert server_of(None, read_settings(None)).connect == ServerAt("redis://h:6380/3")
    monkeypatch.setenv("REDIS_URL", "redis://env")
    assert server_of(None, read_settings(None)).connect == ServerAt("redis://env")
