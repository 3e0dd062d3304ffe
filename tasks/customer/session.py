"""One run of the command: where it keeps things, how it speaks, how it reaches the world, what time it is."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from getpass import getpass
from typing import TYPE_CHECKING

from tasks.core.errors import NotReady
from tasks.customer.config import Home
from tasks.customer.output import Output

if TYPE_CHECKING:
    import httpx

    from tasks.customer.client import FrontDesk


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Session:
    """
    What a command works with; tests make one with their own transport, clock and pause.

    Attributes:
        transport: Carries requests to the front desk and to S3; None is the network.

        ask: Asks the person for a secret, without showing what is typed.
    """

    output: Output = field(default_factory=Output)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    transport: httpx.BaseTransport | None = None
    now: Callable[[], datetime] = _now
    pause: Callable[[float], None] = time.sleep
    ask: Callable[[str], str] = getpass

    @property
    def home(self) -> Home:
        return Home.of(self.environ)

    def front_desk(self) -> FrontDesk:
        """
        Give the front desk this machine is logged in to.

        Raises:
            Forbidden: It is not logged in to any.
        """
        from tasks.customer.client import FrontDesk

        return FrontDesk(self.home.fetch_login(), self.transport)

    def wait_until(self, done: Callable[[], bool], timeout_seconds: int, interval_seconds: int, late: NotReady) -> None:
        """
        Ask *done* again and again.

        Raises:
            NotReady: *late*, after *timeout_seconds*.
        """
        waited = 0
        while not done():
            if waited >= timeout_seconds:
                raise late
            self.pause(interval_seconds)
            waited += interval_seconds
