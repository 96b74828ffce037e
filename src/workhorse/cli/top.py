"""``workhorse top``: what happens now, again and again, and a queue paused by a key."""

from __future__ import annotations

import sys
import time
from typing import Any, Final

import click

from workhorse.api.connection import default_keys
from workhorse.cli.config_file import Server, client_of, config_option, read_settings, server_of
from workhorse.cli.frame import SORTS, Reading, View, frame, names_shown
from workhorse.cli.full_screen import FullScreen
from workhorse.cli.options import url_option
from workhorse.cli.output import FINE, INTERRUPTED, echo, no_color_option, terminal_width
from workhorse.cli.situation import look
from workhorse.core.harmless import harmless
from workhorse.store import failures, pauses, statistics
from workhorse.store.drivers import Store
from workhorse.store.faults import ServerError
from workhorse.wire.keys import Keys

_CAUSES: Final = 20
_ROWS: Final = 50
"""Of a frame that is printed and not shown."""
_WIDE: Final = 120


@click.command()
@url_option
@config_option
@click.option(
    "--interval",
    "-i",
    type=click.FloatRange(0.2),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="Between two looks.",
)
@click.option("--once", is_flag=True, help="Print one frame, of two looks, and end.")
@click.option(
    "--sort",
    "-s",
    type=click.Choice(SORTS),
    default="name",
    show_default=True,
    help="What the queues are sorted by.",
)
@click.option(
    "--filter", "-f", "text", default="", metavar="TEXT", help="Only what has it in its name."
)
@no_color_option
def top(url: str | None, config: str | None, **given: Any) -> int:
    """Watch queues, workers, failures and functions. Press q to end, p to pause a queue.

    Its keys: q quit, p pause or resume the chosen queue (asks first), up and down choose, s sort,
    / filter, space hold.
    """
    if not given["once"] and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError(
            "top is for a terminal: --once prints one frame, and info --json is for programs"
        )
    server = server_of(url, read_settings(config))
    live = Live(Store(client_of(server)), default_keys(), server)
    view = View(sort=given["sort"], filter=given["text"])
    if given["once"]:
        return _print_once(live, view, given["interval"])
    live.read()
    try:
        with FullScreen() as screen:
            _watch(live, view, screen, given["interval"])
    except KeyboardInterrupt:
        return INTERRUPTED
    return FINE


class Live:
    """What was read last, and before that."""

    def __init__(self, store: Store, keys: Keys, server: Server) -> None:
        self.store, self.keys = store, keys
        self._shown = harmless(server.shown)
        self.now: Reading | None = None
        self.before: Reading | None = None

    def read(self) -> None:
        """Look once more. Raises ServerError."""
        store, keys = self.store, self.keys
        situation = look(store, keys)
        causes, functions = store.run_many(
            [failures.causes(keys, 0, _CAUSES), statistics.functions(keys)]
        )
        reading = Reading(situation, causes.rows, causes.ungrouped, functions, self._shown)
        self.before, self.now = self.now, reading

    def lines(self, view: View, columns: int, rows: int) -> list[str]:
        """Return the frame."""
        return frame(self.now, self.before, view, columns=columns, rows=rows) if self.now else []

    def names(self, view: View) -> list[str]:
        """Return the queues that are shown, in their order."""
        return names_shown(self.now, self.before, view) if self.now else []


def _print_once(live: Live, view: View, interval: float) -> int:
    live.read()
    time.sleep(interval)
    live.read()
    lines = live.lines(view, terminal_width() or _WIDE, _ROWS)[:-1]
    while lines and not lines[-1]:
        lines.pop()
    for line in lines:
        echo(line)
    return FINE


def _watch(live: Live, view: View, screen: FullScreen, interval: float) -> None:
    """Show what there is until somebody ends it."""
    coloured = click.get_current_context().color is not False
    due = time.monotonic() + interval / 2  # rates soon
    while True:
        columns, rows = screen.size()
        lines = live.lines(view, columns, rows)
        screen.draw(lines if coloured else [click.unstyle(line) for line in lines])
        for key in screen.keys(max(0.0, due - time.monotonic())):
            if not press(key, view, live):
                return
        if time.monotonic() >= due:
            due = time.monotonic() + interval
            if not view.holds:
                _read_again(live, view)


def _read_again(live: Live, view: View) -> None:
    try:
        live.read()
    except ServerError as error:
        view.message = f"the server does not answer: {harmless(str(error))}"
    else:
        if view.message.startswith("the server"):
            view.message = ""


def press(key: str, view: View, live: Live) -> bool:
    """Do what *key* asks for; return False at the end."""
    if view.asking:
        _answer(key, view, live)
    elif view.typing:
        _type(key, view)
    elif key == "q":
        return False
    else:
        _choose(key, view, live)
    return True


def _choose(key: str, view: View, live: Live) -> None:
    names = live.names(view)
    at = names.index(view.chosen) if view.chosen in names else -1
    view.message = ""
    match key:
        case "up" | "k" | "down" | "j" if names:
            step = 1 if key in {"down", "j"} else -1
            view.chosen = names[max(0, min(len(names) - 1, at + step))]
        case "s":
            view.sort = SORTS[(SORTS.index(view.sort) + 1) % len(SORTS)]
        case "/":
            view.typing = True
        case " ":
            view.holds = not view.holds
        case "escape":
            view.filter = view.chosen = ""
        case "p" if at >= 0:
            verb = "Resume" if _is_paused(live, view.chosen) else "Pause"
            view.asking = f"{verb} {view.chosen}?"
        case "p":
            view.message = "choose a queue first, by up and down"
        case _:
            pass


def _is_paused(live: Live, name: str) -> bool:
    rows = live.now.situation.queues if live.now else []
    return any(row.name == name and row.paused_until is not None for row in rows)


def _answer(key: str, view: View, live: Live) -> None:
    verb, view.asking = view.asking.partition(" ")[0], ""
    if key not in {"y", "Y"}:
        return
    change = pauses.resume if verb == "Resume" else pauses.pause
    try:
        live.store.run(change(live.keys, view.chosen))
        live.read()
    except ServerError as error:
        view.message = f"the server does not answer: {harmless(str(error))}"
    else:
        view.message = f"{verb}d {view.chosen}."


def _type(key: str, view: View) -> None:
    match key:
        case "enter":
            view.typing = False
        case "escape":
            view.typing, view.filter = False, ""
        case "backspace":
            view.filter = view.filter[:-1]
        case _ if len(key) == 1 and key.isprintable():
            view.filter += key
        case _:
            pass
