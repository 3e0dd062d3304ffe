"""The S3 store: drops, where customers put envelopes, and the vault, where certferry keeps bundles sealed."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from botocore.exceptions import ClientError

from tasks.clients.aws import ask, code_of, open_s3
from tasks.clients.fence import check_fence
from tasks.clients.settings import Store
from tasks.core import policy
from tasks.core.errors import NotFound, Rejected, StoreUnavailable, UploadPending, Who
from tasks.core.model import parse_id
from tasks.core.parts import in_parts

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import (
        ListMultipartUploadsOutputTypeDef,
        ListObjectVersionsOutputTypeDef,
        ObjectIdentifierTypeDef,
        VersioningConfigurationTypeDef,
    )

T = TypeVar("T")

_DELETE_BATCH: Final = 1000  # S3 DeleteObjects takes no more
_NO_BUCKET: Final = frozenset({"404", "NoSuchBucket"})
_NO_OBJECT: Final = frozenset({"NoSuchKey", "NoSuchVersion"})


@dataclass(frozen=True)
class Upload:
    """An upload capability: a presigned POST for one exact key, good until *until*."""

    url: str
    fields: Mapping[str, str]
    until: datetime


@dataclass(frozen=True)
class StoredObject:
    """One object version as read: the bytes, S3's VersionId, and the bytes' SHA-256."""

    body: bytes = field(repr=False)
    version_id: str
    sha256: str


@dataclass(frozen=True)
class Sweep:
    """What one sweep of a drop removed. Empty lists are the proof that nothing was left."""

    versions: tuple[str, ...]
    delete_markers: tuple[str, ...]
    unfinished_uploads: tuple[str, ...]

    @property
    def empty(self) -> bool:
        return not (self.versions or self.delete_markers or self.unfinished_uploads)


class DropStore(Protocol):
    """Where envelopes arrive. One key a drop: ``drops/<drop id>/envelope``."""

    def create_upload(self, drop_id: str, until: datetime, now: datetime) -> Upload:
        """
        Give a presigned POST: this exact key, 1 to `ENVELOPE_MAX_BYTES` bytes, server-side encryption required.

        Any number of uploads is possible until *until*, and none after it; so a sweep after that moment is the
        one that counts.

        Raises:
            StoreUnavailable: S3 did not answer.
        """

    def fetch_envelope(self, drop_id: str, version_id: str | None = None) -> StoredObject:
        """
        Read exactly one object version: *version_id*, or the only one there is.

        Raises:
            UploadPending: Nothing has arrived.

            NotFound: *version_id* is not there (any more).

            Rejected: Code ``several-uploads``: more than one version lies there and none was named;
                code ``too-large``: it is over `ENVELOPE_MAX_BYTES`, and none of it was read.

            StoreUnavailable: S3 did not answer.
        """

    def has_upload(self, drop_id: str) -> bool:
        """Say whether anything lies in the drop, without reading it."""

    def sweep(self, drop_id: str) -> Sweep:
        """Delete all versions, delete markers and unfinished uploads below the drop's prefix; safe to repeat."""

    def list_keys(self) -> Iterator[str]:
        """
        Give every key under which anything lies: versions, delete markers, unfinished uploads. One may come twice.

        Raises:
            StoreUnavailable: S3 did not answer, also in the middle.
        """


class Vault(Protocol):
    """Where sealed bundles lie. One key a certificate: ``certificates/<certificate id>``."""

    def put(self, certificate_id: str, sealed: bytes) -> tuple[str, str]:
        """Write *sealed* and give (key, VersionId); the same bytes again give the version that is there."""

    def get(self, key: str, version_id: str) -> bytes:
        """
        Read one version.

        Raises:
            NotFound: It is not there.
        """

    def delete(self, key: str) -> Sweep:
        """Delete all versions of *key*; safe to repeat."""


class S3DropStore:
    """The drops' bucket. Versioned: an upload never replaces another, and a sweep must remove every version."""

    def __init__(self, store: Store) -> None:
        self._bucket = _Bucket(store, store.drops_bucket)
        self._sse = store.sse

    def create_upload(self, drop_id: str, until: datetime, now: datetime) -> Upload:
        upload = self._sign(drop_id, until - now)
        if (late := upload.until - until) > timedelta(0):
            # botocore counts from its own clock, and *now* was read a while ago. A second is for the rounding.
            upload = self._sign(drop_id, until - now - late - timedelta(seconds=1))
        return upload

    def _sign(self, drop_id: str, lifetime: timedelta) -> Upload:
        encryption: dict[str, str] = {"x-amz-server-side-encryption": self._sse}
        post = self._bucket.sign_post(_envelope_key(drop_id), encryption, (1, policy.ENVELOPE_MAX_BYTES), lifetime)
        return Upload(post["url"], post["fields"], _expiration(post["fields"]["policy"]))

    def fetch_envelope(self, drop_id: str, version_id: str | None = None) -> StoredObject:
        key = _envelope_key(drop_id)
        version = version_id or self._only_version(drop_id)
        body = self._bucket.read(key, version, policy.ENVELOPE_MAX_BYTES)
        if body is None:
            raise not_there(key, version)
        return StoredObject(body, version, sha256(body).hexdigest())

    def has_upload(self, drop_id: str) -> bool:
        return bool(self._bucket.versions_of(_envelope_key(drop_id)))

    def sweep(self, drop_id: str) -> Sweep:
        return self._bucket.sweep(_drop_prefix(drop_id))

    def list_keys(self) -> Iterator[str]:
        return self._bucket.list_keys()

    def _only_version(self, drop_id: str) -> str:
        versions = self._bucket.versions_of(_envelope_key(drop_id))
        if not versions:
            raise nothing_uploaded(drop_id)
        if len(versions) > 1:
            raise several_uploads(drop_id, len(versions))
        return versions[0]


