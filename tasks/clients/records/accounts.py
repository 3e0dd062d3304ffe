"""The records of accounts, apps, sites (hostnames) and tokens. Every method is one transaction."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from tasks.clients.database import Database, insert_once
from tasks.clients.tables import AccountRow, AppRow, SiteRow, TokenRow
from tasks.core.errors import BadInput, NotFound, Who
from tasks.core.model import Account, Hostname, Site


class Accounts:
    """Creating what is there already changes nothing; creating it differently raises `BadInput` with code ``taken``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create_account(self, account: Account, at: datetime) -> Account:
        """Record an account; a new contact address replaces the old one."""
        with self._database.transaction() as session:
            insert_once(session, AccountRow, name=account.name, contact=account.contact, created_at=at)
            session.get_one(AccountRow, account.name, with_for_update=True).contact = account.contact
        return account

    def create_app(self, app: str, account: str, at: datetime) -> None:
        """
        Record an app of an account.

        Raises:
            NotFound: There is no such account.

            BadInput: Code ``taken``: another account has an app of this name.
        """
        with self._database.transaction() as session:
            _account(session, account)
            insert_once(session, AppRow, name=app, account=account, created_at=at)
            if session.get_one(AppRow, app).account != account:
                raise _taken(f"app {app}", "an app of another account", f"an app of {account}, or a new name")

    def create_site(self, hostname: Hostname, app: str, account: str, challenge: str, at: datetime) -> Site:
        """
        Record a hostname with its TXT challenge; if it is there already for this app, the first challenge stays.

        Raises:
            NotFound: The account has no such app.

            BadInput: Code ``taken``: the hostname belongs to another app.
        """
        with self._database.transaction() as session:
            found = session.get(AppRow, app)
            if found is None or found.account != account:
                raise NotFound.named("app", app)
            insert_once(
                session, SiteRow, hostname=hostname, app=app, account=account, challenge=challenge, created_at=at
            )
            row = session.get_one(SiteRow, hostname)
            if (row.app, row.account) != (app, account):
                raise _taken(hostname, "a hostname of another app", f"a hostname of {app}, or a new one")
            return _site(row)

    def fetch_account(self, name: str) -> Account:
        """
        Give the account.

        Raises:
            NotFound: There is none.
        """
        with self._database.reading() as session:
            return _account(session, name)

    def list_accounts(self) -> tuple[Account, ...]:
        """Give all accounts by name."""
        with self._database.reading() as session:
            rows = session.scalars(select(AccountRow).order_by(AccountRow.name))
            return tuple(Account(row.name, row.contact) for row in rows)

    def fetch_site(self, hostname: Hostname, account: str, app: str | None = None) -> Site:
        """
        Give the site if it is this account's (and app's).

        Raises:
            NotFound: There is none, or it is another's: the two look the same.
        """
        with self._database.reading() as session:
            row = session.get(SiteRow, hostname)
            if row is None or row.account != account or app not in (None, row.app):
                raise NotFound.named("hostname", hostname)
            return _site(row)

    def find_site(self, hostname: Hostname) -> Site | None:
        """Give the site, whosever it is, or None; for operators alone."""
        with self._database.reading() as session:
            row = session.get(SiteRow, hostname)
            return _site(row) if row else None

    def list_sites(self, account: str) -> tuple[Site, ...]:
        """Give the account's sites by hostname."""
        wanted = select(SiteRow).where(SiteRow.account == account).order_by(SiteRow.hostname)
        with self._database.reading() as session:
            return tuple(_site(row) for row in session.scalars(wanted))

    def create_token(self, token_id: str, account: str, sha256: str, at: datetime) -> None:
        """
        Record a token by its SHA-256.

        Raises:
            NotFound: There is no such account.

            BadInput: Code ``taken``: the id, or the digest, is another token's.
        """
        with self._database.transaction() as session:
            _account(session, account)
            insert_once(session, TokenRow, id=token_id, account=account, sha256=sha256, created_at=at)
            row = session.get(TokenRow, token_id)
            if row is None or (row.account, row.sha256) != (account, sha256):
                raise _taken(f"token {token_id}", "a token on record", "a new token")

    def find_by_token(self, sha256: str) -> Account | None:
        """Give the account behind an unrevoked token, or None."""
        wanted = (
            select(AccountRow)
            .join(TokenRow, TokenRow.account == AccountRow.name)
            .where(TokenRow.sha256 == sha256, TokenRow.revoked_at.is_(None))
        )
        with self._database.reading() as session:
            row = session.scalars(wanted).one_or_none()
            return Account(row.name, row.contact) if row else None

    def revoke_token(self, token_id: str, at: datetime) -> None:
        """
        Let a token open nothing from now on; safe to repeat, the first time stays.

        Raises:
            NotFound: There is none.
        """
        with self._database.transaction() as session:
            row = session.get(TokenRow, token_id, with_for_update=True)
            if row is None:
                raise NotFound.named("token", token_id)
            row.revoked_at = row.revoked_at or at


def _account(session: Session, name: str) -> Account:
    row = session.get(AccountRow, name)
    if row is None:
        raise NotFound.named("account", name)
    return Account(row.name, row.contact)


def _site(row: SiteRow) -> Site:
    return Site(Hostname(row.hostname), row.app, row.account, row.challenge)


def _taken(subject: str, got: str, wanted: str) -> BadInput:
    return BadInput(subject, got=got, wanted=wanted, do="Choose another name.", who=Who.OPERATOR, code="taken")
