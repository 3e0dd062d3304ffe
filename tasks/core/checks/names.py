"""The rules about the names: one of them covers the hostname, and none is more than an authority may certify."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from tasks.core.case import Case
from tasks.core.errors import Who
from tasks.core.findings import refuse, warn
from tasks.core.leaf import covers, dns_names, is_hostname, names_text
from tasks.core.model import Finding, Hostname
from tasks.core.public_suffix import is_public_suffix
from tasks.core.text import printable


def check_names(case: Case) -> Iterator[Finding]:
    """A subject alternative name covers the hostname; the common name never counts (RFC 9525 section 6.3)."""
    if not case.leaf:
        return
    names, hostname = dns_names(case.leaf), case.terms.hostname
    if not names or not (hostname or any(map(is_hostname, names))):
        yield refuse("no-names", f"the certificate is for {names_text(case.leaf)}", *case.reissue)
    elif hostname and not any(covers(name, hostname) for name in names):
        cause = f"the certificate is for {names_text(case.leaf)}, not {hostname}{_hint(names, hostname)}"
        yield refuse("name-mismatch", cause, *case.reissue)
    if len(names) > case.terms.rules.maximum_names:
        cause = f"the certificate names {len(names)} hosts; at most {case.terms.rules.maximum_names} are accepted"
        yield refuse("too-many-names", cause, *case.reissue)


def _hint(names: list[str], hostname: Hostname) -> str:
    """Say why a name that looks right is not."""
    parents = {name.lower().removeprefix("*.") for name in names if name.startswith("*.")}
    if hostname in parents:
        return "; a wildcard does not cover the name above it"
    if any(hostname.endswith(f".{parent}") for parent in parents):
        return "; a wildcard stands for one label only"
    if f"{hostname}." in names:
        return "; a name with a final dot is none"
    if f"www.{hostname}" in names or hostname.removeprefix("www.") in names:
        return "; with and without www are two names"
    return ""


def check_wildcards(case: Case) -> Iterator[Finding]:
    """Each name is one that an authority may certify (BR 3.2.2.6, 7.1.4.2)."""
    for name in dict.fromkeys(dns_names(case.leaf)) if case.leaf else ():
        shown = printable(name, 80)
        if _is_address(name):
            cause = (
                f"the certificate has the address {shown} among its DNS names, which no browser takes for an address"
            )
            yield warn("address-as-name", cause, "Leave it out of the next request.")
        elif not name.isascii():
            cause = f'the certificate has a name beyond ASCII, "{shown}", which must be written xn--...'
            yield refuse("name-not-idna", cause, *case.reissue, Who.CA)
        elif not (is_hostname(name) and _is_idna(name)):
            cause = f'the certificate has a name that is no hostname, "{shown}", which no browser matches'
            yield warn("name-malformed", cause, "Leave it out of the next request. " + case.reissue[0], case.reissue[1])
        elif name.startswith("*.") and is_public_suffix(name[2:].lower()):
            cause = f"the certificate covers {shown}, every domain below a public suffix"
            yield refuse("wildcard-public-suffix", cause, *case.reissue, Who.CA)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_idna(name: str) -> bool:
    labels = [label for label in name.lower().split(".") if label.startswith("xn--")]
    if not labels:
        return True
    import idna  # here, because only A-labels need its tables

    try:
        return all(idna.alabel(idna.ulabel(label)).decode("ascii") == label for label in labels)
    except idna.IDNAError:
        return False
