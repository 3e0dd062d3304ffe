"""The opening of a drop: its key pair, on record before anybody is invited."""

from __future__ import annotations

from datetime import datetime

from tasks.clients.installation import Installation
from tasks.core.envelope import HYBRID, generate_keypair
from tasks.core.hand_over import seed_context
from tasks.core.model import Drop, DropState


def make_key_pair(here: Installation, drop: Drop, now: datetime) -> None:
    """
    Make the key pair of a REQUESTED drop; one that has a pair keeps it.

    The pair is of the post-quantum hybrid suite, which our own client seals to. The private seed is wrapped by the
    key provider before it is recorded.

    Raises:
        HandOverClosed: The hand-over has ended.
    """
    if drop.state is DropState.REQUESTED:
        seed, public_key = generate_keypair(HYBRID)
        wrapped = here.keys.wrap(seed, seed_context(drop))
        here.drops.open(drop.id, HYBRID, public_key, wrapped)
    here.audit.append_once("certferry", "drop.opened", drop.id, {"suite": HYBRID}, now)
