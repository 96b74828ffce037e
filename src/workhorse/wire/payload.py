"""What is called: a function, by name, with its arguments, as the bytes of a job's ``data``.

Bytes are turned into objects only by ``decode_call`` and a serializer's ``loads``, for the
worker that runs the job and the caller who asks for arguments or a result; never to list,
count or show.
"""

from __future__ import annotations

import inspect
import json
import pickle
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol, cast

from workhorse.core.errors import (
    DeserializationError,
    InvalidCallError,
    PayloadTooLargeError,
    SerializationError,
)
from workhorse.core.settings import CALL_BYTES

_COMPRESS_FROM = 256
"""Shorter payloads are stored as they are: zlib would cost more than it saves. RQ reads both."""
_SHOWN = 75
"""RQ shows as many characters of each argument."""


class Serializer(Protocol):
    """Turns objects into bytes and back. Any object or module with these two will do."""

    def dumps(self, obj: Any, /) -> bytes:
        """Return *obj* as bytes."""
        ...

    def loads(self, data: bytes, /) -> Any:
        """Return the object in *data*."""
        ...


class PickleSerializer:
    """Any picklable object. Whoever can write to the server can make a reader run code."""

    @staticmethod
    def dumps(obj: Any) -> bytes:
        """Return *obj*, pickled with the newest protocol, as RQ does."""
        return pickle.dumps(obj, pickle.HIGHEST_PROTOCOL)

    @staticmethod
    def loads(data: bytes) -> Any:
        """Return the unpickled object."""
        return pickle.loads(data)


class JSONSerializer:
    """JSON values only: readable by other languages, and no code in the arguments."""

    @staticmethod
    def dumps(obj: Any) -> bytes:
        """Return *obj* as JSON in UTF-8."""
        return json.dumps(obj).encode()

    @staticmethod
    def loads(data: bytes) -> Any:
        """Return the value of the JSON text."""
        return json.loads(data)


class Call(NamedTuple):
    """What a job runs. With an *instance*, *function* names one of its methods."""

    function: str
    instance: Any
    args: Sequence[Any]
    kwargs: Mapping[str, Any]


def name_call(function: Callable[..., Any] | str) -> tuple[str, Any]:
    """Return the name by which a worker finds *function*, and the instance it belongs to.

    Raises InvalidCallError for what no worker could import.

    >>> name_call(len)
    ('builtins.len', None)
    >>> name_call("shop.mail.send")
    ('shop.mail.send', None)
    """
    if isinstance(function, str):
        return _check_dotted(function), None
    if inspect.ismethod(function) or _is_method_of_builtin(function):
        return function.__name__, getattr(function, "__self__", None)
    if inspect.isfunction(function) or inspect.isbuiltin(function) or inspect.isclass(function):
        return _check_importable(function), None
    if callable(function):
        return "__call__", function
    raise InvalidCallError(f"not a function: {function!r} (give a function or its dotted name)")


def _is_method_of_builtin(function: Any) -> bool:
    owner = getattr(function, "__self__", None)
    return inspect.isbuiltin(function) and owner is not None and not inspect.ismodule(owner)


def _check_dotted(name: str) -> str:
    if "." not in name or not all(part.isidentifier() for part in name.split(".")):
        raise InvalidCallError(
            f"not a dotted name: {name!r} (give 'package.module.function', as an import would)"
        )
    return name


def _check_importable(function: Any) -> str:
    module, name = function.__module__, function.__qualname__
    if "<lambda>" in name:
        why = "a lambda has no name; define a function in a module"
    elif "<locals>" in name:
        why = "it is defined inside another function; move it to the top of its module"
    elif module == "__main__":
        why = "a worker can't import __main__; move it into a module and import it from there"
    elif not module:
        why = "it belongs to no module"
    else:
        return f"{module}.{name}"
    raise InvalidCallError(f"a worker can't find {name!r}: {why}")


def dump(value: object, serializer: Serializer, what: str) -> bytes:
    """Return *value* as bytes. Raises SerializationError, which says *what* it was."""
    try:
        stored = cast("object", serializer.dumps(value))
    except Exception as error:
        raise SerializationError(
            f"{what} can't be serialized by {_name(serializer)}: {error}"
        ) from error
    if not isinstance(stored, bytes):
        raise SerializationError(
            f"{what} can't be stored: {_name(serializer)}.dumps returned "
            f"{type(stored).__name__} where it must return bytes"
        )
    return stored


