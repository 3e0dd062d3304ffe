"""Who calls the front desk, what they may not send, and how an error reaches them."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Final

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException

from flows import front_desk_schemas as forms
from flows.front_desk_guards import Window, headers_of, status_of
from tasks.core.errors import BadInput, CertferryError, Forbidden, KeyInTicket, NotFound, Unavailable, Who
from tasks.core.model import Account
from tasks.core.ticket_text import find_key_material
from tasks.issue_token import authenticate

_BEARER: Final = HTTPBearer(auto_error=False, description="The token from the platform's operators: `cf_...`")
_FIELDS: Final = frozenset(
    field
    for form in (forms.DropWish, forms.TicketText, forms.MessageText, forms.SwitchWish)
    for field in form.model_fields
) | {"ticket_id", "Idempotency-Key"}


def know_caller(request: Request, bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]) -> Account:
    """
    Give the account behind the request's token, and count the request.

    Callers without a known token share one count per address, so guesses never use up a customer's own.

    Raises:
        Forbidden: One text for a missing, an unknown and a revoked token.

        TooManyRequests: The minute is used up.
    """
    window: Window = request.app.state.window
    token = bearer.credentials if bearer else ""
    try:
        account = authenticate(token)
    except Forbidden:
        window.check_admits(f"address {request.client.host if request.client else ''}")
        raise NotKnown.here() from None
    window.check_admits(hashlib.sha256(token.encode()).hexdigest())
    return account


Caller = Annotated[Account, Depends(know_caller)]


class NotKnown(Forbidden):
    """The caller has shown no token that counts; answered with 401."""

    @classmethod
    def here(cls) -> NotKnown:
        """Say so, without a word about what was shown."""
        return cls(
            "token",
            got="no token that is known here",
            wanted="a token of this installation that has not been revoked",
            do="Log in with `certferry login`, or ask the platform's operators for a token.",
        )


async def refuse_keys(request: Request, _: Caller) -> None:
    """
    Raise if there is key material anywhere in the body.

    A front desk that took keys would teach people to send them.

    Raises:
        KeyInTicket: There is some. Nothing of it has been kept.
    """
    if find_key_material((await request.body()).decode("utf-8", "replace")):
        raise KeyInTicket(
            "the request",
            got="it held private key material, which was not stored",
            wanted="names only; keys go sealed to S3, by `certferry push`",
            do="The key has left your hands: make a new one, have the certificate issued again, revoke the old one.",
        )


async def answer_error(_: Request, error: Exception) -> JSONResponse:
    """Answer an error of ours in its six parts."""
    assert isinstance(error, CertferryError)  # noqa: S101  # as registered
    headers = headers_of(error)
    if isinstance(error, NotKnown):
        return JSONResponse(error.as_dict(), 401, headers | {"WWW-Authenticate": "Bearer"})
    if isinstance(error, Unavailable):  # the caller's to do is not the operator's
        return JSONResponse(error.as_dict() | {"do": "Try again in a few seconds."}, status_of(error), headers)
    return JSONResponse(error.as_dict(), status_of(error), headers)


async def answer_malformed(_: Request, error: Exception) -> JSONResponse:
    """Answer a body that does not fit its form, without repeating a word of it: it may hold anything."""
    assert isinstance(error, RequestValidationError)  # noqa: S101  # as registered
    faults = sorted({f"{_name_field(fault['loc'])}: {fault['type']}" for fault in error.errors()})
    problem = BadInput(
        "the request",
        got="; ".join(faults),
        wanted="JSON as the page /docs describes it",
        do="Mend the fields that are named.",
    )
    return JSONResponse(problem.as_dict(), 422)


async def answer_refused(_: Request, error: Exception) -> JSONResponse:
    """Answer a path or a method that does not exist."""
    assert isinstance(error, HTTPException)  # noqa: S101  # as registered
    problem: CertferryError = NotFound(
        "the request", got="no such path", wanted="a path of the page /docs", do="Check it.", who=Who.CUSTOMER
    )
    if error.status_code != 404:
        problem = BadInput("the request", got=error.detail, wanted="a request of the page /docs", do="Check it.")
    return JSONResponse(problem.as_dict(), error.status_code, error.headers)


def _name_field(location: tuple[Any, ...]) -> str:
    """Give the field's name if it is one of ours; the name of an unknown field is the sender's text."""
    known = [x for x in location if x in _FIELDS]
    return known[0] if known else "the body"
