"""The rules of the seven steps: domain, ticket, approval, what the round does, and what the customer reads."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from tasks.core import policy
from tasks.core.approval import describe_price, draft_plan, parse_approver
from tasks.core.care import Care, Phase, Run, plan_care
from tasks.core.errors import DomainNotLive, Forbidden, TicketRefused
from tasks.core.hand_over import Facts, Stage, Turn, read_hand_over
from tasks.core.live import check_answers, check_challenge, check_leads_here
from tasks.core.matching import check_sender, find_named_subject
from tasks.core.model import Certificate, Drop, DropState, Hostname, Message, Outcome, Price, Site, Ticket, make_id

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
SHOP = Hostname("shop.example.test")
TARGET = Hostname("edge.platform.test")
SITE = Site(SHOP, "shop", "acme", "abc123")
DROP = Drop(
    id=make_id("drop", bytes(16)),
    name="edge",
    account="acme",
    app="shop",
    hostname=SHOP,
    state=DropState.OPEN,
    requested_by="account:acme",
    created_at=NOW,
    expires_at=NOW + policy.DROP_LIFETIME,
)
CERTIFICATE = Certificate(
    id=make_id("cert", bytes(16)),
    drop_id=DROP.id,
    account="acme",
    hostname=SHOP,
    leaf_sha256="1" * 64,
    spki_sha256="2" * 64,
    bundle_sha256="3" * 64,
    subject="CN=shop.example.test",
    issuer="CN=Example CA",
    serial="0a",
    dns_names=(SHOP,),
    not_before=NOW,
    not_after=NOW + timedelta(days=90),
    vault_key="certificates/x",
    vault_version="v1",
)
FACTS = Facts(site=SITE, contact="ops@acme.test", address_record=f"{SHOP}. CNAME {TARGET}.")


def a_ticket(sender: str = "ops@acme.test", body: str = "Please.", drop_id: str | None = None) -> Ticket:
    return Ticket(make_id("ticket", bytes(16)), sender, "HTTPS", drop_id, "open", (Message(sender, body, NOW),))


class TestCheckSender:
    @pytest.mark.parametrize("sender", ["ops@acme.test", "OPS@Acme.Test"])
    def test_the_accounts_own_address(self, sender: str) -> None:
        """Only the case of letters makes no difference."""
        check_sender(a_ticket(sender), "ops@acme.test")

    @pytest.mark.parametrize(
        "sender",
        [
            "ops+x@acme.test",
            "ops@acme.test.evil.test",
            "ops@evil.test",
            "ops@acme.tes",
            "ops@acmé.test",
            "\u043eps@acme.test",  # Cyrillic o
            "ops@\u0430cme.test",  # Cyrillic a
            "op\u017f@acme.test",  # long s, whose upper case is S
            "ops@ac\u212ae.test",  # Kelvin sign
            "ops@acme.test ",
            " ops@acme.test",
            "ops@acme.test\n",
            "ops@acme.test\u200b",
            '"ops@acme.test" <eve@evil.test>',
            "ops@acme.test,eve@evil.test",
            "ops%40acme.test@evil.test",
            "o.p.s@acme.test",
            "ops@xn--acme-test.test",
            "",
            "ops",
        ],
    )
    def test_no_look_alike(self, sender: str) -> None:
        """Tags, subdomains, display names, homographs and stray characters are other addresses (THREATS S1)."""
        with pytest.raises(TicketRefused) as refused:
            check_sender(a_ticket(sender), "ops@acme.test")
        assert "ops@acme.test" not in refused.value.got + refused.value.wanted + refused.value.do


class TestFindNamedDrop:
    def test_the_field_before_the_text(self) -> None:
        """The drop that the front desk filled in counts; else the one that is quoted."""
        other = make_id("drop", b"x" * 16)

        assert find_named_subject(a_ticket(body=f"About {other}.", drop_id=DROP.id)) == DROP.id
        assert find_named_subject(a_ticket(body=f"About {other}.")) == other

    def test_what_certferry_wrote_names_nothing(self) -> None:
        """An answer of ours that quotes a drop does not make a ticket speak of it."""
        ticket = replace(a_ticket(), messages=(Message("certferry", f"See {DROP.id}.", NOW),))

        assert find_named_subject(ticket) is None


class TestDomain:
    @pytest.mark.parametrize("found", [(), ("abc123",), ("certferry-challenge=abc1234",), ("certferry-challenge=",)])
    def test_only_the_exact_challenge(self, found: tuple[str, ...]) -> None:
        """Part of the challenge, or another, proves nothing."""
        with pytest.raises(DomainNotLive, match="Add this TXT record"):
            check_challenge(SITE, found)

    def test_the_challenge_among_others(self) -> None:
        """A name may have other TXT records too."""
        check_challenge(SITE, ("v=spf1 -all", "certferry-challenge=abc123"))

    @pytest.mark.parametrize(
        ("cnames", "addresses"),
        [((TARGET,), ("203.0.113.9",)), ((Hostname("cdn.example.test"), TARGET), ("1.2.3.4",)), ((), ("192.0.2.1",))],
    )
    def test_leads_here(self, cnames: tuple[Hostname, ...], addresses: tuple[str, ...]) -> None:
        """By a CNAME anywhere on the way, or by addresses that are all the platform's."""
        check_leads_here(SHOP, cnames, addresses, [TARGET], ["192.0.2.1", "192.0.2.2"])

    @pytest.mark.parametrize(
        ("cnames", "addresses", "code"),
        [
            ((), (), "no-address"),
            ((TARGET,), (), "no-address"),
            ((), ("203.0.113.9",), "leads-elsewhere"),
            ((), ("192.0.2.1", "203.0.113.9"), "leads-elsewhere"),
            ((Hostname("edge.platform.test.evil.test"),), ("203.0.113.9",), "leads-elsewhere"),
        ],
    )
    def test_leads_elsewhere(self, cnames: tuple[Hostname, ...], addresses: tuple[str, ...], code: str) -> None:
        """Nothing, another server, another server among ours, or a look-alike; the message has the record to add."""
        with pytest.raises(DomainNotLive) as pending:
            check_leads_here(SHOP, cnames, addresses, [TARGET], ["192.0.2.1", "192.0.2.2"])
        assert pending.value.code == code
        assert f"{SHOP}. CNAME {TARGET}." in pending.value.do

    @pytest.mark.parametrize(("status", "live"), [(200, True), (301, True), (404, True), (499, True), (500, False)])
    def test_answers(self, status: int, live: bool) -> None:
        """Whatever an app says counts; what a gateway says in its place does not."""
        if live:
            check_answers(SHOP, status)
        else:
            with pytest.raises(DomainNotLive):
                check_answers(SHOP, status)


