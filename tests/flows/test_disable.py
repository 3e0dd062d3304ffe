"""Disabling HTTPS for a hostname: by ticket, with approval, off both edges, to the last copy; or not at all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from prefect.client.schemas.objects import StateType

from flows import disable, force_https, reconcile, watch_removals
from tasks.core.errors import NotFound, Rejected
from tasks.core.force_https import Rule
from tasks.core.model import Certificate, EntryKind, Outcome, Removal
from tasks.request_removal import request_removal
from tests.office import ADDRESS, RIVAL, SHOP, Office
from tests.theatre import RUN, Theatre, Waiting, without_prefect

YES = {"decision": "approve", "name": "olga"}
GRACE = timedelta(days=30)


@pytest.fixture(name="certificate")
def _certificate(office: Office, theatre: Theatre, monkeypatch: pytest.MonkeyPatch) -> Certificate:
    """SHOP is served and paid for."""
    without_prefect(monkeypatch, (disable, watch_removals, force_https, reconcile))
    certificate = theatre.complete()
    theatre.asked.clear()
    return certificate


@pytest.fixture(name="removal")
def _removal(office: Office, certificate: Certificate) -> Removal:
    """Its customer wants no HTTPS any more."""
    return request(office)


def request(office: Office, requested_by: str = "account:acme") -> Removal:
    return request_removal(office.here.accounts.fetch_site(SHOP, "acme"), requested_by, office.here.now())


def run(removal: Removal) -> Any:
    return disable.disable.fn(removal_id=removal.id)


def complete(office: Office, theatre: Theatre, removal: Removal) -> Any:
    """Carry a removal to its end."""
    office.file(removal.id)
    theatre.answer("approval", **YES)
    return run(removal)


def look_round(office: Office, ahead: timedelta = timedelta()) -> Any:
    office.here.ahead += ahead
    return watch_removals.watch_removals.fn()


def kinds(office: Office) -> list[EntryKind]:
    return [entry.kind for entry in office.here.billing.list_entries("acme")]


def outcome(office: Office, removal: Removal) -> Outcome | None:
    return office.here.removals.fetch(removal.id).outcome


class TestCompleted:
    def test_it_is_off_both_edges_and_paid_no_more(self, office: Office, theatre: Theatre, removal: Removal) -> None:
        """No handshake, no key on an edge, plain HTTP as before, the charge ended, the ticket answered with proof."""
        receipt = complete(office, theatre, removal)

        assert receipt["outcome"] == "completed"
        assert [(edge.hosts, edge.bundles) for edge in office.edges] == [({}, {})] * 2
        for edge in office.here.settings.edges:
            assert office.probe.find_refusal(edge, SHOP)
            assert office.probe.ask_plainly(edge, SHOP).status == 200
        assert kinds(office) == [EntryKind.ENABLE, EntryKind.DISABLE]
        ended = office.here.billing.list_entries("acme")[-1].at
        assert ended == office.here.removals.fetch(removal.id).disabled_at
        assert office.here.billing.find_open("acme", SHOP) is None
        assert "handshake refused" in office.answers(removal.id)
        assert f"Its charge ended on {ended:%Y-%m-%d}" in office.answers(removal.id)
        assert office.here.tickets.list_waiting() == ()
        assert office.here.audit.verify()

    def test_from_the_top_again_changes_nothing(self, office: Office, theatre: Theatre, removal: Removal) -> None:
        """Nobody is asked, told or charged again."""
        complete(office, theatre, removal)
        before = (len(office.here.audit.entries()), office.answers(removal.id), len(theatre.asked), kinds(office))
        theatre.forget_answers()

        assert run(removal).name == "Completed"
        assert (
            len(office.here.audit.entries()),
            office.answers(removal.id),
            len(theatre.asked),
            kinds(office),
        ) == before

    def test_reconcile_leaves_it_so(self, office: Office, theatre: Theatre, removal: Removal) -> None:
        """Records and edges agree: nothing is refilled."""
        complete(office, theatre, removal)
        assert reconcile.reconcile.fn() is None
        assert office.served() == [None, None]

    def test_it_can_be_set_up_again(self, office: Office, theatre: Theatre, removal: Removal) -> None:
        """A new hand-over serves it, is charged anew, and survives the end of the old one's grace period."""
        complete(office, theatre, removal)
        renewed = theatre.complete("again")

        assert look_round(office, GRACE) is None
        assert office.served() == [renewed.bundle_sha256] * 2
        assert kinds(office) == [EntryKind.ENABLE, EntryKind.DISABLE, EntryKind.ENABLE]
        assert office.here.certificates.fetch_data_key(renewed.id)

    def test_the_redirect_to_https_goes_with_it(self, office: Office, theatre: Theatre, removal: Removal) -> None:
        """A redirect would make plain HTTP unreachable; who was promised HSTS reads until when browsers remember."""
        force_https.force_https.fn(SHOP, "on-with-hsts", "oscar")
        complete(office, theatre, removal)

        assert [edge.force_https for edge in office.edges] == [{}, {}]
        assert office.here.switches.list() == ()
        assert "cannot reach the site until" in office.answers(removal.id)

    def test_a_renewal_under_way_is_cancelled(self, office: Office, theatre: Theatre, removal: Removal) -> None:
        """What somebody was about to put on the edges is not, and its customer reads why."""
        drop = office.match("renewal").drop_id
        complete(office, theatre, removal)

        assert office.drop(drop).outcome is Outcome.CANCELLED
        assert office.drop(drop).outcome_code == "disabled"
        assert office.served() == [None, None]

    def test_by_an_operators_form(self, office: Office, theatre: Theatre, certificate: Certificate) -> None:
        """The form opens a removal; its asker may not approve it, in whatever letters; a colleague does."""
        with pytest.raises(Waiting, match="ticket"):
            disable.disable.fn(SHOP, "olga")
        (removal,) = office.here.removals.list_live()
        office.file(removal.id)
        theatre.answer("approval", decision="approve", name="OLGA")
        theatre.answer("approval", decision="approve", name="oscar")

        assert disable.disable.fn(SHOP, "olga")["outcome"] == "completed"
        assert "self-approval" in theatre.questions("approval")[1]
        theatre.forget_answers()
        assert disable.disable.fn(SHOP, "olga").name == "Completed"  # the same run, from the top


