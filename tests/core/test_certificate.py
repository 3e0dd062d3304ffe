"""Nothing a browser would refuse gets through, and the customer hears everything that is wrong at once."""

from __future__ import annotations

import base64
import hashlib
import random
import ssl
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs7,
    pkcs12,
)
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from tasks.core import policy
from tasks.core.certificate import FILES, CheckedBundle, Rules, Terms, judge, load_roots
from tasks.core.doctor import chain
from tasks.core.doctor.der import SEQUENCE
from tasks.core.doctor.leaf import covers
from tasks.core.doctor.pem import armour
from tasks.core.doctor.public_key import may_sign
from tasks.core.errors import BadBundle, BadInput, Who
from tasks.core.model import Finding, Hostname, Severity
from tests.core.conftest import NOW
from tests.core.weak import close_primes, roca
from tests.pki import CA, Issued, PrivateKey, cert_pem, key_pem, make_key, self_signed

SHOP = Hostname("shop.example.test")
OLD = PrivateFormat.TraditionalOpenSSL


@pytest.fixture(name="verdict")
def _verdict(root: CA) -> Callable[..., tuple[CheckedBundle | None, dict[str, Finding]]]:
    def run(
        files: dict[str, bytes],
        hostname: Hostname = SHOP,
        roots: tuple[CA, ...] = (root,),
        public_trust: bool = False,
        now: datetime = NOW,
    ) -> tuple[CheckedBundle | None, dict[str, Finding]]:
        verdict = judge(files, Terms([r.certificate for r in roots], public_trust, now, hostname))
        return verdict.bundle, {finding.code: finding for finding in verdict.findings}

    return run


Shape = Callable[[Issued], dict[str, bytes]]
Verdict = Callable[..., tuple[CheckedBundle | None, dict[str, Finding]]]


def der_key(key: object) -> bytes:
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())  # type: ignore[attr-defined, no-any-return]


def der(value: bytes, tag: int = SEQUENCE) -> bytes:
    return bytes([tag, 0x84]) + len(value).to_bytes(4, "big") + value


