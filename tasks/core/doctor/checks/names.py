"""The rules about the names: one of them covers the hostname, and none is more than an authority may certify."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Final

from tasks.core.doctor.case import Case
from tasks.core.doctor.findings import refuse, warn
from tasks.core.doctor.leaf import covers, dns_names, is_hostname, list_some, names_text
from tasks.core.doctor.public_suffix import is_public_suffix
from tasks.core.errors import Who
from tasks.core.model import Finding, Hostname

_QUOTE: Final = '"'


def check_names(case: Case) -> Iterator[Finding]:
    """A subject alternative name covers the hostname; the common name never counts (RFC 9525 section 6.3)."""
    if not case.leaf:
        return
    names, hostname = dns_names(case.leaf), case.terms.hostname
    if not names or not (hostname or any(map(is_hostname, names))):
        none = ", and nothing of that is a hostname" if names else ""
        yield refuse("no-names", f"the certificate is for {names_text(case.leaf)}{none}", *case.reissue)
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


def check_every_name(case: Case) -> Iterator[Finding]:
    """Each name is one that an authority may certify (BR 3.2.2.6, 7.1.4.2)."""
    found: dict[str, list[str]] = {}
    for name in dict.fromkeys(dns_names(case.leaf)) if case.leaf else ():
        found.setdefault(_judge_name(name), []).append(name)
    if names := found.get("address-as-name"):
        cause = f"the certificate has an address as a DNS name, where no browser looks for one: {list_some(names)}"
        yield warn("address-as-name", cause, "Leave it out of the next request. " + case.reissue[0], case.reissue[1])
    if names := found.get("name-not-idna"):
        cause = f"the certificate has a name that is not in ASCII (xn--...), as it must be: {list_some(names, _QUOTE)}"
        yield refuse("name-not-idna", cause, *case.reissue, Who.CA)
    if names := found.get("name-malformed"):
        cause = f"the certificate has a name that is no hostname, so no browser matches it: {list_some(names, _QUOTE)}"
        yield warn("name-malformed", cause, "Leave it out of the next request. " + case.reissue[0], case.reissue[1])
    if names := found.get("wildcard-public-suffix"):
        cause = f"the certificate covers every domain below a public suffix: {list_some(names)}"
        yield refuse("wildcard-public-suffix", cause, *case.reissue, Who.CA)


def _judge_name(name: str) -> str:
    """Give the code of what is wrong with *name*, or nothing."""
    if _is_address(name):
        return "address-as-name"
    if not name.isascii():
        return "name-not-idna"
    if not (is_hostname(name) and _is_idna(name)):
        return "name-malformed"
    return "wildcard-public-suffix" if name.startswith("*.") and is_public_suffix(name[2:].lower()) else ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_idna(name: str) -> bool:
    """Tell whether its A-labels decode; which letters a registry allows is not a browser's question."""
    try:
        for label in name.lower().split("."):
            if label.startswith("xn--") and not label[4:].encode("ascii").decode("punycode"):
                return False
    except UnicodeError:
        return False
    return True
