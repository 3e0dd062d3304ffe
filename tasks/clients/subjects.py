"""What tickets ask for and approvals are about: a drop or a removal, told by its id."""

from __future__ import annotations

from tasks.clients.installation import Installation
from tasks.core.model import Drop, Removal


def fetch_subject(here: Installation, subject: str) -> Drop | Removal:
    """
    Give the drop or the removal with this id.

    Raises:
        NotFound: There is none.
    """
    return here.removals.fetch(subject) if subject.startswith("removal-") else here.drops.fetch(subject)
