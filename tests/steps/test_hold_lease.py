"""One process at work on a hostname, and what becomes of one that was taken over."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest

from tasks.core import policy
from tasks.core.errors import AtWork, LeaseLost, RecordsUnavailable
from tasks.core.force_https import Rule
from tasks.core.hand_over import lease_name
from tasks.hold_lease import hold_lease
from tests.office import SHOP, Office

NAME = lease_name(SHOP)
DEADLINE_SECONDS = 20


def wait_for(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class TestHoldLease:
    def test_holds_and_gives_back(self, office: Office) -> None:
        """The next one need not wait for it to run out, also after an error."""
        drop = office.open()
        for _ in range(2):
            with pytest.raises(ZeroDivisionError), hold_lease(drop.id, "run-1"):
                assert office.here.leases.is_held(NAME, office.here.now())
                raise ZeroDivisionError
            assert not office.here.leases.is_held(NAME, office.here.now())

    def test_a_second_run_of_the_hostname_has_patience_and_then_not(
        self, office: Office, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Two hand-overs of one hostname never set its edges up at once."""
        monkeypatch.setattr("tasks.hold_lease.POLL_SECONDS", 0.01)
        first, second = office.open("first"), office.open("second")
        with (
            hold_lease(first.id, "run-1"),
            pytest.raises(AtWork, match="run-1"),
            hold_lease(second.id, "run-2", timedelta(seconds=0.1)),
        ):
            raise AssertionError("two at once")

    def test_a_dead_holder_is_outwaited(self, office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
        """A killed process leaves its lease behind; it runs out."""
        monkeypatch.setattr("tasks.hold_lease.POLL_SECONDS", 0.01)
        drop = office.open()
        office.here.leases.acquire(NAME, "killed", office.here.now(), timedelta(seconds=0.2))
        with hold_lease(drop.id, "run-2", timedelta(seconds=5)) as lease:
            assert lease.holder == "run-2"

    def test_is_renewed_while_it_works(self, office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
        """A step that takes longer than a lifetime keeps the lease; records that are away for a moment do no harm."""
        monkeypatch.setattr(policy, "LEASE_RENEWAL", timedelta(seconds=0.01))
        renewals: list[None] = []
        renew = office.here.leases.renew

        def counted(*args: object) -> None:
            renewals.append(None)
            if len(renewals) == 1:
                raise RecordsUnavailable.because("records", "told to fail")
            renew(*args)  # type: ignore[arg-type]

        monkeypatch.setattr(office.here.leases, "renew", counted)
        drop = office.open()
        with hold_lease(drop.id, "run-1"):
            wait_for(lambda: len(renewals) > 3)
        after = len(renewals)
        assert threading.active_count() == 1 or not any(t.name == "certferry-lease" for t in threading.enumerate())
        assert len(renewals) == after

    def test_the_older_process_of_a_run_changes_nothing_more(self, office: Office) -> None:
        """A run that was rescheduled while it lived has two processes; the older one is fenced off everywhere."""
        drop = office.open()
        with hold_lease(drop.id, "run-1"):
            office.here.leases.acquire(NAME, "run-1", office.here.now(), policy.LEASE_LIFETIME)
            effects: list[Callable[[], object]] = [
                lambda: office.upload(drop),
                lambda: office.here.drops.mark_ingested(drop.id),
                lambda: office.here.audit.append("x", "y", drop.id, {}, office.here.now()),
                lambda: office.vault.put("cert-aaaaaaaaaaaaaaaaaaaaaaaaaa", b"sealed"),
                lambda: office.store.sweep(drop.id),
                lambda: office.edges[0].set_force_https(SHOP, Rule(True, None)),
                lambda: office.edges[0].restore(SHOP, None),
            ]
            for effect in effects:
                with pytest.raises(LeaseLost):
                    effect()
        assert office.here.leases.is_held(NAME, office.here.now()), "the newer process's lease was given back"
