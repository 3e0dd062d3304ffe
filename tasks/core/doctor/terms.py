"""By what a customer's files are judged: the roots, the time, the installation's rules, and what is known already."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from cryptography import x509

from tasks.core import policy
from tasks.core.errors import BadInput, Who
from tasks.core.model import Hostname

_FORGIVEN_IN_PRIVATE: Final = frozenset({"address-as-name", "name-malformed"})  # Firefox, mozilla::pkix
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


class KeyStanding(StrEnum):
    """What the records say about a public key."""

    UNKNOWN = "unknown"
    COMPROMISED = "compromised"
    OF_ANOTHER_ACCOUNT = "of-another-account"


@dataclass(frozen=True)
class Rules:
    """
    What an installation may set. It can only be stricter than `tasks.core.policy`, but for *minimum_validity*.

    Attributes:
        rsa_bits, curves: The accepted sizes and named curves.

        minimum_validity: How long a leaf must still last.

        maximum_lifetime: Of a leaf, whoever issued it; None leaves it to the public authorities' own rules.

        refused_warnings: Codes of warnings that refuse here.

        blocked_keys: SHA-256 of public keys (SPKI), lower hex, that nobody may use.
    """

    rsa_bits: tuple[int, ...] = policy.RSA_BITS
    curves: tuple[str, ...] = policy.EC_CURVES
    minimum_validity: timedelta = policy.MIN_VALIDITY_LEFT
    maximum_lifetime: timedelta | None = None
    maximum_names: int = policy.MAX_SANS
    refused_warnings: frozenset[str] = frozenset()
    blocked_keys: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Installed:
    """What the edges serve for the hostname now, so far as a renewal is compared with it."""

    leaf_sha256: str
    spki_sha256: str
    not_before: datetime
    not_after: datetime
    dns_names: tuple[str, ...]


def parse_blocked_keys(text: str) -> frozenset[str]:
    """
    Read a list of public keys that nobody may use: SHA-256 of the SPKI in hex, one a line; ``#`` begins a comment.

    Raises:
        BadInput: A line is anything else.
    """
    digests = [line.partition("#")[0].strip().lower().replace(":", "") for line in text.splitlines()]
    for number, digest in enumerate(digests, 1):
        if digest and not _DIGEST.fullmatch(digest):
            raise BadInput(
                f"the list of blocked keys, line {number}",
                got="not a SHA-256",
                wanted="64 hexadecimal digits: the SHA-256 of a public key (SPKI, DER)",
                do="Mend the line: openssl pkey -in KEY -pubout -outform DER | openssl dgst -sha256 prints one.",
                who=Who.OPERATOR,
            )
    return frozenset(digest for digest in digests if digest)


def _unknown(_spki_sha256: str) -> KeyStanding:
    return KeyStanding.UNKNOWN


@dataclass(frozen=True)
class Terms:
    """
    What `judge` takes beside the files.

    Attributes:
        roots: Who is trusted; certificates among the files never are.

        public_trust: Whether *roots* are the public ones, so that the rules for public certificates hold.

        now: With a timezone.

        hostname: What the certificate must cover; None where nobody asks.

        installed: What a renewal is compared with; None for a first certificate.

        standing: What the records say about a public key, by the SHA-256 of its SPKI in lower hex.
    """

    roots: Sequence[x509.Certificate]
    public_trust: bool
    now: datetime
    hostname: Hostname | None = None
    rules: Rules = Rules()
    installed: Installed | None = None
    standing: Callable[[str], KeyStanding] = _unknown

    @property
    def refused_warnings(self) -> frozenset[str]:
        """The codes of warnings that refuse here: of its rules, and what browsers forgive private authorities only."""
        return self.rules.refused_warnings | (_FORGIVEN_IN_PRIVATE if self.public_trust else frozenset())
