"""Chains with gaps, strangers, wrong links, old links and too many links."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from tasks.core.doctor.pem import armour
from tests.corpus import craft
from tests.corpus.case import NOW, SHOP, Case, Files, Lab, accepted, refused
from tests.pki import CA, Issued, cert_pem, make_key, self_signed


def _below(authority: Callable[[Lab], CA]) -> Callable[[Lab], Files]:
    """A good leaf of this authority, with its chain."""
    return lambda lab: authority(lab).issue([SHOP]).files()


def _with_chain(*certificates: Callable[[Lab], CA]) -> Callable[[Lab], Files]:
    """The good leaf with these authorities' certificates as its chain."""
    return lambda lab: lab.good.files(chain=b"".join(authority(lab).pem for authority in certificates))


def _amended(*added: bytes, drop: tuple[str, ...] = ()) -> Callable[[Lab], Files]:
    """A good leaf of an intermediate with other extensions."""
    return lambda lab: craft.amended(lab.middle, *added, drop=drop).issue([SHOP]).files()


def _twin(lab: Lab) -> CA:
    """The name of the right intermediate, the key of another: a CA that changed its keys and kept its name."""
    return lab.root.intermediate("Example Intermediate")


def _last_year(lab: Lab) -> CA:
    return lab.root.intermediate("Example Intermediate 2025")


def _expired(lab: Lab) -> CA:
    """An intermediate that has expired; the authority renewed it, with the same name and key."""
    key = make_key()
    lab.publish(lab.root.intermediate("Example Stale", key=key))
    return lab.root.intermediate("Example Stale", key=key, days=10, age_days=30)


def _future(lab: Lab) -> CA:
    """An intermediate ahead of its time, beside the one of today."""
    key = make_key()
    lab.publish(lab.root.intermediate("Example Future", key=key))
    return lab.root.intermediate("Example Future", key=key, age_days=-3)


def _twice_issued(lab: Lab, newest_first: bool) -> Files:
    """Two certificates of one intermediate, one of them expired."""
    key = make_key()
    now, then = (lab.root.intermediate("Twice", key=key, **more) for more in ({}, {"days": 10, "age_days": 30}))  # type: ignore[arg-type]
    links = [now, then] if newest_first else [then, now]
    return now.issue([SHOP]).files(chain=b"".join(link.pem for link in links))


def _crossed(lab: Lab) -> Files:
    """An intermediate that a stranger and a trusted root both signed."""
    key = make_key()
    by_stranger = CA("Cross", key=key, parent=lab.stranger, now=NOW)
    by_root = CA("Cross", key=key, parent=lab.root, now=NOW)
    return by_stranger.issue([SHOP]).files(chain=by_stranger.pem + lab.stranger.pem + by_root.pem)


def _crossed_root(lab: Lab) -> Files:
    """The trusted root once more, signed by an older one that has expired: what broke half the internet in 2021."""
    old = CA("Example Old Root", now=NOW, days=20, age_days=30)
    crossed = CA("Example Root", key=lab.root.key, parent=old, now=NOW)
    return lab.good.files(chain=lab.good.chain_pem + crossed.pem + old.pem)


def _six_links(lab: Lab) -> Files:
    authority = lab.root
    for number in range(6):
        authority = authority.intermediate(f"Step {number}")
    return authority.issue([SHOP]).files()


def _leaf_as_authority(lab: Lab) -> Files:
    """A server certificate that signs another: the flaw of many validators."""
    victim = lab.root.issue(["victim.example.test"])
    forger = CA("forger", now=NOW)
    forger.key, forger.name, forger.certificate, forger.parent = victim.key, victim.leaf.subject, victim.leaf, lab.root
    return forger.issue([SHOP]).files()


def _narrow(lab: Lab) -> CA:
    """An authority that may only issue leaves, with another below."""
    return CA("Low", parent=CA("Narrow", parent=lab.root, path_length=0, now=NOW), now=NOW)


def _impostor(lab: Lab) -> Files:
    """A root of the customer's own with the name of a trusted one."""
    impostor = CA("Example Root", now=NOW)
    return impostor.issue([SHOP]).files(chain=impostor.pem)


def _staging(lab: Lab) -> CA:
    root = lab.publish(CA("(STAGING) Pretend Pear X1", now=NOW))
    return lab.publish(root.intermediate("(STAGING) Bogus Broccoli X2"))


def _store(count: int) -> Callable[[Lab], Files]:
    return lambda lab: lab.good.files(
        chain=lab.good.chain_pem + cert_pem(CA(f"Root {n}", now=NOW).certificate for n in range(count))
    )


def _damaged_signature(lab: Lab) -> Files:
    der = bytearray(craft.der_of(lab.good.leaf))
    der[-5] ^= 1
    return lab.good.files(crt=armour("CERTIFICATE", bytes(der)))


