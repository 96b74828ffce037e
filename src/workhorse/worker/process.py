"""What a worker process is, from its fork to its end."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import NoReturn

from workhorse.store.drivers import Store
from workhorse.store.faults import ServerError
from workhorse.worker import runner
from workhorse.worker.executors.child import flush
from workhorse.worker.executors.fork import ForkExecutor
from workhorse.worker.executors.inline import InlineExecutor
from workhorse.worker.executors.protocol import Executor
from workhorse.worker.ledger import Ledger
from workhorse.worker.lifecycle import (
    Shutdown,
    die_with_parent,
    let_signals_come,
    set_title,
    signals_held_back,
)
from workhorse.worker.logs import LOG, say
from workhorse.worker.loop import Loop
from workhorse.worker.options import WorkerOptions
from workhorse.worker.presence import Member, Presence
from workhorse.worker.time_limits import own_the_alarm


def spawn(
    options: WorkerOptions,
    name: str,
    ledger: Ledger,
    *,
    max_jobs: int | None,
    let_go: Callable[[], None],
) -> int:
    """Fork a worker called *name* that writes in *ledger*; return its process.

    *let_go* is called in it, and closes what is its supervisor's alone.
    """
    parent = os.getpid()
    own = replace(options, name=name, max_jobs=max_jobs)
    flush()
    with signals_held_back():
        pid = os.fork()
        if pid == 0:
            _be_worker(own, ledger, parent, let_go)
    with suppress(OSError):  # the child does the same; whoever comes first
        os.setpgid(pid, pid)
    return pid


def _be_worker(
    options: WorkerOptions, ledger: Ledger, parent: int, let_go: Callable[[], None]
) -> NoReturn:
    code = 1
    try:
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        die_with_parent(parent)
        let_go()
        _work(options, ledger)
        code = 0
    except ServerError as error:
        say("crash", f"worker {options.name} can't go on: {error}", level=logging.ERROR)
    except BaseException:  # noqa: BLE001 - the end of a process: tell why, then leave
        with suppress(Exception):
            LOG.critical("worker %s broke", options.name, exc_info=True, extra={"event": "crash"})
    finally:
        flush()
        os._exit(code)


def _work(options: WorkerOptions, ledger: Ledger) -> None:
    set_title(f"workhorse: worker {options.name}")
    sys.path[:0] = [path for path in options.paths if path not in sys.path]
    own_the_alarm(ledger.is_stop_asked)
    shutdown = Shutdown(patient=True, told=ledger.is_told_to_stop)
    executor = executor_for(options, ledger)
    with shutdown.on_signals():
        let_signals_come()
        store = Store(options.connect())
        with suppress(ServerError):  # else the supervisor shows it, once the server is back
            store.run(Presence(options).register(Member(options.name, os.getpid(), ledger)))
        Loop(options, store, ledger, executor, shutdown, watched=True).run()
        executor.close()
    ledger.leave()


def executor_for(options: WorkerOptions, ledger: Ledger) -> Executor:
    """Return the executor that *options* ask for.

    A worker that was told its server by URL, as the command line's are, shares nothing with
    its jobs, which a lean fork needs.
    """
    if options.isolation == "inline":
        return InlineExecutor()
    if isinstance(options.connect, runner.ServerAt):
        return ForkExecutor(ledger.note_child, lean=True)
    shared = (options.connect, options.serializer, *options.exception_handlers)
    return ForkExecutor(ledger.note_child, shared=shared)
