"""
Open a drop: what `certferry create` triggers, or an operator asks for in the form.

Requires: the records and the key provider. The invitation itself never comes by here: it holds a secret.
"""

from __future__ import annotations

from typing import Annotated

from prefect import flow

from flows.names import NoDropId, form_field, name_run
from tasks.artifacts import show_invitation_command
from tasks.describe_hand_over import describe
from tasks.open_drop import open_drop as make_key_pair
from tasks.request_drop import request_by_form


@flow(name="open-drop", flow_run_name=name_run, persist_result=True, result_serializer="json", log_prints=False)
def open_drop(
    account: Annotated[str, form_field("Account", "The customer's account.", "acme")] = "",
    app: Annotated[str, form_field("App", "The app that answers under the hostname.", "shop")] = "",
    hostname: Annotated[str, form_field("Hostname", "The custom hostname.", "shop.example.com")] = "",
    name: Annotated[
        str, form_field("Hand-over", "What the customer will call it: certferry push NAME.", "edge")
    ] = "edge",
    requested_by: Annotated[str, form_field("Your name", "You ask for it, so a colleague approves it.", "ana")] = "",
    drop_id: NoDropId = "",
) -> str:
    """
    Open a temporary, encrypted place for one certificate.

    The front desk gives the **drop** alone. An operator fills in **account, app, hostname** and **your name** instead,
    then sends the invitation on: the run's artifact shows the command.
    """
    drop = drop_id or request_by_form(account, app, hostname, name, requested_by)
    make_key_pair(drop)
    show_invitation_command(drop, describe(drop).drop.hostname)
    return drop
