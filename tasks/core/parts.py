"""Long lists, a part at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def in_parts(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Give *items* in their order, *size* of them at a time."""
    return (items[start : start + size] for start in range(0, len(items), size))
