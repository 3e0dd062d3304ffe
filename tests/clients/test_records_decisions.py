"""The records of decisions: the first one wins, whoever asks, however often, from wherever."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from tasks.clients.database import Database
from tasks.clients.records.decisions import Decisions
from tasks.core.errors import TicketRefused
from tasks.core.model import Approval, Drop
from tests.clients.examples import NOW, a_recorded_drop, at_once, with_site


@pytest.fixture(name="decisions")
def _decisions(database: Database) -> Decisions:
    return Decisions(with_site(database))


@pytest.fixture(name="drop")
def _drop(decisions: Decisions, database: Database) -> Drop:
    return a_recorded_drop(database)


def _approval(drop: Drop, decision: str = "approve", approver: str = "grace") -> Approval:
    return Approval(drop.id, "5" * 64, decision, approver, "looks right", NOW)


class TestMatch:
    def test_the_first_ticket_stays(self, decisions: Decisions, drop: Drop) -> None:
        """A second ticket for a drop is answered, but asks for nothing more."""
        assert decisions.find_match(drop.id) is None

        assert decisions.match(drop.id, "ticket-1", "watch-tickets", NOW) == "ticket-1"
        assert decisions.match(drop.id, "ticket-2", "operator:grace", NOW) == "ticket-1"
        assert decisions.find_match(drop.id) == "ticket-1"

    def test_a_ticket_asks_for_one_drop(self, decisions: Decisions, drop: Drop, database: Database) -> None:
        """One ticket cannot release two hand-overs."""
        other = a_recorded_drop(database, "other")
        decisions.match(drop.id, "ticket-1", "watch-tickets", NOW)

        with pytest.raises(TicketRefused, match="ticket-1"):
            decisions.match(other.id, "ticket-1", "watch-tickets", NOW)
        assert decisions.find_match(other.id) is None

    def test_of_matches_at_once_one_wins_and_all_know(self, decisions: Decisions, drop: Drop) -> None:
        """The scheduled watcher and an operator may match at the same moment."""
        answers = at_once([partial(decisions.match, drop.id, f"ticket-{n}", "someone", NOW) for n in range(8)])

        assert {decisions.find_match(drop.id)} == set(answers)

    def test_of_drops_at_once_one_gets_the_ticket(self, decisions: Decisions, drop: Drop, database: Database) -> None:
        """Also when two runs take the same ticket at the same moment."""
        other = a_recorded_drop(database, "other")

        def match(drop_id: str) -> str:
            try:
                return decisions.match(drop_id, "ticket-1", "someone", NOW)
            except TicketRefused as refusal:
                return refusal.code

        assert sorted(at_once([partial(match, drop.id), partial(match, other.id)])) == ["ticket-1", "ticket-refused"]


class TestDecide:
    def test_the_first_decision_stays(self, decisions: Decisions, drop: Drop) -> None:
        """Nobody turns a no into a yes, or a yes into a no, for the same plan."""
        approval = _approval(drop)
        assert decisions.find(drop.id, approval.plan_sha256) is None

        assert approval == decisions.decide(approval)
        assert approval == decisions.decide(replace(approval, decision="reject", at=NOW + timedelta(hours=1)))
        assert approval == decisions.find(drop.id, approval.plan_sha256)

    def test_a_changed_plan_is_another_decision(self, decisions: Decisions, drop: Drop) -> None:
        """An approval is for what was shown, and for nothing else."""
        decisions.decide(_approval(drop))
        changed = replace(_approval(drop, "reject"), plan_sha256="6" * 64)

        assert changed == decisions.decide(changed)
        assert decisions.decide(_approval(drop)).decision == "approve"

    def test_of_decisions_at_once_one_wins_and_all_know(self, decisions: Decisions, drop: Drop) -> None:
        """Two operators who answer at the same moment get the same answer."""
        contested = [_approval(drop, "approve" if n % 2 else "reject", f"operator-{n}") for n in range(8)]

        answers = at_once([partial(decisions.decide, each) for each in contested])

        assert {decisions.find(drop.id, "5" * 64)} == set(answers)