class TestApprover:
    def test_gives_the_name_as_the_settings_have_it(self) -> None:
        """The record says one name, however it was typed."""
        assert parse_approver("  oscar ", ["olga", "Oscar"], "account:oscar") == "Oscar"

    @pytest.mark.parametrize("name", ["", "   ", "mallory", "olga oscar"])
    def test_not_a_stranger(self, name: str) -> None:
        """Only names from the settings decide."""
        with pytest.raises(Forbidden, match="unknown-approver"):
            parse_approver(name, ["olga", "oscar"], "account:acme")

    @pytest.mark.parametrize("name", ["olga", "OLGA", " Olga"])
    def test_not_who_asked(self, name: str) -> None:
        """Four eyes, in whatever letters."""
        with pytest.raises(Forbidden, match="self-approval"):
            parse_approver(name, ["Olga", "oscar"], "operator:olga")


def test_the_price_of_a_month_is_to_the_cent() -> None:
    """160 MB at 0.0125 are 2.00; what is known to come is said with it, and approved with it."""
    prices = [Price(date(2026, 1, 1), Decimal("0.0125")), Price(date(2027, 1, 1), Decimal("0.0133"))]

    plan = draft_plan(DROP, CERTIFICATE, ["a", "b"], 160, prices, "EUR")

    assert describe_price(plan) == "2.00 EUR a month (160 MB x 0.0125); from 2027-01-01 2.13 EUR"
    assert [plan.price_on(date(*day)) for day in ((2026, 12, 31), (2027, 1, 1))] == [x.unit_price for x in prices]


PHASES = {
    "Running": Phase.WORKING,
    "Pending": Phase.WORKING,
    "Suspended": Phase.WAITING,
    "AwaitingRetry": Phase.SCHEDULED,
}


