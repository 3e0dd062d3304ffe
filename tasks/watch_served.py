"""Look at what the world gets of every hostname, and compare it with the records. Nothing is repaired here."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import Final

from tasks.clients.dns import Resolution
from tasks.clients.installation import Installation, current
from tasks.clients.records.served import Place
from tasks.clients.records.sightings import Look
from tasks.core import policy
from tasks.core.addresses import check_reachable
from tasks.core.caa import Property, climb, find_authority, find_refusal
from tasks.core.errors import DNSUnavailable, DomainNotLive, EdgeUnavailable, Rejected
from tasks.core.hand_over import lease_name
from tasks.core.live import check_leads_here
from tasks.core.model import Hostname
from tasks.core.watch import DNS, EVERYBODY, Code, Fault, Sighting, judge_sight
from tasks.retries import step

SCAN: Final = "served"


@step(EdgeUnavailable, "look at what some hostnames are served with")
def survey_served() -> int | None:
    """
    Look at the next hostnames, many at a time, and record what is wrong; give how many have been seen, None at the end.

    Repeat: Goes on at the bookmark. What is wrong as it was before is recorded as it was.

    Undo: None is needed: nothing but the records is changed.
    """
    here = current()
    now = here.now()
    scan = here.scans.open(SCAN, now, policy.SCAN_FRESH)
    places, bookmark = here.served.page_places(scan.bookmark, policy.WATCH_CHUNK)
    looks = _look_at(here, [list(group) for _, group in groupby(places, key=lambda place: place.hostname)], now)
    here.sightings.note(looks, now)
    total = int(scan.tally.get("total", 0)) + len({place.hostname for place in places})
    here.scans.save(scan, bookmark, {"total": total}, now)
    return total if bookmark else None


@dataclass
class Patience:
    """Remembers who does not answer, so that one dead address costs a few time-outs and not one a hostname."""

    limit: int
    _silent: Counter[str] = field(default_factory=Counter)
    _heard: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def is_left(self, name: str) -> bool:
        """Tell whether *name* is worth another try: it has not kept silent *limit* times in a row."""
        with self._lock:
            return self._silent[name] < self.limit

    def note(self, name: str, heard: bool) -> None:
        """Note whether *name* answered."""
        with self._lock:
            self._silent[name] = 0 if heard else self._silent[name] + 1
            if heard:
                self._heard.add(name)

    def verdicts(self) -> Mapping[str, bool]:
        """Give for each name that was tried whether it answered at all."""
        with self._lock:
            return {name: name in self._heard for name in self._silent}


@dataclass
class _Round:
    """What the looks at one part of the hostnames share."""

    here: Installation
    now: datetime
    addresses: Patience = field(default_factory=lambda: Patience(policy.SILENT_AFTER))
    resolvers: Patience = field(default_factory=lambda: Patience(policy.DNS_SILENT_AFTER))
    caa: dict[str, tuple[Property, ...]] = field(default_factory=dict)


def _look_at(here: Installation, hostnames: Sequence[Sequence[Place]], now: datetime) -> list[Look]:
    """Look at all of *hostnames*, each given by its places, so many at a time."""
    shared = _Round(here, now)
    with ThreadPoolExecutor(policy.WATCH_CONCURRENCY, "certferry-watch") as pool:
        looks = list(pool.map(partial(_look, shared), hostnames))
    return [*(look for look in looks if not _is_outdated(here, look, hostnames, now)), *_look_at_addresses(shared)]


def _look(shared: _Round, places: Sequence[Place]) -> Look:
    """Look at one hostname: its edges, its name and CAA, its public addresses."""
    view = _View(shared, places)
    asked = {edge.name: (edge.address, edge.https_port) for edge in shared.here.settings.edges}
    for place in places:
        if place.edge in asked:
            view.shake(place.edge, asked[place.edge], {place.leaf_sha256})
    port = shared.here.settings.live_check.https_port
    for address in view.ask_dns():
        if (address, port) not in asked.values():
            view.shake(f"address {address}", (address, port), {place.leaf_sha256 for place in places})
    return Look(view.place.hostname, frozenset(view.seen), tuple(view.found))


@dataclass
class _View:
    """What is seen of one hostname."""

    shared: _Round
    places: Sequence[Place]
    seen: set[str] = field(default_factory=set)
    found: list[Sighting] = field(default_factory=list)

    @property
    def place(self) -> Place:
        return self.places[0]

    def shake(self, name: str, where: tuple[str, int], wanted: Collection[str]) -> None:
        """Shake hands at one place; where nobody gets a connection, that says nothing about the hostname."""
        here, addresses = self.shared.here, self.shared.addresses
        if not addresses.is_left(name):
            return
        sight = here.probe.observe(*where, self.place.hostname, here.settings.trust, policy.WATCH_TIMEOUT)
        addresses.note(name, heard=sight.fault is not Fault.SILENT)
        if sight.fault is not Fault.SILENT:
            self.seen.add(name)
            if verdict := judge_sight(sight, wanted, self.place.not_after, self.shared.now):
                self._note(name, *verdict)

    def ask_dns(self) -> Sequence[str]:
        """Look where the name leads and what CAA says; give its addresses, if they are the platform's."""
        resolvers = self.shared.resolvers
        if not resolvers.is_left(DNS):
            return ()
        try:
            refusal = _find_caa_refusal(self.shared, self.place)
            resolution = self.shared.here.resolver.resolve(self.place.hostname)
        except DNSUnavailable:
            resolvers.note(DNS, heard=False)
            return ()
        resolvers.note(DNS, heard=True)
        self.seen.add(DNS)
        if refusal:
            self._note(DNS, Code.CAA_REFUSES, refusal)
        return self._judge_addresses(resolution)

    def _judge_addresses(self, resolution: Resolution) -> Sequence[str]:
        platform, check = self.shared.here.settings.platform, self.shared.here.settings.live_check
        names, addresses = resolution.cnames, sorted(resolution.addresses)
        try:
            check_leads_here(self.place.hostname, names, addresses, platform.cname_targets, platform.addresses)
            for address in addresses:
                check_reachable(address, check.allow_networks)
        except DomainNotLive as elsewhere:
            self._note(DNS, _DNS_CODES.get(elsewhere.code, Code.DNS_ELSEWHERE), elsewhere.got)
            return ()
        except Rejected as refusal:
            self._note(DNS, Code.ADDRESS_NOT_PUBLIC, refusal.subject)
            return ()
        return addresses[: policy.PUBLIC_ADDRESSES]

    def _note(self, name: str, code: Code, detail: str) -> None:
        self.found.append(Sighting(self.place.hostname, name, code, self.place.account, detail))


