"""
The commands of `certferry`. Loads fast: what a command needs is imported when it runs.

The exit codes are explained in `tasks.customer.cli`.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from io import TextIOWrapper
from operator import methodcaller
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from cyclopts import App, CycloptsError, Group, Parameter

from tasks.core.errors import BadInput, CertferryError, NotReady, Unavailable, Who
from tasks.customer.session import Session
from tasks.customer.unkeyed import unkeyed

if TYPE_CHECKING:
    from rich.console import RenderableType

DONE, REFUSED, USAGE, NOT_READY, UNAVAILABLE = 0, 1, 2, 3, 4
_ABOUT: Final = """Hand a certificate over to the platform, without anybody seeing the private key.

The way of a certificate: login, create, push, ticket file, status. You have none yet? Begin with csr.
Not sure about your files? Ask the doctor; it needs no login and sends nothing.
Exit codes: 0 done, 1 refused, 2 usage, 3 not ready (ask again), 4 unavailable (try again)."""

KeyKind = Literal["ec-p256", "ec-p384", "rsa-2048", "rsa-3072", "rsa-4096"]
Lent = Annotated[Session, Parameter(parse=False)]
Name = Annotated[str, Parameter(help="What you call the hand-over.")]
Paths = Annotated[
    list[Path], Parameter(help="A directory, single files or archives: the private key, and what your CA sent you.")
]
Trust = Annotated[Path | None, Parameter(help="PEM of the platform's roots; without, public trust.")]

app = App(name="certferry", help=_ABOUT, version_flags=[], help_format="plaintext", result_action="return_value")
ticket = App(name="ticket", help="File and read tickets. Never put a key into one.")
app.command(ticket)
app.meta.group_parameters = Group("For programs", sort_key=9)


@app.command
def login(
    *,
    url: Annotated[str | None, Parameter(help="The front desk's address.")] = None,
    token_stdin: Annotated[bool, Parameter(negative="", help="Read the token from stdin.")] = False,
    session: Lent,
) -> None:
    """Log in with the token the platform's operators gave you. It is asked for, never an argument."""
    from tasks.customer.client import FrontDesk
    from tasks.customer.config import DEFAULT_URL, Login, check_token, check_url

    known = session.home.find_login()
    address = check_url(url or (known.url if known else DEFAULT_URL))
    typed = sys.stdin.readline() if token_stdin else session.ask(unkeyed(f"Token for {address}: "))
    chosen = Login(address, check_token(typed))
    account = FrontDesk(chosen, session.transport).fetch_account()
    session.home.save_login(chosen)
    _result(session, account, methodcaller("draw_account", account))


@app.command
def csr(
    hostnames: Annotated[
        list[str] | None, Parameter(help="What your visitors type; the first one is the main name.")
    ] = None,
    /,
    *,
    renew: Annotated[str | None, Parameter(help="Instead: a hostname that is served; its certificate's names.")] = None,
    same_key: Annotated[Path | None, Parameter(help="Take the key in this file; write ssl.csr only.")] = None,
    key: Annotated[KeyKind | None, Parameter(help="The kind of the new key; without, ec-p256.")] = None,
    out: Annotated[Path, Parameter(help="Where to put the files.")] = Path(),
    reuse: Annotated[bool, Parameter(negative="", help="Take the ssl.key that is there; write ssl.csr only.")] = False,
    session: Lent,
) -> None:
    """Make a private key, and the request (CSR) that you send to your certificate authority.

    Writes ssl.key, which only you can read, and ssl.csr. Nothing is overwritten, nothing is sent.
    For example: certferry csr example.com '*.example.com'; for the next one: certferry csr --renew example.com
    """
    from tasks.customer.request import KEY, list_served_names, make_request

    if bool(hostnames) == bool(renew) or (reuse and same_key):
        raise _usage("give names or --renew HOSTNAME, and at most one of --reuse and --same-key")
    names = list_served_names(session, renew) if renew else hostnames or []
    made = make_request(session, names, key, out, same_key or (out / KEY if reuse else None))
    _result(session, made, methodcaller("draw_request", made))


@app.command
def doctor(
    paths: Paths,
    /,
    *,
    hostname: Annotated[str | None, Parameter(help="The name that your visitors type.")] = None,
    trust: Trust = None,
    installed: Annotated[Path | None, Parameter(help="The certificate that serves now, if you renew it.")] = None,
    markdown: Annotated[bool, Parameter(negative="", help="Write a report in Markdown, for a ticket.")] = False,
    session: Lent,
) -> int:
    """Say whether your files can be handed over, and how to mend what is wrong with them. Nothing is sent.

    Files are told by their content, so it does not matter what they are called. Exit code 1: something is wrong.
    """
    from tasks.customer.doctor import diagnose, show

    try:
        examination = diagnose(session, paths, hostname, trust, installed)
    except BadInput as error:  # here it is always an argument that is not what it should be
        session.output.error(error)
        return USAGE
    show(session, examination, paths, markdown)
    return REFUSED if examination.refused else DONE


