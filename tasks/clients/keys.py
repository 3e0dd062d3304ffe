"""The key provider: wraps and unwraps small secrets (drop seeds, vault data keys)."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

from botocore.exceptions import ClientError, ParamValidationError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tasks.clients.aws import ask, code_of, open_kms
from tasks.clients.settings import Keys
from tasks.closed_memory import close_memory
from tasks.core.errors import BadInput, CannotUnwrap, KeysUnavailable, Who

SECRET_MAX_BYTES: Final = 4096  # what KMS Encrypt takes
_KEY_BYTES: Final = 32  # AES-256
_NONCE_BYTES: Final = 12  # NIST SP 800-38D, 8.2.2: random, so at most 2^32 wraps under one key
_VERSION: Final = b"\x01"
_DOES_NOT_UNWRAP: Final = frozenset({"InvalidCiphertextException", "IncorrectKeyException", "ValidationException"})


class KeyProvider(Protocol):
    """
    Wraps a secret so that only this provider, given the same context, can unwrap it.

    *context* is authenticated, not secret: names and ids. A wrapped key moved to another context does not unwrap.
    """

    def wrap(self, secret: bytes, context: Mapping[str, str]) -> bytes:
        """
        Give *secret* (at most 4 KiB) wrapped under *context*.

        Raises:
            KeysUnavailable: The provider did not answer.
        """

    def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        """
        Give back the secret.

        Raises:
            CannotUnwrap: Damaged, another context, or another key; never says which.

            KeysUnavailable: The provider did not answer.
        """


class FileKeyProvider:
    """
    Wraps under one AES-256 key in a file of 32 bytes that only its owner may read. For one machine.

    Bytes of a wrapped key: version (1, always 1) | nonce (12) | ciphertext + tag (n + 16), AES-256-GCM.
    The associated data is *context* as canonical JSON (sorted, no spaces, ASCII).
    """

    def __init__(self, path: Path) -> None:
        """
        Read the key.

        Raises:
            BadInput: The file is missing, is not 32 bytes long, or others than its owner may use it.
        """
        self._cipher = AESGCM(_read_key_file(path))

    def wrap(self, secret: bytes, context: Mapping[str, str]) -> bytes:
        _check_size(secret)
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + self._cipher.encrypt(nonce, secret, _canonical(context))

    def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        version, nonce, sealed = wrapped[:1], wrapped[1 : 1 + _NONCE_BYTES], wrapped[1 + _NONCE_BYTES :]
        try:
            if version != _VERSION:
                raise InvalidTag
            return self._cipher.decrypt(nonce, sealed, _canonical(context))
        except (InvalidTag, ValueError):  # ValueError: too short to hold a nonce
            raise CannotUnwrap.for_context(_subject(context)) from None


class KMSKeyProvider:
    """Wraps under a symmetric key of AWS KMS; *context* is the EncryptionContext, so CloudTrail shows it."""

    def __init__(self, key_id: str, region: str, endpoint_url: str | None = None) -> None:
        self._key_id = key_id
        self._client = open_kms(region, endpoint_url)

    def wrap(self, secret: bytes, context: Mapping[str, str]) -> bytes:
        _check_size(secret)

        def encrypt() -> bytes:
            answer = self._client.encrypt(KeyId=self._key_id, Plaintext=secret, EncryptionContext=context)
            return answer["CiphertextBlob"]

        return ask(encrypt, KeysUnavailable, self._key_id)

    def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        def decrypt() -> bytes:
            return self._client.decrypt(KeyId=self._key_id, CiphertextBlob=wrapped, EncryptionContext=context)[
                "Plaintext"
            ]

        try:
            return ask(decrypt, KeysUnavailable, self._key_id)
        except ClientError as exc:
            # Only what says "this blob, this context, this key": a missing permission or an expired
            # token must not turn a customer's drop down.
            if code_of(exc) not in _DOES_NOT_UNWRAP:
                raise
        except ParamValidationError:
            pass  # empty, or longer than anything KMS gives out
        raise CannotUnwrap.for_context(_subject(context))


def open_key_provider(keys: Keys) -> KeyProvider:
    """
    Give the key provider of the settings, and close this process's memory: keys are about to come into it.

    Raises:
        BadInput: The key file will not do (see `FileKeyProvider`), or KMS is chosen without a key id.
    """
    close_memory()
    if keys.provider == "file":
        return FileKeyProvider(keys.file)
    if keys.kms_key_id is None:
        raise BadInput(
            "keys.kms_key_id",
            got="nothing",
            wanted="a key id, an ARN or an alias",
            do="Name the KMS key in the settings, or choose provider: file.",
            who=Who.OPERATOR,
        )
    return KMSKeyProvider(keys.kms_key_id, keys.kms_region, keys.kms_endpoint_url)


def create_key_file(path: Path) -> None:
    """
    Write 32 random bytes to a new file, mode 0600.

    Raises:
        BadInput: Something is there already. It is never overwritten: what it wrapped would be lost.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise BadInput(
            str(path),
            got="a file that is there already",
            wanted="a new name",
            do="Keep the file: drops and certificates depend on it.",
            who=Who.OPERATOR,
        ) from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(AESGCM.generate_key(_KEY_BYTES * 8))
        file.flush()
        os.fsync(file.fileno())


def _read_key_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)  # of the file that was opened, not of the name
            key = file.read(_KEY_BYTES + 1)
    except OSError as exc:
        raise _bad_key_file(path, exc.strerror or type(exc).__name__, "Create it with `make keys`.") from None
    if mode & 0o077:
        raise _bad_key_file(path, f"mode {mode:04o}", f"Look who could read it, then: chmod 600 {path}")
    if len(key) != _KEY_BYTES:
        raise _bad_key_file(path, "another length", "Restore the file from where you keep it.")
    return key


def _bad_key_file(path: Path, got: str, do: str) -> BadInput:
    return BadInput(
        f"key file {path}",
        got=got,
        wanted=f"{_KEY_BYTES} bytes that only their owner may read",
        do=do,
        who=Who.OPERATOR,
    )


def _check_size(secret: bytes) -> None:
    if not 0 < len(secret) <= SECRET_MAX_BYTES:
        raise ValueError(f"a secret to wrap has 1 to {SECRET_MAX_BYTES} bytes, got {len(secret)}")


def _canonical(context: Mapping[str, str]) -> bytes:
    return json.dumps(dict(context), sort_keys=True, separators=(",", ":")).encode("ascii")


def _subject(context: Mapping[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in sorted(context.items())) or "a wrapped key"
