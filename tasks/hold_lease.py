"""Be the one process at work on a hostname, for as long as that takes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import timedelta

from tasks.artifacts import note
from tasks.clients.fence import Lease, check_fence, fenced
from tasks.clients.installation import Installation, current
from tasks.core import policy
from tasks.core.errors import AtWork, LeaseLost, RecordsUnavailable
from tasks.core.hand_over import lease_name
from tasks.core.model import Hostname

POLL_SECONDS = 1.0


def hold_lease(drop_id: str, holder: str, patience: timedelta = policy.LEASE_PATIENCE) -> AbstractContextManager[Lease]:
    """
    Hold the lease of the drop's hostname inside the block (see `hold_lease_on`).

    It is the hostname's and not the drop's: two hand-overs of one hostname must not set its edges up at once.
    """
    return hold_lease_on(current().drops.fetch(drop_id).hostname, holder, patience)


@contextmanager
def hold_lease_on(hostname: Hostname, holder: str, patience: timedelta = policy.LEASE_PATIENCE) -> Iterator[Lease]:
    """
    Be the one at work on *hostname* inside the block; every effect in the block stands or falls with the lease.

    A holder that died is outwaited; the same *holder* is not waited for, since its older process is fenced off.

    Raises:
        AtWork: Another holder still has it after *patience*.

        LeaseLost: From any effect in the block: it was taken over meanwhile.
    """
    here = current()
    lease = _acquire(here, lease_name(hostname), holder, patience)
    ended = threading.Event()
    renewing = threading.Thread(target=_renew, args=(here, lease, ended), name="certferry-lease", daemon=True)
    renewing.start()
    try:
        with fenced(lease, lambda: here.leases.check(lease)):
            yield lease
    finally:
        ended.set()
        renewing.join()
        with suppress(RecordsUnavailable):  # then it runs out by itself
            here.leases.release(lease)


def check_lease() -> None:
    """
    Raise if the lease that this block holds was taken over: before something that no fence guards, such as a question.

    Raises:
        LeaseLost: It was.
    """
    check_fence()


def _acquire(here: Installation, name: str, holder: str, patience: timedelta) -> Lease:
    deadline = time.monotonic() + patience.total_seconds()
    while True:
        try:
            return here.leases.acquire(name, holder, here.now(), policy.LEASE_LIFETIME)
        except AtWork as taken:
            if time.monotonic() > deadline:
                raise
            note(f"waiting: {taken.got}")
        time.sleep(POLL_SECONDS)


def _renew(here: Installation, lease: Lease, ended: threading.Event) -> None:
    """Renew until *ended*, or until the lease is lost; records that do not answer are asked again at the next turn."""
    while not ended.wait(policy.LEASE_RENEWAL.total_seconds()):
        try:
            here.leases.renew(lease, here.now(), policy.LEASE_LIFETIME)
        except LeaseLost:
            return
        except RecordsUnavailable:
            continue
