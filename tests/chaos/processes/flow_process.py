"""
What the worker of the chaos stack starts for each flow run: `deployments.local.flow_process`, with rods.

    python -m tests.chaos.processes.flow_process DIRECTORY
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

from deployments.local.lifeline import die_with_parent
from tests.chaos.processes.rods import Rods, identify, put_up


def main() -> None:
    die_with_parent()
    rods = Rods(Path(sys.argv.pop(1)), identify(os.environ))
    rods.call("process.begin", lambda: put_up(rods))
    try:
        runpy.run_module("prefect.engine", run_name="__main__", alter_sys=True)
    finally:
        rods.call("process.end", lambda: None)


if __name__ == "__main__":
    main()
