"""Every example in the README and the docs, run in the order in which a reader meets them.

A document is one session, in an empty folder, on an empty embedded server:

- a `python` block runs; what it defines is there in the blocks after it;
- a `python` block whose first line is a comment with a file name (`# tasks.py`) becomes that file;
- a `console` or `bash` block with `<!-- run -->` on the line before it runs: its lines that start
  with `$ `, each of which must end with code 0;
- a `python` block with `<!-- not run: the reason -->` on the line before it is passed over.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.servers import RunningServer

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(
    r"^(?:<!-- (?P<mark>run|not run: \S.*?) -->\n)?```(?P<language>\w+)[^\n]*\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
EXTRAS = {
    "a2wsgi", "django", "fastapi", "flask", "opentelemetry", "prometheus_client", "sentry_sdk",
    "starlette", "uvicorn",
}  # fmt: skip
"""What one Python of `make check` does not have; there a document ends where it needs any."""
NO_EXTRA = re.compile(r"pip install 'workhorse\[")
FILE_NAME = re.compile(r"# (\w+\.py)\n")


@dataclass(frozen=True)
class Block:
    """An example, and where it stands."""

    language: str
    mark: str
    code: str
    line: int


@pytest.fixture
def session(
    valkey_server: RunningServer,
    server_socket: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Path]:
    """An empty folder to be in, and what it made importable forgotten at the end."""
    assert server_socket == valkey_server.socket
    monkeypatch.setenv("WORKHORSE_URL", valkey_server.url)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    # Ours by its module: in a checkout it may not be installed yet.
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:workhorse -p workhorse.testing.pytest_plugin")
    folder = tmp_path / "session"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    known = set(sys.modules)
    yield folder
    for name in sys.modules.keys() - known:
        file = getattr(sys.modules[name], "__file__", None)
        if file and Path(file).is_relative_to(folder):
            del sys.modules[name]


def blocks(text: str) -> list[Block]:
    return [
        Block(
            language=match["language"],
            mark=match["mark"] or "",
            code=match["code"],
            line=text.count("\n", 0, match.start("code")),
        )
        for match in BLOCK.finditer(text)
    ]


def run_python(block: Block, document: Path, names: dict[str, object]) -> None:
    """Run a block; a traceback shows its place in the document."""
    code = "\n" * block.line + block.code
    try:
        exec(compile(code, document, "exec"), names)  # noqa: S102 - our own documents
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EXTRAS:
            raise
        pytest.skip(f"the rest needs {error.name}")


def run_commands(block: Block, folder: Path) -> None:
    for command in re.findall(r"^\$ (.*)$", block.code, re.MULTILINE):
        ran = subprocess.run(  # noqa: S602 - our own documents, as a reader would run them
            command,
            shell=True,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        if ran.returncode and NO_EXTRA.search(ran.stderr) and not find_spec("starlette"):
            pytest.skip(f"the rest needs an extra: {ran.stderr}")
        assert ran.returncode == 0, f"$ {command}\n{ran.stdout}{ran.stderr}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_examples_of_a_document_run(document: Path, session: Path) -> None:
    names: dict[str, object] = {"__name__": "__main__"}
    for block in blocks(document.read_text()):
        if block.language == "python" and not block.mark:
            if file := FILE_NAME.match(block.code):
                (session / file[1]).write_text(block.code)
            else:
                run_python(block, document, names)
        elif block.language in {"bash", "console"} and block.mark == "run":
            run_commands(block, session)


def test_a_mark_is_spelled_right() -> None:
    for document in DOCUMENTS:
        marks = re.findall(r"^<!-- ((?:not )?run\b.*?) -->$", document.read_text(), re.MULTILINE)
        used = [block.mark for block in blocks(document.read_text()) if block.mark]
        assert marks == used, document
