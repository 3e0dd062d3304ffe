"""
The rules of step 1: whose domain it is, where it leads, whether it answers.

Each condition has its own code and its own message, which names the exact record to add.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from tasks.core.errors import DomainNotLive
from tasks.core.model import Hostname, Site

CHALLENGE_LABEL: Final = "_certferry-challenge"
CHALLENGE_PREFIX: Final = "certferry-challenge="


def challenge_name(hostname: Hostname) -> Hostname:
    """Give the name whose TXT record proves that *hostname* is the customer's."""
    return Hostname(f"{CHALLENGE_LABEL}.{hostname}")


def challenge_value(site: Site) -> str:
    """Give the string that one TXT record at `challenge_name` must be."""
    return f"{CHALLENGE_PREFIX}{site.challenge}"


def describe_challenge(site: Site) -> str:
    """Give the record to add, as a line of a zone file without TTL."""
    return f'{challenge_name(site.hostname)}. TXT "{challenge_value(site)}"'


def check_challenge(site: Site, found: Collection[str]) -> None:
    """
    Raise unless one of the TXT strings *found* is the site's challenge, exactly.

    Raises:
        DomainNotLive: Code ``challenge-missing``.
    """
    if challenge_value(site) in found:
        return
    other = "another value" if any(text.startswith(CHALLENGE_PREFIX) for text in found) else "no such TXT record"
    raise DomainNotLive(
        site.hostname,
        got=f"{other} at {challenge_name(site.hostname)}",
        wanted="the TXT record that proves the domain is yours",
        do=f"Add this TXT record: {describe_challenge(site)}",
        code="challenge-missing",
    )


def check_leads_here(
    hostname: Hostname,
    cnames: Sequence[Hostname],
    addresses: Sequence[str],
    targets: Sequence[Hostname],
    platform_addresses: Collection[str],
) -> None:
    """
    Raise unless *hostname* leads to the platform, by name or by address.

    By name: its CNAME chain passes one of *targets*. By address (an apex cannot have a CNAME): it has
    addresses and every one is the platform's, since one stray address is a visitor in three who meets another server.

    Raises:
        DomainNotLive: Code ``no-address`` where the name does not resolve, ``leads-elsewhere`` otherwise.
    """
    if not addresses:
        raise DomainNotLive(
            hostname,
            got="the name has no address" + (f" (it is a CNAME to {cnames[-1]})" if cnames else ""),
            wanted=f"a CNAME to {targets[0]}",
            do=_add_record(hostname, targets, platform_addresses),
            code="no-address",
        )
    if any(name in targets for name in cnames) or all(address in platform_addresses for address in addresses):
        return
    raise DomainNotLive(
        hostname,
        got=f"it leads to {', '.join((*cnames, *addresses)[:6])}",
        wanted=f"a CNAME to {targets[0]}, or only the platform's addresses",
        do=_add_record(hostname, targets, platform_addresses),
        code="leads-elsewhere",
    )


def describe_address_records(
    hostname: Hostname, targets: Sequence[Hostname], platform_addresses: Collection[str]
) -> str:
    """Give the record that makes *hostname* lead here, and the ones for an apex, which cannot have a CNAME."""
    apex = " and ".join(f"{'AAAA' if ':' in address else 'A'} {address}" for address in platform_addresses)
    record = f"{hostname}. CNAME {targets[0]}."
    return f"{record} (or, where a CNAME is not possible: {apex})" if apex else record


def _add_record(hostname: Hostname, targets: Sequence[Hostname], platform_addresses: Collection[str]) -> str:
    return f"Add this record: {describe_address_records(hostname, targets, platform_addresses)}"


def check_answers(hostname: Hostname, status: int) -> None:
    """
    Raise unless *status* is an answer of a running app: 200 to 499.

    A page may ask for a login or not exist; a 5xx is the gateway saying that there is no app behind the name.

    Raises:
        DomainNotLive: Code ``app-not-answering``.
    """
    if not 200 <= status < 500:
        raise DomainNotLive(
            hostname,
            got=f"GET http://{hostname}/ answers {status}",
            wanted="an answer of the app: 200 to 499",
            do="Start the app, and see that it answers under this hostname.",
            code="app-not-answering",
        )
