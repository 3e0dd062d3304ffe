"""The records of drops: moves go one way, happen once, and leave no key behind."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from tasks.clients.database import Database
from tasks.clients.records.accounts import Accounts
from tasks.clients.records.certificates import Certificates
from tasks.clients.records.drops import Drops
from tasks.core.errors import BadInput, CertferryError, Drifted, HandOverClosed, NotFound, QuotaExceeded
from tasks.core.model import Account, DropState, Outcome, make_id
from tests.clients.examples import (
    NOW,
    a_certificate,
    a_drop,
    a_recorded_certificate,
    a_recorded_drop,
    an_open_drop,
    at_once,
    with_site,
)

LATER = NOW + timedelta(minutes=15)


@pytest.fixture(name="drops")
def _drops(database: Database) -> Drops:
    return Drops(with_site(database))


class TestCreate:
    def test_a_drop_comes_back_as_it_was_recorded(self, drops: Drops) -> None:
        """Every field round-trips, times to the microsecond and in UTC."""
        drop = a_drop()

        assert drop == drops.create(drop, max_open=1)
        assert drop == drops.fetch(drop.id)

    def test_the_same_id_again_gives_the_first(self, drops: Drops) -> None:
        """A repeated request is one drop, whatever it says the second time, quota or not."""
        drop = drops.create(a_drop(), max_open=1)

        assert drop == drops.create(replace(drop, name="another"), max_open=1)
        assert (drop,) == drops.list_of("acme")

    def test_a_live_name_is_taken(self, drops: Drops) -> None:
        """Two live drops of one account never share a name; the refusal names the one that has it."""
        drop = drops.create(a_drop("edge"), max_open=5)

        with pytest.raises(BadInput, match=drop.id) as refusal:
            drops.create(a_drop("edge"), max_open=5)
        assert refusal.value.code == "name-taken"

    @pytest.mark.parametrize("end", ["closed", "destroyed"])
    def test_an_ended_name_is_free(self, drops: Drops, end: str) -> None:
        """A renewal may be called what the first hand-over was called."""
        first = drops.create(a_drop("edge"), max_open=1)
        if end == "closed":
            drops.close(first.id, Outcome.CANCELLED, None, None)
        else:
            drops.shred(first.id, NOW)

        assert drops.create(a_drop("edge"), max_open=1).name == "edge"

    def test_the_name_of_another_account_is_free(self, drops: Drops, database: Database) -> None:
        """An account learns nothing of another's names."""
        Accounts(database).create_account(Account("other", "ops@other.test"), NOW)
        drops.create(a_drop("edge"), max_open=5)

        assert drops.create(a_drop("edge", account="other"), max_open=5).account == "other"

    def test_the_quota_counts_live_drops_only(self, drops: Drops) -> None:
        """A full account may go on once one of its hand-overs ends."""
        first = drops.create(a_drop("a"), max_open=2)
        drops.create(a_drop("b"), max_open=2)
        with pytest.raises(QuotaExceeded):
            drops.create(a_drop("c"), max_open=2)

        drops.close(first.id, Outcome.COMPLETED, None, None)

        assert drops.create(a_drop("c"), max_open=2).name == "c"

    def test_an_unknown_account_has_no_drops(self, drops: Drops) -> None:
        """There is nobody to open it for."""
        with pytest.raises(NotFound):
            drops.create(a_drop(account="nobody"), max_open=5)

    def test_of_two_at_once_one_gets_the_name(self, drops: Drops) -> None:
        """A double click is one drop and one clear refusal."""
        answers = at_once([partial(_create, drops, "edge", 5) for _ in range(6)])

        assert sorted(answers) == ["created"] + ["name-taken"] * 5
        assert len(drops.list_of("acme")) == 1

    def test_many_at_once_stay_within_the_quota(self, drops: Drops) -> None:
        """A flood of requests cannot slip past the count."""
        answers = at_once([partial(_create, drops, f"edge-{n}", 3) for n in range(8)])

        assert sorted(answers) == ["created"] * 3 + ["quota-exceeded"] * 5

    def test_the_same_drop_at_once_is_one(self, drops: Drops) -> None:
        """A run and its restarted twin record one drop, and both get it."""
        drop = a_drop()

        assert [drop] * 6 == at_once([partial(drops.create, drop, 1)] * 6)


