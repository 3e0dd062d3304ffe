"""
Tell customers in time that a certificate ends, with its renewal open already; tell the operators of what is left.

Requires: the records, the ticket desk, the key provider, the channels of `notices`. Runs daily over all that is served,
and hourly over what ends soon. Cut short, it goes on where it was; after an outage it tells what is due now, once.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from prefect import flow

from flows.letters import send_letters
from flows.names import form_field
from flows.rounds import attempt, report
from tasks.artifacts import Progress
from tasks.core.errors import CertferryError
from tasks.core.expiry import Pace
from tasks.core.model import PLATFORM
from tasks.request_renewal import request_renewal
from tasks.scan_expiry import scan_name, survey_expiry
from tasks.show_expiry import expected_number, show_expiry
from tasks.write_letters import list_accounts_due, list_renewals_due, write_letter, write_operators_letter

PaceName = Literal["all", "last-days"]  # the names in `Pace`, of which Prefect would show a type and no title
_PACE = "`all` looks at everything that is served, `last-days` at what ends within days."


@flow(name="scan-expiry", log_prints=False)
def scan_expiry(pace: Annotated[PaceName, form_field("Pace", _PACE, "all")] = "all") -> Any:
    """
    Look at what is served, open the renewals that are due, write one letter an account, send what is written.

    Nobody is told of the same rung of a certificate twice, or while others must act.
    """
    with Progress("expiry-scan", expected_number(scan_name(Pace(pace)))) as progress:
        while seen := survey_expiry(pace):
            progress.reach(seen)
    troubles = write_letters()
    troubles += attempt(write_operators_letter)
    troubles += send_letters()
    show_expiry()
    return report(troubles)


def write_letters() -> list[CertferryError]:
    """
    Open the renewals that are due, then write to each customer the letter that names them.

    An account in trouble keeps no other waiting, and a renewal that could not be opened does not keep the letter.
    """
    troubles: list[CertferryError] = []
    accounts = list_accounts_due("")
    while accounts:
        for account in accounts:
            for hostname in list_renewals_due(account):
                troubles += attempt(request_renewal, hostname, PLATFORM)
            troubles += attempt(write_letter, account)
        accounts = list_accounts_due(accounts[-1])
    return troubles
