"""
The front desk: the only thing customers talk to besides S3. A small HTTP API, one account a token.

It answers about drops, tickets and sites, and starts flows. It never receives key material: uploads go to S3,
sealed. Whatever is another account's looks exactly like what is not there.

Run it with ``python -m flows.front_desk``. TLS and the public address are a proxy's in front of it; the access log
is the logger ``certferry.front_desk.access``.

Requires: the settings (``CERTFERRY_SETTINGS``), the database of records, S3 credentials, ``PREFECT_API_URL``.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sys
from datetime import datetime
from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, FastAPI, Header, Path, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

from flows import front_desk_schemas as forms
from flows.front_desk_callers import Caller, answer_error, answer_malformed, answer_refused, refuse_keys
from flows.front_desk_guards import Guard, Window, log
from flows.front_desk_page import draw_page
from flows.front_desk_runs import start, start_or_leave, watch
from tasks.clients.installation import current
from tasks.core.errors import (
    BadInput,
    CertferryError,
    HandOverClosed,
    KeyInTicket,
    NotFound,
    UploadPending,
)
from tasks.core.force_https import Wish
from tasks.core.hand_over import flow_of
from tasks.core.invitation import render_invitation
from tasks.core.model import Account, Drop, DropState, Ticket, make_id, parse_hostname, parse_id, parse_name
from tasks.describe_hand_over import describe
from tasks.describe_site import describe_site
from tasks.describe_statement import describe_statement
from tasks.file_ticket import add_message, file_ticket
from tasks.issue_invitation import issue_invitation
from tasks.request_drop import request_drop
from tasks.request_force_https import request_force_https
from tasks.request_removal import request_removal

_ABOUT: Final = (
    "Hand a certificate over to the platform, and follow it to the edges. The command `certferry` speaks to this; "
    "so can your own programs.\n\n"
    "Send your token as `Authorization: Bearer cf_...`. Everything may be sent again: it changes nothing twice.\n\n"
    "Never send key material here, in no field and no ticket. It goes to S3, sealed, as the invitation says."
)

Name = Annotated[str, Path(max_length=63, description="What you called the hand-over.")]
HostnameInPath = Annotated[str, Path(max_length=253, description="One of your hostnames.")]
TicketId = Annotated[str, Path(max_length=63)]
RepeatKey = Annotated[
    str | None, Header(alias="Idempotency-Key", max_length=200, description="The same key again adds nothing.")
]
_GUARDED: Final = [Depends(refuse_keys)]
drops = APIRouter(prefix="/v1/drops", tags=["Hand-overs"], responses=forms.PROBLEMS, dependencies=_GUARDED)
tickets = APIRouter(prefix="/v1/tickets", tags=["Tickets"], responses=forms.PROBLEMS)
account = APIRouter(prefix="/v1", tags=["Account"], responses=forms.PROBLEMS)


@drops.post("", status_code=202)
def create_drop(wish: forms.DropWish, caller: Caller) -> forms.HandOverView:
    """Ask for a drop. Asking again for the same, while it waits for its files, gives the one that is there."""
    drop = _find_same(caller, wish)
    if drop is None:
        drop_id = make_id("drop", os.urandom(16))
        try:
            drop = request_drop(drop_id, wish.name, caller.name, wish.app, wish.hostname, _actor(caller), _now())
        except BadInput as error:
            drop = _find_same(caller, wish) if error.code == "name-taken" else None  # asked twice at once
            if drop is None:
                raise
    if drop.state is DropState.REQUESTED:
        start("open-drop", {"drop_id": drop.id}, f"open-{drop.id}", f"open {drop.name} for {drop.hostname}")
    return describe(drop).as_dict()


@drops.get("")
def list_drops(caller: Caller) -> list[forms.HandOverView]:
    """List all hand-overs of the account, newest first."""
    return [describe(drop).as_dict() for drop in current().drops.list_of(caller.name)]


@drops.get("/{name}")
def fetch_drop(name: Name, caller: Caller) -> forms.HandOverView:
    """Say where a hand-over stands, whose turn it is, and what to do."""
    return describe(_fetch_drop(caller, name)).as_dict()


@drops.post("/{name}/invitation", response_class=Response)
def create_invitation(name: Name, caller: Caller) -> Response:
    """Give a fresh invitation: public key, upload capability, drop secret. Earlier ones stop working."""
    invitation = issue_invitation(_fetch_drop(caller, name).id, _now())
    return Response(render_invitation(invitation), media_type="application/json")


@drops.post("/{name}/uploaded", status_code=202)
def tell_uploaded(name: Name, caller: Caller) -> forms.HandOverView:
    """Say that the envelope lies in the drop. Without this the platform notices by itself, a little later."""
    drop = _fetch_drop(caller, name)
    if drop.outcome or drop.state is DropState.DESTROYED:
        raise _closed(drop)
    if drop.state is not DropState.INGESTED and not current().drop_store.has_upload(drop.id):
        raise UploadPending(
            name, got="nothing lies in the drop", wanted="one envelope", do=f"Upload it with `certferry push {name}`."
        )
    flow = flow_of(drop)
    start_or_leave(flow, {"drop_id": drop.id}, f"{flow}-{drop.id}", f"{flow} {drop.hostname}")
    return describe(drop.id).as_dict()


@drops.delete("/{name}", status_code=202)
def destroy_drop(name: Name, caller: Caller) -> forms.HandOverView:
    """Destroy the drop and its key, whatever has arrived in it. What the edges serve stays."""
    drop = _fetch_drop(caller, name)
    if drop.state is not DropState.DESTROYED:
        parameters = {"drop_id": drop.id, "requested_by": _actor(caller)}
        start("destroy-drop", parameters, f"destroy-{drop.id}", f"destroy {drop.name} of {drop.hostname}")
    return describe(drop.id).as_dict()


@tickets.post("", status_code=201)
def create_ticket(text: forms.TicketText, caller: Caller, key: RepeatKey = None) -> forms.TicketView:
    """File a ticket, in the name of the account's own address."""
    drop_id = _fetch_drop(caller, text.drop).id if text.drop else None
    ticket_id = make_id("ticket", _once(caller, "ticket", key)[:16])
    try:
        ticket = file_ticket(ticket_id, caller.contact, text.subject, text.body, drop_id, _now())
    except KeyInTicket:  # it is on record as refused, and ends the hand-over it speaks of
        watch(ticket_id)
        raise
    watch(ticket_id)
    return _view(ticket)


