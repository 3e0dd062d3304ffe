"""
Every code that a finding can have, read out of the source: where one is made, by whom it says to act, how grave it is.

A finding is made by `refuse`, `warn` and `note` of `tasks.core.doctor.findings`, or as a `Finding`. Its code stands there as
a word, or is chosen among words in the same function.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tasks.core.errors import Who
from tasks.core.model import Severity

_TASKS: Final = Path(__file__).parents[2] / "tasks"
_MAKERS: Final = {"refuse": Severity.REFUSE, "warn": Severity.WARN, "note": Severity.NOTE}
_MODULES: Final = ("tasks.core.doctor.findings", "tasks.core.model")
_DEFINED: Final = _TASKS / "core" / "doctor" / "findings.py"  # the makers themselves, which have no word there


@dataclass(frozen=True)
class Made:
    """One place that makes findings of *code*."""

    code: str
    severity: Severity
    who: Who
    where: str


class UnknownCode(Exception):
    """The code of a finding cannot be read out of the source."""


def find_made() -> list[Made]:
    """
    Give every place in ``tasks/`` that makes a finding.

    Raises:
        UnknownCode: One of them computes its code.
    """
    paths = sorted(path for path in _TASKS.rglob("*.py") if path != _DEFINED)
    return [made for path in paths for made in find_made_in(path.read_text(), str(path.relative_to(_TASKS.parent)))]


def find_made_in(source: str, file: str = "source") -> list[Made]:
    """
    Give every place in *source* that makes a finding.

    Raises:
        UnknownCode: One of them computes its code.
    """
    return list(_find_in(ast.parse(source), file))


def _find_in(tree: ast.Module, file: str) -> Iterator[Made]:
    makers = _imported_makers(tree)
    for function, call in _calls(tree):
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        if name not in makers:
            continue
        where = f"{file}:{call.lineno}"
        severity = makers[name] or _severity(call, where)
        for code in _codes(call.args[0], function, tree, where):
            yield Made(code, severity, _who(call, severity), where)


def _imported_makers(tree: ast.Module) -> dict[str, Severity | None]:
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module in _MODULES
        for alias in node.names
    }
    makers: dict[str, Severity | None] = {**_MAKERS, "Finding": None}
    return {name: severity for name, severity in makers.items() if name in imported}


def _calls(tree: ast.Module) -> Iterator[tuple[ast.AST, ast.Call]]:
    """Give each call with the outermost function it stands in."""
    for top in tree.body:
        functions = top.body if isinstance(top, ast.ClassDef) else [top]
        for function in functions:
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and node.args:
                    yield function, node


def _codes(value: ast.expr, function: ast.AST, tree: ast.Module, where: str) -> Iterator[str]:
    """Give what *value* may be: words that stand there, but nothing where it is the code of another finding."""
    match value:
        case ast.Constant(value=str(word)):
            yield word
        case ast.IfExp(body=one, orelse=other):
            yield from _codes(one, function, tree, where)
            yield from _codes(other, function, tree, where)
        case ast.Name(id=name):
            yield from _codes(_assigned(name, function, where), function, tree, where)
        case ast.Call(func=ast.Attribute(value=ast.Name(id=table), attr="get"), args=[_, default]):
            yield from _values(table, tree, where)
            yield from _codes(default, function, tree, where)
        case ast.Subscript(value=ast.Name(id=table)):
            yield from _values(table, tree, where)
        case ast.Attribute(attr="code"):
            return
        case _:
            raise UnknownCode(f"{where}: {ast.unparse(value)}")


def _assigned(name: str, function: ast.AST, where: str) -> ast.expr:
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
            return node.value
    raise UnknownCode(f"{where}: {name}")


def _values(table: str, tree: ast.Module, where: str) -> Iterator[str]:
    """Give the values of a dict at the top of the module."""
    for node in tree.body:
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Dict(values=values)) if name == table:
                for value in values:
                    yield from _codes(value, node, tree, where)
                return
    raise UnknownCode(f"{where}: {table}")


def _severity(call: ast.Call, where: str) -> Severity:
    match call.args:
        case [_, ast.Attribute(value=ast.Name(id="Severity"), attr=name), *_]:
            return Severity[name]
    raise UnknownCode(f"{where}: a severity that is not named")


def _who(call: ast.Call, severity: Severity) -> Who:
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    for value in given:
        match value:
            case ast.Attribute(value=ast.Name(id="Who"), attr=name):
                return Who[name]
    is_note = severity is Severity.NOTE and isinstance(call.func, ast.Name) and call.func.id == "note"
    return Who.NOBODY if is_note else Who.CUSTOMER
