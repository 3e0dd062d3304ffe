"""What lies in the drops' bucket and belongs to no hand-over goes, with proof; what may be somebody's stays."""

from __future__ import annotations

import os

import pytest
from prefect.client.schemas.objects import State

from flows.sweep_drops import sweep_drops
from tasks.core import policy
from tasks.core.model import Outcome, make_id
from tasks.destroy_drop import destroy_drop
from tasks.sweep_drop import sweep_drop
from tests.office import Office

pytestmark = pytest.mark.usefixtures("theatre")


def unknown_drop(office: Office) -> str:
    """Put something into the place of a drop that was never on record."""
    drop_id = make_id("drop", os.urandom(16))
    office.store.arrive(drop_id, b"left over")
    return drop_id


def swept_drop(office: Office) -> str:
    """Give a drop that has ended and was swept twice."""
    drop = office.request()
    office.here.drops.close(drop.id, Outcome.CANCELLED, None, None)
    destroy_drop.fn(drop.id)
    assert sweep_drop.fn(drop.id)
    return drop.id


def message_of(state: object) -> str:
    assert isinstance(state, State)
    return str(state.message)


def test_an_orphan_goes_and_there_is_proof(office: Office) -> None:
    """Never on record: every version, marker and unfinished upload goes, and a second pass finds nothing to do."""
    drop_id = unknown_drop(office)
    office.store.leave_marker(drop_id)
    office.store.leave_unfinished(drop_id)

    assert sweep_drops.fn() is None

    assert list(office.store.list_keys()) == []
    (proof,) = office.here.audit.entries(drop_id)
    evidence = proof["evidence"]
    assert (proof["action"], evidence["on_record"]) == ("drop.orphan-destroyed", False)
    assert [len(evidence[kind]) for kind in ("versions", "delete_markers", "unfinished_uploads")] == [1, 1, 1]
    assert sweep_drops.fn() is None
    assert len(office.here.audit.entries(drop_id)) == 1


def test_what_comes_after_the_second_sweep_goes(office: Office) -> None:
    """A capability that S3 honoured too long, or a writer of its own."""
    drop_id = swept_drop(office)
    office.store.arrive(drop_id, b"late")

    assert sweep_drops.fn() is None

    assert not office.store.has_upload(drop_id)
    assert "drop.orphan-destroyed" in office.actions(drop_id)


def test_what_a_hand_over_needs_stays(office: Office) -> None:
    """An upload that waits for its run, and one whose drop is destroyed but not swept: `watch-drops` has it."""
    waiting, destroyed = office.open("waiting"), office.open("destroyed")
    office.upload(waiting)
    destroy_drop.fn(destroyed.id)
    office.store.arrive(destroyed.id, b"late")

    assert sweep_drops.fn() is None

    assert [office.store.has_upload(drop.id) for drop in (waiting, destroyed)] == [True, True]


def test_many_unknown_ones_are_asked_about(office: Office) -> None:
    """The records of another installation, or an old copy, must not cost anybody their upload; late ones go all the same."""
    unknown = [unknown_drop(office) for _ in range(policy.MOST_REMOVALS + 1)]
    late = swept_drop(office)
    office.store.arrive(late, b"late")

    assert "records-behind-store" in message_of(sweep_drops.fn())

    assert all(office.store.has_upload(drop_id) for drop_id in unknown)
    assert not office.store.has_upload(late)


def test_objects_in_no_drops_place_are_told(office: Office) -> None:
    """Somebody else writes into the bucket: said, with the key made harmless, and left alone."""
    office.store._objects.put("drops/../\x1b[2J<b>evil", b"x")

    message = message_of(sweep_drops.fn())

    assert "strange-objects" in message
    assert "\x1b" not in message
    assert len(list(office.store.list_keys())) == 1
