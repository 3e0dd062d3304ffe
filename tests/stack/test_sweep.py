"""The second sweep; its name sorts last, so that the upload capability has expired without anybody waiting for it."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.stack.conftest import UPLOAD_LIFETIME, Completed
from tests.stack.world import World, await_value


class TestSecondSweep:
    def test_follows_the_upload_capability(self, world: World, completed: Completed) -> None:
        """When nothing can be uploaded any more, the place is swept again: on record, on the trail, on the ticket."""
        await_value(
            lambda: datetime.now(UTC) > completed.ended_at + UPLOAD_LIFETIME or None, "the end of the upload capability"
        )

        run_id = world.prefect.start("watch-drops", {})

        assert world.prefect.await_state(run_id, "Completed", "Failed", "Cancelled") == "Completed"
        assert world.count("drops", "id = ? AND swept_at IS NOT NULL", completed.drop_id) == 1
        assert "drop.swept" in [entry["action"] for entry in world.operate("audit", "show", completed.drop_id)]
        (ticket,) = completed.customer.succeed("ticket", "list")
        assert "Second sweep" in ticket["messages"][-1]["body"]
