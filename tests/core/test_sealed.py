"""What lies in the vault opens for its own certificate only."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.errors import CannotUnseal, Drifted
from tasks.core.files import FILES, length_prefixed
from tasks.core.sealed import open_bundle, seal_bundle

KEY, NONCE = bytes(range(32)), bytes(range(12))
PLACE = ("cert-" + "a" * 26, "shop.example.test", "acme")
CONTENT = {"ssl.key": b"the key", "ssl.crt": b"the certificate"}
SEALED = seal_bundle(CONTENT, KEY, NONCE, *PLACE)


@given(st.dictionaries(st.sampled_from(FILES), st.binary(max_size=500)), st.binary(min_size=32, max_size=32))
def test_what_was_sealed_is_what_opens(files: dict[str, bytes], data_key: bytes) -> None:
    """Every set of files comes out of the vault as it went in, byte for byte."""
    assert files == open_bundle(seal_bundle(files, data_key, NONCE, *PLACE), data_key, *PLACE)


@pytest.mark.parametrize("bit", range(0, len(SEALED) * 8, 7))
def test_no_flipped_bit_opens(bit: int) -> None:
    """Damage anywhere is noticed."""
    damaged = bytearray(SEALED)
    damaged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(CannotUnseal):
        open_bundle(bytes(damaged), KEY, *PLACE)


@pytest.mark.parametrize("length", [0, 3, 4, 15, 16, 31, len(SEALED) - 1])
def test_no_cut_bundle_opens(length: int) -> None:
    """A bundle that lost its end is not opened in part."""
    with pytest.raises(CannotUnseal):
        open_bundle(SEALED[:length], KEY, *PLACE)


@pytest.mark.parametrize(
    "place",
    [
        ("cert-" + "b" * 26, PLACE[1], PLACE[2]),
        (PLACE[0], "www.example.test", PLACE[2]),
        (PLACE[0], PLACE[1], "other"),
        (PLACE[0], PLACE[2], PLACE[1]),
    ],
    ids=["certificate", "hostname", "account", "exchanged"],
)
def test_a_bundle_copied_over_another_does_not_open(place: tuple[str, str, str]) -> None:
    """Who can write to the vault cannot serve one customer's key on another's name."""
    with pytest.raises(CannotUnseal) as caught:
        open_bundle(SEALED, KEY, *place)
    assert caught.value.subject == place[0]


@pytest.mark.parametrize("data_key", [b"", bytes(16), bytes(31), bytes(32), bytes(33)])
def test_the_wrong_data_key_does_not_open(data_key: bytes) -> None:
    """Neither another key nor a shorter one opens it."""
    with pytest.raises(CannotUnseal):
        open_bundle(SEALED, data_key, *PLACE)


def test_a_damaged_vault_is_the_operators_business() -> None:
    """It is drift, for a person to look at, and nothing hangs behind the error."""
    with pytest.raises(Drifted) as caught:
        open_bundle(b"", KEY, *PLACE)
    assert (caught.value.code, caught.value.who) == ("cannot-unseal", "operator")
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize("content", [b'{"files":{"ssl.key":"%s"},', b'{"files":{"ssl.key":"%s"}}\xff', b"[%s"])
def test_nothing_of_a_content_that_does_not_parse_hangs_behind_the_refusal(content: bytes) -> None:
    """A JSONDecodeError has all that it was to decode, the key included."""
    place = length_prefixed("certferry vault v1", *PLACE)
    sealed = b"VLT1" + NONCE + AESGCM(KEY).encrypt(NONCE, content % base64.b64encode(b"the key"), place)
    with pytest.raises(CannotUnseal) as caught:
        open_bundle(sealed, KEY, *PLACE)
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize(("data_key", "nonce"), [(bytes(16), NONCE), (KEY, bytes(8)), (KEY, b"")])
def test_short_keys_and_nonces_are_refused(data_key: bytes, nonce: bytes) -> None:
    """AES-128 or a short nonce would work, and would not be what the format says."""
    with pytest.raises(ValueError, match="32"):
        seal_bundle(CONTENT, data_key, nonce, *PLACE)


def test_the_key_does_not_show_in_the_vault() -> None:
    """Nothing of the files is readable."""
    assert SEALED.startswith(b"VLT1" + NONCE)
    assert b"the key" not in SEALED
