"""DNS look-ups, with real packets, from the resolvers of the settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tasks.core.model import Hostname


@dataclass(frozen=True)
class Resolution:
    """Where a name leads: the CNAME chain from the name on (without the name), and the A and AAAA addresses."""

    cnames: tuple[Hostname, ...]
    addresses: tuple[str, ...]


class Resolver(Protocol):
    def resolve(self, hostname: Hostname) -> Resolution:
        """
        Follow *hostname* to its addresses. A name that does not exist gives empty tuples.

        Raises:
            DNSUnavailable: No resolver answered (time-out, SERVFAIL).
        """

    def txt(self, name: Hostname) -> tuple[str, ...]:
        """
        Give the TXT strings at *name*, which may have an underscore label; a name without any gives an empty tuple.

        Raises:
            DNSUnavailable: No resolver answered.
        """
