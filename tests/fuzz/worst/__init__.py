"""
The worst that somebody could send, as far as it was thought of: each case is made to cost time, memory or text.

`tests.fuzz.measure` judges each in a process of its own; `tests.core.test_fuzz` holds the figures to their limits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.fuzz.worst import archives, certificates, keys, texts
from tests.fuzz.worst.case import Worst

WORST: Final[Mapping[str, Worst]] = {
    case.name: case for part in (keys, certificates, texts, archives) for case in part.cases()
}
