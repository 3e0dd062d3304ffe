"""What lies in the drops' bucket and belongs to no hand-over: pure, so that every case is one line of a test."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tasks.core import policy
from tasks.core.errors import CertferryError, Drifted
from tasks.core.text import one_line

_OF_DROP = re.compile(r"drops/(drop-[a-z2-7]{26})/")


@dataclass
class Places:
    """
    The places in the bucket where anything lies.

    Attributes:
        drops: Ids of drops, from the objects' keys.

        strange: Keys that are in no drop's place, `policy.MOST_SHOWN` of them.
    """

    drops: set[str] = field(default_factory=set)
    strange: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, keys: Iterable[str]) -> Places:
        """Sort the keys of a bucket."""
        places = cls()
        for key in keys:
            found = _OF_DROP.match(key)
            if found:
                places.drops.add(found[1])
            elif len(places.strange) < policy.MOST_SHOWN:
                places.strange.add(key)
        return places


@dataclass(frozen=True)
class Orphans:
    """
    What no hand-over needs.

    A place without a record is nobody's: a record is written before a capability to upload is. A few are left-overs;
    many mean that these records are not this bucket's, or are an older copy of them.

    Attributes:
        unknown: Ids of drops that are not on record.

        late: Ids of drops that were swept twice, and are not empty all the same.

        strange: Keys of objects in no drop's place, which certferry never made.
    """

    unknown: tuple[str, ...]
    late: tuple[str, ...]
    strange: tuple[str, ...]

    @property
    def can_go(self) -> tuple[str, ...]:
        """The drops to be destroyed without asking a person."""
        return (*self.late, *(() if len(self.unknown) > policy.MOST_REMOVALS else self.unknown))

    def complaints(self) -> Iterator[CertferryError]:
        """Give what a person must look at: `Drifted` with code ``records-behind-store`` or ``strange-objects``."""
        if len(self.unknown) > policy.MOST_REMOVALS:
            yield Drifted(
                "the drops' bucket",
                got=f"{len(self.unknown)} drops that the records do not know, {self.unknown[0]} first",
                wanted=f"at most {policy.MOST_REMOVALS}, in records and a bucket of one installation",
                do="Check that the settings name the right database, and no older copy. They were left alone.",
                code="records-behind-store",
            )
        if self.strange:
            yield Drifted(
                "the drops' bucket",
                got=f"objects that are in no drop's place, such as {one_line(self.strange[0])[:80]}",
                wanted="nothing but drops",
                do="Look who else may write into this bucket, and remove them by hand; they were left alone.",
                code="strange-objects",
            )