class TestPlanCare:
    @pytest.mark.parametrize(
        ("changes", "after", "upload", "run", "assigned", "care"),
        [
            ({}, 0, True, "Running", False, Care.RECOVER),
            ({}, 0, True, "Pending", False, Care.RECOVER),
            ({}, 0, True, "AwaitingRetry", False, Care.NOTHING),
            ({}, 0, False, None, False, Care.NOTHING),
            ({}, 0, True, None, False, Care.START),
            ({}, 0, True, "Crashed", False, Care.RESTART),
            ({}, 0, False, "NotReady", False, Care.NOTHING),
            ({}, 0, True, "Drifted", False, Care.NOTHING),
            ({}, 14, True, "Suspended", False, Care.EXPIRE),
            ({}, 14, True, "Unavailable", True, Care.RESTART),
            ({}, 14, True, "Running", True, Care.RECOVER),
            ({"outcome": Outcome.REJECTED}, 14, True, "Rejected", False, Care.FINISH),
            ({"outcome": Outcome.REJECTED, "state": DropState.DESTROYED}, 14, True, "Rejected", False, Care.NOTHING),
        ],
    )
    def test_every_case(
        self, changes: dict[str, object], after: int, upload: bool, run: str | None, assigned: bool, care: Care
    ) -> None:
        """Start what has arrived, restart what may go on, expire what is late, finish what has ended."""
        drop = replace(DROP, **changes)  # type: ignore[arg-type]

        now = NOW + timedelta(days=after)
        seen = Run(run, PHASES.get(run, Phase.ENDED), now - timedelta(minutes=5)) if run else None

        assert plan_care(drop, now, upload, seen, False, assigned, False) is care

    def test_a_run_that_holds_a_lease_is_not_lost(self) -> None:
        """However long it works: the lease is what says that it lives."""
        run = Run("Running", Phase.WORKING, NOW - timedelta(hours=1))
        assert plan_care(DROP, NOW, True, run, True, False, False) is Care.NOTHING
        assert plan_care(DROP, NOW, True, run, False, False, False) is Care.RECOVER

    def test_a_run_that_has_just_begun_is_given_time(self) -> None:
        """From the worker's first word to the lease it takes some seconds."""
        run = Run("Running", Phase.WORKING, NOW - policy.RUN_START_TIME + timedelta(seconds=1))
        assert plan_care(DROP, NOW, True, run, False, False, False) is Care.NOTHING

    @pytest.mark.parametrize(("confirmed", "care"), [(False, Care.CANCEL), (True, Care.RESTART)])
    def test_a_cancelled_run_is_undone_unless_it_is_too_late(self, confirmed: bool, care: Care) -> None:
        """Once both edges were seen to serve it, the account may pay: then the rest is done."""
        run = Run("Cancelled", Phase.ENDED, NOW)
        assert plan_care(DROP, NOW, True, run, False, True, confirmed) is care

    def test_a_question_without_a_form_is_asked_again(self) -> None:
        """Killed between the suspension and the saving of its form, a run waits for what nobody can give."""
        for asks, care in ((True, Care.NOTHING), (False, Care.RECOVER)):
            run = Run("Suspended", Phase.WAITING, NOW - timedelta(minutes=5), asks)
            assert plan_care(DROP, NOW, True, run, False, False, False) is care

    def test_what_has_ended_is_left_to_who_clears_it_away(self) -> None:
        """Two processes that clear one drop away would only be in each other's way."""
        drop = replace(DROP, outcome=Outcome.REJECTED)
        assert plan_care(drop, NOW, True, None, True, False, False) is Care.NOTHING


class TestReadHandOver:
    @pytest.mark.parametrize(
        ("changes", "facts", "stage", "turn", "words"),
        [
            ({"state": DropState.REQUESTED}, {}, Stage.OPENING, Turn.PLATFORM, "few seconds"),
            ({}, {}, Stage.AWAITING_UPLOAD, Turn.CUSTOMER, "certferry push edge ./dir"),
            ({}, {}, Stage.AWAITING_UPLOAD, Turn.CUSTOMER, 'TXT "certferry-challenge=abc123"'),
            ({}, {}, Stage.AWAITING_UPLOAD, Turn.CUSTOMER, "shop.example.test. CNAME edge.platform.test."),
            ({"flow_run_id": "r"}, {}, Stage.CHECKING, Turn.CUSTOMER, "Add this TXT record"),
            ({"flow_run_id": "r", "verified_at": NOW}, {}, Stage.CHECKING, Turn.PLATFORM, "being checked"),
            (
                {"state": DropState.INGESTED},
                {"certificate": CERTIFICATE},
                Stage.AWAITING_TICKET,
                Turn.CUSTOMER,
                "certferry ticket file edge",
            ),
            (
                {"state": DropState.INGESTED},
                {"certificate": CERTIFICATE, "ticket_id": "t"},
                Stage.AWAITING_APPROVAL,
                Turn.OPERATOR,
                "operator",
            ),
            (
                {"state": DropState.INGESTED},
                {"certificate": CERTIFICATE, "ticket_id": "t", "approved": True},
                Stage.PROVISIONING,
                Turn.PLATFORM,
                "both edges",
            ),
            (
                {"state": DropState.DESTROYED, "outcome": Outcome.COMPLETED},
                {"certificate": CERTIFICATE, "ticket_id": "t"},
                Stage.COMPLETED,
                Turn.NOBODY,
                "https://shop.example.test/",
            ),
            (
                {"state": DropState.DESTROYED, "outcome": Outcome.REJECTED, "outcome_reason": "Key mismatch."},
                {},
                Stage.REJECTED,
                Turn.NOBODY,
                "Key mismatch.",
            ),
        ],
    )
    def test_says_whose_turn_it_is_and_what_to_do(
        self, changes: dict[str, object], facts: dict[str, object], stage: Stage, turn: Turn, words: str
    ) -> None:
        """At every stage the customer reads the next command or record, or that there is nothing to do."""
        drop = replace(DROP, **changes)  # type: ignore[arg-type]

        hand_over = read_hand_over(drop, replace(FACTS, **facts))  # type: ignore[arg-type]

        assert (hand_over.stage, hand_over.turn) == (stage, turn)
        assert words in hand_over.detail

    def test_tells_no_secret(self) -> None:
        """What the front desk answers holds no key, wrapped or public, and no upload capability."""
        drop = replace(DROP, public_key=b"public", version_id="v1", flow_run_id="run-1")

        answer = str(read_hand_over(drop, replace(FACTS, certificate=CERTIFICATE)).as_dict())

        for hidden in ("public_key", "vault", "run-1", "v1"):
            assert hidden not in answer
