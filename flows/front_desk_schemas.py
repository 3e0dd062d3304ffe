"""
The forms of the front desk's API, as its OpenAPI page shows them.

Lengths are bounded and unknown fields refused here; what a name or a hostname is, is decided by `tasks.core.model`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from tasks.core import policy


class Form(BaseModel):
    """What a customer sends."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DropWish(Form):
    """A drop for one certificate of one hostname."""

    name: str = Field(max_length=63, description="What you call this hand-over.", examples=["edge"])
    app: str = Field(max_length=63, description="One of your apps.", examples=["shop"])
    hostname: str = Field(max_length=253, description="The name your visitors type.", examples=["shop.example.com"])


class TicketText(Form):
    """A ticket. Never key material: it is refused, and the key counts as compromised."""

    subject: str = Field(min_length=1, max_length=200, examples=["HTTPS for shop.example.com"])
    body: str = Field(min_length=1, max_length=policy.TICKET_MAX_CHARS, examples=["Please set it up."])
    drop: str | None = Field(None, max_length=63, description="The name of your hand-over.", examples=["edge"])


class SwitchWish(Form):
    """What is to become of the plain HTTP requests for a hostname."""

    switch: Literal["on", "on-with-hsts", "off"] = Field(
        description="on: they are redirected (308). on-with-hsts: browsers remember it too, in growing stages. "
        "off: neither; what browsers remember is withdrawn.",
        examples=["on"],
    )


class MessageText(Form):
    """One more message on a ticket. Never key material."""

    body: str = Field(min_length=1, max_length=policy.TICKET_MAX_CHARS, examples=["Thank you."])


class Problem(BaseModel):
    """Every error has this form. The code is stable; the rest is for people."""

    code: str = Field(examples=["not-ready"])
    subject: str = Field(description="What it is about.")
    got: str = Field(description="What was found.")
    wanted: str = Field(description="What would have been right.")
    do: str = Field(description="The next action.")
    who: str = Field(description="Who must take it: customer, operator, certificate authority or nobody.")


class AccountView(BaseModel):
    """Your account, as the token tells it."""

    account: str
    contact: str = Field(description="Tickets count from this address only.")
    platform: str


class MessageView(BaseModel):
    author: str = Field(description="An e-mail address, or certferry.")
    body: str
    at: datetime


class TicketView(BaseModel):
    id: str
    subject: str
    state: Literal["open", "refused", "closed", "told"]
    drop_id: str | None
    messages: list[MessageView] = Field(description="Oldest first.")


class RecordView(BaseModel):
    """A DNS record, for you to create."""

    name: str
    type: Literal["CNAME", "TXT"]
    value: str


class ServedView(BaseModel):
    """The certificate that the edges are meant to serve, and since when both were seen serving it."""

    leaf_sha256: str
    issuer: str
    dns_names: list[str] = Field(description="All names it covers: those to ask for when it is renewed.")
    not_after: datetime
    proven_at: datetime | None


class ForceHTTPSView(BaseModel):
    """What the edges are meant to do with plain HTTP requests, and what browsers may remember."""

    redirect: bool
    hsts: str | None = Field(description="What HTTPS answers promise: Strict-Transport-Security. None: nothing.")
    proven_at: datetime | None = Field(description="Since when both edges were seen doing it.")
    remembered_until: datetime | None = Field(
        description="When the last visitor's browser forgets to come by HTTPS, if it were turned off now."
    )


class SiteView(BaseModel):
    """A hostname of yours."""

    hostname: str
    app: str
    records: list[RecordView] = Field(description="The challenge proves that the name is yours; the CNAME leads here.")
    addresses: list[str] = Field(description="For an apex, which cannot have a CNAME: its A and AAAA records.")
    served: ServedView | None = Field(description="None: the name is served over HTTP only.")
    force_https: ForceHTTPSView | None = Field(description="None: plain HTTP is answered by the app, with no trace.")


class StatementLineView(BaseModel):
    """The days of a month with one hostname at one price."""

    hostname: str
    placement: Literal["shared", "dedicated"]
    days: int
    megabytes: int
    unit_price: str = Field(description="Per MB and month, an exact decimal.")
    amount: str = Field(description="Rounded half up, once, to the currency's smallest unit.")


class StatementView(BaseModel):
    """What you pay for a month. A day counts once for a hostname, at the placement it had last on that day."""

    account: str
    month: str
    days_in_month: int
    currency: str = Field(description="ISO 4217.")
    time_zone: str = Field(description="Whose days count: a name of the IANA database.")
    final: bool = Field(description="The month is over; until then it counts the days up to today.")
    lines: list[StatementLineView]
    total: str = Field(description="The sum of the lines' amounts.")


class Health(BaseModel):
    status: Literal["ok"]


HandOverView = dict[str, Any]
"""`tasks.core.hand_over.HandOver.as_dict`: drop, stage, turn, detail, ticket and certificate."""

PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Problem, "description": text}
    for status, text in (
        (401, "No token, or one that is not known here."),
        (404, "Not there, or not yours: the two look the same."),
        (409, "Not yet; ask again."),
        (410, "The hand-over is closed."),
        (413, "The body is too large."),
        (422, "Refused: the same request cannot succeed."),
        (429, "Too many requests; see Retry-After."),
        (503, "Something behind the front desk does not answer; see Retry-After."),
    )
}
