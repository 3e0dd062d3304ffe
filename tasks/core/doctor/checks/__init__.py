"""
The rules a customer's certificate must meet, one small check each; `CHECKS` is the list.

A check looks at the case and yields what it finds; it never raises, and one that lacks its subject (no leaf was
found) yields nothing. The rules are those of browsers and of the CA/Browser Forum's Baseline Requirements (BR).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from tasks.core.doctor.case import Case
from tasks.core.doctor.checks.chain import (
    check_chain,
    check_chain_lifetimes,
    check_order,
    check_policies,
    check_signatures,
    check_signer,
)
from tasks.core.doctor.checks.key import (
    check_key_history,
    check_link_keys,
    check_pair,
    check_private_key,
    check_public_key,
)
from tasks.core.doctor.checks.leaf import (
    check_extensions,
    check_lifetime,
    check_purpose,
    check_serial,
    check_validity,
)
from tasks.core.doctor.checks.names import check_every_name, check_names
from tasks.core.doctor.checks.renewal import check_renewal
from tasks.core.doctor.manifest import judge_manifest
from tasks.core.model import Finding


def check_manifest(case: Case) -> Iterator[Finding]:
    """The `dotcloud.yml` says what kind of app the drop is."""
    if finding := judge_manifest(case.contents.manifest):
        yield finding


CHECKS: Final[Sequence[Callable[[Case], Iterator[Finding]]]] = (
    check_private_key,
    check_pair,
    check_signer,
    check_names,
    check_validity,
    check_public_key,
    check_key_history,
    check_purpose,
    check_signatures,
    check_serial,
    check_lifetime,
    check_every_name,
    check_extensions,
    check_chain,
    check_link_keys,
    check_policies,
    check_chain_lifetimes,
    check_manifest,
    check_renewal,
    check_order,
)
