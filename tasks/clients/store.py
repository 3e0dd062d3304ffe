"""The S3 store: drops, where customers put envelopes, and the vault, where certferry keeps bundles sealed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class Upload:
    """An upload capability: a presigned POST for one exact key, good until *until*."""

    url: str
    fields: Mapping[str, str]
    until: datetime


@dataclass(frozen=True)
class StoredObject:
    """One object version as read: the bytes, S3's VersionId, and the bytes' SHA-256."""

    body: bytes
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

        Raises:
            StoreUnavailable: S3 did not answer.
        """

    def fetch_envelope(self, drop_id: str, version_id: str | None = None) -> StoredObject:
        """
        Read exactly one object version: *version_id*, or the only one there is.

        Raises:
            UploadPending: Nothing has arrived.

            Rejected: Code ``several-uploads``: more than one version lies there and none was named; too large.

            StoreUnavailable: S3 did not answer.
        """

    def has_upload(self, drop_id: str) -> bool:
        """Say whether anything lies in the drop, without reading it."""

    def sweep(self, drop_id: str) -> Sweep:
        """Delete all versions, delete markers and unfinished uploads below the drop's prefix; safe to repeat."""


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
