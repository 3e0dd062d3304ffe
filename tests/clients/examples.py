"""Example records for tests: one account with an app and a hostname, and what comes after."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from tasks.clients.database import Database
from tasks.clients.records.accounts import Accounts
from tasks.clients.records.certificates import Certificates
from tasks.clients.records.drops import Drops
from tasks.core.model import (
    Account,
    Certificate,
    Drop,
    DropState,
    EntryKind,
    Handshake,
    Hostname,
    LedgerEntry,
    Placement,
    make_id,
)

T = TypeVar("T")

NOW = datetime(2026, 11, 24, 8, 0, 0, 123456, tzinfo=UTC)
SHOP = Hostname("shop.example.test")
ACME = Account("acme", "ops@acme.test")


def at_once(actions: Sequence[Callable[[], T]]) -> list[T]:
    """Run every action in a thread of its own, all released together, and give their answers in order."""
    barrier = threading.Barrier(len(actions))

    def run(action: Callable[[], T]) -> T:
        barrier.wait(timeout=30)
        return action()

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(run, actions))


def with_site(database: Database) -> Database:
    """Record the account acme with the app shop and its hostname."""
    accounts = Accounts(database)
    accounts.create_account(ACME, NOW)
    accounts.create_app("shop", "acme", NOW)
    accounts.create_site(SHOP, "shop", "acme", "challenge-1", NOW)
    return database


def a_drop(name: str = "edge", **changes: Any) -> Drop:
    """Give a REQUESTED drop of acme, not on record."""
    drop = Drop(
        id=make_id("drop", os.urandom(16)),
        name=name,
        account="acme",
        app="shop",
        hostname=SHOP,
        state=DropState.REQUESTED,
        requested_by="account:acme",
        created_at=NOW,
        expires_at=NOW + timedelta(days=14),
    )
    return replace(drop, **changes)


def a_recorded_drop(database: Database, name: str = "edge", **changes: Any) -> Drop:
    return Drops(database).create(a_drop(name, **changes), max_open=10_000)


def an_open_drop(database: Database, name: str = "edge", wrapped_seed: bytes = b"wrapped") -> Drop:
    drop = a_recorded_drop(database, name)
    return Drops(database).open(drop.id, 2, b"public", wrapped_seed)


def a_certificate(drop: Drop, **changes: Any) -> Certificate:
    """Give a certificate that came through *drop*, not on record."""
    certificate = Certificate(
        id=make_id("cert", os.urandom(16)),
        drop_id=drop.id,
        account=drop.account,
        hostname=drop.hostname,
        leaf_sha256="1" * 64,
        spki_sha256="2" * 64,
        bundle_sha256="3" * 64,
        subject="CN=shop.example.test",
        issuer="CN=Example CA",
        serial="0a",
        dns_names=("shop.example.test", "www.shop.example.test"),
        not_before=NOW,
        not_after=NOW + timedelta(days=90),
        vault_key="vault/1",
        vault_version="v1",
    )
    return replace(certificate, **changes)


def a_recorded_certificate(database: Database, name: str = "edge", **changes: Any) -> Certificate:
    certificate = a_certificate(a_recorded_drop(database, name), **changes)
    return Certificates(database).create(certificate, b"wrapped data key", NOW)


def a_handshake(certificate: Certificate, edge: str = "a", **changes: Any) -> Handshake:
    handshake = Handshake(edge, certificate.hostname, certificate.leaf_sha256, True, "TLSv1.3", 200, NOW)
    return replace(handshake, **changes)


def a_confirmation(database: Database, certificate: Certificate) -> int:
    proof = [a_handshake(certificate, "a"), a_handshake(certificate, "b")]
    return Certificates(database).confirm(certificate.id, proof, NOW)


def an_enable(confirmation_id: int | None, key: str = "charge-1", **changes: Any) -> LedgerEntry:
    """Give the entry that begins a charge for acme's shop, not on record."""
    entry = LedgerEntry(
        idempotency_key=key,
        kind=EntryKind.ENABLE,
        charge=key,
        account="acme",
        hostname=SHOP,
        placement=Placement.SHARED,
        megabytes=160,
        unit_price=Decimal("0.012"),
        currency="EUR",
        at=NOW,
        confirmation_id=confirmation_id,
    )
    return replace(entry, **changes)
