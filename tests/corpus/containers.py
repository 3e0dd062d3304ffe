"""The good pair in every container that people keep one in."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_public_key,
    pkcs7,
    pkcs12,
)

from tasks.core.doctor.pem import armour
from tests.corpus import craft
from tests.corpus.case import PASSPHRASE
from tests.pki import CA, Issued, PrivateKey, key_pem

OLD = PrivateFormat.TraditionalOpenSSL


def key_der(key: PrivateKey, form: PrivateFormat = PrivateFormat.PKCS8) -> bytes:
    return key.private_bytes(Encoding.DER, form, NoEncryption())


def locked(key: PrivateKey, form: PrivateFormat = PrivateFormat.PKCS8) -> bytes:
    """The key in PEM under a passphrase."""
    return key_pem(key, form, PASSPHRASE)


def locked_der(key: PrivateKey) -> bytes:
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(PASSPHRASE))


def p12(good: Issued, passphrase: bytes | None = PASSPHRASE) -> bytes:
    lock: KeySerializationEncryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return pkcs12.serialize_key_and_certificates(b"shop", good.key, good.leaf, list(good.chain), lock)


def p12_without_key(good: Issued) -> bytes:
    """What Windows exports where the key stays behind."""
    return pkcs12.serialize_key_and_certificates(
        b"shop", None, good.leaf, list(good.chain), BestAvailableEncryption(PASSPHRASE)
    )


def p7(good: Issued) -> bytes:
    """PKCS#7 in DER, the leaf first, as OpenSSL writes it."""
    certificates = craft.tlv(0xA0, *(craft.der_of(c) for c in (good.leaf, *good.chain)))
    data = craft.sequence(craft.oid("1.2.840.113549.1.7.1"))
    signed = craft.sequence(craft.integer(1), craft.tlv(0x31), data, certificates, craft.tlv(0x31))
    return craft.sequence(craft.oid("1.2.840.113549.1.7.2"), craft.tlv(0xA0, signed))


def p7_sorted(good: Issued) -> bytes:
    """The same in the order of DER, where the shorter certificate is the first."""
    return pkcs7.serialize_certificates([good.leaf, *good.chain], Encoding.DER)


def request(good: Issued, encoding: Encoding = Encoding.PEM) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(good.leaf.subject)
    return builder.sign(good.key, SHA256()).public_bytes(encoding)


def public(key: PrivateKey, encoding: Encoding = Encoding.PEM) -> bytes:
    return key.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)


def ssh_public(key: PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH) + b" admin@shop\n"


def rsa_public(key: PrivateKey) -> bytes:
    """The public key in PKCS#1, as ``openssl rsa -RSAPublicKey_out`` writes it."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1)


def trusted(certificate: x509.Certificate) -> bytes:
    """What ``openssl x509 -trustout -addtrust serverAuth`` writes: the certificate and OpenSSL's own appendix."""
    appendix = craft.sequence(craft.sequence(craft.oid("1.3.6.1.5.5.7.3.1")))
    return armour("TRUSTED CERTIFICATE", craft.der_of(certificate) + appendix)


def revocations(authority: CA) -> bytes:
    """An authority's empty revocation list, in PEM."""
    builder = x509.CertificateRevocationListBuilder(
        issuer_name=authority.name, last_update=authority.now, next_update=authority.now + timedelta(days=90)
    )
    return builder.sign(authority.key, SHA256()).public_bytes(Encoding.PEM)


def putty(key: ec.EllipticCurvePrivateKey, version: int = 3, *, encrypted: bool = False) -> bytes:
    """A PuTTY key file; of an encrypted one the private part and the MAC are not what PuTTY would accept."""
    curve, point = b"nistp256", craft.point_of(key)
    blob = b"".join(len(part).to_bytes(4, "big") + part for part in (b"ecdsa-sha2-nistp256", curve, point))
    scalar = key.private_numbers().private_value.to_bytes(33, "big")
    private = len(scalar).to_bytes(4, "big") + scalar
    lines = [
        f"PuTTY-User-Key-File-{version}: ecdsa-sha2-nistp256",
        f"Encryption: {'aes256-cbc' if encrypted else 'none'}",
        "Comment: shop",
        "Public-Lines: 3",
        *_wrapped(blob),
        *(["Key-Derivation: Argon2id", "Argon2-Memory: 8192"] if encrypted and version == 3 else []),
        "Private-Lines: 1",
        base64.b64encode(private).decode(),
        f"Private-MAC: {_putty_mac(version, blob, private).hex()}",
        "",
    ]
    return "\r\n".join(lines).encode()


