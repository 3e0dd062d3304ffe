"""The digest of a plan: what an approval is bound to."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, fields
from datetime import UTC, date, datetime
from decimal import Decimal

from tasks.core.model import Plan, RemovalPlan


def digest_plan(plan: Plan | RemovalPlan) -> str:
    """
    Give the SHA-256, lower hex, of *plan* as canonical JSON: every field, keys sorted, times in UTC.

    A field that is at its default is left out: a plan of before the field was there keeps its digest.
    A price is the same however many zeros it is written with: ``0.10`` and ``0.1`` give one digest.

    Raises:
        ValueError: A time has no timezone.
    """
    defaults = {field.name: field.default for field in fields(plan)}
    said = {name: value for name, value in asdict(plan).items() if getattr(plan, name) != defaults[name]}
    content = {"certferry_plan": 1, **said}
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=_as_text)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def _as_text(value: object) -> str:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a time of a plan has no timezone")
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    raise TypeError(f"a plan holds no {type(value).__name__}")
