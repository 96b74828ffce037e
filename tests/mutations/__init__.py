"""What the fault tests are worth: with a protection switched off, its tests must fail.

A *mutation* is an entry of a list beside this file (``*.toml``): the edits that take one
protection away, and the tests that must notice. ``python -m tests.mutations --help`` runs them.
Its one rule: the source itself is never touched; all happens in a copy.
"""
