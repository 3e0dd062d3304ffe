"""The records of accounts, apps, sites (hostnames) and tokens. Every method is one transaction."""

from __future__ import annotations

from datetime import datetime

from tasks.clients.database import Database
from tasks.core.model import Account, Hostname, Site


class Accounts:
    """Creating what is there already changes nothing; creating it differently raises `BadInput` with code ``taken``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create_account(self, account: Account, at: datetime) -> Account:
        """Record an account; a new contact address replaces the old one."""
        raise NotImplementedError

    def create_app(self, app: str, account: str, at: datetime) -> None:
        raise NotImplementedError

    def create_site(self, hostname: Hostname, app: str, account: str, challenge: str, at: datetime) -> Site:
        """Record a hostname with its TXT challenge; if it is there already for this app, the first challenge stays."""
        raise NotImplementedError

    def fetch_account(self, name: str) -> Account:
        """Raises `NotFound`."""
        raise NotImplementedError

    def fetch_site(self, hostname: Hostname, account: str, app: str | None = None) -> Site:
        """Give the site if it is this account's (and app's); raises `NotFound` otherwise."""
        raise NotImplementedError

    def list_sites(self, account: str) -> tuple[Site, ...]:
        raise NotImplementedError

    def create_token(self, token_id: str, account: str, sha256: str, at: datetime) -> None:
        raise NotImplementedError

    def find_by_token(self, sha256: str) -> Account | None:
        """Give the account behind an unrevoked token, or None."""
        raise NotImplementedError

    def revoke_token(self, token_id: str, at: datetime) -> None:
        """Raises `NotFound`; safe to repeat."""
        raise NotImplementedError
