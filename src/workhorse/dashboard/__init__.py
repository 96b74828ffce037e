"""The dashboard: see and steer a server's jobs in a browser. Needs ``workhorse[dashboard]``.

``Dashboard`` is an ASGI application, which Starlette and FastAPI mount; its ``wsgi()`` is one for
Flask and Django; ``workhorse dashboard`` serves it by itself.
"""

from workhorse.dashboard.access import Role, User
from workhorse.dashboard.app import Dashboard

__all__ = ["Dashboard", "Role", "User"]
