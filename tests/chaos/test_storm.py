"""
A short storm, and proof that the storm sees what it is there for: without a safeguard, it finds violations.

`make chaos` is the long one; docs/reliability.md says what it found.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest

from flows import carrying, destroy_drop, endings, provision, renew, watch_drops
from tasks import provision_edges
from tasks.clients import bundles
from tasks.clients.billing import EmbeddedLedger
from tasks.clients.installation import current
from tasks.clients.plans import fetch_plan
from tasks.clients.records.drops import Drops
from tasks.core import ledger
from tasks.core.files import FILES
from tasks.core.hand_over import vault_context
from tasks.core.model import Drop, LedgerEntry
from tasks.core.sealed import open_bundle, seal_bundle
from tests.chaos.records import databases
from tests.chaos.storm import Storm, storm
from tests.chaos.strikes import Kind, Strike
from tests.chaos.sweep import Stage, sweeper
from tests.fakes import edges

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

    def test_the_lease(self, running: Storm, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without the lease, two processes are at work on one hostname."""

        @contextmanager
        def hold_nothing(*_: object) -> Iterator[None]:
            yield

        for module in (carrying, destroy_drop, watch_drops):
            monkeypatch.setattr(module, "hold_lease", hold_nothing)
        assert found(running, Kind.TWIN, Kind.RENEWAL, Kind.CANCEL)


class TestTheDigestOfThePlan:
    """The price changes right after a person approved the plan, and before an edge is touched."""

    def test_with_it_no_edge_is_touched(self) -> None:
        """Nobody approved the plan as it is now."""
        with price_changed() as stage:
            assert not any(edge.bundles or edge.hosts for edge in stage.office.edges)
            assert stage.witness.violations == []

    def test_without_it_something_is_served_that_nobody_approved(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The witness sees it."""
        monkeypatch.setattr(provision_edges, "fetch_approved_plan", lambda here, drop, _: fetch_plan(here, drop)[0])

        with price_changed() as stage:
            assert "put on edge a without an approval of this very plan" in stage.witness.violations


@contextmanager
def price_changed() -> Iterator[Stage]:
    """Let the run be killed right after the decision, and the price change right after the next one has read it."""
    with sweeper() as running, running.staged("provision") as stage:
        stage.bring()
        stage.strikes.append(Strike(0, "decisions.decide", Kind.KILL_AFTER, 0.9))
        stage.decide("approve")
        stage.strikes.append(Strike(0, "decisions.find", Kind.PRICE, 0.9))
        (run,) = stage.prefect.runs
        stage.prefect.declare_crashed(run)
        stage.prefect.restart(run)
        stage.work()
        assert [kind for kind, _ in stage.struck] == [Kind.KILL_AFTER, Kind.PRICE]
        yield stage


class TestTheDigestOfTheBundle:
    """Somebody who has the vault and its data key puts other bytes under the very version that is on record."""

    def test_with_it_no_edge_is_touched(self) -> None:
        """The run stops for a person's eyes, and nothing is served."""
        with swapped_bundle() as (stage, states):
            assert states == ["Drifted"]
            assert not any(edge.bundles or edge.hosts for edge in stage.office.edges)
            assert stage.witness.violations == []

    def test_without_it_the_edges_hold_what_nobody_approved(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Neither the client's comparison nor the edge's: then the witness sees it."""
        approved = SimpleNamespace(sha256="")
        approved.hexdigest = lambda: approved.sha256
        monkeypatch.setattr(bundles, "hashlib", SimpleNamespace(sha256=lambda _: approved))
        monkeypatch.setattr(edges, "sha256", lambda _: approved)

        with swapped_bundle(approved) as (stage, _):
            stage.witness.judge()
            assert any("other bytes than the approved" in what for what in stage.witness.violations)


@contextmanager
def swapped_bundle(approved: Any = None) -> Iterator[tuple[Stage, list[str]]]:
    """Bring a hand-over to its approval, rewrite its bundle in the vault, approve, and give the states of the runs."""
    with sweeper() as running, running.staged("provision") as stage:
        stage.bring()
        view, vault = stage.view, stage.office.vault._objects
        certificate = view.certificates.find_by_drop(stage.parcels[0].drop_id)
        assert certificate
        context = vault_context(certificate.id, view.drops.fetch(certificate.drop_id))
        data_key = stage.office.keys.unwrap(view.certificates.fetch_data_key(certificate.id), context)
        names = (certificate.id, certificate.hostname, certificate.account)
        key, sealed = vault.versions[certificate.vault_version]
        files = dict(open_bundle(sealed, data_key, *names))
        files[FILES[1]] += b"\n"  # the same leaf, so that a handshake shows nothing
        vault.versions[certificate.vault_version] = key, seal_bundle(files, data_key, os.urandom(12), *names)
        if approved:
            approved.sha256 = certificate.bundle_sha256
        stage.decide("approve")
        yield stage, list(stage.prefect.runs.values())


def found(running: Storm, *kinds: Kind) -> str:
    """Give the first violation that strikes of these kinds alone bring about, in words."""
    running.weights = dict.fromkeys(kinds, 1)
    violation = running.find(range(MOST_CASES))
    assert violation is not None, f"{running.tally.strikes} strikes saw nothing"
    return violation.what
