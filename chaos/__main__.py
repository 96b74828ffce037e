"""``python -m chaos``: 100,000 jobs while a seeded script breaks things, and what came of them."""

from __future__ import annotations

import argparse
import secrets
import signal
import sys

from chaos import report
from chaos.plan import Mix
from chaos.run import Result, Settings, Stage, run
from tests.support.servers import version_of
from workhorse.store.server import server_binary

JOBS = 100_000
RATE = 600.0
SLOW = Mix(0).slow
"""Jobs enqueued each second: more than workers in a storm run at times, less than at others."""


def settings_of(told: argparse.Namespace) -> Settings:
    """Return what the command line asks for."""
    return Settings(
        mix=Mix(secrets.randbelow(1_000_000) if told.seed is None else told.seed, told.slow),
        jobs=0 if told.minutes else told.jobs,
        seconds=60 * (told.minutes or 0),
        rate=told.rate,
        processes=told.processes,
        lease=told.lease,
        gap=told.gap,
    )


def command_of(settings: Settings) -> str:
    """Return the command that repeats a run."""
    words = [f"--seed {settings.mix.seed}"]
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
        ("slow", settings.mix.slow, SLOW),
    ):
        if value != usual:
            words.append(f"--{name} {value:g}")
    return f'make chaos ARGS="{" ".join(words)}"'


def _leave(number: int, frame: object) -> None:
    """End by an exception, so that all is cleaned up then too."""
    del frame
    sys.exit(128 + number)


def _parser() -> argparse.ArgumentParser:
    usual = Settings
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    add = parser.add_argument
    add("--jobs", type=int, default=JOBS, help="how many (%(default)s)")
    add("--minutes", type=float, help="for so long, in place of a number of jobs")
    add("--seed", type=int, help="repeat the run with this seed")
    add("--processes", type=int, default=usual.processes, help="of each side (%(default)s)")
    add("--rate", type=float, default=RATE, help="jobs enqueued a second (%(default)s)")
    add("--lease", type=float, default=usual.lease, help="seconds (%(default)s)")
    add("--gap", type=float, default=usual.gap, help="seconds between faults (%(default)s)")
    add("--slow", type=float, default=SLOW, help="share of jobs that sleep (%(default)s)")
    add("--keep-logs", action="store_true", help="keep the folder, with all logs and data")
    return parser


def _storm(settings: Settings, *, keep: bool) -> Result:
    """Run on a stage that is cleared away afterwards, whatever happens."""
    stage = Stage(settings)
    try:
        with stage:
            return run(settings, stage)
    finally:
        if keep:
            print(f"logs: {stage.folder}")
        else:
            stage.remove()


def main() -> int:
    """Run, print, and return 0 if nothing is wrong."""
    told = _parser().parse_args()
    settings = settings_of(told)
    signal.signal(signal.SIGTERM, _leave)
    print(report.head(command_of(settings), f"Valkey {version_of(server_binary())}"), flush=True)
    try:
        result = _storm(settings, keep=told.keep_logs)
    except KeyboardInterrupt:
        print("interrupted: everything is ended")
        return 130
    account = result.account
    print(f"\n{report.summary(account, seconds=result.seconds, sent_again=result.sent_again)}")
    print(report.problems(account, result.known))
    print(f"{'WRONG' if account.problems else 'All well'}. To repeat: {command_of(settings)}")
    return 1 if account.problems else 0


if __name__ == "__main__":
    sys.exit(main())
