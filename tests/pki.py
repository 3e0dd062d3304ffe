"""
A certificate authority for tests: issues good certificates, and bad ones named by their defect.

    root = CA("Example Root")
    good = root.intermediate().issue(["shop.example.test"])
    good.files()  # {"ssl.key": ..., "ssl.crt": ..., "ssl.chain": ..., "dotcloud.yml": ...}

Times are relative to *now*, which is the real clock unless a test gives one.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DOTCLOUD_YML = b"type: python-worker\n"

PrivateKey = (
    rsa.RSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
    | dsa.DSAPrivateKey
)
PublicKey = (
    rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey | dsa.DSAPublicKey
)

_QUICK: dict[str, Callable[[], PrivateKey]] = {
    "ec256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ec384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ec521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "secp256k1": lambda: ec.generate_private_key(ec.SECP256K1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ed448": ed448.Ed448PrivateKey.generate,
}
_SLOW: dict[str, Callable[[], PrivateKey]] = {
    "rsa1024": lambda: rsa.generate_private_key(65537, 1024),
    "rsa2048": lambda: rsa.generate_private_key(65537, 2048),
    "rsa3072": lambda: rsa.generate_private_key(65537, 3072),
    "rsa4096": lambda: rsa.generate_private_key(65537, 4096),
    "rsa2048-e3": lambda: rsa.generate_private_key(3, 2048),
    "dsa2048": lambda: dsa.generate_private_key(2048),
}
KEY_KINDS = (*_QUICK, *_SLOW)


@lru_cache
def _slow_key(kind: str, number: int) -> PrivateKey:
    return _SLOW[kind]()


def make_key(kind: str = "ec256", number: int = 0) -> PrivateKey:
    """
    Make a private key of one of `KEY_KINDS`.

    RSA and DSA keys are slow to make, so each process has one per kind and *number*.
    """
    return _QUICK[kind]() if kind in _QUICK else _slow_key(kind, number)


def key_pem(key: PrivateKey, form: PrivateFormat = PrivateFormat.PKCS8, passphrase: bytes | None = None) -> bytes:
    """Give *key* in PEM; with a *passphrase* encrypted (`TraditionalOpenSSL` gives the Proc-Type header)."""
    return key.private_bytes(Encoding.PEM, form, BestAvailableEncryption(passphrase) if passphrase else NoEncryption())


def cert_pem(certificates: Iterable[x509.Certificate]) -> bytes:
    return b"".join(c.public_bytes(Encoding.PEM) for c in certificates)


@dataclass(frozen=True)
class Issued:
    """
    A leaf with its key.

    Attributes:
        chain: Its intermediates, the leaf's issuer first, without the root.
    """

    key: PrivateKey
    leaf: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    root: x509.Certificate

    @property
    def key_pem(self) -> bytes:
        """PKCS#8, not encrypted."""
        return key_pem(self.key)

    @property
    def leaf_pem(self) -> bytes:
        return cert_pem([self.leaf])

    @property
    def chain_pem(self) -> bytes:
        """The intermediates; empty where a root issued the leaf itself."""
        return cert_pem(self.chain)

    @property
    def leaf_sha256(self) -> str:
        return self.leaf.fingerprint(hashes.SHA256()).hex()

    @property
    def edge_pem(self) -> bytes:
        """What an edge loads: key, leaf, chain."""
        return self.key_pem + self.leaf_pem + self.chain_pem

    def files(self, **changed: bytes | None) -> dict[str, bytes]:
        """
        Give what a customer pushes; *changed* replaces a file, or leaves it out where None.

        Files are named ``key``, ``crt``, ``chain`` and ``yml`` here.
        """
        parts: dict[str, bytes | None] = {
            "key": self.key_pem,
            "crt": self.leaf_pem,
            "chain": self.chain_pem or None,
            "yml": DOTCLOUD_YML,
            **changed,
        }
        names = {"key": "ssl.key", "crt": "ssl.crt", "chain": "ssl.chain", "yml": "dotcloud.yml"}
        return {names[part]: data for part, data in parts.items() if data is not None}


