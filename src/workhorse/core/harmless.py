"""Text of jobs, names among it, as a terminal or a log may get it: whoever made a job wrote it."""

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 1000
"""Characters of one text that are shown."""

_CONTROL: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff"
    r"\U000e0000-\U000e007f]"
)
"""What controls a terminal, breaks a line, turns the direction of writing, or can't be seen."""


def harmless(text: str, longest: int = LONGEST) -> str:
    r"""Return *text* on one line, without control characters, cut to what a line can hold.

    >>> harmless("ok\x1b[2J\nforged")
    'ok\\x1b[2J\\x0aforged'
    """
    if len(text) > longest:
        text = f"{text[:longest]}..."
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
