"""The regular round: which drop needs what, and how runs are started, started again, and resumed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tasks.core import policy
from tasks.core.care import Care
from tasks.core.hand_over import lease_name
from tasks.core.model import Outcome
from tasks.destroy_drop import destroy_drop
from tasks.recover_provision import recover_provision
from tasks.resume_provision import list_matched, resume_provision
from tasks.start_provision import start_provision
from tasks.survey_drops import list_unswept, survey_abandoned, survey_drops
from tests.office import SHOP, Office

NAME = lease_name(SHOP)


@pytest.fixture(name="dead")
def _dead(office: Office) -> str:
    """A hand-over on which a process was at work that is gone; Prefect believes it Running. Gives the drop."""
    certificate = office.ingest()
    run = start_provision.fn(certificate.drop_id)
    office.here.drops.attach_run(certificate.drop_id, run)
    office.runs.runs[run] = "Running"
    office.runs.since[run] = office.here.now() - timedelta(minutes=10)
    office.here.leases.acquire(NAME, run, office.here.now(), policy.LEASE_LIFETIME)
    return certificate.drop_id


class TestRecovery:
    def test_a_lease_in_date_is_left_alone(self, office: Office, dead: str) -> None:
        """As long as it is renewed, its process lives."""
        assert survey_abandoned.fn() == survey_drops.fn() == {}
        assert office.here.drops.fetch(dead).outcome is None

    def test_a_lease_that_ran_out_gets_its_run_going_again(self, office: Office, dead: str) -> None:
        """In the same flow run, from the top."""
        office.here.ahead = policy.LEASE_LIFETIME

        assert survey_abandoned.fn() == survey_drops.fn() == {dead: Care.RECOVER}
        assert recover_provision.fn(dead) is True

        run = office.drop(dead).flow_run_id
        assert run is not None
        assert office.runs.state(run) == "AwaitingRetry"
        assert survey_abandoned.fn() == {}
        assert office.here.leases.list_run_out(office.here.now()) == (), "nobody needs it until the run begins"

    def test_a_run_that_begins_keeps_the_old_lease_in_sight(self, office: Office, dead: str) -> None:
        """A second death right after the start is not overlooked."""
        office.here.ahead = policy.LEASE_LIFETIME
        run = str(office.drop(dead).flow_run_id)
        office.runs.since[run] = office.here.now()

        assert survey_abandoned.fn() == {}
        office.here.ahead += policy.RUN_START_TIME
        assert survey_abandoned.fn() == {dead: Care.RECOVER}

    def test_a_question_without_a_form_is_asked_again(self, office: Office, dead: str) -> None:
        """A run killed before its form was saved cannot be answered: it starts again and asks anew."""
        office.here.ahead = policy.LEASE_LIFETIME
        run = str(office.drop(dead).flow_run_id)
        office.runs.suspend(run, "ticket-a1-r1")
        assert survey_abandoned.fn() == {}
        office.runs.formless.add(run)
        assert survey_drops.fn() == {dead: Care.RECOVER}
        assert recover_provision.fn(dead) is True

    def test_what_has_ended_needs_no_lease(self, office: Office, dead: str) -> None:
        """A process that died after its work leaves a lease behind that is given back."""
        office.here.drops.close(dead, Outcome.CANCELLED, "cancelled", "")
        destroy_drop.fn(dead)
        office.here.ahead = policy.LEASE_LIFETIME

        assert survey_abandoned.fn() == {}
        assert office.here.leases.list_run_out(office.here.now()) == ()


class TestSurveyDrops:
    def test_an_upload_that_nobody_told_of_is_started(self, office: Office) -> None:
        """Files that arrived by an invitation as a file are found without the front desk."""
        drop, _waiting = office.open(), office.open("waiting")
        office.upload(drop)

        assert survey_drops.fn() == {drop.id: Care.START}

    @pytest.mark.parametrize("state", ["Crashed", "NotReady", "Unavailable"])
    def test_a_run_that_stopped_is_started_again(self, office: Office, state: str) -> None:
        """What can go on without a person does."""
        certificate = office.ingest()
        run = start_provision.fn(certificate.drop_id)
        office.here.drops.attach_run(certificate.drop_id, run)
        office.runs.runs[run] = state

        assert survey_drops.fn() == {certificate.drop_id: Care.RESTART}

    @pytest.mark.parametrize("state", ["Running", "Suspended", "Drifted", "Failed"])
    def test_a_run_that_works_or_waits_or_wants_a_person_is_left_alone(self, office: Office, state: str) -> None:
        """Drift is looked at by a person first; starting it again could make it worse."""
        certificate = office.ingest()
        run = start_provision.fn(certificate.drop_id)
        office.here.drops.attach_run(certificate.drop_id, run)
        office.runs.runs[run] = state

        assert survey_drops.fn() == {}

    def test_a_run_that_died_between_destruction_and_the_end_is_started_again(self, office: Office) -> None:
        """A destroyed drop whose outcome is not on record is not forgotten."""
        certificate = office.provision()
        run = start_provision.fn(certificate.drop_id)
        office.here.drops.attach_run(certificate.drop_id, run)
        destroy_drop.fn(certificate.drop_id)
        office.runs.runs[run] = "Crashed"

        assert survey_drops.fn() == {certificate.drop_id: Care.RESTART}

    def test_time_is_over(self, office: Office) -> None:
        """A drop past its time expires, wherever it stands, unless an edge is meant to serve its certificate."""
        idle, matched, served = office.open("idle"), office.match("matched"), office.provision("served")
        office.here.ahead = timedelta(days=15)

        needs = survey_drops.fn()

        assert (needs[idle.id], needs[matched.drop_id]) == (Care.EXPIRE, Care.EXPIRE)
        assert needs.get(served.drop_id) is not Care.EXPIRE

    def test_an_end_that_was_cut_short_is_finished(self, office: Office) -> None:
        """An outcome on record with a drop still there means that somebody died while clearing away."""
        certificate = office.match()
        office.here.drops.close(certificate.drop_id, Outcome.REJECTED, "code", "Because.")

        assert survey_drops.fn() == {certificate.drop_id: Care.FINISH}

    def test_what_is_destroyed_is_listed_for_its_second_sweep_in_time(self, office: Office) -> None:
        """Not before the upload capability has expired."""
        certificate = office.match()
        destroy_drop.fn(certificate.drop_id)
        office.here.drops.close(certificate.drop_id, Outcome.CANCELLED, "cancelled", "")

        assert list_unswept.fn() == []
        office.here.ahead = timedelta(hours=1)
        assert list_unswept.fn() == [certificate.drop_id]


class TestStartProvision:
    def test_a_drop_has_one_run(self, office: Office) -> None:
        """However often it is asked for, and under the name an operator looks for."""
        drop = office.open()

        first = start_provision.fn(drop.id)

        assert start_provision.fn(drop.id) == first
        assert office.runs.started[first] == (
            "provision/provision",
            {"drop_id": drop.id},
            "provision shop.example.test",
        )

    def test_a_run_that_crashed_before_it_began_is_started_again(self, office: Office) -> None:
        """Prefect gives the run of that key although it is dead: it must be brought back to life."""
        drop = office.open()
        run = start_provision.fn(drop.id)
        office.runs.runs[run] = "Crashed"

        assert start_provision.fn(drop.id) == run
        assert office.runs.runs[run] == "AwaitingRetry"


class TestResumeProvision:
    @pytest.fixture(name="run")
    def _run(self, office: Office) -> str:
        certificate = office.match()
        run = start_provision.fn(certificate.drop_id)
        office.here.drops.attach_run(certificate.drop_id, run)
        return run

    def test_a_lost_resume_is_made_up_for(self, office: Office, run: str) -> None:
        """A match that is on record while the run still waits for a ticket is what the next pass looks for."""
        ((drop_id, ticket),) = list_matched()
        office.runs.suspend(run, "ticket-a1-r1")

        assert resume_provision.fn(drop_id, ticket) is True
        assert office.runs.answers[run] == [{"ticket": ticket, "name": "watch-tickets"}]
        assert resume_provision.fn(drop_id, ticket) is False

    def test_the_approval_gate_is_not_answered(self, office: Office, run: str) -> None:
        """A run that waits for a person waits for a person."""
        ((drop_id, ticket),) = list_matched()
        office.runs.suspend(run, "approval-0123456789abcdef-a1-r1")

        assert resume_provision.fn(drop_id, ticket) is False
        assert office.runs.runs[run] == "Suspended"

    def test_a_drop_without_a_run_has_nothing_to_resume(self, office: Office) -> None:
        """The run that is started later finds the match by itself."""
        certificate = office.match()
        ticket = office.here.decisions.find_match(certificate.drop_id)

        assert resume_provision.fn(certificate.drop_id, str(ticket)) is False
