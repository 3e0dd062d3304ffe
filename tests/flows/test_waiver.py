"""Policy in a person's place: what it approves, what it leaves to a person, and what it puts on record."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tasks.clients.settings import Operators
from tasks.core.model import Certificate, Outcome
from tasks.core.plan import digest_plan
from tasks.plan_provision import plan_provision
from tests.office import SHOP, Office
from tests.pki import CA
from tests.theatre import Theatre, Waiting


@pytest.fixture(name="first")
def _first(office: Office, theatre: Theatre) -> Certificate:
    return theatre.complete(files=issue(office, age_days=5))


@pytest.fixture(name="waiving")
def _waiving(office: Office) -> None:
    """An installation whose settings waive the approval."""
    renewals = office.here.settings.renewals.model_copy(update={"waive_approval": True})
    office.here.settings = office.here.settings.model_copy(update={"renewals": renewals})


def issue(
    office: Office, age_days: int = 0, names: list[str] | None = None, ca: CA | None = None
) -> Mapping[str, bytes]:
    return (ca or office.ca).issue(names or [SHOP], age_days=age_days).files()


def hand_over(office: Office, files: Mapping[str, bytes]) -> str:
    """Let a renewal come as far as its approval, and give its drop."""
    drop = office.open("renewal")
    office.upload(drop, files)
    office.file(drop.id)
    return drop.id


@pytest.mark.usefixtures("waiving")
class TestWaived:
    def test_nobody_is_asked(self, office: Office, theatre: Theatre, first: Certificate) -> None:
        """Only dates change: the run goes through to its end by itself."""
        asked = len(theatre.asked)
        drop_id = hand_over(office, issue(office))

        theatre.provision(drop_id)

        assert office.drop(drop_id).outcome is Outcome.COMPLETED
        assert len(theatre.asked) == asked

    def test_the_reasoning_is_on_record(self, office: Office, theatre: Theatre, first: Certificate) -> None:
        """As the approval, under the plan's digest; and each rule with what it saw is on the audit trail."""
        drop_id = hand_over(office, issue(office))

        receipt = theatre.provision(drop_id)

        approval = office.here.decisions.find(drop_id, receipt["plan_sha256"])
        assert approval is not None
        assert (approval.approver, approval.decision) == ("policy", "approve")
        assert f"names: {SHOP}" in approval.note
        (entry,) = [each for each in office.here.audit.entries(drop_id) if each["actor"] == "policy"]
        assert {rule["rule"] for rule in entry["evidence"]["rules"]} >= {"account", "names", "issuer", "trust"}
        assert all(rule["holds"] for rule in entry["evidence"]["rules"])

    def test_the_ticket_is_still_needed(self, office: Office, theatre: Theatre, first: Certificate) -> None:
        """Policy stands in for the operator, never for the customer."""
        drop = office.open("renewal")
        office.upload(drop, issue(office))

        with pytest.raises(Waiting, match="ticket"):
            theatre.provision(drop.id)

    def test_a_first_set_up_is_asked_about(self, office: Office, theatre: Theatre) -> None:
        """There is nothing that it could be the same as."""
        drop_id = hand_over(office, issue(office))

        with pytest.raises(Waiting, match="approval"):
            theatre.provision(drop_id)

    def test_another_name_is_asked_about_and_shown(self, office: Office, theatre: Theatre, first: Certificate) -> None:
        """The person who is asked sees old against new, and what does not hold."""
        drop_id = hand_over(office, issue(office, names=[SHOP, f"www.{SHOP}"]))

        with pytest.raises(Waiting, match="approval"):
            theatre.provision(drop_id)

        shown = theatre.questions("approval")[-1]
        assert "What changes" in shown
        assert f"www.{SHOP}" in shown.replace("\\", "")
        assert "**no**" in shown
        assert "nothing new: the pair is paid for" in shown

    def test_a_person_who_said_no_is_not_overruled(self, office: Office, theatre: Theatre, first: Certificate) -> None:
        """The first decision on a plan stays, whoever made it."""
        drop_id = hand_over(office, issue(office))
        renewals = office.here.settings.renewals
        off = renewals.model_copy(update={"waive_approval": False})
        office.here.settings = office.here.settings.model_copy(update={"renewals": off})
        theatre.answer("approval", decision="reject", name="olga", note="Not this one.")
        state = theatre.provision(drop_id)
        office.here.settings = office.here.settings.model_copy(update={"renewals": renewals})

        assert state.name == "Rejected"
        assert theatre.provision(drop_id).name == "Rejected"
        assert office.served() == [first.bundle_sha256] * 2


class TestOff:
    def test_a_person_is_asked_by_default(self, office: Office, theatre: Theatre, first: Certificate) -> None:
        """An installation has to want it."""
        drop_id = hand_over(office, issue(office))

        with pytest.raises(Waiting, match="approval"):
            theatre.provision(drop_id)

        assert office.here.decisions.find(drop_id, digest_plan(plan_provision.fn(drop_id))) is None

    def test_no_person_may_be_called_policy(self) -> None:
        """Or nobody could tell afterwards who decided."""
        with pytest.raises(ValueError, match="no person was asked"):
            Operators(approvers=["olga", "Policy"])
