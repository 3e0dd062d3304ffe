"""
The front desk and the S3 store, as the customer's command reaches them, over HTTP.

Raises what the front desk says as the error it means: the status is the retry decision, the body has the words.
No request follows a redirect, and no token is sent to S3.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from tasks.core.errors import (
    CertferryError,
    FrontDeskUnavailable,
    NotFound,
    NotReady,
    Rejected,
    StoreUnavailable,
    Unavailable,
    Who,
)
from tasks.core.invitation import parse_invitation
from tasks.core.model import Invitation
from tasks.customer.config import Login, is_loopback

TIMEOUT_SECONDS: Final = 30.0
_CLASS_OF_STATUS: Final[Mapping[int, type[CertferryError]]] = {
    404: NotFound,
    409: NotReady,
    429: Unavailable,
    503: Unavailable,
}


class FrontDesk:
    """The platform's door, for one account."""

    def __init__(self, login: Login, transport: httpx.BaseTransport | None = None) -> None:
        self._login, self._transport = login, transport

    def fetch_account(self) -> dict[str, Any]:
        """Give the account behind the token, and the platform's name."""
        return self._object("GET", "/v1/account")

    def list_sites(self) -> list[dict[str, Any]]:
        """Give the account's hostnames: DNS records, and what is served."""
        return self._list("/v1/sites")

    def switch_https(self, hostname: str, switch: str) -> dict[str, Any]:
        """Have a hostname's visitors sent to HTTPS, or no more; safe to repeat."""
        return self._object("PUT", f"/v1/sites/{hostname}/force-https", {"switch": switch})

    def fetch_statement(self, month: str | None) -> dict[str, Any]:
        """Give what the account pays for *month*, as in ``2026-11``; None is this month so far."""
        return self._object("GET", f"/v1/statements/{month}" if month else "/v1/statement")

    def disable_https(self, hostname: str) -> dict[str, Any]:
        """File the ticket that asks for HTTPS to be disabled; safe to repeat."""
        return self._object("POST", f"/v1/sites/{hostname}/disable")

    def list_drops(self) -> list[dict[str, Any]]:
        """Give all hand-overs, newest first."""
        return self._list("/v1/drops")

    def fetch_drop(self, name: str) -> dict[str, Any]:
        """Give one hand-over."""
        return self._object("GET", f"/v1/drops/{name}")

    def create_drop(self, name: str, app: str, hostname: str) -> dict[str, Any]:
        """Ask for a drop; asking again gives the one that is there."""
        return self._object("POST", "/v1/drops", {"name": name, "app": app, "hostname": hostname})

    def create_invitation(self, name: str) -> Invitation:
        """Ask for a fresh invitation, which ends the earlier ones."""
        return parse_invitation(self._send("POST", f"/v1/drops/{name}/invitation").content)

    def tell_uploaded(self, name: str) -> dict[str, Any]:
        """Say that the envelope lies in the drop; safe to repeat."""
        return self._object("POST", f"/v1/drops/{name}/uploaded")

    def destroy_drop(self, name: str) -> dict[str, Any]:
        """Ask for the drop's destruction; safe to repeat."""
        return self._object("DELETE", f"/v1/drops/{name}")

    def file_ticket(self, subject: str, body: str, drop: str | None, key: str) -> dict[str, Any]:
        """File a ticket; the same idempotency *key* again gives the ticket that is there."""
        return self._object("POST", "/v1/tickets", {"subject": subject, "body": body, "drop": drop}, key)

    def list_tickets(self) -> list[dict[str, Any]]:
        """Give all tickets, newest first."""
        return self._list("/v1/tickets")

    def fetch_ticket(self, ticket_id: str) -> dict[str, Any]:
        """Give one ticket with its messages, oldest first."""
        return self._object("GET", f"/v1/tickets/{ticket_id}")

    def say(self, ticket_id: str, body: str, key: str) -> dict[str, Any]:
        """Add a message; the same idempotency *key* again adds nothing."""
        return self._object("POST", f"/v1/tickets/{ticket_id}/messages", {"body": body}, key)

    def _object(self, method: str, path: str, body: Mapping[str, Any] | None = None, key: str = "") -> dict[str, Any]:
        answer = _parse(self._send(method, path, body, key))
        if not isinstance(answer, dict):
            raise _away(FrontDeskUnavailable, self._login.url, "an answer of another form")
        return answer

    def _list(self, path: str) -> list[dict[str, Any]]:
        answer = _parse(self._send("GET", path))
        if not isinstance(answer, list):
            raise _away(FrontDeskUnavailable, self._login.url, "an answer of another form")
        return answer

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None, key: str = "") -> httpx.Response:
        """Send a request, once more if no answer came: everything the front desk does is safe to repeat."""
        headers = {"Authorization": f"Bearer {self._login.token}"} | ({"Idempotency-Key": key} if key else {})
        url, cause = self._login.url, ""
        with _connect(url, self._transport) as http:
            for _ in range(2):
                try:
                    answer = http.request(method, url + path, json=body, headers=headers)
                except httpx.TransportError as error:
                    cause = type(error).__name__
                    continue
                if answer.is_success:
                    return answer
                raise _error_of(answer, url)
        raise _away(FrontDeskUnavailable, url, cause)


