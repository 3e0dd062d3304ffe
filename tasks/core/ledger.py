"""
What ledger entries say together: which of them stand, when and where a pair is paid for, and what may come next.

The order in which entries are given makes no difference anywhere here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from itertools import groupby, pairwise
from typing import Any, Final

from tasks.core.errors import Drifted, NotFound
from tasks.core.model import EntryKind, LedgerEntry, Placement

_ORDER: Final = tuple(EntryKind)  # of entries of one charge at one instant


@dataclass(frozen=True)
class Span:
    """A pair is paid for as *entry* says, from `start` to just before *end*; None: until further notice."""

    entry: LedgerEntry
    end: datetime | None

    @property
    def start(self) -> datetime:
        return self.entry.at


def select_standing(entries: Iterable[LedgerEntry]) -> tuple[LedgerEntry, ...]:
    """Give the entries that count: those that no other one corrects, and no ``void``; by charge, then by time."""
    entries = tuple(entries)
    corrected = {entry.corrects for entry in entries}
    standing = (e for e in entries if e.idempotency_key not in corrected and e.kind is not EntryKind.VOID)
    return tuple(sorted(standing, key=lambda e: (e.charge, e.at, _ORDER.index(e.kind), e.idempotency_key)))


def list_spans(entries: Iterable[LedgerEntry]) -> tuple[Span, ...]:
    """Give what is paid for, and from when to when. A charge whose ``enable`` is void was never one."""
    charges = groupby(select_standing(entries), key=lambda entry: entry.charge)
    return tuple(span for _, charge in charges for span in _list_spans(tuple(charge)))


def _list_spans(charge: Sequence[LedgerEntry]) -> Iterable[Span]:
    if charge[0].kind is not EntryKind.ENABLE:
        return
    for entry, following in pairwise(charge):
        if entry.kind is EntryKind.DISABLE:
            return
        yield Span(entry, following.at)
    if charge[-1].kind is not EntryKind.DISABLE:
        yield Span(charge[-1], None)


def find_open(entries: Iterable[LedgerEntry]) -> LedgerEntry | None:
    """Give the entry that says what is paid now, of entries about one hostname; None if nothing is."""
    return next((span.entry for span in list_spans(entries) if span.end is None), None)


def begin(history: Sequence[LedgerEntry], entry: LedgerEntry) -> LedgerEntry:
    """
    Give the ``enable`` that shall be on record: *entry*, or the same one of *history*.

    *history*, here and below, is all that is on record about the hostname and account.

    Raises:
        Drifted: As `tasks.clients.billing.Billing.charge` says.
    """
    return _recall(history, entry.idempotency_key, **vars(entry)) or _checked(history, entry)


def move(
    history: Sequence[LedgerEntry], charge: str, to: Placement, unit_price: Decimal, at: datetime, key: str
) -> LedgerEntry:
    """
    Give the entry that shall say that *charge* is at *to*: a new ``move``, or one of *history*.

    Raises:
        NotFound, Drifted: As `tasks.clients.billing.Billing.move` says.
    """
    if recorded := _recall(history, key, charge=charge, kind=EntryKind.MOVE, placement=to):
        return recorded
    last = _fetch_last(history, charge)
    if last.kind is EntryKind.DISABLE:
        raise _senseless(last, "charge-ended", f"it ended {last.at.isoformat()}")
    if last.placement is to:
        return last
    return _checked(history, _follow(last, key, kind=EntryKind.MOVE, placement=to, unit_price=unit_price, at=at))


def end(history: Sequence[LedgerEntry], charge: str, at: datetime, key: str) -> LedgerEntry:
    """
    Give the ``disable`` that shall end *charge*: a new one, or that of *history*.

    Raises:
        NotFound, Drifted: As `tasks.clients.billing.Billing.end` says.
    """
    if recorded := _recall(history, key, charge=charge, kind=EntryKind.DISABLE):
        return recorded
    last = _fetch_last(history, charge)
    return (
        last if last.kind is EntryKind.DISABLE else _checked(history, _follow(last, key, kind=EntryKind.DISABLE, at=at))
    )


def correct(history: Sequence[LedgerEntry], entry: LedgerEntry) -> LedgerEntry:
    """
    Give the correction that shall be on record: *entry*, or the same one of *history*.

    Raises:
        NotFound, Drifted: As `tasks.clients.billing.Billing.correct` says.
    """
    if recorded := _recall(history, entry.idempotency_key, **vars(entry)):
        return recorded
    wrong = next((e for e in history if e.idempotency_key == entry.corrects), None)
    if wrong is None:
        raise NotFound.named("ledger entry", str(entry.corrects))
    if other := next((e for e in history if e.corrects == entry.corrects), None):
        raise _senseless(wrong, "corrected-already", f"{other.idempotency_key} corrects it")
    if entry.charge != wrong.charge or entry.kind not in (_kind_of(history, wrong), EntryKind.VOID):
        raise _senseless(wrong, "correction-differs", f"a correction that is a {entry.kind} of {entry.charge}")
    return _checked(history, entry)


def draft_correction(wrong: LedgerEntry, key: str, **right: Any) -> LedgerEntry:
    """Write down what stands in the place of *wrong*: the same, but for the fields in *right*."""
    return replace(wrong, **right, idempotency_key=key, corrects=wrong.idempotency_key)


def draft_void(wrong: LedgerEntry, key: str) -> LedgerEntry:
    """Write down that what *wrong* says never was."""
    return draft_correction(wrong, key, kind=EntryKind.VOID)


def _recall(history: Sequence[LedgerEntry], key: str, **said: Any) -> LedgerEntry | None:
    """Give the entry under *key*, which must say what is *said*; None where there is none."""
    recorded = next((entry for entry in history if entry.idempotency_key == key), None)
    if recorded and (differ := [field for field, value in said.items() if getattr(recorded, field) != value]):
        raise entry_differs(recorded, ", ".join(f"{field} {getattr(recorded, field)}" for field in differ))
    return recorded


def entry_differs(recorded: LedgerEntry, got: str) -> Drifted:
    """Say that the key of *recorded* is taken."""
    return Drifted(
        f"ledger entry {recorded.idempotency_key}",
        got=f"another one under this key: {got}",
        wanted="the same entry again, or another key",
        do="Compare the two with the hand-over; nothing was written.",
        code="entry-differs",
    )


def _fetch_last(history: Sequence[LedgerEntry], charge: str) -> LedgerEntry:
    entries = [entry for entry in select_standing(history) if entry.charge == charge]
    if not entries or entries[0].kind is not EntryKind.ENABLE:
        raise NotFound.named("charge", charge)
    return entries[-1]


def _follow(last: LedgerEntry, key: str, **changes: Any) -> LedgerEntry:
    return replace(last, **changes, idempotency_key=key, confirmation_id=None, corrects=None)


def _kind_of(history: Sequence[LedgerEntry], entry: LedgerEntry) -> EntryKind:
    """Give what kind *entry* is, or was before it was taken away."""
    while entry.kind is EntryKind.VOID:
        entry = next(e for e in history if e.idempotency_key == entry.corrects)
    return entry.kind


def _checked(history: Sequence[LedgerEntry], entry: LedgerEntry) -> LedgerEntry:
    """Give *entry*, which together with *history* must make sense."""
    entries = (*history, entry)
    for _, grouped in groupby(select_standing(entries), key=lambda e: e.charge):
        charge = tuple(grouped)
        kinds = [each.kind for each in charge]
        if EntryKind.ENABLE in kinds and (kinds[0] is not EntryKind.ENABLE or EntryKind.DISABLE in kinds[:-1]):
            raise _senseless(entry, "ledger-order", ", ".join(f"{e.kind} {e.at.isoformat()}" for e in charge))
    running = [span.entry.charge for span in list_spans(entries) if span.end is None]
    if len(running) > 1:
        raise _senseless(entry, "already-charged", f"open charges: {', '.join(running)}")
    return entry


def _senseless(entry: LedgerEntry, code: str, got: str) -> Drifted:
    return Drifted(
        f"charge {entry.charge} of {entry.hostname}",
        got=got,
        wanted="one open charge at most, that begins, moves and ends in this order, each entry corrected once",
        do="Look at the account's ledger; nothing was written.",
        code=code,
    )
