"""How a hand-over goes through the seven steps, and every way it ends."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from prefect.client.schemas.objects import StateType

from tasks.core.errors import EdgeUnavailable, KeyInTicket
from tasks.core.live import challenge_name
from tasks.core.model import Drop, DropState, Outcome
from tests.desk import at_price
from tests.office import SHOP, Office
from tests.theatre import RUN, Theatre, Waiting

YES = {"decision": "approve", "name": "olga"}


@pytest.fixture(name="drop")
def _drop(office: Office) -> Drop:
    """A drop whose files have arrived."""
    drop = office.open()
    office.upload(drop)
    return drop


@pytest.fixture(autouse=True)
def _impatient(office: Office) -> None:
    """Let nobody wait for a domain."""
    check = office.here.settings.live_check.model_copy(update={"deadline": office.here.ahead})
    office.here.settings = office.here.settings.model_copy(update={"live_check": check})


def outcome_of(office: Office, drop: Drop) -> tuple[Outcome | None, DropState]:
    found = office.drop(drop.id)
    return found.outcome, found.state


def is_cleared_away(office: Office, drop: Drop) -> bool:
    """Say whether nothing of a refused hand-over is left: on the edges, in the store, in the vault, on the bill."""
    return not (
        any(edge.bundles or edge.hosts for edge in office.edges)
        or office.store._objects.versions
        or office.vault._objects.versions
        or office.here.billing.list_entries("acme")
        or office.drop(drop.id).state is not DropState.DESTROYED
    )


class TestCompleted:
    def test_seven_steps(self, office: Office, theatre: Theatre, drop: Drop) -> None:
        """Domain, files, ticket, approval, edges, proof, bill, and the temporary app is gone."""
        office.file(drop.id)
        theatre.answer("approval", **YES)

        receipt = theatre.provision(drop.id)

        certificate = office.here.certificates.find_by_drop(drop.id)
        assert certificate is not None
        assert receipt["certificate_id"] == certificate.id
        assert receipt["charge"] == office.here.billing.list_entries("acme")[0].idempotency_key
        assert office.served() == [certificate.bundle_sha256] * 2
        assert outcome_of(office, drop) == (Outcome.COMPLETED, DropState.DESTROYED)
        assert office.here.tickets.list_waiting() == ()
        assert office.here.audit.verify() > 0

    def test_the_result_is_ids_and_digests(self, office: Office, theatre: Theatre, drop: Drop) -> None:
        """What Prefect keeps of a run holds nothing that could not be shown to anybody."""
        office.file(drop.id)
        theatre.answer("approval", **YES)

        receipt = theatre.provision(drop.id)

        assert set(receipt) == {
            "drop_id", "certificate_id", "ticket_id", "plan_sha256", "confirmation_id", "charge", "outcome",
        }  # fmt: skip

    def test_a_second_time_from_the_top_changes_nothing(self, office: Office, theatre: Theatre, drop: Drop) -> None:
        """A run that has ended and is run again says how it ended; nobody is asked, charged or told again."""
        office.file(drop.id)
        theatre.answer("approval", **YES)
        theatre.provision(drop.id)
        before = (len(office.here.audit.entries()), office.answers(drop.id), len(theatre.asked))
        theatre.forget_answers()

        state = theatre.provision(drop.id)

        assert (state.type, state.name) == (StateType.COMPLETED, "Completed")
        assert (len(office.here.audit.entries()), office.answers(drop.id), len(theatre.asked)) == before

    def test_another_run_of_the_same_drop_does_no_harm(
        self, office: Office, theatre: Theatre, drop: Drop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A copy of the run stops at once, and the first one goes on as if nothing had happened."""
        with pytest.raises(Waiting):
            theatre.provision(drop.id)
        monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__ID", RUN.replace("1", "2"))

        state = theatre.provision(drop.id)

        assert (state.type, state.name) == (StateType.FAILED, "Drifted")
        assert "other-run" in state.message
        assert outcome_of(office, drop) == (None, DropState.INGESTED)