class TestFind:
    def test_fetch_hides_what_is_anothers(self, drops: Drops) -> None:
        """Another account's drop and no drop look the same."""
        drop = drops.create(a_drop(), max_open=5)

        with pytest.raises(NotFound) as others:
            drops.fetch(drop.id, account="other")
        with pytest.raises(NotFound) as none:
            drops.fetch("drop-none", account="other")
        assert str(none.value) == str(others.value).replace(drop.id, "drop-none")
        assert drop == drops.fetch(drop.id, account="acme")

    def test_find_by_name_prefers_the_live_one(self, drops: Drops) -> None:
        """The name means the hand-over that goes on, else the newest that ended."""
        oldest = drops.create(a_drop("edge"), max_open=5)
        drops.close(oldest.id, Outcome.EXPIRED, None, None)
        newer = drops.create(a_drop("edge", created_at=NOW + timedelta(days=2)), max_open=5)
        drops.close(newer.id, Outcome.REJECTED, None, None)
        assert newer.id == _id_of(drops, "edge")

        live = drops.create(a_drop("edge", created_at=NOW + timedelta(days=1)), max_open=5)

        assert live.id == _id_of(drops, "edge")
        assert drops.find_by_name("acme", "none") is None
        assert drops.find_by_name("other", "edge") is None

    def test_list_live_gives_what_is_not_over(self, drops: Drops) -> None:
        """Until a drop is destroyed and its outcome is on record, somebody must come back to it; oldest first."""
        last = drops.create(a_drop("b", created_at=NOW + timedelta(hours=1)), max_open=5)
        closed = drops.create(a_drop("a"), max_open=5)
        destroyed = drops.create(a_drop("c", created_at=NOW + timedelta(minutes=1)), max_open=5)
        over = drops.create(a_drop("d"), max_open=5)
        drops.close(closed.id, Outcome.CANCELLED, None, None)
        drops.shred(destroyed.id, NOW)
        drops.close(over.id, Outcome.COMPLETED, None, None)
        drops.shred(over.id, NOW)

        assert [closed.id, destroyed.id, last.id] == [drop.id for drop in drops.list_live()]

    def test_list_of_gives_the_newest_first(self, drops: Drops) -> None:
        """As a customer reads it."""
        first = drops.create(a_drop("a"), max_open=5)
        second = drops.create(a_drop("b", created_at=NOW + timedelta(hours=1)), max_open=5)

        assert (second, first) == drops.list_of("acme")
        assert drops.list_of("other") == ()

    def test_list_unswept_waits_for_the_upload_capability(self, drops: Drops, database: Database) -> None:
        """A second sweep before the last capability expires could miss an upload."""
        never_invited = a_recorded_drop(database, "a")
        invited, swept, live = (an_open_drop(database, name) for name in "bcd")
        drops.invite(invited.id, "6" * 64, LATER)
        for drop in (never_invited, invited, swept):
            drops.close(drop.id, Outcome.CANCELLED, "cancelled", "")
            drops.shred(drop.id, NOW)
        drops.mark_swept(swept.id, NOW)

        assert {never_invited.id} == {drop.id for drop in drops.list_unswept(LATER - timedelta(microseconds=1))}
        assert {never_invited.id, invited.id} == {drop.id for drop in drops.list_unswept(LATER)}
        assert live.id in {drop.id for drop in drops.list_live()}


