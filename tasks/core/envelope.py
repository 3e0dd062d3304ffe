"""
The envelope: what a customer seals to one drop, and nobody but the drop's key opens.

    HDR1 | suite, 1 byte | enc || ct

One fresh HPKE key pair per drop. The binding (drop, hostname, account) goes into HPKE's ``info``, so an
envelope that is moved anywhere else does not open. Inside travel the files and the drop's one-time
secret, which tells the invited sender apart from anyone who can write to the store.

Source:
    RFC 9180 (HPKE); draft-ietf-hpke-pq for MLKEM768-X25519.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from tasks.core import policy
from tasks.core.errors import BadInput, CannotOpen
from tasks.core.files import length_prefixed, pack, unpack

X25519: Final = 1  # DHKEM(X25519, HKDF-SHA256): what a browser can do
HYBRID: Final = 2  # MLKEM768-X25519: safe as long as either of the two is

MAGIC: Final = b"HDR1"
LABEL: Final = "certferry drop v1"

_KEMS: Final = {X25519: hpke.KEM.X25519, HYBRID: hpke.KEM.MLKEM768_X25519}
_MLKEM_SEED_BYTES: Final = 64  # FIPS 203: d || z
_MLKEM_PUBLIC_BYTES: Final = 1184


@dataclass(frozen=True)
class Binding:
    """Where an envelope belongs; anywhere else it does not open."""

    drop_id: str
    hostname: str
    account: str

    def info(self) -> bytes:
        """Give HPKE's ``info``."""
        return length_prefixed(LABEL, self.drop_id, self.hostname, self.account)


def generate_keypair(suite: int) -> tuple[bytes, bytes]:
    """
    Make a fresh key pair for *suite*: the private seed and the public key, both raw.

    The hybrid key is ML-KEM-768's part followed by X25519's: a seed of 96 bytes, a public key of 1,216.
    """
    x25519 = X25519PrivateKey.generate()
    if suite == X25519:
        return x25519.private_bytes_raw(), x25519.public_key().public_bytes_raw()
    if suite == HYBRID:
        mlkem = MLKEM768PrivateKey.generate()
        seed = mlkem.private_bytes_raw() + x25519.private_bytes_raw()
        return seed, mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
    raise ValueError(f"no such suite: {suite}")


def seal(files: Mapping[str, bytes], secret: bytes, suite: int, public_key: bytes, binding: Binding) -> bytes:
    """
    Seal *files* and the drop's *secret* to *public_key*, for *binding* alone.

    Raises:
        BadInput: The files are too large together, or the public key is not one of *suite*.
    """
    sealed = None
    with suppress(ValueError, KeyError):
        sealed = _suite(suite).encrypt(pack(files, secret=secret), _public_key(suite, public_key), binding.info())
    if sealed is None:
        raise _bad_public_key(binding)
    envelope = MAGIC + bytes([suite]) + sealed
    if len(envelope) > policy.ENVELOPE_MAX_BYTES:
        raise BadInput(
            "the files together",
            got=f"{len(envelope)} bytes once sealed",
            wanted=f"at most {policy.ENVELOPE_MAX_BYTES}",
            do="Leave out certificates that are neither the leaf's nor of its chain.",
            code="files-too-large",
        )
    return envelope


def open_envelope(envelope: bytes, suite: int, seed: bytes, secret_sha256: str, binding: Binding) -> dict[str, bytes]:
    """
    Open *envelope* with the drop's private *seed* and give the files.

    Args:
        secret_sha256: Of the drop's secret, lower hex; compared in constant time.

    Raises:
        CannotOpen: For whatever reason; the error is the same for all of them.
    """
    with suppress(InvalidTag, ValueError, KeyError, TypeError):
        return _open(envelope, suite, seed, secret_sha256, binding)
    raise CannotOpen.for_drop(binding.drop_id)  # not while the other is handled: it would hang behind this one


def _open(envelope: bytes, suite: int, seed: bytes, secret_sha256: str, binding: Binding) -> dict[str, bytes]:
    head = MAGIC + bytes([suite])
    if len(envelope) > policy.ENVELOPE_MAX_BYTES or not envelope.startswith(head):
        raise ValueError("not an envelope of this suite")
    packed = _suite(suite).decrypt(envelope[len(head) :], _private_key(suite, seed), binding.info())
    files, (secret,) = unpack(packed, "secret")
    if not hmac.compare_digest(hashlib.sha256(secret).hexdigest(), secret_sha256):
        raise ValueError("not this drop's secret")
    return files


def _suite(suite: int) -> hpke.Suite:
    return hpke.Suite(_KEMS[suite], hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


def _public_key(suite: int, raw: bytes) -> X25519PublicKey | hpke.MLKEM768X25519PublicKey:
    if suite == X25519:
        return X25519PublicKey.from_public_bytes(raw)
    return hpke.MLKEM768X25519PublicKey(
        MLKEM768PublicKey.from_public_bytes(raw[:_MLKEM_PUBLIC_BYTES]),
        X25519PublicKey.from_public_bytes(raw[_MLKEM_PUBLIC_BYTES:]),
    )


def _private_key(suite: int, seed: bytes) -> X25519PrivateKey | hpke.MLKEM768X25519PrivateKey:
    if suite == X25519:
        return X25519PrivateKey.from_private_bytes(seed)
    return hpke.MLKEM768X25519PrivateKey(
        MLKEM768PrivateKey.from_seed_bytes(seed[:_MLKEM_SEED_BYTES]),
        X25519PrivateKey.from_private_bytes(seed[_MLKEM_SEED_BYTES:]),
    )


def _bad_public_key(binding: Binding) -> BadInput:
    return BadInput(
        binding.drop_id,
        got="a public key that nothing can be sealed to",
        wanted="the key of the invitation",
        do="Ask for a new invitation.",
        code="bad-public-key",
    )
