"""
The fence: a process whose lease was taken over changes nothing more, whatever it is in the middle of.

The lease that this context holds is looked up by every transaction that writes (`Database.transaction`), in that very
transaction, and by the clients of the world outside right before they change something. No step has to think of it.

Source:
    M. Kleppmann, How to do distributed locking (2016): a lease alone cannot stop a process that was asleep.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from tasks.clients.tables import LeaseRow
from tasks.core.errors import LeaseLost


@dataclass(frozen=True)
class Lease:
    """
    The right to work on something.

    Attributes:
        name: On what.

        token: Grows with each time the lease is taken.
    """

    name: str
    holder: str
    token: int


@dataclass(frozen=True)
class _Held:
    lease: Lease
    check: Callable[[], None]


_held: ContextVar[_Held | None] = ContextVar("certferry_lease", default=None)


@contextmanager
def fenced(lease: Lease, check: Callable[[], None]) -> Iterator[None]:
    """Let everything inside the block stand or fall with *lease*; *check* raises `LeaseLost` once it is lost."""
    token = _held.set(_Held(lease, check))
    try:
        yield
    finally:
        _held.reset(token)


def check_fence() -> None:
    """
    Look whether the lease of this context still holds; where there is none, nothing is asked.

    Raises:
        LeaseLost: Another process has taken it over.
    """
    if held := _held.get():
        held.check()


def check_fence_in(session: Session) -> None:
    """
    The same in a transaction: nobody takes the lease over before it has ended.

    Raises:
        LeaseLost: Another process has taken it over.
    """
    if held := _held.get():
        wanted = select(LeaseRow.token).where(LeaseRow.name == held.lease.name).with_for_update(read=True)
        if session.scalar(wanted) != held.lease.token:
            raise LeaseLost.of(held.lease.name)
