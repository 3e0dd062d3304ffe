"""What every client of an AWS service shares: how it is made, and what its failures mean."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from tasks.core.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")

_CONFIG: Final = Config(
    connect_timeout=3,  # seconds; a store in the same region connects in milliseconds
    read_timeout=15,  # seconds; nothing here is larger than 256 KiB
    retries={"mode": "standard", "total_max_attempts": 2},  # one repeat, for a stale keep-alive connection
)
"""The rest of the retrying is the step's, whose table knows how long the work may wait."""

_PASSING: Final = frozenset(
    {
        "DependencyTimeoutException",
        "InternalError",
        "KMSInternalException",
        "KeyUnavailableException",
        "OperationAborted",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
    }
)
"""Error codes that a later, equal call need not meet. Every 5xx and 429 counts too."""


def open_s3(region: str, endpoint_url: str | None) -> S3Client:
    """
    Give an S3 client, safe to share among threads. Credentials come from the AWS chain.

    A custom endpoint is addressed by path, because it has no name per bucket.
    """
    s3 = Config(signature_version="s3v4", s3={"addressing_style": "path" if endpoint_url else "virtual"})
    return _session().client("s3", region_name=region, endpoint_url=endpoint_url, config=_CONFIG.merge(s3))


def open_kms(region: str, endpoint_url: str | None) -> KMSClient:
    """Give a KMS client, safe to share among threads. Credentials come from the AWS chain."""
    return _session().client("kms", region_name=region, endpoint_url=endpoint_url, config=_CONFIG)


def _session() -> boto3.session.Session:
    return boto3.session.Session()  # one each: making clients from boto3's default session is not thread-safe


def ask(call: Callable[[], T], unavailable: type[Unavailable], subject: str) -> T:
    """
    Do *call*, and translate the failures that pass by themselves. Any other comes through as it is.

    The translated error has no cause: botocore's carry the request, whose body may be a secret on its way to KMS.

    Raises:
        Unavailable: Of class *unavailable*: no connection, no answer in time, throttled, or a 5xx.
    """
    _hush()
    try:
        return call()
    except ClientError as exc:
        if not _passes(exc):
            raise
        cause = code_of(exc)
    except (ConnectionError, HTTPClientError) as exc:
        cause = type(exc).__name__
    raise unavailable.because(subject, cause)


def code_of(error: ClientError) -> str:
    """Give S3's or KMS's error code; the HTTP status where there was no body to carry one (HEAD)."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _passes(error: ClientError) -> bool:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= 500 or status == 429 or code_of(error) in _PASSING


def _hush() -> None:
    """Keep the libraries at INFO or above, whatever anybody set: at DEBUG, botocore logs what KMS unwrapped."""
    for name in ("boto3", "botocore", "urllib3"):
        logger = logging.getLogger(name)
        if logger.level < logging.INFO:
            logger.setLevel(logging.INFO)
