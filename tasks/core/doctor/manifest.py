"""
The customer's `dotcloud.yml`: a mapping with ``type: python-worker``.

It is composed, never constructed: no object is ever made from a tag, and aliases, anchors, tags, a second
document and a key given twice are refused before anything is built from them.
"""

from __future__ import annotations

import re
from typing import Final

import yaml

from tasks.core import policy
from tasks.core.doctor.findings import refuse
from tasks.core.model import Finding

TYPE: Final = "python-worker"
_WRITE: Final = f"echo 'type: {TYPE}' > dotcloud.yml"
_FIX: Final = (
    "Write it anew; one line is all it needs. The old one is kept beside it.",
    f"test ! -s dotcloud.yml || mv dotcloud.yml dotcloud.yml.old; {_WRITE}",
)
_MAX_DEPTH: Final = 10
_WORD: Final = re.compile(r"[a-z][a-z0-9-]{0,23}")  # nothing that could be a piece of a key is ever said again


def judge_manifest(data: bytes | None) -> Finding | None:
    """Give what is wrong with the `dotcloud.yml`, or None."""
    if data is None or not data.strip():
        return refuse("yaml-missing", "dotcloud.yml is missing or empty", "Write it; one line is all it needs.", _WRITE)
    try:
        kind = _read_type(data)
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        return refuse("yaml-bad", f"dotcloud.yml cannot be read: {_reason(error)}", *_FIX)
    if kind != TYPE:
        said = f"type: {kind}" if _WORD.fullmatch(kind) else "another type"
        return refuse("wrong-type", f"dotcloud.yml says {said}, not type: {TYPE}", *_FIX)
    return None


def _read_type(data: bytes) -> str:
    if len(data) > policy.MANIFEST_MAX_BYTES:
        raise ValueError(f"it is larger than {policy.MANIFEST_MAX_BYTES} bytes")
    text = data.decode("utf-8-sig")
    _check_events(text)
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        raise ValueError("it is not a mapping")
    _check_keys(root)
    for key, value in root.value:
        if key.value == "type" and isinstance(value, yaml.ScalarNode):
            return str(value.value)
    raise ValueError("it has no type")


def _check_events(text: str) -> None:
    """Refuse what makes YAML dangerous, before any node is built; the parser keeps no stack of ours."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise ValueError("anchors and aliases are not accepted")
        if getattr(event, "tag", None):
            raise ValueError("tags are not accepted")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        documents += isinstance(event, yaml.DocumentStartEvent)
        if depth > _MAX_DEPTH or documents > 1:
            raise ValueError("it is more than one small mapping")


def _check_keys(node: yaml.Node) -> None:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _check_keys(item)
    if isinstance(node, yaml.MappingNode):
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if len(keys) < len(node.value):
            raise ValueError("a key is not a plain word")
        if len(set(keys)) < len(keys):
            raise ValueError("a key is given twice")
        for _, value in node.value:
            _check_keys(value)


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"it is not YAML (line {error.problem_mark.line + 1})"
    # PyYAML lets an escape beyond Unicode through to chr(), which overflows
    return "it is not YAML" if isinstance(error, (yaml.YAMLError, OverflowError)) else str(error)