class TestGates:
    def test_waits_for_the_ticket_then_for_a_person(self, office: Office, theatre: Theatre, removal: Removal) -> None:
        """Nothing is changed before both."""
        with pytest.raises(Waiting, match="ticket"):
            run(removal)
        office.file(removal.id)
        with pytest.raises(Waiting, match="approval"):
            run(removal)

        (question,) = theatre.questions("approval")
        for words in (SHOP, "acme", "a, b", removal.id, "30 days", "Disable HTTPS"):
            assert words in question.replace("\\", "")
        assert None not in office.served()

    def test_a_strangers_ticket_asks_for_nothing(self, office: Office, removal: Removal) -> None:
        """Only the account's own address may have its HTTPS disabled."""
        office.file(removal.id, "eve@evil.test")
        with pytest.raises(Waiting, match="ticket"):
            run(removal)

    def test_no_leaves_everything(self, office: Office, theatre: Theatre, removal: Removal) -> None:
        """The customer reads the note; HTTPS and the charge go on, and it can be asked for again."""
        office.file(removal.id)
        theatre.answer("approval", decision="reject", name="olga", note="Talk to us first.")

        state = run(removal)

        assert (state.type, state.name) == (StateType.COMPLETED, "Rejected")
        assert "Talk to us first." in office.answers(removal.id)
        assert None not in office.served()
        assert kinds(office) == [EntryKind.ENABLE]
        assert request(office).id != removal.id

    def test_an_answer_on_record_is_not_asked_for_again(
        self, office: Office, theatre: Theatre, removal: Removal
    ) -> None:
        """Prefect forgets answers when a crashed run starts again; the records do not."""
        office.edges[1].down = True
        assert complete(office, theatre, removal).name == "Unavailable"
        office.edges[1].down = False
        theatre.forget_answers()

        assert run(removal)["outcome"] == "completed"
        assert len(theatre.questions("approval")) == 1


