"""
Every refusal of a hand-over, each with its code and what the customer reads.

The real steps and rules on real records and real cryptography; the outside systems are the strict fakes.
`tests/stack/test_rejections.py` shows those on a whole stack that need one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from tasks.core.envelope import Binding, seal
from tasks.core.errors import (
    ApprovalDenied,
    ApprovalPending,
    BadBundle,
    CannotOpen,
    CertferryError,
    DomainNotLive,
    Forbidden,
    KeyInTicket,
    TicketRefused,
)
from tasks.core.hand_over import describe_refusal
from tasks.core.live import challenge_name
from tasks.core.model import Drop
from tasks.core.plan import digest_plan
from tasks.ingest_secrets import ingest_secrets
from tasks.issue_invitation import issue_invitation
from tasks.issue_token import authenticate, issue_token
from tasks.match_ticket import match_ticket
from tasks.plan_provision import plan_provision
from tasks.provision_edges import provision_edges
from tasks.record_approval import record_approval
from tasks.verify_domain import verify_domain
from tests.desk import at_price
from tests.office import ADDRESS, SHOP, Office
from tests.pki import CA, Issued, key_pem, make_key

NOW = datetime.now(UTC)


@pytest.fixture(name="ca")
def _ca(authority: CA) -> CA:
    return authority


def ingest(office: Office, drop: Drop, envelope: bytes) -> str:
    """Let *envelope* arrive in *drop*, and bring it to the end of step 2."""
    office.store.arrive(drop.id, envelope)
    return ingest_secrets.fn(drop.id)


def _encrypted_der(issued: Issued) -> bytes:
    return issued.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))


# name: (what the customer pushes, the code, words that the customer reads)
BUNDLES: dict[str, tuple[Callable[[CA], dict[str, bytes]], str, str]] = {
    "passphrase-protected key": (
        lambda ca: (good := ca.issue([SHOP])).files(key=key_pem(good.key, passphrase=b"secret")),
        "key-encrypted",
        "passphrase",
    ),
    "encrypted DER key": (
        lambda ca: (good := ca.issue([SHOP])).files(key=_encrypted_der(good)),
        "key-encrypted",
        "openssl pkey -inform DER",
    ),
    "wrong key": (lambda ca: ca.issue([SHOP]).files(key=key_pem(make_key())), "key-mismatch", "ssl.key"),
    "wrong hostname": (lambda ca: ca.issue(["www.example.test"]).files(), "name-mismatch", SHOP),
    "expired": (lambda ca: ca.issue([SHOP], days=30, age_days=40).files(), "expired", "expired"),
}


class TestFiles:
    @pytest.mark.parametrize(("make", "code", "words"), BUNDLES.values(), ids=BUNDLES)
    def test_unfit_files_are_refused_with_the_way_out(
        self, office: Office, ca: CA, make: Callable[[CA], dict[str, bytes]], code: str, words: str
    ) -> None:
        """What a browser would not take is refused before the vault sees it, in words a customer can act on."""
        drop = office.open()

        with pytest.raises(BadBundle) as refused:
            ingest(office, drop, office.seal(drop, make(ca)))

        assert refused.value.code == code
        assert words in describe_refusal(refused.value)
        assert office.here.certificates.find_by_drop(drop.id) is None
        assert office.vault.calls == []


class TestEnvelope:
    def test_unsealed_garbage(self, office: Office, ca: CA) -> None:
        """A plain PEM, or noise, in the drop does not open, and nothing of it is repeated."""
        for body in (ca.issue([SHOP]).edge_pem, os.urandom(4000)):
            drop = office.open(f"edge-{len(body)}")
            issue_invitation(drop.id, NOW)

            with pytest.raises(CannotOpen) as refused:
                ingest(office, drop, body)

            assert_same_answer(refused.value, drop)

    def test_moved_from_another_drop(self, office: Office, ca: CA) -> None:
        """A sound envelope in another drop of the same customer does not open, and the answer is the same."""
        one, other = office.open("one"), office.open("other")
        issue_invitation(other.id, NOW)

        with pytest.raises(CannotOpen) as refused:
            ingest(office, other, office.seal(one, ca.issue([SHOP]).files()))

        assert_same_answer(refused.value, other)

    def test_sealed_by_somebody_without_the_drop_secret(self, office: Office, ca: CA) -> None:
        """Whoever knows the public key but not the secret is not the invited sender."""
        drop = office.open()
        invitation = issue_invitation(drop.id, NOW)
        binding = Binding(drop.id, drop.hostname, drop.account)
        files = ca.issue([SHOP]).files()

        with pytest.raises(CannotOpen) as refused:
            ingest(office, drop, seal(files, os.urandom(32), invitation.suite, invitation.public_key, binding))

        assert_same_answer(refused.value, drop)


class TestTicket:
    @pytest.mark.parametrize(
        "sender", ["ops@rival.test", "ops+x@acme.test", "ops@acme.test.evil.test", "op\u0455@acme.test"]
    )
    def test_foreign_sender(self, office: Office, ca: CA, sender: str) -> None:
        """Only the address on the account counts, to the letter; the stranger is not told which that is."""
        drop = office.open()
        ingest(office, drop, office.seal(drop, ca.issue([SHOP]).files()))
        ticket = office.file(drop.id, sender=sender)

        with pytest.raises(TicketRefused) as refused:
            match_ticket.fn(drop.id, ticket, "test")

        assert refused.value.code == "foreign-sender"
        assert "address on the account" in describe_refusal(refused.value)
        assert "ops@acme.test" not in str(refused.value)
        assert office.here.decisions.find_match(drop.id) is None

    def test_key_in_it(self, office: Office, ca: CA) -> None:
        """The key is not stored, counts as compromised from then on, and its certificate's hand-over is refused."""
        issued = ca.issue([SHOP])
        drop = office.open()
        ingest(office, drop, office.seal(drop, issued.files()))

        with pytest.raises(KeyInTicket):
            office.file(drop.id, body=f"Here you are:\n{issued.key_pem.decode()}")
        (ticket,) = office.here.tickets.list_waiting()
        with pytest.raises(KeyInTicket) as refused:
            match_ticket.fn(drop.id, ticket.id, "test")

        certificate = office.here.certificates.find_by_drop(drop.id)
        assert certificate is not None
        assert office.here.certificates.is_compromised(certificate.spki_sha256)
        assert (refused.value.code, ticket.state) == ("key-in-ticket", "refused")
        assert "counts as compromised" in describe_refusal(refused.value)
        assert issued.key_pem.splitlines()[1].decode() not in repr(ticket)


