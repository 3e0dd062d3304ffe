"""The S3 store in memory: what AWS would do with an upload, and what certferry asks of drops and vault."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import Message
from hashlib import sha256

import httpx

from tasks.clients.fence import check_fence
from tasks.clients.store import (
    StoredObject,
    Sweep,
    Upload,
    not_there,
    nothing_uploaded,
    several_uploads,
    too_large,
    vault_key,
)
from tasks.core import policy
from tasks.core.model import parse_id


@dataclass
class _Objects:
    """A versioned bucket. VersionIds are random, and lists come in no order."""

    versions: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    markers: dict[str, str] = field(default_factory=dict)
    uploads: dict[str, str] = field(default_factory=dict)

    def put(self, key: str, body: bytes) -> str:
        check_fence()
        version_id = os.urandom(8).hex()
        self.versions[version_id] = (key, body)
        return version_id

    def of(self, key: str) -> list[str]:
        found = [version_id for version_id, (k, _) in self.versions.items() if k == key]
        random.shuffle(found)
        return found

    def sweep(self, prefix: str) -> Sweep:
        check_fence()
        versions = [v for v, (key, _) in self.versions.items() if key.startswith(prefix)]
        markers = [v for v, key in self.markers.items() if key.startswith(prefix)]
        uploads = [u for u, key in self.uploads.items() if key.startswith(prefix)]
        for table, gone in ((self.versions, versions), (self.markers, markers), (self.uploads, uploads)):
            for each in gone:
                del table[each]
        return Sweep(tuple(versions), tuple(markers), tuple(uploads))


class FakeDropStore:
    """
    Drops in memory.

    *fail* holds errors that the next calls raise, one each. Customers upload through `door`, which refuses what
    AWS refuses; a test that has no customer says `arrive`.
    """

    url = "https://s3.fake.invalid/drops"

    def __init__(self, fail: list[Exception] | None = None, clock: Callable[[], datetime] | None = None) -> None:
        self.fail = fail if fail is not None else []
        self.calls: list[str] = []
        self._objects = _Objects()
        self._capabilities: dict[str, tuple[dict[str, str], datetime]] = {}
        self._clock = clock or (lambda: datetime.now(UTC))

    def create_upload(self, drop_id: str, until: datetime, now: datetime) -> Upload:
        self._called("create_upload")
        signature = os.urandom(16).hex()
        fields = {
            "key": _envelope_key(drop_id),
            "x-amz-server-side-encryption": "AES256",
            "x-amz-signature": signature,
        }
        self._capabilities[signature] = (fields, until)
        return Upload(self.url, dict(fields), until)

    def fetch_envelope(self, drop_id: str, version_id: str | None = None) -> StoredObject:
        self._called("fetch_envelope")
        key = _envelope_key(drop_id)
        version_id = version_id or self._only_version(drop_id)
        if version_id not in self._objects.of(key):
            raise not_there(key, version_id)
        body = self._objects.versions[version_id][1]
        if len(body) > policy.ENVELOPE_MAX_BYTES:
            raise too_large(key, len(body), policy.ENVELOPE_MAX_BYTES)
        return StoredObject(body, version_id, sha256(body).hexdigest())

    def has_upload(self, drop_id: str) -> bool:
        self._called("has_upload")
        return bool(self._objects.of(_envelope_key(drop_id)))

    def sweep(self, drop_id: str) -> Sweep:
        self._called("sweep")
        return self._objects.sweep(f"drops/{parse_id(drop_id, 'drop')}/")

    def list_keys(self) -> Iterator[str]:
        self._called("list_keys")
        objects = self._objects
        yield from [
            *(key for key, _ in objects.versions.values()),
            *objects.markers.values(),
            *objects.uploads.values(),
        ]

    def arrive(self, drop_id: str, body: bytes) -> str:
        """Put *body* into the drop, as an accepted upload would, and give its VersionId."""
        return self._objects.put(_envelope_key(drop_id), body)

    def leave_marker(self, drop_id: str) -> None:
        """Leave a delete marker on the envelope."""
        self._objects.markers[os.urandom(8).hex()] = _envelope_key(drop_id)

    def leave_unfinished(self, drop_id: str) -> None:
        """Leave a multipart upload that nobody finished."""
        self._objects.uploads[os.urandom(8).hex()] = _envelope_key(drop_id)

    def door(self) -> httpx.MockTransport:
        """Give the network on which `url` answers: ``httpx.Client(transport=store.door())``."""
        return httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if (request.method, str(request.url)) != ("POST", self.url):
            return httpx.Response(403, text="AccessDenied")
        fields, body = _read_form(request)
        signed, until = self._capabilities.get(fields.get("x-amz-signature", ""), ({}, self._clock()))
        if fields != signed or self._clock() >= until:
            return httpx.Response(403, text="AccessDenied")
        if not 1 <= len(body) <= policy.ENVELOPE_MAX_BYTES:
            return httpx.Response(400, text="EntityTooLarge" if body else "EntityTooSmall")
        self._objects.put(fields["key"], body)
        return httpx.Response(204)

    def _only_version(self, drop_id: str) -> str:
        versions = self._objects.of(_envelope_key(drop_id))
        if not versions:
            raise nothing_uploaded(drop_id)
        if len(versions) > 1:
            raise several_uploads(drop_id, len(versions))
        return versions[0]

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if self.fail:
            raise self.fail.pop(0)


class FakeVault:
    """The vault in memory. *fail* holds errors that the next calls raise, one each."""

    def __init__(self, fail: list[Exception] | None = None) -> None:
        self.fail = fail if fail is not None else []
        self.calls: list[str] = []
        self._objects = _Objects()

    def put(self, certificate_id: str, sealed: bytes) -> tuple[str, str]:
        self._called("put")
        key = vault_key(certificate_id)
        same = [v for v in self._objects.of(key) if self._objects.versions[v][1] == sealed]
        return key, same[0] if same else self._objects.put(key, sealed)

    def get(self, key: str, version_id: str) -> bytes:
        self._called("get")
        if version_id not in self._objects.of(key):
            raise not_there(key, version_id)
        return self._objects.versions[version_id][1]

    def delete(self, key: str) -> Sweep:
        self._called("delete")
        return self._objects.sweep(key)

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if self.fail:
            raise self.fail.pop(0)


def _envelope_key(drop_id: str) -> str:
    return f"drops/{parse_id(drop_id, 'drop')}/envelope"


def _read_form(request: httpx.Request) -> tuple[dict[str, str], bytes]:
    """Take a multipart form apart: its fields, and the file, which must come last as S3 demands."""
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    parts = message_from_bytes(head + request.read()).get_payload()
    assert isinstance(parts, list)
    fields = {_name(part): _body(part).decode() for part in parts[:-1] if isinstance(part, Message)}
    file = parts[-1]
    assert isinstance(file, Message) and _name(file) == "file", "the file must be the last field"
    return fields, _body(file)


def _name(part: Message) -> str:
    name = part.get_param("name", header="content-disposition")
    assert isinstance(name, str)
    return name


def _body(part: Message) -> bytes:
    body = part.get_payload(decode=True)
    assert isinstance(body, bytes)
    return body