_DNS_CODES: Final = {"no-address": Code.DNS_NO_ADDRESS}


def _find_caa_refusal(shared: _Round, place: Place) -> str | None:
    """Say why DNS refuses the next certificate of the authority of this one, or give None."""
    wildcard = place.hostname not in place.dns_names
    name = Hostname(place.hostname.partition(".")[2]) if wildcard else place.hostname
    for ancestor in climb(name):
        if ancestor not in shared.caa:
            shared.caa[ancestor] = shared.here.resolver.caa(ancestor)
        if properties := shared.caa[ancestor]:
            refusal = find_refusal(properties, find_authority(place.issuer), wildcard)
            return f"{refusal} (CAA at {ancestor})" if refusal else None
    return None


def _is_outdated(here: Installation, look: Look, hostnames: Sequence[Sequence[Place]], now: datetime) -> bool:
    """Tell whether what was found may be due to somebody who is at work, or was since the records were read."""
    if not look.found:
        return False
    places = next(places for places in hostnames if places[0].hostname == look.hostname)
    return here.leases.is_held(lease_name(look.hostname), now) or here.served.list_places(look.hostname) != places


def _look_at_addresses(shared: _Round) -> Iterator[Look]:
    """Say which addresses took no connection from any hostname: once each, however many there are behind it."""
    verdicts = shared.addresses.verdicts()
    silent = [name for name, heard in verdicts.items() if not heard]
    found = (Sighting(EVERYBODY, name, Code.ADDRESS_SILENT, "-", "takes no connection") for name in silent)
    yield Look(EVERYBODY, frozenset(verdicts), tuple(found))
