"""
PEM as people really send it: CRLF, a byte order mark, UTF-16, Bag Attributes, EC PARAMETERS, spaces at line ends.

Source:
    RFC 7468; RFC 1421 section 4.4 for the headers of a key encrypted the old way.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from dataclasses import dataclass, field

_BEGIN = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,40})-----")
_COLUMNS = 64  # RFC 7468 section 2


@dataclass(frozen=True)
class Block:
    """
    One PEM block.

    Attributes:
        label: What stands after BEGIN.

        der: The content; None where it is cut off or not base64.

        encrypted: Whether a ``Proc-Type`` header says so.
    """

    label: str
    der: bytes | None = field(repr=False)
    encrypted: bool = False

    @property
    def is_private_key(self) -> bool:
        return self.label.endswith("PRIVATE KEY")


def read_blocks(data: bytes) -> list[Block]:
    """Give the PEM blocks of *data* in order; text around them is ignored."""
    text = _decode(data)
    blocks = []
    begin = _BEGIN.search(text)
    while begin:
        following = _BEGIN.search(text, begin.end())
        body = text[begin.end() : following.start() if following else len(text)]
        inside, end, _ = body.partition(f"-----END {begin[1]}-----")
        headers, content = _split_headers(inside)
        blocks.append(Block(begin[1], _unarmour(content) if end else None, "ENCRYPTED" in headers))
        begin = following
    return blocks


def armour(label: str, der: bytes) -> bytes:
    """Give *der* as one PEM block with lines of 64 and ``\\n`` at each end."""
    text = base64.b64encode(der).decode("ascii")
    lines = [text[at : at + _COLUMNS] for at in range(0, len(text), _COLUMNS)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]).encode("ascii")


def _decode(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # what PowerShell's `>` writes
        return data.decode("utf-16", errors="replace")
    return data.decode("ascii", errors="replace")


def _split_headers(inside: str) -> tuple[str, str]:
    lines = inside.splitlines()
    headers = [line for line in lines if ":" in line]
    return "\n".join(headers), "".join(line for line in lines if ":" not in line)


def _unarmour(content: str) -> bytes | None:
    try:
        return base64.b64decode("".join(content.split()), validate=True) or None
    except (binascii.Error, ValueError):
        return None
