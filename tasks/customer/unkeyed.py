"""Private keys, taken out of what is shown: somebody may have pasted one in the place of a name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

T = TypeVar("T")


def unkeyed(data: T) -> T:
    """
    Give *data*, a text or what JSON is made of, with all key material in its texts replaced.

    To be applied before a text is cut: the beginning of a key may hold the whole secret, and no longer look like one.
    """
    return _unkeyed(data)  # type: ignore[no-any-return]


def _unkeyed(data: Any) -> Any:
    from tasks.core.ticket_text import redact  # here: it loads cryptography

    if isinstance(data, str):
        return redact(data)
    if isinstance(data, Mapping):
        return {_unkeyed(name): _unkeyed(value) for name, value in data.items()}
    return [_unkeyed(each) for each in data] if isinstance(data, (list, tuple)) else data