class TestMoves:
    def test_the_first_key_pair_stays(self, drops: Drops, database: Database) -> None:
        """A second opening would make the customer's envelope unreadable."""
        drop = a_recorded_drop(database)
        opened = drops.open(drop.id, 2, b"public-1", b"wrapped-1")

        assert opened == drops.open(drop.id, 1, b"public-2", b"wrapped-2")
        assert (opened.state, opened.suite, opened.public_key) == (DropState.OPEN, 2, b"public-1")
        drops.invite(drop.id, "6" * 64, LATER)
        assert drops.fetch_seed(drop.id) == (b"wrapped-1", "6" * 64)

    def test_of_openings_at_once_one_key_pair_stays(self, drops: Drops, database: Database) -> None:
        """Two runs never give out two public keys."""
        drop = a_recorded_drop(database)
        opened = at_once([partial(drops.open, drop.id, 2, f"public-{n}".encode(), b"wrapped") for n in range(6)])

        assert len({each.public_key for each in opened}) == 1

    def test_a_new_invitation_replaces_the_secret_and_never_shortens_the_wait(
        self, drops: Drops, database: Database
    ) -> None:
        """The sweep waits for the longest-lived capability that was ever given out."""
        drop = an_open_drop(database)
        drops.invite(drop.id, "6" * 64, LATER)

        assert drops.invite(drop.id, "7" * 64, NOW).upload_until == LATER
        assert drops.fetch_seed(drop.id)[1] == "7" * 64
        assert LATER + timedelta(1) == drops.invite(drop.id, "7" * 64, LATER + timedelta(1)).upload_until

    def test_the_first_pinned_version_stays(self, drops: Drops, database: Database) -> None:
        """What a customer uploads later never counts."""
        drop = an_open_drop(database)
        pinned = drops.pin_upload(drop.id, "v1", "8" * 64)

        assert pinned == drops.pin_upload(drop.id, "v2", "9" * 64)
        assert (pinned.version_id, pinned.envelope_sha256) == ("v1", "8" * 64)

    def test_no_invitation_after_an_upload_was_pinned(self, drops: Drops, database: Database) -> None:
        """A new secret would make the pinned envelope refuse to open."""
        drop = an_open_drop(database)
        drops.invite(drop.id, "6" * 64, LATER)
        drops.pin_upload(drop.id, "v1", "8" * 64)

        with pytest.raises(HandOverClosed, match="being checked"):
            drops.invite(drop.id, "7" * 64, LATER)
        assert drops.fetch_seed(drop.id)[1] == "6" * 64

    def test_each_move_may_be_repeated(self, drops: Drops, database: Database) -> None:
        """A flow that starts again from the top changes nothing."""
        drop = an_open_drop(database)
        drops.pin_upload(drop.id, "v1", "8" * 64)
        ingested = drops.mark_ingested(drop.id)

        assert ingested == drops.mark_ingested(drop.id)
        assert ingested == drops.open(drop.id, 1, b"other", b"other")
        assert ingested == drops.pin_upload(drop.id, "v1", "8" * 64)
        assert ingested.state == DropState.INGESTED

    @pytest.mark.parametrize(
        "move",
        [
            lambda drops, drop_id: drops.open(drop_id, 2, b"public", b"wrapped"),
            lambda drops, drop_id: drops.invite(drop_id, "6" * 64, LATER),
            lambda drops, drop_id: drops.pin_upload(drop_id, "v1", "8" * 64),
            lambda drops, drop_id: drops.mark_ingested(drop_id),
            lambda drops, drop_id: drops.fetch_seed(drop_id),
        ],
        ids=["open", "invite", "pin_upload", "mark_ingested", "fetch_seed"],
    )
    @pytest.mark.parametrize("end", ["closed", "destroyed"])
    def test_an_ended_drop_does_not_move(
        self, drops: Drops, database: Database, move: Callable[[Drops, str], object], end: str
    ) -> None:
        """Whatever was cancelled meanwhile is not opened, filled or read."""
        drop = a_recorded_drop(database)
        if end == "closed":
            drops.close(drop.id, Outcome.CANCELLED, None, None)
        else:
            drops.shred(drop.id, NOW)

        with pytest.raises(HandOverClosed):
            move(drops, drop.id)

    @pytest.mark.parametrize(
        "move",
        [
            lambda drops: drops.open("drop-none", 2, b"public", b"wrapped"),
            lambda drops: drops.invite("drop-none", "6" * 64, LATER),
            lambda drops: drops.fetch_seed("drop-none"),
            lambda drops: drops.mark_verified("drop-none", NOW),
            lambda drops: drops.shred("drop-none", NOW),
            lambda drops: drops.close("drop-none", Outcome.EXPIRED, None, None),
        ],
        ids=["open", "invite", "fetch_seed", "mark_verified", "shred", "close"],
    )
    def test_no_drop_no_move(self, drops: Drops, move: Callable[[Drops], object]) -> None:
        """An unknown id is said to be one."""
        with pytest.raises(NotFound, match="drop-none"):
            move(drops)

    def test_verified_keeps_the_last_time(self, drops: Drops, database: Database) -> None:
        """The live domain is checked again before the edges are touched."""
        drop = a_recorded_drop(database)
        drops.mark_verified(drop.id, LATER)
        drops.mark_verified(drop.id, NOW)

        assert drops.fetch(drop.id).verified_at == LATER

    def test_one_run_carries_a_drop(self, drops: Drops, database: Database) -> None:
        """A second provision run stops before it does anything; the first may come back."""
        drop = a_recorded_drop(database)
        drops.attach_run(drop.id, "run-1")

        assert drops.attach_run(drop.id, "run-1").flow_run_id == "run-1"
        with pytest.raises(Drifted, match="run-1") as refusal:
            drops.attach_run(drop.id, "run-2")
        assert refusal.value.code == "other-run"

    def test_of_runs_at_once_one_carries_the_drop(self, drops: Drops, database: Database) -> None:
        """Never two."""
        drop = a_recorded_drop(database)

        def attach(run: str) -> str:
            try:
                return str(drops.attach_run(drop.id, run).flow_run_id)
            except Drifted as refusal:
                return refusal.code

        answers = at_once([partial(attach, f"run-{n}") for n in range(6)])

        assert answers.count("other-run") == 5
        assert drops.fetch(drop.id).flow_run_id in answers

    def test_the_first_outcome_stays(self, drops: Drops, database: Database) -> None:
        """A hand-over ends once, and keeps its reason."""
        drop = a_recorded_drop(database)
        closed = drops.close(drop.id, Outcome.REJECTED, "wrong-key", "The key is another certificate's.")

        assert closed == drops.close(drop.id, Outcome.COMPLETED, None, None)
        assert (closed.outcome, closed.outcome_code) == (Outcome.REJECTED, "wrong-key")
        assert closed.outcome_reason == "The key is another certificate's."

    def test_only_a_destroyed_drop_is_swept(self, drops: Drops, database: Database) -> None:
        """A proof of a sweep before the destruction would prove nothing."""
        drop = a_recorded_drop(database)
        with pytest.raises(Drifted) as refusal:
            drops.mark_swept(drop.id, NOW)
        assert refusal.value.code == "not-destroyed"

        drops.shred(drop.id, NOW)
        drops.mark_swept(drop.id, NOW)

        assert drops.mark_swept(drop.id, LATER).swept_at == NOW