def load(stored: bytes, serializer: Serializer, what: str) -> Any:
    """Return the object in *stored*. Raises DeserializationError, which says *what* it was."""
    try:
        return serializer.loads(stored)
    except Exception as error:
        raise DeserializationError(
            f"{what} can't be read by {_name(serializer)}: {type(error).__name__}: {error}"
        ) from error


def encode_call(call: Call, serializer: Serializer) -> bytes:
    """Return *call* as a job's ``data``. Raises SerializationError and PayloadTooLargeError."""
    what = f"the call of {call.function} with its arguments"
    payload = dump(tuple(call), serializer, what)
    if len(payload) > CALL_BYTES:
        raise PayloadTooLargeError(
            f"{what} has {show_size(len(payload))} once serialized, more than "
            f"{show_size(CALL_BYTES)}: keep large data elsewhere (a file, an object store, a key "
            "of your own), and give the job its name"
        )
    return zlib.compress(payload) if len(payload) >= _COMPRESS_FROM else payload


def decode_call(data: bytes, serializer: Serializer) -> Call:
    """Return the call in the ``data`` of a job. Raises DeserializationError."""
    payload = _decompressed(data)
    try:
        function, instance, args, kwargs = serializer.loads(payload)
    except Exception as error:
        raise DeserializationError(
            f"the stored call can't be read by {_name(serializer)}: "
            f"{type(error).__name__}: {error}"
        ) from error
    if not _is_call(function, args, kwargs):
        raise DeserializationError(
            "what is stored is no call: a function's name, an instance or None, a list of "
            "arguments and a dictionary of arguments"
        )
    return Call(function, instance, args, kwargs)


def _decompressed(data: bytes) -> bytes:
    """Return the serialized call in *data*, which may be small and unpack to gigabytes."""
    unpacker = zlib.decompressobj()
    try:
        payload = unpacker.decompress(data, CALL_BYTES + 1)
    except zlib.error:
        payload = data
    else:
        payload = payload if unpacker.eof or len(payload) > CALL_BYTES else data
    if len(payload) > CALL_BYTES:
        raise DeserializationError(
            f"the stored call is larger than {show_size(CALL_BYTES)}, the most that is run"
        )
    return payload


def _is_call(function: object, args: object, kwargs: object) -> bool:
    return (
        isinstance(function, str) and isinstance(args, list | tuple) and isinstance(kwargs, dict)
    )


def show_size(size: int) -> str:
    """Return *size*, in bytes, as people read it.

    >>> show_size(999), show_size(64 << 20)
    ('999 bytes', '64.0 MiB')
    """
    return f"{size} bytes" if size < _MIB else f"{size / _MIB:.1f} MiB"


_MIB: Final = 1 << 20


def describe(call: Call) -> str:
    """Return *call* as people read it, each argument cut short, as RQ does.

    >>> describe(Call("shop.mail.send", None, ("a@b.c",), {"urgent": True}))
    "shop.mail.send('a@b.c', urgent=True)"
    """
    shown = [_shown(arg) for arg in call.args]
    shown += [f"{name}={_shown(call.kwargs[name])}" for name in sorted(call.kwargs)]
    return f"{call.function}({', '.join(shown)})"


def choose_serializer(choice: Serializer | str | None) -> Serializer:
    """Return the serializer meant by *choice*: an object, ``"pickle"``, ``"json"`` or None."""
    if choice is None or choice == "pickle":
        return PickleSerializer()
    if choice == "json":
        return JSONSerializer()
    if isinstance(choice, str):
        raise InvalidCallError(f"unknown serializer: {choice!r} (use 'pickle' or 'json')")
    if callable(getattr(choice, "dumps", None)) and callable(getattr(choice, "loads", None)):
        return choice
    raise InvalidCallError(f"not a serializer: {choice!r} (it needs dumps and loads)")


def _name(serializer: Serializer) -> str:
    return getattr(serializer, "__name__", type(serializer).__name__)


def _shown(value: Any) -> str:
    is_plain = type(value) in (
        str,
        bytes,
    )  # the rest of a large one is not written out for nothing
    try:
        text = repr(value[: _SHOWN + 1] if is_plain else value)
    except Exception:  # noqa: BLE001 - the code of an argument, which need not show itself
        text = f"<{type(value).__name__}>"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
