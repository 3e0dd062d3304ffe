"""What the customer's machine keeps: the front desk's address and token, and invitations."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tasks.core.errors import BadInput, Forbidden
from tasks.core.invitation import parse_invitation, render_invitation
from tasks.core.model import Invitation
from tasks.customer.private import find_private, write_private
from tasks.customer.unkeyed import unkeyed

_LONGEST_URL: Final = 2000  # characters; more are none, for httpx even an error
DEFAULT_URL: Final = "http://127.0.0.1:8700"  # the local stack's front desk


@dataclass(frozen=True)
class Login:
    """Where the front desk is, and the token it knows the account by."""

    url: str
    token: str

    def __repr__(self) -> str:
        """Show the address only: the token stays out of logs and tracebacks."""
        return f"Login({self.url})"


@dataclass(frozen=True)
class Home:
    """The two directories of the XDG base directory specification that certferry uses."""

    config: Path
    state: Path

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Home:
        """Find them in *environ*."""
        user = Path(environ.get("HOME") or Path.home())
        config = Path(environ.get("XDG_CONFIG_HOME") or user / ".config")
        state = Path(environ.get("XDG_STATE_HOME") or user / ".local" / "state")
        return cls(config / "certferry", state / "certferry")

    def find_login(self) -> Login | None:
        """
        Give the login, or None before `certferry login`.

        Raises:
            BadInput: Others can read it, or it is damaged.
        """
        path = self.config / "config.json"
        content = find_private(path)
        if content is None:
            return None
        with suppress(ValueError, KeyError, TypeError, RecursionError):
            document = json.loads(content)
            return Login(check_url(str(document["url"])), check_token(str(document["token"])))
        raise BadInput(  # not while the other is handled: that one holds the token
            str(path), got="damaged", wanted="what `certferry login` wrote", do="Run `certferry login` again."
        )

    def fetch_login(self) -> Login:
        """
        Give the login.

        Raises:
            Forbidden: Code ``not-logged-in``.

            BadInput: As `find_login`.
        """
        if login := self.find_login():
            return login
        raise Forbidden(
            "the front desk",
            got="no token on this machine",
            wanted="a token of your account",
            do="Run `certferry login`; the platform's operators give you the token.",
            code="not-logged-in",
        )

    def save_login(self, login: Login) -> Path:
        """Keep *login*, and give the path of the file."""
        path = self.config / "config.json"
        write_private(path, json.dumps({"url": login.url, "token": login.token}).encode())
        return path

    def find_invitation(self, name: str) -> Invitation | None:
        """Give the invitation kept for the hand-over *name*, or None."""
        content = find_private(self._invitation(name))
        return None if content is None else parse_invitation(content)

    def save_invitation(self, invitation: Invitation) -> Path:
        """Keep *invitation*, and give the path of the file."""
        path = self._invitation(invitation.name)
        write_private(path, render_invitation(invitation))
        return path

    def forget_invitation(self, name: str) -> None:
        """Delete the invitation kept for *name*; safe to repeat."""
        self._invitation(name).unlink(missing_ok=True)

    def _invitation(self, name: str) -> Path:
        return self.state / f"{name}.json"


def check_url(url: str) -> str:
    """
    Give *url* without a final slash.

    Raises:
        BadInput: It is not an address, or would send the token over a network in clear.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.port != 0 and url.isprintable() and len(url) <= _LONGEST_URL else None
    except ValueError:  # also of a port that is none
        host = None
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))):
        raise BadInput(
            f"the front desk's address {unkeyed(url)[:200]!r}",
            got="not an https address",
            wanted="https://..., or http:// on this very machine",
            do="Give the address the platform's operators gave you.",
            code="bad-url",
        )
    return url.rstrip("/")


def is_loopback(host: str) -> bool:
    """Say whether *host* is this machine, whatever the resolver says."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_token(token: str) -> str:
    """
    Give *token* without white space around it.

    Raises:
        BadInput: It cannot be a token; the message does not repeat it.
    """
    token = token.strip()
    if not token.startswith("cf_") or not token.isascii() or not token.isprintable() or len(token) > 200:
        raise BadInput(
            "the token",
            got="not a token",
            wanted="cf_ and the rest of it, as the platform's operators gave it",
            do="Copy it again.",
            code="bad-token",
        )
    return token
