"""Modules under the names that RQ's have: ``from workhorse.job import Job`` finds them here.

For imports that move over by replacing ``rq`` with ``workhorse``. Each name is in ``workhorse``
itself, too, which is where type checkers know them.
"""
