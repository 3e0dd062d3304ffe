"""
A fleet that never was: as many hostnames as wanted, as years of certferry would have left them in the records.

    make fleet N=1000000 URL=sqlite:////var/tmp/fleet.db

Each hostname has a site, a completed drop, a certificate that both edges are meant to serve, its confirmation and an
open charge. Rows go into the tables directly, in chunks, so memory is the same for any number. The same seed, number
and moment give the same rows. There is no key and no bundle behind them: nothing can be served or unsealed.
"""

from __future__ import annotations

import argparse
import base64
import resource
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

from sqlalchemy import Connection, event, text
from sqlalchemy.sql.schema import ScalarElementColumnDefault

from tasks.clients.database import Database
from tasks.clients.tables import Base

CHUNK: Final = 5_000  # hostnames a transaction
CACHE_KIB: Final = 128 * 1024  # of SQLite's pages: the indices over digests are written all over
EDGES: Final = ("edge-a", "edge-b")
SIZES: Final = (1, 1, 1, 1, 2, 2, 3, 5, 8, 20, 100)  # hostnames of an account
LIFETIMES_DAYS: Final[Mapping[int, int]] = {200: 6, 100: 3, 47: 1}  # with weights: the CA/B schedule, half-way down it
RENEWED_AT: Final = 0.85  # of its lifetime, a certificate has usually been replaced
LATE: Final = 0.02  # so many have not been; the oldest of those have expired
OLDEST: Final = 1.02  # of its lifetime
ISSUERS: Final = 5
PRICE: Final = ("160", "0.05", "EUR")

_COLUMNS: Final[Mapping[str, str]] = {
    "accounts": "name contact created_at",
    "apps": "name account created_at",
    "sites": "hostname app account challenge created_at",
    "drops": "id name account app hostname kind state requested_by created_at expires_at verified_at destroyed_at "
    "swept_at outcome",
    "certificates": "id drop_id account hostname leaf_sha256 spki_sha256 bundle_sha256 subject issuer serial dns_names "
    "not_before not_after vault_key vault_version created_at",
    "assignments": "edge hostname certificate_id bundle_sha256 proven_at",
    "confirmations": "id certificate_id evidence at",
    "ledger": "idempotency_key kind charge account hostname placement megabytes unit_price currency at "
    "confirmation_id created_at",
}


@dataclass
class Rows:
    """Rows of one chunk, by table, in the order in which they refer to each other."""

    hostnames: int = 0
    tables: dict[str, list[tuple[object, ...]]] = field(default_factory=lambda: {name: [] for name in _COLUMNS})

    def add(self, table: str, *values: object) -> None:
        self.tables[table].append(values)


@dataclass(frozen=True)
class Owner:
    account: str
    app: str


def build_fleet(database: Database, hostnames: int, seed: int, now: datetime) -> int:
    """Write *hostnames* of them into the empty records of *database*, and give how many rows that took."""
    written = 0
    with _in_a_hurry(database):
        for rows in make_chunks(hostnames, seed, now):
            with database.engine.begin() as connection:
                written += sum(_insert(connection, table, values) for table, values in rows.tables.items())
    with database.engine.begin() as connection:
        if connection.dialect.name == "postgresql":  # ids were given: let its own begin behind them
            connection.execute(text("SELECT setval('confirmations_id_seq', :n)"), {"n": max(hostnames, 1)})
        connection.execute(text("ANALYZE"))
    return written


@contextmanager
def _in_a_hurry(database: Database) -> Iterator[None]:
    """Let SQLite wait for no disk and look for no parents: a fleet that is half-written is thrown away."""

    def hurry(connection: Any, _: object) -> None:
        for pragma in ("synchronous=OFF", "foreign_keys=OFF", "secure_delete=OFF", f"cache_size={-CACHE_KIB}"):
            connection.execute(f"PRAGMA {pragma}").close()

    if database.engine.dialect.name != "sqlite":
        yield
        return
    database.dispose()
    event.listen(database.engine, "connect", hurry)
    try:
        yield
    finally:
        event.remove(database.engine, "connect", hurry)
        database.dispose()


def make_chunks(hostnames: int, seed: int, now: datetime) -> Iterator[Rows]:
    """Give the rows of *hostnames*, a chunk at a time."""
    random, rows, account, left = Random(seed), Rows(), -1, 0
    for number in range(hostnames):
        if left == 0:
            account, left = account + 1, random.choice(SIZES)
            _add_account(rows, account, now)
        _add_hostname(rows, random, account, number, now)
        left, rows.hostnames = left - 1, rows.hostnames + 1
        if rows.hostnames == CHUNK:
            yield rows
            rows = Rows()
    if rows.hostnames:
        yield rows


