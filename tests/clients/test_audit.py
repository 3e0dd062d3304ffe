"""The audit trail: what is on it cannot be changed unnoticed."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from datetime import timedelta, timezone
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.clients.audit import AuditTrail
from tasks.clients.database import Database
from tasks.core.errors import Drifted
from tests.clients.examples import NOW, at_once

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@pytest.fixture(name="trail")
def _trail(database: Database) -> AuditTrail:
    return AuditTrail(database)


def _write(trail: AuditTrail, count: int) -> None:
    for number in range(1, count + 1):
        trail.append("operator:grace", "approved", f"drop-{number}", {"number": number}, NOW)


class TestAppend:
    def test_entries_link_to_the_one_before(self, trail: AuditTrail) -> None:
        """The first entry links to zeros, each other one to its predecessor's digest."""
        first = trail.append("account:acme", "drop-requested", "drop-1", {"hostname": "shop.example.test"}, NOW)
        second = trail.append("certferry", "drop-opened", "drop-1", {}, NOW)

        entries = trail.entries()

        assert [entry["seq"] for entry in entries] == [1, 2]
        assert ["0" * 64, first] == [entry["prev_sha256"] for entry in entries]
        assert [first, second] == [entry["sha256"] for entry in entries]
        assert entries[0]["actor"] == "account:acme"
        assert entries[0]["evidence"] == {"hostname": "shop.example.test"}
        assert entries[0]["at"] == NOW

    def test_the_digest_is_the_documented_one(self, trail: AuditTrail) -> None:
        """Somebody else can recompute it: SHA-256 of the previous digest and the entry's canonical JSON."""
        text = (
            '{"action":"approved","actor":"operator:grace","at":"2026-11-24T08:00:00.123456+00:00",'
            '"evidence":{"a":"\\u00e9","b":1},"seq":1,"subject":"drop-1"}'
        )
        at = NOW.astimezone(timezone(timedelta(hours=2)))

        written = trail.append("operator:grace", "approved", "drop-1", {"b": 1, "a": "\u00e9"}, at)

        assert hashlib.sha256(("0" * 64 + text).encode()).hexdigest() == written

    def test_entries_about_one_subject_alone(self, trail: AuditTrail) -> None:
        """The way of one drop reads without the others."""
        _write(trail, 3)

        assert [entry["seq"] for entry in trail.entries("drop-2")] == [2]

    def test_times_and_tuples_are_evidence(self, trail: AuditTrail) -> None:
        """A time is kept as ISO 8601 in UTC, a tuple as a list, and the chain still holds."""
        trail.append("certferry", "destroyed", "drop-1", {"at": NOW, "versions": ("v1", "v2")}, NOW)

        assert {"at": NOW.isoformat(), "versions": ["v1", "v2"]} == trail.entries()[0]["evidence"]
        assert trail.verify() == 1

    @pytest.mark.parametrize("evidence", [{"x": b"bytes"}, {"x": float("nan")}, {"x": object()}])
    def test_what_is_not_json_is_refused(self, trail: AuditTrail, evidence: dict[str, object]) -> None:
        """Bytes above all: they may be key material."""
        with pytest.raises((TypeError, ValueError)):
            trail.append("certferry", "destroyed", "drop-1", evidence, NOW)

        assert trail.entries() == ()

    def test_concurrent_entries_leave_no_gap(self, trail: AuditTrail) -> None:
        """Eight threads, five entries each: forty links of one chain."""
        at_once([partial(_write, trail, 5) for _ in range(8)])

        assert trail.verify() == 40

    def test_concurrent_processes_leave_no_gap(self, trail: AuditTrail, database_url: str) -> None:
        """Worker and front desk write to one chain."""
        program = (
            "import sys; from datetime import datetime, UTC\n"
            "from tasks.clients.audit import AuditTrail; from tasks.clients.database import Database\n"
            "trail = AuditTrail(Database(sys.argv[1]))\n"
            "for n in range(20): trail.append('certferry', 'tried', 'drop-1', {'n': n}, datetime.now(UTC))\n"
        )
        writers = [subprocess.Popen([sys.executable, "-c", program, database_url]) for _ in range(3)]

        assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0]
        assert trail.verify() == 60


