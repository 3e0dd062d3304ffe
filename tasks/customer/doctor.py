"""What `certferry doctor` does: examine files, and show what was found. It opens no connection."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tasks.closed_memory import close_memory
from tasks.core.doctor.report import render_markdown
from tasks.core.model import parse_hostname
from tasks.customer.collect import collect
from tasks.customer.examination import Examination, examine
from tasks.customer.session import Session


def diagnose(
    session: Session, paths: Sequence[Path], hostname: str | None, trust: Path | None, installed: Path | None
) -> Examination:
    """
    Examine the files at *paths*; the other arguments are those of `examine`.

    Raises:
        BadInput: There is nothing at *paths*, or another argument is not what it should be.
    """
    asked = None if hostname is None else parse_hostname(hostname)
    close_memory()
    return examine(collect(paths), asked, trust, installed, session.now())


def show(session: Session, examination: Examination, paths: Sequence[Path], as_markdown: bool) -> None:
    """Show all that was found at *paths*: to a person, to a program, or as a report."""
    if as_markdown:
        session.output.document(examination.as_dict(), render_markdown(examination.verdict))
        return
    from tasks.customer.diagnosis import draw_examination

    elsewhere = len(paths) == 1 and paths[0] != Path() and os.path.isdir(paths[0])  # noqa: PTH112  # a long name is none
    session.output.result(examination.as_dict(), lambda: draw_examination(examination, paths[0] if elsewhere else None))
