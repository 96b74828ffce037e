"""An action, from its form to what is told: may it be done, doing it, and the audit log."""

from __future__ import annotations

import logging
import time
from collections.abc import Hashable, Mapping
from threading import Lock
from typing import Final

from starlette.requests import Request

from workhorse.core.errors import WorkhorseError
from workhorse.core.harmless import harmless
from workhorse.core.ids import new_token
from workhorse.dashboard.access import User, address_of
from workhorse.dashboard.live import Live
from workhorse.dashboard.security import FIELD, why_refused
from workhorse.dashboard.view import Action, Told, View
from workhorse.store import audit_log
from workhorse.store.audit_log import AuditEntry, Outcome
from workhorse.store.faults import ServerError

_LOG: Final = logging.getLogger("workhorse.dashboard")


class Doing:
    """Does what forms ask for, and notes who did what; pages are made anew then."""

    def __init__(self, live: Live, *, read_only: bool) -> None:
        self._live = live
        self._read_only = read_only
        self._lock = Lock()
        self._noted: dict[Hashable, float] = {}

    def why_not(self, user: User, action: Action) -> str:
        """Return why *user* can't do *action*; empty where nothing is in the way."""
        if self._read_only:
            return "this dashboard is read-only"
        if user.role < action.role:
            has, takes = user.role.name.lower(), action.role.name.lower()
            return f"{user.name} is {has}, and it takes {takes}"
        return ""

    def do(
        self, action: Action, view: View, request: Request, form: Mapping[str, str]
    ) -> tuple[str | Told, int]:
        """Return what to tell, and the status of the answer. What is refused is noted, too."""
        why = why_refused(request, form.get(FIELD, "")) or self.why_not(view.user, action)
        told: str | Told
        if why:
            outcome: Outcome = "refused"
            told, status = f"Nothing was done: {why}.", 403
        else:
            outcome, told, status = _done(action, view, form)
            self._live.poke()
        if not self._goes_on(view, action, form, told):
            _note(view, action, request, form, outcome, told)
        return told, status

    def _goes_on(
        self, view: View, action: Action, form: Mapping[str, str], told: str | Told
    ) -> bool:
        """Return whether this is a further part of what was noted within the last minute.

        What is done in many parts is noted at its beginning, then once a minute, and at its end.
        """
        words = {(name, text) for name, text in form.items() if not text.isdecimal()}
        work = (view.user.name, action.name, frozenset(words))
        now = time.monotonic()
        with self._lock:
            self._noted = {one: at for one, at in self._noted.items() if now - at < _MINUTE}
            is_further = isinstance(told, Told) and told.again is not None and work in self._noted
            if not is_further:
                self._noted[work] = now
        return is_further


_MINUTE: Final = 60.0


def _done(action: Action, view: View, form: Mapping[str, str]) -> tuple[Outcome, str | Told, int]:
    try:
        return "done", action.do(view, form), 200
    except WorkhorseError as error:
        return "failed", f"Nothing was done: {error}", 400
    except ServerError as error:
        return "failed", f"The server does not answer: {error}", 503
    except Exception:  # noqa: BLE001 - a bug of ours is told in the log
        _LOG.exception("%s failed", action.name)
        return "failed", "Something went wrong here; the dashboard's log says what.", 500


def _note(
    view: View,
    action: Action,
    request: Request,
    form: Mapping[str, str],
    outcome: Outcome,
    told: str | Told,
) -> None:
    """Write in the audit log and in the process's; secrets in neither."""
    entry = AuditEntry(
        who=view.user.name,
        role=view.user.role.name.lower(),
        action=action.name,
        target={name: view.redact(text) for name, text in form.items() if name != FIELD},
        outcome=outcome,
        told=view.redact(told if isinstance(told, str) else told.text),
        address=address_of(request),
    )
    target = " ".join(f"{name}={text}" for name, text in entry.target.items())
    line = f"{entry.who} ({entry.role}, {entry.address}): {entry.action} {target}: {entry.told}"
    _LOG.log(logging.INFO if outcome == "done" else logging.WARNING, "%s", harmless(line))
    try:
        view.store.run(audit_log.note(view.keys, entry, new_token()))
    except (ServerError, OSError) as error:
        _LOG.error("this is not in the audit log: %s", harmless(str(error)))
