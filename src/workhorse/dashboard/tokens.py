"""Users by token: who holds which, as a hash; and sessions of those who logged in with one."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Final

from starlette.requests import Request

from workhorse.core.errors import InvalidOptionError
from workhorse.core.harmless import harmless
from workhorse.dashboard.access import Role, User, address_of, role_of
from workhorse.dashboard.login_throttle import Guesses

SESSION: Final = "workhorse_session"
HOURS: Final = 12
"""How long who logged in stays so."""
PREFIX: Final = "wh_"
_HASH: Final = "sha256:"
_LOG: Final = logging.getLogger("workhorse.dashboard")


@dataclass(frozen=True, slots=True)
class Holder:
    """A user, and what is known of the user's token: its SHA-256, in hex."""

    user: User
    digest: str

    @property
    def line(self) -> str:
        """What stands for it in a file of tokens."""
        return f"{self.user.name} {self.user.role.name.lower()} {_HASH}{self.digest}"


def new_token(name: str, role: Role) -> tuple[str, Holder]:
    """Return a new token for the user *name*, which nobody can guess, and what is kept of it.

    Raises InvalidOptionError for a name that a line of a file can't hold.
    """
    if (
        not name
        or len(name) > _NAME
        or not all(char.isprintable() for char in name)
        or " " in name
    ):
        raise InvalidOptionError(
            f"{name!r:.100} can't be a user: give a word of {_NAME} characters"
        )
    token = f"{PREFIX}{secrets.token_urlsafe(32)}"
    return token, Holder(User(name, role), _digest(token))


_NAME: Final = 100


def read_holders(text: str, source: str) -> list[Holder]:
    """Return who holds tokens, of lines as ``workhorse dashboard token`` prints them.

    Empty lines, and those that begin with ``#``, say nothing; a semicolon ends a line, too.
    Raises InvalidOptionError, which names *source* and shows no token.
    """
    found: list[Holder] = []
    for number, line in enumerate(text.replace(";", "\n").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        words = line.split()
        if len(words) != len(("name", "role", "hash")) or not _is_hash(words[2]):
            raise InvalidOptionError(
                f"{source}, line {number}: expected NAME ROLE {_HASH}..., as printed by "
                "'workhorse dashboard token NAME ROLE'"
            )
        found.append(Holder(User(words[0], role_of(words[1])), words[2].removeprefix(_HASH)))
    if len({holder.user.name for holder in found}) < len(found):
        raise InvalidOptionError(f"{source}: a user is there twice; give each one line")
    return found


def _is_hash(word: str) -> bool:
    digits = word.removeprefix(_HASH)
    return (
        word.startswith(_HASH) and len(digits) == len(_digest("")) and set(digits) <= _HEXADECIMAL
    )


_HEXADECIMAL: Final = frozenset("0123456789abcdef")


class Tokens:
    """Says who sent a request, by the session of its cookie, or by ``Authorization: Bearer``.

    *holders* are lines of a file, or a ``Path`` to one, which is read again when it changes: who
    is taken off it is out at once. *secret* signs the sessions; several processes of one
    dashboard, or one that is started again, need the same. Without it each has its own.
    """

    def __init__(self, holders: str | Path, *, secret: str = "") -> None:
        self._path = holders if isinstance(holders, Path) else None
        self._changed = self._stamp()
        try:
            text = holders.read_text() if isinstance(holders, Path) else holders
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidOptionError(f"{self._source} can't be read: {error}") from error
        self._holders = _by_name(read_holders(text, self._source))
        if not self._holders:
            raise InvalidOptionError(
                f"{self._source} has no token: make one by 'workhorse dashboard token NAME ROLE'"
            )
        self._secret = (secret or secrets.token_urlsafe(32)).encode()
        self._ended: dict[str, float] = {}
        self._lock = Lock()
        self.guesses = Guesses()

    def __call__(self, request: Request) -> User | None:
        """Return who sent *request*; raises TooManyGuessesError after many wrong tokens."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return self.user_of(token.strip(), address_of(request))
        return self._user_of_session(request.cookies.get(SESSION, ""))

    def user_of(self, token: str, address: str) -> User | None:
        """Return who holds *token*; None for a wrong one, which is counted for *address*."""
        self.guesses.check(address)
        self._read_again()
        digest = _digest(token)
        found = None
        for holder in self._holders.values():
            if hmac.compare_digest(holder.digest, digest):
                found = holder.user
        self.guesses.note(address, is_right=found is not None)
        return found

    def session_of(self, user: User, now: float) -> str:
        """Return the cookie of a session of *user* that begins *now*."""
        told = [user.name, int(now + HOURS * 3600), secrets.token_urlsafe(16)]
        body = urlsafe_b64encode(json.dumps(told).encode()).decode()
        return f"{body}.{self._signature(self._holders[user.name], body)}"

    def end_session(self, cookie: str) -> None:
        """Let nobody in by this cookie any more, in this process."""
        if self._user_of_session(cookie):
            _, until, session = _read_session(cookie)
            now = _now()
            with self._lock:
                self._ended = {one: at for one, at in self._ended.items() if at > now}
                self._ended[session] = until

    def _user_of_session(self, cookie: str) -> User | None:
        if not cookie:
            return None
        self._read_again()
        try:
            name, until, session = _read_session(cookie)
        except (ValueError, TypeError):
            return None
        holder = self._holders.get(name)
        body, _, signature = cookie.rpartition(".")
        if holder is None or not hmac.compare_digest(
            signature.encode(), self._signature(holder, body).encode()
        ):
            return None
        return holder.user if until > _now() and session not in self._ended else None

    def _signature(self, holder: Holder, body: str) -> str:
        """Return what only we can say of *body*, while the user has this token."""
        key = hmac.new(self._secret, f"session {holder.digest}".encode(), hashlib.sha256).digest()
        return hmac.new(key, body.encode(), hashlib.sha256).hexdigest()

    @property
    def _source(self) -> str:
        return str(self._path) if self._path else "the list of tokens"

    def _stamp(self) -> tuple[int, int] | None:
        try:
            told = self._path.stat() if self._path else None
        except OSError:
            return None
        return (told.st_mtime_ns, told.st_size) if told else None

    def _read_again(self) -> None:
        """Read the file, where it was changed; what can't be read is told, and changes nothing."""
        stamp = self._stamp()
        if self._path is None or stamp is None or stamp == self._changed:
            return
        self._changed = stamp
        try:
            self._holders = _by_name(read_holders(self._path.read_text(), self._source))
        except (InvalidOptionError, OSError, UnicodeDecodeError) as error:
            _LOG.error("tokens stay as they were: %s", harmless(str(error)))


def _now() -> float:
    return time.time()  # noqa: TID251 - cookies end by the clock of who made them


def _by_name(holders: list[Holder]) -> Mapping[str, Holder]:
    return {holder.user.name: holder for holder in holders}


def _read_session(cookie: str) -> tuple[str, float, str]:
    """Return what a cookie says, whoever made it; ValueError, TypeError for what is none."""
    told: Any = json.loads(urlsafe_b64decode(cookie.rpartition(".")[0].encode()))
    name, until, session = told
    return str(name), float(until), str(session)


def _digest(token: str) -> str:
    """Return what is kept of a token. It is long and random: it needs no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()
