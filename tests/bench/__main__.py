"""
Run the benches and print their tables in Markdown.

    python -m tests.bench                # all
    python -m tests.bench judging        # one
    python -m tests.bench --write        # all, into docs/bench.md as well
"""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import platform
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography.hazmat.backends.openssl import backend

import tests.bench
from tests.bench.runner import FULL, LEAST, Bench, Effort, Table

_PAGE: Final = Path(__file__).parents[2] / "docs" / "bench.md"


def find_benches() -> dict[str, Bench]:
    """Give the benches by the names of their files."""
    names = sorted(module.name for module in pkgutil.iter_modules(tests.bench.__path__))
    modules = {name: importlib.import_module(f"tests.bench.{name}") for name in names if name != "__main__"}
    return {name: module.bench for name, module in modules.items() if hasattr(module, "bench")}


def run(names: list[str], effort: Effort) -> Iterator[Table]:
    benches = find_benches()
    for name in names or benches:
        yield from benches[name](effort)


def describe_machine() -> str:
    """Say where and when this is measured, without a word that names the machine."""
    software = f"Python {platform.python_version()}, {backend.openssl_version_text()}"
    return f"Measured on {datetime.now(UTC):%Y-%m-%d} on {os.cpu_count()} {platform.machine()} cores with {software}."


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure what things cost.")
    parser.add_argument("bench", nargs="*", help=f"which: {', '.join(find_benches())}")
    parser.add_argument("--least", action="store_true", help="as few runs as there can be, to see that it works")
    parser.add_argument("--write", action="store_true", help=f"write docs/{_PAGE.name} as well")
    given = parser.parse_args()
    parts = ["# What things cost", f"{describe_machine()} Written by `make bench WRITE=1`."]
    sys.stdout.write("\n\n".join(parts) + "\n")
    for table in run(given.bench, LEAST if given.least else FULL):
        parts.append(str(table))
        sys.stdout.write(f"\n{table}\n")
        sys.stdout.flush()
    if given.write:
        _PAGE.write_text("\n\n".join(parts) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
