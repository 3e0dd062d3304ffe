"""
A short storm, and proof that the storm sees what it is there for: without a safeguard, it finds violations.

`make chaos` is the long one; docs/reliability.md says what it found.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import pytest

from flows import endings, provision, renew, watch_drops
from tasks.clients import database
from tasks.clients.billing import EmbeddedLedger
from tasks.clients.installation import current
from tasks.clients.records.drops import Drops
from tasks.core import ledger
from tasks.core.model import Drop, LedgerEntry
from tests.chaos.records import databases
from tests.chaos.storm import Storm, storm
from tests.chaos.strikes import Kind
from tests.fakes import edges, store

SEED = 7
MOST_CASES = 150


@pytest.fixture(name="running")
def _running() -> Iterator[Storm]:
    with storm(SEED) as running:
        yield running


def test_a_short_storm_violates_nothing(running: Storm) -> None:
    """Sixty strikes of all kinds: every hand-over ends as it must, and leaves what it must."""
    tally = running.run(60)

    assert tally.violations == []
    assert tally.strikes >= 60
    assert len(tally.kinds) > len(Kind) / 2
    assert tally.outcomes.total() == tally.hand_overs


def test_the_same_seed_is_the_same_storm(running: Storm) -> None:
    """A case can be seen again, to the call."""
    with storm(SEED) as other:
        for case in range(3):
            first, second = running.run_case(case), other.run_case(case)
            assert (first.struck, first.trace) == (second.struck, second.trace)


@pytest.mark.postgres
def test_it_rages_on_postgresql_too() -> None:
    """The same on the other kind of records."""
    try:
        with databases() as records, storm(SEED, records) as running:
            assert running.run(10).violations == []
    except OSError as missing:
        pytest.skip(str(missing))


class TestWithout:
    """Each takes one safeguard away; the storm must find out."""

    def test_the_idempotency_of_the_charge(self, running: Storm, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without the key, and the look for a line that is there, an account pays twice."""
        charge = EmbeddedLedger.charge

        def charge_again(self: EmbeddedLedger, entry: LedgerEntry, now: datetime) -> LedgerEntry:
            key = f"{entry.idempotency_key}-{os.urandom(4).hex()}"
            return charge(self, replace(entry, idempotency_key=key, charge=key), now)

        monkeypatch.setattr(EmbeddedLedger, "charge", charge_again)
        monkeypatch.setattr(EmbeddedLedger, "find_open", lambda *_: None)
        monkeypatch.setattr(ledger, "_checked", lambda _, entry: entry)
        assert "charges" in found(running, Kind.TWIN, Kind.LOSE)

    def test_the_fence(self, running: Storm, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without the fence, a process that was taken over goes on changing things."""
        monkeypatch.setattr(database, "check_fence_in", lambda _: None)
        for module in (edges, store):
            monkeypatch.setattr(module, "check_fence", lambda: None)
        assert found(running, Kind.TWIN, Kind.RENEWAL, Kind.CANCEL)

    def test_the_second_sweep(self, running: Storm, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without the second sweep, what came in late stays."""

        def believe(drop_id: str) -> bool:
            here = current()
            return here.drops.mark_swept(drop_id, here.now()).swept_at is not None

        for module in (endings, provision, renew, watch_drops):
            monkeypatch.setattr(module, "sweep_drop", believe)
        assert "left in the drop" in found(running, Kind.UPLOAD)

    def test_the_pin_of_the_upload(self, running: Storm, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without the pin, an upload that came later has a say."""

        def forget(self: Drops, drop_id: str, version_id: str, envelope_sha256: str) -> Drop:
            return replace(self.fetch(drop_id), version_id=version_id, envelope_sha256=envelope_sha256)

        monkeypatch.setattr(Drops, "pin_upload", forget)
        assert found(running, Kind.UPLOAD, Kind.KILL_AFTER)


def found(running: Storm, *kinds: Kind) -> str:
    """Give the first violation that strikes of these kinds alone bring about, in words."""
    running.weights = dict.fromkeys(kinds, 1)
    violation = running.find(range(MOST_CASES))
    assert violation is not None, f"{running.tally.strikes} strikes saw nothing"
    return violation.what
