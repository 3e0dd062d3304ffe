"""What the customer sees of a hand-over."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from tasks.customer.views import draw_hand_over


def drawn(stage: str) -> str:
    """Give what a terminal shows of a hand-over at *stage*."""
    shown = {
        "name": "edge",
        "hostname": "shop.example.test",
        "id": "drop-x",
        "turn": "nobody",
        "detail": "",
        "stage": stage,
    }
    console = Console(file=io.StringIO(), width=80)
    console.print(draw_hand_over(shown))
    return str(console.file.getvalue())  # type: ignore[attr-defined]


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
