"""One case for the checks: what the customer sent, for which hostname, judged by whom and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from cryptography import x509

from tasks.core.chain import Path
from tasks.core.contents import Contents
from tasks.core.model import Hostname
from tasks.core.text import printable

_Kind = TypeVar("_Kind", bound=x509.ExtensionType)
_SHOWN_NAMES: Final = 10
_MAX_COMMON_NAME: Final = 64  # X.520 ub-common-name; openssl refuses a longer one


@dataclass(frozen=True)
class Case:
    """
    All that a check may look at.

    Attributes:
        public_trust: Whether the roots are the public ones, so that the rules of public authorities hold.

        path: How far the certificates lead; None without a leaf.
    """

    files: Mapping[str, bytes]
    contents: Contents
    hostname: Hostname
    public_trust: bool
    now: datetime
    minimum_validity: timedelta
    path: Path | None

    @property
    def leaf(self) -> x509.Certificate | None:
        return self.contents.leaf

    @property
    def new_key_and_request(self) -> str:
        """The command that makes a new key and asks for a certificate for it."""
        make = "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ssl.key -out ssl.csr"
        return f"{make} {self._names}"

    @property
    def renew(self) -> str:
        """What to do where the key is good and the certificate is not."""
        return f"Send your authority a new request: openssl req -new -key ssl.key -out ssl.csr {self._names}"

    @property
    def _names(self) -> str:
        subject = f"/CN={self.hostname}" if len(self.hostname) <= _MAX_COMMON_NAME else "/"
        return f'-subj "{subject}" -addext "subjectAltName=DNS:{self.hostname}"'


def dns_names(certificate: x509.Certificate) -> list[str]:
    """Give the subject alternative names of type DNS, as they stand there."""
    names = find_extension(certificate, x509.SubjectAlternativeName)
    return names.get_values_for_type(x509.DNSName) if names else []


def names_text(certificate: x509.Certificate) -> str:
    names = [printable(name, 80) for name in dns_names(certificate)]
    if not names:
        return "no name at all (it has no subjectAltName of type DNS; the common name does not count)"
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    return ", ".join(names[:_SHOWN_NAMES]) + more


def name_of(certificate: x509.Certificate) -> str:
    return printable(certificate.subject.rfc4514_string()) or "without a name"


def find_extension(certificate: x509.Certificate, kind: type[_Kind]) -> _Kind | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
