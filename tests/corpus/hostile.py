"""Files made to harm who reads them, or who reads about them."""

from __future__ import annotations

from collections.abc import Callable

from cryptography import x509

from tasks.core.doctor.pem import armour
from tests.corpus import craft
from tests.corpus.case import SHOP, Case, Files, Lab, accepted, asked, leaf, refused
from tests.corpus.containers import key_der, locked

_TEXTS = {
    "escape sequences": "Shop\x1b[2J\x1b]0;pwned\x07",
    "a line break and a forged log line": "Shop\n2026-07-01 ERROR all keys lost",
    "a turned writing direction": "Shop\u202etset.elpmaxe",
    "invisible letters": "Shop\u200b\u2066\ufeff",
    "a NUL": "Shop\x00",
    "HTML": "<script>alert(1)</script>",
    "Markdown": "[click](https://evil.test) **now** | `x`",
    "a shell command": "$(touch pwned)`touch pwned`; touch pwned; '\"; touch pwned",
    "a format string": "{0.__class__} %s%n ${jndi:ldap://evil.test}",
}


def _subject(text: str) -> Callable[[Lab], Files]:
    """A good leaf with *text* in its subject and in its issuer's."""
    return lambda lab: lab.root.intermediate(text[:60]).issue([SHOP], organization=text).files()


def _gap(text: str) -> Callable[[Lab], Files]:
    """The same without the chain, so that the messages name the issuer."""
    return lambda lab: lab.publish(lab.root.intermediate(text[:60])).issue([SHOP], organization=text).files(chain=None)


def _name(text: bytes) -> Callable[[Lab], Files]:
    san = craft.extension(craft.SAN, craft.dns_names(text))
    return lambda lab: lab.extended(san, drop=(craft.SAN,))


def _der(der: Callable[[Lab], bytes]) -> Callable[[Lab], Files]:
    """Any DER for the certificate."""
    return lambda lab: lab.good.files(crt=armour("CERTIFICATE", der(lab)), chain=None)


def _flipped(at: int) -> Callable[[Lab], bytes]:
    def flip(lab: Lab) -> bytes:
        der = bytearray(craft.der_of(lab.good.leaf))
        der[at] ^= 0xFF
        return bytes(der)

    return flip


def _nested(depth: int) -> bytes:
    der = b"\x05\x00"
    for _ in range(depth):
        der = craft.sequence(der)
    return der


def _indefinite(lab: Lab) -> bytes:
    """The certificate with its outermost length left open: BER, not DER."""
    return b"\x30\x80" + b"".join(craft.children(craft.der_of(lab.good.leaf))) + b"\0\0"


def _long_length(lab: Lab) -> bytes:
    """The certificate with a longer length than needed."""
    content = b"".join(craft.children(craft.der_of(lab.good.leaf)))
    return b"\x30\x84" + len(content).to_bytes(4, "big") + content


def _locked_as(name: str) -> Callable[[Lab], Files]:
    """The key under a passphrase, in a file of this name."""
    return lambda lab: lab.good.files(key=None) | {name: locked(lab.good.key)}


def _injected(lab: Lab) -> bytes:
    """A header between BEGIN and the content that no reader knows."""
    begin, _, rest = lab.good.key_pem.partition(b"\n")
    return begin + b"\nX-Comment: \x1b[2J\n=\n" + rest


def _labelled(lab: Lab) -> Files:
    """The key in hexadecimal where the label should be: what a script makes that mixes up its variables."""
    label = " ".join(key_der(lab.good.key).hex().upper()[at : at + 20] for at in range(60, 140, 20)).encode()
    return lab.good.files(crt=lab.good.leaf_pem.replace(b"CERTIFICATE", label))


def _within(lab: Lab) -> bytes:
    lines = lab.good.key_pem.splitlines(True)
    return b"".join([*lines[:2], b"-----BEGIN CERTIFICATE-----\n", *lines[2:]])


def _policy(lab: Lab) -> Files:
    """A leaf with 8 KiB of notice to read."""
    notice = x509.UserNotice(None, "x" * 200)
    policy = x509.PolicyInformation(x509.ObjectIdentifier("2.23.140.1.2.1"), [notice] * 40)
    return lab.extended(craft.of(x509.CertificatePolicies([policy])))


CASES: tuple[Case, ...] = (
    *(accepted(f"{what} in the names of subject and issuer", _subject(text)) for what, text in _TEXTS.items()),
    *(
        refused(f"{what} in the name of a missing issuer", "chain-incomplete", _gap(text))
        for what, text in _TEXTS.items()
    ),
    *(
        refused(f"{what} in the name of a host", "name-mismatch", _name(text.encode()))
        for what, text in _TEXTS.items()
        if text.isascii()
    ),
    *(
        refused(f"{what} in the name of a file", "key-encrypted", _locked_as(f"{text.replace('/', '')}.key"))
        for what, text in _TEXTS.items()
        if "\0" not in text
    ),
    refused(
        "a shell command in a host's name, and none asked for",
        "no-names",
        leaf("$(touch pwned).example.test", days=10, age_days=11),
        asked(None),
    ),
    accepted("a piece of the key for the label of the certificate", _labelled, "label-corrected"),
    refused("a file called like an option", "key-encrypted", _locked_as("-passin")),
    refused("a file called like a way out", "key-encrypted", _locked_as("sub/../ssl.key")),
    refused("text of another key in a header", "key-unreadable", lambda lab: lab.good.files(key=_injected(lab))),
    refused("an armour within the armour", "key-unreadable", lambda lab: lab.good.files(key=_within(lab))),
    refused(
        "two thousand BEGIN lines",
        "too-many-files",
        lambda lab: lab.good.files(crt=b"-----BEGIN CERTIFICATE-----\n" * 2000),
    ),
    refused(
        "ten thousand dashes",
        "certificate-unreadable",
        lambda lab: lab.good.files(crt=b"-" * 10_000 + b"BEGIN " * 1000, chain=None),
    ),
    refused(
        "a label of a thousand letters",
        "certificate-unreadable",
        lambda lab: lab.good.files(crt=b"-----BEGIN " + b"A " * 500 + b"-----\nAAAA\n", chain=None),
    ),
    refused("a thousand sequences, one in the other", "certificate-unreadable", _der(lambda lab: _nested(1000))),
    refused("a length of 4 GB", "certificate-unreadable", _der(lambda lab: b"\x30\x84\xff\xff\xff\xff" + bytes(64))),
    refused("a length of 127 octets", "certificate-unreadable", _der(lambda lab: b"\x30\xff" + b"\xff" * 130)),
    refused("BER for DER", "certificate-unreadable", _der(_indefinite)),
    refused("a length in more octets than needed", "certificate-malformed", _der(_long_length)),
    refused(
        "a sequence that is a set",
        "certificate-unreadable",
        _der(lambda lab: b"\x31" + craft.der_of(lab.good.leaf)[1:]),
    ),
    refused("the first length destroyed", "certificate-unreadable", _der(_flipped(2))),
    refused("noise", "certificate-unreadable", lambda lab: lab.good.files(crt=bytes(range(256)) * 8, chain=None)),
    refused("noise in base64", "certificate-unreadable", _der(lambda lab: bytes(range(7, 256)) * 3)),
    accepted("a policy with 8 KiB of small print", _policy),
)
