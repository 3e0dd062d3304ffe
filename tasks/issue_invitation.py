"""Give out an invitation to fill a drop. Plain: a secret comes out, so no flow and no task ever calls it."""

from __future__ import annotations

import hashlib
import os
from datetime import datetime

from tasks.clients.installation import current
from tasks.core import policy
from tasks.core.errors import HandOverClosed, NotReady, Who
from tasks.core.model import Drop, DropState, Invitation


def issue_invitation(drop_id: str, now: datetime) -> Invitation:
    """
    Give an invitation with a fresh secret, of which only the SHA-256 is recorded.

    The upload capability ends after the settings' upload lifetime, or with the drop.

    Repeat: Gives another invitation; earlier ones stop working, and what was uploaded with them is
        removed, since it can no longer be opened.

    Undo: The next invitation, or the end of the drop.

    Raises:
        NotFound: There is no such drop.

        NotReady: The drop is still being opened.

        HandOverClosed: The drop has ended, or its files have arrived and are being worked on.
    """
    here = current()
    drop = here.drops.fetch(drop_id)
    _check_invitable(drop, now)
    if here.drop_store.has_upload(drop.id):
        here.drop_store.sweep(drop.id)
    secret = os.urandom(policy.DROP_SECRET_BYTES)
    until = min(now + here.settings.drops.upload_lifetime, drop.expires_at)
    drop = here.drops.invite(drop.id, hashlib.sha256(secret).hexdigest(), until)
    upload = here.drop_store.create_upload(drop.id, until, now)
    here.audit.append("certferry", "drop.invited", drop.id, {"upload_until": until.isoformat()}, now)
    assert drop.suite is not None and drop.public_key is not None  # noqa: S101 - an OPEN drop has a key pair
    return Invitation(
        drop_id=drop.id,
        name=drop.name,
        account=drop.account,
        hostname=drop.hostname,
        suite=drop.suite,
        public_key=drop.public_key,
        upload_url=upload.url,
        upload_fields=dict(upload.fields),
        secret=secret,
        expires_at=until,
    )


def _check_invitable(drop: Drop, now: datetime) -> None:
    if drop.outcome is None and drop.state is DropState.REQUESTED:
        raise NotReady(
            drop.id,
            got="the drop is still being opened",
            wanted="an open drop",
            do="Ask again in a few seconds.",
            who=Who.NOBODY,
        )
    if drop.outcome or drop.state is not DropState.OPEN or now >= drop.expires_at:
        raise HandOverClosed(
            drop.id,
            got="the drop takes no more files",
            wanted="an open drop",
            do="Look at it with `certferry status`; to hand over another certificate, create another drop.",
        )
    if drop.flow_run_id:
        raise HandOverClosed(
            drop.id,
            got="files have arrived and are being worked on",
            wanted="a drop that waits for its files",
            do="Look at it with `certferry status`; to send other files, destroy this drop and create another.",
        )
