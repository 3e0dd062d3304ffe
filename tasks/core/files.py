"""
The four files a customer hands over, and their one encoding inside an envelope or the vault.

The encoding is JSON of base64, read strictly: no name but the four, no key twice, no other base64
than the one that encoding gives.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from tasks.core import policy

FILES: Final = ("ssl.key", "ssl.crt", "ssl.chain", "dotcloud.yml")


def length_prefixed(*parts: str) -> bytes:
    """Join *parts* so that no two different lists give the same bytes: each behind its length, 4 bytes big-endian."""
    encoded = [part.encode("utf-8") for part in parts]
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)


def pack(files: Mapping[str, bytes], **more: bytes) -> bytes:
    """
    Encode *files*, and *more* values beside them.

    Raises:
        ValueError: A name is not one of `FILES`.
    """
    if unknown := set(files) - set(FILES):
        raise ValueError(f"not a file of a hand-over: {sorted(unknown)!r}")
    content: dict[str, Any] = {name: _encode(value) for name, value in more.items()}
    content["files"] = {name: _encode(files[name]) for name in FILES if name in files}
    return json.dumps(content, separators=(",", ":")).encode("ascii")


def unpack(packed: bytes, *more: str) -> tuple[dict[str, bytes], tuple[bytes, ...]]:
    """
    Decode what `pack` gave: the files, and the values called *more* in that order.

    Raises:
        ValueError: It is anything that `pack` does not give. Neither the error nor what is behind it has any content.
    """
    if len(packed) > policy.ENVELOPE_MAX_BYTES:
        raise ValueError("too large")
    content = None
    with suppress(ValueError, RecursionError):
        content = json.loads(packed.decode("ascii"), object_pairs_hook=_refuse_duplicates)
    if not isinstance(content, dict) or set(content) != {"files", *more}:
        raise ValueError("not an encoding of files")
    files = content["files"]
    if not isinstance(files, dict) or not set(files) <= set(FILES):
        raise ValueError("not the files of a hand-over")
    return {name: _decode(files[name]) for name in files}, tuple(_decode(content[name]) for name in more)


def _encode(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _decode(text: object) -> bytes:
    if not isinstance(text, str):
        raise ValueError("not base64")
    value = None
    with suppress(ValueError):
        value = base64.b64decode(text, validate=True)
    if value is None or _encode(value) != text:
        raise ValueError("not the one base64 of a value")
    return value


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a key twice")
    return content
