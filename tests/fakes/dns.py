"""A resolver in memory."""

from __future__ import annotations

from tasks.clients.dns import MAX_CNAMES, Resolution
from tasks.core.caa import Property
from tasks.core.errors import DNSUnavailable
from tasks.core.model import Hostname


class FakeResolver:
    """
    Answers from four dictionaries.

    Attributes:
        cnames: Name to the name it stands for.

        addresses, texts: Name to its A and AAAA, or TXT, values.

        properties: Name to its CAA records.

        down: While True, every look-up raises `DNSUnavailable`.

        asked: Every name asked for, in order.
    """

    def __init__(self) -> None:
        self.cnames: dict[str, str] = {}
        self.addresses: dict[str, tuple[str, ...]] = {}
        self.texts: dict[str, tuple[str, ...]] = {}
        self.properties: dict[str, tuple[Property, ...]] = {}
        self.down = False
        self.asked: list[str] = []

    def resolve(self, hostname: Hostname) -> Resolution:
        self._ask(hostname)
        chain: list[Hostname] = []
        name: str = hostname
        while target := self.cnames.get(name):
            if target in (hostname, *chain) or len(chain) == MAX_CNAMES:
                return Resolution(tuple(chain), ())
            chain.append(Hostname(target))
            name = target
        return Resolution(tuple(chain), self.addresses.get(name, ()))

    def txt(self, name: Hostname) -> tuple[str, ...]:
        self._ask(name)
        return self.texts.get(name, ())

    def caa(self, name: str) -> tuple[Property, ...]:
        self._ask(name)
        return self.properties.get(name, ())

    def _ask(self, name: str) -> None:
        self.asked.append(name)
        if self.down:
            raise DNSUnavailable.because(name, "told to fail")
