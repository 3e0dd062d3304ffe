"""
Record a customer: account, contact address, app, hostnames.

Requires: the records. `certferry-operator` does the same from a YAML file with many apps.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from prefect import flow

from flows.names import form_field
from tasks.artifacts import show_challenges
from tasks.onboard import App, Onboarding
from tasks.onboard import onboard as record


@flow(
    name="onboard", flow_run_name="onboard {account}", persist_result=True, result_serializer="json", log_prints=False
)
def onboard(
    account: Annotated[str, form_field("Account", "A lower-case letter, then letters, digits and hyphens.", "acme")],
    contact: Annotated[
        str, form_field("Contact address", "Tickets count only if they come from this address.", "ops@example.com")
    ],
    app: Annotated[str, form_field("App", "The app's name.", "shop")],
    hostnames: Annotated[
        list[str],
        form_field("Hostnames", "The custom hostnames that the app answers under.", ["shop.example.com"]),
    ],
) -> list[str]:
    """
    Record an account with an app and its hostnames; safe to repeat, also to add hostnames.

    Each hostname gets a **TXT challenge** that proves it is the customer's: the run's artifact lists the records to
    send on. Tokens are given out on the command line only: they are secrets.
    """
    wanted = Onboarding(account=account, contact=contact, apps=[App(name=app, hostnames=hostnames)])
    sites = record(wanted, datetime.now(UTC))
    show_challenges(account, sites)
    return [site.hostname for site in sites]
