"""Who did what: the newest entries of the audit log."""

from __future__ import annotations

from typing import Final

from workhorse.dashboard.view import Screen, View
from workhorse.store import audit_log
from workhorse.store.audit_log import AuditPage

ROWS: Final = 50


def audit(view: View) -> Screen:
    """Show what was done in dashboards, or refused, the newest first; ``?before=`` goes back."""
    before = view.query.get("before", "")
    (found,) = view.store.look_at([audit_log.entries(view.keys, before=before, length=ROWS)])
    page: AuditPage = found or AuditPage([], 0, "")
    data = {"page": page, "is_first": not before}
    return Screen("audit.html", "Audit", data)