def huge_rsa_pem(bits: int) -> bytes:
    """An RSA key of so many bits; making a real one takes minutes, and reading must not get that far."""
    modulus = random.Random(bits).getrandbits(bits) | 1 << bits - 1 | 1
    numbers = (0, modulus, 65537, 3, 3, 3, 3, 3, 3)
    return armour("RSA PRIVATE KEY", der(b"".join(der(n.to_bytes(bits // 8 + 1, "big"), 2) for n in numbers)))


# --- What passes ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ec256", "ec384", "rsa2048", "rsa3072", "rsa4096"])
@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, OLD], ids=["PKCS8", "traditional"])
def test_a_good_pair_passes_and_loads_into_a_tls_server(
    intermediate: CA, verdict: Verdict, kind: str, form: PrivateFormat, tmp_path: Path
) -> None:
    """Each accepted kind of key, in each form, ends in a file that OpenSSL serves from."""
    good = intermediate.issue([SHOP], key=kind)
    files = good.files(key=key_pem(good.key, form))
    bundle, findings = verdict(files)
    assert findings == {}
    assert bundle is not None
    edge = tmp_path / "edge.pem"
    edge.write_bytes(bundle.edge_pem(files))
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(edge)


def test_the_bundle_says_what_was_checked(good: Issued, intermediate: CA, verdict: Verdict) -> None:
    """Digests, names and times are the leaf's; the chain ends before the root."""
    bundle, _ = verdict(good.files())
    assert bundle is not None
    spki = good.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    digest = x509.load_pem_x509_certificate(bundle.leaf_pem).fingerprint(SHA256()).hex()
    assert digest == bundle.leaf_sha256 == good.leaf_sha256
    assert bundle.spki_sha256 == hashlib.sha256(spki).hexdigest()
    assert bundle.subject == "CN=shop.example.test"
    assert bundle.issuer == "CN=Example Intermediate"
    assert int(bundle.serial, 16) == good.leaf.serial_number
    assert bundle.dns_names == ("shop.example.test", "www.example.test")
    assert (bundle.not_before, bundle.not_after) == (good.leaf.not_valid_before_utc, good.leaf.not_valid_after_utc)
    assert bundle.chain_pem == (intermediate.pem,)
    assert bundle.edge_pem(good.files()) == good.edge_pem


def test_a_bundle_never_shows_a_key(good: Issued, verdict: Verdict) -> None:
    """Neither the bundle nor anything hanging on it prints key bytes."""
    bundle, _ = verdict(good.files())
    shown = repr(bundle)
    for line in good.key_pem.decode().splitlines()[1:-1]:
        assert line not in shown
    assert "PRIVATE KEY" not in shown


ACCEPTED: dict[str, Callable[[Issued], dict[str, bytes]]] = {
    "bundle in ssl.crt": lambda g: g.files(crt=g.leaf_pem + g.chain_pem, chain=None),
    "leaf in both files": lambda g: g.files(chain=g.leaf_pem + g.chain_pem),
    "everything in ssl.key": lambda g: g.files(key=g.edge_pem),
    "key in ssl.crt only": lambda g: g.files(key=None, crt=g.key_pem + g.leaf_pem),
    "one bundle of another name": lambda g: {"my site.pem": g.edge_pem, "dotcloud.yml": b"type: python-worker\n"},
    "written out by a program": lambda g: g.files(
        crt=g.leaf_pem.replace(b"\n", b"\\n"), key=g.key_pem.replace(b"\n", b"\\r\\n")
    ),
    "quoted by a mail client": lambda g: g.files(crt=b"> " + g.leaf_pem.replace(b"\n", b"\n> ")),
    "dashes of a word processor": lambda g: g.files(crt=g.leaf_pem.replace(b"-----", "——-".encode())),
    "glued together": lambda g: g.files(crt=g.leaf_pem.rstrip() + g.chain_pem, chain=None),
    "UTF-16 without a mark": lambda g: g.files(crt=g.leaf_pem.decode().encode("utf-16-le")),
    "everything twice": lambda g: g.files(crt=g.leaf_pem * 2 + g.chain_pem, chain=g.chain_pem * 2),
    "Windows line ends": lambda g: {name: data.replace(b"\n", b"\r\n") for name, data in g.files().items()},
    "old Mac line ends": lambda g: g.files(crt=g.leaf_pem.replace(b"\n", b"\r")),
    "a byte order mark": lambda g: {name: b"\xef\xbb\xbf" + data for name, data in g.files().items()},
    "UTF-16 from PowerShell": lambda g: g.files(crt=g.leaf_pem.decode().encode("utf-16")),
    "spaces at line ends": lambda g: g.files(crt=g.leaf_pem.replace(b"\n", b"  \n"), key=g.key_pem + b" \n\n\t"),
    "indented": lambda g: g.files(crt=b"  " + g.leaf_pem.replace(b"\n", b"\n  ")),
    "Bag Attributes": lambda g: g.files(
        key=b"Bag Attributes\n    localKeyID: 01 02\nKey Attributes: <No Attributes>\n" + g.key_pem,
        crt=b"Bag Attributes\n    friendlyName: caf\xc3\xa9\nsubject=/CN=x\n\nissuer=/CN=y\n" + g.leaf_pem,
    ),
    "EC PARAMETERS": lambda g: g.files(
        key=b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n" + key_pem(g.key, OLD)
    ),
    "DH PARAMETERS": lambda g: g.files(crt=g.leaf_pem + armour("DH PARAMETERS", b"\x30\x03\x02\x01\x02")),
    "one long line": lambda g: g.files(crt=one_line(g)),
    "old label": lambda g: g.files(crt=g.leaf_pem.replace(b"CERTIFICATE", b"X509 CERTIFICATE")),
    "openssl's text above": lambda g: g.files(crt=b"Certificate:\n    Data:\n        Version: 3 (0x2)\n" + g.leaf_pem),
    "an empty chain": lambda g: g.files(crt=g.leaf_pem + g.chain_pem, chain=b"\n"),
    "a richer dotcloud.yml": lambda g: g.files(yml=b"# ours\nname: tls\ntype: 'python-worker'\nenv: {A: b}\n"),
}


def one_line(good: Issued) -> bytes:
    body = base64.b64encode(good.leaf.public_bytes(Encoding.DER))
    return b"-----BEGIN CERTIFICATE-----\n" + body + b"\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize("shape", ACCEPTED.values(), ids=ACCEPTED)
def test_files_are_read_as_people_send_them(
    good: Issued, verdict: Verdict, shape: Callable[..., dict[str, bytes]]
) -> None:
    """No form that holds the right things is refused, and the edge always gets the same clean file."""
    bundle, findings = verdict(shape(good))
    assert not [f for f in findings.values() if f.refuses]
    assert bundle is not None
    served = bundle.edge_pem(shape(good))
    assert served in (good.edge_pem, key_pem(good.key, OLD) + good.leaf_pem + good.chain_pem)


def test_the_key_reaches_the_edge_as_it_was_sent(intermediate: CA, verdict: Verdict) -> None:
    """A PKCS#1 key stays PKCS#1: re-writing a key can lose what it says about itself."""
    good = intermediate.issue([SHOP], key="rsa2048")
    files = good.files(key=key_pem(good.key, OLD))
    bundle, _ = verdict(files)
    assert bundle is not None
    assert bundle.edge_pem(files).startswith(key_pem(good.key, OLD))


def test_other_files_than_those_checked_are_not_served(good: Issued, intermediate: CA, verdict: Verdict) -> None:
    """A key exchanged after the check does not get out."""
    bundle, _ = verdict(good.files())
    assert bundle is not None
    for files in (intermediate.issue([SHOP]).files(), {}, good.files(key=b"")):
        with pytest.raises(ValueError, match="not the one that was checked"):
            bundle.edge_pem(files)


# --- What is put right ---------------------------------------------------------------------

MENDED: dict[str, tuple[str, Callable[[Issued, CA], dict[str, bytes]]]] = {
    "chain before leaf": ("chain-out-of-order", lambda g, r: g.files(crt=g.chain_pem + g.leaf_pem, chain=None)),
    "leaf in ssl.chain": ("chain-out-of-order", lambda g, r: g.files(crt=g.chain_pem, chain=g.leaf_pem)),
    "root sent along": ("root-left-out", lambda g, r: g.files(chain=g.chain_pem + r.pem)),
    "root first": ("root-left-out", lambda g, r: g.files(chain=r.pem + g.chain_pem)),
    "a stranger": ("certificate-left-out", lambda g, r: g.files(chain=g.chain_pem + CA("Stranger", now=NOW).pem)),
    "key in DER": ("key-is-der", lambda g, r: g.files(key=der_key(g.key))),
    "certificate in DER": ("certificate-is-der", lambda g, r: g.files(crt=g.leaf.public_bytes(Encoding.DER))),
    "chain in DER": ("certificate-is-der", lambda g, r: g.files(chain=g.chain[0].public_bytes(Encoding.DER))),
    "swapped files": ("files-swapped", lambda g, r: g.files(key=g.leaf_pem, crt=g.key_pem)),
    "PKCS#7 in PEM": ("is-pkcs7", lambda g, r: g.files(crt=p7(g, Encoding.PEM), chain=None)),
    "PKCS#7 in DER": ("is-pkcs7", lambda g, r: g.files(crt=p7(g, Encoding.DER), chain=None)),
    "another key beside": ("key-left-out", lambda g, r: g.files(crt=g.leaf_pem + key_pem(make_key()))),
    "no armour": ("armour-missing", lambda g, r: g.files(crt=base64.encodebytes(g.leaf.public_bytes(Encoding.DER)))),
    "OpenSSL's own format": ("trusted-certificate", lambda g, r: g.files(crt=trusted(g))),
    "a wrong label": ("label-corrected", lambda g, r: g.files(key=g.key_pem.replace(b"PRIVATE", b"RSA PRIVATE"))),
    "a request beside": ("file-left-out", lambda g, r: {**g.files(), "ssl.csr": request_pem(g)}),
    "a PKCS#12 beside": ("file-left-out", lambda g, r: {**g.files(), "ssl.pfx": p12(g)}),
    "a letter beside": ("file-left-out", lambda g, r: {**g.files(), "README.txt": b"Dear customer, ..."}),
    "certificate repeated": ("certificate-repeated", lambda g, r: g.files(crt=g.leaf_pem * 2)),
    "key repeated": ("key-repeated", lambda g, r: g.files(crt=g.edge_pem)),
}


@pytest.mark.parametrize(("code", "shape"), MENDED.values(), ids=MENDED)
def test_disorder_is_mended_and_mentioned(
    good: Issued, root: CA, verdict: Verdict, code: str, shape: Callable[..., dict[str, bytes]]
) -> None:
    """What can be put right is, with a note, and the edge serves leaf to root without the root."""
    bundle, findings = verdict(shape(good, root))
    assert code in findings
    assert findings[code].severity is Severity.NOTE
    assert findings[code].who is Who.NOBODY
    assert bundle is not None
    assert findings[code] in bundle.warnings
    assert bundle.edge_pem(shape(good, root)) == good.edge_pem


@pytest.mark.parametrize("seed", range(8))
def test_a_long_chain_is_ordered(root: CA, verdict: Verdict, seed: int) -> None:
    """Four intermediates in any order come out in the one order that works."""
    authority = root
    for number in range(4):
        authority = authority.intermediate(f"Step {number}")
    good = authority.issue([SHOP])
    shuffled = [*good.chain, root.certificate, good.leaf]
    random.Random(seed).shuffle(shuffled)
    bundle, findings = verdict(good.files(crt=cert_pem(shuffled), chain=None))
    assert bundle is not None
    assert b"".join(bundle.chain_pem) == good.chain_pem
    assert "root-left-out" in findings


def test_an_expired_twin_of_an_intermediate_is_passed_over(root: CA, verdict: Verdict) -> None:
    """Where two intermediates fit, the valid one is served: half the internet broke on this in 2021."""
    current = root.intermediate("Twin", key=(key := make_key()))
    expired = root.intermediate("Twin", key=key, days=10, age_days=30)
    good = current.issue([SHOP])
    bundle, findings = verdict(good.files(chain=expired.pem + current.pem))
    assert bundle is not None
    assert bundle.chain_pem == (current.pem,)
    assert "chain-expired" not in findings


def test_a_cross_signed_authority_is_followed_to_the_known_root(root: CA, verdict: Verdict) -> None:
    """The path goes to a root that is trusted, not to the one that looks nearest."""
    unknown = CA("Unknown Root", now=NOW)
    key = make_key()
    by_unknown = CA("Cross", key=key, parent=unknown, now=NOW)
    by_root = CA("Cross", key=key, parent=root, now=NOW)
    bundle, _ = verdict(by_unknown.issue([SHOP]).files(chain=by_unknown.pem + unknown.pem + by_root.pem))
    assert bundle is None or bundle.chain_pem == (by_root.pem,)
    assert bundle is not None


def test_a_cross_signed_root_is_served_along(verdict: Verdict) -> None:
    """
    Today's store knows the new root; a phone of five years ago knows only the old one, by which it is cross-signed.
    """
    old, new = CA("Old Root", now=NOW), CA("New Root", now=NOW)
    crossed = CA("New Root", key=new.key, parent=old, now=NOW)
    issuing = new.intermediate("Issuing")
    leaf = issuing.issue([SHOP])
    files = leaf.files(chain=issuing.pem + crossed.pem + new.pem)
    bundle, findings = verdict(files, roots=(new, old))
    assert bundle is not None
    assert bundle.chain_pem == (issuing.pem, crossed.pem)
    assert set(findings) == {"root-left-out"}
    bundle, _ = verdict(files, roots=(new,))
    assert bundle is not None
    assert bundle.chain_pem == (issuing.pem,)


def test_of_twins_the_one_that_serves_is_taken(root: CA, verdict: Verdict) -> None:
    """Two certificates of one authority: the one for servers, and of those the one that ends later."""
    key = make_key()
    mail, short, long = (constrained_twin(root, key, days, purpose) for days, purpose in TWINS)
    leaf = long.issue([SHOP])
    bundle, _ = verdict(leaf.files(chain=mail.pem + short.pem + long.pem))
    assert bundle is not None
    assert bundle.chain_pem == (long.pem,)


TWINS = (
    (2000, ExtendedKeyUsageOID.EMAIL_PROTECTION),
    (120, ExtendedKeyUsageOID.SERVER_AUTH),
    (1000, ExtendedKeyUsageOID.SERVER_AUTH),
)


def constrained_twin(root: CA, key: PrivateKey, days: int, purpose: x509.ObjectIdentifier) -> CA:
    """An authority "Twin" for one purpose."""
    twin = CA("Twin", key=key, parent=root, now=NOW, days=days)
    builder = x509.CertificateBuilder(
        issuer_name=root.name,
        subject_name=twin.name,
        public_key=key.public_key(),
        serial_number=days,
        not_valid_before=twin.certificate.not_valid_before_utc,
        not_valid_after=twin.certificate.not_valid_after_utc,
    )
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    twin.certificate = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False).sign(root.key, SHA256())
    return twin


def test_an_authority_that_requires_a_policy_gets_one(root: CA, verdict: Verdict) -> None:
    """Chrome asks for one then, in every certificate below."""
    strict = constrained(root, x509.PolicyConstraints(require_explicit_policy=0, inhibit_policy_mapping=None), False)
    assert "chain-invalid" in verdict(strict.issue([SHOP]).files())[1]
    policy_id = x509.PolicyInformation(x509.ObjectIdentifier("2.23.140.1.2.1"), None)
    assert verdict(strict.issue([SHOP], extra=[x509.CertificatePolicies([policy_id])]).files())[0] is not None


def test_an_empty_list_of_log_proofs_proves_nothing(root: CA, verdict: Verdict) -> None:
    """It is the same as none."""
    empty = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2"), b"\x04\x02\x00\x00")
    assert "no-sct" in verdict(root.issue([SHOP], extra=[empty]).files(), public_trust=True)[1]


def test_a_signer_of_ocsp_answers_is_no_server(intermediate: CA, verdict: Verdict) -> None:
    """Firefox does not take it, whatever else it is for."""
    both = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.OCSP_SIGNING])
    issued = intermediate.issue([SHOP], any_purpose=True, extra=[both])
    assert "not-server-auth" in verdict(issued.files())[1]