@app.command
def create(
    name: Name,
    /,
    *,
    app: Annotated[str, Parameter(help="One of your apps.")],
    hostname: Annotated[str, Parameter(help="The name your visitors type.")],
    invitation_out: Annotated[Path | None, Parameter(help="Write the invitation to this file instead.")] = None,
    session: Lent,
) -> None:
    """Ask for a drop: a temporary, encrypted place for the files of one certificate. Run again, it goes on."""
    from tasks.customer import hand_overs

    created = hand_overs.create(session, name, app, hostname, invitation_out)
    _result(session, created, methodcaller("draw_created", created))


@app.command
def push(
    name: Name,
    paths: Paths,
    /,
    *,
    invitation: Annotated[Path | None, Parameter(help="An invitation as a file; needs no login.")] = None,
    trust: Trust = None,
    session: Lent,
) -> None:
    """Check the files here, seal them for the drop, upload them. If the check refuses, nothing is uploaded."""
    from tasks.customer import hand_overs

    pushed = hand_overs.push(session, name, paths, invitation, trust)
    _result(session, pushed, methodcaller("draw_pushed", pushed, name))


@app.command
def status(
    name: Annotated[str | None, Parameter(help="One hand-over; without, all.")] = None,
    /,
    *,
    watch: Annotated[bool, Parameter(negative="", help="Go on until it has ended.")] = False,
    session: Lent,
) -> None:
    """Say where a hand-over stands, whose turn it is, and what to do."""
    from tasks.customer import hand_overs

    if name is None:
        found = session.front_desk().list_drops()
        _result(session, found, methodcaller("draw_hand_overs", found))
        return
    for one in hand_overs.follow(session, name) if watch else [hand_overs.fetch(session, name)]:
        _result(session, one, methodcaller("draw_hand_over", one))


@app.command
def destroy(name: Name, /, *, session: Lent) -> None:
    """Destroy a drop and its key, whatever has arrived in it. What the edges serve stays."""
    from tasks.customer import hand_overs

    hand_over = hand_overs.destroy(session, name)
    _result(session, hand_over, methodcaller("draw_hand_over", hand_over))


@app.command
def sites(*, session: Lent) -> None:
    """List your hostnames: the DNS records each needs, and the certificate it is served with."""
    found = session.front_desk().list_sites()
    _result(session, found, methodcaller("draw_sites", found))


@app.command(name="force-https")
def force_https(
    hostname: Annotated[str, Parameter(help="One of your hostnames.")],
    switch: Annotated[Literal["on", "off"], Parameter(help="on or off.")],
    /,
    *,
    hsts: Annotated[bool, Parameter(negative="", help="Also have browsers remember it, in growing stages.")] = False,
    session: Lent,
) -> None:
    """Send visitors who come over plain HTTP to HTTPS, or stop doing so.

    With --hsts their browsers remember it: for five minutes at first, a year in the end. That can be turned off too,
    but a browser that does not come back meanwhile remembers until its time is over.
    """
    from tasks.core.model import parse_hostname

    if hsts and switch == "off":
        raise _usage("--hsts goes with on; off withdraws it by itself")
    wish = "on-with-hsts" if hsts else switch
    site = session.front_desk().switch_https(parse_hostname(hostname), wish)
    _result(session, site, methodcaller("draw_sites", [site]))


@app.command
def statement(
    month: Annotated[str | None, Parameter(help="As in 2026-11; without, this month so far.")] = None,
    /,
    *,
    session: Lent,
) -> None:
    """Show what your account pays for a month."""
    from tasks.core.price import parse_month

    checked = str(parse_month(month)) if month else None
    found = session.front_desk().fetch_statement(checked)
    _result(session, found, methodcaller("draw_statement", found))


@app.command
def disable(hostname: Annotated[str, Parameter(help="One of your hostnames.")], /, *, session: Lent) -> None:
    """Ask for HTTPS to be disabled for a hostname: files the ticket. An operator approves it.

    Then its certificate leaves the edges and its charge ends; plain HTTP goes on. Turn force-https off some time
    before: browsers that were told to remember HTTPS cannot reach the site by HTTP until they forget it.
    """
    from tasks.core.model import parse_hostname

    filed = session.front_desk().disable_https(parse_hostname(hostname))
    _result(session, filed, methodcaller("draw_ticket", filed))


