"""A key provider in memory. Not secret at all: for tests only."""

from __future__ import annotations

import os
from collections.abc import Mapping

from tasks.core.errors import CannotUnwrap


class FakeKeyProvider:
    """
    Hands out random tokens and remembers what they stand for.

    Strict: a token opens only under the context it was made with. A little hostile: no two wraps are equal, and
    *fail* holds errors that the next calls raise, one each.
    """

    def __init__(self, fail: list[Exception] | None = None) -> None:
        self.fail = fail if fail is not None else []
        self.calls: list[str] = []
        self._wrapped: dict[bytes, tuple[bytes, dict[str, str]]] = {}

    def wrap(self, secret: bytes, context: Mapping[str, str]) -> bytes:
        self._called("wrap")
        if not 0 < len(secret) <= 4096:
            raise ValueError("a secret to wrap has 1 to 4096 bytes")
        token = b"fake" + os.urandom(28)
        self._wrapped[token] = (bytes(secret), dict(context))
        return token

    def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        self._called("unwrap")
        secret, bound_to = self._wrapped.get(wrapped, (b"", None))
        if bound_to != dict(context):
            raise CannotUnwrap.for_context("a fake key")
        return secret

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if self.fail:
            raise self.fail.pop(0)
