"""A mutated script is one that the server takes: a typing error would be caught by any test."""

from __future__ import annotations

from typing import Any

import pytest

from tests.mutations.lists import Mutation, load_all
from workhorse.store import scripts

OF_SCRIPTS = [one for one in load_all() if any(e.file.endswith(".lua") for e in one.edits)]


@pytest.mark.parametrize("mutation", OF_SCRIPTS, ids=lambda one: one.name)
def test_the_scripts_of_a_mutation_compile(client: Any, mutation: Mutation) -> None:
    changed = 0
    for name in scripts.names():
        source = scripts.load(name).source
        for edit in mutation.edits:
            source = source.replace(edit.old, edit.new)  # an include stands there as it is
        if source != scripts.load(name).source:
            changed += 1
            client.script_load(source)
    assert changed