@ticket.command(name="file")
def file_(
    name: Name,
    /,
    *,
    subject: Annotated[str | None, Parameter(allow_leading_hyphen=True, help="Without, we word it.")] = None,
    message: Annotated[str | None, Parameter(allow_leading_hyphen=True, help="Without, we word it.")] = None,
    session: Lent,
) -> None:
    """File the ticket that asks for a hand-over to be set up."""
    from tasks.customer import tickets

    filed = tickets.file_ticket(session, name, subject, message)
    _result(session, filed, methodcaller("draw_ticket", filed))


@ticket.command
def show(ticket_id: Annotated[str, Parameter(help="The ticket.")], /, *, session: Lent) -> None:
    """Read a ticket."""
    from tasks.customer import tickets

    found = tickets.fetch_ticket(session, ticket_id)
    _result(session, found, methodcaller("draw_ticket", found))


@ticket.command(name="list")
def list_(*, session: Lent) -> None:
    """List your tickets, newest first."""
    found = session.front_desk().list_tickets()
    _result(session, found, methodcaller("draw_tickets", found))


@ticket.command
def say(
    ticket_id: Annotated[str, Parameter(help="The ticket.")],
    message: Annotated[str, Parameter(allow_leading_hyphen=True, help="What to write. Never a key.")],
    /,
    *,
    session: Lent,
) -> None:
    """Write on a ticket."""
    from tasks.customer import tickets

    written = tickets.say(session, ticket_id, message)
    _result(session, written, methodcaller("draw_ticket", written))


@app.meta.default
def launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    json: Annotated[bool, Parameter(negative="", help="Write JSON to stdout, errors too.")] = False,
    session: Lent,
) -> int:
    """Run one command and give its exit code."""
    if json:
        session = dataclasses.replace(session, output=session.output.for_programs())
    try:
        given = _run(app, tokens, session)
    except CycloptsError as error:
        session.output.error(_usage(str(error)))
        return USAGE
    except CertferryError as error:
        session.output.error(error)
        return exit_code(error)
    return _code(given)


def run(arguments: Sequence[str], session: Session | None = None) -> int:
    """
    Run what *arguments* say and give the exit code; the arguments are those of `tasks.customer.cli.main`.

    An output that takes no more is an outage of this machine, never a refusal.
    """
    if session is None:
        _escape_what_stdout_lacks()
        session = Session()
    try:
        return _launch(arguments, session)
    except BrokenPipeError:
        return UNAVAILABLE
    except SystemExit:  # what Rich makes of a broken pipe where the help is printed
        return UNAVAILABLE
    except OSError as error:
        _say_unwritable(session, error)
        return UNAVAILABLE


def _launch(arguments: Sequence[str], session: Session) -> int:
    try:
        return _code(_run(app.meta, arguments, session))
    except CycloptsError as error:  # in --json itself
        session.output.error(_usage(str(error)))
        return USAGE


def _say_unwritable(session: Session, error: OSError) -> None:
    """Say it on stderr, to programs too, if that can be written."""
    with suppress(OSError):
        session.output.error(
            Unavailable(
                "this machine",
                got=error.strerror or type(error).__name__,
                wanted="an output that takes what the command has to say",
                do="Mend that, and look with `certferry status` what was done.",
                who=Who.CUSTOMER,
                code="cannot-write",
            )
        )


def _escape_what_stdout_lacks() -> None:
    """Have letters that the terminal's encoding lacks written as escapes, as stderr does by itself."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _code(given: Any) -> int:
    """Give the exit code of a command that ran: most have none of their own, nor has the help."""
    return given if isinstance(given, int) else DONE


def exit_code(error: CertferryError) -> int:
    """Give the exit code that tells a program what *error* means for it."""
    if isinstance(error, NotReady):
        return NOT_READY
    if error.code == "usage":
        return USAGE
    return UNAVAILABLE if isinstance(error, Unavailable) else REFUSED


def _run(of: App, tokens: Sequence[str], session: Session) -> Any:
    """Run what *tokens* name, with *session* lent to it; help takes none."""
    command, bound, unparsed = of.parse_args(list(tokens), exit_on_error=False, print_error=False)
    return command(*bound.args, **bound.kwargs, **dict.fromkeys(unparsed, session))


def _result(session: Session, data: Any, draw: Callable[[ModuleType], RenderableType]) -> None:
    """Show *data*, drawn by `tasks.customer.views`, which is loaded only if somebody looks."""

    def drawn() -> RenderableType:
        from tasks.customer import views

        return draw(views)

    session.output.result(data, drawn)


def _usage(text: str) -> BadInput:
    """Say what does not fit the command's form."""
    return BadInput(
        "certferry", got=text, wanted="a command as `certferry --help` shows it", do="Mend it.", code="usage"
    )
