"""The dashboard: see and steer a server's jobs in a browser. Needs ``workhorse[dashboard]``.

``Dashboard`` is an ASGI application, which Starlette and FastAPI mount; its ``wsgi()`` is one for
Flask and Django; ``workhorse dashboard`` serves it by itself.
"""

from workhorse.dashboard.access import Authenticate, Role, User
from workhorse.dashboard.app import Dashboard
from workhorse.dashboard.redaction import hide_secrets
from workhorse.dashboard.tokens import Tokens

__all__ = ["Authenticate", "Dashboard", "Role", "Tokens", "User", "hide_secrets"]
