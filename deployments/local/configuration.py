"""
What the local stack's processes are told: the settings file, the secrets, each process's environment.

Nothing of the caller's own Prefect, AWS or certferry set-up reaches the stack, and nothing of the stack's
reaches the caller's: environments are built from a short list of harmless variables.
"""

from __future__ import annotations

import os
import secrets
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from cryptography.fernet import Fernet

from deployments.local.pki import write_private
from deployments.local.ports import EDGE_ADDRESSES, LOOPBACK, Ports
from deployments.local.seaweed import SeaweedServer

ZONE = "platform.test"
CUSTOMER_ZONE = "example.test"
EDGE_NAME = f"edge.{ZONE}"
PIGGYBACK_DOMAIN = f"apps.{ZONE}"
APPROVER = "olive"
COLLEAGUE = "oscar"  # decides on what olive asked for herself

_INHERITED = ("HOME", "LANG", "LC_ALL", "TERM", "TZ", "USER", "LOGNAME", "CERTFERRY_NGINX")


@dataclass(frozen=True)
class Secrets:
    """What the installation generated for itself, once."""

    prefect_auth: str
    prefect_encryption_key: str

    @classmethod
    def generate(cls) -> Secrets:
        return cls(
            prefect_auth=f"operator:{secrets.token_urlsafe(24)}",
            prefect_encryption_key=Fernet.generate_key().decode("ascii"),
        )

    def __repr__(self) -> str:
        return "Secrets()"


@dataclass(frozen=True)
class Place:
    """Where one stack keeps its things, and which ports it has."""

    root: Path
    repository: Path
    ports: Ports

    @property
    def settings_file(self) -> Path:
        return self.root / "certferry.yaml"

    @property
    def secrets_file(self) -> Path:
        return self.root / "secrets.env"

    @property
    def prefect_url(self) -> str:
        return f"http://{LOOPBACK}:{self.ports.prefect}"

    @property
    def s3_url(self) -> str:
        return f"http://{LOOPBACK}:{self.ports.s3}"

    @property
    def front_desk_url(self) -> str:
        return f"http://{LOOPBACK}:{self.ports.front_desk}"

    @property
    def zone_file(self) -> Path:
        return self.root / "zone.yaml"

    @property
    def routes_file(self) -> Path:
        return self.root / "routes.yaml"

    @property
    def seaweed(self) -> SeaweedServer:
        return SeaweedServer(self.root / "s3", self.ports.seaweed)

    def edge_directory(self, edge: str) -> Path:
        return self.root / "edges" / edge


def render_settings(place: Place, upload_lifetime: timedelta | None = None, records_url: str | None = None) -> str:
    """Give the stack's settings file; a path in it is relative to the file."""
    values: dict[str, Any] = {
        "database": {"url": records_url or "sqlite:///records.db"},
        "platform": {
            "name": "Platform Test",
            "cname_targets": [EDGE_NAME],
            "addresses": list(EDGE_ADDRESSES.values()),
            "piggyback_domain": PIGGYBACK_DOMAIN,
        },
        "live_check": {
            "resolvers": [f"{LOOPBACK}:{place.ports.dns}"],
            "allow_networks": ["127.0.0.0/8"],
            "http_port": place.ports.edge_http,
            "https_port": place.ports.edge_https,
            "deadline": "PT10M",
            "interval": "PT2S",
        },
        "store": {"endpoint_url": place.s3_url},
        "keys": {"provider": "file", "file": "wrapping.key"},
        "trust": {"store": "private", "file": "ca/root.pem"},
        "edges": [
            {
                "name": f"edge-{edge}",
                "directory": f"edges/{edge}",
                "address": address,
                "http_port": place.ports.edge_http,
                "https_port": place.ports.edge_https,
            }
            for edge, address in EDGE_ADDRESSES.items()
        ],
        "billing": {
            "currency": "EUR",
            "prices": {
                "shared": [{"from": "2026-01-01", "unit_price": "0.05"}],
                "dedicated": [{"from": "2026-01-01", "unit_price": "0.15"}],
            },
        },
        "front_desk": {"url": place.front_desk_url},
        "operators": {"approvers": [APPROVER, COLLEAGUE]},
    }
    if upload_lifetime:
        values["drops"] = {"upload_lifetime": f"PT{int(upload_lifetime.total_seconds())}S"}
    head = "# Written by deployments/local at each start; deployments/example.yaml explains every key.\n"
    return head + yaml.safe_dump(values, sort_keys=False)


def open_secrets(file: Path) -> Secrets:
    """Read the installation's secrets, or generate them."""
    if not file.exists():
        return Secrets.generate()
    lines = (line.split("=", 1) for line in file.read_text().splitlines() if "=" in line and not line.startswith("#"))
    values = dict(lines)
    return Secrets(
        prefect_auth=values["PREFECT_API_AUTH_STRING"],
        prefect_encryption_key=values["PREFECT_SERVER_ENCRYPTION_KEY"],
    )


def write_secrets(place: Place, kept: Secrets) -> None:
    """Write ``secrets.env`` (0600), for an operator's shell: ``set -a; . FILE`` and every command finds the stack."""
    values = operator_variables(place, kept) | {"PREFECT_SERVER_ENCRYPTION_KEY": kept.prefect_encryption_key}
    lines = [f"{name}={value}" for name, value in values.items()]
    text = "# The local stack's secrets. For a shell of your own: set -a; . ./secrets.env\n" + "\n".join(lines) + "\n"
    write_private(place.secrets_file, text.encode())


def operator_variables(place: Place, kept: Secrets) -> dict[str, str]:
    """Give what a process needs to act for the platform: settings, store credentials, Prefect."""
    return {
        "CERTFERRY_SETTINGS": str(place.settings_file),
        **place.seaweed.credentials,
        "AWS_DEFAULT_REGION": "us-east-1",
        "PREFECT_API_URL": f"{place.prefect_url}/api",
        "PREFECT_API_AUTH_STRING": kept.prefect_auth,
        "PREFECT_HOME": str(place.root / "prefect"),
    }


def base_environment(place: Place) -> dict[str, str]:
    """Give what every process of the stack gets, and no secret."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    nowhere = str(place.root / "nowhere")
    return inherited | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "PYTHONUNBUFFERED": "1",
        "TMPDIR": str(place.root / "tmp"),
        "DO_NOT_TRACK": "1",
        # a developer's own AWS set-up stays out
        "AWS_CONFIG_FILE": nowhere,
        "AWS_SHARED_CREDENTIALS_FILE": nowhere,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def operator_environment(place: Place, kept: Secrets) -> dict[str, str]:
    return base_environment(place) | operator_variables(place, kept)


def worker_environment(place: Place, kept: Secrets) -> dict[str, str]:
    return operator_environment(place, kept) | {
        "PREFECT_WORKER_QUERY_SECONDS": "1",  # 10 by default; somebody is watching
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",  # see the heartbeat automation in deployments/automations.yaml
        "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",  # the default, pickle, runs code of whoever can write results
    }


def prefect_server_environment(place: Place, kept: Secrets) -> dict[str, str]:
    return base_environment(place) | {
        "PREFECT_HOME": str(place.root / "prefect"),
        "PREFECT_SERVER_API_AUTH_STRING": kept.prefect_auth,
        "PREFECT_API_AUTH_STRING": kept.prefect_auth,  # its own services call its API
        "PREFECT_SERVER_ENCRYPTION_KEY": kept.prefect_encryption_key,  # else it lies beside what it encrypts
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_API_URL": f"{place.prefect_url}/api",
        "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(place.root / "prefect" / "ui"),
    }
