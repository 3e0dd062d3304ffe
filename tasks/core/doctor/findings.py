"""Short ways to say what a check found, how a file is called in a command, and the order findings are shown in."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import Final

from tasks.core.errors import Who
from tasks.core.model import Finding, Severity
from tasks.core.text import printable

_LONGEST_NAME: Final = 255  # bytes of a name in any file system in use
_ORDER = {Severity.REFUSE: 0, Severity.WARN: 1, Severity.NOTE: 2}


def refuse(code: str, cause: str, fix: str, command: str = "", who: Who = Who.CUSTOMER) -> Finding:
    return Finding(code, Severity.REFUSE, cause, fix, command, who)


def warn(code: str, cause: str, fix: str, command: str = "", who: Who = Who.CUSTOMER) -> Finding:
    return Finding(code, Severity.WARN, cause, fix, command, who)


def note(code: str, cause: str) -> Finding:
    """Say what was put right without anybody having to act."""
    return Finding(code, Severity.NOTE, cause, "Nothing to do.", who=Who.NOBODY)


def sort_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Give each finding once, the refusing ones first, otherwise in the order they were made."""
    return tuple(sorted(dict.fromkeys(findings), key=lambda finding: _ORDER[finding.severity]))


def is_typeable(name: str) -> bool:
    """Tell whether a file's *name* can stand in a command that a person copies."""
    return name.isprintable() and len(name) <= _LONGEST_NAME


def shell_name(name: str) -> str:
    """Give a file's *name* as one word of a shell command, and never as an option; escaped where it is not text."""
    shown = name if is_typeable(name) else printable(name)
    return shlex.quote(f"./{shown}" if name.startswith("-") else shown)