class S3Vault:
    """The vault's bucket. Versioned, so that what a certificate's record names can never be replaced."""

    def __init__(self, store: Store) -> None:
        self._bucket = _Bucket(store, store.vault_bucket)

    def put(self, certificate_id: str, sealed: bytes) -> tuple[str, str]:
        key = vault_key(certificate_id)
        return key, self._bucket.find_same(key, sealed) or self._bucket.write(key, sealed)

    def get(self, key: str, version_id: str) -> bytes:
        body = self._bucket.read(key, version_id, policy.ENVELOPE_MAX_BYTES)
        if body is None:
            raise not_there(key, version_id)
        return body

    def delete(self, key: str) -> Sweep:
        return self._bucket.sweep(key, exactly=True)


def create_buckets(store: Store) -> None:
    """Make the buckets that are missing, and turn versioning on; safe to repeat."""
    for name in (store.drops_bucket, store.vault_bucket):
        _Bucket(store, name).create()


class _Bucket:
    """One bucket, in the handful of calls that drops and vault are made of."""

    def __init__(self, store: Store, name: str) -> None:
        self._client = open_s3(store.region, store.endpoint_url)
        self._name = name
        self._region = store.region
        self._sse = store.sse

    def create(self) -> None:
        self._ask(self._create_if_missing)
        versioning: VersioningConfigurationTypeDef = {"Status": "Enabled"}
        self._ask(lambda: self._client.put_bucket_versioning(Bucket=self._name, VersioningConfiguration=versioning))

    def sign_post(self, key: str, fields: dict[str, str], size: tuple[int, int], lifetime: timedelta) -> dict[str, Any]:
        conditions: list[Any] = [{name: value} for name, value in fields.items()]
        return self._client.generate_presigned_post(
            self._name,
            key,
            Fields=dict(fields),
            Conditions=[*conditions, ["content-length-range", *size]],
            ExpiresIn=int(lifetime.total_seconds()),
        )

    def versions_of(self, key: str) -> tuple[str, ...]:
        """Give the VersionIds of *key*, newest first; delete markers do not count."""
        return tuple(v["VersionId"] for page in self._pages(key) for v in page.get("Versions", []) if v["Key"] == key)

    def read(self, key: str, version: str, limit: int) -> bytes | None:
        """
        Read one version; None if it is not there.

        Raises:
            Rejected: Code ``too-large``, from the length that S3 announces, before any of the body is read.
        """

        def get() -> bytes:
            answer = self._client.get_object(Bucket=self._name, Key=key, VersionId=version)
            # Not `with answer["Body"]`: that gives the raw stream, whose length nobody checks.
            with closing(answer["Body"]) as body:
                if answer["ContentLength"] > limit:
                    raise too_large(key, answer["ContentLength"], limit)
                return body.read()

        try:
            return self._ask(get)
        except ClientError as exc:
            if code_of(exc) not in _NO_OBJECT:
                raise
            return None

    def find_same(self, key: str, body: bytes) -> str | None:
        """Give the newest version of *key* if it holds exactly *body*."""
        versions = self.versions_of(key)
        return versions[0] if versions and self.read(key, versions[0], policy.ENVELOPE_MAX_BYTES) == body else None

    def write(self, key: str, body: bytes) -> str:
        check_fence()
        answer = self._ask(
            lambda: self._client.put_object(Bucket=self._name, Key=key, Body=body, ServerSideEncryption=self._sse)
        )
        return answer["VersionId"]

    def sweep(self, prefix: str, *, exactly: bool = False) -> Sweep:
        """
        Delete everything below *prefix* (or *prefix* itself, *exactly*), whatever state it is in.

        Unfinished uploads go first: one that completes in between becomes a version, and is swept with them.
        """

        def wanted(items: list[Any] | None) -> list[Any]:
            return [item for item in items or [] if not exactly or item["Key"] == prefix]

        check_fence()
        uploads = [u for page in self._upload_pages(prefix) for u in wanted(page.get("Uploads"))]
        for upload in uploads:
            self._abort(upload["Key"], upload["UploadId"])
        versions, markers = [], []
        for page in self._pages(prefix):
            versions += wanted(page.get("Versions"))
            markers += wanted(page.get("DeleteMarkers"))
        # Oldest first: SeaweedFS searches anew each time it loses the newest (2,300 versions: 48 s, else 1.4 s).
        for batch in in_parts([*reversed(versions), *markers], _DELETE_BATCH):
            self._delete(batch)
        return Sweep(_ids(versions), _ids(markers), tuple(u["UploadId"] for u in uploads))

    def list_keys(self) -> Iterator[str]:
        """Give every key in the bucket, a page of S3's in memory at a time."""
        for page in self._turn(self._client.get_paginator("list_object_versions").paginate(Bucket=self._name)):
            yield from (item["Key"] for kind in ("Versions", "DeleteMarkers") for item in page.get(kind, []))
        for page in self._turn(self._client.get_paginator("list_multipart_uploads").paginate(Bucket=self._name)):
            yield from (item["Key"] for item in page.get("Uploads", []))

    def _turn(self, pages: Iterable[Any]) -> Iterator[Any]:
        turning = iter(pages)
        while page := self._ask(lambda: next(turning, None)):
            yield page

    def _pages(self, prefix: str) -> list[ListObjectVersionsOutputTypeDef]:
        pages = self._client.get_paginator("list_object_versions")
        return self._ask(lambda: list(pages.paginate(Bucket=self._name, Prefix=prefix)))

    def _upload_pages(self, prefix: str) -> list[ListMultipartUploadsOutputTypeDef]:
        pages = self._client.get_paginator("list_multipart_uploads")
        return self._ask(lambda: list(pages.paginate(Bucket=self._name, Prefix=prefix)))

    def _abort(self, key: str, upload_id: str) -> None:
        try:
            self._ask(lambda: self._client.abort_multipart_upload(Bucket=self._name, Key=key, UploadId=upload_id))
        except ClientError as exc:
            if code_of(exc) != "NoSuchUpload":
                raise

    def _delete(self, batch: Sequence[Any]) -> None:
        objects: list[ObjectIdentifierTypeDef] = [{"Key": v["Key"], "VersionId": v["VersionId"]} for v in batch]

        def delete() -> None:
            answer = self._client.delete_objects(Bucket=self._name, Delete={"Objects": objects, "Quiet": True})
            for failed in answer.get("Errors", []):  # answered with 200: each object has its own result
                raise ClientError({"Error": {"Code": failed.get("Code", ""), "Message": ""}}, "DeleteObjects")

        self._ask(delete)

    def _create_if_missing(self) -> None:
        try:
            self._client.head_bucket(Bucket=self._name)
        except ClientError as exc:
            if code_of(exc) not in _NO_BUCKET:
                raise
            where: Any = {} if self._region == "us-east-1" else {"LocationConstraint": self._region}
            self._client.create_bucket(Bucket=self._name, **({"CreateBucketConfiguration": where} if where else {}))

    def _ask(self, call: Callable[[], T]) -> T:
        return ask(call, StoreUnavailable, f"bucket {self._name}")


