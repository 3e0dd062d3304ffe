"""A YAML or JSON file that is read again when it changes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml


class RereadFile:
    """The mapping in *path*. A reader sees the old file or the new one, if writers use `write_file`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._content: dict[str, Any] = {}

    def content(self) -> dict[str, Any]:
        """Give what the file holds now."""
        status = self._path.stat()
        seen = (status.st_ino, status.st_mtime_ns, status.st_size)
        if seen != self._seen:
            # JSON is YAML, and needs no second reader
            self._content = yaml.safe_load(self._path.read_bytes()) or {}
            self._seen = seen
        return self._content


def write_file(path: Path, content: dict[str, Any]) -> None:
    """Replace *path* in one rename."""
    incoming = path.with_name(f".{path.name}.{os.getpid()}")
    incoming.write_text(yaml.safe_dump(content), "utf-8")
    incoming.replace(path)
