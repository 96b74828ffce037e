"""What looks like a secret in the texts that pages show, and is hidden in them."""

from __future__ import annotations

import re
from typing import Final

HIDDEN: Final = "•••"

_NAMES: Final = (
    r"pass_?(?:word|wd|phrase)|(?<![a-z])pass|pwd|secret(?:[_-]?(?:access)?[_-]?key)?|token(?!s)|"
    r"(?:api|access|private|signing|encryption)[_-]?key|authorization|credentials?|cookie|"
    r"session[_-]?id"
)
_QUOTED: Final = r'"(?:[^"\\]|\\.){0,4000}"?|' + r"'(?:[^'\\]|\\.){0,4000}'?"
_SECRETS: Final = re.compile(
    rf"""
    (?P<name>(?:{_NAMES})['"]?\s{{0,3}}(?:=|:)\s{{0,3}}(?:b(?=['"]))?)  # password=..., "token": ...
        (?P<value>{_QUOTED}|(?:bearer|basic|token)\s[^\s,;'"]{{1,4000}}|[^\s,;&)\]}}'"]{{1,4000}})
    | (?P<scheme>\b(?:bearer|basic)\s)[\w.~+/=-]{{8,4000}}     # Bearer ...
    | (?P<user>://[^\s:/@]{{0,200}}:)[^\s/@]{{1,200}}(?=@)     # ://user:...@
    | -----BEGIN[ A-Z]{{0,20}}PRIVATE\ KEY-----[^-]{{0,8000}}(?:-----END[ A-Z]{{0,20}}PRIVATE\ KEY-----)?
    | \beyJ[\w-]{{8,4000}}\.[\w-]{{8,4000}}\.[\w-]{{0,4000}}   # a JSON web token
    | \b(?:AKIA|ASIA)[A-Z0-9]{{16}}\b
    | \b(?:gh[opsu]_|github_pat_|glpat-|xox[abprs]-|sk_live_|rk_live_|sk-|wh_)[\w-]{{16,200}}
    """,  # noqa: E501 - one alternative a line
    re.VERBOSE | re.IGNORECASE,
)


def hide_secrets(text: str) -> str:
    """Return *text* without what looks like a password, a key or a token.

    It knows names such as ``password`` before ``=`` or ``:``, passwords in URLs, headers such as
    ``Authorization``, private keys, and tokens of well-known services. It can't know what is a
    secret to you: give ``Dashboard`` a function of your own, which may call this one.

    >>> hide_secrets("login('ann', password='hunter2', retries=3)")
    "login('ann', password=•••, retries=3)"
    >>> hide_secrets("GET https://ann:hunter2@example.org Authorization: Bearer abcdefgh123")
    'GET https://ann:•••@example.org Authorization: •••'
    """
    return _SECRETS.sub(_hidden, text)


def _hidden(found: re.Match[str]) -> str:
    return f"{found['name'] or found['scheme'] or found['user'] or ''}{HIDDEN}"
