"""A file that registers cron entries: loaded as RQ loads it, with ``rq.cron`` being ours."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from workhorse.core.errors import InvalidOptionError, WorkhorseError

REGISTERED: Final[list[dict[str, Any]]] = []
"""What was registered since a file began to be loaded, or since ``create_cron``."""
_OURS: Final = "workhorse.cron"


def load(path: str) -> list[dict[str, Any]]:
    """Run the file or module at *path* and return what it registered.

    A dotted name, a relative path, or an absolute one of a ``.py`` file. Raises
    InvalidOptionError, with what went wrong, for a file that can't be loaded.
    """
    REGISTERED.clear()
    try:
        with rq_cron_is_ours():
            _run(path)
        return list(REGISTERED)
    except WorkhorseError:
        raise
    except Exception as error:
        raise InvalidOptionError(
            f"can't load the cron configuration {path!r}: {type(error).__name__}: {error}"
        ) from error
    finally:
        REGISTERED.clear()


def source_of(path: str) -> str:
    """Return the name by which the entries of the file at *path* are known as its own.

    >>> source_of("app/cron_config.py"), source_of("app.cron_config")
    ('app.cron_config', 'app.cron_config')
    """
    return path if Path(path).is_absolute() else _dotted(path)


def _dotted(path: str) -> str:
    plain = path.removeprefix("./").removesuffix(".py")
    return plain.replace(os.sep, ".").strip(".")


def _run(path: str) -> None:
    if Path(path).is_absolute():
        _run_file(Path(path))
        return
    name = _dotted(path)
    if not name or not all(part.isidentifier() for part in name.split(".")):
        raise InvalidOptionError(
            f"not a cron configuration: {path!r} (give a module, as app.cron, or a .py file)"
        )
    if name in sys.modules:
        importlib.reload(sys.modules[name])
    else:
        importlib.invalidate_caches()
        importlib.import_module(name)


def _run_file(path: Path) -> None:
    if not path.is_file() or path.suffix != ".py":
        raise InvalidOptionError(f"no such cron configuration: {str(path)!r} (give a .py file)")
    name = f"rq_cron_config_{path.name.replace('.', '_')}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InvalidOptionError(f"not a Python file: {str(path)!r}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise


@contextmanager
def rq_cron_is_ours() -> Generator[None]:
    """Have ``from rq import cron`` and ``import rq.cron`` mean ours within the block.

    Where RQ is installed, all else of it stays as it is. Where it is not, ``rq`` has what
    ``workhorse`` has.
    """
    before: Mapping[str, ModuleType | None] = {
        name: sys.modules.get(name) for name in ("rq", "rq.cron")
    }
    ours = importlib.import_module(_OURS)
    rq = _rq()
    shadowed = vars(rq).get("cron")
    rq.__dict__["cron"] = ours
    sys.modules["rq.cron"] = ours
    try:
        yield
    finally:
        vars(rq).pop("cron", None)
        if shadowed is not None:
            rq.__dict__["cron"] = shadowed
        for name, module in before.items():
            if module is not None:
                sys.modules[name] = module
            elif name == "rq.cron" or isinstance(sys.modules.get("rq"), _StandIn):
                sys.modules.pop(name, None)


class _StandIn(ModuleType):
    """Stands in for ``rq`` where it is not installed."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__ = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(importlib.import_module("workhorse"), name)


def _rq() -> ModuleType:
    if "rq" in sys.modules:
        return sys.modules["rq"]
    if importlib.util.find_spec("rq") is not None:
        return importlib.import_module("rq")
    return sys.modules.setdefault("rq", _StandIn("rq"))
