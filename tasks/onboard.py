"""Record an account with its apps and hostnames. Plain: the operator's command and the `onboard` flow call it."""

from __future__ import annotations

import base64
import os
import re
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from tasks.clients.installation import current
from tasks.core.errors import BadInput, Who
from tasks.core.model import Account, Site, parse_hostname, parse_name

_ADDRESS = re.compile(r"[a-z0-9.!#$%&'*/=?^_`{|}~+-]{1,64}@[a-z0-9-]+(\.[a-z0-9-]+)+")


def parse_contact(text: str) -> str:
    """
    Give *text* as an account's contact address, lower case.

    Only ASCII: an internationalised address has look-alikes, and tickets count by this address alone.

    Raises:
        BadInput: It is not an address.
    """
    address = text.strip().lower()
    if len(address) > 254 or not _ADDRESS.fullmatch(address):
        raise BadInput(
            f"contact {text[:80]!r}",
            got="not an e-mail address",
            wanted="an address such as ops@example.com, in ASCII",
            do="Give the address that the customer files tickets from.",
            who=Who.OPERATOR,
        )
    return address


class App(BaseModel):
    """One app and the custom hostnames it answers under."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, AfterValidator(lambda text: parse_name(text, "app"))] = Field(examples=["shop"])
    hostnames: list[Annotated[str, AfterValidator(parse_hostname)]] = Field(default=[], examples=[["shop.example.com"]])


class Onboarding(BaseModel):
    """What an operator knows about a new customer; also the shape of the YAML file."""

    model_config = ConfigDict(extra="forbid")

    account: Annotated[str, AfterValidator(lambda text: parse_name(text, "account"))] = Field(examples=["acme"])
    contact: Annotated[str, AfterValidator(parse_contact)] = Field(examples=["ops@example.com"])
    apps: list[App] = Field(default=[])


def onboard(onboarding: Onboarding, now: datetime) -> list[Site]:
    """
    Record the account, its apps and its hostnames, each hostname with a fresh TXT challenge.

    Repeat: Changes nothing but the contact address; a hostname keeps its first challenge.

    Raises:
        BadInput: Code ``taken``: an app or a hostname is another account's.
    """
    here = current()
    account = here.accounts.create_account(Account(onboarding.account, onboarding.contact), now)
    sites = []
    for app in onboarding.apps:
        here.accounts.create_app(app.name, account.name, now)
        for hostname in app.hostnames:
            challenge = base64.b32encode(os.urandom(20)).decode("ascii").lower()
            sites.append(here.accounts.create_site(parse_hostname(hostname), app.name, account.name, challenge, now))
    here.audit.append(
        "operator", "account.onboarded", account.name, {"hostnames": [site.hostname for site in sites]}, now
    )
    return sites