# --- What is refused: the files ------------------------------------------------------------

FORMS: dict[str, tuple[set[str], Shape, str]] = {
    "PKCS#8 with passphrase": (
        {"key-encrypted"},
        lambda g: g.files(key=key_pem(g.key, passphrase=b"secret")),
        "openssl pkey -in ssl.key -out ssl.plain.key",
    ),
    "old key with passphrase": (
        {"key-encrypted"},
        lambda g: g.files(key=key_pem(g.key, OLD, b"secret")),
        "openssl pkey -in ssl.key -out ssl.plain.key",
    ),
    "old key with passphrase, Windows": (
        {"key-encrypted"},
        lambda g: g.files(key=key_pem(g.key, OLD, b"secret").replace(b"\n", b"\r\n")),
        "openssl pkey -in ssl.key -out ssl.plain.key",
    ),
    "no key": ({"key-missing"}, lambda g: g.files(key=None), "openssl req -new"),
    "an empty key": ({"key-missing"}, lambda g: g.files(key=b" \n"), "openssl req -new"),
    "no certificate": ({"certificate-missing"}, lambda g: g.files(crt=None, chain=None), "BEGIN CERTIFICATE"),
    "an empty certificate": ({"certificate-missing"}, lambda g: g.files(crt=b"", chain=None), "BEGIN CERTIFICATE"),
    "the public key": (
        {"key-is-public"},
        lambda g: g.files(key=g.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)),
        "PRIVATE KEY",
    ),
    "a cut key": ({"key-unreadable"}, lambda g: g.files(key=g.key_pem[:-30]), "openssl pkey -in ssl.key -noout -check"),
    "half a key": ({"key-unreadable"}, lambda g: g.files(key=drop_line(g.key_pem, 1)), "openssl pkey -in ssl.key"),
    "a mistyped key": ({"key-unreadable"}, lambda g: g.files(key=g.key_pem.replace(b"MIG", b"M!G")), "openssl pkey"),
    "prose for a key": ({"key-unreadable"}, lambda g: g.files(key=b"my key is secret"), "openssl pkey"),
    "an empty key block": ({"key-unreadable"}, lambda g: g.files(key=armour("PRIVATE KEY", b"")), "openssl pkey"),
    "a key of zeros": ({"key-unreadable"}, lambda g: g.files(key=armour("PRIVATE KEY", bytes(99))), "openssl pkey"),
    "an OpenSSH key": (
        {"key-is-openssh"},
        lambda g: g.files(key=key_pem(g.key, PrivateFormat.OpenSSH)),
        "ssh-keygen -q -p -m PEM",
    ),
    "a PuTTY key": (
        {"key-is-putty"},
        lambda g: g.files(key=b"PuTTY-User-Key-File-3: ssh-rsa\r\nEncryption: none\r\n"),
        "puttygen ssl.key",
    ),
    "a Java keystore": (
        {"is-keystore"},
        lambda g: g.files(key=b"\xfe\xed\xfe\xed\0\0\0\2" + bytes(60), crt=None, chain=None),
        "keytool -importkeystore -srckeystore ssl.key",
    ),
    "a cut certificate": (
        {"certificate-unreadable"},
        lambda g: g.files(crt=g.leaf_pem[:-30], chain=None),
        "openssl x509 -in ssl.crt -noout -subject",
    ),
    "a certificate with a lost line": (
        {"certificate-unreadable"},
        lambda g: g.files(crt=drop_line(g.leaf_pem, 3), chain=None),
        "openssl x509 -in ssl.crt",
    ),
    "a certificate of version 35": (
        {"certificate-malformed"},
        lambda g: g.files(crt=armour("CERTIFICATE", of_version_35(g)), chain=None),
        "issue it again",
    ),
    "a name that is no text": (
        {"certificate-malformed"},
        lambda g: g.files(crt=armour("CERTIFICATE", with_time_for_a_name(g)), chain=None),
        "its subject cannot be read",
    ),
    "only authorities": ({"leaf-missing"}, lambda g: g.files(crt=g.chain_pem, chain=None), "issued for your server"),
    "a web page for a certificate": (
        {"certificate-unreadable"},
        lambda g: g.files(crt=b"<!doctype html><title>Sign in</title>", chain=None),
        "web page",
    ),
    "garbage in ssl.chain": (
        {"certificate-unreadable", "chain-incomplete"},
        lambda g: g.files(chain=b"\x00\x01\x02"),
        "openssl x509 -in ssl.chain",
    ),
    "two keys": ({"two-keys"}, lambda g: g.files(key=g.key_pem + key_pem(make_key())), "openssl pkey -in ssl.key"),
    "a request": (
        {"is-request"},
        lambda g: g.files(crt=request_pem(g), chain=None),
        "Send it to your certificate authority",
    ),
    "PKCS#12 as key": ({"is-pkcs12"}, lambda g: g.files(key=p12(g)), "openssl pkcs12 -in ssl.key"),
    "PKCS#12 as certificate": (
        {"is-pkcs12"},
        lambda g: g.files(crt=p12(g), key=None, chain=None),
        "openssl pkcs12 -in ssl.crt",
    ),
    "a huge certificate file": (
        {"file-too-large", "certificate-missing"},
        lambda g: g.files(crt=b"#" * policy.FILE_MAX_BYTES + g.leaf_pem, chain=None),
        "ssl.crt",
    ),
    "a huge key file": (
        {"file-too-large", "key-missing"},
        lambda g: g.files(key=g.key_pem + b"\n" * policy.FILE_MAX_BYTES),
        "ssl.key",
    ),
    "the whole trust store": (
        {"too-many-certificates"},
        lambda g: g.files(chain=g.chain_pem + b"".join(CA(f"Root {n}", now=NOW).pem for n in range(10))),
        "grep -c BEGIN ssl.crt ssl.chain",
    ),
    "too many files": (
        {"too-many-files"},
        lambda g: {**g.files(), **{f"note{n}.txt": b"x" for n in range(policy.MAX_FILES)}},
        "104 files",
    ),
    "too many keys": (
        {"two-keys"},
        lambda g: {**g.files(), **{f"{n}.key": key_pem(make_key()) for n in range(policy.MAX_KEYS)}},
        "11 private keys",
    ),
    "no dotcloud.yml": ({"yaml-missing"}, lambda g: g.files(yml=None), "echo 'type: python-worker' > dotcloud.yml"),
    "another type": ({"wrong-type"}, lambda g: g.files(yml=b"type: python\n"), "echo 'type: python-worker'"),
    "broken YAML": ({"yaml-bad"}, lambda g: g.files(yml=b"type: [\n"), "echo 'type: python-worker'"),
    "nothing at all": ({"key-missing", "certificate-missing", "yaml-missing"}, lambda g: {}, "dotcloud.yml"),
}


