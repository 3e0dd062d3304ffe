"""
The operator's command, `certferry-operator`: what an operator does besides clicking in the Prefect UI.

Exit codes: 0 done, 1 refused, 2 usage, 3 not ready, 4 unavailable, 130 interrupted.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from cyclopts import App, CycloptsError, Parameter
from rich.console import RenderableType

from tasks.core.errors import BadInput, CertferryError, NotReady, Unavailable, Who
from tasks.customer.output import Output
from tasks.customer.views import draw_statement
from tasks.describe_statement import describe_statement
from tasks.operator import commands, views

DONE, REFUSED, USAGE, NOT_READY, UNAVAILABLE, INTERRUPTED = 0, 1, 2, 3, 4, 130
_ABOUT: Final = """Look after hand-overs, accounts and tokens; works on the installation in CERTFERRY_SETTINGS.

--json with any command gives one JSON document. Exit codes: 0 done, 1 refused, 2 usage, 3 not ready, 4 unavailable."""

Draw = Callable[[Any], RenderableType]
Answer = tuple[Any, Draw]
DropId = Annotated[str, Parameter(name="DROP", help="The drop's id, as status shows it.")]
Approver = Annotated[str, Parameter(help="Your name, one of operators.approvers in the settings.")]

app = App(name="certferry-operator", help=_ABOUT, version_flags=[], help_format="plaintext")
token = App(name="token", help="Give out and revoke the customers' front desk tokens.")
audit = App(name="audit", help="Read and check the audit trail.")
app.command(token)
app.command(audit)


@app.command
def onboard(
    file: Annotated[Path | None, Parameter(help="YAML: account, contact, apps with their hostnames.")] = None,
    /,
    *,
    account: Annotated[str | None, Parameter(help="Instead of a file: the account.")] = None,
    contact: Annotated[str | None, Parameter(help="The address its tickets come from.")] = None,
    app: Annotated[str | None, Parameter(help="One app of it.")] = None,
    hostname: Annotated[list[str] | None, Parameter(help="A hostname of the app; may be given again.")] = None,
) -> Answer:
    """Record a customer: account, apps, hostnames. Run again, it adds what is new."""
    if (file is None) == (account is None):
        raise _usage("give a file or --account")
    if file:
        return commands.onboard_file(file, _now()), views.draw_sites
    return commands.onboard_one(str(account), contact, app, hostname or [], _now()), views.draw_sites


@app.command
def accounts() -> Answer:
    """List accounts and their hostnames."""
    return commands.list_accounts(), lambda rows: views.draw_table(rows, "account", "contact", "hostnames")


@token.command(name="issue")
def issue_token(
    account: str,
    /,
    *,
    out: Annotated[Path | None, Parameter(help="Write the token to this file (0600), not to the screen.")] = None,
) -> Answer:
    """Give an account a token for the front desk. It is shown this once."""
    return commands.give_token(account, out, _now()), views.draw_facts


@token.command(name="revoke")
def revoke_token(token_id: Annotated[str, Parameter(name="TOKEN-ID")], /) -> Answer:
    """Let a token open nothing from now on."""
    return commands.revoke_token(token_id, _now()), views.draw_facts


@app.command
def invitation(drop: DropId, /, *, out: Annotated[Path, Parameter(help="The file to write (0600).")]) -> Answer:
    """Write a fresh invitation, for a customer who cannot reach the front desk."""
    return commands.write_invitation(drop, out, _now()), views.draw_facts


@app.command
def status(drop: Annotated[str | None, Parameter(name="DROP", help="Without, all live ones.")] = None, /) -> Answer:
    """Say where hand-overs stand, and what one would be approved for."""
    if drop:
        return commands.show_hand_over(drop), views.draw_hand_over
    columns = ("id", "account", "hostname", "stage", "turn", "run_state")
    return commands.list_hand_overs(), lambda rows: views.draw_table(rows, *columns)


@app.command
def resume(drop: DropId, ticket_id: Annotated[str, Parameter(name="TICKET")], /, *, name: Approver) -> Answer:
    """Let a hand-over that waits for its ticket go on with this one. The run checks the ticket."""
    return commands.answer_with_ticket(drop, ticket_id, name), views.draw_facts


@app.command
def approve(drop: DropId, /, *, name: Approver, note: str = "") -> Answer:
    """Approve the plan that status shows for a drop. The run checks who approves."""
    return commands.decide(drop, "approve", name, note), views.draw_facts


@app.command
def reject(
    drop: DropId, /, *, name: Approver, note: Annotated[str, Parameter(help="Why; the customer reads it.")]
) -> Answer:
    """Reject the plan of a drop: the hand-over ends and the customer is told why."""
    return commands.decide(drop, "reject", name, note), views.draw_facts


@app.command(name="force-https")
def force_https(
    hostname: str,
    switch: Annotated[Literal["on", "on-with-hsts", "off"], Parameter(help="on, on-with-hsts or off.")],
    /,
    *,
    name: Annotated[str, Parameter(help="Your name, for the record.")],
) -> Answer:
    """Send a hostname's visitors to HTTPS (308), with HSTS in growing stages if wanted, or stop doing so."""
    return commands.switch_https(hostname, switch, name), views.draw_facts


