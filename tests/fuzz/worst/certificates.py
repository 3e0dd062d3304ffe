"""Certificates with far too much in them, and chains made to lead in circles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from tasks.core import policy
from tests.corpus import craft
from tests.fuzz import forge, seeds
from tests.fuzz.worst.case import BODY, FULL, SHOP, SHOP_NAME, YML, Files, Worst, fill, many, pem
from tests.fuzz.worst.keys import ec_key, noise, scalar
from tests.pki import CA

_SHOP_SAN: Final = craft.extension(craft.SAN, craft.dns_names(SHOP.encode()))
_ED25519: Final = craft.sequence(craft.sequence(craft.oid("1.3.101.112")), craft.bits(bytes(32)))
_DSA_SHA256: Final = craft.sequence(craft.oid("2.16.840.1.101.3.4.3.2"))
_NAME_CONSTRAINTS: Final = "2.5.29.30"
_BIG: Final = 16_384


# --- Chains ------------------------------------------------------------------------------------------------------


def _crossing(signer: forge.Signer, *, true: bool = True) -> Files:
    """
    Nine authorities of one name and one key, and a leaf that each of them may have signed.

    Where the signatures are *true* each has a way to each; else every one of them is tried for the leaf.
    """
    wrong = forge.unsigned(signer.spki, signer.algorithm, signer.sign(b"something else"))
    by, middle = signer if true else wrong, forge.name("Crossing")
    others = [forge.certificate(middle, middle, signer.spki, by, serial=n) for n in range(2, 11)]
    leaf = forge.certificate(SHOP_NAME, middle, signer.spki, by, _SHOP_SAN, authority=False)
    return {"ssl.crt": pem(leaf), **{f"{n:02}.crt": pem(der) for n, der in enumerate(others)}, **YML}


def _ladder(make: Callable[[int], forge.Signer]) -> Files:
    """Ten certificates of one name, each signed with the next one's key only: every step tries all that are left."""
    rungs, one = [make(n) for n in range(11)], forge.name("Ladder")
    files = {}
    for n in range(10):
        ends = b"20260602000000Z" if n == 9 else b"20261231000000Z"  # one that ended: all is searched twice
        der = forge.certificate(
            one, one, rungs[n].spki, rungs[n + 1], _SHOP_SAN, serial=n + 1, authority=n > 0, ends=ends
        )
        files["ssl.crt" if n == 0 else f"{10 - n:02}.crt"] = pem(der)
    return files | YML


def _big_rsa(n: int) -> forge.Signer:
    return forge.multi_prime_rsa(_BIG, (1 << 63) + 100_000 * n + 1)


def _long_exponents(n: int) -> forge.Signer:
    return forge.multi_prime_rsa(3072 - 512 * (n % 2), None)


def _dsa(bits: int) -> forge.Signer:
    numbers = [craft.integer(noise(n, size)) for n, size in ((1, bits), (2, 256), (3, bits - 1))]
    algorithm = craft.sequence(craft.oid("1.2.840.10040.4.1"), craft.sequence(*numbers))
    spki = craft.sequence(algorithm, craft.bits(craft.integer(noise(4, bits - 1))))
    signature = craft.sequence(craft.integer(noise(5, 250)), craft.integer(noise(6, 250)))
    return forge.unsigned(spki, _DSA_SHA256, signature)


def _chains() -> Iterator[Worst]:
    yield Worst("10 RSA-16384 signing each other", lambda: _crossing(forge.multi_prime_rsa(_BIG)), SHOP)
    yield Worst("10 RSA-16384, no signature is right", lambda: _crossing(forge.multi_prime_rsa(_BIG), true=False), SHOP)
    yield Worst("a ladder of RSA-16384, exponents of 64 bits", lambda: _ladder(_big_rsa), SHOP)
    yield Worst("a ladder of RSA-3072, exponents of 3,072 bits", lambda: _ladder(_long_exponents), SHOP)
    for curve in (ec.SECP521R1(), ec.BrainpoolP512R1()):
        ladder = lambda curve=curve: _ladder(lambda _: forge.ec_signer(curve))  # noqa: E731
        yield Worst(f"a ladder of {curve.name}", ladder, SHOP)
    yield Worst("10 DSA-4096 signing each other", lambda: _crossing(_dsa(4096)), SHOP)
    yield Worst("10 DSA-10000 signing each other", lambda: _crossing(_dsa(10_000)), SHOP)
    yield Worst("a certificate of DSA-100000", lambda: {"ssl.crt": _crossing(_dsa(100_000))["ssl.crt"], **YML}, SHOP)


# --- One certificate with much in it -----------------------------------------------------------------------------


def _names(text: str) -> Files:
    """A leaf with as many names as fit; a number takes the place of ``{}``."""
    names = fill(lambda n: craft.tlv(0x82, text.format(n).encode()))
    signer = forge.ec_signer()
    san = craft.extension(craft.SAN, craft.sequence(*(names or [craft.tlv(0x82, text[:BODY].encode())])))
    leaf = forge.certificate(SHOP_NAME, SHOP_NAME, signer.spki, signer, san, authority=False)
    return {"ssl.key": ec_key(), "ssl.crt": pem(leaf), **YML}


