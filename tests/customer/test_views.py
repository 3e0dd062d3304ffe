"""What the customer sees of a hand-over."""

from __future__ import annotations

import io

import pytest
from rich.console import Console, Group

from tasks.core.doctor.findings import refuse
from tasks.core.doctor.report import render_plain
from tasks.customer.views import draw_hand_over, draw_ticket


def show(drawing: Group) -> str:
    """Give what a terminal of 80 columns shows, as the command writes it."""
    console = Console(file=io.StringIO(), width=80)
    console.print(drawing, crop=False)
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def drawn(stage: str, detail: str = "") -> str:
    """Give what a terminal shows of a hand-over at *stage*."""
    shown = {
        "name": "edge",
        "hostname": "shop.example.test",
        "id": "drop-x",
        "turn": "nobody",
        "detail": detail,
        "stage": stage,
    }
    return show(draw_hand_over(shown))


class TestSteps:
    @pytest.mark.parametrize(
        ("stage", "done", "now", "to_come"),
        [("opening", 0, 1, 6), ("awaiting-ticket", 3, 1, 3), ("provisioning", 5, 1, 1), ("completed", 7, 0, 0)],
    )
    def test_are_done_at_hand_or_to_come(self, stage: str, done: int, now: int, to_come: int) -> None:
        """One step is at hand until all are done."""
        text = drawn(stage)

        assert (done, now, to_come) == (text.count("[x]"), text.count("[>]"), text.count("[ ]"))

    def test_of_a_refused_hand_over_are_not_shown(self) -> None:
        """It has ended, and says how."""
        assert "ended: rejected" in drawn("rejected")
        assert "[x]" not in drawn("rejected")


class TestRefusals:
    def test_commands_can_be_copied_from_a_ticket_and_from_a_status(self) -> None:
        """They stand on lines of their own, longer than the terminal is wide; the words around them are wrapped."""
        command = "openssl req -new " + "-addext subjectAltName=DNS:shop.example.test " * 5 + "-out new.csr"
        text = render_plain([refuse("expired", "the certificate expired " + "long ago " * 20, "Renew it.", command)])
        ticket = {"id": "t", "state": "closed", "subject": "s", "messages": [{"author": "a", "at": "", "body": text}]}
        for shown in (show(draw_ticket(ticket)), drawn("rejected", f"{text}\n\nThe drop is destroyed.")):
            assert f"\n    {command}\n" in f"{shown}\n"
            assert max(len(line) for line in shown.splitlines() if command not in line) <= 80
