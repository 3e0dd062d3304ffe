"""Invitations travel as JSON, come back equal, and are refused whole when anything is off."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.errors import BadInput
from tasks.core.invitation import MAX_BYTES, PUBLIC_KEY_BYTES, parse_invitation, render_invitation
from tasks.core.model import Invitation, make_id, parse_hostname

INVITATION = Invitation(
    drop_id=make_id("drop", bytes(16)),
    name="edge",
    account="acme",
    hostname=parse_hostname("shop.example.com"),
    suite=1,
    public_key=bytes(range(32)),
    upload_url="https://s3.example.com/drops",
    upload_fields={"key": "drops/x/envelope", "policy": "e30="},
    secret=b"\xa5" * 32,
    expires_at=datetime(2026, 11, 24, 12, 0, tzinfo=UTC),
)


def altered(**changes: Any) -> bytes:
    """Give the invitation's JSON with some fields replaced; a field set to `...` is taken out."""
    document = json.loads(render_invitation(INVITATION)) | changes
    return json.dumps({k: v for k, v in document.items() if v is not ...}).encode()


class TestRoundTrip:
    @given(suite=st.sampled_from(sorted(PUBLIC_KEY_BYTES)), data=st.data())
    def test_what_was_rendered_comes_back_equal(self, suite: int, data: st.DataObject) -> None:
        """Parsing what was rendered gives the same invitation, for every suite and any bytes."""
        size = PUBLIC_KEY_BYTES[suite]
        invitation = replace(
            INVITATION,
            suite=suite,
            public_key=data.draw(st.binary(min_size=size, max_size=size)),
            secret=data.draw(st.binary(min_size=32, max_size=32)),
        )
        assert invitation == parse_invitation(render_invitation(invitation))

    def test_times_are_utc_whatever_zone_they_were_written_in(self) -> None:
        """A time with another offset is the same moment, in UTC."""
        local = INVITATION.expires_at.astimezone(timezone(timedelta(hours=5)))
        parsed = parse_invitation(altered(expires_at=local.isoformat()))
        assert INVITATION.expires_at == parsed.expires_at
        assert UTC is parsed.expires_at.tzinfo

    def test_the_size_limit_leaves_room_for_the_largest_suite(self) -> None:
        """A hybrid invitation with generous upload fields is far below the limit."""
        invitation = replace(
            INVITATION, suite=2, public_key=bytes(1216), upload_fields={str(i): "x" * 1000 for i in range(10)}
        )
        assert len(render_invitation(invitation)) < MAX_BYTES / 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 20_000, "not JSON"),
        (b"[]", "not an invitation of version 1"),
        (altered(certferry_invitation=2), "not an invitation of version 1"),
        (altered(secret=...), "without secret"),
        (altered(surprise=1), "fields that do not belong"),
        (altered(suite=3), "a suite that this certferry does not know"),
        (altered(suite=True), "a suite that this certferry does not know"),
        (altered(suite=2), "public_key is not 1216 bytes long"),
        (altered(public_key="!!"), "public_key is not base64"),
        (altered(secret=base64.b64encode(bytes(31)).decode()), "secret is not 32 bytes long"),
        (altered(secret=7), "secret is not text"),
        (altered(drop_id="drop-../../etc"), "malformed"),
        (altered(name="../edge"), "malformed"),
        (altered(hostname="*.example.com"), "malformed"),
        (altered(expires_at="tomorrow"), "expires_at is not a time"),
        (altered(expires_at="2026-11-24T12:00:00"), "no time zone"),
        (altered(upload=[]), "upload is not a url and its fields"),
        (altered(upload={"url": "file:///etc/passwd", "fields": {}}), "upload.url"),
        (altered(upload={"url": "https://user@s3.example.com/", "fields": {}}), "upload.url"),
        (altered(upload={"url": "http://[", "fields": {}}), "upload.url"),
        (altered(upload={"url": "https://s3.example.com/", "fields": {"key": 1}}), "upload.fields"),
        (b" " * (MAX_BYTES + 1), f"more than {MAX_BYTES}"),
    ],
)
def test_anything_else_is_refused_and_says_which_field(text: bytes, says: str) -> None:
    """A damaged invitation is refused with one code, and the message names what is off."""
    with pytest.raises(BadInput) as caught:
        parse_invitation(text)
    assert caught.value.code == "bad-invitation"
    assert says in caught.value.got


def test_no_refusal_repeats_the_secret() -> None:
    """A refused invitation's error shows no value out of it, whichever field is damaged."""
    secret = base64.b64encode(INVITATION.secret).decode()
    for field in ("drop_id", "name", "account", "hostname", "secret", "expires_at", "suite", "public_key", "upload"):
        with pytest.raises(BadInput) as caught:
            parse_invitation(altered(**{field: f"{secret}{secret}"}))
        assert secret[:10] not in str(caught.value)


def test_printing_an_invitation_shows_the_drop_only() -> None:
    """The secret stays out of tracebacks and logs that print the object."""
    assert f"Invitation({INVITATION.drop_id})" == repr(INVITATION)