class CA:
    """
    A root or an intermediate.

    Args:
        name: Its common name.

        parent: Who signs it; None makes a root.
    """

    def __init__(
        self,
        name: str = "Certferry Test Root",
        *,
        key: str | PrivateKey = "ec256",
        parent: CA | None = None,
        now: datetime | None = None,
        days: float = 3650,
        age_days: float = 30,
        path_length: int | None = None,
        sha1: bool = False,
    ) -> None:
        self.now = (now or datetime.now(UTC)).replace(microsecond=0)
        self.key = make_key(key) if isinstance(key, str) else key
        self.parent = parent
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = parent or self
        builder = (
            _start(self.name, issuer.name, self.key.public_key(), self.now, age_days, days)
            .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
            .add_extension(_key_usage(ca=True), critical=True)
        )
        self.certificate = _sign(builder, issuer, sha1)

    @property
    def pem(self) -> bytes:
        """This authority's own certificate."""
        return cert_pem([self.certificate])

    @property
    def root(self) -> CA:
        return self.parent.root if self.parent else self

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """This authority and those above it, without the root."""
        return (self.certificate, *self.parent.chain) if self.parent else ()

    def intermediate(
        self,
        name: str = "Certferry Test Intermediate",
        *,
        key: str | PrivateKey = "ec256",
        days: float = 1825,
        age_days: float = 30,
        sha1: bool = False,
    ) -> CA:
        return CA(name, key=key, parent=self, now=self.now, days=days, age_days=age_days, sha1=sha1)

    def issue(
        self,
        hostnames: Sequence[str] = ("shop.example.test",),
        *,
        days: float = 90,
        age_days: float = 1,
        now: datetime | None = None,
        key: str | PrivateKey = "ec256",
        public_key: PublicKey | None = None,
        common_name: str | None = None,
        organization: str | None = None,
        san: bool = True,
        server_auth: bool = True,
        any_purpose: bool = False,
        is_ca: bool = False,
        sha1: bool = False,
        serial: int | None = None,
        extra: Sequence[x509.ExtensionType] = (),
    ) -> Issued:
        """
        Issue a leaf for *hostnames* (names or addresses); each keyword after *key* is a defect to order.

        Args:
            days: The whole lifetime, from *age_days* before *now*.

            public_key: Certify this key, not the one handed out: a key mismatch.

            common_name: The first hostname unless given.

            san: Whether there is a subject alternative name at all.

            server_auth: False gives a certificate for clients only.

            any_purpose: No extended key usage.

            is_ca: A leaf that may sign others.

            sha1: Signed over SHA-1, which no browser takes; needs an authority with an RSA key.
        """
        private = make_key(key) if isinstance(key, str) else key
        name = common_name if common_name is not None else (hostnames[0][:64] if hostnames else "nobody")
        attributes = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
        if organization:
            attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
        builder = _start(
            x509.Name(attributes),
            self.name,
            public_key or private.public_key(),
            now or self.now,
            age_days,
            days,
            serial,
        )
        builder = builder.add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        builder = builder.add_extension(_key_usage(ca=is_ca), critical=True)
        builder = builder.add_extension(_authority_key_id(self.key.public_key()), critical=False)
        if san and hostnames:
            names = x509.SubjectAlternativeName([_general_name(h) for h in hostnames])
            builder = builder.add_extension(names, critical=False)
        if not any_purpose:
            purpose = ExtendedKeyUsageOID.SERVER_AUTH if server_auth else ExtendedKeyUsageOID.CLIENT_AUTH
            builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        for extension in extra:
            builder = builder.add_extension(extension, critical=False)
        return Issued(private, _sign(builder, self, sha1), self.chain, self.root.certificate)


def self_signed(hostnames: Sequence[str] = ("shop.example.test",), *, now: datetime | None = None) -> Issued:
    """Issue a certificate signed by its own key."""
    authority = CA("placeholder", now=now)
    authority.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hostnames[0])])
    return authority.issue(hostnames, key=authority.key)


def _start(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: PublicKey,
    now: datetime,
    age_days: float,
    days: float,
    serial: int | None = None,
) -> x509.CertificateBuilder:
    begin = now.replace(microsecond=0) - timedelta(days=age_days)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(serial if serial is not None else x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _authority_key_id(public_key: PublicKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(public_key)


def _sign(builder: x509.CertificateBuilder, issuer: CA, sha1: bool) -> x509.Certificate:
    edwards = isinstance(issuer.key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey)
    signed = builder.sign(issuer.key, None if edwards else hashes.SHA256())
    return _sign_again_over_sha1(signed, issuer) if sha1 else signed


def _sign_again_over_sha1(certificate: x509.Certificate, issuer: CA) -> x509.Certificate:
    """Do by hand what `cryptography` rightly refuses: the two identifiers differ in one byte."""
    assert isinstance(issuer.key, rsa.RSAPrivateKey), "a SHA-1 signature needs an authority with an RSA key"
    with_sha256 = bytes.fromhex("06092a864886f70d01010b")
    with_sha1 = bytes.fromhex("06092a864886f70d010105")
    body = certificate.tbs_certificate_bytes
    der = certificate.public_bytes(Encoding.DER).replace(with_sha256, with_sha1)
    body = body.replace(with_sha256, with_sha1)
    signature = issuer.key.sign(body, padding.PKCS1v15(), hashes.SHA1())
    return x509.load_der_x509_certificate(der.replace(certificate.signature, signature))


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )
