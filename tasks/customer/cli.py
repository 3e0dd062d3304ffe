"""
The customer's command, `certferry`: what is around its commands, which are in `tasks.customer.commands`.

Exit codes: 0 done, 1 refused, 2 usage, 3 not ready, 4 unavailable, 130 interrupted.

4 is also the code where an output takes no more, be it closed, full or a pipe that nobody reads (``| head``); stderr
says so if it can, except of the pipe. The command may have done its work by then.

Loads next to nothing by itself, so that who interrupts the loading sees no traceback either.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.customer.session import Session

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None, session: Session | None = None) -> int:
    """
    Run the command and give its exit code.

    Args:
        arguments: Without the program's name; None takes the process's own.

        session: What to work with; None is the real world.
    """
    try:
        from tasks.customer.commands import run

        return run(sys.argv[1:] if arguments is None else arguments, session)
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        if session is None:
            _drop_what_cannot_be_written()


def _drop_what_cannot_be_written() -> None:
    """Lead an output that takes no more to nowhere: else the interpreter's own last flush makes the exit code 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream:  # None where it was closed before the start
                stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


if __name__ == "__main__":
    sys.exit(main())
