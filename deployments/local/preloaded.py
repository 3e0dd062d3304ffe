"""
A Prefect command that imports what it needs while the server still starts: 2 s and more, on the second core.

    python -m deployments.local.preloaded MODULE... -- deploy --all

Imports the modules, waits for a line on stdin, then becomes ``prefect deploy --all``. If stdin ends without a
line, whoever was to say so is gone, and nothing is run.
"""

from __future__ import annotations

import sys
from importlib import import_module


def main() -> int:
    modules, command = sys.argv[1 : sys.argv.index("--")], sys.argv[sys.argv.index("--") + 1 :]
    for module in ("prefect.cli", *modules):
        import_module(module)
    if not sys.stdin.readline():
        return 1
    from prefect.cli import app

    sys.argv = ["prefect", *command]
    app()
    return 0


if __name__ == "__main__":
    sys.exit(main())
