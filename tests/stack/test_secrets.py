"""
After everything that the tests of this directory did (its name sorts last): no key byte anywhere but on the edges.

Looked for: every customer's key in every representation, every drop secret, every seed bare and wrapped,
every token.
"""

from __future__ import annotations

import os
from contextlib import closing

from deployments.local.ports import EDGE_ADDRESSES
from tests.leaks import scan_processes, scan_tree
from tests.stack.conftest import Completed
from tests.stack.world import World


class TestNoKeyByte:
    def test_in_any_file_of_the_stack(self, world: World, completed: Completed) -> None:
        """Prefect's home and database, the records, the logs, S3's data: nothing, outside the edges' bundles."""
        root = world.stack.place.root
        bundles = [world.stack.place.edge_directory(edge) / "bundles" for edge in EDGE_ADDRESSES]
        looked_at = {path.name for path in root.iterdir()}

        hits = scan_tree([root], world.all_secrets, skip=bundles)

        assert {"prefect", "records.db", "logs", "s3", "edges"} <= looked_at
        assert [str(hit) for hit in hits] == []

    def test_in_what_the_commands_said(self, world: World, completed: Completed) -> None:
        """Nothing on stdout or stderr of any command that customers and operators ran."""
        assert [str(hit) for hit in scan_tree([world.said], world.all_secrets)] == []

    def test_in_arguments_and_environments(self, world: World, completed: Completed) -> None:
        """Nothing in any process, from the stack's first to the customer's own command."""
        hits = world.watch.scan(world.all_secrets) + scan_processes([os.getpid()], world.all_secrets)

        flow, command, edge = f"PREFECT__FLOW_RUN_ID={completed.run_id}", "certferry\0push", "conf/nginx.conf"
        assert [text for text in (flow, command, edge) if not world.watch.saw(text)] == []
        assert [str(hit) for hit in hits] == []

    def test_dead_drops_have_lost_their_seeds(self, world: World, completed: Completed) -> None:
        """No wrapped seed of an ended hand-over, however it ended, is left in the files of the records."""
        with closing(world.records()) as records:
            dead = [drop_id for (drop_id,) in records.execute("SELECT id FROM drops WHERE outcome IS NOT NULL")]
        files = sorted(world.stack.place.root.glob("records.db*"))

        assert completed.drop_id in dead
        assert scan_tree(files, world.wrapped_seeds(dead)) == []

    def test_no_core_file(self, world: World, completed: Completed) -> None:
        """No process of the stack left its memory on the disk."""
        assert [path for path in world.stack.place.root.rglob("core*") if path.is_file()] == []
