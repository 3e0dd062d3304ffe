"""What a worst case is, and what several of them need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from tasks.core import policy
from tasks.core.doctor.pem import armour
from tasks.core.model import Hostname
from tests.fuzz import forge
from tests.pki import DOTCLOUD_YML

Files = dict[str, bytes]

FULL: Final = policy.FILE_MAX_BYTES
BODY: Final = 46 * policy.KIB  # the most DER that fits into a PEM file of 64 KiB, and some room
SHOP: Final = Hostname("shop.example.test")
SHOP_NAME: Final = forge.name(SHOP)
YML: Final = {"dotcloud.yml": DOTCLOUD_YML}


@dataclass(frozen=True)
class Worst:
    """
    Attributes:
        files: Makes what is sent; may take long, and is not measured.

        hostname: What is asked for; None where nobody asks, as in the doctor.

        trusted: DER of a root that is trusted beside the public ones.
    """

    name: str
    files: Callable[[], Files] = field(repr=False)
    hostname: Hostname | None = None
    trusted: Callable[[], bytes] | None = field(default=None, repr=False)


def pem(*ders: bytes) -> bytes:
    return b"".join(armour("CERTIFICATE", der) for der in ders)


def blocks_of(text: bytes, size: int = FULL) -> bytes:
    """Give *text* again and again up to *size*."""
    return (text * (size // len(text) + 1))[:size]


def many(content: Callable[[int], bytes], count: int = policy.MAX_FILES - 1, name: str = "{}.crt") -> Files:
    """Give as many files as are read, beside the manifest."""
    return {name.format(n): content(n) for n in range(count)} | YML


def fill(make: Callable[[int], bytes], size: int = BODY) -> list[bytes]:
    """Give as many parts as fit into *size*."""
    parts: list[bytes] = []
    total = 0
    while total + len(part := make(len(parts))) <= size:
        parts.append(part)
        total += len(part)
    return parts
