"""Scripts, styles and pictures, kept by browsers while they are the same."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from workhorse.dashboard.rendering import STATIC, static_version

_FOR_GOOD: Final = "public, max-age=31536000, immutable"


class StaticFilesOfOurs(StaticFiles):
    """Those of our pages. An address with the version of its file is never asked for again."""

    def __init__(self) -> None:
        super().__init__(directory=STATIC)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file; HTTPException for none."""
        response = await super().get_response(path, scope)
        asked = scope.get("query_string", b"").decode("latin-1")
        is_this = asked == f"v={static_version(path)}"
        response.headers["Cache-Control"] = _FOR_GOOD if is_this else "no-cache"
        return response
