"""What comes out of the doctor: the findings, a picture of the chain, and the bundle if nothing refuses it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from tasks.core.doctor.contents import find_key
from tasks.core.files import FILES
from tasks.core.model import Finding, Hostname, Severity
from tasks.core.text import printable


@dataclass(frozen=True)
class CheckedBundle:
    """
    A bundle that passed every check. Holds no key.

    Attributes:
        subject, issuer: RFC 4514 text, escaped for display.

        serial: Lower hex.

        dns_names: The SANs of type DNS, lower case, sorted; escaped for display.

        key_kind: ``RSA-2048``, or the curve of an EC key.

        root_sha256: Of the root in the trust store that the chain leads to.

        leaf_pem, chain_pem: The certificates as they are served, the leaf's issuer first, without the root.

        manifest: The `dotcloud.yml`.

        warnings: Findings that do not refuse: warnings and notes.
    """

    leaf_sha256: str
    spki_sha256: str
    subject: str
    issuer: str
    serial: str
    dns_names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    key_kind: str
    root_sha256: str
    leaf_pem: bytes = field(repr=False)
    chain_pem: tuple[bytes, ...] = field(repr=False)
    manifest: bytes = field(repr=False)
    warnings: tuple[Finding, ...] = ()

    def edge_pem(self, files: Mapping[str, bytes]) -> bytes:
        """
        Give what an edge loads: the key exactly as it was sent, the leaf, the intermediates.

        The same files always give the same bytes; only line breaks and text around the PEM blocks are left out.

        Raises:
            ValueError: *files* are not those that were checked.
        """
        return self._key_pem(files) + self.leaf_pem + b"".join(self.chain_pem)

    def hand_over(self, files: Mapping[str, bytes]) -> dict[str, bytes]:
        """
        Give the four files of a hand-over, whatever the customer's were called: the key as it was sent.

        Raises:
            ValueError: *files* are not those that were checked.
        """
        contents = (self._key_pem(files), self.leaf_pem, b"".join(self.chain_pem), self.manifest)
        return {name: content for name, content in zip(FILES, contents, strict=True) if content}

    def _key_pem(self, files: Mapping[str, bytes]) -> bytes:
        key = find_key(files, self.spki_sha256)
        if key is None:
            raise ValueError("the key in these files is not the one that was checked")
        return key.pem()


class Role(StrEnum):
    LEAF = "leaf"
    INTERMEDIATE = "intermediate"
    ROOT = "root"
    MISSING = "missing"


@dataclass(frozen=True)
class Link:
    """
    One certificate of the chain as it is drawn.

    Attributes:
        subject: Escaped for display.

        file: Where it was found, as the customer calls it; empty for one that is missing.
    """

    role: Role
    subject: str
    not_after: datetime | None = None
    file: str = ""

    def as_dict(self) -> dict[str, str | None]:
        return {
            "role": str(self.role),
            "subject": self.subject,
            "not_after": self.not_after.isoformat() if self.not_after else None,
            "file": printable(self.file),
        }


@dataclass(frozen=True)
class Verdict:
    """
    Attributes:
        hostname: What was asked for, or None.

        bundle: None where a finding refuses.

        findings: All of them, the refusing ones first.

        key: The kind of the private key and its file; None where none was found.

        chain: The leaf first; the last one is a root, or missing, or where the chain ends in nothing.
    """

    hostname: Hostname | None
    bundle: CheckedBundle | None
    findings: tuple[Finding, ...]
    key: str | None = None
    chain: tuple[Link, ...] = ()

    @property
    def accepted(self) -> bool:
        return self.bundle is not None

    def of(self, severity: Severity) -> tuple[Finding, ...]:
        """Give the findings of one *severity*."""
        return tuple(finding for finding in self.findings if finding.severity is severity)

    def as_dict(self) -> dict[str, Any]:
        """Give all of it for a program; nothing in it is key material."""
        return {
            "accepted": self.accepted,
            "hostname": self.hostname,
            "key": self.key,
            "names": list(self.bundle.dns_names) if self.bundle else None,
            "leaf_sha256": self.bundle.leaf_sha256 if self.bundle else None,
            "spki_sha256": self.bundle.spki_sha256 if self.bundle else None,
            "chain": [link.as_dict() for link in self.chain],
            "findings": [finding.as_dict() for finding in self.findings],
        }
