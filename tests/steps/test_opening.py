"""Asking for a drop, opening it, and inviting its customer."""

from __future__ import annotations

import os
from datetime import timedelta
from hashlib import sha256

import pytest

from tasks.core import policy
from tasks.core.envelope import HYBRID
from tasks.core.errors import BadInput, CannotUnwrap, HandOverClosed, NotFound, NotReady
from tasks.core.hand_over import seed_context
from tasks.core.model import DropState, Outcome, make_id
from tasks.ingest_secrets import ingest_secrets
from tasks.issue_invitation import issue_invitation
from tasks.open_drop import open_drop
from tasks.request_drop import request_by_form, request_drop
from tests.office import SHOP, Office


class TestRequestDrop:
    def test_asking_twice_makes_one(self, office: Office) -> None:
        """The caller keeps the id, so a request whose answer was lost is asked again without harm."""
        drop = office.request()

        again = request_drop(drop.id, "edge", "acme", "shop", SHOP, "account:acme", office.here.now())

        assert again == drop
        assert office.actions(drop.id) == ["drop.requested"]

    @pytest.mark.parametrize(("account", "app"), [("rival", "other"), ("acme", "other")])
    def test_only_for_ones_own_hostname(self, office: Office, account: str, app: str) -> None:
        """A hostname of another account, or of another app, is not found: the two look the same."""
        drop_id = make_id("drop", os.urandom(16))

        with pytest.raises(NotFound):
            request_drop(drop_id, "edge", account, app, SHOP, f"account:{account}", office.here.now())

    def test_an_operators_form_opens_one_drop_however_often_its_run_starts(self, office: Office) -> None:
        """A run that died after it had asked finds the drop it asked for; who asked is on record, for the four eyes."""
        first = request_by_form("acme", "shop", "Shop.Example.Test.", "edge", " Olga ")

        assert request_by_form("acme", "shop", SHOP, "edge", "olga") == first
        assert office.drop(first).requested_by == "operator:olga"

    def test_an_incomplete_form_is_refused(self, office: Office) -> None:
        """Without a name there would be nobody to keep from approving."""
        with pytest.raises(BadInput, match="your name"):
            request_by_form("acme", "shop", SHOP, "edge", "")


class TestOpenDrop:
    def test_makes_a_key_pair(self, office: Office) -> None:
        """The drop has a post-quantum public key, and its seed is wrapped for it alone."""
        drop = office.open()

        assert (drop.state, drop.suite) == (DropState.OPEN, HYBRID)
        office.seal(drop, {})
        wrapped, _ = office.here.drops.fetch_seed(drop.id)
        assert office.keys.unwrap(wrapped, seed_context(drop))
        with pytest.raises(CannotUnwrap):
            office.keys.unwrap(wrapped, seed_context(office.open("other")))

    def test_opening_twice_keeps_the_key(self, office: Office) -> None:
        """A customer who has sealed to the first key is not locked out by a second run."""
        drop = office.open()

        open_drop.fn(drop.id)

        assert office.drop(drop.id) == drop

    def test_what_has_ended_is_not_opened(self, office: Office) -> None:
        """A drop that was given up before it was opened gets no key pair."""
        drop = office.request()
        office.here.drops.close(drop.id, Outcome.CANCELLED, None, None)

        with pytest.raises(HandOverClosed):
            open_drop.fn(drop.id)
        assert office.drop(drop.id).public_key is None


class TestIssueInvitation:
    def test_keeps_only_the_digest_of_the_secret(self, office: Office) -> None:
        """The secret itself is in the invitation and nowhere else, and the invitation does not show it."""
        drop = office.open()

        invitation = issue_invitation(drop.id, office.here.now())

        assert office.here.drops.fetch_seed(drop.id)[1] == sha256(invitation.secret).hexdigest()
        assert len(invitation.secret) == policy.DROP_SECRET_BYTES
        assert invitation.secret.hex() not in repr(invitation)

    def test_each_one_has_another_secret(self, office: Office) -> None:
        """What was sealed with an earlier invitation counts no more: it is taken away, so only one upload lies there."""
        drop = office.open()
        office.upload(drop)

        office.upload(drop)

        assert ingest_secrets.fn(drop.id)

    def test_the_upload_ends_with_the_drop(self, office: Office) -> None:
        """No upload capability outlives its drop."""
        drop = office.open()

        late = issue_invitation(drop.id, drop.expires_at - timedelta(seconds=30))

        assert late.expires_at == drop.expires_at

    def test_not_before_the_drop_is_open(self, office: Office) -> None:
        """While the key pair is being made the customer is told to ask again."""
        with pytest.raises(NotReady):
            issue_invitation(office.request().id, office.here.now())

    def test_not_while_files_are_worked_on(self, office: Office) -> None:
        """A new secret would lock the files out that have arrived."""
        drop = office.open()
        office.upload(drop)
        office.here.drops.attach_run(drop.id, "run-1")

        with pytest.raises(HandOverClosed, match="worked on"):
            issue_invitation(drop.id, office.here.now())

    def test_not_for_a_drop_past_its_time(self, office: Office) -> None:
        """An expired drop takes no more files."""
        drop = office.open()

        with pytest.raises(HandOverClosed):
            issue_invitation(drop.id, drop.expires_at)
