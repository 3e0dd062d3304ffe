"""DNS look-ups, with real packets, from the resolvers of the settings."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final, Protocol

import dns.exception
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.resolver

from tasks.clients import settings
from tasks.core.caa import Property
from tasks.core.errors import DNSUnavailable
from tasks.core.model import Hostname

MAX_CNAMES: Final = 8  # what resolvers follow at the least; a longer chain, or a loop, leads nowhere


@dataclass(frozen=True)
class Resolution:
    """Where a name leads: the CNAME chain from the name on (without the name), and the A and AAAA addresses."""

    cnames: tuple[Hostname, ...]
    addresses: tuple[str, ...]


class Resolver(Protocol):
    def resolve(self, hostname: Hostname) -> Resolution:
        """
        Follow *hostname* to its addresses.

        A name that does not exist gives empty tuples; a loop, or more than `MAX_CNAMES`, gives no addresses.

        Raises:
            DNSUnavailable: No resolver answered (time-out, SERVFAIL).
        """

    def txt(self, name: Hostname) -> tuple[str, ...]:
        """
        Give the TXT strings at *name*, which may have an underscore label; a name without any gives an empty tuple.

        A record of several character strings is one string, joined (RFC 7208, section 3.3).

        Raises:
            DNSUnavailable: No resolver answered.
        """

    def caa(self, name: str) -> tuple[Property, ...]:
        """
        Give the CAA records at *name* itself, which may be a top-level domain; a name without any gives an empty tuple.

        Raises:
            DNSUnavailable: No resolver answered.
        """


class DNSResolver:
    """Asks the resolvers of the settings, one after the other, without a cache."""

    def __init__(self, live_check: settings.LiveCheck) -> None:
        self._resolver = dns.resolver.Resolver(configure=False)
        self._resolver.nameservers = [_parse_nameserver(text) for text in live_check.resolvers]
        self._resolver.lifetime = live_check.timeout.total_seconds()

    def resolve(self, hostname: Hostname) -> Resolution:
        cnames: list[Hostname] = []
        name = hostname
        # one hop a question: an answer that holds the whole chain could not be told from one that loops
        while target := self._find_cname(name):
            if target in (hostname, *cnames) or len(cnames) == MAX_CNAMES:
                return Resolution(tuple(cnames), ())
            cnames.append(target)
            name = target
        addresses = [*self._ask(name, dns.rdatatype.A), *self._ask(name, dns.rdatatype.AAAA)]
        return Resolution(tuple(cnames), tuple(record.to_text() for record in addresses))

    def txt(self, name: Hostname) -> tuple[str, ...]:
        records = self._ask(name, dns.rdatatype.TXT)
        return tuple(b"".join(record.strings).decode("ascii", "backslashreplace") for record in records)

    def caa(self, name: str) -> tuple[Property, ...]:
        records = self._ask(Hostname(name), dns.rdatatype.CAA)
        return tuple(Property(record.flags, _text(record.tag).lower(), _text(record.value)) for record in records)

    def _find_cname(self, name: Hostname) -> Hostname | None:
        for record in self._ask(name, dns.rdatatype.CNAME):
            return Hostname(record.target.to_text(omit_final_dot=True).lower())
        return None

    def _ask(self, name: Hostname, kind: dns.rdatatype.RdataType) -> tuple[Any, ...]:
        try:
            answer = self._resolver.resolve(dns.name.from_text(name), kind, raise_on_no_answer=False, search=False)
        except (dns.resolver.NXDOMAIN, dns.name.NameTooLong, dns.name.LabelTooLong):
            return ()
        except dns.exception.DNSException as error:
            raise DNSUnavailable.because(f"{kind.name} {name}", type(error).__name__) from None
        return tuple(answer.rrset or ())


def _text(value: bytes) -> str:
    return value.decode("ascii", "backslashreplace")


def _parse_nameserver(text: str) -> dns.nameserver.Do53Nameserver:
    """Read ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT."""
    try:
        return dns.nameserver.Do53Nameserver(str(ip_address(text)), 53)
    except ValueError:
        address, _, port = text.rpartition(":")
        return dns.nameserver.Do53Nameserver(str(ip_address(address.strip("[]"))), int(port))
