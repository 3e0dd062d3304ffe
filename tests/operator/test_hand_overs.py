"""An operator follows hand-overs, answers their gates, and sends invitations on."""

from __future__ import annotations

import stat
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from tasks.adjust_billing import adjust_billing
from tasks.confirm_edges import confirm_edges
from tasks.core.invitation import parse_invitation
from tasks.core.model import Outcome
from tests.office import SHOP
from tests.operator.conftest import Operator


class TestStatus:
    def test_live_hand_overs_are_listed(self, operator: Operator) -> None:
        """Every live hand-over is there, with its stage and the state of its run."""
        drop = operator.office.open()
        operator.wait_at("ticket-a1-r0", drop.id)

        (listed,) = operator.succeed("status")

        assert (listed["id"], listed["hostname"], listed["run_state"]) == (drop.id, SHOP, "Suspended")
        assert drop.id in operator.read("status")

    def test_plan_is_shown_before_it_is_approved(self, operator: Operator) -> None:
        """One hand-over shows what an approval would be for, under the digest that goes on record."""
        certificate = operator.office.match()

        plan = operator.succeed("status", certificate.drop_id)["plan"]

        assert plan["leaf_sha256"] == certificate.leaf_sha256
        assert plan["edges"] == [edge.name for edge in operator.office.here.settings.edges]
        assert len(plan["sha256"]) == 64
        assert certificate.leaf_sha256 in operator.read("status", certificate.drop_id)

    def test_prefect_down_hides_nothing_else(self, operator: Operator) -> None:
        """Where a hand-over stands is on record: it is shown without Prefect too."""
        drop = operator.office.open()
        operator.wait_at("ticket-a1-r0", drop.id)
        operator.office.runs.down = True

        (listed,) = operator.succeed("status")

        assert listed["run_state"] == "unknown (prefect-unavailable)"


class TestInvitation:
    def test_file_fills_the_drop(self, operator: Operator, tmp_path: Path) -> None:
        """The invitation in the file is for the drop; only its owner may read it; it is not on the screen."""
        drop, file = operator.office.open(), tmp_path / "invitation.json"

        shown = operator.read("invitation", drop.id, "--out", str(file))

        invitation = parse_invitation(file.read_bytes())
        assert (invitation.drop_id, invitation.hostname) == (drop.id, SHOP)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert invitation.upload_url not in shown

    def test_unopened_drop_is_not_ready(self, operator: Operator, tmp_path: Path) -> None:
        """A drop that is still being opened has no invitation yet: exit code 3, ask again."""
        drop = operator.office.request()

        assert operator.refused("invitation", drop.id, "--out", str(tmp_path / "x")) == (3, "not-ready")


class TestGates:
    def test_approval_goes_to_the_run(self, operator: Operator) -> None:
        """Approving answers the form of the gate; the run records the decision."""
        certificate = operator.office.match()
        run = operator.wait_at("approval-0123-a1-r0", certificate.drop_id)

        operator.succeed("approve", certificate.drop_id, "--name", "OLGA", "--note", "as agreed")

        expected = {"decision": "approve", "name": "olga", "note": "as agreed"}
        assert operator.office.runs.answers[run] == [expected]

    def test_rejection_carries_its_reason(self, operator: Operator) -> None:
        """Rejecting takes a note, which the customer reads."""
        certificate = operator.office.match()
        run = operator.wait_at("approval-0123-a1-r0", certificate.drop_id)

        assert operator.refused("reject", certificate.drop_id, "--name", "olga") == (2, "usage")
        operator.succeed("reject", certificate.drop_id, "--name", "olga", "--note", "wrong name")

        assert operator.office.runs.answers[run] == [{"decision": "reject", "name": "olga", "note": "wrong name"}]

    def test_stranger_cannot_approve(self, operator: Operator) -> None:
        """Whoever is not an approver is told at once, and the gate stays shut."""
        certificate = operator.office.match()
        run = operator.wait_at("approval-0123-a1-r0", certificate.drop_id)

        assert operator.refused("approve", certificate.drop_id, "--name", "mallory") == (1, "unknown-approver")
        assert run not in operator.office.runs.answers

    def test_requester_cannot_approve(self, operator: Operator) -> None:
        """An operator who asked for a hand-over does not approve it."""
        certificate = operator.office.match(requested_by="operator:olga")
        operator.wait_at("approval-0123-a1-r0", certificate.drop_id)

        assert operator.refused("approve", certificate.drop_id, "--name", "olga") == (1, "self-approval")

    def test_ticket_by_hand(self, operator: Operator) -> None:
        """A ticket that was found by hand goes to the run that waits for one."""
        certificate = operator.office.ingest()
        ticket = operator.office.file(certificate.drop_id)
        run = operator.wait_at("ticket-a1-r0", certificate.drop_id)

        operator.succeed("resume", certificate.drop_id, ticket, "--name", "olga")

        assert operator.office.runs.answers[run] == [{"ticket": ticket, "name": "olga"}]

    def test_gates_are_not_mixed_up(self, operator: Operator) -> None:
        """A run that waits for its ticket takes no approval: exit code 3, and nothing is answered."""
        certificate = operator.office.ingest()
        run = operator.wait_at("ticket-a1-r0", certificate.drop_id)

        assert operator.refused("approve", certificate.drop_id, "--name", "olga") == (3, "not-ready")
        assert run not in operator.office.runs.answers

    def test_prefect_down_is_unavailable(self, operator: Operator) -> None:
        """Without Prefect there is nobody to answer: exit code 4, try again."""
        certificate = operator.office.match()
        operator.wait_at("approval-0123-a1-r0", certificate.drop_id)
        operator.office.runs.down = True

        assert operator.refused("approve", certificate.drop_id, "--name", "olga") == (4, "prefect-unavailable")


