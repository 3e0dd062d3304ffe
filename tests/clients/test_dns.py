"""What certferry may expect of a resolver: one contract, over the fake and over real packets to the local zone."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from dnslib import RCODE, DNSRecord

from deployments.local.reread import write_file
from deployments.local.zone import ZoneServer, set_record
from tasks.clients.dns import MAX_CNAMES, DNSResolver, Resolution, Resolver
from tasks.clients.settings import LiveCheck
from tasks.core.caa import Property
from tasks.core.errors import DNSUnavailable
from tasks.core.model import Hostname
from tests.fakes.dns import FakeResolver

SHOP = Hostname("shop.example.test")
EDGE = Hostname("edge.platform.test")
NOTHING = Resolution((), ())


@dataclass
class World:
    """A resolver, and the hand that sets records."""

    resolver: Resolver
    set_record: Callable[[str, str, list[str]], None]


def live_check(*resolvers: str, seconds: float = 5) -> LiveCheck:
    return LiveCheck(resolvers=list(resolvers), timeout=timedelta(seconds=seconds))


def set_in_fake(fake: FakeResolver, name: str, kind: str, values: list[str]) -> None:
    if kind == "CNAME":
        fake.cnames[name] = values[0]
    elif kind == "CAA":
        fake.properties[name] = tuple(
            Property(int(flags), tag, text.strip('"')) for flags, tag, text in map(str.split, values)
        )
    elif kind == "TXT":
        fake.texts[name] = tuple(values)
    else:
        fake.addresses[name] = (*fake.addresses.get(name, ()), *values)


@pytest.fixture(name="world", params=["fake", "packets"])
def _world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    if request.param == "fake":
        fake = FakeResolver()
        yield World(fake, lambda name, kind, values: set_in_fake(fake, name, kind, values))
        return
    config = tmp_path / "zone.yaml"
    write_file(config, {})
    with ZoneServer(config) as zone:
        resolver = DNSResolver(live_check(f"127.0.0.1:{zone.port}"))
        yield World(resolver, lambda name, kind, values: set_record(config, name, kind, values))


class TestResolve:
    def test_name_that_does_not_exist_leads_nowhere(self, world: World) -> None:
        """A name nobody registered is an answer, not an error."""
        assert world.resolver.resolve(SHOP) == NOTHING

    def test_name_without_addresses_leads_nowhere(self, world: World) -> None:
        """A name that has only a TXT record has no addresses."""
        world.set_record(SHOP, "TXT", ["hello"])
        assert world.resolver.resolve(SHOP) == NOTHING

    def test_addresses_of_both_families(self, world: World) -> None:
        """An apex has A and AAAA records; both count."""
        world.set_record(SHOP, "A", ["192.0.2.1", "192.0.2.2"])
        world.set_record(SHOP, "AAAA", ["2001:db8::1"])
        assert Resolution((), ("192.0.2.1", "192.0.2.2", "2001:db8::1")) == world.resolver.resolve(SHOP)

    def test_cname_is_followed_and_told(self, world: World) -> None:
        """A customer's CNAME leads to the platform's name, and through it to the edges."""
        world.set_record(EDGE, "A", ["127.0.0.11", "127.0.0.12"])
        world.set_record("cdn.example.test", "CNAME", [EDGE])
        world.set_record(SHOP, "CNAME", ["cdn.example.test"])
        expected = Resolution((Hostname("cdn.example.test"), EDGE), ("127.0.0.11", "127.0.0.12"))
        assert expected == world.resolver.resolve(SHOP)

    def test_cname_to_nowhere_has_no_addresses(self, world: World) -> None:
        """A dangling CNAME shows where it points, and that nothing is there."""
        world.set_record(SHOP, "CNAME", [EDGE])
        assert Resolution((EDGE,), ()) == world.resolver.resolve(SHOP)

    @pytest.mark.parametrize(
        "loop", [[SHOP], ["a.example.test", SHOP], ["a.example.test", "b.example.test", "a.example.test"]]
    )
    def test_loop_ends_without_addresses(self, world: World, loop: list[str]) -> None:
        """CNAMEs that go round end at once, with no addresses: a fault of the zone, not of the resolver."""
        for name, target in pairwise([SHOP, *loop]):
            world.set_record(name, "CNAME", [target])
        assert world.resolver.resolve(SHOP).addresses == ()

    def test_chain_without_end_is_given_up(self, world: World) -> None:
        """More CNAMEs than any resolver follows lead nowhere."""
        names = [SHOP, *(f"n{i}.example.test" for i in range(MAX_CNAMES + 2))]
        for name, target in pairwise(names):
            world.set_record(name, "CNAME", [target])
        world.set_record(names[-1], "A", ["192.0.2.1"])
        found = world.resolver.resolve(SHOP)
        assert (len(found.cnames), found.addresses) == (MAX_CNAMES, ())

    def test_change_shows_at_once(self, world: World) -> None:
        """A customer who just set the record is not told it is missing: nothing is cached."""
        assert world.resolver.resolve(SHOP) == NOTHING
        world.set_record(SHOP, "A", ["192.0.2.1"])
        assert Resolution((), ("192.0.2.1",)) == world.resolver.resolve(SHOP)


class TestTXT:
    NAME = Hostname("_certferry-challenge.shop.example.test")

    def test_no_record(self, world: World) -> None:
        """A challenge that was not set yet is an empty answer."""
        assert world.resolver.txt(self.NAME) == ()

    def test_record_at_an_underscore_name(self, world: World) -> None:
        """The challenge is at a name no host can have."""
        world.set_record(self.NAME, "TXT", ["certferry-challenge=abc", "something=else"])
        assert world.resolver.txt(self.NAME) == ("certferry-challenge=abc", "something=else")

    def test_long_record_comes_in_one_piece(self, world: World) -> None:
        """A record longer than 255 bytes is several strings, and longer than 512 it comes over TCP: still one text."""
        world.set_record(self.NAME, "TXT", ["x" * 700])
        assert world.resolver.txt(self.NAME) == ("x" * 700,)

    def test_name_too_long_for_dns_has_none(self, world: World) -> None:
        """The longest hostname leaves no room for the challenge's label: no such record can exist."""
        longest = ".".join(["a" * 61] * 4)
        assert world.resolver.txt(Hostname(f"_certferry-challenge.{longest}")) == ()