class TestAppendOnce:
    def test_the_first_entry_stays(self, trail: AuditTrail) -> None:
        """A step that runs twice is told once."""
        first = trail.append_once("certferry", "destroyed", "drop-1", {"versions": 2}, NOW)
        again = trail.append_once("certferry", "destroyed", "drop-1", {"versions": 0}, NOW + timedelta(hours=1))

        assert first == again
        assert [entry["evidence"] for entry in trail.entries()] == [{"versions": 2}]

    def test_another_action_or_subject_is_another_entry(self, trail: AuditTrail) -> None:
        """Only the same action on the same subject counts as told."""
        trail.append_once("certferry", "destroyed", "drop-1", {}, NOW)
        trail.append_once("certferry", "swept", "drop-1", {}, NOW)
        trail.append_once("certferry", "destroyed", "drop-2", {}, NOW)

        assert trail.verify() == 3

    def test_concurrent_tellers_tell_once(self, trail: AuditTrail) -> None:
        """Two runs of one step at the same moment leave one entry, and both know it."""
        tell = partial(trail.append_once, "certferry", "destroyed", "drop-1", {}, NOW)

        answers = set(at_once([tell] * 8))

        assert {entry["sha256"] for entry in trail.entries()} == answers
        assert trail.verify() == 1


class TestVerify:
    def test_an_empty_trail_is_whole(self, trail: AuditTrail) -> None:
        """Nothing was done yet."""
        assert trail.verify() == 0

    @pytest.mark.parametrize(
        ("tampering", "broken"),
        [
            ("UPDATE audit SET actor = 'operator:mallory' WHERE seq = 3", 3),
            ("UPDATE audit SET evidence = '{\"number\": 4}' WHERE seq = 3", 3),
            ("UPDATE audit SET action = 'rejected' WHERE seq = 5", 5),
            ("UPDATE audit SET sha256 = prev_sha256 WHERE seq = 2", 2),
            ("DELETE FROM audit WHERE seq = 1", 1),
            ("DELETE FROM audit WHERE seq = 3", 3),
            ("DELETE FROM audit WHERE seq IN (2, 3, 4)", 2),
            ("DELETE FROM audit WHERE seq = 3; UPDATE audit SET seq = seq - 1 WHERE seq > 3", 3),
            ("UPDATE audit SET seq = 99 WHERE seq = 2; UPDATE audit SET seq = 2 WHERE seq = 3;"
             "UPDATE audit SET seq = 3 WHERE seq = 99", 2),
        ],
        ids=["actor", "evidence", "last", "digest", "head gone", "one gone", "middle gone", "renumbered", "swapped"],
    )  # fmt: skip
    def test_finds_what_was_edited_removed_or_reordered(
        self, database: Database, trail: AuditTrail, tampering: str, broken: int
    ) -> None:
        """Somebody with the database's own password is noticed, and the message says where."""
        _write(trail, 5)
        _tamper(database, tampering)

        with pytest.raises(Drifted, match=f"audit entry {broken}:") as found:
            trail.verify()
        assert found.value.code == "audit-broken"

    def test_a_cut_tail_needs_the_head_kept_elsewhere(self, database: Database, trail: AuditTrail) -> None:
        """The chain alone cannot show that its end is missing; its count and head can."""
        _write(trail, 5)
        head = trail.entries()[-1]["sha256"]
        _tamper(database, "DELETE FROM audit WHERE seq = 5")

        assert trail.verify() == 4
        assert head != trail.entries()[-1]["sha256"]

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(evidence=st.dictionaries(st.text(), _JSON))
    def test_every_json_evidence_keeps_its_digest(self, trail: AuditTrail, evidence: dict[str, object]) -> None:
        """What is read back has the digest of what was written, odd text and numbers included."""
        trail.append("certferry", "seen", "drop-1", evidence, NOW)

        assert len(trail.entries()) == trail.verify()


def _tamper(database: Database, statements: str) -> None:
    """Change the trail as somebody would who may drop triggers."""
    triggers = {
        "sqlite": ["DROP TRIGGER audit_no_update", "DROP TRIGGER audit_no_delete"],
        "postgresql": ["DROP TRIGGER audit_append_only ON audit"],
    }[database.engine.dialect.name]
    with database.transaction() as session:
        for statement in [*triggers, *statements.split(";")]:
            session.connection().exec_driver_sql(statement)
