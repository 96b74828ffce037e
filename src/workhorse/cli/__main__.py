"""``python -m workhorse.cli``: the same as ``workhorse``."""

from workhorse.cli.main import main

main()