class TestToken:
    def test_foreign_one_gives_its_own_account(self, office: Office) -> None:
        """A token opens its own account and nothing else: another account's drop is not found."""
        drop = office.open()
        _, token = issue_token("rival", NOW)

        account = authenticate(token)

        assert account.name == "rival"
        with pytest.raises(CertferryError) as refused:
            office.here.drops.fetch(drop.id, account.name)
        assert refused.value.code == "not-found"

    def test_made_up_one(self, office: Office) -> None:
        """A token that was never given out is refused, and is not in the message."""
        with pytest.raises(Forbidden) as refused:
            authenticate("cf_" + "x" * 43)

        assert "xxxx" not in str(refused.value)


class TestApproval:
    @pytest.fixture(name="drop")
    def _drop(self, office: Office, ca: CA) -> Drop:
        """A drop that operator olga asked for, at the approval gate."""
        drop = office.open(requested_by="operator:olga")
        ingest(office, drop, office.seal(drop, ca.issue([SHOP]).files()))
        match_ticket.fn(drop.id, office.file(drop.id), "test")
        return drop

    @pytest.mark.parametrize("name", ["olga", "Olga", " OLGA "])
    def test_own_wish(self, office: Office, drop: Drop, name: str) -> None:
        """Who asked for it may not decide on it, however the name is written."""
        digest = digest_plan(plan_provision.fn(drop.id))

        with pytest.raises(Forbidden) as refused:
            record_approval.fn(drop.id, digest, "approve", name, "")

        assert refused.value.code == "self-approval"
        assert "colleague" in str(refused.value)
        assert office.here.decisions.find(drop.id, digest) is None

    def test_plan_changed_after_the_approval(self, office: Office, drop: Drop) -> None:
        """An approval is for one plan: with another price it puts nothing on any edge, and is asked for again."""
        approved = digest_plan(plan_provision.fn(drop.id))
        record_approval.fn(drop.id, approved, "approve", "oscar", "")
        office.here.settings = at_price(office.here.settings, Decimal("99"))

        with pytest.raises(ApprovalPending) as refused:
            provision_edges.fn(drop.id, approved)

        assert refused.value.code == "plan-changed"
        assert digest_plan(plan_provision.fn(drop.id)) in str(refused.value)
        assert [edge.calls for edge in office.edges] == [[], []]

    def test_operator_says_no(self, office: Office, drop: Drop) -> None:
        """A plan that was rejected puts nothing on any edge, and the customer reads the operator's reason."""
        digest = digest_plan(plan_provision.fn(drop.id))
        record_approval.fn(drop.id, digest, "reject", "oscar", "not before Monday")

        with pytest.raises(ApprovalDenied) as refused:
            provision_edges.fn(drop.id, digest)

        assert "not before Monday" in describe_refusal(refused.value)
        assert [edge.calls for edge in office.edges] == [[], []]