class TestTicketGate:
    def test_waits_for_a_ticket_and_goes_on_with_it(self, office: Office, theatre: Theatre, drop: Drop) -> None:
        """Without a ticket the run waits; one that arrives meanwhile is found in the records, not in the answer."""
        with pytest.raises(Waiting):
            theatre.provision(drop.id)
        office.file(drop.id)
        theatre.answer("approval", **YES)

        assert theatre.provision(drop.id)["outcome"] == "completed"
        assert len(theatre.questions("ticket")) == 1

    def test_an_operator_names_the_ticket(self, office: Office, theatre: Theatre, drop: Drop) -> None:
        """A ticket by hand is judged like any other; a wrong one is asked for again, with the reason."""
        with pytest.raises(Waiting):
            theatre.provision(drop.id)
        foreign, right = office.file(drop.id, "eve@evil.test"), office.file(drop.id)
        office.here.tickets.close(foreign, office.here.now())
        office.here.tickets.close(right, office.here.now())
        for ticket in ("nonsense", foreign, f" {right} "):
            theatre.answer("ticket", ticket=ticket, name="olga")

        with pytest.raises(Waiting, match="approval"):
            theatre.provision(drop.id)

        questions = theatre.questions("ticket")
        assert ["Your last answer does not count" in question for question in questions] == [False, False, True, True]
        assert "foreign-sender" in questions[3]
        assert office.here.decisions.find_match(drop.id) == right

    def test_every_question_has_a_key_of_its_own(
        self, office: Office, theatre: Theatre, drop: Drop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Prefect gives an old answer to an old key: a new attempt, and a new start of the run, ask anew."""
        theatre.answer("ticket", ticket="nonsense")
        for count in ("1", "2"):
            monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__RUN_COUNT", count)
            with pytest.raises(Waiting):
                theatre.provision(drop.id)

        keys = [key for key, _ in theatre.asked]
        assert keys == ["ticket-a1-r1", "ticket-a2-r1", "ticket-a2-r2"]

    def test_a_strangers_ticket_is_no_ticket(self, office: Office, theatre: Theatre, drop: Drop) -> None:
        """The run waits on; the stranger is answered by the watcher."""
        office.file(drop.id, "eve@evil.test")

        with pytest.raises(Waiting):
            theatre.provision(drop.id)


class TestApprovalGate:
    @pytest.fixture(autouse=True)
    def _ticket(self, office: Office, drop: Drop) -> None:
        office.file(drop.id)

    def test_shows_what_will_happen(self, office: Office, theatre: Theatre, drop: Drop) -> None:
        """Who decides reads the names, the certificate, the edges, the price, and what each answer does."""
        with pytest.raises(Waiting):
            theatre.provision(drop.id)

        (question,) = theatre.questions("approval")
        plain = question.replace("\\", "")
        for words in (SHOP, "acme", "account:acme", "a, b", "3.20 EUR a month", "Reject", drop.id):
            assert words in plain

    @pytest.mark.parametrize("name", ["", "mallory", "olga; DROP TABLE"])
    def test_a_stranger_is_asked_again(self, office: Office, theatre: Theatre, drop: Drop, name: str) -> None:
        """An empty or unknown name decides nothing, and the form says why."""
        theatre.answer("approval", decision="approve", name=name)

        with pytest.raises(Waiting):
            theatre.provision(drop.id)

        assert "unknown-approver" in theatre.questions("approval")[1]
        assert office.served() == [None, None]

    def test_who_asked_for_it_is_asked_again(self, office: Office, theatre: Theatre) -> None:
        """Nobody approves their own wish, in whatever letters; a colleague does."""
        drop = office.open("own", requested_by="operator:olga")
        office.upload(drop)
        office.file(drop.id)
        theatre.answer("approval", decision="approve", name="OLGA")
        theatre.answer("approval", decision="approve", name="oscar")

        assert theatre.provision(drop.id)["outcome"] == "completed"
        assert "self-approval" in theatre.questions("approval")[1]

    def test_an_approval_on_record_is_not_asked_for_again(self, office: Office, theatre: Theatre, drop: Drop) -> None:
        """A run that crashed after the answer was read goes on with it, although Prefect has forgotten it."""
        theatre.answer("approval", **YES)
        office.edges[0].fail_next("stage")
        theatre.provision(drop.id)
        theatre.forget_answers()

        assert theatre.provision(drop.id)["outcome"] == "completed"
        assert len(theatre.questions("approval")) == 1

    def test_an_answer_is_for_the_plan_that_was_shown(self, office: Office, theatre: Theatre, drop: Drop) -> None:
        """A price that is raised while the run waits makes another plan: the answer that then comes is not for it."""
        with pytest.raises(Waiting):
            theatre.provision(drop.id)
        theatre.answer("approval", **YES)
        ((key, _),) = (asked for asked in theatre.asked if asked[0].startswith("approval"))
        theatre._given[key] = theatre.answers["approval"].pop()
        office.here.settings = at_price(office.here.settings, Decimal("9"))

        with pytest.raises(Waiting):
            theatre.provision(drop.id)

        assert "1440.00 EUR" in theatre.questions("approval")[1].replace("\\", "")
        assert office.served() == [None, None]

    def test_no_ends_it(self, office: Office, theatre: Theatre, drop: Drop) -> None:
        """The customer reads the operator's note on the ticket, and nothing was changed."""
        theatre.answer("approval", decision="reject", name="olga", note="Not before Monday.")

        state = theatre.provision(drop.id)

        assert (state.type, state.name) == (StateType.COMPLETED, "Rejected")
        assert "Not before Monday." in office.answers(drop.id)
        assert outcome_of(office, drop)[0] is Outcome.REJECTED
        assert is_cleared_away(office, drop)


class TestRejected:
    def test_unfit_files(self, office: Office, theatre: Theatre) -> None:
        """The customer reads all that is wrong, and the drop is gone."""
        drop = office.open()
        office.upload(drop, office.ca.issue(["www.example.test"]).files())

        state = theatre.provision(drop.id)

        assert (state.type, state.name) == (StateType.COMPLETED, "Rejected")
        assert SHOP in str(office.drop(drop.id).outcome_reason)
        assert is_cleared_away(office, drop)

    def test_a_key_in_the_ticket(self, office: Office, theatre: Theatre) -> None:
        """The key counts as compromised, and what was sealed of it is shredded."""
        issued = office.ca.issue([SHOP])
        drop = office.open()
        office.upload(drop, issued.files())
        with pytest.raises(Waiting):
            theatre.provision(drop.id)
        with pytest.raises(KeyInTicket):
            office.file(drop.id, body=issued.key_pem.decode())

        state = theatre.provision(drop.id)

        assert state.name == "Rejected"
        assert office.drop(drop.id).outcome_code == "key-in-ticket"
        assert is_cleared_away(office, drop)
        assert office.here.tickets.list_waiting() == ()

    def test_a_refusal_that_was_cut_short_is_finished(self, office: Office, theatre: Theatre) -> None:
        """The store is down while a refused drop is cleared away: the next start clears it, for the first reason."""
        drop = office.open()
        office.upload(drop, office.ca.issue(["www.example.test"]).files())
        with pytest.MonkeyPatch.context() as broken:
            broken.setattr(office.vault, "delete", _fail)
            broken.setattr(office.store, "sweep", _fail)
            assert theatre.provision(drop.id).name == "Unavailable"

        state = theatre.provision(drop.id)

        assert (state.name, office.drop(drop.id).outcome_code) == ("Rejected", "name-mismatch")
        assert is_cleared_away(office, drop)

    def test_what_was_cancelled_meanwhile_ends_as_cancelled(self, office: Office, theatre: Theatre, drop: Drop) -> None:
        """The run of a hand-over that the customer gave up says so, whatever it was about to do."""
        with pytest.raises(Waiting):
            theatre.provision(drop.id)
        office.here.drops.close(drop.id, Outcome.CANCELLED, "cancelled", "Cancelled by account:acme.")

        assert theatre.provision(drop.id).name == "Cancelled"
        assert is_cleared_away(office, drop)


class TestStopped:
    def test_a_domain_that_is_not_live(self, office: Office, theatre: Theatre, drop: Drop) -> None:
        """The run ends NotReady with the record to add; the hand-over lives, and the next start goes on."""
        record = office.resolver.texts.pop(challenge_name(SHOP))

        state = theatre.provision(drop.id)

        assert (state.type, state.name) == (StateType.FAILED, "NotReady")
        assert "_certferry-challenge.shop.example.test. TXT" in state.message
        assert outcome_of(office, drop) == (None, DropState.OPEN)
        office.resolver.texts[challenge_name(SHOP)] = record
        with pytest.raises(Waiting):
            theatre.provision(drop.id)

    def test_an_edge_that_is_down(self, office: Office, theatre: Theatre, drop: Drop) -> None:
        """The run ends Unavailable with both edges as before; the next start needs no other approval."""
        office.file(drop.id)
        theatre.answer("approval", **YES)
        office.edges[1].down = True

        state = theatre.provision(drop.id)

        assert (state.type, state.name) == (StateType.FAILED, "Unavailable")
        assert office.served() == [None, None]
        office.edges[1].down = False
        assert theatre.provision(drop.id)["outcome"] == "completed"

    def test_an_app_that_fails_behind_the_edges(self, office: Office, theatre: Theatre, drop: Drop) -> None:
        """Both edges are put back, a person must look, and nothing is charged."""
        office.file(drop.id)
        theatre.answer("approval", **YES)
        office.probe.statuses[SHOP] = 503

        state = theatre.provision(drop.id)

        assert (state.type, state.name) == (StateType.FAILED, "Drifted")
        assert office.served() == [None, None]
        assert office.here.billing.list_entries("acme") == ()
        assert outcome_of(office, drop) == (None, DropState.INGESTED)


def _fail(*_: Any) -> Any:
    raise EdgeUnavailable.because("the store", "told to fail")
