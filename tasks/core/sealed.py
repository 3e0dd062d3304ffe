"""
The vault's sealing: a checked bundle under a data key of its own.

    VLT1 | nonce, 12 bytes | AES-256-GCM ciphertext and tag

The certificate's id, hostname and account are associated data: a bundle copied over another one
does not open. The data key itself is wrapped by the key provider and is not this module's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tasks.core.errors import CannotUnseal
from tasks.core.files import length_prefixed, pack, unpack

MAGIC: Final = b"VLT1"
LABEL: Final = "certferry vault v1"
NONCE_BYTES: Final = 12  # SP 800-38D section 8.2.2: 96 random bits
DATA_KEY_BYTES: Final = 32


def seal_bundle(
    files: Mapping[str, bytes], data_key: bytes, nonce: bytes, certificate_id: str, hostname: str, account: str
) -> bytes:
    """
    Seal *files* for the vault.

    Args:
        data_key: 32 random bytes, never used for another certificate.

        nonce: 12 random bytes, never used twice with this key.
    """
    if len(data_key) != DATA_KEY_BYTES or len(nonce) != NONCE_BYTES:
        raise ValueError("a data key has 32 bytes, a nonce 12")
    sealed = AESGCM(data_key).encrypt(nonce, pack(files), _associated(certificate_id, hostname, account))
    return MAGIC + nonce + sealed


def open_bundle(sealed: bytes, data_key: bytes, certificate_id: str, hostname: str, account: str) -> dict[str, bytes]:
    """
    Open what `seal_bundle` gave.

    Raises:
        CannotUnseal: It is damaged, belongs to another certificate, or the data key is another.
    """
    nonce, ciphertext = sealed[4 : 4 + NONCE_BYTES], sealed[4 + NONCE_BYTES :]
    if sealed.startswith(MAGIC) and len(data_key) == DATA_KEY_BYTES:
        place = _associated(certificate_id, hostname, account)
        with suppress(InvalidTag, ValueError):
            return unpack(AESGCM(data_key).decrypt(nonce, ciphertext, place))[0]
    raise CannotUnseal.certificate(certificate_id)  # not while the other is handled: it would hang behind this one


def _associated(certificate_id: str, hostname: str, account: str) -> bytes:
    return length_prefixed(LABEL, certificate_id, hostname, account)
