"""Just enough DER to tell what something is before anything expensive is done with it (X.690 section 8.1)."""

from __future__ import annotations

from typing import Final

BOOLEAN: Final = 0x01
INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
OBJECT_IDENTIFIER: Final = 0x06
SEQUENCE: Final = 0x30
CONTEXT: Final = 0xA0  # [0] constructed; the others follow


def read_value(der: bytes, at: int = 0) -> tuple[int, bytes, int]:
    """
    Read one value: its tag, its content and where the next one starts.

    Raises:
        ValueError: It is cut off, or its length is not definite.
    """
    if at + 2 > len(der):
        raise ValueError("cut off")
    tag, length, start = der[at], der[at + 1], at + 2
    if length >= 0x80:
        size = length & 0x7F
        if not 1 <= size <= 4:
            raise ValueError("no definite length")
        length, start = int.from_bytes(der[start : start + size], "big"), start + size
    if start + length > len(der):
        raise ValueError("cut off")
    return tag, der[start : start + length], start + length


def read_values(content: bytes, most: int = 12) -> list[tuple[int, bytes]]:
    """
    Read the values that lie one after the other in *content*, *most* of them: their tags and contents.

    Raises:
        ValueError: One is cut off, or there is none.
    """
    values: list[tuple[int, bytes]] = []
    at = 0
    while at < len(content) and len(values) < most:
        tag, value, at = read_value(content, at)
        values.append((tag, value))
    if not values:
        raise ValueError("empty")
    return values


def read_sequence(der: bytes) -> list[tuple[int, bytes]]:
    """
    Read *der* as one SEQUENCE and give the tags and contents of its first values.

    Raises:
        ValueError: It is not a SEQUENCE, or something in it is cut off.
    """
    tag, content, _ = read_value(der)
    if tag != SEQUENCE:
        raise ValueError("not a sequence")
    return read_values(content)


def is_der(data: bytes) -> bool:
    """Tell whether *data* is one DER SEQUENCE and nothing else (a final line feed is forgiven)."""
    try:
        tag, _, end = read_value(data)
    except ValueError:
        return False
    return tag == SEQUENCE and not data[end:].strip()
