"""The good hand-overs that are measured: one for each usual kind of key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final

import certifi

from tasks.core.certificate import Terms, load_roots
from tasks.core.model import Hostname
from tests.corpus.case import logged_twice
from tests.pki import CA

SHOP: Final = Hostname("shop.example.test")
PUBLIC_PEM: Final = Path(certifi.where()).read_bytes()
_KINDS: Final = {"EC P-256": "ec256", "RSA-2048": "rsa2048", "RSA-4096": "rsa4096"}


@dataclass(frozen=True)
class Sample:
    """
    A good hand-over: a leaf below one intermediate.

    Attributes:
        root_pem: Who issued it in the end.
    """

    name: str
    files: Mapping[str, bytes] = field(repr=False)
    root_pem: bytes = field(repr=False)

    def terms(self, *, public: bool) -> Terms:
        """Trust its own root alone, or beside all *public* ones and by their rules."""
        pem = self.root_pem + PUBLIC_PEM if public else self.root_pem
        return Terms(load_roots(pem), public, datetime.now(UTC), SHOP)

    def save(self, directory: Path) -> None:
        """Write its files, and ``root.pem``."""
        for name, content in {**self.files, "root.pem": self.root_pem}.items():
            (directory / name).write_bytes(content)


@cache
def make_samples() -> tuple[Sample, ...]:
    return tuple(_make(name, kind) for name, kind in _KINDS.items())


def _make(name: str, kind: str) -> Sample:
    root = CA("Example Root", key=kind)
    issued = root.intermediate(key=kind).issue([SHOP, "www.example.test"], key=kind, extra=[logged_twice()])
    return Sample(name, issued.files(), root.pem)
