"""The records of drops. Every method is one transaction."""

from __future__ import annotations

from datetime import datetime

from tasks.clients.database import Database
from tasks.core.model import Drop, Outcome


class Drops:
    """Reads and moves drops. A move that has been made already changes nothing; a move backwards raises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, drop: Drop, max_open: int) -> Drop:
        """
        Record a REQUESTED drop, and give it; the same id again gives the one that is there.

        Raises:
            BadInput: Code ``name-taken``: the account has a live drop of this name; the message names it.

            QuotaExceeded: The account has *max_open* live drops.
        """
        raise NotImplementedError

    def fetch(self, drop_id: str, account: str | None = None) -> Drop:
        """
        Give the drop; with *account*, only if it is that account's.

        Raises:
            NotFound: There is none, or it is another account's.
        """
        raise NotImplementedError

    def find_by_name(self, account: str, name: str) -> Drop | None:
        """Give the account's newest drop of that name, live ones first, or None."""
        raise NotImplementedError

    def list_live(self) -> tuple[Drop, ...]:
        """Give all drops not yet DESTROYED, oldest first."""
        raise NotImplementedError

    def list_unswept(self, now: datetime) -> tuple[Drop, ...]:
        """Give the DESTROYED drops whose upload capability has expired by *now* and whose second sweep is due."""
        raise NotImplementedError

    def list_of(self, account: str) -> tuple[Drop, ...]:
        """Give all drops of an account, newest first."""
        raise NotImplementedError

    def open(self, drop_id: str, suite: int, public_key: bytes, wrapped_seed: bytes) -> Drop:
        """REQUESTED to OPEN with the key pair; if it is open already the first key pair stays."""
        raise NotImplementedError

    def invite(self, drop_id: str, secret_sha256: str, upload_until: datetime) -> Drop:
        """
        Record the newest invitation's secret (its SHA-256); earlier invitations stop working.

        *upload_until* is kept if it is later than the one on record.

        Raises:
            HandOverClosed: The drop is not OPEN.
        """
        raise NotImplementedError

    def fetch_seed(self, drop_id: str) -> tuple[bytes, str]:
        """
        Give (wrapped seed, SHA-256 of the drop secret).

        Raises:
            HandOverClosed: The seed is gone, or no invitation was given out.
        """
        raise NotImplementedError

    def pin_upload(self, drop_id: str, version_id: str, envelope_sha256: str) -> Drop:
        """Record the one object version that counts, before it is opened; the first one stays."""
        raise NotImplementedError

    def mark_ingested(self, drop_id: str) -> Drop:
        raise NotImplementedError

    def mark_verified(self, drop_id: str, at: datetime) -> None:
        """Record that step 1 has held."""
        raise NotImplementedError

    def attach_run(self, drop_id: str, flow_run_id: str) -> Drop:
        """
        Record the provision run that carries this drop; the first one stays.

        Raises:
            Drifted: Code ``other-run``: another run carries it.
        """
        raise NotImplementedError

    def shred(self, drop_id: str, at: datetime) -> Drop:
        """Forget the wrapped seed and the secret's digest, for good, and move to DESTROYED; safe to repeat."""
        raise NotImplementedError

    def mark_swept(self, drop_id: str, at: datetime) -> Drop:
        raise NotImplementedError

    def close(self, drop_id: str, outcome: Outcome, code: str | None, reason: str | None) -> Drop:
        """Record how the hand-over ended; the first outcome stays."""
        raise NotImplementedError
