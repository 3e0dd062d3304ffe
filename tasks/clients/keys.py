"""The key provider: wraps and unwraps small secrets (drop seeds, vault data keys)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class KeyProvider(Protocol):
    """
    Wraps a secret so that only this provider, given the same context, can unwrap it.

    *context* is authenticated, not secret: names and ids. A wrapped key moved to another context does not unwrap.
    """

    def wrap(self, secret: bytes, context: Mapping[str, str]) -> bytes:
        """
        Give *secret* (at most 4 KiB) wrapped under *context*.

        Raises:
            KeysUnavailable: The provider did not answer.
        """

    def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        """
        Give back the secret.

        Raises:
            CannotUnwrap: Damaged, another context, or another key; never says which.

            KeysUnavailable: The provider did not answer.
        """