def trusted(good: Issued) -> bytes:
    """As `openssl x509 -trustout` writes it: what follows the certificate is a list of purposes."""
    return armour(
        "TRUSTED CERTIFICATE", good.leaf.public_bytes(Encoding.DER) + bytes.fromhex("300c300a06082b06010505070301")
    )


def with_time_for_a_name(good: Issued) -> bytes:
    """The common name as a UTCTime: found by fuzzing, since OpenSSL does not load it and `cryptography` does."""
    name = b"\x0c\x11shop.example.test"
    return good.leaf.public_bytes(Encoding.DER).replace(name, b"\x17" + name[1:], 1)


def of_version_35(good: Issued) -> bytes:
    return good.leaf.public_bytes(Encoding.DER).replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x23", 1)


def drop_line(pem: bytes, number: int) -> bytes:
    lines = pem.splitlines(True)
    return b"".join(lines[:number] + lines[number + 1 :])


def request_pem(good: Issued) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(good.leaf.subject)
    return builder.sign(good.key, SHA256()).public_bytes(Encoding.PEM)


def p12(good: Issued) -> bytes:
    lock = BestAvailableEncryption(b"secret")
    return pkcs12.serialize_key_and_certificates(b"x", good.key, good.leaf, list(good.chain), lock)


def p7(good: Issued, encoding: Encoding) -> bytes:
    return pkcs7.serialize_certificates([good.leaf, *good.chain], encoding)


@pytest.mark.parametrize(("codes", "shape", "command"), FORMS.values(), ids=FORMS)
def test_a_wrong_file_is_explained(good: Issued, verdict: Verdict, codes: set[str], shape: Shape, command: str) -> None:
    """Each fault has its own code and the command that fixes it, with the customer's file names."""
    bundle, findings = verdict(shape(good))
    assert bundle is None
    assert codes == {code for code, finding in findings.items() if finding.refuses}
    assert any(command in findings[code].advice + findings[code].cause for code in codes)


def test_the_command_against_a_passphrase_works(good: Issued, verdict: Verdict, tmp_path: Path) -> None:
    """OpenSSL asks for the passphrase; here it is told on its standard input."""
    files = good.files(key=key_pem(good.key, passphrase=b"secret"))
    (tmp_path / "ssl.key").write_bytes(files["ssl.key"])
    command = verdict(files)[1]["key-encrypted"].command.replace("pkey ", "pkey -passin stdin ", 1)
    subprocess.run(["/bin/sh", "-ec", command], cwd=tmp_path, check=True, capture_output=True, input=b"secret\n")
    bundle, findings = verdict({**files, "ssl.plain.key": (tmp_path / "ssl.plain.key").read_bytes()})
    assert bundle is not None
    assert set(findings) == {"file-left-out"}


@pytest.mark.parametrize("hostname", [SHOP, Hostname("a" * 60 + ".example.test")])
@pytest.mark.parametrize("code", ["expired", "curve"])
def test_the_request_that_is_advised_is_for_the_hostname(
    intermediate: CA, verdict: Verdict, hostname: Hostname, code: str, tmp_path: Path
) -> None:
    """With the old key or with a new one, the request names the host where it counts, however long it is."""
    bad = intermediate.issue([hostname], days=1, key="ec521")
    _, findings = verdict(bad.files(), hostname=hostname, now=NOW + timedelta(days=3))
    (tmp_path / "ssl.key").write_bytes(bad.key_pem)
    subprocess.run(["/bin/sh", "-ec", findings[code].command], cwd=tmp_path, check=True, capture_output=True)
    request = x509.load_pem_x509_csr((tmp_path / "new.csr").read_bytes())
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [hostname]
    renewed = request.public_key() == bad.key.public_key()
    assert renewed is (code == "expired")


