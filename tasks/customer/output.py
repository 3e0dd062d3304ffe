"""
What the customer sees: results on stdout, everything else on stderr, JSON when asked for.

With ``--json`` stdout holds one document a command (``status --watch``: one a line), errors included, and stderr
stays empty. Rich is loaded only when something is drawn. No private key gets through: what is written passes
`unkeyed` here, what is drawn passes it in `tasks.customer.terminal.plain`.
"""

from __future__ import annotations

import errno
import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, TextIO

from tasks.core.errors import BadBundle, CertferryError, NotReady, Unavailable
from tasks.core.model import Finding
from tasks.customer.terminal import plain
from tasks.customer.unkeyed import unkeyed

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text


class Output:
    """Draws for a person, or writes JSON for a program."""

    def __init__(self, as_json: bool = False, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.as_json = as_json
        self._out, self._err = out or sys.stdout or _Closed(), err or sys.stderr or io.StringIO()

    def for_programs(self) -> Output:
        """Give the same output, in JSON."""
        return Output(True, self._out, self._err)

    def result(self, data: Any, draw: Callable[[], RenderableType]) -> None:
        """Show what a command is for: *data* to a program, what *draw* gives to a person."""
        if self.as_json:
            self._write(json.dumps(unkeyed(data)))
        else:
            console(self._out).print(draw(), crop=False)

    def document(self, data: Any, text: str) -> None:
        """Show what a command is for as a *text* that is a document of its own, or *data* to a program."""
        self._write(json.dumps(unkeyed(data)) if self.as_json else unkeyed(text))

    def note(self, text: str) -> None:
        """Tell a person something on the way."""
        if not self.as_json:
            console(self._err).print(plain(text))

    def findings(self, findings: tuple[Finding, ...]) -> None:
        """Show a person what a check found, the command that mends it below each."""
        if not self.as_json:
            from tasks.customer.diagnosis import draw_findings

            console(self._err).print(draw_findings(findings), crop=False)

    def error(self, error: CertferryError) -> None:
        """Show *error* in its six parts."""
        if self.as_json:
            self._write(json.dumps({"error": unkeyed(error.as_dict())}))
        else:
            console(self._err).print(_draw_error(error))

    def _write(self, text: str) -> None:
        self._out.write(text + "\n")
        self._out.flush()

    @contextmanager
    def working(self, text: str) -> Iterator[None]:
        """Show a person that something takes a while."""
        with self._spinner(text):
            yield

    def _spinner(self, text: str) -> AbstractContextManager[Any]:
        if self.as_json or not self._err.isatty():
            return nullcontext()
        return console(self._err).status(plain(text))


class _Closed(io.StringIO):
    """A stdout that was closed before the start."""

    def write(self, _: str, /) -> int:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))


def console(file: TextIO) -> Console:
    """Give a console that writes to *file* and finds no markup, emoji or numbers to colour in foreign text."""
    from rich.console import Console

    class Plain(Console):
        def on_broken_pipe(self) -> None:
            raise  # noqa: PLE0704  # the BrokenPipeError that is being handled, where Rich would leave with code 1

    return Plain(file=file, markup=False, highlight=False, emoji=False)


def _draw_error(error: CertferryError) -> Text:
    waiting = isinstance(error, (NotReady, Unavailable))
    text = plain(f"{error.subject}: {error.got}", "bold yellow" if waiting else "bold red")
    rows = [("wanted", error.wanted), ("do", error.do), ("to act", str(error.who)), ("code", error.code)]
    if isinstance(error, BadBundle):
        rows = rows[2:]  # every finding, with what mends it, was shown above
    for label, value in rows:
        text.append_text(plain(f"\n  {label + ':':<8}", "dim"))
        text.append_text(plain(f" {value}"))
    return text
