"""
Make tasks/core/doctor/shared_primes out of the installed badkeys: ``python -m tests.corpora.shared_primes``.

badkeys has each product as gmpy2 writes it: two bytes of header, then the number, the lowest byte first.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Final

SIZES: Final = (2048, 4096)  # of those that are accepted; badkeys has none for 3072
OURS: Final = Path(__file__).parents[2] / "tasks" / "core" / "shared_primes"


def product_of_badkeys(bits: int) -> int:
    """Give the product of the primes that moduli of *bits* bits were found to share."""
    data = files("badkeys.keydata").joinpath(f"primes{bits}.dat").read_bytes()
    return int.from_bytes(data[2:], "little")


def main() -> None:
    for bits in SIZES:
        product = product_of_badkeys(bits)
        (OURS / f"{bits}.bin").write_bytes(product.to_bytes((product.bit_length() + 7) // 8, "big"))


if __name__ == "__main__":
    main()
