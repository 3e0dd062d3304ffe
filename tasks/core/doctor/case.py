"""One case for the checks: what the customer sent, how far it leads, and the terms it is judged by."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from cryptography import x509

from tasks.core.doctor.chain import Path
from tasks.core.doctor.commands import name_new, request_with_key, request_with_new_key
from tasks.core.doctor.contents import Contents
from tasks.core.doctor.leaf import dns_names
from tasks.core.doctor.terms import Terms
from tasks.core.errors import BadInput
from tasks.core.model import parse_hostname

_MOST_NAMES: Final = 10


@dataclass(frozen=True)
class Case:
    """
    All that a check may look at.

    Attributes:
        path: How far the certificates lead; None without a leaf.
    """

    contents: Contents
    terms: Terms
    path: Path | None

    @property
    def leaf(self) -> x509.Certificate | None:
        return self.contents.leaf

    @cached_property
    def new_key(self) -> tuple[str, str]:
        """What to do where the key cannot stay: a sentence and its command."""
        fix = f"Make a new key and a request for it; {self._send}"
        return fix, request_with_new_key(self._names, name_new(self.contents.names))

    @cached_property
    def reissue(self) -> tuple[str, str]:
        """What to do where the key is good and the certificate is not: a sentence and its command."""
        if self.contents.key is None or not self.contents.key.is_plain:
            return self.new_key
        fix = f"Make a new request; {self._send}"
        return fix, request_with_key(self.contents.key_file, self._names, name_new(self.contents.names))

    @property
    def _send(self) -> str:
        new = name_new(self.contents.names)
        return (
            f"send {new}.csr to your certificate authority, and save what comes back as {new}.crt beside these files."
        )

    @property
    def _names(self) -> list[str]:
        """The names to ask for: the hostname, or those of the leaf that can be asked for as they are."""
        if self.terms.hostname or not self.leaf:
            return [self.terms.hostname] if self.terms.hostname else []
        return [name for name in dns_names(self.leaf)[:_MOST_NAMES] if _is_clean(name)]


def _is_clean(name: str) -> bool:
    try:
        return parse_hostname(name.removeprefix("*.")) == name.removeprefix("*.")
    except BadInput:
        return False
