"""What lies in the drops' bucket and belongs to no hand-over: find it, and destroy it with proof."""

from __future__ import annotations

from tasks.artifacts import show_orphans
from tasks.clients.installation import current
from tasks.core.errors import StoreUnavailable
from tasks.core.orphans import Orphans, Places
from tasks.retries import step


@step(StoreUnavailable, "look for what no hand-over needs in the drops' bucket")
def survey_orphans() -> Orphans:
    """
    Give what lies in the place of drops that are not on record or were swept twice, and in no drop's place.

    Repeat: Reads only.

    Undo: None is needed.
    """
    here = current()
    places = Places.of(here.drop_store.list_keys())
    known = here.drops.find_all(places.drops)  # read after the bucket: what was uploaded by then is on record by now
    late = sorted(drop.id for drop in known.values() if drop.swept_at)
    orphans = Orphans(tuple(sorted(places.drops - known.keys())), tuple(late), tuple(sorted(places.strange)))
    show_orphans(orphans)
    return orphans


@step(StoreUnavailable, "destroy what no hand-over needs")
def sweep_orphan(drop_id: str) -> None:
    """
    Delete all that lies in the place of a drop that is not on record, or was swept twice; leave the proof.

    Repeat: What is gone is gone. A drop that is on record by now, and not swept, is left alone.

    Undo: None. No key is left that could open it.
    """
    here = current()
    drop = here.drops.find_all([drop_id]).get(drop_id)
    if drop and not drop.swept_at:
        return
    swept = here.drop_store.sweep(drop_id)
    if not swept.empty:
        evidence = {
            "on_record": drop is not None,
            "versions": list(swept.versions),
            "delete_markers": list(swept.delete_markers),
            "unfinished_uploads": list(swept.unfinished_uploads),
        }
        here.audit.append("certferry", "drop.orphan-destroyed", drop_id, evidence, here.now())
