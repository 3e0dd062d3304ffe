"""The envelope opens for the drop it was sealed to, whole and unmoved, and says nothing else."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from functools import cache
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core import envelope, policy
from tasks.core.envelope import HYBRID, X25519, Binding, generate_keypair, open_envelope, seal
from tasks.core.errors import BadInput, CannotOpen
from tasks.core.files import FILES, length_prefixed, pack, unpack

SUITES = (X25519, HYBRID)
BINDING = Binding("drop-" + "a" * 26, "shop.example.test", "acme")
SECRET = bytes(range(32))
SECRET_SHA256 = hashlib.sha256(SECRET).hexdigest()
CONTENT = {"ssl.key": b"the key", "ssl.crt": b"the certificate", "dotcloud.yml": b"type: python-worker\n"}

some_files = st.dictionaries(st.sampled_from(FILES), st.binary(max_size=2000))


@cache
def keypair(suite: int) -> tuple[bytes, bytes]:
    return generate_keypair(suite)


@cache
def sealed(suite: int) -> bytes:
    return seal(CONTENT, SECRET, suite, keypair(suite)[1], BINDING)


def chain(error: BaseException) -> list[BaseException]:
    """Give all that hangs behind *error*, also what a traceback would not show."""
    behind = [x for x in (error.__cause__, error.__context__) if x]
    return [x for each in behind for x in (each, *chain(each))]


def refusal(data: bytes, suite: int, *, seed: bytes | None = None, digest: str = SECRET_SHA256) -> CannotOpen:
    with pytest.raises(CannotOpen) as caught:
        open_envelope(data, suite, keypair(suite)[0] if seed is None else seed, digest, BINDING)
    return caught.value


@pytest.mark.parametrize("suite", SUITES)
@settings(max_examples=40, deadline=None)
@given(files=some_files, secret=st.binary(min_size=32, max_size=32))
def test_what_was_sealed_is_what_opens(suite: int, files: dict[str, bytes], secret: bytes) -> None:
    """Every set of files comes out as it went in, under both suites."""
    seed, public_key = keypair(suite)
    data = seal(files, secret, suite, public_key, BINDING)
    assert files == open_envelope(data, suite, seed, hashlib.sha256(secret).hexdigest(), BINDING)


@pytest.mark.parametrize("suite", SUITES)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_flipped_bit_opens(suite: int, data: st.DataObject) -> None:
    """A single flipped bit anywhere keeps the envelope shut, with the one message."""
    damaged = bytearray(sealed(suite))
    bit = data.draw(st.integers(0, len(damaged) * 8 - 1))
    damaged[bit // 8] ^= 1 << bit % 8
    assert str(refusal(bytes(damaged), suite)) == str(CannotOpen.for_drop(BINDING.drop_id))


@pytest.mark.parametrize("suite", SUITES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_cut_envelope_opens(suite: int, data: st.DataObject) -> None:
    """An envelope that lost its end stays shut."""
    length = data.draw(st.integers(0, len(sealed(suite)) - 1))
    assert str(refusal(sealed(suite)[:length], suite)) == str(CannotOpen.for_drop(BINDING.drop_id))


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize(
    "moved",
    [
        replace(BINDING, hostname="shop2.example.test"),
        replace(BINDING, account="acme2"),
        replace(BINDING, hostname="shop.example.tes", account="tacme"),
        replace(BINDING, hostname="acme", account="shop.example.test"),
        replace(BINDING, hostname=""),
    ],
    ids=["hostname", "account", "shifted", "exchanged", "empty"],
)
def test_a_moved_envelope_does_not_open(suite: int, moved: Binding) -> None:
    """An envelope opens for its own hostname and account only, and the message is the one of damage."""
    with pytest.raises(CannotOpen) as caught:
        open_envelope(sealed(suite), suite, keypair(suite)[0], SECRET_SHA256, moved)
    assert str(caught.value) == str(CannotOpen.for_drop(BINDING.drop_id))


@pytest.mark.parametrize("suite", SUITES)
def test_an_envelope_copied_to_another_drop_does_not_open(suite: int) -> None:
    """Even with the right key, an envelope opens under its own drop id only."""
    other = replace(BINDING, drop_id="drop-" + "b" * 26)
    with pytest.raises(CannotOpen) as caught:
        open_envelope(sealed(suite), suite, keypair(suite)[0], SECRET_SHA256, other)
    assert str(caught.value) == str(CannotOpen.for_drop(other.drop_id))


@pytest.mark.parametrize("suite", SUITES)
def test_the_wrong_key_does_not_open(suite: int) -> None:
    """Another drop's private key is of no use."""
    assert str(refusal(sealed(suite), suite, seed=generate_keypair(suite)[0])) == str(
        CannotOpen.for_drop(BINDING.drop_id)
    )


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("seed", [b"", b"short", bytes(31), bytes(33), bytes(95), bytes(97), bytes(200)])
def test_a_seed_of_no_suite_does_not_open(suite: int, seed: bytes) -> None:
    """A damaged seed is no different from a damaged envelope."""
    assert str(refusal(sealed(suite), suite, seed=seed)) == str(CannotOpen.for_drop(BINDING.drop_id))


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("secret", [b"", SECRET[:-1], SECRET + b"\0", bytes(32)])
def test_a_stranger_without_the_secret_is_refused(suite: int, secret: bytes) -> None:
    """Whoever knows the public key but not the drop's secret gets the message of damage."""
    forged = seal(CONTENT, secret, suite, keypair(suite)[1], BINDING)
    assert str(refusal(forged, suite)) == str(CannotOpen.for_drop(BINDING.drop_id))


