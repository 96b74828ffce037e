"""``/metrics`` of the dashboard: for Prometheus, where its extra is installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from workhorse.core.errors import MissingExtraError
from workhorse.dashboard.access import User


def metrics_route(
    connection: Any,
    authenticate: Callable[[Request], User | None],
    told_wrong: Callable[[Request, Exception], Response],
) -> Route:
    """Return the route ``/metrics``, for everybody whom *authenticate* lets in.

    Who is not is told so, and not led to a page: those who ask are programs.
    """
    expositions: list[Callable[[str], tuple[bytes, str]]] = []

    def respond(request: Request) -> Response:
        if authenticate(request) is None:
            headers = {"WWW-Authenticate": "Bearer"}
            return PlainTextResponse("Nobody is logged in.\n", 401, headers)
        if not expositions:
            from workhorse.integrations.prometheus import Exposition  # noqa: PLC0415 - an extra

            expositions.append(Exposition(connection))
        body, content_type = expositions[0](request.headers.get("accept", ""))
        return Response(body, media_type=content_type)

    def answer(request: Request) -> Response:
        try:
            return respond(request)
        except MissingExtraError as error:
            return PlainTextResponse(f"{error}\n", 501)
        except Exception as error:  # noqa: BLE001 - as on each page: told in words of ours
            return told_wrong(request, error)

    return Route("/metrics", answer)
