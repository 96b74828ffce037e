"""Classes that users put in place of ours, given as they are or by their dotted names."""

from __future__ import annotations

import importlib
from typing import Any, TypeVar, cast

from workhorse.core.errors import InvalidOptionError

T = TypeVar("T")


def choose_class(option: str, choice: object, default: type[T]) -> type[T]:
    """Return the class meant by *choice*, a subclass of *default*; that itself for None.

    Raises InvalidOptionError, which names the *option*, for what is no such class.
    """
    found = class_at(choice, option) if isinstance(choice, str) else choice
    if found is None:
        return default
    if isinstance(found, type) and issubclass(found, default):
        return found
    raise InvalidOptionError(
        f"{option} is {choice!r}: give a subclass of {default.__name__}, or its dotted name"
    )


def class_at(name: str, option: str = "the class") -> type[Any]:
    """Return the class with this dotted name, imported. Raises InvalidOptionError."""
    module, _, attribute = name.rpartition(".")
    try:
        return cast("type[Any]", getattr(importlib.import_module(module), attribute))
    except (ImportError, AttributeError, ValueError) as error:
        raise InvalidOptionError(f"{option} is {name!r}: it can't be imported ({error})") from None
