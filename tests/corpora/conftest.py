"""What the tests over corpora share: a place to say what they counted."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.fixture(name="tell")
def _tell(request: pytest.FixtureRequest) -> Callable[[object], None]:
    """Write a line to the terminal; nobody hears it where several processes run the tests."""
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")

    def tell(line: object) -> None:
        if reporter:
            reporter.write_line(f"\n{line}")

    return tell