@pytest.mark.parametrize("name", ["ssl.key", "ssl.crt", "ssl.chain", "dotcloud.yml"])
@pytest.mark.parametrize("seed", range(12))
def test_no_damage_gets_an_exception_out_of_the_judge(good: Issued, verdict: Verdict, name: str, seed: int) -> None:
    """Files with random bytes changed, cut or repeated are judged, never crashed on."""
    rng = random.Random(f"{name}{seed}")
    files = good.files()
    data = bytearray(files[name])
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(data) or 1)
        match rng.randrange(3):
            case 0:
                data[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                del data[at : at + rng.randint(1, 50)]
            case _:
                data[at:at] = data[: rng.randint(1, 80)]
    bundle, findings = verdict({**files, name: bytes(data)})
    assert (bundle is None) == any(f.refuses for f in findings.values())


@pytest.mark.parametrize("seed", range(30))
def test_no_damaged_der_gets_an_exception_out_of_the_judge(intermediate: CA, verdict: Verdict, seed: int) -> None:
    """The same for damage inside the base64, where the parsers of keys and certificates are."""
    rng = random.Random(seed)
    good = intermediate.issue([SHOP], key=rng.choice(["ec256", "rsa2048"]))
    key, leaf = bytearray(der_key(good.key)), bytearray(good.leaf.public_bytes(Encoding.DER))
    for _ in range(rng.randint(1, 4)):
        target = rng.choice([key, leaf])
        target[rng.randrange(min(len(target), 400))] = rng.randrange(256)
    files = good.files(key=armour("PRIVATE KEY", bytes(key)), crt=armour("CERTIFICATE", bytes(leaf)))
    bundle, findings = verdict(files)
    assert (bundle is None) == any(f.refuses for f in findings.values())


# --- What is refused: the certificate ------------------------------------------------------

DEFECTS: dict[str, tuple[str, Callable[[CA], Issued], str]] = {
    "another key": ("key-mismatch", lambda ca: ca.issue([SHOP], public_key=make_key().public_key()), SHOP),
    "another RSA key": (
        "key-mismatch",
        lambda ca: ca.issue([SHOP], key=make_key("rsa2048", 0), public_key=make_key("rsa2048", 1).public_key()),
        "openssl pkey",
    ),
    "another host": ("name-mismatch", lambda ca: ca.issue(["other.example.test"]), "other.example.test"),
    "the parent domain": ("name-mismatch", lambda ca: ca.issue(["example.test"]), "example.test"),
    "a wildcard too high": ("wildcard-public-suffix", lambda ca: ca.issue([SHOP, "*.test"]), "*.test"),
    "a wildcard below": ("name-mismatch", lambda ca: ca.issue(["*.shop.example.test"]), "*.shop.example.test"),
    "common name only": ("no-names", lambda ca: ca.issue([SHOP], san=False), "common name does not count"),
    "an address": ("no-names", lambda ca: ca.issue(["192.0.2.1"], common_name=SHOP), "no name at all"),
    "too many names": ("too-many-names", lambda ca: ca.issue([SHOP, *(f"h{n}.test" for n in range(100))]), "101"),
    "expired": ("expired", lambda ca: ca.issue([SHOP], days=10, age_days=11), "2026-06-30"),
    "not yet valid": ("not-yet-valid", lambda ca: ca.issue([SHOP], age_days=-2), "2026-07-03"),
    "about to expire": ("expires-too-soon", lambda ca: ca.issue([SHOP], days=7, age_days=1), "less than 7 days"),
    "RSA-1024": ("rsa-size", lambda ca: ca.issue([SHOP], key="rsa1024"), "1024"),
    "exponent 3": ("rsa-exponent", lambda ca: ca.issue([SHOP], key="rsa2048-e3"), "65537"),
    "P-521": ("curve", lambda ca: ca.issue([SHOP], key="ec521"), "secp521r1"),
    "a Bitcoin curve": ("curve", lambda ca: ca.issue([SHOP], key="secp256k1"), "secp256k1"),
    "Ed25519": ("key-ed25519", lambda ca: ca.issue([SHOP], key="ed25519"), "Ed25519"),
    "Ed448": ("key-ed448", lambda ca: ca.issue([SHOP], key="ed448"), "Ed448"),
    "DSA": ("key-dsa", lambda ca: ca.issue([SHOP], key="dsa2048"), "DSA"),
    "close primes": ("key-weak", lambda ca: ca.issue([SHOP], key=close_primes()), "CVE-2022-26320"),
    "ROCA": ("key-weak", lambda ca: ca.issue([SHOP], key=roca()), "CVE-2017-15361"),
    "a client's certificate": ("not-server-auth", lambda ca: ca.issue([SHOP], server_auth=False), "serverAuth"),
    "an authority's certificate": ("ca-leaf", lambda ca: ca.issue([SHOP], is_ca=True), "CA:TRUE"),
}


@pytest.mark.parametrize(("code", "issue", "words"), DEFECTS.values(), ids=DEFECTS)
def test_one_defect_gives_one_finding(
    intermediate: CA, verdict: Verdict, code: str, issue: Callable[[CA], Issued], words: str
) -> None:
    """Each defect is named for what it is, once, with what was got, and with an openssl command."""
    bundle, findings = verdict(issue(intermediate).files())
    assert bundle is None
    assert {c for c, f in findings.items() if f.refuses} == {code}
    assert words in findings[code].cause + findings[code].advice
    assert findings[code].command.partition("openssl")[1]


def test_every_defect_is_listed_at_once(root: CA, verdict: Verdict) -> None:
    """The customer does not come back five times for five faults."""
    bad = root.intermediate().issue(["other.example.test"], key="rsa1024", days=5, age_days=9, server_auth=False)
    _, findings = verdict(bad.files(chain=None, yml=b"type: java\n", key=key_pem(make_key())))
    assert set(findings) == {
        "key-mismatch",
        "name-mismatch",
        "expired",
        "rsa-size",
        "not-server-auth",
        "chain-incomplete",
        "wrong-type",
    }


def test_refusals_come_before_notes(good: Issued, root: CA) -> None:
    """What stops the hand-over is read first."""
    files = good.files(chain=root.pem + good.chain_pem, yml=None, crt=good.chain_pem + good.leaf_pem)
    findings = judge(files, Terms([root.certificate], True, NOW, SHOP)).findings
    order = [finding.severity for finding in findings]
    assert order == sorted(order, key=[Severity.REFUSE, Severity.WARN, Severity.NOTE].index)
    assert set(order) == set(Severity)


@pytest.mark.parametrize(
    ("pattern", "hostname", "covered"),
    [
        ("shop.example.test", "shop.example.test", True),
        ("SHOP.Example.Test", "shop.example.test", True),
        ("*.example.test", "shop.example.test", True),
        ("*.EXAMPLE.test", "shop.example.test", True),
        ("*.example.test", "example.test", False),
        ("*.example.test", "a.shop.example.test", False),
        ("*.example.test", "shop.example.test.evil.test", False),
        ("*.test", "example.test", False),
        ("*", "example.test", False),
        ("*.*.test", "shop.example.test", False),
        ("s*.example.test", "shop.example.test", False),
        ("shop.*.test", "shop.example.test", False),
        (".example.test", "shop.example.test", False),
        ("example.test", "shop.example.test", False),
        ("shop.example.test.", "shop.example.test", False),
        ("shop.example.test\0.evil.test", "shop.example.test", False),
        ("", "shop.example.test", False),
        ("xn--bcher-kva.example.test", "xn--bcher-kva.example.test", True),
    ],
)
def test_a_wildcard_covers_exactly_one_label(pattern: str, hostname: str, covered: bool) -> None:
    """A wildcard stands for one label, the first, and nothing else about a name is guessed."""
    assert covers(pattern, Hostname(hostname)) is covered


@pytest.mark.parametrize("names", [["*.example.test"], ["a.test", "shop.example.test"], ["SHOP.example.test"]])
def test_a_name_that_covers_is_enough(intermediate: CA, verdict: Verdict, names: list[str]) -> None:
    """One fitting name among many, or a wildcard one label above, serves."""
    bundle, findings = verdict(intermediate.issue(names).files())
    assert findings == {}
    assert bundle is not None


def test_a_long_list_of_names_is_cut_in_the_message(intermediate: CA, verdict: Verdict) -> None:
    """A message stays readable, whatever the certificate holds."""
    _, findings = verdict(intermediate.issue([f"host{n}.example.test" for n in range(60)]).files())
    assert "host0.example.test" in findings["name-mismatch"].cause
    assert "and 50 more" in findings["name-mismatch"].cause


@pytest.mark.parametrize(
    ("left", "code"),
    [
        (timedelta(days=7, seconds=1), None),
        (timedelta(days=7), None),
        (timedelta(days=7) - timedelta(seconds=1), "expires-too-soon"),
        (timedelta(seconds=1), "expires-too-soon"),
        (timedelta(0), "expires-too-soon"),
        (timedelta(seconds=-1), "expired"),
    ],
)
def test_validity_ends_to_the_second(good: Issued, verdict: Verdict, left: timedelta, code: str | None) -> None:
    """Seven days must be left; the last second of the certificate is still one of it."""
    now = good.leaf.not_valid_after_utc - left
    _, findings = verdict(good.files(), now=now)
    assert set(findings) == ({code} if code else set())


def test_the_clock_of_the_authority_may_be_ahead_a_little(good: Issued, verdict: Verdict) -> None:
    """A certificate issued a moment ago is not refused for five minutes of clock skew."""
    begin = good.leaf.not_valid_before_utc
    assert verdict(good.files(), now=begin - policy.CLOCK_SKEW)[0] is not None
    assert "not-yet-valid" in verdict(good.files(), now=begin - policy.CLOCK_SKEW - timedelta(seconds=1))[1]


def test_an_installation_may_ask_for_more_validity(good: Issued, root: CA) -> None:
    """The minimum is the caller's."""
    findings = judge(
        good.files(), Terms([root.certificate], False, NOW, SHOP, Rules(minimum_validity=timedelta(days=100)))
    ).findings
    assert [f.code for f in findings] == ["expires-too-soon"]


@pytest.mark.parametrize(
    ("issued", "days", "accepted"),
    [
        (datetime(2026, 3, 14, tzinfo=UTC), 398, True),
        (datetime(2026, 3, 14, tzinfo=UTC), 399, False),
        (datetime(2026, 3, 15, tzinfo=UTC), 200, True),
        (datetime(2026, 3, 15, tzinfo=UTC), 201, False),
        (datetime(2027, 3, 14, tzinfo=UTC), 200, True),
        (datetime(2027, 3, 15, tzinfo=UTC), 100, True),
        (datetime(2027, 3, 15, tzinfo=UTC), 101, False),
        (datetime(2029, 3, 15, tzinfo=UTC), 47, True),
        (datetime(2029, 3, 15, tzinfo=UTC), 48, False),
    ],
)
def test_a_public_certificate_lives_as_long_as_its_day_of_issue_allows(
    issued: datetime, days: int, accepted: bool
) -> None:
    """The caps of SC-081v3, by the day of issue; the last second counts as part of the lifetime."""
    root = CA("Root", now=issued)
    leaf = root.issue([SHOP], now=issued, age_days=0, days=days - 1 / 86400)
    findings = judge(leaf.files(), Terms([root.certificate], True, issued + timedelta(hours=1), SHOP)).findings
    assert ("lifetime-too-long" not in {f.code for f in findings}) is accepted
    findings = judge(leaf.files(), Terms([root.certificate], False, issued + timedelta(hours=1), SHOP)).findings
    assert not findings


def test_a_lifetime_one_second_over_the_cap_is_too_long() -> None:
    """Not after is inclusive: 200 days from midnight to midnight are 200 days and a second."""
    issued = datetime(2026, 4, 1, tzinfo=UTC)
    root = CA("Root", now=issued)
    leaf = root.issue([SHOP], now=issued, age_days=0, days=200)
    findings = judge(leaf.files(), Terms([root.certificate], True, issued + timedelta(hours=1), SHOP)).findings
    assert next(f for f in findings if f.code == "lifetime-too-long").who is Who.CA


def test_a_private_certificate_may_lack_a_purpose_but_not_have_another(root: CA, verdict: Verdict) -> None:
    """Browsers take a private certificate without extended key usage; a public one they do not."""
    plain = root.issue([SHOP], any_purpose=True)
    assert verdict(plain.files())[0] is not None
    assert "not-server-auth" in verdict(plain.files(), public_trust=True)[1]


def test_a_public_certificate_without_log_proof_gets_a_warning(good: Issued, verdict: Verdict) -> None:
    """Some browsers refuse it; a private certificate has no such proof."""
    bundle, findings = verdict(good.files(), public_trust=True)
    assert bundle is not None
    assert findings["no-sct"].severity is Severity.WARN
    assert "no-sct" not in verdict(good.files())[1]


@pytest.mark.parametrize(
    "name", ["*", "sh*.example.test", "-.example.test", "my_host.example.test", "xn--99999999999.test"]
)
def test_a_strange_name_beside_a_good_one_gets_a_warning(intermediate: CA, verdict: Verdict, name: str) -> None:
    """No browser minds it, so it stops nobody; but it covers nothing either."""
    bundle, findings = verdict(intermediate.issue([SHOP, name]).files())
    assert bundle is not None
    assert {code: finding.severity for code, finding in findings.items()} == {"name-malformed": Severity.WARN}
    assert "name-mismatch" in verdict(intermediate.issue([name]).files())[1]


def test_without_a_hostname_some_name_must_be_one(intermediate: CA, root: CA) -> None:
    """Nobody asks for a hostname, and the certificate still has to cover one."""
    terms = Terms([root.certificate], False, NOW)
    assert judge(intermediate.issue([SHOP]).files(), terms).accepted
    assert judge(intermediate.issue(["server cert", "*.example.test"]).files(), terms).accepted
    assert judge(intermediate.issue(["server cert"]).files(), terms).findings[0].code == "no-names"


@pytest.mark.parametrize("where", ["leaf", "intermediate"])
def test_sha1_is_refused_wherever_it_signs(verdict: Verdict, where: str) -> None:
    """A signature over SHA-1 on the leaf or on an intermediate breaks the chain in every browser."""
    old = CA("Old Root", key="rsa2048", now=NOW)
    middle = old.intermediate("Middle", key=make_key("rsa2048", 1), sha1=where == "intermediate")
    leaf = middle.issue([SHOP], sha1=where == "leaf")
    bundle, findings = verdict(leaf.files(), roots=(old,))
    assert bundle is None
    assert {c for c, f in findings.items() if f.refuses} == {"signature-algorithm"}
    assert "SHA1" in findings["signature-algorithm"].cause
    assert findings["signature-algorithm"].who is Who.CA


def test_a_signature_by_ed25519_is_refused(verdict: Verdict) -> None:
    """No browser checks one."""
    authority = CA("Modern Root", key="ed25519", now=NOW)
    _, findings = verdict(authority.issue([SHOP]).files(), roots=(authority,))
    assert "signature-algorithm" in findings


def test_a_critical_extension_nobody_knows_is_refused(root: CA, verdict: Verdict) -> None:
    """RFC 5280: who does not understand a critical extension must refuse the certificate."""
    strange = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
    harmless = root.issue([SHOP], extra=[strange])
    assert verdict(harmless.files())[0] is not None
    key = make_key()
    builder = x509.CertificateBuilder(
        issuer_name=root.name,
        subject_name=harmless.leaf.subject,
        public_key=key.public_key(),
        serial_number=7,
        not_valid_before=harmless.leaf.not_valid_before_utc,
        not_valid_after=harmless.leaf.not_valid_after_utc,
    )
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(SHOP)]), critical=False)
    leaf = builder.add_extension(strange, critical=True).sign(root.key, SHA256())
    _, findings = verdict(replace(harmless, key=key, leaf=leaf).files())
    assert {c for c, f in findings.items() if f.refuses} == {"unknown-extension"}
    assert "1.3.6.1.4.1.99999.1" in findings["unknown-extension"].cause


