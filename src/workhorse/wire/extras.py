"""The fields of what only some jobs have: parents, repeats, limits, callbacks, webhooks.

Names and encodings are RQ 3.0's; those that are ours are marked in ``records.FIELDS``.
"""

from __future__ import annotations

import json
from typing import Any, Final, cast

from workhorse.core.callbacks import CALLBACK_TIMEOUT, CallbackRecord
from workhorse.core.dependencies import NO_PARENTS, OnParentFailure, Parents
from workhorse.core.errors import DeserializationError
from workhorse.core.webhooks import Webhook
from workhorse.wire.codec import Hash, Value, int_or_none, text_or_none

CALLBACKS: Final = ("success", "failure", "stopped")

FOLLOW_UP: Final = b'["workhorse.follow_up",null,[],{}]'
"""The call of a job of our own that tells others of the end of another; ``_follow_up.lua``."""


def encode_parents(parents: Parents) -> list[Value]:
    """Return the fields of what a job waits for, flat."""
    if not parents.ids:
        return []
    fields: list[Value] = [
        "dependency_id", parents.ids[0],
        "dependency_ids", json.dumps(list(parents.ids)),
        "allow_dependency_failures", int(parents.on_failure == "run"),
    ]  # fmt: skip
    if parents.on_failure != "wait":
        fields += ("on_parent_failure", parents.on_failure)
    if parents.at_front:
        fields += ("enqueue_at_front", 1)
    if parents.results:
        told = {
            name: ids if isinstance(ids, str) else list(ids)
            for name, ids in parents.results.items()
        }
        fields += ("parent_results", json.dumps(told, separators=(",", ":")))
    return fields


def decode_parents(fields: Hash) -> Parents:
    """Return what the job in *fields* waits for. Raises DeserializationError."""
    listed, single = fields.get(b"dependency_ids"), fields.get(b"dependency_id")
    if not listed and not single:
        return NO_PARENTS
    ids = _json(listed, "list of ids", list) if listed else [text_or_none(single) or ""]
    rule: OnParentFailure = "wait"
    if fields.get(b"on_parent_failure") == b"cancel":
        rule = "cancel"
    elif fields.get(b"allow_dependency_failures") == b"1":
        rule = "run"
    return Parents(
        ids=tuple(str(each) for each in ids),
        on_failure=rule,
        at_front=fields.get(b"enqueue_at_front") == b"1",
        results=decode_parent_results(fields.get(b"parent_results")),
    )


def decode_parent_results(text: bytes | None) -> dict[str, str | tuple[str, ...]]:
    """Return which parameters get the results of which parents. Raises DeserializationError."""
    results = _json(text or b"{}", "table of parameters", dict)
    return {
        str(name): tuple(map(str, cast("list[object]", told)))
        if isinstance(told, list)
        else str(told)
        for name, told in results.items()
    }


def encode_callback(kind: str, callback: CallbackRecord | None) -> list[Value]:
    """Return the fields of a callback, flat."""
    if callback is None:
        return []
    return [
        f"{kind}_callback_name", callback.name, f"{kind}_callback_timeout", callback.timeout,
    ]  # fmt: skip


def decode_callback(kind: str, fields: Hash) -> CallbackRecord | None:
    """Return a callback of the job in *fields*. Raises DeserializationError."""
    name = text_or_none(fields.get(f"{kind}_callback_name".encode()))
    if not name:
        return None
    timeout = int_or_none(fields.get(f"{kind}_callback_timeout".encode()))
    return CallbackRecord(name, CALLBACK_TIMEOUT if timeout is None else timeout)


def encode_webhooks(webhooks: tuple[Webhook, ...]) -> list[Value]:
    """Return the field of a job's webhooks, flat."""
    if not webhooks:
        return []
    return ["webhooks", json.dumps([hook.to_dict() for hook in webhooks])]


def decode_webhooks(text: bytes | None) -> tuple[Webhook, ...]:
    """Return a job's webhooks. Raises DeserializationError."""
    if not text:
        return ()
    try:
        return tuple(Webhook.from_dict(told) for told in json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DeserializationError(f"not a list of webhooks: {text[:80]!r} ({error})") from None


def _json(text: bytes, what: str, kind: type) -> Any:
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, kind):
        raise DeserializationError(f"not a {what} in JSON: {text[:80]!r}")
    return found
