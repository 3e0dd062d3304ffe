"""No core file, no other process: where keys come into memory, it is closed before."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tasks.clients.keys import create_key_file

_SHOW = """
import ctypes, resource
print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))  # PR_GET_DUMPABLE
"""
_BY_THE_PROVIDER = """
from tasks.clients.keys import open_key_provider
from tasks.clients.settings import Keys
open_key_provider(Keys(file={file!r}))
"""


def run(code: str) -> str:
    checkout = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=checkout)
    return done.stdout.strip()


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux whether a process can be read")
def test_a_process_that_gets_a_key_provider_can_neither_be_dumped_nor_read(tmp_path: Path) -> None:
    """Flows get there by the installation, before anything is unwrapped."""
    create_key_file(tmp_path / "wrapping.key")
    assert run(_SHOW).endswith(" 1"), "else this shows nothing"
    assert run(_BY_THE_PROVIDER.format(file=str(tmp_path / "wrapping.key")) + _SHOW) == "(0, 0) 0"