def _putty_mac(version: int, public_blob: bytes, private: bytes) -> bytes:
    """The MAC of a key without passphrase (PuTTY's manual, appendix C)."""
    parts = (b"ecdsa-sha2-nistp256", b"none", b"shop", public_blob, private)
    signed = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    if version == 3:
        return hmac.digest(b"", signed, "sha256")
    return hmac.digest(hashlib.sha1(b"putty-private-key-file-mac-key").digest(), signed, "sha1")


def jwk(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The key as JSON (RFC 7517)."""
    private = key.private_numbers()
    numbers = {"x": private.public_numbers.x, "y": private.public_numbers.y, "d": private.private_value}
    encoded = {
        name: base64.urlsafe_b64encode(n.to_bytes(32, "big")).rstrip(b"=").decode() for name, n in numbers.items()
    }
    return json.dumps({"kty": "EC", "crv": "P-256", "use": "sig", **encoded}, indent=2).encode()


def xml(key: rsa.RSAPrivateKey) -> bytes:
    """The key as .NET writes it."""
    n = key.private_numbers()
    numbers = {
        "Modulus": n.public_numbers.n,
        "Exponent": n.public_numbers.e,
        "P": n.p,
        "Q": n.q,
        "DP": n.dmp1,
        "DQ": n.dmq1,
        "InverseQ": n.iqmp,
        "D": n.d,
    }
    tags = [
        f"<{tag}>{base64.b64encode(x.to_bytes((x.bit_length() + 7) // 8, 'big')).decode()}</{tag}>"
        for tag, x in numbers.items()
    ]
    return ("<RSAKeyValue>" + "".join(tags) + "</RSAKeyValue>").encode()


# Made once by: ssh-keygen -t ecdsa -b 256 -a 1 -N open-sesame-7 (OpenSSH 9); its passphrase is `PASSPHRASE`.
_OPENSSH_LOCKED = """
b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABDoqzKdEf7EeBhAfx9SvlK0AAAAAQAAAAEA
AABoAAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBBFOFcEflTRSVYfQbucqUedb4Ri3/j7xU8WlFp3V
x5UnHm157cCloDHZ6Q1E+5gYbqVxiJa4eHFo3MRyZJfW8pwAAACgs7NjC/fyTV9eT2Sp3Mog/EQFat8r8vohxt38zBHiXYHV
U2eU1UieqKrmrr7KjFwOI7yCUbRzWtlVDDTceeCmOPIzpF5m35ZrSRbvEk0RVJ5qbhfcXmj7hTv2MyqKcSF2LhzvT8nfq38Y
pVsumT7uW2AcLmcCcG0IsL9u5TwAAqB9Qjnsm/XKqa7QyZV727eS5jdadmUg4kjQ4QFTKX/l8w=="""


def openssh_locked(authority: CA, *hostnames: str) -> dict[str, bytes]:
    """Files whose key is in OpenSSH's format under a passphrase."""
    der = base64.b64decode(_OPENSSH_LOCKED)
    begin = der.index(b"ecdsa-sha2-nistp256") - 4
    blob = der[begin : begin + 104]
    public_key = load_ssh_public_key(b"ecdsa-sha2-nistp256 " + base64.b64encode(blob))
    assert isinstance(public_key, ec.EllipticCurvePublicKey)
    return authority.issue(hostnames, public_key=public_key).files(key=armour("OPENSSH PRIVATE KEY", der))


def keystore(good: Issued, magic: str = "feedfeed") -> bytes:
    """The beginning of a Java keystore (JKS; ``cececece`` makes it JCEKS) with one key entry."""
    alias = b"shop"
    locked_key = locked_der(good.key)
    entry = b"\0\0\0\x01" + len(alias).to_bytes(2, "big") + alias + bytes(8)
    chain = [craft.der_of(c) for c in (good.leaf, *good.chain)]
    certificates = b"".join(b"\0\x05X.509" + len(der).to_bytes(4, "big") + der for der in chain)
    body = b"\0\0\0\x02\0\0\0\x01" + entry + len(locked_key).to_bytes(4, "big") + locked_key
    body += len(chain).to_bytes(4, "big") + certificates
    return bytes.fromhex(magic) + body + hashlib.sha1(body).digest()


def bare(der: bytes) -> bytes:
    """The content of a PEM file without its first and last line."""
    return b"\n".join(armour("X", der).splitlines()[1:-1]) + b"\n"


def _wrapped(data: bytes) -> list[str]:
    text = base64.b64encode(data).decode()
    return [text[at : at + 64] for at in range(0, len(text), 64)]
