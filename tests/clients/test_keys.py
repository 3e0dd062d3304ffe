"""Wrapped keys: every provider keeps the contract, and the key itself never shows."""

from __future__ import annotations

import base64
import logging
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from tasks.clients.keys import FileKeyProvider, KeyProvider, KMSKeyProvider, create_key_file, open_key_provider
from tasks.clients.settings import Keys
from tasks.core.errors import BadInput, CannotUnwrap, KeysUnavailable, Who
from tests.fakes.keys import FakeKeyProvider

SEED = bytes(range(96))  # as long as the seed of a hybrid key
CONTEXT = {"drop": "drop-aaaaaaaaaaaaaaaaaaaaaaaaaa", "hostname": "shop.example.com", "account": "acme"}


@pytest.fixture(name="key_file")
def _key_file(tmp_path: Path) -> Path:
    path = tmp_path / "wrapping.key"
    create_key_file(path)
    return path


@pytest.fixture(name="kms_key")
def _kms_key(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield boto3.session.Session().client("kms", region_name="eu-north-1").create_key()["KeyMetadata"]["KeyId"]


@pytest.fixture(name="keys", params=["fake", "file", "kms"])
def _keys(request: pytest.FixtureRequest) -> KeyProvider:
    if request.param == "fake":
        return FakeKeyProvider()
    if request.param == "file":
        return FileKeyProvider(request.getfixturevalue("key_file"))
    return KMSKeyProvider(request.getfixturevalue("kms_key"), "eu-north-1")


class TestKeyProvider:
    """The contract, for the fake, the key file, and KMS over boto3."""

    @pytest.mark.parametrize("size", [1, 32, 96, 4096])
    def test_what_was_wrapped_unwraps(self, keys: KeyProvider, size: int) -> None:
        """Both suites' seeds, a data key, and the largest secret come back byte for byte."""
        secret = os.urandom(size)

        assert secret == keys.unwrap(keys.wrap(secret, CONTEXT), CONTEXT)

    def test_the_order_of_the_context_means_nothing(self, keys: KeyProvider) -> None:
        """A context is names and values, not a text."""
        wrapped = keys.wrap(SEED, CONTEXT)

        assert keys.unwrap(wrapped, dict(reversed(CONTEXT.items()))) == SEED

    @pytest.mark.parametrize(
        "other",
        [
            {**CONTEXT, "drop": "drop-bbbbbbbbbbbbbbbbbbbbbbbbbb"},
            {**CONTEXT, "hostname": "Shop.example.com"},
            {**CONTEXT, "more": "x"},
            {"drop": CONTEXT["drop"]},
            {},
        ],
        ids=["other-drop", "other-case", "one-more", "two-fewer", "none"],
    )
    def test_another_context_does_not_unwrap(self, keys: KeyProvider, other: dict[str, str]) -> None:
        """A wrapped seed that is moved to another drop's record stays shut."""
        wrapped = keys.wrap(SEED, CONTEXT)

        with pytest.raises(CannotUnwrap):
            keys.unwrap(wrapped, other)

    def test_no_damaged_key_unwraps(self, keys: KeyProvider) -> None:
        """Cut short, made longer, emptied, or one bit flipped in its last byte: it does not unwrap."""
        wrapped = keys.wrap(SEED, CONTEXT)
        flipped = wrapped[:-1] + bytes([wrapped[-1] ^ 1])

        for damaged in (b"", wrapped[:5], wrapped[:-1], wrapped + b"\0", flipped):
            with pytest.raises(CannotUnwrap):
                keys.unwrap(damaged, CONTEXT)

    def test_every_failure_to_unwrap_reads_the_same(self, keys: KeyProvider) -> None:
        """Nobody learns from the error whether the bytes, the names or the key were wrong."""
        wrapped = keys.wrap(SEED, CONTEXT)
        middle = len(wrapped) // 2
        flipped = wrapped[:middle] + bytes([wrapped[middle] ^ 1]) + wrapped[middle + 1 :]

        assert len({_refusal(keys, each) for each in (flipped, wrapped[:-1], b"")}) == 1

    def test_a_wrapped_key_does_not_show_the_secret(self, keys: KeyProvider) -> None:
        """Wrapping the same seed twice gives two texts, and neither contains it."""
        first, second = keys.wrap(SEED, CONTEXT), keys.wrap(SEED, CONTEXT)

        assert first != second
        assert SEED[:16] not in first

    @pytest.mark.parametrize("size", [0, 4097])
    def test_a_secret_has_one_to_4096_bytes(self, keys: KeyProvider, size: int) -> None:
        """KMS takes no more, so no provider does."""
        with pytest.raises(ValueError, match="1 to 4096 bytes"):
            keys.wrap(bytes(size), CONTEXT)


def _refusal(keys: KeyProvider, wrapped: bytes) -> str:
    with pytest.raises(CannotUnwrap) as refused:
        keys.unwrap(wrapped, CONTEXT)
    assert refused.value.__cause__ is None
    return str(refused.value)


class TestFileKeyProvider:
    def test_its_bytes_are_as_documented(self, key_file: Path) -> None:
        """A version byte, a nonce of 12, ciphertext and tag: anybody with the key can unwrap without certferry."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        wrapped = FileKeyProvider(key_file).wrap(SEED, {"b": "2", "a": "1"})

        assert (wrapped[0], len(wrapped)) == (1, 1 + 12 + 96 + 16)
        assert AESGCM(key_file.read_bytes()).decrypt(wrapped[1:13], wrapped[13:], b'{"a":"1","b":"2"}') == SEED

    def test_no_flipped_bit_goes_unnoticed(self, key_file: Path) -> None:
        """Version, nonce, ciphertext and tag are all authenticated."""
        keys = FileKeyProvider(key_file)
        wrapped = keys.wrap(SEED, CONTEXT)

        for i in range(len(wrapped)):
            with pytest.raises(CannotUnwrap):
                keys.unwrap(wrapped[:i] + bytes([wrapped[i] ^ 0x80]) + wrapped[i + 1 :], CONTEXT)

    def test_another_key_file_does_not_unwrap(self, key_file: Path, tmp_path: Path) -> None:
        """A database backup is worth nothing without its key file."""
        other = tmp_path / "other.key"
        create_key_file(other)
        wrapped = FileKeyProvider(key_file).wrap(SEED, CONTEXT)

        with pytest.raises(CannotUnwrap):
            FileKeyProvider(other).unwrap(wrapped, CONTEXT)

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660, 0o777])
    def test_a_file_that_others_may_use_is_refused(self, key_file: Path, mode: int) -> None:
        """The operator is told to look who could read it, before the key is used."""
        key_file.chmod(mode)

        with pytest.raises(BadInput, match=f"{mode:04o}") as refused:
            FileKeyProvider(key_file)
        assert Who.OPERATOR is refused.value.who

    @pytest.mark.parametrize("size", [0, 16, 31, 33, 64])
    def test_a_file_of_another_size_is_refused(self, tmp_path: Path, size: int) -> None:
        """A cut or hex-encoded key is no key, and its bytes do not get into the message."""
        path = tmp_path / "wrapping.key"
        path.touch(mode=0o600)
        path.write_bytes(b"K" * size)

        with pytest.raises(BadInput, match="32 bytes") as refused:
            FileKeyProvider(path)
        assert "KKKK" not in str(refused.value)

    def test_a_missing_file_is_refused(self, tmp_path: Path) -> None:
        """The message names the file, and the operator acts."""
        with pytest.raises(BadInput, match=r"nowhere\.key: No such file") as refused:
            FileKeyProvider(tmp_path / "nowhere.key")
        assert Who.OPERATOR is refused.value.who


class TestCreateKeyFile:
    def test_only_its_owner_may_use_it(self, tmp_path: Path) -> None:
        """32 bytes, mode 0600, also where the umask would let everybody in."""
        umask = os.umask(0)
        try:
            create_key_file(tmp_path / "wrapping.key")
        finally:
            os.umask(umask)

        written = (tmp_path / "wrapping.key").stat()
        assert (stat.S_IMODE(written.st_mode), written.st_size) == (0o600, 32)

    def test_an_existing_file_is_never_overwritten(self, key_file: Path) -> None:
        """Everything it ever wrapped would be lost."""
        before = key_file.read_bytes()

        with pytest.raises(BadInput, match="there already"):
            create_key_file(key_file)
        assert before == key_file.read_bytes()

    def test_a_link_to_nowhere_is_not_followed(self, tmp_path: Path) -> None:
        """Nobody can choose where the key goes by laying a symlink in wait."""
        (tmp_path / "wrapping.key").symlink_to(tmp_path / "elsewhere")

        with pytest.raises(BadInput):
            create_key_file(tmp_path / "wrapping.key")
        assert not (tmp_path / "elsewhere").exists()


class TestKMSKeyProvider:
    def test_nothing_is_logged_at_debug(self, kms_key: str, caplog: pytest.LogCaptureFixture) -> None:
        """Somebody sets botocore to DEBUG, where it logs what KMS sends; the secret still is in no log."""
        keys = KMSKeyProvider(kms_key, "eu-north-1")
        for name in ("", "botocore", "boto3", "urllib3"):
            caplog.set_level(logging.DEBUG, logger=name)

        keys.unwrap(keys.wrap(SEED, CONTEXT), CONTEXT)

        for shown in (base64.b64encode(SEED).decode(), repr(SEED)):
            assert shown not in caplog.text

    def test_a_missing_key_is_loud(self, kms_key: str) -> None:
        """A wrong key id in the settings is not the customer's fault: it comes through as KMS says it."""
        keys = KMSKeyProvider(kms_key.replace(kms_key[0], "f" if kms_key[0] != "f" else "0"), "eu-north-1")

        with pytest.raises(ClientError, match="NotFoundException"):
            keys.wrap(SEED, CONTEXT)

    def test_no_answer_is_unavailable_and_carries_no_request(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It can be tried again; and the request, which holds the secret, does not hang on the error."""
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))  # bound and not listening: every connection is refused
            keys = KMSKeyProvider("alias/certferry", "eu-north-1", f"http://127.0.0.1:{closed.getsockname()[1]}")

            with pytest.raises(KeysUnavailable) as failed:
                keys.wrap(SEED, CONTEXT)

        assert (failed.value.__cause__, failed.value.__context__) == (None, None)


class TestOpenKeyProvider:
    def test_the_settings_choose(self, key_file: Path, kms_key: str) -> None:
        """``provider: file`` and ``provider: kms`` give what they say."""
        file = open_key_provider(Keys(provider="file", file=key_file))
        kms = open_key_provider(Keys(provider="kms", kms_key_id=kms_key, kms_region="eu-north-1"))

        assert (FileKeyProvider, KMSKeyProvider) == (type(file), type(kms))
        assert kms.unwrap(kms.wrap(SEED, CONTEXT), CONTEXT) == SEED

    def test_kms_needs_a_key_id(self) -> None:
        """The message names the setting, and the operator acts."""
        with pytest.raises(BadInput, match=r"keys\.kms_key_id") as refused:
            open_key_provider(Keys(provider="kms"))
        assert Who.OPERATOR is refused.value.who


class TestFakeKeyProvider:
    def test_it_fails_when_told_to(self) -> None:
        """Each error in `fail` is raised once, in order; then it works again."""
        keys = FakeKeyProvider(fail=[KeysUnavailable.because("keys", "503")])

        with pytest.raises(KeysUnavailable):
            keys.wrap(SEED, CONTEXT)
        assert keys.unwrap(keys.wrap(SEED, CONTEXT), CONTEXT) == SEED
        assert keys.calls == ["wrap", "wrap", "unwrap"]
