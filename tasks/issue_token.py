"""Front desk tokens. Plain: a secret comes out, so no flow and no task ever calls it."""

from __future__ import annotations

import base64
import hashlib
import os
from datetime import datetime

from tasks.clients.installation import current
from tasks.core.errors import Forbidden
from tasks.core.model import Account, make_id

PREFIX = "cf_"
"""Lets a secret scanner (and a person) recognise a token."""


def issue_token(account: str, now: datetime) -> tuple[str, str]:
    """
    Give (token id, token) for *account*; the token is shown this once, and only its SHA-256 is recorded.

    Repeat: Gives another token; each is revoked by its id.

    Raises:
        NotFound: There is no such account.
    """
    here = current()
    owner = here.accounts.fetch_account(account)
    token_id = make_id("token", os.urandom(16))
    token = PREFIX + base64.b32encode(os.urandom(32)).decode("ascii").rstrip("=").lower()
    here.accounts.create_token(token_id, owner.name, _digest(token), now)
    here.audit.append("operator", "token.issued", owner.name, {"token": token_id}, now)
    return token_id, token


def authenticate(token: str) -> Account:
    """
    Give the account behind *token*.

    The look-up is by SHA-256, so its time says nothing about how much of a guess was right.

    Raises:
        Forbidden: Unknown or revoked; the two look the same.
    """
    account = current().accounts.find_by_token(_digest(token))
    if account is None:
        raise Forbidden(
            "token",
            got="it is not known here",
            wanted="a token of this installation that has not been revoked",
            do="Log in again with `certferry login`, or ask the platform's operators for a token.",
        )
    return account


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