def _rsa_leaf(**parts: Any) -> Callable[[Lab], Files]:
    """A leaf of the RSA authority, signed in another way."""

    def files(lab: Lab) -> Files:
        issued = lab.rsa_middle.issue([SHOP])
        return craft.forged_files(lab.rsa_middle, issued, **parts)

    return files


def _weak_link(lab: Lab) -> CA:
    return lab.root.intermediate("Example Short", key="rsa1024")


def _sha1_twin(lab: Lab) -> Files:
    """Two certificates of one intermediate, as in the years of changing: over SHA-1 and over SHA-256."""
    key = make_key("rsa2048", 2)
    old = lab.rsa_root.intermediate("Example Two Hashes", key=key, sha1=True)
    new = lab.rsa_root.intermediate("Example Two Hashes", key=key)
    return new.issue([SHOP]).files(chain=old.pem + new.pem)


def _sha1(where: str) -> Callable[[Lab], Files]:
    def files(lab: Lab) -> Files:
        key = make_key("rsa2048", 2)
        middle = lab.rsa_root.intermediate("Example SHA-1", key=key, sha1=where == "intermediate")
        return middle.issue([SHOP], sha1=where == "leaf").files()

    return files


def _chain_ends_first(lab: Lab) -> Files:
    return lab.root.intermediate("Example Brief", days=60).issue([SHOP], days=90).files()


def _constraint(permitted: list[str] | None = None, excluded: list[str] | None = None) -> bytes:
    def names(hosts: list[str] | None) -> list[x509.GeneralName] | None:
        return [x509.DNSName(host) for host in hosts] if hosts else None

    return craft.of(x509.NameConstraints(names(permitted), names(excluded)), critical=True)


def _self_signed(**wanted: Any) -> Callable[[Lab], Files]:
    """What ``openssl req -x509`` makes: an authority of itself."""

    def files(lab: Lab) -> Files:
        authority = CA(SHOP, now=NOW)
        return authority.issue([SHOP], key=authority.key, is_ca=True, **wanted).files()

    return files


@cache
def _own(is_ca: bool) -> Issued:
    """A server's certificate that is itself in the trust store, perhaps as an authority."""
    authority = CA(SHOP, now=NOW)
    return authority.issue([SHOP], key=authority.key, is_ca=is_ca)


@cache
def _old_root() -> CA:
    return CA("Example Old Root", now=NOW, days=20, age_days=30)


def _trusting(root: Callable[[], x509.Certificate]) -> Callable[[Lab], dict[str, Any]]:
    return lambda lab: {"roots": [root()]}


def _each_other(lab: Lab) -> Files:
    """Two authorities that signed each other, and no root."""
    one, two = CA("Example One", now=NOW), CA("Example Two", now=NOW)
    one_by_two = CA("Example One", key=one.key, parent=two, now=NOW)
    two_by_one = CA("Example Two", key=two.key, parent=one, now=NOW)
    return one_by_two.issue([SHOP]).files(chain=one_by_two.pem + two_by_one.pem)


def _in_the_leaf(value: x509.ExtensionType) -> Callable[[Lab], Files]:
    """A critical extension that only an authority may have."""
    return lambda lab: lab.extended(craft.of(value, critical=True))


def _odd(lab: Lab, write: Callable[[bytes], bytes]) -> CA:
    """An intermediate whose public key is written in another way."""
    odd = lab.root.intermediate("Example Odd")
    spki = write(craft.point_of(odd.key))  # type: ignore[arg-type]
    odd.certificate = x509.load_der_x509_certificate(craft.forge(lab.root, odd.certificate, spki=spki))
    return odd


def _short(point: bytes) -> bytes:
    return craft.ec_public(bytes([2 + point[-1] % 2]) + point[1:33])


def _explicit(point: bytes) -> bytes:
    return craft.ec_public(point, craft.explicit_p256())


def _purpose(*oids: x509.ObjectIdentifier) -> bytes:
    return craft.of(x509.ExtendedKeyUsage(oids))


