"""Names below which anybody may register a domain, so that no certificate may cover them all."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList


def is_public_suffix(name: str) -> bool:
    """
    Tell whether *name* (A-labels, lower case) is one of the registries' suffixes: ``com``, ``co.uk``.

    Suffixes that companies added for their customers (``github.io``) are none: those companies may certify them.

    Source:
        BR 3.2.2.6, which asks for the ICANN part of the Public Suffix List only.
    """
    return _public_suffixes().publicsuffix(name) == name


@cache
def _public_suffixes() -> PublicSuffixList:
    from publicsuffixlist import PublicSuffixList  # here, because only wildcards need it, and it takes 50 ms to load

    return PublicSuffixList(only_icann=True)
