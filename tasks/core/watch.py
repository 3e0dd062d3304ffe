"""
What is wrong with what the world gets, compared with what it should get: stable codes, and what to do. Pure.

Nothing is repaired by whoever looks: `reconcile` repairs edges, customers repair their DNS.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from tasks.core.expiry_letter import Letter
from tasks.core.model import Hostname

DNS: Final = "dns"
"""The place of findings about names and not about handshakes."""

EVERYBODY: Final = Hostname("-")
"""Stands for the hostname in a finding about an address that takes no connection from anybody."""


_DIGITS: Final = 16  # of a leaf's SHA-256, in hex, as far as a person compares them


class Code(StrEnum):
    """What is wrong. Stable: `docs/served.md` explains each."""

    WRONG_LEAF = "wrong-leaf"
    EXPIRED = "expired-served"
    CHAIN_BROKEN = "chain-broken"
    NO_HANDSHAKE = "no-handshake"
    ADDRESS_SILENT = "address-silent"
    DNS_ELSEWHERE = "dns-elsewhere"
    DNS_NO_ADDRESS = "dns-no-address"
    ADDRESS_NOT_PUBLIC = "address-not-public"
    CAA_REFUSES = "caa-refuses"


ADVICE: Final = {
    Code.WRONG_LEAF: "reconcile puts an edge right within a minute; if this stays, look at its run and at this edge.",
    Code.EXPIRED: "The customer has been written to. Call: visitors are warned off.",
    Code.CHAIN_BROKEN: "The leaf is right and its chain is not trusted: look at the trust store, then at the bundle.",
    Code.NO_HANDSHAKE: "Look at this edge's error log for the hostname.",
    Code.ADDRESS_SILENT: "Look at the edge, then at the network: nobody gets a connection there.",
    Code.DNS_ELSEWHERE: "The domain has left, or is about to: ask the customer; if it is meant so, disable it.",
    Code.DNS_NO_ADDRESS: "The name does not resolve: ask the customer whether the domain has lapsed.",
    Code.ADDRESS_NOT_PUBLIC: "The name leads to an address that is nobody's or private: ask the customer.",
    Code.CAA_REFUSES: "Ask the customer to add the authority to CAA before the next renewal, or to change authority.",
}


class Fault(StrEnum):
    """Why a handshake did not end as a browser's would."""

    SILENT = "silent"
    """No connection."""
    NO_HANDSHAKE = "no-handshake"
    EXPIRED = "expired"
    UNTRUSTED = "untrusted"
    WRONG_NAME = "wrong-name"


@dataclass(frozen=True)
class Sight:
    """What one handshake showed: the leaf, if one was shown, and what a browser would find wrong."""

    leaf_sha256: str | None
    fault: Fault | None


@dataclass(frozen=True, order=True)
class Sighting:
    """One thing that is wrong with a hostname at a place. *detail* is the same as long as the thing is."""

    hostname: Hostname
    place: str
    code: Code
    account: str
    detail: str


def judge_sight(sight: Sight, wanted: Collection[str], not_after: datetime, now: datetime) -> tuple[Code, str] | None:
    """
    Say what is wrong with what a handshake showed, or give None.

    Args:
        wanted: SHA-256 of the leaves that may be shown; there are two only in the middle of a swap.

        not_after: Of the certificate that is meant to be served.
    """
    match sight.fault:
        case Fault.SILENT:
            return Code.ADDRESS_SILENT, "no connection"
        case Fault.NO_HANDSHAKE:
            return Code.NO_HANDSHAKE, "a connection, and no TLS handshake"
    if sight.leaf_sha256 not in wanted:
        meant = " or ".join(sorted(leaf[:_DIGITS] for leaf in wanted))
        return Code.WRONG_LEAF, f"shows leaf {(sight.leaf_sha256 or '')[:_DIGITS]}, not {meant}"
    if sight.fault is Fault.EXPIRED or not_after <= now:
        return Code.EXPIRED, f"expired on {not_after:%Y-%m-%d %H:%M} UTC"
    if sight.fault is not None:
        return Code.CHAIN_BROKEN, f"the right leaf, which a browser refuses ({sight.fault})"
    return None


def write_about_sightings(sightings: Sequence[Sighting], left_out: int) -> Letter:
    """Give the letter to the operators about *sightings*, at least one; those of one code stand together."""
    order = list(Code)
    listed = sorted(sightings, key=lambda each: (order.index(each.code), each))
    total = len(listed) + left_out
    first = listed[0]
    parts = ["What the world gets is not what it should get:"]
    for code in Code:
        lines = [f"* {say_where(each)}: {each.detail}" for each in listed if each.code is code]
        if lines:
            parts.append("\n".join((f"[{code}] {ADVICE[code]}", *lines)))
    if left_out:
        parts.append(f"and {left_out} more. The artifact *served* of the run shows all.")
    parts.append("Nothing was repaired. You will not be told of these again unless they change.")
    subject = f"Served wrongly: {total} finding{'s' if total > 1 else ''}; first {say_where(first)}: {first.code}"
    return Letter(subject, "\n\n".join(parts) + "\n")


def say_where(each: Sighting) -> str:
    """Give the hostname, its account and the place in words."""
    if each.hostname == EVERYBODY:
        return each.place
    return f"{each.hostname} of {each.account}" + ("" if each.place == DNS else f" at {each.place}")
