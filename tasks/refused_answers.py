"""Answers at a gate that do not count: on record, so that no process asks for one again and everyone sees why."""

from __future__ import annotations

from tasks.clients.installation import current
from tasks.core.errors import RecordsUnavailable
from tasks.retries import step

_ACTION = "answer.refused."


@step(RecordsUnavailable, "record an answer that does not count")
def record_refused_answer(subject: str, question: str, why: str) -> None:
    """
    Put on the trail that the answer to *question* does not count.

    Repeat: A question's answer is refused once.

    Undo: None: the gate asks another question.

    Args:
        question: The key of the suspension: gate, ``-a`` and the number of the attempt, ``-r`` and the run's count.
    """
    here = current()
    here.audit.append_once("certferry", f"{_ACTION}{question}", subject, {"why": why}, here.now())


def find_refused_answers(subject: str, gate: str) -> list[str]:
    """Give why each answer at *gate* did not count, oldest first, over all starts of the run."""
    entries = current().audit.entries(subject)
    return [entry["evidence"]["why"] for entry in entries if entry["action"].startswith(f"{_ACTION}{gate}-a")]
