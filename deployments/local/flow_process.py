"""
What the worker starts for each flow run: Prefect's engine, which never outlives its worker.

Without this a flow whose worker was killed goes on until its next line of log, beside whatever is started in its
place. It may be killed at any moment: every step of a flow looks before it acts.
"""

from __future__ import annotations

import runpy

from deployments.local.lifeline import die_with_parent

if __name__ == "__main__":
    die_with_parent()
    runpy.run_module("prefect.engine", run_name="__main__", alter_sys=True)
