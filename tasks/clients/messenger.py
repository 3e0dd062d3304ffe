"""Letters by e-mail and chat, through whatever services an installation names."""

from __future__ import annotations

import logging
from typing import Protocol
from urllib.parse import quote

from tasks.clients.settings import Notices
from tasks.core.errors import BadInput, MessengerUnavailable, Who
from tasks.core.expiry import Audience


class Messenger(Protocol):
    def send(self, audience: Audience, channel: str, contact: str, subject: str, body: str) -> None:
        """
        Send a letter by one channel of the settings. Twice is two letters: no service can be asked whether it has one.

        Args:
            contact: The address of the account, in a letter to a customer; else empty.

        Raises:
            MessengerUnavailable: The service says that it did not take it.

            BadInput: Code ``no-channel``: the settings have no such channel, or no service that apprise knows.
        """


class AppriseMessenger:
    """
    Sends through apprise. A URL holds passwords, so neither it nor an error that quotes it leaves this class.

    Source:
        https://github.com/caronc/apprise/wiki
    """

    def __init__(self, settings: Notices) -> None:
        self._urls = {Audience.CUSTOMER: settings.customers, Audience.OPERATORS: settings.operators}

    def send(self, audience: Audience, channel: str, contact: str, subject: str, body: str) -> None:
        """As `Messenger.send`."""
        from apprise import Apprise, NotifyFormat  # here, because it loads a hundred services

        logging.getLogger("apprise").disabled = True  # it logs URLs, and answers that quote them
        url = self._urls[audience].get(channel)
        service = Apprise()
        # quoted: an address must not be able to add an option to the URL
        if url is None or not service.add(url.get_secret_value().replace("{contact}", quote(contact, safe="@"))):
            raise BadInput(
                f"channel {channel}",
                got="no URL that apprise knows",
                wanted="the URL of a service",
                do=f"Mend `notices.{audience}` in the settings.",
                who=Who.OPERATOR,
                code="no-channel",
            )
        if not service.notify(body=body, title=subject, body_format=NotifyFormat.TEXT):
            raise MessengerUnavailable.because(f"channel {channel}", "the letter was not taken")