# --- What is refused: the key ----------------------------------------------------------------


@pytest.mark.parametrize("bits", [512, 1024, 2047, 2056, 8192, 16384, 32768])
def test_an_rsa_size_is_read_before_the_key_is_loaded(
    good: Issued, verdict: Verdict, bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key whose loading would cost seconds is refused from its length alone."""
    loaded: list[bytes] = []
    monkeypatch.setattr("tasks.core.doctor.private_key._load", loaded.append)
    _, findings = verdict(good.files(key=huge_rsa_pem(bits)))
    assert {"rsa-size", "key-mismatch"} <= set(findings)
    assert f"{bits} bits" in findings["rsa-size"].cause
    assert loaded == []


def test_an_enormous_exponent_is_not_printed(good: Issued, verdict: Verdict) -> None:
    """Neither computed with nor shown."""
    modulus = random.Random(1).getrandbits(2048) | 1 << 2047 | 1
    numbers = (0, modulus, 1 << 2000 | 1, 3, 3, 3, 3, 3, 3)
    pem = armour("RSA PRIVATE KEY", der(b"".join(der(n.to_bytes(258, "big"), 2) for n in numbers)))
    _, findings = verdict(good.files(key=pem))
    assert "a very large one" in findings["rsa-exponent"].cause


def test_an_rsa_key_whose_numbers_do_not_fit_is_damaged(intermediate: CA, verdict: Verdict) -> None:
    """A key that would fail at the first handshake is found out before."""
    good = intermediate.issue([SHOP], key="rsa2048")
    assert isinstance(good.key, rsa.RSAPrivateKey)
    numbers = good.key.private_numbers()
    wrong = (0, numbers.public_numbers.n, 65537, numbers.d + 2, numbers.p, numbers.q, numbers.dmp1, numbers.dmq1, 3)
    pem = armour("RSA PRIVATE KEY", der(b"".join(der(n.to_bytes(258, "big"), 2) for n in wrong)))
    bundle, findings = verdict(good.files(key=pem))
    assert bundle is None
    assert "key-unreadable" in findings


def test_a_key_restricted_to_pss_is_refused(intermediate: CA, verdict: Verdict, tmp_path: Path) -> None:
    """Browsers do not take it, and a library that reads it as plain RSA must not hide that."""
    path = tmp_path / "pss.key"
    made = ["openssl", "genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048", "-out", str(path)]
    subprocess.run(made, check=True, capture_output=True)
    _, findings = verdict(intermediate.issue([SHOP]).files(key=path.read_bytes()))
    assert "RSASSA-PSS" in findings["key-rsa-pss"].cause


def test_a_compressed_public_point_still_matches(root: CA, verdict: Verdict) -> None:
    """The key is compared as a key, not by the way its point is written in the private key file."""
    good = root.issue([SHOP])
    assert isinstance(good.key, ec.EllipticCurvePrivateKey)
    scalar = good.key.private_numbers().private_value.to_bytes(32, "big")
    inner = der(der(b"\x01", 2) + der(scalar, 4))
    algorithm = bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107")
    bare = armour("PRIVATE KEY", der(der(b"\x00", 2) + algorithm + der(inner, 4)))
    _, findings = verdict(good.files(key=bare))
    assert "key-mismatch" not in findings


# --- What is refused: the chain --------------------------------------------------------------


def test_a_missing_intermediate_is_named(good: Issued, verdict: Verdict) -> None:
    """The message says which certificate to download, and where to put it."""
    _, findings = verdict(good.files(chain=None))
    assert set(findings) == {"chain-incomplete"}
    assert "CN=Example Intermediate" in findings["chain-incomplete"].cause
    assert "save it as intermediate.cer" in findings["chain-incomplete"].fix


def test_a_gap_higher_up_is_named(root: CA, verdict: Verdict) -> None:
    """With two intermediates, the one that is missing is named, not the one that is there."""
    low = root.intermediate("High").intermediate("Low")
    _, findings = verdict(low.issue([SHOP]).files(chain=low.pem))
    assert "CN=High, is missing" in findings["chain-incomplete"].cause


def test_an_unknown_root_is_called_untrusted(verdict: Verdict) -> None:
    """A whole chain to a root that nobody trusts is not incomplete."""
    other = CA("Somebody's Root", now=NOW)
    issued = other.intermediate("Theirs").issue([SHOP])
    _, findings = verdict(issued.files(chain=issued.chain_pem + other.pem))
    assert set(findings) == {"chain-untrusted"}
    assert "Somebody's Root" in findings["chain-untrusted"].cause


def test_a_self_signed_certificate_is_called_so(verdict: Verdict) -> None:
    """Signed by its own key: the commonest try."""
    _, findings = verdict(self_signed([SHOP], now=NOW).files())
    assert set(findings) == {"chain-untrusted"}
    assert "signed by its own key" in findings["chain-untrusted"].cause


def test_the_customers_certificates_are_never_roots(root: CA, verdict: Verdict) -> None:
    """A root of the customer's with the name of a trusted one is not it."""
    impostor = CA("Example Root", now=NOW)
    issued = impostor.issue([SHOP])
    bundle, findings = verdict(issued.files(chain=impostor.pem))
    assert bundle is None
    assert "chain-untrusted" in findings
    assert root.certificate.subject == impostor.certificate.subject


def test_no_roots_means_no_trust(good: Issued, verdict: Verdict) -> None:
    """An empty trust store trusts nobody."""
    assert "chain-incomplete" in verdict(good.files(), roots=())[1]


def test_an_expired_intermediate_is_named(root: CA, verdict: Verdict) -> None:
    """The leaf is valid; its issuer is not."""
    stale = root.intermediate("Stale", days=10, age_days=30)
    _, findings = verdict(stale.issue([SHOP]).files())
    assert set(findings) == {"chain-expired"}
    assert "CN=Stale" in findings["chain-expired"].cause


def test_a_server_certificate_cannot_issue_another(root: CA, verdict: Verdict) -> None:
    """The flaw of many validators: a leaf used as an intermediate."""
    victim = root.issue(["victim.example.test"])
    forger = CA("forger", now=NOW)
    forger.key, forger.name, forger.certificate, forger.parent = victim.key, victim.leaf.subject, victim.leaf, root
    bundle, findings = verdict(forger.issue([SHOP]).files())
    assert bundle is None
    assert {c for c, f in findings.items() if f.refuses} == {"chain-invalid"}


def test_a_path_length_is_kept(root: CA, verdict: Verdict) -> None:
    """An authority that may only issue leaves has no authorities below."""
    low = CA("Low", parent=CA("Narrow", parent=root, path_length=0, now=NOW), now=NOW)
    _, findings = verdict(low.issue([SHOP]).files())
    assert "chain-invalid" in findings
    assert "path length" in findings["chain-invalid"].cause


def constrained(root: CA, extension: x509.ExtensionType, critical: bool = True) -> CA:
    """An intermediate with one more extension."""
    plain = root.intermediate("Constrained")
    builder = x509.CertificateBuilder(
        issuer_name=root.name,
        subject_name=plain.name,
        public_key=plain.key.public_key(),
        serial_number=9,
        not_valid_before=plain.certificate.not_valid_before_utc,
        not_valid_after=plain.certificate.not_valid_after_utc,
    )
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    plain.certificate = builder.add_extension(extension, critical=critical).sign(root.key, SHA256())
    return plain


def test_name_constraints_are_kept(root: CA, verdict: Verdict) -> None:
    """An authority of one domain does not issue for another."""
    fitting = constrained(root, x509.NameConstraints([x509.DNSName("example.test")], None))
    assert verdict(fitting.issue([SHOP]).files())[0] is not None
    foreign = constrained(root, x509.NameConstraints([x509.DNSName("elsewhere.test")], None))
    assert "chain-invalid" in verdict(foreign.issue([SHOP]).files())[1]


def test_an_authority_for_other_purposes_does_not_issue_for_servers(root: CA, verdict: Verdict) -> None:
    """An intermediate for e-mail, or for anything at all, gives no server certificate: OpenSSL and Firefox say so."""
    mail = constrained(root, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]))
    assert "chain-invalid" in verdict(mail.issue([SHOP]).files())[1]
    anything = constrained(root, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]))
    assert "chain-invalid" in verdict(anything.issue([SHOP]).files())[1]
    tls = constrained(root, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]))
    assert verdict(tls.issue([SHOP]).files())[0] is not None