class TestBooks:
    def test_untouched_audit_trail_verifies(self, operator: Operator) -> None:
        """The chain is recomputed over every entry."""
        drop = operator.office.open()

        verified = operator.succeed("audit", "verify")

        assert verified["intact"] is True
        assert verified["entries"] == len(operator.succeed("audit", "show"))
        assert operator.succeed("audit", "show", drop.id)[0]["action"] == "drop.requested"

    def test_ledger_of_a_customer_without_charges_is_empty(self, operator: Operator) -> None:
        """No entry, no charge; an unknown account is an error and not an empty ledger."""
        assert operator.succeed("ledger", "acme") == []
        assert operator.refused("ledger", "nobody") == (1, "not-found")

    def test_charge_is_on_the_ledger(self, operator: Operator) -> None:
        """What a hand-over costs is one line: 160 MB at the settings' price."""
        certificate = operator.office.provision()
        confirm_edges.fn(certificate.drop_id)
        adjust_billing.fn(certificate.drop_id)

        (line,) = operator.succeed("ledger", "acme")

        assert (line["hostname"], line["megabytes"]) == (SHOP, 160)
        assert SHOP in operator.read("ledger", "acme")

    def test_statement_adds_up_what_the_ledger_says(self, operator: Operator) -> None:
        """The day of the charge is on it, at its share of the month; an account that is not there has none."""
        certificate = operator.office.provision()
        confirm_edges.fn(certificate.drop_id)
        adjust_billing.fn(certificate.drop_id)
        (entry,) = operator.succeed("ledger", "acme")

        statement = operator.succeed("statement", "acme", entry["at"][:7])

        days = statement["lines"][0]["days"]
        assert days == operator.office.here.now().day - int(entry["at"][8:10]) + 1
        exact = Decimal("3.20") * days / statement["days_in_month"]
        assert Decimal(statement["total"]) == exact.quantize(Decimal("0.01"), ROUND_HALF_UP)
        assert f"Total: {statement['total']} EUR" in operator.read("statement", "acme")
        assert operator.refused("statement", "nobody") == (1, "not-found")
        assert operator.refused("statement", "acme", "2026") == (1, "bad-input")


class TestUsage:
    def test_unknown_command_is_usage(self, operator: Operator) -> None:
        """A mistyped command ends with exit code 2."""
        assert operator.refused("aprove") == (2, "usage")

    def test_malformed_drop_id_is_refused(self, operator: Operator) -> None:
        """An id that cannot be one is refused before anything is looked up."""
        assert operator.refused("status", "drop-1") == (1, "bad-input")


class TestRollback:
    def test_puts_the_previous_one_back_without_prefect(self, operator: Operator) -> None:
        """At once and with Prefect down: it is there for the hour in which something is wrong."""
        office = operator.office
        first = office.provision()
        confirm_edges.fn(first.drop_id)
        office.here.drops.close(first.drop_id, Outcome.COMPLETED, None, None)
        second = office.provision("renewal")
        confirm_edges.fn(second.drop_id)
        office.runs.down = True

        done = operator.succeed("rollback", SHOP, "--name", "olga", "--reason", "The app pins the old one.")

        assert done["served"] == first.leaf_sha256
        assert office.served() == [first.bundle_sha256] * 2

    def test_says_why_it_is_refused(self, operator: Operator) -> None:
        """A hostname with its first certificate has none to go back to."""
        certificate = operator.office.provision()
        confirm_edges.fn(certificate.drop_id)

        assert operator.refused("rollback", SHOP, "--name", "olga", "--reason", "x") == (1, "no-previous")