@app.command
def rollback(
    hostname: str,
    /,
    *,
    name: Annotated[str, Parameter(help="Your name, for the record.")],
    reason: Annotated[str, Parameter(help="Why; the customer reads it on the ticket.")],
    forward: Annotated[bool, Parameter(help="To the newest certificate again.", negative="")] = False,
) -> Answer:
    """Put the previous certificate of a hostname back on both edges, at once. Asked twice, it goes no further back."""
    return commands.roll_back(hostname, name, reason, forward), views.draw_facts


@audit.command(name="verify")
def verify_audit() -> Answer:
    """Recompute the chain; exit code 1 if an entry was edited, removed or moved."""
    return commands.verify_audit(), views.draw_facts


@audit.command(name="show")
def show_audit(subject: Annotated[str | None, Parameter(help="A drop, an account, a ticket.")] = None, /) -> Answer:
    """Show the trail, or the part about one subject."""
    return commands.list_audit(subject), views.draw_audit


@app.command
def statement(
    account: str, month: Annotated[str | None, Parameter(help="As in 2026-11; without, this month so far.")] = None, /
) -> Answer:
    """Show what an account pays for a month."""
    return describe_statement(account, month, _now()), draw_statement


@app.command
def ledger(account: str, /) -> Answer:
    """Show the ledger entries of an account: what it is charged for, and since when."""
    columns = ("at", "kind", "hostname", "placement", "unit_price", "currency")
    return commands.list_ledger(account), lambda rows: views.draw_table(rows, *columns)


def main(arguments: Sequence[str] | None = None, output: Output | None = None) -> int:
    """
    Run the command and give its exit code.

    Args:
        arguments: Without the program's name; None takes the process's own.

        output: Where to show things; None is the terminal.
    """
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    shown = output or Output(as_json="--json" in tokens)
    try:
        answer = app(
            [word for word in tokens if word != "--json"],
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
        )
        if answer is not None:
            data, draw = answer
            shown.result(json.loads(json.dumps(data, default=str)), lambda: draw(data))
    except CycloptsError as error:
        shown.error(_usage(str(error)))
        return USAGE
    except CertferryError as error:
        shown.error(error)
        return _exit_code(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    return DONE


def _exit_code(error: CertferryError) -> int:
    if error.code == "usage":
        return USAGE
    if isinstance(error, NotReady):
        return NOT_READY
    return UNAVAILABLE if isinstance(error, Unavailable) else REFUSED


def _usage(got: str) -> BadInput:
    return BadInput(
        "certferry-operator",
        got=got,
        wanted="a known command with its arguments",
        do="See `certferry-operator --help`.",
        who=Who.OPERATOR,
        code="usage",
    )


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    sys.exit(main())