def test_a_pool_made_to_confuse_costs_few_signature_checks(
    root: CA, verdict: Verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten authorities of one name and one key have millions of paths; each is looked at once."""
    looked = 0
    signed = chain._signed

    def look(one: x509.Certificate, other: x509.Certificate) -> bool:
        nonlocal looked
        looked += 1
        return signed(one, other)

    monkeypatch.setattr(chain, "_signed", look)
    key = make_key()
    unknown = CA("Loop", key=key, now=NOW)
    loops = [CA("Loop", key=key, parent=unknown, now=NOW) for _ in range(9)]
    bundle, _ = verdict(loops[0].issue([SHOP]).files(chain=cert_pem(c.certificate for c in loops)))
    assert bundle is None
    assert 9 <= looked <= 400  # four searches


def test_an_authority_of_a_strange_kind_is_not_even_loaded(root: CA) -> None:
    """Nine intermediates with Diffie-Hellman keys of 10,000 bits took eleven seconds."""
    strange = root.issue([SHOP], public_key=x25519.X25519PrivateKey.generate().public_key())  # type: ignore[arg-type]
    huge = root.issue([SHOP], public_key=rsa.RSAPublicNumbers(65537, (1 << 12_288) + 1).public_key())
    assert not may_sign(strange.leaf)
    assert not may_sign(huge.leaf)
    assert may_sign(root.certificate)


# --- What nobody should see -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("evil", "shown"),
    [
        ("Shop\nERROR all keys lost", "\\u000aERROR"),
        ("Shop\x1b[2J", "\\u001b"),
        ("Shop\u202etset.elpmaxe", "\\u202e"),
        ("Shop\u200b", "\\u200b"),
        ("Shop\x00", "\\u0000"),
    ],
)
def test_text_of_a_certificate_is_escaped(root: CA, verdict: Verdict, evil: str, shown: str) -> None:
    """No name in a certificate moves a cursor, forges a log line or turns the writing direction."""
    authority = root.intermediate(evil)
    leaf = authority.issue([SHOP], organization=evil)
    bundle, findings = verdict(leaf.files())
    assert findings == {}
    assert bundle is not None
    _, gap = verdict(leaf.files(chain=None))
    for text in (bundle.subject, bundle.issuer, gap["chain-incomplete"].cause, gap["chain-incomplete"].fix):
        assert evil not in text
        assert "".join(c for c in text if not c.isprintable()) == ""
    assert bundle.subject.isprintable()


def test_no_finding_shows_key_bytes(good: Issued, verdict: Verdict) -> None:
    """Whatever is wrong with a key, its bytes are in no message."""
    lines = [line.decode() for line in good.key_pem.splitlines()[1:-1]]
    for key in (good.key_pem[:-30], drop_line(good.key_pem, 2), good.key_pem + key_pem(make_key()), good.key_pem * 3):
        _, findings = verdict(good.files(key=key, crt=b"x"))
        assert findings
        assert not any(line in repr(findings) for line in lines)


def test_nothing_is_fetched(root: CA, verdict: Verdict, monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses in a certificate (issuers, OCSP, revocation lists) are never looked at."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    uri = x509.UniformResourceIdentifier("http://169.254.169.254/latest")
    leaf = root.intermediate().issue(
        [SHOP],
        extra=[
            x509.AuthorityInformationAccess([x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, uri)]),
            x509.CRLDistributionPoints([x509.DistributionPoint([uri], None, None, None)]),
        ],
    )
    assert verdict(leaf.files())[0] is not None
    assert "chain-incomplete" in verdict(leaf.files(chain=None))[1]


# --- The door -------------------------------------------------------------------------------


def test_a_refused_bundle_has_no_bundle_and_all_findings(good: Issued, root: CA) -> None:
    """The error that is made of them carries everything; its code and its words are the first finding's."""
    verdict = judge(good.files(chain=None, yml=None), Terms([root.certificate], False, NOW, SHOP))
    error = BadBundle.of(SHOP, verdict.findings)
    assert verdict.bundle is None
    assert [f.code for f in error.findings] == ["chain-incomplete", "yaml-missing"]
    assert error.code == "chain-incomplete"
    assert "(and 1 more)" in error.got


def test_a_trust_store_is_read_or_refused(root: CA, good: Issued) -> None:
    """A store without a certificate, or with a broken one, stops the operator at once."""
    assert load_roots(root.pem + good.chain_pem) == [root.certificate, *good.chain]
    for pem in (b"", b"no certificates here", root.pem[:-40], good.key_pem):
        with pytest.raises(BadInput) as caught:
            load_roots(pem)
        assert caught.value.who is Who.OPERATOR


def test_the_public_roots_load(good: Issued) -> None:
    """The store of certifi is one we can use, and does not trust a test authority."""
    import certifi

    roots = load_roots(Path(certifi.where()).read_bytes())
    assert len(roots) > 50
    findings = judge(good.files(), Terms(roots, True, NOW, SHOP)).findings
    assert "chain-incomplete" in {f.code for f in findings}


def test_the_files_of_a_hand_over_are_four() -> None:
    """The names customers and programs agree on."""
    assert FILES == ("ssl.key", "ssl.crt", "ssl.chain", "dotcloud.yml")