class TestCloseUnassigned:
    def test_closes_what_no_edge_is_meant_to_serve(self, drops: Drops, database: Database) -> None:
        """As `close`: the first end stays."""
        drop = drops.fetch(a_recorded_certificate(database).drop_id)

        assert drops.close_unassigned(drop.id, Outcome.CANCELLED, "cancelled", "Why.").outcome is Outcome.CANCELLED
        assert drops.close_unassigned(drop.id, Outcome.EXPIRED, "expired", "Why.").outcome is Outcome.CANCELLED

    def test_leaves_what_an_edge_is_meant_to_serve(self, drops: Drops, database: Database) -> None:
        """Nothing is recorded, on whichever edge it is; the hand-over can be completed afterwards."""
        certificate = a_recorded_certificate(database)
        Certificates(database).assign("b", certificate, None)

        assert drops.close_unassigned(certificate.drop_id, Outcome.CANCELLED, "cancelled", "Why.").outcome is None
        assert drops.close(certificate.drop_id, Outcome.COMPLETED, None, None).outcome is Outcome.COMPLETED

    def test_the_certificate_of_another_drop_does_not_count(self, drops: Drops, database: Database) -> None:
        """A renewal can be given up while the edges serve the certificate before it."""
        served = a_recorded_certificate(database, "old")
        renewal = a_recorded_drop(database, "new")
        Certificates(database).assign("a", served, None)

        assert drops.close_unassigned(renewal.id, Outcome.CANCELLED, "cancelled", "Why.").outcome is Outcome.CANCELLED

    @pytest.mark.parametrize("_attempt", range(5))
    def test_against_an_assignment_at_once_one_wins(self, drops: Drops, database: Database, _attempt: int) -> None:
        """Cancelled and on no edge, or meant for an edge and not cancelled: never both, never neither."""
        certificates = Certificates(database)
        certificate = certificates.create(a_certificate(a_recorded_drop(database)), b"wrapped", NOW)

        def assign() -> bool:
            try:
                return bool(certificates.assign("a", certificate, None))
            except HandOverClosed:
                return False

        def cancel() -> bool:
            closed = drops.close_unassigned(certificate.drop_id, Outcome.CANCELLED, "cancelled", "Why.")
            return closed.outcome is not None

        assigned, cancelled = at_once([assign, cancel])

        assert assigned is not cancelled
        assert (certificates.find_assignment("a", certificate.hostname) is not None) is assigned
        assert (drops.fetch(certificate.drop_id).outcome is Outcome.CANCELLED) is cancelled

    def test_no_drop_no_end(self, drops: Drops) -> None:
        """Nothing is made up."""
        with pytest.raises(NotFound):
            drops.close_unassigned("drop-none", Outcome.CANCELLED, "cancelled", "Why.")


