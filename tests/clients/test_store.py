"""
Drops and vault: one contract, kept by the fake, by boto3 on moto, and by boto3 on SeaweedFS over the wire.

moto enforces nothing of a presigned POST and lets anybody list, so what is refused is asked of SeaweedFS, which does
enforce it, and of the fake. AWS refuses some more: form fields that the policy does not name.
"""

from __future__ import annotations

import base64
import json
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError
from botocore.response import StreamingBody
from moto.server import ThreadedMotoServer

from deployments.local.seaweed import LISTENERS, SeaweedServer, free_ports, running
from tasks.clients import store as store_module
from tasks.clients.settings import Store
from tasks.clients.store import DropStore, S3DropStore, S3Vault, Sweep, Upload, Vault, create_buckets
from tasks.core import policy
from tasks.core.errors import BadInput, NotFound, Rejected, StoreUnavailable, UploadPending
from tasks.core.model import make_id
from tests.fakes.store import FakeDropStore, FakeVault

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ENVELOPE = b"HDR1\x02" + bytes(range(256)) * 9 + b"\r\n\r\n--\r"  # binary, and with line ends a careless parser eats
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}


@dataclass
class World:
    """One implementation, and what a test needs beside it: a customer's network, and ways to leave rubbish."""

    drops: DropStore
    vault: Vault
    customer: httpx.Client
    arrive: Callable[[str, bytes], str]
    leave_marker: Callable[[str], None]
    leave_unfinished: Callable[[str], None]

    def invite(self, drop_id: str, lifetime: timedelta = timedelta(minutes=15)) -> Upload:
        now = datetime.now(UTC)
        return self.drops.create_upload(drop_id, now + lifetime, now)

    def upload(
        self, upload: Upload, body: bytes = ENVELOPE, changed: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Upload as `certferry push` does: the fields, then the file."""
        fields = {**upload.fields, **(changed or {})}
        return self.customer.post(upload.url, data=fields, files={"file": ("envelope", body)})


@pytest.fixture(name="fake_world")
def _fake_world() -> World:
    drops = FakeDropStore()
    customer = httpx.Client(transport=drops.door())
    return World(drops, FakeVault(), customer, drops.arrive, drops.leave_marker, drops.leave_unfinished)


@dataclass
class S3World(World):
    """A world with a real wire, and boto3 to reach around certferry."""

    settings: Store
    s3: S3Client


def _s3_world(endpoint_url: str, credentials: Mapping[str, str]) -> S3World:
    settings = Store(endpoint_url=endpoint_url)
    with pytest.MonkeyPatch.context() as environment:  # clients look for credentials when they are made
        _lend(environment, credentials)
        create_buckets(settings)
        drops, vault = S3DropStore(settings), S3Vault(settings)
        s3 = boto3.session.Session().client("s3", endpoint_url=endpoint_url, region_name=settings.region)
    bucket = settings.drops_bucket

    def arrive(drop_id: str, body: bytes) -> str:
        return s3.put_object(Bucket=bucket, Key=_key(drop_id), Body=body)["VersionId"]

    def leave_marker(drop_id: str) -> None:
        s3.delete_object(Bucket=bucket, Key=_key(drop_id))

    def leave_unfinished(drop_id: str) -> None:
        upload_id = s3.create_multipart_upload(Bucket=bucket, Key=_key(drop_id))["UploadId"]
        s3.upload_part(Bucket=bucket, Key=_key(drop_id), UploadId=upload_id, PartNumber=1, Body=b"part")

    customer = httpx.Client(trust_env=False)
    return S3World(drops, vault, customer, arrive, leave_marker, leave_unfinished, settings=settings, s3=s3)


def _key(drop_id: str) -> str:
    return f"drops/{drop_id}/envelope"


@pytest.fixture(name="moto", scope="module")
def _moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield "http://{}:{}".format(*server.get_host_and_port())
    finally:
        server.stop()


@pytest.fixture(name="seaweed", scope="module")
def _seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedServer]:
    with running(SeaweedServer(tmp_path_factory.mktemp("seaweed"), free_ports(len(LISTENERS)))) as server:
        yield server


@pytest.fixture(name="wire", scope="module")
def _wire(seaweed: SeaweedServer) -> S3World:
    return _s3_world(seaweed.endpoint_url, seaweed.credentials)


@pytest.fixture(name="moto_world", scope="module")
def _moto_world(moto: str) -> S3World:
    return _s3_world(moto, CREDENTIALS)


@pytest.fixture(name="boto", params=["moto_world", "wire"])
def _boto(request: pytest.FixtureRequest) -> S3World:
    world: S3World = request.getfixturevalue(request.param)
    return world


@pytest.fixture(name="world", params=["fake_world", "moto_world", "wire"])
def _world(request: pytest.FixtureRequest) -> World:
    world: World = request.getfixturevalue(request.param)
    return world


@pytest.fixture(name="strict", params=["fake_world", "wire"])
def _strict(request: pytest.FixtureRequest) -> World:
    world: World = request.getfixturevalue(request.param)
    return world


def _lend(monkeypatch: pytest.MonkeyPatch, credentials: Mapping[str, str]) -> None:
    for name, value in credentials.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(name="drop_id")
def _drop_id() -> str:
    return make_id("drop", os.urandom(16))


@pytest.fixture(name="certificate_id")
def _certificate_id() -> str:
    return make_id("cert", os.urandom(16))


class TestUpload:
    """What an invited customer can do."""

    def test_arrives_byte_for_byte(self, world: World, drop_id: str) -> None:
        """What certferry reads is what the customer sent, with its SHA-256."""
        assert world.upload(world.invite(drop_id)).is_success

        stored = world.drops.fetch_envelope(drop_id)
        assert (stored.body, stored.sha256) == (ENVELOPE, sha256(ENVELOPE).hexdigest())

    def test_may_be_as_large_as_an_envelope_may_be(self, world: World, drop_id: str) -> None:
        """The limit itself is allowed."""
        body = os.urandom(policy.ENVELOPE_MAX_BYTES)

        assert world.upload(world.invite(drop_id), body).is_success
        assert world.drops.fetch_envelope(drop_id).body == body

    @pytest.mark.parametrize("late", [0, 0.9, 40])
    def test_ends_no_later_than_asked(self, world: World, drop_id: str, late: float) -> None:
        """The second sweep relies on it: also where the caller read the clock a while ago."""
        now = datetime.now(UTC) - timedelta(seconds=late)
        until = now + timedelta(minutes=15)

        told = world.drops.create_upload(drop_id, until, now).until

        assert until - timedelta(seconds=4) < told <= until

    def test_tells_the_end_that_is_enforced(self, boto: S3World, drop_id: str) -> None:
        """It is the one in the signed policy."""
        upload = boto.invite(drop_id)

        signed = json.loads(base64.b64decode(upload.fields["policy"]))["expiration"]
        assert upload.until == datetime.fromisoformat(signed)

    def test_into_a_swept_drop_still_arrives(self, world: World, drop_id: str) -> None:
        """Nothing takes a capability back: that is why a second sweep follows its end."""
        upload = world.invite(drop_id)
        world.drops.sweep(drop_id)

        world.upload(upload)

        assert world.drops.has_upload(drop_id)
        assert not world.drops.sweep(drop_id).empty
        assert world.drops.sweep(drop_id).empty


class TestRefusedUpload:
    """What the store refuses by itself, before certferry sees any of it."""

    @pytest.mark.parametrize("size", [0, policy.ENVELOPE_MAX_BYTES + 1], ids=["empty", "too-large"])
    def test_size(self, strict: World, drop_id: str, size: int) -> None:
        """Nothing, and one byte too many."""
        answer = strict.upload(strict.invite(drop_id), bytes(size))

        assert answer.status_code == 400
        assert not strict.drops.has_upload(drop_id)

    def test_key_of_another_drop(self, strict: World, drop_id: str) -> None:
        """A capability is for one drop: nobody uploads into another."""
        other = make_id("drop", os.urandom(16))

        assert strict.upload(strict.invite(drop_id), changed={"key": _key(other)}).status_code == 403
        assert not strict.drops.has_upload(other)

    @pytest.mark.parametrize("name", ["", "envelope/more", "../other", "envelope\0"])
    def test_key_beside_the_envelope(self, strict: World, drop_id: str, name: str) -> None:
        """Nothing but the one key, not even inside the drop."""
        assert strict.upload(strict.invite(drop_id), changed={"key": f"drops/{drop_id}/{name}"}).is_client_error
        assert strict.drops.sweep(drop_id).empty

    def test_without_encryption(self, strict: World, drop_id: str) -> None:
        """Server-side encryption cannot be left out."""
        upload = strict.invite(drop_id)
        fields = {name: value for name, value in upload.fields.items() if name != "x-amz-server-side-encryption"}

        assert strict.upload(Upload(upload.url, fields, upload.until)).status_code == 403
        assert not strict.drops.has_upload(drop_id)

    def test_other_encryption(self, strict: World, drop_id: str) -> None:
        """The kind of encryption is the platform's choice."""
        answer = strict.upload(strict.invite(drop_id), changed={"x-amz-server-side-encryption": "aws:kms"})

        assert answer.status_code == 403
        assert not strict.drops.has_upload(drop_id)

    def test_after_its_end(self, strict: World, drop_id: str) -> None:
        """A capability that ran out a second ago is worth nothing."""
        assert strict.upload(strict.invite(drop_id, timedelta(seconds=-1))).status_code == 403
        assert not strict.drops.has_upload(drop_id)

    def test_wrong_signature(self, strict: World, drop_id: str) -> None:
        """One character of the signature is changed."""
        upload = strict.invite(drop_id)
        signature = upload.fields["x-amz-signature"]
        other = signature[:-1] + ("0" if signature[-1] != "0" else "1")

        assert strict.upload(upload, changed={"x-amz-signature": other}).status_code == 403
        assert not strict.drops.has_upload(drop_id)

    def test_policy_widened_by_the_customer(self, wire: S3World, drop_id: str) -> None:
        """A later end, written into the policy, breaks its signature."""
        upload = wire.invite(drop_id, timedelta(seconds=-1))
        widened = json.loads(base64.b64decode(upload.fields["policy"])) | {"expiration": "2099-01-01T00:00:00Z"}
        encoded = base64.b64encode(json.dumps(widened).encode()).decode()

        assert wire.upload(upload, changed={"policy": encoded}).status_code == 403
        assert not wire.drops.has_upload(drop_id)

    def test_without_any_signature(self, wire: S3World, drop_id: str) -> None:
        """The bucket takes nothing from strangers, by form or by PUT."""
        url = f"{wire.invite(drop_id).url}/{_key(drop_id)}"

        assert wire.customer.put(url, content=ENVELOPE).status_code == 403
        assert wire.upload(Upload(wire.invite(drop_id).url, {"key": _key(drop_id)}, datetime.now(UTC))).is_client_error
        assert not wire.drops.has_upload(drop_id)

    def test_nobody_reads_or_lists_without_credentials(self, wire: S3World, drop_id: str) -> None:
        """A customer can write into the drop and never read: not even what was uploaded as public."""
        upload = wire.invite(drop_id)
        wire.upload(upload, changed={"acl": "public-read"})
        bucket = upload.url

        for url in (f"{bucket}/{_key(drop_id)}", bucket, f"{bucket}?versions", f"{bucket}?uploads"):
            assert wire.customer.get(url).status_code == 403
        assert wire.customer.delete(f"{bucket}/{_key(drop_id)}").status_code == 403


class TestFetchEnvelope:
    def test_before_anything_arrived(self, world: World, drop_id: str) -> None:
        """An empty drop is waited for, not failed on."""
        with pytest.raises(UploadPending):
            world.drops.fetch_envelope(drop_id)
        assert not world.drops.has_upload(drop_id)

    def test_two_uploads_are_nobodys_choice(self, world: World, drop_id: str) -> None:
        """With two versions there and none named, certferry does not guess."""
        for body in (b"one", b"two"):
            world.upload(world.invite(drop_id), body)

        with pytest.raises(Rejected) as refused:
            world.drops.fetch_envelope(drop_id)
        assert refused.value.code == "several-uploads"

    def test_a_later_upload_changes_nothing(self, world: World, drop_id: str) -> None:
        """Once a version is on record, it is the one that is read, whatever comes later."""
        world.upload(world.invite(drop_id), b"first")
        first = world.drops.fetch_envelope(drop_id)
        world.upload(world.invite(drop_id), b"later")

        assert world.drops.fetch_envelope(drop_id, first.version_id) == first

    def test_a_delete_marker_hides_nothing(self, world: World, drop_id: str) -> None:
        """The one version there is counts, even if somebody laid a delete marker over it."""
        world.upload(world.invite(drop_id))
        world.leave_marker(drop_id)

        assert world.drops.fetch_envelope(drop_id).body == ENVELOPE

    def test_a_version_that_is_gone(self, world: World, drop_id: str) -> None:
        """What was swept is not found, and an operator must look."""
        version_id = world.arrive(drop_id, ENVELOPE)
        world.drops.sweep(drop_id)

        with pytest.raises(NotFound):
            world.drops.fetch_envelope(drop_id, version_id)

    def test_only_the_one_key_counts(self, boto: S3World, drop_id: str) -> None:
        """What lies beside the envelope is not taken for it; a sweep takes it along all the same."""
        boto.s3.put_object(Bucket=boto.settings.drops_bucket, Key=f"{_key(drop_id)}-more", Body=b"other")

        with pytest.raises(UploadPending):
            boto.drops.fetch_envelope(drop_id)
        assert len(boto.drops.sweep(drop_id).versions) == 1

    @pytest.mark.parametrize("code", ["NoSuchKey", "NoSuchVersion"])
    def test_both_ways_to_say_gone(self, monkeypatch: pytest.MonkeyPatch, drop_id: str, code: str) -> None:
        """S3 servers differ in what they call a version that is not there."""
        _lend(monkeypatch, CREDENTIALS)
        with _answering(404, code) as url, pytest.raises(NotFound):
            S3DropStore(Store(endpoint_url=url)).fetch_envelope(drop_id, "gone")

    def test_too_large(self, world: World, drop_id: str) -> None:
        """Whatever way it came in, more than an envelope's limit is refused."""
        world.arrive(drop_id, bytes(policy.ENVELOPE_MAX_BYTES + 1))

        with pytest.raises(Rejected) as refused:
            world.drops.fetch_envelope(drop_id)
        assert refused.value.code == "too-large"

    def test_too_large_is_seen_before_reading(
        self, boto: S3World, drop_id: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The announced length decides; none of the body is taken in."""

        def read(*_: object) -> bytes:
            raise AssertionError("read the body")

        boto.arrive(drop_id, bytes(policy.ENVELOPE_MAX_BYTES + 1))
        monkeypatch.setattr(StreamingBody, "read", read)

        with pytest.raises(Rejected, match=f"{policy.ENVELOPE_MAX_BYTES + 1} bytes"):
            boto.drops.fetch_envelope(drop_id)

    def test_the_envelope_is_encrypted_at_rest(self, wire: S3World, drop_id: str) -> None:
        """What was uploaded by the form lies under server-side encryption."""
        wire.upload(wire.invite(drop_id))

        head = wire.s3.head_object(Bucket=wire.settings.drops_bucket, Key=_key(drop_id))

        assert head["ServerSideEncryption"] == "AES256"


class TestSweep:
    def test_leaves_nothing(self, world: World, drop_id: str) -> None:
        """Versions, delete markers and unfinished uploads go, each is counted, and the second sweep finds none."""
        for body in (b"one", b"two", b"three"):
            world.arrive(drop_id, body)
        world.leave_marker(drop_id)
        world.leave_unfinished(drop_id)

        swept = world.drops.sweep(drop_id)

        assert (len(set(swept.versions)), len(swept.delete_markers), len(swept.unfinished_uploads)) == (3, 1, 1)
        assert world.drops.sweep(drop_id) == Sweep((), (), ())
        assert not world.drops.has_upload(drop_id)

    def test_every_key_is_listed(self, world: World, drop_id: str) -> None:
        """Whatever lies in a place makes it seen: a version, a delete marker, an unfinished upload."""
        others = [make_id("drop", os.urandom(16)) for _ in range(2)]
        world.arrive(drop_id, ENVELOPE)
        world.arrive(others[0], ENVELOPE)  # moto makes no marker where nothing was
        world.leave_marker(others[0])
        world.leave_unfinished(others[1])

        keys = list(world.drops.list_keys())

        assert [keys.count(f"drops/{each}/envelope") for each in (drop_id, *others)] == [1, 2, 1]
        world.drops.sweep(drop_id)
        assert f"drops/{drop_id}/envelope" not in set(world.drops.list_keys())

    def test_names_the_versions(self, world: World, drop_id: str) -> None:
        """The proof names what was on record."""
        version_id = world.arrive(drop_id, ENVELOPE)

        assert world.drops.sweep(drop_id).versions == (version_id,)

    def test_spares_every_other_drop(self, world: World, drop_id: str) -> None:
        """Destroying one customer's drop does nothing to another's, finished or not."""
        other = make_id("drop", os.urandom(16))
        for each in (drop_id, other):
            world.arrive(each, ENVELOPE)
            world.leave_unfinished(each)

        world.drops.sweep(drop_id)

        assert world.drops.fetch_envelope(other).body == ENVELOPE
        assert len(world.drops.sweep(other).unfinished_uploads) == 1

    def test_of_a_drop_that_never_was(self, world: World, drop_id: str) -> None:
        """Nothing there is nothing to complain about."""
        assert world.drops.sweep(drop_id).empty

    @pytest.mark.parametrize("name", ["", "drop-", "..", "drop-aaaaaaaaaaaaaaaaaaaaaaaaaa/", "cert-" + "a" * 26])
    def test_takes_only_a_whole_drop_id(self, world: World, drop_id: str, name: str) -> None:
        """A cut or empty id would be the prefix of every drop."""
        world.arrive(drop_id, ENVELOPE)

        with pytest.raises(BadInput):
            world.drops.sweep(name)
        assert world.drops.has_upload(drop_id)

    def test_claims_nothing_that_the_store_refused(self, moto: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """A version under legal hold stays: the sweep fails, although S3 answers the batch with 200."""
        _lend(monkeypatch, CREDENTIALS)
        s3 = boto3.session.Session().client("s3", endpoint_url=moto, region_name="us-east-1")
        s3.create_bucket(Bucket="held", ObjectLockEnabledForBucket=True)
        drop_id = make_id("drop", os.urandom(16))
        s3.put_object(Bucket="held", Key=_key(drop_id), Body=ENVELOPE, ObjectLockLegalHoldStatus="ON")

        with pytest.raises(ClientError, match="AccessDenied"):
            S3DropStore(Store(endpoint_url=moto, drops_bucket="held")).sweep(drop_id)

    def test_of_more_than_one_batch(self, boto: S3World, drop_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """S3 deletes so many at a time; a flooded drop takes several requests."""
        monkeypatch.setattr(store_module, "_DELETE_BATCH", 2)
        for _ in range(5):
            boto.arrive(drop_id, ENVELOPE)

        assert len(boto.drops.sweep(drop_id).versions) == 5
        assert boto.drops.sweep(drop_id).empty


class TestVault:
    def test_gives_back_what_was_put(self, world: World, certificate_id: str) -> None:
        """Key and version lead to the very bytes."""
        key, version_id = world.vault.put(certificate_id, ENVELOPE)

        assert world.vault.get(key, version_id) == ENVELOPE

    def test_the_same_bytes_again_are_one_version(self, world: World, certificate_id: str) -> None:
        """A step that runs twice leaves one object."""
        first = world.vault.put(certificate_id, ENVELOPE)

        assert world.vault.put(certificate_id, ENVELOPE) == first
        assert len(world.vault.delete(first[0]).versions) == 1

    def test_other_bytes_replace_nothing(self, world: World, certificate_id: str) -> None:
        """What a certificate's record names stays readable."""
        key, first = world.vault.put(certificate_id, b"first")
        _, second = world.vault.put(certificate_id, b"second")

        assert (world.vault.get(key, first), world.vault.get(key, second)) == (b"first", b"second")

    def test_delete_leaves_nothing(self, world: World, certificate_id: str) -> None:
        """All versions go, and the second time there is nothing."""
        key, version_id = world.vault.put(certificate_id, b"first")
        world.vault.put(certificate_id, b"second")

        assert len(world.vault.delete(key).versions) == 2
        assert world.vault.delete(key).empty
        with pytest.raises(NotFound):
            world.vault.get(key, version_id)

    def test_delete_spares_the_neighbours(self, boto: S3World, certificate_id: str) -> None:
        """Only the key itself, not everything that begins with it."""
        key, _ = boto.vault.put(certificate_id, b"mine")
        neighbour = boto.s3.put_object(Bucket=boto.settings.vault_bucket, Key=f"{key}-more", Body=b"other")

        boto.vault.delete(key)

        assert boto.vault.get(f"{key}-more", neighbour["VersionId"]) == b"other"

    def test_takes_only_a_certificate_id(self, world: World, drop_id: str) -> None:
        """Nothing is put under a name of somebody's choice."""
        for name in ("", "../drops", drop_id):
            with pytest.raises(BadInput):
                world.vault.put(name, ENVELOPE)

    def test_lies_under_encryption(self, wire: S3World, certificate_id: str) -> None:
        """The sealed bundle is under server-side encryption too."""
        key, version_id = wire.vault.put(certificate_id, ENVELOPE)

        head = wire.s3.head_object(Bucket=wire.settings.vault_bucket, Key=key, VersionId=version_id)
        assert head["ServerSideEncryption"] == "AES256"


class TestCreateBuckets:
    def test_turns_versioning_on_and_may_be_repeated(
        self, wire: S3World, seaweed: SeaweedServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Made again, both buckets and what is in them are as they were."""
        _lend(monkeypatch, seaweed.credentials)
        settings = wire.settings.model_copy(update={"drops_bucket": "twice-drops", "vault_bucket": "twice-vault"})
        create_buckets(settings)
        wire.s3.put_object(Bucket="twice-drops", Key="kept", Body=b"x")

        create_buckets(settings)

        for name in ("twice-drops", "twice-vault"):
            assert wire.s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
        assert wire.s3.get_object(Bucket="twice-drops", Key="kept")["ContentLength"] == 1

    def test_in_another_region(self, moto: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Outside us-east-1, S3 wants the region said twice."""
        _lend(monkeypatch, CREDENTIALS)
        settings = Store(endpoint_url=moto, region="eu-north-1", drops_bucket="north-drops", vault_bucket="north-vault")
        create_buckets(settings)

        s3 = boto3.session.Session().client("s3", endpoint_url=moto, region_name="eu-north-1")
        assert s3.get_bucket_location(Bucket="north-drops")["LocationConstraint"] == "eu-north-1"


class TestAddress:
    """Where an invitation sends the customer. Signing asks nobody, so AWS itself need not be there."""

    def test_on_aws_the_bucket_has_its_own_name(self, monkeypatch: pytest.MonkeyPatch, drop_id: str) -> None:
        """And the region's, since elsewhere a form is redirected and its body lost."""
        _lend(monkeypatch, CREDENTIALS)
        now = datetime.now(UTC)

        upload = S3DropStore(Store(region="eu-north-1")).create_upload(drop_id, now + timedelta(minutes=1), now)

        assert upload.url == "https://certferry-drops.s3.eu-north-1.amazonaws.com/"

    def test_elsewhere_the_bucket_is_in_the_path(self, monkeypatch: pytest.MonkeyPatch, drop_id: str) -> None:
        """A store of one's own has one name for all buckets."""
        _lend(monkeypatch, CREDENTIALS)
        now = datetime.now(UTC)

        store = S3DropStore(Store(endpoint_url="https://s3.platform.test"))

        assert store.create_upload(drop_id, now, now).url == "https://s3.platform.test/certferry-drops"


class TestUnavailable:
    """What passes by itself is told from what does not."""

    def test_nobody_listens(self, monkeypatch: pytest.MonkeyPatch, drop_id: str) -> None:
        """No connection: try again later."""
        _lend(monkeypatch, CREDENTIALS)
        with closing(socket.socket()) as closed:
            closed.bind(("127.0.0.1", 0))  # bound and not listening: every connection is refused
            store = S3DropStore(Store(endpoint_url=f"http://127.0.0.1:{closed.getsockname()[1]}"))

            with pytest.raises(StoreUnavailable, match="EndpointConnectionError"):
                store.has_upload(drop_id)

    @pytest.mark.parametrize(
        ("status", "code"), [(503, "SlowDown"), (500, "InternalError"), (429, "TooMany"), (400, "RequestTimeout")]
    )
    def test_not_now(self, monkeypatch: pytest.MonkeyPatch, drop_id: str, status: int, code: str) -> None:
        """S3 is overloaded or broken: try again later."""
        _lend(monkeypatch, CREDENTIALS)
        with _answering(status, code) as url, pytest.raises(StoreUnavailable, match=code):
            S3DropStore(Store(endpoint_url=url)).sweep(drop_id)

    def test_forbidden_is_loud(self, seaweed: SeaweedServer, monkeypatch: pytest.MonkeyPatch, drop_id: str) -> None:
        """Wrong credentials are nothing to wait for: the error comes through as S3 says it."""
        _lend(monkeypatch, CREDENTIALS)
        store = S3DropStore(Store(endpoint_url=seaweed.endpoint_url))

        for call in (store.has_upload, store.sweep, store.fetch_envelope):
            with pytest.raises(ClientError, match="InvalidAccessKeyId"):
                call(drop_id)

    def test_a_missing_bucket_is_loud(
        self, wire: S3World, seaweed: SeaweedServer, monkeypatch: pytest.MonkeyPatch, drop_id: str
    ) -> None:
        """A misspelt bucket is not an empty drop, and not a swept one."""
        _lend(monkeypatch, seaweed.credentials)
        store = S3DropStore(wire.settings.model_copy(update={"drops_bucket": "no-such-bucket"}))

        for call in (store.has_upload, store.sweep, store.fetch_envelope, lambda i: store.fetch_envelope(i, "a")):
            with pytest.raises(ClientError, match="NoSuchBucket"):
                call(drop_id)


class _answering:  # noqa: N801  reads as a word in `with`
    """A server on loopback that answers every request with one S3 error."""

    def __init__(self, status: int, code: str) -> None:
        body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> str:
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class TestFakeDropStore:
    def test_it_fails_when_told_to(self, drop_id: str) -> None:
        """Each error in `fail` is raised once, in order; then it works again."""
        store = FakeDropStore(fail=[StoreUnavailable.because("drops", "503")])

        with pytest.raises(StoreUnavailable):
            store.sweep(drop_id)
        assert store.sweep(drop_id).empty
        assert store.calls == ["sweep", "sweep"]

    def test_the_file_must_be_the_last_field(self, fake_world: World, drop_id: str) -> None:
        """S3 ignores every field after the file, so the fake insists."""
        upload = fake_world.invite(drop_id)
        file_first = [("file", ("envelope", b"sealed")), *((k, (None, v.encode())) for k, v in upload.fields.items())]

        with pytest.raises(AssertionError, match="last field"):
            fake_world.customer.post(upload.url, files=file_first)
