"""Which addresses the live check may connect to."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from tasks.core.addresses import check_reachable
from tasks.core.errors import Rejected


class TestCheckReachable:
    @pytest.mark.parametrize(
        "address", ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001:80b::200e"]
    )
    def test_public_addresses_pass(self, address: str) -> None:
        """What everyone on the Internet reaches may be connected to."""
        check_reachable(address)

    @pytest.mark.parametrize(
        ("address", "what"),
        [
            ("127.0.0.1", "loopback"),
            ("127.8.8.8", "loopback, all of the network"),
            ("0.0.0.0", "this host"),
            ("10.0.0.1", "private"),
            ("172.16.0.1", "private"),
            ("192.168.1.1", "private"),
            ("169.254.169.254", "the cloud's metadata service"),
            ("100.64.0.1", "shared by a carrier: `is_private` says no"),
            ("192.0.0.1", "protocol assignments"),
            ("192.0.2.1", "documentation"),
            ("192.88.99.1", "the 6to4 relay: `is_global` says yes"),
            ("198.18.0.1", "benchmarks"),
            ("224.0.0.1", "multicast: `is_global` says yes"),
            ("240.0.0.1", "reserved"),
            ("255.255.255.255", "broadcast"),
            ("::", "unspecified"),
            ("::1", "loopback"),
            ("::ffff:127.0.0.1", "IPv4 loopback in IPv6"),
            ("::ffff:1.1.1.1", "public IPv4 in IPv6: no name server gives it"),
            ("::127.0.0.1", "IPv4-compatible: `is_global` says yes"),
            ("64:ff9b::7f00:1", "IPv4 loopback behind NAT64: `is_global` says yes"),
            ("64:ff9b::a9fe:a9fe", "the metadata service behind NAT64: `is_global` says yes"),
            ("64:ff9b:1::1", "local NAT64"),
            ("2002:7f00:1::", "IPv4 loopback in 6to4"),
            ("2002:a9fe:a9fe::1", "the metadata service in 6to4"),
            ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "Teredo"),
            ("2001:db8::1", "documentation"),
            ("3fff::1", "documentation since 2024"),
            ("fc00::1", "unique local"),
            ("fd00:ec2::254", "the cloud's metadata service over IPv6"),
            ("fe80::1", "link-local"),
            ("fe80::1%lo", "link-local with a zone"),
            ("2606:4700:4700::1111%eth0", "public, but with a zone"),
            ("fec0::1", "site-local"),
            ("ff02::1", "multicast"),
            ("ff0e::1", "multicast of global scope"),
        ],
    )
    def test_all_others_are_refused(self, address: str, what: str) -> None:
        """A customer cannot make certferry connect to a place that only certferry reaches."""
        with pytest.raises(Rejected, match="address-not-public"):
            check_reachable(address)

    @pytest.mark.parametrize(
        "text",
        ["", "localhost", "shop.example.test", "127.1", "0x7f.0.0.1", "2130706433", "010.0.0.1", "1.1.1.1:80", "[::1]"],
    )
    def test_only_plain_literals_count(self, text: str) -> None:
        """Short, hexadecimal and octal forms, names and ports are not addresses, whatever a system library says."""
        with pytest.raises(Rejected, match="address-not-public"):
            check_reachable(text)

    def test_settings_can_allow_a_network(self) -> None:
        """The local stack's edges are on loopback; allowing them allows no other."""
        allowed = [ip_network("127.0.0.8/29")]
        check_reachable("127.0.0.11", allowed)
        with pytest.raises(Rejected):
            check_reachable("127.0.0.1", allowed)

    def test_allowed_ipv4_network_is_not_allowed_in_disguise(self) -> None:
        """An allowed IPv4 network does not let its IPv6 forms through."""
        with pytest.raises(Rejected):
            check_reachable("::ffff:127.0.0.11", [ip_network("127.0.0.0/8")])