def draw_lifetime(random: Random, now: datetime) -> tuple[datetime, datetime]:
    """Give when a certificate of the fleet begins and ends, to the second."""
    (days,) = random.choices(tuple(LIFETIMES_DAYS), tuple(LIFETIMES_DAYS.values()))
    late = random.random() < LATE
    age = random.uniform(RENEWED_AT, OLDEST) if late else random.uniform(0, RENEWED_AT)
    not_before = now - timedelta(seconds=int(days * 86_400 * age))
    return not_before, not_before + timedelta(days=days, seconds=-1)


def _add_account(rows: Rows, account: int, now: datetime) -> None:
    begun = _stamp(now - timedelta(days=900))
    rows.add("accounts", f"a{account}", f"ops@a{account}.example.test", begun)
    rows.add("apps", f"app-{account}", f"a{account}", begun)


def _add_hostname(rows: Rows, random: Random, account: int, number: int, now: datetime) -> None:
    name, app, hostname = f"a{account}", f"app-{account}", f"www.h{number}.example.test"
    begin, end = draw_lifetime(random, now)
    served = _stamp(begin + timedelta(hours=random.uniform(1, 48)))
    enabled = _stamp(begin - timedelta(days=random.choice((0, 100, 200, 400, 800))))
    drop, certificate = (f"{kind}-{_letters(random)}" for kind in ("drop", "cert"))
    leaf, spki, bundle = (random.randbytes(32).hex() for _ in range(3))
    rows.add("sites", hostname, app, name, random.randbytes(16).hex(), enabled)
    rows.add(
        "drops", drop, f"h{number}", name, app, hostname, "set-up", "destroyed", f"account:{name}", served,
        _stamp(begin + timedelta(days=16)), served, served, served, "completed",
    )  # fmt: skip
    rows.add(
        "certificates", certificate, drop, name, hostname, leaf, spki, bundle, f"CN={hostname}",
        f"CN=Example CA {random.randrange(ISSUERS)}", random.randbytes(9).hex(), f'["{hostname}"]',
        _stamp(begin), _stamp(end), f"vault/{certificate}", "none", served,
    )  # fmt: skip
    for edge in EDGES:
        rows.add("assignments", edge, hostname, certificate, bundle, served)
    rows.add("confirmations", number + 1, certificate, '{"handshakes": []}', served)
    key = f"enable-{certificate}"
    rows.add("ledger", key, "enable", key, name, hostname, "shared", *PRICE, enabled, number + 1, enabled)


def _letters(random: Random) -> str:
    return base64.b32encode(random.randbytes(16)).decode("ascii").rstrip("=").lower()


def _stamp(at: datetime) -> str:
    """Give a time as SQLite's records have it; PostgreSQL takes it too."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def _insert(connection: Connection, table: str, rows: Sequence[tuple[object, ...]]) -> int:
    """Write rows of what `_COLUMNS` has; a column that it does not have gets its default."""
    columns, defaults = _COLUMNS[table].split(), _find_defaults(table)
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    names, marks = ", ".join([*columns, *defaults]), ", ".join([mark] * (len(columns) + len(defaults)))
    if rows:
        values = [(*row, *defaults.values()) for row in rows]
        connection.exec_driver_sql(f"INSERT INTO {table} ({names}) VALUES ({marks})", values)
    return len(rows)


def _find_defaults(table: str) -> dict[str, object]:
    named = _COLUMNS[table].split()
    others = (column for column in Base.metadata.tables[table].columns if column.name not in named)
    return {x.name: x.default.arg for x in others if isinstance(x.default, ScalarElementColumnDefault)}


def main() -> int:
    """Build a fleet, and say what it took."""
    parser = argparse.ArgumentParser(prog="python -m tests.fleet", description=__doc__.split("\n\n")[0])
    parser.add_argument("hostnames", type=int)
    parser.add_argument("--url", required=True, help="SQLAlchemy URL of an empty database")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--now", type=datetime.fromisoformat, help="ISO 8601 with zone; else midnight, UTC")
    given = parser.parse_args()
    now = given.now or datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    database, begun = Database(given.url), time.monotonic()
    database.migrate()
    rows = build_fleet(database, given.hostnames, given.seed, now)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{given.hostnames} hostnames, {rows} rows, {time.monotonic() - begun:.1f} s, peak {peak} MB")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
