"""A messenger that keeps what it was given, and fails when told to."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.core.errors import MessengerUnavailable
from tasks.core.expiry import Audience


@dataclass(frozen=True)
class Sent:
    """A letter that went out."""

    audience: Audience
    channel: str
    contact: str
    subject: str
    body: str


class FakeMessenger:
    """
    Sends to a list.

    Attributes:
        sent: All letters, in order.

        failing: Channels that say they failed.

        killed: Channels on which the process dies after the letter has gone out.
    """

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.failing: set[str] = set()
        self.killed: set[str] = set()

    def send(self, audience: Audience, channel: str, contact: str, subject: str, body: str) -> None:
        if channel in self.failing:
            raise MessengerUnavailable.because(f"channel {channel}", "told to fail")
        self.sent.append(Sent(audience, channel, contact, subject, body))
        if channel in self.killed:
            raise KeyboardInterrupt(channel)
