"""What the readers of zip and tar have in common: a member, and the ways to refuse a whole archive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tasks.core import policy

FILE: Final = "a file"
DIRECTORY: Final = "a directory"
SYMBOLIC_LINK: Final = "a symbolic link"
DEVICE: Final = "a device or a pipe"

_FETCH_AGAIN: Final = "Fetch it again from where it came from; if it is the same there, ask for the files without it."
_PACK_ANEW: Final = "Give the certificate files without an archive, or pack them anew, as plain files."
_BY_HAND: Final = "Unpack it yourself, and give the files that were in it."


@dataclass(frozen=True)
class Member:
    """
    One entry of an archive.

    Attributes:
        name: As stated, not checked.

        kind: `FILE`, `DIRECTORY`, or in words what else it is.

        size: In bytes, as stated.

        read: Gives the content, at most *size* bytes.
    """

    name: str
    kind: str
    size: int
    read: Callable[[], bytes]


class BadArchive(Exception):
    """
    An archive that is refused as a whole.

    Attributes:
        cause: Goes on after the archive's name: "is damaged", "holds ...".

        fix: What to do, as a sentence.

        program: The one by which the customer can unpack it without harm, or nothing.
    """

    def __init__(self, cause: str, fix: str = _PACK_ANEW, program: str = "") -> None:
        super().__init__(cause)
        self.cause, self.fix, self.program = cause, fix, program

    @classmethod
    def damaged(cls, how: str) -> BadArchive:
        return cls(f"is damaged: {how}", _FETCH_AGAIN)

    @classmethod
    def dangerous(cls, cause: str) -> BadArchive:
        """Refuse what two programs may unpack differently, or into other places."""
        return cls(cause)

    @classmethod
    def by_hand(cls, cause: str, program: str) -> BadArchive:
        """Refuse what only *program* on the customer's machine can open."""
        return cls(cause, _BY_HAND, program)

    @classmethod
    def too_many(cls) -> BadArchive:
        return cls(
            f"holds more than {policy.ARCHIVE_MAX_MEMBERS} files and directories, which is the most that is read"
        )

    @classmethod
    def too_large(cls, what: str, most: int) -> BadArchive:
        return cls(f"{what}; at most {most} bytes are read")
