"""Open a drop: make its key pair."""

from __future__ import annotations

from tasks.clients.installation import current
from tasks.clients.openings import make_key_pair
from tasks.core.errors import KeysUnavailable
from tasks.core.hand_over import check_live
from tasks.retries import step


@step(KeysUnavailable, "open the drop")
def open_drop(drop_id: str) -> None:
    """
    Make the drop's key pair; its private seed is wrapped by the key provider before it is recorded.

    The pair is of the post-quantum hybrid suite, which our own client seals to.

    Repeat: A drop that has a key pair keeps it.

    Undo: `destroy_drop`.

    Raises:
        HandOverClosed: The hand-over has ended.
    """
    here = current()
    now = here.now()
    drop = here.drops.fetch(drop_id)
    check_live(drop)
    make_key_pair(here, drop, now)