def upload(invitation: Invitation, envelope: bytes, transport: httpx.BaseTransport | None = None) -> None:
    """
    Put *envelope* into the drop, by the invitation's presigned POST.

    Never tried again by itself: a drop takes one object version, and an answer that got lost may have been a yes.

    Raises:
        StoreUnavailable: S3 did not answer, or could not now. The envelope may have arrived all the same.

        Rejected: Code ``upload-refused``: the upload capability has expired or does not fit.
    """
    with _connect(invitation.upload_url, transport) as http:
        try:
            answer = http.post(
                invitation.upload_url,
                data=dict(invitation.upload_fields),
                files={"file": ("envelope", envelope, "application/octet-stream")},
            )
        except httpx.TransportError as error:
            raise _away(StoreUnavailable, invitation.drop_id, type(error).__name__) from None
    if answer.is_success:
        return
    if not answer.is_client_error:
        raise _away(StoreUnavailable, invitation.drop_id, f"HTTP {answer.status_code}")
    raise Rejected(
        invitation.drop_id,
        got=f"S3 refused the upload (HTTP {answer.status_code})",
        wanted="an upload capability that has not expired",
        do="Run `certferry create` again for a fresh invitation, then push again.",
        code="upload-refused",
    )


def _connect(url: str, transport: httpx.BaseTransport | None) -> httpx.Client:
    """Give a client; a proxy from the environment serves every address but this very machine's."""
    outside = not is_loopback(urlsplit(url).hostname or "")
    return httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=outside, transport=transport)


def _parse(answer: httpx.Response) -> Any:
    try:
        return json.loads(answer.content)
    except (ValueError, RecursionError):
        raise _away(FrontDeskUnavailable, str(answer.url), "an answer that is not JSON") from None


def _away(kind: type[Unavailable], subject: str, cause: str) -> Unavailable:
    return kind(
        subject,
        got=f"{kind.system} did not answer ({cause})",
        wanted="an answer",
        do="Try again in a minute. If it lasts, tell the platform's operators.",
    )


def _error_of(answer: httpx.Response, url: str) -> CertferryError:
    """Give the error that the front desk means; a proxy's own error page means that it cannot be reached."""
    try:
        document = json.loads(answer.content)
        parts = {x: str(document[x]) for x in ("subject", "got", "wanted", "do", "code", "who")}
        who = Who(parts.pop("who"))
    except (ValueError, KeyError, TypeError, RecursionError):
        return _away(FrontDeskUnavailable, url, f"HTTP {answer.status_code}")
    kind = _CLASS_OF_STATUS.get(answer.status_code, Rejected if answer.is_client_error else Unavailable)
    return kind(parts.pop("subject"), **parts, who=who)