def _extensions(certificates: int = 1, *, critical: bool = True, subject: bytes = SHOP_NAME) -> Files:
    """Certificates full of small extensions that nobody knows; each is signed by the next, so that all are looked at."""
    signers = [forge.ec_signer() for _ in range(certificates)]
    names = [subject, *(forge.name(f"CA {n}") for n in range(1, certificates))]
    room = BODY - 2 * len(subject)
    unknown = fill(lambda i: craft.extension(f"1.3.{i}", b"", critical=critical), room)
    files: Files = {}
    for n, signer in enumerate(signers):
        above = min(n + 1, certificates - 1)
        der = forge.certificate(names[n], names[above], signer.spki, signers[above], *unknown, authority=n > 0)
        files[f"{n}.crt"] = pem(der)
    return files | YML


def _huge_name(attributes: int, *, together: bool = False) -> bytes:
    """A name of many attributes, each in an RDN of its own or all *together* in one."""
    each = [craft.sequence(craft.oid("2.5.4.3"), craft.tlv(0x0C, b"%d" % n)) for n in range(attributes)]
    return craft.sequence(*([craft.tlv(0x31, *each)] if together else [craft.tlv(0x31, a) for a in each]))


def _huge_names(*, together: bool) -> Files:
    """Ten certificates of a huge subject and issuer."""
    one, signer = _huge_name(1400, together=together), forge.ec_signer()
    ders = [forge.certificate(one, one, signer.spki, signer, serial=n + 1, authority=n > 0) for n in range(10)]
    return {f"{n}.crt": pem(der) for n, der in enumerate(ders)} | YML


@cache
def _root() -> CA:
    return CA("Example Root", now=seeds.NOW)


def _constrained() -> Files:
    """An intermediate of a trusted root, full of name constraints, and a leaf with as many names as are accepted."""
    middle, one, signing = forge.ec_signer(), forge.name("Example Intermediate"), craft.ECDSA_SHA256
    trees = fill(lambda n: craft.sequence(craft.tlv(0x82, b"a%d.test" % n)))
    constraints = craft.extension(_NAME_CONSTRAINTS, craft.sequence(craft.tlv(0xA1, *trees)), critical=True)
    by_root = forge.Signer(b"", signing.algorithm, lambda data: signing.sign(_root().key, data))
    intermediate = forge.certificate(one, _root().name.public_bytes(), middle.spki, by_root, constraints)
    point = craft.ec_public(craft.point_of(ec.derive_private_key(scalar(), ec.SECP256R1())))
    names = [SHOP.encode(), *(b"h%d.example.test" % n for n in range(policy.MAX_SANS - 1))]
    san = craft.extension(craft.SAN, craft.dns_names(*names))
    leaf = forge.certificate(SHOP_NAME, one, point, middle, san, authority=False)
    return {"ssl.key": ec_key(), "ssl.crt": pem(leaf), "ssl.chain": pem(intermediate), **YML}


def _small_certificates() -> Files:
    """As many certificates as fit into a hundred files."""
    signer, empty = forge.unsigned(_ED25519), craft.sequence()
    ders = [forge.certificate(empty, empty, _ED25519, signer, serial=n, authority=False) for n in range(3)]
    each = FULL // len(pem(ders[0]))
    return many(lambda _: pem(*(ders[n % 3] for n in range(each))))


def small_certificate(number: int) -> bytes:
    empty = craft.sequence()
    return forge.certificate(empty, empty, _ED25519, forge.unsigned(_ED25519), serial=number, authority=False)


def _one_certificate() -> Iterator[Worst]:
    yield Worst("names that are numbers", lambda: _names("{}"))
    yield Worst("names of hosts", lambda: _names("a{}.test"), SHOP)
    yield Worst("names of hosts, and nobody asks", lambda: _names("a{}.test"))
    yield Worst("names that are no hosts'", lambda: _names("_{}"))
    yield Worst("names beyond ASCII", lambda: _names("ä{}"))
    yield Worst("names that are addresses", lambda: _names("10.0.0.{}"))
    yield Worst("names of A-labels", lambda: _names("xn--{}-mgbcd7a.test"))
    long = "mgbcd7aabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstu"
    yield Worst("names of long A-labels", lambda: _names(f"xn--{long}{{}}.test"))
    yield Worst("names with wildcards", lambda: _names("*.a{}.co.uk"))
    yield Worst("a name of 46 KiB", lambda: _names("x" * BODY))
    yield Worst("an A-label of 46 KiB", lambda: _names("xn--" + "x" * BODY))
    yield Worst("a certificate full of extensions", lambda: _extensions(critical=False))
    yield Worst("a certificate full of critical extensions", _extensions)
    yield Worst("10 certificates full of critical extensions", lambda: _extensions(10))
    yield Worst("a huge subject and critical extensions", lambda: _extensions(subject=_huge_name(800)))
    yield Worst("10 huge subjects, an RDN for each attribute", lambda: _huge_names(together=False))
    yield Worst("10 huge subjects, one RDN for all", lambda: _huge_names(together=True))
    trusted = lambda: _root().certificate.public_bytes(Encoding.DER)  # noqa: E731
    yield Worst("an intermediate full of name constraints", _constrained, SHOP, trusted)
    yield Worst("100 files of certificates", _small_certificates)


def cases() -> Iterator[Worst]:
    yield from _chains()
    yield from _one_certificate()
