"""Short ways to say what a check found, and the order findings are shown in."""

from __future__ import annotations

from collections.abc import Iterable

from tasks.core.errors import Who
from tasks.core.model import Finding, Severity

_ORDER = {Severity.REFUSE: 0, Severity.WARN: 1, Severity.NOTE: 2}


def refuse(code: str, cause: str, fix: str, who: Who = Who.CUSTOMER) -> Finding:
    return Finding(code, Severity.REFUSE, cause, fix, who)


def warn(code: str, cause: str, fix: str, who: Who = Who.CUSTOMER) -> Finding:
    return Finding(code, Severity.WARN, cause, fix, who)


def note(code: str, cause: str) -> Finding:
    """Say what was put right without anybody having to act."""
    return Finding(code, Severity.NOTE, cause, "Nothing to do.", Who.NOBODY)


def sort_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Give each finding once, the refusing ones first, otherwise in the order they were made."""
    return tuple(sorted(dict.fromkeys(findings), key=lambda finding: _ORDER[finding.severity]))