class TestShred:
    def test_forgets_seed_and_secret_and_keeps_the_first_time(self, drops: Drops, database: Database) -> None:
        """Destroyed is final, and says since when."""
        drop = an_open_drop(database)
        drops.invite(drop.id, "6" * 64, LATER)

        shredded = drops.shred(drop.id, NOW)

        assert (shredded.state, shredded.destroyed_at) == (DropState.DESTROYED, NOW)
        assert shredded == drops.shred(drop.id, LATER)
        with pytest.raises(HandOverClosed):
            drops.fetch_seed(drop.id)

    def test_leaves_no_byte_of_the_seed_in_the_files(self, sqlite_database: Database, tmp_path: Path) -> None:
        """Of the wrapped seed, nothing is left in the SQLite file, its log and its shared memory."""
        drops, seed = Drops(with_site(sqlite_database)), os.urandom(136)
        drop = an_open_drop(sqlite_database, wrapped_seed=seed)
        drops.invite(drop.id, "6" * 64, LATER)
        assert _is_in_files(seed, tmp_path)

        drops.shred(drop.id, NOW)

        assert not _is_in_files(seed, tmp_path)

    @pytest.mark.parametrize("seed", [7, 13])  # with a plain BLOB column, SQLite 3.40 leaves one seed behind in each
    def test_leaves_no_byte_of_any_seed_among_a_busy_neighbourhood(
        self, sqlite_database: Database, tmp_path: Path, seed: int
    ) -> None:
        """SQLite moves rows as others grow; the places they came from hold no seed either. The living keep theirs."""
        living, shredded = _live_through(with_site(sqlite_database), random.Random(seed))

        assert len(shredded) > 100
        assert not any(_is_in_files(seed, tmp_path) for seed in shredded)
        assert all(_is_in_files(seed, tmp_path) for seed in living)


def _live_through(database: Database, dice: random.Random) -> tuple[list[bytes], list[bytes]]:
    """Request, open, close and shred drops in any order, and give the seeds that live and that were shredded."""
    drops, waiting, living, shredded = Drops(database), list[str](), dict[str, bytes](), list[bytes]()
    for number in range(700):
        throw = dice.random()
        if throw < 0.3:
            drop_id = make_id("drop", dice.randbytes(16))
            waiting.append(a_recorded_drop(database, f"e-{number}", id=drop_id).id)
        elif throw < 0.6 and waiting:
            drop_id = waiting.pop(dice.randrange(len(waiting)))
            living[drop_id] = dice.randbytes(dice.choice([68, 136, 300]))
            drops.open(drop_id, 2, bytes(dice.choice([32, 1216])), living[drop_id])
        elif throw < 0.8 and living:
            reason = "r" * dice.randint(1, 2500)
            drops.close(dice.choice(list(living)), Outcome.REJECTED, "wrong-key", reason)
        elif living:
            drop_id = dice.choice(list(living))
            shredded.append(living.pop(drop_id))
            drops.shred(drop_id, NOW)
    return list(living.values()), shredded


def _create(drops: Drops, name: str, max_open: int) -> str:
    try:
        drops.create(a_drop(name), max_open)
    except CertferryError as refusal:
        return refusal.code
    return "created"


def _id_of(drops: Drops, name: str) -> str | None:
    found = drops.find_by_name("acme", name)
    return found.id if found else None


def _is_in_files(seed: bytes, tmp_path: Path) -> bool:
    """Tell whether 16 bytes in a row of *seed*, from any eighth byte on, are in a file of the database."""
    files = [path.read_bytes() for path in (tmp_path / "records").iterdir()]
    return any(seed[start : start + 16] in data for start in range(0, len(seed) - 15, 8) for data in files)
