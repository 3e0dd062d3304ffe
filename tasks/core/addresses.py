"""Which addresses the live check may connect to: a customer chooses where a name leads, so public ones only."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from tasks.core.errors import Rejected

GLOBAL_UNICAST: Final = ip_network("2000::/3")
"""
All of IPv6 that is given out (RFC 4291, section 2.4). Outside it lie the forms that carry an IPv4 address
and that `is_global` lets through: NAT64 64:ff9b::/96, ::ffff:0:0/96 before Python 3.13, ::/96.
"""

CARRIES_OTHERS: Final = (
    ip_network("2002::/16"),  # 6to4 (RFC 3056): the relay connects to the IPv4 address inside
    ip_network("192.88.99.0/24"),  # the 6to4 relay itself (RFC 7526)
    ip_network("3fff::/20"),  # documentation (RFC 9637), unknown to older Pythons
)


def check_reachable(address: str, allow_networks: Sequence[IPv4Network | IPv6Network] = ()) -> None:
    """
    Raise `Rejected` unless *address* is a public unicast address, or lies in one of *allow_networks*.

    Args:
        address: An IPv4 or IPv6 literal as DNS gives it: no name, no port, no short or octal form.

        allow_networks: From the settings: the local stack's own networks.

    Raises:
        Rejected: Code ``address-not-public``: loopback, private, shared, link-local, multicast, reserved,
            documentation, or an IPv6 address that hides an IPv4 one.

    Source:
        IANA special-purpose address registries (RFC 6890); THREATS I8.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        raise _not_public(repr(address[:80])) from None
    if "%" in address:  # a zone may be any text, and only means something on this machine
        raise _not_public(repr(address[:80]))
    if any(parsed in network for network in allow_networks):
        return
    if not _is_public(parsed):
        raise _not_public(address)


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    # `not is_private` would pass 100.64.0.0/10; `is_global` alone passes multicast
    if not address.is_global or address.is_multicast:
        return False
    if address.version == 6 and address not in GLOBAL_UNICAST:
        return False
    return not any(address in network for network in CARRIES_OTHERS)


def _not_public(subject: str) -> Rejected:
    return Rejected(
        f"address {subject}",
        got="not a public address",
        wanted="an address that everyone on the Internet reaches",
        do="Point the domain at the platform, as its instructions say.",
        code="address-not-public",
    )
