"""The records of certificates, of what edges are meant to serve, and of confirmations. One transaction a method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tasks.clients.database import Database
from tasks.core.model import Certificate, Handshake, Hostname


@dataclass(frozen=True)
class Assignment:
    """What an edge is meant to serve for a hostname, and what it served before (None: nothing)."""

    edge: str
    hostname: Hostname
    certificate_id: str
    bundle_sha256: str
    previous_bundle_sha256: str | None
    proven_at: datetime | None


class Certificates:
    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, certificate: Certificate, wrapped_data_key: bytes, at: datetime) -> Certificate:
        """Record a certificate; a drop has one, and the first stays and is given."""
        raise NotImplementedError

    def fetch(self, certificate_id: str) -> Certificate:
        """Raises `NotFound`."""
        raise NotImplementedError

    def find_by_drop(self, drop_id: str) -> Certificate | None:
        raise NotImplementedError

    def fetch_data_key(self, certificate_id: str) -> bytes:
        """Give the wrapped data key; raises `NotFound` once it is shredded."""
        raise NotImplementedError

    def shred(self, certificate_id: str) -> None:
        """Forget the wrapped data key; safe to repeat."""
        raise NotImplementedError

    def mark_compromised(self, spki_sha256: str, why: str, at: datetime) -> None:
        """Record that the private half of this public key was seen where it must not be; safe to repeat."""
        raise NotImplementedError

    def is_compromised(self, spki_sha256: str) -> bool:
        raise NotImplementedError

    def find_accounts_of_key(self, spki_sha256: str) -> frozenset[str]:
        """Give the accounts that have a certificate on record for this public key."""
        raise NotImplementedError

    def assign(self, edge: str, certificate: Certificate, previous_bundle_sha256: str | None) -> Assignment:
        """
        Record what *edge* is meant to serve from now on, before it is made so.

        The same certificate again changes nothing: the first *previous_bundle_sha256* stays, for the rollback.
        """
        raise NotImplementedError

    def find_assignment(self, edge: str, hostname: Hostname) -> Assignment | None:
        raise NotImplementedError

    def mark_proven(self, edge: str, hostname: Hostname, at: datetime) -> None:
        raise NotImplementedError

    def unassign(self, edge: str, hostname: Hostname, certificate_id: str) -> None:
        """Undo `assign`: back to the previous certificate if one is on record, else none; safe to repeat."""
        raise NotImplementedError

    def confirm(self, certificate_id: str, handshakes: Sequence[Handshake], at: datetime) -> int:
        """Record the proof from both edges and give its id; the first one stays."""
        raise NotImplementedError

    def find_confirmation(self, certificate_id: str) -> int | None:
        raise NotImplementedError
