"""Leases and their fence: one process at work, and one that was taken over changes nothing more."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from tasks.clients.audit import AuditTrail
from tasks.clients.database import Database
from tasks.clients.fence import Lease, check_fence, fenced
from tasks.clients.records.leases import Leases
from tasks.core.errors import AtWork, LeaseLost, NotReady
from tests.clients.examples import NOW, at_once

LIFETIME = timedelta(seconds=20)
NAME = "hostname/shop.example.test"


@pytest.fixture(name="leases")
def _leases(database: Database) -> Leases:
    return Leases(database)


class TestLeases:
    def test_one_holder_at_a_time(self, leases: Leases) -> None:
        """Whoever comes second waits; who it is that works is said."""
        leases.acquire(NAME, "run-1", NOW, LIFETIME)
        with pytest.raises(AtWork, match="run-1"):
            leases.acquire(NAME, "run-2", NOW + LIFETIME / 2, LIFETIME)
        assert issubclass(AtWork, NotReady)

    def test_another_name_is_free(self, leases: Leases) -> None:
        """Hostnames do not wait for each other."""
        leases.acquire(NAME, "run-1", NOW, LIFETIME)
        leases.acquire("hostname/other.example.test", "run-2", NOW, LIFETIME)

    def test_one_that_ran_out_is_taken_over(self, leases: Leases) -> None:
        """A killed process holds nobody up for longer than a lifetime."""
        old = leases.acquire(NAME, "run-1", NOW, LIFETIME)
        assert not leases.is_held(NAME, NOW + LIFETIME)
        new = leases.acquire(NAME, "run-2", NOW + LIFETIME, LIFETIME)
        assert new.token > old.token
        for stale in (partial(leases.check, old), partial(leases.renew, old, NOW + LIFETIME, LIFETIME)):
            with pytest.raises(LeaseLost):
                stale()
        leases.check(new)

    def test_the_same_run_takes_it_over_at_once(self, leases: Leases) -> None:
        """A run that is started again waits for no process of its own, and fences it off."""
        old = leases.acquire(NAME, "run-1", NOW, LIFETIME)
        new = leases.acquire(NAME, "run-1", NOW, LIFETIME)
        with pytest.raises(LeaseLost):
            leases.check(old)
        leases.check(new)

    def test_a_renewed_one_lasts(self, leases: Leases) -> None:
        """As long as its holder lives, nobody gets it; a late renewal counts if nobody came."""
        lease = leases.acquire(NAME, "run-1", NOW, LIFETIME)
        leases.renew(lease, NOW + LIFETIME / 2, LIFETIME)
        with pytest.raises(AtWork):
            leases.acquire(NAME, "run-2", NOW + LIFETIME, LIFETIME)
        leases.renew(lease, NOW + 5 * LIFETIME, LIFETIME)
        assert leases.is_held(NAME, NOW + 5.5 * LIFETIME)

    def test_one_given_back_is_free_at_once(self, leases: Leases) -> None:
        """Giving back twice, or after it was taken over, does nothing."""
        old = leases.acquire(NAME, "run-1", NOW, LIFETIME)
        leases.release(old)
        leases.release(old)
        assert not leases.is_held(NAME, NOW)
        new = leases.acquire(NAME, "run-2", NOW, LIFETIME)
        leases.release(old)
        assert leases.is_held(NAME, NOW)
        assert new.token == old.token + 1

    def test_of_many_at_once_one_gets_it(self, leases: Leases) -> None:
        """Two workers on one hostname: the database decides."""

        def try_it(holder: str) -> str:
            try:
                return leases.acquire(NAME, holder, NOW, LIFETIME).holder
            except AtWork:
                return ""

        got = at_once([partial(try_it, f"run-{number}") for number in range(6)])
        assert len([holder for holder in got if holder]) == 1

    def test_tokens_never_repeat(self, leases: Leases) -> None:
        """Whoever took it later has the larger token, however often it was given back."""
        tokens = []
        for number in range(5):
            lease = leases.acquire(NAME, f"run-{number}", NOW, LIFETIME)
            tokens.append(lease.token)
            leases.release(lease)
        assert tokens == sorted(set(tokens))


class TestFence:
    def test_a_transaction_under_a_lost_lease_writes_nothing(self, database: Database, leases: Leases) -> None:
        """It is asked in the very transaction that writes."""
        audit = AuditTrail(database)
        old = leases.acquire(NAME, "run-1", NOW, LIFETIME)
        with fenced(old, partial(leases.check, old)):
            audit.append("certferry", "first", "x", {}, NOW)
            leases.acquire(NAME, "run-1", NOW, LIFETIME)
            with pytest.raises(LeaseLost):
                audit.append("certferry", "second", "x", {}, NOW)
            with pytest.raises(LeaseLost):
                check_fence()
        assert [entry["action"] for entry in audit.entries("x")] == ["first"]

    def test_without_a_lease_nothing_is_asked(self, database: Database) -> None:
        """An operator's command holds none."""
        check_fence()
        AuditTrail(database).append("certferry", "first", "x", {}, NOW)

    def test_the_fence_ends_with_its_block(self, database: Database, leases: Leases) -> None:
        """What comes after is not held to a lease that was given back."""
        lease = Lease(NAME, "run-1", 99)
        with fenced(lease, partial(leases.check, lease)), pytest.raises(LeaseLost):
            check_fence()
        check_fence()