@tickets.get("")
def list_tickets(caller: Caller) -> list[forms.TicketView]:
    """List the tickets of the account's address, newest first."""
    return [_view(ticket) for ticket in current().tickets.list_of(caller.contact)]


@tickets.get("/{ticket_id}")
def fetch_ticket(ticket_id: TicketId, caller: Caller) -> forms.TicketView:
    """Read a ticket, oldest message first."""
    return _view(_fetch_ticket(caller, ticket_id))


@tickets.post("/{ticket_id}/messages", status_code=201)
def create_message(
    ticket_id: TicketId, text: forms.MessageText, caller: Caller, key: RepeatKey = None
) -> forms.TicketView:
    """Write on a ticket."""
    ticket = _fetch_ticket(caller, ticket_id)
    message_id = f"said-{_once(caller, ticket.id, key).hex()[:32]}"
    try:
        ticket = add_message(ticket.id, caller.contact, text.body, message_id, _now())
    except KeyInTicket:
        watch(message_id)
        raise
    watch(message_id)
    return _view(ticket)


@account.get("/account")
def fetch_account(caller: Caller) -> forms.AccountView:
    """Say whose token this is."""
    platform = current().settings.platform.name
    return forms.AccountView(account=caller.name, contact=caller.contact, platform=platform)


@account.get("/sites")
def list_sites(caller: Caller) -> list[forms.SiteView]:
    """List the account's hostnames: the DNS records each needs, and the certificate it is served with."""
    return [forms.SiteView.model_validate(describe_site(x)) for x in current().accounts.list_sites(caller.name)]


@account.put("/sites/{hostname}/force-https", status_code=202, dependencies=_GUARDED)
def switch_https(hostname: HostnameInPath, wish: forms.SwitchWish, caller: Caller) -> forms.SiteView:
    """Send the visitors of a hostname to HTTPS, or stop doing so. Its certificate must be served already."""
    site = current().accounts.fetch_site(parse_hostname(hostname), caller.name)
    now = _now()
    request_force_https(site.hostname, Wish(wish.switch), _actor(caller), now)
    key = f"force-https-{site.hostname}-{now.isoformat()}"
    start_or_leave("force-https", {"hostname": site.hostname}, key, f"force HTTPS for {site.hostname}")
    return forms.SiteView.model_validate(describe_site(site))


