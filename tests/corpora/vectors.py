"""The files of the package cryptography-vectors."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

import cryptography_vectors

from tests.corpora.answers import Survey, ask_alone, files_below
from tests.corpora.pairs import ask_pair, collect

VECTORS: Final = Path(cryptography_vectors.__file__).parent
PKITS: Final = VECTORS / "x509" / "PKITS_data"
AREAS: Final = ("x509", "x509/PKITS_data", "asymmetric", "pkcs12", "pkcs7")
_PASSWORDS: Final = (None, b"password", b"cryptography")  # those of the tests of cryptography


@cache
def alone(area: str) -> Survey:
    """Give the answers to every file of *area*, each handed over alone."""
    paths = (path for path in files_below(VECTORS / area) if area == "x509/PKITS_data" or PKITS not in path.parents)
    return ask_alone(area, VECTORS, paths)


@cache
def pairs() -> Survey:
    """Give the answers to every certificate whose private key is in the package, too, PKITS aside."""
    paths = (path for path in files_below(VECTORS) if PKITS not in path.parents)
    found = collect(VECTORS, paths, _PASSWORDS).pairs()
    return Survey("pairs of cryptography-vectors", tuple(ask_pair(pair) for pair in found))