class TestDomain:
    """Not live yet is no refusal: it is polled, and the customer reads which record to add."""

    def _look(self, office: Office) -> DomainNotLive:
        drop = office.open()
        with pytest.raises(DomainNotLive) as pending:
            verify_domain.fn(drop.id, wait=False)
        assert office.here.drops.fetch(drop.id).verified_at is None
        return pending.value

    def test_dead_domain(self, office: Office) -> None:
        """A name without an address is not live; the message has the record to add."""
        del office.resolver.addresses[SHOP]

        pending = self._look(office)

        assert pending.code == "no-address"
        assert "shop.example.test. CNAME edge.platform.test." in pending.do

    def test_domain_that_leads_elsewhere(self, office: Office) -> None:
        """A name that leads to another server is not live, even if that server answers."""
        office.resolver.addresses[SHOP] = ("192.0.2.9",)
        office.probe.live[SHOP, "192.0.2.9"] = 200

        pending = self._look(office)

        assert pending.code == "leads-elsewhere"
        assert "192.0.2.9" in pending.got

    def test_domain_without_an_app_behind_it(self, office: Office) -> None:
        """A gateway that says 502 is no live app."""
        office.probe.live[SHOP, ADDRESS] = 502

        assert self._look(office).code == "app-not-answering"

    @pytest.mark.parametrize("found", [(), ("certferry-challenge=somebody-elses",), ("v=spf1 -all",)])
    def test_missing_txt_record(self, office: Office, found: tuple[str, ...]) -> None:
        """Without the challenge in a TXT record nothing else is even looked at; the message has the record to add."""
        name = challenge_name(SHOP)
        (wanted,) = office.resolver.texts[name]
        office.resolver.texts[name] = found

        pending = self._look(office)

        assert pending.code == "challenge-missing"
        assert f'_certferry-challenge.shop.example.test. TXT "{wanted}"' in pending.do
        assert office.resolver.asked == [name]


def assert_same_answer(refusal: CannotOpen, drop: Drop) -> None:
    """Whatever is wrong with an envelope, the answer is the same to the letter but for the drop's id."""
    assert str(refusal) == str(CannotOpen.for_drop(drop.id))
    assert refusal.__cause__ is None
    assert "certferry create" in describe_refusal(refusal)
