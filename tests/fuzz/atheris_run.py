"""
One harness under atheris, in a process of its own; `python -m tests.fuzz` starts it.

    python -m tests.fuzz.atheris_run pem CORPUS -max_total_time=60   # what follows the name is libFuzzer's
"""

from __future__ import annotations

import random
import sys
from importlib import import_module
from typing import Any, Final

atheris: Final[Any] = import_module("atheris")  # it has no types, and is not there on every platform

with atheris.instrument_imports(include=["tasks.core", "tarfile", "zipfile", "yaml", "idna"]):
    from tests.fuzz.harnesses import HARNESSES, Mutator


def _mutator(change: Mutator) -> object:
    """Give what changes an input: by turns as the harness does, and as libFuzzer does."""

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        chance = random.Random(seed)
        return change(data, most, chance) if chance.random() < 0.7 else bytes(atheris.Mutate(data, most))

    return mutate


def main() -> None:
    name, *arguments = sys.argv[1:]
    harness = HARNESSES[name]
    more = {"custom_mutator": _mutator(harness.mutate)} if harness.mutate else {}
    atheris.Setup([name, *arguments], harness.run, **more)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
