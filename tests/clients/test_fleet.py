"""The synthetic fleet: records as certferry itself would have left them, the same for the same seed."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select

from tasks.clients.billing import EmbeddedLedger
from tasks.clients.database import Database
from tasks.clients.records.accounts import Accounts
from tasks.clients.records.certificates import Certificates
from tasks.clients.tables import CertificateRow, LedgerRow
from tasks.core.model import DropState, Hostname, Outcome, parse_hostname, parse_id
from tests.fleet import CHUNK, LIFETIMES_DAYS, build_fleet, make_chunks

NOW = datetime(2027, 6, 1, tzinfo=UTC)


def test_the_records_read_it_as_their_own(database: Database) -> None:
    """Site, certificate, both assignments, proof and open charge of a hostname are found by the clients themselves."""
    build_fleet(database, 300, 7, NOW)
    accounts, certificates, billing = Accounts(database), Certificates(database), EmbeddedLedger(database)
    hostname = Hostname("www.h250.example.test")

    served = certificates.find_installed(hostname)

    assert served is not None
    assert parse_hostname(hostname) == served.hostname == served.dns_names[0]
    assert parse_id(served.id, "cert") == served.id
    assert {x.bundle_sha256 for x in certificates.list_assignments() if x.hostname == hostname} == {
        served.bundle_sha256
    }
    assert certificates.find_confirmation(served.id) == 251
    paid = billing.find_open(served.account, hostname)
    assert paid is not None
    assert paid.at <= NOW
    assert accounts.fetch_site(hostname, served.account).hostname == hostname
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(LedgerRow)) == 300


def test_what_comes_after_it_goes_on(database: Database) -> None:
    """The fleet can be worked with: a charge of it ends, and times are as the records keep them."""
    build_fleet(database, 20, 7, NOW)
    with database.reading() as session:
        row = session.scalars(select(CertificateRow).order_by(CertificateRow.not_after)).first()
        assert row is not None
        ends_first, charge = row.not_after, f"enable-{row.id}"
    assert abs(ends_first - NOW) < timedelta(days=200)

    ended = EmbeddedLedger(database).end(charge, NOW, "disable-1", NOW)

    assert EmbeddedLedger(database).find_open(ended.account, ended.hostname) is None


def test_the_same_seed_is_the_same_fleet() -> None:
    """Another seed is another one; chunks hold as much as they may."""
    first, again, other = ([x.tables for x in make_chunks(CHUNK + 1, seed, NOW)] for seed in (1, 1, 2))

    assert first == again != other
    assert [len(tables["certificates"]) for tables in first] == [CHUNK, 1]


def test_ends_are_spread_as_in_life() -> None:
    """All lifetimes occur, most hostnames have long been renewed when little is left, and a few have expired."""
    (rows, *_) = make_chunks(CHUNK, 3, NOW)
    spans = [[datetime.fromisoformat(str(at)) for at in x[11:13]] for x in rows.tables["certificates"]]
    lifetimes = Counter((end - begin).days + 1 for begin, end in spans)
    left = [(end.replace(tzinfo=UTC) - NOW) / (end - begin) for begin, end in spans]

    assert set(lifetimes) == set(LIFETIMES_DAYS)
    assert all(abs(lifetimes[days] / CHUNK - weight / 10) < 0.03 for days, weight in LIFETIMES_DAYS.items())
    assert 0 < sum(x < 0 for x in left) < CHUNK / 100
    assert 0.01 < sum(x < 0.15 for x in left) / CHUNK < 0.04


def test_states_are_ones_that_exist() -> None:
    """What is written as text is what the records would have written."""
    (rows,) = make_chunks(3, 1, NOW)
    assert {(x[6], x[-1]) for x in rows.tables["drops"]} == {(DropState.DESTROYED, Outcome.COMPLETED)}