def vault_key(certificate_id: str) -> str:
    """Give the key of a certificate's bundle in the vault."""
    return f"certificates/{parse_id(certificate_id, 'cert')}"


def nothing_uploaded(drop_id: str) -> UploadPending:
    """Say that the drop is empty."""
    return UploadPending(
        drop_id,
        got="nothing has arrived",
        wanted="one sealed upload",
        do="Seal and upload the files with `certferry push`.",
    )


def several_uploads(drop_id: str, count: int) -> Rejected:
    """Say that nobody can tell which upload is meant."""
    return Rejected(
        drop_id,
        got=f"{count} uploads",
        wanted="exactly one",
        do="Destroy the drop with `certferry destroy`, create a new one and push once.",
        code="several-uploads",
    )


def too_large(key: str, size: int, limit: int) -> Rejected:
    """Say that an object is larger than anything certferry reads."""
    return Rejected(
        key,
        got=f"{size} bytes",
        wanted=f"at most {limit} bytes",
        do="Send only ssl.key, ssl.crt, ssl.chain and dotcloud.yml.",
        code="too-large",
    )


def not_there(key: str, version_id: str) -> NotFound:
    """Say that the store has no such version (any more)."""
    return NotFound(
        key,
        got=f"no version {version_id}",
        wanted="the version on record",
        do="Look in the audit trail whether it was destroyed; if not, the store has lost it.",
        who=Who.OPERATOR,
    )


def _drop_prefix(drop_id: str) -> str:
    # Parsed here once more, because an empty or cut id would make a sweep take other drops along.
    return f"drops/{parse_id(drop_id, 'drop')}/"


def _envelope_key(drop_id: str) -> str:
    return f"{_drop_prefix(drop_id)}envelope"


def _expiration(signed_policy: str) -> datetime:
    """Give the moment from which S3 refuses, out of the policy it will check."""
    return datetime.fromisoformat(json.loads(b64decode(signed_policy))["expiration"])


def _ids(versions: list[Any]) -> tuple[str, ...]:
    return tuple(v["VersionId"] for v in versions)