CASES: tuple[Case, ...] = (
    accepted("a leaf that the root itself issued", lambda lab: lab.root.issue([SHOP]).files()),
    accepted("two intermediates", lambda lab: lab.deep.files()),
    accepted(
        "two intermediates the wrong way round",
        lambda lab: lab.deep.files(chain=lab.high.pem + lab.low.pem),
        "chain-out-of-order",
    ),
    accepted("six intermediates", _six_links),
    accepted(
        "chain before the leaf",
        lambda lab: lab.good.files(crt=lab.good.chain_pem + lab.good.leaf_pem, chain=None),
        "chain-out-of-order",
    ),
    accepted(
        "leaf in ssl.chain, chain in ssl.crt",
        lambda lab: lab.good.files(crt=lab.good.chain_pem, chain=lab.good.leaf_pem),
        "chain-out-of-order",
    ),
    accepted("root sent along", _with_chain(lambda lab: lab.middle, lambda lab: lab.root), "root-left-out"),
    accepted("root first", _with_chain(lambda lab: lab.root, lambda lab: lab.middle), "root-left-out"),
    accepted("chain twice", lambda lab: lab.good.files(chain=lab.good.chain_pem * 2), "certificate-repeated"),
    accepted(
        "leaf in the chain once more",
        lambda lab: lab.good.files(chain=lab.good.leaf_pem + lab.good.chain_pem),
        "certificate-repeated",
    ),
    accepted(
        "an intermediate of another authority beside",
        _with_chain(lambda lab: lab.middle, lambda lab: lab.strange_middle),
        "certificate-left-out",
    ),
    accepted(
        "last year's intermediate beside", _with_chain(_last_year, lambda lab: lab.middle), "certificate-left-out"
    ),
    accepted(
        "its name-twin with another key beside", _with_chain(_twin, lambda lab: lab.middle), "certificate-left-out"
    ),
    accepted(
        "an expired twin of the intermediate first", lambda lab: _twice_issued(lab, False), "certificate-left-out"
    ),
    accepted("an expired twin of the intermediate last", lambda lab: _twice_issued(lab, True), "certificate-left-out"),
    accepted("a twin of the intermediate over SHA-1 first", _sha1_twin, "certificate-left-out"),
    accepted("cross-signed by a stranger", _crossed, "certificate-left-out"),
    accepted("root cross-signed by an expired one", _crossed_root, "certificate-left-out"),
    accepted("a few roots appended", _store(5), "certificate-left-out"),
    accepted("an intermediate that ends before the leaf", _chain_ends_first, "chain-expires-first"),
    accepted("names that the intermediate may issue", _amended(_constraint(["example.test"]))),
    accepted(
        "an intermediate for servers and clients",
        _amended(_purpose(ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)),
    ),
    refused(
        "an intermediate for any purpose",  # which OpenSSL and Firefox do not take for servers
        "chain-invalid",
        _amended(_purpose(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)),
    ),
    accepted("signed over SHA-512", lambda lab: lab.forged(signing=craft.ECDSA_SHA512)),  # type: ignore[arg-type]
    accepted("an RSA chain", _below(lambda lab: lab.rsa_middle)),
    accepted("signed by RSA-PSS", _rsa_leaf(signing=craft.RSA_PSS_SHA256)),
    accepted(
        "a root whose own signature is over SHA-1",
        lambda lab: lab.sha1_root.issue([SHOP]).files(chain=lab.sha1_root.pem),
        "root-left-out",
    ),
    accepted(
        "a server's own certificate that is in the trust store",
        lambda lab: _own(False).files(chain=None),
        change=_trusting(lambda: _own(False).leaf),
    ),
    refused(
        "an authority of the trust store for the server",
        "ca-leaf",
        lambda lab: _own(True).files(chain=None),
        _trusting(lambda: _own(True).leaf),
    ),
    refused(
        "a root of the trust store that has expired",
        "chain-expired",
        lambda lab: _old_root().issue([SHOP]).files(),
        _trusting(lambda: _old_root().certificate),
    ),
    refused("no chain", "chain-incomplete", lambda lab: lab.good.files(chain=None)),
    refused("no chain, where it has two links", "chain-incomplete", lambda lab: lab.deep.files(chain=None)),
    refused(
        "no chain, and another authority's intermediate.cer",
        "chain-incomplete",
        lambda lab: lab.good.files(chain=None) | {"intermediate.cer": lab.strange_middle.pem},
    ),
    refused("two authorities that signed each other", "chain-incomplete", _each_other),
    refused("a gap at the top", "chain-incomplete", lambda lab: lab.deep.files(chain=lab.low.pem)),
    refused("a gap at the bottom", "chain-incomplete", lambda lab: lab.deep.files(chain=lab.high.pem)),
    refused("the root in place of the intermediate", "chain-incomplete", _with_chain(lambda lab: lab.root)),
    refused("last year's chain", "chain-incomplete", _with_chain(_last_year)),
    refused(
        "the chain of another authority",
        "chain-incomplete",
        _with_chain(lambda lab: lab.strange_middle, lambda lab: lab.stranger),
    ),
    refused("the leaf as its own chain", "chain-incomplete", lambda lab: lab.good.files(chain=lab.good.leaf_pem)),
    refused("the right name, another key", "chain-wrong-issuer", _with_chain(_twin)),
    refused("a leaf with a damaged signature", "chain-wrong-issuer", _damaged_signature),
    refused("self-signed", "chain-untrusted", lambda lab: self_signed([SHOP], now=NOW).files()),
    refused("self-signed by openssl req -x509", "chain-untrusted", _self_signed()),
    refused("self-signed by openssl req -x509, without a name", "chain-untrusted", _self_signed(san=False)),
    refused("self-signed, and expired", "chain-untrusted", _self_signed(days=10, age_days=11)),
    refused(
        "an unknown root, sent along",
        "chain-untrusted",
        lambda lab: lab.strange_middle.issue([SHOP]).files(chain=lab.strange_middle.pem + lab.stranger.pem),
    ),
    refused("an unknown root, not sent along", "chain-incomplete", _below(lambda lab: lab.strange_middle)),
    refused("an impostor of the root", "chain-untrusted", _impostor),
    refused(
        "the staging authority, with its root",
        "chain-untrusted",
        lambda lab: (staging := _staging(lab)).issue([SHOP]).files(chain=staging.pem + staging.root.pem),
    ),
    refused("the staging authority", "chain-untrusted", _below(_staging)),
    refused("the root for the leaf", "leaf-missing", lambda lab: lab.good.files(crt=lab.root.pem, chain=None)),
    refused(
        "the intermediate for the leaf", "leaf-missing", lambda lab: lab.good.files(crt=lab.middle.pem, chain=None)
    ),
    refused("an expired intermediate", "chain-expired", _below(_expired)),
    refused("an intermediate of the future", "chain-expired", _below(_future)),
    refused("a leaf that signs a leaf", "chain-invalid", _leaf_as_authority),
    refused("a path longer than allowed", "chain-invalid", _below(_narrow)),
    refused("a name the intermediate may not issue", "chain-invalid", _amended(_constraint(["elsewhere.test"]))),
    refused("a name the intermediate is forbidden", "chain-invalid", _amended(_constraint(None, ["example.test"]))),
    refused(
        "a leaf that constrains names",
        "chain-invalid",
        _in_the_leaf(x509.NameConstraints([x509.DNSName("a.test")], None)),
    ),
    refused("a leaf that constrains policies", "chain-invalid", _in_the_leaf(x509.PolicyConstraints(0, None))),
    refused("a leaf that inhibits policies", "chain-invalid", _in_the_leaf(x509.InhibitAnyPolicy(0))),
    refused("an intermediate for e-mail", "chain-invalid", _amended(_purpose(ExtendedKeyUsageOID.EMAIL_PROTECTION))),
    refused("an intermediate without basic constraints", "chain-invalid", _amended(drop=(craft.BASIC_CONSTRAINTS,))),
    refused(
        "an intermediate with a key for signing nothing",
        "chain-invalid",
        _amended(craft.extension(craft.KEY_USAGE, b"\x03\x02\x05\xa0", critical=True), drop=(craft.KEY_USAGE,)),
    ),
    refused(
        "an intermediate with an extension nobody knows",
        "unknown-extension",
        _amended(craft.extension("1.3.6.1.4.1.99999.1", b"\x05\x00", critical=True)),
    ),
    accepted("an intermediate with P-521", _below(lambda lab: lab.root.intermediate("Example 521", key="ec521"))),
    accepted("an intermediate with exponent 3", _below(lambda lab: lab.root.intermediate("E3", key="rsa2048-e3"))),
    refused("an intermediate with a point in its short form", "chain-invalid", _below(lambda lab: _odd(lab, _short))),
    refused("an intermediate with parameters written out", "chain-invalid", _below(lambda lab: _odd(lab, _explicit))),
    refused(
        "an intermediate with the curve of Bitcoin",
        "chain-invalid",
        _below(lambda lab: lab.root.intermediate("Example k1", key="secp256k1")),
    ),
    refused("an intermediate with RSA-1024", "chain-invalid", _below(_weak_link)),
    refused("an intermediate signed over SHA-1", "signature-algorithm", _sha1("intermediate")),
    refused("a leaf signed over SHA-1", "signature-algorithm", _sha1("leaf")),
    refused("a leaf signed over MD5", "signature-algorithm", _rsa_leaf(signing=craft.RSA_MD5)),
    refused("a leaf signed over SHA-224", "signature-algorithm", lambda lab: lab.forged(signing=craft.ECDSA_SHA224)),  # type: ignore[arg-type]
    refused("a leaf signed by Ed25519", "signature-algorithm", _below(lambda lab: lab.modern_root)),
    refused(
        "two algorithms, inside and outside",
        "certificate-malformed",
        _rsa_leaf(signing=craft.RSA_SHA256, algorithm=craft.RSA_SHA1.algorithm),
    ),
    refused("the whole trust store", "too-many-certificates", _store(60)),
)
