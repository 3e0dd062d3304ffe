"""PEM and DER are read as they come, and written one way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.doctor.der import SEQUENCE, is_der, read_sequence, read_value, read_values
from tasks.core.doctor.pem import armour, read_blocks


@given(st.lists(st.tuples(st.sampled_from(["PRIVATE KEY", "CERTIFICATE"]), st.binary(min_size=1, max_size=200))))
def test_what_is_written_is_read(blocks: list[tuple[str, bytes]]) -> None:
    """Labels and contents come back, in order."""
    written = b"text between\n".join(armour(label, der) for label, der in blocks)
    assert blocks == [(block.label, block.der) for block in read_blocks(written)]


@given(st.binary(max_size=300))
def test_no_bytes_get_an_exception_out(data: bytes) -> None:
    """Whatever a file holds, reading it gives blocks or none."""
    assert all(block.der is None or block.der for block in read_blocks(data + b"-----BEGIN X-----" + data))


def test_lines_have_64_characters() -> None:
    """As RFC 7468 has them, whatever came in."""
    lines = armour("CERTIFICATE", bytes(500)).decode().splitlines()
    assert {len(line) for line in lines[1:-2]} == {64}


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN CERTIFICATE-----\nAAAA\n",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END PRIVATE KEY-----\n",
        "-----BEGIN CERTIFICATE-----\nAA A\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nAAA*\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nAAÄA\n-----END CERTIFICATE-----\n",
    ],
)
def test_a_damaged_block_is_seen_and_has_no_content(text: str) -> None:
    """It is there, so it can be complained about."""
    (block,) = read_blocks(text.encode())
    assert block.label == "CERTIFICATE"
    assert block.der is None


def test_a_block_cut_off_does_not_swallow_the_next() -> None:
    """The complaint is about one block, and the other is used."""
    first, second = read_blocks(b"-----BEGIN CERTIFICATE-----\nAAAA\n" + armour("CERTIFICATE", b"x"))
    assert (first.der, second.der) == (None, b"x")


def test_a_block_never_shows_its_content() -> None:
    """A key in a block stays out of tracebacks."""
    (block,) = read_blocks(armour("PRIVATE KEY", b"secret bytes"))
    assert "secret" not in repr(block)


@given(st.binary(max_size=300))
def test_der_is_read_whole_or_refused(content: bytes) -> None:
    """Every length form comes back as it went in."""
    for head in (bytes([0x82]) + len(content).to_bytes(2, "big"), bytes([0x84]) + len(content).to_bytes(4, "big")):
        assert (SEQUENCE, content, 1 + len(head) + len(content)) == read_value(bytes([SEQUENCE]) + head + content)


@pytest.mark.parametrize(
    "der",
    [b"", b"\x30", b"\x30\x01", b"\x30\x80\x00\x00", b"\x30\x85\x00\x00\x00\x00\x00", b"\x30\x82\x01", b"\x30\xff"],
)
def test_der_without_an_end_is_refused(der: bytes) -> None:
    """Cut off or of indefinite length: not DER."""
    with pytest.raises(ValueError, match=r"cut off|definite"):
        read_value(der)
    assert not is_der(der)


def test_a_sequence_is_a_sequence_of_something() -> None:
    """Another tag, or nothing inside, is refused."""
    assert read_sequence(b"\x30\x06\x02\x01\x01\x02\x01\x02") == [(2, b"\x01"), (2, b"\x02")]
    with pytest.raises(ValueError, match="not a sequence"):
        read_sequence(b"\x31\x03\x02\x01\x01")
    with pytest.raises(ValueError, match="empty"):
        read_values(b"")


@pytest.mark.parametrize(
    ("data", "expected"),
    [(b"\x30\x00", True), (b"\x30\x00\r\n", True), (b"\x30\x00x", False), (b"\x02\x01\x00", False), (b"0 text", False)],
)
def test_der_is_one_sequence_and_nothing_else(data: bytes, expected: bool) -> None:
    """A text that happens to begin with a zero is not taken for DER."""
    assert is_der(data) is expected
