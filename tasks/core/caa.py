"""
Whether DNS lets an authority issue the next certificate for a hostname: the CAA records (RFC 8659). Pure.

A customer finds out only when the renewal is refused, and then in a hurry: so it is looked at long before.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from tasks.core.model import Hostname

_CRITICAL: Final = 128  # RFC 8659, section 4.1: bit 0 of the flags
_ISSUE, _ISSUEWILD = "issue", "issuewild"
_KNOWN_TAGS: Final = frozenset({_ISSUE, _ISSUEWILD, "iodef", "contactemail", "contactphone", "issuemail", "issuevmc"})
_ATTRIBUTE: Final = re.compile(r"(?:\\.|[^,\\])+")

_DIGICERT: Final = ("digicert.com", "digicert.ne.jp", "www.digicert.com", "rapidssl.com", "geotrust.com", "thawte.com")

AUTHORITIES: Final = {
    "Let's Encrypt": ("letsencrypt.org",),
    "Internet Security Research Group": ("letsencrypt.org",),
    "DigiCert Inc": _DIGICERT,
    "DigiCert, Inc.": _DIGICERT,
    "Sectigo Limited": ("sectigo.com", "comodo.com", "comodoca.com", "usertrust.com", "trust-provider.com"),
    "ZeroSSL": ("sectigo.com", "zerossl.com"),
    "GlobalSign nv-sa": ("globalsign.com",),
    "Google Trust Services": ("pki.goog",),
    "Google Trust Services LLC": ("pki.goog",),
    "Amazon": ("amazon.com", "amazontrust.com", "awstrust.com", "amazonaws.com"),
    "GoDaddy.com, Inc.": ("godaddy.com", "starfieldtech.com"),
    "SSL Corporation": ("ssl.com",),
    "Actalis S.p.A.": ("actalis.it",),
    "IdenTrust": ("identrust.com",),
    "SwissSign AG": ("swisssign.com", "swisssign.net", "swisssign.ch"),
}
"""
Which domains an authority answers to in CAA, by the organisation in its issuers' names.

Source:
    The authorities' practice statements, section 4.2 (BR 2.2: they must list them). Who is not here is refused only by
    a record that refuses everybody.
"""


@dataclass(frozen=True)
class Property:
    """One CAA record: *flags* as a number, *tag* in lower case, *value* as it stands."""

    flags: int
    tag: str
    value: str


def climb(hostname: Hostname) -> Sequence[str]:
    """Give the names whose CAA records count, in order: the first that has any decides (RFC 8659, section 3)."""
    labels = hostname.split(".")
    return [".".join(labels[start:]) for start in range(len(labels))]


def find_authority(issuer: str) -> tuple[str, ...]:
    """Give the domains in CAA of the authority with this issuer name (RFC 4514); none if it is not known."""
    organisations = (each.removeprefix("O=") for each in _ATTRIBUTE.findall(issuer) if each.startswith("O="))
    return next((AUTHORITIES.get(re.sub(r"\\(.)", r"\1", name), ()) for name in organisations), ())


def find_refusal(properties: Collection[Property], authority: Collection[str], wildcard: bool) -> str | None:
    """
    Say why the records refuse the authority's next certificate, or give None.

    Args:
        properties: The relevant record set: all of the first name that has any.

        authority: The domains it answers to; none where it is not known, and then only a refusal of everybody counts.

        wildcard: The certificate is for ``*.`` the name.

    Source:
        RFC 8659, sections 4.1 (critical), 4.2 (issue), 4.3 (issuewild).
    """
    for each in properties:
        if each.flags & _CRITICAL and each.tag not in _KNOWN_TAGS:
            return f"a critical property {each.tag!r} that no authority may overlook"
    wild = [each for each in properties if each.tag == _ISSUEWILD]
    counting = wild if wildcard and wild else [each for each in properties if each.tag == _ISSUE]
    allowed = {_domain(each.value) for each in counting}
    if not counting or allowed & set(authority) or (not authority and allowed != {""}):
        return None
    tag = counting[0].tag
    return f"{tag} allows {', '.join(sorted(filter(None, allowed))) or 'nobody'}"


def _domain(value: str) -> str:
    """Give the domain of an issue property, without its parameters; empty where it names nobody."""
    return value.partition(";")[0].strip().lower().removesuffix(".")
