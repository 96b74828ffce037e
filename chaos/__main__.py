"""``python -m chaos``: 100,000 jobs while a seeded script breaks things, and what came of them."""

from __future__ import annotations

import argparse
import secrets
import signal
import sys

from chaos import report
from chaos.run import Settings, Stage, run
from tests.support.servers import version_of
from workhorse.store.server import server_binary

RATE = 600.0
"""Jobs enqueued each second: more than workers in a storm run at times, less than at others."""


def settings_of(told: argparse.Namespace) -> Settings:
    """Return what the command line asks for."""
    return Settings(
        seed=secrets.randbelow(1_000_000) if told.seed is None else told.seed,
        jobs=0 if told.minutes else told.jobs,
        seconds=60 * (told.minutes or 0),
        rate=told.rate,
        processes=told.processes,
        lease=told.lease,
        gap=told.gap,
    )


def command_of(settings: Settings) -> str:
    """Return the command that repeats a run."""
    words = [f"--seed {settings.seed}"]
    if settings.seconds:
        words.append(f"--minutes {settings.seconds / 60:g}")
    else:
        words.append(f"--jobs {settings.jobs}")
    if settings.processes != Settings.processes:
        words.append(f"--processes {settings.processes}")
    for name, value, usual in (
        ("rate", settings.rate, RATE),
        ("lease", settings.lease, Settings.lease),
        ("gap", settings.gap, Settings.gap),
    ):
        if value != usual:
            words.append(f"--{name} {value:g}")
    return f'make chaos ARGS="{" ".join(words)}"'


def _leave(number: int, frame: object) -> None:
    """End by an exception, so that all is cleaned up then too."""
    del frame
    sys.exit(128 + number)


def main() -> int:
    """Run, print, and return 0 if nothing is wrong."""
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--jobs", type=int, default=100_000, help="how many (%(default)s)")
    parser.add_argument("--minutes", type=float, help="for so long, in place of a number of jobs")
    parser.add_argument("--seed", type=int, help="repeat the run with this seed")
    parser.add_argument(
        "--processes", type=int, default=Settings.processes,
        help="workers of each of the two supervisors (%(default)s)",
    )  # fmt: skip
    parser.add_argument("--rate", type=float, default=RATE, help="jobs a second (%(default)s)")
    parser.add_argument(
        "--lease", type=float, default=Settings.lease, help="seconds (%(default)s)"
    )
    parser.add_argument(
        "--gap", type=float, default=Settings.gap, help="seconds between faults (%(default)s)"
    )
    parser.add_argument(
        "--keep-logs", action="store_true", help="keep the folder, with all logs and data"
    )
    told = parser.parse_args()
    settings = settings_of(told)
    signal.signal(signal.SIGTERM, _leave)
    print(report.head(command_of(settings), f"Valkey {version_of(server_binary())}"), flush=True)
    stage = Stage(settings)
    try:
        with stage:
            result = run(settings, stage)
    finally:
        if told.keep_logs:
            print(f"logs: {stage.folder}")
        else:
            stage.remove()
    account = result.account
    print()
    print(report.summary(account, seconds=result.seconds, sent_again=result.sent_again))
    print(report.problems(account, result.known))
    print(f"{'WRONG' if account.problems else 'all well'}; to repeat: {command_of(settings)}")
    return 1 if account.problems else 0


if __name__ == "__main__":
    sys.exit(main())
