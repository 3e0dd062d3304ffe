"""
The local stack from the command line.

    python -m deployments.local demo [--stay]      play a whole hand-over on a fresh stack
    python -m deployments.local up|down|status     a stack that stays, with its data
    python -m deployments.local issue HOSTNAME DIR          what a vendor does
    python -m deployments.local record NAME TYPE VALUE      what a registrar does
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from rich.console import Console
from rich.markup import escape

from deployments.local.configuration import APPROVER
from deployments.local.demo import UPLOAD_LIFETIME, Demo, Story
from deployments.local.proofs import Proof
from deployments.local.stack import REPOSITORY, Stack
from tasks.core.errors import CertferryError

STAYING, PLAYED = REPOSITORY / ".stack" / "main", REPOSITORY / ".stack" / "demo"
INTERRUPTED = 130


def demo(arguments: argparse.Namespace, console: Console) -> int:
    """Play on a fresh stack, and end it again unless told to stay."""
    root = arguments.root or PLAYED
    story = Story(console)
    Stack(root).down()
    shutil.rmtree(root, ignore_errors=True)
    stack = Stack(root, upload_lifetime=UPLOAD_LIFETIME, die_with_parent=not arguments.stay)
    stays = False
    try:
        stack.up(lambda name, what: story.tell("stack", f"{name} is {what}", "dim"))
        proofs = Demo(stack, story).play()
        _show_proofs(console, proofs)
        stays = bool(arguments.stay)
        _show_addresses(console, stack, "" if stays else "Ended with the demo; to keep it: make up. ")
        console.print(f"{story.seconds():.0f} s in all.", highlight=False)
        return 0 if all(proof.holds for proof in proofs) else 1
    finally:
        if not stays:
            stack.down()


def up(arguments: argparse.Namespace, console: Console) -> int:
    """Start the stack that stays."""
    stack, story = Stack(arguments.root or STAYING), Story(console)
    stack.up(lambda name, what: story.tell("stack", f"{name} is {what}", "dim"))
    _show_addresses(console, stack, "Runs until: make down. ")
    return 0


def down(arguments: argparse.Namespace, console: Console) -> int:
    """End whatever runs, of the stack that stays and of a demo."""
    for root in [arguments.root] if arguments.root else [STAYING, PLAYED]:
        Stack(root).down(lambda name, what: console.print(f"{name} {what}", style="dim"))
    return 0


def status(arguments: argparse.Namespace, console: Console) -> int:
    """Say what runs; 0 if the stack is up."""
    stack = Stack(arguments.root or STAYING)
    for process in stack.processes.read():
        console.print(f"{process.name:<12} {process.pid:>7}  {'runs' if process.is_alive() else 'has ended'}")
    if stack.is_up():
        _show_addresses(console, stack, "")
        return 0
    console.print("The stack is not up: make up")
    return 1


def issue(arguments: argparse.Namespace, console: Console) -> int:
    """Play the vendor: write a customer's four files."""
    Stack(arguments.root or STAYING).ca.issue([arguments.hostname]).write(arguments.directory)
    console.print(f"ssl.key, ssl.crt, ssl.chain and dotcloud.yml are in {arguments.directory}")
    return 0


def record(arguments: argparse.Namespace, console: Console) -> int:
    """Play the registrar: set one DNS record."""
    Stack(arguments.root or STAYING).set_customer_record(arguments.name, arguments.type, [arguments.value])
    console.print(f"{arguments.name} {arguments.type} {arguments.value}")
    return 0


def _show_proofs(console: Console, proofs: list[Proof]) -> None:
    console.print("\nWhat it proved, seen from outside:", style="bold")
    for proof in proofs:
        mark = "[green]holds[/]" if proof.holds else "[bold red]DOES NOT HOLD[/]"
        console.print(
            f"  {mark}  {escape(proof.claim)}\n         [dim]{escape(proof.seen)}[/]", highlight=False, soft_wrap=True
        )
    console.print()


def _show_addresses(console: Console, stack: Stack, end: str) -> None:
    place = stack.place
    console.print(
        f"{end}Prefect UI: [bold]{place.prefect_url}[/]\n"
        f"It asks for a password: PREFECT_API_AUTH_STRING in {place.secrets_file}\n"
        f"Approve as {APPROVER}. Front desk: {place.front_desk_url}\n"
        f"A shell of the operator's: set -a; . {place.secrets_file}; set +a; certferry-operator status",
        highlight=False,
        soft_wrap=True,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="deployments.local", description="The local stack of certferry.")
    parser.add_argument("--root", type=Path, help="Where the stack keeps everything; below .stack/ by default.")
    commands = parser.add_subparsers(required=True)
    added = {}
    for command in (demo, up, down, status, issue, record):
        added[command.__name__] = commands.add_parser(command.__name__, help=command.__doc__)
        added[command.__name__].set_defaults(run=command)
    added["demo"].add_argument("--stay", action="store_true", help="Leave the stack running at the end.")
    added["issue"].add_argument("hostname")
    added["issue"].add_argument("directory", type=Path)
    for name in ("name", "type", "value"):
        added["record"].add_argument(name)
    return parser


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def main() -> int:
    os.umask(0o077)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # a shell's background job ignores SIGINT otherwise
        signal.signal(number, _interrupt)
    console = Console(width=None if sys.stdout.isatty() else 120)
    arguments = _parser().parse_args()
    run: Callable[[argparse.Namespace, Console], int] = arguments.run
    try:
        return run(arguments, console)
    except CertferryError as error:
        console.print(escape(str(error)), style="bold red", highlight=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("Interrupted; nothing of it runs any more.")
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