def test_the_secret_is_compared_in_constant_time() -> None:
    """The comparison is `hmac.compare_digest`, of digests."""
    with patch("tasks.core.envelope.hmac.compare_digest", wraps=hmac.compare_digest) as compared:
        open_envelope(sealed(X25519), X25519, keypair(X25519)[0], SECRET_SHA256, BINDING)
    compared.assert_called_once_with(SECRET_SHA256, SECRET_SHA256)


@pytest.mark.parametrize(("written", "expected"), [(X25519, HYBRID), (HYBRID, X25519), (X25519, 0), (X25519, 7)])
def test_an_envelope_of_another_suite_does_not_open(written: int, expected: int) -> None:
    """The suite is the drop's, never the envelope's choice: no downgrade."""
    with pytest.raises(CannotOpen):
        open_envelope(sealed(written), expected, keypair(written)[0], SECRET_SHA256, BINDING)


@pytest.mark.parametrize(
    "data",
    [b"", b"HDR1", b"HDR1\x01", b"HDR2" + bytes(100), b"-----BEGIN CERTIFICATE-----", bytes(5000), b"PK\x03\x04" * 9],
)
def test_garbage_does_not_open(data: bytes) -> None:
    """Unsealed files, archives and noise get the one message."""
    assert str(refusal(data, X25519)) == str(CannotOpen.for_drop(BINDING.drop_id))


def test_an_oversized_envelope_is_not_even_decrypted() -> None:
    """What is larger than the cap is refused before any cryptography."""
    data = sealed(X25519)[:5] + bytes(policy.ENVELOPE_MAX_BYTES)
    with patch.object(envelope, "_private_key", side_effect=AssertionError("touched the key")):
        refusal(data, X25519)


def test_a_failure_carries_no_cause() -> None:
    """No exception with key material hangs behind the refusal."""
    assert chain(refusal(sealed(X25519)[:-1], X25519)) == []


HOSTILE_CONTENTS = {
    "not JSON": b"ssl.key=abc",
    "not an object": b"[]",
    "nothing": b"",
    "no files": json.dumps({"secret": ""}).encode(),
    "one member more": json.dumps({"secret": "", "files": {}, "more": ""}).encode(),
    "a fifth file": json.dumps({"secret": "", "files": {"id_rsa": ""}}).encode(),
    "a path": json.dumps({"secret": "", "files": {"../ssl.key": ""}}).encode(),
    "files as a list": json.dumps({"secret": "", "files": [["ssl.key", ""]]}).encode(),
    "a number": json.dumps({"secret": "", "files": {"ssl.key": 1}}).encode(),
    "null": json.dumps({"secret": None, "files": {}}).encode(),
    "a name twice": b'{"secret":"","files":{"ssl.key":"","ssl.key":"AAAA"}}',
    "files twice": b'{"secret":"","files":{},"files":{"ssl.key":"AAAA"}}',
    "not base64": json.dumps({"secret": "", "files": {"ssl.key": "###"}}).encode(),
    "base64 with a line break": json.dumps({"secret": "", "files": {"ssl.key": "AAAA\nAAAA"}}).encode(),
    "base64 without padding": json.dumps({"secret": "", "files": {"ssl.key": "AA"}}).encode(),
    "base64 with loose bits": json.dumps({"secret": "", "files": {"ssl.key": "AB=="}}).encode(),
    "not ASCII": '{"secret":"","files":{"ssl.key":"é"}}'.encode(),
    "nested deep": b"[" * 100_000,
    "nested objects": b'{"files":' * 20_000,
    "too large": b" " * policy.ENVELOPE_MAX_BYTES + b"{}",
}


@pytest.mark.parametrize("content", HOSTILE_CONTENTS.values(), ids=HOSTILE_CONTENTS)
def test_the_content_is_read_strictly(content: bytes) -> None:
    """What our own encoding would not write is not read."""
    with pytest.raises(ValueError, match=r"."):
        unpack(content, "secret")


@pytest.mark.parametrize("name", [name for name in HOSTILE_CONTENTS if name != "too large"])
def test_a_hostile_content_in_a_sound_envelope_looks_like_damage(name: str) -> None:
    """Even the holder of an invitation learns nothing from a content that does not parse."""
    with patch.object(envelope, "pack", return_value=HOSTILE_CONTENTS[name]):
        data = seal({}, SECRET, X25519, keypair(X25519)[1], BINDING)
    assert str(refusal(data, X25519)) == str(CannotOpen.for_drop(BINDING.drop_id))


