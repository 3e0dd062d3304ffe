"""Put on record what the switch of a hostname is to be. Plain: the front desk and the operators' command call it."""

from __future__ import annotations

from datetime import datetime

from tasks.clients.installation import Installation, current
from tasks.core.errors import NotFound, Rejected
from tasks.core.force_https import Switch, Wish, turn
from tasks.core.model import Hostname, parse_name


def request_force_https(hostname: Hostname, wish: Wish, requested_by: str, now: datetime) -> Switch:
    """
    Record that *hostname* is to be forced to HTTPS, or no more, and give its switch; the edges follow.

    Repeat: The same wish again changes nothing.

    Args:
        requested_by: ``account:<name>`` or ``operator:<name>``.

    Raises:
        Rejected: Code ``no-certificate``: nothing proves that both edges serve the hostname over HTTPS.
    """
    here = current()
    if wish is not Wish.OFF:
        check_served(here, hostname, now)
    before = here.switches.find(hostname)
    switch = here.switches.change(hostname, lambda found: turn(found, wish, requested_by))
    if switch != before:
        here.audit.append(requested_by, f"force-https.{wish}", hostname, {"rule": str(switch.rule)}, now)
    return switch


def wish_by_form(hostname: Hostname, wish: Wish, operator: str) -> Switch:
    """
    Record the wish of an operator, of whichever account the hostname is.

    Raises:
        BadInput: *operator* is no name.

        Rejected: As `request_force_https`.

        NotFound: No account has this hostname.
    """
    here = current()
    name = parse_name(operator.strip().casefold(), "operator")
    if here.accounts.find_site(hostname) is None:
        raise NotFound.named("hostname", hostname)
    return request_force_https(hostname, wish, f"operator:{name}", here.now())


def check_served(here: Installation, hostname: Hostname, now: datetime) -> None:
    """
    Raise unless both edges have been seen serving *hostname* with a certificate that is still good.

    Raises:
        Rejected: Code ``no-certificate``.
    """
    found = [here.certificates.find_assignment(edge.name, hostname) for edge in here.settings.edges]
    certificate = here.certificates.find_installed(hostname)
    if all(each and each.is_proven for each in found) and certificate and now < certificate.not_after:
        return
    raise Rejected(
        hostname,
        got="both edges have not been seen serving it with a valid certificate",
        wanted="a hostname that works over HTTPS",
        do="Hand over a certificate first; `certferry sites` shows what is served.",
        code="no-certificate",
    )
