"""
An invitation as it travels: JSON, over the front desk or as a 0600 file.

The format says its version (``certferry_invitation``). It holds the drop secret and an upload
capability, so it is itself a secret: no error here repeats a value out of it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from tasks.core import policy
from tasks.core.errors import BadInput, CertferryError
from tasks.core.model import Invitation, parse_hostname, parse_id, parse_name

VERSION: Final = 1
MAX_BYTES: Final = 32 * policy.KIB  # a policy document and a signature are under 4 KiB
PUBLIC_KEY_BYTES: Final = {1: 32, 2: 1216}  # suite 1: RFC 9180, table 2; suite 2: ML-KEM-768 (1184) and X25519 (32)

_FIELDS = (
    "certferry_invitation",
    "drop_id",
    "name",
    "account",
    "hostname",
    "suite",
    "public_key",
    "upload",
    "secret",
    "expires_at",
)


def render_invitation(invitation: Invitation) -> bytes:
    """
    Give *invitation* as JSON, UTF-8, with a final newline.

    The result is as secret as the invitation.
    """
    document = {
        "certferry_invitation": VERSION,
        "drop_id": invitation.drop_id,
        "name": invitation.name,
        "account": invitation.account,
        "hostname": invitation.hostname,
        "suite": invitation.suite,
        "public_key": base64.b64encode(invitation.public_key).decode("ascii"),
        "upload": {"url": invitation.upload_url, "fields": dict(invitation.upload_fields)},
        "secret": base64.b64encode(invitation.secret).decode("ascii"),
        "expires_at": invitation.expires_at.astimezone(UTC).isoformat(),
    }
    return json.dumps(document, indent=2).encode() + b"\n"


def parse_invitation(text: bytes) -> Invitation:
    """
    Give the invitation in *text*.

    Every field is there, of its type and size, and nothing else is.

    Raises:
        BadInput: Code ``bad-invitation``: it is anything else. The message names the field, never its value.
    """
    document = _parse_document(text)
    suite = _parse_suite(document["suite"])
    url, fields = _parse_upload(document["upload"])
    try:
        return Invitation(
            drop_id=parse_id(_text(document, "drop_id"), "drop"),
            name=parse_name(_text(document, "name"), "hand-over"),
            account=parse_name(_text(document, "account"), "account"),
            hostname=parse_hostname(_text(document, "hostname")),
            suite=suite,
            public_key=_octets(document, "public_key", PUBLIC_KEY_BYTES[suite]),
            upload_url=url,
            upload_fields=fields,
            secret=_octets(document, "secret", policy.DROP_SECRET_BYTES),
            expires_at=_moment(document, "expires_at"),
        )
    except CertferryError as error:
        if error.code == "bad-invitation":
            raise
        raise _bad("a drop id, name, account or hostname is malformed") from None


def _parse_document(text: bytes) -> dict[str, Any]:
    if len(text) > MAX_BYTES:
        raise _bad(f"{len(text)} bytes, more than {MAX_BYTES}")
    document = _parse_json(text)
    if not isinstance(document, dict) or document.get("certferry_invitation") != VERSION:
        raise _bad(f"not an invitation of version {VERSION}")
    if missing := [name for name in _FIELDS if name not in document]:
        raise _bad(f"without {', '.join(missing)}")
    if len(document) != len(_FIELDS):
        raise _bad("with fields that do not belong there")
    return document


def _parse_json(text: bytes) -> Any:
    with suppress(ValueError, RecursionError):
        return json.loads(text.decode("utf-8"))
    raise _bad("not JSON")  # not while the other is handled: that one holds the secret


def _parse_suite(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value not in PUBLIC_KEY_BYTES:
        raise _bad("a suite that this certferry does not know")
    return value


def _parse_upload(value: object) -> tuple[str, Mapping[str, str]]:
    if not isinstance(value, dict) or set(value) != {"url", "fields"}:
        raise _bad("upload is not a url and its fields")
    url, fields = value["url"], value["fields"]
    if not isinstance(url, str) or not _is_web_address(url):
        raise _bad("upload.url is not an http or https address")
    if not isinstance(fields, dict) or not all(isinstance(x, str) for x in fields.values()):
        raise _bad("upload.fields is not a map from text to text")
    return url, fields


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("https", "http") and bool(parts.hostname) and parts.username is None
    except ValueError:
        return False


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document[name]
    if not isinstance(value, str):
        raise _bad(f"{name} is not text")
    return value


def _octets(document: Mapping[str, Any], name: str, length: int) -> bytes:
    value, text = None, _text(document, name)
    with suppress(ValueError):
        value = base64.b64decode(text, validate=True)
    if value is None:
        raise _bad(f"{name} is not base64")
    if len(value) != length:
        raise _bad(f"{name} is not {length} bytes long")
    return value


def _moment(document: Mapping[str, Any], name: str) -> datetime:
    try:
        value = datetime.fromisoformat(_text(document, name))
    except ValueError:
        raise _bad(f"{name} is not a time") from None
    if value.tzinfo is None:
        raise _bad(f"{name} has no time zone")
    return value.astimezone(UTC)


def _bad(got: str) -> BadInput:
    return BadInput(
        "the invitation",
        got=got,
        wanted="the file as the platform gave it",
        do="Ask for the invitation again, with `certferry create` or from the platform's operators.",
        code="bad-invitation",
    )
