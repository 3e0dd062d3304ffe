"""
The local certificate authority: stands in for the vendor that customers buy their certificates from.

A root, one intermediate, and leaves of 90 days. The root's certificate is the private trust store that
the stack's settings name; its keys are made per stack and are worth nothing outside it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_LIFETIME = timedelta(days=3650)
LEAF_LIFETIME = timedelta(days=90)
_SKEW = timedelta(minutes=1)


@dataclass(frozen=True)
class Issued:
    """What a vendor mails, and the key the customer made for it; all PEM."""

    key: bytes
    leaf: bytes
    chain: bytes

    def __repr__(self) -> str:
        return "Issued()"

    @property
    def bundle(self) -> bytes:
        """Key, leaf and chain in one, as an edge loads them."""
        return self.key + self.leaf + self.chain

    def write(self, directory: Path) -> None:
        """Write the customer's four files, 0600: ``ssl.key``, ``ssl.crt``, ``ssl.chain``, ``dotcloud.yml``."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        files = {"ssl.key": self.key, "ssl.crt": self.leaf, "ssl.chain": self.chain}
        for name, content in {**files, "dotcloud.yml": b"type: python-worker\n"}.items():
            write_private(directory / name, content)


class LocalCA:
    """A root and its intermediate, kept in one directory."""

    def __init__(self, directory: Path) -> None:
        """Load the authority in *directory*, or make one there."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.root_file = directory / "root.pem"
        files = [directory / name for name in ("root.pem", "intermediate.pem", "intermediate.key")]
        if not all(file.is_file() for file in files):
            self._make(*files)
        self._intermediate = x509.load_pem_x509_certificate(files[1].read_bytes())
        key = load_pem_private_key(files[2].read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self._key = key

    def issue(self, hostnames: Sequence[str]) -> Issued:
        """Issue a P-256 leaf for *hostnames*; wildcards are welcome."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.DNSName(name) for name in hostnames])
        leaf = (
            _template(hostnames[0], self._intermediate.subject, key, LEAF_LIFETIME)
            .add_extension(names, critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(ca=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(_authority_id(self._key), critical=False)
            .sign(self._key, SHA256())
        )
        return Issued(_key_pem(key), _pem(leaf), _pem(self._intermediate))

    @staticmethod
    def _make(root_file: Path, intermediate_file: Path, key_file: Path) -> None:
        """Make both authorities. The root's key is not kept: one intermediate is all it ever signs."""
        root_key, key = (ec.generate_private_key(ec.SECP384R1()) for _ in range(2))
        root_name = _name("certferry local root")
        root = _authority("certferry local root", root_name, root_key, root_key, path_length=1)
        intermediate = _authority("certferry local vendor", root_name, key, root_key, path_length=0)
        root_file.write_bytes(_pem(root))
        intermediate_file.write_bytes(_pem(intermediate))
        write_private(key_file, _key_pem(key))


def write_private(file: Path, content: bytes) -> None:
    """Write *content* to a file that only its owner may read, from its first byte on."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)


def _authority(
    name: str,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    signed_by: ec.EllipticCurvePrivateKey,
    path_length: int,
) -> x509.Certificate:
    return (
        _template(name, issuer, key, AUTHORITY_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_usage(ca=True), critical=True)
        .add_extension(_authority_id(signed_by), critical=False)
        .sign(signed_by, SHA256())
    )


def _template(
    name: str, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, lifetime: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(ca: bool) -> x509.KeyUsage:
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


def _authority_id(key: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
