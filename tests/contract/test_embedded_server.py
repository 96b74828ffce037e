"""The embedded server: one per folder, private, and there again after any kind of end."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from tests.support import servers
from tests.support.waiting import wait_until
from workhorse.store import server as server_module
from workhorse.store.connections import connect
from workhorse.store.server import (
    EmbeddedServer,
    ForeignServerError,
    NoServerBinaryError,
    ServerDidNotStartError,
    ServerDoesNotAnswerError,
    UnusableFolderError,
    server_binary,
)

START = "import sys, pathlib; from workhorse.store.server import EmbeddedServer as Server; "


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "data"
    yield folder
    EmbeddedServer(folder).stop()


@pytest.fixture
def short_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="wh-") as name:
        yield Path(name)


def start_elsewhere(folder: Path) -> subprocess.Popen[str]:
    """Start the server of *folder* in a process of its own, which prints its pid and ends."""
    code = START + "s = Server(pathlib.Path(sys.argv[1])); s.start(); print(s.status().pid)"
    command = [sys.executable, "-c", code, str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def pid_of(server: EmbeddedServer) -> int:
    status = server.status()
    assert status is not None
    return status.pid


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def kill(server: EmbeddedServer) -> None:
    pid = pid_of(server)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: server.status() is None)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_answers_at_the_url_that_start_returns(folder: Path) -> None:
    with connect(EmbeddedServer(folder).start()) as client:
        assert client.ping()


def test_starting_twice_gives_the_same_server(folder: Path) -> None:
    first, second = EmbeddedServer(folder), EmbeddedServer(folder)
    assert first.start() == second.start()
    assert pid_of(first) == pid_of(second)


def test_processes_that_start_at_once_get_one_server(folder: Path) -> None:
    starters = [start_elsewhere(folder) for _ in range(4)]
    pids = {starter.communicate()[0] for starter in starters}
    assert [starter.returncode for starter in starters] == [0] * 4
    assert pids == {f"{pid_of(EmbeddedServer(folder))}\n"}


def test_it_outlives_the_process_group_that_started_it(folder: Path) -> None:
    pid = int(start_elsewhere(folder).communicate()[0])
    assert pid == pid_of(EmbeddedServer(folder))
    assert os.getsid(pid) != os.getsid(0)


def test_after_kill_9_it_starts_again_with_its_data(folder: Path) -> None:
    server = EmbeddedServer(folder)
    with connect(server.start()) as client:
        client.set("kept", "yes")
    kill(server)
    with connect(server.start()) as client:
        assert client.get("kept") == b"yes"


def test_after_a_stop_it_starts_again_with_its_data(folder: Path) -> None:
    server = EmbeddedServer(folder)
    with connect(server.start()) as client:
        client.set("kept", "yes")
    assert server.stop()
    with connect(server.start()) as client:
        assert client.get("kept") == b"yes"


def test_stop_ends_the_process_and_says_whether_there_was_one(folder: Path) -> None:
    server = EmbeddedServer(folder)
    server.start()
    pid = pid_of(server)
    assert server.stop() is True
    wait_until(lambda: not is_alive(pid))
    assert server.stop() is False
    assert server.status() is None


def test_stale_files_of_another_run_are_no_server(folder: Path) -> None:
    server = EmbeddedServer(folder)
    server.start()
    kill(server)
    (folder / "server" / "server.pid").write_text(f"{os.getpid()}\n")
    assert server.status() is None
    assert server.stop() is False
    server.start()
    assert pid_of(server) != os.getpid()


def test_status_describes_the_server(folder: Path) -> None:
    server = EmbeddedServer(folder)
    assert server.status() is None
    server.start()
    status = server.status()
    assert status is not None
    assert (status.url, status.folder) == (server.url, folder)
    assert status.version.startswith("9.")
    assert status.used_memory > 0
    assert status.uptime >= 0


def test_nobody_else_can_reach_the_socket_or_the_data(folder: Path) -> None:
    EmbeddedServer(folder).start()
    private = folder / "server"
    assert mode(private) == 0o700
    assert mode(private / "server.sock") == 0o700
    open_to_others = [path for path in private.rglob("*") if mode(path) & 0o077]
    assert not open_to_others


def test_the_mode_of_a_folder_that_exists_is_left_alone(folder: Path) -> None:
    folder.mkdir(mode=0o755)
    EmbeddedServer(folder).start()
    assert mode(folder) == 0o755


def test_it_listens_on_no_port_and_never_evicts(folder: Path) -> None:
    with connect(EmbeddedServer(folder).start()) as client:
        settings = client.config_get()
    assert settings["port"] == "0"
    assert settings["maxmemory-policy"] == "noeviction"
    assert settings["appendonly"] == "yes"
    assert settings["appendfsync"] == "everysec"


@pytest.mark.parametrize("base", ["runtime folder", "temp folder"])
def test_a_folder_too_long_for_a_socket_is_reached_by_a_short_way(
    folder: Path, short_folder: Path, monkeypatch: pytest.MonkeyPatch, base: str
) -> None:
    if base == "runtime folder":
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_folder))
    else:
        monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
        monkeypatch.setattr(tempfile, "tempdir", str(short_folder))
    long = folder / ("a long name " * 10) / "data"
    server = EmbeddedServer(long)
    try:
        with connect(server.start()) as client:
            client.set("kept", "yes")
        link = Path(server.url.removeprefix("unix://")).parent
        assert link.is_relative_to(short_folder)
        assert mode(link.parent) == 0o700
        link.unlink()
        with connect(EmbeddedServer(long).start()) as client:
            assert client.get("kept") == b"yes"
    finally:
        server.stop()


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnusableFolderError, match="file"):
        EmbeddedServer(tmp_path / "file").start()


def test_a_private_folder_that_is_a_link_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    folder.mkdir()
    (folder / "server").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnusableFolderError, match="not a folder of this user alone"):
        EmbeddedServer(folder).start()


def test_data_that_cannot_be_read_back_is_reported_with_the_log(folder: Path) -> None:
    server = EmbeddedServer(folder)
    with connect(server.start()) as client:
        client.set("kept", "yes")
    server.stop()
    for part in folder.rglob("*.manifest"):
        part.write_text("nonsense\n")
    with pytest.raises(ServerDidNotStartError, match=r"server\.log"):
        server.start()


def test_a_server_of_somebody_else_on_our_socket_is_left_alone(folder: Path) -> None:
    private = folder / "server"
    private.mkdir(parents=True, mode=0o700)
    with servers.running("foreign", server_binary()) as foreign:
        (private / "server.sock").symlink_to(foreign.socket)
        with pytest.raises(ForeignServerError):
            EmbeddedServer(folder).start()
        assert foreign.answers()
    (private / "server.sock").unlink()


def test_two_folders_have_two_servers(folder: Path, tmp_path: Path) -> None:
    other = EmbeddedServer(tmp_path / "other")
    try:
        assert other.start() != EmbeddedServer(folder).start()
        assert pid_of(other) != pid_of(EmbeddedServer(folder))
    finally:
        other.stop()


def test_a_server_that_hangs_is_reported_and_left_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "ANSWER_WITHIN", 0.1)
    server = EmbeddedServer(folder)
    server.start()
    pid = pid_of(server)
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(ServerDoesNotAnswerError, match=r"server\.lock"):
            server.stop()
    finally:
        os.kill(pid, signal.SIGCONT)
    assert pid_of(server) == pid


def test_without_the_extra_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "files", absent)
    with pytest.raises(NoServerBinaryError, match=r"WORKHORSE_URL.*workhorse\[embedded\]"):
        server_binary()
