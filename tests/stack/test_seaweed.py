"""The local stack's S3 server: what it must hold through, and whom it must not listen to."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import boto3
import httpx
import psutil
import pytest
from botocore.exceptions import ClientError

from deployments.local.seaweed import LISTENERS, SeaweedServer, free_ports, running
from tasks.clients.settings import Store
from tasks.clients.store import S3Vault, create_buckets
from tasks.core.model import make_id

OPERATOR = "the-operators-own"


@pytest.fixture(name="directory", scope="module")
def _directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("seaweed")


@pytest.fixture(name="server", scope="module")
def _server(directory: Path) -> Iterator[SeaweedServer]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", OPERATOR)
        environment.setenv("AWS_SECRET_ACCESS_KEY", OPERATOR)
        with running(_server_at(directory)) as server:
            yield server


def _server_at(directory: Path) -> SeaweedServer:
    return SeaweedServer(directory, free_ports(len(LISTENERS)))


def _vault(server: SeaweedServer, monkeypatch: pytest.MonkeyPatch) -> S3Vault:
    for name, value in server.credentials.items():
        monkeypatch.setenv(name, value)
    settings = Store(endpoint_url=server.endpoint_url)
    create_buckets(settings)
    return S3Vault(settings)


def test_only_this_machine_reaches_it(server: SeaweedServer) -> None:
    """It listens on the ports it was given and no other, all of them on loopback."""
    own = next(p for p in psutil.Process().children() if server.directory == Path(p.cwd()))
    listening = [c.laddr for c in own.net_connections("tcp") if c.status == psutil.CONN_LISTEN]

    assert all(ip_address(address.ip).is_loopback for address in listening)
    assert {address.port for address in listening} == set(server.ports)


def test_it_knows_nobody_but_its_own_identity(server: SeaweedServer) -> None:
    """The AWS credentials of whoever starts it are not let in: SeaweedFS would make them an administrator."""
    session = boto3.session.Session(aws_access_key_id=OPERATOR, aws_secret_access_key=OPERATOR)
    s3 = session.client("s3", endpoint_url=server.endpoint_url, region_name="us-east-1")

    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        s3.list_buckets()


def test_its_keys_are_its_owners(server: SeaweedServer) -> None:
    """Nobody else on the machine may read the S3 identity, the key of the encryption at rest, or the data."""
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in server.directory.iterdir()}

    assert {modes["identities.json"], modes["security.toml"]} == {0o600}
    assert modes["data"] == 0o700


def test_no_side_door(server: SeaweedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The filer behind S3 gives and takes nothing without a token of the server's own."""
    key, _ = _vault(server, monkeypatch).put(make_id("cert", os.urandom(16)), b"sealed")
    filer = f"http://127.0.0.1:{server.ports[LISTENERS.index('filer.port')]}/buckets/certferry-vault"

    with httpx.Client(trust_env=False) as stranger:
        answers = [
            stranger.get(f"{filer}/"),
            stranger.get(f"{filer}/{key}"),
            stranger.put(f"{filer}/new", content=b"x"),
            stranger.delete(f"{filer}/{key}"),
        ]

    assert [answer.status_code for answer in answers] == [401] * 4


def test_what_was_put_survives_a_kill_and_a_move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed without warning and started on other ports, it gives back the same version under the same identity."""
    with running(_server_at(tmp_path)) as first:
        key, version_id = _vault(first, monkeypatch).put(make_id("cert", os.urandom(16)), b"sealed")

    with running(_server_at(tmp_path)) as second:
        assert second.endpoint_url != first.endpoint_url
        assert _vault(second, monkeypatch).get(key, version_id) == b"sealed"
