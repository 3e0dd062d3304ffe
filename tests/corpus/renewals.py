"""A certificate for a host that has one already."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tasks.core.doctor.terms import Installed, Rules
from tests.corpus.case import SHOP, WWW, Case, Lab, accepted, refused
from tests.corpus.keys import spki_sha256
from tests.pki import Issued


def _serves(issued: Issued, *names: str) -> Installed:
    return Installed(
        leaf_sha256=issued.leaf_sha256,
        spki_sha256=spki_sha256(issued),
        not_before=issued.leaf.not_valid_before_utc,
        not_after=issued.leaf.not_valid_after_utc,
        dns_names=tuple(sorted(names or (SHOP, WWW))),
    )


def _old(lab: Lab, **wanted: Any) -> Issued:
    """Last quarter's certificate, for another key."""
    return lab.middle.issue([SHOP, WWW], **{"age_days": 80, "days": 90, **wanted})


def _replacing(issued: Callable[[Lab], Issued], *names: str, **more: Any) -> Callable[[Lab], dict[str, Any]]:
    return lambda lab: {"installed": _serves(issued(lab), *names), **more}


def _same_key(lab: Lab) -> Issued:
    return _old(lab, key=lab.good.key)


def _newer(lab: Lab) -> Issued:
    return _old(lab, age_days=0.5, days=90)


_ALL = frozenset({"renewal-same-key"})

CASES: tuple[Case, ...] = (
    accepted("a new key, and the same names", lambda lab: lab.good.files(), change=_replacing(_old)),
    accepted("a name more", lambda lab: lab.good.files(), change=_replacing(_old, SHOP)),
    accepted(
        "the installed one has expired", lambda lab: lab.good.files(), change=_replacing(lambda lab: _old(lab, days=60))
    ),
    accepted("the key of last time", lambda lab: lab.good.files(), "renewal-same-key", change=_replacing(_same_key)),
    accepted("older than the installed one", lambda lab: lab.good.files(), "renewal-older", change=_replacing(_newer)),
    accepted(
        "names dropped",
        lambda lab: lab.good.files(),
        "renewal-names-dropped",
        change=_replacing(_old, SHOP, WWW, "blog.example.test"),
    ),
    accepted(
        "a wildcard in place of the names",
        lambda lab: lab.middle.issue(["*.example.test"]).files(),
        change=_replacing(_old),
    ),
    accepted(
        "the installed certificate once more",
        lambda lab: lab.good.files(),
        "renewal-same-certificate",
        change=_replacing(lambda lab: lab.good),
    ),
    accepted(
        "old and new certificate together, one key",
        lambda lab: lab.good.files(crt=_same_key(lab).leaf_pem + lab.good.leaf_pem),
        "certificate-left-out",
    ),
    accepted(
        "expired and new certificate together, one key",
        lambda lab: lab.good.files(crt=_old(lab, key=lab.good.key, days=60).leaf_pem + lab.good.leaf_pem),
        "certificate-left-out",
    ),
    accepted(
        "old and new pair together",
        lambda lab: {**lab.good.files(), "old/ssl.key": (old := _old(lab)).key_pem, "old/ssl.crt": old.leaf_pem},
        "certificate-left-out",
        "key-left-out",
    ),
    accepted(
        "the new certificate without its key, beside the old pair",
        lambda lab: lab.good.files(crt=lab.good.leaf_pem + lab.middle.issue([SHOP, WWW], age_days=0).leaf_pem),
        "certificate-left-out",
    ),
    refused(
        "the new certificate without its key, beside the expired pair",
        "key-mismatch",
        lambda lab: (old := _old(lab, days=60)).files(crt=old.leaf_pem + lab.good.leaf_pem),
    ),
    refused(
        "last year's certificate with the new key",
        "expired",
        lambda lab: lab.good.files(crt=_old(lab, key=lab.good.key, days=60).leaf_pem),
    ),
    refused(
        "the new certificate with last year's key", "key-mismatch", lambda lab: lab.good.files(key=_old(lab).key_pem)
    ),
    refused(
        "last year's certificate, and the new key", "key-mismatch", lambda lab: lab.good.files(crt=_old(lab).leaf_pem)
    ),
    refused(
        "the key of last time where that is refused",
        "renewal-same-key",
        lambda lab: lab.good.files(),
        _replacing(_same_key, rules=Rules(refused_warnings=_ALL)),
    ),
    refused(
        "it was never renewed",
        "expired",
        lambda lab: _old(lab, days=60).files(),
        _replacing(lambda lab: _old(lab, days=60)),
    ),
)