class TestZone:
    """The local stack's DNS server answers as a real one does."""

    @pytest.fixture(name="packets")
    def _packets(self, tmp_path: Path) -> Iterator[World]:
        config = tmp_path / "zone.yaml"
        write_file(config, {"*.apps.platform.test": {"CNAME": [EDGE]}, EDGE: {"A": ["127.0.0.11"]}})
        with ZoneServer(config) as zone:
            resolver = DNSResolver(live_check(f"127.0.0.1:{zone.port}"))
            yield World(resolver, lambda name, kind, values: set_record(config, name, kind, values))

    def test_wildcard_stands_for_one_label(self, packets: World) -> None:
        """Every app's platform address resolves without a record of its own."""
        assert packets.resolver.resolve(Hostname("myapp.apps.platform.test")).addresses == ("127.0.0.11",)
        assert packets.resolver.resolve(Hostname("a.b.apps.platform.test")).addresses == ()

    def test_record_can_be_taken_away(self, packets: World) -> None:
        """A customer who leaves deletes the record, and the name is gone."""
        packets.set_record(SHOP, "A", ["192.0.2.1"])
        packets.set_record(SHOP, "A", [])
        assert packets.resolver.resolve(SHOP) == NOTHING


@contextmanager
def answering(rcode: int | None) -> Iterator[str]:
    """Run a resolver that answers every question with *rcode*, or with silence."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(0.02)
        stop = threading.Event()

        def serve() -> None:
            while not stop.is_set():
                try:
                    data, client = server.recvfrom(4096)
                except TimeoutError:
                    continue
                if rcode is not None:
                    reply = DNSRecord.parse(data).reply()  # type: ignore[no-untyped-call]
                    reply.header.rcode = rcode
                    server.sendto(reply.pack(), client)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            stop.set()
            thread.join()


class TestResolverTrouble:
    @pytest.mark.parametrize("rcode", [None, RCODE.SERVFAIL, RCODE.REFUSED], ids=["silence", "servfail", "refused"])
    def test_no_answer_is_not_an_empty_answer(self, rcode: int | None) -> None:
        """A resolver in trouble says nothing about the customer's domain: tried again, not refused."""
        with answering(rcode) as address:
            resolver = DNSResolver(live_check(address, seconds=0.3))
            with pytest.raises(DNSUnavailable):
                resolver.resolve(SHOP)
            with pytest.raises(DNSUnavailable):
                resolver.txt(SHOP)

    def test_second_resolver_answers_for_the_first(self) -> None:
        """One resolver in trouble is no trouble while another answers."""
        with answering(RCODE.SERVFAIL) as broken, answering(RCODE.NXDOMAIN) as sound:
            assert DNSResolver(live_check(broken, sound)).resolve(SHOP) == NOTHING

    def test_fake_can_be_in_trouble_too(self) -> None:
        """The twin fails in the same class."""
        fake = FakeResolver()
        fake.down = True
        with pytest.raises(DNSUnavailable):
            fake.resolve(SHOP)

    @pytest.mark.parametrize("form", ["127.0.0.1", "::1", "127.0.0.1:53", "[::1]:5300"])
    def test_forms_of_a_resolver_address(self, form: str) -> None:
        """The settings take an address with or without a port, of either family."""
        DNSResolver(live_check(form))


class TestCAA:
    def test_records_as_they_stand(self, world: World) -> None:
        """Flags, tag and value, with the value's parameters."""
        world.set_record(SHOP, "CAA", ['0 issue "ca.example;policy=ev"', '128 issuewild ";"'])
        found = sorted(world.resolver.caa(SHOP), key=lambda each: each.flags)
        assert found == [Property(0, "issue", "ca.example;policy=ev"), Property(128, "issuewild", ";")]

    def test_a_name_without_any_has_none(self, world: World) -> None:
        """Nor has a name that does not exist, nor a top-level domain: the climb goes on."""
        world.set_record(SHOP, "A", ["192.0.2.1"])
        assert [world.resolver.caa(name) for name in (SHOP, "missing.example.test", "test")] == [(), (), ()]
