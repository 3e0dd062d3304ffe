"""What a customer does with a hand-over: ask for a drop, push into it, watch it, destroy it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from tasks.closed_memory import close_memory
from tasks.core.errors import BadInput, CertferryError, NotReady, Rejected, StoreUnavailable, Unavailable
from tasks.core.invitation import parse_invitation, render_invitation
from tasks.core.model import Invitation, parse_hostname, parse_name
from tasks.customer.private import find_private, write_private
from tasks.customer.session import Session

OPEN_TIMEOUT_SECONDS: Final = 120  # a flow run starts within 15 s on a busy worker
POLL_SECONDS: Final = 3  # 20 requests a minute of the 60 that a token has


def create(session: Session, name: str, app: str, hostname: str, out: Path | None) -> dict[str, Any]:
    """
    Ask for a drop, wait until it is open, and keep its invitation; run again, it goes on where it stood.

    Args:
        out: Where to put the invitation; None is the state directory.

    Raises:
        NotReady: The drop is not open after `OPEN_TIMEOUT_SECONDS`.

        Rejected: A name is malformed or taken, the hostname is not the account's, *out* is in the way.
    """
    name, app = parse_name(name, "hand-over"), parse_name(app, "app")
    place = parse_hostname(hostname)
    if out is not None:
        _check_replaceable(out)
    desk = session.front_desk()
    hand_over = desk.create_drop(name, app, place)

    def is_open() -> bool:
        nonlocal hand_over
        if hand_over["stage"] == "opening":
            hand_over = desk.fetch_drop(name)
        return bool(hand_over["stage"] != "opening")

    with session.output.working(f"waiting for the drop {name} to open"):
        session.wait_until(is_open, OPEN_TIMEOUT_SECONDS, POLL_SECONDS, _still_opening(name))
    invitation = desk.create_invitation(name)
    if out is not None:
        write_private(out, render_invitation(invitation))
    path = out or session.home.save_invitation(invitation)
    site = next((x for x in desk.list_sites() if x["hostname"] == place), None)
    return {"hand_over": hand_over, "invitation": str(path), "site": site}


def push(
    session: Session, name: str, paths: Sequence[Path], invitation_file: Path | None, trust: Path | None
) -> dict[str, Any]:
    """
    Examine the files at *paths*, seal what a hand-over takes for the drop *name*, and upload the envelope.

    Nothing leaves the machine unless the check passes; the key leaves it sealed only.

    Raises:
        BadBundle: The files cannot serve.

        Rejected: There is nothing at *paths*; the invitation or the upload is refused.

        StoreUnavailable: S3 did not take the envelope.
    """
    from tasks.core.envelope import Binding, seal
    from tasks.customer.collect import collect
    from tasks.customer.examination import examine

    name = parse_name(name, "hand-over")
    close_memory()
    collected = collect(paths)
    invitation = _fetch_invitation(session, name, invitation_file)
    examination = examine(collected, invitation.hostname, trust, None, session.now())
    session.output.findings(examination.verdict.findings)
    examination.check_passes(invitation.hostname)
    invitation = _refresh(session, invitation, invitation_file)
    binding = Binding(invitation.drop_id, invitation.hostname, invitation.account)
    envelope = seal(examination.files, invitation.secret, invitation.suite, invitation.public_key, binding)
    with session.output.working("uploading"):
        hand_over = _upload(session, invitation, envelope)
    return {
        "drop_id": invitation.drop_id,
        "hostname": invitation.hostname,
        "findings": [x.as_dict() for x in examination.verdict.findings],
        "hand_over": hand_over,
    }


def fetch(session: Session, name: str) -> dict[str, Any]:
    """Say where a hand-over stands."""
    return session.front_desk().fetch_drop(parse_name(name, "hand-over"))


def follow(session: Session, name: str) -> Iterator[dict[str, Any]]:
    """Give a hand-over every time it has moved on, until it has ended; a front desk that is away is waited for."""
    last: dict[str, Any] = {}
    while last.get("turn") != "nobody":
        with suppress(Unavailable):
            now = fetch(session, name)
            if (now["stage"], now["turn"], now["detail"]) != (last.get("stage"), last.get("turn"), last.get("detail")):
                yield now
            last = now
            if last["turn"] == "nobody":
                return
        session.pause(POLL_SECONDS)


def destroy(session: Session, name: str) -> dict[str, Any]:
    """Ask for the drop's destruction, and forget its invitation."""
    name = parse_name(name, "hand-over")
    hand_over = session.front_desk().destroy_drop(name)
    session.home.forget_invitation(name)
    return hand_over


def _fetch_invitation(session: Session, name: str, file: Path | None) -> Invitation:
    """Give the invitation in *file*, else the one kept here, else a fresh one."""
    if file is None:
        return session.home.find_invitation(name) or session.front_desk().create_invitation(name)
    content = find_private(file)
    if content is None:
        raise BadInput(
            str(file),
            got="no such file",
            wanted="an invitation",
            do="Give the file the platform sent you.",
            code="missing-file",
        )
    invitation = parse_invitation(content)
    if invitation.name != name:
        raise BadInput(
            str(file),
            got=f"an invitation for {invitation.name}",
            wanted=f"one for {name}",
            do=f"Run `certferry push {invitation.name} ...`, or give the other file.",
            code="other-invitation",
        )
    return invitation


def _refresh(session: Session, invitation: Invitation, file: Path | None) -> Invitation:
    """Give *invitation*, or a fresh one from the front desk if its upload capability has expired."""
    if session.now() < invitation.expires_at:
        return invitation
    if session.home.find_login() is None:
        raise Rejected(
            str(file or invitation.name),
            got=f"the invitation expired at {invitation.expires_at:%Y-%m-%d %H:%M} UTC",
            wanted="an invitation that is still good",
            do="Ask the platform's operators for another one; `certferry login` lets push fetch it by itself.",
            code="invitation-expired",
        )
    session.output.note("The invitation has expired; asking for a fresh one.")
    fresh = session.front_desk().create_invitation(invitation.name)
    if fresh.hostname != invitation.hostname:
        raise Rejected(
            invitation.name,
            got=f"a new hand-over of that name, for {fresh.hostname}",
            wanted=f"the one for {invitation.hostname}, whose files were checked",
            do="Look at `certferry status`, then push again.",
            code="other-invitation",
        )
    return fresh


def _upload(session: Session, invitation: Invitation, envelope: bytes) -> dict[str, Any] | None:
    """
    Upload and say so; give the hand-over, or None if the front desk could not be told.

    The invitation kept here is forgotten in either case: it is used up, or a fresh one clears a half-done upload away.
    """
    from tasks.customer.client import upload

    try:
        upload(invitation, envelope, session.transport)
    except StoreUnavailable:
        hand_over = _tell(session, invitation.name)  # an answer that got lost may have been a yes
        if hand_over is None:
            raise
        return hand_over
    finally:
        session.home.forget_invitation(invitation.name)
    return _tell(session, invitation.name)


def _tell(session: Session, name: str) -> dict[str, Any] | None:
    try:
        return session.front_desk().tell_uploaded(name)
    except CertferryError:
        return None


def _check_replaceable(path: Path) -> None:
    """Raise unless nothing is lost by writing an invitation to *path*."""
    content = find_private(path)
    if content is not None:
        parse_invitation(content)


def _still_opening(name: str) -> NotReady:
    return NotReady(
        name,
        got=f"the drop has not opened within {OPEN_TIMEOUT_SECONDS} seconds",
        wanted="an open drop",
        do="Run the same command again in a few minutes: it goes on with this drop.",
    )
