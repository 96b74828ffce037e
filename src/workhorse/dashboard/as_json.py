"""What a screen shows, as JSON: for scripts, at the same addresses."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from enum import Enum
from typing import Any, Final, cast

from starlette.requests import Request

_DEEPEST: Final = 20


def wants_json(request: Request) -> bool:
    """Return whether a request wants JSON: by ``?format=json``, or in its header Accept."""
    if request.query_params.get("format") == "json":
        return True
    accepted = request.headers.get("accept", "")
    return "application/json" in accepted and "text/html" not in accepted


def to_json(data: object, redact: Callable[[str], str]) -> bytes:
    """Return *data* as JSON, each text redacted. Rows are objects; moments are ISO 8601."""
    return json.dumps(_plain(data, redact, 0), ensure_ascii=False, allow_nan=False).encode(
        "utf-8", "backslashreplace"
    )


def _plain(value: Any, redact: Callable[[str], str], depth: int) -> Any:
    found: Any = None
    if depth > _DEEPEST or value is None:
        pass
    elif isinstance(value, Enum):
        found = value.value
    elif isinstance(value, str):
        found = redact(value)
    elif isinstance(value, bool | int):
        found = value
    elif isinstance(value, float):
        found = value if math.isfinite(value) else str(value)
    elif isinstance(value, datetime):
        found = value.isoformat()
    else:
        found = _nested(value, redact, depth + 1)
    return found


def _nested(value: Any, redact: Callable[[str], str], depth: int) -> Any:
    if isinstance(value, bytes):
        return redact(value.decode("utf-8", "backslashreplace"))
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
        value = {name: getattr(value, name) for name in names}
    elif hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        pairs = cast("Mapping[object, object]", value).items()
        return {redact(str(name)): _plain(each, redact, depth) for name, each in pairs}
    if not callable(value) and isinstance(value, Iterable):
        return [_plain(each, redact, depth) for each in cast("Iterable[object]", value)]
    return None