@account.get("/statement")
def fetch_current_statement(caller: Caller) -> forms.StatementView:
    """Say what the account pays for this month so far."""
    return forms.StatementView.model_validate(describe_statement(caller.name, None, _now()))


@account.get("/statements/{month}")
def fetch_statement(month: Annotated[str, Path(max_length=7)], caller: Caller) -> forms.StatementView:
    """Say what the account pays for a month, as in `2026-11`."""
    return forms.StatementView.model_validate(describe_statement(caller.name, month, _now()))


@account.post("/sites/{hostname}/disable", status_code=202, dependencies=_GUARDED)
def disable_https(hostname: HostnameInPath, caller: Caller) -> forms.TicketView:
    """Ask for HTTPS to be disabled for a hostname, by a ticket of the account's. Asking again gives that ticket."""
    site = current().accounts.fetch_site(parse_hostname(hostname), caller.name)
    removal = request_removal(site, _actor(caller), _now())
    ticket_id = make_id("ticket", hashlib.sha256(removal.id.encode()).digest()[:16])
    subject = f"Disable HTTPS for {site.hostname}"
    text = f"Please take the certificate of {site.hostname} off the edges and end its charge ({removal.id})."
    ticket = file_ticket(ticket_id, caller.contact, subject, text, removal.id, _now())
    start_or_leave("disable", {"removal_id": removal.id}, f"disable-{removal.id}", f"disable {site.hostname}")
    watch(ticket_id)
    return _view(ticket)


def check_health() -> forms.Health:
    """Say that the front desk and its records answer. Needs no token."""
    current().accounts.find_by_token("")
    return forms.Health(status="ok")


def create_app() -> FastAPI:
    """Give the application; it serves `current()`, asked anew at every request."""
    app = FastAPI(title="certferry front desk", description=_ABOUT, version="1", docs_url=None, redoc_url=None)
    app.state.window = Window(current().settings.front_desk.requests_per_minute)
    for router in (drops, tickets, account):
        app.include_router(router)
    app.add_api_route("/v1/health", check_health, tags=["Health"])
    app.add_api_route("/docs", lambda: HTMLResponse(draw_page(app.openapi())), include_in_schema=False)
    app.add_exception_handler(CertferryError, answer_error)
    app.add_exception_handler(RequestValidationError, answer_malformed)
    app.add_exception_handler(HTTPException, answer_refused)
    app.add_middleware(Guard)
    return app


def main() -> int:
    """Serve on the address of the settings until stopped."""
    import uvicorn

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        url = urlsplit(current().settings.front_desk.url)
    except CertferryError as error:
        log.error("%s", error)
        return 1
    port = url.port or (443 if url.scheme == "https" else 80)
    uvicorn.run(create_app(), host=url.hostname or "127.0.0.1", port=port, access_log=False, server_header=False)
    return 0


def _now() -> datetime:
    return current().now()


def _actor(caller: Account) -> str:
    return f"account:{caller.name}"


def _find_same(caller: Account, wish: forms.DropWish) -> Drop | None:
    """Give the caller's drop that waits for the same files."""
    drop = current().drops.find_by_name(caller.name, wish.name)
    waiting = drop and drop.outcome is None and drop.state in (DropState.REQUESTED, DropState.OPEN)
    same = drop and (drop.app, drop.hostname) == (wish.app, parse_hostname(wish.hostname))
    return drop if waiting and same else None


def _fetch_drop(caller: Account, name: str) -> Drop:
    drop = current().drops.find_by_name(caller.name, parse_name(name, "hand-over"))
    if drop is None:
        raise NotFound.named("hand-over", name)
    return drop


def _fetch_ticket(caller: Account, ticket_id: str) -> Ticket:
    ticket = current().tickets.fetch(parse_id(ticket_id, "ticket"))
    if ticket.sender != caller.contact.lower():
        raise NotFound.named("ticket", ticket_id)
    return ticket


def _view(ticket: Ticket) -> forms.TicketView:
    return forms.TicketView.model_validate(ticket, from_attributes=True)


def _once(caller: Account, about: str, key: str | None) -> bytes:
    """Give 32 bytes: the same for the same caller and idempotency *key*, random without one."""
    return hashlib.sha256(f"{caller.name} {about} {key}".encode()).digest() if key else os.urandom(32)


def _closed(drop: Drop) -> HandOverClosed:
    return HandOverClosed(
        drop.name, got="it has ended", wanted="a drop that waits for its files", do="Ask for another with `create`."
    )


if __name__ == "__main__":
    sys.exit(main())