class TestUndone:
    @pytest.mark.parametrize("call", ["health", "restore", "set_force_https"])
    @pytest.mark.parametrize("after", [False, True])
    def test_an_edge_that_fails_leaves_a_pair_that_agrees(
        self, office: Office, theatre: Theatre, removal: Removal, certificate: Certificate, call: str, after: bool
    ) -> None:
        """Both edges serve the certificate again, and reconcile has nothing to do; the next try ends it."""
        office.edges[1].fail_next(call, after=after)

        assert complete(office, theatre, removal).name == "Unavailable"
        assert office.served() == [certificate.bundle_sha256] * 2
        assert reconcile.reconcile.fn() is None
        assert run(removal)["outcome"] == "completed"

    def test_an_edge_that_shakes_hands_all_the_same(
        self, office: Office, theatre: Theatre, removal: Removal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No proof, no end of the charge: both edges are put back, and a person must look."""
        monkeypatch.setattr(office.probe, "find_refusal", lambda *_: None)

        assert complete(office, theatre, removal).name == "Drifted"
        assert None not in office.served()
        assert kinds(office) == [EntryKind.ENABLE]

    @pytest.mark.parametrize(
        ("where", "call"),
        [("removals", "mark_leaving"), ("removals", "mark_disabled"), ("removals", "close"), ("billing", "end"),
         ("tickets", "close"), ("audit", "append_once")],
    )  # fmt: skip
    @pytest.mark.parametrize("after", [False, True])
    def test_a_kill_anywhere_is_gone_on_from(
        self, office: Office, theatre: Theatre, removal: Removal, monkeypatch: pytest.MonkeyPatch,
        where: str, call: str, after: bool,
    ) -> None:  # fmt: skip
        """Killed before or after any record, the next start ends in the same place, and nobody is asked twice."""
        office.file(removal.id)
        theatre.answer("approval", **YES)
        with pytest.MonkeyPatch.context() as broken:
            killing(broken, getattr(office.here, where), call, after)
            with pytest.raises(Killed):
                run(removal)
        theatre.forget_answers()

        ended = run(removal)
        assert (ended if isinstance(ended, dict) else ended.data)["outcome"] == "completed"
        assert office.served() == [None, None]
        assert kinds(office) == [EntryKind.ENABLE, EntryKind.DISABLE]
        assert len(theatre.questions("approval")) == 1
        assert office.answers(removal.id).count("HTTPS is disabled for") == 1

    def test_a_run_that_is_cancelled_in_the_ui_is_undone(
        self, office: Office, removal: Removal, certificate: Certificate
    ) -> None:
        """HTTPS goes on, and the customer is told."""
        office.file(removal.id)
        with pytest.raises(Waiting):
            run(removal)
        office.here.removals.mark_leaving(removal.id, on=True)
        office.edges[0].restore(SHOP, None)
        office.runs.runs[RUN] = "Cancelled"

        assert look_round(office) is None
        assert outcome(office, removal) is Outcome.CANCELLED
        assert office.served() == [certificate.bundle_sha256] * 2
        assert "HTTPS goes on" in office.answers(removal.id)


class TestRequest:
    def test_needs_something_to_disable(self, office: Office) -> None:
        """A hostname on HTTP only is told so."""
        with pytest.raises(Rejected, match="nothing-to-disable"):
            request(office)

    def test_again_gives_the_one_under_way(self, office: Office, removal: Removal) -> None:
        """One removal a hostname."""
        assert request(office, "operator:oscar") == removal


class TestRound:
    def test_starts_what_nobody_started_and_what_stopped(self, office: Office, removal: Removal) -> None:
        """An event that was lost is made up for; a run that waited in vain goes on."""
        look_round(office)
        (started,) = (run for run in office.runs.started.values() if run[0] == "disable/disable")
        assert started[1] == {"removal_id": removal.id}
        office.here.removals.attach_run(removal.id, RUN)
        office.runs.runs[RUN] = "Unavailable"
        look_round(office)
        assert office.runs.runs[RUN] == "AwaitingRetry"

    def test_copies_in_the_vault_go_when_the_grace_is_over(
        self, office: Office, theatre: Theatre, removal: Removal, certificate: Certificate
    ) -> None:
        """Not a second before; then key, object and every version are gone, with proof on trail and ticket."""
        complete(office, theatre, removal)
        look_round(office, GRACE - timedelta(minutes=1))
        assert office.here.certificates.fetch_data_key(certificate.id)
        assert office.vault._objects.versions

        for _ in range(2):
            assert look_round(office, timedelta(minutes=1)) is None
            assert not office.vault._objects.versions
        with pytest.raises(NotFound):
            office.here.certificates.fetch_data_key(certificate.id)
        assert office.actions(certificate.id).count("vault.destroyed") == 1
        assert office.answers(removal.id).count("is left. Proof on the audit trail") == 1

    def test_a_dangling_record_is_reported_once_to_the_customer_and_daily_to_operators(
        self, office: Office, theatre: Theatre, removal: Removal
    ) -> None:
        """The app is gone and the record still leads here: somebody could take the name over."""
        complete(office, theatre, removal)
        assert "dangling" not in office.answers(removal.id)
        office.probe.live[SHOP, ADDRESS] = 502

        for _ in range(2):
            assert "dangling-record" in look_round(office, timedelta(days=1, minutes=1)).message
            assert look_round(office) is None  # until the next day
        assert office.answers(removal.id).count("Such a dangling record") == 1
        office.resolver.addresses.pop(SHOP)
        assert look_round(office, timedelta(days=1, minutes=1)) is None

    def test_a_record_that_is_gone_is_nobodys_worry(self, office: Office, theatre: Theatre, removal: Removal) -> None:
        """The customer left for good, and took the record along."""
        office.resolver.addresses.pop(SHOP)
        complete(office, theatre, removal)
        assert look_round(office, timedelta(days=2)) is None

    def test_others_are_left_alone(self, office: Office, theatre: Theatre, removal: Removal) -> None:
        """Another hostname's rule stays."""
        office.edges[0].force_https[RIVAL] = Rule(redirect=True, max_age=None)
        complete(office, theatre, removal)
        assert RIVAL in office.edges[0].force_https


class Killed(BaseException):
    """The process is gone."""


def killing(patch: pytest.MonkeyPatch, place: object, call: str, after: bool) -> None:
    """Let the process die before, or right after, the first such call."""
    real: Callable[..., Any] = getattr(place, call)

    def die(*args: Any, **kwargs: Any) -> Any:
        if after:
            real(*args, **kwargs)
        raise Killed(call)

    patch.setattr(place, call, die)