KEY_TEXT = base64.b64encode(CONTENT["ssl.key"] * 9).decode()
WITH_A_KEY = {
    "cut off": f'{{"files":{{"ssl.key":"{KEY_TEXT}"}},'.encode(),
    "a bare word": f'{{"files":{{"ssl.key":{KEY_TEXT}}}}}'.encode(),
    "no ASCII": f'{{"files":{{"ssl.key":"{KEY_TEXT}é"}}}}'.encode(),
    "an escape in base64": f'{{"secret":"","files":{{"ssl.key":"{KEY_TEXT}\\u00e9"}}}}'.encode(),
    "not base64": f'{{"secret":"","files":{{"ssl.key":"{KEY_TEXT}#"}}}}'.encode(),
    "a name twice": f'{{"secret":"","files":{{"ssl.key":"","ssl.key":"{KEY_TEXT}"}}}}'.encode(),
    "another's secret": pack({"ssl.key": CONTENT["ssl.key"] * 9}, secret=bytes(32)),
}


@pytest.mark.parametrize("content", WITH_A_KEY.values(), ids=WITH_A_KEY)
def test_no_refusal_has_a_key_behind_it(content: bytes) -> None:
    """A parser's error has all that it was to parse: neither the envelope's refusal nor the encoding's keeps one."""
    with patch.object(envelope, "pack", return_value=content):
        data = seal({}, SECRET, X25519, keypair(X25519)[1], BINDING)
    assert chain(refusal(data, X25519)) == []
    try:
        unpack(content, "secret")
    except ValueError as error:
        assert KEY_TEXT not in repr([vars(x) | {"args": x.args} for x in (error, *chain(error))])
        assert not any(isinstance(x, UnicodeError | json.JSONDecodeError) for x in (error, *chain(error)))


def test_neither_has_the_refusal_to_seal() -> None:
    """Not the files, which are the key."""
    with pytest.raises(BadInput) as caught:
        seal(CONTENT, SECRET, X25519, bytes(31), BINDING)
    assert chain(caught.value) == []


@given(files=some_files)
def test_one_set_of_files_has_one_encoding(files: dict[str, bytes]) -> None:
    """The order in which files are given does not show."""
    backwards = dict(reversed(files.items()))
    assert pack(files) == pack(backwards)
    assert (files, ()) == unpack(pack(files))


def test_a_fifth_file_cannot_be_packed() -> None:
    """Only the four files of a hand-over travel."""
    with pytest.raises(ValueError, match="id_rsa"):
        pack({"id_rsa": b""})


@given(st.lists(st.text(max_size=20), max_size=5), st.lists(st.text(max_size=20), max_size=5))
def test_no_two_bindings_read_the_same(one: list[str], other: list[str]) -> None:
    """The length prefix keeps parts apart."""
    assert (one == other) == (length_prefixed(*one) == length_prefixed(*other))


def test_files_too_large_for_an_envelope_are_refused_before_the_upload() -> None:
    """The customer hears about the size from his own command."""
    with pytest.raises(BadInput) as caught:
        seal({"ssl.crt": bytes(policy.ENVELOPE_MAX_BYTES)}, SECRET, X25519, keypair(X25519)[1], BINDING)
    assert caught.value.code == "files-too-large"


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("public_key", [b"", bytes(31), bytes(1215), bytes(32)], ids=["none", "31", "1215", "zero"])
def test_nothing_is_sealed_to_a_broken_public_key(suite: int, public_key: bytes) -> None:
    """A cut public key, or the point that gives away the secret, is refused."""
    with pytest.raises(BadInput) as caught:
        seal(CONTENT, SECRET, suite, public_key, BINDING)
    assert caught.value.code == "bad-public-key"


@pytest.mark.parametrize(("suite", "seed", "public"), [(X25519, 32, 32), (HYBRID, 96, 1216)])
def test_keys_have_the_sizes_the_records_expect(suite: int, seed: int, public: int) -> None:
    """Raw keys, no encoding around them."""
    made = generate_keypair(suite)
    assert (seed, public) == (len(made[0]), len(made[1]))
    assert made != generate_keypair(suite)


def test_there_is_no_third_suite() -> None:
    """A suite nobody knows cannot get a key."""
    with pytest.raises(ValueError, match="3"):
        generate_keypair(3)


@pytest.mark.parametrize("suite", SUITES)
def test_two_envelopes_of_the_same_files_have_nothing_in_common(suite: int) -> None:
    """Sealing is randomised: nobody sees that the same files came twice."""
    again = seal(CONTENT, SECRET, suite, keypair(suite)[1], BINDING)
    assert sealed(suite)[5:] != again[5:]
    assert base64.b64encode(CONTENT["ssl.key"]) not in again
