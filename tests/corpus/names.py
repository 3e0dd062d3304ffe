"""The certificate is for somebody else, or says who it is for in a way that does not count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cryptography import x509

from tests.corpus import craft
from tests.corpus.case import SHOP, Case, Files, Lab, accepted, asked, leaf, public, refused


def _raw(*names: bytes) -> Callable[[Lab], Files]:
    """The good leaf with DNS names that no library would write."""
    extension = craft.extension(craft.SAN, craft.dns_names(*names))
    return lambda lab: lab.extended(extension, drop=(craft.SAN,))


def _names(*names: x509.GeneralName) -> Callable[[Lab], Files]:
    extension = craft.of(x509.SubjectAlternativeName(names))
    return lambda lab: lab.extended(extension, drop=(craft.SAN,))


def _hosts(count: int) -> list[str]:
    return [SHOP, *(f"h{n}.example.test" for n in range(count - 1))]


def _public_for(hostname: str) -> Callable[[Lab], dict[str, Any]]:
    return asked(hostname, public_trust=True)


_LONG = ".".join(["a" * 63, "b" * 63, "c" * 63, "example", "test"])


def _no_subject(lab: Lab) -> Files:
    san = craft.of(x509.SubjectAlternativeName([x509.DNSName(SHOP)]), critical=True)
    extensions = craft.extensions(lab.good.leaf, san, drop=(craft.SAN,))
    return lab.forged(subject=craft.sequence(), extensions=extensions)


CASES: tuple[Case, ...] = (
    accepted("one name", leaf(SHOP)),
    accepted("the name among others", leaf("example.test", "www.example.test", SHOP)),
    accepted("a wildcard one label up", leaf("*.example.test")),
    accepted("a wildcard in capitals", leaf("*.EXAMPLE.Test")),
    accepted("capitals", leaf("Shop.Example.TEST")),
    accepted("a name twice", leaf(SHOP, SHOP)),
    accepted("100 names", leaf(*_hosts(100))),
    accepted("another common name", leaf(SHOP, common_name="Example Ltd")),
    accepted("no subject at all, and critical names", _no_subject),
    accepted("an address beside the name", leaf(SHOP, "192.0.2.1")),
    accepted("an address of version 6 beside the name", leaf(SHOP, "2001:db8::1")),
    accepted("an address written as a name", _raw(SHOP.encode(), b"192.0.2.1"), "address-as-name"),
    accepted("an e-mail address beside the name", _names(x509.DNSName(SHOP), x509.RFC822Name("it@example.test"))),
    accepted("an underscore in another name", leaf(SHOP, "my_shop.example.test"), "name-malformed"),
    accepted(
        "xn-- and then nothing that decodes, in another name",
        _raw(SHOP.encode(), b"xn--99999999999.example.test"),
        "name-malformed",
    ),
    accepted("xn-- and then nothing, in another name", _raw(SHOP.encode(), b"xn--.example.test"), "name-malformed"),
    *(
        accepted(f"{what}, in another name", _raw(SHOP.encode(), name), "name-malformed")
        for what, name in (
            ("nothing", b""),
            ("an asterisk alone", b"*"),
            ("two dots", b"a..example.test"),
            ("a space", b"my shop.example.test"),
            ("a final dot", b"www.example.test."),
            ("a NUL", b"shop.example.test\0.evil.test"),
            ("a wildcard in the middle", b"a.*.example.test"),
            ("a number for a top-level domain", b"1.2.3"),
            ("a label of 70 letters", b"a" * 70 + b".example.test"),
        )
    ),
    accepted(
        "an internationalised name", leaf("xn--bcher-kva.example.test"), change=asked("xn--bcher-kva.example.test")
    ),
    accepted("a sharp s", leaf("xn--strae-oqa.example.test"), change=asked("xn--strae-oqa.example.test")),
    accepted("a name of 212 characters", leaf(_LONG, common_name="long"), change=asked(_LONG)),
    accepted("no name is asked for", leaf("anything.example.test"), change=asked(None)),
    accepted(
        "a wildcard below a suffix of a company",
        lambda lab: lab.logged("*.github.io").files(),
        change=_public_for("shop.github.io"),
    ),
    accepted(
        "a wildcard below a registered domain",
        lambda lab: lab.logged("*.example.co.uk").files(),
        change=_public_for("shop.example.co.uk"),
    ),
    refused("another host", "name-mismatch", leaf("other.example.test")),
    refused("www for the bare domain", "name-mismatch", leaf("www.example.test"), asked("example.test")),
    refused("the bare domain for www", "name-mismatch", leaf("example.test"), asked("www.example.test")),
    refused("a wildcard for its own domain", "name-mismatch", leaf("*.example.test"), asked("example.test")),
    refused("a wildcard two labels up", "name-mismatch", leaf("*.example.test"), asked("a.shop.example.test")),
    refused("a wildcard too high", "name-mismatch", leaf("*.test")),
    refused("a wildcard too low", "name-mismatch", leaf("*.shop.example.test")),
    refused("a wildcard for part of a label", "name-mismatch", leaf("sh*.example.test")),
    refused("a wildcard in the middle", "name-mismatch", leaf("shop.*.test")),
    refused("two wildcards", "name-mismatch", leaf("*.*.test")),
    refused("a wildcard for everything", "name-mismatch", leaf("*")),
    refused("the staging host", "name-mismatch", leaf("shop.staging.example.test")),
    refused("another top-level domain", "name-mismatch", leaf("shop.example.invalid")),
    refused("a mistyped name", "name-mismatch", leaf("shpo.example.test")),
    refused("a Cyrillic twin", "name-mismatch", leaf("xn--hop-ehd.example.test")),
    refused("a name inside the company", "name-mismatch", leaf("shop.local")),
    refused("localhost", "name-mismatch", leaf("localhost")),
    refused("a final dot", "name-mismatch", _raw(b"shop.example.test.")),
    refused("a leading dot", "name-mismatch", _raw(b".example.test")),
    refused("a space in front", "name-mismatch", _raw(b" shop.example.test")),
    refused("a space behind", "name-mismatch", _raw(b"shop.example.test ")),
    refused("a NUL and another domain behind", "name-mismatch", _raw(b"shop.example.test\0.evil.test")),
    refused("a line break behind", "name-mismatch", _raw(b"shop.example.test\n")),
    refused("an address for a web page", "name-mismatch", _raw(b"https://shop.example.test")),
    refused("a port behind", "name-mismatch", _raw(b"shop.example.test:443")),
    refused("openssl's DNS: twice", "name-mismatch", _raw(b"DNS:shop.example.test")),
    refused("two names in one", "name-mismatch", _raw(b"shop.example.test,www.example.test")),
    refused("an empty name", "name-mismatch", _raw(b"")),
    refused("a common name only", "no-names", leaf(SHOP, san=False)),
    refused("a common name only, and none asked for", "no-names", leaf(SHOP, san=False), asked(None)),
    refused("an address only", "no-names", leaf("192.0.2.1", common_name=SHOP)),
    refused("an e-mail address only", "no-names", _names(x509.RFC822Name("it@example.test"))),
    refused(
        "an address for a web page only, as a URI",
        "no-names",
        _names(x509.UniformResourceIdentifier("https://shop.example.test")),
    ),
    refused("the name as a directory name", "no-names", _names(x509.DirectoryName(x509.Name([])))),
    refused("an empty list of names", "no-names", _raw()),
    refused("an umlaut in octets", "name-not-idna", _raw(SHOP.encode(), "bücher.example.test".encode())),
    refused(
        "an umlaut in octets of old Windows", "certificate-malformed", _raw("bücher.example.test".encode("cp1252"))
    ),
    *(
        refused(f"{what} alone, and none asked for", "no-names", _raw(name), asked(None))
        for what, name in (
            ("nothing", b""),
            ("an asterisk", b"*"),
            ("an asterisk and a dot", b"*."),
            ("an underscore", b"my_shop.example.test"),
            ("an address as a name", b"192.0.2.1"),
            ("an address of version 6 as a name", b"2001:db8::1"),
            ("two dots", b"a..example.test"),
            ("a NUL", b"a\0.example.test"),
            ("a label of 300 letters", b"a" * 300),
        )
    ),
    accepted("localhost, and none asked for", _raw(b"localhost"), change=asked(None)),
    accepted("a wildcard, and none asked for", _raw(b"*.example.test"), change=asked(None)),
    refused("101 names", "too-many-names", leaf(*_hosts(101))),
    refused("1000 names", "too-many-names", leaf(*_hosts(1000))),
    refused("*.co.uk", "wildcard-public-suffix", leaf("*.co.uk"), asked("shop.co.uk")),
    refused("*.com beside the name", "wildcard-public-suffix", leaf(SHOP, "*.com")),
    refused("*.com alone", "name-mismatch", lambda lab: lab.logged("*.com").files(), _public_for("shop.com")),
    refused(
        "an underscore, public", "name-malformed", lambda lab: lab.logged(SHOP, "my_shop.example.test").files(), public
    ),
    refused("another host, public", "name-mismatch", lambda lab: lab.logged("other.example.test").files(), public),
)
