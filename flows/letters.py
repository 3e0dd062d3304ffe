"""How the letters on record go out, whoever wrote them."""

from __future__ import annotations

from flows.rounds import attempt
from tasks.core.errors import CertferryError
from tasks.deliver_letter import deliver_letter, list_deliveries


def send_letters() -> list[CertferryError]:
    """Send every letter that is on its way, those of an earlier run too."""
    troubles: list[CertferryError] = []
    deliveries = list_deliveries("", "")
    while deliveries:
        for letter_id, channel in deliveries:
            troubles += attempt(deliver_letter, letter_id, channel)
        deliveries = list_deliveries(*deliveries[-1])
    return troubles
