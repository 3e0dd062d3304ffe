"""What a renewal changes, rule by rule: whether a person has to look at it, and what that person sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tasks.core import policy
from tasks.core.model import Certificate

POLICY: Final = "policy"
"""The approver on record where no person was asked; no person may be called so."""

_UNKNOWN: Final = "not on record"
_KEYS: Final = (tuple(f"RSA-{bits}" for bits in policy.RSA_BITS), policy.EC_CURVES)
"""The kinds of key that may take each other's place, the weaker first; another kind may not do for old clients."""
_PERMITTED: Final = frozenset({"renewal-same-key"})


@dataclass(frozen=True)
class Change:
    """
    What one rule saw.

    Attributes:
        old, new: As they are shown; escaped where they come out of a certificate.

        holds: Whether the rule lets the renewal through without a person.
    """

    rule: str
    old: str
    new: str
    holds: bool

    @property
    def said(self) -> str:
        """The rule in words, for the record."""
        return f"{self.rule}: {self.new if self.new == self.old else f'{self.old} -> {self.new}'}"

    def as_dict(self) -> dict[str, object]:
        return {"rule": self.rule, "old": self.old, "new": self.new, "holds": self.holds}


def compare_renewal(old: Certificate, new: Certificate) -> Sequence[Change]:
    """
    Compare what is served with what is to take its place; what the records do not know of an old one never holds.

    A renewal for which all of it holds changes nothing but dates.
    """
    return (
        _same("account", old.account, new.account),
        _same("names", ", ".join(old.dns_names), ", ".join(new.dns_names)),
        Change("key, same or stronger", old.key_kind or _UNKNOWN, new.key_kind or _UNKNOWN, _is_as_strong(old, new)),
        _same("issuer", old.issuer, new.issuer),
        _same("root (SHA-256)", old.root_sha256 or _UNKNOWN, new.root_sha256 or _UNKNOWN),
        Change("trust", old.trust or _UNKNOWN, new.trust or _UNKNOWN, _is_as_trusted(old, new)),
        Change("validity, later", _validity(old), _validity(new), _is_later(old, new)),
        Change("warnings, no new ones", _warnings(old), _warnings(new), _has_no_new_warning(old, new)),
    )


def _same(rule: str, old: str, new: str) -> Change:
    return Change(rule, old, new, old == new != _UNKNOWN)


def _is_as_strong(old: Certificate, new: Certificate) -> bool:
    return any(
        old.key_kind in kinds and new.key_kind in kinds and kinds.index(new.key_kind) >= kinds.index(old.key_kind)
        for kinds in _KEYS
    )


def _is_as_trusted(old: Certificate, new: Certificate) -> bool:
    return new.trust == "public" or (new.trust is not None and new.trust == old.trust)


def _validity(certificate: Certificate) -> str:
    return f"{certificate.not_before:%Y-%m-%d} to {certificate.not_after:%Y-%m-%d}"


def _is_later(old: Certificate, new: Certificate) -> bool:
    return new.not_before >= old.not_before and new.not_after > old.not_after


def _warnings(certificate: Certificate) -> str:
    return _UNKNOWN if certificate.warned is None else ", ".join(certificate.warned) or "none"


def _has_no_new_warning(old: Certificate, new: Certificate) -> bool:
    return None not in (old.warned, new.warned) and set(new.warned or ()) - set(old.warned or ()) <= _PERMITTED
