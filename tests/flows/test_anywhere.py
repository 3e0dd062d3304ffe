"""
The durability rule: whatever call to whatever outside system is the last one, the next start ends in the same place.

One hand-over is carried over and over; each time another call is struck, before or after it took effect.
"""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tasks.clients.tables import Base
from tasks.core import policy
from tasks.core.errors import LeaseLost, StoreUnavailable, Unavailable
from tasks.core.hand_over import lease_name
from tasks.core.model import DropState, Outcome
from tests.office import Office
from tests.theatre import RUN, Theatre

CLIENTS = (
    "accounts", "drops", "certificates", "decisions", "audit", "billing", "tickets",
    "drop_store", "vault", "keys", "resolver", "probe",
)  # fmt: skip
LOOKS = ("fetch", "find", "list", "is_", "get", "health", "resolve", "txt", "http_status", "unwrap")
FAKES = ("store", "vault", "keys", "resolver")


class Killed(BaseException):
    """kill -9: no handler of ours may catch it."""


@dataclass
class Lightning:
    """
    Strikes one call, and counts all.

    Attributes:
        at: The number of the call that is struck; None strikes none.

        after: The call takes effect first; only its answer is lost.

        before: Done before the call, which is then not struck.
    """

    error: Callable[[], BaseException]
    at: int | None = None
    after: bool = False
    before: Callable[[], None] | None = None
    calls: list[str] = field(default_factory=list)

    def call(self, name: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self.calls.append(name)
        struck = len(self.calls) - 1 == self.at
        if struck and self.before:
            self.before()
            return function(*args, **kwargs)
        if struck and not self.after:
            raise self.error()
        result = function(*args, **kwargs)
        if struck:
            raise self.error()
        return result


class Rod:
    """A client whose every call may be struck."""

    def __init__(self, name: str, client: Any, lightning: Lightning) -> None:
        self._name, self._client, self._lightning = name, client, lightning

    def __getattr__(self, call: str) -> Any:
        value = getattr(self._client, call)
        if not callable(value):
            return value
        name = f"{self._name}.{call}"
        return lambda *args, **kwargs: self._lightning.call(name, value, *args, **kwargs)


@contextmanager
def under(office: Office, lightning: Lightning) -> Iterator[None]:
    """Put a rod on every client of the installation."""
    there = dict(office.here.__dict__)
    office.here.__dict__.update({name: Rod(name, getattr(office.here, name), lightning) for name in CLIENTS})
    office.here.__dict__["edges"] = tuple(Rod(f"edge {edge.name}", edge, lightning) for edge in office.edges)
    try:
        yield
    finally:
        office.here.__dict__.clear()
        office.here.__dict__.update(there)


@dataclass
class Scene:
    """A hand-over whose files and ticket have arrived, to be set back and carried again."""

    theatre: Theatre
    drop_id: str
    records: Path
    _fakes: dict[str, Any] = field(default_factory=dict)

    def save(self) -> None:
        office = self.theatre.office
        office.here.database.dispose()
        shutil.copy(self.records, self.records.with_suffix(".saved"))
        self._fakes = {name: copy.deepcopy(vars(getattr(office, name))) for name in FAKES}

    def restore(self) -> None:
        office = self.theatre.office
        office.here.database.dispose()
        for left in self.records.parent.glob(f"{self.records.name}-*"):
            left.unlink()
        shutil.copy(self.records.with_suffix(".saved"), self.records)
        for name, state in self._fakes.items():
            vars(getattr(office, name)).update(copy.deepcopy(state))
        for edge in office.edges:
            edge.bundles.clear()
            edge.hosts.clear()
        self.theatre.asked.clear()
        self.theatre.forget_answers()

    def carry(self, lightning: Lightning) -> None:
        self.theatre.answers["approval"] = [{"decision": "approve", "name": "olga"}]
        with under(self.theatre.office, lightning):
            self.theatre.carry(self.drop_id)


@pytest.fixture(name="scene")
def _scene(theatre: Theatre, tmp_path: Path) -> Scene:
    office = theatre.office
    drop = office.open()
    office.upload(drop)
    office.file(drop.id)
    scene = Scene(theatre, drop.id, tmp_path / "records.db")
    scene.save()
    return scene


def end_state(scene: Scene) -> dict[str, Any]:
    """Give all that a hand-over leaves behind, but for times and random ids."""
    office = scene.theatre.office
    here, drop = office.here, office.drop(scene.drop_id)
    certificate = here.certificates.find_by_drop(drop.id)
    assert certificate is not None
    (line,) = here.billing.list_entries("acme")
    ticket = here.decisions.find_match(drop.id)
    assert ticket is not None
    messages = here.tickets.fetch(ticket).messages
    assert here.audit.verify()
    return {
        "ended": (drop.outcome, drop.state, drop.version_id),
        "served": (office.served(), [sorted(edge.bundles) for edge in office.edges]),
        "certificate": (certificate.id, certificate.leaf_sha256),
        "vault": office.vault.get(certificate.vault_key, certificate.vault_version) != b"",
        "line": (line.idempotency_key, line.megabytes, line.unit_price),
        "confirmed": here.certificates.find_confirmation(certificate.id) is not None,
        "said": sorted(message.body.split(": ")[0][:60] for message in messages),
        "left": office.store.has_upload(drop.id),
        "actions": sorted(set(office.actions(drop.id)) - {"edges.released"}),
    }


def undisturbed(scene: Scene) -> tuple[list[str], dict[str, Any]]:
    """Carry the hand-over once without a strike, and give its calls and its end."""
    calm = Lightning(Killed)
    scene.carry(calm)
    end = end_state(scene)
    assert end["ended"][:2] == (Outcome.COMPLETED, DropState.DESTROYED)
    scene.restore()
    return calm.calls, end


def changes(call: str) -> bool:
    """Say whether a call changes anything: a kill after a look is the same as one after the change before it."""
    return not call.partition(".")[2].startswith(LOOKS)


def test_a_kill_after_any_change_and_a_start_from_the_top_end_in_the_same_place(scene: Scene) -> None:
    """One charge, one pair, one certificate on both edges, nobody asked twice, no drop left: wherever it dies."""
    calls, expected = undisturbed(scene)

    for number in (n for n, call in enumerate(calls) if changes(call)):
        with pytest.raises(Killed):
            scene.carry(Lightning(Killed, number, after=True))
        scene.theatre.forget_answers()
        asked = len(scene.theatre.questions("approval"))
        decided = "decisions.decide" in calls[: number + 1]

        scene.carry(Lightning(Killed))

        assert end_state(scene) == expected, f"after {calls[number]} ({number})"
        assert len(scene.theatre.questions("approval")) == asked + (not decided), f"after {calls[number]} ({number})"
        scene.restore()


@pytest.mark.parametrize("after", [False, True], ids=["refused", "answer-lost"])
def test_an_outage_anywhere_leaves_no_half_pair(scene: Scene, after: bool) -> None:
    """A system that does not answer stops the run with both edges alike, and the next start completes it."""
    calls, expected = undisturbed(scene)
    first_of_each = {calls.index(call) for call in calls}

    for number in (n for n, call in enumerate(calls) if changes(call) or (n in first_of_each and not after)):
        with pytest.raises(Unavailable):
            scene.carry(Lightning(lambda: StoreUnavailable.because("a system", "struck"), number, after))
        assert len(set(scene.theatre.office.served())) == 1, f"{calls[number]} ({number})"

        scene.carry(Lightning(Killed))

        assert end_state(scene) == expected, f"{calls[number]} ({number})"
        scene.restore()


def world(scene: Scene) -> dict[str, Any]:
    """Give all that an effect could change, the leases left out."""
    office = scene.theatre.office
    with office.here.database.reading() as session:
        rows = {
            table.name: sorted(map(repr, session.execute(table.select()))) if table.name != "leases" else []
            for table in Base.metadata.sorted_tables
        }
    edges = [(dict(edge.hosts), sorted(edge.bundles)) for edge in office.edges]
    return {"rows": rows, "edges": edges, "drop": office.store.has_upload(scene.drop_id), "vault": len(stored(office))}


def stored(office: Office) -> dict[str, Any]:
    return office.vault._objects.versions


def test_a_process_that_was_taken_over_changes_nothing_more(scene: Scene) -> None:
    """Whatever it was in the middle of: the fence is in every effect, not in the steps that thought of it."""
    calls, expected = undisturbed(scene)
    name = lease_name(scene.theatre.office.drop(scene.drop_id).hostname)

    for number in (n for n, call in enumerate(calls) if changes(call)):
        seen: dict[str, Any] = {}

        def take_over(seen: dict[str, Any] = seen) -> None:
            leases = scene.theatre.office.here.leases
            leases.acquire(name, RUN, scene.theatre.office.here.now(), policy.LEASE_LIFETIME)
            seen.update(world(scene))

        with suppress(LeaseLost):
            scene.carry(Lightning(Killed, number, before=take_over))

        assert seen == world(scene), f"before {calls[number]} ({number})"
        scene.carry(Lightning(Killed))
        assert end_state(scene) == expected, f"before {calls[number]} ({number})"
        scene.restore()


def test_every_system_is_struck(scene: Scene) -> None:
    """Every client is called on the way, so that the tests above mean what they say."""
    calls, _ = undisturbed(scene)

    assert {call.partition(".")[0] for call in calls} == {*CLIENTS, "edge a", "edge b"}
